//! One connection: turns its records into heads.
//!
//! Each direction is read on its own ([`super::side`]); the connection knows which requests are
//! outstanding, and with that whose turn it is. Where bytes were not copied (bodies), the next start
//! line at the beginning of a segment begins a message only if it is that direction's turn.
//!
//! What a start line that was read becomes, exactly one of:
//!
//! | it is | when |
//! |---|---|
//! | a head | it stands where a message begins, or where one may begin and whose turn it is |
//! | a copy | its bytes were read before |
//! | a look-alike | it is no start line of HTTP/1, or stands in a body |

use std::collections::VecDeque;

use agent_common::record::{HEAD_MAX, RecordHeader, flag};
use memchr::memchr;

use super::chunked::{Chunks, Step};
use super::engine::{Core, FoundHead, Output};
use super::framing::{self, Body, RequestKind, is_interim};
use super::head::StartLine;
use super::message::{self, Message, Parsed};
use super::pool::Piece;
use super::side::{Mode, Place, Side};

/// All that is known of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    slot: u32,
    generation: u32,
    /// Seen from its first record on.
    fresh: bool,
    sides: [Side; 2],
    /// Requests without a final response, oldest first.
    requests: VecDeque<RequestKind>,
    /// The direction that sends requests, as far as is known.
    client: Option<usize>,
    /// A request and a response to it have shown which direction is which.
    roles_certain: bool,
    /// More than 0: `requests` may lack some. Counts down with each request that finds it empty.
    unsure: u8,
    /// Responses that came before their requests, which wait behind a hole.
    ahead: u32,
    last_time_ns: u64,
}

/// One record on its way through a direction.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    header: &'a RecordHeader,
    bytes: &'a [u8],
    /// Records were lost just before it.
    lost: bool,
    /// It is the first record of its packet.
    first: bool,
}

/// Why a head ends without its empty line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// Bytes of it are lost, it is too long, or the connection ended.
    Cut,
    /// The stream goes on with something else.
    Left,
}

/// What becomes of a head that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    Head,
    LookAlike,
    /// It depends on what comes next.
    Doubtful,
}

/// How every response begins.
const STATUS_LINE: &[u8] = b"HTTP/1.";

/// How long [`Connection::unsure`] lasts, in requests.
const UNSURE: u8 = 2;

impl Connection {
    /// A connection in `slot`. `fresh`: nothing of it was seen, and forgotten, before.
    pub(super) fn new(slot: u32, generation: u32, fresh: bool) -> Self {
        Self {
            slot,
            generation,
            fresh,
            sides: [Side::new(), Side::new()],
            requests: VecDeque::new(),
            client: None,
            roles_certain: false,
            unsure: 0,
            ahead: 0,
            last_time_ns: 0,
        }
    }

    pub(super) fn slot(&self) -> u32 {
        self.slot
    }

    /// Takes one record of direction `side` (0 or 1).
    pub(super) fn record(
        &mut self,
        header: &RecordHeader,
        bytes: &[u8],
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let side = usize::from(header.side & 1);
        let new = self.sides.iter().all(Side::is_new);
        if new && header.flags & flag::FROM_START == 0 {
            self.unsure = UNSURE;
        }
        self.last_time_ns = self.last_time_ns.max(header.time_ns);
        let numbering = self.sides[side].number(header, self.fresh);
        core.counts.late += u64::from(numbering.late);
        if numbering.lost > 0 {
            core.counts.lost_records += u64::from(numbering.lost);
            self.unsure = UNSURE;
        }
        self.decide_doubtful_response(side, numbering.lost > 0, core, out);

        let arrival = Arrival {
            header,
            bytes,
            lost: numbering.lost > 0,
            first: numbering.first,
        };
        self.order(side, arrival, core, out);
        if header.flags & flag::RST != 0 {
            self.close(core, out);
        }
        if header.flags & flag::ALL != 0 && header.flags & flag::MORE == 0 {
            self.release(out);
        }
    }

    /// Gives up what has waited too long at `now_ns`; says whether the connection may be forgotten.
    pub(super) fn expire(&mut self, now_ns: u64, core: &mut Core, out: &mut impl Output) -> bool {
        for side in 0..2 {
            let held_since = self.sides[side].held_since();
            if held_since.is_some_and(|since| now_ns.saturating_sub(since) >= core.limits.hole_ns) {
                self.give_up_hole(side, core, out);
            }
            let touched = self.sides[side].head.as_ref().map(|head| head.touched_ns);
            let idle = |since| now_ns.saturating_sub(since) >= core.limits.head_idle_ns;
            if touched.is_some_and(idle) {
                self.lose(side, core, out);
            }
        }
        let idle_ns = now_ns.saturating_sub(self.last_time_ns);
        let opaque = self.sides[0].mode == Mode::Opaque;
        let idle = self.sides.iter().all(Side::is_idle);
        idle && !opaque && idle_ns >= core.limits.idle_ns
    }

    /// Writes all that is held back: no more bytes will come.
    pub(super) fn close(&mut self, core: &mut Core, out: &mut impl Output) {
        for side in 0..2 {
            self.give_up_hole(side, core, out);
            self.end(side, core, out);
        }
        for side in 0..2 {
            // A request in an upload that got no response, or a response in a body: part of it.
            self.drop_doubtful(side, core);
        }
    }

    /// Holds a record back while bytes before it are missing; else reads it, and what it set free.
    fn order(&mut self, side: usize, arrival: Arrival<'_>, core: &mut Core, out: &mut impl Output) {
        let header = arrival.header;
        let state = &mut self.sides[side];
        if header.position > state.position {
            state.skip_body();
        }
        let mut complete_to = state.complete_to(header);
        if complete_to != u64::MAX
            && let Some(since) = state.held_since()
            && header.time_ns.saturating_sub(since) >= core.limits.hole_ns
        {
            self.give_up_hole(side, core, out);
            complete_to = u64::MAX;
        }
        let state = &mut self.sides[side];
        let in_front = state.held_from().is_none_or(|held| header.position <= held);
        if in_front && !state.must_wait(header.position, complete_to) {
            self.read(side, arrival, core, out);
        } else if self.hold(side, arrival, core) {
            core.counts.held += 1;
        } else {
            core.counts.overflows += 1;
            self.give_up_hole(side, core, out);
            complete_to = u64::MAX;
            self.read(
                side,
                Arrival {
                    lost: true,
                    ..arrival
                },
                core,
                out,
            );
        }
        self.read_held(side, complete_to, core, out);
    }

    /// Copies a record to wait; `false` when there is no room for it.
    fn hold(&mut self, side: usize, arrival: Arrival<'_>, core: &mut Core) -> bool {
        let Some(mut piece) = core.pool.take(arrival.header, arrival.bytes) else {
            return false;
        };
        (piece.lost, piece.first) = (arrival.lost, arrival.first);
        match self.sides[side].hold(piece, core.limits.connection_held_bytes) {
            Ok(()) => true,
            Err(piece) => {
                core.pool.give(piece);
                false
            }
        }
    }

    fn read_held(&mut self, side: usize, complete_to: u64, core: &mut Core, out: &mut impl Output) {
        while let Some(piece) = self.sides[side].next_held(complete_to) {
            let Piece {
                header,
                bytes,
                lost,
                first,
                ..
            } = &*piece;
            self.read(
                side,
                Arrival {
                    header,
                    bytes,
                    lost: *lost,
                    first: *first,
                },
                core,
                out,
            );
            core.pool.give(piece);
        }
        if self.client == Some(side) && self.sides[side].held_from().is_none() {
            // No request waits any more.
            self.ahead = 0;
        }
    }

    /// The hole will not be closed: reads what waits behind it, with a loss in front.
    fn give_up_hole(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        if self.sides[side].abandon_hole() {
            core.counts.holes_given_up += 1;
            self.read_held(side, u64::MAX, core, out);
            self.unsure = UNSURE;
        }
    }

    /// Reads one record, in the order of the stream.
    fn read(&mut self, side: usize, arrival: Arrival<'_>, core: &mut Core, out: &mut impl Output) {
        let Arrival {
            header,
            bytes,
            lost,
            ..
        } = arrival;
        let begin = header.position;
        let end = begin.saturating_add(bytes.len() as u64);
        if begin != self.sides[side].position {
            self.sides[side].skip_body();
        }
        if begin < self.sides[side].position {
            self.read_again(side, arrival, core);
        } else if begin > self.sides[side].position {
            if lost {
                self.lose(side, core, out)
            } else {
                self.skip(side, core, out)
            }
            self.sides[side].position = begin;
        }
        let state = &mut self.sides[side];
        state.untouched = false;
        state.reached = state.reached.max(end);
        while let Some(rest) = rest_of(bytes, begin, self.sides[side].position) {
            self.step(side, arrival, rest, end, core, out);
        }
        if header.flags & flag::CUT != 0 && header.segment_end > self.sides[side].position {
            self.sides[side].skip_body();
        }
        if header.flags & flag::CUT != 0 && header.segment_end > self.sides[side].position {
            match self.sides[side].mode {
                Mode::Chunked(_) | Mode::Unframed => {
                    self.sides[side].mode = Mode::Unframed;
                    self.unsure = UNSURE;
                }
                _ => self.lose(side, core, out),
            }
        }
        if header.flags & flag::FIN != 0 && header.flags & flag::MORE == 0 {
            self.end(side, core, out);
        }
    }

    /// Bytes that begin before those that are dealt with: a copy, or part of a known body.
    fn read_again(&mut self, side: usize, arrival: Arrival<'_>, core: &mut Core) {
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
        if !state.is_body(begin) {
            core.counts.copy();
        } else {
            core.counts.look_alike();
        }
    }

    /// Reads some of `rest`, the bytes of `arrival` that are not dealt with.
    fn step(
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
                // RFC 9112, section 2.2: empty lines before a start line.
                let blank = rest
                    .iter()
                    .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                    .count();
                if blank > 0 {
                    state.position += blank as u64;
                } else {
                    self.begin_head(side, arrival, rest, Place::Boundary, core, out);
                }
            }
            Mode::MaybeBody { end } => {
                let known = rest.len().min(STATUS_LINE.len());
                if rest[..known] == STATUS_LINE[..known] {
                    self.begin_head(side, arrival, rest, Place::MaybeBody { end }, core, out);
                } else {
                    state.skip_body();
                }
            }
            Mode::Lost if may_begin => {
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
                    && state.place != Place::Boundary
                    && state
                        .head
                        .as_ref()
                        .is_some_and(|head| !head.bytes.is_empty())
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

    fn begin_head(
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
                Verdict::Head => self.accept(side, &header, &message, core, out),
                Verdict::LookAlike => {
                    core.counts.look_alike();
                    self.sides[side].no_head(place, end);
                }
                Verdict::Doubtful => {
                    self.sides[side].position = end;
                    self.drop_doubtful(side, core);
                    match core.pool.take(&header, &rest[..message.length]) {
                        Some(piece) => self.sides[side].doubtful = Some(piece),
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

    fn continue_head(
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
            Verdict::Head => self.accept(side, &piece.header, &message, core, out),
            Verdict::LookAlike => core.counts.look_alike(),
            Verdict::Doubtful => {
                self.drop_doubtful(side, core);
                piece.bytes.truncate(head_length);
                self.sides[side].doubtful = Some(piece);
                return;
            }
        }
        core.pool.give(piece);
    }

    /// What was collected is no head; nor is what came with its last bytes.
    fn refuse_head(&mut self, side: usize, piece: Box<Piece>, rest: usize, core: &mut Core) {
        let state = &mut self.sides[side];
        state.no_head(state.place, state.position + rest as u64);
        core.counts.look_alike();
        core.pool.give(piece);
    }

    /// Whether a start line at `place` begins a message.
    fn verdict(&self, side: usize, start: &StartLine<'_>, place: Place) -> Verdict {
        let is_request = matches!(start, StartLine::Request { .. });
        let is_client = self.client.map(|client| client == side);
        match (place, is_client) {
            (Place::Boundary | Place::MaybeBody { .. }, _) => Verdict::Head,
            (Place::Lost, _)
                if let StartLine::Request { method, .. } = start
                    && message::is_end_of_method(method) =>
            {
                Verdict::LookAlike
            }
            (Place::Lost, Some(is_client)) if self.roles_certain && is_client != is_request => {
                Verdict::LookAlike
            }
            (Place::Lost, _) | (Place::Unframed, None) => Verdict::Head,
            (Place::Unframed, Some(is_client)) if is_client != is_request => Verdict::LookAlike,
            (Place::Unframed, Some(true)) if self.requests.is_empty() => Verdict::Head,
            (Place::Unframed, Some(false))
                if !self.requests.is_empty()
                    || self.unsure > 0
                    || !self.sides[1 - side].is_idle() =>
            {
                Verdict::Head
            }
            (Place::Unframed, Some(_)) => Verdict::Doubtful,
        }
    }

    /// Writes a whole head and moves its direction on to what follows it.
    fn accept(
        &mut self,
        side: usize,
        header: &RecordHeader,
        message: &Message<'_>,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let (body, may_answer_head) = self.write(side, header, message, false, core, out);
        let state = &mut self.sides[side];
        state.body_start = header.position + message.length as u64;
        state.position = state.body_start;
        match body {
            Body::Bytes(bytes) => {
                state.mode = Mode::MaybeBody {
                    end: state.position.saturating_add(bytes),
                };
                if bytes == 0 || !may_answer_head {
                    state.skip_body();
                }
            }
            Body::Chunked => state.mode = Mode::Chunked(Chunks::new()),
            Body::Unknown => state.mode = Mode::Unframed,
            Body::Opaque => {
                state.mode = Mode::Opaque;
                self.end_head(1 - side, Ending::Left, core, out);
                self.sides[1 - side].mode = Mode::Opaque;
                self.requests.clear();
            }
        }
    }

    /// Hands a head out and keeps the account of requests; gives what follows the head, and whether
    /// it may be the answer to a HEAD that is not known.
    fn write(
        &mut self,
        side: usize,
        header: &RecordHeader,
        message: &Message<'_>,
        partial: bool,
        core: &mut Core,
        out: &mut impl Output,
    ) -> (Body, bool) {
        let followed_by = match message.start {
            StartLine::Request { method, .. } => {
                self.request(side, RequestKind::of(method), core);
                (framing::request_body(message.framing), false)
            }
            StartLine::Response { status, .. } => {
                let request = self.response(side, status, core, out);
                let body = framing::response_body(status, message.framing, request);
                (body, request.is_none())
            }
        };
        core.counts.head(partial);
        out.head(&FoundHead::new(header, message, partial));
        followed_by
    }

    /// A request begins: it is outstanding from now on.
    fn request(&mut self, side: usize, kind: RequestKind, core: &mut Core) {
        self.drop_doubtful(side, core);
        if self.client != Some(side) {
            self.set_client(side);
        }
        if self.requests.is_empty() {
            self.unsure = self.unsure.saturating_sub(1);
        }
        if self.ahead > 0 {
            self.ahead -= 1;
        } else if self.requests.len() >= core.limits.requests {
            core.counts.overflows += 1;
            self.requests.clear();
            self.unsure = UNSURE;
        } else {
            self.requests.push_back(kind);
        }
    }

    /// A response begins; gives the kind of the request it answers, where that is certain.
    fn response(
        &mut self,
        side: usize,
        status: u16,
        core: &mut Core,
        out: &mut impl Output,
    ) -> Option<RequestKind> {
        let client = 1 - side;
        if self.client != Some(client) {
            self.set_client(client);
        }
        self.drop_doubtful(side, core);
        if self.requests.is_empty() {
            self.accept_doubtful(client, core, out);
        }
        let request = if is_interim(status) {
            self.requests.front().copied()
        } else {
            let request = self.requests.pop_front();
            let waits = self.sides[client].held_from().is_some();
            self.ahead += u32::from(request.is_none() && waits);
            request
        };
        self.roles_certain |= request.is_some();
        // An error about HEAD or CONNECT heals at the next segment; an error about a body that is
        // skipped costs the heads in it.
        let special = status == 101 || request != Some(RequestKind::Other);
        request.filter(|_| self.unsure == 0 || special)
    }

    fn set_client(&mut self, client: usize) {
        if self.client.is_some() {
            self.requests.clear();
            self.roles_certain = false;
            self.unsure = UNSURE;
        }
        self.client = Some(client);
    }

    /// A response that was in doubt because no request was outstanding: was one lost before it?
    fn decide_doubtful_response(
        &mut self,
        side: usize,
        lost: bool,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        if self.client != Some(side) || self.sides[1 - side].doubtful.is_none() {
            return;
        }
        if lost {
            self.accept_doubtful(1 - side, core, out);
        } else {
            self.drop_doubtful(1 - side, core);
        }
    }

    /// What was in doubt is a head. Its direction stays where it is.
    fn accept_doubtful(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        let Some(piece) = self.sides[side].doubtful.take() else {
            return;
        };
        match message::parse(&piece.bytes) {
            Parsed::Whole(message) => {
                self.write(side, &piece.header, &message, false, core, out);
            }
            Parsed::More | Parsed::Not => core.counts.look_alike(),
        }
        core.pool.give(piece);
    }

    /// What was in doubt is body.
    fn drop_doubtful(&mut self, side: usize, core: &mut Core) {
        if let Some(piece) = self.sides[side].doubtful.take() {
            core.counts.look_alike();
            core.pool.give(piece);
        }
    }

    /// Bytes of this direction are missing.
    fn lose(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        self.end_head(side, Ending::Cut, core, out);
        let state = &mut self.sides[side];
        if state.mode == Mode::Opaque {
            return;
        }
        if self.client == Some(1 - side) {
            self.requests.clear();
        }
        self.unsure = UNSURE;
        let state = &mut self.sides[side];
        core.counts.desyncs += u64::from(state.mode != Mode::Lost);
        state.mode = Mode::Lost;
    }

    /// Bytes of this direction were not copied, and not meant to be.
    fn skip(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        self.end_head(side, Ending::Left, core, out);
        let state = &mut self.sides[side];
        state.mode = match state.mode {
            Mode::Boundary if self.client == Some(1 - side) => Mode::Unframed,
            Mode::Boundary => Mode::Lost,
            Mode::Chunked(_) => Mode::Unframed,
            mode => mode,
        };
    }

    /// The sender ended this direction.
    fn end(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        self.end_head(side, Ending::Cut, core, out);
        let state = &mut self.sides[side];
        if state.mode != Mode::Opaque {
            state.mode = Mode::Lost;
        }
    }

    /// The head in progress has no end: writes what is there, if it is a head.
    fn end_head(&mut self, side: usize, ending: Ending, core: &mut Core, out: &mut impl Output) {
        let state = &mut self.sides[side];
        let Some(piece) = state.head.take() else {
            return;
        };
        let place = state.place;
        state.no_head(place, state.position);
        if ending == Ending::Left && place == Place::Unframed {
            core.counts.look_alike();
        } else {
            self.cut_short(side, &piece.header, &piece.bytes, place, core, out);
        }
        core.pool.give(piece);
    }

    /// Writes a partial head; its direction is lost then.
    fn cut_short(
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
                self.write(side, header, &message, true, core, out);
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

    /// Tells the kernel when nothing is in flight here, or nothing is left to read.
    fn release(&self, out: &mut impl Output) {
        let opaque = self.sides.iter().any(|side| side.mode == Mode::Opaque);
        if opaque || self.is_quiet() {
            let [one, two] = &self.sides;
            let records = one.last_record.wrapping_add(two.last_record);
            out.release(self.slot, self.generation, records, opaque);
        }
    }

    /// Whether both directions are at the end of a message and all requests are answered.
    fn is_quiet(&self) -> bool {
        let Some(client) = self.client else {
            return false;
        };
        let server = &self.sides[1 - client];
        self.requests.is_empty()
            && self.ahead == 0
            && self.unsure < UNSURE
            && self
                .sides
                .iter()
                .all(|side| side.mode == Mode::Boundary && side.is_idle())
            && server.reached >= server.position
    }
}

impl Arrival<'_> {
    /// Whether the first byte may be that of a head, going by where it stands in its packet.
    fn may_begin_head(&self) -> bool {
        self.first || self.header.flags & flag::START != 0
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

/// The bytes from `position` on of a record that begins at `begin`; `None` when there are none.
fn rest_of(bytes: &[u8], begin: u64, position: u64) -> Option<&[u8]> {
    let offset = usize::try_from(position.checked_sub(begin)?).ok()?;
    bytes.get(offset..).filter(|rest| !rest.is_empty())
}
