//! What must be searched for: in parts that are all so far, the same for all who ask, and of any range.

use jiff::SignedDuration;

use super::*;

#[test]
fn what_takes_long_is_answered_in_part() {
    let bounds = Bounds {
        look_time: Duration::ZERO,
        ..Bounds::default()
    };
    let running = Running::with(bounds, None, |_| ());
    for number in 0..20 {
        running.put(number, |record| {
            record.ts = Timestamp::from_microsecond(
                Timestamp::now().as_microsecond() - number as i64 * 20_000_000,
            )
            .unwrap();
        });
    }
    let mut total = 0;
    let mut parts = 0;
    let mut after = String::new();
    let to = loop {
        let stats = running.value(&format!("/api/stats?target=/{after}"));
        let found = stats["total_requests"].as_u64().unwrap();
        assert!(found >= total, "what was found stays: {stats:#}");
        total = found;
        parts += 1;
        let covered = &stats["covered"];
        assert_eq!(covered["complete"], covered["next"].is_null());
        match covered["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break covered["to"].clone(),
        }
    };
    assert_eq!(total, 20);
    assert!(parts > 5, "{parts}");
    let from = after;
    // Whoever asks the same from the same place is given the same part.
    let end = Timestamp::now();
    let start = end - SignedDuration::from_hours(1);
    let covered = |path: &str, after: &str| {
        let target = format!("/api/{path}target=/&start_time={start}&end_time={end}{after}");
        running.value(&target)["covered"].clone()
    };
    let paths = ["stats?", "top?by=host&", "slow?", "timeseries?step=60&"];
    let mut after = String::new();
    for _ in 0..3 {
        let part = covered(paths[0], &after);
        assert_eq!(part["complete"], false, "{part:#}");
        for path in paths {
            assert_eq!(covered(path, &after), part, "{path}");
        }
        after = format!("&after={}", part["next"].as_str().unwrap());
    }
    // All views of the same search are about the same rows; each is there at once.
    let sum = |rows: &Value, name: &str| -> u64 {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row[name].as_u64().unwrap()).sum()
    };
    for by in [
        "host",
        "client",
        "method",
        "status",
        "hour",
        "endpoint",
        "user_agent",
    ] {
        let top = running.value(&format!("/api/top?by={by}&target=/{from}"));
        assert_eq!(top["covered"]["complete"], true, "{top:#}");
        assert_eq!(top["covered"]["to"], to);
        assert_eq!(sum(&top["rows"], "requests"), 20, "{top:#}");
    }
    let series = running.value(&format!("/api/timeseries?step=60&target=/{from}"));
    assert_eq!(series["covered"]["to"], to);
    let requests = series["series"]["requests"].as_array().unwrap().iter();
    assert_eq!(
        requests.map(|count| count.as_u64().unwrap()).sum::<u64>(),
        20
    );
    let slow = running.value(&format!("/api/slow?target=/{from}"));
    assert_eq!(slow["covered"]["complete"], true);
    // A cursor says of what time it is; another filter with it is another search.
    let other = running.value(&format!("/api/stats?target=/nowhere{from}"));
    assert_eq!(other["covered"]["to"], to);
    assert_eq!(other["total_requests"], 0);
    assert_eq!(running.get("/api/stats?after=5.7").status, 422);
    // One that is not found in time says so, and where to go on, until all was looked through.
    let look = |identifier: Identifier| {
        let mut after = String::new();
        for asked in 1.. {
            let answer = running.get(&format!("/api/exchanges/{identifier}{after}"));
            if answer.status != 503 {
                return (answer.status, asked);
            }
            let next = answer.value()["next"].as_str().unwrap().to_owned();
            assert!(answer.body.contains("next as after"), "{answer:?}");
            after = format!("?after={next}");
        }
        unreachable!()
    };
    let (status, asked) = look(Identifier::new(1, 1));
    assert!(status == 404 && asked > 5, "{status} {asked}");
    // Those of a run are found by their number.
    assert_eq!(look(Identifier::new(7, 19)).0, 200);
}

#[test]
fn a_list_that_is_found_in_parts_is_the_list_of_all() {
    let bounds = Bounds {
        look_time: Duration::ZERO,
        ..Bounds::default()
    };
    let running = Running::with(bounds, None, |_| ());
    // In each stretch another host is the first; over all of them the one that never is.
    for number in 0..60_u64 {
        let name: &str = Box::leak(format!("often{}", number / 3).into());
        running.put(number, |record| {
            record.ts = Timestamp::from_microsecond(
                Timestamp::now().as_microsecond() - (number / 3) as i64 * 20_000_000,
            )
            .unwrap();
            record.host = Some(if number % 3 == 0 { "steady" } else { name });
            record.ttfb_us = Some(1000 + number * 10);
        });
    }
    let mut after = String::new();
    let last = loop {
        let top = running.value(&format!("/api/top?by=host&limit=1&target=/{after}"));
        match top["covered"]["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break top,
        }
    };
    assert_eq!(last["rows"][0]["value"], "steady", "{last:#}");
    assert_eq!(last["rows"][0]["requests"], 20);
    assert_eq!(last["rows"][0]["max_us"], 1570);
    assert!(last["rows"][0]["p99_us"].as_u64().unwrap() >= 1500);
    assert_eq!(last["others"]["requests"], 40);
}

#[test]
fn a_range_of_all_times_is_answered_at_once() {
    let running = Running::start();
    running.put(1, |_| ());
    for path in [
        "stats?",
        "stats?target=/&",
        "top?by=hour&",
        "top?by=hour&target=/&",
        "slow?",
        "report?format=json&",
    ] {
        let start = Instant::now();
        running.value(&format!("/api/{path}start_time=0001-01-01T00:00:00Z"));
        assert!(start.elapsed() < Duration::from_secs(5), "{path}");
    }
}
