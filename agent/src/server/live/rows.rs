//! Exchanges as they are stored, read once for all who follow them, and only while somebody does.
//!
//! A batch is shared by all, and only a few of them are held: whoever is too slow is told how many rows
//! it has missed. A row becomes JSON when the first of those who follow wants it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};

use crate::server::hub::Hub;
use crate::store::{Fresh, Page};

use super::wish::Wish;

/// WebSockets at the same time.
pub(in crate::server) const SOCKETS: usize = 100;

/// From one look at the store to the next: so often those who follow are told.
const EVERY: Duration = Duration::from_millis(250);

/// Rows that are read at one look at most.
const READ: usize = 2_000;

/// Rows that one who follows is shown at one look at most: 200 a second.
const SHOWN: usize = 50;

/// Batches that are held for those who are slow.
const HELD: usize = 4;

/// Those who follow, and what they are shown.
#[derive(Debug)]
pub(in crate::server) struct Tail {
    sockets: Arc<Semaphore>,
    batches: broadcast::Sender<Arc<Rows>>,
    came: Notify,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            sockets: Arc::new(Semaphore::new(SOCKETS)),
            batches: broadcast::Sender::new(HELD),
            came: Notify::new(),
        }
    }
}

/// Rows that came within one look.
#[derive(Debug)]
struct Rows {
    page: Page,
    /// The JSON of each, once it was wanted.
    texts: Vec<OnceLock<String>>,
    /// Rows of all looks before this one.
    before: u64,
    /// Those of this look that were not read.
    passed_over: u64,
}

/// Somebody who follows.
#[derive(Debug)]
pub(super) struct Follower {
    batches: broadcast::Receiver<Arc<Rows>>,
    /// Rows of all looks up to the last one seen; `None`: there was none.
    seen: Option<u64>,
    /// Given back when they go.
    _place: OwnedSemaphorePermit,
}

impl Tail {
    /// A place for one more; `None`: there are as many as may be.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.sockets).try_acquire_owned().ok()
    }

    /// Begins to follow.
    pub(super) fn join(&self, place: OwnedSemaphorePermit) -> Follower {
        let batches = self.batches.subscribe();
        self.came.notify_one();
        Follower {
            batches,
            seen: None,
            _place: place,
        }
    }

    /// How many there are.
    pub(in crate::server) fn sockets(&self) -> usize {
        SOCKETS - self.sockets.available_permits()
    }

    /// Waits until all are gone.
    pub(in crate::server) async fn all_gone(&self) {
        drop(self.sockets.acquire_many(SOCKETS as u32).await);
    }

    async fn wanted(&self) {
        while self.batches.receiver_count() == 0 {
            self.came.notified().await;
        }
    }
}

/// Reads what comes new while somebody follows, until the server stops.
pub(in crate::server) async fn run(hub: Hub) {
    let mut stopped = hub.stopped();
    let reading = async {
        let mut before = 0;
        loop {
            hub.tail().wanted().await;
            follow(&hub, &mut before).await;
        }
    };
    tokio::select! {
        () = reading => {}
        _ = stopped.changed() => {}
    }
}

/// Until nobody follows any more.
async fn follow(hub: &Hub, before: &mut u64) {
    let mut follower = None;
    while hub.tail().batches.receiver_count() > 0 {
        let read = hub.read(move |store| {
            let mut follower = match follower {
                Some(follower) => follower,
                None => store.follow()?,
            };
            let fresh = follower.newest_exchanges(store, READ)?;
            Ok((follower, fresh))
        });
        // What cannot be read is followed anew.
        follower = match read.await {
            Some((kept, fresh)) => {
                hub.tail().show(fresh, before);
                Some(kept)
            }
            None => None,
        };
        tokio::time::sleep(EVERY).await;
    }
}

impl Tail {
    fn show(&self, fresh: Fresh, before: &mut u64) {
        let Fresh { page, passed_over } = fresh;
        if page.is_empty() && passed_over == 0 {
            return;
        }
        let rows = Rows {
            texts: page.ids().map(|_| OnceLock::new()).collect(),
            before: *before,
            passed_over: passed_over as u64,
            page,
        };
        *before = rows.after();
        // The last one may have gone away in the meantime.
        drop(self.batches.send(Arc::new(rows)));
    }
}

impl Rows {
    /// Rows up to and with this look.
    fn after(&self) -> u64 {
        self.before + self.passed_over + self.page.len() as u64
    }
}

/// What somebody who follows is shown.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Shown {
    /// `{"exchanges": […], "skipped": 0}`.
    pub(super) text: String,
    /// There is something in it.
    pub(super) has_news: bool,
}

impl Follower {
    /// The next rows. Nothing is lost when the wait is given up.
    pub(super) async fn next(&mut self, wish: &Wish) -> Shown {
        loop {
            match self.batches.recv().await {
                Ok(rows) => return self.show(&rows, wish),
                // What was missed is told by the numbers of the next batch.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }

    /// The newest rows that are wanted, in the order in which they were stored.
    fn show(&mut self, rows: &Rows, wish: &Wish) -> Shown {
        let missed = self.seen.map_or(0, |seen| rows.before.saturating_sub(seen));
        self.seen = Some(rows.after());
        if wish.is_paused {
            return Shown::default();
        }
        let mut skipped = missed + rows.passed_over;
        let wanted = rows.page.exchanges().zip(&rows.texts);
        let wanted: Vec<_> = wanted
            .filter(|(record, _)| wish.filter.matches(record))
            .collect();
        let first = wanted.len().saturating_sub(SHOWN);
        skipped += first as u64;
        let mut text = String::from("{\"exchanges\":[");
        for (place, (record, written)) in wanted[first..].iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            text += written.get_or_init(|| {
                // A record has no keys that JSON cannot have.
                serde_json::to_string(record).unwrap_or_else(|_unwritable| "null".to_owned())
            });
        }
        text += &format!("],\"skipped\":{skipped}}}");
        Shown {
            text,
            has_news: !wanted.is_empty() || skipped > 0,
        }
    }
}
