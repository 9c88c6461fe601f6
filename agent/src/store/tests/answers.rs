//! Answers from roll-ups say the same as those from rows, whole or in parts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::*;
use crate::sink::sqlite::tally::Tally;
use crate::store::answer::Source;

/// What a record of a test is made of.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// Seconds before the last one.
    pub(super) ago: i64,
    pub(super) role: Role,
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) host: Option<&'static str>,
    pub(super) client: u8,
    pub(super) agent: Option<&'static str>,
    pub(super) latency: Option<u64>,
    pub(super) bytes: Option<u64>,
}

pub(super) fn made() -> impl Strategy<Value = Made> {
    let status = prop::option::of(prop::sample::select(vec![
        100_u16, 200, 204, 301, 404, 500, 503, 777,
    ]));
    let place = (0_i64..10_000, 0_usize..2, 0_usize..4, status);
    let target = prop_oneof![
        "/[ab]",
        "/user/[1-9]{1,3}",
        "/user/[1-9]{1,3}/x[?]q=[a-z]{0,3}"
    ];
    let request = (
        prop::sample::select(vec!["GET", "POST", "BREW"]),
        target,
        prop::option::of(prop::sample::select(vec!["a.example", "A.example", "b"])),
        0_u8..5,
        prop::option::of(prop::sample::select(vec!["curl/8", "Mozilla '%\"_"])),
    );
    let sizes = (
        prop::option::of(0_u64..100_000),
        prop::option::of(0_u64..5000),
    );
    (place, request, sizes).prop_map(|(place, request, sizes)| Made {
        ago: place.0,
        role: Role::ALL[place.1],
        outcome: Outcome::ALL[place.2],
        status: place.3,
        method: request.0,
        target: request.1,
        host: request.2,
        client: request.3,
        agent: request.4,
        latency: sizes.0,
        bytes: sizes.1,
    })
}

/// The last second of the records of these tests: some time ago, so that all is in its place.
pub(super) fn last() -> i64 {
    let day = 86_400;
    moment(1, 0).as_second() + day / 2
}

pub(super) fn record<'a>(made: &'a Made, number: u64) -> ExchangeRecord<'a> {
    ExchangeRecord {
        exchange_id: Identifier::new(9, number),
        ts: time((last() - made.ago) * 1_000_000 + number as i64),
        role: made.role,
        outcome: made.outcome,
        src_ip: IpAddr::from([10, 0, 0, made.client]),
        method: Some(made.method),
        target: Some(&made.target),
        host: made.host,
        user_agent: made.agent,
        status: made.status,
        ttfb_us: made.latency,
        request_bytes: made.bytes,
        response_bytes: made.bytes.map(|bytes| bytes * 2),
        ..exchange()
    }
}

pub(super) fn stored(all: &[Made]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    for (number, made) in all.iter().enumerate() {
        sink.push_exchange(&record(made, number as u64));
    }
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

pub(super) fn question(filter: ExchangeFilter) -> Question {
    Question {
        filter,
        from: Timestamp::from_second(last() - 10_020 - last() % 60).unwrap(),
        to: Timestamp::from_second(last() + 60 - last() % 60).unwrap(),
        after: None,
    }
}

/// The same question, that only rows can answer.
fn of_rows(question: &Question) -> Question {
    let mut question = question.clone();
    question.filter.target = Some("/".to_owned());
    question
}

fn filters() -> Vec<ExchangeFilter> {
    let none = ExchangeFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let mut client = none();
    client.common.src_ip = "10.0.0.3".parse().ok();
    vec![
        none(),
        ExchangeFilter {
            role: Some(Role::Client),
            ..none()
        },
        ExchangeFilter {
            method: text("POST"),
            ..none()
        },
        ExchangeFilter {
            host: text("a.EXAMPLE"),
            role: Some(Role::Server),
            ..none()
        },
        ExchangeFilter {
            status: Some(400..=599),
            ..none()
        },
        ExchangeFilter {
            endpoint: text("GET /user/{id}"),
            ..none()
        },
        ExchangeFilter {
            endpoint: text("GET /nothing"),
            ..none()
        },
        client,
    ]
}

fn sums(store: &Store, question: &Question, step: Option<i64>) -> (Vec<Tally>, Source) {
    let (series, covered) = store.series(question, step, Timestamp::now()).unwrap();
    assert!(covered.complete, "{covered:?}");
    (series.tallies, covered.source)
}

fn groups(store: &Store, question: &Question, by: By) -> (BTreeMap<String, Tally>, Source) {
    let (top, covered) = store.top(question, by, Timestamp::now()).unwrap();
    assert!(covered.complete, "{covered:?}");
    assert_eq!(top.0.others.exchanges(), 0);
    let groups = top.0.groups.into_iter();
    (
        groups.map(|(value, tally)| (value.into(), tally)).collect(),
        covered.source,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn roll_ups_say_what_rows_say(all in prop::collection::vec(made(), 1..120)) {
        let (_folder, store) = stored(&all);
        for filter in filters() {
            let question = question(filter);
            let by_rows = of_rows(&question);
            for step in [None, Some(60), Some(300), Some(600), Some(3600)] {
                let (of_groups, source) = sums(&store, &question, step);
                prop_assert_eq!(source, Source::RollUp);
                let (of_rows, source) = sums(&store, &by_rows, step);
                prop_assert_eq!(source, Source::Rows);
                prop_assert_eq!(&of_groups, &of_rows, "{:?} {:?}", question, step);
                // The steps are the whole.
                let mut whole = Tally::default();
                of_groups.iter().for_each(|tally| whole.merge(tally));
                prop_assert_eq!(&whole, &sums(&store, &question, None).0[0]);
            }
        }
        for by in By::ALL {
            for role in [None, Some(Role::Server)] {
                let question = question(ExchangeFilter { role, ..ExchangeFilter::default() });
                let (of_groups, source) = groups(&store, &question, by);
                prop_assert_eq!(source, Source::RollUp);
                let (of_rows, source) = groups(&store, &of_rows(&question), by);
                prop_assert_eq!(source, Source::Rows);
                prop_assert_eq!(of_groups, of_rows, "{:?}", by);
            }
        }
        // Seconds, of what has no filter.
        let mut near = question(ExchangeFilter::default());
        near.from = Timestamp::from_second(last() - 900).unwrap();
        let (of_groups, source) = sums(&store, &near, Some(1));
        prop_assert_eq!(source, Source::RollUp);
        prop_assert_eq!(of_groups, sums(&store, &of_rows(&near), Some(1)).0);
    }

    #[test]
    fn the_slowest_are_those_of_rows(all in prop::collection::vec(made(), 1..120)) {
        let (_folder, store) = stored(&all);
        let latencies = |question: &Question| {
            let (page, covered) = store.slow(question, SLOW_MOST, Timestamp::now()).unwrap();
            assert!(covered.complete);
            page.exchanges().map(|record| record.ttfb_us.unwrap()).collect::<Vec<_>>()
        };
        let question = question(ExchangeFilter::default());
        let found = latencies(&question);
        prop_assert_eq!(&found, &latencies(&of_rows(&question)));
        let mut expected: Vec<u64> = all.iter().filter_map(|made| made.latency).collect();
        expected.sort_by_key(|latency| std::cmp::Reverse(*latency));
        expected.truncate(SLOW_MOST);
        prop_assert_eq!(found, expected);
    }
}

/// One record a second, all of one sort.
pub(super) fn many(count: i64) -> Vec<Made> {
    let one = |ago| Made {
        ago,
        role: Role::Server,
        outcome: Outcome::Complete,
        status: Some(if ago % 10 == 0 { 500 } else { 200 }),
        method: "GET",
        target: format!("/item/{ago}"),
        host: Some("h"),
        client: (ago % 5) as u8,
        agent: None,
        latency: Some(1000),
        bytes: Some(1),
    };
    (0..count).map(one).collect()
}

#[test]
fn pages_in_parts_are_complete_and_without_doubles() {
    let all = many(2000);
    let (_folder, mut store) = stored(&all);
    for order in [Order::Newest, Order::Oldest] {
        let filter = ExchangeFilter {
            status: Some(500..=500),
            ..ExchangeFilter::default()
        };
        let mut found = Vec::new();
        let mut after = None;
        let mut stops = 0;
        loop {
            store.set_deadline(Some(Instant::now()));
            let page = store.exchanges(&filter, order, after, 7).unwrap();
            found.extend(page.exchanges().map(|record| record.ts));
            stops += usize::from(page.stopped().is_some());
            after = match page.stopped() {
                None if page.len() < 7 => break,
                None => page.next(),
                stopped => stopped,
            };
            // What goes over the wire comes back.
            after = after.map(|cursor| cursor.to_string().parse().unwrap());
        }
        if order == Order::Newest {
            found.reverse();
        }
        assert_eq!(found.len(), 200, "{order:?}");
        assert!(found.is_sorted_by(|one, other| one < other), "{order:?}");
        assert!(stops > 3, "{stops}");
    }
}

#[test]
fn values_beyond_the_bound_are_looked_for_in_rows() {
    // More hosts in a minute than are told apart, the one that is asked for the rarest.
    let names: Vec<String> = (0..1200).map(|number| format!("h{number:04}")).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    let base = (last() - last() % 60) * 1_000_000;
    let mut number = 0;
    for (place, name) in names.iter().enumerate() {
        for _ in 0..=usize::from(place != 7) {
            number += 1;
            sink.push_exchange(&ExchangeRecord {
                exchange_id: Identifier::new(9, number),
                ts: time(base + number as i64),
                host: Some(name),
                ..exchange()
            });
        }
    }
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    let of_host = |host: &str| {
        question(ExchangeFilter {
            host: Some(host.to_owned()),
            ..ExchangeFilter::default()
        })
    };
    let (tallies, source) = sums(&store, &of_host("h0007"), None);
    assert_eq!((tallies[0].exchanges(), source), (1, Source::Rows));
    let (tallies, source) = sums(&store, &of_host("h0003"), None);
    assert_eq!((tallies[0].exchanges(), source), (2, Source::RollUp));
    let question = question(ExchangeFilter::default());
    let (top, _) = store.top(&question, By::Host, Timestamp::now()).unwrap();
    assert_eq!(top.0.groups.len(), 500);
    let all: u64 = top.0.groups.values().map(Tally::exchanges).sum();
    assert_eq!(all + top.0.others.exchanges(), number);
}

#[test]
fn sessions_are_summed_up_by_time_and_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    let first = last() - last() % 3600;
    for number in 0..100_i64 {
        let start = time((first + number * 30) * 1_000_000);
        sink.push_session(&SessionRecord {
            timestamp: start,
            details: Some(SessionDetails {
                session_id: Identifier::new(7, number as u64),
                ended_at: start,
                ..details()
            }),
            ..session()
        });
    }
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    let range = (first, first + 3000);
    let whole = store.traffic(range, first, 3000, 1).unwrap()[0];
    assert_eq!((whole.opened, whole.ended, whole.packets), (100, 100, 1000));
    for step in [1, 10, 60, 600] {
        let places = 3000 / step as usize;
        let parts = store.traffic(range, first, step, places).unwrap();
        let sum = |count: fn(&Traffic) -> u64| parts.iter().map(count).sum::<u64>();
        assert_eq!(sum(|part| part.opened), 100, "{step}");
        assert_eq!(sum(|part| part.bytes), whole.bytes, "{step}");
        let cpus = store.cpu_traffic(range, first, step, places).unwrap();
        let packets: u64 = cpus.values().flat_map(|cpu| cpu.packets.iter()).sum();
        assert_eq!(packets, whole.packets, "{step}");
        assert!(cpus.len() > 1, "{cpus:?}");
    }
}
