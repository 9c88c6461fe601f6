//! How the bytes of one direction are read: what they are, by where they stand.

use agent_common::record::{RecordHeader, flag};

use super::super::chunked::Step;
use super::super::engine::{Core, Output};
use super::super::message;
use super::super::side::{Mode, Place};
use super::heads::Ending;
use super::{Arrival, Connection, Earlier};

/// How every response begins.
const STATUS_LINE: &[u8] = b"HTTP/1.";

impl Connection {
    /// Reads one record, in the order of the stream.
    pub(super) fn read(
        &mut self,
        side: usize,
        arrival: Arrival<'_>,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let Arrival {
            header,
            bytes,
            lost,
            ..
        } = arrival;
        let begin = header.position;
        let end = begin.saturating_add(bytes.len() as u64);
        let cut = header.flags & flag::CUT != 0;
        let lost = lost || self.sides[side].is_behind_given_up(header);
        // Where the first bytes of what may be a body are lost, they may have been a head.
        if begin < self.sides[side].position || (begin > self.sides[side].position && !lost) {
            self.sides[side].skip_body();
        }
        if begin < self.sides[side].position {
            self.read_again(side, arrival, core, out);
        } else if begin > self.sides[side].position {
            if lost {
                self.lose(side, core, out);
            } else {
                self.skip(side, core, out);
            }
            self.sides[side].position = begin;
        }
        let state = &mut self.sides[side];
        state.reached = state.reached.max(end);
        while let Some(rest) = rest_of(bytes, begin, self.sides[side].position) {
            self.step(side, arrival, rest, end, core, out);
        }
        if cut && header.segment_end > self.sides[side].position {
            self.cut(side, header, core, out);
        }
        if header.flags & flag::FIN != 0 && header.flags & flag::MORE == 0 {
            self.end(side, core, out);
        }
    }

    /// Bytes that begin before those that are dealt with: a copy, or part of a known body.
    pub(super) fn read_again(
        &mut self,
        side: usize,
        arrival: Arrival<'_>,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let begin = arrival.header.position;
        let state = &mut self.sides[side];
        if state.untouched && state.mode == Mode::Lost {
            // Capture began in the middle, with segments out of order.
            state.position = begin;
            return;
        }
        if !arrival.may_begin_head() || !message::begins_with_start_line(arrival.bytes) {
            return;
        }
        let fills = arrival.header.flags & flag::FILL != 0;
        if fills && state.is_late(begin) && state.mode != Mode::Opaque {
            // It comes for the first time: what was read behind the hole was perhaps never sent.
            if state.place == Place::Lost {
                self.end_head(side, Ending::Left, core, out);
            }
            if self.sides[side].is_idle() {
                self.sides[side].go_back(begin);
                core.counts.desyncs += 1;
                self.mistrust();
                return;
            }
        }
        let state = &mut self.sides[side];
        if !state.is_body(begin) {
            core.counts.copy();
        } else {
            core.counts.look_alike();
        }
    }

    /// Reads some of `rest`, the bytes of `arrival` that are not dealt with.
    pub(super) fn step(
        &mut self,
        side: usize,
        arrival: Arrival<'_>,
        rest: &[u8],
        end: u64,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let state = &mut self.sides[side];
        let may_begin = rest.len() == arrival.bytes.len() && arrival.may_begin_head();
        match state.mode {
            Mode::Boundary => {
                let blank = blank_lines(rest);
                if blank > 0 {
                    state.position += blank as u64;
                } else {
                    self.begin_head(side, arrival, rest, Place::Boundary, core, out);
                }
            }
            Mode::MaybeBody { end } => {
                if self.is_instead_of_body(side, rest, end, may_begin) {
                    self.begin_head(side, arrival, rest, Place::MaybeBody { end }, core, out);
                } else {
                    self.sides[side].skip_body();
                }
            }
            Mode::Lost if may_begin => {
                let blank = blank_lines(rest);
                state.position += blank as u64;
                let rest = &rest[blank..];
                if rest.is_empty() {
                    return;
                }
                self.begin_head(side, arrival, rest, Place::Lost, core, out);
            }
            Mode::Unframed if may_begin => {
                self.begin_head(side, arrival, rest, Place::Unframed, core, out);
            }
            Mode::Lost | Mode::Unframed => state.position = end,
            Mode::Opaque => {
                if may_begin && message::begins_with_start_line(rest) {
                    core.counts.look_alike();
                }
                state.position = end;
            }
            Mode::Head => {
                let restart = may_begin
                    && matches!(state.place, Place::Lost | Place::Unframed)
                    && state
                        .head
                        .as_ref()
                        .is_some_and(|head| !message::continues_method(&head.bytes, rest))
                    && message::begins_with_start_line(rest);
                if restart {
                    self.end_head(side, Ending::Left, core, out);
                } else {
                    self.continue_head(side, arrival, rest, core, out);
                }
            }
            Mode::Chunked(mut chunks) => {
                let (used, step) = chunks.read(rest);
                state.position += used as u64;
                state.mode = match step {
                    Step::More => Mode::Chunked(chunks),
                    Step::Data(size) => {
                        state.position = state.position.saturating_add(size);
                        Mode::Chunked(chunks)
                    }
                    Step::End => Mode::Boundary,
                    // Perhaps the bytes of the body were not copied, and this is the next message.
                    Step::Bad if may_begin => {
                        state.position = arrival.header.position;
                        Mode::Unframed
                    }
                    Step::Bad => {
                        state.position = end;
                        Mode::Unframed
                    }
                };
            }
        }
    }

    /// Whether the next message begins where there may be a body up to `end`: a response behind one to an unknown
    /// request; or a request behind one that asked whether to go on and was answered without its body. `may_begin`: a
    /// packet begins here.
    fn is_instead_of_body(&self, side: usize, rest: &[u8], end: u64, may_begin: bool) -> bool {
        let peer = &self.sides[1 - side];
        if self.client == Some(side) {
            // An answer that waits behind a hole may be the one.
            let may_be_answered = self.requests.is_empty() || peer.held_from().is_some();
            return may_be_answered && message::begins_with_known_method(rest);
        }
        let has_asked = !self.requests.is_empty() || peer.held_from().is_some();
        if self.earlier == Earlier::One && !has_asked && !may_begin {
            // The one answer that was due when capture began, and its packet goes on.
            return false;
        }
        let known = rest.len().min(STATUS_LINE.len());
        let is_cut = known < STATUS_LINE.len() && end - self.sides[side].position > known as u64;
        (known == STATUS_LINE.len() || is_cut) && rest[..known] == STATUS_LINE[..known]
    }

    /// The packet of `header` goes on, without its bytes.
    pub(super) fn cut(
        &mut self,
        side: usize,
        header: &RecordHeader,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let state = &mut self.sides[side];
        state.skip_body();
        if header.segment_end <= state.position {
            return;
        }
        if matches!(state.mode, Mode::Chunked(_) | Mode::Unframed) {
            state.mode = Mode::Unframed;
            self.mistrust();
        } else {
            self.lose(side, core, out);
        }
    }

    /// Bytes of this direction were not copied, and not meant to be.
    pub(super) fn skip(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        self.end_head(side, Ending::Left, core, out);
        let state = &mut self.sides[side];
        state.mode = match state.mode {
            Mode::Boundary if self.client == Some(1 - side) => Mode::Unframed,
            Mode::Boundary => Mode::Lost,
            Mode::Chunked(_) => Mode::Unframed,
            mode => mode,
        };
    }

    /// Bytes of this direction are missing.
    pub(super) fn lose(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        self.end_head(side, Ending::Cut, core, out);
        let state = &mut self.sides[side];
        if state.mode == Mode::Opaque {
            return;
        }
        if self.client == Some(1 - side) {
            self.requests.clear();
        }
        self.mistrust();
        let state = &mut self.sides[side];
        core.counts.desyncs += u64::from(state.mode != Mode::Lost);
        state.mode = Mode::Lost;
    }

    /// The sender ended this direction.
    pub(super) fn end(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        self.end_head(side, Ending::Cut, core, out);
        let state = &mut self.sides[side];
        if state.mode != Mode::Opaque {
            state.mode = Mode::Lost;
        }
    }
}

impl Arrival<'_> {
    /// Whether the first byte may be that of a head, going by where it stands in its packet.
    fn may_begin_head(&self) -> bool {
        self.first || self.header.flags & flag::START != 0
    }
}

/// The bytes from `position` on of a record that begins at `begin`; `None` when there are none.
fn rest_of(bytes: &[u8], begin: u64, position: u64) -> Option<&[u8]> {
    let offset = usize::try_from(position.checked_sub(begin)?).ok()?;
    bytes.get(offset..).filter(|rest| !rest.is_empty())
}

/// How many bytes of empty lines stand before a start line (RFC 9112, section 2.2).
fn blank_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count()
}
