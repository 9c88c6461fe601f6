//! The model of a report: all that was counted, as plain values. Outputs, insights and prompts read
//! it and need nothing else.
//!
//! Texts come from logs, so from strangers. Here they hold no control characters and no marks that
//! turn the direction of writing: such bytes, and those that are not UTF-8, stand as `\xNN`. They may
//! hold all else, so whoever writes HTML, Markdown or a shell command escapes them. Times are UTC,
//! durations microseconds, sizes bytes, rates percent.

mod events;
mod series;
mod source;
mod table;

pub use events::{EventWindow, Events, LevelCounts, NamedLevels};
pub use series::{Cell, ClientWindow, Hour, HourOfDay, Period, Window, Windows};
pub use source::{Failed, Lines, Source, SourceState, Warning, WarningKind};
pub use table::{
    Agent, Client, Counts, Endpoint, Named, Path, SlowRequest, StatusCount, Table, UserAgent,
};

use jiff::Timestamp;
use serde::Serialize;

/// The version of the JSON form of a [`Report`]: it changes when a field goes or changes its meaning.
pub const VERSION: u32 = 1;

/// All that was found in logs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// What was asked for.
    pub asked: Asked,
    /// What was read, in its order.
    pub sources: Vec<Source>,
    /// The lines of all sources.
    pub lines: Lines,
    /// What the reader of the report has to know before believing it.
    pub warnings: Vec<Warning>,
    /// The time of the earliest and of the latest request or event; `None`: there was none with a time.
    pub covered: Option<Span>,
    /// Sums over all requests.
    pub totals: Totals,
    /// The 24 hours of the day, all days together; empty where no request has a time.
    pub hours_of_day: Vec<HourOfDay>,
    /// The hours with requests, the earliest first. At most 2,208 of them, the newest.
    pub hours: Vec<Hour>,
    /// The minutes with requests, the earliest first. At most 2,880 of them, the newest.
    pub minutes: Vec<Period>,
    /// By status, the lowest first.
    pub statuses: Vec<StatusCount>,
    /// By method, the most frequent first.
    pub methods: Table<Named>,
    /// By method and path template, the most frequent first: all that are told apart.
    pub endpoints: Table<Endpoint>,
    /// The endpoints of all methods of a template together, the most frequent first; the method of
    /// each is `-`. Not part of the JSON form.
    #[serde(skip)]
    pub templates: Vec<Endpoint>,
    /// By path without the query, the most frequent first.
    pub paths: Table<Path>,
    /// By host asked for, the most frequent first.
    pub hosts: Table<Named>,
    /// By referrer without its query, the most frequent first.
    pub referrers: Table<Named>,
    /// By client address, the most frequent first.
    pub clients: Table<Client>,
    /// By family of the user agent (Firefox, curl, Googlebot …), the most frequent first.
    pub agents: Table<Agent>,
    /// By user agent as it was sent, the most frequent first.
    pub user_agents: Table<UserAgent>,
    /// The requests that took longest, the slowest first.
    pub slowest: Vec<SlowRequest>,
    /// What `gen events` and programs like it write: records with a level. `None`: there was none.
    pub events: Option<Events>,
    /// The last lines that were parsed, as they stand in the log (made harmless), the oldest first.
    pub last_lines: Vec<String>,
    /// The same of the time to compare with, if one was asked for.
    pub before: Option<Box<Self>>,
    /// The traffic in small steps, for detectors. Not part of the JSON form.
    #[serde(skip)]
    pub windows: Windows,
}

/// What was asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Asked {
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Only before then.
    pub until: Option<Timestamp>,
    /// Where relative times were counted from the end of the log: that end.
    pub from_end: Option<Timestamp>,
    /// Only what meets this condition, as it was typed.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Sources as they were named, to be named again in a command.
    pub sources: Vec<String>,
    /// `--log-format`, where it was given.
    pub log_format: Option<String>,
    /// The folder of the store that was read, to be named in a command. Not part of the JSON form.
    #[serde(skip)]
    pub store: Option<String>,
    /// Further flags of that command, each a word. Not part of the JSON form.
    #[serde(skip)]
    pub flags: Vec<String>,
}

/// From the earliest to the latest, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Span {
    /// The earliest.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
}

/// Sums over all requests.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// Requests.
    pub requests: u64,
    /// Those by class of the status, how long they took, their bytes.
    #[serde(flatten)]
    pub counts: Counts,
    /// Different clients: an estimate, within 2 %.
    pub clients: u64,
    /// Requests of programs that call themselves robots, or that are known ones.
    pub bots: u64,
    /// Success: status 2xx, in percent of those with a status.
    pub success_rate: f64,
    /// Status 400 and above, in percent of those with a status.
    pub error_rate: f64,
    /// Requests a second, from the earliest to the latest.
    pub rate: Option<f64>,
    /// How long requests took, where logs say.
    pub latency: Option<Latency>,
    /// The hour of the day with the most requests, and how many.
    pub busiest_hour: Option<HourPeak>,
    /// The hour of the day with the highest mean duration (of at least 1 % of the requests of the
    /// busiest), and that mean.
    pub slowest_hour: Option<HourPeak>,
}

/// An hour of the day that stands out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HourPeak {
    /// 0 to 23, UTC.
    pub hour: u8,
    /// Its requests.
    pub requests: u64,
    /// How long they took, on average, where logs say.
    pub mean_us: Option<f64>,
}

/// How long requests took. Percentiles are within 1 % of the exact ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Requests whose duration is known.
    pub timed: u64,
    /// The mean.
    pub mean_us: f64,
    /// The median.
    pub p50_us: u64,
    /// What 90 % of them do not exceed.
    pub p90_us: u64,
    /// What 95 % of them do not exceed.
    pub p95_us: u64,
    /// What 99 % of them do not exceed.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Report {
    /// The endpoints with errors, those with the most first.
    #[must_use]
    pub fn most_failing(&self, class: ErrorClass) -> Vec<&Endpoint> {
        let errors = |endpoint: &Endpoint| match class {
            ErrorClass::Client => endpoint.counts.client_errors,
            ErrorClass::Server => endpoint.counts.server_errors,
        };
        let mut failing: Vec<&Endpoint> = self
            .endpoints
            .rows
            .iter()
            .filter(|endpoint| errors(endpoint) > 0)
            .collect();
        failing.sort_by_key(|endpoint| std::cmp::Reverse(errors(endpoint)));
        failing
    }

    /// The endpoints whose duration is known, the slowest on average first.
    #[must_use]
    pub fn slowest_endpoints(&self) -> Vec<(&Endpoint, &Latency)> {
        let mut timed: Vec<(&Endpoint, &Latency)> = self
            .endpoints
            .rows
            .iter()
            .filter_map(|endpoint| Some((endpoint, endpoint.latency.as_ref()?)))
            .collect();
        timed.sort_by(|left, right| right.1.mean_us.total_cmp(&left.1.mean_us));
        timed
    }
}

/// Whose fault an error is said to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorClass {
    /// Status 4xx.
    Client,
    /// Status 5xx.
    Server,
}
