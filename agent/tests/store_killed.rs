//! A process that stores is killed (SIGKILL) in the middle of it: the databases are whole, and at
//! most the last second is missing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/killed.rs"]
mod killed;
#[path = "support/records.rs"]
mod records;

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use killed::run_and_kill;
use records::session;
use tapline::sink::fan_out::FanOut;
use tapline::sink::sqlite::{OnFull, SqliteSettings, SqliteSink};
use tapline::store::{Order, SessionFilter, Store};

const FOLDER: &str = "STORE_KILLED_FOLDER";

/// The process that is killed: stores as fast as it can, and says how far it is. Nothing unless the
/// other test starts it.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let sink = SqliteSink::start(SqliteSettings {
        directory: folder.into(),
        on_full: OnFull::Block,
        ..SqliteSettings::default()
    })
    .unwrap();
    let mut fan_out = FanOut::new(vec![Box::new(sink)]);
    let start = Timestamp::now().as_microsecond();
    for number in 0.. {
        let time = Timestamp::from_microsecond(start + number as i64).unwrap();
        fan_out.push_session(&session(number, time));
        if number % 100 == 0 {
            fan_out.flush();
            // To the parent: what was pushed by now.
            println!("pushed {number}");
            std::io::stdout().flush().unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn after_a_kill_the_database_is_whole_and_at_most_a_second_is_missing() {
    for milliseconds in [1200, 1530, 1870] {
        let folder = tempfile::tempdir().unwrap();
        let variables = [(FOLDER, folder.path().as_os_str())];
        let (before, all) = run_and_kill(&variables, Duration::from_millis(milliseconds));
        assert!(before > 0 && before < all);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "db") {
                let database = rusqlite::Connection::open(&path).unwrap();
                let said: String = database
                    .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                    .unwrap();
                assert_eq!(said, "ok");
                let rows: (i64, i64) = database
                    .query_row(
                        "SELECT count(*), (SELECT sum(opened) FROM session_seconds) FROM sessions",
                        [],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .unwrap();
                assert_eq!(rows.0, rows.1);
            }
        }
        let count = |folder: &Path| {
            let store = Store::open(folder).unwrap();
            let page = store.sessions(&SessionFilter::default(), Order::Oldest, None, 1 << 20);
            page.unwrap().len() as u64
        };
        let stored = count(folder.path());
        // Numbers begin with 0.
        assert!(stored > before, "{stored} of {before}, {all} pushed in all");
        // The next start goes on with the same file: nothing is moved aside.
        let sink = SqliteSink::start(SqliteSettings {
            directory: folder.path().to_owned(),
            ..SqliteSettings::default()
        })
        .unwrap();
        let mut fan_out = FanOut::new(vec![Box::new(sink)]);
        fan_out.push_session(&session(i64::MAX as u64, Timestamp::now()));
        assert_eq!(fan_out.close()[0].1.stored, 1);
        assert_eq!(count(folder.path()), stored + 1);
    }
}
