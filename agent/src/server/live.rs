//! Those who look on: what the page shows by the second is made once for all of them, and only while
//! there is somebody.
//!
//! ```text
//! capture ─► Snapshot ─┐
//!                      ├─► one tick a second, as bytes ─► every stream of /api/live
//! store ─► roll-ups ───┘
//! ```
//!
//! A stream holds nothing for a client that does not read: it waits for the next tick, and what it has
//! missed it never sees. One that takes nothing for some seconds is closed by its connection. Whoever
//! wants to see each exchange follows the store over a WebSocket ([`socket`]): it is read once for all of
//! them ([`rows`]).

pub(super) mod events;
pub(super) mod numbers;
mod points;
pub(super) mod rows;
pub(super) mod socket;
mod tick;
pub(super) mod wish;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

pub(super) use tick::run;

/// Streams of /api/live at the same time.
pub(super) const STREAMS: usize = 200;

/// What is shown, and to how many.
#[derive(Debug)]
pub(super) struct Live {
    streams: Arc<Semaphore>,
    /// The last tick, as it is sent; `None`: nobody looked on of late.
    last: watch::Sender<Option<Bytes>>,
    /// Somebody came.
    came: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            streams: Arc::new(Semaphore::new(STREAMS)),
            last: watch::Sender::new(None),
            came: Notify::new(),
        }
    }
}

/// Somebody who looks on.
#[derive(Debug)]
pub(super) struct Viewer {
    ticks: watch::Receiver<Option<Bytes>>,
    /// Given back when they go.
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// One more; `None`: there are as many as may be.
    fn join(&self) -> Option<Viewer> {
        let place = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        let mut ticks = self.last.subscribe();
        // What was made for others a moment ago is shown at once.
        ticks.mark_changed();
        self.came.notify_one();
        Some(Viewer {
            ticks,
            _place: place,
        })
    }

    /// How many there are.
    pub(super) fn viewers(&self) -> usize {
        STREAMS - self.streams.available_permits()
    }

    /// Waits until there is somebody.
    async fn wanted(&self) {
        while self.last.receiver_count() == 0 {
            // What is left from long ago is not shown to whoever comes next.
            self.last.send_replace(None);
            self.came.notified().await;
        }
    }

    fn show(&self, tick: Bytes) {
        self.last.send_replace(Some(tick));
    }
}

impl Viewer {
    /// The next tick; `None`: it takes so long that something is to be said in between.
    async fn next(&mut self, patience: Duration) -> Option<Bytes> {
        let next = async {
            loop {
                if self.ticks.changed().await.is_err() {
                    return std::future::pending().await;
                }
                if let Some(tick) = &*self.ticks.borrow_and_update() {
                    return tick.clone();
                }
            }
        };
        tokio::time::timeout(patience, next).await.ok()
    }
}
