//! What is counted, against what is counted by hand and without bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::analysis::format::Event;
use crate::analysis::report::Report;

const NOW: i64 = 1_800_000_000;

/// A request of traffic that is always the same.
struct One {
    second: i64,
    client: String,
    target: String,
    status: u16,
    bytes: u64,
    latency_us: u64,
}

fn traffic(many: u64) -> Vec<One> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    (0..many)
        .map(|number| One {
            second: NOW - 100_000 + (number / 20) as i64,
            client: format!("10.0.{}.{}", random(20), random(250)),
            target: match random(4) {
                0 => "/".to_owned(),
                1 => format!("/user/{}?page={}", random(1000), random(9)),
                2 => format!("/product/{}", random(50)),
                _ => "/api/orders".to_owned(),
            },
            status: [200, 200, 200, 201, 301, 404, 401, 500][random(8) as usize],
            bytes: random(10_000),
            latency_us: random(1000) * random(1000) * random(50),
        })
        .collect()
}

fn add(statistics: &mut Statistics, one: &One) {
    statistics.add(&Entry {
        time_us: Some(one.second * 1_000_000),
        client: one.client.as_bytes(),
        method: b"GET",
        target: one.target.as_bytes(),
        user_agent: b"curl/8",
        status: Some(one.status),
        bytes: Some(one.bytes),
        latency_us: Some(one.latency_us),
        ..Entry::default()
    });
}

fn counted(all: &[One]) -> Report {
    let mut statistics = Statistics::new(NOW);
    all.iter().for_each(|one| add(&mut statistics, one));
    statistics.report(1_000_000)
}

#[test]
fn counts_are_those_of_a_simple_count() {
    let all = traffic(60_000);
    let report = counted(&all);
    let mut clients: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut statuses: BTreeMap<u16, u64> = BTreeMap::new();
    let mut paths: BTreeMap<&str, u64> = BTreeMap::new();
    for one in &all {
        let client = clients.entry(&one.client).or_default();
        client.0 += 1;
        client.1 += one.bytes;
        *statuses.entry(one.status).or_default() += 1;
        let path = one.target.split('?').next().unwrap();
        *paths.entry(path).or_default() += 1;
    }
    assert_eq!(report.totals.requests, all.len() as u64);
    assert_eq!(report.totals.clients, clients.len() as u64);
    assert_eq!(report.clients.rows.len(), clients.len());
    for row in &report.clients.rows {
        assert_eq!(clients[&*row.client], (row.requests, row.counts.bytes));
    }
    let found: BTreeMap<u16, u64> = report
        .statuses
        .iter()
        .map(|row| (row.status, row.requests))
        .collect();
    assert_eq!(found, statuses);
    assert_eq!(report.paths.rows.len(), paths.len());
    for row in &report.paths.rows {
        assert_eq!(paths[&*row.path], row.requests);
    }
    for sum in [
        report
            .hours_of_day
            .iter()
            .map(|row| row.requests)
            .sum::<u64>(),
        report.hours.iter().map(|row| row.period.requests).sum(),
        report.minutes.iter().map(|row| row.requests).sum(),
        report.endpoints.rows.iter().map(|row| row.requests).sum(),
        report.agents.rows.iter().map(|row| row.requests).sum(),
        report.methods.rows.iter().map(|row| row.requests).sum(),
        report
            .windows
            .steps
            .iter()
            .map(|step| step.period.requests)
            .sum(),
    ] {
        assert_eq!(sum, all.len() as u64);
    }
    let names: BTreeSet<&str> = report
        .endpoints
        .rows
        .iter()
        .map(|row| row.template.as_str())
        .collect();
    let expected = ["/", "/api/orders", "/product/{id}", "/user/{id}"];
    assert_eq!(names, expected.into());
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

/// Whoever watches a log sees at every look what one look at the end would show.
#[test]
fn reports_on_the_way_change_nothing() {
    let word = |number: u64| -> String {
        let letter = |place: u32| char::from(b'a' + (number / 7_u64.pow(place) % 7) as u8);
        (0..4).map(letter).collect()
    };
    let mut all = traffic(20_000);
    for (number, one) in (0..).zip(&mut all) {
        one.target = match number % 10 {
            0 => format!("/blog/{}", word(number / 10)),
            1..=4 => "/blog/first".to_owned(),
            5..=7 => "/blog/second".to_owned(),
            _ => "/blog/third".to_owned(),
        };
    }
    let mut watched = Statistics::new(NOW);
    for part in all.chunks(1000) {
        part.iter().for_each(|one| add(&mut watched, one));
        for _ in 0..3 {
            drop(watched.report_so_far(100));
        }
    }
    let endpoints = |report: Report| -> Vec<(String, u64)> {
        let rows = report.endpoints.rows.into_iter();
        let mut rows: Vec<_> = rows.map(|row| (row.template, row.requests)).collect();
        rows.sort();
        rows
    };
    let expected = endpoints(counted(&all));
    assert_eq!(expected.len(), 4, "{expected:?}");
    assert_eq!(endpoints(watched.report_so_far(100)), expected);
    assert_eq!(endpoints(watched.report(100)), expected);
}

#[test]
fn percentiles_are_within_a_percent() {
    let all = traffic(60_000);
    let report = counted(&all);
    let check = |name: &str, found: &crate::analysis::report::Latency, mut values: Vec<u64>| {
        values.sort_unstable();
        let exact = |share: f64| values[((share * values.len() as f64).ceil() as usize).max(1) - 1];
        for (share, found) in [
            (0.5, found.p50_us),
            (0.9, found.p90_us),
            (0.95, found.p95_us),
            (0.99, found.p99_us),
        ] {
            let exact = exact(share) as f64;
            assert!(
                (found as f64 - exact).abs() <= exact * 0.01,
                "{name} {share}"
            );
        }
        assert_eq!(found.max_us, *values.last().unwrap());
        let mean = values.iter().sum::<u64>() as f64 / values.len() as f64;
        assert!((found.mean_us - mean).abs() < 0.01, "{name}");
    };
    let latencies = |begins: &str| -> Vec<u64> {
        let meant = all.iter().filter(|one| one.target.starts_with(begins));
        meant.map(|one| one.latency_us).collect()
    };
    check(
        "all",
        report.totals.latency.as_ref().unwrap(),
        latencies(""),
    );
    for (template, begins) in [("/user/{id}", "/user/"), ("/api/orders", "/api/")] {
        let mut rows = report.endpoints.rows.iter();
        let row = rows.find(|row| row.template == template).unwrap();
        check(template, row.latency.as_ref().unwrap(), latencies(begins));
    }
    let mut slowest = latencies("");
    slowest.sort_unstable_by_key(|latency| std::cmp::Reverse(*latency));
    let found: Vec<u64> = report.slowest.iter().map(|one| one.latency_us).collect();
    assert_eq!(found, slowest[..found.len()]);
    assert_eq!(found.len(), 50);
}

/// Several that counted parts of it, as threads do, say what one says that counted all.
#[test]
fn parts_make_the_same_whole() {
    let all = traffic(30_000);
    let one = counted(&all);
    let mut parts = vec![Statistics::new(NOW)];
    parts.push(parts[0].fresh());
    parts.push(parts[0].fresh());
    for (number, chunk) in all.chunks(1000).enumerate() {
        let part = &mut parts[[0, 1, 2, 1, 0][number % 5]];
        chunk.iter().for_each(|one| add(part, one));
    }
    let mut merged = parts.remove(0);
    parts.into_iter().for_each(|part| merged.merge(part));
    let merged = merged.report(1_000_000);
    let json = |report: &Report| serde_json::to_value(report).unwrap();
    let (one, merged) = (json(&one), json(&merged));
    for part in [
        "totals",
        "hours_of_day",
        "hours",
        "minutes",
        "statuses",
        "methods",
        "endpoints",
        "paths",
        "clients",
        "agents",
        "user_agents",
        "slowest",
        "warnings",
    ] {
        assert_eq!(one[part], merged[part], "{part}");
    }
}

#[test]
fn busiest_and_slowest_hours_are_told_apart() {
    let mut statistics = Statistics::new(NOW);
    let day = NOW / 86_400 * 86_400 - 86_400;
    for (hour, requests, latency_us) in [(6, 300, 10), (18, 20, 9000), (3, 1, 1_000_000)] {
        for _ in 0..requests {
            let one = One {
                second: day + hour * 3600,
                client: "a".to_owned(),
                target: "/".to_owned(),
                status: 200,
                bytes: 0,
                latency_us,
            };
            add(&mut statistics, &one);
        }
    }
    let totals = statistics.report(10).totals;
    assert_eq!(totals.busiest_hour.unwrap().hour, 6);
    // One slow request does not make an hour slow.
    assert_eq!(totals.slowest_hour.unwrap().hour, 18);
}

#[test]
fn times_that_cannot_be() {
    let mut statistics = Statistics::new(NOW);
    let entry = |time_us| Entry {
        time_us,
        client: b"a",
        target: b"/",
        status: Some(200),
        ..Entry::default()
    };
    statistics.add(&entry(Some(NOW * 1_000_000)));
    statistics.add(&entry(Some((NOW + 400 * 86_400) * 1_000_000)));
    statistics.add(&entry(Some(i64::MAX)));
    statistics.add(&entry(Some(i64::MIN)));
    statistics.add(&entry(None));
    let report = statistics.report(10);
    assert_eq!(report.totals.requests, 5);
    let kinds: Vec<_> = report
        .warnings
        .iter()
        .map(|warning| (warning.kind, warning.count))
        .collect();
    use crate::analysis::report::WarningKind::{Bounded, Future, NoTime};
    assert_eq!(kinds, [(Future, 2), (NoTime, 1), (Bounded, 1)]);
    assert_eq!(report.minutes.len(), 1);
}

#[test]
fn what_a_client_did_in_a_minute() {
    let mut statistics = Statistics::new(NOW);
    for number in 0..30 {
        let one = One {
            second: NOW - 60 + number,
            client: "scanner".to_owned(),
            target: format!("/{number}.php"),
            status: if number % 3 == 0 { 401 } else { 404 },
            bytes: 0,
            latency_us: 1,
        };
        add(&mut statistics, &one);
    }
    let report = statistics.report(10);
    let [window] = &report.windows.clients[..] else {
        panic!("{:?}", report.windows.clients);
    };
    assert_eq!(
        (window.requests, window.denied, window.missing),
        (30, 10, 20)
    );
    assert!((24..=37).contains(&window.distinct_paths), "{window:?}");
    assert_eq!(report.clients.rows[0].denied, 10);
}

#[test]
fn records_of_programs() {
    let mut statistics = Statistics::new(NOW);
    for number in 0..100_u16 {
        let level: &[u8] = match number {
            0..10 => b"ERROR",
            10..30 => b"WARN",
            _ => b"info",
        };
        statistics.add(&Entry {
            time_us: Some(i64::from(number) * 1_000_000),
            status: (number % 2 == 0).then_some(503),
            event: Some(Event {
                level,
                source: b"app",
                service: if number < 50 { b"a" } else { b"b" },
                message: b"request 17 failed",
                code: if number < 10 { b"ERR_X" } else { b"" },
                mark: (b"kind", b"x"),
            }),
            ..Entry::default()
        });
    }
    let report = statistics.report(10);
    assert_eq!(report.totals.requests, 50);
    let events = report.events.unwrap();
    assert_eq!(
        (events.records, events.levels.error, events.levels.warning),
        (100, 10, 20)
    );
    assert_eq!(events.services.rows[0].records, 50);
    assert_eq!(events.codes.rows[0].requests, 10);
    assert_eq!(events.marks.rows[0].value, "kind=x");
    assert_eq!(events.messages.rows[0].value, "request … failed");
    assert_eq!(events.minutes.len(), 2);
    let records: u64 = events
        .windows
        .iter()
        .map(|window| window.levels.records())
        .sum();
    assert_eq!(records, 100);
    assert_eq!(events.service_names, ["a", "b"]);
}

/// A stranger who sends as many different values as he can.
#[test]
fn memory_has_a_bound() {
    let mut statistics = Statistics::new(NOW);
    for number in 0..300_000_u64 {
        let (client, target) = (format!("c{number}"), format!("/{number:x}/{}", number % 7));
        statistics.add(&Entry {
            time_us: Some(number as i64 * 7_000_000_000),
            client: client.as_bytes(),
            method: client.as_bytes(),
            target: target.as_bytes(),
            host: client.as_bytes(),
            referrer: target.as_bytes(),
            user_agent: client.as_bytes(),
            status: Some((number % 1000) as u16),
            latency_us: Some(number << 20),
            ..Entry::default()
        });
    }
    let report = statistics.report(1_000_000);
    assert_eq!(report.totals.requests, 300_000);
    let clients = report.totals.clients as f64;
    assert!((clients - 300_000.0).abs() < 6000.0, "{clients}");
    for (rows, unlisted) in [
        (
            report
                .clients
                .rows
                .iter()
                .map(|row| row.requests)
                .sum::<u64>(),
            report.clients.unlisted,
        ),
        (
            report.paths.rows.iter().map(|row| row.requests).sum(),
            report.paths.unlisted,
        ),
        (
            report.endpoints.rows.iter().map(|row| row.requests).sum(),
            report.endpoints.unlisted,
        ),
        (report.methods.rows.iter().map(|row| row.requests).sum(), 0),
    ] {
        assert_eq!(rows + unlisted, 300_000);
    }
    assert!(report.endpoints.rows.len() <= 2000 && report.methods.rows.len() <= 32);
    assert!(report.hours.len() <= 2208 && report.minutes.len() <= 2880);
}
