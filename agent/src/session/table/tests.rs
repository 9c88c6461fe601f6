use std::time::Duration;

use agent_common::flow::flow_name;
use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

/// The limits of idle flows are 300, 60 and 60 s, records of those that go on are 60 s apart.
fn table() -> SessionTable {
    SessionTable::new(
        7,
        SessionSettings {
            idle: IdleLimits {
                tcp: Duration::from_secs(300),
                udp: Duration::from_secs(60),
                icmp: Duration::from_secs(60),
            },
            interim_ns: Some(60 * SECOND),
            tick_ns: 4_000_000,
        },
    )
}

/// A TCP flow in slot 5 with so many packets, the first at 0 s, the last at `last` s.
fn flow(generation: u32, packets: u64, last: u64) -> FlowRecord {
    FlowRecord {
        slot: 5,
        generation,
        packets: [packets, 0],
        last_ns: last * SECOND,
        ..FlowRecord::default()
    }
}

fn with(why: u8, record: FlowRecord) -> FlowRecord {
    FlowRecord { why, ..record }
}

fn ended(record: FlowRecord) -> FlowRecord {
    FlowRecord {
        state: seen::ENDED,
        ..record
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Sent(FlowRecord),
    /// At so many seconds.
    Found(FlowRecord, u64),
    Head(u32, Said),
    End,
}
use Step::{End, Found, Head, Sent};

/// Each step with what is due after it: `3` a third record, `3~` an interim one; and what the kernel side is
/// told: `N`othing, `S`o far, `F`inal.
fn check(steps: &[(Step, &str)]) -> SessionTable {
    let mut table = table();
    for (index, (step, expected)) in steps.iter().enumerate() {
        let (due, taken) = match step {
            Sent(record) => (table.sent(record), ""),
            Found(record, now) => {
                let (due, taken) = table.found(record, now * SECOND);
                let word = match taken {
                    Taken::No => "N",
                    Taken::SoFar => "S",
                    Taken::Final => "F",
                };
                (due, word)
            }
            Head(flow, said) => {
                assert!(table.head(*flow, *said).is_some());
                (None, "")
            }
            End => {
                table.end();
                (None, "")
            }
        };
        let due = due.map_or(String::new(), |due| {
            format!("{}{}", due.revision, if due.interim { "~" } else { "" })
        });
        assert_eq!(format!("{due}{taken}"), *expected, "step {index}: {step:?}");
    }
    table
}

#[test]
fn what_ended_has_one_final_record() {
    let flow = flow(3, 10, 2);
    check(&[
        (Sent(with(why::ENDED, flow)), "1"),
        // The same counts once more, from every side.
        (Found(ended(flow), 4), "F"),
        (Sent(with(why::NEXT, flow)), ""),
    ]);
    check(&[
        (Found(ended(flow), 4), "1F"),
        (Sent(with(why::ENDED, flow)), ""),
        (Sent(with(why::EVICTED, flow)), ""),
    ]);
}

#[test]
fn what_comes_behind_the_end_is_a_later_revision() {
    let more = flow(3, 11, 3);
    check(&[
        (Sent(with(why::ENDED, flow(3, 10, 2))), "1"),
        (Found(ended(more), 4), "2F"),
        (Found(ended(more), 8), "F"),
        (Sent(with(why::NEXT, flow(3, 12, 3))), "3"),
    ]);
}

#[test]
fn what_leaves_has_a_final_record() {
    for why in [why::NEXT, why::EVICTED] {
        let counts = check(&[
            (Sent(with(why, flow(3, 10, 2))), "1"),
            (Sent(with(why, flow(4, 20, 2))), "1"),
            (Found(flow(5, 1, 100), 101), "1~S"),
            (Sent(with(why, flow(5, 2, 102))), "2"),
        ])
        .counts();
        assert_eq!((counts.sessions, counts.records), (3, 4));
        assert_eq!((counts.interim, counts.packets), (1, 32));
    }
}

#[test]
fn what_is_idle_for_its_limit_and_a_margin_is_over() {
    for (protocol, limit) in [
        (Protocol::Tcp, 300),
        (Protocol::Udp, 60),
        (Protocol::Icmp, 60),
    ] {
        let record = FlowRecord {
            protocol: protocol as u8,
            first_ns: 9 * SECOND,
            ..flow(3, 10, 10)
        };
        let mut table = table();
        table.settings.interim_ns = None;
        let margin = MARGIN_TICKS * 4_000_000;
        let limit = (10 + limit) * SECOND + margin;
        assert_eq!(table.found(&record, limit), (None, Taken::No));
        let (due, taken) = table.found(&record, limit + 1);
        assert_eq!(
            (due.map(|due| due.interim), taken),
            (Some(false), Taken::Final)
        );
        assert_eq!(table.found(&record, limit + 2), (None, Taken::Final));
        // The kernel side sends no more of it; what it does send has nothing new.
        assert_eq!(table.sent(&with(why::NEXT, record)), None);
    }
}

#[test]
fn what_goes_on_has_a_record_now_and_then_if_there_is_news() {
    check(&[
        (Found(flow(3, 10, 59), 59), "N"),
        (Found(flow(3, 10, 59), 60), "1~S"),
        (Found(flow(3, 11, 61), 119), "N"),
        (Found(flow(3, 11, 61), 120), "2~S"),
        // No news.
        (Found(flow(3, 11, 61), 200), "N"),
        (Found(flow(3, 12, 201), 202), "3~S"),
        // Sent before, and read from the ring after the table.
        (Sent(with(why::ENDED, flow(3, 11, 200))), ""),
        (Sent(with(why::ENDED, flow(3, 12, 202))), "4"),
    ]);
}

#[test]
fn at_the_end_everything_has_a_final_record() {
    check(&[
        (Found(flow(3, 10, 59), 60), "1~S"),
        (End, ""),
        (Found(flow(3, 10, 59), 61), "2S"),
    ]);
    check(&[(End, ""), (Found(flow(3, 10, 59), 59), "1S")]);
}

#[test]
fn a_successor_waits_for_the_record_in_the_ring_but_not_for_ever() {
    check(&[
        (Found(flow(3, 10, 60), 60), "1~S"),
        // Slot and generation are of the next one; the record of this one is on its way.
        (Found(flow(4, 5, 130), 130), "N"),
        (Sent(with(why::NEXT, flow(3, 12, 61))), "2"),
        (Found(flow(4, 5, 130), 134), "1~S"),
    ]);
    check(&[
        (Found(flow(3, 10, 60), 60), "1~S"),
        (Found(flow(4, 5, 130), 130), "N"),
        (Found(flow(4, 6, 134), 134), "1~S"),
        // It was lost, and yet it comes: it is the last word on its session.
        (Sent(with(why::NEXT, flow(3, 12, 61))), "4294967295"),
    ]);
}

#[test]
fn heads_are_counted_and_are_news() {
    let name = flow_name(5, 3);
    let table = check(&[
        (Head(name, Said::Request), ""),
        (Head(name, Said::Other), ""),
        (Head(name, Said::Request), ""),
        (Head(name, Said::Error), ""),
        (Sent(with(why::ENDED, flow(3, 10, 2))), "1"),
        (Found(ended(flow(3, 10, 2)), 3), "F"),
        // It was held back behind a hole.
        (Head(name, Said::Request), ""),
        (Found(ended(flow(3, 10, 2)), 4), "2F"),
        (Sent(with(why::NEXT, flow(3, 10, 2))), ""),
    ]);
    assert_eq!(table.counts().packets, 10);
    let mut table = table;
    for (said, counts) in [(Said::Request, (1, 0)), (Said::Error, (1, 1))] {
        table.head(flow_name(5, 4), said);
        let entry = table.look(5).unwrap();
        assert_eq!((entry.requests, entry.errors), counts);
    }
    let due = table.sent(&with(why::NEXT, flow(4, 3, 9))).unwrap();
    assert_eq!((due.requests, due.errors), (1, 1));
    // One of the flow before: too late for its count, but not for its name.
    let late = table.head(name, Said::Request);
    assert_eq!(late, Some(table.name(5, 3)));
    assert_eq!(table.counts().late_heads, 1);
    // A response says nothing that a record would have.
    table.head(name, Said::Other);
    assert_eq!(table.counts().late_heads, 1);
}

#[test]
fn heads_that_no_record_says_are_counted() {
    let check = |steps: &dyn Fn(&mut SessionTable), expected: u64| {
        let mut table = table();
        table.head(flow_name(5, 3), Said::Request);
        steps(&mut table);
        table.end();
        assert_eq!(table.counts().late_heads, expected);
    };
    let name = flow_name(5, 3);
    let left = |table: &mut SessionTable| {
        let due = table.sent(&with(why::EVICTED, flow(3, 10, 2))).unwrap();
        assert_eq!(due.requests, 1);
    };
    check(&left, 0);
    // The flow has left its table, and heads of it are still read.
    check(
        &|table| {
            left(table);
            assert_eq!(table.head(name, Said::Request), Some(table.name(5, 3)));
            table.head(name, Said::Error);
            table.head(name, Said::Other);
        },
        2,
    );
    // Its record was lost, and another flow is in its place.
    check(
        &|table| {
            let _next = table.head(flow_name(5, 4), Said::Other);
        },
        1,
    );
    check(
        &|table| {
            let _next = table.sent(&with(why::ENDED, flow(4, 1, 3)));
        },
        1,
    );
    check(
        &|table| {
            table.found(&ended(flow(4, 1, 3)), 9);
            table.found(&ended(flow(4, 1, 3)), 10);
        },
        1,
    );
    // It ended and stays in its place: another record says it.
    check(
        &|table| {
            table.sent(&with(why::ENDED, flow(3, 10, 2)));
            table.head(name, Said::Request);
            assert_eq!(
                table.found(&ended(flow(3, 10, 2)), 3).0.unwrap().requests,
                2
            );
        },
        0,
    );
    // Nothing comes any more.
    check(&|_| (), 1);
}

#[test]
fn heads_and_records_name_the_same_session() {
    for generation in [0, 1, 2, 1022, 1023, 1024, 2046, 5000, 1 << 20] {
        let mut table = table();
        // As the slot was when something of it was last heard of.
        table.sent(&with(
            why::NEXT,
            flow(generation - generation.min(400), 1, 0),
        ));
        let name = table.head(flow_name(5, generation), Said::Request);
        let due = table.sent(&with(why::ENDED, flow(generation, 2, 1)));
        assert_eq!(due.map(|due| due.session), name, "{generation}");
        assert_eq!(due.map(|due| due.requests), Some(1), "{generation}");
    }
}

#[test]
fn no_name_is_none_of_a_session_and_slots_beyond_the_table_are_refused() {
    let mut table = table();
    assert_eq!(table.head(0, Said::Request), None);
    let mut record = with(why::ENDED, flow(3, 1, 1));
    record.slot = SLOTS;
    assert_eq!(table.sent(&record), None);
    assert!(table.chunks.is_empty());
}

#[test]
fn a_flow_that_has_no_record_costs_no_memory() {
    let mut table = table();
    for slot in 0..100_000 {
        let record = FlowRecord {
            slot,
            ..flow(1, 5, 1)
        };
        assert_eq!(table.found(&record, SECOND), (None, Taken::No));
    }
    assert!(table.chunks.is_empty());
    assert!(size_of::<Entry>() <= 40);
    table.walked();
    assert_eq!(table.counts().active, 100_000);
}

proptest! {
    /// Whatever comes, revisions of a session grow, and the packets in the last record of each session are
    /// those that were counted.
    #[test]
    fn revisions_grow_and_packets_add_up(
        steps in prop::collection::vec((0_u8..5, 1_u64..100), 1..60),
    ) {
        let mut table = table();
        let mut last = std::collections::HashMap::new();
        let (mut record, mut now) = (flow(1, 1, 0), 0);
        for (what, number) in steps {
            now += number * SECOND;
            let due = match what {
                0 => { record.packets[1] += number; record.last_ns = now; None }
                1 => table.found(&record, now).0,
                2 => {
                    record.state = seen::ENDED;
                    table.sent(&FlowRecord { time_ns: now, ..with(why::ENDED, record) })
                }
                3 => { table.head(flow_name(5, record.generation), Said::Request); None }
                _ => {
                    let due = table.sent(&FlowRecord { time_ns: now, ..with(why::NEXT, record) });
                    let packets = last.get(&record.generation).map_or(0, |(_, packets)| *packets);
                    prop_assert!(due.is_some() || packets == total(&record));
                    if let Some(due) = due {
                        last.insert(record.generation, (due.revision, total(&record)));
                    }
                    record = FlowRecord { first_ns: now, ..flow(record.generation + 1, 1, 0) };
                    record.last_ns = now;
                    continue;
                }
            };
            if let Some(due) = due {
                let before = last.insert(record.generation, (due.revision, total(&record)));
                prop_assert!(before.is_none_or(|(revision, _)| due.revision > revision));
                prop_assert!(due.interim || due.requests == table.look(5).unwrap().requests);
            }
        }
        let packets: u64 = last.values().map(|(_, packets)| packets).sum();
        prop_assert_eq!(table.counts().packets, packets);
    }
}

#[test]
fn a_session_that_met_two_cpus_counts_once() {
    let mut table = table();
    let mut see = |generation, packets, cpus, expected| {
        let record = FlowRecord {
            packets,
            cpus,
            ..flow(generation, 0, 1)
        };
        table.sent(&with(why::ENDED, ended(record)));
        assert_eq!(table.counts().differing_cpus, expected, "{generation}");
    };
    see(1, [2, 0], [0, 1], 0);
    see(2, [2, 3], [1, 1], 0);
    see(3, [2, 3], [0, 1], 1);
    // More of the same one.
    see(3, [4, 5], [0, 1], 1);
    see(4, [2, 3], [2, 1], 2);
}
