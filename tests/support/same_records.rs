//! The kernel and the agent run one classifier: the same packets give the same records and counts.
//!
//! Sequences of packets are made up: several connections in different dresses, their payloads whole,
//! cut, late, again or missing, headers that lie, and noise. Each packet is shown to a kernel program by
//! `BPF_PROG_TEST_RUN` and to the classifier in this process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use agent_common::connection::Release;
use agent_common::counters::Counters;
use agent_common::flow::{FLOW_WAYS, FlowRecord};
use agent_common::frame::{self, TcpSegment, tcp_flags};
use agent_common::settings::Settings;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tapline::capture::flows::{IdleLimits, Item, Taken};
use tapline::capture::offline::{Offline, OfflineSettings, Slice, Slot};

use super::kernel::{Kernel, Program, Record};

/// Connections remembered.
const FLOWS: u32 = 1 << 17;

/// Room for the payload of a packet: the kernel takes a page with headers and its own notes.
const PAYLOAD_MAX: usize = 3_000;

/// Settings of a [`Kernel`] for [`same_records`]: so many places that no connection has to make room,
/// which would depend on clocks, and no budget of a CPU, which would too.
pub const ROOMY: Settings = Settings {
    bucket_mask: FLOWS / 4 - 1,
    flow_mask: FLOWS / FLOW_WAYS as u32 - 1,
    cpu_budget: u64::MAX,
    ..Settings::DEFAULT
};

/// Runs `cases` made-up sequences through each of the programs, all loaded in a `kernel` with the settings
/// [`ROOMY`], and through the classifier here.
///
/// # Panics
/// They differ; the message holds the shortest sequence found, and what differs.
pub fn same_records(kernel: Kernel, programs: &[Program], cases: u32) {
    let both = RefCell::new(Both::new(kernel, programs[0]));
    for program in programs {
        both.borrow_mut().program = *program;
        both.borrow_mut().shown = Shown::default();
        run(&both, *program, cases);
        let (kernel, offline) = both.borrow_mut().standing();
        assert!(
            kernel.len() > cases as usize,
            "hardly any flow was compared"
        );
        for (kernel, offline) in kernel.iter().zip(&offline) {
            assert_eq!(kernel, offline, "{}: what stands of a flow", program.name);
        }
        assert_eq!(kernel.len(), offline.len(), "{}: flows", program.name);
    }
}

fn run(both: &RefCell<Both>, program: Program, cases: u32) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = prop::collection::vec(step(), 1..40);
    let result = TestRunner::new(config).run(&steps, |steps| {
        both.borrow_mut()
            .sequence(&steps)
            .map_err(TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            panic!("{}: {reason}\nafter {steps:#?}", program.name)
        }
        Err(error) => panic!("{}: {error}", program.name),
    }
    let shown = both.borrow().shown;
    assert!(
        shown.packets > u64::from(cases) && shown.records > u64::from(cases),
        "hardly anything was compared: {shown:?}"
    );
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A packet of a connection, cut to so many bytes if told.
    Packet {
        connection: u16,
        from_server: bool,
        payload: Vec<u8>,
        /// How far from where it belongs.
        shift: i32,
        flags: u8,
        cut: Option<usize>,
        /// A byte of the packet that is changed, and by what.
        lie: Option<(usize, u8)>,
    },
    /// A packet that is no TCP: UDP, or ICMP of the family of the connection.
    Other {
        connection: u16,
        from_server: bool,
        udp: bool,
        length: usize,
        /// Of ICMP: the type, if it is no question and its answer.
        kind: Option<u8>,
    },
    /// Bytes of no meaning.
    Noise(Vec<u8>),
    /// The reader is through with the connection of the last record.
    Release { opaque: bool, wrong: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let shift = prop_oneof![
        8 => Just(0),
        1 => -40..0_i32,
        1 => 1..40_i32,
        1 => -4_000..4_000_i32,
    ];
    let flags = prop_oneof![
        12 => Just(tcp_flags::ACK),
        1 => Just(tcp_flags::SYN),
        1 => Just(tcp_flags::SYN | tcp_flags::ACK),
        1 => Just(tcp_flags::FIN | tcp_flags::ACK),
        1 => Just(tcp_flags::RST),
    ];
    let packet = (
        0..5_u16,
        any::<bool>(),
        payload(),
        shift,
        flags,
        prop::option::weighted(0.05, 0..200_usize),
        prop::option::weighted(0.05, (0..80_usize, any::<u8>())),
    )
        .prop_map(
            |(connection, from_server, payload, shift, flags, cut, lie)| Step::Packet {
                connection,
                from_server,
                payload,
                shift,
                flags,
                cut,
                lie,
            },
        );
    let other = (
        0..5_u16,
        any::<bool>(),
        any::<bool>(),
        0..200_usize,
        prop::option::weighted(0.2, any::<u8>()),
    )
        .prop_map(|(connection, from_server, udp, length, kind)| Step::Other {
            connection,
            from_server,
            udp,
            length,
            kind,
        });
    prop_oneof![
        20 => packet,
        4 => other,
        1 => prop::collection::vec(any::<u8>(), 14..200).prop_map(Step::Noise),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(opaque, wrong)| Step::Release { opaque, wrong }),
    ]
}

/// What packets carry: whole messages, pieces of them, several at once, and what only looks like one.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\n\n",
        "HEAD /x HTTP/1.1\r\nHost: a\r\nAccept: \u{e9}\t\r\n\r\n",
        "\r\nGET /after-empty-line HTTP/1.1\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n",
        "POST /f HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdeGET /next HTTP/1.1\r\n\r\n",
        "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n",
        "PUT /u HTTP/1.1\r\ncontent-length:99999999999999999999\r\n\r\n",
        "FROBNICATE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
        "",
    ]);
    let piece = (
        text,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(text, start, end)| {
            // Half of all are whole.
            let bytes = text.as_bytes();
            let (start, end) = (
                start.index(2 * bytes.len() + 2),
                end.index(2 * bytes.len() + 2),
            );
            let start = if start > bytes.len() { 0 } else { start };
            bytes[start..end.clamp(start, bytes.len())].to_vec()
        });
    let long_head = (0..PAYLOAD_MAX, any::<bool>()).prop_map(|(length, ends)| {
        let mut bytes = b"GET /long HTTP/1.1\r\nCookie: ".to_vec();
        bytes.resize(length.max(bytes.len()), b'c');
        if ends {
            bytes.extend(b"\r\n\r\n");
        }
        bytes
    });
    prop_oneof![
        10 => piece.clone(),
        3 => (piece.clone(), piece).prop_map(|(first, second)| [first, second].concat()),
        2 => long_head,
        1 => prop::collection::vec(any::<u8>(), 0..PAYLOAD_MAX),
        1 => (0..PAYLOAD_MAX).prop_map(|length| vec![b'a'; length]),
    ]
}

/// The two that are compared, through all sequences.
struct Both {
    program: Program,
    kernel: Kernel,
    offline: Offline,
    now_ns: u64,
    sequences: u16,
    /// Of each slot and generation: the highest record number of either side.
    sent: HashMap<(u32, u32), [u32; 2]>,
    last: Option<Record>,
    shown: Shown,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    packets: u64,
    records: u64,
}

impl Both {
    fn new(kernel: Kernel, program: Program) -> Self {
        pin_to_one_cpu();
        Self {
            program,
            kernel,
            offline: Offline::new(OfflineSettings {
                flows: FLOWS,
                sessions: Some(IdleLimits::default()),
                connection_budget: ROOMY.connection_budget,
                ..OfflineSettings::default()
            }),
            now_ns: 0,
            sequences: 0,
            sent: HashMap::new(),
            last: None,
            shown: Shown::default(),
        }
    }

    /// Shows both one sequence, on connections that no other has had.
    fn sequence(&mut self, steps: &[Step]) -> Result<(), String> {
        self.sequences += 1;
        self.last = None;
        let mut next = HashMap::new();
        for (number, step) in steps.iter().enumerate() {
            let (ethertype, packet) = match step {
                Step::Release { opaque, wrong } => {
                    self.release(*opaque, *wrong);
                    continue;
                }
                Step::Noise(bytes) => (frame::IPV4, bytes.clone()),
                Step::Packet { .. } => self.packet(step, &mut next),
                Step::Other { .. } => self.other(step),
            };
            self.show(ethertype, &packet)
                .map_err(|reason| format!("step {number}: {reason}"))?;
        }
        Ok(())
    }

    /// Builds a packet as the program would see it.
    fn packet(&self, step: &Step, next: &mut HashMap<(u16, bool), u32>) -> (u16, Vec<u8>) {
        let Step::Packet {
            connection,
            from_server,
            payload,
            shift,
            flags,
            cut,
            lie,
        } = step
        else {
            return (0, Vec::new());
        };
        let next = next
            .entry((*connection, *from_server))
            .or_insert(u32::MAX - 100);
        let sequence = next.wrapping_add_signed(*shift);
        *next = sequence.wrapping_add(payload.len() as u32);
        if flags & (tcp_flags::SYN | tcp_flags::FIN) != 0 {
            *next = next.wrapping_add(1);
        }
        let (client, server) = endpoints(*connection, self.sequences);
        let (source, destination) = if *from_server {
            (server, client)
        } else {
            (client, server)
        };
        let segment = TcpSegment {
            source,
            destination,
            sequence,
            flags: *flags,
            payload,
        };
        let (ethertype, packet) = segment.packet();
        let (ethertype, mut packet) = if self.program.takes_network_packets() {
            (ethertype, packet)
        } else {
            (frame::IPV4, dressed(*connection, ethertype, &packet))
        };
        if let Some((index, byte)) = lie
            && let Some(changed) = packet.get_mut(*index)
        {
            *changed ^= byte;
        }
        if let Some(length) = cut {
            packet.truncate((*length).max(14));
        }
        (ethertype, packet)
    }

    /// Builds a packet that is no TCP.
    fn other(&self, step: &Step) -> (u16, Vec<u8>) {
        let Step::Other {
            connection,
            from_server,
            udp,
            length,
            kind,
        } = step
        else {
            return (0, Vec::new());
        };
        let (client, server) = endpoints(*connection, self.sequences);
        let (source, destination) = if *from_server {
            (server, client)
        } else {
            (client, server)
        };
        let bytes = vec![b'u'; *length];
        let inside = if *udp {
            frame::udp([source.port(), destination.port()], &bytes)
        } else {
            let six = client.is_ipv6();
            let kind = kind.unwrap_or(match (six, from_server) {
                (false, false) => 8,
                (false, true) => 0,
                (true, false) => 128,
                (true, true) => 129,
            });
            [&[kind, 0, 0, 0, 1, 2, 0, 1][..], &bytes].concat()
        };
        let (ethertype, packet) = match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let protocol = if *udp { frame::UDP } else { 1 };
                let packet = frame::ipv4(source, destination, protocol, &inside);
                (frame::IPV4, packet)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let protocol = if *udp { frame::UDP } else { 58 };
                let packet = frame::ipv6(source, destination, protocol, &inside);
                (frame::IPV6, packet)
            }
            _ => unreachable!("both ends are of one family"),
        };
        if self.program.takes_network_packets() {
            (ethertype, packet)
        } else {
            (frame::IPV4, dressed(*connection, ethertype, &packet))
        }
    }

    /// The flows that stand in both tables, without times.
    fn standing(&mut self) -> (Vec<FlowRecord>, Vec<FlowRecord>) {
        let kernel = self.kernel.flows(0..ROOMY.flow_mask + 1);
        let kernel = kernel.iter().map(without_times).collect();
        let mut offline = Vec::new();
        let all = self.offline.read_flows(u32::MAX, &mut |record, _news| {
            offline.push(without_times(record));
            Taken::No
        });
        assert!(all, "that was not all");
        (kernel, offline)
    }

    /// Shows both one packet and compares what they made of it.
    fn show(&mut self, ethertype: u16, packet: &[u8]) -> Result<(), String> {
        let ethertype = self.program.ethertype(ethertype, packet);
        if !self.kernel.run(self.program, ethertype, packet) {
            return Ok(());
        }
        self.shown.packets += 1;
        self.now_ns += 1_000;
        let slice = Slice {
            bytes: packet,
            wire_length: packet.len() as u32,
            origin: self.program.origin(ethertype),
        };
        self.offline.packet(&slice, self.now_ns);
        let mut expected = Vec::new();
        let mut expected_flows = Vec::new();
        self.offline.drain_all(|item| {
            match item {
                Item::Piece(header, bytes) => expected.push(Record {
                    header: *header,
                    bytes: bytes.to_vec(),
                }),
                Item::Flow(record) => expected_flows.push(without_times(record)),
            }
            None
        });
        let records = self.kernel.records();
        let flows = self.kernel.sent_flows();
        let flows: Vec<_> = flows.iter().map(without_times).collect();
        if flows != expected_flows {
            return Err(format!(
                "the kernel sent the flows {flows:#?}, not {expected_flows:#?}"
            ));
        }
        let comparable = |records: &[Record]| -> Vec<Vec<u8>> {
            records.iter().map(Record::without_time).collect()
        };
        if comparable(&records) != comparable(&expected) {
            return Err(format!("the kernel gave {records:#?}, not {expected:#?}"));
        }
        let (counted, expected) = (self.kernel.counters(), self.offline.counters());
        if comparable_counters(counted) != comparable_counters(expected) {
            return Err(format!(
                "the kernel counted {counted:#?}, not {expected:#?}"
            ));
        }
        self.shown.records += records.len() as u64;
        for Record { header, .. } in &records {
            let sent = self
                .sent
                .entry((header.slot, header.generation))
                .or_default();
            sent[usize::from(header.side & 1)] = header.direction_record;
        }
        if let Some(record) = records.into_iter().next_back() {
            self.last = Some(record);
        }
        Ok(())
    }

    /// Lets the reader of both release the connection of the last record.
    fn release(&mut self, opaque: bool, wrong: bool) {
        let Some(Record { header, .. }) = &self.last else {
            return;
        };
        let sent = self.sent[&(header.slot, header.generation)];
        let slot = Slot {
            slot: header.slot,
            release: Release {
                generation: header.generation,
                records: sent[0].wrapping_add(sent[1]).wrapping_add(u32::from(wrong)),
                opaque,
            },
        };
        self.kernel.release(slot);
        self.offline.release(slot);
    }
}

/// The endpoints of a connection, by its dress. Those of network packets have the EtherType where a frame
/// has it, so that the kernel finds it there.
fn endpoints(connection: u16, sequence: u16) -> (SocketAddr, SocketAddr) {
    let port = 1_024 + sequence % 60_000;
    let (client, server): (IpAddr, IpAddr) = if connection.is_multiple_of(2) {
        ([8, 0, 0, connection as u8].into(), [8, 0, 1, 1].into())
    } else {
        (
            [0x2001, 0xdb8, 0x86dd, 0, 0, 0, 0, connection].into(),
            [0x2001, 0xdb8, 0x86dd, 0, 0, 0, 1, 1].into(),
        )
    };
    (SocketAddr::new(client, port), SocketAddr::new(server, 80))
}

/// Puts a packet into a frame: plainly, behind tags, or in a tunnel.
fn dressed(connection: u16, ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let outer = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    match connection {
        2 => frame::ethernet(frame::VLAN, &frame::vlan(7, ethertype, packet)),
        3 => {
            let inner = frame::vlan(9, ethertype, packet);
            frame::ethernet(0x88a8, &frame::vlan(8, frame::VLAN, &inner))
        }
        4 => {
            let inner = frame::vxlan(&frame::ethernet(ethertype, packet));
            let datagram = frame::udp([50_000, 4789], &inner);
            frame::ethernet(
                frame::IPV4,
                &frame::ipv4(outer.0, outer.1, frame::UDP, &datagram),
            )
        }
        _ => frame::ethernet(ethertype, packet),
    }
}

/// A flow without what no two runs have in common: times and CPUs. Whether a time is known at all is kept.
fn without_times(record: &FlowRecord) -> FlowRecord {
    FlowRecord {
        time_ns: 0,
        first_ns: 0,
        last_ns: 0,
        answer_us: record.answer_us.min(1),
        acknowledged_us: record.acknowledged_us.min(1),
        cpu: 0,
        cpus: [0, 0],
        ..*record
    }
}

/// The counts without the budgets, which depend on the clock.
fn comparable_counters(counters: Counters) -> String {
    let counters = Counters {
        budget_window: 0,
        budget_used: 0,
        ..counters
    };
    format!("{counters:?}")
}

/// Keeps this thread on one CPU: record numbers are counted per CPU.
fn pin_to_one_cpu() {
    // SAFETY: a set of CPUs is plain data, and 0 is a place in it.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
