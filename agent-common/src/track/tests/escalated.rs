//! Connections of which everything is copied: why, how much, and until when.

use super::*;

#[test]
fn a_second_request_before_the_answer_escalates() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    let second = wire.say(CLIENT, GET);
    check(
        "second",
        &second,
        &[(GET.len(), GET, flag::START | flag::ALL)],
    );
    let mut wire = Wire::new();
    let both = [GET, GET].concat();
    let records = wire.say(CLIENT, &both);
    check("both", &records, &[(0, &both, flag::START | flag::ALL)]);
    assert_eq!(wire.escalated()[Escalated::Pipelined as usize], 1);
    let answers = [OK, b"12345", OK, b"12345"].concat();
    let records = wire.say(SERVER, &answers);
    check(
        "answers",
        &records,
        &[(0, &answers, flag::START | flag::ALL)],
    );
    // Once a connection.
    wire.say(CLIENT, &both);
    assert_eq!(wire.escalated(), [1, 0, 0, 0, 0]);
}

#[test]
fn behind_a_body_that_nobody_wanted_the_next_request_is_copied() {
    for (answer, comes_first, whole) in [
        (OK, &b""[..], true),
        // Asked for, or on its way: it is stepped over.
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"", false),
        (OK, b"x", false),
    ] {
        let name = format!("{} {comes_first:?}", answer.escape_ascii());
        let mut wire = Wire::new();
        check("request", &wire.say(CLIENT, POST), &[(0, POST, WHOLE)]);
        check("some of the body", &wire.say(CLIENT, comes_first), &[]);
        wire.say(SERVER, answer);
        let at = wire.next[CLIENT];
        let next = wire.say(CLIENT, GET);
        let all = [(at, GET, flag::START | flag::ALL)];
        check(&name, &next, &all[..usize::from(whole)]);
        let escalated = wire.escalated()[Escalated::Body as usize];
        assert_eq!(escalated, u64::from(whole), "{name}");
    }
}

#[test]
fn in_the_middle_of_a_pipeline_answers_are_copied_whole() {
    // Their requests were sent before anything was seen.
    let answers = [OK, b"12345", OK, b"12345", OK, b"12345"].concat();
    for one_was_seen in [false, true] {
        let mut wire = Wire::from_the_middle();
        if one_was_seen {
            check("request", &wire.say(CLIENT, GET), &[(0, GET, WHOLE)]);
            let answer = [OK, b"12345"].concat();
            check("its answer", &wire.say(SERVER, &answer), &[(0, OK, WHOLE)]);
        }
        let at = wire.next[SERVER];
        let records = wire.say(SERVER, &answers);
        check(
            "answers",
            &records,
            &[(at, &answers, flag::START | flag::ALL)],
        );
        // Wherever they are cut.
        let at = wire.next[SERVER];
        let records = wire.say(SERVER, &answers[..answers.len() - 20]);
        check(
            "most of them",
            &records,
            &[(at, &answers[..answers.len() - 20], flag::START | flag::ALL)],
        );
        let records = wire.say(SERVER, &answers[answers.len() - 20..]);
        assert_eq!(joined("rest", &records), answers[answers.len() - 20..]);
        assert_eq!(wire.escalated(), [0, 0, 0, 0, 1], "{one_was_seen}");

        // Until the reader has seen all of it; then a request and its answer are ordinary, and another answer is not.
        let sent = wire.kernel.counters().records;
        wire.release(sent as u32, false);
        let at = wire.next;
        check(
            "request",
            &wire.say(CLIENT, GET),
            &[(at[CLIENT], GET, WHOLE)],
        );
        let answer = [OK, b"12345"].concat();
        check(
            "its answer",
            &wire.say(SERVER, &answer),
            &[(at[SERVER], OK, WHOLE)],
        );
        let at = wire.next[SERVER];
        let records = wire.say(SERVER, &answers);
        check("more", &records, &[(at, &answers, flag::START | flag::ALL)]);
        assert_eq!(wire.escalated(), [0, 0, 0, 0, 2]);
    }
}

#[test]
fn without_a_budget_the_first_answer_that_is_seen_is_copied_whole_too() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answers = [&chunked[..], b"1\r\n!\r\n0\r\n\r\n", OK, b"12345"].concat();
    for (budget, from_start, whole) in [
        (u32::MAX, false, true),
        (u32::MAX, true, false),
        (u32::MAX - 1, false, false),
    ] {
        let name = format!("{budget} {from_start}");
        let mut wire = if from_start {
            Wire::new()
        } else {
            Wire::from_the_middle()
        };
        wire.kernel.settings.connection_budget = budget;
        check(&name, &wire.say(CLIENT, GET), &[(0, GET, WHOLE)]);
        let records = wire.say(SERVER, &answers);
        let all = flag::START | flag::ALL;
        let (bytes, flags) = if whole {
            (answers.as_slice(), all)
        } else {
            (chunked.as_slice(), WHOLE)
        };
        check(&name, &records, &[(0, bytes, flags)]);
        assert_eq!(wire.escalated(), [0, 0, 0, 0, u64::from(whole)], "{name}");
        if !whole {
            continue;
        }
        // Once: then it is a connection like any other.
        let sent = wire.kernel.counters().records;
        wire.release(sent as u32, false);
        let at = wire.next;
        check(&name, &wire.say(CLIENT, GET), &[(at[CLIENT], GET, WHOLE)]);
        let records = wire.say(SERVER, &answers);
        check(&name, &records, &[(at[SERVER], chunked, WHOLE)]);
        assert_eq!(wire.escalated(), [0, 0, 0, 0, 1], "{name}");
    }
}

#[test]
fn an_answer_before_capture_is_told_wherever_its_head_is_cut() {
    let answers = [OK, b"12345", OK, b"12345"].concat();
    // Of "HTTP/1.1 " alone nobody knows whether it is interim: that escalates by itself.
    for cut in 10..answers.len() {
        let mut wire = Wire::from_the_middle();
        let mut records = wire.say(SERVER, &answers[..cut]);
        records.extend(wire.say(SERVER, &answers[cut..]));
        assert_eq!(joined(&format!("{cut}"), &records), answers);
        assert_eq!(wire.escalated(), [0, 0, 0, 0, 1], "{cut}");
    }
}

#[test]
fn behind_an_answer_before_capture_long_bodies_are_not_copied_on_and_on() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n";
    for second_reason in [false, true] {
        let mut wire = Wire::from_the_middle();
        wire.kernel.settings.connection_budget = 2500;
        let records = wire.say(SERVER, head);
        check("head", &records, &[(0, head, flag::START | flag::ALL)]);
        if second_reason {
            wire.say(CLIENT, GET);
            wire.say(CLIENT, GET);
        }
        let sent: Vec<usize> = (0..5)
            .map(|_| wire.say(SERVER, &[b'x'; 1000]).len())
            .collect();
        assert_eq!(sent, [1, 1, 0, 0, 0]);
        // What else needs all of it has it as long as the reader wants.
        let refused = if second_reason { 3 } else { 1 };
        assert_eq!(
            wire.lost(Lost::ConnectionBudget),
            (refused, 1000 * refused),
            "{second_reason}"
        );
        if !second_reason {
            let at = wire.next;
            let request = wire.say(CLIENT, GET);
            check("request", &request, &[(at[CLIENT], GET, WHOLE)]);
            let answer = [OK, b"12345"].concat();
            let answer = wire.say(SERVER, &answer);
            check("answer", &answer, &[(at[SERVER], OK, WHOLE)]);
            // The gap in the numbers tells of what was refused.
            assert_eq!(answer[0].number, 5);
        }
    }
}

#[test]
fn a_response_that_nobody_asked_for_is_body_where_the_start_was_seen() {
    for (flags, side) in [(tcp::SYN, CLIENT), (tcp::SYN | tcp::ACK, SERVER)] {
        let mut wire = Wire::from_the_middle();
        assert_eq!(wire.at(side, 0, flags, b""), []);
        let answers = [OK, b"12345", OK, b"12345"].concat();
        check("one", &wire.say(SERVER, &answers), &[(0, OK, WHOLE)]);
        assert_eq!(wire.escalated(), [0; 5]);
    }
}

#[test]
fn an_interim_response_escalates() {
    let mut wire = Wire::new();
    wire.say(CLIENT, POST);
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let records = wire.say(SERVER, interim);
    check(
        "interim",
        &records,
        &[(0, interim, flag::START | flag::ALL)],
    );
    assert_eq!(wire.escalated()[Escalated::Interim as usize], 1);
}

#[test]
fn an_interim_response_escalates_wherever_it_is_cut() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    for cut in 1..interim.len() {
        let mut wire = Wire::new();
        wire.say(CLIENT, POST);
        wire.say(SERVER, &interim[..cut]);
        wire.say(SERVER, &interim[cut..]);
        assert_eq!(wire.escalated(), [0, 1, 0, 0, 0], "{cut}");
    }
}

#[test]
fn a_release_forgets_what_was_outstanding() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.say(CLIENT, GET);
    wire.say(SERVER, &[OK, b"12345", OK, b"12345"].concat());
    wire.release(3, false);
    for _ in 0..3 {
        let at = wire.next[CLIENT];
        check("next", &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
        wire.say(SERVER, &[OK, b"12345"].concat());
    }
    assert_eq!(wire.escalated(), [1, 0, 0, 0, 0]);
}

#[test]
fn a_release_forgets_holes() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.lose(SERVER, OK);
    assert_eq!(wire.say(SERVER, b"12345")[0].hole, Some(0));
    wire.release(2, false);
    let at = wire.next[CLIENT];
    check("next", &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
    let answer = wire.say(SERVER, OK);
    assert_eq!(answer[0].hole, None);
}

#[test]
fn a_chunked_request_escalates_until_it_is_released() {
    let mut wire = Wire::new();
    let records = wire.say(CLIENT, CHUNKED);
    check("head", &records, &[(0, CHUNKED, flag::START | flag::ALL)]);
    assert_eq!(wire.escalated()[Escalated::Body as usize], 1);
    let chunk = b"5\r\nhello\r\n0\r\n\r\n";
    let at = CHUNKED.len();
    check("chunk", &wire.say(CLIENT, chunk), &[(at, chunk, flag::ALL)]);
    check(
        "answer",
        &wire.say(SERVER, OK),
        &[(0, OK, flag::START | flag::ALL)],
    );
    // A release that is not of the last record is too early.
    wire.release(2, false);
    check(
        "early",
        &wire.say(SERVER, b"12345"),
        &[(OK.len(), b"12345", flag::ALL)],
    );
    wire.release(4, false);
    let at = wire.next[CLIENT];
    check("released", &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
    let at = wire.next[SERVER];
    let answer = [OK, b"12345"].concat();
    check("released", &wire.say(SERVER, &answer), &[(at, OK, WHOLE)]);
}

#[test]
fn of_an_opaque_connection_nothing_is_copied_until_the_next() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.release(1, true);
    // It is noticed a few heads later, and in both directions at once.
    let copied = (0..20)
        .map(|_| wire.say(SERVER, OK).len())
        .collect::<Vec<_>>();
    assert_eq!(copied.iter().sum::<usize>(), 7, "{copied:?}");
    assert_eq!(copied[7..], [0; 13]);
    assert_eq!(wire.say(CLIENT, GET), []);
    wire.first = [5, 6];
    wire.next = [0, 0];
    wire.at(CLIENT, 0, tcp::SYN, b"");
    wire.at(SERVER, 0, tcp::SYN | tcp::ACK, b"");
    check("anew", &wire.say(CLIENT, GET), &[(0, GET, WHOLE)]);
}

/// A connection of which everything is copied.
fn escalated() -> Wire {
    let mut wire = Wire::new();
    wire.say(CLIENT, CHUNKED);
    wire
}

#[test]
fn what_a_spent_budget_refuses_is_counted() {
    for of_connection in [true, false] {
        let mut wire = escalated();
        let why = if of_connection {
            wire.kernel.settings.connection_budget = 3000;
            Lost::ConnectionBudget
        } else {
            wire.kernel.settings.cpu_budget = 3000;
            Lost::CpuBudget
        };
        let (mut copied, mut said) = (0, 0);
        let mut numbers = Vec::new();
        for _ in 0..10 {
            let records = wire.say(CLIENT, &[b'x'; 500]);
            said += 500;
            copied += records.iter().map(|got| got.bytes.len()).sum::<usize>();
            numbers.extend(records.iter().map(|got| got.number));
        }
        let (lost, bytes) = wire.lost(why);
        assert!((2500..=3500).contains(&copied), "{why:?}: {copied}");
        assert_eq!(copied as u64 + bytes, said);
        assert_eq!(lost + numbers.len() as u64, 10);
        // Time passes; the loss is a gap in the numbers.
        wire.kernel.ticks.set(wire.kernel.ticks.get() + 256);
        let records = wire.say(CLIENT, b"again");
        assert_eq!(records.len(), 1);
        // 1 is the head's.
        assert_eq!(records[0].number, 1 + 10 + 1);
    }
}

#[test]
fn a_full_ring_is_counted_and_seen_in_the_numbers() {
    let mut wire = Wire::new();
    wire.kernel.ring_is_full.set(true);
    assert_eq!(wire.say(CLIENT, GET), []);
    wire.kernel.ring_is_full.set(false);
    assert_eq!(wire.lost(Lost::Ring), (1, GET.len() as u64));
    wire.say(SERVER, &[OK, b"12345"].concat());
    assert_eq!(wire.say(CLIENT, GET)[0].number, 2);
    assert_eq!(wire.kernel.counters().records, 3);
}

/// The records of one packet that has so many bytes more than are copied of one, those of the packet
/// behind it, and what was lost.
fn pieces(more: usize) -> (Vec<Got>, Vec<Got>, (u64, u64)) {
    let most = 65 * PIECE_MAX;
    let mut wire = escalated();
    // A packet that long says no length.
    let payload: Vec<u8> = (0..most + more).map(|index| (index % 251) as u8).collect();
    let records = wire.say(CLIENT, &payload);
    assert_eq!(records.len(), 65);
    let bytes: Vec<u8> = records.iter().flat_map(|got| got.bytes.clone()).collect();
    assert_eq!(bytes, &payload[..most]);
    assert_eq!(records[64].flags & flag::MORE, 0);
    let next = wire.say(CLIENT, b"next");
    (records, next, wire.lost(Lost::Cut))
}

#[test]
fn of_one_packet_65_pieces_are_copied() {
    let (records, next, lost) = pieces(0);
    assert_eq!(next[0].number, records[64].number + 1);
    assert_eq!(lost, (0, 0));
    for more in [1, 5000] {
        let (records, next, lost) = pieces(more);
        // One number is missing.
        assert_eq!(next[0].number, records[0].number + 65 + 1);
        assert_eq!(lost, (1, more as u64));
    }
}

#[test]
fn what_a_capture_cut_off_is_counted_and_flagged() {
    // Ethernet, IPv4, TCP: 54 bytes.
    for kept in 1..GET.len() {
        let mut wire = Wire::new();
        wire.snap = 54 + kept;
        let records = wire.say(CLIENT, GET);
        check(
            "cut",
            &records,
            &[(0, &GET[..kept], flag::START | flag::CUT)],
        );
        assert_eq!(wire.lost(Lost::Cut), (1, (GET.len() - kept) as u64));
    }
    let mut wire = Wire::new();
    wire.snap = 54;
    assert_eq!(wire.say(CLIENT, GET), []);
    assert_eq!(wire.lost(Lost::Cut), (1, GET.len() as u64));
}

#[test]
fn the_gap_of_a_packet_too_long_stands_behind_its_last_piece() {
    let (records, next, _) = pieces(1);
    assert_eq!(records[64].number, records[0].number + 64);
    assert_eq!(next[0].number, records[64].number + 2);
}
