//! What happened minute by minute, as the detectors look at it: evenly spaced, without holes, and in
//! steps long enough that a step says something.

/// What is known of one minute, or of several that were put together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// When it began: seconds since 1970, a multiple of the step.
    pub time_s: i64,
    /// Requests, or records of events.
    pub records: u64,
    /// Requests with a status from 400 to 499.
    pub client_errors: u64,
    /// Requests with a status of 500 and above.
    pub server_errors: u64,
    /// Requests that got no answer.
    pub unanswered: u64,
    /// Records of the levels WARNING, ERROR and CRITICAL.
    pub warnings: u64,
    /// Records of the levels ERROR and CRITICAL.
    pub failures: u64,
    /// Requests whose time was measured.
    pub timed: u64,
    /// The sum of these times, in microseconds.
    pub time_sum_us: f64,
}

impl Point {
    /// The mean time; `None` where nothing was measured.
    #[must_use]
    pub fn mean_us(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.time_sum_us / self.timed as f64)
    }

    fn add(&mut self, other: &Self) {
        self.records = self.records.saturating_add(other.records);
        self.client_errors = self.client_errors.saturating_add(other.client_errors);
        self.server_errors = self.server_errors.saturating_add(other.server_errors);
        self.unanswered = self.unanswered.saturating_add(other.unanswered);
        self.warnings = self.warnings.saturating_add(other.warnings);
        self.failures = self.failures.saturating_add(other.failures);
        self.timed = self.timed.saturating_add(other.timed);
        self.time_sum_us += other.time_sum_us;
    }
}

/// Points that follow each other at one distance, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Seconds from one point to the next.
    pub step_s: i64,
    /// The points; a step without records is there too.
    pub points: Vec<Point>,
}

/// Steps that are tried, in minutes.
const STEPS: [i64; 5] = [1, 5, 15, 30, 60];

/// Records that a step should have, so that shares and means say something.
const ENOUGH: u64 = 20;

/// Points at most: a week of minutes, and then some.
const MOST: i64 = 20_000;

/// A pause of so many seconds parts what is before it from what is behind it.
const PAUSE_S: i64 = 86_400;

/// Parts that are looked at: those with the most points.
const PARTS: usize = 16;

impl Series {
    /// From minutes in any order; those without records may be missing. Where nothing comes for more
    /// than a day a new series begins: a wrong clock, or a date that is wrong in a line, is then a
    /// series of its own. The step of each is the shortest in which half of the steps that have
    /// records at all have enough of them.
    #[must_use]
    pub fn of_minutes(minutes: &[Point]) -> Vec<Self> {
        let mut minutes = minutes.to_vec();
        minutes.sort_by_key(|minute| minute.time_s);
        let mut parts: Vec<&[Point]> = minutes
            .chunk_by(|one, next| next.time_s.saturating_sub(one.time_s) <= PAUSE_S)
            .collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.truncate(PARTS);
        parts.sort_by_key(|part| part.first().map(|point| point.time_s));
        parts.into_iter().filter_map(Self::of_part).collect()
    }

    fn of_part(minutes: &[Point]) -> Option<Self> {
        let mut last = None;
        for step in STEPS.map(|minutes| minutes * 60) {
            let Some(series) = Self::with_step(minutes, step) else {
                continue;
            };
            let mut counts: Vec<u64> = series.points.iter().map(|point| point.records).collect();
            counts.retain(|count| *count > 0);
            counts.sort_unstable();
            let median = counts.get(counts.len() / 2).copied().unwrap_or_default();
            last = Some(series);
            if median >= ENOUGH {
                break;
            }
        }
        last
    }

    /// The same with steps of `step_s` seconds; `None`: there is nothing, or it would be too long.
    #[must_use]
    pub fn with_step(minutes: &[Point], step_s: i64) -> Option<Self> {
        let place = |point: &Point| point.time_s.div_euclid(step_s);
        let first = minutes.iter().map(place).min()?;
        let last = minutes.iter().map(place).max()?;
        let count = last.checked_sub(first)?.checked_add(1)?;
        if count > MOST {
            return None;
        }
        let empty = |index: i64| Point {
            time_s: first.saturating_add(index).saturating_mul(step_s),
            ..Point::default()
        };
        let mut points: Vec<Point> = (0..count).map(empty).collect();
        for minute in minutes {
            let index = usize::try_from(place(minute) - first).unwrap_or(usize::MAX);
            if let Some(point) = points.get_mut(index) {
                point.add(minute);
            }
        }
        Some(Self { step_s, points })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(time_s: i64, records: u64) -> Point {
        Point {
            time_s,
            records,
            ..Point::default()
        }
    }

    #[test]
    fn holes_are_filled_and_minutes_put_together() {
        let minutes = [minute(600, 3), minute(0, 1), minute(60, 2)];
        let series = Series::with_step(&minutes, 60).unwrap();
        let counts: Vec<u64> = series.points.iter().map(|point| point.records).collect();
        assert_eq!(counts, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
        let series = Series::with_step(&minutes, 300).unwrap();
        let counts: Vec<(i64, u64)> = series
            .points
            .iter()
            .map(|point| (point.time_s, point.records))
            .collect();
        assert_eq!(counts, [(0, 3), (300, 0), (600, 3)]);
    }

    #[test]
    fn the_step_is_the_shortest_with_enough_records() {
        let check = |each: u64, step: i64| {
            let minutes: Vec<Point> = (0..240).map(|index| minute(index * 60, each)).collect();
            assert_eq!(Series::of_minutes(&minutes)[0].step_s, step, "{each}");
        };
        check(20, 60);
        check(19, 300);
        check(1, 1800);
    }

    #[test]
    fn nothing_is_no_series_and_what_lies_apart_is_two() {
        assert_eq!(Series::of_minutes(&[]), []);
        let far = [
            minute(i64::MIN, 1),
            minute(0, 1),
            minute(60, 1),
            minute(i64::MAX, 1),
        ];
        let series = Series::of_minutes(&far);
        let lengths: Vec<usize> = series.iter().map(|series| series.points.len()).collect();
        assert_eq!(lengths, [1, 1, 1], "{series:?}");
        assert_eq!(Series::with_step(&far, 60), None);
    }
}
