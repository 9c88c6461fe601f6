//! A flow as it crosses the ring, and the words by which both ends speak of one.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[cfg(doc)]
use super::{FLOW_WAYS, Flow, FlowDirection, HISTORY_MAX, seen};
use crate::record::RecordHeader;

/// [`FlowRecord::version`]: no version of a [`RecordHeader`], and at the same place, so that the two
/// kinds of records in the ring are told apart by it.
pub const FLOW_VERSION: u8 = 129;

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
/// Records come out of the rings in order: a flow that left was sent before the first record of its
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

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, and `IntoBytes` proves that there is no padding; every bit pattern is valid.
unsafe impl aya::Pod for FlowRecord {}
