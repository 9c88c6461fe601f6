//! `GET /api/live`: server-sent events. A `tick` each second, the same for all; `bye` when the server
//! stops; a comment where there is nothing to say for long, so that a connection that is dead is found.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use tokio::sync::watch;

use super::{STREAMS, Viewer};
use crate::server::api::refusal::Refusal;
use crate::server::hub::Hub;

/// A comment is sent after so long without an event.
const PATIENCE: Duration = Duration::from_secs(15);

/// A browser that lost the stream comes back after 2 s.
const GREETING: Bytes = Bytes::from_static(b"retry: 2000\n\n");
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");
const FAREWELL: Bytes = Bytes::from_static(b"event: bye\ndata: {}\n\n");

/// Opens a stream.
pub(in crate::server) async fn stream(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let Some(viewer) = hub.live().join() else {
        return Err(Refusal::Unavailable(format!(
            "There are as many live streams as there may be ({STREAMS}); one that ends makes room."
        )));
    };
    let fields = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // Proxies that collect answers are asked not to.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let begun = Going {
        viewer,
        stopped: hub.stopped(),
        is_new: true,
        is_over: false,
    };
    let stream = unfold(begun, |mut going| async move {
        let bytes = going.next().await?;
        Some((Ok::<_, Infallible>(bytes), going))
    });
    Ok((fields, Body::from_stream(stream)).into_response())
}

/// A stream that goes on.
struct Going {
    viewer: Viewer,
    stopped: watch::Receiver<()>,
    is_new: bool,
    is_over: bool,
}

impl Going {
    /// What is sent next; `None`: nothing more.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if std::mem::take(&mut self.is_new) {
            return Some(GREETING);
        }
        tokio::select! {
            biased;
            _ = self.stopped.changed() => {
                self.is_over = true;
                Some(FAREWELL)
            }
            tick = self.viewer.next(PATIENCE) => Some(tick.unwrap_or(COMMENT)),
        }
    }
}
