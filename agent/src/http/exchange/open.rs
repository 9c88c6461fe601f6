//! Exchanges that are not over: places that are used again, in the order of their age, and in the order
//! of their connection.

use std::net::SocketAddr;
use std::ops::Range;

use agent_common::flow::slot_of;

use super::record::{Outcome, Role};
use crate::session::identifier::Identifier;
use crate::sink::log::asked::AskedFields;

/// One exchange so far.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) session: Identifier,
    /// Number of its request on the connection; none of an orphan.
    pub(super) number: Option<u32>,
    pub(super) role: Role,
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) request: Option<Seen>,
    /// The final response.
    pub(super) response: Option<Seen>,
    /// Where the first response to it begins, an interim one or the final one.
    pub(super) response_begin: Option<u64>,
    /// Where the response ended the last time anybody looked.
    pub(super) response_end: Option<End>,
    /// Where its head says that the final response ends.
    pub(super) response_ends_at: Option<u64>,
    /// The flow of its last head; 0: none.
    pub(super) flow: u32,
    /// Its connection has ended; what is still to be read of it waits in the engine.
    pub(super) ended: bool,
    pub(super) request_bytes: Option<u64>,
    pub(super) minor_version: Option<u8>,
    pub(super) status: Option<u16>,
    pub(super) interim_status: Option<u16>,
    pub(super) partial: bool,
    /// Escaped values, one behind the other.
    pub(super) text: Vec<u8>,
    pub(super) spans: [Option<Range<u32>>; Text::COUNT],
    /// When it was last heard of, on the clock of the records.
    pub(super) touched_ns: u64,
    older: u32,
    newer: u32,
    /// The next one of the connection.
    next: u32,
}

/// A head of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When the first byte was seen, in nanoseconds since the epoch.
    pub(super) time_ns: i64,
    /// The same and the last byte, on the clock of the records.
    pub(super) begin_ns: u64,
    pub(super) end_ns: u64,
    pub(super) position: u64,
    pub(super) cpu: u32,
}

/// The end of a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Behind the last byte, in the stream; `None`: only its time is known.
    pub(super) position: Option<u64>,
    /// When the last byte was seen, on the clock of the records.
    pub(super) time_ns: u64,
}

/// The texts of an exchange.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Method,
    Target,
    Host,
    UserAgent,
    Referer,
    Traceparent,
    ContentType,
    /// A JSON object.
    Headers,
}

impl Text {
    pub(super) const COUNT: usize = 8;
}

/// No exchange.
const NONE: u32 = u32::MAX;

/// A free place keeps a buffer of this size at the most, so that long heads leave nothing behind.
const TEXT_KEPT: usize = 1024;

/// All exchanges that are not over.
#[derive(Debug)]
pub(super) struct OpenExchanges {
    places: Vec<Open>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    /// By slot of the connection: its first and last exchange.
    connections: Vec<(u32, u32)>,
    /// By slot of the flow: the slot of the connection that had a head of it last.
    flows: Vec<u32>,
    count: usize,
}

impl OpenExchanges {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            connections: Vec::new(),
            flows: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, index: u32) -> Option<&Open> {
        self.places.get(index as usize)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Open> {
        self.places.get_mut(index as usize)
    }

    /// The one that began first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The one that began next after `index`.
    pub(super) fn newer(&self, index: u32) -> Option<u32> {
        self.get(index).map(|open| open.newer).filter(is_some)
    }

    /// The first of the connection in `slot`.
    pub(super) fn first_of(&self, slot: u32) -> Option<u32> {
        let (first, _) = self.connections.get(slot as usize)?;
        Some(*first).filter(is_some)
    }

    /// The last of the connection in `slot`.
    pub(super) fn last_of(&self, slot: u32) -> Option<u32> {
        let (_, last) = self.connections.get(slot as usize)?;
        Some(*last).filter(is_some)
    }

    /// The next of the same connection.
    pub(super) fn next_of(&self, index: u32) -> Option<u32> {
        self.get(index).map(|open| open.next).filter(is_some)
    }

    /// The connection that had a head of the flow in this slot last.
    pub(super) fn connection_of(&self, flow_slot: u32) -> Option<u32> {
        let connection = self.flows.get(flow_slot as usize)?;
        Some(*connection).filter(is_some)
    }

    /// A head of the exchange came with this flow.
    pub(super) fn follow(&mut self, index: u32, flow: u32) {
        let Some(flow_slot) = slot_of(flow) else {
            return;
        };
        let Some(open) = self.get_mut(index) else {
            return;
        };
        open.flow = flow;
        let (flow_slot, connection) = (flow_slot as usize, open.slot);
        if flow_slot >= self.flows.len() {
            self.flows.resize(flow_slot + 1, NONE);
        }
        self.flows[flow_slot] = connection;
    }

    /// Adds an exchange, as the last of its connection; its buffer is one that was used before.
    pub(super) fn add(&mut self, make: impl FnOnce(Vec<u8>) -> Open) -> u32 {
        let index = match self.free.pop() {
            Some(index) => {
                if let Some(place) = self.places.get_mut(index as usize) {
                    *place = make(std::mem::take(&mut place.text));
                }
                index
            }
            None => {
                self.places.push(make(Vec::new()));
                (self.places.len() - 1) as u32
            }
        };
        let newest = std::mem::replace(&mut self.newest, index);
        let mut slot = 0;
        if let Some(open) = self.get_mut(index) {
            (open.older, open.newer, open.next) = (newest, NONE, NONE);
            slot = open.slot as usize;
        }
        match self.get_mut(newest) {
            Some(before) => before.newer = index,
            None => self.oldest = index,
        }
        if slot >= self.connections.len() {
            self.connections.resize(slot + 1, (NONE, NONE));
        }
        let (first, last) = self.connections[slot];
        match self.get_mut(last) {
            Some(before) => before.next = index,
            None => self.connections[slot].0 = index,
        }
        debug_assert!(first != NONE || last == NONE);
        self.connections[slot].1 = index;
        self.count += 1;
        index
    }

    /// Takes an exchange out. Those of its connection before it stay.
    pub(super) fn remove(&mut self, index: u32) {
        let Some(open) = self.places.get_mut(index as usize) else {
            return;
        };
        open.text.clear();
        open.text.shrink_to(TEXT_KEPT);
        let (slot, older, newer, next) = (open.slot as usize, open.older, open.newer, open.next);
        match self.get_mut(older) {
            Some(before) => before.newer = newer,
            None => self.oldest = newer,
        }
        match self.get_mut(newer) {
            Some(behind) => behind.older = older,
            None => self.newest = older,
        }
        let mut before = NONE;
        let mut at = self.connections.get(slot).map_or(NONE, |ends| ends.0);
        while at != index && at != NONE {
            before = at;
            at = self.get(at).map_or(NONE, |open| open.next);
        }
        match self.get_mut(before) {
            Some(open) => open.next = next,
            None => self.connections[slot].0 = next,
        }
        if next == NONE {
            self.connections[slot].1 = before;
        }
        self.free.push(index);
        self.count -= 1;
    }
}

impl Open {
    /// Notes a value from the wire, in the form in which it may stand in a log.
    pub(super) fn note(&mut self, text: Text, value: Option<&[u8]>) {
        let Some(value) = value else { return };
        let begin = self.text.len() as u32;
        crate::sink::log::append_plain(value, &mut self.text);
        self.spans[text as usize] = Some(begin..self.text.len() as u32);
    }

    /// Notes the fields of a head that were asked for.
    pub(super) fn note_headers(&mut self, asked: &mut AskedFields, raw: &[u8]) {
        let begin = self.text.len() as u32;
        if asked.append_object(raw, &mut self.text) {
            self.spans[Text::Headers as usize] = Some(begin..self.text.len() as u32);
        }
    }

    /// What became of it so far.
    pub(super) fn outcome(&self) -> Outcome {
        let connects = self.noted(Text::Method) == Some("CONNECT");
        match (&self.request, self.status) {
            (_, None) => Outcome::Unanswered,
            (None, _) => Outcome::Orphan,
            (Some(_), Some(101)) => Outcome::Opaque,
            (Some(_), Some(200..=299)) if connects => Outcome::Opaque,
            (Some(_), Some(_)) => Outcome::Complete,
        }
    }

    /// What was noted.
    pub(super) fn noted(&self, text: Text) -> Option<&str> {
        let span = self.spans[text as usize].as_ref()?;
        let bytes = self.text.get(span.start as usize..span.end as usize)?;
        std::str::from_utf8(bytes).ok()
    }

    /// An exchange without anything in it.
    pub(super) fn new(text: Vec<u8>, client: SocketAddr, server: SocketAddr, role: Role) -> Self {
        Self {
            id: 0,
            slot: 0,
            generation: 0,
            session: Identifier::new(0, 0),
            number: None,
            role,
            client,
            server,
            request: None,
            response: None,
            response_begin: None,
            response_end: None,
            response_ends_at: None,
            flow: 0,
            ended: false,
            request_bytes: None,
            minor_version: None,
            status: None,
            interim_status: None,
            partial: false,
            text,
            spans: [const { None }; Text::COUNT],
            touched_ns: 0,
            older: NONE,
            newer: NONE,
            next: NONE,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "`Option::filter` calls it with a reference"
)]
fn is_some(index: &u32) -> bool {
    *index != NONE
}
