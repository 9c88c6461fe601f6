//! When records are. A record's time comes from its number alone, so that no record needs the one before
//! it. The gaps between two records are spread as `timestamps.increment` says about the spacing.

use rand_chacha::ChaCha8Rng;

use crate::generate::draw::unit;

/// The last moment that is written with four digits of a year, less a day for whatever zone.
const LAST: i64 = 253_402_207_200_000_000;

/// When records are, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeline {
    /// Of record 0, since the epoch.
    pub start: i64,
    /// From a record to the next.
    pub spacing: f64,
    /// How much of the spacing a record may come late by, 0 to 1: gaps are then from
    /// `(1 - spread)` to `(1 + spread)` times the spacing. Record 0 is not late.
    pub spread: f64,
    /// Records come early by that, in place of late: none is behind the time at which it is made.
    pub is_early: bool,
}

impl Timeline {
    /// The time of a record, since the epoch.
    pub(super) fn at(&self, record: u64, stream: &mut ChaCha8Rng) -> i64 {
        let late = unit(stream) - if self.is_early { 1.0 } else { 0.0 };
        let after = match record {
            0 => 0.0,
            _ => (record as f64 + self.spread * late) * self.spacing,
        };
        // The conversion stops at the ends of the type.
        self.start.saturating_add(after as i64).clamp(0, LAST)
    }
}

/// How far gaps from `least` to `most` are spread about their mean.
#[must_use]
pub fn spread((least, most): (f64, f64)) -> f64 {
    let sum = least + most;
    match sum > 0.0 {
        true => (most - least) / sum,
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::seed::Seed;

    #[test]
    fn gaps_lie_where_they_should() {
        let increment = (0.001, 2.0);
        for is_early in [false, true] {
            let timeline = Timeline {
                start: 1_000,
                spacing: 1_000_500.0,
                spread: spread(increment),
                is_early,
            };
            let mut stream = Seed(1).stream("clock", 0);
            let times: Vec<i64> = (0..10_000)
                .map(|record| timeline.at(record, &mut stream))
                .collect();
            assert_eq!(times[0], 1_000, "the start is that of the first");
            let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(
                gaps.iter().all(|gap| (999..=2_000_001).contains(gap)),
                "{gaps:?}"
            );
            assert!(
                gaps.iter().any(|gap| *gap < 100_000) && gaps.iter().any(|gap| *gap > 1_900_000)
            );
            let due = |record: usize| 1_000 + (record as f64 * timeline.spacing) as i64;
            let is_in_time = (0..10_000).all(|record| match is_early {
                true => times[record] <= due(record),
                false => times[record] >= due(record),
            });
            assert!(is_in_time);
        }
        assert_eq!(spread((0.5, 0.5)), 0.0);
        assert_eq!(spread((0.0, 0.0)), 0.0);
    }

    #[test]
    fn nothing_overflows() {
        let mut stream = Seed(1).stream("clock", 0);
        let timeline = Timeline {
            start: i64::MAX - 1,
            spacing: f64::MAX,
            spread: 1.0,
            is_early: false,
        };
        assert_eq!(timeline.at(u64::MAX, &mut stream), LAST);
    }
}
