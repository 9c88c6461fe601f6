//! Requests that bring records, counted with what became of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::refusal::Refusal;
use crate::ledger::RequestCounts;

/// Counts of one store.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<RequestCounts>);

impl Requests {
    pub(super) fn counts(&self) -> RequestCounts {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, RequestCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request that is under way.
#[derive(Debug)]
pub(super) struct Counted(Option<Arc<Requests>>);

impl Counted {
    pub(super) fn begin(requests: &Arc<Requests>) -> Self {
        requests.lock().requests += 1;
        Self(Some(Arc::clone(requests)))
    }

    /// It is answered.
    pub(super) fn end(mut self, refusal: Option<&Refusal>) {
        let Some(requests) = self.0.take() else {
            return;
        };
        let mut counts = requests.lock();
        match refusal {
            None => counts.taken += 1,
            Some(refusal) => {
                let status = refusal.status().as_u16();
                let place = RequestCounts::STATUSES
                    .iter()
                    .position(|one| *one == status);
                // What is refused otherwise is refused as an error of ours.
                let place = place.unwrap_or(RequestCounts::STATUSES.len() - 1);
                counts.refused[place] += 1;
            }
        }
    }
}

impl Drop for Counted {
    /// Whoever asked has gone away before.
    fn drop(&mut self) {
        if let Some(requests) = self.0.take() {
            requests.lock().abandoned += 1;
        }
    }
}
