//! What was stored is found, over all days, page by page, and followed.

mod answers;
mod one;
mod search;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::session::identifier::Identifier;
use crate::session::record::{Protocol, SessionDetails, SessionRecord};
use crate::sink::batch::samples::{details, exchange, session, time};
use crate::sink::fan_out::FanOut;
use crate::sink::sqlite::{OnFull, Retain, SqliteSettings, SqliteSink};

const DAY_US: i64 = 86_400_000_000;

fn start(directory: &Path) -> FanOut {
    let sink = SqliteSink::start(SqliteSettings {
        directory: directory.to_owned(),
        retain: Retain::default(),
        on_full: OnFull::Block,
        commit_after: Duration::from_millis(2),
        ..SqliteSettings::default()
    });
    FanOut::new(vec![Box::new(sink.unwrap())])
}

fn close(fan_out: FanOut) {
    let counts = fan_out.close()[0].1;
    assert_eq!(counts.accepted, counts.stored, "{counts:?}");
}

/// A time of today, or of a day before.
fn moment(days_ago: i64, microseconds: i64) -> Timestamp {
    let now = Timestamp::now().as_microsecond();
    time(now.div_euclid(DAY_US) * DAY_US - days_ago * DAY_US + microseconds)
}

fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string(record).unwrap()
}

/// All exchanges, by pages of this length.
fn all(store: &Store, filter: &ExchangeFilter, order: Order, length: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.exchanges(filter, order, after, length).unwrap();
        assert!(page.len() <= length);
        assert_eq!(page.exchanges().count(), page.len());
        assert_eq!(page.ids().count(), page.len());
        if page.is_empty() {
            return found;
        }
        found.extend(page.exchanges().map(|record| json(&record)));
        after = page.next();
    }
}

#[test]
fn records_come_back_as_they_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let headers = serde_json::from_str(r#"{"X-Request-Id":"a"}"#).unwrap();
    let full = ExchangeRecord {
        referer: Some("http://x/ä\\x1b"),
        interim_status: Some(103),
        traceparent: Some("00-a"),
        headers: Some(headers),
        partial: true,
        src_ip: "2001:db8::1".parse().unwrap(),
        ..exchange()
    };
    let empty = ExchangeRecord {
        exchange_id: Identifier::new(7, 5),
        session_id: None,
        outcome: Outcome::Orphan,
        method: None,
        target: None,
        host: None,
        user_agent: None,
        status: None,
        content_type: None,
        ttfb_us: None,
        total_us: None,
        request_bytes: None,
        response_bytes: None,
        reply_cpu_id: None,
        ..exchange()
    };
    let bare = SessionRecord {
        details: None,
        ..session()
    };
    let other = SessionRecord {
        protocol: Protocol::Icmp,
        details: Some(SessionDetails {
            session_id: Identifier::new(7, 9),
            interim: true,
            rtt_us: None,
            reply_cpu_id: None,
            ifname: "",
            ..details()
        }),
        ..session()
    };
    let mut sink = start(folder.path());
    for record in [full, empty] {
        sink.push_exchange(&record);
    }
    for record in [session(), bare, other] {
        sink.push_session(&record);
    }
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    let found = all(&store, &ExchangeFilter::default(), Order::Oldest, 10);
    assert_eq!(found, [json(&full), json(&empty)]);
    let page = store
        .sessions(&SessionFilter::default(), Order::Oldest, None, 10)
        .unwrap();
    let found: Vec<String> = page.sessions().map(|record| json(&record)).collect();
    assert_eq!(found, [json(&session()), json(&bare), json(&other)]);
}

#[test]
fn filters_find_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    let wanted = ExchangeRecord {
        ts: moment(0, 5_000_000),
        ..exchange()
    };
    sink.push_exchange(&wanted);
    let other = ExchangeRecord {
        exchange_id: Identifier::new(8, 1),
        session_id: None,
        ts: moment(0, 9_000_000),
        role: Role::Client,
        outcome: Outcome::Unanswered,
        src_ip: "2001:db8::9".parse().unwrap(),
        src_port: 1,
        dst_ip: "2001:db8::8".parse().unwrap(),
        dst_port: 2,
        method: Some("POST"),
        target: Some("/x%"),
        host: Some("other.example"),
        status: None,
        ttfb_us: None,
        ..exchange()
    };
    sink.push_exchange(&other);
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    let check = |change: &dyn Fn(&mut ExchangeFilter), first: bool, second: bool| {
        let mut filter = ExchangeFilter::default();
        change(&mut filter);
        let found = all(&store, &filter, Order::Newest, 10);
        // A record in memory is told the same.
        assert_eq!(filter.matches(&wanted), first, "{filter:?}");
        assert_eq!(filter.matches(&other), second, "{filter:?}");
        let has_first = found.contains(&json(&wanted));
        assert_eq!(has_first, first, "{filter:?}");
        assert_eq!(found.len() == 1 + usize::from(first), second, "{filter:?}");
    };
    let ip = |text: &str| -> Option<IpAddr> { Some(text.parse().unwrap()) };
    check(&|_| (), true, true);
    check(
        &|filter| filter.common.since = Some(moment(0, 5_000_000)),
        true,
        true,
    );
    check(
        &|filter| filter.common.since = Some(moment(0, 5_000_001)),
        false,
        true,
    );
    check(
        &|filter| filter.common.until = Some(moment(0, 9_000_000)),
        true,
        false,
    );
    check(
        &|filter| filter.common.until = Some(moment(0, 9_000_001)),
        true,
        true,
    );
    check(
        &|filter| filter.common.until = Some(moment(9, 0)),
        false,
        false,
    );
    check(&|filter| filter.common.ip = ip("192.0.2.2"), true, false);
    check(&|filter| filter.common.ip = ip("192.0.2.1"), true, false);
    check(
        &|filter| filter.common.ip = ip("2001:DB8::0:8"),
        false,
        true,
    );
    check(&|filter| filter.common.port = Some(80), true, false);
    check(&|filter| filter.common.port = Some(1), false, true);
    check(
        &|filter| filter.common.session_id = wanted.session_id,
        true,
        false,
    );
    check(&|filter| filter.method = Some("POST".into()), false, true);
    check(
        &|filter| filter.host = Some("SHOP.example.com".into()),
        true,
        false,
    );
    check(
        &|filter| filter.target = Some("items?page".into()),
        true,
        false,
    );
    check(&|filter| filter.target = Some("%".into()), false, true);
    check(
        &|filter| filter.target = Some("' OR 1 --".into()),
        false,
        false,
    );
    check(&|filter| filter.status = Some(200..=299), true, false);
    check(&|filter| filter.status = Some(201..=999), false, false);
    check(
        &|filter| filter.outcome = Some(Outcome::Unanswered),
        false,
        true,
    );
    check(&|filter| filter.role = Some(Role::Server), true, false);
    check(&|filter| filter.min_latency_us = Some(900), true, false);
    check(
        &|filter| filter.min_latency_us = Some(u64::MAX),
        false,
        false,
    );

    let mut sink = start(folder.path());
    sink.push_session(&session());
    sink.push_session(&SessionRecord {
        protocol: Protocol::Udp,
        details: None,
        ..session()
    });
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    let check = |filter: SessionFilter, expected: usize| {
        let page = store.sessions(&filter, Order::Newest, None, 10).unwrap();
        assert_eq!(page.len(), expected, "{filter:?}");
    };
    let none = SessionFilter::default;
    check(none(), 2);
    check(
        SessionFilter {
            protocol: Some(Protocol::Udp),
            ..none()
        },
        1,
    );
    check(
        SessionFilter {
            min_duration_us: Some(2_000_000),
            ..none()
        },
        1,
    );
    check(
        SessionFilter {
            min_duration_us: Some(2_000_001),
            ..none()
        },
        0,
    );
    check(
        SessionFilter {
            conn_state: Some("SF".into()),
            ..none()
        },
        1,
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Pages of any length, from either end, over any days: every record once, in order.
    #[test]
    fn pages_join_without_gap_or_overlap(
        places in prop::collection::vec((0..4_i64, 0..5_i64), 1..40),
        length in 1..9_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = start(folder.path());
        let mut expected = Vec::new();
        for (number, (days, microseconds)) in places.iter().enumerate() {
            let record = ExchangeRecord {
                exchange_id: Identifier::new(1, number as u64),
                ts: moment(*days, *microseconds),
                ..exchange()
            };
            sink.push_exchange(&record);
            expected.push(json(&record));
        }
        close(sink);
        let store = Store::open(folder.path()).unwrap();
        let filter = ExchangeFilter::default();
        let oldest = all(&store, &filter, Order::Oldest, length);
        let mut newest = all(&store, &filter, Order::Newest, length);
        newest.reverse();
        prop_assert_eq!(&oldest, &newest);
        let times: Vec<String> = oldest.iter().map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["ts"].as_str().unwrap()[..10].to_owned()
        }).collect();
        prop_assert!(times.is_sorted());
        let mut found = oldest;
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it did not come to pass"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_comes_new_is_followed_in_the_order_in_which_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    let mut store = Store::open(folder.path()).unwrap();
    let mut follower = store.follow().unwrap();
    let filter = SessionFilter::default();
    let mut found = Vec::new();
    let mut wait_for = |count: usize| {
        wait_until(|| {
            let page = follower.sessions(&mut store, &filter).unwrap();
            found.extend(page.sessions().map(|record| {
                let details = record.details.unwrap();
                (record.timestamp, details.revision)
            }));
            found.len() >= count
        });
        assert!(!follower.has_missed());
        found.clone()
    };
    // A session that began earlier is stored later; and one is stored again.
    let records = [(0, 50, 1), (0, 20, 1), (1, 30, 1), (0, 50, 2)];
    for (index, (days, microseconds, revision)) in records.into_iter().enumerate() {
        sink.push_session(&SessionRecord {
            timestamp: moment(days, microseconds),
            details: Some(SessionDetails {
                session_id: Identifier::new(3, microseconds as u64),
                revision,
                ..details()
            }),
            ..session()
        });
        sink.flush();
        let found = wait_for(index + 1);
        assert_eq!(found.last(), Some(&(moment(days, microseconds), revision)));
    }
    close(sink);
}

#[test]
fn databases_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = Store::open(&folder.path().join("absent")).unwrap_err();
    assert!(absent.to_string().contains("--data-dir"), "{absent}");
    assert!(
        Store::open(folder.path())
            .unwrap()
            .exchanges(&ExchangeFilter::default(), Order::Newest, None, 1)
            .unwrap()
            .is_empty()
    );

    let path = folder.path().join("tapline-20261121.db");
    std::fs::write(
        &path,
        "no database at all, whatever its name may say".repeat(99),
    )
    .unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("tapline-20261121.db"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(
        matches!(error, ReadError::Newer { version: 99, .. }),
        "{error}"
    );
}

#[test]
fn rows_that_no_tapline_wrote_are_an_error() {
    let check = |change: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = start(folder.path());
        sink.push_exchange(&exchange());
        sink.push_session(&session());
        close(sink);
        let name = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "db"));
        let database = Connection::open(name.unwrap()).unwrap();
        assert_eq!(database.execute(change, []).unwrap(), 1, "{change}");
        drop(database);
        let store = Store::open(folder.path()).unwrap();
        let exchanges = store.exchanges(&ExchangeFilter::default(), Order::Newest, None, 1);
        let sessions = store.sessions(&SessionFilter::default(), Order::Newest, None, 1);
        assert!(exchanges.is_err() || sessions.is_err(), "{change}");
    };
    check("UPDATE exchanges SET role = 'none'");
    check("UPDATE exchanges SET src_ip = '1.2.3'");
    check("UPDATE exchanges SET exchange_id = ''");
    check("UPDATE exchanges SET headers = '{'");
    check("UPDATE exchanges SET ttfb_us = -1");
    check("UPDATE exchanges SET src_port = 65536");
    check("UPDATE exchanges SET ts = 9223372036854775807");
    check("UPDATE exchanges SET target = CAST(x'ff' AS TEXT)");
    check("UPDATE sessions SET protocol = 'SCTP'");
    check("UPDATE sessions SET revision = NULL");
}
