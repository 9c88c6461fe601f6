//! The kernel programs by themselves: loaded, shown frames by `BPF_PROG_TEST_RUN`, and what they made of
//! them.

use std::io;
use std::os::fd::AsFd as _;

use agent_common::counters::Counters;
use agent_common::flow::{
    FLOW_WAYS, FlowBucketImage, FlowLinesImage, FlowParts, FlowRecord, line_index,
};
use agent_common::frame;
use agent_common::packet::{Link, Origin};
use agent_common::record::RecordHeader;
use agent_common::ring::{SEGMENT, segments};
use agent_common::scratch::WorkplaceImage;
use agent_common::settings::Settings;
use agent_common::table::WAYS;
use aya::maps::{Array, IterableMap as _, MapData, PerCpuArray};
use aya::programs::{Program as AyaProgram, ProgramError, TestRun as _, TestRunOptions};
use aya::{Ebpf, EbpfLoader};
use tapline::capture::flows::Item;
use tapline::capture::flows::table::FlowTable;
use tapline::capture::offline::Slot;
use tapline::capture::programs;
use tapline::capture::rings::Rings;
use zerocopy::IntoBytes as _;

/// Bytes of the ring of each CPU: two segments.
pub const RING: u32 = 2 * SEGMENT as u32;

/// One of the kernel programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Program {
    /// Its name in the object.
    pub name: &'static str,
    /// The verdict that it gives of every packet.
    pub verdict: u32,
    /// What the verifier may walk of it.
    pub caps: Caps,
    kind: Kind,
    outgoing: bool,
}

/// Instructions that the verifier may walk: about a tenth more than it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caps {
    /// On Debian 12's kernel.
    pub linux_6_1: u32,
    /// On Linux 6.18.
    pub linux_6_18: u32,
}

/// What a program is shown when it is run with a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The frame.
    Ethernet,
    /// The frame; the program takes its beginning for a network header.
    Network,
    /// The frame without its Ethernet header; the program takes what follows for another one.
    SocketEthernet,
    /// The frame without its Ethernet header.
    SocketNetwork,
}

/// All programs of the object that capture.
pub const PROGRAMS: [Program; 7] = [
    program(
        "tapline_ingress",
        UNSPECIFIED,
        [350_000, 430_000],
        Kind::Ethernet,
        false,
    ),
    program(
        "tapline_egress",
        UNSPECIFIED,
        [350_000, 430_000],
        Kind::Ethernet,
        true,
    ),
    program(
        "tapline_in_ip",
        UNSPECIFIED,
        [320_000, 430_000],
        Kind::Network,
        false,
    ),
    program(
        "tapline_out_ip",
        UNSPECIFIED,
        [320_000, 430_000],
        Kind::Network,
        true,
    ),
    program(
        "tapline_xdp",
        PASS,
        [320_000, 400_000],
        Kind::Ethernet,
        false,
    ),
    program(
        "tapline_socket",
        KEEP_NOTHING,
        [285_000, 400_000],
        Kind::SocketEthernet,
        false,
    ),
    program(
        "tapline_sock_ip",
        KEEP_NOTHING,
        [280_000, 395_000],
        Kind::SocketNetwork,
        false,
    ),
];

/// `TC_ACT_UNSPEC`: the next program decides.
const UNSPECIFIED: u32 = -1_i32 as u32;
/// `XDP_PASS`.
const PASS: u32 = 2;
/// A socket filter keeps so many bytes of the packet.
const KEEP_NOTHING: u32 = 0;

/// Length of an Ethernet header.
const ETHERNET: usize = 14;

const fn program(
    name: &'static str,
    verdict: u32,
    [linux_6_1, linux_6_18]: [u32; 2],
    kind: Kind,
    outgoing: bool,
) -> Program {
    Program {
        name,
        verdict,
        caps: Caps {
            linux_6_1,
            linux_6_18,
        },
        kind,
        outgoing,
    }
}

impl Program {
    /// Whether it looks at packets without a link header.
    #[must_use]
    pub fn takes_network_packets(self) -> bool {
        matches!(self.kind, Kind::Network | Kind::SocketNetwork)
    }

    /// What is known of a packet of this type when it is run by itself: it seems to come from the
    /// loopback interface.
    #[must_use]
    pub fn origin(self, ethertype: u16) -> Origin {
        Origin {
            link: if self.takes_network_packets() {
                Link::Network(ethertype)
            } else {
                Link::Ethernet
            },
            vlan: 0,
            segments: 1,
            ifindex: 1,
            outgoing: self.outgoing,
        }
    }

    /// The type of a packet as the kernel will tell it: of those that it takes for frames it stands
    /// where a frame has it, whatever they are.
    #[must_use]
    pub fn ethertype(self, told: u16, packet: &[u8]) -> u16 {
        match (self.kind, packet.get(12..ETHERNET)) {
            (Kind::Network, Some(&[high, low])) => u16::from_be_bytes([high, low]),
            _ => told,
        }
    }

    /// The input by which the program sees `packet`.
    fn input(self, ethertype: u16, packet: &[u8]) -> Vec<u8> {
        match self.kind {
            Kind::Ethernet | Kind::Network => packet.to_vec(),
            Kind::SocketEthernet => frame::ethernet(frame::IPV4, packet),
            Kind::SocketNetwork => frame::ethernet(ethertype, packet),
        }
    }
}

/// A record as it came out of the ring.
#[derive(Clone, Debug)]
pub struct Record {
    /// The header.
    pub header: RecordHeader,
    /// The captured bytes.
    pub bytes: Vec<u8>,
}

impl Record {
    /// The record without what no two runs have in common: time and CPU.
    #[must_use]
    pub fn without_time(&self) -> Vec<u8> {
        let header = RecordHeader {
            time_ns: 0,
            last_ago: 0,
            peer_ago: 0,
            cpu: 0,
            ..self.header
        };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(&self.bytes);
        bytes
    }
}

/// The object in the kernel, with maps of its own.
#[expect(missing_debug_implementations, reason = "aya's maps have none")]
pub struct Kernel {
    ebpf: Ebpf,
    rings: Rings,
    releases: Array<MapData, u64>,
    workplaces: PerCpuArray<MapData, WorkplaceImage>,
    flows: Array<MapData, FlowBucketImage>,
    flow_lines: Array<MapData, FlowLinesImage>,
    flow_mask: u32,
    flows_known: Array<MapData, u64>,
    /// Flows out of the ring, since they were last asked for.
    sent: Vec<FlowRecord>,
    tick_ns: u32,
}

impl Kernel {
    /// Makes the maps. `verbose`: with the messages for `-v` compiled in.
    ///
    /// # Panics
    /// The kernel refuses, or the build has no object.
    #[must_use]
    pub fn load(settings: Settings, verbose: bool) -> Self {
        let object = programs::object();
        assert!(
            !object.is_empty(),
            "no kernel programs: cargo xtask build-ebpf"
        );
        let level: u8 = if verbose { 4 } else { 0 };
        let cpus = programs::possible_cpus().unwrap();
        let settings = Settings {
            ring_mask: RING - 1,
            ..settings
        };
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .override_global("SETTINGS", &settings, true)
            .override_global("AYA_LOG_LEVEL", &level, true)
            .map_max_entries("RINGS", cpus as u32 * segments(settings.ring_mask))
            .map_max_entries("CURSORS", cpus as u32)
            .map_max_entries("CONNECTIONS", settings.bucket_mask + 1)
            .map_max_entries("RELEASES", (settings.bucket_mask + 1) * WAYS as u32)
            .map_max_entries("FLOWS", settings.flow_mask + 1)
            .map_max_entries("FLOW_LINES", 2 * (settings.flow_mask + 1))
            .map_max_entries("FLOWS_KNOWN", (settings.flow_mask + 1) * FLOW_WAYS as u32)
            .load(object)
            .unwrap();
        let rings = programs::rings(&ebpf, settings.ring_mask, cpus).unwrap();
        let mut take = |name| ebpf.take_map(name).unwrap();
        Self {
            rings,
            releases: take("RELEASES").try_into().unwrap(),
            workplaces: take("WORKPLACE").try_into().unwrap(),
            flows: take("FLOWS").try_into().unwrap(),
            flow_lines: take("FLOW_LINES").try_into().unwrap(),
            flow_mask: settings.flow_mask,
            flows_known: take("FLOWS_KNOWN").try_into().unwrap(),
            sent: Vec::new(),
            tick_ns: settings.tick_ns,
            ebpf,
        }
    }

    /// Lets the verifier check a program; gives the number of instructions that it walked.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Panics
    /// There is no such program.
    pub fn verify(&mut self, program: Program) -> Result<u32, ProgramError> {
        let program = self.ebpf.program_mut(program.name).unwrap();
        match program {
            AyaProgram::SchedClassifier(program) => program.load()?,
            AyaProgram::Xdp(program) => program.load()?,
            AyaProgram::SocketFilter(program) => program.load()?,
            _ => panic!("a program of another type"),
        }
        Ok(program.info()?.verified_instruction_count().unwrap())
    }

    /// Shows a packet to a loaded program; gives `false` when the kernel takes no such input.
    ///
    /// # Panics
    /// The program changes the packet, gives another verdict than its own, or cannot be run.
    pub fn run(&self, program: Program, ethertype: u16, packet: &[u8]) -> bool {
        let input = program.input(ethertype, packet);
        let mut output = vec![0xee; input.len()];
        let options = TestRunOptions {
            data_in: Some(&input),
            data_out: Some(&mut output),
            ..TestRunOptions::default()
        };
        let result = match self.ebpf.program(program.name).unwrap() {
            AyaProgram::SchedClassifier(program) => program.test_run(options),
            AyaProgram::Xdp(program) => program.test_run(options),
            AyaProgram::SocketFilter(program) => program.test_run(options),
            _ => panic!("a program of another type"),
        };
        let result = match result {
            Ok(result) => result,
            Err(error) if is_invalid(&error) => return false,
            Err(error) => panic!("{}: {error:#?}", program.name),
        };
        assert_eq!(result.return_value, program.verdict, "{}", program.name);
        // The kernel gives back a socket filter's packet with an empty Ethernet header.
        let same = match program.kind {
            Kind::Ethernet | Kind::Network => 0,
            Kind::SocketEthernet | Kind::SocketNetwork => ETHERNET,
        };
        assert_eq!(output[same..], input[same..], "{} changed it", program.name);
        true
    }

    /// The records since the last call, but for those of flows: see [`Self::sent_flows`].
    ///
    /// # Panics
    /// A record is of no known kind, or of another length than it says.
    pub fn records(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        self.rings.look();
        while let Some(item) = self.rings.next() {
            match Item::read(item).unwrap() {
                Item::Piece(header, bytes) => {
                    assert_eq!(item.len(), size_of::<RecordHeader>() + bytes.len());
                    records.push(Record {
                        header: *header,
                        bytes: bytes.to_vec(),
                    });
                }
                Item::Flow(record) => {
                    assert_eq!(item.len(), size_of::<FlowRecord>());
                    self.sent.push(*record);
                }
            }
        }
        self.rings.done();
        records
    }

    /// The flows that the kernel sent among the records taken out since the last call.
    pub fn sent_flows(&mut self) -> Vec<FlowRecord> {
        std::mem::take(&mut self.sent)
    }

    /// The flows that stand in the buckets of their table.
    ///
    /// # Panics
    /// The map cannot be read.
    #[must_use]
    pub fn flows(&self, buckets: std::ops::Range<u32>) -> Vec<FlowRecord> {
        let mut flows = Vec::new();
        for index in buckets {
            let image = self.flows.get(&index, 0).unwrap();
            let [low, high] = [0, 1].map(|side| {
                let line = line_index(self.flow_mask, side, index);
                self.flow_lines.get(&line, 0).unwrap()
            });
            for place in 0..FLOW_WAYS as u32 {
                let flow = FlowParts::of(image.bucket(), [low.lines(), high.lines()], place);
                flows.extend(flow.read(index * FLOW_WAYS as u32 + place, self.tick_ns));
            }
        }
        flows
    }

    /// The table of flows, as the reader has it.
    ///
    /// # Panics
    /// The kernel refuses.
    #[must_use]
    pub fn flow_table(&self, settings: Settings) -> FlowTable {
        let (flows, lines) = (self.flows.map().fd(), self.flow_lines.map().fd());
        let known = self.flows_known.map().fd();
        let buckets = settings.flow_mask + 1;
        let [flows, lines, known] = [flows, lines, known].map(|map| map.as_fd());
        FlowTable::open(flows, lines, known, buckets, settings.tick_ns).unwrap()
    }

    /// Releases a connection, as the reader does.
    ///
    /// # Panics
    /// There is no such slot.
    pub fn release(&mut self, slot: Slot) {
        let Slot { slot, release } = slot;
        self.releases.set(slot, release.to_word(), 0).unwrap();
    }

    /// What all CPUs counted.
    ///
    /// # Panics
    /// The map cannot be read.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for image in self.workplaces.get(&0, 0).unwrap().iter() {
            sum.add(&image.counters());
        }
        sum
    }

    /// When a CPU last followed a packet, in coarse ticks; they wrap.
    ///
    /// # Panics
    /// The map cannot be read, or there is no such CPU.
    #[must_use]
    pub fn now(&self, cpu: usize) -> u32 {
        self.workplaces.get(&0, 0).unwrap()[cpu].now()
    }
}

/// Whether the kernel refused the input, not the program: it takes frames of 14 bytes and more, and
/// newer ones only such as hold what their EtherType promises.
fn is_invalid(error: &ProgramError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error() == Some(libc::EINVAL);
        }
        cause = error.source();
    }
    false
}
