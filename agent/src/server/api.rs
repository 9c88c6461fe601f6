//! The API over the store: takes sessions and gives sessions and exchanges, as JSON over HTTP.
//!
//! | method and path | what it does |
//! |---|---|
//! | `POST /api/logs` | stores sessions: one object, an array, or an object a line |
//! | `GET /api/logs` | sessions, the newest first: `skip`, `limit`, `src_ip`, `dst_ip`, `protocol`, `start_time`, `end_time` |
//! | `GET /api/logs/{id}` | one session |
//! | `POST /api/exchanges` | stores exchanges, as `POST /api/logs` sessions |
//! | `GET /api/exchanges` | a page of exchanges; `next` names the place to go on from; or a file of them |
//! | `GET /api/exchanges/{exchange_id}` | one exchange; with `/around`, those before and behind it |
//! | `GET /api/sessions`, `GET /api/sessions/{session_id}` | the same of sessions |
//! | `GET /api/stats`, `GET /api/timeseries` | what exchanges and sessions come to, in all and step by step |
//! | `GET /api/top`, `GET /api/slow` | exchanges by what they have in common, and those that took longest |
//! | `GET /api/report` | the analysis of what is stored, in one of two languages |
//! | `GET /api/health` | that the server answers |
//! | `GET /api/openapi.json` | the description of all this, in OpenAPI 3.1 |
//! | `GET /ready` | whether records would be stored now |
//!
//! What is refused is refused with `{"detail": …}`. A 201 says that the records are stored: their
//! senders wait for the writer, which commits as soon as one does, and the keys in the answer are
//! those of the rows. Whoever asks for one of them then finds it.
//!
//! Everything is bounded: bytes of a body and of all bodies together, records, the time in which a
//! body must come, searches at the same time and the time that each may take.

pub(super) mod back_end;
mod body;
mod covered;
pub(super) mod description;
mod exchanges;
mod export;
pub(super) mod filters;
mod logs;
pub(crate) mod parameters;
mod readers;
mod record;
pub(crate) mod refusal;
mod report;
mod requests;
mod searches;
mod sessions;
mod shared;
mod stats;
mod taking;
mod timeseries;
mod top;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use serde_json::json;

use self::body::Budget;
use self::readers::Readers;
use self::refusal::Refusal;
use self::requests::Requests;
use self::searches::Searches;
use super::ProcessReader;
use super::table::{self, Route};
use crate::ledger::RequestCounts;
use crate::sink::sqlite::Intake;

/// The bounds of the API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Bytes of a body, both as it comes and unpacked.
    pub body_bytes: usize,
    /// Bytes of all bodies that are held at the same time.
    pub all_bodies_bytes: usize,
    /// Records of a body.
    pub records: usize,
    /// The time in which a body must have come.
    pub body_time: Duration,
    /// The time that the writer may take before its answer is given up.
    pub write_time: Duration,
    /// The time that a search may take.
    pub search_time: Duration,
    /// The time for which rows are looked at for one answer; it then gives what it has found.
    pub look_time: Duration,
    /// Searches at the same time; others wait.
    pub searches: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            all_bodies_bytes: 64 << 20,
            records: 10_000,
            body_time: Duration::from_secs(10),
            write_time: Duration::from_secs(30),
            search_time: Duration::from_secs(5),
            look_time: Duration::from_millis(150),
            searches: 4,
        }
    }
}

/// The store behind the API.
#[derive(Clone, Debug)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    intake: Intake,
    readers: Readers,
    searches: Searches,
    reports: report::Reports,
    shared: shared::Shared,
    budget: Budget,
    requests: Arc<Requests>,
    bounds: Bounds,
    started: Instant,
    process: Option<ProcessReader>,
    /// Days for which records are kept; `None`: for ever.
    retain_days: Option<u32>,
}

impl Api {
    /// Over the store that `intake` is of, whose databases are in `directory`. Records that are older
    /// than `retain_days` are refused, those of Tapline's own excepted: they would be deleted at once.
    #[must_use]
    pub fn new(
        intake: Intake,
        directory: PathBuf,
        retain_days: Option<u32>,
        bounds: Bounds,
    ) -> Self {
        Self(Arc::new(Inner {
            intake,
            readers: Readers::new(directory, &bounds),
            searches: Searches::default(),
            reports: report::Reports::default(),
            shared: shared::Shared::default(),
            budget: Budget::new(bounds.all_bodies_bytes),
            requests: Arc::default(),
            bounds,
            started: Instant::now(),
            process: ProcessReader::new().ok(),
            retain_days,
        }))
    }

    /// What became of the requests that brought records.
    #[must_use]
    pub fn request_counts(&self) -> RequestCounts {
        self.0.requests.counts()
    }

    /// The resources, without a guard: that stands before everything that is served.
    pub(super) fn router(&self) -> Router {
        let routes = table::router(&OF_STORE).merge(table::router(&report::OF_REPORT));
        let shared = axum::middleware::from_fn_with_state(self.clone(), shared::answer);
        routes
            .layer(shared)
            .with_state(self.clone())
            .merge(everywhere())
    }

    /// The folder of the databases.
    pub(super) fn directory(&self) -> &std::path::Path {
        self.0.readers.directory()
    }

    /// Why nothing can be stored now; empty: it can.
    pub(super) fn unready(&self) -> Vec<&'static str> {
        let Inner {
            intake, readers, ..
        } = &*self.0;
        let found = [
            (!intake.is_open(), "store_closed"),
            (intake.has_just_failed(), "store_failed"),
            (!readers.can_read(), "store_unreadable"),
        ];
        let holds = found.iter().filter(|(holds, _)| *holds);
        holds.map(|(_, reason)| *reason).collect()
    }
}

/// The statuses of requests that bring records.
const OF_TAKING: [u16; 9] = [201, 400, 408, 413, 415, 422, 429, 500, 503];

/// The statuses of searches.
const OF_SEARCHES: [u16; 5] = [200, 422, 429, 500, 503];

/// The statuses of searches for one record.
const OF_ONE: [u16; 6] = [200, 404, 422, 429, 500, 503];

/// What is answered of a store.
pub(super) const OF_STORE: [Route<Api>; 14] = [
    Route::new(
        "GET",
        "/api/stats",
        || get(stats::show),
        stats::PARAMETERS,
        &OF_SEARCHES,
    ),
    Route::new(
        "GET",
        "/api/timeseries",
        || get(timeseries::show),
        timeseries::PARAMETERS,
        &OF_SEARCHES,
    ),
    Route::new(
        "GET",
        "/api/top",
        || get(top::show),
        top::PARAMETERS,
        &OF_SEARCHES,
    ),
    Route::new(
        "GET",
        "/api/slow",
        || get(top::slow),
        top::OF_SLOW,
        &OF_SEARCHES,
    ),
    Route::new(
        "GET",
        "/api/exchanges/{exchange_id}",
        || get(exchanges::one),
        &exchanges::OF_ONE,
        &OF_ONE,
    ),
    Route::new(
        "GET",
        "/api/exchanges/{exchange_id}/around",
        || get(exchanges::around),
        &exchanges::OF_AROUND,
        &OF_ONE,
    ),
    Route::new(
        "GET",
        "/api/sessions",
        || get(sessions::list),
        sessions::PARAMETERS,
        &OF_SEARCHES,
    ),
    Route::new(
        "GET",
        "/api/sessions/{session_id}",
        || get(sessions::one),
        &sessions::OF_ONE,
        &OF_ONE,
    ),
    Route::new(
        "GET",
        "/api/logs",
        || get(logs::list),
        &logs::PARAMETERS,
        &OF_SEARCHES,
    ),
    Route::new("POST", "/api/logs", || post(logs::take), &[], &OF_TAKING),
    Route::new("GET", "/api/logs/{id}", || get(logs::one), &[], &OF_ONE),
    Route::new(
        "GET",
        "/api/exchanges",
        || get(exchanges::list),
        exchanges::PARAMETERS,
        &OF_SEARCHES,
    ),
    Route::new(
        "POST",
        "/api/exchanges",
        || post(exchanges::take),
        &[],
        &OF_TAKING,
    ),
    Route::new("GET", "/ready", || get(ready), &[], &[200, 503]),
];

/// What is answered whether there is a store or not.
pub(super) const EVERYWHERE: [Route<()>; 2] = [
    Route::new("GET", "/api/health", || get(health), &[], &[200]),
    Route::new(
        "GET",
        "/api/openapi.json",
        || get(description::show),
        &[],
        &[200],
    ),
];

fn everywhere() -> Router {
    table::router(&EVERYWHERE).with_state(())
}

/// The resources where nothing is stored: those of the store say so.
pub(super) fn without_store() -> Router {
    let absent = |router: Router, route: &Route<Api>| {
        // Two methods of one path are refused by one of them.
        match OF_STORE.iter().find(|first| first.path == route.path) {
            Some(first) if first.method == route.method => router.route(
                route.path,
                match route.path {
                    "/ready" => get(ready_without_store),
                    _ => any(no_store),
                },
            ),
            _ => router,
        }
    };
    let routes = OF_STORE
        .iter()
        .fold(Router::new(), absent)
        .route(report::OF_REPORT[0].path, any(no_store));
    routes
        .method_not_allowed_fallback(refusal::method)
        .merge(everywhere())
}

async fn no_store() -> Refusal {
    let sentence = "Nothing is stored here: store.enabled is false, or the folder of the store could \
                    not be had when this process began.";
    Refusal::Unavailable(sentence.to_owned())
}

async fn ready_without_store() -> Response {
    Json(json!({"ready": true, "reasons": []})).into_response()
}

async fn health() -> Response {
    Json(json!({"status": "ok", "message": "Tapline 서버가 정상 작동 중입니다."})).into_response()
}

async fn ready(State(api): State<Api>) -> Response {
    let reasons = api.unready();
    let status = match reasons.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = json!({"ready": reasons.is_empty(), "reasons": reasons});
    (status, Json(answer)).into_response()
}
