//! Sums of the roll-ups over a stretch of time: what a live view and alerts are made of. Second by
//! second, or all together; never a row an exchange.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::{ReadError, ReadFile, Store};
use crate::sink::sqlite::names::Day;

/// How many statuses are told apart: 1xx to 5xx, and any other.
pub const CLASSES: usize = 6;

/// Sums of exchanges.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sums {
    /// All of them.
    pub exchanges: u64,
    /// By status: 1xx to 5xx, and any other.
    pub statuses: [u64; CLASSES],
    /// Those with a status of 400 or more.
    pub errors: u64,
    /// Payload bytes of requests.
    pub request_bytes: u64,
    /// Payload bytes of responses.
    pub response_bytes: u64,
    /// Those whose time is known.
    pub timed: u64,
    /// Their times to the head of the response together, in microseconds.
    pub ttfb_us: u64,
    /// How many took so long: by the beginning of the bucket in microseconds, each an eighth of a power
    /// of two wide.
    pub latencies: BTreeMap<u64, u64>,
}

/// How finely time is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Grain {
    /// By seconds.
    Seconds,
    /// By whole minutes (UTC).
    Minutes,
}

impl Sums {
    /// Adds the others.
    pub fn add(&mut self, others: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.exchanges, others.exchanges);
        for (sum, more) in self.statuses.iter_mut().zip(others.statuses) {
            add(sum, more);
        }
        add(&mut self.errors, others.errors);
        add(&mut self.request_bytes, others.request_bytes);
        add(&mut self.response_bytes, others.response_bytes);
        add(&mut self.timed, others.timed);
        add(&mut self.ttfb_us, others.ttfb_us);
        for (from, more) in &others.latencies {
            add(self.latencies.entry(*from).or_default(), *more);
        }
    }

    /// Those that have a status.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.statuses
            .iter()
            .fold(0, |sum, one| sum.saturating_add(*one))
    }

    /// The mean time in microseconds; `None`: nothing was timed.
    #[must_use]
    pub fn mean_us(&self) -> Option<u64> {
        self.ttfb_us.checked_div(self.timed)
    }

    /// The time in microseconds that so large a part of them did not exceed, from 0 to 1; as exactly as
    /// the buckets tell. `None`: nothing was timed.
    #[must_use]
    pub fn percentile_us(&self, part: f64) -> Option<u64> {
        let all: u64 = self.latencies.values().sum();
        let rank = ((all as f64 * part).ceil() as u64).clamp(1, all.max(1));
        let mut before = 0;
        for (from, count) in &self.latencies {
            if before + count >= rank {
                // Those in a bucket are taken to lie evenly in it.
                let place = (rank - before) as f64 - 0.5;
                let width = bucket_width(*from) as f64;
                let within = (width * place / *count as f64) as u64;
                return Some(from.saturating_add(within));
            }
            before += count;
        }
        None
    }
}

/// As `latency_bucket` makes them: four binary digits count.
fn bucket_width(from: u64) -> u64 {
    let digits = u64::BITS - from.leading_zeros();
    1 << digits.saturating_sub(4)
}

impl Store {
    /// The sums of each second from `first` up to but not with `end`, both in seconds since the epoch;
    /// seconds without an exchange are left out.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn sums_by_second(&self, first: i64, end: i64) -> Result<BTreeMap<i64, Sums>, ReadError> {
        let mut sums = BTreeMap::new();
        self.each_near(first, end, |file| {
            file.recent_sums(Grain::Seconds, first, end, true, &mut sums)
        })?;
        Ok(sums)
    }

    /// The sums from `first` up to but not with `end`, both in seconds since the epoch: whole minutes
    /// by the minute, which is a sixtieth of the work, the rest by the second.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn sums_between(&self, first: i64, end: i64) -> Result<Sums, ReadError> {
        let minutes = first.saturating_add(59).div_euclid(60) * 60..end.div_euclid(60) * 60;
        let stretches = match minutes.is_empty() {
            true => vec![(Grain::Seconds, first, end)],
            false => vec![
                (Grain::Seconds, first, minutes.start),
                (Grain::Minutes, minutes.start, minutes.end),
                (Grain::Seconds, minutes.end, end),
            ],
        };
        let mut sums = BTreeMap::new();
        for (grain, first, end) in stretches {
            self.each_near(first, end, |file| {
                file.recent_sums(grain, first, end, false, &mut sums)
            })?;
        }
        Ok(sums.into_values().next().unwrap_or_default())
    }

    /// The files of these days, and of those beside them.
    fn each_near(
        &self,
        first: i64,
        end: i64,
        mut read: impl FnMut(&ReadFile) -> rusqlite::Result<()>,
    ) -> Result<(), ReadError> {
        let day = |second: i64| Day::of(second.saturating_mul(1_000_000)).0;
        let days = day(first) - 1..=day(end) + 1;
        for file in self.files.iter().filter(|file| days.contains(&file.day.0)) {
            read(file).map_err(|source| file.failed(source))?;
        }
        Ok(())
    }
}

impl ReadFile {
    /// Adds what the file has: by second, or all of it under 0.
    fn recent_sums(
        &self,
        grain: Grain,
        first: i64,
        end: i64,
        by_second: bool,
        sums: &mut BTreeMap<i64, Sums>,
    ) -> rusqlite::Result<()> {
        let table = match grain {
            Grain::Seconds => "seconds",
            Grain::Minutes => "minutes",
        };
        let (time, group) = match by_second {
            true => ("time", "GROUP BY time"),
            false => ("0", "HAVING count(*) > 0"),
        };
        let sql = format!(
            "SELECT {time}, sum(exchanges), sum(status_1xx), sum(status_2xx), sum(status_3xx), \
             sum(status_4xx), sum(status_5xx), sum(status_other), sum(errors), sum(request_bytes), \
             sum(response_bytes), sum(timed), sum(ttfb_us) \
             FROM exchange_{table} WHERE time >= ? AND time < ? {group}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([first, end])?;
        while let Some(row) = rows.next()? {
            let mut columns = 1..;
            let mut next = || count(row, columns.next().unwrap_or_default());
            let one = Sums {
                exchanges: next()?,
                statuses: [next()?, next()?, next()?, next()?, next()?, next()?],
                errors: next()?,
                request_bytes: next()?,
                response_bytes: next()?,
                timed: next()?,
                ttfb_us: next()?,
                latencies: BTreeMap::new(),
            };
            sums.entry(row.get(0)?).or_default().add(&one);
        }
        if !self.has_changes {
            // The first schema had no histograms.
            return Ok(());
        }
        let group = match by_second {
            true => "time, from_us",
            false => "from_us",
        };
        let sql = format!(
            "SELECT {time}, from_us, sum(exchanges) FROM latency_{table} \
             WHERE time >= ? AND time < ? GROUP BY {group}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([first, end])?;
        while let Some(row) = rows.next()? {
            let sums = sums.entry(row.get(0)?).or_default();
            let bucket = sums.latencies.entry(count(row, 1)?).or_default();
            *bucket = bucket.saturating_add(count(row, 2)?);
        }
        Ok(())
    }
}

/// A count that no Tapline wrote is none.
fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::exchange::record::ExchangeRecord;
    use crate::session::identifier::Identifier;
    use crate::sink::RecordSink as _;
    use crate::sink::batch::Batch;
    use crate::sink::batch::samples::{exchange, time};
    use crate::sink::sqlite::{SqliteSettings, SqliteSink};

    fn of(latencies: &[u64]) -> Sums {
        let mut sums = Sums::default();
        for latency in latencies {
            let digits = u64::BITS - latency.leading_zeros();
            let dropped = digits.saturating_sub(4);
            *sums
                .latencies
                .entry(latency >> dropped << dropped)
                .or_default() += 1;
        }
        sums
    }

    #[test]
    fn percentiles_lie_in_the_bucket_of_the_value() {
        assert_eq!(Sums::default().percentile_us(0.5), None);
        let check = |latencies: &[u64], part, near: u64| {
            let found = of(latencies).percentile_us(part).unwrap();
            assert!(
                found.abs_diff(near) <= near / 8,
                "{latencies:?} {part}: {found}"
            );
        };
        check(&[0], 0.5, 0);
        check(&[7], 0.99, 7);
        check(&[1_000], 0.5, 1_000);
        check(&[100, 100, 100, 100_000], 0.5, 100);
        check(&[100, 100, 100, 100_000], 0.99, 100_000);
        check(&[100, 200], 0.0, 100);
        check(&[100, 200], 1.0, 200);
    }

    proptest! {
        #[test]
        fn a_percentile_is_an_eighth_off_at_most(
            mut latencies in prop::collection::vec(0..10_000_000_u64, 1..60),
            part in 0.0..=1.0_f64,
        ) {
            let found = of(&latencies).percentile_us(part).unwrap();
            latencies.sort_unstable();
            let rank = ((latencies.len() as f64 * part).ceil() as usize).max(1);
            let exact = latencies[rank - 1];
            prop_assert!(found.abs_diff(exact) <= exact / 8 + 1, "{} {}", found, exact);
        }
    }

    #[test]
    fn seconds_and_minutes_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let sink = SqliteSink::start(SqliteSettings {
            directory: folder.path().to_owned(),
            ..SqliteSettings::default()
        });
        let mut sink = sink.unwrap();
        let mut batch = Batch::default();
        // A minute of 2026 that begins at a whole one.
        let start = 1_795_264_020;
        for (number, (second, status, ttfb_us)) in [
            (0, Some(200), Some(900)),
            (0, Some(404), Some(1_000)),
            (1, Some(503), None),
            (59, None, None),
            (60, Some(799), Some(5)),
            (86_400, Some(200), Some(1)),
        ]
        .into_iter()
        .enumerate()
        {
            let record = ExchangeRecord {
                exchange_id: Identifier::new(1, number as u64),
                ts: time((start + second) * 1_000_000),
                status,
                ttfb_us,
                request_bytes: Some(10),
                response_bytes: None,
                ..exchange()
            };
            batch.push_exchange(&record).unwrap();
        }
        sink.offer(&std::sync::Arc::new(batch));
        Box::new(sink).close();
        let store = Store::open(folder.path()).unwrap();
        let seconds = store.sums_by_second(start, start + 60).unwrap();
        let times: Vec<i64> = seconds.keys().map(|second| second - start).collect();
        assert_eq!(times, [0, 1, 59]);
        assert_eq!(seconds[&start].exchanges, 2);
        assert_eq!(seconds[&start].statuses, [0, 1, 0, 1, 0, 0]);
        assert_eq!(seconds[&start].mean_us(), Some(950));
        assert_eq!(seconds[&start].latencies.values().sum::<u64>(), 2);
        let minute = store.sums_between(start, start + 60).unwrap();
        let mut together = Sums::default();
        seconds.values().for_each(|second| together.add(second));
        assert_eq!(minute, together);
        assert_eq!((minute.errors, minute.answered()), (2, 3));
        assert_eq!(minute.request_bytes, 40);
        let both = store.sums_between(start, start + 86_460).unwrap();
        assert_eq!((both.exchanges, both.statuses[5]), (6, 1));
        assert_eq!(store.sums_between(0, 10).unwrap(), Sums::default());
        // The edges are by the second.
        let count = |first: i64, end: i64| {
            let sums = store.sums_between(start + first, start + end).unwrap();
            (sums.exchanges, sums.latencies.values().sum::<u64>())
        };
        assert_eq!(count(-100, 1), (2, 2));
        assert_eq!(count(1, 59), (1, 0));
        assert_eq!(count(1, 60), (2, 0));
        assert_eq!(count(1, 61), (3, 1));
        assert_eq!(count(-3_600, 86_401), (6, 4));
    }
}
