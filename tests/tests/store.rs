//! The store of a capture while its database is damaged, or locked by another process: what was lost
//! stands in the account, and it goes on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tapline_tests::support::{Nginx, Pair, Program, Tapline, curl, run, within, within_seconds};

/// The database of today (UTC).
fn today(folder: &Path) -> PathBuf {
    let day = run("date", &["--utc", "+%Y%m%d"]);
    folder.join(format!("tapline-{}.db", day.trim()))
}

fn exchanges(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT count(*) FROM exchanges";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_capture_over_a_damaged_database_moves_it_aside_and_stores_all() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let folder = tempfile::tempdir().unwrap();
    let path = today(folder.path());
    let damaged = b"this is no database\n".repeat(500);
    fs::write(&path, &damaged).unwrap();
    let flags = format!("-i server0 --store --data-dir {}", folder.path().display());
    let mut tapline = Tapline::start(&pair.server, &flags);
    curl(
        &pair.client,
        &["http://10.9.0.1/small", "http://10.9.0.1/small"],
    );
    tapline.process().wait_for_stderr("moved aside");
    let ended = tapline.stop();
    assert_eq!(ended.count("sinks/sqlite/lost"), 0, "{:#}", ended.ledger);
    assert_eq!(
        ended.count("sinks/sqlite/accepted"),
        ended.count("sinks/sqlite/stored")
    );
    let aside = PathBuf::from(format!("{}.damaged-1", path.display()));
    assert!(fs::read(aside).unwrap() == damaged);
    assert_eq!(exchanges(&path), 2);
}

#[test]
fn what_a_locked_database_does_not_take_is_counted_and_it_goes_on() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let folder = tempfile::tempdir().unwrap();
    let path = today(folder.path());
    let flags = format!(
        "-i server0 --store --no-sessions --listen 127.0.0.1:8000 --data-dir {}",
        folder.path().display()
    );
    // So that there is a database.
    let tapline = Tapline::start(&pair.server, &flags);
    curl(&pair.client, &["http://10.9.0.1/small"]);
    let _ended = tapline.stop();
    let lock = Connection::open(&path).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let lost = || {
        let text = curl(&pair.server, &["http://127.0.0.1:8000/api/ledger"]).stdout;
        let ledger: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            ledger["identities"]["sinks.sqlite"]["holds"], true,
            "{ledger:#}"
        );
        ledger["sinks"]["sqlite"]["lost_by"]["locked"]
            .as_u64()
            .unwrap_or(0)
    };
    // Locked at the start, and while it runs.
    let tapline = Tapline::start(&pair.server, &flags);
    curl(&pair.client, &["http://10.9.0.1/small"]);
    within_seconds(20, "the first loss", || (lost() == 1).then_some(()));
    lock.execute_batch("ROLLBACK").unwrap();
    curl(&pair.client, &["http://10.9.0.1/small"]);
    within("the second exchange", || {
        (exchanges(&path) == 2).then_some(())
    });
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    curl(&pair.client, &["http://10.9.0.1/small"]);
    within_seconds(20, "the second loss", || (lost() == 2).then_some(()));
    lock.execute_batch("ROLLBACK").unwrap();
    let ended = tapline.stop();
    assert_eq!(
        ended.count("sinks/sqlite/lost_by/locked"),
        2,
        "{:#}",
        ended.ledger
    );
    assert_eq!(ended.count("sinks/sqlite/stored"), 1);
    assert_eq!(exchanges(&path), 2);
}

/// The folder that nobody chose cannot be had: lines are written all the same, and it is said that sessions
/// are counted for nobody.
#[test]
fn without_its_store_a_capture_says_that_sessions_are_for_nobody() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data"), "in the way").unwrap();
    let mut command = Tapline::command(&pair.server, "run");
    command.env_remove("TAPLINE_STORE_ENABLED");
    command.current_dir(folder.path());
    command.args([
        "-i",
        "server0",
        "--log-dir",
        "-",
        "--listen",
        "off",
        "--duration",
        "1s",
    ]);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let said = |words: &str| done.stderr.matches(words).count();
    assert_eq!(said("exchanges are not stored"), 1, "{}", done.stderr);
    assert_eq!(said("nobody takes their records"), 1, "{}", done.stderr);
}

/// `tapline run --log-dir -` into a pipe that nobody reads: said once, counted, and all that waited comes
/// when somebody reads.
#[test]
fn of_a_pipe_that_nobody_reads_it_is_said_and_counted() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let mut command = Tapline::command(&pair.server, "run");
    command.args([
        "-i",
        "server0",
        "--log-dir",
        "-",
        "--listen",
        "127.0.0.1:8000",
    ]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer);
    let mut process = Program::with_own_stdout(command).start();
    process.wait_for_stderr("stop with Ctrl-C");
    // Far more than a pipe holds (64 KiB).
    let many: Vec<String> = (0..1_000)
        .map(|number| format!("http://10.9.0.1/small?{number}-{}", "x".repeat(100)))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    curl(&pair.client, &many);
    process.wait_for_stderr("nobody reads standard output");
    let text = curl(&pair.server, &["http://127.0.0.1:8000/api/ledger"]).stdout;
    let ledger: serde_json::Value = serde_json::from_str(&text).unwrap();
    let queued = ledger["lines"]["queued"].as_u64().unwrap();
    assert!(queued > 0, "{ledger:#}");
    assert_eq!(ledger["identities"]["lines"]["holds"], true, "{ledger:#}");
    let all = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    process.wait_for_stderr("is read again");
    process.signal(libc::SIGTERM);
    let done = process.end_within(20);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(all.join().unwrap().lines().count(), 2_000);
    assert_eq!(
        done.stderr.matches("nobody reads").count(),
        1,
        "{}",
        done.stderr
    );
}
