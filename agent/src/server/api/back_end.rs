//! What a back end answers that captures nothing: of its store alone.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;

use super::Api;
use super::refusal::Refusal;
use crate::ledger::{Moment, StoreLedger};
use crate::selftest::keep;
use crate::server::metrics;
use crate::server::routes::metrics_text;
use crate::server::table::Route;

/// What only a back end answers.
pub(in crate::server) const OF_BACK_END: [Route<Api>; 3] = [
    Route {
        method: "GET",
        path: "/metrics",
        handler: || get(show_metrics),
        parameters: &[],
        statuses: &[200, 500],
    },
    Route {
        method: "GET",
        path: "/health",
        handler: || get(show_health),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "GET",
        path: "/api/ledger",
        handler: || get(show_ledger),
        parameters: &[],
        statuses: &[200],
    },
];

async fn show_metrics(State(api): State<Api>) -> Result<Response, Refusal> {
    let process = api.0.process.as_ref();
    let process = process.and_then(|reader| reader.read().ok());
    let sinks = [("sqlite", api.0.intake.counts())];
    metrics_text(metrics::text_of_store(
        &sinks,
        api.request_counts(),
        process,
        keep::read(api.0.readers.directory()),
    ))
}

/// The answer of `/health`.
#[derive(Serialize)]
struct StoreHealth {
    state: &'static str,
    reasons: Vec<&'static str>,
    stored: u64,
    queued: u64,
    lost: u64,
}

/// The state of the store. Answers 200 in both states.
async fn show_health(State(api): State<Api>) -> Response {
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

async fn show_ledger(State(api): State<Api>) -> Response {
    let sinks = [("sqlite", api.0.intake.counts())];
    Json(
        StoreLedger::new(
            &sinks,
            api.request_counts(),
            api.0.started.elapsed(),
            Moment::Live,
        )
        .with_selftest(keep::read(api.0.readers.directory())),
    )
    .into_response()
}
