//! How a head is collected: in place when it is whole in its record, else in a copy.

use agent_common::record::{HEAD_MAX, RecordHeader, flag};
use memchr::memchr;

use super::super::engine::{Core, Output};
use super::super::head::StartLine;
use super::super::message::{self, Message, Parsed};
use super::super::pool::Piece;
use super::super::side::{Mode, Place};
use super::turns::Verdict;
use super::{Arrival, Connection};

/// Why a head ends without its empty line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// Bytes of it are lost, it is too long, or the connection ended.
    Cut,
    /// The stream goes on with something else.
    Left,
}

impl Connection {
    pub(super) fn begin_head(
        &mut self,
        side: usize,
        arrival: Arrival<'_>,
        rest: &[u8],
        place: Place,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let state = &mut self.sides[side];
        let end = state.position + rest.len() as u64;
        let mut header = *arrival.header;
        header.position = state.position;
        match message::parse(&rest[..rest.len().min(HEAD_MAX)]) {
            Parsed::Whole(message) => match self.verdict(side, &message.start, place) {
                Verdict::Head => {
                    self.accept(side, &header, header.time_ns, &message, core, out);
                }
                Verdict::LookAlike => {
                    core.counts.look_alike();
                    self.sides[side].no_head(place, end);
                }
                Verdict::Doubtful => {
                    self.sides[side].position = end;
                    match core.pool.take(&header, message.bytes) {
                        Some(piece) => self.doubt(side, piece, core),
                        None => core.counts.look_alike(),
                    }
                }
            },
            Parsed::More => match core.pool.take(&header, &[]) {
                Some(piece) => {
                    state.head = Some(piece);
                    (state.mode, state.place) = (Mode::Head, place);
                }
                None => {
                    core.counts.overflows += 1;
                    self.sides[side].position = end;
                    self.cut_short(side, &header, rest, place, core, out);
                }
            },
            Parsed::Not => {
                if place == Place::Boundary || arrival.header.flags & flag::START != 0 {
                    core.counts.look_alike();
                }
                state.no_head(place, end);
            }
        }
    }

    pub(super) fn continue_head(
        &mut self,
        side: usize,
        arrival: Arrival<'_>,
        rest: &[u8],
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let state = &mut self.sides[side];
        let Some(mut piece) = state.head.take() else {
            state.mode = Mode::Lost;
            return;
        };
        let length = piece.bytes.len();
        let added = rest.len().min(HEAD_MAX - length);
        if !core.pool.extend(&mut piece, &rest[..added]) {
            core.counts.overflows += 1;
            state.position += rest.len() as u64;
            let place = state.place;
            let bytes = if piece.bytes.is_empty() {
                rest
            } else {
                &piece.bytes
            };
            self.cut_short(side, &piece.header, bytes, place, core, out);
            core.pool.give(piece);
            return;
        }
        piece.touched_ns = arrival.header.time_ns;
        let possible = piece.has_start_line
            || match memchr(b'\n', &piece.bytes[length..]) {
                Some(_) => message::begins_with_start_line(&piece.bytes),
                None => message::may_become_start_line(&piece.bytes),
            };
        let place = state.place;
        if !possible {
            self.refuse_head(side, piece, rest.len(), core);
            return;
        }
        if !piece.has_start_line && memchr(b'\n', &piece.bytes).is_some() {
            piece.has_start_line = true;
            let message = message::parse_cut(&piece.bytes);
            let verdict = message.map(|message| self.verdict(side, &message.start, place));
            if verdict == Some(Verdict::LookAlike) {
                self.refuse_head(side, piece, rest.len(), core);
                return;
            }
        }
        let state = &mut self.sides[side];
        let Some(head_length) = message::head_end(&piece.bytes, piece.scanned) else {
            piece.scanned = piece.bytes.len();
            state.position += added as u64;
            let too_long = piece.bytes.len() == HEAD_MAX;
            state.head = Some(piece);
            if too_long {
                self.end_head(side, Ending::Cut, core, out);
            }
            return;
        };
        state.position = piece.header.position + head_length as u64;
        let Parsed::Whole(message) = message::parse(&piece.bytes) else {
            // The start line is valid and the empty line is there.
            state.mode = Mode::Lost;
            core.pool.give(piece);
            return;
        };
        state.no_head(place, state.position);
        match self.verdict(side, &message.start, place) {
            Verdict::Head => {
                self.accept(side, &piece.header, piece.touched_ns, &message, core, out);
            }
            Verdict::LookAlike => core.counts.look_alike(),
            Verdict::Doubtful => {
                piece.bytes.truncate(head_length);
                self.doubt(side, piece, core);
                return;
            }
        }
        core.pool.give(piece);
    }

    /// What was collected is no head; nor is what came with its last bytes.
    pub(super) fn refuse_head(
        &mut self,
        side: usize,
        piece: Box<Piece>,
        rest: usize,
        core: &mut Core,
    ) {
        let state = &mut self.sides[side];
        state.no_head(state.place, state.position + rest as u64);
        core.counts.look_alike();
        core.pool.give(piece);
    }

    /// The head in progress has no end: writes what is there, if it is a head.
    pub(super) fn end_head(
        &mut self,
        side: usize,
        ending: Ending,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let state = &mut self.sides[side];
        let Some(piece) = state.head.take() else {
            return;
        };
        let place = state.place;
        state.no_head(place, state.position);
        if ending == Ending::Left && place == Place::Unframed {
            core.counts.look_alike();
        } else if piece.has_start_line && self.is_doubtful(side, &piece.bytes, place) {
            self.doubt(side, piece, core);
            return;
        } else {
            self.cut_short(side, &piece.header, &piece.bytes, place, core, out);
        }
        core.pool.give(piece);
    }

    /// Whether it depends on what comes next if these bytes, the front of a head, are one.
    fn is_doubtful(&self, side: usize, bytes: &[u8], place: Place) -> bool {
        message::parse_cut(bytes)
            .is_some_and(|message| self.verdict(side, &message.start, place) == Verdict::Doubtful)
    }

    /// Writes a partial head; its direction is lost then.
    pub(super) fn cut_short(
        &mut self,
        side: usize,
        header: &RecordHeader,
        bytes: &[u8],
        place: Place,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        match message::parse_cut(bytes) {
            Some(message)
                if is_plausible(&message, bytes, place)
                    && self.verdict(side, &message.start, place) == Verdict::Head =>
            {
                self.write(side, header, header.time_ns, &message, true, core, out);
                core.counts.desyncs += 1;
                self.sides[side].mode = Mode::Lost;
            }
            _ => {
                core.counts.look_alike();
                let state = &mut self.sides[side];
                state.no_head(place, state.position);
            }
        }
    }
}

/// Whether a head without its end is to be believed: where nothing says that a head begins here, half
/// a start line with an unknown method is no more than two words.
fn is_plausible(message: &Message<'_>, bytes: &[u8], place: Place) -> bool {
    match message.start {
        StartLine::Request { method, .. } => {
            place == Place::Boundary
                || memchr(b'\n', bytes).is_some()
                || message::is_known_method(method)
        }
        StartLine::Response { .. } => true,
    }
}
