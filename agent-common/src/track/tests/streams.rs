//! What networks do to a stream: copies, gaps, ends, and ports that are used again.

use super::*;

#[test]
fn a_copy_is_counted_and_gives_nothing() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    assert_eq!(wire.at(CLIENT, 0, tcp::ACK, GET), []);
    assert_eq!(wire.at(CLIENT, 3, tcp::ACK, &GET[3..9]), []);
    assert_eq!(wire.kernel.counters().retransmitted, 2);
    // A copy with something new behind it: only that counts.
    let at = GET.len();
    wire.say(SERVER, OK);
    let both = [GET, GET].concat();
    let records = wire.at(CLIENT, 0, tcp::ACK, &both);
    check("new behind old", &records, &[(at, GET, WHOLE)]);
    assert_eq!(wire.kernel.counters().retransmitted, 2);
    assert_eq!(wire.escalated(), [0; 5]);
}

#[test]
fn a_gap_escalates_and_travels_with_every_record() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.lose(SERVER, OK);
    let records = wire.say(SERVER, b"12345");
    check("behind", &records, &[(OK.len(), b"12345", flag::ALL)]);
    assert_eq!(records[0].hole, Some(0));
    assert_eq!(wire.escalated()[Escalated::Gap as usize], 1);
    let next = wire.say(CLIENT, b"anything");
    check(
        "the other way",
        &next,
        &[(GET.len(), b"anything", flag::ALL)],
    );
    assert_eq!(next[0].hole, None);
    // What was missing comes late; then nothing is missing.
    let late = wire.at(SERVER, 0, tcp::ACK, OK);
    check(
        "late",
        &late,
        &[(0, OK, flag::START | flag::ALL | flag::FILL)],
    );
    assert_eq!(late[0].hole, None);
    let again = wire.at(SERVER, 0, tcp::ACK, OK);
    assert_eq!(again, []);
    assert_eq!(wire.kernel.counters().retransmitted, 1);
}

#[test]
fn a_hole_is_filled_from_both_ends() {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.lose(SERVER, OK);
    wire.say(SERVER, b"12345");
    let third = OK.len() / 3;
    let (first, second, last) = (&OK[..third], &OK[third..2 * third], &OK[2 * third..]);
    let end = wire.at(SERVER, 2 * third, tcp::ACK, last);
    check("end", &end, &[(2 * third, last, flag::ALL | flag::FILL)]);
    assert_eq!(end[0].hole, Some(0));
    let begin = wire.at(SERVER, 0, tcp::ACK, first);
    check(
        "begin",
        &begin,
        &[(0, first, flag::START | flag::ALL | flag::FILL)],
    );
    assert_eq!(begin[0].hole, Some(third));
    let middle = wire.at(SERVER, third, tcp::ACK, second);
    check(
        "middle",
        &middle,
        &[(third, second, flag::ALL | flag::FILL)],
    );
    assert_eq!(middle[0].hole, None);
}

#[test]
fn missing_bytes_of_a_body_of_known_length_are_no_gap() {
    let mut wire = Wire::new();
    wire.say(CLIENT, POST);
    wire.lose(CLIENT, &[b'x'; 20]);
    assert_eq!(wire.say(CLIENT, &[b'x'; 40]), []);
    check("answer", &wire.say(SERVER, OK), &[(0, OK, WHOLE)]);
    wire.say(SERVER, b"12345");
    let at = wire.next[CLIENT];
    check("next", &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
    assert_eq!(wire.escalated(), [0; 5]);
}

#[test]
fn losses_of_other_protocols_are_no_reason_to_copy() {
    let mut wire = Wire::new();
    wire.say(CLIENT, b"SSH-2.0-a\r\n");
    wire.lose(CLIENT, b"lost");
    assert_eq!(wire.say(CLIENT, b"more"), []);
    assert_eq!(wire.escalated(), [0; 5]);
}

#[test]
fn an_end_is_told_while_something_waits_for_it() {
    for (flags, told) in [(tcp::FIN | tcp::ACK, flag::FIN), (tcp::RST, flag::RST)] {
        let mut wire = Wire::new();
        let end = GET.len();
        wire.say(CLIENT, GET);
        assert_eq!(wire.at(CLIENT, end, flags, b""), [], "between heads");
        // Inside a head, by either side.
        for by in [CLIENT, SERVER] {
            let mut wire = Wire::new();
            wire.say(CLIENT, &GET[..9]);
            let at = wire.next[by];
            check(
                "in a head",
                &wire.at(by, at, flags, b""),
                &[(at, b"", told)],
            );
        }
        // With the last bytes.
        let mut wire = Wire::new();
        check(
            "with",
            &wire.at(CLIENT, 0, flags, GET),
            &[(0, GET, WHOLE | told)],
        );
    }
}

#[test]
fn a_reset_ends_both_directions_and_a_fin_one() {
    for (flags, ended) in [(tcp::FIN | tcp::ACK, 1), (tcp::RST, 2)] {
        let mut wire = Wire::new();
        wire.say(CLIENT, GET);
        wire.at(CLIENT, GET.len(), flags, b"");
        let places = &wire.kernel.buckets[0].places;
        let place = places.iter().find(|place| place.tag.get() != 0);
        let directions = &place.expect("a connection").directions;
        let over = |direction: &&Direction| direction.state.get() & state::ENDED != 0;
        assert_eq!(directions.iter().filter(over).count(), ended);
    }
}

#[test]
fn ports_used_again_are_another_connection() {
    for (in_between, missing) in [(0, None), (1, None), (1, Some(CLIENT)), (1, Some(SERVER))] {
        let mut wire = Wire::new();
        let first = wire.say(CLIENT, &[GET, GET].concat());
        wire.say(SERVER, &OK[..OK.len() * in_between]);
        if let Some(side) = missing {
            // With a hole that nothing has filled.
            wire.lose(side, OK);
            wire.say(side, b"12345");
        }
        // The same SYN again changes nothing.
        wire.at(CLIENT, 0, tcp::SYN, b"");
        let known = wire.say(CLIENT, GET);
        assert_eq!(known[0].generation, first[0].generation);
        wire.first = [77, 88];
        wire.next = [0, 0];
        assert_eq!(wire.at(CLIENT, 0, tcp::SYN, b""), []);
        assert_eq!(wire.at(SERVER, 0, tcp::SYN | tcp::ACK, b""), []);
        let records = wire.say(CLIENT, GET);
        check("anew", &records, &[(0, GET, WHOLE)]);
        assert_eq!(records[0].generation, first[0].generation.wrapping_add(1));
        assert_eq!(records[0].number, 1);
        let records = wire.say(SERVER, OK);
        check("anew", &records, &[(0, OK, WHOLE)]);
        assert_eq!(records[0].number, 1);
    }
}

#[test]
fn positions_go_on_where_sequence_numbers_wrap() {
    let mut wire = Wire::new();
    wire.first[SERVER] = 0;
    wire.first[CLIENT] = u32::MAX - GET.len() as u32 / 2;
    wire.at(CLIENT, 0, tcp::SYN, b"");
    wire.at(SERVER, 0, tcp::SYN | tcp::ACK, b"");
    for number in 0..4 {
        let at = number * GET.len();
        check("wrapped", &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
        wire.say(SERVER, &[OK, b"12345"].concat());
    }
}

#[test]
fn what_begins_before_the_first_segment_that_was_seen_is_new() {
    let mut wire = Wire::from_the_middle();
    assert_eq!(wire.at(CLIENT, GET.len(), tcp::ACK, &[b'{'; 40]), []);
    let records = wire.at(CLIENT, 0, tcp::ACK, GET);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].bytes, GET);
    assert_eq!(wire.kernel.counters().retransmitted, 0);
}

/// A connection in use, and a packet with other numbers.
fn forged(offset: usize, flags: u8, acknowledged: Option<u32>, payload: &[u8]) -> Wire {
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.say(SERVER, OK);
    wire.acknowledged = acknowledged;
    assert_eq!(wire.at(CLIENT, offset, flags, payload), []);
    wire.acknowledged = None;
    wire
}

#[test]
fn a_forged_packet_hides_nothing_of_what_follows() {
    let far = 1_000_000_000;
    for (name, offset, flags, payload) in [
        ("data", far, tcp::ACK, &b"x"[..]),
        ("a head", far, tcp::ACK, GET),
        ("old data", usize::MAX - far, tcp::ACK, GET),
        ("FIN", far, tcp::ACK | tcp::FIN, b""),
        ("RST", far, tcp::RST, b""),
        ("RST with ACK", far, tcp::RST | tcp::ACK, b""),
        ("SYN", far, tcp::SYN, b""),
        ("SYN and ACK", far, tcp::SYN | tcp::ACK, b""),
    ] {
        let mut wire = forged(offset, flags, Some(77), payload);
        let ignored = wire.kernel.counters().ignored[Ignored::Sequence as usize];
        assert_eq!(ignored, 1, "{name}");
        for _ in 0..3 {
            let at = wire.next[CLIENT];
            check(name, &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
            let at = wire.next[SERVER];
            check(name, &wire.say(SERVER, OK), &[(at, OK, WHOLE)]);
        }
        assert_eq!(wire.escalated(), [0; 5], "{name}");
    }
}

#[test]
fn data_far_ahead_that_answers_what_was_seen_is_taken() {
    let far = 1_000_000_000;
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.say(SERVER, OK);
    wire.next[CLIENT] += far;
    let records = wire.say(CLIENT, GET);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].bytes, GET);
    assert_eq!(wire.escalated()[Escalated::Gap as usize], 1);
}

#[test]
fn a_connection_that_was_idle_may_go_on_anywhere() {
    let far = 1_000_000_000;
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.say(SERVER, OK);
    wire.kernel.ticks.set(wire.kernel.ticks.get() + 1_001);
    wire.next = [far, far];
    wire.acknowledged = Some(77);
    assert_eq!(wire.say(CLIENT, GET).len(), 1);
}
