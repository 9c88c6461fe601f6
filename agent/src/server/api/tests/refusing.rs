//! What is refused, and how.

use super::*;

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
        "/index.html",
        "/api",
        "/api/logs/",
        "/api/logs/1/2",
        "/metrics/",
        "/api/nothing",
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
        ("DELETE", "/api/exchanges"),
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
