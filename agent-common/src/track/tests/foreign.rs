//! Connections that speak something else.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[test]
fn other_protocols_are_counted_once_and_left_alone() {
    let hello = [22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (why, bytes) in [(Ignored::Tls, &hello[..]), (Ignored::Http2, preface)] {
        let mut wire = Wire::new();
        assert_eq!(wire.say(CLIENT, bytes), []);
        assert_eq!(wire.say(SERVER, &[22, 3, 3, 0, 100, 2, 0, 0]), []);
        for _ in 0..3 {
            // Not again, and nothing that looks like a head in between.
            assert_eq!(wire.say(CLIENT, bytes), []);
            assert_eq!(wire.say(CLIENT, GET), []);
            assert_eq!(wire.say(SERVER, OK), []);
        }
        let mut expected = [0; Ignored::PLACES];
        expected[why as usize] = 1;
        assert_eq!(wire.kernel.counters().ignored, expected, "{why:?}");
        assert_eq!(wire.kernel.counters().records, 0);
    }
}

#[test]
fn bodies_that_look_like_other_protocols_are_bodies() {
    for body in [&[22, 3, 1, 0, 200, 1, 0, 0][..], b"PRI * HTTP/2.0\r\n\r\n"] {
        let mut wire = Wire::new();
        wire.say(CLIENT, GET);
        wire.say(SERVER, OK);
        wire.say(SERVER, body);
        assert_eq!(wire.kernel.counters().ignored, [0; Ignored::PLACES]);
        let at = wire.next[CLIENT];
        check("next", &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
    }
}

/// A connection whose client says the preface of HTTP/2 in pieces, and what of it was copied.
fn say_preface(wire: &mut Wire, pieces: &[&[u8]]) -> Vec<u8> {
    let mut copied = Vec::new();
    for piece in pieces {
        for record in wire.say(CLIENT, piece) {
            assert_eq!(record.offset, copied.len(), "{pieces:?}");
            copied.extend(record.bytes);
        }
    }
    copied
}

/// Holds a connection to be one of HTTP/2, of which nothing more is copied, whatever comes.
#[track_caller]
fn check_http2(wire: &mut Wire, name: &str) {
    let mut expected = [0; Ignored::PLACES];
    expected[Ignored::Http2 as usize] = 1;
    let records = wire.kernel.counters().records;
    for payload in [GET, b"\0\0\x12\x04\0\0\0\0\0", POST, PREFACE] {
        assert_eq!(wire.say(CLIENT, payload), [], "{name}");
        assert_eq!(wire.say(SERVER, OK), [], "{name}");
        // What is missing of it matters as little.
        wire.lose(CLIENT, &[0; 100]);
        wire.lose(SERVER, &[0; 100]);
    }
    assert_eq!(wire.escalated(), [0; Escalated::COUNT], "{name}");
    let counters = wire.kernel.counters();
    assert_eq!(counters.ignored, expected, "{name}");
    assert_eq!(counters.records, records, "{name}");
}

#[test]
fn the_preface_of_http2_is_told_however_it_is_cut() {
    for size in 1..PREFACE.len() {
        for new in [Wire::new, Wire::from_the_middle] {
            let mut wire = new();
            let pieces: Vec<&[u8]> = PREFACE.chunks(size).collect();
            let copied = say_preface(&mut wire, &pieces);
            // To the end of what may be a head, so that the reader need not wait for it.
            let expected: &[u8] = if size < 8 { &PREFACE[..18] } else { b"" };
            assert_eq!(copied, expected, "{size}");
            check_http2(&mut wire, &format!("pieces of {size}"));
        }
    }
    for first in 1..8 {
        for second in first + 1..=PREFACE.len() {
            let mut wire = Wire::new();
            let (one, rest) = PREFACE.split_at(first);
            let (two, three) = rest.split_at(second - first);
            let settings = [three, &[0; 9]].concat();
            let copied = say_preface(&mut wire, &[one, two, &settings]);
            assert_eq!(copied, PREFACE[..18], "{first} {second}");
            check_http2(&mut wire, &format!("cut at {first} and {second}"));
        }
    }
}

#[test]
fn what_begins_like_the_preface_of_http2_is_read() {
    for line in [
        "PRI /x HTTP/1.1",
        "PRI * XTTP/1.1",
        "PRINT * HTTP/1.1",
        "PROPFIND * HTTP/1.1",
        "POST * HTTP/1.1",
    ] {
        let head = format!("{line}\r\nHost: example.com\r\n\r\n");
        for size in 1..8 {
            let mut wire = Wire::new();
            let pieces: Vec<&[u8]> = head.as_bytes().chunks(size).collect();
            let copied = say_preface(&mut wire, &pieces);
            assert_eq!(copied, head.as_bytes(), "{line}, {size}");
            let none = [0; Ignored::PLACES];
            assert_eq!(wire.kernel.counters().ignored, none, "{line}, {size}");
        }
    }
    // Nor is it one where HTTP/1 was spoken before.
    let mut wire = Wire::new();
    wire.say(CLIENT, GET);
    wire.say(SERVER, OK);
    for byte in &PREFACE[..18] {
        wire.say(CLIENT, &[*byte]);
    }
    assert_eq!(wire.kernel.counters().ignored, [0; Ignored::PLACES]);
}
