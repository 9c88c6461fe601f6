//! What flows say of exchanges.

use super::*;

#[test]
fn the_end_of_the_connection_is_that_of_its_last_response() {
    let check = |told: bool, body: u64, state: u64, expected: &str| {
        let mut hand = Hand::new();
        hand.request(0, "/last");
        hand.wait(3);
        hand.response(Some(0), 200, [50, 9_000, 1_000], told);
        hand.wait(20);
        hand.body(1, body);
        // It goes on.
        let flow = hand.flow(state);
        hand.tell(&flow, true);
        hand.check(&[]);
        let flow = hand.flow(state | seen::ENDED);
        hand.wait(20);
        hand.tell(&flow, true);
        hand.check(&[expected]);
        hand.tell(&flow, true);
        hand.finish(&[]);
    };
    check(true, 8_000, OPENED, "complete /last 200 3 23 100+9050");
    check(false, 8_000, OPENED, "complete /last 200 3 23 100+9050");
    check(true, 500, OPENED, "complete /last 200 3 23 100+1550");
    // More than its head says is no part of it.
    check(true, 9_000, OPENED, "complete /last 200 3 23 100+9050");
    // The server closed, the client did not.
    let closed = OPENED | seen::FIN << seen::SIDE_SHIFT;
    let mut hand = Hand::new();
    hand.request(0, "/half");
    hand.response(Some(0), 200, [50, 0, 0], false);
    let flow = hand.flow(OPENED | seen::FIN);
    hand.tell(&flow, true);
    hand.check(&[]);
    let flow = hand.flow(closed);
    hand.tell(&flow, true);
    hand.check(&["complete /half 200 0 0 100+50"]);
    // Joined in the middle: from where on bytes were counted nobody knows.
    check(true, 8_000, 0, "complete /last 200 3 23 100+-");
}

#[test]
fn what_is_held_back_is_waited_for_when_the_connection_has_ended() {
    let mut hand = Hand::new();
    hand.request(0, "/first");
    hand.response(Some(0), 200, [50, 0, 0], false);
    hand.wait(10);
    let flow = FlowRecord {
        payload: [200, 150],
        ..hand.flow(OPENED | seen::ENDED)
    };
    hand.tell(&flow, false);
    hand.check(&[]);
    hand.wait(1_000);
    hand.request(1, "/held");
    hand.response(Some(1), 200, [50, 50, 50], true);
    hand.check(&[
        "complete /first 200 0 0 100+50",
        "complete /held 200 0 0 100+100",
    ]);
    // Nothing came: then it is as the flow has it.
    hand.request(2, "/second");
    hand.response(Some(2), 200, [50, 0, 0], false);
    hand.wait(10);
    hand.body(1, 30);
    let flow = hand.flow(OPENED | seen::ENDED);
    hand.tell(&flow, false);
    hand.wait(1_499);
    hand.expire();
    hand.check(&[]);
    hand.wait(1);
    hand.expire();
    hand.check(&["complete /second 200 0 10 100+80"]);
}

#[test]
fn what_was_not_answered_when_the_connection_ended_is_over_soon() {
    let mut hand = Hand::new();
    hand.request(0, "/never");
    let flow = hand.flow(OPENED | seen::ENDED);
    hand.tell(&flow, true);
    hand.check(&[]);
    hand.wait(1_000);
    // Found once more in the table.
    hand.tell(&flow, true);
    hand.wait(500);
    hand.expire();
    hand.check(&["unanswered /never - - - -+-"]);
}

#[test]
fn a_connection_that_rests_tells_the_end_of_a_response_of_known_length() {
    let mut hand = Hand::new();
    hand.request(0, "/long");
    hand.wait(3);
    hand.response(Some(0), 200, [50, 9_000, 1_000], true);
    hand.wait(20);
    hand.body(1, 7_999);
    let flow = hand.flow(OPENED);
    hand.wait(200);
    hand.tell(&flow, true);
    hand.check(&[]);
    hand.body(1, 1);
    let flow = hand.flow(OPENED);
    hand.wait(99);
    hand.tell(&flow, true);
    hand.check(&[]);
    hand.wait(1);
    hand.tell(&flow, false);
    hand.check(&[]);
    hand.tell(&flow, true);
    hand.check(&["complete /long 200 3 223 100+9050"]);
    // What has no known length goes on.
    hand.request(1, "/stream");
    hand.response(Some(1), 200, [50, 0, 100], false);
    let flow = hand.flow(OPENED);
    hand.wait(500);
    hand.tell(&flow, true);
    hand.finish(&["complete /stream 200 0 - 100+-"]);
}

#[test]
fn another_flow_in_the_slot_says_nothing() {
    let mut hand = Hand::new();
    hand.request(0, "/here");
    hand.response(Some(0), 200, [50, 900, 0], true);
    for other in [
        FlowRecord {
            generation: 2,
            ..hand.flow(OPENED | seen::ENDED)
        },
        FlowRecord {
            slot: FLOW_SLOT + 1,
            ..hand.flow(OPENED | seen::ENDED)
        },
        FlowRecord {
            slot: u32::MAX,
            ..hand.flow(OPENED | seen::ENDED)
        },
    ] {
        hand.tell(&other, true);
    }
    hand.wait(2_000);
    hand.expire();
    hand.check(&[]);
}
