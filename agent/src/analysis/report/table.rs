//! The rows of a report: by endpoint, by client and so on.

use jiff::Timestamp;
use serde::Serialize;

use super::Latency;

/// Rows, the most frequent first.
#[derive(Clone, Debug, Serialize)]
pub struct Table<R> {
    /// The rows that are listed.
    pub rows: Vec<R>,
    /// Different values, also those that are not listed; an estimate within 2 % where there are more
    /// than are told apart.
    pub distinct: u64,
    /// Requests of values that are not listed.
    pub unlisted: u64,
    /// Of these, the requests of values that were not told apart because there were too many.
    pub overflow: u64,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            distinct: 0,
            unlisted: 0,
            overflow: 0,
        }
    }
}

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Status 1xx.
    pub informational: u64,
    /// Status 2xx.
    pub success: u64,
    /// Status 3xx.
    pub redirects: u64,
    /// Status 4xx.
    pub client_errors: u64,
    /// Status 5xx.
    pub server_errors: u64,
    /// Requests with another status or none, also those that were not answered.
    pub other: u64,
    /// Requests of which the log says that nobody answered them.
    pub unanswered: u64,
    /// Bytes of the responses, as far as logs say.
    pub bytes: u64,
}

impl Counts {
    /// Requests with status 400 to 599.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.client_errors + self.server_errors
    }
}

/// A value without anything special about it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Named {
    /// The value.
    pub value: String,
    /// Its requests.
    pub requests: u64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The requests with a status.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct StatusCount {
    /// The status.
    pub status: u16,
    /// Its requests.
    pub requests: u64,
}

/// A method and a path template.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Endpoint {
    /// The method; `-` where the log has none.
    pub method: String,
    /// The path template, `/user/{id}`.
    pub template: String,
    /// Its requests.
    pub requests: u64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long they took, where logs say.
    pub latency: Option<Latency>,
}

impl Endpoint {
    /// Method and template: `GET /user/{id}`; the template alone where there is no method.
    #[must_use]
    pub fn name(&self) -> String {
        match self.method.as_str() {
            "-" | "" => self.template.clone(),
            method => format!("{method} {}", self.template),
        }
    }
}

/// A path without its query.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Path {
    /// The path.
    pub path: String,
    /// Its requests.
    pub requests: u64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long they took on average, where logs say.
    pub mean_us: Option<f64>,
    /// The longest, where logs say.
    pub max_us: Option<u64>,
}

/// A client.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Client {
    /// Its address, or the name that the log has.
    pub client: String,
    /// Its requests.
    pub requests: u64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
    /// Requests answered with 401 or 403.
    pub denied: u64,
    /// Requests answered with 404.
    pub missing: u64,
    /// Different paths: an estimate, within 15 %.
    pub distinct_paths: u64,
    /// Whether its user agents call themselves robots, or are known ones: in most of its requests.
    pub bot: bool,
    /// Its first request.
    pub first: Option<Timestamp>,
    /// Its last request.
    pub last: Option<Timestamp>,
}

/// A family of user agents.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Agent {
    /// The family: Firefox, Chrome, curl, Googlebot …; `(none)` where nothing was sent.
    pub family: String,
    /// Whether it is a robot.
    pub bot: bool,
    /// Its requests.
    pub requests: u64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A user agent as it was sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UserAgent {
    /// The text.
    pub value: String,
    /// Its family.
    pub family: String,
    /// Whether it is a robot.
    pub bot: bool,
    /// Its requests.
    pub requests: u64,
}

/// A request that took long.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SlowRequest {
    /// When, where the log says.
    pub time: Option<Timestamp>,
    /// How long it took.
    pub latency_us: u64,
    /// The method.
    pub method: String,
    /// The target with its query.
    pub target: String,
    /// The status, where there was one.
    pub status: Option<u16>,
    /// The client.
    pub client: String,
}
