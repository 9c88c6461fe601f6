//! Keeps a schedule: a plain thread waits for absolute deadlines.

use std::time::{Duration, Instant};

use super::schedule::Schedule;
use super::stop::Stop;

/// At high rates records are handed over this often, several at once.
const TICK: Duration = Duration::from_millis(1);

/// A run whose last record was made does not go on for longer than this.
const REST_MOST: Duration = Duration::from_secs(1);

/// Says when records may go. Belongs to the thread that hands them over.
#[derive(Debug)]
pub struct Pacer<'a> {
    schedule: Schedule,
    stop: &'a Stop,
    begun: Instant,
    /// When the run is over by the clock.
    until: Option<Instant>,
    /// When records were let go last, and how many there were before.
    last: (Instant, u64),
}

impl<'a> Pacer<'a> {
    /// Begins now. It ends `after` this time, if any, or when it is time to stop.
    #[must_use]
    pub fn begin(schedule: Schedule, after: Option<Duration>, stop: &'a Stop) -> Self {
        let begun = Instant::now();
        Self {
            schedule,
            stop,
            begun,
            until: after.and_then(|after| begun.checked_add(after)),
            last: (begun, 0),
        }
    }

    /// Waits until at least one record more than `done` is due. Gives how many are, at most
    /// a burst of the schedule; 0: it is time to stop. Fewer may be taken: `done` tells it next time.
    pub fn wait(&mut self, done: u64) -> u64 {
        if self.stop.is_told() || self.until.is_some_and(|until| Instant::now() >= until) {
            return 0;
        }
        if self.schedule == Schedule::Free {
            return u64::MAX;
        }
        let mut now = Instant::now();
        let due = self.due(now);
        if due <= done {
            // Not for each of many records: those of the next tick together.
            let deadline = self.begun + self.schedule.deadline(done);
            if !self.sleep(deadline.max(now + TICK)) {
                return 0;
            }
            now = Instant::now();
        } else {
            // What is late may not be made up before those let go last have had their time.
            let (last, before) = self.last;
            let not_before = last + self.schedule.least_time(done.saturating_sub(before));
            if now < not_before {
                if !self.sleep(not_before) {
                    return 0;
                }
                now = Instant::now();
            }
        }
        self.last = (now, done);
        let due = self.due(now).saturating_sub(done).max(1);
        due.min(self.schedule.burst())
    }

    /// Waits until a run that ends with record `done` is over. One that has no end by the clock waits a
    /// second at most.
    pub fn rest(&self, done: u64) {
        let end = self.begun + self.schedule.end(done);
        let end = match self.until {
            Some(until) => end.min(until),
            None => end.min(Instant::now() + REST_MOST),
        };
        self.stop.sleep_until(end);
    }

    /// How long it has been going.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn due(&self, now: Instant) -> u64 {
        self.schedule.due(now.saturating_duration_since(self.begun))
    }

    /// Whether the time was reached before it was time to stop.
    fn sleep(&self, then: Instant) -> bool {
        match self.until {
            Some(until) if until < then => {
                self.stop.sleep_until(until);
                false
            }
            _ => !self.stop.sleep_until(then),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_goes_before_it_is_due() {
        let stop = Stop::default();
        let schedule = Schedule::Rate(2000.0);
        let mut pacer = Pacer::begin(schedule, None, &stop);
        let mut done = 0;
        while done < 200 {
            let count = pacer.wait(done);
            assert!((1..=schedule.burst()).contains(&count));
            assert!(pacer.elapsed() >= schedule.deadline(done + count - 1));
            done += count;
        }
        assert!(pacer.elapsed() >= schedule.deadline(done - 1));
        pacer.rest(done);
        assert!(pacer.elapsed() >= schedule.end(done));
    }

    #[test]
    fn a_run_that_is_over_does_not_rest_for_long() {
        let stop = Stop::default();
        let pacer = Pacer::begin(Schedule::Rate(0.001), None, &stop);
        let begun = Instant::now();
        pacer.rest(1);
        assert!(begun.elapsed() >= REST_MOST);
        assert!(begun.elapsed() < Duration::from_secs(30));
        let pacer = Pacer::begin(Schedule::Free, None, &stop);
        pacer.rest(u64::MAX);
    }

    #[test]
    fn it_ends_with_its_time_and_when_told() {
        let stop = Stop::default();
        let time = Duration::from_millis(20);
        for schedule in [Schedule::Rate(0.001), Schedule::Rate(1e6), Schedule::Free] {
            let mut pacer = Pacer::begin(schedule, Some(time), &stop);
            let mut done = 0_u64;
            loop {
                match pacer.wait(done) {
                    0 => break,
                    count => done = done.saturating_add(count),
                }
            }
            assert!(pacer.elapsed() >= time, "{schedule:?}");
        }
        stop.tell();
        let mut pacer = Pacer::begin(Schedule::Rate(0.001), None, &stop);
        assert_eq!(pacer.wait(0), 0);
    }

    #[test]
    fn what_is_late_is_made_up_in_bursts() {
        let stop = Stop::default();
        let schedule = Schedule::Rate(10_000.0);
        let mut pacer = Pacer::begin(schedule, None, &stop);
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        let mut done = 0;
        for _ in 0..3 {
            let count = pacer.wait(done);
            assert_eq!(count, 1000, "a burst at most");
            done += count;
        }
        assert!(
            begun.elapsed() >= Duration::from_millis(100),
            "twice the rate at most"
        );
    }

    #[test]
    fn what_is_late_is_made_up_also_where_few_are_taken_at_once() {
        let stop = Stop::default();
        let schedule = Schedule::Rate(100_000.0);
        let mut pacer = Pacer::begin(schedule, None, &stop);
        std::thread::sleep(Duration::from_millis(200));
        let mut done = 0;
        while pacer.elapsed() < Duration::from_millis(700) {
            done += pacer.wait(done).min(1024);
        }
        // 20,000 were late; in the half second since, more than that can be made up.
        let due = schedule.due(pacer.elapsed());
        assert!(done + 10_000 > due, "{done} of {due}");
    }
}
