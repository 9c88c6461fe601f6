//! The rings that carry records from the kernel programs to the agent: one for each CPU.
//!
//! A ring has one writer, the programs of its CPU, which do not interrupt each other, and one reader. So
//! it needs no lock, and no line of memory that CPUs take from each other for every record, as one ring for
//! all would: that was a quarter of what the programs cost a busy server.
//!
//! Positions count bytes since the start and never wrap. A ring of `mask + 1` bytes is cut into segments
//! of [`SEGMENT`] (a smaller ring is a part of one); a record that begins at the end of a segment goes on
//! in the margin behind it, so that each lies in one piece. Every record is preceded by a word with its length.
//!
//! The writer stores the record, then `produced`; the reader loads `produced`, then the record, and stores
//! `consumed` when it is done with it.

use crate::record::{PIECE_MAX, RecordHeader};
use crate::shared::Shared;

/// Bytes of a segment: the least that a ring takes of the kernel's memory. Larger ones would have fewer margins.
pub const SEGMENT: usize = 256 << 10;

/// Bytes behind a segment, for the end of its last record.
pub const MARGIN: usize = 4096;

/// Records begin at multiples of so many bytes, behind the word with their length.
pub const UNIT: usize = 32;

/// The longest record, in bytes.
pub const RECORD_MAX: usize = size_of::<RecordHeader>() + PIECE_MAX;

const _: () = assert!(size_of::<u64>() + RECORD_MAX + UNIT <= MARGIN);

/// A part of a ring.
#[repr(C)]
#[derive(Debug)]
pub struct RingSegment {
    /// Records, and lengths in front of them.
    pub words: [Shared<u64>; (SEGMENT + MARGIN) / 8],
}

/// How far a ring was written and read. Two cache lines: each is written by one side.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct RingCursors {
    /// Position behind the last record that is complete.
    pub produced: Shared<u64>,
    unused: [Shared<u64>; 7],
    /// Position behind the last record that the reader is done with.
    pub consumed: Shared<u64>,
    unused_too: [Shared<u64>; 7],
}

const _: () = assert!(size_of::<RingCursors>() == 128);

/// Segments of a ring of `mask + 1` bytes.
#[inline(always)]
#[must_use]
pub const fn segments(mask: u32) -> u32 {
    (mask >> SEGMENT.trailing_zeros()) + 1
}

/// Where a position lies: the segment, and the byte in it. Never behind a segment's end.
#[inline(always)]
#[must_use]
pub const fn place(position: u64, mask: u32) -> (u32, u32) {
    let within = position as u32 & mask;
    (
        within >> SEGMENT.trailing_zeros(),
        within & (SEGMENT as u32 - 1),
    )
}

/// Bytes of the ring that a record of so many takes, with its length.
#[inline(always)]
#[must_use]
pub const fn footprint(record: u32) -> u32 {
    (record + 8).next_multiple_of(UNIT as u32)
}

/// Whether `footprint` more bytes fit into a ring of `mask + 1`.
#[inline(always)]
#[must_use]
pub const fn has_room(produced: u64, consumed: u64, footprint: u32, mask: u32) -> bool {
    produced
        .wrapping_sub(consumed)
        .wrapping_add(footprint as u64)
        <= mask as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_inside_their_ring() {
        let check = |position, mask, expected| assert_eq!(place(position, mask), expected);
        check(0, 4095, (0, 0));
        check(4096, 4095, (0, 0));
        check(u64::MAX - 31, 4095, (0, 4064));
        check(SEGMENT as u64, SEGMENT as u32 - 1, (0, 0));
        check(SEGMENT as u64, 2 * SEGMENT as u32 - 1, (1, 0));
        check(3 * SEGMENT as u64 + 32, 2 * SEGMENT as u32 - 1, (1, 32));
        assert_eq!(segments(4095), 1);
        assert_eq!(segments(SEGMENT as u32 - 1), 1);
        assert_eq!(segments(8 * SEGMENT as u32 - 1), 8);
    }

    #[test]
    fn a_record_takes_whole_units() {
        assert_eq!(footprint(0), 32);
        assert_eq!(footprint(24), 32);
        assert_eq!(footprint(25), 64);
        assert!(footprint(RECORD_MAX as u32) as usize <= MARGIN);
    }

    #[test]
    fn what_is_full_has_no_room() {
        assert!(has_room(4096, 4096, 4096, 4095));
        assert!(!has_room(4128, 4096, 4096, 4095));
        assert!(has_room(4128, 4128, 32, 4095));
        // Nor is there any where the reader claims to be ahead of the writer.
        assert!(!has_room(0, 64, 32, 4095));
    }
}
