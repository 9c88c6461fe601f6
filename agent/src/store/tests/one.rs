//! One record is found by its identifier, with a time and without, at once or in parts; and what is around it.

use super::*;

/// Exchanges a second apart over two days: these identifiers, the oldest first.
fn stored(identifiers: &[Identifier]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = start(folder.path());
    for (number, identifier) in identifiers.iter().enumerate() {
        sink.push_exchange(&ExchangeRecord {
            exchange_id: *identifier,
            ts: moment(2, number as i64 * 40_000_000),
            ..exchange()
        });
    }
    close(sink);
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn risen(count: u64) -> Vec<Identifier> {
    (0..count)
        .map(|number| Identifier::new(9, number))
        .collect()
}

fn ids(page: &Page) -> Vec<Identifier> {
    page.exchanges().map(|record| record.exchange_id).collect()
}

#[test]
fn one_is_found_with_and_without_a_time_and_what_is_around_it() {
    let (_folder, store) = stored(&risen(500));
    let wanted = Identifier::new(9, 250);
    let right = moment(2, 250 * 40_000_000);
    for near in [None, Some(right), Some(Timestamp::UNIX_EPOCH)] {
        let Found::Record(page) = store.exchange_of(wanted, near, None).unwrap() else {
            panic!("{near:?}");
        };
        assert_eq!(ids(&page), [wanted]);
        let (before, after) = store.around(page.next().unwrap(), 3).unwrap();
        let check = |page: &Page, numbers: [u64; 3]| {
            assert_eq!(ids(page), numbers.map(|number| Identifier::new(9, number)));
        };
        check(&before, [247, 248, 249]);
        check(&after, [251, 252, 253]);
    }
    let missing = store
        .exchange_of(Identifier::new(1, 1), None, None)
        .unwrap();
    assert!(matches!(missing, Found::Nothing));
}

/// How many questions it takes to find each of them where no question has any time, the most.
fn questions(identifiers: &[Identifier]) -> usize {
    let (_folder, mut store) = stored(identifiers);
    store.set_deadline(Some(Instant::now()));
    let mut most = 0;
    for wanted in identifiers.iter().step_by(97) {
        let mut after = None;
        for asked in 1.. {
            match store.exchange_of(*wanted, None, after).unwrap() {
                Found::Record(page) => {
                    assert_eq!(ids(&page), [*wanted]);
                    most = most.max(asked);
                    break;
                }
                Found::NotYet(next) => after = Some(next),
                Found::Nothing => panic!("{wanted}"),
            }
        }
    }
    most
}

#[test]
fn one_that_is_not_found_in_time_is_found_by_going_on() {
    // In no order at all: all is looked through, in parts.
    let drawn = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed: Vec<Identifier> = (1..3_000)
        .map(|number| Identifier::new(drawn(number), drawn(number + 7)))
        .collect();
    assert!(questions(&mixed) > 3);
    let mut store = stored(&mixed).1;
    store.set_deadline(Some(Instant::now()));
    let mut after = None;
    while let Found::NotYet(next) = store
        .exchange_of(Identifier::new(1, 1), None, after)
        .unwrap()
    {
        assert!(after.is_none_or(|after: Cursor| next.id < after.id));
        after = Some(next);
    }
    assert!(after.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn numbers_that_rise_lead_to_their_place_at_once(
        runs in 1_u64..4,
        begin in prop::sample::select(vec![0, 1 << 62, u64::MAX - 5_000]),
        turns in prop::collection::vec(0_u64..4, 2_000..4_000),
    ) {
        // Several runs at a time, whose numbers rise by one or more; the days are two.
        let mut last = vec![begin; runs as usize];
        let identifiers: Vec<Identifier> = turns
            .iter()
            .map(|turn| {
                let run = turn % runs;
                last[run as usize] += 1;
                Identifier::new(run, last[run as usize])
            })
            .collect();
        let (_folder, mut store) = stored(&identifiers);
        let places = store.probable_places(identifiers[1_234]).unwrap();
        prop_assert!(!places.is_empty());
        store.set_deadline(None);
        for wanted in identifiers.iter().step_by(211) {
            let places = store.probable_places(*wanted).unwrap();
            let Found::Record(page) = store.exchange_of(*wanted, None, None).unwrap() else {
                panic!("{wanted}");
            };
            let id = page.ids().next().unwrap();
            prop_assert!(places.iter().any(|place| place.contains(&id)), "{:?} {}", places, id);
        }
    }
}
