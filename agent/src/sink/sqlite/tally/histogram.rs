//! A histogram of latencies in buckets an eighth of a power of two wide, as the tables of latency have
//! them. A bucket has an index, below [`BUCKETS`], and begins at [`from_us`] of it.

use super::varint::{Bytes, NotOurs, put};

/// Buckets that there are.
pub(crate) const BUCKETS: u16 = 496;

/// How many took how long; buckets of none take no room.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Histogram {
    /// In the order of their indexes.
    buckets: Vec<(u16, u64)>,
}

/// The index of the bucket of a latency.
pub(crate) const fn index(latency_us: u64) -> u16 {
    let digits = u64::BITS - latency_us.leading_zeros();
    let dropped = digits.saturating_sub(4);
    (dropped * 8) as u16 + (latency_us >> dropped) as u16
}

/// Where a bucket begins, in microseconds.
pub(crate) const fn from_us(index: u16) -> u64 {
    if index < 16 {
        return index as u64;
    }
    let dropped = index / 8 - 1;
    (8 + (index % 8) as u64) << dropped
}

impl Histogram {
    /// Counts so many in a bucket.
    pub(crate) fn add(&mut self, index: u16, count: u64) {
        match self.buckets.binary_search_by_key(&index, |bucket| bucket.0) {
            Ok(place) => {
                let sum = &mut self.buckets[place].1;
                *sum = sum.saturating_add(count);
            }
            Err(place) => self.buckets.insert(place, (index, count)),
        }
    }

    /// The buckets that count something, with their indexes, in order.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u16, u64)> {
        self.buckets.iter().copied()
    }

    /// Where this part of all lies, from 0 to 1, taken as spread evenly within a bucket. None: it
    /// counts nothing.
    pub(crate) fn quantile(&self, part: f64) -> Option<u64> {
        let all: u64 = self
            .buckets
            .iter()
            .fold(0, |all, (_, count)| all.saturating_add(*count));
        let rank = (part * all as f64).ceil().max(1.0) as u64;
        let mut before: u64 = 0;
        for (index, count) in &self.buckets {
            if before.saturating_add(*count) >= rank {
                let from = from_us(*index);
                let width = match index + 1 {
                    BUCKETS => 0,
                    next => from_us(next) - from,
                };
                let within = (rank - before) as f64 / *count as f64;
                return Some(from + ((width as f64 * within) as u64).min(width.saturating_sub(1)));
            }
            before = before.saturating_add(*count);
        }
        None
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.buckets.len() as u64);
        let mut before = 0;
        for (index, count) in &self.buckets {
            put(bytes, u64::from(index - before));
            put(bytes, *count);
            before = *index;
        }
    }

    pub(super) fn merge_encoded(&mut self, bytes: &mut Bytes<'_>) -> Result<(), NotOurs> {
        let mut index: u64 = 0;
        for _ in 0..bytes.number()? {
            index = index.saturating_add(bytes.number()?);
            let count = bytes.number()?;
            if index >= u64::from(BUCKETS) {
                return Err(NotOurs);
            }
            self.add(index as u16, count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::sqlite::schema::latency_bucket;

    #[test]
    fn indexes_have_no_gaps() {
        assert_eq!(index(0), 0);
        assert_eq!(index(u64::MAX), BUCKETS - 1);
        for number in 0..BUCKETS {
            assert_eq!(index(from_us(number)), number);
        }
    }

    proptest! {
        #[test]
        fn a_bucket_is_that_of_the_tables(latency in any::<u64>()) {
            prop_assert_eq!(from_us(index(latency)), latency_bucket(latency));
        }

        #[test]
        fn quantiles_rise(latencies in prop::collection::vec(0_u64..1_000_000, 1..60)) {
            let mut histogram = Histogram::default();
            for latency in &latencies {
                histogram.add(index(*latency), 1);
            }
            let parts = [0.0, 0.01, 0.5, 0.9, 0.99, 1.0];
            let found: Vec<u64> = parts.iter().filter_map(|part| histogram.quantile(*part)).collect();
            prop_assert_eq!(found.len(), parts.len());
            prop_assert!(found.is_sorted());
        }
    }
}
