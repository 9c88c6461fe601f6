//! What an account says and how it ends.

use std::time::SystemTime;

use super::document::ROWS;
use super::*;
use crate::generate::http::answer::Whole;

/// Of two seconds in which nothing was done.
pub(in crate::generate::http) fn account() -> Account {
    Account {
        report: LoadReport {
            tally: Tally::new().unwrap(),
            begun: SystemTime::UNIX_EPOCH,
            time: Duration::from_secs(2),
            starting: Duration::from_secs(2),
            threads: 1,
        },
        arrivals: Arrivals::Closed,
        connections: 4,
        seed: Seed(7),
        thresholds: Vec::new(),
    }
}

fn answered(times: impl IntoIterator<Item = u64>) -> Account {
    let mut account = account();
    let tally = &mut account.report.tally;
    for time in times {
        tally.started += 1;
        tally.answer(&Whole {
            status: 200,
            is_kept: true,
            body: 10,
        });
        for histogram in [&mut tally.service, &mut tally.response, &mut tally.lateness] {
            histogram.record(time).unwrap();
        }
    }
    tally.connections = 1;
    account
}

#[test]
fn bars_hold_every_answer_once() {
    let check = |times: Vec<u64>| {
        let account = answered(times.clone());
        let rows = bars(account.times());
        let sum: u64 = rows.iter().map(|row| row.count).sum();
        assert_eq!(sum, times.len() as u64, "{rows:?}");
        assert!(rows.len() <= ROWS);
        assert!(
            rows.windows(2).all(|two| two[0].up_to < two[1].up_to),
            "{rows:?}"
        );
    };
    check(vec![]);
    check(vec![5]);
    check(vec![1, 2, 3]);
    check(vec![50_000; 1000]);
    check((1..5000).map(|number| number * 997).collect());
    check(vec![1, 3_600_000_000_000]);
    check(vec![49_000, 49_001, 51_000]);
}

#[test]
fn a_failure_has_a_row_of_its_own() {
    let mut account = answered([3_000_000]);
    let is_there = |account: &Account| {
        let json = serde_json::to_value(account.document()).unwrap();
        let count = json["until_failed"]["count"].as_u64();
        (account.to_string().contains("until it failed"), count)
    };
    assert_eq!(is_there(&account), (false, None));
    account.report.tally.failures.record(9_000).unwrap();
    assert_eq!(is_there(&account), (true, Some(1)));
    assert_eq!(account.times().len(), 1);
}

#[test]
fn how_it_ends() {
    let check = |account: &Account, exit: Exit| assert_eq!(account.exit(), exit);
    check(&account(), Exit::Done);
    let mut one = answered([5]);
    check(&one, Exit::Done);
    one.report.tally.fail(Fault::Reset);
    check(&one, Exit::Refused);
    let mut left = answered([5]);
    left.report.tally.unfinished = 1;
    check(&left, Exit::Refused);
    one.thresholds = vec!["errors>0".parse().unwrap()];
    check(&one, Exit::ThresholdFailed);
    one.report.tally.connections = 0;
    check(&one, Exit::Unreachable);
    let mut open = answered((0..200).map(|_| 5));
    open.arrivals = Arrivals::Even(100.0);
    check(&open, Exit::Done);
    open.report.tally.dropped = 2;
    check(&open, Exit::Done);
    open.report.tally.dropped = 20;
    check(&open, Exit::RateNotMet);
    open.report.tally.dropped = 0;
    open.report.tally.behind = 1_000_000_000;
    check(&open, Exit::RateNotMet);
    open.arrivals = Arrivals::Poisson(100.0);
    check(&open, Exit::RateNotMet);
}

#[test]
fn it_is_said() {
    let mut account = answered([1_000_000, 2_000_000, 3_000_000]);
    account.arrivals = Arrivals::Even(1.5);
    account.report.tally.fail(Fault::Timeout);
    account.thresholds = vec!["p50>1ms".parse().unwrap()];
    let text = account.to_string();
    for expected in [
        "requests     3 started, 3 answered, 1 failed, 0 unfinished in 2.000 s\n",
        "rate         1.5 offered, 1.5 started, 1.5 answered a second; 0 late (over 1 ms), 0 dropped\n",
        "statuses     200 3\n",
        "errors       timeout 1\n",
        "  from the send              1.000",
        "  from intended start        1.000",
        "FAILED: p50>1ms came true (2.0",
        "■",
        "seed=7",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let json = serde_json::to_value(account.document()).unwrap();
    assert_eq!(json["errors"]["timeout"], 1);
    assert_eq!(json["statuses"]["200"], 3);
    assert_eq!(json["from_send"]["count"], 3);
    assert_eq!(json["thresholds"][0]["failed"], true);
    assert!((json["from_intended_start"]["p99.9"].as_f64().unwrap() - 3000.0).abs() < 5.0);
    assert_eq!(json["offered_rate"], 1.5);
}

#[test]
fn a_rate_is_met_where_starts_are_over_in_time() {
    let check = |arrivals, behind_ms: u64, dropped: u64, met: bool| {
        let mut account = answered([1; 100]);
        account.arrivals = arrivals;
        account.report.tally.behind = behind_ms * 1_000_000;
        account.report.tally.dropped = dropped;
        assert_eq!(
            account.is_rate_met(),
            met,
            "{arrivals:?} {behind_ms} {dropped}"
        );
    };
    for arrivals in [Arrivals::Even(50.0), Arrivals::Poisson(50.0)] {
        check(arrivals, 0, 0, true);
        check(arrivals, 120, 1, true);
        check(arrivals, 121, 0, false);
        check(arrivals, 0, 2, false);
    }
    check(Arrivals::Closed, 5000, 0, true);
}
