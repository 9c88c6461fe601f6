//! The life of rules together, and over a restart.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn board(rules: &[&str]) -> Board {
    let rules = rules.iter().map(|rule| rule.parse().unwrap());
    Board::new(rules.collect(), Timestamp::UNIX_EPOCH)
}

fn value(board: &Board) -> Value {
    serde_json::from_slice(&board.json().unwrap()).unwrap()
}

#[test]
fn each_rule_has_its_own_life() {
    let mut board = board(&[
        "errors error_rate above 5% over 10s",
        "quiet requests_per_second below 1 over 10s for 10s",
    ]);
    let start = Instant::now();
    let mut observe = |second: u64, errors: f64, rate: f64| {
        let now = start + Duration::from_secs(second);
        let wall = Timestamp::from_second(second as i64).unwrap();
        let observed = [Observed::Value(errors), Observed::Value(rate)];
        let messages = board.observe(now, wall, &observed, "web-1");
        (messages, value(&board))
    };
    let (messages, shown) = observe(0, 1.0, 0.0);
    assert!(messages.is_empty());
    assert_eq!(shown["rules"][0]["state"], "ok");
    assert_eq!(
        shown["rules"][1],
        json!({
            "name": "quiet", "metric": "requests_per_second", "unit": "per_second", "above": null,
            "below": 1.0, "window_s": 10, "for_s": 10, "state": "pending", "value": 0.0,
            "since": "1970-01-01T00:00:00Z"
        })
    );
    let (messages, _) = observe(5, 7.25, 9.0);
    let [fires] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!((fires.id.as_str(), fires.state), ("errors-5000", "firing"));
    assert_eq!(
        fires.text,
        "tapline on web-1: errors is firing: error_rate is 7.25 % over 10 s, above 5 %"
    );
    // It is told once, and the worst is kept.
    let (messages, shown) = observe(10, 50.0, 9.0);
    assert!(messages.is_empty());
    assert_eq!(
        shown["history"],
        json!([{"rule": "errors", "started": "1970-01-01T00:00:05Z", "ended": null,
            "peak": 50.0, "delivered": null}])
    );
    let (messages, shown) = observe(15, 0.0, 9.0);
    let [ends] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!((ends.id.as_str(), ends.state), ("errors-5000", "resolved"));
    assert_eq!(ends.ended.as_deref(), Some("1970-01-01T00:00:15Z"));
    assert!(ends.text.ends_with("the worst was 50 %"), "{}", ends.text);
    assert_eq!(shown["history"][0]["ended"], "1970-01-01T00:00:15Z");
}

#[test]
fn delivered_is_what_both_messages_were() {
    let mut board = board(&["a lost above 0 over 10s"]);
    let mut fire = |value: f64| {
        let observed = [Observed::Value(value)];
        board.observe(Instant::now(), Timestamp::now(), &observed, "h")[0].number
    };
    let first = fire(1.0);
    assert_eq!(fire(0.0), first);
    let second = fire(1.0);
    board.delivered(first, true);
    board.delivered(first, false);
    board.delivered(second, true);
    board.delivered(99, true);
    let shown = value(&board);
    assert_eq!(shown["history"][0]["delivered"], true);
    assert_eq!(shown["history"][1]["delivered"], false);
}

#[test]
fn the_past_is_bounded() {
    let mut board = board(&["a lost above 0 over 10s"]);
    for number in 0..3 * HISTORY {
        let observed = [Observed::Value((number % 2) as f64)];
        board.observe(Instant::now(), Timestamp::now(), &observed, "h");
    }
    assert_eq!(value(&board)["history"].as_array().unwrap().len(), HISTORY);
}

/// What a restart gets of a board, and what it tells.
fn restarted(board: &Board, rules: &[&str], has_webhook: bool) -> (Board, Restored) {
    let mut next = self::board(rules);
    let restored = next.restore(board.kept(has_webhook), Instant::now(), "web-1");
    (next, restored)
}

#[test]
fn what_fires_fires_on_over_a_restart_and_is_not_told_anew() {
    let rules = [
        "errors error_rate above 5% over 10s",
        "b lost above 0 over 10s",
    ];
    let mut first = board(&rules);
    let look = |board: &mut Board, second: i64, value: f64| {
        let wall = Timestamp::from_second(second).unwrap();
        let observed = [Observed::Value(value), Observed::Value(0.0)];
        board.observe(Instant::now(), wall, &observed, "web-1")
    };
    let number = look(&mut first, 5, 50.0)[0].number;
    first.delivered(number, true);
    for has_webhook in [true, false] {
        let (mut second, restored) = restarted(&first, &rules, has_webhook);
        assert_eq!(restored, Restored::default());
        let shown = value(&second);
        assert_eq!(shown["rules"][0]["state"], "firing");
        assert_eq!(shown["rules"][0]["since"], "1970-01-01T00:00:05Z");
        assert_eq!(shown["rules"][1]["state"], "unknown");
        assert_eq!(shown["history"][0]["peak"], 50.0);
        // It goes on, then it is over: the same alert, with the worst of both.
        assert!(look(&mut second, 10, 6.0).is_empty());
        let ends = look(&mut second, 15, 0.0);
        assert_eq!(
            (ends[0].id.as_str(), ends[0].state),
            ("errors-5000", "resolved")
        );
        assert_eq!(ends[0].peak, Some(50.0));
    }
}

#[test]
fn what_nobody_was_told_of_is_told_after_a_restart() {
    let rules = ["a lost above 0 over 10s"];
    let mut first = board(&rules);
    let mut look = |value: f64| {
        let observed = [Observed::Value(value)];
        let messages = first.observe(Instant::now(), Timestamp::UNIX_EPOCH, &observed, "web-1");
        let number = messages[0].number;
        (first.clone(), number)
    };
    let states = |board: &Board, has_webhook: bool| -> Vec<&'static str> {
        let (_, restored) = restarted(board, &rules, has_webhook);
        restored
            .messages
            .iter()
            .map(|message| message.state)
            .collect()
    };
    let (fires, number) = look(3.0);
    assert_eq!(states(&fires, true), ["firing"]);
    let (mut over, _) = look(0.0);
    assert_eq!(states(&over, true), ["firing", "resolved"]);
    // Nobody is told: what is over is of no use.
    assert_eq!(states(&over, false), [""; 0]);
    over.delivered(number, true);
    assert_eq!(states(&over, true), ["resolved"]);
    let (second, restored) = restarted(&over, &rules, true);
    assert_eq!(restored.messages[0].value, Some(0.0));
    assert_eq!(states(&second, true), ["resolved"]);
    over.delivered(number, false);
    assert_eq!(states(&over, true), [""; 0]);
    assert!(over.kept(true).is_empty());
}

#[test]
fn what_is_kept_may_be_anything() {
    let mut board = board(&["a lost above 0 over 10s"]);
    let kept = |rule: &str, started: i64, told: u8| Kept {
        rule: rule.to_owned(),
        started: Timestamp::from_second(started).unwrap(),
        ended: None,
        value: None,
        peak: Some(f64::MAX),
        told,
    };
    let mut all = vec![
        kept("gone", 1, 1),
        kept("a", -377_705_023_201, 255),
        kept("a", 253_402_207_200, 0),
    ];
    all.extend((0..1_000).map(|number| kept("a", number, 2)));
    let restored = board.restore(all, Instant::now(), "h");
    assert_eq!(restored.gone, ["gone"]);
    // A rule fires once at a time.
    assert_eq!(board.count(State::Firing), 1);
    let shown = value(&board);
    assert_eq!(shown["history"].as_array().unwrap().len(), 1);
    assert!(restored.messages.len() <= 1, "{restored:?}");
}
