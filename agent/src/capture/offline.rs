//! The kernel side without a kernel: the classifier of `agent-common` over packets in memory.
//!
//! Capture files, tests, fuzzers and benchmarks run the very code that runs in the kernel, with a
//! vector in the place of each map. Nothing is lost here: the queue of records grows as needed and is
//! drained after every packet.

use std::cell::{Cell, RefCell, UnsafeCell};

use agent_common::connection::Release;
use agent_common::counters::Counters;
use agent_common::host::Host;
use agent_common::observe::observe;
use agent_common::packet::{Origin, Packet};
use agent_common::record::RecordHeader;
use agent_common::scratch::{Scratch, Workplace};
use agent_common::settings::{Settings, filter};
use agent_common::shared::Shared;
use agent_common::table::{Bucket, WAYS};
use ipnet::IpNet;
use zerocopy::FromBytes as _;

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
            head_bytes,
            ports,
            nets,
            connection_budget,
        } = settings;
        let buckets = (flows.max(1) as usize).div_ceil(WAYS).next_power_of_two();
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
                    ..Settings::DEFAULT
                },
                ports,
                nets,
                buckets: (0..buckets).map(|_| Bucket::default()).collect(),
                releases: (0..buckets * WAYS).map(|_| Shared::new(0)).collect(),
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

    /// Gives the waiting records in order to `take`; what it returns, if anything, releases the
    /// connection of that record.
    pub fn drain(&mut self, mut take: impl FnMut(&RecordHeader, &[u8]) -> Option<Slot>) {
        let mut records = self.surroundings.records.take();
        let mut rest = records.as_slice();
        while let Ok((header, behind)) = RecordHeader::read_from_prefix(rest) {
            let Some((bytes, behind)) = behind.split_at_checked(header.captured as usize) else {
                break;
            };
            if let Some(slot) = take(&header, bytes) {
                self.release(slot);
            }
            rest = behind;
        }
        records.clear();
        self.surroundings.records.replace(records);
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
    records: RefCell<Vec<u8>>,
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
        use zerocopy::IntoBytes as _;
        let (header, bytes) = scratch.record(captured);
        let mut records = self.records.borrow_mut();
        records.extend_from_slice(header.as_bytes());
        records.extend_from_slice(bytes);
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
