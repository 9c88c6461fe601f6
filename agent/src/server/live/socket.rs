//! `/ws/live`: exchanges as they are stored, over a WebSocket. The client says what it wants to see, and
//! whether it wants to see it now; what is wrong with a message is told, and the connection goes on,
//! unless it is all nonsense.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::rows::{SOCKETS, Shown};
use super::wish::Wish;
use crate::server::api::refusal::{Refusal, detail};
use crate::server::hub::Hub;

/// Bytes of a message, and of a frame.
const MESSAGE_MOST: usize = 16 << 10;
/// From one sending to the next.
const PAUSE: Duration = Duration::from_millis(250);
/// A client that is silent is asked whether it is there,
const ASKED_EVERY: Duration = Duration::from_secs(20);
/// and left when it says nothing for so long.
const SILENT_MOST: Duration = Duration::from_secs(60);
/// Wrong messages in a row, after which a client is left.
const WRONG_MOST: u32 = 10;
/// Time in which a connection is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Opens the WebSocket.
pub(in crate::server) async fn open(
    State(hub): State<Hub>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(detail(rejection.status(), &rejection.body_text())),
    };
    if hub.api().is_none() {
        let sentence = "Nothing is stored here, so there is nothing to follow.";
        return Err(Refusal::Unavailable(sentence.to_owned()));
    }
    let Some(place) = hub.tail().place() else {
        return Err(Refusal::Unavailable(format!(
            "There are as many WebSockets as there may be ({SOCKETS}); one that ends makes room."
        )));
    };
    Ok(upgrade
        .max_message_size(MESSAGE_MOST)
        .max_frame_size(MESSAGE_MOST)
        .on_upgrade(async move |socket| talk(socket, hub, place).await))
}

/// Until the client or the server goes away.
async fn talk(mut socket: WebSocket, hub: Hub, place: OwnedSemaphorePermit) {
    let mut stopped = hub.stopped();
    let mut follower = hub.tail().join(place);
    let mut wish = Wish::default();
    let mut wrong = 0;
    let mut heard = Instant::now();
    let mut asked = Instant::now();
    let mut may_show = Instant::now();
    loop {
        let rows = async {
            tokio::time::sleep_until(may_show).await;
            follower.next(&wish).await
        };
        let said = tokio::select! {
            _ = stopped.changed() => {
                close(&mut socket, close_code::AWAY, "the server stops").await;
                return;
            }
            message = socket.recv() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => answer(text.as_str(), &mut wish, &mut wrong),
                    Some(Ok(Message::Binary(_))) => {
                        wrong += 1;
                        problem("A message is text.")
                    }
                    // The library answers these by itself.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_))) => {
                        until_closed(&mut socket).await;
                        return;
                    }
                    Some(Err(_)) | None => return,
                }
            }
            Shown { text, has_news } = rows => {
                if !has_news {
                    continue;
                }
                may_show = Instant::now() + PAUSE;
                Message::text(text)
            }
            () = tokio::time::sleep_until(asked + ASKED_EVERY) => {
                if heard.elapsed() >= SILENT_MOST {
                    return;
                }
                asked = Instant::now();
                Message::Ping(axum::body::Bytes::new())
            }
        };
        if send(&mut socket, said, &hub).await.is_err() {
            return;
        }
        if wrong >= WRONG_MOST {
            close(&mut socket, close_code::POLICY, "too many wrong messages").await;
            return;
        }
    }
}

/// What is said to a message: an empty batch, from which on it holds, or what is wrong.
fn answer(message: &str, wish: &mut Wish, wrong: &mut u32) -> Message {
    match wish.take(message) {
        Ok(()) => {
            *wrong = 0;
            Message::text("{\"exchanges\":[],\"skipped\":0}")
        }
        Err(sentence) => {
            *wrong += 1;
            problem(&sentence)
        }
    }
}

fn problem(sentence: &str) -> Message {
    Message::text(json!({ "error": sentence }).to_string())
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let farewell = CloseFrame {
        code,
        reason: reason.into(),
    };
    let sent = tokio::time::timeout(FAREWELL, socket.send(Message::Close(Some(farewell)))).await;
    if matches!(sent, Ok(Ok(()))) {
        until_closed(socket).await;
    }
}

/// Lets the library write its answer to a Close frame (RFC 6455, section 5.5.1), or waits for the one
/// to its own: both come with reading on.
async fn until_closed(socket: &mut WebSocket) {
    let closed = async { while let Some(Ok(_)) = socket.recv().await {} };
    // Who does not answer is left.
    drop(tokio::time::timeout(FAREWELL, closed).await);
}

/// A client must take what it is sent within the patience of the server, however it takes it.
async fn send(socket: &mut WebSocket, message: Message, hub: &Hub) -> Result<(), ()> {
    match tokio::time::timeout(hub.patience().stall, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        // Gone, or left by its connection, which counts it.
        Ok(Err(_)) => Err(()),
        Err(_too_slow) => {
            hub.stalled().add();
            Err(())
        }
    }
}
