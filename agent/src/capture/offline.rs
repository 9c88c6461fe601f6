//! The kernel side without a kernel: the classifier of `agent-common` over packets in memory.
//!
//! Capture files, tests, fuzzers and benchmarks run the very code that runs in the kernel, with a
//! vector in the place of each map. Nothing is lost here: the queue of records grows as needed and is
//! drained after every packet.

use std::cell::{Cell, RefCell, UnsafeCell};

use agent_common::connection::Release;
use agent_common::counters::Counters;
use agent_common::flow::{FLOW_WAYS, FlowBucket, FlowLines, FlowRecord, known_word, line_index};
use agent_common::host::Host;
use agent_common::observe::observe;
use agent_common::packet::{Origin, Packet};
use agent_common::record::RecordHeader;
use agent_common::scratch::{Scratch, Workplace};
use agent_common::settings::{Settings, filter};
use agent_common::shared::Shared;
use agent_common::table::{Bucket, WAYS};
use ipnet::IpNet;

use zerocopy::IntoBytes as _;

use super::flows::{IdleLimits, Item, Taken, Words, flow_buckets, visit_bucket};

/// A tick of the coarse clock, in nanoseconds of the capture's clock: as short as kernels have it.
pub const TICK_NS: u64 = 1_000_000;

/// Classifies packets one after another and keeps the records they gave.
#[derive(Debug)]
pub struct Offline {
    surroundings: Surroundings,
}

/// What to look at, and how much to remember.
#[derive(Clone, Debug)]
pub struct OfflineSettings {
    /// Connections remembered; rounded up to a power of two.
    pub flows: u32,
    /// When flows are over, on the clock of the packets; `None`: they are not counted.
    pub sessions: Option<IdleLimits>,
    /// The longest head that is collected, in bytes.
    pub head_bytes: u32,
    /// Only packets with one of these ports; empty: all.
    pub ports: Vec<u16>,
    /// Only packets with an address in one of these networks; empty: all.
    pub nets: Vec<IpNet>,
    /// Bytes a connection may have copied beyond ordinary heads in about a second.
    pub connection_budget: u32,
}

impl Default for OfflineSettings {
    fn default() -> Self {
        Self {
            flows: 1 << 16,
            sessions: None,
            head_bytes: Settings::DEFAULT.head_max,
            ports: Vec::new(),
            nets: Vec::new(),
            // There is nobody to protect from the copying, and nothing is to be missed.
            connection_budget: u32::MAX,
        }
    }
}

impl Offline {
    /// An empty connection table.
    #[must_use]
    pub fn new(settings: OfflineSettings) -> Self {
        let OfflineSettings {
            flows,
            sessions,
            head_bytes,
            ports,
            nets,
            connection_budget,
        } = settings;
        let buckets = (flows.max(1) as usize).div_ceil(WAYS).next_power_of_two();
        let flow_buckets = match sessions {
            Some(_) => flow_buckets(flows),
            None => 1,
        };
        let mut filters = 0;
        if !ports.is_empty() {
            filters |= filter::PORTS;
        }
        if !nets.is_empty() {
            filters |= filter::NETS;
        }
        Self {
            surroundings: Surroundings {
                settings: Settings {
                    bucket_mask: buckets as u32 - 1,
                    head_max: head_bytes,
                    filters,
                    connection_budget,
                    cpu_budget: u64::MAX,
                    ..IdleLimits::settings(sessions, flow_buckets - 1, TICK_NS)
                },
                ports,
                nets,
                buckets: (0..buckets).map(|_| Bucket::default()).collect(),
                releases: (0..buckets * WAYS).map(|_| Shared::new(0)).collect(),
                flows: (0..flow_buckets).map(|_| FlowBucket::default()).collect(),
                flow_lines: (0..2 * flow_buckets)
                    .map(|_| FlowLines::default())
                    .collect(),
                flows_known: (0..flow_buckets as usize * FLOW_WAYS)
                    .map(|_| Shared::new(0))
                    .collect(),
                next_bucket: Cell::new(0),
                workplace: UnsafeCell::default(),
                now_ns: Cell::new(0),
                records: RefCell::default(),
            },
        }
    }

    /// Looks at one packet, seen at `now_ns`. Its records wait for [`Offline::drain`].
    pub fn packet(&mut self, packet: &Slice<'_>, now_ns: u64) {
        self.surroundings.now_ns.set(now_ns);
        observe(packet, &self.surroundings);
    }

    /// Gives the waiting pieces in order to `take`; what it returns, if anything, releases the
    /// connection of that record. Flows are passed over.
    pub fn drain(&mut self, mut take: impl FnMut(&RecordHeader, &[u8]) -> Option<Slot>) {
        self.drain_all(|item| match item {
            Item::Piece(header, bytes) => take(header, bytes),
            Item::Flow(_) => None,
        });
    }

    /// Gives all waiting records in order to `take`, as [`Offline::drain`] does the pieces.
    pub fn drain_all(&mut self, mut take: impl FnMut(Item<'_>) -> Option<Slot>) {
        let mut records = self.surroundings.records.take();
        each_record(&records, |item| {
            if let Some(slot) = take(item) {
                self.release(slot);
            }
        });
        records.clear();
        self.surroundings.records.replace(records);
    }

    /// The waiting records, for [`each_record`]; `room` takes their place, emptied.
    #[must_use]
    pub fn take_records(&mut self, mut room: Vec<u64>) -> Vec<u64> {
        room.clear();
        self.surroundings.records.replace(room)
    }

    /// How many words the waiting records have.
    #[must_use]
    pub fn waiting_words(&self) -> usize {
        self.surroundings.records.borrow().len()
    }

    /// Shows the flows of the next `buckets` buckets of their table to `visit`, as
    /// [`super::flows::table::FlowTable::read_slice`] does. True: that was the end of the table, and the
    /// next call begins from the front.
    pub fn read_flows(
        &mut self,
        buckets: u32,
        visit: &mut dyn FnMut(&FlowRecord, bool) -> Taken,
    ) -> bool {
        let surroundings = &self.surroundings;
        let first = surroundings.next_bucket.get();
        let end = (first.saturating_add(buckets)).min(surroundings.flows.len() as u32);
        for index in first..end {
            let (Some(bucket), Some(low), Some(high)) = (
                surroundings.flow_bucket(index),
                surroundings.flow_lines(0, index),
                surroundings.flow_lines(1, index),
            ) else {
                break;
            };
            let flows = (bucket, [low, high], bucket);
            // Nothing is ever left out: there is room for every record.
            let mut words = Known(&surroundings.flows_known);
            visit_bucket(flows, index, TICK_NS as u32, visit, &mut words);
        }
        let last = end as usize == surroundings.flows.len();
        surroundings.next_bucket.set(if last { 0 } else { end });
        last
    }

    /// The next call of [`read_flows`](Self::read_flows) begins from the front.
    pub fn rewind_flows(&self) {
        self.surroundings.next_bucket.set(0);
    }

    /// Releases a connection between two packets, as what [`Offline::drain`] is given does within one.
    pub fn release(&self, slot: Slot) {
        let Slot { slot, release } = slot;
        if let Some(word) = self.surroundings.releases.get(slot as usize) {
            word.set(release.to_word());
        }
    }

    /// What was counted so far.
    pub fn counters(&mut self) -> Counters {
        self.surroundings.workplace.get_mut().counters
    }
}

/// Gives these records in order to `take`.
pub fn each_record(records: &[u64], mut take: impl FnMut(Item<'_>)) {
    let mut rest = records;
    // All records are made of whole words, so that each can be read where it lies.
    while let Some(item) = Item::read(rest.as_bytes()) {
        let words = match item {
            Item::Piece(_, bytes) => size_of::<RecordHeader>() + bytes.len(),
            Item::Flow(_) => size_of::<FlowRecord>(),
        }
        .div_ceil(size_of::<u64>());
        take(item);
        rest = rest.get(words..).unwrap_or_default();
    }
}

/// A release for the connection in a slot.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The slot, as in [`RecordHeader::slot`].
    pub slot: u32,
    /// What the reader says of it.
    pub release: Release,
}

/// A packet in memory.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// The bytes that are here.
    pub bytes: &'a [u8],
    /// How long the packet was on the wire.
    pub wire_length: u32,
    /// What is known beside the bytes.
    pub origin: Origin,
}

impl Packet for Slice<'_> {
    fn wire_length(&self) -> u32 {
        self.wire_length
    }

    fn origin(&self) -> Origin {
        self.origin
    }

    fn read<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let bytes = self.bytes.get(offset as usize..)?;
        bytes.first_chunk().copied()
    }

    fn copy(&self, offset: u32, length: u32, scratch: &mut Scratch) -> u32 {
        let bytes = self.bytes.get(offset as usize..).unwrap_or_default();
        let length = (length as usize)
            .min(bytes.len())
            .min(agent_common::record::PIECE_MAX);
        scratch.data[..length].copy_from_slice(&bytes[..length]);
        length as u32
    }
}

/// What is said of flows, where nothing leaves while it is looked at.
struct Known<'a>(&'a [Shared<u64>]);

impl Words for Known<'_> {
    fn look(&mut self, _slot: u32, _generation: u32) -> bool {
        true
    }

    fn looked(&mut self, slot: u32, generation: u32, told: Option<(u64, bool)>) -> u64 {
        if let (Some(word), Some((packets, last))) = (self.0.get(slot as usize), told) {
            word.set(known_word(generation, packets, last));
        }
        0
    }
}

#[derive(Debug)]
struct Surroundings {
    settings: Settings,
    ports: Vec<u16>,
    nets: Vec<IpNet>,
    buckets: Vec<Bucket>,
    /// By slot.
    releases: Vec<Shared<u64>>,
    workplace: UnsafeCell<Box<Workplace>>,
    now_ns: Cell<u64>,
    flows: Vec<FlowBucket>,
    /// See [`line_index`].
    flow_lines: Vec<FlowLines>,
    /// By slot of the table of flows.
    flows_known: Vec<Shared<u64>>,
    /// Where the next slice of the table of flows begins.
    next_bucket: Cell<u32>,
    /// Each record is filled up to a whole word.
    records: RefCell<Vec<u64>>,
}

/// Appends bytes, filled up to whole words.
fn append(words: &mut Vec<u64>, parts: [&[u8]; 2]) {
    let length = parts[0].len() + parts[1].len();
    let start = words.len();
    words.resize(start + length.div_ceil(size_of::<u64>()), 0);
    if let Some(room) = words.get_mut(start..) {
        let (first, second) = room.as_mut_bytes().split_at_mut(parts[0].len());
        first.copy_from_slice(parts[0]);
        if let Some(second) = second.get_mut(..parts[1].len()) {
            second.copy_from_slice(parts[1]);
        }
    }
}

// SAFETY: the workplace is reached only through `observe`, which `Offline::packet` calls with an
// exclusive reference to the owner, so one call runs at a time; the type is not `Sync`.
unsafe impl Host for Surroundings {
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
        self.ports.contains(&u16::from_be(port_be))
    }

    fn net_wanted(&self, [high, low]: [u64; 2]) -> bool {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_ne_bytes());
        bytes[8..].copy_from_slice(&low.to_ne_bytes());
        let address = std::net::Ipv6Addr::from(bytes).to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
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
        let unchanged = place.get() == old;
        if unchanged {
            place.set(tag);
        }
        unchanged
    }

    fn counts_flows(&self) -> bool {
        self.settings.flows != 0
    }

    fn flow_mask(&self) -> u32 {
        self.settings.flow_mask
    }

    fn flow_idle(&self, protocol: u32) -> u32 {
        self.settings
            .flow_idle
            .get(protocol as usize)
            .copied()
            .unwrap_or(1)
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
        append(&mut self.records.borrow_mut(), [record.as_bytes(), &[]]);
        true
    }

    fn now_ns(&self) -> u64 {
        self.now_ns.get()
    }

    fn ticks(&self) -> u64 {
        self.now_ns.get() / TICK_NS
    }

    fn cpu(&self) -> u32 {
        0
    }

    fn send(&self, scratch: &Scratch, captured: u32) -> bool {
        let (header, bytes) = scratch.record(captured);
        append(&mut self.records.borrow_mut(), [header.as_bytes(), bytes]);
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
