//! What is asked for, and shown.

use super::*;

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
            let number = "0".repeat(32);
            let path = route.path.replace("{exchange_id}", &number);
            let path = path.replace("{session_id}", &number);
            let answer = running.get(&format!("{path}?{name}=%01"));
            assert!(
                matches!(answer.status, 200 | 404 | 422),
                "{name} {answer:?}"
            );
            assert!(!answer.body.contains("no such parameter"), "{answer:?}");
        }
    }
    let answer = running.get("/api/openapi.json");
    assert_eq!(answer.value()["openapi"], "3.1.0");
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
