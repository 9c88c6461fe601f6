//! How many exchanges there were and how long they took: counted by the thread that joins them, read by
//! any other.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::record::{ExchangeRecord, Outcome, Role};

/// Upper bounds of the buckets in seconds, as OpenTelemetry's semantic conventions for HTTP metrics want
/// them.
pub const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// [`BOUNDS`] in microseconds.
const BOUNDS_US: [u64; BOUNDS.len()] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// The methods that are told apart: those of RFC 9110 and RFC 5789. Whatever else a client sends is the
/// last.
pub const METHODS: [&str; 10] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "_OTHER",
];

/// The statuses that are told apart: three digits (RFC 9110, section 15).
const STATUSES: usize = 1_000;

const ROW: usize = METHODS.len() * STATUSES;

/// Exchanges by outcome, and durations of complete ones by role, method and status. Memory for the latter
/// is taken when one is first seen; a head's status has three digits, so it is bounded.
#[derive(Debug)]
pub struct Tally {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    durations: Box<[OnceLock<Box<Durations>>]>,
}

/// One histogram.
#[derive(Debug, Default)]
struct Durations {
    /// The last is above all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

/// What was counted of one role, method and status.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Histogram {
    /// The part that this host played.
    pub role: Role,
    /// One of [`METHODS`].
    pub method: &'static str,
    /// Three digits.
    pub status: u16,
    /// Exchanges by bucket, each in one only; the last took longer than all bounds.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// All durations together, in seconds.
    pub sum_seconds: f64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            outcomes: Default::default(),
            durations: (0..Role::ALL.len() * ROW)
                .map(|_| OnceLock::new())
                .collect(),
        }
    }
}

impl Tally {
    /// Counts an exchange: its time to the last byte, where that is known, else to the head of the
    /// response. To be called by one thread only.
    pub fn count(&self, record: &ExchangeRecord<'_>) {
        add(&self.outcomes[record.outcome as usize], 1);
        let (Outcome::Complete, Some(status), Some(method)) =
            (record.outcome, record.status, record.method)
        else {
            return;
        };
        let Some(microseconds) = record.total_us.or(record.ttfb_us) else {
            return;
        };
        let last = METHODS.len() - 1;
        let method = METHODS[..last]
            .iter()
            .position(|known| *known == method)
            .unwrap_or(last);
        let place = record.role as usize * ROW + method * STATUSES + usize::from(status);
        if usize::from(status) >= STATUSES {
            return;
        }
        let Some(durations) = self.durations.get(place) else {
            return;
        };
        let durations = durations.get_or_init(Box::default);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < microseconds);
        add(&durations.buckets[bucket], 1);
        add(&durations.sum_us, microseconds);
    }

    /// Exchanges by outcome, in the order of [`Outcome::ALL`].
    #[must_use]
    pub fn outcomes(&self) -> [u64; Outcome::ALL.len()] {
        self.outcomes.each_ref().map(|count| count.load(Relaxed))
    }

    /// The histograms in which something was counted.
    #[must_use]
    pub fn histograms(&self) -> Vec<Histogram> {
        let seen = self.durations.iter().enumerate();
        seen.filter_map(|(place, durations)| {
            let durations = durations.get()?;
            Some(Histogram {
                role: Role::ALL[place / ROW],
                method: METHODS[place % ROW / STATUSES],
                status: (place % STATUSES) as u16,
                buckets: durations
                    .buckets
                    .each_ref()
                    .map(|count| count.load(Relaxed)),
                sum_seconds: durations.sum_us.load(Relaxed) as f64 / 1e6,
            })
        })
        .collect()
    }
}

/// One thread writes, so no addition has to be atomic: readers see the old or the new count.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed).wrapping_add(more), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::batch::samples;

    #[test]
    fn bounds_are_the_same_in_both_units() {
        for (seconds, microseconds) in BOUNDS.iter().zip(BOUNDS_US) {
            assert_eq!((seconds * 1e6).round() as u64, microseconds);
        }
    }

    #[test]
    fn exchanges_are_counted_once_in_their_place() {
        let tally = Tally::default();
        let sample = ExchangeRecord {
            role: Role::Client,
            outcome: Outcome::Complete,
            method: Some("PUT"),
            status: Some(204),
            ttfb_us: Some(10),
            total_us: None,
            ..samples::exchange()
        };
        let check = |record: ExchangeRecord<'_>, place: Option<(&str, u16, usize, f64)>| {
            let before = tally.histograms();
            tally.count(&record);
            let changed: Vec<_> = tally
                .histograms()
                .into_iter()
                .filter(|histogram| !before.contains(histogram))
                .collect();
            let Some((method, status, bucket, sum_seconds)) = place else {
                assert_eq!(changed, []);
                return;
            };
            let [one] = changed.as_slice() else {
                panic!("{changed:?}");
            };
            assert_eq!(
                (one.role, one.method, one.status, one.sum_seconds),
                (record.role, method, status, sum_seconds)
            );
            assert_eq!(one.buckets[bucket], 1, "{one:?}");
        };
        let us = Some;
        check(sample, Some(("PUT", 204, 0, 0.000_01)));
        check(
            ExchangeRecord {
                status: Some(999),
                total_us: us(5_000),
                ..sample
            },
            Some(("PUT", 999, 0, 0.005)),
        );
        check(
            ExchangeRecord {
                status: Some(500),
                total_us: us(5_001),
                ..sample
            },
            Some(("PUT", 500, 1, 0.005_001)),
        );
        check(
            ExchangeRecord {
                method: Some("BREW"),
                total_us: us(10_000_001),
                ..sample
            },
            Some(("_OTHER", 204, 14, 10.000_001)),
        );
        check(
            ExchangeRecord {
                method: Some("get"),
                role: Role::Server,
                total_us: us(u64::MAX),
                ..sample
            },
            Some(("_OTHER", 204, 14, u64::MAX as f64 / 1e6)),
        );
        check(
            ExchangeRecord {
                status: Some(1_000),
                ..sample
            },
            None,
        );
        check(
            ExchangeRecord {
                status: Some(u16::MAX),
                ..sample
            },
            None,
        );
        check(
            ExchangeRecord {
                ttfb_us: None,
                ..sample
            },
            None,
        );
        check(
            ExchangeRecord {
                outcome: Outcome::Opaque,
                ..sample
            },
            None,
        );
        check(
            ExchangeRecord {
                outcome: Outcome::Orphan,
                method: None,
                ..sample
            },
            None,
        );
        assert_eq!(tally.outcomes(), [8, 0, 1, 1]);
    }
}
