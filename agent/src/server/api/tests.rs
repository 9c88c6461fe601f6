//! The API over real sockets, over a real store.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::description::tests::is_described;
use super::*;
use crate::http::exchange::record::ExchangeRecord;
use crate::server::access::Token;
use crate::server::{BackEnd, Listener};
use crate::session::identifier::Identifier;
use crate::sink::RecordSink as _;
use crate::sink::batch::Batch;
use crate::sink::batch::samples::exchange;
use crate::sink::sqlite::{SqliteSettings, SqliteSink};

/// What seed programs send: no time, no CPU beyond what they know.
const RECORD: &str = r#"{"protocol": "TCP", "src_ip": "192.168.1.7", "src_port": 1024, "dst_ip": "10.0.0.9", "dst_port": 65535, "packets": 3, "bytes": 4500, "cpu_id": 7}"#;

struct Running {
    address: SocketAddr,
    folder: tempfile::TempDir,
    store: Option<SqliteSink>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        Self::with(Bounds::default(), None, |_| ())
    }

    fn with(bounds: Bounds, token: Option<&str>, set: impl FnOnce(&mut SqliteSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = SqliteSettings {
            directory: folder.path().to_owned(),
            ..SqliteSettings::default()
        };
        set(&mut settings);
        let days = settings.retain.days;
        let store = SqliteSink::start(settings).unwrap();
        let api = Api::new(store.intake(), folder.path().to_owned(), days, bounds);
        let token = token.map(|text| {
            let path = folder.path().join("token");
            std::fs::write(&path, text).unwrap();
            Token::read(&path).unwrap()
        });
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(Some(listen)).unwrap();
        let address = listener.0.as_ref().unwrap().1;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = BackEnd::start(listener, &api, token).unwrap();
                drop(stopped.await);
                server.stop().await;
            });
        });
        Self {
            address,
            folder,
            store: Some(store),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// Sends bytes and gives the answer; the connection is to be closed with it.
    fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The server may have answered and closed before it has read all.
        drop(stream.write_all(request));
        let mut bytes = Vec::new();
        let mut block = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut block) {
            bytes.extend_from_slice(&block[..length]);
        }
        let answer = Answer::new(&bytes);
        let mut words = request.split(|byte| *byte == b' ');
        let mut word = || String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        let (method, target) = (word(), word());
        assert!(
            is_described(&method, &target, answer.status),
            "{method} {target} {answer:?}"
        );
        answer
    }

    fn get(&self, target: &str) -> Answer {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.exchange(request.as_bytes())
    }

    fn post(&self, fields: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "POST /api/logs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{fields}\r\n"
        );
        self.exchange(&[head.as_bytes(), body].concat())
    }

    fn json(&self, body: &str) -> Answer {
        self.post("Content-Type: application/json\r\n", body.as_bytes())
    }

    /// All that is stored, by the API.
    fn all(&self) -> Vec<Value> {
        let answer = self.get("/api/logs?limit=1000");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.value().as_array().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(panic)) = self.thread.take().map(thread::JoinHandle::join)
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
        if let Some(store) = self.store.take()
            && !thread::panicking()
        {
            let counts = Box::new(store).close();
            let parts = counts.stored + counts.lost_in_all();
            assert_eq!(counts.accepted, parts, "{counts:?}");
        }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Self {
            status: head
                .get(9..12)
                .and_then(|code| code.parse().ok())
                .unwrap_or(0),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_program_of_the_documented_contract_is_served() {
    let running = Running::start();
    // As python-requests sends it.
    let length = RECORD.len();
    let request = format!(
        "POST /api/logs HTTP/1.1\r\nHost: {}\r\nUser-Agent: python-requests/2.31.0\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: close\r\n\
         Content-Length: {length}\r\nContent-Type: application/json\r\n\r\n{RECORD}",
        running.address
    );
    let before = Timestamp::now();
    let answer = running.exchange(request.as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}");
    let stored = answer.value();
    let mut names: Vec<&String> = stored.as_object().unwrap().keys().collect();
    names.sort();
    let expected = [
        "bytes",
        "cpu_id",
        "dst_ip",
        "dst_port",
        "id",
        "packets",
        "protocol",
        "src_ip",
        "src_port",
        "timestamp",
    ];
    assert_eq!(names, expected);
    let sent: Value = serde_json::from_str(RECORD).unwrap();
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&stored[name], value, "{name}");
    }
    let time: Timestamp = stored["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(
        (before.as_microsecond()..=Timestamp::now().as_microsecond())
            .contains(&time.as_microsecond())
    );
    let id = stored["id"].as_i64().unwrap();
    // It is there at once, by its id and in the list.
    let found = running.get(&format!("/api/logs/{id}"));
    assert_eq!((found.status, found.value()), (200, stored.clone()));
    let list = running.get("/api/logs?skip=0&limit=20");
    assert_eq!((list.status, list.value()), (200, json!([stored])));
    let missing = running.get("/api/logs/1");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.value(), json!({"detail": "Traffic log not found"}));
    let health = running.get("/api/health").value();
    assert_eq!(health["status"], "ok");
    assert_eq!(running.get("/ready").value()["ready"], true);
    assert_eq!(running.get("/health").value()["state"], "healthy");
    assert_eq!(running.get("/health").value()["stored"], 1);
}

#[test]
fn the_filters_of_the_list() {
    let running = Running::start();
    let day = Timestamp::now().to_string()[..10].to_owned();
    let record = |second: u32, protocol: &str, source: &str, target: &str| {
        json!({"protocol": protocol, "src_ip": source, "src_port": 1, "dst_ip": target, "dst_port": 2,
            "packets": second, "bytes": 0, "timestamp": format!("{day}T00:00:{second:02}")})
    };
    let records = json!([
        record(1, "TCP", "10.0.0.1", "10.0.0.2"),
        record(2, "UDP", "10.0.0.2", "10.0.0.1"),
        record(3, "ICMP", "2001:db8::1", "2001:db8::2"),
        record(4, "TCP", "10.0.0.1", "10.0.0.3"),
    ]);
    assert_eq!(running.json(&records.to_string()).status, 201);
    let check = |query: &str, seconds: &[u64]| {
        let answer = running.get(&format!("/api/logs?{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let found: Vec<u64> = answer
            .value()
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["packets"].as_u64().unwrap())
            .collect();
        assert_eq!(found, seconds, "{query}");
    };
    check("", &[4, 3, 2, 1]);
    check("limit=2", &[4, 3]);
    check("skip=1&limit=2", &[3, 2]);
    check("skip=3", &[1]);
    check("skip=4", &[]);
    check("skip=2000000", &[]);
    check("src_ip=10.0.0.1", &[4, 1]);
    check("dst_ip=10.0.0.1", &[2]);
    check("src_ip=2001:db8:0::1", &[3]);
    check("src_ip=10.0.0.1&dst_ip=10.0.0.3", &[4]);
    check("protocol=TCP", &[4, 1]);
    check("protocol=", &[4, 3, 2, 1]);
    // Both ends are included.
    check(
        &format!("start_time={day}T00:00:02&end_time={day}T00:00:03Z"),
        &[3, 2],
    );
    check(&format!("start_time={day}T02:00:04%2B02:00"), &[4]);
    check(&format!("end_time={day}%2000:00:01"), &[1]);
}

#[test]
fn arrays_and_lines_plain_and_packed() {
    let running = Running::start();
    let mut expected = 0;
    let mut ids = Vec::new();
    let mut check = |fields: &str, body: &[u8], count: usize| {
        let answer = running.post(fields, body);
        assert_eq!(answer.status, 201, "{fields} {answer:?}");
        let answer = answer.value();
        assert_eq!(answer["count"], count);
        let new: Vec<i64> = serde_json::from_value(answer["ids"].clone()).unwrap();
        assert_eq!(new.len(), count);
        expected += count;
        ids.extend(new);
    };
    let json = "Content-Type: application/json; charset=utf-8\r\n";
    let lines = "Content-Type: application/x-ndjson\r\n";
    let packed = "Content-Encoding: gzip\r\n";
    let array = format!(" [{RECORD}, {RECORD},\n{RECORD}]\n");
    let in_lines = format!("{RECORD}\r\n\n{RECORD}\n");
    check(json, array.as_bytes(), 3);
    check(json, in_lines.as_bytes(), 2);
    check(lines, in_lines.as_bytes(), 2);
    check(lines, RECORD.as_bytes(), 1);
    check(&format!("{json}{packed}"), &gzip(array.as_bytes()), 3);
    // Several members in a row are one body.
    let members = [
        gzip(RECORD.as_bytes()),
        gzip(b"\n"),
        gzip(RECORD.as_bytes()),
    ]
    .concat();
    check(&format!("{lines}{packed}"), &members, 2);
    check(json, b"[]", 0);
    check(lines, b"\n\n", 0);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), expected);
    let mut shown: Vec<i64> = running
        .all()
        .iter()
        .map(|record| record["id"].as_i64().unwrap())
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, ids);
}

#[test]
fn many_senders_on_connections_that_stay() {
    const SENDERS: usize = 8;
    const EACH: usize = 40;
    let running = Running::start();
    let ids: Vec<i64> = thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = running.connect();
                    let length = RECORD.len();
                    let request = format!(
                        "POST /api/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                         Content-Length: {length}\r\n\r\n{RECORD}"
                    );
                    let mut ids = Vec::new();
                    for _ in 0..EACH {
                        stream.write_all(request.as_bytes()).unwrap();
                        let mut bytes = Vec::new();
                        let mut block = [0; 4096];
                        while !bytes.ends_with(b"}") {
                            let length = stream.read(&mut block).unwrap();
                            bytes.extend_from_slice(&block[..length]);
                        }
                        let answer = Answer::new(&bytes);
                        assert_eq!(answer.status, 201, "{answer:?}");
                        ids.push(answer.value()["id"].as_i64().unwrap());
                    }
                    ids
                })
            })
            .collect();
        senders
            .into_iter()
            .flat_map(|sender| sender.join().unwrap())
            .collect()
    });
    let mut unique = ids;
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), SENDERS * EACH);
    assert_eq!(running.all().len(), SENDERS * EACH);
}

#[test]
fn all_or_nothing() {
    let running = Running::start();
    let bad = RECORD.replace("10.0.0.9", "10.0.0.900");
    let answer = running.json(&format!("[{RECORD}, {RECORD}, {RECORD}, {bad}, {RECORD}]"));
    assert_eq!(answer.status, 422);
    let wrong = &answer.value()["detail"][0];
    assert_eq!(wrong["loc"], json!(["body", 3, "dst_ip"]));
    assert_eq!(wrong["input"], "10.0.0.900");
    assert!(wrong["msg"].is_string() && wrong["type"].is_string());
    let answer = running.json(&format!("{RECORD}\n{{\"broken\": \n{RECORD}\n"));
    assert_eq!(answer.status, 422);
    assert_eq!(answer.value()["detail"][0]["loc"], json!(["body", 1]));
    assert_eq!(running.all(), Vec::<Value>::new());
}

#[test]
fn every_refusal() {
    let bounds = Bounds {
        body_bytes: 20_000,
        records: 10,
        ..Bounds::default()
    };
    let running = Running::with(bounds, None, |_| ());
    let check = |fields: &str, body: &[u8], status: u16, says: &str| {
        let answer = running.post(fields, body);
        assert_eq!(answer.status, status, "{fields:?}: {answer:?}");
        assert!(answer.body.contains(says), "{says}: {answer:?}");
        assert!(!answer.value()["detail"].is_null());
        answer.head
    };
    let typed = "Content-Type: application/json\r\n";
    for fields in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: multipart/form-data; boundary=application/json\r\n",
    ] {
        check(fields, RECORD.as_bytes(), 415, "application/json");
    }
    for encoding in [
        "br",
        "deflate",
        "gzip, gzip",
        "gzip\r\nContent-Encoding: gzip",
        "\u{fc}",
    ] {
        let fields = format!("{typed}Content-Encoding: {encoding}\r\n");
        let head = check(&fields, RECORD.as_bytes(), 415, "gzip");
        assert!(head.contains("accept-encoding: gzip"), "{head}");
    }
    let packed = format!("{typed}Content-Encoding: gzip\r\n");
    check(&packed, RECORD.as_bytes(), 400, "gzip");
    let whole = gzip(RECORD.as_bytes());
    check(&packed, &whole[..whole.len() - 3], 400, "gzip");
    // A bomb: 64 MiB in 64 KiB; the body itself is small enough only where the bound is not.
    check(&packed, &gzip(&vec![b' '; 4 << 20]), 413, "20000 bytes");
    check(typed, &vec![b' '; 20_001], 413, "20000 bytes");
    check(typed, &vec![b' '; 100_000], 413, "20000 bytes");
    let array = |count: usize| format!("[{}]", vec![RECORD; count].join(","));
    check(typed, array(11).as_bytes(), 413, "10 records");
    check(typed, [RECORD; 11].join("\n").as_bytes(), 413, "10 records");
    check(
        typed,
        format!("[{}]", vec!["1"; 9000].join(",")).as_bytes(),
        413,
        "10 records",
    );
    for body in [
        "",
        "{",
        "nothing",
        "{} {}",
        "[",
        "[1,]",
        "\u{0}",
        "{\"a\":\u{1}\"}",
        "{\"a\":1}x",
    ] {
        check(typed, body.as_bytes(), 422, "\"body\"");
    }
    for body in ["1", "null", "\"x\"", "[[]]", "[null]", "[[\"TCP\"]]"] {
        check(typed, body.as_bytes(), 422, "model_type");
    }
    check(typed, b"{}", 422, "[\"body\",\"protocol\"]");
    check(typed, b"\xff\xfe{}", 422, "not UTF-8 from byte 0");
    let invalid = RECORD.replace("TCP", "T\u{1}");
    check(typed, invalid.as_bytes(), 422, "body");
    let mut bytes = RECORD.as_bytes().to_vec();
    bytes[15] = 0xc3;
    check(typed, &bytes, 422, "not UTF-8 from byte 15");
    let gone = |request: &str, status: u16, says: &str| {
        let answer = running.exchange(request.as_bytes());
        assert_eq!(answer.status, status, "{request:?} {answer:?}");
        assert!(answer.body.contains(says), "{answer:?}");
        assert!(!answer.value()["detail"].is_null());
        answer.head
    };
    let host = "Host: localhost\r\nConnection: close\r\n\r\n";
    for target in [
        "/",
        "/api",
        "/api/logs/",
        "/api/logs/1/2",
        "/metrics/",
        "/api/alerts",
    ] {
        gone(
            &format!("GET {target} HTTP/1.1\r\n{host}"),
            404,
            "Not Found",
        );
    }
    for (method, target) in [
        ("DELETE", "/api/logs"),
        ("OPTIONS", "/api/logs"),
        ("POST", "/api/logs/1"),
        ("POST", "/api/exchanges"),
        ("PUT", "/ready"),
        ("POST", "/health"),
        ("POST", "/api/health"),
    ] {
        let head = gone(
            &format!("{method} {target} HTTP/1.1\r\n{host}"),
            405,
            "Method",
        );
        assert!(head.contains("allow: get"), "{head}");
    }
    for host in ["example.com", "localhost.example.com", ""] {
        let request =
            format!("GET /api/logs HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        gone(&request, 421, "only to localhost");
    }
    for target in [
        "/api/logs/x",
        "/api/logs/1.5",
        "/api/logs/99999999999999999999",
    ] {
        gone(
            &format!("GET {target} HTTP/1.1\r\n{host}"),
            422,
            "\"path\",\"id\"",
        );
    }
    for query in [
        "limit=0",
        "limit=1001",
        "skip=-1",
        "src_ip=10.0.0.300",
        "dst_ip=x",
        "protocol=tcp",
        "start_time=now",
        "end_time=1",
        "colour=red",
        "limit=1&limit=1",
    ] {
        let name = query.split('=').next().unwrap();
        let says = format!("[\"query\",\"{name}\"]");
        gone(
            &format!("GET /api/logs?{query} HTTP/1.1\r\n{host}"),
            422,
            &says,
        );
    }
    for query in [
        "status=4",
        "status=axx",
        "status=400-",
        "outcome=x",
        "role=x",
        "after=1",
        "after=x.y",
    ] {
        gone(
            &format!("GET /api/exchanges?{query} HTTP/1.1\r\n{host}"),
            422,
            "\"query\"",
        );
    }
    // The server has taken nothing of it, and still works.
    assert_eq!(running.all(), Vec::<Value>::new());
    assert_eq!(running.json(&array(10)).status, 201);
}

#[test]
fn hostile_bodies_cost_little() {
    let running = Running::start();
    let deep = |count: usize| "[".repeat(count) + &"]".repeat(count);
    let with =
        |value: &str| RECORD.replace("{\"protocol\"", &format!("{{\"x\": {value}, \"protocol\""));
    let check = |body: &str, status: u16| {
        let answer = running.json(body);
        assert_eq!(answer.status, status, "{:.200} {answer:?}", body);
        assert!(answer.body.len() < 10_000);
    };
    check(&deep(2_000_000), 422);
    check(&"[".repeat(4_000_000), 422);
    check(&"{\"a\":".repeat(1_000_000), 422);
    check(&"\n".repeat(4_000_000), 422);
    // A field of another name is passed over, however deep it is.
    check(&with(&deep(1_000_000)), 201);
    check(&with(&"9".repeat(1_000_000)), 201);
    check(&with("1e999999"), 201);
    check(&with("\"\\u0000\\ud83d\\ude00\""), 201);
    check(&RECORD.replace("4500", &"9".repeat(1_000_000)), 422);
    check(&RECORD.replace("4500", "9223372036854775807"), 201);
    check(&RECORD.replace("4500", "9223372036854775807"), 201);
    check(&RECORD.replace("4500", "9223372036854775808"), 422);
    check(&RECORD.replace("TCP", &"x".repeat(1_000_000)), 422);
    check(&RECORD.replace("TCP", "T\\u0043P"), 201);
    check(&RECORD.replace("TCP", "TCP\\u0000"), 422);
    check(
        &RECORD.replace("\"protocol\"", "\"protocol\": \"TCP\", \"protocol\""),
        422,
    );
    let answer = running.json(&format!("[{}]", vec!["{}"; 9_999].join(",")));
    assert_eq!(answer.status, 422);
    assert!(answer.value()["detail"].as_array().unwrap().len() <= 16);
    // 32 MiB in 32 KiB.
    let fields = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    assert_eq!(
        running.post(fields, &gzip(&vec![b'['; 32 << 20])).status,
        413
    );
    assert_eq!(running.all().len(), 7);
}

#[test]
fn a_body_that_does_not_come_or_breaks_off() {
    let bounds = Bounds {
        body_time: Duration::from_millis(200),
        ..Bounds::default()
    };
    let running = Running::with(bounds, None, |_| ());
    let head = "POST /api/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let slow = running.exchange(format!("{head}Content-Length: 200\r\n\r\n{{").as_bytes());
    assert_eq!(slow.status, 408, "{slow:?}");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    let length = RECORD.len();
    let whole = format!("{chunked}{length:x}\r\n{RECORD}\r\n0\r\n\r\n");
    assert_eq!(running.exchange(whole.as_bytes()).status, 201);
    let broken = running.exchange(format!("{chunked}zz\r\n").as_bytes());
    assert_eq!(broken.status, 400, "{broken:?}");
    assert_eq!(running.all().len(), 1);
}

#[test]
fn bodies_together_are_bounded() {
    let bounds = Bounds {
        all_bodies_bytes: RECORD.len(),
        ..Bounds::default()
    };
    let running = Running::with(bounds, None, |_| ());
    assert_eq!(running.json(RECORD).status, 201);
    let answer = running.json(&format!("{RECORD} "));
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
    // What was held is given back.
    assert_eq!(running.json(RECORD).status, 201);
}

#[test]
fn only_who_has_the_token_may_ask() {
    let running = Running::with(Bounds::default(), Some("0123456789abcdef\n"), |_| ());
    let check = |target: &str, fields: &str, status: u16| {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n"
        );
        let answer = running.exchange(request.as_bytes());
        assert_eq!(answer.status, status, "{target} {fields}");
        let asks = answer.head.contains("www-authenticate: bearer");
        assert_eq!(asks, status == 401, "{answer:?}");
    };
    for target in ["/api/logs", "/api/logs/1", "/api/exchanges", "/nothing"] {
        check(target, "", 401);
        check(target, "Authorization: Bearer 0123456789abcdee\r\n", 401);
        check(target, "Authorization: Basic 0123456789abcdef\r\n", 401);
    }
    check(
        "/api/logs",
        "Authorization: Bearer 0123456789abcdef\r\n",
        200,
    );
    for target in ["/health", "/ready", "/api/health"] {
        check(target, "", 200);
    }
    let json = "Content-Type: application/json\r\n";
    assert_eq!(running.post(json, RECORD.as_bytes()).status, 401);
    let fields = format!("{json}Authorization: Bearer 0123456789abcdef\r\n");
    assert_eq!(running.post(&fields, RECORD.as_bytes()).status, 201);
}

/// A connection that has the database of today to itself.
fn hold(folder: &Path) -> rusqlite::Connection {
    let file = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "db"))
        .unwrap();
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

#[test]
fn a_writer_that_is_behind_refuses_and_a_locked_store_says_so() {
    let running = Running::with(Bounds::default(), None, |settings| {
        settings.queue_batches = 1;
        settings.busy_timeout = Duration::from_secs(2);
    });
    assert_eq!(running.json(RECORD).status, 201);
    let lock = hold(running.folder.path());
    thread::scope(|scope| {
        // One that the writer has, one in the queue; no third.
        let mut waiting = Vec::new();
        for _ in 0..2 {
            waiting.push(scope.spawn(|| running.json(RECORD)));
            thread::sleep(Duration::from_millis(200));
        }
        let third = running.json(RECORD);
        assert_eq!(third.status, 429, "{third:?}");
        assert!(third.head.contains("retry-after: 1"), "{third:?}");
        // The lock outlasts the patience of the first, not that of the second.
        let first = waiting.remove(0).join().unwrap();
        assert_eq!(first.status, 503, "{first:?}");
        assert!(first.body.contains("locked"), "{first:?}");
        assert!(first.body.contains("nothing is stored"), "{first:?}");
        let ready = running.get("/ready");
        assert_eq!(ready.status, 503);
        assert_eq!(ready.value()["reasons"], json!(["store_failed"]));
        drop(lock);
        assert_eq!(waiting.remove(0).join().unwrap().status, 201);
    });
    assert_eq!(running.all().len(), 2);
}

#[test]
fn records_of_our_own_are_stored_once() {
    let running = Running::start();
    let now = Timestamp::now();
    let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap();
    let record = |revision: u32, packets: u64| {
        let mut record: Value = serde_json::from_str(RECORD).unwrap();
        let more = json!({
            "packets": packets, "timestamp": now.to_string(), "session_id": Identifier::new(1, 2),
            "revision": revision, "interim": revision == 1, "ended_at": now.to_string(), "duration_us": 5,
            "packets_out": 1, "packets_in": 2, "bytes_out": 3, "bytes_in": 4, "orig_bytes": 5,
            "resp_bytes": 6, "missed_bytes": 0, "conn_state": "SF", "history": "ShADadFf",
            "retransmits": 0, "rtt_us": 9, "http_requests": 1, "http_errors": 0, "ifname": "eth0",
        });
        for (name, value) in more.as_object().unwrap() {
            record[name] = value.clone();
        }
        record
    };
    let first = running.json(&record(1, 3).to_string());
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.value()["id"].clone();
    assert_eq!(first.value()["interim"], true);
    // The same again, a later one, and the earlier one again.
    for (revision, packets) in [(1, 3), (2, 9), (1, 3)] {
        let answer = running.json(&record(revision, packets).to_string());
        assert_eq!((answer.status, &answer.value()["id"]), (201, &id));
    }
    let all = running.all();
    assert_eq!(all.len(), 1);
    let mut expected = record(2, 9);
    expected["id"] = id;
    expected.as_object_mut().unwrap().remove("interim");
    assert_eq!(all[0], expected);
    let mut missing = record(1, 3);
    missing.as_object_mut().unwrap().remove("history");
    let answer = running.json(&missing.to_string());
    assert_eq!(
        answer.value()["detail"][0]["loc"],
        json!(["body", "history"])
    );
}

#[test]
fn exchanges_page_by_page() {
    let mut running = Running::start();
    let now = Timestamp::now();
    let mut batch = Batch::default();
    for number in 0..25_u16 {
        let before = Duration::from_secs(u64::from(number));
        let record = ExchangeRecord {
            exchange_id: Identifier::new(1, u64::from(number)),
            ts: now.checked_sub(before).unwrap(),
            status: Some(if number % 5 == 0 { 404 } else { 200 }),
            src_port: number,
            ..exchange()
        };
        batch.push_exchange(&record).unwrap();
    }
    let store = running.store.as_mut().unwrap();
    store.offer(&Arc::new(batch));
    while store.counts().queued > 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let pages = |query: &str| {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = running.get(&format!("/api/exchanges?{query}&after={after}"));
            assert_eq!(page.status, 200, "{page:?}");
            let page = page.value();
            for exchange in page["exchanges"].as_array().unwrap() {
                found.push(exchange["src_port"].as_u64().unwrap());
            }
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return found,
            }
        }
    };
    let all: Vec<u64> = (0..25).collect();
    assert_eq!(pages("limit=10"), all);
    assert_eq!(pages("limit=5"), all);
    assert_eq!(pages("limit=25"), all);
    assert_eq!(pages("status=4xx&limit=2"), [0, 5, 10, 15, 20]);
    assert_eq!(pages("status=404-404&port=5"), [5]);
    assert_eq!(
        pages("host=SHOP.example.com&method=GET&target=items&limit=100"),
        all
    );
    assert_eq!(pages("method=POST"), Vec::<u64>::new());
    assert_eq!(pages("src_ip=192.0.2.1"), Vec::<u64>::new());
}

#[test]
fn every_parameter_that_is_described_is_taken() {
    let running = Running::start();
    for route in &OF_STORE {
        for name in route.parameters {
            let answer = running.get(&format!("{}?{name}=%01", route.path));
            assert!(matches!(answer.status, 200 | 422), "{name} {answer:?}");
            assert!(!answer.body.contains("no such parameter"), "{answer:?}");
        }
    }
    let answer = running.get("/api/openapi.json");
    assert_eq!(answer.value()["openapi"], "3.1.0");
}

#[test]
fn what_became_of_the_records_is_told() {
    let running = Running::start();
    assert_eq!(running.json(&format!("[{RECORD}, {RECORD}]")).status, 201);
    let ledger = running.get("/api/ledger").value();
    let expected =
        json!({"accepted": 2, "stored": 2, "spooled": 0, "queued": 0, "lost": 0, "lost_by": {}});
    assert_eq!(ledger["sinks"], json!({ "sqlite": expected }));
    let identity = &ledger["identities"]["sinks.sqlite"];
    assert_eq!(identity["left"], 2);
    assert_eq!(identity["right"], 2);
    assert_eq!(identity["in_flight"], 0);
    assert_eq!(identity["holds"], true);
    let metrics = running.get("/metrics");
    assert!(
        metrics
            .head
            .contains("content-type: text/plain; version=0.0.4")
    );
    let has = |line: &str| assert!(metrics.body.lines().any(|found| found == line), "{line}");
    has("tapline_sink_records_total{sink=\"sqlite\",outcome=\"stored\"} 2");
    has("tapline_sink_queue_records{sink=\"sqlite\"} 0");
    has("# TYPE process_cpu_seconds_total counter");
    assert!(!metrics.body.contains("tapline_packets_total"));
}

#[test]
fn a_search_that_takes_too_long_is_given_up() {
    let bounds = Bounds {
        search_time: Duration::from_nanos(1),
        ..Bounds::default()
    };
    let running = Running::with(bounds, None, |_| ());
    assert_eq!(running.json(RECORD).status, 201);
    let answer = running.get("/api/logs");
    assert!(matches!(answer.status, 429 | 503), "{answer:?}");
    assert!(answer.head.contains("retry-after"), "{answer:?}");
}

#[test]
fn a_store_that_is_closed_takes_nothing() {
    let mut running = Running::start();
    drop(running.store.take());
    let answer = running.json(RECORD);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(
        running.get("/ready").value()["reasons"],
        json!(["store_closed"])
    );
    assert_eq!(running.get("/health").value()["state"], "degraded");
}
