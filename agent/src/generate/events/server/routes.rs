//! What can be asked for, and the answers that are no streams.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use jiff::Timestamp;
use serde_json::json;

use super::super::config::AnomaliesConfig;
use super::super::family::{Family, Format};
use super::super::generator::Form;
use super::super::record::quoted;
use super::fields::{Fields, refused};
use super::state::{Injection, Shared};
use super::{docs, socket, stream};
use crate::config::Word as _;
use crate::generate::blocks::Lines;
use crate::server::api::parameters::Parameters;
use crate::server::api::refusal::{Refusal, detail};
use crate::server::host_name::is_served;
use crate::server::table::{self, Route};

type App = State<Arc<Shared>>;
type Answer = Result<Response, Refusal>;

/// Bytes of a body at most.
const BODY_MOST: usize = 64 << 10;
/// The time in which a body must come.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Records of one request at most.
const COUNT_MOST: u64 = 10_000;

/// Everything that there is; `/ws/logs` is not in the description, which knows no WebSockets.
pub(super) const ROUTES: [Route<Arc<Shared>>; 15] = [
    Route {
        method: "GET",
        path: "/",
        handler: || get(root),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "GET",
        path: "/health",
        handler: || get(health),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "GET",
        path: "/api/status",
        handler: || get(status),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "GET",
        path: "/api/config",
        handler: || get(config),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "PUT",
        path: "/api/config/generator",
        handler: || put(configure_generator),
        parameters: &[],
        statuses: &[200, 408, 413, 415, 422],
    },
    Route {
        method: "PUT",
        path: "/api/config/anomalies",
        handler: || put(configure_anomalies),
        parameters: &[],
        statuses: &[200, 408, 413, 415, 422],
    },
    Route {
        method: "POST",
        path: "/api/generate",
        handler: || post(generate),
        parameters: &[],
        statuses: &[200, 408, 413, 415, 422],
    },
    Route {
        method: "POST",
        path: "/api/generate/single",
        handler: || post(single),
        parameters: &["include_labels", "force_anomaly"],
        statuses: &[200, 422],
    },
    Route {
        method: "POST",
        path: "/api/inject-anomaly",
        handler: || post(inject),
        parameters: &[],
        statuses: &[200, 408, 413, 415, 422, 429],
    },
    Route {
        method: "GET",
        path: "/api/stream",
        handler: || get(stream::events),
        parameters: &[
            "batch_size",
            "interval",
            "anomaly_rate",
            "include_labels",
            "max_batches",
        ],
        statuses: &[200, 422],
    },
    Route {
        method: "GET",
        path: "/api/stream/ndjson",
        handler: || get(stream::lines),
        parameters: &["batch_size", "interval", "anomaly_rate", "include_labels"],
        statuses: &[200, 422],
    },
    Route {
        method: "POST",
        path: "/api/reset",
        handler: || post(reset),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "GET",
        path: "/ws/logs",
        handler: || get(socket::open),
        parameters: &[],
        statuses: &[101, 400, 426, 503],
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        handler: || get(docs::description),
        parameters: &[],
        statuses: &[200],
    },
    Route {
        method: "GET",
        path: "/docs",
        handler: || get(docs::page),
        parameters: &[],
        statuses: &[200],
    },
];

/// The resources of the server.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let own_pages = from_fn_with_state(Arc::clone(&shared), own_pages_only);
    table::router(&ROUTES)
        .fallback(nothing_here)
        .layer(own_pages)
        .with_state(shared)
}

/// A page of another host may send requests here from a browser on this one, and open WebSockets: where
/// only this host is served, they are refused.
async fn own_pages_only(State(shared): App, request: Request, next: Next) -> Response {
    let is_own = |origin: &str| {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        is_served(host, shared.listen)
    };
    let origin = request.headers().get(ORIGIN).cloned();
    let is_served = origin
        .as_ref()
        .is_none_or(|origin| origin.to_str().is_ok_and(is_own));
    if !is_served {
        return detail(
            StatusCode::FORBIDDEN,
            "Pages of other hosts are not answered here.",
        );
    }
    let is_local = |origin: &HeaderValue| origin.to_str().is_ok_and(is_local_page);
    let Some(origin) = origin.filter(is_local) else {
        return next.run(request).await;
    };
    let asks_before = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut answer = match asks_before {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    let headers = answer.headers_mut();
    if asks_before {
        let methods = HeaderValue::from_static("GET, POST, PUT");
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        let fields = HeaderValue::from_static("content-type");
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, fields);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("origin"));
    answer
}

/// Whether a page is of this host, from any port: its scripts may read what is answered.
fn is_local_page(origin: &str) -> bool {
    let host = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(|host| {
        let end = host.rfind(']').map_or(0, |end| end + 1);
        let name = host[end..]
            .find(':')
            .map_or(host, |colon| &host[..end + colon]);
        let port = host[name.len()..].trim_start_matches(':');
        ["localhost", "127.0.0.1", "[::1]"].contains(&name)
            && port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

async fn nothing_here() -> Response {
    detail(
        StatusCode::NOT_FOUND,
        "Not Found: /docs says what there is.",
    )
}

async fn root() -> Response {
    Json(json!({
        "name": "Synthetic Logs Generator API",
        "version": docs::VERSION,
        "endpoints": {
            "generate": "/api/generate",
            "stream": "/api/stream",
            "websocket": "/ws/logs",
            "config": "/api/config",
            "status": "/api/status",
        },
    }))
    .into_response()
}

async fn health() -> Response {
    let body = json!({ "status": "healthy", "timestamp": now(), "generator_ready": true });
    Json(body).into_response()
}

async fn status(State(shared): App) -> Response {
    let status = shared.status();
    Json(json!({
        "is_running": status.is_running,
        "logs_generated": status.logs,
        "anomalies_generated": status.anomalies,
        "start_time": format!("{:.6}", status.since),
        "current_anomaly_active": status.has_anomaly,
    }))
    .into_response()
}

async fn config(State(shared): App) -> Response {
    Json(shared.config().to_json()).into_response()
}

async fn configure_generator(State(shared): App, headers: HeaderMap, body: Body) -> Answer {
    let mut fields = read(&headers, body).await?;
    let batch_size = fields.whole("batch_size", 1, 10_000);
    let total_logs = fields.whole("total_logs", 0, i64::MAX as u64);
    let interval = fields.number("interval", 0.01, 60.0);
    fields.end().map_err(refused)?;
    let config = shared.configure(|config| {
        let generator = &mut config.generator;
        // Within the bounds above.
        let batch_size = batch_size.map(|size| size as u32);
        generator.batch_size = batch_size.unwrap_or(generator.batch_size);
        generator.total_logs = total_logs.unwrap_or(generator.total_logs);
        generator.interval = interval.unwrap_or(generator.interval);
    });
    Ok(Json(json!({
        "message": "Generator configuration updated",
        "config": config.to_json()["generator"],
    }))
    .into_response())
}

async fn configure_anomalies(State(shared): App, headers: HeaderMap, body: Body) -> Answer {
    const ENABLED: [&str; 6] = [
        "error_spike_enabled",
        "latency_degradation_enabled",
        "security_threat_enabled",
        "resource_exhaustion_enabled",
        "service_outage_enabled",
        "data_anomaly_enabled",
    ];
    let mut fields = read(&headers, body).await?;
    let asked = fields.number("probability", 0.0, 1.0);
    let enabled = ENABLED.map(|name| fields.truth(name));
    let change = |anomalies: &mut AnomaliesConfig| {
        anomalies.probability = asked.unwrap_or(anomalies.probability);
        for (family, enabled) in anomalies.types.iter_mut().zip(enabled) {
            family.enabled = enabled.unwrap_or(family.enabled);
        }
    };
    let mut changed = shared.config().anomalies;
    change(&mut changed);
    if !changed.has_family() {
        without_family(&mut fields, "probability", asked);
    }
    fields.end().map_err(refused)?;
    let config = shared.configure(|config| change(&mut config.anomalies));
    Ok(Json(json!({
        "message": "Anomaly configuration updated",
        "config": config.to_json()["anomalies"],
    }))
    .into_response())
}

async fn generate(State(shared): App, headers: HeaderMap, body: Body) -> Answer {
    let config = shared.config();
    let mut fields = read(&headers, body).await?;
    let count = fields.whole("count", 1, COUNT_MOST);
    let count = count.unwrap_or_else(|| COUNT_MOST.min(config.generator.batch_size.into()));
    let share = fields.number("anomaly_rate", 0.0, 1.0);
    if !config.anomalies.has_family() {
        without_family(&mut fields, "anomaly_rate", share);
    }
    let share = share.unwrap_or(config.anomalies.probability);
    let labels = fields.truth("include_labels");
    let format = fields.word("format", &[Format::Json, Format::Text]);
    fields.end().map_err(refused)?;
    let form = Form {
        format: format.unwrap_or(Format::Json),
        has_labels: labels.unwrap_or(config.output.include_labels),
    };
    // Within the bounds above.
    let count = count as u32;
    let mut lines = Lines::default();
    let anomalous =
        shared.make(|generator| (count, generator.exactly(count, share, form, &mut lines)));
    let mut text =
        format!("{{\"count\":{count},\"anomaly_count\":{anomalous},\"logs\":").into_bytes();
    list(&lines, form.format, &mut text);
    text.push(b'}');
    Ok(written(text))
}

/// Refuses a share of anomalies that was asked for where no family comes.
pub(super) fn without_family(fields: &mut Fields, name: &'static str, asked: Option<f64>) {
    if let Some(asked) = asked.filter(|asked| *asked > 0.0) {
        let says = "Input should be 0 where no family is enabled";
        fields.refuse("value_error", name, &json!(asked), says);
    }
}

async fn single(State(shared): App, uri: Uri) -> Answer {
    let mut parameters = Parameters::of_known(uri.query(), &["include_labels", "force_anomaly"]);
    let labels = stream::truth(&mut parameters, "include_labels");
    let is_forced = stream::truth(&mut parameters, "force_anomaly").unwrap_or(false);
    parameters.end()?;
    let form = Form {
        format: Format::Json,
        has_labels: labels.unwrap_or_else(|| shared.config().output.include_labels),
    };
    let mut lines = Lines::default();
    shared.make(|generator| (1, u32::from(generator.one(is_forced, form, &mut lines))));
    lines.bytes.truncate(lines.bytes.trim_ascii_end().len());
    Ok(written(lines.bytes))
}

async fn inject(State(shared): App, headers: HeaderMap, body: Body) -> Answer {
    let mut fields = read(&headers, body).await?;
    let family = fields.word("anomaly_type", Family::ALL);
    let records = fields.whole("duration_logs", 5, 100).unwrap_or(20);
    if family.is_none() {
        fields.missing("anomaly_type");
    }
    fields.end().map_err(refused)?;
    let Some(family) = family else {
        return Err(Refusal::Failed("The anomaly has no type.".to_owned()));
    };
    let injection = Injection {
        family,
        records: records as u32,
    };
    if !shared.inject(injection) {
        return Err(Refusal::Busy(
            "Too many anomalies wait for somebody to see them.",
        ));
    }
    let word = family.word();
    Ok(Json(json!({
        "message": format!("Anomaly '{word}' injected"),
        "duration_logs": records,
    }))
    .into_response())
}

async fn reset(State(shared): App) -> Response {
    shared.reset();
    Json(json!({ "message": "Statistics reset", "timestamp": now() })).into_response()
}

/// The fields of a body, which is JSON where nothing else is said.
async fn read(headers: &HeaderMap, body: Body) -> Result<Fields, Refusal> {
    let bytes = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, BODY_MOST)).await;
    let bytes: Bytes = match bytes {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_too_large)) => {
            return Err(Refusal::TooLarge(format!(
                "A body may have {BODY_MOST} bytes."
            )));
        }
        Err(_elapsed) => return Err(Refusal::TooSlow),
    };
    let media = headers.get(CONTENT_TYPE);
    let is_json = media.is_none_or(|media| {
        let media = media.to_str().unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        media.eq_ignore_ascii_case("application/json")
    });
    if !bytes.is_empty() && !is_json {
        return Err(Refusal::MediaType(
            "The Content-Type must be application/json.",
        ));
    }
    Ok(Fields::of_body(&bytes))
}

/// Records as a list of JSON: objects as they are, lines of text as strings.
pub(super) fn list(lines: &Lines, format: Format, out: &mut Vec<u8>) {
    out.push(b'[');
    for record in 0..lines.len() {
        if record > 0 {
            out.push(b',');
        }
        let line = lines.part(record..record + 1).trim_ascii_end();
        match format {
            Format::Text => quoted(line, out),
            Format::Json | Format::Both => out.extend_from_slice(line),
        }
    }
    out.push(b']');
}

fn written(text: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}
