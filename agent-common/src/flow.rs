//! Flows: what is counted of every TCP connection, UDP flow and ICMP flow, as it lies in the table
//! ([`Flow`]) and as it leaves it ([`FlowRecord`]).
//!
//! The table of flows stands apart from the connection table of HTTP, so that a flood of datagrams
//! cannot push out a connection that talks. A flow leaves its place when it ended and its place is
//! wanted, when a packet comes after it was idle for too long, or when it must make room. What is
//! counted is exact under concurrency (each count is one atomic addition, and whoever takes a place
//! takes the counts by atomic exchanges); the place of segments in their streams has one writer a
//! direction, as in [`crate::connection`].

use crate::shared::Shared;

#[cfg(feature = "user")]
pub use self::image::{FlowBucketImage, FlowLinesImage};
pub use self::known::{known_word, looked, looked_at};
pub use self::parts::FlowParts;
pub use self::place::left_out;
pub use self::record::{FLOW_VERSION, FlowRecord, flow_name, slot_of, why};

pub mod count;
mod follow;
#[cfg(feature = "user")]
mod image;
mod known;
mod parts;
mod place;
mod record;
pub mod zeek;

/// Places in a bucket of the table.
pub const FLOW_WAYS: usize = 8;

/// Letters of [`FlowRecord::history`] that are kept; what happens later is in the counts alone.
pub const HISTORY_MAX: usize = 24;

/// Letters in one word of the history.
pub const HISTORY_IN_WORD: usize = 12;

/// What is seldom touched of the flows that share a hash.
#[repr(C, align(32))]
#[derive(Debug, Default)]
pub struct FlowBucket {
    /// The places, in no order.
    pub places: [Flow; FLOW_WAYS],
}

/// One direction of each flow of a bucket. The directions lie apart from the rest, and from each other: a
/// packet of a flow that goes on as it did touches one cache line, and the lines that are touched fill
/// few pages.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct FlowLines {
    /// By place of the flow.
    pub places: [FlowDirection; FLOW_WAYS],
}

const _: () = assert!(size_of::<FlowLines>() == FLOW_WAYS * 64);

/// Where the lines of a bucket stand among all lines: those of side 0 come first. `mask`: number of buckets
/// minus one.
#[inline(always)]
#[must_use]
pub fn line_index(mask: u32, side: u32, bucket: u32) -> u32 {
    (side & 1) * (mask + 1) + bucket
}

/// One flow in the table, without its directions.
#[repr(C, align(32))]
#[derive(Debug, Default)]
pub struct Flow {
    /// 0: free; [`crate::table::CLAIMED`]: being filled in; else the hash of the key, which stands for it: see
    /// [`FlowDirection::tag`].
    pub tag: Shared<u64>,
    /// The lower address; see [`crate::connection::Key`].
    pub low: [Shared<u64>; 2],
    /// The higher address.
    pub high: [Shared<u64>; 2],
    /// Of TCP and UDP [`crate::connection::Key::ports`]. Of ICMP the identifier in the upper half (of
    /// queries and their answers, else 0), then type (of queries: that of the question) and code.
    pub ports: Shared<u32>,
    /// Counts the flows that have lived here.
    pub generation: Shared<u32>,
    /// What happened: `seen` bits of both sides, and of the flow.
    pub state: Shared<u64>,
    /// A [`crate::counters::Protocol`] as a number.
    pub protocol: Shared<u16>,
    /// Of ICMP: type (upper half) and code of the first packet.
    pub icmp: Shared<u16>,
    /// Index of the interface of the first packet.
    pub ifindex: Shared<u32>,
    /// When the first packet was seen: nanoseconds of the monotonic clock.
    pub first_ns: Shared<u64>,
    /// When the last packet was seen whose time was read precisely (the first, SYN, FIN, RST).
    pub anchor_ns: Shared<u64>,
    /// The letters of the history: five bits each, the first lowest, [`HISTORY_IN_WORD`] a word; see
    /// [`zeek::Letter`].
    pub history: [Shared<u64>; 2],
    /// How many letters there were; more than [`HISTORY_MAX`] when some were left out.
    pub history_length: Shared<u64>,
    /// Packets of both directions when the flow was last sent as a record; 0 when it never was.
    pub sent: Shared<u64>,
    /// The coarse time that belongs to `anchor_ns`.
    pub anchor_ticks: Shared<u32>,
    /// Microseconds from the SYN to its answer; 0 when not known.
    pub answer_us: Shared<u32>,
    /// Microseconds from the answer to its acknowledgement; 0 when not known.
    pub acknowledged_us: Shared<u32>,
    /// The CPU that handled the first packet of each direction.
    pub cpus: [Shared<u16>; 2],
    /// By direction: segments of TCP that came again as a whole. Atomic.
    pub retransmitted: [Shared<u64>; 2],
    /// By direction: TCP sequence number of the lowest byte that is missing, while
    /// [`FlowDirection::missed`] is not 0.
    pub hole_start: [Shared<u32>; 2],
    /// By direction: TCP sequence number behind the highest byte that is missing, while
    /// [`FlowDirection::missed`] is not 0.
    pub hole_end: [Shared<u32>; 2],
}

const _: () = {
    assert!(size_of::<Flow>() == 160);
    // What `FlowParts::is_still` relies on.
    assert!(core::mem::offset_of!(Flow, tag) < core::mem::offset_of!(Flow, generation));
    assert!(core::mem::offset_of!(Flow, generation) < core::mem::offset_of!(Flow, state));
    assert!(core::mem::offset_of!(Flow, generation) < core::mem::offset_of!(Flow, first_ns));
};

/// One direction of a flow: a cache line.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct FlowDirection {
    /// The tag of the flow, in both of its directions; anything but that while the place changes hands.
    ///
    /// It stands for the key, which is not compared: flows whose keyed hashes agree in 62 bits count as one.
    /// Whoever does not know the keys hits that with a chance of 2^-32 even by endpoints that differ in
    /// high bits alone, and by others with one of 2^-62.
    pub tag: Shared<u64>,
    /// Packets, as on the wire: a super-packet counts its segments. Atomic.
    pub packets: Shared<u64>,
    /// Their bytes from the IP header on, with the headers that segments repeat. Atomic.
    pub bytes: Shared<u64>,
    /// Payload bytes. Of TCP the length of the stream by its sequence numbers: with what was missed,
    /// without what was sent again. Atomic unless TCP.
    pub payload: Shared<u64>,
    /// Payload bytes of TCP that were skipped and did not come later.
    pub missed: Shared<u64>,
    /// In the lower half how often something was missing, in the upper half how often the window was
    /// closed. Atomic.
    pub events: Shared<u64>,
    /// TCP sequence number behind the highest byte seen.
    pub next_sequence: Shared<u32>,
    /// When the last packet came, in coarse ticks.
    pub last_seen: Shared<u32>,
    /// [`Flow::generation`].
    pub generation: Shared<u32>,
    /// A set of `calm` bits: which packets change nothing but what stands in this line.
    pub calm: Shared<u32>,
}

const _: () = assert!(size_of::<FlowDirection>() == 64);

/// Bits of [`FlowDirection::calm`].
pub mod calm {
    /// Packets without payload; of TCP those with neither SYN, FIN nor RST, and an open window.
    pub const BARE: u32 = 1 << 0;
    /// Packets with payload, otherwise as above; of TCP the next of their stream.
    pub const DATA: u32 = 1 << 1;
}

/// Bits of [`Flow::state`] and [`FlowRecord::state`].
pub mod seen {
    /// Of a side: sequence numbers are known.
    pub const SEQUENCE: u64 = 1 << 0;
    /// Of a side: sent a SYN without ACK.
    pub const SYN: u64 = 1 << 1;
    /// Of a side: sent a SYN with ACK.
    pub const ANSWER: u64 = 1 << 2;
    /// Of a side: sent a bare ACK.
    pub const ACK: u64 = 1 << 3;
    /// Of a side: sent payload.
    pub const DATA: u64 = 1 << 4;
    /// Of a side: sent a FIN.
    pub const FIN: u64 = 1 << 5;
    /// Of a side: its FIN was acknowledged.
    pub const FIN_ACKED: u64 = 1 << 6;
    /// Of a side: sent a RST that was believed, before both sides had sent a FIN.
    pub const RESET: u64 = 1 << 7;
    /// Of a side: sent a RST of any kind.
    pub const ANY_RESET: u64 = 1 << 8;
    /// Of a side: sent a packet with FIN and RST.
    pub const FIN_AND_RST: u64 = 1 << 9;
    /// Of a side: sent a packet with SYN and FIN or RST.
    pub const SYN_AND_END: u64 = 1 << 10;
    /// Of a side: sent a SYN (with or without ACK) more than once.
    pub const SYN_AGAIN: u64 = 1 << 11;

    /// The bits of the second side stand so much higher. The first side is the lower endpoint in the
    /// table, and the source in a record.
    pub const SIDE_SHIFT: u32 = 24;
    /// All bits of one side.
    pub const SIDE: u64 = (1 << SIDE_SHIFT) - 1;

    /// Of the flow: the higher endpoint opened it.
    pub const OPENED_BY_HIGHER: u64 = 1 << 48;
    /// Of the flow: the first packet was an answer, so the side that got it counts as the source.
    pub const FLIPPED: u64 = 1 << 49;
    /// Of the flow: the answer to the SYN was acknowledged.
    pub const ACKNOWLEDGED: u64 = 1 << 50;
    /// Of the flow: it is over: both FINs are acknowledged, or a RST was believed.
    pub const ENDED: u64 = 1 << 51;
}

/// Coarse ticks from `then` to `now`. Another CPU may have noted a time that is just ahead of `now`: that is
/// none.
#[inline(always)]
pub(crate) fn elapsed(now: u32, then: u32) -> u32 {
    const AHEAD_MOST: u32 = 1 << 16;
    let ticks = now.wrapping_sub(then);
    if ticks > u32::MAX - AHEAD_MOST {
        0
    } else {
        ticks
    }
}
