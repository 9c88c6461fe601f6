//! Walking through the table of flows: a slice at a time while records come, and all of it at the end.

use std::time::{Duration, Instant};

use super::super::flows::table::SLICE;
use super::super::flows::{TakeFlow as _, When};
use super::Work;
use super::sleep::monotonic_ns;

/// How long a walk through the table of flows takes, a slice at a time.
const SCAN_NS: u64 = 4_000_000_000;

/// How long slices are read at the most before the ring is looked at again; the last may take a little
/// longer.
const SCAN_MOST: Duration = Duration::from_millis(2);

/// The same where the rings were empty: then it looks once a second alone, and a walk is to keep its time.
const SCAN_MOST_IDLE: Duration = Duration::from_millis(10);

impl Work {
    /// Reads the slices of the table of flows that are due, for [`SCAN_MOST`] at a time. `idle`: the rings were empty.
    pub(super) fn scan(&mut self, now_ns: u64, idle: bool) {
        if now_ns < self.scan_ns {
            return;
        }
        let engine = &self.engine;
        let (Some(table), Some(flows)) = (&mut self.kernel.flows, self.writer.flows()) else {
            return;
        };
        let started = Instant::now();
        let most = if idle { SCAN_MOST_IDLE } else { SCAN_MOST };
        let when = When {
            now_ns,
            read_ns: self.read_ns,
        };
        let step = SCAN_NS / u64::from(table.buckets().div_ceil(SLICE).max(1));
        // No more than one walk is caught up with.
        self.scan_ns = self.scan_ns.max(now_ns.saturating_sub(SCAN_NS));
        while self.scan_ns <= now_ns && started.elapsed() < most {
            self.scan_ns += step.max(1);
            match table.read_slice(&mut |record, news| flows.found(record, news, when, engine)) {
                Ok(read) => {
                    flows.counted_twice(read.counted_twice);
                    if read.last {
                        flows.walked();
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot read the table of flows");
                    self.scan_ns = now_ns + SCAN_NS;
                }
            }
        }
    }

    /// Reads all of the table of flows, after the hooks are detached and the ring is empty.
    pub(super) fn scan_all(&mut self) {
        let when = When::all_is_read(monotonic_ns());
        let engine = &self.engine;
        let (Some(table), Some(flows)) = (&mut self.kernel.flows, self.writer.flows()) else {
            return;
        };
        table.rewind();
        flows.end();
        loop {
            match table.read_slice(&mut |record, news| flows.found(record, news, when, engine)) {
                Ok(read) => {
                    flows.counted_twice(read.counted_twice);
                    if read.last {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "cannot read the table of flows");
                    return;
                }
            }
        }
    }
}
