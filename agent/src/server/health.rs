//! Whether the capture does its work, and since when. Pure: times come in.
//!
//! Degraded means that something goes by unseen: nothing is attached, or records or lines were lost
//! within the last minute.

use std::time::{Duration, Instant};

use agent_common::counters::{Counters, Lost as LostReason};
use jiff::Timestamp;
use serde::Serialize;

use crate::sink::log::SinkCounts;

/// How long a loss makes the state degraded.
const LOSS_SHOWS: Duration = Duration::from_secs(60);

/// Whether all is well.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All is captured and written.
    Healthy,
    /// Something goes by unseen, or went by within the last minute.
    Degraded,
}

/// Why the state is degraded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No interface that is wanted is there.
    NoInterface,
    /// Records were lost before the program: the ring was full, or a CPU's budget spent.
    RecordsLost,
    /// Lines were lost on the way to the log.
    LinesLost,
}

/// The state of health, with its history as far as it matters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    state: State,
    since: Timestamp,
    reasons: Vec<Reason>,
    lost: Lost,
    records_lost_at: Option<Instant>,
    lines_lost_at: Option<Instant>,
}

/// What was lost since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Lost {
    pub(super) records: u64,
    pub(super) lines: u64,
}

impl Lost {
    /// Of the counters of every CPU and the account of the log.
    pub(super) fn of(counters: &[Counters], log: &SinkCounts) -> Self {
        let reasons = [LostReason::Ring, LostReason::CpuBudget];
        let of_cpu = |cpu: &Counters| -> u64 {
            reasons
                .iter()
                .map(|reason| cpu.lost[*reason as usize])
                .sum()
        };
        Self {
            records: counters.iter().map(of_cpu).sum(),
            lines: log.lost_in_all().records,
        }
    }
}

impl Health {
    /// Healthy, since the start.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            state: State::Healthy,
            since: start,
            reasons: Vec::new(),
            lost: Lost::default(),
            records_lost_at: None,
            lines_lost_at: None,
        }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// When the state became this one, by the wall clock.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Why it is degraded; empty while it is healthy.
    #[must_use]
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// Takes what is seen now: `lost` in all, and whether anything is `attached`.
    pub(super) fn observe(&mut self, now: Instant, wall: Timestamp, lost: Lost, attached: bool) {
        if lost.records > self.lost.records {
            self.records_lost_at = Some(now);
        }
        if lost.lines > self.lost.lines {
            self.lines_lost_at = Some(now);
        }
        self.lost = lost;
        let shows = |at: Option<Instant>| {
            at.is_some_and(|at| now.saturating_duration_since(at) < LOSS_SHOWS)
        };
        let found = [
            (!attached, Reason::NoInterface),
            (shows(self.records_lost_at), Reason::RecordsLost),
            (shows(self.lines_lost_at), Reason::LinesLost),
        ];
        self.reasons.clear();
        self.reasons.extend(
            found
                .iter()
                .filter(|(holds, _)| *holds)
                .map(|(_, reason)| *reason),
        );
        let state = match self.reasons.is_empty() {
            true => State::Healthy,
            false => State::Degraded,
        };
        if state != self.state {
            self.state = state;
            self.since = wall;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_what_is_seen() {
        let start = Instant::now();
        let wall = |second: i64| Timestamp::from_second(1_000 + second).unwrap();
        let mut health = Health::new(wall(0));
        let mut check = |second: u64, records, lines, attached, since: i64, reasons: &[Reason]| {
            let now = start + Duration::from_secs(second);
            let lost = Lost { records, lines };
            health.observe(now, wall(second as i64), lost, attached);
            assert_eq!(health.reasons(), reasons, "second {second}");
            assert_eq!(health.since(), wall(since), "second {second}");
            let healthy = health.state() == State::Healthy;
            assert_eq!(healthy, reasons.is_empty(), "second {second}");
        };
        use Reason::{LinesLost, NoInterface, RecordsLost};
        check(1, 0, 0, true, 0, &[]);
        check(2, 0, 0, false, 2, &[NoInterface]);
        check(3, 0, 0, true, 3, &[]);
        check(10, 5, 0, true, 10, &[RecordsLost]);
        check(20, 5, 1, true, 10, &[RecordsLost, LinesLost]);
        // The first loss is a minute old, the second is not: degraded ever since.
        check(70, 5, 1, true, 10, &[LinesLost]);
        check(79, 5, 1, false, 10, &[NoInterface, LinesLost]);
        check(80, 5, 1, true, 80, &[]);
        check(81, 6, 1, true, 81, &[RecordsLost]);
    }

    #[test]
    fn only_losses_that_hide_heads_count() {
        let counters = Counters {
            lost: [1, 10, 100, 1000, 10_000],
            ..Counters::default()
        };
        let lost = Lost::of(&[counters, counters], &SinkCounts::default());
        assert_eq!(
            lost,
            Lost {
                records: 202,
                lines: 0
            }
        );
    }
}
