//! What came when.

use serde::Serialize;

use super::Latency;

/// A stretch of time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Period {
    /// Its begin, in seconds since 1970.
    pub start_s: i64,
    /// Its requests.
    pub requests: u64,
    /// Those with status 4xx.
    pub client_errors: u64,
    /// Those with status 5xx.
    pub server_errors: u64,
    /// Those of which the log says that nobody answered them.
    pub unanswered: u64,
    /// Bytes of the responses.
    pub bytes: u64,
    /// How long they took on average, where logs say.
    pub mean_us: Option<f64>,
    /// The median.
    pub p50_us: Option<u64>,
    /// What 99 % of them do not exceed.
    pub p99_us: Option<u64>,
}

/// An hour.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Hour {
    /// What came in it.
    #[serde(flatten)]
    pub period: Period,
    /// Different clients: an estimate.
    pub clients: u64,
}

/// An hour of the day, all days together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HourOfDay {
    /// 0 to 23, UTC.
    pub hour: u8,
    /// Its requests.
    pub requests: u64,
    /// Those with status 4xx.
    pub client_errors: u64,
    /// Those with status 5xx.
    pub server_errors: u64,
    /// Bytes of the responses.
    pub bytes: u64,
    /// How long they took, where logs say.
    pub latency: Option<Latency>,
}

/// The traffic in small steps, for detectors.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    /// Seconds of a step: 1, 10 or 60, the shortest that 2,880 of them suffice for; 60 where none
    /// does: then only the newest are kept.
    pub step_s: i64,
    /// Steps with requests or events, the earliest first. A step without any is left out.
    pub steps: Vec<Window>,
    /// The names that [`Window::endpoints`] count for, each method and template.
    pub endpoints: Vec<String>,
    /// The minutes in which a client asked for much (at least ten requests) or was refused often (at
    /// least three), the earliest first; at most 65,536, those with the most.
    pub clients: Vec<ClientWindow>,
}

/// A step of time.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// What came in it.
    pub period: Period,
    /// The same by endpoint: the place in [`Windows::endpoints`], and what came for it. At most 128
    /// endpoints, those that came first.
    pub endpoints: Vec<(u16, Cell)>,
}

/// What came for an endpoint, or of a service, in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Requests, or records.
    pub requests: u32,
    /// Those with status 4xx; of events: warnings.
    pub client_errors: u32,
    /// Those with status 5xx; of events: errors and what is worse.
    pub server_errors: u32,
    /// Those whose duration is known.
    pub timed: u32,
    /// The sum of these durations.
    pub sum_us: f32,
    /// The longest of them.
    pub max_us: u32,
}

/// What a client did in a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientWindow {
    /// The client.
    pub client: String,
    /// The begin of the minute, in seconds since 1970.
    pub start_s: i64,
    /// Its requests.
    pub requests: u32,
    /// Those answered with 401 or 403.
    pub denied: u32,
    /// Those answered with 404.
    pub missing: u32,
    /// Those answered with another 4xx, or with 5xx.
    pub failed: u32,
    /// Different paths: an estimate, at most about 260.
    pub distinct_paths: u32,
}
