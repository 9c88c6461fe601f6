//! The layout of a record in the ring.
//!
//! A record is a [`RecordHeader`] followed by `captured` bytes of TCP payload. Fields are in the
//! byte order of the host unless their name says `_be`; addresses and ports are as on the wire, IPv4
//! as IPv4-mapped IPv6 addresses, so that there is one kind of key.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of the layout; both sides are built together, so a mismatch means a foreign program.
pub const VERSION: u8 = 3;

/// Payload bytes that one record carries at the most. Longer stretches come as several records.
pub const PIECE_MAX: usize = 2048;

/// The longest head that is collected, start line and fields together.
pub const HEAD_MAX: usize = 16 * 1024;

/// The stream position given to the first payload byte seen in a direction. It is not zero, so that
/// bytes that turn out to be earlier (reordered before capture began) have a position too.
pub const FIRST_POSITION: u64 = 1 << 32;

/// What stands in front of the captured bytes of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct RecordHeader {
    /// When the packet was seen: nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`), or of the
    /// capture file's clock.
    pub time_ns: u64,
    /// Number of this record on its CPU, from 1. A gap is the number of records lost in the ring.
    pub cpu_record: u64,
    /// Stream position of the first captured byte: counts payload bytes of this direction, does not
    /// wrap, starts at [`FIRST_POSITION`].
    pub position: u64,
    /// Stream position just behind the last payload byte of the packet this record was cut from.
    pub segment_end: u64,
    /// Lowest stream position that is missing before this record, because a segment was lost or is
    /// late; 0 when nothing is missing.
    pub hole_start: u64,
    /// Stream position behind all that the other direction has sent so far, as far as it was seen; 0
    /// when nothing was.
    pub peer_position: u64,
    /// Source address, as on the wire.
    pub source: [u8; 16],
    /// Destination address, as on the wire.
    pub destination: [u8; 16],
    /// Source port, network byte order.
    pub source_port_be: [u8; 2],
    /// Destination port, network byte order.
    pub destination_port_be: [u8; 2],
    /// Slot of the connection in the connection table.
    pub slot: u32,
    /// Counts the connections that have lived in this slot.
    pub generation: u32,
    /// Number of this record in its direction of the connection, from 1. A gap means that bytes
    /// that were to be copied are not here (ring full, budget spent).
    pub direction_record: u32,
    /// Index of the interface.
    pub ifindex: u32,
    /// The CPU that handled the packet.
    pub cpu: u32,
    /// Number of payload bytes behind this header.
    pub captured: u32,
    /// How long ago this direction carried data before this packet, in coarse ticks (see
    /// [`crate::host::Host::ticks`]); [`u16::MAX`] is that long or longer.
    pub last_ago: u16,
    /// How long ago the other direction carried data, in the same way.
    pub peer_ago: u16,
    /// The flow of the packet, as [`crate::flow::flow_name`] names it; 0: none.
    pub flow: u32,
    /// VLAN identifiers, outermost first; 0 is "no tag".
    pub vlan: [u16; 2],
    /// A set of `flag` bits.
    pub flags: u16,
    /// [`VERSION`].
    pub version: u8,
    /// 0 or 1: which direction of the connection this is (0: sent by the lower endpoint).
    pub side: u8,
    /// The last payload bytes before `position` while a head is being collected (for the search
    /// across segments); of no meaning to a reader.
    pub carry: [u8; 4],
}

impl RecordHeader {
    /// A header with every field zero.
    pub const ZERO: Self = Self {
        time_ns: 0,
        cpu_record: 0,
        position: 0,
        segment_end: 0,
        hole_start: 0,
        peer_position: 0,
        source: [0; 16],
        destination: [0; 16],
        source_port_be: [0; 2],
        destination_port_be: [0; 2],
        slot: 0,
        generation: 0,
        direction_record: 0,
        ifindex: 0,
        cpu: 0,
        captured: 0,
        last_ago: 0,
        peer_ago: 0,
        flow: 0,
        vlan: [0; 2],
        flags: 0,
        version: 0,
        side: 0,
        carry: [0; 4],
    };
}

const _: () = assert!(size_of::<RecordHeader>() == 128);
const _: () = assert!(align_of::<RecordHeader>() == 8);

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, and `IntoBytes` proves that there is no padding; every bit pattern is valid.
unsafe impl aya::Pod for RecordHeader {}

/// Bits of [`RecordHeader::flags`].
pub mod flag {
    /// The captured bytes begin with what the kernel took for a start line.
    pub const START: u16 = 1 << 0;
    /// The kernel found the end of the head: the captured bytes end with it.
    pub const HEAD_END: u16 = 1 << 1;
    /// More records of the same packet follow.
    pub const MORE: u16 = 1 << 2;
    /// The connection is escalated: everything of it is copied, in both directions.
    pub const ALL: u16 = 1 << 3;
    /// These bytes fill a hole or part of one: they come late, or again.
    pub const FILL: u16 = 1 << 4;
    /// The packet was leaving the host (seen at egress).
    pub const OUTGOING: u16 = 1 << 5;
    /// The sender ended this direction (FIN) with this packet.
    pub const FIN: u16 = 1 << 6;
    /// The connection was reset (RST) with this packet.
    pub const RST: u16 = 1 << 7;
    /// Bytes of this packet that should have been captured are not: the packet is shorter than it
    /// says (cut capture), or longer than what is copied of one packet.
    pub const CUT: u16 = 1 << 8;
    /// The connection was seen from its SYN on: the first payload byte is the first of the stream.
    pub const FROM_START: u16 = 1 << 9;
}
