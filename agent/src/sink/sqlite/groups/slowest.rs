//! The exchanges of a period that took longest, by the keys of their rows.

use crate::sink::sqlite::tally::varint::{Bytes, NotOurs, put};

/// Exchanges that are kept of a period.
pub(crate) const KEPT: usize = 20;

/// The slowest exchanges, the slowest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Slowest {
    /// `ttfb_us` and key.
    found: Vec<(u64, i64)>,
}

impl Slowest {
    /// Keeps an exchange if it is one of the slowest.
    pub(crate) fn add(&mut self, ttfb_us: u64, id: i64) {
        if self.found.len() >= KEPT && self.found.last().is_some_and(|last| last.0 >= ttfb_us) {
            return;
        }
        let place = self.found.partition_point(|other| other.0 >= ttfb_us);
        self.found.insert(place, (ttfb_us, id));
        self.found.truncate(KEPT);
    }

    /// Latencies and keys, the slowest first.
    pub(crate) fn found(&self) -> &[(u64, i64)] {
        &self.found
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (ttfb_us, id) in &self.found {
            put(&mut bytes, *ttfb_us);
            put(&mut bytes, id.cast_unsigned());
        }
        bytes
    }

    /// Adds what another has found.
    ///
    /// # Errors
    /// The bytes are none of ours.
    pub(crate) fn add_encoded(&mut self, bytes: &[u8]) -> Result<(), NotOurs> {
        let mut bytes = Bytes::new(bytes);
        while !bytes.is_empty() {
            self.add(bytes.number()?, bytes.number()?.cast_signed());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_slowest_are_kept(mut latencies in prop::collection::vec(0_u64..1000, 0..60)) {
            let mut halves = [Slowest::default(), Slowest::default()];
            for (index, latency) in latencies.iter().enumerate() {
                halves[index % 2].add(*latency, -(index as i64));
            }
            let mut both = Slowest::default();
            for half in halves {
                both.add_encoded(&half.encode()).unwrap();
            }
            let found: Vec<u64> = both.found().iter().map(|found| found.0).collect();
            latencies.sort_by_key(|latency| std::cmp::Reverse(*latency));
            latencies.truncate(KEPT);
            prop_assert_eq!(found, latencies);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _read = Slowest::default().add_encoded(&bytes);
        }
    }
}
