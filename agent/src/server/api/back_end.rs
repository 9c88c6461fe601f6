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
use crate::server::hub::Hub;
use crate::server::routes::metrics_text;
use crate::server::table::Route;
use crate::server::{Snapshot, metrics};

/// What only a back end answers.
pub(in crate::server) const OF_BACK_END: [Route<Hub>; 3] = [
    Route::new("GET", "/metrics", || get(show_metrics), &[], &[200, 500]),
    Route::new("GET", "/health", || get(show_health), &[], &[200]),
    Route::new("GET", "/api/ledger", || get(show_ledger), &[], &[200]),
];

impl Api {
    /// The numbers of the store.
    pub(in crate::server) fn snapshot(&self) -> Snapshot {
        let process = self.0.process.as_ref();
        Snapshot::of_store(
            vec![("sqlite", self.0.intake.counts())],
            self.request_counts(),
            process.and_then(|reader| reader.read().ok()),
            keep::read(self.0.readers.directory()),
        )
    }
}

async fn show_metrics(State(hub): State<Hub>) -> Result<Response, Refusal> {
    metrics_text(metrics::text_of_store(&hub.snapshot().await?))
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
async fn show_health(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let api = api(&hub)?;
    let reasons = api.unready();
    let counts = api.0.intake.counts();
    let health = StoreHealth {
        state: match reasons.is_empty() {
            true => "healthy",
            false => "degraded",
        },
        reasons,
        stored: counts.stored,
        queued: counts.queued,
        lost: counts.lost_in_all(),
    };
    Ok(Json(health).into_response())
}

async fn show_ledger(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let api = api(&hub)?;
    let sinks = [("sqlite", api.0.intake.counts())];
    let ledger = StoreLedger::new(
        &sinks,
        api.request_counts(),
        api.0.started.elapsed(),
        Moment::Live,
    );
    let ledger = ledger.with_selftest(keep::read(api.0.readers.directory()));
    Ok(Json(ledger).into_response())
}

fn api(hub: &Hub) -> Result<&Api, Refusal> {
    hub.api()
        .ok_or_else(|| Refusal::Unavailable("Nothing is stored here.".to_owned()))
}
