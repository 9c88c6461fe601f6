//! Roll-ups by what exchanges have in common: right after a crash, after a transaction that was given
//! up, after late records, and in files of an earlier schema.

use std::collections::BTreeMap;

use super::*;
use crate::sink::sqlite::error::FileError;
use crate::sink::sqlite::file::DayFile;
use crate::sink::sqlite::groups::part::Merged;
use crate::sink::sqlite::groups::{self, Kind, PERIODS, floor};
use crate::sink::sqlite::tally::{Addend, Tally};

/// The exchange of this number, so many seconds into the day of the samples.
fn of_second(number: u64, second: i64) -> ExchangeRecord<'static> {
    const HOSTS: [&str; 3] = ["a.example", "b.example", "c.example"];
    ExchangeRecord {
        exchange_id: Identifier::new(5, number),
        ts: time(today().0 * DAY_US + second * 1_000_000 + number as i64),
        host: Some(HOSTS[number as usize % HOSTS.len()]),
        ttfb_us: Some(number * 10),
        ..exchange()
    }
}

fn open(directory: &Path) -> DayFile {
    DayFile::open(directory, today(), Duration::from_millis(200)).unwrap()
}

fn store(file: &mut DayFile, records: &[ExchangeRecord<'static>]) {
    let stored = file
        .store(std::iter::empty(), records.iter().copied())
        .unwrap();
    assert_eq!(stored.stored, records.len() as u64);
}

/// The groups of a kind in the rows of this period.
fn rows(directory: &Path, period: i64, kind: Kind) -> BTreeMap<(i64, String), Tally> {
    let database = database(directory, today());
    let mut statement = database
        .prepare("SELECT time, data FROM exchange_groups WHERE period = ? AND kind = ?")
        .unwrap();
    let mut rows = statement.query((period, kind.name())).unwrap();
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let mut merged = Merged::default();
        merged.add(&row.get::<_, Vec<u8>>(1).unwrap()).unwrap();
        assert_eq!(merged.others.exchanges(), 0);
        for (value, tally) in merged.groups {
            let key = (row.get(0).unwrap(), value.into());
            found
                .entry(key)
                .or_insert_with(Tally::default)
                .merge(&tally);
        }
    }
    found
}

/// What the rows of this period are to say of hosts.
fn expected(records: &[ExchangeRecord<'_>], period: i64) -> BTreeMap<(i64, String), Tally> {
    let mut found = BTreeMap::new();
    for record in records {
        let time = floor(record.ts.as_second(), period);
        let key = (time, record.host.unwrap().to_owned());
        let tally = found.entry(key).or_insert_with(Tally::default);
        tally.add(&Addend::of(record));
    }
    found
}

#[test]
fn what_was_in_memory_when_it_ended_is_counted_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..50)
        .map(|number| of_second(number, number as i64 * 3))
        .collect();
    let mut file = open(folder.path());
    store(&mut file, &records[..10]);
    file.write_groups(Duration::ZERO).unwrap();
    store(&mut file, &records[10..20]);
    store(&mut file, &records[15..30]);
    // It is not written.
    drop(file);
    assert_eq!(
        rows(folder.path(), 60, Kind::Host),
        expected(&records[..10], 60)
    );
    let mut file = open(folder.path());
    store(&mut file, &records[25..]);
    file.write_groups(Duration::ZERO).unwrap();
    drop(file);
    assert_eq!(rows(folder.path(), 60, Kind::Host), expected(&records, 60));
}

#[test]
fn what_is_given_up_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<_> = (0..30).map(|number| of_second(number, 7)).collect();
    let mut file = open(folder.path());
    store(&mut file, &records[..10]);
    let mut left = 5;
    let none = std::iter::empty();
    let given_up = file.store_and_tell(
        none,
        records[10..20].iter().map(|record| ((), *record)),
        |(), _| {
            left -= 1;
            match left {
                0 => Err(FileError::NoPlace),
                _ => Ok(()),
            }
        },
    );
    assert!(given_up.is_err());
    store(&mut file, &records[20..]);
    file.write_groups(Duration::ZERO).unwrap();
    let kept = [&records[..10], &records[20..]].concat();
    assert_eq!(rows(folder.path(), 60, Kind::Host), expected(&kept, 60));
}

#[test]
fn longer_periods_follow_late_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut records: Vec<_> = (0..300)
        .map(|number| of_second(number, number as i64 * 40))
        .collect();
    let mut file = open(folder.path());
    for part in records.chunks(20) {
        store(&mut file, part);
        file.write_groups(Duration::ZERO).unwrap();
    }
    // Those that are not there yet are made a few at a time.
    let check = |file: &mut DayFile, records: &mut Vec<ExchangeRecord<'static>>| {
        for _ in 0..40 {
            let one = of_second(1000 + records.len() as u64, 12_000);
            store(file, &[one]);
            records.push(one);
            file.write_groups(Duration::ZERO).unwrap();
        }
        for period in [600, 3600] {
            let over =
                |(time, _): &(i64, String)| time + period + 180 <= today().0 * 86_400 + 12_000;
            let mut rows = rows(folder.path(), period, Kind::Host);
            rows.retain(|key, _| over(key));
            let mut expected = expected(records, period);
            expected.retain(|key, _| over(key));
            assert!(!rows.is_empty());
            assert_eq!(rows, expected, "{period}");
        }
    };
    check(&mut file, &mut records);
    let late = of_second(2000, 100);
    store(&mut file, &[late]);
    records.push(late);
    check(&mut file, &mut records);
    // Whoever tidies up makes all of them, also the day; and what is stored then is counted still.
    let database = Connection::open(path(folder.path(), today())).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    groups::close_all(&database).unwrap();
    database.execute_batch("COMMIT").unwrap();
    for period in PERIODS {
        assert_eq!(
            rows(folder.path(), period, Kind::Host),
            expected(&records, period),
            "{period}"
        );
    }
    let later = of_second(2001, 5000);
    store(&mut file, &[later]);
    records.push(later);
    file.write_groups(Duration::ZERO).unwrap();
    assert_eq!(rows(folder.path(), 60, Kind::Host), expected(&records, 60));
    assert!(rows(folder.path(), 86_400, Kind::Host).is_empty());
}

#[test]
fn hostile_values_make_no_row_large() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path());
    let long = "x".repeat(8192);
    let names: Vec<String> = (0..3000)
        .map(|number| format!("h{number}\u{0}'\"%"))
        .collect();
    let mut number = 0;
    for name in names.iter().chain([&long]) {
        number += 1;
        let record = ExchangeRecord {
            host: Some(name),
            user_agent: Some(name),
            method: Some(name),
            target: Some(name),
            ..of_second(number, 9)
        };
        let stored = file
            .store(std::iter::empty(), std::iter::once(record))
            .unwrap();
        assert_eq!(stored.stored, 1);
    }
    file.write_groups(Duration::ZERO).unwrap();
    let database = database(folder.path(), today());
    let most = number_of(&database, "SELECT max(length(data)) FROM exchange_groups");
    assert!(most < 100_000, "{most}");
    for kind in [
        Kind::Host,
        Kind::UserAgent,
        Kind::Method,
        Kind::Endpoint,
        Kind::All,
    ] {
        let mut statement = database
            .prepare("SELECT data FROM exchange_groups WHERE period = 60 AND kind = ?")
            .unwrap();
        let mut rows = statement.query([kind.name()]).unwrap();
        let mut merged = Merged::default();
        while let Some(row) = rows.next().unwrap() {
            merged.add(&row.get::<_, Vec<u8>>(0).unwrap()).unwrap();
        }
        let all: u64 = merged.groups.values().map(Tally::exchanges).sum();
        assert_eq!(all + merged.others.exchanges(), number, "{kind:?}");
        assert!(merged.groups.len() <= groups::VALUES_MOST);
        assert!(!merged.groups.contains_key(long.as_str()));
    }
}

fn number_of(database: &Connection, sql: &str) -> i64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}
