//! `/api/live` and `/api/agent` over real connections.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::back_end::Running;
use crate::http::exchange::record::{ExchangeRecord, Outcome};
use crate::server::api::description::tests::check_event;
use crate::server::live::STREAMS;
use crate::session::identifier::Identifier;
use crate::sink::batch::samples::exchange;

/// A stream of events.
struct Events {
    lines: BufReader<TcpStream>,
    status: u16,
}

impl Events {
    fn open(running: &Running) -> Self {
        let mut stream = running.connect();
        stream
            .write_all(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let status = line[9..12].parse().unwrap();
        while line.trim() != "" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        Self { lines, status }
    }

    /// The name and the data of the next event; `None`: there is none any more.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("event: ") {
                name = Some(text.to_owned());
            } else if let Some(text) = line.strip_prefix("data: ") {
                let (name, data) = (name?, serde_json::from_str(text).unwrap());
                check_event(&name, &data);
                return Some((name, data));
            }
        }
    }

    fn tick(&mut self) -> Value {
        let (name, data) = self.next().unwrap();
        assert_eq!(name, "tick");
        data
    }
}

/// Exchanges of now: so many with each status, one of them without.
fn exchanges() -> Vec<ExchangeRecord<'static>> {
    let statuses = [Some(200), Some(200), Some(404), Some(503), None];
    let records = statuses
        .iter()
        .zip(0..)
        .map(|(status, number)| ExchangeRecord {
            exchange_id: Identifier::new(9, number),
            ts: Timestamp::now(),
            status: *status,
            outcome: match status {
                Some(_) => Outcome::Complete,
                None => Outcome::Unanswered,
            },
            ttfb_us: status.map(|_| 1_000),
            target: Some("/<script>alert(1)</script>"),
            ..exchange()
        });
    records.collect()
}

#[test]
fn each_second_brings_what_is_stored() {
    let mut running = Running::start();
    let mut events = Events::open(&running);
    assert_eq!(events.status, 200);
    let first = events.tick();
    assert_eq!(first["minute"]["requests"], 0);
    assert_eq!(first["minute"]["error_rate"], Value::Null);
    running.store(&exchanges());
    let begun = Instant::now();
    let tick = loop {
        let tick = events.tick();
        if tick["minute"]["requests"] == 5 {
            break tick;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "{tick}");
    };
    let minute = &tick["minute"];
    let statuses = json!({"1xx": 0, "2xx": 2, "3xx": 0, "4xx": 1, "5xx": 1, "other": 0});
    assert_eq!(minute["status"], statuses);
    assert_eq!(minute["errors"], 2);
    assert_eq!(minute["success_rate"], 50.0);
    assert_eq!(minute["error_rate"], 50.0);
    assert_eq!(minute["rate"], 0.08);
    assert_eq!(minute["mean_us"], 1_000);
    for percentile in ["p50_us", "p95_us", "p99_us"] {
        let value = minute[percentile].as_u64().unwrap();
        assert!((960..1_024).contains(&value), "{value}");
    }
    let recent = tick["recent"].as_array().unwrap();
    assert_eq!(recent.len(), 5);
    assert_eq!(recent[0]["target"], "/<script>alert(1)</script>");
    assert_eq!(tick["lost"], 0);
    assert_eq!(tick["active_sessions"], Value::Null);
    assert_eq!(tick["cpus"], json!([]));
    // A tick a second, each of another one.
    let times: Vec<i64> = (0..3)
        .map(|_| events.tick()["second"]["time_s"].as_i64().unwrap())
        .collect();
    assert!(
        times.windows(2).all(|two| two[1] == two[0] + 1),
        "{times:?}"
    );
}

#[test]
fn all_see_the_same_and_one_more_than_may_is_refused() {
    let running = Running::start();
    let mut streams: Vec<Events> = (0..STREAMS).map(|_| Events::open(&running)).collect();
    let agent = running.get("/api/agent", "").value();
    assert_eq!(agent["viewers"]["sse"], STREAMS);
    let refused = running.get("/api/live", "");
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("200"), "{}", refused.body);
    assert_eq!(refused.field("retry-after"), Some("1"));
    // Two ticks of each: the second ones are of one second, or of two.
    let seen: Vec<String> = streams
        .iter_mut()
        .map(|stream| {
            stream.tick();
            stream.tick()["now"].to_string()
        })
        .collect();
    let mut different = seen;
    different.sort();
    different.dedup();
    assert!(different.len() <= 3, "{different:?}");
    // Whoever goes makes room.
    streams.truncate(STREAMS / 2);
    let begun = Instant::now();
    while Events::open(&running).status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn streams_end_with_a_word_when_the_server_stops() {
    let mut running = Running::start();
    let mut streams: Vec<Events> = (0..20).map(|_| Events::open(&running)).collect();
    for stream in &mut streams {
        stream.tick();
    }
    // One that never reads does not hold it up.
    let _silent = Events::open(&running);
    let took = running.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    for stream in &mut streams {
        let last = std::iter::from_fn(|| stream.next()).last().unwrap();
        assert_eq!(last, ("bye".to_owned(), json!({})));
        let mut rest = Vec::new();
        assert_eq!(stream.lines.read_to_end(&mut rest).unwrap(), 0);
    }
}

#[test]
fn the_agent_says_what_it_is() {
    let mut running = Running::start();
    running.store(&exchanges());
    let agent = running.get("/api/agent", "").value();
    assert_eq!(agent["mode"], "serve");
    assert_eq!(agent["version"], env!("CARGO_PKG_VERSION"));
    assert!(!agent["hostname"].as_str().unwrap().is_empty());
    assert_eq!(agent["cpus"], json!([]));
    assert_eq!(agent["programs"], Value::Null);
    assert_eq!(agent["interfaces"], json!([]));
    assert!(agent["process"]["resident_bytes"].as_u64().unwrap() > 1 << 20);
    assert!(agent["process"]["threads"].as_u64().unwrap() > 1);
    let [sink] = agent["sinks"].as_array().unwrap().as_slice() else {
        panic!("{agent}");
    };
    assert_eq!(
        (&sink["name"], &sink["stored"], &sink["lost"]),
        (&json!("sqlite"), &json!(5), &json!(0))
    );
    assert_eq!(agent["health"]["state"], "healthy");
    assert_eq!(
        agent["viewers"],
        json!({"sse": 0, "websocket": 0, "stalled": 0})
    );
    let started: Timestamp = agent["started"].as_str().unwrap().parse().unwrap();
    let now: Timestamp = agent["now"].as_str().unwrap().parse().unwrap();
    assert!(started <= now);
}
