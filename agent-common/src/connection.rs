//! What is remembered of a TCP connection: three cache lines, one for both directions, then one each.
//!
//! Several CPUs may work on one connection at once, but the packets of one direction come one after
//! another on every path we know (a receive queue, the lock of a sending socket), so each direction
//! has one writer at a time. Where that fails a store can be lost; the next packet then looks like a
//! gap or a copy and the reader sorts it out by position. Nothing here is used as an index.

use crate::classify::{Address, Segment};
use crate::shared::Shared;

/// The two endpoints of a connection, the lower one first, so that both directions have one key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key {
    /// Address of the lower endpoint.
    pub low: Address,
    /// Address of the higher endpoint.
    pub high: Address,
    /// Both ports as they lie in memory, the lower endpoint's in the upper half.
    pub ports: u32,
}

impl Key {
    /// The key of a segment's connection, and the side that sent it (0: the lower endpoint).
    #[inline(always)]
    #[must_use]
    pub fn of(segment: &Segment) -> (Self, u32) {
        let source_port = u32::from(segment.source_port_be);
        let destination_port = u32::from(segment.destination_port_be);
        let (s, d) = (segment.source, segment.destination);
        let source_is_low = if s[1] != d[1] {
            s[1] < d[1]
        } else if s[0] != d[0] {
            s[0] < d[0]
        } else {
            source_port <= destination_port
        };
        if source_is_low {
            let ports = source_port << 16 | destination_port;
            (
                Self {
                    low: s,
                    high: d,
                    ports,
                },
                0,
            )
        } else {
            let ports = destination_port << 16 | source_port;
            (
                Self {
                    low: d,
                    high: s,
                    ports,
                },
                1,
            )
        }
    }
}

/// One connection in the table.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Connection {
    /// 0: free; [`crate::table::CLAIMED`]: being filled in; else the hash of the key, which is
    /// never one of these.
    pub tag: Shared<u64>,
    /// [`Key::low`].
    pub low: [Shared<u64>; 2],
    /// [`Key::high`].
    pub high: [Shared<u64>; 2],
    /// [`Key::ports`].
    pub ports: Shared<u32>,
    /// Counts the connections that have lived here.
    pub generation: Shared<u32>,
    unused: Shared<u64>,
    /// Not 0: everything is copied, in both directions; why, as [`crate::counters::Escalated::mark`] has it.
    pub escalated: Shared<u16>,
    /// The span of time that `budget_used` belongs to.
    pub budget_window: Shared<u16>,
    /// Bytes copied beyond ordinary heads in that span.
    pub budget_used: Shared<u32>,
    /// The two directions; 0 is sent by the lower endpoint.
    pub directions: [Direction; 2],
}

const _: () = assert!(size_of::<Connection>() == 192);

/// One direction of a connection.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Direction {
    /// Stream position of `next_sequence`.
    pub position: Shared<u64>,
    /// Stream position where the body of the current request ends; 0 when not known.
    pub body_end: Shared<u64>,
    /// Lowest stream position that is missing; 0 when nothing is.
    pub hole_start: Shared<u64>,
    /// Stream position just behind what is missing; when nothing is, of no meaning.
    pub hole_end: Shared<u64>,
    /// TCP sequence number behind the highest byte seen.
    pub next_sequence: Shared<u32>,
    /// A set of `state` bits.
    pub state: Shared<u32>,
    /// Records numbered so far.
    pub records: Shared<u32>,
    /// Start lines seen: requests or final responses.
    pub messages: Shared<u32>,
    /// Bytes of the head in progress copied so far.
    pub head_bytes: Shared<u32>,
    /// The last payload bytes of the head in progress.
    pub carry: Shared<u32>,
    /// Of a SYN that contradicted the connection and was not believed the sequence number behind it, which an answer
    /// acknowledges; 0: there was none.
    pub asked: Shared<u32>,
    /// When the last packet came, in coarse ticks.
    pub last_seen: Shared<u32>,
}

const _: () = assert!(size_of::<Direction>() == 64);

/// Bits of [`Direction::state`].
pub mod state {
    /// `next_sequence` is known.
    pub const SEEN: u32 = 1 << 0;
    /// Inside a head: what follows is copied until its end.
    pub const HEAD: u32 = 1 << 1;
    /// Payload was seen.
    pub const PAYLOAD: u32 = 1 << 2;
    /// Requests were seen in this direction.
    pub const REQUESTS: u32 = 1 << 3;
    /// Responses were seen in this direction.
    pub const RESPONSES: u32 = 1 << 4;
    /// Known from the SYN on.
    pub const FROM_START: u32 = 1 << 5;
    /// The direction has ended (FIN or RST).
    pub const ENDED: u32 = 1 << 6;
    /// HTTP/2 or TLS: nothing to be found.
    pub const FOREIGN: u32 = 1 << 7;
    /// The reader has said that no HTTP follows.
    pub const OPAQUE: u32 = 1 << 9;
    /// Only the reader can tell where messages begin, until it ends the escalation.
    pub const UNSURE: u32 = 1 << 8;
    /// A body of known length is due, and nothing has come behind its head.
    pub const BODY_AWAITED: u32 = 1 << 10;
    /// The first bytes came in pieces and are those of the preface of HTTP/2 so far.
    pub const PREFACE: u32 = 1 << 11;
}

/// The word by which the reader ends an escalation: it has seen so many records and nothing is pending.
/// It counts only while the kernel has sent no more than that. There is one for each slot of the table,
/// in an array of their own, which the reader maps: a twentieth of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Release {
    /// The connection meant; [`Connection::generation`].
    pub generation: u32,
    /// Sum of both directions' records that the reader has seen, wrapping.
    pub records: u32,
    /// Nothing more is wanted of this connection (101, CONNECT).
    pub opaque: bool,
}

impl Release {
    /// As the word in the table. Never 0.
    #[must_use]
    pub fn to_word(self) -> u64 {
        u64::from(self.generation) << 32
            | u64::from(self.records & RECORDS) << 2
            | u64::from(self.opaque) << 1
            | 1
    }

    /// Whether `word` releases a connection of this generation with so many records sent.
    #[inline(always)]
    #[must_use]
    pub fn applies(word: u64, generation: u32, records: u32) -> bool {
        word & 1 != 0
            && (word >> 32) as u32 == generation
            && (word >> 2) as u32 & RECORDS == records & RECORDS
    }

    /// Whether `word` says that nothing more is wanted of this generation.
    #[inline(always)]
    #[must_use]
    pub fn is_opaque(word: u64, generation: u32) -> bool {
        word & 2 != 0 && (word >> 32) as u32 == generation
    }
}

const RECORDS: u32 = 0x3fff_ffff;

#[cfg(test)]
mod tests;
