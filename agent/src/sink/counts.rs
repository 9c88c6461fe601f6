//! The account of a sink of records: stored, spooled, queued and lost, by reason.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Why records were lost.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum LossReason {
    /// The writer was too far behind.
    QueueFull,
    /// The disk, or a quota, is full.
    NoSpace,
    /// The folder or file may not be written: permissions, or a read-only file system.
    Denied,
    /// The folder is not there and cannot be made, or the target cannot be reached.
    Gone,
    /// Another program held the database for longer than we wait.
    Locked,
    /// The database was damaged under our hands.
    Damaged,
    /// The target does not take such a record.
    Refused,
    /// The target takes no record of this size.
    TooLarge,
    /// What waits on disk to be sent was too much.
    SpoolFull,
    /// Another error.
    Other,
}

impl LossReason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::QueueFull,
        Self::NoSpace,
        Self::Denied,
        Self::Gone,
        Self::Locked,
        Self::Damaged,
        Self::Refused,
        Self::TooLarge,
        Self::SpoolFull,
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
            Self::Locked => "locked",
            Self::Damaged => "damaged",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::SpoolFull => "spool_full",
            Self::Other => "other",
        }
    }
}

/// The account of a sink at one moment, in records. While records are on their way the parts are
/// read one after the other; once the sink is closed, `accepted = stored + spooled + lost` exactly.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Offered to the sink.
    pub accepted: u64,
    /// Stored; also those that change nothing because the same or a later revision was there.
    pub stored: u64,
    /// Kept on disk, to be sent later.
    pub spooled: u64,
    /// On their way.
    pub queued: u64,
    lost: [u64; LossReason::ALL.len()],
}

impl Counts {
    /// What was lost for this reason.
    #[must_use]
    pub fn lost(&self, reason: LossReason) -> u64 {
        self.lost[reason as usize]
    }

    /// What was lost for any reason.
    #[must_use]
    pub fn lost_in_all(&self) -> u64 {
        self.lost.iter().sum()
    }
}

/// An account of which the parts make the whole at every moment, for sinks whose records go to and
/// fro. Taken for a batch at a time.
#[derive(Debug, Default)]
pub(crate) struct ExactCounts(Mutex<Counts>);

/// Where a record is that the sink still has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    /// In memory.
    Queued,
    /// On disk.
    Spooled,
}

impl ExactCounts {
    /// Records that the sink takes from now on.
    pub(crate) fn accept(&self, to: Kept, records: u64) {
        self.change(|counts| {
            counts.accepted += records;
            *counts.kept(to) += records;
        });
    }

    /// Records that were brought from one place to another.
    pub(crate) fn bring(&self, from: Kept, to: Kept, records: u64) {
        self.change(|counts| {
            let records = counts.take(from, records);
            *counts.kept(to) += records;
        });
    }

    /// Records that the target has.
    pub(crate) fn store(&self, from: Kept, records: u64) {
        self.change(|counts| counts.stored += counts.take(from, records));
    }

    /// Records that are lost.
    pub(crate) fn lose(&self, from: Kept, reason: LossReason, records: u64) {
        self.change(|counts| {
            let records = counts.take(from, records);
            counts.lost[reason as usize] += records;
        });
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Counts {
    fn kept(&mut self, place: Kept) -> &mut u64 {
        match place {
            Kept::Queued => &mut self.queued,
            Kept::Spooled => &mut self.spooled,
        }
    }

    /// Never more than there is, so that the whole stays the whole.
    fn take(&mut self, place: Kept, records: u64) -> u64 {
        let kept = self.kept(place);
        debug_assert!(records <= *kept, "{records} of {kept} {place:?}");
        let taken = records.min(*kept);
        *kept -= taken;
        taken
    }
}

/// What the two ends of a sink and those who ask share.
#[derive(Debug, Default)]
pub(crate) struct SharedCounts {
    accepted: AtomicU64,
    stored: AtomicU64,
    lost: [AtomicU64; LossReason::ALL.len()],
}

impl SharedCounts {
    pub(crate) fn add_accepted(&self, records: u64) {
        self.accepted.fetch_add(records, Relaxed);
    }

    /// They were not accepted after all.
    pub(crate) fn take_back_accepted(&self, records: u64) {
        self.accepted.fetch_sub(records, Relaxed);
    }

    pub(crate) fn add_stored(&self, records: u64) {
        self.stored.fetch_add(records, Relaxed);
    }

    pub(crate) fn add_lost(&self, reason: LossReason, records: u64) {
        self.lost[reason as usize].fetch_add(records, Relaxed);
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            stored: self.stored.load(Relaxed),
            lost: self.lost.each_ref().map(|lost| lost.load(Relaxed)),
            ..Counts::default()
        };
        counts.accepted = self.accepted.load(Relaxed);
        counts.queued = counts
            .accepted
            .saturating_sub(counts.stored + counts.lost_in_all());
        counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        let shared = SharedCounts::default();
        shared.add_accepted(10);
        shared.add_stored(3);
        shared.add_lost(LossReason::NoSpace, 2);
        shared.add_lost(LossReason::Other, 1);
        let counts = shared.counts();
        assert_eq!(counts.queued, 4);
        assert_eq!(counts.lost(LossReason::NoSpace), 2);
        assert_eq!(counts.lost_in_all(), 3);
        for (index, reason) in LossReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.word());
        }
    }

    proptest! {
        #[test]
        fn an_exact_account_closes_at_every_moment(steps in prop::collection::vec((0..6, 0_u64..50), 0..60)) {
            let shared = ExactCounts::default();
            for (step, records) in steps {
                let now = shared.counts();
                let queued = records.min(now.queued);
                let spooled = records.min(now.spooled);
                match step {
                    0 => shared.accept(Kept::Queued, records),
                    1 => shared.accept(Kept::Spooled, records),
                    2 => shared.bring(Kept::Queued, Kept::Spooled, queued),
                    3 => shared.store(Kept::Spooled, spooled),
                    4 => shared.store(Kept::Queued, queued),
                    _ => shared.lose(Kept::Queued, LossReason::TooLarge, queued),
                }
                let counts = shared.counts();
                prop_assert_eq!(
                    counts.accepted,
                    counts.stored + counts.spooled + counts.queued + counts.lost_in_all()
                );
            }
        }
    }
}
