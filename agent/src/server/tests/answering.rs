//! Every answer that is described, given by a real server: none of them is without its form.

mod asking;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use jiff::Timestamp;

use self::asking::{Seen, filled, with};
use super::back_end::{Running, SECRET};
use crate::alerts::AlertSettings;
use crate::server::Serving;
use crate::server::api::Bounds;
use crate::server::api::description::tests::{Place, places};
use crate::server::connections::HEAD_BYTES;
use crate::server::live::STREAMS;
use crate::session::identifier::Identifier;
use crate::session::record::{SessionDetails, SessionRecord};
use crate::sink::batch::samples::{details, exchange, session};

const HOST: &str = "Host: localhost\r\n";
const JSON: &str = "Host: localhost\r\nContent-Type: application/json\r\n";
const UPGRADE: &str = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What no request brings about: metrics and alerts can always be written.
const NEVER: [(&str, u16); 2] = [("/metrics", 500), ("/api/alerts", 500)];

/// A session as other programs send it.
const SENT: &str = r#"{"protocol": "UDP", "src_ip": "fd00::7", "src_port": 1024, "dst_ip": "10.0.0.9", "dst_port": 53, "packets": 3, "bytes": 4500}"#;

fn of_a_store(seen: &mut Seen) {
    let alerts = AlertSettings {
        rules: vec![
            "busy requests_per_second above 0.01 over 10s"
                .parse()
                .unwrap(),
            "slow p99 above 10ms over 10s for 10s".parse().unwrap(),
        ],
        every: Duration::from_millis(50),
        ..AlertSettings::default()
    };
    let running = Running::serving(Serving {
        alerts,
        ..Serving::default()
    });
    let to = running.address;
    let mut record = exchange();
    record.ts = Timestamp::now();
    let exchange_id = Identifier::new(3, 1);
    record.exchange_id = exchange_id;
    let one = serde_json::to_string(&record).unwrap();
    let now = Timestamp::now();
    let own = SessionRecord {
        timestamp: now,
        details: Some(SessionDetails {
            ended_at: now,
            ..details()
        }),
        ..session()
    };
    let own = serde_json::to_string(&own).unwrap();
    let session_id = details().session_id;
    for body in [one.clone(), format!("[{one}]"), "[]".to_owned()] {
        assert_eq!(seen.ask(to, "POST", "/api/exchanges", JSON, &body), 201);
    }
    for body in [SENT.to_owned(), own.clone(), format!("[{SENT},{own}]")] {
        assert_eq!(seen.ask(to, "POST", "/api/logs", JSON, &body), 201);
    }
    crate::selftest::keep::write(running.folder.path(), &selftest()).unwrap();
    let listed = running.get("/api/logs", "").value();
    let mut targets: Vec<String> = [
        "/api/stats",
        "/api/stats?method=GET",
        "/api/stats?start_time=2020-01-01T00:00:00Z&end_time=2020-01-01T00:01:00Z",
        "/api/timeseries",
        "/api/timeseries?step=60&min_latency_us=1",
        "/api/slow?limit=1",
        "/api/exchanges?limit=1",
        "/api/exchanges?format=csv",
        "/api/exchanges?format=ndjson",
        "/api/sessions?limit=1",
        "/api/sessions?format=csv",
        "/api/sessions?format=ndjson",
        "/api/logs",
        "/ready",
        "/api/health",
        "/health",
        "/metrics",
        "/api/ledger",
        "/api/agent",
        "/api/openapi.json",
        "/api/live",
    ]
    .map(str::to_owned)
    .to_vec();
    targets.push(format!("/api/logs/{}", listed[0]["id"]));
    targets.push(format!("/api/exchanges/{exchange_id}"));
    targets.push(format!("/api/exchanges/{exchange_id}/around"));
    targets.push(format!("/api/sessions/{session_id}"));
    for by in [
        "endpoint",
        "host",
        "client",
        "user_agent",
        "method",
        "status",
    ] {
        targets.push(format!("/api/top?by={by}"));
        targets.push(format!("/api/top?by={by}&min_latency_us=1"));
    }
    for format in ["json", "text", "html", "markdown", "classic"] {
        targets.push(format!("/api/report?format={format}&lang=ko"));
    }
    for target in targets {
        assert_eq!(seen.ask(to, "GET", &target, HOST, ""), 200, "{target}");
    }
    let begun = Instant::now();
    while running.get("/api/alerts", "").value()["history"][0].is_null() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(seen.ask(to, "GET", "/api/alerts", HOST, ""), 200);
    assert_eq!(seen.send(to, "GET", "/ws/live", UPGRADE, ""), 101);
    assert_eq!(
        seen.ask(to, "POST", "/api/login", JSON, r#"{"token":""}"#),
        204
    );
    assert_eq!(seen.ask(to, "POST", "/api/logout", JSON, ""), 204);
    for (method, path) in with(404) {
        assert_eq!(
            seen.ask(to, &method, &filled(&path), HOST, ""),
            404,
            "{path}"
        );
    }
    for (method, path) in with(422) {
        let target = match path.as_str() {
            "/api/logs/{id}" => "/api/logs/x".to_owned(),
            path if method == "GET" => format!("{}?colour=red", filled(path)),
            path => path.to_owned(),
        };
        assert_eq!(seen.ask(to, &method, &target, JSON, "[{}]"), 422, "{path}");
    }
    for (method, path) in with(415) {
        assert_eq!(seen.ask(to, &method, &path, HOST, "{}"), 415, "{path}");
    }
    let streams: Vec<TcpStream> = (0..STREAMS)
        .map(|_| {
            let mut stream = TcpStream::connect(to).unwrap();
            let request = format!("GET /api/live HTTP/1.1\r\n{HOST}\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    assert_eq!(seen.ask(to, "GET", "/api/live", HOST, ""), 503);
    drop(streams);
}

fn selftest() -> crate::selftest::keep::Kept {
    crate::selftest::keep::Kept {
        version: "0.1.0".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        hooks: vec!["tc".to_owned()],
        shapes: vec!["plain".to_owned()],
        load: false,
        sent: 2,
        written: 2,
        recall: 1.0,
        precision: 1.0,
        passed: true,
    }
}

/// What every path answers to requests that are none, or not for it.
fn of_all(seen: &mut Seen) {
    let open = Running::start();
    let long = format!("{HOST}X: {}\r\n", "x".repeat(2 * HEAD_BYTES));
    let elsewhere = "Host: example.com\r\n";
    let foreign = "Host: localhost\r\nOrigin: http://example.com\r\n";
    for (status, fields) in [
        (400, ""),
        (421, elsewhere),
        (431, long.as_str()),
        (403, foreign),
    ] {
        for (method, path) in with(status) {
            // Who asks for no WebSocket is told so, wherever it comes from.
            let fields = match (status, path.as_str()) {
                (403, "/ws/live") => format!("{UPGRADE}Origin: http://example.com\r\n"),
                _ => fields.to_owned(),
            };
            let found = seen.ask(open.address, &method, &filled(&path), &fields, "");
            assert_eq!(found, status, "{method} {path}");
        }
    }
}

fn of_a_token(seen: &mut Seen) {
    let running = Running::with_token();
    let to = running.address;
    for (method, path) in with(401) {
        let body = r#"{"token": "wrong"}"#;
        assert_eq!(
            seen.ask(to, &method, &filled(&path), JSON, body),
            401,
            "{path}"
        );
    }
    let right = format!("{{\"token\": \"{SECRET}\"}}");
    assert_eq!(seen.ask(to, "POST", "/api/login", JSON, &right), 204);
    let long = format!("{{\"token\": \"{}\"}}", "x".repeat(40_000));
    assert_eq!(seen.ask(to, "POST", "/api/login", JSON, &long), 413);
    while seen.ask(to, "POST", "/api/login", JSON, r#"{"token": "wrong"}"#) != 429 {}
}

fn of_a_capture(seen: &mut Seen) {
    let running = super::Running::start(1, &["eth0"]);
    let to = running.address;
    let own = [
        "/metrics",
        "/health",
        "/api/ledger",
        "/api/agent",
        "/api/live",
        "/ready",
    ];
    for target in own {
        assert_eq!(seen.ask(to, "GET", target, HOST, ""), 200, "{target}");
    }
    for (method, path) in with(503).filter(|(_, path)| !own.contains(&path.as_str())) {
        let fields = match path.as_str() {
            "/ws/live" => UPGRADE,
            _ => JSON,
        };
        let found = seen.ask(to, &method, &filled(&path), fields, SENT);
        assert_eq!(found, 503, "{method} {path}");
    }
    // The capture is ending: nobody answers any more.
    let (_stop, router) = super::router_of_an_ended_capture();
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    for path in ["/metrics", "/health", "/api/ledger", "/api/agent"] {
        assert_eq!(seen.call(&router, get(path)), 503, "{path}");
    }
    // No connection is before it that could become another, or that anybody is at the other end of.
    let mut upgrade = get("/ws/live");
    for field in UPGRADE.lines() {
        let (name, value) = field.split_once(": ").unwrap();
        let name: axum::http::HeaderName = name.parse().unwrap();
        upgrade.headers_mut().insert(name, value.parse().unwrap());
    }
    assert_eq!(seen.call(&router, upgrade), 426);
    let login = Request::post("/api/login")
        .header("content-type", "application/json")
        .body(Body::from("{\"token\": \"x\"}"))
        .unwrap();
    assert_eq!(seen.call(&router, login), 500);
}

fn of_bounds(seen: &mut Seen) {
    let bounds = Bounds {
        body_bytes: 64,
        body_time: Duration::from_millis(100),
        search_time: Duration::from_millis(10),
        searches: 0,
        ..Bounds::default()
    };
    let mut running = Running::bounded(Serving::default(), bounds);
    let to = running.address;
    let is_login = |path: &str| path == "/api/login";
    for (method, path) in with(429).filter(|(_, path)| !is_login(path)) {
        if method == "GET" {
            assert_eq!(
                seen.ask(to, &method, &filled(&path), HOST, ""),
                429,
                "{path}"
            );
        }
    }
    for path in ["/api/logs", "/api/exchanges"] {
        assert_eq!(seen.ask(to, "POST", path, JSON, &" ".repeat(65)), 413);
        let fields = format!("{JSON}Content-Length: 5\r\n");
        assert_eq!(seen.send(to, "POST", path, &fields, "{"), 408);
    }
    running.close_store();
    assert_eq!(seen.ask(to, "GET", "/ready", HOST, ""), 503);
    let full = Running::bounded(
        Serving::default(),
        Bounds {
            all_bodies_bytes: 1,
            ..Bounds::default()
        },
    );
    for path in ["/api/logs", "/api/exchanges"] {
        assert_eq!(seen.ask(full.address, "POST", path, JSON, SENT), 429);
    }
}

/// Files that are no databases.
fn of_a_broken_store(seen: &mut Seen) {
    let mut whole = Running::start();
    whole.store(&[exchange()]);
    let now = [crate::http::exchange::record::ExchangeRecord {
        ts: Timestamp::now(),
        ..exchange()
    }];
    whole.store(&now);
    let running = Running::start();
    for entry in std::fs::read_dir(whole.folder.path()).unwrap() {
        let name = entry.unwrap().file_name();
        if name.to_string_lossy().ends_with(".db") {
            std::fs::write(
                running.folder.path().join(name),
                "no database ".repeat(1_000),
            )
            .unwrap();
        }
    }
    for (method, path) in with(500).filter(|(_, path)| path != "/api/login") {
        if method == "GET" && !NEVER.contains(&(path.as_str(), 500)) {
            let found = seen.ask(running.address, &method, &filled(&path), HOST, "");
            assert_eq!(found, 500, "{path}");
        }
    }
    // A writer that does not answer in time.
    let late = Bounds {
        write_time: Duration::ZERO,
        ..Bounds::default()
    };
    let late = Running::bounded(Serving::default(), late);
    let record = serde_json::to_string(&now[0]).unwrap();
    for (path, record) in [("/api/logs", SENT), ("/api/exchanges", &record)] {
        let found = seen.ask(late.address, "POST", path, JSON, record);
        assert_eq!(found, 500, "{path}");
    }
}

#[test]
fn every_answer_that_is_described_is_given() {
    let slow = thread::spawn(|| {
        let mut seen = Seen::default();
        let running = Running::start();
        let fields = format!("{JSON}Content-Length: 5\r\n");
        let status = seen.send(running.address, "POST", "/api/login", &fields, "{");
        assert_eq!(status, 408);
        seen
    });
    let mut seen = Seen::default();
    of_a_store(&mut seen);
    of_all(&mut seen);
    of_a_token(&mut seen);
    of_a_capture(&mut seen);
    of_bounds(&mut seen);
    of_a_broken_store(&mut seen);
    seen.0.extend(slow.join().unwrap().0);
    let missing: Vec<Place> = places()
        .difference(&seen.0)
        .filter(|place| !NEVER.contains(&(place.1.as_str(), place.2)))
        .cloned()
        .collect();
    assert_eq!(missing, Vec::<Place>::new());
}
