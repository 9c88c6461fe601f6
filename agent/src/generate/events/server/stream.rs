//! Streams of records: server-sent events, and JSON lines. Each has a generator of its own, and ends
//! when its client goes away, with its last batch, or with the server.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::family::Format;
use super::super::generator::Form;
use super::routes::list;
use super::state::{Client, Shared};
use crate::generate::blocks::Lines;
use crate::server::api::parameters::Parameters;
use crate::server::api::refusal::Refusal;

/// Batches of a stream at most, where it is said how many.
const BATCHES_MOST: u64 = 100_000;

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) batch_size: u32,
    pub(super) interval: f64,
    /// None: as configured.
    pub(super) share: Option<f64>,
    pub(super) has_labels: bool,
    /// None: without end.
    pub(super) batches: Option<u64>,
}

impl Wish {
    pub(super) fn interval(&self) -> Duration {
        // Between a hundredth of a second and a minute.
        Duration::from_secs_f64(self.interval)
    }
}

/// Records that were made together for a client.
pub(super) struct Batch {
    pub(super) lines: Lines,
    pub(super) anomalous: u32,
}

impl Client {
    /// Makes the next records.
    pub(super) fn batch(&mut self, wish: &Wish, shared: &Shared) -> Batch {
        self.collect();
        if let Some(share) = wish.share {
            self.generator.set_share(share);
        }
        let form = Form {
            format: Format::Json,
            has_labels: wish.has_labels,
        };
        let mut lines = Lines::default();
        let anomalous = self.generator.some(wish.batch_size, form, &mut lines);
        self.tell();
        shared.count(wish.batch_size, anomalous);
        Batch { lines, anomalous }
    }
}

/// `GET /api/stream`.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    const KNOWN: [&str; 5] = [
        "batch_size",
        "interval",
        "anomaly_rate",
        "include_labels",
        "max_batches",
    ];
    let mut parameters = Parameters::of_known(uri.query(), &KNOWN);
    let batches = parameters.number("max_batches", 1, BATCHES_MOST);
    let wish = wish(&mut parameters, &shared, 10, 0.1, 1.0);
    parameters.end()?;
    let wish = Wish { batches, ..wish };
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let body = body(shared, wish, |number, batch| {
        let count = batch.lines.len();
        let anomalous = batch.anomalous;
        let mut text = format!(
            "data: {{\"batch\":{number},\"count\":{count},\"anomaly_count\":{anomalous},\"logs\":"
        )
        .into_bytes();
        list(&batch.lines, Format::Json, &mut text);
        text.extend_from_slice(b"}\n\n");
        text
    });
    Ok((headers, body).into_response())
}

/// `GET /api/stream/ndjson`.
pub(super) async fn lines(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Response, Refusal> {
    const KNOWN: [&str; 4] = ["batch_size", "interval", "anomaly_rate", "include_labels"];
    let mut parameters = Parameters::of_known(uri.query(), &KNOWN);
    let wish = wish(&mut parameters, &shared, 1, 0.01, 0.5);
    parameters.end()?;
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let body = body(shared, wish, |_, batch| batch.lines.bytes);
    Ok((headers, body).into_response())
}

fn wish(
    parameters: &mut Parameters,
    shared: &Shared,
    batch_size: u32,
    least: f64,
    interval: f64,
) -> Wish {
    let batch_size = parameters
        .number("batch_size", 1, 100)
        .unwrap_or(batch_size);
    let interval = number(parameters, "interval", least, 60.0).unwrap_or(interval);
    let labels = truth(parameters, "include_labels");
    let config = shared.config();
    let share = match config.anomalies.has_family() {
        true => number(parameters, "anomaly_rate", 0.0, 1.0),
        false => parameters.read("anomaly_rate", "0 where no family is enabled", |text| {
            text.parse().ok().filter(|share: &f64| *share == 0.0)
        }),
    };
    Wish {
        batch_size,
        interval,
        share,
        has_labels: labels.unwrap_or(config.output.include_labels),
        batches: None,
    }
}

/// Takes a number that need not be whole.
fn number(parameters: &mut Parameters, name: &str, least: f64, most: f64) -> Option<f64> {
    let what = format!("a number from {least} to {most}");
    parameters.read(name, &what, |text| {
        let number = text.parse().ok();
        number.filter(|number| (least..=most).contains(number))
    })
}

/// Takes a truth value, as it may be written in a query.
pub(super) fn truth(parameters: &mut Parameters, name: &str) -> Option<bool> {
    parameters.read(name, "a valid boolean", |text| {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            _ => None,
        }
    })
}

/// A stream of batches on absolute deadlines, written by `write` with their numbers from 1.
fn body(
    shared: Arc<Shared>,
    wish: Wish,
    write: impl Fn(u64, Batch) -> Vec<u8> + Copy + Send + 'static,
) -> Body {
    let begun = Going {
        client: shared.client(),
        stopped: shared.stopped.clone(),
        shared,
        number: 0,
        due: Instant::now(),
    };
    let stream = unfold(begun, move |mut state| async move {
        if wish.batches.is_some_and(|most| state.number >= most) {
            return None;
        }
        tokio::select! {
            () = tokio::time::sleep_until(state.due) => {}
            _ = state.stopped.changed() => return None,
        }
        // What a slow client has missed is not made up.
        state.due = (state.due + wish.interval()).max(Instant::now());
        state.number += 1;
        let batch = state.client.batch(&wish, &state.shared);
        let text = write(state.number, batch);
        Some((Ok::<_, Infallible>(Bytes::from(text)), state))
    });
    Body::from_stream(stream)
}

/// A stream that goes on.
struct Going {
    client: Client,
    stopped: watch::Receiver<()>,
    shared: Arc<Shared>,
    /// Batches so far.
    number: u64,
    due: Instant,
}
