//! The sink of the HTTP API against the program's own back end, `tapline serve`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/records.rs"]
mod records;
#[path = "support/serve.rs"]
mod serve;

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serve::Serve;
use tapline::http::exchange::record::{ExchangeRecord, Outcome, Role};
use tapline::session::identifier::Identifier;
use tapline::session::record::{SessionDetails, SessionRecord};
use tapline::sink::api::{ApiSettings, ApiSink, Target};
use tapline::sink::fan_out::FanOut;
use tapline::sink::spool::SpoolSettings;
use tapline::store::{ExchangeFilter, Order, SessionFilter, Store};

fn session(number: u64, revision: u32, start: i64) -> SessionRecord<'static> {
    let time = Timestamp::from_microsecond(start + number as i64).unwrap();
    let session = records::session(number, time);
    SessionRecord {
        packets: u64::from(revision),
        details: session.details.map(|details| SessionDetails {
            revision,
            interim: revision == 1,
            packets_out: u64::from(revision),
            ..details
        }),
        ..session
    }
}

fn exchange(number: u64, start: i64) -> ExchangeRecord<'static> {
    ExchangeRecord {
        exchange_id: Identifier::new(2, number),
        session_id: Some(Identifier::new(1, number)),
        ts: Timestamp::from_microsecond(start + number as i64 / 2).unwrap(),
        role: Role::Client,
        outcome: Outcome::Complete,
        src_ip: "192.0.2.1".parse().unwrap(),
        src_port: 40_000,
        dst_ip: "2001:db8::2".parse().unwrap(),
        dst_port: 80,
        method: Some("GET"),
        target: Some("/a?token=REDACTED"),
        version: "HTTP/1.1",
        host: Some("\\x01example"),
        user_agent: None,
        referer: Some(""),
        status: Some(200),
        content_type: Some("text/plain"),
        ttfb_us: Some(number),
        total_us: Some(number + 1),
        request_bytes: Some(100),
        response_bytes: None,
        interim_status: Some(103),
        traceparent: None,
        headers: Some(serde_json::from_str(r#"{"X-Request-Id":"a \"b\""}"#).unwrap()),
        partial: number.is_multiple_of(2),
        cpu_id: 1,
        reply_cpu_id: Some(0),
    }
}

/// A sink that sends to it.
fn sink(serve: &Serve, spool: &Path) -> ApiSink {
    let address = &serve.address;
    let target = Target::new(&format!("http://{address}/api"), None, None).unwrap();
    let settings = ApiSettings {
        exchanges: true,
        spool: SpoolSettings {
            directory: spool.to_owned(),
            bytes: 64 << 20,
        },
        ..ApiSettings::new(target)
    };
    ApiSink::start(settings).unwrap()
}

/// Pushes records and waits until so many are stored.
fn send(serve: &Serve, spool: &Path, count: u64, push: impl FnOnce(&mut FanOut)) {
    let sink = sink(serve, spool);
    let handle = sink.handle();
    let mut records = FanOut::new(vec![Box::new(sink)]);
    push(&mut records);
    records.flush();
    let begun = Instant::now();
    while handle.counts().stored < count {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{:?} {} {}",
            handle.counts(),
            serve.said(),
            serve.get("/api/ledger", 200)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let counts = records.close()[0].1;
    assert_eq!((counts.accepted, counts.stored), (count, count));
}

#[test]
fn what_is_sent_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, spool) = (folder.path().join("data"), folder.path().join("spool"));
    let serve = Serve::start(&data);
    let start = Timestamp::now().as_microsecond() - 1_000_000;
    // The same again, as after an answer that was lost, and later revisions.
    for (revision, count) in [(1, 3000), (1, 3000), (2, 1000)] {
        send(&serve, &spool, count, |records| {
            for number in 0..count {
                records.push_session(&session(number, revision, start));
            }
        });
    }
    let store = Store::open(&data).unwrap();
    let rows = store.sessions(&SessionFilter::default(), Order::Oldest, None, 1 << 20);
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 3000);
}

#[test]
fn exchanges_are_stored_once_and_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (data, spool) = (folder.path().join("data"), folder.path().join("spool"));
    let serve = Serve::start(&data);
    let start = Timestamp::now().as_microsecond() - 1_000_000;
    for count in [2000, 3000] {
        // Sessions and exchanges together.
        send(&serve, &spool, count + 100, |records| {
            for number in 0..count {
                records.push_exchange(&exchange(number, start));
            }
            for number in 0..100 {
                records.push_session(&session(number, 1, start));
            }
        });
    }
    let store = Store::open(&data).unwrap();
    let page = store.exchanges(&ExchangeFilter::default(), Order::Oldest, None, 1 << 20);
    let page = page.unwrap();
    let value = |record: ExchangeRecord<'_>| serde_json::to_value(record).unwrap();
    let mut stored: Vec<_> = page.exchanges().map(value).collect();
    stored.sort_by_key(|record| record["ttfb_us"].as_u64());
    let expected: Vec<_> = (0..3000)
        .map(|number| value(exchange(number, start)))
        .collect();
    assert_eq!(stored.len(), expected.len());
    assert!(stored == expected, "{:#} {:#}", stored[0], expected[0]);
    // As the API shows it.
    let shown = serve.get("/api/exchanges?limit=1", 200);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["exchanges"][0]["headers"]["X-Request-Id"], "a \"b\"");
    let one = value(exchange(1, start)).to_string();
    serve.post("/api/exchanges", &one, 201);
    assert!(!serve.said().contains("WARN"), "{}", serve.said());
}
