//! What the writer says when records cannot be stored: once when it begins, once when it ends.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Writer;
use crate::sink::counts::LossReason;
use crate::sink::sqlite::error::FileError;

/// Losses by a full queue are reported at most so often.
const FULL_REPORT: Duration = Duration::from_secs(60);

impl Writer {
    pub(super) fn report_outage(&mut self, error: &FileError, records: u64) {
        *self
            .state
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let path = &self.directory;
        let total = self.state.outage.get_or_insert_with(|| {
            tracing::error!(path = %path.display(), reason = error.reason().word(), %error, "records cannot be stored; they are counted as lost until it works again");
            0
        });
        *total += records;
    }

    pub(super) fn report_recovery(&mut self) {
        if let Some(records) = self.state.outage.take() {
            tracing::info!(path = %self.directory.display(), records, "records are stored again; the count is of those lost");
        }
    }

    pub(super) fn report_full(&mut self, now: Instant) {
        let total = self.shared.counts().lost(LossReason::QueueFull);
        let (reported, last) = self.state.full_reported;
        let is_quiet = last.is_some_and(|last| now.saturating_duration_since(last) < FULL_REPORT);
        if total > reported && !is_quiet {
            tracing::warn!(
                records = total - reported,
                "records were dropped: the store is slower than the traffic"
            );
            self.state.full_reported = (total, Some(now));
        }
    }
}
