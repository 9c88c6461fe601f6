//! Sessions to Tapline's own store.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::SessionBlock;
use crate::sink::counts::{Counts, LossReason};
use crate::sink::fan_out::FanOut;
use crate::sink::sqlite::{OnFull, Retain, SqliteHandle, SqliteSettings, SqliteSink, StoreError};

/// Batches that wait for the writer: more would only be memory, since whoever makes them waits.
const QUEUE: usize = 4;

/// Memory of SQLite, beyond which it uses pages of its cache again. Rows are only appended: what a run of
/// `tapline serve` keeps at hand for those who ask is of no use here.
const MEMORY: i64 = 16 << 20;

/// Why sessions cannot be stored at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionStoreError {
    /// The folder cannot be made or written to.
    #[error("cannot store in {}; make it writable or choose another with --sqlite", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("cannot store in {}: another tapline stores there; choose another with --sqlite", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The store does not start.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for SessionStoreError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Folder { path, source } => Self::Folder { path, source },
            StoreError::InUse { path } => Self::InUse { path },
            other => Self::Store(other),
        }
    }
}

/// Stores sessions. Belongs to one thread.
#[derive(Debug)]
pub struct SessionStore {
    records: FanOut,
    handle: SqliteHandle,
}

impl SessionStore {
    /// Takes the folder for this process. Nothing in it is deleted, however old.
    ///
    /// # Errors
    /// The folder cannot be used, or another process has it.
    pub fn open(folder: &Path) -> Result<Self, SessionStoreError> {
        if let Err(error) = limit_memory() {
            // It only takes more memory then.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the cache is not limited"
            );
        }
        let sink = SqliteSink::start(SqliteSettings {
            directory: folder.to_owned(),
            retain: Retain::default(),
            on_full: OnFull::Block,
            queue_batches: QUEUE,
            ..SqliteSettings::default()
        })?;
        let handle = sink.handle();
        Ok(Self {
            records: FanOut::new(vec![Box::new(sink)]),
            handle,
        })
    }

    /// Takes these sessions; waits while the disk is slower than they come. `false`: some could not be
    /// stored.
    pub fn take(&mut self, block: &SessionBlock, records: Range<usize>) -> bool {
        for session in block.sessions.get(records).unwrap_or_default() {
            self.records.push_session(&session.record());
        }
        self.records.flush_if_due(Instant::now());
        self.handle.counts().lost_in_all() == 0
    }

    /// Stores all that was taken and gives the account.
    #[must_use]
    pub fn close(self) -> Counts {
        let counts = self.records.close().pop();
        counts.map(|(_, counts)| counts).unwrap_or_default()
    }
}

/// Why records were lost, in words; `None`: none were.
#[must_use]
pub fn losses(counts: &Counts) -> Option<String> {
    let lost: Vec<String> = LossReason::ALL
        .into_iter()
        .filter(|reason| counts.lost(*reason) > 0)
        .map(|reason| format!("{} {}", counts.lost(reason), reason.word()))
        .collect();
    (!lost.is_empty()).then(|| lost.join(", "))
}

/// For all connections of this process, from now on.
fn limit_memory() -> rusqlite::Result<()> {
    let connection = rusqlite::Connection::open_in_memory()?;
    connection.pragma_update_and_check(None, "soft_heap_limit", MEMORY, |_row| Ok(()))
}
