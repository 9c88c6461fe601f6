//! Insights: what a person should know of the traffic in a log, each with the numbers that led to it
//! and the command that shows the lines.
//!
//! ```text
//! Report ─┬─► facts      the documented sections: slowest endpoint, where errors gather, hours
//!         ├─► changes    steps of time against the hours before: medians and odds
//!         ├─► clients    scanners, attempts to get in, one client's share
//!         │              (joined: alarms of one fault become one insight)
//!         └─► compared   against the time that was asked for
//! ```
//!
//! Everything here is pure: a report goes in, insights come out. What they are called and how they
//! read stands in the table of languages.

pub mod changes;
mod clients;
mod command;
mod facts;
mod joined;
mod over_time;
pub mod robust;
pub mod series;
mod words;

use jiff::Timestamp;
use serde::Serialize;

pub(super) use words::milliseconds;
pub use words::{Part, Words};

use super::report::Report;

/// Insights at most, the gravest first.
const MOST: usize = 200;

/// All that stands out, the gravest first, of one severity the earliest first; then the facts.
#[must_use]
pub fn find(report: &Report) -> Vec<Insight> {
    let mut found = over_time::find(report);
    found.extend(clients::find(report));
    found.extend(facts::compared(report));
    found = joined::join(found);
    found.sort_by_key(|insight| (std::cmp::Reverse(insight.severity), insight.from));
    found.truncate(MOST);
    found.extend(facts::find(report));
    for insight in &mut found {
        insight.command = command::of(report, insight);
    }
    found
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Insight {
    /// What it is.
    pub kind: Kind,
    /// How grave it is.
    pub severity: Severity,
    /// When it began; absent where it is about all the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The endpoint, client, service or hour that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The numbers that led to it.
    pub numbers: Vec<Number>,
    /// What else was found at the same time and is likely of the same cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
    /// What lists the lines, for a shell; absent where nothing can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// A part of a fault that another insight is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Also {
    /// What it is.
    pub kind: Kind,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The numbers that led to it.
    pub numbers: Vec<Number>,
}

/// What an insight is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their titles stand in the table of languages")]
pub enum Kind {
    SlowestEndpoint,
    ClientErrors,
    ServerErrors,
    BusiestHour,
    SlowestHour,
    ErrorRates,
    ServerErrorsRose,
    ClientErrorsRose,
    UnansweredRose,
    FailuresRose,
    WarningsRose,
    MoreRequests,
    FewerRequests,
    Slower,
    EndpointSlower,
    EndpointErrors,
    Scanner,
    BruteForce,
    ClientShare,
    ClientBurst,
    UnansweredShare,
    ComparedRate,
    ComparedErrors,
    ComparedLatency,
}

/// How grave an insight is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look.
    Notice,
    /// Something is wrong.
    Warning,
    /// Users suffer, or somebody attacks.
    Critical,
}

/// What an insight is about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what", content = "value")]
pub enum Subject {
    /// A method and a path template.
    Endpoint(String),
    /// Several of them, each with how often.
    Endpoints(Vec<(String, u64)>),
    /// A client.
    Client(String),
    /// A service that writes records.
    Service(String),
    /// An hour of the day, UTC.
    Hour(u8),
}

/// A number of an insight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Number {
    /// What it is, as the texts name it.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things.
    Count,
    /// Percent, 0 to 100.
    Percent,
    /// Microseconds.
    Microseconds,
    /// Things a minute.
    PerMinute,
    /// A change, in percent of what was before.
    ChangePercent,
}

impl Insight {
    /// Without a time, a subject or numbers.
    pub(crate) fn new(kind: Kind, severity: Severity) -> Self {
        Self {
            kind,
            severity,
            from: None,
            to: None,
            subject: None,
            numbers: Vec::new(),
            also: Vec::new(),
            command: None,
        }
    }

    fn about(mut self, subject: Option<Subject>) -> Self {
        self.subject = subject;
        self
    }

    fn within(mut self, from_s: i64, to_s: i64) -> Self {
        self.from = Timestamp::from_second(from_s).ok();
        self.to = Timestamp::from_second(to_s).ok();
        self
    }

    fn with(mut self, name: &'static str, value: f64, unit: Unit) -> Self {
        if value.is_finite() {
            self.numbers.push(Number { name, value, unit });
        }
        self
    }

    /// The number of this name, if it has one.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        let number = self.numbers.iter().find(|number| number.name == name);
        number.map(|number| number.value)
    }

    /// Whether it tells of something that happened at a time, rather than of all of the log.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        self.from.is_some()
    }
}

#[cfg(test)]
mod tests;
