//! The store as a whole: what goes in, what stands in the databases, and what is counted.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rusqlite::Connection;

use super::names::{Day, FileName};
use super::*;
use crate::http::exchange::record::{ExchangeRecord, Outcome};
use crate::session::identifier::Identifier;
use crate::session::record::{SessionDetails, SessionRecord};
use crate::sink::batch::samples::{START_US, details, exchange, session, time};
use crate::sink::fan_out::FanOut;

mod days;
mod faults;
mod groups;

const DAY_US: i64 = 86_400_000_000;

/// A clock that tests set.
#[derive(Clone)]
struct Now(Arc<AtomicI64>);

impl Now {
    fn at(microseconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(microseconds)))
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Arc::new(move || time(now.load(Relaxed)))
    }
}

fn settings(directory: &Path) -> SqliteSettings {
    SqliteSettings {
        directory: directory.to_owned(),
        retain: Retain::default(),
        on_full: OnFull::Block,
        commit_after: Duration::from_millis(5),
        busy_timeout: Duration::from_millis(200),
        ..SqliteSettings::default()
    }
}

/// A store whose today is that of the samples.
fn start(directory: &Path) -> FanOut {
    start_with(settings(directory), &Now::at(START_US))
}

fn start_with(settings: SqliteSettings, now: &Now) -> FanOut {
    let sink = SqliteSink::start_at(settings, now.clock()).unwrap();
    FanOut::new(vec![Box::new(sink)])
}

/// The final account of the only sink.
fn close(fan_out: FanOut) -> Counts {
    let counts = fan_out.close()[0].1;
    assert_eq!(counts.queued, 0, "{counts:?}");
    assert_eq!(counts.accepted, counts.stored + counts.lost_in_all());
    counts
}

fn path(directory: &Path, day: Day) -> std::path::PathBuf {
    directory.join(FileName { day, damaged: None }.to_string())
}

fn database(directory: &Path, day: Day) -> Connection {
    Connection::open(path(directory, day)).unwrap()
}

fn today() -> Day {
    Day::of(START_US)
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn check_whole(connection: &Connection) {
    let said: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(said, "ok");
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it did not come to pass"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// A revision of the session with this number.
fn revision(number: u64, revision: u32, packets: u64) -> SessionRecord<'static> {
    SessionRecord {
        packets,
        details: Some(SessionDetails {
            session_id: Identifier::new(9, number),
            revision,
            interim: false,
            packets_out: packets,
            packets_in: 0,
            ..details()
        }),
        ..session()
    }
}

#[test]
fn records_stand_in_the_database_of_their_day_with_their_sums() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    store.push_session(&session());
    store.push_exchange(&exchange());
    store.push_exchange(&ExchangeRecord {
        exchange_id: Identifier::new(7, 3),
        status: Some(503),
        ttfb_us: Some(901),
        ..exchange()
    });
    store.push_exchange(&ExchangeRecord {
        exchange_id: Identifier::new(7, 4),
        outcome: Outcome::Unanswered,
        status: None,
        ttfb_us: None,
        response_bytes: None,
        ..exchange()
    });
    // The same again is no second row, and counts in no sum.
    store.push_exchange(&exchange());
    store.push_session(&session());
    let counts = close(store);
    assert_eq!((counts.accepted, counts.stored), (6, 6));

    let database = database(folder.path(), today());
    check_whole(&database);
    let number = |sql: &str| number(&database, sql);
    assert_eq!(number("SELECT id FROM sessions"), 2 * START_US);
    assert_eq!(number("SELECT count(*) FROM exchanges"), 3);
    assert_eq!(number("SELECT max(id) FROM exchanges"), 2 * START_US + 2);
    for (table, time) in [
        ("seconds", START_US / 1_000_000),
        ("minutes", START_US / 60_000_000 * 60),
    ] {
        let sums = format!(
            "SELECT time = {time} AND exchanges = 3 AND complete = 2 AND unanswered = 1 AND status_2xx = 1 \
             AND status_5xx = 1 AND errors = 1 AND request_bytes = 630 AND response_bytes = 2800 \
             AND timed = 2 AND ttfb_us = 1801 FROM exchange_{table} WHERE role = 'server'"
        );
        assert_eq!(number(&sums), 1, "{table}");
        let latencies = format!("SELECT exchanges = 2 FROM latency_{table} WHERE from_us = 896");
        assert_eq!(number(&latencies), 1, "{table}");
    }
    // Opened at its start, all else at its end; by the CPU that carried it.
    let second = START_US / 1_000_000;
    let opened = format!("SELECT opened * 10 + packets FROM session_seconds WHERE time = {second}");
    assert_eq!(number(&opened), 10);
    let ended = format!(
        "SELECT ended = 1 AND packets = 10 AND bytes = 2400 AND http_requests = 1 FROM session_seconds \
         WHERE time = {}",
        second + 2
    );
    assert_eq!(number(&ended), 1);
    assert_eq!(
        number("SELECT packets FROM session_cpu_seconds WHERE cpu_id = 1"),
        6
    );
    assert_eq!(
        number("SELECT packets FROM session_cpu_seconds WHERE cpu_id = 0"),
        4
    );
}

#[test]
fn thousands_of_records_of_one_microsecond_find_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    for _ in 0..10_000 {
        store.push_session(&SessionRecord {
            details: None,
            ..session()
        });
    }
    assert_eq!(close(store).stored, 10_000);
    let mut store = start(folder.path());
    for number in 0..100 {
        store.push_session(&SessionRecord {
            details: None,
            ..session()
        });
        store.push_exchange(&ExchangeRecord {
            exchange_id: Identifier::new(1, number),
            ..exchange()
        });
    }
    assert_eq!(close(store).stored, 200);
    let database = database(folder.path(), today());
    assert_eq!(number(&database, "SELECT count(*) FROM sessions"), 10_100);
    assert_eq!(number(&database, "SELECT count(*) FROM exchanges"), 100);
}

#[test]
fn a_session_finds_no_place_where_thousands_stand_and_that_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    for _ in 0..5_000 {
        store.push_session(&SessionRecord {
            details: None,
            ..session()
        });
    }
    store.push_session(&session());
    let counts = close(store);
    assert_eq!(
        (counts.stored, counts.lost(LossReason::Refused)),
        (5_000, 1)
    );
}

#[test]
fn sums_stop_at_the_largest_number() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let mut store = start(folder.path());
        store.push_session(&SessionRecord {
            bytes: u64::MAX,
            ..revision(number, 1, u64::MAX)
        });
        assert_eq!(close(store).stored, 1);
    }
    let database = database(folder.path(), today());
    assert_eq!(number(&database, "SELECT count(*) FROM sessions"), 3);
    let most = "SELECT max(packets), typeof(packets) FROM session_seconds";
    assert_eq!(number(&database, most), i64::MAX);
}

#[test]
fn the_last_transactions_say_which_rows_they_touched() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let mut store = start(folder.path());
        store.push_session(&revision(number, 1, 1));
        close(store);
    }
    let database = database(folder.path(), today());
    assert_eq!(number(&database, "SELECT max(sequence) FROM changes"), 3);
    let key: Vec<u8> = database
        .query_row(
            "SELECT sessions FROM changes WHERE sequence = 2",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(key, (2 * START_US + 1).to_be_bytes());
}

#[test]
fn whoever_reads_sees_whole_transactions_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = start(folder.path());
    store.push_session(&revision(0, 1, 1));
    store.flush();
    wait_until(|| {
        path(folder.path(), today()).exists() && {
            let reader = database(folder.path(), today());
            reader.query_row("SELECT count(*) FROM sessions", [], |row| {
                row.get::<_, i64>(0)
            }) == Ok(1)
        }
    });
    let reader = database(folder.path(), today());
    let mut last = 0;
    for round in 1..50_u64 {
        for number in 0..20 {
            store.push_session(&SessionRecord {
                timestamp: time(START_US + round as i64 * 1000 + number),
                ..revision(round * 20 + number as u64, 1, 1)
            });
        }
        store.flush();
        let transaction = reader.unchecked_transaction().unwrap();
        let rows = number(&transaction, "SELECT count(*) FROM sessions");
        let sum = number(&transaction, "SELECT sum(opened) FROM session_seconds");
        assert_eq!(rows, sum);
        assert!(rows >= last);
        last = rows;
    }
    assert_eq!(close(store).stored, 49 * 20 + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes in whatever order: of each session the largest revision stays, and the sums
    /// are those of the rows.
    #[test]
    fn sums_are_those_of_the_rows(
        records in prop::collection::vec((0..6_u64, 1..5_u32, 0..3_i64, 0..1000_u64), 1..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = start(folder.path());
        let mut expected = std::collections::HashMap::new();
        for (index, (session, number, shift, packets)) in records.iter().enumerate() {
            // Sessions of one microsecond, and of the next ones, contend for places.
            let record = SessionRecord {
                timestamp: time(START_US + *session as i64 / 3),
                ..revision(*session, *number, *packets)
            };
            store.push_session(&record);
            let kept = expected.entry(*session).or_insert((*number, *packets));
            if *number > kept.0 {
                *kept = (*number, *packets);
            }
            if *shift == 0 || index % 7 == 0 {
                store.flush();
            }
        }
        prop_assert_eq!(close(store).stored, records.len() as u64);
        let database = database(folder.path(), today());
        let rows = number(&database, "SELECT count(*) FROM sessions");
        let packets = number(&database, "SELECT sum(packets) FROM sessions");
        prop_assert_eq!(rows, expected.len() as i64);
        prop_assert_eq!(packets, expected.values().map(|(_, packets)| *packets as i64).sum::<i64>());
        for table in ["session_seconds", "session_minutes"] {
            prop_assert_eq!(number(&database, &format!("SELECT sum(packets) FROM {table}")), packets);
            prop_assert_eq!(number(&database, &format!("SELECT sum(opened) FROM {table}")), rows);
            prop_assert_eq!(number(&database, &format!("SELECT sum(ended) FROM {table}")), rows);
        }
        prop_assert_eq!(number(&database, "SELECT sum(packets) FROM session_cpu_minutes"), packets);
    }
}

#[test]
fn many_exchanges_of_one_microsecond_have_a_row_each() {
    let folder = tempfile::tempdir().unwrap();
    let check = |range: std::ops::Range<u64>, rows: i64| {
        let mut store = start(folder.path());
        let count = range.end - range.start;
        for number in range {
            store.push_exchange(&ExchangeRecord {
                exchange_id: Identifier::new(1, number),
                ts: time(START_US),
                ..exchange()
            });
        }
        assert_eq!(close(store).stored, count);
        let database = database(folder.path(), today());
        let found = "SELECT count(DISTINCT exchange_id) FROM exchanges";
        assert_eq!(number(&database, "SELECT count(*) FROM exchanges"), rows);
        assert_eq!(number(&database, found), rows);
    };
    check(0..1000, 1000);
    // The same again, and more.
    check(500..1500, 1500);
}
