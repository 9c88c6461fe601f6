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

mod dormant;
mod heads;
mod read;
mod turns;
mod wait;

use std::collections::VecDeque;

use agent_common::record::{RecordHeader, flag};

use super::engine::{Core, Output};
use super::framing::RequestKind;
use super::side::{Mode, Side};
pub(super) use dormant::{Dormant, DormantMode, DormantSide};

/// All that is known of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    slot: u32,
    generation: u32,
    /// Seen from its first record on.
    fresh: bool,
    sides: [Side; 2],
    /// Requests without a final response, oldest first.
    requests: VecDeque<Outstanding>,
    /// Requests seen so far.
    numbered: u32,
    /// The direction that sends requests, as far as is known.
    client: Option<usize>,
    /// A request and a response to it have shown which direction is which.
    roles_certain: bool,
    /// More than 0: `requests` may lack some. Counts down with each request that finds it empty.
    unsure: u8,
    earlier: Earlier,
    /// Responses that came before their requests, which wait behind a hole.
    ahead: u32,
    /// Where the last interim answer ends.
    interim_end: u64,
    last_time_ns: u64,
}

/// A request that waits for its final response.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    kind: RequestKind,
    /// Its number on the connection, from 0.
    number: u32,
    /// Where in its stream it begins.
    position: u64,
    /// The next response is the answer to it, as far as can be told.
    certain: bool,
}

/// What is known of requests that were sent before capture began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Earlier {
    /// They are answered: capture saw the start of the connection, or saw it rest.
    Answered,
    /// At the most one is outstanding, as far as is known: nearly every client waits for the answer.
    One,
    /// Several may be, or requests were lost as well.
    Several,
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

/// What becomes of a connection that was looked at.
#[derive(Debug)]
pub(super) enum Fate {
    Stays,
    Forgotten,
    Rests(Dormant),
}

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
            numbered: 0,
            client: None,
            roles_certain: false,
            unsure: 0,
            earlier: Earlier::Answered,
            ahead: 0,
            interim_end: 0,
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
            (self.unsure, self.earlier) = (UNSURE, Earlier::One);
        }
        self.last_time_ns = self.last_time_ns.max(header.time_ns);
        let numbering = self.sides[side].number(header, self.fresh);
        core.counts.late += u64::from(numbering.late);
        if numbering.lost > 0 {
            core.counts.lost_records += u64::from(numbering.lost);
            if !self.sides[side].lost_body_only(header) {
                self.mistrust();
            }
        }
        if self.sides[side].complete_to(header) == u64::MAX {
            self.decide_doubtful_response(side, numbering.lost > 0, core, out);
        }

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
            self.release(header, out);
        }
    }

    /// Gives up what has waited too long at `now_ns`; says what becomes of the connection.
    pub(super) fn expire(&mut self, now_ns: u64, core: &mut Core, out: &mut impl Output) -> Fate {
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
        if idle_ns >= core.limits.rest_ns
            && let Some(dormant) = self.dormant()
        {
            return Fate::Rests(dormant);
        }
        let opaque = self.sides[0].mode == Mode::Opaque;
        let idle = self.sides.iter().all(Side::is_idle);
        if idle && !opaque && idle_ns >= core.limits.idle_ns {
            Fate::Forgotten
        } else {
            Fate::Stays
        }
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

    /// Whether bytes wait here.
    pub(super) fn holds_back(&self) -> bool {
        !self.sides.iter().all(Side::is_idle)
    }

    /// Requests may have been lost.
    fn mistrust(&mut self) {
        self.unsure = UNSURE;
        if self.earlier == Earlier::One {
            self.earlier = Earlier::Several;
        }
    }

    /// Tells the kernel when nothing is in flight here, or nothing is left to read. `header`: of the last record.
    fn release(&self, header: &RecordHeader, out: &mut impl Output) {
        let opaque = self.sides.iter().any(|side| side.mode == Mode::Opaque);
        if opaque || self.is_quiet(header) || self.is_other() {
            let [one, two] = &self.sides;
            let records = one.last_record.wrapping_add(two.last_record);
            out.release(self.slot, self.generation, records, opaque);
        }
    }

    /// Whether both directions are at the end of a message and all requests are answered.
    fn is_quiet(&self, header: &RecordHeader) -> bool {
        self.client.is_some()
            && self.requests.is_empty()
            && self.ahead == 0
            && self.unsure < UNSURE
            && !self.sides.iter().any(|side| side.went_back)
            && self.sides.iter().enumerate().all(|(number, side)| {
                // Of a body that is still on its way, as of an upload that was answered before its end, the
                // kernel does not know where it ends. Of one that it left out nothing came here.
                let is_other = number != usize::from(header.side & 1);
                let sent = if is_other { header.peer_position } else { 0 };
                side.mode == Mode::Boundary
                    && side.is_idle()
                    && side.reached.max(sent) >= side.position
            })
    }

    /// Whether there was no head, and nothing that is here can become one: another protocol, with requests that look
    /// alike (RTSP, SIP). What begins a segment is told without copying everything.
    fn is_other(&self) -> bool {
        let is_lost = |side: &Side| side.untouched && side.mode == Mode::Lost && side.is_idle();
        self.client.is_none() && self.sides.iter().all(is_lost)
    }
}

// One is kept for each connection that is open: tens of thousands on a busy host.
const _: () = assert!(size_of::<Connection>() <= 320);
