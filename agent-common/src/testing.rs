//! A kernel made of vectors, for tests: packets in memory, and the host around them.

extern crate std;

use core::cell::{Cell, RefCell, UnsafeCell};
use std::boxed::Box;
use std::vec::Vec;

use crate::counters::Counters;
use crate::flow::{FLOW_WAYS, FlowBucket, FlowLines, FlowParts, FlowRecord, line_index};
use crate::host::Host;
use crate::observe::observe;
use crate::packet::{Link, Origin, Packet};
use crate::record::{PIECE_MAX, RecordHeader};
use crate::scratch::{Scratch, Workplace};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::table::{Bucket, WAYS};

/// A packet in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) wire_length: u32,
    pub(crate) origin: Origin,
}

impl<'a> Memory<'a> {
    /// A whole packet.
    pub(crate) fn new(link: Link, bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            wire_length: bytes.len() as u32,
            origin: Origin {
                link,
                vlan: 0,
                segments: 1,
                ifindex: 3,
                outgoing: false,
            },
        }
    }

    /// A packet of which a capture kept the first `length` bytes.
    pub(crate) fn cut(self, length: usize) -> Self {
        let bytes = &self.bytes[..length];
        Self { bytes, ..self }
    }
}

impl Packet for Memory<'_> {
    fn wire_length(&self) -> u32 {
        self.wire_length
    }

    fn origin(&self) -> Origin {
        self.origin
    }

    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        self.bytes.get(offset as usize..)?.first_chunk().copied()
    }

    fn copy(&self, offset: u32, length: u32, scratch: &mut Scratch) -> u32 {
        assert!(length as usize <= PIECE_MAX, "asked for {length} bytes");
        let bytes = self.bytes.get(offset as usize..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(length as usize)];
        scratch.data[..bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }
}

/// A record as it went to the ring.
pub(crate) type Record = (RecordHeader, Vec<u8>);

/// One CPU, a connection table and a ring.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) settings: Settings,
    pub(crate) buckets: Vec<Bucket>,
    /// By slot.
    pub(crate) releases: Vec<Shared<u64>>,
    pub(crate) ticks: Cell<u64>,
    pub(crate) flows: Vec<FlowBucket>,
    /// Those of side 0, then those of side 1.
    pub(crate) flow_lines: Vec<FlowLines>,
    /// By slot of the table of flows.
    pub(crate) flows_known: Vec<Shared<u64>>,
    /// Records of flows that went to the ring.
    pub(crate) flow_records: RefCell<Vec<FlowRecord>>,
    /// No room in the ring.
    pub(crate) ring_is_full: Cell<bool>,
    /// Another CPU claims every place just before.
    pub(crate) slower: Cell<bool>,
    workplace: UnsafeCell<Box<Workplace>>,
    records: RefCell<Vec<Record>>,
}

impl Kernel {
    /// A kernel whose table has so many buckets, a power of two.
    pub(crate) fn new(buckets: u32) -> Self {
        assert!(buckets.is_power_of_two());
        let settings = Settings {
            bucket_mask: buckets - 1,
            flow_mask: buckets - 1,
            ..Settings::DEFAULT
        };
        Self {
            settings,
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            releases: (0..buckets * WAYS as u32).map(|_| Shared::new(0)).collect(),
            flows: (0..buckets).map(|_| FlowBucket::default()).collect(),
            flow_lines: (0..2 * buckets).map(|_| FlowLines::default()).collect(),
            flows_known: (0..buckets * FLOW_WAYS as u32)
                .map(|_| Shared::new(0))
                .collect(),
            flow_records: RefCell::default(),
            ticks: Cell::new(1000),
            ring_is_full: Cell::new(false),
            slower: Cell::new(false),
            workplace: UnsafeCell::default(),
            records: RefCell::default(),
        }
    }

    /// Looks at a packet; gives the records that came of it.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "that nobody else has it is what makes the workplace exclusive"
    )]
    pub(crate) fn packet(&mut self, packet: &Memory<'_>) -> Vec<Record> {
        observe(packet, self);
        self.records.take()
    }

    /// The flow in a slot, or the empty place there.
    pub(crate) fn flow(&self, slot: u32) -> FlowParts<'_> {
        let (bucket, place) = (slot / FLOW_WAYS as u32, slot as usize % FLOW_WAYS);
        let line = |side| {
            let index = line_index(self.settings.flow_mask, side, bucket) as usize;
            &self.flow_lines[index].places[place]
        };
        FlowParts {
            flow: &self.flows[bucket as usize].places[place],
            directions: [line(0), line(1)],
        }
    }

    /// What was counted so far.
    pub(crate) fn counters(&mut self) -> Counters {
        self.workplace.get_mut().counters
    }
}

// SAFETY: the workplace is reached only through `observe`, which `Kernel::packet` calls with an
// exclusive reference to the owner, so one call runs at a time; the type is not `Sync`.
unsafe impl Host for Kernel {
    fn hash_key(&self, index: usize) -> u64 {
        self.settings.hash_keys[index]
    }

    fn bucket_mask(&self) -> u32 {
        self.settings.bucket_mask
    }

    fn head_max(&self) -> u32 {
        self.settings.head_max
    }

    fn filters(&self) -> u32 {
        self.settings.filters
    }

    fn connection_budget(&self) -> u32 {
        self.settings.connection_budget
    }

    fn cpu_budget(&self) -> u64 {
        self.settings.cpu_budget
    }

    fn port_wanted(&self, port_be: u16) -> bool {
        port_be == 80_u16.to_be()
    }

    fn net_wanted(&self, address: [u64; 2]) -> bool {
        address[0] == 0
    }

    fn workplace(&self) -> Option<&mut Workplace> {
        // SAFETY: see the impl.
        Some(unsafe { &mut *self.workplace.get() })
    }

    fn bucket(&self, index: u32) -> Option<&Bucket> {
        self.buckets.get(index as usize)
    }

    fn release(&self, slot: u32) -> u64 {
        self.releases.get(slot as usize).map_or(0, Shared::get)
    }

    fn claim(&self, place: &Shared<u64>, old: u64, tag: u64) -> bool {
        let wins = !self.slower.get() && place.get() == old;
        if wins {
            place.set(tag);
        }
        wins
    }

    fn counts_flows(&self) -> bool {
        self.settings.flows != 0
    }

    fn flow_mask(&self) -> u32 {
        self.settings.flow_mask
    }

    fn flow_idle(&self, protocol: u32) -> u32 {
        self.settings.flow_idle[protocol as usize]
    }

    fn tick_ns(&self) -> u32 {
        self.settings.tick_ns
    }

    fn flow_bucket(&self, index: u32) -> Option<&FlowBucket> {
        self.flows.get(index as usize)
    }

    fn flow_lines(&self, side: u32, bucket: u32) -> Option<&FlowLines> {
        let index = line_index(self.settings.flow_mask, side, bucket);
        self.flow_lines.get(index as usize)
    }

    fn flow_known(&self, slot: u32) -> Option<&Shared<u64>> {
        self.flows_known.get(slot as usize)
    }

    fn add(&self, word: &Shared<u64>, by: u64) -> u64 {
        let old = word.get();
        word.set(old.wrapping_add(by));
        old
    }

    fn set_bits(&self, word: &Shared<u64>, bits: u64) -> u64 {
        let old = word.get();
        word.set(old | bits);
        old
    }

    fn take(&self, word: &Shared<u64>) -> u64 {
        let old = word.get();
        word.set(0);
        old
    }

    fn has_room_for_flows(&self) -> bool {
        true
    }

    fn send_flow(&self, record: &FlowRecord) -> bool {
        let room = !self.ring_is_full.get();
        if room {
            self.flow_records.borrow_mut().push(*record);
        }
        room
    }

    fn now_ns(&self) -> u64 {
        self.ticks.get() * 4_000_000
    }

    fn ticks(&self) -> u64 {
        self.ticks.get()
    }

    fn cpu(&self) -> u32 {
        5
    }

    fn send(&self, scratch: &Scratch, captured: u32) -> bool {
        if self.ring_is_full.get() {
            return false;
        }
        let (header, bytes) = scratch.record(captured);
        self.records.borrow_mut().push((*header, bytes.to_vec()));
        true
    }

    fn repeat<F: FnMut(u32) -> bool>(&self, count: u32, mut step: F) {
        for index in 0..count {
            if !step(index) {
                break;
            }
        }
    }
}
