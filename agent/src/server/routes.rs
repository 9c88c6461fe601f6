//! What can be asked for, and what is answered: two resources, and one sentence for all else.

use std::net::IpAddr;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode, Uri, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::host_name::is_served;
use super::{Question, Reason, Snapshot, health, metrics};

/// The resources. `questions` go to whoever has the numbers; `listen` is the address listened on.
pub(super) fn router(questions: mpsc::Sender<Question>, listen: IpAddr) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/health", get(show_health))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(listen, guard))
        .with_state(questions)
}

type Questions = State<mpsc::Sender<Question>>;

async fn show_metrics(State(questions): Questions) -> Response {
    let Some(snapshot) = ask(&questions).await else {
        return ending();
    };
    match metrics::text(&snapshot) {
        Ok(text) => {
            let format = [(CONTENT_TYPE, prometheus::TEXT_FORMAT)];
            (format, Bytes::from(text)).into_response()
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot write the metrics"
            );
            let sentence = "The metrics cannot be written; the diagnostics say why.\n";
            (StatusCode::INTERNAL_SERVER_ERROR, sentence).into_response()
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
    interfaces: &'a [String],
}

/// Answers 200 in both states: the process works, and starting it again would help nobody.
async fn show_health(State(questions): Questions) -> Response {
    let Some(snapshot) = ask(&questions).await else {
        return ending();
    };
    Json(Health {
        state: snapshot.health.state(),
        since: snapshot.health.since().to_string(),
        reasons: snapshot.health.reasons(),
        interfaces: &snapshot.interfaces,
    })
    .into_response()
}

async fn nothing_here() -> Response {
    let sentence = "There is nothing here: ask for /metrics or /health.\n";
    (StatusCode::NOT_FOUND, sentence).into_response()
}

fn ending() -> Response {
    let sentence = "The capture is ending: ask again when it runs.\n";
    (StatusCode::SERVICE_UNAVAILABLE, sentence).into_response()
}

/// The numbers of now; `None`: nobody answers any longer.
async fn ask(questions: &mpsc::Sender<Question>) -> Option<Snapshot> {
    let (answer, answered) = oneshot::channel();
    questions.send(Question(answer)).await.ok()?;
    answered.await.ok()
}

/// Lets through what is asked of this host and only reads.
async fn guard(State(listen): State<IpAddr>, request: Request, next: Next) -> Response {
    if let Err((status, sentence)) =
        check_host(request.version(), request.uri(), request.headers(), listen)
    {
        return (status, sentence).into_response();
    }
    if !matches!(request.method().as_str(), "GET" | "HEAD") {
        let sentence = "Only GET and HEAD are understood here.\n";
        let allow = [(ALLOW, "GET, HEAD")];
        return (StatusCode::METHOD_NOT_ALLOWED, allow, sentence).into_response();
    }
    next.run(request).await
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
        "The request must have one Host field.\n",
    );
    const OTHER: (StatusCode, &str) = (
        StatusCode::MISDIRECTED_REQUEST,
        "This server answers only to localhost and loopback addresses: ask for one of them.\n",
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
