//! Why records cannot be stored at all, and why some were lost.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::tally::varint::NotOurs;
use crate::sink::counts::LossReason;

/// Why the store cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder cannot be made or written to.
    #[error("data folder {} cannot be used; make it writable or choose another with --data-dir", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("data folder {}: another tapline stores there; choose another with --data-dir", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A thread cannot be made.
    #[error("no thread can be made for the store")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// Why a database file could not be opened or written to.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The file itself.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The database in it.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// It is no database of ours, or none any more.
    #[error("{0}")]
    Unusable(String),
    /// A roll-up in it.
    #[error(transparent)]
    RollUp(#[from] NotOurs),
    /// A record found no place near its time, and those it came with are not to be stored without it.
    #[error("thousands of records have the time of this one")]
    NoPlace,
}

impl FileError {
    /// Under what the records that it cost are counted.
    pub(super) fn reason(&self) -> LossReason {
        match self {
            Self::System(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LossReason::NoSpace,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    LossReason::Denied
                }
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => LossReason::Gone,
                _ => LossReason::Other,
            },
            Self::Unusable(_) | Self::RollUp(_) => LossReason::Damaged,
            Self::NoPlace => LossReason::Refused,
            Self::Database(error) => match error.sqlite_error() {
                // Making the shared memory beside the database longer fails in its own way.
                Some(error) if error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
                    LossReason::NoSpace
                }
                Some(error) => match error.code {
                    ErrorCode::DiskFull => LossReason::NoSpace,
                    ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => LossReason::Locked,
                    ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => LossReason::Damaged,
                    ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::CannotOpen
                    | ErrorCode::AuthorizationForStatementDenied => LossReason::Denied,
                    _ => LossReason::Other,
                },
                None => LossReason::Other,
            },
        }
    }
}
