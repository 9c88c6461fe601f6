//! What is taken, and what is told of it.

use super::*;

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
