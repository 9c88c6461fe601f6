//! The API over the store: takes sessions and gives sessions and exchanges, as JSON over HTTP.
//!
//! | method and path | what it does |
//! |---|---|
//! | `POST /api/logs` | stores sessions: one object, an array, or an object a line |
//! | `GET /api/logs` | sessions, the newest first: `skip`, `limit`, `src_ip`, `dst_ip`, `protocol`, `start_time`, `end_time` |
//! | `GET /api/logs/{id}` | one session |
//! | `GET /api/exchanges` | a page of exchanges, the newest first; `next` names the place to go on from |
//! | `GET /api/health` | that the server answers |
//! | `GET /ready` | whether records would be stored now |
//!
//! What is refused is refused with `{"detail": …}`. A 201 says that the records are stored: their
//! senders wait for the writer, which commits as soon as one does, and the keys in the answer are
//! those of the rows. Whoever asks for one of them then finds it.
//!
//! Everything is bounded: bytes of a body and of all bodies together, records, the time in which a
//! body must come, searches at the same time and the time that each may take.

mod body;
mod exchanges;
mod logs;
mod parameters;
mod readers;
mod record;
pub(super) mod refusal;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;

use self::body::Budget;
use self::readers::Readers;
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
    budget: Budget,
    bounds: Bounds,
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
            readers: Readers::new(directory, bounds.searches, bounds.search_time),
            budget: Budget::new(bounds.all_bodies_bytes),
            bounds,
            retain_days,
        }))
    }

    /// The resources, without a guard: whoever serves them lays [`guarded`](super::access::guarded)
    /// around all that is served.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/logs", get(logs::list).post(logs::take))
            .route("/api/logs/{id}", get(logs::one))
            .route("/api/exchanges", get(exchanges::list))
            .route("/api/health", get(health))
            .route("/ready", get(ready))
            .method_not_allowed_fallback(refusal::method)
            .with_state(self.clone())
    }

    /// All resources of a back end that captures nothing: with `/health`, and a sentence for all else.
    pub(super) fn stand_alone(&self) -> Router {
        let health = Router::new()
            .route("/health", get(store_health))
            .method_not_allowed_fallback(refusal::method)
            .with_state(self.clone());
        self.router().merge(health).fallback(refusal::nothing_here)
    }

    /// Why nothing can be stored now; empty: it can.
    fn unready(&self) -> Vec<&'static str> {
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

/// The answer of `/health` where nothing is captured.
#[derive(Serialize)]
struct StoreHealth {
    state: &'static str,
    reasons: Vec<&'static str>,
    stored: u64,
    queued: u64,
    lost: u64,
}

/// `GET /health` where nothing is captured: the state of the store. Answers 200 in both states.
async fn store_health(State(api): State<Api>) -> Response {
    let reasons = api.unready();
    let counts = api.0.intake.counts();
    Json(StoreHealth {
        state: match reasons.is_empty() {
            true => "healthy",
            false => "degraded",
        },
        reasons,
        stored: counts.stored,
        queued: counts.queued,
        lost: counts.lost_in_all(),
    })
    .into_response()
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
