//! Durations counted in buckets, so that percentiles can be told without keeping them.
//!
//! 64 buckets for every doubling: a percentile is within 0.8 % of the exact one. Buckets take memory
//! only between the shortest and the longest duration that came, at most 9 KiB.

use crate::analysis::report::Latency;

/// Buckets of a doubling.
const PARTS: u64 = 64;
const PARTS_LOG: u32 = PARTS.trailing_zeros();
/// Durations from 2^40 microseconds on (twelve days) count as that long in percentiles.
const MOST: u64 = (1 << 40) - 1;

/// Durations in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// The number of the first bucket that `counts` has room for.
    first: usize,
    counts: Vec<u32>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    #[inline]
    pub(crate) fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
        let bucket = bucket_of(value);
        let place = bucket.wrapping_sub(self.first);
        match self.counts.get_mut(place) {
            Some(count) => *count = count.saturating_add(1),
            None => self.add_beyond(bucket, 1),
        }
    }

    /// Counts in a bucket that there is no room for yet.
    #[cold]
    fn add_beyond(&mut self, bucket: usize, count: u32) {
        let parts = PARTS as usize;
        let (begin, end) = (bucket / parts * parts, bucket / parts * parts + parts);
        if self.counts.is_empty() {
            self.first = begin;
        } else if begin < self.first {
            let more = self.first - begin;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = begin;
        }
        let length = end - self.first;
        if length > self.counts.len() {
            self.counts.reserve_exact(length - self.counts.len());
            self.counts.resize(length, 0);
        }
        if let Some(place) = self.counts.get_mut(bucket - self.first) {
            *place = place.saturating_add(count);
        }
    }

    /// Counts what the other one did too.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        for (place, count) in other.counts.iter().enumerate() {
            if *count == 0 {
                continue;
            }
            let bucket = other.first + place;
            match self.counts.get_mut(bucket.wrapping_sub(self.first)) {
                Some(own) => *own = own.saturating_add(*count),
                None => self.add_beyond(bucket, *count),
            }
        }
    }

    /// The memory that its buckets take.
    pub(crate) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }

    /// `None`: there is none.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// What `share` of them do not exceed. `None`: there is none.
    pub(crate) fn percentile(&self, share: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(middle_of(self.first + place).min(self.max));
            }
        }
        Some(self.max)
    }

    /// All that a report says. `None`: there is none.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let percentile = |share| self.percentile(share).unwrap_or_default();
        Some(Latency {
            mean_us: self.mean()?,
            timed: self.count,
            p50_us: percentile(0.5),
            p90_us: percentile(0.9),
            p95_us: percentile(0.95),
            p99_us: percentile(0.99),
            max_us: self.max,
        })
    }
}

/// The number of the bucket of a value.
#[inline]
fn bucket_of(value: u64) -> usize {
    let value = value.min(MOST);
    if value < PARTS {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - PARTS_LOG;
    (u64::from(shift) * PARTS + (value >> shift)) as usize
}

/// The value in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * PARTS {
        return bucket;
    }
    let shift = bucket / PARTS - 1;
    let low = (bucket - shift * PARTS) << shift;
    low + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing() {
        let none = Histogram::default();
        assert_eq!(none.percentile(0.5), None);
        assert_eq!(none.latency(), None);
    }

    #[test]
    fn small_values_are_exact() {
        let mut histogram = Histogram::default();
        for value in 0..=100 {
            histogram.add(value);
        }
        assert_eq!(histogram.percentile(0.5), Some(50));
        assert_eq!(histogram.percentile(0.0), Some(0));
        assert_eq!(histogram.percentile(1.0), Some(100));
        assert_eq!(histogram.mean(), Some(50.0));
    }

    #[test]
    fn the_longest() {
        let mut histogram = Histogram::default();
        histogram.add(u64::MAX);
        histogram.add(1);
        assert_eq!(histogram.latency().unwrap().max_us, u64::MAX);
        assert_eq!(histogram.percentile(0.5), Some(1));
        assert!(
            histogram.counts.len() * 4 <= 9 * 1024,
            "{}",
            histogram.counts.len()
        );
    }

    proptest! {
        #[test]
        fn percentiles_are_within_a_percent(
            mut values in proptest::collection::vec(0_u64..1 << 38, 1..300),
            shares in proptest::collection::vec(0.0..1.0_f64, 4),
            split in 0_usize..300,
        ) {
            let [mut left, mut right] = [Histogram::default(), Histogram::default()];
            for (index, value) in values.iter().enumerate() {
                if index < split { left.add(*value) } else { right.add(*value) }
            }
            left.merge(&right);
            values.sort_unstable();
            for share in shares {
                let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
                let exact = values[rank - 1] as f64;
                let found = left.percentile(share).unwrap() as f64;
                prop_assert!((found - exact).abs() <= exact * 0.01, "{found} {exact}");
            }
        }
    }
}
