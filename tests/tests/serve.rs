//! The API as programs ask for it: of `tapline serve`, which is killed in the middle, and of
//! `tapline run`, whose capture it shows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tapline_tests::support::{
    Namespace, Nginx, Pair, Process, Program, Tapline, curl, program, within,
};

const JSON: &str = "Content-Type: application/json";

/// `tapline serve` on a free port of this host.
struct Serve {
    process: Process,
    address: SocketAddr,
}

impl Serve {
    fn start(folder: &Path) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = Command::new(program());
        command
            .env_clear()
            .args(["serve", "--json", "--listen", &address.to_string()])
            .arg("--data-dir")
            .arg(folder);
        let mut process = Program::new(command).start();
        process.wait_for_stderr("stop with Ctrl-C");
        Self { process, address }
    }

    /// Asks with curl; the status and the body.
    fn curl(&self, path: &str, arguments: &[&str]) -> (u16, String) {
        let mut command = Command::new("curl");
        command
            .args(["--disable", "--silent", "--show-error", "--max-time", "30"])
            .args(["--write-out", "\n%{http_code}"])
            .args(arguments)
            .arg(format!("http://{}{path}", self.address));
        let done = Program::new(command).output();
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let (body, status) = done.stdout.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }
}

fn record(number: u64) -> Value {
    json!({"protocol": "TCP", "src_ip": "192.0.2.2", "src_port": 1024 + number % 60_000,
        "dst_ip": "192.0.2.1", "dst_port": 80, "packets": number, "bytes": number * 60, "cpu_id": 1})
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn databases(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "db"))
        .collect()
}

#[test]
fn the_documented_requests_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(folder.path());
    let body = record(7).to_string();
    let (status, one) = serve.curl("/api/logs", &["-H", JSON, "-d", &body]);
    assert_eq!(status, 201, "{one}");
    let one = value(&one);
    let id = one["id"].as_i64().unwrap();
    let (status, found) = serve.curl(&format!("/api/logs/{id}"), &[]);
    assert_eq!((status, value(&found)), (200, one));
    let lines = format!("{}\n{}\n", record(8), record(9));
    let packed = folder.path().join("lines.gz");
    let mut gzip = Command::new("gzip");
    gzip.stdin(std::process::Stdio::piped())
        .stdout(fs::File::create(&packed).unwrap());
    let mut gzip = gzip.spawn().unwrap();
    let stdin = gzip.stdin.take();
    stdin.unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(gzip.wait().unwrap().success());
    let data = format!("@{}", packed.display());
    let (status, two) = serve.curl(
        "/api/logs",
        &[
            "-H",
            "Content-Type: application/x-ndjson",
            "-H",
            "Content-Encoding: gzip",
            "--data-binary",
            &data,
        ],
    );
    assert_eq!((status, &value(&two)["count"]), (201, &json!(2)));
    let (_, all) = serve.curl("/api/logs?src_ip=192.0.2.2&protocol=TCP&limit=2", &[]);
    assert_eq!(value(&all).as_array().unwrap().len(), 2);
    let bad = format!("[{}, {}]", record(1), record(2)).replace("192.0.2.1", "192.0.2.1000");
    let (status, why) = serve.curl("/api/logs", &["-H", JSON, "-d", &bad]);
    assert_eq!(status, 422);
    assert_eq!(
        value(&why)["detail"][0]["loc"],
        json!(["body", 0, "dst_ip"])
    );
    let (_, described) = serve.curl("/api/openapi.json", &[]);
    assert!(value(&described)["paths"]["/api/logs"]["post"].is_object());
    let (_, ledger) = serve.curl("/api/ledger", &[]);
    let live = value(&ledger);
    assert_eq!(live["sinks"]["sqlite"]["stored"], 3, "{live}");
    let (_, metrics) = serve.curl("/metrics", &[]);
    let stored = "tapline_sink_records_total{sink=\"sqlite\",outcome=\"stored\"} 3";
    assert!(metrics.lines().any(|line| line == stored), "{metrics}");
    serve.process.signal(libc::SIGTERM);
    let done = serve.process.end_within(20);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let end = value(&done.stdout);
    assert_eq!(end["sinks"], live["sinks"]);
    assert_eq!(end["identities"]["sinks.sqlite"]["holds"], true);
}

/// Sends records one after the other on one connection until that breaks; gives the keys of those
/// that were acknowledged, with the time.
fn send_until_it_breaks(address: SocketAddr, seed: u64) -> Vec<(Instant, i64)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut acknowledged = Vec::new();
    let mut block = vec![0; 64 << 10];
    for number in 0.. {
        // One, or many at once.
        let records = match number % 2 {
            0 => record(seed + number).to_string(),
            _ => json!(vec![record(seed + number); 50]).to_string(),
        };
        let request = format!(
            "POST /api/logs HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\nContent-Length: {}\r\n\r\n{records}",
            records.len()
        );
        if stream.write_all(request.as_bytes()).is_err() {
            break;
        }
        let mut filled = 0;
        let body = loop {
            let Ok(length @ 1..) = stream.read(&mut block[filled..]) else {
                return acknowledged;
            };
            filled += length;
            let text = String::from_utf8_lossy(&block[..filled]);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                assert!(head.starts_with("HTTP/1.1 201 "), "{text}");
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap();
                let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                if body.len() == length {
                    break value(body);
                }
            }
        };
        let now = Instant::now();
        match body["ids"].as_array() {
            Some(ids) => acknowledged.extend(ids.iter().map(|id| (now, id.as_i64().unwrap()))),
            None => acknowledged.push((now, body["id"].as_i64().unwrap())),
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let mut all: Vec<i64> = Vec::new();
    for round in 0..3 {
        let serve = Serve::start(folder.path());
        let address = serve.address;
        let senders: Vec<_> = (0..4)
            .map(|sender| thread::spawn(move || send_until_it_breaks(address, sender * 1_000_000)))
            .collect();
        // At another moment of a transaction each time.
        thread::sleep(Duration::from_millis(700 + 137 * round));
        let killed = Instant::now();
        serve.process.signal(libc::SIGKILL);
        drop(serve.process.end_within(20));
        for sender in senders {
            let acknowledged = sender.join().unwrap();
            assert!(acknowledged.len() > 20, "{}", acknowledged.len());
            // More than is promised: not even the last second is missing.
            let late = acknowledged.iter().filter(|(time, _)| *time <= killed);
            assert!(late.count() > 0);
            all.extend(acknowledged.iter().map(|(_, id)| *id));
        }
        for path in databases(folder.path()) {
            let database = rusqlite::Connection::open(&path).unwrap();
            let sound: String = database
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(sound, "ok");
        }
        let mut stored = std::collections::HashSet::new();
        for path in databases(folder.path()) {
            let database = rusqlite::Connection::open(&path).unwrap();
            let mut rows = database.prepare("SELECT id FROM sessions").unwrap();
            let ids = rows.query_map([], |row| row.get::<_, i64>(0)).unwrap();
            stored.extend(ids.map(Result::unwrap));
        }
        let missing = all.iter().filter(|id| !stored.contains(id)).count();
        assert_eq!(missing, 0, "of {} acknowledged records", all.len());
        // What was sent and not acknowledged may be there: at most a batch of each sender.
        assert!(stored.len() <= all.len() + 4 * 50 * (round as usize + 1));
    }
    let mut unique = all.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), all.len());
}

fn ask(namespace: &Namespace, arguments: &[&str]) -> (u16, String) {
    let mut all = vec!["--write-out", "\n%{http_code}"];
    all.extend(arguments);
    let done = curl(namespace, &all);
    let (body, status) = done.stdout.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn a_capture_shows_its_store_and_its_ledger() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let folder = tempfile::tempdir().unwrap();
    let flags = format!(
        "-i server0 --store --no-sessions --data-dir {}",
        folder.path().display()
    );
    let tapline = Tapline::start(&pair.server, &flags);
    curl(
        &pair.client,
        &["http://10.9.0.1/small", "http://10.9.0.1/x"],
    );
    let base = "http://127.0.0.1:8000";
    let exchanges = within("two exchanges", || {
        let (status, page) = ask(&pair.server, &[&format!("{base}/api/exchanges")]);
        assert_eq!(status, 200, "{page}");
        let exchanges = value(&page)["exchanges"].as_array().unwrap().clone();
        (exchanges.len() == 2).then_some(exchanges)
    });
    assert_eq!(exchanges[0]["target"], "/x");
    assert_eq!(exchanges[0]["status"], 404);
    assert_eq!(exchanges[1]["target"], "/small");
    let body = record(1).to_string();
    let logs = format!("{base}/api/logs");
    let (status, _) = ask(&pair.server, &["-H", JSON, "-d", &body, &logs]);
    assert_eq!(status, 201);
    let ledger = within("nothing on its way", || {
        let (status, ledger) = ask(&pair.server, &[&format!("{base}/api/ledger")]);
        assert_eq!(status, 200);
        let ledger = value(&ledger);
        let identities = ledger["identities"].as_object().unwrap().clone();
        assert!(identities.len() >= 5, "{ledger:#}");
        for (name, identity) in &identities {
            assert_eq!(identity["holds"], true, "{name} {ledger:#}");
        }
        let idle = identities.values().all(|one| one["in_flight"] == 0);
        idle.then_some(ledger)
    });
    assert_eq!(ledger["heads"]["found"], 4);
    assert_eq!(ledger["sinks"]["sqlite"]["stored"], 3);
    let ended = tapline.stop();
    // The document in the end is the same, and has come to rest.
    let names =
        |ledger: &Value| -> Vec<String> { ledger.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&ended.ledger), names(&ledger));
    assert_eq!(ended.ledger["identities"], ledger["identities"]);
}

#[test]
fn a_capture_without_a_store_says_so_and_a_token_is_asked_for() {
    let pair = Pair::new();
    let refused = |flags: &str| {
        let mut command = Tapline::command(&pair.server, "run");
        command.args(flags.split_whitespace());
        Program::new(command).output()
    };
    let done = refused("-i server0 --listen 0.0.0.0:8000 --log-dir -");
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("--token-file"), "{}", done.stderr);
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "0123456789abcdef\n").unwrap();
    let flags = format!(
        "-i server0 --listen 10.9.0.1:8000 --token-file {}",
        token.display()
    );
    let tapline = Tapline::start(&pair.server, &flags);
    let given = "Authorization: Bearer 0123456789abcdef";
    let check = |path: &str, fields: &[&str], status: u16| {
        let target = format!("http://10.9.0.1:8000{path}");
        let mut arguments: Vec<&str> = fields.iter().flat_map(|one| ["-H", one]).collect();
        arguments.push(&target);
        let (found, body) = ask(&pair.client, &arguments);
        assert_eq!(found, status, "{path} {body}");
        body
    };
    check("/health", &[], 200);
    for path in ["/metrics", "/api/ledger", "/api/openapi.json"] {
        check(path, &[], 401);
        check(path, &["Authorization: Bearer 0123456789abcdeF"], 401);
        check(path, &[given], 200);
    }
    let said = check("/api/logs", &[given], 503);
    assert!(said.contains("Nothing is stored here"), "{said}");
    drop(tapline.stop());
}
