//! `/ws/logs`: records over a WebSocket, and what can be asked for over it. What is wrong with a message
//! is told, and the connection goes on.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::family::{Family, Format};
use super::fields::Fields;
use super::routes::{list, without_family};
use super::state::{Client, Shared};
use super::stream::Wish;
use crate::config::Word as _;
use crate::server::api::refusal::{Wrong, detail};

/// Bytes of a message that is taken.
const MESSAGE_MOST: usize = 64 << 10;
/// Time in which a client must take a batch.
const STALL: std::time::Duration = std::time::Duration::from_secs(10);

/// Time in which a connection is closed.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(1);

/// Opens the WebSocket.
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let (status, sentence) = (rejection.status(), rejection.body_text());
            return detail(status, &sentence);
        }
    };
    let Ok(place) = Arc::clone(&shared.sockets).try_acquire_owned() else {
        let sentence = "There are as many WebSockets as there may be.";
        return detail(StatusCode::SERVICE_UNAVAILABLE, sentence);
    };
    upgrade
        .max_message_size(MESSAGE_MOST)
        .max_frame_size(MESSAGE_MOST)
        .on_upgrade(async move |socket| {
            talk(socket, &shared).await;
            drop(place);
        })
}

/// Sends a batch at each interval, and does what it is told in between, until the client or the server
/// goes away.
async fn talk(mut socket: WebSocket, shared: &Shared) {
    let mut client = shared.client();
    let mut stopped = shared.stopped.clone();
    let mut wish = Wish {
        batch_size: 10,
        interval: 1.0,
        share: None,
        has_labels: shared.config().output.include_labels,
        batches: None,
    };
    let begun = Instant::now();
    // When the last batch was due.
    let mut last: Option<Instant> = None;
    loop {
        // A message does not put off the next batch, but a new interval counts from the last one.
        let due = last.map_or(begun, |last| last + wish.interval());
        let said = tokio::select! {
            _ = stopped.changed() => {
                // The server goes away (RFC 6455, section 7.4.1).
                let farewell = CloseFrame { code: close_code::AWAY, reason: "the server stops".into() };
                if send(&mut socket, Message::Close(Some(farewell))).await.is_ok() {
                    until_closed(&mut socket).await;
                }
                return;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => answer(text.as_bytes(), &mut wish, &mut client),
                Some(Ok(Message::Binary(bytes))) => answer(&bytes, &mut wish, &mut client),
                // The library answers these by itself.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_))) => {
                    until_closed(&mut socket).await;
                    return;
                }
                Some(Err(_)) | None => return,
            },
            () = tokio::time::sleep_until(due) => {
                // What a slow client has missed is not made up.
                let late = Instant::now().saturating_duration_since(due) > wish.interval();
                last = Some(if late { Instant::now() } else { due });
                batch(&wish, &mut client, shared)
            }
        };
        if send(&mut socket, Message::text(said)).await.is_err() {
            return;
        }
    }
}

/// Lets the library write its answer to a Close frame (RFC 6455, section 5.5.1), or waits for the one
/// to its own: both come with reading on.
async fn until_closed(socket: &mut WebSocket) {
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    // Who does not answer is left.
    drop(tokio::time::timeout(FAREWELL, closed).await);
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), ()> {
    match tokio::time::timeout(STALL, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        // Gone, or as good as gone.
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

fn batch(wish: &Wish, client: &mut Client, shared: &Shared) -> String {
    let batch = client.batch(wish, shared);
    let (count, anomalous) = (batch.lines.len(), batch.anomalous);
    let mut text =
        format!("{{\"type\":\"logs\",\"count\":{count},\"anomaly_count\":{anomalous},\"logs\":")
            .into_bytes();
    list(&batch.lines, Format::Json, &mut text);
    text.push(b'}');
    // Records are text.
    String::from_utf8(text).unwrap_or_default()
}

/// Does what a message says, and gives the answer.
fn answer(message: &[u8], wish: &mut Wish, client: &mut Client) -> String {
    let done = match serde_json::from_slice::<Value>(message) {
        Ok(message) => act(message, wish, client),
        Err(error) => {
            return json!({ "type": "error", "detail": format!("JSON decode error: {error}") })
                .to_string();
        }
    };
    let answer = done.unwrap_or_else(|wrong| json!({ "type": "error", "detail": wrong }));
    answer.to_string()
}

fn act(message: Value, wish: &mut Wish, client: &mut Client) -> Result<Value, Vec<Wrong>> {
    let mut fields = Fields::new("message", message);
    let action = fields.value("action");
    match action.as_ref().and_then(Value::as_str) {
        Some("configure") => {
            let config = fields.value("config").unwrap_or_else(|| json!({}));
            fields.end()?;
            *wish = configured(config, *wish, client.generator.has_family())?;
            Ok(json!({
                "type": "config_updated",
                "config": {
                    "batch_size": wish.batch_size,
                    "interval": wish.interval,
                    "anomaly_rate": wish.share.unwrap_or_else(|| client.generator.share()),
                    "include_labels": wish.has_labels,
                },
            }))
        }
        Some("inject_anomaly") => {
            let family = fields.word("anomaly_type", Family::ALL);
            let records = fields.whole("duration_logs", 5, 100).unwrap_or(20);
            if family.is_none() {
                fields.missing("anomaly_type");
            }
            fields.end()?;
            if let Some(family) = family {
                // Within the bounds above.
                client.generator.put_in(family, records as u32);
                client.tell();
            }
            Ok(json!({ "type": "anomaly_injected", "anomaly_type": family.map(|one| one.word()) }))
        }
        Some(_) => Ok(json!({
            "type": "error",
            "detail": "Unknown action: there are 'configure' and 'inject_anomaly'",
        })),
        None => {
            fields.missing("action");
            fields.end()?;
            Ok(Value::Null)
        }
    }
}

/// The wish, with what is configured changed. `has_family`: whether anomalies can come.
fn configured(config: Value, mut wish: Wish, has_family: bool) -> Result<Wish, Vec<Wrong>> {
    let mut fields = Fields::new("config", config);
    if let Some(size) = fields.whole("batch_size", 1, 1000) {
        wish.batch_size = size as u32;
    }
    if let Some(interval) = fields.number("interval", 0.1, 60.0) {
        wish.interval = interval;
    }
    if let Some(share) = fields.number("anomaly_rate", 0.0, 1.0) {
        if !has_family {
            without_family(&mut fields, "anomaly_rate", Some(share));
        }
        wish.share = Some(share);
    }
    if let Some(labels) = fields.truth("include_labels") {
        wish.has_labels = labels;
    }
    fields.end()?;
    Ok(wish)
}
