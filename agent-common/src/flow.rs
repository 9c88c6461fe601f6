//! Flows: what is counted of every TCP connection, UDP flow and ICMP flow, as it lies in the table
//! ([`Flow`]) and as it leaves it ([`FlowRecord`]).
//!
//! The table of flows stands apart from the connection table of HTTP, so that a flood of datagrams
//! cannot push out a connection that talks. A flow leaves its place when it ended and its place is
//! wanted, when a packet comes after it was idle for too long, or when it must make room. What is
//! counted is exact under concurrency (each count is one atomic addition, and whoever takes a place
//! takes the counts by atomic exchanges); the place of segments in their streams has one writer a
//! direction, as in [`crate::connection`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::counters::Protocol;
use crate::record::RecordHeader;
use crate::shared::Shared;

pub mod count;
mod follow;
mod place;
pub mod zeek;

/// Places in a bucket of the table.
pub const FLOW_WAYS: usize = 8;

/// Letters of [`FlowRecord::history`] that are kept; what happens later is in the counts alone.
pub const HISTORY_MAX: usize = 24;

/// Letters in one word of the history.
pub const HISTORY_IN_WORD: usize = 12;

/// [`FlowRecord::version`]: no version of a [`RecordHeader`], and at the same place, so that the two
/// kinds of records in the ring are told apart by it.
pub const FLOW_VERSION: u8 = 129;

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

const _: () = assert!(size_of::<Flow>() == 160);

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

/// A flow and its directions.
#[derive(Clone, Copy, Debug)]
pub struct FlowParts<'a> {
    /// What both directions share.
    pub flow: &'a Flow,
    /// The two directions; 0 is sent by the lower endpoint.
    pub directions: [&'a FlowDirection; 2],
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

/// Why a [`FlowRecord`] was made: values of [`FlowRecord::why`].
pub mod why {
    /// The flow goes on, or has ended or become idle unnoticed: it was read in its place.
    pub const READ: u8 = 0;
    /// It ended. It keeps its place, and counts what may still come: a later record of the same slot
    /// and generation takes the place of this one.
    pub const ENDED: u8 = 1;
    /// A packet came after it was idle for too long, or a SYN began the next connection: it left.
    pub const NEXT: u8 = 2;
    /// It left to make room for another one.
    pub const EVICTED: u8 = 3;
}

/// A flow as it crosses the ring, and as a scan of the table gives it. Fields are in the byte order of the
/// host unless their name says `_be`; `[source's, destination's]` where there are two.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub struct FlowRecord {
    /// When this record was made: nanoseconds of the clock of [`RecordHeader::time_ns`]; 0 from a scan.
    pub time_ns: u64,
    /// Number of this record on its CPU: one row with those of [`RecordHeader::cpu_record`]; 0 from a
    /// scan.
    pub cpu_record: u64,
    /// When the first packet was seen, in nanoseconds.
    pub first_ns: u64,
    /// When the last packet was seen, in nanoseconds: precise after FIN and RST, else to a coarse tick.
    pub last_ns: u64,
    /// Packets as on the wire.
    pub packets: [u64; 2],
    /// Source address: that of the side that opened the flow (the first packet's sender, unless that was
    /// a SYN with ACK).
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
    /// Source port, network byte order; of ICMP the type of the first packet (as a number in network byte
    /// order).
    pub source_port_be: [u8; 2],
    /// Destination port, network byte order; of ICMP the code of the first packet.
    pub destination_port_be: [u8; 2],
    /// The place in the table of flows: bucket times [`FLOW_WAYS`] plus place.
    pub slot: u32,
    /// Counts the flows that have lived in this slot.
    pub generation: u32,
    /// Index of the interface of the first packet.
    pub ifindex: u32,
    /// Letters of the history that happened; more than [`HISTORY_MAX`]: some were left out.
    pub history_length: u32,
    /// The CPU that made this record, which numbered it; 0 from a scan.
    pub cpu: u32,
    /// Microseconds from the SYN to its answer; 0: not known (not seen, or one of them was sent twice).
    pub answer_us: u32,
    /// Microseconds from the answer to its acknowledgement; 0: not known.
    pub acknowledged_us: u32,
    /// The CPUs that handled the first packet of each direction; of meaning where there are packets.
    pub cpus: [u16; 2],
    /// A [`crate::counters::Protocol`] as a number.
    pub protocol: u8,
    /// A value of `why`.
    pub why: u8,
    /// Always 0.
    pub unused: [u8; 4],
    /// [`FLOW_VERSION`].
    pub version: u8,
    /// Always 0.
    pub unused_too: [u8; 5],
    /// Bytes from the IP header on, with the headers that segments repeat.
    pub bytes: [u64; 2],
    /// Payload bytes, as in [`FlowDirection::payload`].
    pub payload: [u64; 2],
    /// Payload bytes of TCP that were skipped and did not come later.
    pub missed: [u64; 2],
    /// Segments of TCP that came again as a whole.
    pub retransmitted: [u64; 2],
    /// How often something was missing (lower half) and the window was closed (upper half).
    pub events: [u64; 2],
    /// The letters of the history, as in [`Flow::history`]; [`FlowRecord::history`] writes them out.
    pub letters: [u64; 2],
    /// `seen` bits; the first side is the source.
    pub state: u64,
}

const _: () = {
    assert!(size_of::<FlowRecord>() == 232);
    // The reader finds these at the same place in every record.
    assert!(
        core::mem::offset_of!(FlowRecord, version) == core::mem::offset_of!(RecordHeader, version)
    );
    assert!(core::mem::offset_of!(FlowRecord, cpu) == core::mem::offset_of!(RecordHeader, cpu));
    assert!(
        core::mem::offset_of!(FlowRecord, cpu_record)
            == core::mem::offset_of!(RecordHeader, cpu_record)
    );
    assert!(crate::record::VERSION != FLOW_VERSION);
};

/// Names a flow in [`RecordHeader::flow`]: the slot in the lower 22 bits, then the generation modulo 1023,
/// plus 1. Never 0, which stands for no flow.
///
/// Records come out of the ring in order: a flow that left was sent before the first record of its
/// successor, unless there was no room for it. So the slot alone is nearly enough.
#[inline(always)]
#[must_use]
pub fn flow_name(slot: u32, generation: u32) -> u32 {
    (generation % GENERATIONS + 1) << SLOT_BITS | slot & SLOT_MASK
}

/// The slot in a [`flow_name`]; `None`: it names no flow (they are not counted, or there was no place).
#[must_use]
pub fn slot_of(name: u32) -> Option<u32> {
    (name != 0).then_some(name & SLOT_MASK)
}

const SLOT_BITS: u32 = 22;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const GENERATIONS: u32 = 1023;

/// The word by which the reader says what it has of the flow in a slot: of this generation, so many packets
/// (both directions). `last`: it takes the flow as over; if no more packets came, the kernel sends no
/// record when it leaves. Otherwise the word tells how many packets are lost where there is no room for
/// that record.
#[inline(always)]
#[must_use]
pub fn known_word(generation: u32, packets: u64, last: bool) -> u64 {
    u64::from(generation) << 32 | (packets & KNOWN_PACKETS) << 1 | last as u64
}

/// How many of so many packets the reader does not have, and whether it takes the flow as over.
#[inline(always)]
pub(crate) fn unknown(word: u64, generation: u32, packets: u64) -> (u64, bool) {
    if (word >> 32) as u32 != generation {
        return (packets, false);
    }
    (
        packets.wrapping_sub(word >> 1) & KNOWN_PACKETS,
        word & 1 != 0,
    )
}

const KNOWN_PACKETS: u64 = 0x7fff_ffff;

/// The counts of a flow, by side of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) payload: [u64; 2],
}

impl Counted {
    #[inline(always)]
    pub(crate) fn total(&self) -> u64 {
        self.packets[0].wrapping_add(self.packets[1])
    }
}

impl<'a> FlowParts<'a> {
    /// The flow at a place of its bucket. A place beyond the bucket wraps.
    #[inline(always)]
    #[must_use]
    pub fn of(bucket: &'a FlowBucket, [low, high]: [&'a FlowLines; 2], place: u32) -> Self {
        let place = place as usize & (FLOW_WAYS - 1);
        Self {
            flow: &bucket.places[place],
            directions: [&low.places[place], &high.places[place]],
        }
    }

    /// The direction of `side`, and the other one.
    #[inline(always)]
    pub(crate) fn sides(&self, side: u32) -> [&'a FlowDirection; 2] {
        let [low, high] = self.directions;
        if side & 1 == 0 {
            [low, high]
        } else {
            [high, low]
        }
    }

    /// The flow as it is now, as a scan of the table finds it; `None`: the place is free, or about to be
    /// filled in. `tick_ns`: the nanoseconds of a coarse tick.
    ///
    /// While packets come, the words of a record may be of slightly different moments.
    #[must_use]
    pub fn read(&self, slot: u32, tick_ns: u32) -> Option<FlowRecord> {
        if self.flow.tag.get() <= crate::table::CLAIMED {
            return None;
        }
        let both = |word: fn(&FlowDirection) -> &Shared<u64>| {
            [
                word(self.directions[0]).get(),
                word(self.directions[1]).get(),
            ]
        };
        let counted = Counted {
            packets: both(|direction| &direction.packets),
            bytes: both(|direction| &direction.bytes),
            payload: both(|direction| &direction.payload),
        };
        let mut record = FlowRecord::default();
        self.fill(&mut record, &counted, tick_ns);
        record.slot = slot;
        record.why = why::READ;
        record.version = FLOW_VERSION;
        Some(record)
    }

    /// Whether more was counted than the last record has that the kernel sent of this flow.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let [a, b] = self.directions;
        a.packets.get().wrapping_add(b.packets.get()) != self.flow.sent.get()
    }

    /// Writes what is known to `record`; slot, times of sending, CPU and reason are the caller's.
    #[inline(always)]
    pub(crate) fn fill(&self, record: &mut FlowRecord, counted: &Counted, tick_ns: u32) {
        let flow = self.flow;
        let state = flow.state.get();
        let higher = state & seen::OPENED_BY_HIGHER != 0;
        let (out, back) = if higher { (1, 0) } else { (0, 1) };
        let [low, high] = [
            address([flow.low[0].get(), flow.low[1].get()]),
            address([flow.high[0].get(), flow.high[1].get()]),
        ];
        (record.source, record.destination) = if higher { (high, low) } else { (low, high) };
        let ports = flow.ports.get();
        let [low, high] = [(ports >> 16) as u16, ports as u16];
        let (source, destination) = if flow.protocol.get() == Protocol::Icmp as u16 {
            let [kind, code] = flow.icmp.get().to_be_bytes();
            (u16::from(kind).to_be(), u16::from(code).to_be())
        } else if higher {
            (high, low)
        } else {
            (low, high)
        };
        record.source_port_be = source.to_ne_bytes();
        record.destination_port_be = destination.to_ne_bytes();
        record.protocol = flow.protocol.get() as u8;
        record.generation = flow.generation.get();
        record.ifindex = flow.ifindex.get();
        record.first_ns = flow.first_ns.get();
        let [a, b] = self.directions;
        let (seen_a, seen_b) = (a.last_seen.get(), b.last_seen.get());
        let last = if seen_a.wrapping_sub(seen_b) as i32 >= 0 {
            seen_a
        } else {
            seen_b
        };
        // Where the last packet was precise these are the same; a direction may lag behind.
        let behind = last.wrapping_sub(flow.anchor_ticks.get()) as i32;
        let ticks = if behind > 0 { behind as u32 } else { 0 };
        record.last_ns = flow.anchor_ns.get() + u64::from(ticks) * u64::from(tick_ns);
        record.answer_us = flow.answer_us.get();
        record.acknowledged_us = flow.acknowledged_us.get();
        record.history_length = flow.history_length.get().min(u64::from(u32::MAX)) as u32;
        record.letters = [flow.history[0].get(), flow.history[1].get()];
        record.cpus = [flow.cpus[out].get(), flow.cpus[back].get()];
        record.packets = [counted.packets[out], counted.packets[back]];
        record.bytes = [counted.bytes[out], counted.bytes[back]];
        record.payload = [counted.payload[out], counted.payload[back]];
        record.retransmitted = [
            flow.retransmitted[out].get(),
            flow.retransmitted[back].get(),
        ];
        let (out, back) = if higher { (b, a) } else { (a, b) };
        record.missed = [out.missed.get(), back.missed.get()];
        record.events = [out.events.get(), back.events.get()];
        let sides = if higher {
            state >> seen::SIDE_SHIFT & seen::SIDE | (state & seen::SIDE) << seen::SIDE_SHIFT
        } else {
            state & (seen::SIDE | seen::SIDE << seen::SIDE_SHIFT)
        };
        record.state = state & !(seen::SIDE | seen::SIDE << seen::SIDE_SHIFT) | sides;
    }
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

/// An address as its sixteen bytes.
#[inline(always)]
fn address(words: [u64; 2]) -> [u8; 16] {
    zerocopy::transmute!(words)
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, and `IntoBytes` proves that there is no padding; every bit pattern is valid.
unsafe impl aya::Pod for FlowRecord {}

#[cfg(feature = "user")]
macro_rules! image {
    ($image:ident, $of:ident, $align:literal, $what:ident) => {
        #[doc = concat!("A [`", stringify!($of), "`] as user space reads it: a copy that nobody changes any more.")]
        #[cfg(feature = "user")]
        #[repr(C, align($align))]
        #[derive(Clone, Copy, Debug)]
        pub struct $image([u64; size_of::<$of>() / 8]);

        #[cfg(feature = "user")]
        impl Default for $image {
            fn default() -> Self {
                Self([0; size_of::<$of>() / 8])
            }
        }

        #[cfg(feature = "user")]
        impl $image {
            /// What it is a copy of.
            #[must_use]
            pub fn $what(&self) -> &$of {
                const {
                    assert!(size_of::<Self>() == size_of::<$of>());
                    assert!(align_of::<Self>() == align_of::<$of>());
                }
                // SAFETY: of the same size and alignment; it consists of shared words, any bits are
                // such, and what can be changed through them is this copy, which nobody reads
                // otherwise meanwhile.
                unsafe { &*core::ptr::from_ref(self).cast::<$of>() }
            }
        }

        #[cfg(feature = "user")]
        // SAFETY: `repr(C)`, words only: no padding, every bit pattern is valid.
        unsafe impl aya::Pod for $image {}
    };
}

#[cfg(feature = "user")]
image!(FlowBucketImage, FlowBucket, 32, bucket);
#[cfg(feature = "user")]
image!(FlowLinesImage, FlowLines, 64, lines);
