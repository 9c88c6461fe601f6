//! The account of the lines: stored, queued and lost, by reason.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// Why lines were lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LossReason {
    /// The writer was too far behind.
    QueueFull,
    /// The disk, or a quota, is full.
    NoSpace,
    /// The folder or file may not be written: permissions, or a read-only file system.
    Denied,
    /// The folder is not there and cannot be made.
    Gone,
    /// The reader of standard output went away.
    ReaderGone,
    /// Another error of reading or writing.
    Other,
}

impl LossReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::QueueFull,
        Self::NoSpace,
        Self::Denied,
        Self::Gone,
        Self::ReaderGone,
        Self::Other,
    ];

    /// The word for logs and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::NoSpace => "no_space",
            Self::Denied => "denied",
            Self::Gone => "gone",
            Self::ReaderGone => "reader_gone",
            Self::Other => "other",
        }
    }

    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied,
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::StaleNetworkFileHandle => Self::Gone,
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Other,
        }
    }
}

/// Lines that were lost for one reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Loss {
    /// Lines, each one record.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The account of a sink at one moment. While lines are on their way the parts are read one after
/// the other; once the sink is closed, `accepted = stored + lost` exactly.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SinkCounts {
    /// Lines handed to the writer, or dropped before it.
    pub accepted: u64,
    /// Lines that the operating system took.
    pub stored: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Lines that wait for the writer.
    pub queued: u64,
    lost: [Loss; LossReason::ALL.len()],
}

impl SinkCounts {
    /// What was lost for this reason.
    #[must_use]
    pub fn lost(&self, reason: LossReason) -> Loss {
        self.lost[reason as usize]
    }

    /// The same with so many lines lost for this reason.
    #[cfg(test)]
    pub(crate) fn with_lost(mut self, reason: LossReason, records: u64) -> Self {
        self.lost[reason as usize].records = records;
        self
    }

    /// What was lost for any reason.
    #[must_use]
    pub fn lost_in_all(&self) -> Loss {
        self.lost.iter().fold(Loss::default(), |sum, loss| Loss {
            records: sum.records + loss.records,
            bytes: sum.bytes + loss.bytes,
        })
    }
}

/// What the hot thread, the writer and those who ask share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    accepted: AtomicU64,
    stored: AtomicU64,
    stored_bytes: AtomicU64,
    lost: [(AtomicU64, AtomicU64); LossReason::ALL.len()],
    /// The files are to be opened anew before the next line.
    pub(super) reopen: AtomicBool,
    /// Standard output has no reader any more.
    pub(super) reader_gone: AtomicBool,
}

impl Shared {
    pub(super) fn add_accepted(&self, records: u64) {
        self.accepted.fetch_add(records, Relaxed);
    }

    pub(super) fn add_stored(&self, records: u64, bytes: u64) {
        self.stored.fetch_add(records, Relaxed);
        self.stored_bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn add_lost(&self, reason: LossReason, loss: Loss) {
        let (records, bytes) = &self.lost[reason as usize];
        records.fetch_add(loss.records, Relaxed);
        bytes.fetch_add(loss.bytes, Relaxed);
    }

    pub(super) fn counts(&self) -> SinkCounts {
        let mut counts = SinkCounts {
            stored: self.stored.load(Relaxed),
            stored_bytes: self.stored_bytes.load(Relaxed),
            lost: self.lost.each_ref().map(|(records, bytes)| Loss {
                records: records.load(Relaxed),
                bytes: bytes.load(Relaxed),
            }),
            ..SinkCounts::default()
        };
        counts.accepted = self.accepted.load(Relaxed);
        counts.queued = counts
            .accepted
            .saturating_sub(counts.stored + counts.lost_in_all().records);
        counts
    }
}
