//! Putting records together: the head, the whole of an escalated packet, or its end.

mod role;
mod send;

use crate::classify::{Segment, tcp};
use crate::connection::{Connection, Direction, state};
use crate::counters::{Counters, Escalated, Lost};
use crate::host::Host;
use crate::packet::Packet;
use crate::record::{PIECE_MAX, VERSION, flag};
use crate::scratch::{Scratch, Work, Workplace, mark};
use crate::search::Body;
use crate::start::Start;
use crate::table::Found;
use crate::track::escalate;

/// Pieces copied of one packet at the most: 128 KiB, twice the largest ordinary super-packet.
const PIECES_MAX: u32 = 64;

/// What `carry` holds when no bytes of the head came before: nothing that ends a line.
const NO_CARRY: [u8; 4] = [b' '; 4];

/// The request whose head is collected has a method that normally has a body; a bit beside those of
/// [`state`].
const BODY_DUE: u32 = 1 << 16;

/// Copies what `workplace` says is wanted of the packet.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub(crate) fn copy<P: Packet, H: Host>(
    packet: &P,
    host: &H,
    workplace: &mut Workplace,
    found: Found<'_>,
    side: u32,
) {
    let Workplace {
        counters,
        segment,
        work,
        scratch,
        ..
    } = workplace;
    let mut copier = Copier {
        packet,
        host,
        segment,
        connection: found.connection,
        slot: found.slot,
        side,
        direction: &found.connection.directions[(side & 1) as usize],
        counters,
        work,
        scratch,
    };
    copier.begin();
    if !copier.work.is(mark::WANTED) {
        copier.work.captured.set(0);
        let length = copier.segment.payload_length;
        copier.send(length, 0);
        return;
    }
    if copier.first_piece() {
        copier.rest();
    }
}

/// What copying works with.
struct Copier<'a, P, H> {
    packet: &'a P,
    host: &'a H,
    segment: &'a Segment,
    connection: &'a Connection,
    slot: u32,
    side: u32,
    direction: &'a Direction,
    counters: &'a mut Counters,
    work: &'a Work,
    scratch: &'a mut Scratch,
}

impl<P: Packet, H: Host> Copier<'_, P, H> {
    /// The other direction. Not kept: room on the stack is short.
    #[inline(always)]
    fn peer(&self) -> &Direction {
        &self.connection.directions[(self.side & 1 ^ 1) as usize]
    }

    /// Fills in what all records of a packet share.
    #[inline(always)]
    fn begin(&mut self) {
        let origin = self.packet.origin();
        let segment = self.segment;
        let mut flags = 0;
        if origin.outgoing {
            flags |= flag::OUTGOING;
        }
        // FIN and RST are bits 0 and 2 of the TCP flags.
        flags |= u16::from(segment.tcp_flags & tcp::FIN) * flag::FIN;
        flags |= u16::from(segment.tcp_flags & tcp::RST) >> 2 << flag::RST.trailing_zeros();
        flags |= u16::from(segment.fragment & 1) << flag::CUT.trailing_zeros();
        let state = self.direction.state.get();
        if state & state::FROM_START != 0 {
            flags |= flag::FROM_START;
        }
        let marks = self.work.marks.get();
        if marks & mark::FILL != 0 {
            flags |= flag::FILL;
        }
        if marks & mark::ESCALATED != 0 {
            flags |= flag::ALL;
        }
        self.work.flags.set(u32::from(flags));
        let connection = self.connection;
        let peer = &connection.directions[(self.side & 1 ^ 1) as usize];
        self.work.peer_state.set(peer.state.get());
        let header = &mut self.scratch.header;
        header.time_ns = self.host.now_ns();
        header.segment_end = self.work.start.get() + u64::from(segment.payload_length);
        header.hole_start = self.direction.hole_start.get();
        header.peer_position = peer.position.get();
        let now = self.work.now.get();
        header.last_ago = ago(now, self.work.last_seen.get());
        header.peer_ago = ago(now, peer.last_seen.get());
        header.source = bytes_of(segment.source);
        header.destination = bytes_of(segment.destination);
        header.source_port_be = segment.source_port_be.to_ne_bytes();
        header.destination_port_be = segment.destination_port_be.to_ne_bytes();
        header.slot = self.slot;
        header.generation = self.connection.generation.get();
        header.ifindex = origin.ifindex;
        header.cpu = self.host.cpu();
        header.flow = self.work.flow.get();
        header.vlan = segment.vlan;
        header.version = VERSION;
        header.side = self.side as u8;
        header.carry = if marks & mark::CONTINUES != 0 {
            self.direction.carry.get().to_ne_bytes()
        } else {
            NO_CARRY
        };
    }

    /// Copies and sends the first piece. True: more is to be copied, from `work.resume` on.
    #[inline(always)]
    fn first_piece(&mut self) -> bool {
        let length = self.segment.payload_length;
        let from = self.work.from.get();
        let asked = length.saturating_sub(from).min(PIECE_MAX as u32);
        let copied = self
            .packet
            .copy(self.segment.payload_offset + from, asked, self.scratch);
        if copied == 0 {
            self.lose(Lost::Cut, asked);
            return false;
        }
        if copied < asked {
            self.work
                .flags
                .set(self.work.flags.get() | u32::from(flag::CUT));
            self.counters.lost[Lost::Cut as usize] += 1;
            self.counters.lost_bytes[Lost::Cut as usize] += u64::from(asked - copied);
        }
        if self.work.is(mark::MAYBE) && !self.work.is(mark::ESCALATED) {
            if !self.host.is_request_line(self.scratch, copied)
                && !self.begins_with_empty_line(copied)
            {
                return false;
            }
            self.work.kind.set(Start::RequestWithBody as u32);
        }
        self.work.captured.set(copied);
        self.work.resume.set(from + copied);
        if self.work.kind.get() != 0 {
            self.count_start();
        }
        self.find_end(copied);
        let more = self.work.resume.get() < length
            && self.work.marks.get() & (mark::COLLECTING | mark::ESCALATED) != 0
            && copied == asked;
        let beyond_heads = self.work.is(mark::CONTINUES)
            || (self.work.is(mark::ESCALATED) && self.work.kind.get() == 0);
        if beyond_heads && !self.spend(self.work.captured.get()) {
            return false;
        }
        let start = if self.work.kind.get() != 0 {
            flag::START
        } else {
            0
        };
        self.send(from, start | if more { flag::MORE } else { 0 });
        more
    }

    /// Finds the end of the head in the first piece, and decides what is to be copied behind it.
    #[inline(always)]
    fn find_end(&mut self, copied: u32) {
        let work = self.work;
        let kind = work.kind.get();
        if kind == Start::RequestWithBody as u32
            || (work.is(mark::CONTINUES) && self.direction.state.get() & BODY_DUE != 0)
        {
            work.mark(mark::BODY_DUE);
        }
        if kind == 0 && !work.is(mark::CONTINUES) {
            // In the middle of an escalated stream.
            return;
        }
        let head_bytes = if work.is(mark::CONTINUES) {
            self.direction.head_bytes.get() + copied
        } else {
            copied
        };
        self.direction.head_bytes.set(head_bytes);
        // Read again for the question: what it tells of them would cost the verifier dear.
        if work.captured.get() < 8 || self.direction.state.get() & state::PREFACE != 0 {
            self.follow_preface(copied);
        }
        let state = self.direction.state.get() & !(state::HEAD | BODY_DUE);
        self.direction.state.set(state);
        let end = self.host.head_end(self.scratch, copied).unwrap_or(0);
        if end != 0 {
            self.head_ended(end, copied);
        } else if work.is(mark::ESCALATED) {
            self.direction.state.set(state | state::UNSURE);
        } else if self.ends_bare(copied) {
            if work.is(mark::BODY_DUE) {
                self.escalate(Escalated::Body);
            }
        } else if head_bytes < self.host.head_max() {
            work.mark(mark::COLLECTING);
            let due = if work.is(mark::BODY_DUE) { BODY_DUE } else { 0 };
            self.direction.state.set(state | state::HEAD | due);
            self.remember(copied);
        }
    }

    /// The head ends `end` bytes into the piece: what follows is a body, or another message.
    #[inline(always)]
    fn head_ended(&mut self, end: u32, copied: u32) {
        let work = self.work;
        let from = work.from.get();
        let behind = from + end;
        let length = self.segment.payload_length;
        work.captured.set(end);
        work.resume.set(behind);
        // What only the reader can place may be body: it is not believed.
        let state = self.direction.state.get() & (state::REQUESTS | state::UNSURE);
        if state == state::REQUESTS && (work.is(mark::BODY_DUE) || behind < length) {
            let body = if work.is(mark::CONTINUES) {
                Body::Unknown
            } else {
                self.host.request_body(self.scratch, end)
            };
            match body {
                Body::None => {}
                Body::Length(bytes) => self.expect_body(bytes, behind),
                Body::Unknown => self.escalate(Escalated::Body),
            }
            if work.resume.get() < length {
                self.escalate(Escalated::Pipelined);
            }
        }
        if work.is(mark::ESCALATED) {
            work.flags.set(work.flags.get() | u32::from(flag::ALL));
            if work.resume.get() == behind {
                // One record for the head and what follows it.
                work.captured.set(copied);
                work.resume.set(from + copied);
                return;
            }
        }
        work.flags.set(work.flags.get() | u32::from(flag::HEAD_END));
    }

    /// Notes where the body of a request ends, and goes on behind it.
    #[inline(always)]
    fn expect_body(&self, bytes: u64, behind: u32) {
        let length = self.segment.payload_length;
        let here = u64::from(length.saturating_sub(behind));
        if bytes < here {
            self.work.resume.set(behind + bytes as u32);
            return;
        }
        self.work.resume.set(length);
        if bytes > here {
            let body_end = self.work.start.get() + u64::from(behind) + bytes;
            self.direction.body_end.set(body_end);
            if here == 0 {
                let state = self.direction.state.get();
                self.direction.state.set(state | state::BODY_AWAITED);
            }
        }
    }

    /// Copies the payload from `work.resume` on, in pieces: all of it, or until the head ends.
    #[inline(always)]
    fn rest(&mut self) {
        // HEAD_END was of the first record.
        let flags = self.work.flags.get() & !u32::from(flag::HEAD_END);
        self.work.flags.set(flags);
        let host = self.host;
        host.repeat(PIECES_MAX, |round| self.next_piece(round));
    }

    #[inline(always)]
    fn next_piece(&mut self, round: u32) -> bool {
        let work = self.work;
        let length = self.segment.payload_length;
        let from = work.resume.get();
        let asked = length.saturating_sub(from).min(PIECE_MAX as u32);
        if asked == 0 || !self.spend(asked) {
            return false;
        }
        if work.is(mark::COLLECTING) {
            self.scratch.header.carry = self.direction.carry.get().to_ne_bytes();
        }
        let copied = self
            .packet
            .copy(self.segment.payload_offset + from, asked, self.scratch);
        if copied == 0 {
            self.lose(Lost::Cut, asked);
            return false;
        }
        work.captured.set(copied);
        work.resume.set(from + copied);
        if work.is(mark::COLLECTING) {
            self.collect(from, copied);
        }
        let left = length.saturating_sub(work.resume.get());
        let wanted = left > 0 && work.marks.get() & (mark::COLLECTING | mark::ESCALATED) != 0;
        let more = wanted && round < PIECES_MAX - 1;
        self.send(from, if more { flag::MORE } else { 0 });
        if wanted && !more {
            // Behind what was sent: there the number is missing.
            self.lose(Lost::Cut, left);
        }
        more
    }

    /// Looks for the end of the head in a later piece.
    #[inline(always)]
    fn collect(&mut self, from: u32, copied: u32) {
        let work = self.work;
        let head_bytes = self.direction.head_bytes.get() + copied;
        self.direction.head_bytes.set(head_bytes);
        self.remember(copied);
        let state = self.direction.state.get();
        let end = self.host.head_end(self.scratch, copied).unwrap_or(0);
        if end == 0 && head_bytes < self.host.head_max() {
            return;
        }
        work.unmark(mark::COLLECTING);
        self.direction.state.set(state & !(state::HEAD | BODY_DUE));
        if end == 0 {
            return;
        }
        let behind = from + end;
        let requests = state & state::REQUESTS != 0;
        if requests && (work.is(mark::BODY_DUE) || behind < self.segment.payload_length) {
            // Its fields are in several pieces: the reader finds the end of the body.
            self.escalate(Escalated::Body);
            work.flags.set(work.flags.get() | u32::from(flag::ALL));
            return;
        }
        work.captured.set(end);
        work.flags.set(work.flags.get() | u32::from(flag::HEAD_END));
    }

    /// Has everything copied, because what follows in this direction cannot be placed here.
    #[inline(always)]
    fn escalate(&mut self, why: Escalated) {
        let state = self.direction.state.get();
        self.direction.state.set(state | state::UNSURE);
        escalate(self.connection, self.work, self.counters, why);
    }

    #[inline(always)]
    fn begins_with_empty_line(&self, copied: u32) -> bool {
        let first = self.scratch.window_byte(4);
        first == b'\n' || (first == b'\r' && (copied < 2 || self.scratch.window_byte(5) == b'\n'))
    }

    /// Whether the packet ends here with an empty line made of bare line feeds.
    #[inline(always)]
    fn ends_bare(&self, copied: u32) -> bool {
        // The last three bytes end at window index copied + 3.
        let last = self.scratch.window_word(copied + 1) & 0x00ff_ffff;
        self.work.resume.get() == self.segment.payload_length
            && (last >> 8 == 0x0a0a || last == 0x0a_0d0a)
    }

    /// Keeps the last bytes of a piece for the search in the next one.
    #[inline(always)]
    fn remember(&self, copied: u32) {
        let last = self.scratch.window_word(copied) as u32;
        self.direction.carry.set(last.to_le());
    }
}

#[inline(always)]
fn ago(now: u32, then: u32) -> u16 {
    now.wrapping_sub(then).min(u32::from(u16::MAX)) as u16
}

#[inline(always)]
fn bytes_of(address: [u64; 2]) -> [u8; 16] {
    let mut bytes = [0; 16];
    let (low, high) = (address[0].to_ne_bytes(), address[1].to_ne_bytes());
    let mut index = 0;
    while index < 8 {
        bytes[index] = low[index];
        bytes[index + 8] = high[index];
        index += 1;
    }
    bytes
}
