//! The counts that threads have in common. Each counts for itself, and where that takes much memory, it
//! gives what it has to all: so that many threads take little more memory than one.

use std::sync::{Mutex, PoisonError};

use super::worker::{Counted, Worker};

/// Bytes that the own counts of all threads may take together,
const OWN: usize = 40 << 20;
/// and those of two, more: a log of 65,536 clients is then merged but once.
const OWN_OF_TWO: usize = 50 << 20;

/// What threads gave away.
#[derive(Debug)]
pub(super) struct Shared {
    counted: Mutex<Option<Counted>>,
    /// Bytes from which on one gives its counts away; `None`: there is but one thread.
    most: Option<usize>,
}

impl Shared {
    /// For so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            counted: Mutex::new(None),
            most: match threads {
                0 | 1 => None,
                2 => Some(OWN_OF_TWO / 2),
                more => Some(OWN / more),
            },
        }
    }

    /// Takes the counts of a thread, where they take much.
    pub(super) fn relieve(&self, worker: &mut Worker<'_>) {
        if self.most.is_none_or(|most| worker.bytes() <= most) {
            return;
        }
        // A thread that panicked ends the run.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *counted {
            Some(counted) => counted.merge(worker.give()),
            None => *counted = Some(worker.give()),
        }
    }

    /// All that was given, with these counts.
    pub(super) fn end(self, last: Counted) -> Counted {
        let counted = self.counted.into_inner();
        match counted.unwrap_or_else(PoisonError::into_inner) {
            Some(mut counted) => {
                counted.merge(last);
                counted
            }
            None => last,
        }
    }
}
