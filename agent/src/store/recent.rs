//! Sums of the roll-ups over a stretch of time: what a live view and alerts are made of. Second by
//! second, or all together; never a row an exchange.

use std::collections::BTreeMap;

use super::{ReadError, ReadFile, Store};
use crate::http::exchange::record::Role;
use crate::sink::sqlite::names::Day;
use crate::sink::sqlite::tally::Tally;

impl Store {
    /// The sums of each second from `first` up to but not with `end`, both in seconds since the epoch;
    /// seconds without an exchange are left out.
    ///
    /// # Errors
    /// A database cannot be read.
    pub(crate) fn sums_by_second(
        &self,
        first: i64,
        end: i64,
    ) -> Result<BTreeMap<i64, Tally>, ReadError> {
        let mut found: BTreeMap<i64, Tally> = BTreeMap::new();
        self.each_near("seconds", (first, end), &mut |second, tally| {
            found.entry(second).or_default().merge(tally);
        })?;
        Ok(found)
    }

    /// The sums from `first` up to but not with `end`, both in seconds since the epoch: whole minutes
    /// by the minute, which is a sixtieth of the work, the rest by the second.
    ///
    /// # Errors
    /// A database cannot be read.
    pub(crate) fn sums_between(&self, first: i64, end: i64) -> Result<Tally, ReadError> {
        let minutes = first.saturating_add(59).div_euclid(60) * 60..end.div_euclid(60) * 60;
        let stretches = match minutes.is_empty() {
            true => vec![("seconds", first, end)],
            false => vec![
                ("seconds", first, minutes.start),
                ("minutes", minutes.start, minutes.end),
                ("seconds", minutes.end, end),
            ],
        };
        let mut sum = Tally::default();
        for (unit, first, end) in stretches {
            self.each_near(unit, (first, end), &mut |_, tally| sum.merge(tally))?;
        }
        Ok(sum)
    }

    /// Shows the sums of files of these days, and of those beside them.
    fn each_near(
        &self,
        unit: &str,
        (first, end): (i64, i64),
        see: &mut dyn FnMut(i64, &Tally),
    ) -> Result<(), ReadError> {
        let day = |second: i64| Day::of(second.saturating_mul(1_000_000)).0;
        let days = day(first) - 1..=day(end) + 1;
        let near = |file: &&ReadFile| first < end && days.contains(&file.day.0);
        for file in self.files.iter().filter(near) {
            for role in Role::ALL {
                file.sums(unit, role, (first, end), see)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::record::ExchangeRecord;
    use crate::session::identifier::Identifier;
    use crate::sink::RecordSink as _;
    use crate::sink::batch::Batch;
    use crate::sink::batch::samples::{exchange, time};
    use crate::sink::sqlite::tally::{ERRORS, REQUEST_BYTES};
    use crate::sink::sqlite::{SqliteSettings, SqliteSink};

    /// How many are in the histogram.
    fn timed(tally: &Tally) -> u64 {
        tally.histogram.buckets().map(|(_, count)| count).sum()
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
        assert_eq!(seconds[&start].exchanges(), 2);
        assert_eq!(seconds[&start].statuses(), [0, 1, 0, 1, 0, 0]);
        assert_eq!(seconds[&start].mean_us(), Some(950.0));
        assert_eq!(timed(&seconds[&start]), 2);
        let minute = store.sums_between(start, start + 60).unwrap();
        let mut together = Tally::default();
        seconds.values().for_each(|second| together.merge(second));
        assert_eq!(minute, together);
        assert_eq!((minute.sums[ERRORS], minute.answered()), (2, 3));
        assert_eq!(minute.sums[REQUEST_BYTES], 40);
        let both = store.sums_between(start, start + 86_460).unwrap();
        assert_eq!((both.exchanges(), both.statuses()[5]), (6, 1));
        assert_eq!(store.sums_between(0, 10).unwrap(), Tally::default());
        // The edges are by the second.
        let count = |first: i64, end: i64| {
            let sums = store.sums_between(start + first, start + end).unwrap();
            (sums.exchanges(), timed(&sums))
        };
        assert_eq!(count(-100, 1), (2, 2));
        assert_eq!(count(1, 59), (1, 0));
        assert_eq!(count(1, 60), (2, 0));
        assert_eq!(count(1, 61), (3, 1));
        assert_eq!(count(-3_600, 86_401), (6, 4));
    }
}
