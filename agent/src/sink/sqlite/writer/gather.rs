//! What is stored next: batches from the queue, as many as make a transaction.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::Writer;
use crate::sink::batch::Batch;
use crate::sink::sqlite::intake::{Awaited, Job};

/// So many senders that wait for one transaction are many.
const CROWD: usize = 4;
/// How long a transaction for many senders waits for more of them. The kernel adds its slack of
/// 50 microseconds; longer waits were measured to give fewer records a second.
const MOMENT: Duration = Duration::from_micros(10);

/// What is stored next.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) shared: Vec<Arc<Batch>>,
    pub(super) awaited: Vec<Awaited>,
    pub(super) records: usize,
}

impl Gathered {
    pub(super) fn push(&mut self, job: Job) {
        match job {
            Job::Shared(batch) => {
                self.records += batch.len();
                self.shared.push(batch);
            }
            Job::Awaited(mut awaited) => {
                drop(awaited.place.take());
                self.records += awaited.batch.len();
                self.awaited.push(awaited);
            }
        }
    }
}

impl Writer {
    /// Waits for more, until there is enough or it waited long enough. Where somebody waits for an
    /// answer, it takes only what is there already; where many did the last time, what comes within
    /// a moment: they share a commit then instead of making one each.
    pub(super) fn gather(&self, full: &Receiver<Job>, gathered: &mut Gathered) {
        if !gathered.awaited.is_empty() && self.state.crowd >= CROWD {
            // Asleep, so that nobody has to wake this thread for each.
            std::thread::sleep(MOMENT);
        }
        let until = Instant::now() + self.commit_after;
        while gathered.records < self.commit_records {
            let left = match gathered.awaited.is_empty() {
                true => until.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            let Ok(job) = full.recv_timeout(left) else {
                return;
            };
            gathered.push(job);
        }
    }
}
