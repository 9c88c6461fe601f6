//! Gaps, copies and what comes late: what a stream is found to be.

use proptest::prelude::*;

use super::*;

/// Shows pieces of the client's stream (offset and length) behind a handshake; checks length, missed bytes
/// and segments that came again.
#[track_caller]
fn pieces(name: &str, pieces: &[(i64, usize)], expected: [u64; 3], history: &str) {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|(at, length)| seg(CLIENT, ACK, *at, *length, 0))
        .collect();
    let flow = check(name, &with(handshake(), &pieces), "S1", history);
    let got = [flow.payload[0], flow.missed[0], flow.retransmitted[0]];
    assert_eq!(got, expected, "{name}");
}

#[test]
fn places_in_the_stream() {
    pieces("in order", &[(0, 10), (10, 10)], [20, 0, 0], "ShAD");
    pieces("again", &[(0, 10), (0, 10)], [10, 0, 1], "ShADT");
    pieces("overlapping", &[(0, 10), (5, 10)], [15, 0, 0], "ShAD");
    pieces("missing", &[(0, 10), (20, 10)], [30, 10, 0], "ShADG");
    pieces("late", &[(0, 10), (20, 10), (10, 10)], [30, 0, 0], "ShADG");
    pieces(
        "late, then again",
        &[(0, 10), (20, 10), (10, 10), (10, 10)],
        [30, 0, 1],
        "ShADGT",
    );
    pieces(
        "half of it late",
        &[(0, 10), (20, 10), (10, 5)],
        [30, 5, 0],
        "ShADG",
    );
    pieces(
        "the other half late",
        &[(0, 10), (20, 10), (15, 5), (10, 5)],
        [30, 0, 0],
        "ShADG",
    );
    pieces(
        "late, with a copy on both sides",
        &[(0, 10), (20, 10), (5, 20)],
        [30, 0, 0],
        "ShADG",
    );
    pieces(
        "two holes",
        &[(0, 10), (20, 10), (40, 10), (10, 10), (30, 10)],
        [50, 0, 0],
        "ShADG",
    );
    pieces(
        "two holes, the second first",
        &[(0, 10), (20, 10), (40, 10), (30, 10), (10, 10)],
        [50, 0, 0],
        "ShADG",
    );
    pieces(
        "one of two holes",
        &[(0, 10), (20, 10), (40, 10), (30, 10)],
        [50, 10, 0],
        "ShADG",
    );
    pieces("the first bytes", &[(10, 10)], [20, 10, 0], "ShAGD");
}

#[test]
fn a_stream_whose_beginning_was_not_seen_may_have_bytes_before_the_first() {
    let flow = check(
        "before the first",
        &[seg(CLIENT, ACK, 50, 10, 0), seg(CLIENT, ACK, 30, 10, 0)],
        "OTH",
        "D",
    );
    assert_eq!((flow.payload[0], flow.retransmitted[0]), (20, 0));
}

#[test]
fn a_fin_behind_a_gap_tells_what_is_missing() {
    let flow = check(
        "FIN behind a gap",
        &with(exchange(), &[seg(CLIENT, FIN | ACK, 110, 0, 20)]),
        "S2",
        "ShADadGF",
    );
    assert_eq!((flow.payload[0], flow.missed[0]), (110, 100));
}

#[test]
fn a_fin_again_is_no_second_fin() {
    let fin = seg(CLIENT, FIN | ACK, 10, 0, 20);
    let flow = check("FIN again", &with(exchange(), &[fin, fin]), "S2", "ShADadF");
    assert_eq!((flow.payload[0], flow.retransmitted[0]), (10, 1));
}

#[test]
fn streams_beyond_the_wrap_go_on() {
    let mut kernel = Kernel::new(1);
    for segment in handshake() {
        show(&mut kernel, &wire(&segment));
    }
    const STEP: i64 = 60_000;
    // Around all 32 bits twice. The bytes of the payload are not there: a capture that keeps headers.
    let steps = (2_i64 << 32) / STEP + 1;
    let mut bytes = wire(&seg(CLIENT, ACK, 0, 0, 0));
    bytes[16..18].copy_from_slice(&(40 + STEP as u16).to_be_bytes());
    for number in 0..steps {
        let sequence = FIRST[0].wrapping_add((number * STEP) as u32);
        bytes[38..42].copy_from_slice(&sequence.to_be_bytes());
        let mut packet = Memory::new(Link::Ethernet, &bytes);
        packet.wire_length += STEP as u32;
        kernel.packet(&packet);
    }
    let flow = only(&kernel);
    assert_eq!(flow.payload, [(steps * STEP) as u64, 0]);
    assert_eq!((flow.missed[0], flow.retransmitted[0]), (0, 0));
}

proptest! {
    /// A stream cut into pieces that come in any order within reach: nothing is missing in the end, and
    /// its length is right.
    #[test]
    fn nothing_is_missing_when_all_came(
        lengths in prop::collection::vec(1_usize..50, 1..20),
        order in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let mut at = 0;
        let mut rest: Vec<(i64, usize)> = Vec::new();
        for length in lengths {
            rest.push((at, length));
            at += length as i64;
        }
        let mut kernel = Kernel::new(1);
        for segment in handshake() {
            show(&mut kernel, &wire(&segment));
        }
        for index in order {
            if rest.is_empty() {
                break;
            }
            let (at, length) = rest.remove(index.index(rest.len().min(4)));
            show(&mut kernel, &wire(&seg(CLIENT, ACK, at, length, 0)));
        }
        let flow = only(&kernel);
        prop_assert_eq!(flow.missed[0], 0);
        prop_assert_eq!(flow.payload[0], at as u64);
        prop_assert_eq!(flow.retransmitted[0], 0);
    }
}
