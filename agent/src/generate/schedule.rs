//! When records are due, and which time they carry. Pure: no clock is read here.

use std::time::Duration;

/// When records are due, counted from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// As fast as it goes.
    Free,
    /// So many a second, spread evenly, the first at once: in front of the end of any whole number of
    /// seconds there are as many as there should be.
    Rate(f64),
    /// So many at once, this often, the first of them at once.
    Batches {
        /// Records at once.
        size: u64,
        /// From the start of a batch to that of the next.
        every: Duration,
    },
}

/// The longest time that is reckoned with: about a hundred years.
const FOREVER: Duration = Duration::from_secs(36_500 * 86_400);

/// Records that are reckoned with: every number up to it is one of `f64` too.
const COUNT_MOST: u64 = 1 << 53;

/// What is late is made up at most so many times as fast as asked for.
const MAKE_UP: f64 = 2.0;

/// Seconds of the schedule that are made up at once.
const BURST_SECONDS: f64 = 0.1;

/// Records of a burst at most.
const BURST_MOST: u64 = 1 << 16;

impl Schedule {
    /// When record `number` (the first is 0) is due.
    #[must_use]
    pub fn deadline(&self, number: u64) -> Duration {
        match *self {
            Self::Free => Duration::ZERO,
            Self::Rate(rate) => seconds(number as f64 / rate),
            Self::Batches { size, every } => {
                let batch = number / size.max(1);
                let batches = u32::try_from(batch).unwrap_or(u32::MAX);
                every.checked_mul(batches).unwrap_or(FOREVER).min(FOREVER)
            }
        }
    }

    /// How many records are due `elapsed` after the start. The inverse of
    /// [`deadline`](Self::deadline): the last of them is due by then, the next is not.
    #[must_use]
    pub fn due(&self, elapsed: Duration) -> u64 {
        match *self {
            Self::Free => u64::MAX,
            Self::Rate(rate) => {
                // The product may be off by a rounding: the deadlines decide.
                let about = ((elapsed.as_secs_f64() * rate) as u64).min(COUNT_MOST);
                let mut count = about.saturating_sub(1);
                while count <= about.saturating_add(2) && self.deadline(count) <= elapsed {
                    count += 1;
                }
                count
            }
            Self::Batches { size, every } => {
                let batches = elapsed.as_nanos().checked_div(every.as_nanos());
                // Without a pause all batches are due.
                let batches = batches.map_or(u64::MAX, |batches| {
                    u64::try_from(batches).unwrap_or(u64::MAX).saturating_add(1)
                });
                batches.saturating_mul(size.max(1))
            }
        }
    }

    /// Records that are handed over at once, at most, however late they are.
    #[must_use]
    pub fn burst(&self) -> u64 {
        match *self {
            Self::Free => u64::MAX,
            Self::Rate(rate) => ((rate * BURST_SECONDS) as u64).clamp(1, BURST_MOST),
            Self::Batches { size, .. } => size.max(1),
        }
    }

    /// The time that `records` take at least, however late they are.
    #[must_use]
    pub fn least_time(&self, records: u64) -> Duration {
        match *self {
            Self::Rate(rate) => seconds(records as f64 / rate / MAKE_UP),
            Self::Free | Self::Batches { .. } => Duration::ZERO,
        }
    }

    /// When a run of so many records is over: when the part of the last one is, so that what was made in
    /// the time of the run is the rate.
    #[must_use]
    pub fn end(&self, records: u64) -> Duration {
        match self {
            Self::Rate(_) => self.deadline(records),
            Self::Free | Self::Batches { .. } => Duration::ZERO,
        }
    }

    /// Whether a run that made `records` in `elapsed` kept the schedule: to 1 %, or to 0.1 s (which is
    /// 1 % of ten seconds) where it was short.
    #[must_use]
    pub fn was_kept(&self, records: u64, elapsed: Duration) -> bool {
        let Self::Rate(rate) = *self else {
            return true;
        };
        let planned = records as f64 / rate;
        // One record may be on its way when a run is stopped.
        elapsed.as_secs_f64() <= (planned + 1.0 / rate) * 1.01 + 0.1
    }
}

/// The times that records carry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Microseconds since the epoch of the first record.
    start: i64,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// The time at which they are made.
    Now,
    /// Microseconds from one to the next.
    Even(f64),
    /// Microseconds from one batch of so many to the next.
    Batch(u64, f64),
}

/// Records a second of the time that they carry, where no rate is asked for but a start is.
pub const NOMINAL_RATE: f64 = 1000.0;

impl Times {
    /// Times of records made now, by the schedule, from `begun` (microseconds since the epoch) on. The
    /// time is that at which a record is due; without a schedule, that at which it is made.
    #[must_use]
    pub fn live(schedule: Schedule, begun: i64) -> Self {
        let (start, step) = match schedule {
            Schedule::Free => (begun, Step::Now),
            Schedule::Rate(rate) => (begun, Step::Even(1e6 / rate)),
            Schedule::Batches { size, every } => {
                (begun, Step::Batch(size.max(1), every.as_micros() as f64))
            }
        };
        Self { start, step }
    }

    /// Times from `start` on (microseconds since the epoch): those of the schedule, `speedup` times as
    /// far apart. Without a schedule there are [`NOMINAL_RATE`] records a second.
    #[must_use]
    pub fn from_start(schedule: Schedule, start: i64, speedup: f64) -> Self {
        let step = match schedule {
            Schedule::Free => Step::Even(1e6 / NOMINAL_RATE * speedup),
            Schedule::Rate(rate) => Step::Even(1e6 / rate * speedup),
            Schedule::Batches { size, every } => {
                Step::Batch(size.max(1), every.as_micros() as f64 * speedup)
            }
        };
        Self { start, step }
    }

    /// The time of record `number` in microseconds since the epoch; `None`: that at which it is made.
    #[must_use]
    #[inline]
    pub fn at(&self, number: u64) -> Option<i64> {
        match self.step {
            Step::Now => None,
            Step::Even(step) => Some(add(self.start, number as f64 * step)),
            Step::Batch(size, step) => Some(add(self.start, (number / size) as f64 * step)),
        }
    }
}

fn add(start: i64, microseconds: f64) -> i64 {
    // A number that is too large becomes the largest.
    start.saturating_add(microseconds as i64)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(FOREVER, |time| time.min(FOREVER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_is_that_many_in_each_second() {
        for rate in [1.0, 10.0, 1000.0, 100_000.0, 333.0] {
            let schedule = Schedule::Rate(rate);
            for second in [1, 2, 10, 3600] {
                let due = schedule.due(SECOND * second - Duration::from_nanos(100));
                assert_eq!(due as f64, rate * f64::from(second), "{rate} in {second} s");
                assert_eq!(schedule.end(due), SECOND * second);
            }
            assert_eq!(schedule.due(Duration::ZERO), 1, "the first comes at once");
        }
        let slow = Schedule::Rate(0.1);
        assert_eq!(slow.due(SECOND * 9), 1);
        assert_eq!(slow.due(SECOND * 10), 2);
    }

    #[test]
    fn batches_begin_at_whole_intervals() {
        let schedule = Schedule::Batches {
            size: 50,
            every: SECOND * 2,
        };
        let check = |milliseconds, due| {
            assert_eq!(schedule.due(Duration::from_millis(milliseconds)), due);
        };
        check(0, 50);
        check(1999, 50);
        check(2000, 100);
        check(10_000, 300);
        assert_eq!(schedule.deadline(49), Duration::ZERO);
        assert_eq!(schedule.deadline(50), SECOND * 2);
        let without_pause = Schedule::Batches {
            size: 1,
            every: Duration::ZERO,
        };
        assert_eq!(without_pause.due(Duration::ZERO), u64::MAX);
        assert_eq!(without_pause.deadline(u64::MAX), Duration::ZERO);
    }

    #[test]
    fn a_burst_is_a_tenth_of_a_second() {
        let check = |rate, burst| assert_eq!(Schedule::Rate(rate).burst(), burst, "{rate}");
        check(0.5, 1);
        check(10.0, 1);
        check(1000.0, 100);
        check(100_000.0, 10_000);
        check(1e9, BURST_MOST);
        let half = Schedule::Rate(1000.0).least_time(100);
        assert_eq!(half, Duration::from_millis(50));
    }

    #[test]
    fn lateness_is_told_from_noise() {
        let check = |rate, records, milliseconds, kept| {
            let elapsed = Duration::from_millis(milliseconds);
            let found = Schedule::Rate(rate).was_kept(records, elapsed);
            assert_eq!(found, kept, "{rate} {records} {milliseconds}");
        };
        check(1000.0, 10_000, 10_000, true);
        check(1000.0, 10_000, 10_150, true);
        check(1000.0, 10_000, 10_300, false);
        check(1000.0, 10, 15, true);
        check(1000.0, 10, 300, false);
        check(10.0, 100, 10_000, true);
        check(10.0, 90, 10_000, false);
        check(100_000.0, 980_000, 10_000, false);
        assert!(Schedule::Free.was_kept(0, SECOND));
    }

    #[test]
    fn records_carry_the_time_of_the_schedule() {
        let rate = Schedule::Rate(1000.0);
        let check = |times: Times, number, expected| {
            assert_eq!(times.at(number), expected, "{times:?} {number}");
        };
        check(Times::live(rate, 5_000_000), 0, Some(5_000_000));
        check(Times::live(rate, 5_000_000), 999, Some(5_999_000));
        check(Times::live(Schedule::Free, 5_000_000), 7, None);
        check(Times::from_start(rate, 0, 1.0), 0, Some(0));
        check(Times::from_start(rate, 0, 1.0), 1000, Some(1_000_000));
        check(Times::from_start(rate, 0, 60.0), 1000, Some(60_000_000));
        check(
            Times::from_start(Schedule::Free, -5, 2.0),
            1000,
            Some(1_999_995),
        );
        let batches = Schedule::Batches {
            size: 10,
            every: SECOND,
        };
        check(Times::live(batches, 7), 9, Some(7));
        check(Times::live(batches, 7), 25, Some(2_000_007));
    }

    proptest! {
        #[test]
        fn due_is_the_inverse_of_the_deadline(rate in 0.001..1e7_f64, number in 0..1_u64 << 40) {
            let schedule = Schedule::Rate(rate);
            let deadline = schedule.deadline(number);
            prop_assume!(deadline < FOREVER);
            let due = schedule.due(deadline);
            prop_assert!(due > number, "{due}");
            prop_assert!(schedule.deadline(due) > deadline);
            prop_assert!(schedule.deadline(due - 1) <= deadline);
        }

        #[test]
        fn nothing_panics(rate: f64, number: u64, elapsed: Duration, every: Duration, size: u64, start: i64, speedup: f64) {
            for schedule in [Schedule::Free, Schedule::Rate(rate.abs()), Schedule::Batches { size, every }] {
                let _deadline = schedule.deadline(number);
                let _due = schedule.due(elapsed);
                let _kept = schedule.was_kept(number, elapsed);
                let _time = Times::live(schedule, start).at(number);
                let _time = Times::from_start(schedule, start, speedup).at(number);
                prop_assert!(schedule.burst() > 0);
            }
        }
    }
}
