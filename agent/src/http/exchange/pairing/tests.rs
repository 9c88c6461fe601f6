//! Heads in, exchanges out.

mod flows;
mod hand;

use agent_common::flow::{FlowRecord, seen};

use self::hand::*;
use super::*;

#[test]
fn a_response_that_comes_whole_ends_its_exchange() {
    let mut hand = Hand::new();
    for number in 0..3 {
        let asked = hand.request(number, "/a");
        assert_eq!(asked.latency_us, None);
        hand.wait(7);
        let answered = hand.response(Some(number), 200, [50, 20, 20], true);
        assert_eq!(answered.exchange, asked.exchange);
        assert_eq!(answered.latency_us, Some(7_000));
        hand.check(&["complete /a 200 7 7 100+70"]);
        hand.wait(100);
    }
    hand.finish(&[]);
}

#[test]
fn the_end_of_a_longer_response_is_told_by_what_follows() {
    let mut hand = Hand::new();
    hand.request(0, "/long");
    hand.wait(3);
    hand.response(Some(0), 200, [50, 0, 0], false);
    hand.wait(20);
    hand.body(1, 9_000);
    hand.wait(500);
    hand.request(1, "/next");
    hand.wait(4);
    hand.check(&[]);
    hand.response(Some(1), 204, [30, 0, 0], true);
    hand.check(&[
        "complete /long 200 3 23 100+9050",
        "complete /next 204 4 4 100+30",
    ]);
}

#[test]
fn of_a_response_that_nothing_follows_the_end_is_not_told() {
    let mut hand = Hand::new();
    hand.request(0, "/last");
    hand.response(Some(0), 200, [50, 9_000, 0], true);
    hand.wait(9_999);
    hand.pairing
        .expire(hand.now_ns, &mut |_| panic!("too early"));
    hand.wait(1);
    let done = &mut hand.done;
    hand.pairing
        .expire(hand.now_ns, &mut |record| done.push(say(record)));
    hand.check(&["complete /last 200 0 - 100+-"]);
}

#[test]
fn pipelined_requests_get_their_own_answers() {
    let mut hand = Hand::new();
    for number in 0..3 {
        hand.request(number, &format!("/{number}"));
        hand.wait(1);
    }
    hand.wait(10);
    hand.response(Some(0), 200, [50, 5, 5], true);
    hand.wait(2);
    hand.response(Some(1), 200, [50, 0, 500], false);
    hand.wait(2);
    hand.response(Some(2), 200, [50, 5, 5], true);
    hand.check(&[
        "complete /0 200 13 13 100+55",
        "complete /1 200 14 14 100+550",
        "complete /2 200 15 15 100+55",
    ]);
}

#[test]
fn what_lacks_its_other_half_is_kept_and_said_to_lack_it() {
    let mut hand = Hand::new();
    hand.request(0, "/lost");
    hand.request(1, "/found");
    hand.response(Some(1), 200, [50, 0, 0], true);
    hand.check(&[
        "unanswered /lost - - - 100+-",
        "complete /found 200 0 0 100+50",
    ]);
    hand.response(None, 404, [60, 0, 0], true);
    hand.check(&["orphan - 404 - - -+60"]);
    hand.request(2, "/silence");
    hand.wait(300_000);
    let done = &mut hand.done;
    hand.pairing
        .expire(hand.now_ns, &mut |record| done.push(say(record)));
    hand.check(&["unanswered /silence - - - -+-"]);
    hand.finish(&[]);
}

#[test]
fn what_lost_records_may_have_cut_in_half_is_partial() {
    let check = |lost_at_s: Option<u64>, expected: &[&str]| {
        let mut hand = Hand::new();
        let begun_ns = hand.now_ns;
        hand.wait(20_000);
        hand.request(0, "/before");
        hand.wait(1_000);
        if let Some(seconds) = lost_at_s {
            hand.pairing.lost(begun_ns + seconds * 1_000_000_000);
        }
        hand.request(1, "/answered");
        hand.response(Some(1), 200, [50, 0, 0], true);
        hand.response(None, 404, [60, 0, 0], true);
        hand.finish(expected);
    };
    let [before, orphan] = ["unanswered /before - - - 100+-", "orphan - 404 - - -+60"];
    let answered = "complete /answered 200 0 0 100+50";
    let [cut, alone] = [before, orphan].map(|line| format!("{line} partial"));
    check(None, &[before, answered, orphan]);
    check(Some(1), &[before, answered, orphan]);
    check(Some(19), &[before, answered, &alone]);
    check(Some(21), &[&cut, answered, &alone]);
}

#[test]
fn an_answer_may_be_read_before_its_request() {
    let mut hand = Hand::new();
    let answered = hand.response(Some(0), 200, [50, 0, 0], true);
    hand.check(&[]);
    let asked = hand.request(0, "/late");
    assert_eq!(answered.exchange, asked.exchange);
    hand.check(&["complete /late 200 0 0 -+50"]);
}

#[test]
fn interim_responses_belong_to_the_exchange() {
    let mut hand = Hand::new();
    hand.request(0, "/upload");
    hand.wait(1);
    hand.response(Some(0), 100, [25, 0, 0], true);
    hand.wait(1);
    hand.body(0, 4_000);
    hand.wait(1);
    hand.response(Some(0), 201, [50, 0, 0], true);
    hand.check(&["complete /upload 201 3 3 4100+75 after 100"]);
}

#[test]
fn behind_an_upgrade_nothing_is_counted() {
    let mut hand = Hand::new();
    hand.request(0, "/socket");
    hand.response(Some(0), 101, [80, 0, 0], false);
    hand.check(&["opaque /socket 101 0 - 100+-"]);
}

#[test]
fn another_connection_in_the_slot_ends_those_of_the_first() {
    let mut hand = Hand::new();
    hand.request(0, "/first");
    hand.generation = 2;
    hand.request(0, "/second");
    hand.check(&["unanswered /first - - - -+-"]);
}

#[test]
fn no_more_are_kept_than_the_limit_allows() {
    let mut hand = Hand::new();
    for number in 0..150 {
        hand.request(number, &format!("/{number}"));
    }
    assert_eq!(hand.pairing.open(), 100);
    assert_eq!(hand.done.len(), 50);
    assert_eq!(hand.done[0], "unanswered /0 - - - 100+-");
    let done = &mut hand.done;
    hand.pairing.finish(&mut |record| done.push(say(record)));
    assert_eq!(hand.done.len(), 150);
}

#[test]
fn what_becomes_of_heads_is_counted() {
    let mut hand = Hand::new();
    hand.request(0, "/answered");
    hand.response(Some(0), 100, [25, 0, 0], true);
    hand.response(Some(0), 103, [25, 0, 0], true);
    hand.response(Some(0), 200, [50, 0, 0], true);
    hand.request(1, "/unanswered");
    hand.request(2, "/opaque");
    hand.response(Some(2), 101, [50, 0, 0], false);
    hand.response(None, 404, [60, 0, 0], true);
    // Two of one number are two exchanges.
    hand.request(3, "/one");
    hand.request(3, "/two");
    hand.response(Some(3), 200, [50, 9, 0], true);
    hand.response(Some(3), 500, [50, 9, 0], true);
    let expected = PairingCounts {
        requests: 5,
        responses: 7,
        answered: 3,
        unanswered: 2,
        orphans: 1,
        interim: 2,
        open_requests: 0,
        open_responses: 1,
    };
    assert_eq!(hand.check_counts(), expected);
    // An interim response alone is no exchange.
    hand.response(Some(9), 100, [25, 0, 0], true);
    hand.done.clear();
    hand.finish(&["orphan - 500 - - -+-"]);
}

/// Heads in any order, with numbers that fit or do not: each is counted in exactly one place.
mod any_heads {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn are_all_accounted_for(
            steps in proptest::collection::vec((0..6_u8, proptest::option::of(0..4_u32), any::<bool>()), 0..60)
        ) {
            let mut hand = Hand::new();
            for (what, number, flag) in steps {
                match what {
                    0 => drop(hand.request(number.unwrap_or_default(), "/")),
                    1 => drop(hand.response(number, 200, [50, 10, 10 * u64::from(flag)], flag)),
                    2 => drop(hand.response(number, 103, [50, 0, 0], true)),
                    3 => {
                        let flow = hand.flow(OPENED | seen::ENDED);
                        hand.tell(&flow, flag);
                    }
                    4 => {
                        hand.wait(2_000);
                        hand.expire();
                    }
                    _ => hand.generation += u32::from(flag),
                }
                hand.check_counts();
            }
            let pairing = &mut hand.pairing;
            pairing.finish(&mut |_| ());
            let counts = hand.check_counts();
            prop_assert_eq!([counts.requests, counts.responses], hand.heads);
            prop_assert_eq!((counts.open_requests, counts.open_responses), (0, 0));
        }
    }
}

#[test]
fn fields_that_were_asked_for_are_those_of_the_request() {
    let check = |names: &[&str], raw: &'static [u8], expected: Option<&str>| {
        let mut hand = Hand::new();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        hand.pairing = Pairing::new(7, Limits::default()).with_headers(&names);
        hand.raw_fields = raw;
        hand.request(0, "/");
        let mut found = Vec::new();
        hand.pairing.finish(&mut |record| {
            found.push(record.headers.map(|headers| headers.get().to_owned()));
            // As it is sent and shown.
            let json = serde_json::to_value(record).unwrap();
            let headers = expected.map(|text| serde_json::from_str(text).unwrap());
            assert_eq!(json.get("headers").cloned(), headers);
        });
        assert_eq!(found, [expected.map(str::to_owned)]);
    };
    let raw = b"forwarded: for=a\r\nX-Other: 1\r\nFORWARDED: \"b\"\x01\xff\r\nX-Id:\r\n";
    check(&[], raw, None);
    check(&["X-Missing"], raw, None);
    check(
        &["X-Id", "Forwarded"],
        raw,
        Some(r#"{"X-Id":"","Forwarded":"for=a, \"b\"\u0001\\xff"}"#),
    );
}
