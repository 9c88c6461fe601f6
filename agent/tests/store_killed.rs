//! A process that stores is killed (SIGKILL) in the middle of it: the databases are whole, and at
//! most the last second is missing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionDetails, SessionRecord};
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
        let time = Timestamp::from_microsecond(start + number).unwrap();
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

fn session(number: i64, time: Timestamp) -> SessionRecord<'static> {
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: "192.0.2.1".parse().unwrap(),
        src_port: 1,
        dst_ip: "192.0.2.2".parse().unwrap(),
        dst_port: 80,
        packets: 1,
        bytes: 100,
        cpu_id: 0,
        timestamp: time,
        details: Some(SessionDetails {
            session_id: Identifier::new(1, number.unsigned_abs()),
            revision: 1,
            interim: false,
            ended_at: time,
            duration_us: 0,
            packets_out: 1,
            packets_in: 0,
            bytes_out: 100,
            bytes_in: 0,
            orig_bytes: 0,
            resp_bytes: 0,
            missed_bytes: 0,
            reply_cpu_id: None,
            conn_state: "S0",
            history: "S",
            retransmits: 0,
            rtt_us: None,
            http_requests: 0,
            http_errors: 0,
            ifname: "eth0",
        }),
    }
}

/// Starts the child, kills it after this time, and gives what it said it had pushed a second before
/// that, and in all.
fn run_and_kill(folder: &Path, after: Duration) -> (i64, i64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<(Instant, i64)> = Vec::new();
    let mut killed: Option<Instant> = None;
    for line in lines {
        let line = line.unwrap();
        let Some((_, number)) = line.rsplit_once("pushed ") else {
            continue;
        };
        let now = Instant::now();
        said.push((now, number.parse().unwrap()));
        if killed.is_none() && now.duration_since(said[0].0) >= after {
            child.kill().unwrap();
            killed = Some(now);
        }
    }
    child.wait().unwrap();
    let killed = killed.unwrap();
    let before = said
        .iter()
        .rev()
        .find(|(time, _)| killed.duration_since(*time) >= Duration::from_secs(1))
        .map_or(-1, |(_, number)| *number);
    (before, said.last().unwrap().1)
}

#[test]
fn after_a_kill_the_database_is_whole_and_at_most_a_second_is_missing() {
    for milliseconds in [1200, 1530, 1870] {
        let folder = tempfile::tempdir().unwrap();
        let (before, all) = run_and_kill(folder.path(), Duration::from_millis(milliseconds));
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
            page.unwrap().len() as i64
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
        fan_out.push_session(&session(i64::MAX, Timestamp::now()));
        assert_eq!(fan_out.close()[0].1.stored, 1);
        assert_eq!(count(folder.path()), stored + 1);
    }
}
