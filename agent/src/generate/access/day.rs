//! When lines are due: a rate under the pattern of the day. Pure: no clock is read here.
//!
//! The rate is that of a bucket that fills drop by drop: `rate` times the multiplier of the hour, so many
//! lines a second. A line is due as soon as there is a whole drop for it; what is left of a drop at the end
//! of an hour is kept. Between two lines is never less than the time that one takes to fill.

use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, Unit, ZonedRound};

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;

/// Nanoseconds of an hour.
const HOUR: i64 = 3_600_000_000_000;

/// The rate over the day.
#[derive(Clone, Debug)]
pub struct Day {
    zone: TimeZone,
    /// The multiplier of each hour.
    hours: [f64; 24],
    /// Nanoseconds between two lines where the multiplier is 1.
    step: f64,
    hour: Hour,
}

/// A stretch of time with one multiplier.
#[derive(Clone, Copy, Debug)]
struct Hour {
    begin: i64,
    /// The first nanosecond behind it.
    end: i64,
    /// Nanoseconds between two lines; infinite where there are none.
    step: f64,
    /// The part of a line that was there when it began.
    carried: f64,
    /// Lines taken of it.
    taken: u64,
    /// Lines in it.
    lines: u64,
}

impl Hour {
    /// The time of a line of it, counted from 0.
    fn time(&self, line: u64) -> i64 {
        let after = ((line + 1) as f64 - self.carried) * self.step;
        self.begin
            .saturating_add(after as i64)
            .clamp(self.begin, self.last())
    }

    /// The last nanosecond of it.
    fn last(&self) -> i64 {
        self.end.saturating_sub(1).max(self.begin)
    }
}

/// Lines one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    begin: i64,
    last: i64,
    /// Lines of the hour before the first of them,
    first: u64,
    /// and the part of a line that was there when it began.
    carried: f64,
    step: f64,
    /// How many.
    pub lines: u32,
}

impl Stretch {
    /// Lines that all have this time.
    #[must_use]
    pub fn at(time: i64, lines: u32) -> Self {
        Self {
            begin: time,
            last: time,
            first: 0,
            carried: 0.0,
            step: 0.0,
            lines,
        }
    }

    /// The time of one of them in nanoseconds since the epoch.
    #[inline]
    #[must_use]
    pub fn time(&self, line: u32) -> i64 {
        let number = self.first + u64::from(line) + 1;
        let after = (number as f64 - self.carried) * self.step;
        self.begin
            .saturating_add(after as i64)
            .clamp(self.begin, self.last)
    }

    /// The first so many of them, and the rest.
    #[must_use]
    pub fn split(self, lines: u32) -> (Self, Self) {
        let first = self.lines.min(lines);
        (
            Self {
                lines: first,
                ..self
            },
            Self {
                first: self.first + u64::from(first),
                lines: self.lines - first,
                ..self
            },
        )
    }
}

impl Day {
    /// `rate` lines a second (above 0) where the multiplier is 1, from `begin` on, in nanoseconds since the
    /// epoch. `speedup`: so many times as far apart. One of the hours has a multiplier above 0.
    #[must_use]
    pub fn new(begin: i64, rate: f64, speedup: f64, hours: [f64; 24], zone: TimeZone) -> Self {
        let mut day = Self {
            zone,
            hours,
            step: SECOND * speedup / rate,
            hour: Hour {
                begin,
                end: begin,
                step: f64::INFINITY,
                carried: 0.0,
                taken: 0,
                lines: 0,
            },
        };
        day.turn(begin, 0.0);
        day
    }

    /// The time of the next line.
    #[must_use]
    pub fn peek(&mut self) -> i64 {
        self.go_to_lines();
        match self.hour.taken < self.hour.lines {
            true => self.hour.time(self.hour.taken),
            false => i64::MAX,
        }
    }

    /// Takes the lines that are due by `until`, at most `most`, and not beyond the hour that the first of
    /// them is in. `None`: none is due.
    pub fn take(&mut self, until: i64, most: u32) -> Option<Stretch> {
        self.go_to_lines();
        let hour = &mut self.hour;
        let left = hour.lines - hour.taken;
        if left == 0 || hour.time(hour.taken) > until {
            return None;
        }
        let most = u64::from(most).min(left);
        // By reckoning, then exactly: rounding may be off by one.
        let by_time = (until.saturating_sub(hour.begin)) as f64 / hour.step + hour.carried;
        let mut lines = (by_time as u64).saturating_sub(hour.taken).clamp(1, most);
        while lines < most && hour.time(hour.taken + lines) <= until {
            lines += 1;
        }
        while lines > 1 && hour.time(hour.taken + lines - 1) > until {
            lines -= 1;
        }
        let stretch = Stretch {
            begin: hour.begin,
            last: hour.last(),
            first: hour.taken,
            carried: hour.carried,
            step: hour.step,
            lines: lines as u32,
        };
        hour.taken += lines;
        Some(stretch)
    }

    /// The multiplier at the time of the next line.
    #[must_use]
    pub fn multiplier(&self) -> f64 {
        match self.hour.step.is_finite() {
            true => self.step / self.hour.step,
            false => 0.0,
        }
    }

    /// To the hour that the next line is in.
    fn go_to_lines(&mut self) {
        while self.hour.taken >= self.hour.lines && self.hour.end < i64::MAX - HOUR {
            let hour = &self.hour;
            let filled = match hour.step.is_finite() {
                true => hour.carried + hour.end.saturating_sub(hour.begin) as f64 / hour.step,
                false => hour.carried,
            };
            let carried = (filled - hour.lines as f64).clamp(0.0, 1.0);
            self.turn(hour.end, carried);
        }
    }

    fn turn(&mut self, begin: i64, carried: f64) {
        let (hour, end) = self.bounds(begin);
        let multiplier = self.hours.get(usize::from(hour)).copied().unwrap_or(1.0);
        let step = match multiplier > 0.0 {
            true => self.step / multiplier,
            false => f64::INFINITY,
        };
        let lines = match step.is_finite() {
            true => (carried + end.saturating_sub(begin) as f64 / step) as u64,
            false => 0,
        };
        self.hour = Hour {
            begin,
            end,
            step,
            carried,
            taken: 0,
            lines,
        };
    }

    /// The hour of the clock on the wall, and the time at which another one begins.
    fn bounds(&self, begin: i64) -> (u8, i64) {
        let time = Timestamp::from_nanosecond(i128::from(begin)).unwrap_or_default();
        let zoned = time.to_zoned(self.zone.clone());
        let round = ZonedRound::new()
            .smallest(Unit::Hour)
            .mode(RoundMode::Trunc);
        let full = zoned
            .round(round)
            .map_or(begin, |full| nanoseconds(full.timestamp()));
        let mut end = full.max(begin.saturating_sub(HOUR)).saturating_add(HOUR);
        // Where clocks are set another hour may begin before this one is over.
        if let Some(change) = self.zone.following(time).next() {
            end = end.min(nanoseconds(change.timestamp()));
        }
        (
            zoned.hour().unsigned_abs(),
            end.max(begin.saturating_add(1)),
        )
    }
}

/// A time in nanoseconds since the epoch; the nearest where that is too far away.
#[must_use]
pub fn nanoseconds(time: Timestamp) -> i64 {
    let time = time.as_nanosecond();
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
