//! Exchanges are taken as sessions are.

use super::*;

/// An exchange as Tapline sends it, of now.
fn record(number: u64) -> Value {
    let record = ExchangeRecord {
        exchange_id: Identifier::new(7, number),
        ts: Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap(),
        ..exchange()
    };
    serde_json::to_value(record).unwrap()
}

impl Running {
    fn post_exchanges(&self, fields: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "POST /api/exchanges HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{fields}\r\n"
        );
        self.exchange(&[head.as_bytes(), body].concat())
    }

    fn exchanges_of(&self, value: &Value) -> Answer {
        let json = "Content-Type: application/json\r\n";
        self.post_exchanges(json, value.to_string().as_bytes())
    }

    fn all_exchanges(&self) -> Vec<Value> {
        let answer = self.get("/api/exchanges?limit=1000");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.value()["exchanges"].as_array().unwrap().clone()
    }
}

#[test]
fn one_is_answered_whole_and_found() {
    let running = Running::start();
    let mut sent = record(1);
    sent["headers"] = json!({"X-Request-Id": "a\u{1}\"", "Forwarded": ""});
    sent["interim_status"] = json!(103);
    sent["partial"] = json!(true);
    sent["something"] = json!("else");
    let answer = running.exchanges_of(&sent);
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut stored = answer.value();
    assert!(stored["id"].as_i64().unwrap() > 0);
    stored.as_object_mut().unwrap().remove("id");
    sent.as_object_mut().unwrap().remove("something");
    assert_eq!(stored, sent);
    assert_eq!(running.all_exchanges(), [sent]);
    assert!(running.all().is_empty());
}

#[test]
fn arrays_and_lines_plain_and_packed_are_stored_once() {
    let running = Running::start();
    let records: Vec<Value> = (1..=5).map(record).collect();
    let array = Value::from(records.clone()).to_string();
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let mut keys = None;
    for (fields, body) in [
        (
            "Content-Type: application/json\r\n",
            array.clone().into_bytes(),
        ),
        (
            "Content-Type: application/x-ndjson\r\n",
            lines.clone().into_bytes(),
        ),
        (
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            gzip(array.as_bytes()),
        ),
        (
            "Content-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\n",
            gzip(lines.as_bytes()),
        ),
    ] {
        let answer = running.post_exchanges(fields, &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        let told = answer.value();
        assert_eq!(told["count"], 5);
        // The same again has the same keys.
        let keys = keys.get_or_insert_with(|| told["ids"].clone());
        assert_eq!(told["ids"], *keys);
    }
    let stored = running.all_exchanges();
    assert_eq!(stored.len(), 5, "{stored:?}");
    let found: std::collections::BTreeSet<String> = stored
        .iter()
        .map(|record| record["exchange_id"].to_string())
        .collect();
    assert_eq!(found.len(), 5);
}

#[test]
fn each_wrong_value_is_named_and_nothing_is_stored() {
    let running = Running::start();
    let check = |field: &str, value: Value, kind: &str| {
        let mut wrong = record(2);
        wrong[field] = value;
        if wrong[field] == "absent" {
            wrong.as_object_mut().unwrap().remove(field);
        }
        let answer = running.exchanges_of(&json!([record(1), wrong]));
        assert_eq!(answer.status, 422, "{answer:?}");
        let detail = &answer.value()["detail"];
        assert_eq!(detail.as_array().unwrap().len(), 1, "{detail}");
        assert_eq!(detail[0]["loc"], json!(["body", 1, field]), "{detail}");
        assert_eq!(detail[0]["type"], kind, "{detail}");
    };
    for needed in [
        "exchange_id",
        "ts",
        "role",
        "outcome",
        "src_ip",
        "src_port",
        "dst_ip",
        "dst_port",
        "version",
        "cpu_id",
    ] {
        check(needed, "absent".into(), "missing");
    }
    check("exchange_id", "12".into(), "identifier");
    check("session_id", 12.into(), "string_type");
    check("ts", "yesterday".into(), "datetime_parsing");
    check("ts", "2200-01-01T00:00:00Z".into(), "datetime_future");
    check("role", "proxy".into(), "enum");
    check("outcome", "".into(), "enum");
    check("src_ip", "10.0.0".into(), "ip_any_address");
    check("dst_port", 65_536.into(), "less_than_equal");
    check("status", 1000.into(), "less_than_equal");
    check("interim_status", (-1).into(), "greater_than_equal");
    check("ttfb_us", 1.5.into(), "int_type");
    check("response_bytes", u64::MAX.into(), "less_than_equal");
    check("method", "GET\n".into(), "string_pattern_mismatch");
    check("target", "/\u{0}".into(), "string_pattern_mismatch");
    check("host", "x".repeat(70_000).into(), "string_pattern_mismatch");
    check("user_agent", json!(["curl"]), "string_type");
    check("headers", json!([1]), "dict_type");
    check("headers", json!({"X": 1}), "dict_type");
    check("headers", json!({"X": "x".repeat(70_000)}), "dict_type");
    check("partial", "yes".into(), "bool_type");
    check("reply_cpu_id", (1_u64 << 32).into(), "less_than_equal");
    let answer = running.exchanges_of(&json!([1]));
    assert_eq!(answer.value()["detail"][0]["type"], "model_type");
    // A session is none.
    let answer = running.exchanges_of(&serde_json::from_str(RECORD).unwrap());
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(running.all_exchanges().is_empty());
}

#[test]
fn requests_are_counted_by_what_became_of_them() {
    let running = Running::with(
        Bounds {
            body_bytes: 4096,
            ..Bounds::default()
        },
        None,
        |_| (),
    );
    let typed = "Content-Type: application/json\r\n";
    for (expected, answer) in [
        (201, running.exchanges_of(&record(1))),
        (201, running.json(RECORD)),
        (422, running.json("{}")),
        (422, running.exchanges_of(&json!([{}]))),
        (413, running.post(typed, &[b' '; 5000])),
        (413, running.post_exchanges(typed, &[b' '; 5000])),
        (415, running.post("", b"{}")),
        (
            400,
            running.post(&format!("{typed}Content-Encoding: gzip\r\n"), b"{}"),
        ),
    ] {
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    // Whoever goes away is counted too.
    let mut stream = running.connect();
    stream
        .write_all(b"POST /api/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
        .unwrap();
    let ledger = |wanted: fn(&Value) -> bool| {
        for _ in 0..500 {
            let ledger = running.get("/api/ledger").value();
            assert_eq!(ledger["identities"]["api"]["holds"], true, "{ledger:#}");
            if wanted(&ledger) {
                return ledger;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{:#}", running.get("/api/ledger").value());
    };
    let open = ledger(|ledger| ledger["api"]["requests"] == 9);
    assert_eq!(open["identities"]["api"]["in_flight"], 1, "{open:#}");
    drop(stream);
    let closed = ledger(|ledger| ledger["identities"]["api"]["in_flight"] == 0);
    let refused: u64 = closed["api"]["refused"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(closed["api"]["taken"], 2);
    assert_eq!(closed["api"]["refused"]["422"], 2);
    assert_eq!(closed["api"]["refused"]["413"], 2);
    assert_eq!(closed["api"]["refused"]["415"], 1);
    assert_eq!(refused + closed["api"]["abandoned"].as_u64().unwrap(), 7);
    let metrics = running.get("/metrics").body;
    for line in [
        "tapline_api_requests_total{outcome=\"taken\"} 2",
        "tapline_api_requests_total{outcome=\"413\"} 2",
        "tapline_api_requests_total{outcome=\"422\"} 2",
        "tapline_api_requests_total{outcome=\"429\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
}
