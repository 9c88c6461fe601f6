//! Records whose sender waits for what becomes of them: over HTTP they are acknowledged only once they
//! are stored, and by the key that they have then.
//!
//! They go through the queue of all others. The writer does not wait for more when it comes upon one,
//! but takes what else is in the queue into the same transaction: with many senders a commit is shared
//! by many records, and with one it comes at once.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::sink::batch::Batch;
use crate::sink::counts::{Counts, LossReason, SharedCounts};

/// What the writer is given.
pub(super) enum Job {
    /// Records that all sinks share.
    Shared(Arc<Batch>),
    /// Records whose sender waits.
    Awaited(Awaited),
}

/// Records, and who is told what became of them.
pub(super) struct Awaited {
    pub(super) batch: Batch,
    /// Given back when the writer has it.
    pub(super) place: Option<OwnedSemaphorePermit>,
    pub(super) answer: oneshot::Sender<Written>,
}

/// What became of the records of a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The key of each, in their order, sessions first; `None`: it is not stored.
    pub ids: Vec<Option<i64>>,
    /// Why some or all are not stored. Those of one day are stored all or none.
    pub failed: Option<LossReason>,
}

/// Why a batch was not taken at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTaken {
    /// The writer is too far behind.
    #[error("the store is too far behind")]
    Full,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Takes records into a store, and tells what became of them. It does not keep the store open.
#[derive(Clone)]
pub struct Intake {
    pub(super) queue: Weak<SyncSender<Job>>,
    pub(super) shared: Arc<SharedCounts>,
    pub(super) failed_at: FailedAt,
    /// Places in the queue: half of it is left to what is captured, however much is sent.
    pub(super) places: Arc<Semaphore>,
}

/// When records could not be stored the last time.
pub(super) type FailedAt = Arc<Mutex<Option<Instant>>>;

impl Intake {
    /// Puts a batch into the queue. The answer comes when they are stored; none
    /// comes when the writer ends by a defect.
    ///
    /// # Errors
    /// Those who wait have filled their half of the queue, or the store is closed; the batch is neither kept nor counted.
    pub fn offer(&self, batch: Batch) -> Result<oneshot::Receiver<Written>, NotTaken> {
        let queue = self.queue.upgrade().ok_or(NotTaken::Closed)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = Some(place.map_err(|_none| NotTaken::Full)?);
        let records = batch.len() as u64;
        let (answer, answered) = oneshot::channel();
        // Before the writer can count them as stored.
        self.shared.add_accepted(records);
        let sent = queue.try_send(Job::Awaited(Awaited {
            batch,
            place,
            answer,
        }));
        sent.map_err(|error| {
            self.shared.take_back_accepted(records);
            match error {
                TrySendError::Full(_) => NotTaken::Full,
                TrySendError::Disconnected(_) => NotTaken::Closed,
            }
        })?;
        Ok(answered)
    }

    /// The account of the store.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Whether records could not be stored within the last ten seconds.
    #[must_use]
    pub fn has_just_failed(&self) -> bool {
        const SHOWS: Duration = Duration::from_secs(10);
        let failed_at = *self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failed_at.is_some_and(|at| at.elapsed() < SHOWS)
    }

    /// Whether the store still takes records.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.queue.strong_count() > 0
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Intake")
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}
