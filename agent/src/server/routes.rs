//! What a server answers beside the API of its store: what a capture alone knows, and what is the same
//! with one and without; and by which names a server is asked.

use std::net::IpAddr;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::api::back_end::OF_BACK_END;
use super::api::refusal::{self, Refusal};
use super::api::{self, Api};
use super::host_name::is_served;
use super::hub::{Hub, Mode};
use super::live::{events, socket};
use super::table::{self, Route};
use super::{Question, Reason, Snapshot, agent, alerts, dashboard, health, login, metrics};
use crate::sink::log::SinkCounts;

/// What every server of numbers answers, with a capture and without.
pub(super) const OF_BOTH: [Route<Hub>; 6] = [
    Route::new("GET", "/api/agent", || get(agent::show), &[], &[200, 503]),
    Route::new("GET", "/api/alerts", || get(alerts::show), &[], &[200, 500]),
    Route::new("GET", "/api/live", || get(events::stream), &[], &[200, 503]),
    Route::new(
        "GET",
        "/ws/live",
        || get(socket::open),
        &[],
        &[101, 403, 426, 503],
    ),
    Route::new(
        "POST",
        "/api/login",
        || post(login::log_in),
        &[],
        &[204, 400, 401, 408, 413, 415, 429, 500],
    ),
    Route::new("POST", "/api/logout", || post(login::log_out), &[], &[204]),
];

/// What only a capture answers.
pub(super) const OF_CAPTURE: [Route<Hub>; 3] = [
    Route::new(
        "GET",
        "/metrics",
        || get(show_metrics),
        &[],
        &[200, 500, 503],
    ),
    Route::new("GET", "/health", || get(show_health), &[], &[200, 503]),
    Route::new("GET", "/api/ledger", || get(show_ledger), &[], &[200, 503]),
];

/// All resources of a server, without a guard, and a sentence for all else.
pub(super) fn router(hub: &Hub) -> Router {
    let own = match hub.mode() {
        Mode::Run => &OF_CAPTURE,
        Mode::Serve | Mode::Watch => &OF_BACK_END,
    };
    let store = hub.api().map_or_else(api::without_store, Api::router);
    let store = match hub.capture() {
        Some(questions) => store.layer(Extension(questions.clone())),
        None => store,
    };
    table::router(own)
        .merge(table::router(&OF_BOTH))
        .with_state(hub.clone())
        .merge(store)
        .merge(dashboard::router())
        .fallback(refusal::nothing_here)
}

/// Where the numbers of this moment are asked for.
pub(super) type Questions = mpsc::Sender<Question>;

async fn show_metrics(State(hub): State<Hub>) -> Result<Response, Refusal> {
    metrics_text(metrics::text(&hub.snapshot().await?))
}

/// The metrics, or that they cannot be written.
pub(super) fn metrics_text(text: Result<String, prometheus::Error>) -> Result<Response, Refusal> {
    match text {
        Ok(text) => {
            let format = [(CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            Ok((format, Bytes::from(text)).into_response())
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot write the metrics"
            );
            let sentence = "The metrics cannot be written; the diagnostics say why.";
            Err(Refusal::Failed(sentence.to_owned()))
        }
    }
}

/// The answer of `/health`.
#[derive(Serialize)]
struct Health<'a> {
    state: health::State,
    /// RFC 3339, UTC.
    since: String,
    /// Why it is degraded.
    reasons: &'a [Reason],
    /// The interfaces that are captured.
    interfaces: Vec<&'a str>,
}

/// Answers 200 in both states: the process works, and starting it again would help nobody.
async fn show_health(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let snapshot = hub.snapshot().await?;
    let interfaces = snapshot.interfaces.iter();
    let health = Health {
        state: snapshot.health.state(),
        since: snapshot.health.since().to_string(),
        reasons: snapshot.health.reasons(),
        interfaces: interfaces.map(|interface| &*interface.name).collect(),
    };
    Ok(Json(health).into_response())
}

async fn show_ledger(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let snapshot = hub.snapshot().await?;
    Ok(Json(snapshot.ledger).into_response())
}

/// Sessions that are open, and what was lost, in records and lines; None: that is not known.
pub(super) async fn gauges(questions: &Questions) -> Result<(Option<u64>, Option<u64>), Refusal> {
    let snapshot = ask(questions).await?;
    let active = snapshot.sessions.map(|sessions| sessions.active);
    let counters: Vec<_> = snapshot.cpus.iter().map(|cpu| cpu.counters).collect();
    let captured = health::Lost::of(&counters, &SinkCounts::default()).records;
    let lines: u64 = snapshot.lines.map_or(0, |lines| lines.lost.iter().sum());
    let sinks: u64 = snapshot
        .sinks
        .iter()
        .map(|(_, counts)| counts.lost_in_all())
        .sum();
    Ok((active, Some(captured + lines + sinks)))
}

/// The numbers of now.
pub(super) async fn ask(questions: &Questions) -> Result<Snapshot, Refusal> {
    let ending = || {
        let sentence = "The capture is ending: ask again when it runs.";
        Refusal::Unavailable(sentence.to_owned())
    };
    let (answer, answered) = oneshot::channel();
    let asked = questions.send(Question(answer)).await;
    asked.map_err(|_ended| ending())?;
    answered.await.map_err(|_ended| ending())
}

/// RFC 9112, section 3.2: one Host, and none only in HTTP/1.0. Where the target names a host too,
/// both must be this one.
pub(super) fn check_host(
    version: Version,
    target: &Uri,
    fields: &HeaderMap,
    listen: IpAddr,
) -> Result<(), (StatusCode, &'static str)> {
    const BAD: (StatusCode, &str) = (
        StatusCode::BAD_REQUEST,
        "The request must have one Host field.",
    );
    const OTHER: (StatusCode, &str) = (
        StatusCode::MISDIRECTED_REQUEST,
        "This server answers only to localhost and loopback addresses: ask for one of them.",
    );
    let mut hosts = fields.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => None,
        (Some(host), None) => Some(host.to_str().map_err(|_not_ascii| BAD)?),
        _ => return Err(BAD),
    };
    let named = target.authority().map(|authority| authority.as_str());
    match host
        .into_iter()
        .chain(named)
        .all(|host| is_served(host, listen))
    {
        true => Ok(()),
        false => Err(OTHER),
    }
}
