//! What is found by searching rows is what a plain count of them says.

use std::collections::BTreeMap;

use super::answers::{Made, last, made, many, question, record, stored};
use super::*;
use crate::sink::sqlite::tally::{Addend, ERRORS, RESPONSE_BYTES, Tally};
use crate::store::answer::Source;

#[test]
fn endpoints_that_become_one_while_rows_are_read_are_counted_once_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    let base = moment(1, DAY_US / 2).as_microsecond();
    for number in 0..400_u64 {
        let target = format!("/f{}", number % 200);
        sink.push_exchange(&ExchangeRecord {
            exchange_id: Identifier::new(9, number),
            ts: time(base + number as i64),
            method: Some(if number % 4 == 0 { "POST" } else { "GET" }),
            target: Some(&target),
            ..exchange()
        });
    }
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    let question = Question {
        filter: ExchangeFilter {
            target: Some("/f".to_owned()),
            ..ExchangeFilter::default()
        },
        from: time(base),
        to: time(base + 1_000_000),
        after: None,
    };
    let (top, covered) = store
        .top(&question, By::Endpoint, Timestamp::now())
        .unwrap();
    assert_eq!((covered.complete, covered.source), (true, Source::Rows));
    let mut by_method: BTreeMap<String, u64> = BTreeMap::new();
    for (endpoint, tally) in &top.0.groups {
        let (method, template) = endpoint.split_once(' ').expect(endpoint);
        assert!(template.starts_with('/'), "{endpoint}");
        *by_method.entry(method.to_owned()).or_default() += tally.exchanges();
    }
    let expected = [("GET".to_owned(), 300), ("POST".to_owned(), 100)];
    assert_eq!(by_method, BTreeMap::from(expected));
    assert_eq!(top.0.others.exchanges(), 0);
}

/// What only rows can answer.
fn filters() -> Vec<ExchangeFilter> {
    let none = ExchangeFilter::default;
    let text = |text: &str| Some(text.to_owned());
    vec![
        ExchangeFilter {
            target: text("/"),
            ..none()
        },
        ExchangeFilter {
            user_agent: text("curl"),
            ..none()
        },
        ExchangeFilter {
            method: text("GET"),
            host: text("A.EXAMPLE"),
            ..none()
        },
        ExchangeFilter {
            status: Some(400..=599),
            min_latency_us: Some(50_000),
            role: Some(Role::Server),
            ..none()
        },
        ExchangeFilter {
            outcome: Some(Outcome::Complete),
            endpoint: text("GET /user/{id}"),
            ..none()
        },
    ]
}

/// Looks on until all is looked at, a stretch each time; gives how often.
fn go_on(search: &mut Search, store: &mut Store, mut between: impl FnMut(usize)) -> usize {
    let whole = search.covered();
    let (mut reached, mut seen) = (whole.to, 0);
    for round in 0.. {
        store.refresh().unwrap();
        store.set_deadline(Some(Instant::now()));
        search.advance(store).unwrap();
        let covered = search.covered();
        let count = search.series(None).tallies[0].exchanges();
        assert!(covered.from <= reached && count >= seen, "{covered:?}");
        assert_eq!(covered.to, whole.to);
        assert_eq!(covered.complete, covered.next.is_none());
        (reached, seen) = (covered.from, count);
        if covered.complete {
            return round;
        }
        between(round);
    }
    unreachable!()
}

type Groups = BTreeMap<String, Tally>;

fn groups(search: &Search, by: By) -> Groups {
    let Top(merged) = search.top(by);
    assert_eq!(merged.others.exchanges(), 0);
    let groups = merged.groups.into_iter();
    groups.map(|(value, tally)| (value.into(), tally)).collect()
}

/// What a plain count says: the sums in all, and by each value.
fn counted(
    records: &[ExchangeRecord<'_>],
    value: impl Fn(&ExchangeRecord<'_>) -> Option<String>,
) -> Groups {
    let mut groups = Groups::new();
    for record in records {
        if let Some(value) = value(record) {
            groups.entry(value).or_default().add(&Addend::of(record));
        }
    }
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_search_says_what_a_plain_count_says(
        all in prop::collection::vec(made(), 1..80),
        new in prop::collection::vec(made(), 1..4),
    ) {
        let (folder, mut store) = stored(&all);
        for (place, filter) in filters().into_iter().enumerate() {
            let question = Question {
                to: Timestamp::from_second(last() + 1).unwrap(),
                ..question(filter)
            };
            let mut search = Search::new(&question, Timestamp::now());
            // What comes meanwhile is of later.
            go_on(&mut search, &mut store, |round| {
                if let (0, Some(made)) = (place, new.get(round)) {
                    let mut sink = start(folder.path());
                    let number = 1000 + round as u64;
                    sink.push_exchange(&ExchangeRecord {
                        ts: time((last() + 1) * 1_000_000 + round as i64),
                        ..record(made, number)
                    });
                    close(sink);
                }
            });
            let filter = question.of_rows();
            let numbered = all.iter().enumerate();
            let mut found: Vec<ExchangeRecord<'_>> = numbered
                .map(|(number, made)| record(made, number as u64))
                .filter(|record| filter.matches(record))
                .collect();
            let whole = counted(&found, |_| Some(String::new())).remove("").unwrap_or_default();
            prop_assert_eq!(&search.series(None).tallies[0], &whole);
            for step in [60, 300, 600, 3600] {
                let series = search.series(Some(step));
                for (place, tally) in series.tallies.iter().enumerate() {
                    let from = series.from + place as i64 * step;
                    let of_step: Vec<ExchangeRecord<'_>> = found
                        .iter()
                        .filter(|record| (from..from + step).contains(&record.ts.as_second()))
                        .cloned()
                        .collect();
                    let expected = counted(&of_step, |_| Some(String::new())).remove("");
                    prop_assert_eq!(tally, &expected.unwrap_or_default(), "{} {}", step, place);
                }
            }
            let text = |text: Option<&str>| text.map(str::to_owned);
            prop_assert_eq!(groups(&search, By::Host), counted(&found, |record| text(record.host)));
            prop_assert_eq!(groups(&search, By::Method), counted(&found, |record| text(record.method)));
            prop_assert_eq!(groups(&search, By::UserAgent), counted(&found, |record| text(record.user_agent)));
            prop_assert_eq!(
                groups(&search, By::Client),
                counted(&found, |record| Some(record.src_ip.to_string()))
            );
            prop_assert_eq!(
                groups(&search, By::Status),
                counted(&found, |record| record.status.map(|status| format!("{status:03}")))
            );
            prop_assert_eq!(
                groups(&search, By::Hour),
                counted(&found, |record| {
                    Some((record.ts.as_second().div_euclid(3600) % 24).to_string())
                })
            );
            let mut methods = Groups::new();
            for (endpoint, tally) in groups(&search, By::Endpoint) {
                let (method, _) = endpoint.split_once(' ').expect(&endpoint);
                methods.entry(method.to_owned()).or_default().merge(&tally);
            }
            prop_assert_eq!(methods, groups(&search, By::Method));
            found.retain(|record| record.ttfb_us.is_some());
            found.sort_by_key(|record| std::cmp::Reverse(record.ttfb_us));
            let slowest = store.slow_found(&search, SLOW_MOST).unwrap();
            let latencies: Vec<Option<u64>> = slowest.exchanges().map(|record| record.ttfb_us).collect();
            let expected: Vec<Option<u64>> = found.iter().take(SLOW_MOST).map(|record| record.ttfb_us).collect();
            prop_assert_eq!(latencies, expected);
        }
    }
}

#[test]
fn a_search_that_goes_on_is_all_so_far() {
    let all: Vec<Made> = many(3000);
    let (_folder, mut store) = stored(&all);
    let whole = question(ExchangeFilter {
        target: Some("/".to_owned()),
        ..ExchangeFilter::default()
    });
    let mut search = Search::new(&whole, Timestamp::now());
    let known = |search: &Search| match search.covered().next {
        Some(Next::Search(pinned)) => pinned,
        other => panic!("{other:?}"),
    };
    // Who knows what it has come to asks for more; who knows less is given that.
    assert!(!search.is_ahead_of(None));
    let begun = known(&search);
    assert!(!search.is_ahead_of(Some(begun)));
    store.set_deadline(Some(Instant::now()));
    search.advance(&store).unwrap();
    assert!(search.is_ahead_of(None) && search.is_ahead_of(Some(begun)));
    assert!(!search.is_ahead_of(Some(known(&search))));
    let parts = go_on(&mut search, &mut store, |_| ());
    assert!(parts > 3, "{parts}");
    let total = &search.series(None).tallies[0];
    assert_eq!(total.exchanges(), 3000);
    assert_eq!(total.sums[ERRORS], 300);
    assert_eq!(total.sums[RESPONSE_BYTES], 6000);
    let by_status = groups(&search, By::Status);
    assert_eq!(by_status["200"].exchanges(), 2700);
    assert_eq!(by_status["500"].exchanges(), 300);
    let covered = search.covered();
    assert_eq!((covered.from, covered.source), (whole.from, Source::Rows));
    assert!(search.is_ahead_of(None));
    // What has failed begins again and comes to the same.
    search.begin_again();
    assert_eq!(search.series(None).tallies[0].exchanges(), 0);
    store.set_deadline(None);
    search.advance(&store).unwrap();
    assert_eq!(search.series(None).tallies[0].exchanges(), 3000);
}

#[test]
fn searches_for_the_same_are_the_same() {
    let now = Timestamp::from_second(last() + 5).unwrap();
    let host = |host: &str| {
        question(ExchangeFilter {
            host: Some(host.to_owned()),
            method: Some("GET".to_owned()),
            ..ExchangeFilter::default()
        })
    };
    let one = host("a.EXAMPLE");
    let search = Search::new(&one, now);
    let key = search.key();
    assert_eq!(SearchKey::of(&one), SearchKey::of(&host("A.example")));
    assert_ne!(SearchKey::of(&one), SearchKey::of(&host("b")));
    // Its end was in the future; now it is the time of asking, and stays it.
    assert_ne!(key, SearchKey::of(&one));
    let later = now + Duration::from_secs(1);
    assert_ne!(key, Search::new(&one, later).key());
    let Some(Next::Search(pinned)) = search.covered().next else {
        panic!("a search that has not begun is not complete");
    };
    let same = Question {
        from: pinned.from(),
        to: pinned.to(),
        after: Some(pinned),
        ..one
    };
    assert_eq!(key, SearchKey::of(&same));
    assert_eq!(key, Search::new(&same, later).key());
}

#[test]
fn a_range_of_all_times_takes_no_memory_for_each_hour() {
    let all: Vec<Made> = many(10);
    let (_folder, store) = stored(&all);
    for target in [None, Some("/".to_owned())] {
        let question = Question {
            filter: ExchangeFilter {
                target,
                ..ExchangeFilter::default()
            },
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            after: None,
        };
        let start = Instant::now();
        let (top, covered) = store.top(&question, By::Hour, Timestamp::now()).unwrap();
        let count: u64 = top.0.groups.values().map(Tally::exchanges).sum();
        assert_eq!((count, covered.complete), (10, true));
        assert_eq!(covered.from, Timestamp::MIN);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
