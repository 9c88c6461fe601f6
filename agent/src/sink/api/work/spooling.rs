//! What cannot be sent in time goes to the spool.

use std::time::Duration;

use tokio::time::Instant;

use super::super::body::Body;
use super::{Item, Work};
use crate::sink::counts::Kept;
use crate::sink::spool::{Gone, Place};

/// A spool that cannot be written is not tried again for so long.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

impl Work {
    /// Brings what waits in memory to the spool, the oldest first, as far as it goes.
    pub(super) fn spool_memory(&self) {
        loop {
            let Some(item) = self.memory.borrow().front().cloned() else {
                return;
            };
            if !self.spool_item(&item, false) {
                return;
            }
            self.memory.borrow_mut().pop_front();
            self.memory_bytes
                .set(self.memory_bytes.get() - item.body.bytes.len());
        }
    }

    /// Brings a body that is being sent to the spool, in case that this process ends before.
    pub(super) fn keep_safe(&self, item: &Item) {
        if item.place.get().is_none() {
            self.spool_item(item, true);
        }
    }

    /// Writes a body to the spool. Whether it is there.
    pub(super) fn spool_item(&self, item: &Item, is_held: bool) -> bool {
        let place = self.write_spool(&item.body, is_held);
        if let Some(place) = place {
            self.counts
                .bring(Kept::Queued, Kept::Spooled, item.left.get());
            item.place.set(Some(place));
        }
        place.is_some()
    }

    pub(super) fn write_spool(&self, body: &Body, is_held: bool) -> Option<Place> {
        let now = Instant::now();
        if self
            .spool_failed
            .get()
            .is_some_and(|at| now < at + SPOOL_PAUSE)
        {
            return None;
        }
        let mut spool = self.spool.borrow_mut();
        match spool.append(body.tag(), body.records, &body.bytes, is_held) {
            Ok((place, gone)) => {
                self.spool_failed.set(None);
                drop(spool);
                gone.into_iter().for_each(|gone| self.count_gone(gone));
                Some(place)
            }
            Err(error) => {
                self.spool_failed.set(Some(now));
                tracing::error!(path = %self.settings.spool.directory.display(), error = &error as &dyn std::error::Error, reason = error.reason().word(), "records that cannot be sent cannot be spooled either; they are kept in memory as long as there is room, and then lost");
                None
            }
        }
    }

    pub(super) fn count_gone(&self, gone: Gone) {
        self.counts.lose(Kept::Spooled, gone.reason, gone.records);
    }
}
