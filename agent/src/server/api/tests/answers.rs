//! The answers that the dashboard is made of: their shapes, what they cover, their errors, hostile
//! values, and pages while records come.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::http::exchange::record::Outcome;

impl Running {
    /// Stores an exchange, of now.
    pub(super) fn put(&self, number: u64, change: impl FnOnce(&mut ExchangeRecord<'_>)) {
        let mut record = ExchangeRecord {
            exchange_id: Identifier::new(7, number),
            ts: Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap(),
            ..exchange()
        };
        change(&mut record);
        let body = serde_json::to_string(&record).unwrap();
        let request = format!(
            "POST /api/exchanges HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.exchange(request.as_bytes());
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    pub(super) fn value(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target} {answer:?}");
        answer.value()
    }

    /// Roll-ups are written a second behind.
    fn wait_for(&self, target: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..500 {
            let value = self.value(target);
            if is_there(&value) {
                return value;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{target} {:#}", self.value(target));
    }
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' => char::from(byte).to_string(),
        byte => format!("%{byte:02x}"),
    };
    text.bytes().map(byte).collect()
}

#[test]
fn stats_series_and_groups_tell_the_same() {
    let running = Running::start();
    for number in 1..=10 {
        running.put(number, |record| {
            record.status = Some(if number <= 2 { 404 } else { 200 });
            record.target = Some(if number % 2 == 0 { "/user/17?a=b" } else { "/" });
            record.ttfb_us = Some(number * 1000);
            record.outcome = Outcome::Complete;
        });
    }
    assert_eq!(running.json(RECORD).status, 201);
    let stats = running.value("/api/stats");
    assert_eq!(stats["total_requests"], 10, "{stats:#}");
    assert_eq!(stats["success_rate"], 80.0);
    assert_eq!(stats["error_rate"], 20.0);
    assert_eq!(stats["by_status"]["4xx"], 2);
    assert_eq!(stats["by_outcome"]["complete"], 10);
    assert_eq!(stats["avg_response_time"], 5.5);
    assert_eq!(stats["ttfb_us"]["max"], 10_000);
    assert_eq!(stats["sessions"]["opened"], 1);
    assert_eq!(stats["sessions"]["active"], Value::Null);
    assert_eq!(stats["lost"], Value::Null);
    assert_eq!(stats["covered"]["complete"], true);
    assert_eq!(stats["covered"]["source"], "rollup");
    assert_eq!(stats["covered"]["next"], Value::Null);
    let series = running.value("/api/timeseries?step=60");
    let sum = |name: &str| -> u64 {
        let values = series["series"][name].as_array().unwrap();
        values.iter().map(|value| value.as_u64().unwrap()).sum()
    };
    assert_eq!(sum("requests"), 10, "{series:#}");
    assert_eq!(sum("status_4xx"), 2);
    assert_eq!(sum("sessions_opened"), 1);
    assert_eq!(sum("packets"), 3);
    let points = series["times"].as_array().unwrap().len();
    assert_eq!(series["series"]["p99_us"].as_array().unwrap().len(), points);
    assert_eq!(
        series["cpus"]["7"]["packets"].as_array().unwrap().len(),
        points
    );
    let top = running.wait_for("/api/top?by=endpoint&sort=errors", |top| {
        top["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["requests"].as_u64().unwrap())
            .sum::<u64>()
            == 10
    });
    let values: BTreeSet<&str> = top["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["value"].as_str().unwrap())
        .collect();
    assert_eq!(values, BTreeSet::from(["GET /", "GET /user/{id}"]));
    assert_eq!(top["others"]["values"], 0);
    let endpoint = encoded("GET /user/{id}");
    let stats = running.value(&format!("/api/stats?endpoint={endpoint}"));
    assert_eq!(stats["total_requests"], 5, "{stats:#}");
    assert_eq!(stats["sessions"], Value::Null);
    let rows = running.value(&format!("/api/exchanges?endpoint={endpoint}"));
    assert_eq!(rows["exchanges"].as_array().unwrap().len(), 5);
    let slow = running.value("/api/slow?limit=3");
    let latencies: Vec<&Value> = slow["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["ttfb_us"])
        .collect();
    assert_eq!(latencies, [10_000, 9000, 8000]);
    for by in ["host", "client", "method", "status", "hour", "user_agent"] {
        let top = running.value(&format!("/api/top?by={by}&limit=1"));
        assert_eq!(top["by"], by);
        assert!(top["rows"][0]["requests"].as_u64().unwrap() > 0, "{top:#}");
    }
}

#[test]
fn nothing_is_an_answer_too() {
    let running = Running::start();
    let stats = running.value("/api/stats");
    assert_eq!(stats["total_requests"], 0);
    assert_eq!(stats["success_rate"], Value::Null);
    assert_eq!(stats["ttfb_us"], Value::Null);
    assert_eq!(running.value("/api/top")["rows"], json!([]));
    assert_eq!(running.value("/api/slow")["exchanges"], json!([]));
    let series = running.value("/api/timeseries");
    assert!(series["times"].as_array().unwrap().len() <= 361);
    assert_eq!(running.value("/api/sessions")["sessions"], json!([]));
    assert_eq!(running.value("/api/exchanges")["covered"]["complete"], true);
}

#[test]
fn wrong_values_are_refused() {
    let running = Running::start();
    for target in [
        "/api/stats?after=x",
        "/api/stats?role=proxy",
        "/api/stats?status=4x",
        "/api/stats?start_time=yesterday",
        "/api/stats?step=1",
        "/api/timeseries?step=7",
        "/api/timeseries?step=1&start_time=2026-01-01T00:00:00Z",
        "/api/top?by=target",
        "/api/top?sort=value",
        "/api/top?limit=101",
        "/api/slow?limit=21",
        "/api/exchanges?limit=1001&format=xml",
        "/api/exchanges?limit=1001",
        "/api/exchanges?format=csv&limit=1000001",
        "/api/exchanges?order=random",
        "/api/sessions?cpus=many",
        "/api/sessions?cpu=-1",
        "/api/sessions?conn_state=S9",
        "/api/exchanges/12",
        "/api/exchanges/12/around",
        "/api/sessions/x",
        "/api/exchanges/00000000000000000000000000000001?ts=x",
    ] {
        let answer = running.get(target);
        assert_eq!(answer.status, 422, "{target} {answer:?}");
        let detail = &answer.value()["detail"][0];
        assert!(
            detail["msg"].is_string() && detail["loc"].is_array(),
            "{detail}"
        );
    }
    for target in [
        "/api/exchanges/00000000000000000000000000000001",
        "/api/exchanges/00000000000000000000000000000001/around",
        "/api/sessions/00000000000000000000000000000001",
        "/api/exchanges/1/2/3",
        "/api/stats/",
    ] {
        assert_eq!(running.get(target).status, 404, "{target}");
    }
}

#[test]
fn no_filter_takes_text_for_anything_else() {
    let running = Running::start();
    running.put(1, |record| {
        record.target = Some("/a%_'\";--");
        record.user_agent = Some("100%_'\"");
    });
    running.put(2, |_| ());
    let long = "x".repeat(8000);
    for (text, found) in [
        ("%", 1),
        ("_", 1),
        ("'", 1),
        ("\"", 1),
        ("\u{0}", 0),
        ("' OR 1=1 --", 0),
        ("\u{202e}", 0),
        (long.as_str(), 0),
    ] {
        for name in ["target", "user_agent"] {
            let rows = running.value(&format!("/api/exchanges?{name}={}", encoded(text)));
            let count = rows["exchanges"].as_array().unwrap().len();
            assert_eq!(count, found, "{name} {text:.20}");
            let stats = running.value(&format!("/api/stats?{name}={}", encoded(text)));
            assert_eq!(stats["total_requests"], found, "{name} {text:.20}");
            assert_eq!(stats["covered"]["source"], "rows");
        }
        for name in ["host", "method", "endpoint"] {
            let rows = running.value(&format!("/api/exchanges?{name}={}", encoded(text)));
            assert_eq!(rows["exchanges"], json!([]), "{name} {text:.20}");
            let stats = running.value(&format!("/api/stats?{name}={}", encoded(text)));
            assert_eq!(stats["total_requests"], 0, "{name} {text:.20}");
        }
    }
}

#[test]
fn one_record_and_what_is_around_it() {
    let running = Running::start();
    for number in 1..=5 {
        running.put(number, |_| ());
    }
    let id = Identifier::new(7, 3);
    let one = running.value(&format!("/api/exchanges/{id}"));
    assert_eq!(one["exchange_id"], id.to_string());
    let ts = encoded(one["ts"].as_str().unwrap());
    assert_eq!(running.value(&format!("/api/exchanges/{id}?ts={ts}")), one);
    let around = running.value(&format!("/api/exchanges/{id}/around?limit=1&ts={ts}"));
    assert_eq!(around["exchange"], one);
    let id_of = |value: &Value| value[0]["exchange_id"].as_str().unwrap().to_owned();
    assert_eq!(id_of(&around["before"]), Identifier::new(7, 2).to_string());
    assert_eq!(id_of(&around["after"]), Identifier::new(7, 4).to_string());
    assert_eq!(running.json(RECORD).status, 201);
    let sessions = running.value("/api/sessions?order=oldest&protocol=TCP&cpu=7");
    assert_eq!(sessions["sessions"][0]["packets"], 3);
    assert_eq!(
        running.value("/api/sessions?cpus=differ")["sessions"],
        json!([])
    );
}

#[test]
fn files_are_whole_and_harmless() {
    let running = Running::start();
    let count = 2500;
    for first in (0..count).step_by(500) {
        let records: Vec<Value> = (first..first + 500)
            .map(|number| {
                let record = ExchangeRecord {
                    exchange_id: Identifier::new(7, number),
                    ts: Timestamp::from_microsecond(Timestamp::now().as_microsecond() - 1_000_000)
                        .unwrap(),
                    target: Some("/a,\"b\""),
                    user_agent: Some("=HYPERLINK(1)"),
                    ..exchange()
                };
                serde_json::to_value(record).unwrap()
            })
            .collect();
        let body = Value::from(records).to_string();
        let request = format!(
            "POST /api/exchanges HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(running.exchange(request.as_bytes()).status, 201);
    }
    let csv = running.get("/api/exchanges?format=csv");
    assert!(
        csv.head
            .contains("content-disposition: attachment; filename=\"tapline-exchanges-"),
        "{}",
        csv.head
    );
    assert!(csv.head.contains("text/csv"), "{}", csv.head);
    assert_eq!(
        csv.body.matches("\"'=HYPERLINK(1)\"").count(),
        count as usize
    );
    assert_eq!(csv.body.matches("\"/a,\"\"b\"\"\"").count(), count as usize);
    let lines = running.get("/api/exchanges?format=ndjson&order=oldest&limit=1700");
    let found: BTreeSet<String> = lines
        .body
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            record["exchange_id"].to_string()
        })
        .collect();
    assert_eq!(found.len(), 1700);
    assert!(
        lines.head.contains("application/x-ndjson"),
        "{}",
        lines.head
    );
    assert_eq!(running.json(RECORD).status, 201);
    let sessions = running.get("/api/sessions?format=csv");
    assert!(sessions.body.contains("192.168.1.7"), "{sessions:?}");
}

#[test]
fn pages_are_complete_and_without_doubles_while_records_come() {
    let running = Running::start();
    for number in 0..200 {
        running.put(number, |_| ());
    }
    let before = Timestamp::now().to_string();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1000;
            while !done.load(Ordering::Relaxed) {
                number += 1;
                running.put(number, |_| ());
            }
        });
        for order in ["newest", "oldest"] {
            let mut found = Vec::new();
            let mut after = String::new();
            loop {
                let page = running.value(&format!(
                    "/api/exchanges?order={order}&limit=7&end_time={before}{after}"
                ));
                let rows = page["exchanges"].as_array().unwrap();
                found.extend(
                    rows.iter()
                        .map(|row| row["exchange_id"].as_str().unwrap().to_owned()),
                );
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            let different: BTreeSet<&String> = found.iter().collect();
            assert_eq!((found.len(), different.len()), (200, 200), "{order}");
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_rate_is_of_the_time_in_which_something_could_be_stored() {
    let running = Running::start();
    let hour = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let target = format!("/api/stats?start_time={hour}");
    let nothing = running.value(&target);
    assert_eq!(
        (&nothing["since"], &nothing["rate"]),
        (&Value::Null, &json!(0.0))
    );
    let first = Timestamp::now() - jiff::SignedDuration::from_secs(20);
    let first = Timestamp::from_microsecond(first.as_microsecond()).unwrap();
    for number in 1..=100 {
        running.put(number, |record| {
            record.ts = first + jiff::SignedDuration::from_millis(10 * number as i64);
        });
    }
    // The same question is answered with the same answer for a second.
    let target = format!("{target}&end_time={}", Timestamp::now());
    let young = running.wait_for(&target, |stats| stats["total_requests"] == 100);
    let since: Timestamp = young["since"].as_str().unwrap().parse().unwrap();
    assert_eq!(since, first + jiff::SignedDuration::from_millis(10));
    let rate = young["rate"].as_f64().unwrap();
    assert!((2.0..=5.1).contains(&rate), "{young}");
    // Of a time that began later all of it counts.
    let from = first + jiff::SignedDuration::from_secs(1);
    let to = first + jiff::SignedDuration::from_secs(11);
    let later = running.value(&format!(
        "/api/stats?start_time={from}&end_time={to}&method=GET&port=80"
    ));
    assert_eq!(
        (&later["total_requests"], &later["rate"]),
        (&json!(1), &json!(0.1))
    );
    // What has only come makes no rate of a thousandth of a second.
    let to = since + jiff::SignedDuration::from_millis(1);
    let only = running.value(&format!(
        "/api/stats?start_time={hour}&end_time={to}&min_latency_us=1"
    ));
    assert_eq!(
        (&only["total_requests"], &only["rate"]),
        (&json!(1), &json!(1.0))
    );
}
