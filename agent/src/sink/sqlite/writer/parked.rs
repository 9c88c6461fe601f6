//! Records of a day that is claimed wait in memory until it is released.

use std::time::{Duration, Instant};

use super::Writer;
use crate::sink::batch::Batch;
use crate::sink::counts::LossReason;
use crate::sink::sqlite::names::Day;

/// Records that wait at most for a day that is claimed.
const PARKED: usize = 65_536;

impl Writer {
    /// Keeps the records of a claimed day until it is released.
    pub(super) fn park(&mut self, day: Day, records: u64, batches: &[&Batch]) {
        let range = self.range();
        let parked = &mut self.state.parked;
        let room = (PARKED.saturating_sub(parked.len())) as u64;
        if records > room {
            self.shared.add_lost(LossReason::Locked, records);
            return;
        }
        let mut kept = 0;
        for batch in batches {
            for record in batch.sessions() {
                if range.day(record.timestamp) == day && parked.push_session(&record).is_ok() {
                    kept += 1;
                }
            }
            for record in batch.exchanges() {
                if range.day(record.ts) == day && parked.push_exchange(&record).is_ok() {
                    kept += 1;
                }
            }
        }
        self.shared.add_lost(LossReason::Locked, records - kept);
    }

    /// Stores what was parked. When it is the `last` time, waits for the days to be released.
    pub(super) fn store_parked(&mut self, last: bool) {
        let until = Instant::now() + self.busy_timeout;
        while !self.state.parked.is_empty() {
            let parked = std::mem::take(&mut self.state.parked);
            for (day, records) in self.by_day(&[&parked]) {
                self.store_day(day, records, &[&parked]);
            }
            if !last || self.state.parked.is_empty() {
                return;
            }
            if Instant::now() >= until {
                let left = self.state.parked.len() as u64;
                self.shared.add_lost(LossReason::Locked, left);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
