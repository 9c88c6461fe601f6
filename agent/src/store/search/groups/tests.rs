use proptest::prelude::*;

use super::*;
use crate::http::exchange::record::Outcome;

fn one(latency: u64) -> Addend {
    Addend::new(Outcome::Complete, Some(200), None, Some(1), Some(latency))
}

fn count(merged: &Merged) -> u64 {
    let groups = merged.groups.values().map(Tally::exchanges);
    groups.sum::<u64>() + merged.others.exchanges()
}

#[test]
fn values_beyond_the_bound_are_others() {
    let mut values = Values::default();
    let long = "x".repeat(VALUE_BYTES + 1);
    for value in (0..TOLD_APART + 5).map(|number| number.to_string()).chain([
        "7".to_owned(),
        "7".to_owned(),
        long,
    ]) {
        let place = values.place(&value);
        values.add(place, &one(1));
    }
    let merged = values.merged();
    assert_eq!(merged.groups.len(), TOLD_APART);
    assert_eq!(merged.groups["7"].exchanges(), 3);
    assert_eq!(merged.others.exchanges(), 6);
    values.close();
    assert_eq!(values.place("8888"), Place::Others, "none is let in again");
    let closed = values.merged();
    assert_eq!(closed.groups.len(), VALUES_MOST);
    assert_eq!(closed.groups["7"].exchanges(), 3);
    assert_eq!(count(&closed), count(&merged));
    let place = values.place("7");
    values.add(place, &one(1));
    assert_eq!(values.merged().groups["7"].exchanges(), 4);
}

#[test]
fn what_everybody_makes_up_takes_little_memory() {
    let mut methods = Values::default();
    let get = methods.place("GET");
    let mut endpoints = Endpoints::default();
    let mut most = 0;
    for number in 0..200_000_u64 {
        let target = format!("/{number:x}g/{}q/{}z", number % 977, number % 31);
        let place = endpoints.place(get, &target);
        endpoints.add(place, &one(number));
        if number % 1000 == 0 {
            endpoints.tidy();
        }
        most = most.max(endpoints.bytes());
    }
    assert_eq!(count(&endpoints.merged(&methods)), 200_000);
    assert!(most < 8 << 20, "{most}");
}

#[test]
fn closed_endpoints_count_all() {
    let mut methods = Values::default();
    let mut endpoints = Endpoints::default();
    let mut add = |endpoints: &mut Endpoints, number: usize, times: usize| {
        let method = methods.place(&format!("M{number}"));
        for _ in 0..times {
            let place = endpoints.place(method, "/a");
            endpoints.add(place, &one(1));
        }
    };
    for number in 0..VALUES_MOST + 100 {
        add(
            &mut endpoints,
            number,
            if number == 3 { 9 } else { 1 + number % 2 },
        );
    }
    endpoints.close();
    add(&mut endpoints, 3, 1);
    add(&mut endpoints, 9999, 1);
    let merged = endpoints.merged(&methods);
    assert!(merged.groups.len() <= VALUES_MOST);
    assert_eq!(merged.groups["M3 /a"].exchanges(), 10);
    let all: u64 = (0..VALUES_MOST + 100)
        .map(|number| {
            if number == 3 {
                10
            } else {
                1 + number as u64 % 2
            }
        })
        .sum();
    assert_eq!(count(&merged), all + 1);
}

proptest! {
    #[test]
    fn places_that_are_counted_late_count_where_they_belong(
        rows in prop::collection::vec((0_usize..3, "/[a-h]{2}(/[a-c])?", any::<bool>()), 1..400),
    ) {
        let mut methods = Values::default();
        let mut endpoints = Endpoints::default();
        let mut waiting = Vec::new();
        let mut by_method = [0_u64; 3];
        for (number, (method, target, is_end)) in rows.iter().enumerate() {
            let method_place = methods.place(["GET", "PUT", "PATCH"][*method]);
            by_method[*method] += 1;
            waiting.push((endpoints.place(method_place, target), number as u64));
            if *is_end {
                for (place, latency) in waiting.drain(..) {
                    endpoints.add(place, &one(latency));
                }
                endpoints.tidy();
            }
        }
        for (place, latency) in waiting {
            endpoints.add(place, &one(latency));
        }
        let merged = endpoints.merged(&methods);
        prop_assert_eq!(count(&merged), rows.len() as u64);
        prop_assert_eq!(merged.others.exchanges(), 0);
        let mut counted = [0_u64; 3];
        for (name, tally) in &merged.groups {
            let (method, template) = name.split_once(' ').unwrap();
            prop_assert!(template.starts_with('/'), "{}", name);
            let place = ["GET", "PUT", "PATCH"].iter().position(|one| *one == method).unwrap();
            counted[place] += tally.exchanges();
        }
        prop_assert_eq!(counted, by_method);
    }
}
