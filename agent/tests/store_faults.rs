//! The store of `tapline serve` when its database is not as it should be: damaged, locked by another process,
//! of an earlier schema. Nothing is lost that the account does not show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/serve.rs"]
mod serve;

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use serde_json::Value;
use serve::Serve;

const RECORD: &str = r#"{"protocol": "TCP", "src_ip": "192.0.2.1", "src_port": 1024,
    "dst_ip": "192.0.2.2", "dst_port": 80, "packets": 3, "bytes": 4500}"#;

/// The database of today (UTC).
fn today(folder: &Path) -> PathBuf {
    let day = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let digits = day.to_string().replace('-', "");
    folder.join(format!("tapline-{digits}.db"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Checks the account of the store: accepted, stored, and lost because it was locked.
#[track_caller]
fn check_account(serve: &Serve, accepted: u64, stored: u64, locked: u64) {
    let ledger = json(&serve.get("/api/ledger", 200));
    let sink = &ledger["sinks"]["sqlite"];
    assert_eq!(sink["accepted"], accepted, "{ledger:#}");
    assert_eq!(sink["stored"], stored, "{ledger:#}");
    assert_eq!(sink["lost"], locked, "{ledger:#}");
    assert_eq!(sink["lost_by"]["locked"].as_u64().unwrap_or(0), locked);
    for identity in ledger["identities"].as_object().unwrap().values() {
        assert_eq!(identity["holds"], true, "{ledger:#}");
    }
}

#[test]
fn a_database_that_is_damaged_at_the_start_is_moved_aside_and_a_new_one_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = today(folder.path());
    // A whole one, of which then a page is overwritten.
    {
        let serve = Serve::start(folder.path());
        for _ in 0..300 {
            serve.post("/api/logs", RECORD, 201);
        }
    }
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    drop(connection);
    let mut damaged = fs::read(&path).unwrap();
    assert!(damaged.len() > 3 * 4096);
    damaged[4096..].fill(0xa5);
    fs::write(&path, &damaged).unwrap();

    let serve = Serve::start(folder.path());
    serve.post("/api/logs", RECORD, 201);
    let said = serve.said();
    let aside = PathBuf::from(format!("{}.damaged-1", path.display()));
    assert!(
        said.contains("moved aside and a new one is begun"),
        "{said}"
    );
    assert!(said.contains(&aside.display().to_string()), "{said}");
    assert!(fs::read(&aside).unwrap() == damaged);
    let found = json(&serve.get("/api/logs", 200));
    assert_eq!(found.as_array().unwrap().len(), 1);
    check_account(&serve, 1, 1, 0);
    let connection = Connection::open(&path).unwrap();
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
}

#[test]
fn what_comes_while_another_process_locks_the_database_is_refused_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = today(folder.path());
    {
        let serve = Serve::start(folder.path());
        serve.post("/api/logs", RECORD, 201);
    }
    let lock = Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();

    // At the start.
    let serve = Serve::start(folder.path());
    let refused = serve.post("/api/logs", RECORD, 503);
    assert!(refused.contains("(locked); nothing is stored"), "{refused}");
    check_account(&serve, 1, 0, 1);
    let ready = serve.get("/ready", 503);
    assert!(ready.contains("store_failed"), "{ready}");
    let said = serve.said();
    assert_eq!(said.matches("ERROR").count(), 1, "{said}");
    lock.execute_batch("ROLLBACK").unwrap();
    serve.post("/api/logs", RECORD, 201);
    check_account(&serve, 2, 1, 1);

    // While it runs; what waits shorter than its patience is stored.
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    serve.post("/api/logs", RECORD, 503);
    check_account(&serve, 3, 1, 2);
    std::thread::scope(|scope| {
        let late = scope.spawn(|| serve.post("/api/logs", RECORD, 201));
        std::thread::sleep(std::time::Duration::from_millis(500));
        lock.execute_batch("ROLLBACK").unwrap();
        late.join().unwrap();
    });
    check_account(&serve, 4, 2, 2);
    let requests = json(&serve.get("/api/ledger", 200))["api"].clone();
    assert_eq!(requests["taken"], 2);
    assert_eq!(requests["refused"]["503"], 2);
    // Locked is not damaged.
    let files = fs::read_dir(folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("damaged")).count(), 0);
}

#[test]
fn a_database_of_the_first_schema_is_upgraded_by_the_program_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = today(folder.path());
    let first = Connection::open(&path).unwrap();
    first
        .execute_batch(include_str!("../src/sink/sqlite/schema/first.sql"))
        .unwrap();
    let count = |connection: &Connection, sql: &str| -> i64 {
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count(&first, "PRAGMA user_version"), 1);
    let before = count(&first, "SELECT sum(id) FROM exchanges");
    let sessions = count(&first, "SELECT count(*) FROM sessions");
    drop(first);

    let serve = Serve::start(folder.path());
    serve.post("/api/logs", RECORD, 201);
    let exchanges = json(&serve.get("/api/exchanges", 200));
    assert_eq!(exchanges["exchanges"].as_array().unwrap().len(), 4);
    let upgraded = Connection::open(&path).unwrap();
    assert_eq!(count(&upgraded, "PRAGMA user_version"), 3);
    assert_eq!(count(&upgraded, "SELECT sum(id) FROM exchanges"), before);
    assert_eq!(
        count(&upgraded, "SELECT count(*) FROM sessions"),
        sessions + 1
    );
    // What the first schema did not have is made of what is in it.
    let timed = "SELECT sum(exchanges) FROM latency_seconds";
    assert_eq!(count(&upgraded, timed), 3);
    let groups = "SELECT count(*) FROM exchange_groups";
    assert!(count(&upgraded, groups) > 0, "groups are counted anew");
    assert!(!serve.said().contains("moved aside"), "{}", serve.said());
    check_account(&serve, 1, 1, 0);
}
