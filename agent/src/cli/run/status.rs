//! What a user sees while capture runs: a line that is written anew every second on a terminal, and a
//! statistics line every so often.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agent_common::counters::{Counters, Lost};

use super::losses::{self, RingLosses};
use crate::capture::reader::Progress;
use crate::diagnostics::row;
use crate::sink::log::SinkCounts;

/// How often the line on a terminal is written.
const EVERY: Duration = Duration::from_secs(1);

/// What is shown, and when.
#[derive(Debug)]
pub(super) struct Status {
    terminal: bool,
    statistics: Option<Duration>,
    /// When the line was due last; it was shown a little later.
    last_line: Instant,
    shown: Instant,
    last_statistics: Instant,
    last: Seen,
    losses: RingLosses,
}

/// Totals at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Seen {
    packets: u64,
    heads: u64,
    lost: u64,
}

impl Status {
    /// `terminal`: there is one for the line, and nothing else goes there by the second. `statistics`: how often the statistics line is wanted.
    pub(super) fn new(terminal: bool, statistics: Option<Duration>) -> Self {
        Self {
            terminal,
            statistics,
            last_line: Instant::now(),
            shown: Instant::now(),
            last_statistics: Instant::now(),
            last: Seen::default(),
            losses: RingLosses::default(),
        }
    }

    /// Takes the counts of this moment and shows what is due. Gives the packets seen so far.
    pub(super) fn tick(
        &mut self,
        counters: &[Counters],
        progress: &Progress,
        log: &SinkCounts,
    ) -> u64 {
        let total = sum(counters);
        let now = Seen {
            packets: total.packets.iter().flatten().sum(),
            heads: progress.heads.load(Ordering::Relaxed),
            lost: total.lost.iter().sum::<u64>() + log.lost_in_all().records,
        };
        if self.terminal && is_due(&mut self.last_line, EVERY, Instant::now()) {
            let seconds = self.shown.elapsed().as_secs_f64();
            self.shown = Instant::now();
            self.line(now, seconds);
            self.last = now;
        }
        if self
            .statistics
            .is_some_and(|every| is_due(&mut self.last_statistics, every, Instant::now()))
        {
            tracing::info!(
                packets = now.packets,
                heads = now.heads,
                lost = now.lost,
                retransmitted = total.retransmitted,
                escalated = total.escalated.iter().sum::<u64>(),
                evicted = total.evicted,
                lines = log.stored,
                "statistics"
            );
        }
        let lost = total.lost[Lost::Ring as usize];
        if let Some(records) = self.losses.due(lost, Instant::now()) {
            losses::say(records);
        }
        now.packets
    }

    /// Leaves the terminal clean.
    pub(super) fn end(&self) {
        row::clear();
    }

    /// Says of the last counts what was not said before.
    pub(super) fn say_rest(&mut self, counters: &[Counters]) {
        let lost = sum(counters).lost[Lost::Ring as usize];
        if let Some(records) = self.losses.rest(lost, Instant::now()) {
            losses::say(records);
        }
    }

    fn line(&self, now: Seen, seconds: f64) {
        let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        row::show(&format!(
            "{:.0} packets/s, {:.0} heads/s, {} lost ({} packets and {} heads so far)",
            per_second(now.packets, self.last.packets),
            per_second(now.heads, self.last.heads),
            now.lost,
            now.packets,
            now.heads,
        ));
    }
}

/// The counters of all CPUs together.
pub(super) fn sum(counters: &[Counters]) -> Counters {
    let mut total = Counters::default();
    for counters in counters {
        total.add(counters);
    }
    total
}

/// Whether `every` has passed since `last`. If so `last` moves on by whole periods, not to `now`: else each
/// time would come later than the one before, and now and then a whole tick late.
fn is_due(last: &mut Instant, every: Duration, now: Instant) -> bool {
    let passed = now.saturating_duration_since(*last);
    if passed < every {
        return false;
    }
    let rest = passed.as_nanos().checked_rem(every.as_nanos()).unwrap_or(0);
    *last = now
        .checked_sub(Duration::from_nanos(rest as u64))
        .unwrap_or(now);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_every_so_often_keeps_its_pace() {
        let begin = Instant::now();
        let mut last = begin;
        let mut check = |milliseconds: u64, due: bool| {
            let now = begin + Duration::from_millis(milliseconds);
            assert_eq!(
                is_due(&mut last, Duration::from_secs(2), now),
                due,
                "{milliseconds}"
            );
        };
        check(0, false);
        check(1_999, false);
        check(2_003, true);
        check(3_990, false);
        // Not two seconds after the last one, but the second period is over.
        check(4_001, true);
        check(9_000, true);
        check(9_999, false);
        check(10_000, true);
        assert!(is_due(
            &mut last,
            Duration::ZERO,
            begin + Duration::from_secs(20)
        ));
    }
}
