//! Whose turn it is: which start lines begin a message, and which response answers which request.

use agent_common::record::{RecordHeader, flag};

use super::super::chunked::Chunks;
use super::super::engine::{Core, FoundHead, Output};
use super::super::framing::{self, Body, RequestKind, is_interim};
use super::super::head::StartLine;
use super::super::message::{self, Message, Parsed};
use super::super::pool::Piece;
use super::super::side::{Mode, Place};
use super::heads::Ending;
use super::{Connection, Earlier, Outstanding, UNSURE};

/// Responses of a direction that wait to be told from body.
const DOUBTFUL_MAX: usize = 8;

/// What becomes of a head that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Head,
    LookAlike,
    /// It depends on what comes next.
    Doubtful,
}

impl Connection {
    /// Whether a start line at `place` begins a message.
    pub(super) fn verdict(&self, side: usize, start: &StartLine<'_>, place: Place) -> Verdict {
        let is_request = matches!(start, StartLine::Request { .. });
        let is_client = self.client.map(|client| client == side);
        match (place, is_client) {
            (Place::MaybeBody { .. }, Some(true)) if !is_known_request(start) => Verdict::LookAlike,
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
    pub(super) fn accept(
        &mut self,
        side: usize,
        header: &RecordHeader,
        end_time_ns: u64,
        message: &Message<'_>,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let (body, may_be_absent) =
            self.write(side, header, end_time_ns, message, false, core, out);
        let may_hide_response = matches!(message.start, StartLine::Response { .. })
            && header.flags & (flag::ALL | flag::FROM_START | flag::CUT) == 0;
        let state = &mut self.sides[side];
        state.body_start = header.position + message.bytes.len() as u64;
        state.position = state.body_start;
        match body {
            Body::Bytes(bytes) => {
                let end = state.position.saturating_add(bytes);
                state.mode = Mode::MaybeBody { end };
                if bytes == 0 || !may_be_absent {
                    state.skip_body();
                }
                if may_hide_response && end < header.segment_end {
                    // Taken for the one answer that was due, so nothing behind it was copied; yet its packet goes on.
                    self.lose(side, core, out);
                }
            }
            Body::Chunked => state.mode = Mode::Chunked(Chunks::new()),
            Body::Unknown => state.mode = Mode::Unframed,
            Body::Opaque => {
                state.mode = Mode::Opaque;
                // Who answers so has read what waits here, and what is missing in front of it.
                self.give_up_hole(1 - side, core, out);
                self.end_head(1 - side, Ending::Left, core, out);
                self.sides[1 - side].mode = Mode::Opaque;
                self.requests.clear();
            }
        }
    }

    /// Hands a head out and keeps the account of requests; gives what follows the head, and whether
    /// it may be missing: the head may answer a HEAD that is not known, or ask whether to go on. `header`: of the
    /// record with the first byte; `end_time_ns`: when the last byte came.
    #[expect(
        clippy::too_many_arguments,
        reason = "what is known of one head, and where it goes"
    )]
    pub(super) fn write(
        &mut self,
        side: usize,
        header: &RecordHeader,
        end_time_ns: u64,
        message: &Message<'_>,
        partial: bool,
        core: &mut Core,
        out: &mut impl Output,
    ) -> (Body, bool) {
        let (followed_by, exchange) = match message.start {
            StartLine::Request { method, .. } => {
                let body = framing::request_body(message.framing);
                let among_others = self.may_be_among_others(header, message, &body);
                // The end of it was waited for, and its answer, or what is left of that, did not wait.
                let is_answered = partial
                    && self.requests.is_empty()
                    && self.sides[1 - side].reached > header.peer_position.max(self.interim_end);
                let kind = (!is_answered).then(|| RequestKind::of(method));
                let number = self.request(side, kind, header.position, among_others, core);
                ((body, message.framing.asks_first), Some(number))
            }
            StartLine::Response { status, .. } => {
                let (request, exchange) =
                    self.response(side, status, header.peer_position, core, out);
                if is_interim(status) {
                    self.interim_end = header.position + message.bytes.len() as u64;
                }
                let body = framing::response_body(status, message.framing, request);
                ((body, request.is_none()), exchange)
            }
        };
        self.sides[side].untouched = false;
        let expected = match followed_by.0 {
            Body::Bytes(bytes) if !partial => (message.bytes.len() as u64).checked_add(bytes),
            _ => None,
        };
        let cut = message
            .bytes
            .get(..core.limits.head_bytes)
            .filter(|cut| cut.len() < message.bytes.len())
            .and_then(message::parse_cut);
        let (message, partial) = cut.as_ref().map_or((message, partial), |cut| (cut, true));
        core.counts.head(partial);
        out.head(&FoundHead {
            end_time_ns,
            exchange,
            expected,
            ..FoundHead::new(header, message, partial)
        });
        followed_by
    }

    /// Whether other requests may be outstanding, where some may have been missed. The kernel copies all of a
    /// connection on which there are several; where it does so for an answer whose request came before
    /// capture began, that one was probably the only one.
    fn may_be_among_others(
        &self,
        header: &RecordHeader,
        message: &Message<'_>,
        body: &Body,
    ) -> bool {
        let is_all = match body {
            Body::Bytes(bytes) => {
                let end = (header.position + message.bytes.len() as u64).saturating_add(*bytes);
                header.segment_end <= end
            }
            // As far as the head tells: what follows is body.
            _ => true,
        };
        let alone = self.requests.is_empty() && is_all;
        header.flags & flag::ALL != 0 && !(alone && self.earlier == Earlier::One)
    }

    /// A request begins: it is outstanding from now on; `kind` `None`: it is answered already. Gives its number on the
    /// connection.
    pub(super) fn request(
        &mut self,
        side: usize,
        kind: Option<RequestKind>,
        position: u64,
        among_others: bool,
        core: &mut Core,
    ) -> u32 {
        self.drop_doubtful(side, core);
        if self.client != Some(side) {
            self.set_client(side);
        }
        if self.requests.is_empty() {
            self.unsure = self.unsure.saturating_sub(1);
        }
        let number = self.numbered;
        self.numbered = self.numbered.wrapping_add(1);
        if self.ahead > 0 {
            self.ahead -= 1;
            return number;
        }
        let Some(kind) = kind else {
            return number;
        };
        if self.requests.len() >= core.limits.requests {
            core.counts.overflows += 1;
            self.requests.clear();
            self.mistrust();
        } else {
            self.requests.push_back(Outstanding {
                kind,
                number,
                position,
                // Requests may have been lost; of several at once then nobody knows which these are.
                certain: self.unsure == 0 || !among_others,
            });
        }
        number
    }

    /// A response begins; gives the kind of the request it answers, where that is certain, and its
    /// number. `asked`: how much the client had sent by then; 0: nobody knows.
    pub(super) fn response(
        &mut self,
        side: usize,
        status: u16,
        asked: u64,
        core: &mut Core,
        out: &mut impl Output,
    ) -> (Option<RequestKind>, Option<u32>) {
        let client = 1 - side;
        let is_first = self.client.is_none();
        if self.client != Some(client) {
            self.set_client(client);
        }
        if self.sides[client].held_from().is_some() {
            // Another answer, and requests wait behind a hole: that one's request is in it.
            self.accept_doubtful(side, core, out);
        }
        self.drop_doubtful(side, core);
        if self.requests.is_empty() {
            self.accept_doubtful(client, core, out);
        }
        let mut exchange = None;
        if status == 100 {
            self.sides[client].skip_body();
        }
        // Nobody answers what is still to be sent: a head that was cut is told later than the next request.
        let next = self.requests.front().copied();
        let next = next.filter(|request| asked == 0 || request.position < asked);
        let request = if is_interim(status) {
            next
        } else {
            let request = next.and_then(|_| self.requests.pop_front());
            if request.is_none() && self.sides[client].held_from().is_some() {
                // The request that it answers has come, behind a hole, and will be read next.
                exchange = Some(self.numbered.wrapping_add(self.ahead));
                self.ahead += 1;
            } else if request.is_none() {
                self.answers_earlier(is_first);
            }
            request
        };
        self.roles_certain |= request.is_some();
        if let Some(request) = request.filter(|request| request.certain) {
            exchange = Some(request.number);
        }
        let kind = request.map(|request| request.kind);
        // An error about HEAD or CONNECT heals at the next segment; an error about a body that is
        // skipped costs the heads in it.
        let special = status == 101 || kind != Some(RequestKind::Other);
        (kind.filter(|_| self.unsure == 0 || special), exchange)
    }

    /// A response to a request that was not seen. On a connection whose start was not seen either, the first
    /// shows one request that was sent before, each further one that there were several: then answers may
    /// have been taken for those of later requests.
    fn answers_earlier(&mut self, is_first: bool) {
        if self.earlier != Earlier::Answered {
            self.unsure = UNSURE;
            if !is_first {
                self.earlier = Earlier::Several;
            }
        }
    }

    pub(super) fn set_client(&mut self, client: usize) {
        if self.client.is_some() {
            self.requests.clear();
            self.roles_certain = false;
            self.mistrust();
        }
        self.client = Some(client);
    }

    /// A response that was in doubt because no request was outstanding: was one lost before it?
    pub(super) fn decide_doubtful_response(
        &mut self,
        side: usize,
        lost: bool,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        if self.client != Some(side) || self.sides[1 - side].doubtful.is_empty() {
            return;
        }
        if lost {
            self.accept_doubtful(1 - side, core, out);
        } else {
            self.drop_doubtful(1 - side, core);
        }
    }

    /// A head that may be body: it waits for what comes next. Of requests only the last can be one, since
    /// each is answered; when requests are lost, several responses in a row may be heads.
    pub(super) fn doubt(&mut self, side: usize, piece: Box<Piece>, core: &mut Core) {
        let waiting = self.sides[side].doubtful.len();
        if self.client == Some(side) || waiting >= DOUBTFUL_MAX {
            self.drop_doubtful(side, core);
        }
        self.sides[side].doubtful.push(piece);
    }

    /// What was in doubt is a head. Its direction stays where it is.
    pub(super) fn accept_doubtful(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        for piece in std::mem::take(&mut self.sides[side].doubtful) {
            let told = match message::parse(&piece.bytes) {
                Parsed::Whole(message) => Some((message, false)),
                Parsed::More => message::parse_cut(&piece.bytes).map(|message| (message, true)),
                Parsed::Not => None,
            };
            match told {
                Some((message, partial)) => {
                    let (header, end) = (&piece.header, piece.header.time_ns);
                    self.write(side, header, end, &message, partial, core, out);
                }
                None => core.counts.look_alike(),
            }
            core.pool.give(piece);
        }
    }

    /// What was in doubt is body.
    pub(super) fn drop_doubtful(&mut self, side: usize, core: &mut Core) {
        for piece in self.sides[side].doubtful.drain(..) {
            core.counts.look_alike();
            core.pool.give(piece);
        }
    }
}

/// Whether a start line is that of a request with a registered method that is in use.
fn is_known_request(start: &StartLine<'_>) -> bool {
    match start {
        StartLine::Request { method, .. } => message::is_known_method(method),
        StartLine::Response { .. } => false,
    }
}
