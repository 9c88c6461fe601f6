//! What comes after the start: lines as fast as it goes, or when they are due. What is late is made up, but
//! not at once.

use jiff::Timestamp;

use super::*;
use crate::generate::access::day::{Stretch, nanoseconds};
use crate::generate::bounds::with_grace;

/// What is late is made up at most so many times as fast as the rate.
const MAKE_UP: f64 = 2.0;

/// Seconds of the rate that are made up at once.
const BURST: f64 = 0.1;

/// While nothing is due it is looked again after so long at least.
const TICK: Duration = Duration::from_millis(1);

impl Engine<'_> {
    /// As fast as it goes, with the time at which lines are made.
    pub(super) fn free(&mut self, begun: Instant) -> anyhow::Result<Live> {
        let mut asked = 0;
        let is_over = || {
            self.plan
                .duration
                .is_some_and(|most| begun.elapsed() >= most)
        };
        while !self.stop.is_told() && !is_over() {
            let most = match self.plan.count {
                Some(count) => u32::try_from(count - asked).unwrap_or(u32::MAX),
                None => u32::MAX,
            };
            let stretch = Stretch::at(nanoseconds(Timestamp::now()), most.min(AT_ONCE));
            if stretch.lines == 0 {
                break;
            }
            asked += u64::from(stretch.lines);
            self.makers.ask(stretch);
            self.take(self.makers.threads() * AHEAD)?;
            self.told.is_live();
        }
        self.take(0)?;
        Ok(Live {
            seconds: begun.elapsed().as_secs_f64(),
            asked: None,
            is_met: true,
        })
    }

    /// Lines with the times at which they are due; where there is a rate, at those times.
    pub(super) fn by_clock(
        &mut self,
        begun: Instant,
        begin: i64,
        mut day: Day,
    ) -> anyhow::Result<Live> {
        let plan = self.plan;
        let is_free = plan.pace == Pace::Free;
        let end = match plan.duration {
            Some(most) => {
                let most = i64::try_from(most.as_nanos()).unwrap_or(i64::MAX);
                begin.saturating_add(most)
            }
            None => i64::MAX,
        };
        // From the clock of the lines to ours and back.
        let ours = |time: i64| {
            let seconds = (time.saturating_sub(begin)) as f64 / 1e9 / plan.speedup;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        };
        let theirs = |time: Duration| {
            let nanoseconds = time.as_secs_f64() * plan.speedup * 1e9;
            begin.saturating_add(nanoseconds as i64)
        };
        let burst = match plan.pace {
            Pace::Free => AT_ONCE,
            Pace::Rate(rate) => ((rate * BURST) as u32).clamp(1, 1 << 16),
        };
        // Lines of now end with their time, also where they are late.
        let limit = plan.duration.filter(|_| plan.start.is_none());
        let limit = limit.map(with_grace);
        let is_over = || limit.is_some_and(|limit| begun.elapsed() >= limit);
        let mut asked: u64 = 0;
        let mut last = begin;
        let mut not_before = begun;
        while !self.stop.is_told() && !is_over() {
            let left = plan.count.map_or(u64::MAX, |count| count - asked);
            if left == 0 {
                break;
            }
            let most = u32::try_from(left).unwrap_or(u32::MAX).min(burst);
            let until = match is_free {
                true => end,
                false => theirs(begun.elapsed()).min(end),
            };
            let until = until.min(self.within(day.peek()));
            if let Some(stretch) = day.take(until, most) {
                asked += u64::from(stretch.lines);
                last = stretch.time(stretch.lines.saturating_sub(1));
                self.makers.ask(stretch);
                let threads = self.makers.threads();
                match is_free {
                    true => self.take(threads * AHEAD)?,
                    false => {
                        self.take(0)?;
                        if self.sleep_until(not_before) {
                            break;
                        }
                        let rate = self.plan_rate() * day.multiplier();
                        let least = f64::from(stretch.lines) / rate.max(1e-9) / MAKE_UP;
                        not_before = Instant::now() + Duration::from_secs_f64(least.min(60.0));
                    }
                }
                self.told.is_live();
                continue;
            }
            let next = day.peek();
            if next > end {
                // The rest of the time is quiet.
                if !is_free {
                    self.sleep_until(begun.checked_add(ours(end)).unwrap_or(begun));
                }
                break;
            }
            let tick = Instant::now() + TICK;
            let due = begun
                .checked_add(ours(next))
                .map_or(tick, |due| due.max(tick));
            if self.sleep_until(due) {
                break;
            }
        }
        self.take(0)?;
        let seconds = begun.elapsed().as_secs_f64();
        let planned = ours(day.peek().min(end)).as_secs_f64();
        Ok(Live {
            seconds,
            asked: (!is_free && asked > 0)
                .then(|| asked as f64 / ours(last).as_secs_f64().max(1e-9)),
            is_met: is_free || seconds <= planned.mul_add(1.01, 0.1),
        })
    }

    const fn plan_rate(&self) -> f64 {
        match self.plan.pace {
            Pace::Rate(rate) => rate,
            Pace::Free => f64::INFINITY,
        }
    }

    /// Sleeps, and looks now and then whether there is something to say. Whether it is time to stop.
    fn sleep_until(&mut self, then: Instant) -> bool {
        loop {
            // Nobody waits for what is said: a failure comes with the next line.
            drop(self.report());
            let now = Instant::now();
            if now >= then {
                return self.stop.is_told();
            }
            if self
                .stop
                .sleep_until(then.min(now + Duration::from_secs(1)))
            {
                return true;
            }
        }
    }
}
