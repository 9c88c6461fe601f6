//! The requests that took longest.

use jiff::Timestamp;

use crate::analysis::format::Entry;
use crate::analysis::report::SlowRequest;

/// How many are kept.
const MOST: usize = 50;
/// Bytes of a text that are kept.
const LONG: usize = 1024;

/// A request as bytes.
#[derive(Clone, Debug)]
struct Kept {
    latency_us: u64,
    time_us: Option<i64>,
    method: Box<[u8]>,
    target: Box<[u8]>,
    status: Option<u16>,
    client: Box<[u8]>,
}

impl Kept {
    /// The slowest first, then the earliest; the rest so that the order is always the same.
    fn key(&self) -> (std::cmp::Reverse<u64>, Option<i64>, &[u8], &[u8]) {
        (
            std::cmp::Reverse(self.latency_us),
            self.time_us,
            &self.target,
            &self.client,
        )
    }
}

/// The slowest so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slowest {
    /// At most twice what is kept, in no order.
    kept: Vec<Kept>,
    /// What is faster is not of note.
    least: u64,
}

impl Slowest {
    #[inline]
    pub(crate) fn is_of_note(&self, latency_us: u64) -> bool {
        latency_us >= self.least
    }

    pub(crate) fn add(&mut self, entry: &Entry<'_>) {
        let short = |text: &[u8]| text[..text.len().min(LONG)].into();
        self.kept.push(Kept {
            latency_us: entry.latency_us.unwrap_or_default(),
            time_us: entry.time_us,
            method: short(entry.method),
            target: short(entry.target),
            status: entry.status,
            client: short(entry.client),
        });
        self.shorten();
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for kept in other.kept {
            self.kept.push(kept);
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        if self.kept.len() < 2 * MOST {
            return;
        }
        self.kept
            .sort_by(|left, right| left.key().cmp(&right.key()));
        self.kept.truncate(MOST);
        self.least = self.kept.last().map_or(0, |last| last.latency_us);
    }

    /// The slowest first.
    pub(crate) fn report(&self, most: usize, text: impl Fn(&[u8]) -> String) -> Vec<SlowRequest> {
        let mut kept: Vec<&Kept> = self.kept.iter().collect();
        kept.sort_by(|left, right| left.key().cmp(&right.key()));
        kept.iter()
            .take(most.min(MOST))
            .map(|kept| SlowRequest {
                time: kept
                    .time_us
                    .and_then(|time| Timestamp::from_microsecond(time).ok()),
                latency_us: kept.latency_us,
                method: text(&kept.method),
                target: text(&kept.target),
                status: kept.status,
                client: text(&kept.client),
            })
            .collect()
    }
}
