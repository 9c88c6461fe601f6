//! The store: exchanges and sessions in SQLite, one file a day.
//!
//! ```text
//! hot thread          │ writer thread                          │ tidy thread
//! FanOut ─► batch ──► queue ─► transaction ─► tapline-….db      │
//!    ▲                │                          │ day is over ─► indexes, retention
//!    └── the batch is let go ◄──────────────────┘              │
//! ```
//!
//! A record goes to the file of its own day (UTC); a session's day is that of its start, so that a
//! later revision comes to the file that has the earlier. Plain `sqlite3` can read all of them at any
//! time. Identifiers and addresses are text: they can be read, pasted into a query and found in log
//! lines, for 16 bytes more a row than as BLOB.
//!
//! What is written is in the hands of the operating system at each commit, so that it survives the
//! end of this process; it is brought to the disk every 30 seconds or 80 MiB, for the fall of the
//! host.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use self::days::Days;
use self::intake::{FailedAt, Job};
use self::tidy::Tidy;
use self::writer::{Clock, Writer, WriterState};
pub use self::{
    error::StoreError,
    intake::{Intake, NotTaken, Written},
    settings::{OnFull, Retain, SqliteSettings},
};
use super::RecordSink;
use super::batch::Batch;
use super::counts::{Counts, LossReason, SharedCounts};

mod bind;
mod days;
mod error;
mod file;
pub(crate) mod folder;
pub(crate) mod groups;
mod intake;
pub(crate) mod names;
mod roll_up;
pub(crate) mod rows;
pub(crate) mod schema;
mod settings;
pub(crate) mod tally;
mod text;
mod tidy;
mod writer;

/// Stores records in SQLite. Made by [`SqliteSink::start`], used as a [`RecordSink`].
pub struct SqliteSink {
    on_full: OnFull,
    shared: Arc<SharedCounts>,
    failed_at: FailedAt,
    places: Arc<Semaphore>,
    workers: Option<Workers>,
}

/// Watches a store from any thread.
#[derive(Clone, Debug)]
pub struct SqliteHandle {
    shared: Arc<SharedCounts>,
}

/// The threads behind a store.
struct Workers {
    queue: Arc<SyncSender<Job>>,
    days: Arc<Days>,
    writer: JoinHandle<()>,
    tidy: JoinHandle<()>,
    /// The folder is ours as long as it is open.
    _lock: Option<File>,
}

impl SqliteSink {
    /// Makes the folder, takes it for this process and starts the threads. Databases are opened by
    /// the writer: one that cannot be used is moved aside, one that is locked is waited for.
    ///
    /// # Errors
    /// When the folder cannot be used or another process has it, or no thread can be made.
    pub fn start(settings: SqliteSettings) -> Result<Self, StoreError> {
        Self::start_at(settings, Arc::new(Timestamp::now))
    }

    /// For other threads.
    #[must_use]
    pub fn handle(&self) -> SqliteHandle {
        SqliteHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// For those who ask what becomes of their records.
    #[must_use]
    pub fn intake(&self) -> Intake {
        let queue = self.workers.as_ref().map(|workers| &workers.queue);
        Intake {
            queue: queue.map(Arc::downgrade).unwrap_or_default(),
            shared: Arc::clone(&self.shared),
            failed_at: Arc::clone(&self.failed_at),
            places: Arc::clone(&self.places),
        }
    }

    fn start_at(settings: SqliteSettings, clock: Clock) -> Result<Self, StoreError> {
        let lock = folder::take(&settings.directory)?;
        let days = Arc::<Days>::default();
        let shared = Arc::<SharedCounts>::default();
        let state = WriterState::default();
        let failed_at = Arc::clone(&state.failed_at);
        let (wake, woken) = sync_channel(1);
        let (queue, full) = sync_channel(settings.queue_batches.max(1));
        let places = Arc::new(Semaphore::new(settings.queue_batches.max(1).div_ceil(2)));
        let tidy = Tidy {
            directory: settings.directory.clone(),
            retain: settings.retain,
            days: Arc::clone(&days),
            clock: Arc::clone(&clock),
            busy_timeout: settings.busy_timeout,
            finished: HashSet::new(),
            last_today: None,
        };
        let tidy = thread::Builder::new()
            .name("tapline-tidy-db".to_owned())
            .spawn(move || tidy.run(&woken))
            .map_err(|source| StoreError::Thread { source })?;
        let writer = Writer {
            directory: settings.directory,
            commit_records: settings.commit_records,
            commit_after: settings.commit_after,
            busy_timeout: settings.busy_timeout,
            clock,
            shared: Arc::clone(&shared),
            days: Arc::clone(&days),
            wake_tidy: wake,
            state,
        };
        let writer = thread::Builder::new()
            .name("tapline-store".to_owned())
            .spawn(move || writer.run(&full))
            .map_err(|source| StoreError::Thread { source })?;
        Ok(Self {
            on_full: settings.on_full,
            shared,
            failed_at,
            places,
            workers: Some(Workers {
                queue: Arc::new(queue),
                days,
                writer,
                tidy,
                _lock: lock,
            }),
        })
    }

    fn end(&mut self) {
        let Some(workers) = self.workers.take() else {
            return;
        };
        // Lets indexes that are being made be: the next start makes them.
        workers.days.stop();
        drop(workers.queue);
        if workers.writer.join().is_err() {
            // A defect: what it did not take is lost.
            let left = self.shared.counts().queued;
            self.shared.add_lost(LossReason::Other, left);
        }
        // The writer held the other end of what wakes this thread.
        drop(workers.tidy.join());
    }
}

impl RecordSink for SqliteSink {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn offer(&mut self, batch: &Arc<Batch>) {
        let records = batch.len() as u64;
        self.shared.add_accepted(records);
        let Some(workers) = &self.workers else {
            self.shared.add_lost(LossReason::Other, records);
            return;
        };
        let share = Job::Shared(Arc::clone(batch));
        let lost = match self.on_full {
            OnFull::Drop => match workers.queue.try_send(share) {
                Ok(()) => None,
                Err(TrySendError::Full(_)) => Some(LossReason::QueueFull),
                // The writer ended by a defect.
                Err(TrySendError::Disconnected(_)) => Some(LossReason::Other),
            },
            OnFull::Block => match workers.queue.send(share) {
                Ok(()) => None,
                Err(_) => Some(LossReason::Other),
            },
        };
        if let Some(reason) = lost {
            self.shared.add_lost(reason, records);
        }
    }

    fn counts(&self) -> Counts {
        self.shared.counts()
    }

    fn close(mut self: Box<Self>) -> Counts {
        self.end();
        self.shared.counts()
    }
}

impl Drop for SqliteSink {
    fn drop(&mut self) {
        self.end();
    }
}

impl SqliteHandle {
    /// As [`RecordSink::counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}

#[cfg(test)]
mod tests;
