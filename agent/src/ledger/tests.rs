//! The account: its identities, at the end and while it goes on.

use serde_json::{Value, json};

use super::*;
use crate::http::engine::Counts as EngineCounts;
use crate::http::exchange::pairing::PairingCounts;
use crate::session::table::SessionCounts;
use crate::sink::counts::SharedCounts;
use crate::sink::log::{LossReason as LineLoss, SinkCounts};

/// Two CPUs with 7 records, of which 5 were received and 1 was lost in the ring.
fn ledger(moment: Moment, change: impl FnOnce(&mut Taken)) -> Value {
    let mut counters = [Counters::default(); 2];
    counters[0].records = 4;
    counters[1].records = 3;
    counters[1].lost[Lost::Ring as usize] = 1;
    let shared = SharedCounts::default();
    shared.add_accepted(9);
    shared.add_stored(4);
    shared.add_lost(LossReason::NoSpace, 2);
    let mut taken = Taken {
        received: vec![4, 1],
        engine: EngineCounts {
            start_lines: 6,
            heads: 3,
            whole: 2,
            partial: 1,
            copies: 2,
            look_alikes: 1,
            ..EngineCounts::default()
        },
        sinks: vec![("sqlite", shared.counts())],
        ..Taken::default()
    };
    change(&mut taken);
    let ledger = Ledger::new(&counters, &taken, Duration::from_secs(2), moment);
    serde_json::to_value(ledger).unwrap()
}

#[test]
fn what_is_on_its_way_is_told_and_must_have_come_in_the_end() {
    let check = |moment, name: &str, counts: [u64; 3], holds: bool| {
        let ledger = ledger(moment, |_| ());
        let identity = &ledger["identities"][name];
        let [left, right, in_flight] = counts;
        assert_eq!(identity["left"], left, "{name}");
        assert_eq!(identity["right"], right, "{name}");
        assert_eq!(identity["in_flight"], in_flight, "{name}");
        assert_eq!(identity["holds"], holds, "{name}");
    };
    check(Moment::Live, "records", [7, 6, 1], true);
    check(Moment::End, "records", [7, 6, 1], false);
    check(Moment::Live, "start_lines", [6, 6, 0], true);
    check(Moment::Live, "heads", [3, 3, 0], true);
    check(Moment::Live, "lines", [0, 0, 0], true);
    check(Moment::Live, "sinks.sqlite", [9, 6, 3], true);
    check(Moment::End, "sinks.sqlite", [9, 6, 3], false);
}

#[test]
fn packets_are_in_sessions_or_ignored_or_left_out() {
    let check = |moment, in_sessions, ignored: [u64; 2], in_flight, holds| {
        let mut counters = [Counters::default()];
        counters[0].packets[1][0] = 20;
        counters[0].ignored[Ignored::Fragment as usize] = ignored[0];
        counters[0].ignored[Ignored::Tls as usize] = ignored[1];
        counters[0].packets_left_out = 3;
        let taken = Taken {
            sessions: Some(SessionCounts {
                packets: in_sessions,
                ..SessionCounts::default()
            }),
            ..Taken::default()
        };
        let ledger = Ledger::new(&counters, &taken, Duration::ZERO, moment);
        let ledger = serde_json::to_value(ledger).unwrap();
        let identity = &ledger["identities"]["sessions"];
        assert_eq!(identity["in_flight"], in_flight, "{ledger:#}");
        assert_eq!(identity["holds"], holds, "{ledger:#}");
    };
    check(Moment::End, 15, [2, 1], 0, true);
    check(Moment::End, 14, [2, 1], 1, false);
    check(Moment::End, 16, [2, 0], 0, false);
    check(Moment::Live, 5, [2, 7], 10, true);
    // Where none are counted nothing is said of them.
    assert!(ledger(Moment::End, |_| ())["identities"]["sessions"].is_null());
}

#[test]
fn heads_are_in_exchanges_or_still_open() {
    let counts = PairingCounts {
        requests: 9,
        responses: 8,
        answered: 4,
        unanswered: 3,
        orphans: 1,
        interim: 2,
        open_requests: 2,
        open_responses: 1,
    };
    let check = |moment, counts: PairingCounts, holds: [bool; 2]| {
        let ledger = ledger(moment, |taken| taken.pairing = Some(counts));
        for (name, holds) in ["requests", "responses"].iter().zip(holds) {
            assert_eq!(ledger["identities"][name]["holds"], holds, "{ledger:#}");
        }
        assert_eq!(ledger["exchanges"]["answered"], counts.answered);
    };
    check(Moment::Live, counts, [true, true]);
    check(Moment::End, counts, [false, false]);
    let lost = PairingCounts {
        unanswered: 2,
        interim: 1,
        ..counts
    };
    check(Moment::Live, lost, [false, false]);
    assert!(ledger(Moment::End, |_| ())["identities"]["requests"].is_null());
}

#[test]
fn requests_are_taken_refused_or_given_up() {
    let counts = RequestCounts {
        requests: 9,
        taken: 3,
        refused: [0, 0, 1, 0, 2, 1, 0, 0],
        abandoned: 1,
    };
    let check = |counts: RequestCounts, in_flight: u64, holds: [bool; 2]| {
        for (moment, holds) in [Moment::Live, Moment::End].into_iter().zip(holds) {
            let ledger = StoreLedger::new(&[], counts, Duration::ZERO, moment);
            let ledger = serde_json::to_value(ledger).unwrap();
            assert_eq!(ledger["identities"]["api"]["in_flight"], in_flight);
            assert_eq!(ledger["identities"]["api"]["holds"], holds);
            assert_eq!(
                ledger["api"]["refused"],
                json!({"413": 1, "422": 2, "429": 1})
            );
        }
        // A capture's server may have some left when it ends.
        let ledger = ledger(Moment::End, |taken| taken.requests = Some(counts));
        assert_eq!(ledger["identities"]["api"]["holds"], holds[0]);
    };
    check(counts, 1, [true, false]);
    check(RequestCounts { taken: 4, ..counts }, 0, [true, true]);
    check(RequestCounts { taken: 5, ..counts }, 0, [false, false]);
    assert!(ledger(Moment::End, |_| ())["api"].is_null());
}

#[test]
fn what_came_from_nowhere_holds_never() {
    let changed = ledger(Moment::Live, |taken| taken.received[0] += 2);
    assert_eq!(changed["identities"]["records"]["holds"], false);
    let changed = ledger(Moment::Live, |taken| taken.engine.copies -= 1);
    assert_eq!(changed["identities"]["start_lines"]["holds"], false);
}

#[test]
fn sinks_say_what_became_of_their_records() {
    let expected = json!({"accepted": 9, "stored": 4, "spooled": 0, "queued": 3, "lost": 2,
        "lost_by": {"no_space": 2}});
    assert_eq!(ledger(Moment::Live, |_| ())["sinks"]["sqlite"], expected);
}

#[test]
fn lines_say_why_they_were_lost() {
    let counts = |lost: &[(LineLoss, u64)]| {
        let mut log = SinkCounts::default();
        (log.accepted, log.stored) = (9, 4);
        for (reason, records) in lost {
            log = log.with_lost(*reason, *records);
        }
        ledger(Moment::End, |taken| taken.log = log)["lines"].clone()
    };
    let expected = json!({"accepted": 9, "stored": 4, "queued": 0, "lost": 0, "lost_by": {}});
    assert_eq!(counts(&[]), expected);
    let lost = [(LineLoss::ReaderGone, 3), (LineLoss::QueueFull, 2)];
    let expected = json!({"accepted": 9, "stored": 4, "queued": 0, "lost": 5,
        "lost_by": {"queue_full": 2, "reader_gone": 3}});
    assert_eq!(counts(&lost), expected);
}

#[test]
fn what_is_said_names_each_reason_with_its_number() {
    let mut counters = [Counters::default(); 2];
    let said = |counters: &[Counters], log: SinkCounts, lost: u64| {
        let shared = SharedCounts::default();
        shared.add_accepted(9);
        shared.add_stored(9 - lost);
        shared.add_lost(LossReason::NoSpace, lost);
        let taken = Taken {
            log,
            sinks: vec![("sqlite", shared.counts())],
            ..Taken::default()
        };
        Ledger::new(counters, &taken, Duration::from_secs(2), Moment::End).text()
    };
    let expected = "\
tapline saw 0 packets in 2.0 s and wrote 0 heads (0 partial) in 0 lines
records: 0 numbered = 0 received + 0 lost in the ring; lost otherwise: 0; lines lost: 0; segments seen before: 0; connections evicted: 0
sqlite: 9 records = 9 stored + 0 spooled + 0 lost
";
    assert_eq!(said(&counters, SinkCounts::default(), 0), expected);
    counters[0].lost[Lost::Ring as usize] = 7;
    counters[0].lost[Lost::Slot as usize] = 1;
    counters[1].lost[Lost::Slot as usize] = 2;
    counters[1].lost[Lost::Cut as usize] = 4;
    counters[1].ignored[Ignored::NotIp as usize] = 2;
    let log = SinkCounts::default().with_lost(LineLoss::ReaderGone, 5);
    let expected = "\
tapline saw 0 packets in 2.0 s and wrote 0 heads (0 partial) in 0 lines
records: 0 numbered = 0 received + 7 lost in the ring; lost otherwise: 7 (cut 4, slot 3); lines lost: 5 (reader_gone 5); segments seen before: 0; connections evicted: 0
sqlite: 9 records = 3 stored + 0 spooled + 6 lost (no_space 6)
ignored: not_ip 2
";
    assert_eq!(said(&counters, log, 6), expected);
}
