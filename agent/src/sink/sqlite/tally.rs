//! What is known of many exchanges together: sums, and a histogram of their latencies; in memory and
//! as bytes. Pure. Sums stop at the largest number; bytes that are none of ours are refused.

use crate::http::exchange::record::{ExchangeRecord, Outcome};

pub(crate) use self::histogram::Histogram;

pub(crate) mod histogram;
pub(crate) mod varint;

use self::varint::{Bytes, NotOurs, put};

/// The sums of exchanges, as tables of roll-ups name them.
pub(crate) const EXCHANGE_SUMS: [&str; 16] = [
    "exchanges",
    "complete",
    "unanswered",
    "orphan",
    "opaque",
    "status_1xx",
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "status_other",
    "errors",
    "request_bytes",
    "response_bytes",
    "timed",
    "ttfb_us",
];

/// Places in the sums.
pub(crate) const EXCHANGES: usize = 0;
pub(crate) const COMPLETE: usize = 1;
pub(crate) const STATUS_1XX: usize = 5;
pub(crate) const ERRORS: usize = 11;
pub(crate) const REQUEST_BYTES: usize = 12;
pub(crate) const RESPONSE_BYTES: usize = 13;
pub(crate) const TIMED: usize = 14;
pub(crate) const TTFB_US: usize = 15;

/// Sums in the order of [`EXCHANGE_SUMS`].
pub(crate) type Sums = [u64; EXCHANGE_SUMS.len()];

/// What one exchange adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addend {
    pub(crate) sums: Sums,
    pub(crate) ttfb_us: Option<u64>,
}

impl Addend {
    pub(crate) fn of(record: &ExchangeRecord<'_>) -> Self {
        Self::new(
            record.outcome,
            record.status,
            record.request_bytes,
            record.response_bytes,
            record.ttfb_us,
        )
    }

    pub(crate) fn new(
        outcome: Outcome,
        status: Option<u16>,
        request_bytes: Option<u64>,
        response_bytes: Option<u64>,
        ttfb_us: Option<u64>,
    ) -> Self {
        let mut sums = [0; EXCHANGE_SUMS.len()];
        sums[EXCHANGES] = 1;
        sums[COMPLETE + outcome as usize] = 1;
        if let Some(status) = status {
            let class = match status / 100 {
                class @ 1..=5 => usize::from(class) - 1,
                _ => 5,
            };
            sums[STATUS_1XX + class] = 1;
            sums[ERRORS] = u64::from(status >= 400);
        }
        sums[REQUEST_BYTES] = request_bytes.unwrap_or(0);
        sums[RESPONSE_BYTES] = response_bytes.unwrap_or(0);
        sums[TIMED] = u64::from(ttfb_us.is_some());
        sums[TTFB_US] = ttfb_us.unwrap_or(0);
        Self { sums, ttfb_us }
    }
}

/// What is known of many exchanges together.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) sums: Sums,
    /// The longest `ttfb_us`.
    pub(crate) longest_us: u64,
    /// Of `ttfb_us`.
    pub(crate) histogram: Histogram,
}

impl Tally {
    /// Counts an exchange.
    pub(crate) fn add(&mut self, addend: &Addend) {
        self.add_sums(&addend.sums);
        if let Some(latency) = addend.ttfb_us {
            self.longest_us = self.longest_us.max(latency);
            self.histogram.add(histogram::index(latency), 1);
        }
    }

    pub(crate) fn add_sums(&mut self, sums: &Sums) {
        for (sum, added) in self.sums.iter_mut().zip(sums) {
            *sum = sum.saturating_add(*added);
        }
    }

    /// Counts what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.add_sums(&other.sums);
        self.longest_us = self.longest_us.max(other.longest_us);
        for (index, count) in other.histogram.buckets() {
            self.histogram.add(index, count);
        }
    }

    pub(crate) fn exchanges(&self) -> u64 {
        self.sums[EXCHANGES]
    }

    /// By status: 1xx to 5xx, and any other.
    pub(crate) fn statuses(&self) -> [u64; ERRORS - STATUS_1XX] {
        std::array::from_fn(|class| self.sums[STATUS_1XX + class])
    }

    /// Those that have a status.
    pub(crate) fn answered(&self) -> u64 {
        let statuses = self.statuses().into_iter();
        statuses.fold(0, u64::saturating_add)
    }

    /// Microseconds on average, of those timed.
    pub(crate) fn mean_us(&self) -> Option<f64> {
        let timed = self.sums[TIMED];
        (timed > 0).then(|| self.sums[TTFB_US] as f64 / timed as f64)
    }

    /// The latency that this part of those timed is below or at, within an eighth. None: none is timed.
    pub(crate) fn quantile_us(&self, part: f64) -> Option<u64> {
        let found = self.histogram.quantile(part)?;
        Some(found.min(self.longest_us))
    }

    /// Appends it as bytes.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) {
        for sum in self.sums {
            put(bytes, sum);
        }
        put(bytes, self.longest_us);
        self.histogram.encode(bytes);
    }

    /// Counts what these bytes, made by [`Tally::encode`], have counted.
    ///
    /// # Errors
    /// They are none of ours; it may have counted a part then.
    pub(crate) fn merge_encoded(&mut self, bytes: &mut Bytes<'_>) -> Result<(), NotOurs> {
        for sum in &mut self.sums {
            *sum = sum.saturating_add(bytes.number()?);
        }
        self.longest_us = self.longest_us.max(bytes.number()?);
        self.histogram.merge_encoded(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::batch::samples::exchange;

    fn tally(latencies: &[Option<u64>]) -> Tally {
        let mut tally = Tally::default();
        for latency in latencies {
            tally.add(&Addend::of(&ExchangeRecord {
                ttfb_us: *latency,
                ..exchange()
            }));
        }
        tally
    }

    #[test]
    fn an_exchange_counts_once_in_each_group_of_sums() {
        let sums = |outcome, status| Addend::new(outcome, status, Some(7), None, None).sums;
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            let sums = sums(outcome, None);
            assert_eq!(sums[COMPLETE + place], 1, "{outcome:?}");
            assert_eq!(sums[COMPLETE..STATUS_1XX].iter().sum::<u64>(), 1);
            assert_eq!(sums[STATUS_1XX..=ERRORS], [0; 7]);
        }
        for (status, place, is_error) in [
            (100, 0, 0),
            (204, 1, 0),
            (399, 2, 0),
            (404, 3, 1),
            (599, 4, 1),
            (999, 5, 1),
            (0, 5, 0),
        ] {
            let sums = sums(Outcome::Complete, Some(status));
            assert_eq!(sums[STATUS_1XX + place], 1, "{status}");
            assert_eq!(sums[STATUS_1XX..ERRORS].iter().sum::<u64>(), 1);
            assert_eq!(sums[ERRORS], is_error, "{status}");
        }
    }

    #[test]
    fn sums_stop_at_the_largest_number() {
        let mut one = tally(&[Some(u64::MAX), Some(u64::MAX)]);
        one.merge(&one.clone());
        assert_eq!(one.sums[TTFB_US], u64::MAX);
        assert_eq!(one.sums[TIMED], 4);
        let mut bytes = Vec::new();
        one.encode(&mut bytes);
        let mut same = one.clone();
        same.merge_encoded(&mut Bytes::new(&bytes)).unwrap();
        assert_eq!(same.sums[TTFB_US], u64::MAX);
        assert_eq!(same.exchanges(), 8);
    }

    #[test]
    fn quantiles_are_within_an_eighth() {
        let latencies: Vec<Option<u64>> = (1..=1000).map(|latency| Some(latency * 10)).collect();
        let tally = tally(&latencies);
        for (part, exact) in [
            (0.5, 5000.0),
            (0.9, 9000.0),
            (0.99, 9900.0),
            (1.0, 10_000.0),
        ] {
            let found = tally.quantile_us(part).unwrap() as f64;
            assert!((found - exact).abs() <= exact / 8.0, "{part}: {found}");
        }
        assert_eq!(tally.mean_us(), Some(5005.0));
        assert_eq!(Tally::default().quantile_us(0.5), None);
        assert_eq!(Tally::default().mean_us(), None);
    }

    proptest! {
        #[test]
        fn bytes_say_the_same(
            one in prop::collection::vec(any::<Option<u64>>(), 0..40),
            other in prop::collection::vec(prop::option::of(0_u64..100_000), 0..40),
        ) {
            let (one, other) = (tally(&one), tally(&other));
            let mut bytes = Vec::new();
            other.encode(&mut bytes);
            let mut by_bytes = one.clone();
            let mut read = Bytes::new(&bytes);
            by_bytes.merge_encoded(&mut read).unwrap();
            prop_assert!(read.is_empty());
            let mut merged = one;
            merged.merge(&other);
            prop_assert_eq!(by_bytes, merged);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut tally = Tally::default();
            let _read = tally.merge_encoded(&mut Bytes::new(&bytes));
        }
    }
}
