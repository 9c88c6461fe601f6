//! The newest point of each chart over time: the sums of the step that the last whole second is in, as
//! far as it has come. So charts go on by the second without a question from anyone who looks at them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::numbers::{MINUTE, Seen};
use crate::store::{ReadError, Store, Sums};

/// Seconds of the steps that charts of a range that ends now have.
const STEPS: [i64; 5] = [5, 10, 60, 300, 3600];

/// A step of a chart, as far as it has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    /// Its length, in seconds.
    step: i64,
    /// Seconds of it that are over.
    seconds: i64,
    #[serde(flatten)]
    seen: Seen,
    /// Packets by CPU, of sessions.
    packets: BTreeMap<u32, u64>,
}

/// Of each step, up to but not with the second `end`. `seconds`: the sums of the minute before it.
///
/// # Errors
/// A database cannot be read.
pub(super) fn points(
    store: &Store,
    seconds: &BTreeMap<i64, Sums>,
    end: i64,
) -> Result<Vec<Point>, ReadError> {
    let point = |step: i64| {
        let (first, over) = place(step, end);
        let mut sums = Sums::default();
        if step <= MINUTE {
            seconds
                .range(first..end)
                .for_each(|(_, second)| sums.add(second));
        } else {
            sums = store.sums_between(first, end)?;
        }
        let cpus = store.cpu_traffic((first, end), first, over, 1)?;
        let packets = cpus.into_iter();
        Ok(Point {
            step,
            seconds: over,
            seen: Seen::of(first, &sums),
            packets: packets
                .map(|(cpu, traffic)| (cpu, traffic.packets.iter().sum()))
                .collect(),
        })
    };
    STEPS.into_iter().map(point).collect()
}

/// The first second of the step that the last second before `end` is in, and how many of it are over.
fn place(step: i64, end: i64) -> (i64, i64) {
    let first = end.saturating_sub(1).div_euclid(step).saturating_mul(step);
    (first, end.saturating_sub(first))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::exchange::record::ExchangeRecord;
    use crate::session::identifier::Identifier;
    use crate::session::record::SessionRecord;
    use crate::sink::RecordSink as _;
    use crate::sink::batch::Batch;
    use crate::sink::batch::samples::{exchange, session, time};
    use crate::sink::sqlite::{SqliteSettings, SqliteSink};
    use crate::store::{POINTS_MOST, Question};

    #[test]
    fn a_step_is_whole_when_its_last_second_is_over() {
        let check = |end, expected| assert_eq!(place(5, end), expected, "{end}");
        check(1_001, (1_000, 1));
        check(1_004, (1_000, 4));
        check(1_005, (1_000, 5));
        check(1_006, (1_005, 1));
    }

    /// The points of a step, one after the other, are those of /api/timeseries.
    #[test]
    fn they_are_the_points_of_the_series() {
        let folder = tempfile::tempdir().unwrap();
        let sink = SqliteSink::start(SqliteSettings {
            directory: folder.path().to_owned(),
            ..SqliteSettings::default()
        });
        let mut sink = sink.unwrap();
        let mut batch = Batch::default();
        // A whole hour of 2026.
        let start = 1_795_262_400;
        for number in 0..4_000_u32 {
            let second = i64::from(number) * 9 / 10;
            batch
                .push_exchange(&ExchangeRecord {
                    exchange_id: Identifier::new(1, u64::from(number)),
                    ts: time((start + second) * 1_000_000),
                    status: Some([200, 404, 503][number as usize % 3]),
                    ttfb_us: Some(u64::from(number) * 7),
                    ..exchange()
                })
                .unwrap();
        }
        batch
            .push_session(&SessionRecord {
                timestamp: time((start + 3_590) * 1_000_000),
                details: None,
                ..session()
            })
            .unwrap();
        sink.offer(&Arc::new(batch));
        Box::new(sink).close();
        let store = Store::open(folder.path()).unwrap();
        for end in [start + 3_591, start + 3_597, start + 3_600] {
            let seconds = store.sums_by_second(end - MINUTE, end).unwrap();
            for point in points(&store, &seconds, end).unwrap() {
                let (first, over) = place(point.step, end);
                let question = Question {
                    from: time(first * 1_000_000),
                    to: time(end * 1_000_000 - 1),
                    filter: crate::store::ExchangeFilter::default(),
                    after: None,
                };
                let now = time((end + 3_600) * 1_000_000);
                let (series, _) = store.series(&question, Some(point.step), now).unwrap();
                assert_eq!(series.tallies.len(), 1, "{POINTS_MOST}");
                let tally = &series.tallies[0];
                let shown = serde_json::to_value(&point).unwrap();
                assert_eq!(shown["requests"], tally.exchanges(), "{shown}");
                assert_eq!(shown["seconds"], over);
                assert!(tally.exchanges() >= over.unsigned_abs() / 2, "{shown}");
                for (name, part) in [("p50_us", 0.5), ("p95_us", 0.95), ("p99_us", 0.99)] {
                    let (live, asked) = (shown[name].as_u64(), tally.quantile_us(part));
                    let (live, asked) = (live.unwrap(), asked.unwrap());
                    assert!(live.abs_diff(asked) <= asked / 8, "{shown} {asked}");
                }
                let packets = if end - 3_590 > start && first <= start + 3_590 {
                    10
                } else {
                    0
                };
                let told: u64 = point.packets.values().sum();
                assert_eq!(told, packets, "{shown}");
            }
        }
    }
}
