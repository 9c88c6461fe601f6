//! `tapline exchanges` and `tapline sessions` over a real store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use tapline::http::exchange::record::{ExchangeRecord, Outcome, Role};
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionRecord};
use tapline::sink::fan_out::FanOut;
use tapline::sink::sqlite::{SqliteSettings, SqliteSink};

fn store(folder: &Path) -> FanOut {
    let sink = SqliteSink::start(SqliteSettings {
        directory: folder.to_owned(),
        ..SqliteSettings::default()
    });
    FanOut::new(vec![Box::new(sink.unwrap())])
}

fn exchange(number: u64, time: Timestamp) -> ExchangeRecord<'static> {
    ExchangeRecord {
        exchange_id: Identifier::new(1, number),
        session_id: None,
        ts: time,
        role: Role::Server,
        outcome: Outcome::Complete,
        src_ip: "192.0.2.2".parse().unwrap(),
        src_port: 48_918,
        dst_ip: "192.0.2.1".parse().unwrap(),
        dst_port: 80,
        method: Some("GET"),
        target: Some("/api/items"),
        version: "HTTP/1.1",
        host: Some("shop.example.com"),
        user_agent: None,
        referer: None,
        status: Some(200 + number as u16),
        content_type: None,
        ttfb_us: Some(1_500),
        total_us: None,
        request_bytes: None,
        response_bytes: None,
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: 0,
        reply_cpu_id: None,
    }
}

fn tapline(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command
        .args(line.split_whitespace())
        .arg("--data-dir")
        .arg(folder)
        .env_clear()
        .env("TZ", "UTC");
    command
}

fn ask(folder: &Path, line: &str) -> String {
    let output = tapline(folder, line).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), stderr.as_str()),
        (Some(0), ""),
        "{line}"
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_was_stored_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let mut sink = store(folder.path());
    for number in 0..3 {
        sink.push_exchange(&exchange(number, now));
    }
    sink.push_session(&SessionRecord {
        protocol: Protocol::Udp,
        src_ip: "2001:db8::1".parse().unwrap(),
        src_port: 5353,
        dst_ip: "2001:db8::2".parse().unwrap(),
        dst_port: 53,
        packets: 2,
        bytes: 200,
        cpu_id: 3,
        timestamp: now,
        details: None,
    });
    sink.flush();
    assert_eq!(sink.close()[0].1.stored, 4);

    let table = ask(folder.path(), "exchanges --limit 2");
    let time = now.strftime("%Y-%m-%d %H:%M:%S.000").to_string();
    let row = |status| {
        format!(
            "{time}  192.0.2.2#48918  192.0.2.1#80  server  {status}     1.500  GET     shop.example.com  /api/items"
        )
    };
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert_eq!(lines[0].split_whitespace().count(), 9);
    assert_eq!(lines[1..], [row(202), row(201)], "{table}");

    let json = ask(folder.path(), "exchanges --json --oldest --status 200-201");
    let expected: Vec<String> = (0..2)
        .map(|number| serde_json::to_string(&exchange(number, now)).unwrap())
        .collect();
    assert_eq!(json.lines().collect::<Vec<_>>(), expected);
    assert_eq!(
        ask(folder.path(), "exchanges --json --since 1h")
            .lines()
            .count(),
        3
    );
    assert_eq!(ask(folder.path(), "exchanges --json --until 1h"), "");
    assert_eq!(ask(folder.path(), "sessions --json --protocol tcp"), "");
    let session = ask(folder.path(), "sessions");
    let cells: Vec<&str> = session.lines().nth(1).unwrap().split_whitespace().collect();
    let expected = [
        "UDP",
        "2001:db8::1#5353",
        "2001:db8::2#53",
        "-",
        "-",
        "2",
        "200",
        "-",
        "-",
        "3",
    ];
    assert_eq!(cells[2..], expected);
}

#[test]
fn what_comes_new_is_shown_until_whoever_reads_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = store(folder.path());
    sink.push_exchange(&exchange(0, Timestamp::now()));
    sink.flush();
    // Until the database is there.
    while sink.counts().any(|(_, counts)| counts.stored == 0) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut follower = tapline(folder.path(), "exchanges --follow --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut status = || {
        let line: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["status"].as_u64().unwrap()
    };
    assert_eq!(status(), 200);
    for number in 1..4 {
        // Each began before the one before it.
        let time = Timestamp::from_second(Timestamp::now().as_second() - number as i64).unwrap();
        sink.push_exchange(&exchange(number, time));
        sink.flush();
        assert_eq!(status(), 200 + number);
    }
    drop(lines);
    for number in 4..10 {
        sink.push_exchange(&exchange(number, Timestamp::now()));
        sink.flush();
        std::thread::sleep(std::time::Duration::from_millis(300));
        if let Some(ended) = follower.try_wait().unwrap() {
            assert_eq!(ended.code(), Some(0));
            assert_eq!(sink.close()[0].1.lost_in_all(), 0);
            return;
        }
    }
    follower.kill().unwrap();
    panic!("it went on though nobody reads");
}

#[test]
fn a_store_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = tapline(&folder.path().join("absent"), "sessions")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("absent cannot be read; name another with --data-dir: No such file"),
        "{stderr}"
    );
}
