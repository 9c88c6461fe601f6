//! Sends sessions, and exchanges where that is asked for, to an HTTP API: `POST {url}/logs`.
//!
//! ```text
//! hot thread          │ thread `tapline-api` (tokio)
//! FanOut ─► batch ──► queue ─► bodies ─► memory ─────────────► requests ─► target
//!    ▲                │                    │ target fails, slow,    ▲
//!    └── the batch is let go               ▼ or memory is full      │
//!                     │                  spool (disk) ──────────────┘ oldest first
//! ```
//!
//! The thread takes what is offered without waiting for the target: what cannot be sent now goes to the
//! [`spool`](super::spool), and nothing stays in memory alone for more than half a second. Records are sent
//! until the target has them or refuses them for good: a request that it refuses is taken apart until
//! the record at fault stands alone, which is counted and said. All else (no answer, half of one, one
//! that makes no sense, a status that may pass) is tried again, ever more slowly.
//!
//! A request whose answer was lost is sent again, so a record may arrive twice; `session_id` and
//! `revision` (`exchange_id`) tell a back end that it is the same. Single objects have neither: there a
//! lost answer stores a record twice.
//!
//! The account counts what the sink takes: not exchanges where they are not sent, and not interim records
//! in [`Mode::Single`]. What an earlier process left in the spool counts as accepted at the start.

mod backoff;
mod bisect;
mod body;
pub(crate) mod connection;
mod delivery;
pub(crate) mod direct;
mod gate;
mod settings;
mod target;
pub(crate) mod verdict;
mod work;

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, channel};

pub use self::settings::{ApiSettings, Mode};
pub use self::target::{Names, Target, TargetError};
use self::work::Work;
use super::RecordSink;
use super::batch::Batch;
use super::counts::{Counts, ExactCounts, Kept, LossReason};
use super::spool::{Spool, SpoolError};

/// Sends records to an HTTP API. Made by [`ApiSink::start`], used as a [`RecordSink`].
pub struct ApiSink {
    mode: Mode,
    exchanges: bool,
    shared: Arc<ExactCounts>,
    worker: Option<(Sender<Arc<Batch>>, JoinHandle<()>)>,
}

/// Watches the sink from any thread.
#[derive(Clone, Debug)]
pub struct ApiHandle {
    shared: Arc<ExactCounts>,
}

/// Why records cannot be sent at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// There is no spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A thread cannot be made, or cannot wait.
    #[error("no thread can be made for the HTTP API")]
    Thread(#[from] std::io::Error),
}

impl ApiSink {
    /// Takes the spool for this process and starts the thread. The target is not asked: it may come
    /// later.
    ///
    /// # Errors
    /// When the folder of the spool cannot be used or another process has it, or no thread can be made.
    pub fn start(settings: ApiSettings) -> Result<Self, ApiError> {
        let spool = Spool::open(&settings.spool)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shared = Arc::<ExactCounts>::default();
        let (queue, batches) = channel(settings.queue_batches.max(1));
        let (mode, exchanges) = (settings.mode, settings.exchanges);
        let counts = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("tapline-api".to_owned())
            .spawn(move || Work::new(settings, spool, counts).run(runtime, batches))?;
        Ok(Self {
            mode,
            exchanges,
            shared,
            worker: Some((queue, thread)),
        })
    }

    /// For other threads.
    #[must_use]
    pub fn handle(&self) -> ApiHandle {
        ApiHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The records of the batch that are sent.
    fn wanted(&self, batch: &Batch) -> u64 {
        let sessions = match self.mode {
            Mode::Array => batch.session_count(),
            Mode::Single => batch
                .sessions()
                .filter(|record| !record.details.is_some_and(|details| details.interim))
                .count(),
        };
        let exchanges = match self.exchanges {
            true => batch.exchange_count(),
            false => 0,
        };
        (sessions + exchanges) as u64
    }

    fn end(&mut self) {
        let Some((queue, thread)) = self.worker.take() else {
            return;
        };
        drop(queue);
        if thread.join().is_err() {
            // A defect: what it had in memory is lost.
            let left = self.shared.counts().queued;
            self.shared.lose(Kept::Queued, LossReason::Other, left);
        }
    }
}

impl RecordSink for ApiSink {
    fn name(&self) -> &'static str {
        "api"
    }

    fn offer(&mut self, batch: &Arc<Batch>) {
        let records = self.wanted(batch);
        if records == 0 {
            return;
        }
        self.shared.accept(Kept::Queued, records);
        let sent = match &self.worker {
            Some((queue, _)) => queue.try_send(Arc::clone(batch)),
            None => Err(TrySendError::Closed(Arc::clone(batch))),
        };
        let reason = match sent {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => LossReason::QueueFull,
            Err(TrySendError::Closed(_)) => LossReason::Other,
        };
        self.shared.lose(Kept::Queued, reason, records);
    }

    fn counts(&self) -> Counts {
        self.shared.counts()
    }

    fn close(mut self: Box<Self>) -> Counts {
        self.end();
        self.shared.counts()
    }
}

impl Drop for ApiSink {
    fn drop(&mut self) {
        self.end();
    }
}

impl ApiHandle {
    /// As [`RecordSink::counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}

#[cfg(test)]
mod tests;
