//! From a script to segments: where the streams are cut, and what happens to the segments on their way.
//!
//! Acknowledgements are those of two hosts to which everything came: what happens to segments happens at the
//! place where they are seen.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;

use super::frame::flags;
use super::script::{Closing, Script, Side};
use crate::generate::draw::{below, between};

/// Payload of a segment at most: with all headers it fits into 1500 bytes.
const SEGMENT_MAX: usize = 1400;

/// A receiver acknowledges every second full segment at the latest (RFC 9293, section 3.8.6.3).
const UNACKNOWLEDGED: usize = 2;

/// One segment, in places of the streams.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Who sends it.
    pub side: Side,
    /// Which bytes of the stream of the side it carries; where it carries none, where they would be.
    pub bytes: Range<usize>,
    /// Flags of TCP.
    pub flags: u8,
    /// Bytes of the other stream that are acknowledged.
    pub acknowledged: usize,
    /// The other side's SYN is acknowledged,
    pub answers: bool,
    /// and its FIN.
    pub answers_end: bool,
    /// Who sends it has said its FIN before.
    pub has_ended: bool,
    /// The turn that it belongs to; the handshake is 0.
    pub turn: usize,
    /// It is not seen.
    pub is_lost: bool,
}

/// How streams are cut into segments.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cut {
    /// Segments as long as they may be.
    Full,
    /// Between these sizes.
    Sizes(u32, u32),
    /// Each turn once at this byte (of a shorter one: at the remainder), and where it is too long.
    At(usize),
}

/// What happens to the segments of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mishaps {
    /// Nothing.
    None,
    /// Some come again.
    Retransmitted,
    /// Some are late, within their turn.
    Reordered,
    /// Some begin within those before them, or go on into those behind.
    Overlapping,
    /// Some are not seen.
    Lost,
}

/// The segments of a script: handshake, data with acknowledgements, end.
pub(super) fn cut(script: &Script, how: Cut, stream: &mut ChaCha8Rng, segments: &mut Vec<Segment>) {
    let mut line = Line {
        segments,
        said: [0; 2],
        heard: [0; 2],
        turn: 0,
    };
    line.control(Side::Client, flags::SYN);
    line.control(Side::Server, flags::SYN | flags::ACK);
    line.control(Side::Client, flags::ACK);
    for turn in &script.turns {
        line.turn += 1;
        let mut at = turn.bytes.start;
        let mut unacknowledged = 0;
        // Where a turn is split once.
        let split = match how {
            Cut::At(byte) if turn.bytes.len() > 1 => at + 1 + (byte - 1) % (turn.bytes.len() - 1),
            _ => 0,
        };
        while at < turn.bytes.end {
            let length = match how {
                Cut::Full => SEGMENT_MAX,
                Cut::Sizes(least, most) => between(stream, least, most).max(1) as usize,
                Cut::At(_) if at < split => (split - at).min(SEGMENT_MAX),
                Cut::At(_) => SEGMENT_MAX,
            };
            let end = (at + length).min(turn.bytes.end);
            let push = if end == turn.bytes.end { flags::PSH } else { 0 };
            line.data(turn.side, at..end, flags::ACK | push);
            at = end;
            unacknowledged += 1;
            if length >= SEGMENT_MAX && unacknowledged >= UNACKNOWLEDGED && at < turn.bytes.end {
                line.control(turn.side.other(), flags::ACK);
                unacknowledged = 0;
            }
        }
    }
    line.turn += 1;
    line.close(script.closing);
}

/// The connection as it goes on.
struct Line<'a> {
    segments: &'a mut Vec<Segment>,
    /// What each side has said, and what it has heard.
    said: [usize; 2],
    heard: [usize; 2],
    turn: usize,
}

impl Line<'_> {
    fn data(&mut self, side: Side, bytes: Range<usize>, flags: u8) {
        self.said[side as usize] = bytes.end;
        self.push(side, bytes, flags);
        // The other side has it.
        self.heard[side.other() as usize] = self.said[side as usize];
    }

    fn control(&mut self, side: Side, flags: u8) {
        let at = self.said[side as usize];
        self.push(side, at..at, flags);
    }

    fn push(&mut self, side: Side, bytes: Range<usize>, flags: u8) {
        self.segments.push(Segment {
            side,
            bytes,
            flags,
            acknowledged: self.heard[side as usize],
            answers: flags & flags::ACK != 0,
            answers_end: false,
            has_ended: false,
            turn: self.turn,
            is_lost: false,
        });
    }

    fn close(&mut self, how: Closing) {
        let (first, is_reset) = match how {
            Closing::ByClient => (Side::Client, false),
            Closing::ByServer => (Side::Server, false),
            Closing::ResetByClient => (Side::Client, true),
            Closing::ResetByServer => (Side::Server, true),
        };
        if is_reset {
            self.control(first, flags::RST | flags::ACK);
            return;
        }
        self.control(first, flags::FIN | flags::ACK);
        self.control(first.other(), flags::FIN | flags::ACK);
        self.mark(|segment| segment.answers_end = true);
        self.control(first, flags::ACK);
        self.mark(|segment| {
            segment.answers_end = true;
            segment.has_ended = true;
        });
    }

    fn mark(&mut self, mark: impl FnOnce(&mut Segment)) {
        if let Some(segment) = self.segments.last_mut() {
            mark(segment);
        }
    }
}

/// One segment in so many suffers.
const ONE_IN: u32 = 3;
/// One in so many is not seen.
const LOST_ONE_IN: u32 = 6;

/// Lets the mishaps happen to these segments of a connection. Those that open and end it are spared.
pub(super) fn suffer(segments: &mut Vec<Segment>, mishaps: Mishaps, stream: &mut ChaCha8Rng) {
    match mishaps {
        Mishaps::None => {}
        Mishaps::Retransmitted => retransmit(segments, stream),
        Mishaps::Reordered => reorder(segments, stream),
        Mishaps::Overlapping => overlap(segments, stream),
        Mishaps::Lost => {
            for segment in segments.iter_mut().filter(|segment| has_data(segment)) {
                segment.is_lost = below(stream, LOST_ONE_IN) == 0;
            }
        }
    }
}

fn has_data(segment: &Segment) -> bool {
    !segment.bytes.is_empty()
}

/// Whether the second follows the first in the same turn of the same side.
fn follows(first: &Segment, second: &Segment) -> bool {
    first.turn == second.turn && first.side == second.side && first.bytes.end == second.bytes.start
}

/// Some come again: at once, up to eight segments later, or joined to those before them.
fn retransmit(segments: &mut Vec<Segment>, stream: &mut ChaCha8Rng) {
    let mut at = 0;
    while at < segments.len() {
        if !has_data(&segments[at]) || below(stream, ONE_IN) != 0 {
            at += 1;
            continue;
        }
        let mut again = segments[at].clone();
        let joined = below(stream, 3) == 0;
        if joined && let Some(before) = at.checked_sub(1).and_then(|before| segments.get(before)) {
            let length = again.bytes.end - before.bytes.start.min(again.bytes.end);
            if follows(before, &again) && has_data(before) && length <= SEGMENT_MAX {
                again.bytes.start = before.bytes.start;
            }
        }
        // Not behind the end.
        let last = segments.iter().rposition(has_data).unwrap_or(at);
        let behind = at + 1 + below(stream, 9) as usize;
        segments.insert(behind.min(last + 1), again);
        at += 1;
        // Those that came again do not come a third time at once.
        if behind == at {
            at += 1;
        }
    }
}

/// Some are passed by up to four of their turn.
fn reorder(segments: &mut [Segment], stream: &mut ChaCha8Rng) {
    let mut at = 0;
    while at < segments.len() {
        let turn = segments[at..]
            .iter()
            .take_while(|other| other.turn == segments[at].turn && other.side == segments[at].side)
            .count();
        if has_data(&segments[at]) && turn > 1 && below(stream, ONE_IN) == 0 {
            let by = between(stream, 1, 4).min(turn as u32 - 1) as usize;
            segments[at..=at + by].rotate_left(1);
            at += by;
        }
        at += 1;
    }
}

/// Some carry the end of the one before them too, or the beginning of the one behind them.
fn overlap(segments: &mut [Segment], stream: &mut ChaCha8Rng) {
    for at in 1..segments.len() {
        let [before, segment] = &mut segments[at - 1..=at] else {
            continue;
        };
        if !has_data(before) || !has_data(segment) || !follows(before, segment) {
            continue;
        }
        if below(stream, ONE_IN) != 0 {
            continue;
        }
        if below(stream, 2) == 0 {
            let by = between(stream, 1, before.bytes.len() as u32) as usize;
            segment.bytes.start -= by.min(SEGMENT_MAX.saturating_sub(segment.bytes.len()));
        } else {
            let by = between(stream, 1, segment.bytes.len() as u32) as usize;
            before.bytes.end += by.min(SEGMENT_MAX.saturating_sub(before.bytes.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::script::{Body, Filling, Request, Response};
    use super::*;
    use crate::generate::seed::Seed;

    fn script(exchanges: u64, length: usize) -> Script {
        let mut script = Script::default();
        for stamp in 0..exchanges {
            script.turn(Side::Client);
            let request = Request {
                method: "POST",
                target: "/",
                body: Body::Length(length),
                fields: "",
            };
            script.request(stamp, &request, Filling::Words);
            script.turn(Side::Server);
            let response = Response {
                status: 200,
                reason: "OK",
                is_old: false,
                body: Body::Length(length),
                fields: "",
            };
            script.response(stamp as usize, stamp, &response, Filling::Words);
        }
        script
    }

    fn how() -> impl Strategy<Value = Cut> {
        prop_oneof![
            Just(Cut::Full),
            (1_u32..50, 0_u32..2000).prop_map(|(least, more)| Cut::Sizes(least, least + more)),
            (1_usize..400).prop_map(Cut::At),
        ]
    }

    proptest! {
        /// In order, each byte once; no acknowledgement of what was not said.
        #[test]
        fn what_is_cut_is_all_there(exchanges in 1_u64..4, length in 0_usize..4000, how in how(), seed: u64) {
            let script = script(exchanges, length);
            let mut segments = Vec::new();
            cut(&script, how, &mut Seed(seed).stream("test", 0), &mut segments);
            let mut said = [0, 0];
            for segment in &segments {
                let (own, other) = (segment.side as usize, segment.side.other() as usize);
                prop_assert_eq!(segment.bytes.start, said[own]);
                prop_assert!(segment.bytes.len() <= 2050);
                prop_assert!(segment.acknowledged <= said[other]);
                said[own] = segment.bytes.end;
            }
            prop_assert_eq!(said, [script.said(Side::Client), script.said(Side::Server)]);
            // Who answers has acknowledged all.
            let first = segments.iter().find(|segment| segment.side == Side::Server && has_data(segment)).unwrap();
            prop_assert_eq!(first.acknowledged, script.turns[0].bytes.end);
        }

        /// However it is mistreated, every byte is there, and the handshake and the end are where they were.
        #[test]
        fn mishaps_lose_nothing(length in 1_usize..3000, which in 0_usize..3, seed: u64) {
            let script = script(3, length);
            let stream = &mut Seed(seed).stream("test", 0);
            let mut segments = Vec::new();
            cut(&script, Cut::Sizes(20, 400), stream, &mut segments);
            let before = segments.clone();
            let mishaps = [Mishaps::Retransmitted, Mishaps::Reordered, Mishaps::Overlapping][which];
            suffer(&mut segments, mishaps, stream);
            prop_assert_eq!(&segments[..3], &before[..3]);
            prop_assert_eq!(&segments[segments.len() - 3..], &before[before.len() - 3..]);
            for side in [Side::Client, Side::Server] {
                let mut covered = vec![false; script.said(side)];
                for segment in segments.iter().filter(|segment| segment.side == side) {
                    covered[segment.bytes.clone()].fill(true);
                    prop_assert!(segment.bytes.len() <= SEGMENT_MAX);
                }
                prop_assert!(covered.iter().all(|covered| *covered));
            }
        }
    }

    #[test]
    fn every_byte_of_a_head_is_a_place_to_split_it() {
        let script = script(1, 0);
        let length = script.turns[0].bytes.len();
        let mut places = Vec::new();
        for byte in 1..length {
            let mut segments = Vec::new();
            cut(
                &script,
                Cut::At(byte),
                &mut Seed(1).stream("test", 0),
                &mut segments,
            );
            assert_eq!(segments[3].bytes.start, 0);
            places.push(segments[3].bytes.end);
            assert_eq!(segments[4].bytes, segments[3].bytes.end..length);
        }
        places.sort_unstable();
        assert_eq!(places, (1..length).collect::<Vec<_>>());
    }

    #[test]
    fn each_mishap_comes() {
        let script = script(8, 1500);
        let check = |mishaps, happened: fn(&[Segment], &[Segment]) -> bool| {
            let stream = &mut Seed(3).stream("test", 0);
            let mut segments = Vec::new();
            cut(&script, Cut::Sizes(20, 400), stream, &mut segments);
            let before = segments.clone();
            suffer(&mut segments, mishaps, stream);
            assert!(happened(&before, &segments), "{mishaps:?}");
        };
        check(Mishaps::None, |before, after| before == after);
        check(Mishaps::Retransmitted, |before, after| {
            after.len() > before.len() + 5
        });
        check(Mishaps::Reordered, |before, after| {
            let starts = |side, segments: &[Segment]| -> Vec<usize> {
                let of_side = segments.iter().filter(|segment| segment.side == side);
                of_side.map(|segment| segment.bytes.start).collect()
            };
            before.len() == after.len() && !starts(Side::Client, after).is_sorted()
        });
        check(Mishaps::Overlapping, |_, after| {
            let mut pairs = after.windows(2);
            pairs
                .any(|pair| pair[0].side == pair[1].side && pair[1].bytes.start < pair[0].bytes.end)
        });
        check(Mishaps::Lost, |_, after| {
            after.iter().any(|segment| segment.is_lost)
        });
    }
}
