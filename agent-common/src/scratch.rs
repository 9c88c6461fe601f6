//! Where a CPU keeps what it works on: the headers of a packet, and a record before it goes to the ring.

use crate::classify::Segment;
use crate::counters::Counters;
use crate::flow::FlowRecord;
use crate::record::{PIECE_MAX, RecordHeader};
use crate::shared::Shared;

/// What one CPU works with: nobody else reads or writes it while a packet is looked at.
///
/// It lies in a map because a kernel program has 512 bytes of stack for everything.
#[repr(C, align(8))]
#[derive(Debug, Default)]
pub struct Workplace {
    /// What was counted so far.
    pub counters: Counters,
    /// The headers of the packet at hand.
    pub segment: Segment,
    /// What was found out about it so far.
    pub work: Work,
    /// The record at hand.
    pub scratch: Scratch,
    /// The record of a flow at hand.
    pub flow: FlowRecord,
}

/// What was found out about the packet at hand.
///
/// Kept in shared memory on purpose: the verifier forgets what it knows of a word that is stored and
/// loaded again, so the states of different ways through the program become one, instead of
/// multiplying with every decision.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Work {
    /// Stream position of the first payload byte.
    pub start: Shared<u64>,
    /// When the packet was seen, in coarse ticks.
    pub now: Shared<u32>,
    /// When the direction last carried data before this packet, in coarse ticks.
    pub last_seen: Shared<u32>,
    /// The first payload byte of interest.
    pub from: Shared<u32>,
    /// A set of `mark` bits.
    pub marks: Shared<u32>,
    /// The [`crate::start::Start`] as a number, 0 for none.
    pub kind: Shared<u32>,
    /// Payload offset from which on copying continues.
    pub resume: Shared<u32>,
    /// Bytes that the record at hand carries.
    pub captured: Shared<u32>,
    /// Flags of every record of this packet.
    pub flags: Shared<u32>,
    /// How many packets on the wire the packet stands for.
    pub segments: Shared<u32>,
    /// Index of its interface.
    pub ifindex: Shared<u32>,
    /// 1: it is leaving the host.
    pub outgoing: Shared<u32>,
    /// The state of the other direction, when copying begins.
    pub peer_state: Shared<u32>,
    /// The slot of its flow.
    pub flow_slot: Shared<u32>,
    /// The generation of its flow.
    pub flow_generation: Shared<u32>,
    /// Its flow, as [`crate::flow::flow_name`] names it; 0: none.
    pub flow: Shared<u32>,
    /// Not 0: its flow has ended with it.
    pub flow_ended: Shared<u32>,
}

/// Bits of [`Work::marks`].
pub mod mark {
    /// Everything of the connection is copied.
    pub const ESCALATED: u32 = 1 << 0;
    /// Bytes before this segment are missing.
    pub const GAP: u32 = 1 << 1;
    /// The segment fills a hole.
    pub const FILL: u32 = 1 << 2;
    /// May begin with a request line of a method that is not in the table.
    pub const MAYBE: u32 = 1 << 3;
    /// Goes on with a head that began in an earlier segment.
    pub const CONTINUES: u32 = 1 << 4;
    /// The packet ends its direction, or the connection.
    pub const ENDS: u32 = 1 << 5;
    /// There is something to copy.
    pub const WANTED: u32 = 1 << 6;
    /// The request has a method that normally has a body.
    pub const BODY_DUE: u32 = 1 << 7;
    /// The head is not complete yet.
    pub const COLLECTING: u32 = 1 << 8;
    /// The packet ends both directions.
    pub const RESETS: u32 = 1 << 9;
}

impl Work {
    /// Whether all of `bits` are marked.
    #[inline(always)]
    #[must_use]
    pub fn is(&self, bits: u32) -> bool {
        self.marks.get() & bits == bits
    }

    /// Marks `bits`.
    #[inline(always)]
    pub fn mark(&self, bits: u32) {
        self.marks.set(self.marks.get() | bits);
    }

    /// Takes the marks `bits` away.
    #[inline(always)]
    pub fn unmark(&self, bits: u32) {
        self.marks.set(self.marks.get() & !bits);
    }
}

/// Bytes that an index into the window may reach: a power of two, so that a mask proves bounds.
const WINDOW: usize = 4096;

/// Offset of `carry` in the header: the window of the search begins there.
const CARRY: usize = size_of::<RecordHeader>() - 4;

/// A part of the window with constant bounds: the compiler and the verifier see that no index leaves it.
#[repr(transparent)]
#[derive(Debug)]
pub struct Stretch([u8; 4 + STRETCH_MASK + 1 + 8]);

/// Indices beyond it wrap.
const STRETCH_MASK: usize = 31;

impl Stretch {
    /// The byte `index` places behind the beginning.
    #[inline(always)]
    #[must_use]
    pub fn byte(&self, index: u32) -> u8 {
        self.0[4 + (index as usize & STRETCH_MASK)]
    }

    /// Eight bytes, little endian, `index` places behind the beginning.
    #[inline(always)]
    #[must_use]
    pub fn word(&self, index: u32) -> u64 {
        self.word_before::<0>(index)
    }

    /// As [`Stretch::word`], beginning `BEFORE` (at most 4) bytes earlier.
    #[inline(always)]
    #[must_use]
    pub fn word_before<const BEFORE: usize>(&self, index: u32) -> u64 {
        const { assert!(BEFORE <= 4) };
        let start = 4 - BEFORE + (index as usize & STRETCH_MASK);
        match self.0[start..].first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => 0,
        }
    }
}

/// A record under construction: its header and, right behind it, the captured bytes.
///
/// The last four bytes of the header (`carry`) and the data are one *window*, so a search can look
/// across the border between two segments. There is one scratch for each CPU.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct Scratch {
    /// Header of the record.
    pub header: RecordHeader,
    /// Captured bytes; behind the valid ones stands what earlier packets left there.
    pub data: [u8; WINDOW + 8],
    /// A place in the window that a search found, forgotten and read again (see [`Work`]).
    pub cursor: Shared<u32>,
    unused: u32,
}

const _: () = assert!(PIECE_MAX + 64 <= WINDOW);

impl Scratch {
    /// A zeroed scratch, for tests and capture files.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            header: RecordHeader::ZERO,
            data: [0; WINDOW + 8],
            cursor: Shared::new(0),
            unused: 0,
        }
    }

    /// The byte at `index` of the window (0 to 3: carry, 4: first captured byte). An index beyond
    /// the window wraps, it never leaves the scratch.
    #[inline(always)]
    #[must_use]
    pub fn window_byte(&self, index: u32) -> u8 {
        // SAFETY: CARRY + (WINDOW - 1) lies inside `Self`, which is `repr(C)` without padding
        // between header and data.
        unsafe {
            core::ptr::from_ref(self)
                .cast::<u8>()
                .add(CARRY + (index as usize & (WINDOW - 1)))
                .read()
        }
    }

    /// Eight bytes at `index` of the window, little endian. An index beyond the window wraps.
    #[inline(always)]
    #[must_use]
    pub fn window_word(&self, index: u32) -> u64 {
        // SAFETY: CARRY + (WINDOW - 1) + 8 <= size of `Self`: data is WINDOW + 8 bytes long and
        // begins 4 bytes behind CARRY. The read is unaligned and any bytes make a u64.
        u64::from_le(unsafe {
            core::ptr::from_ref(self)
                .cast::<u8>()
                .add(CARRY + (index as usize & (WINDOW - 1)))
                .cast::<u64>()
                .read_unaligned()
        })
    }

    /// The window from `begin` on, with four bytes before it. A place beyond a piece wraps.
    #[inline(always)]
    #[must_use]
    pub fn stretch(&self, begin: u32) -> &Stretch {
        const { assert!(PIECE_MAX.is_power_of_two()) };
        const { assert!(CARRY + PIECE_MAX + size_of::<Stretch>() <= size_of::<Self>()) };
        let start = begin.wrapping_sub(4) as usize & (PIECE_MAX - 1);
        // SAFETY: `start` is less than a piece, so all of it lies inside `Self`, as asserted; any bytes
        // are bytes, and they are borrowed as long as `self` is.
        unsafe {
            &*core::ptr::from_ref(self)
                .cast::<u8>()
                .add(CARRY + start)
                .cast::<Stretch>()
        }
    }

    /// The header and the first `captured` bytes as the ring carries them.
    #[must_use]
    pub fn record(&self, captured: u32) -> (&RecordHeader, &[u8]) {
        let length = (captured as usize).min(PIECE_MAX);
        (&self.header, self.data.get(..length).unwrap_or_default())
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Workplace`] as user space reads it: the counters, and bytes of no meaning.
#[cfg(feature = "user")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WorkplaceImage([u64; size_of::<Workplace>() / 8]);

#[cfg(feature = "user")]
impl WorkplaceImage {
    /// The counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        // SAFETY: `Counters` stands first in `Workplace`, both are `repr(C)` and made of whole
        // words; any bits are counters.
        unsafe { core::ptr::from_ref(self).cast::<Counters>().read() }
    }

    /// When the CPU last followed a packet, in coarse ticks.
    #[must_use]
    pub fn now(&self) -> u32 {
        const WORD: usize = core::mem::offset_of!(Workplace, work.now);
        const { assert!(WORD.is_multiple_of(4)) };
        // SAFETY: inside of the image, which is as large as a `Workplace` and aligned to 8; any bits are
        // a number.
        unsafe {
            core::ptr::from_ref(self)
                .byte_add(WORD)
                .cast::<u32>()
                .read()
        }
    }
}

#[cfg(feature = "user")]
// SAFETY: `repr(C)`, words only: no padding, every bit pattern is valid.
unsafe impl aya::Pod for WorkplaceImage {}

const _: () = assert!(size_of::<Workplace>().is_multiple_of(8));
const _: () = assert!(core::mem::offset_of!(Workplace, counters) == 0);
