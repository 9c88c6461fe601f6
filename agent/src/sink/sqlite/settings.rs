//! What a user can choose about the store.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::sink::log::{OnFull, Retain};

/// All settings of a [`SqliteSink`](super::SqliteSink).
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The folder of the day files; made when it is missing. Default: `./data`.
    pub directory: PathBuf,
    /// When the files of days that are over are deleted. Default: after 14 days, or when all files
    /// together exceed 10 GiB.
    pub retain: Retain,
    /// Batches that may wait for the writer. Default: 32 (of at most 4096 records each).
    pub queue_batches: usize,
    /// What happens when that many wait. Default: records are dropped and counted.
    pub on_full: OnFull,
    /// A transaction is committed when it holds this many records. Default: 8192.
    pub commit_records: usize,
    /// A transaction is committed when its first record waited this long. Default: 100 ms.
    pub commit_after: Duration,
    /// How long to wait for another program that holds a database. Default: 5 s.
    pub busy_timeout: Duration,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("./data"),
            retain: Retain {
                days: Some(14),
                bytes: Some(10 << 30),
            },
            queue_batches: 32,
            on_full: OnFull::Drop,
            commit_records: 8192,
            commit_after: Duration::from_millis(100),
            busy_timeout: Duration::from_secs(5),
        }
    }
}
