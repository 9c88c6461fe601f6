//! The share of errors that was usual.

use super::Count;
use crate::analysis::insight::robust::median;
use crate::analysis::insight::series::Point;

/// The steps that tell what is usual.
#[derive(Debug)]
pub(super) struct Usual {
    /// Of each its share, and its place: of equal shares the earlier step is the smaller.
    shares: Vec<(f64, usize, u64, u64)>,
    middle: f64,
}

impl Usual {
    /// Of the steps at these places.
    pub(super) fn of(
        points: &[Point],
        places: &[usize],
        count: Count,
        ratio: impl Fn(&Point) -> Option<f64>,
    ) -> Self {
        let share = |place: &usize| {
            let point = points.get(*place)?;
            Some((ratio(point)?, *place, count(point), point.records))
        };
        let shares: Vec<_> = places.iter().filter_map(share).collect();
        let mut ratios: Vec<f64> = shares.iter().map(|share| share.0).collect();
        Self {
            middle: median(&mut ratios).unwrap_or_default(),
            shares,
        }
    }

    /// The median of the shares.
    pub(super) fn middle(&self) -> f64 {
        self.middle
    }

    /// The share that was usual: half of the steps have less. Where errors are so rare that most steps
    /// have none, all but the worst tenth of the steps taken together.
    pub(super) fn share(&mut self) -> f64 {
        let kept = self.shares.len() - self.shares.len() / 10;
        if kept < self.shares.len() {
            self.shares.select_nth_unstable_by(kept, |one, other| {
                one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
            });
        }
        let (errors, records) = self.shares[..kept]
            .iter()
            .fold((0.0, 0.0), |(errors, records), (_, _, count, all)| {
                (errors + *count as f64, records + *all as f64)
            });
        match records > 0.0 {
            true => self.middle.max(errors / records),
            false => self.middle,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By sorting them all.
    fn expected(points: &[Point]) -> f64 {
        let share = |point: &Point| point.server_errors as f64 / point.records as f64;
        let mut sorted = points.to_vec();
        sorted.sort_by(|one, other| share(one).total_cmp(&share(other)));
        let kept = &sorted[..sorted.len() - sorted.len() / 10];
        let sum = |count: Count| kept.iter().map(count).sum::<u64>() as f64;
        let shares = sorted.iter().map(share);
        let middle = median(&mut shares.collect::<Vec<_>>()).unwrap_or_default();
        let records = sum(|point| point.records);
        match records > 0.0 {
            true => middle.max(sum(|point| point.server_errors) / records),
            false => middle,
        }
    }

    proptest! {
        #[test]
        fn the_worst_tenth_is_left_out(
            counts in proptest::collection::vec((1_u64..5, 0_u64..5), 0..60),
        ) {
            let points: Vec<Point> = counts
                .iter()
                .map(|(records, errors)| Point {
                    records: *records,
                    server_errors: *errors,
                    ..Point::default()
                })
                .collect();
            let places: Vec<usize> = (0..points.len()).collect();
            let ratio = |point: &Point| Some(point.server_errors as f64 / point.records as f64);
            let mut usual = Usual::of(&points, &places, |point| point.server_errors, ratio);
            let middle = usual.middle();
            prop_assert_eq!(usual.share(), expected(&points));
            prop_assert!(middle <= usual.share());
        }
    }
}
