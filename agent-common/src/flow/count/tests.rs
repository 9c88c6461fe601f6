//! Packets in, flows out: each state and each letter, the counts, what leaves and when.

extern crate std;

use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::*;
use crate::classify::tcp;
use crate::flow::{FlowRecord, HISTORY_MAX, known_word, slot_of};
use crate::frame::{self, IPV4, IPV6, TCP, UDP};
use crate::packet::Link;
use crate::settings::filter;
use crate::testing::{Kernel, Memory};

mod account;
mod streams;

const SYN: u8 = tcp::SYN;
const ACK: u8 = tcp::ACK;
const FIN: u8 = tcp::FIN;
const RST: u8 = tcp::RST;

const CLIENT: usize = 0;
const SERVER: usize = 1;

/// The first sequence numbers: they wrap soon.
const FIRST: [u32; 2] = [0xffff_fff0, 0x1234_5678];

/// One TCP segment, in words of the test.
#[derive(Clone, Copy, Debug)]
struct Segment {
    side: usize,
    flags: u8,
    /// Offset in the stream of the first payload byte; the SYN stands at -1.
    at: i64,
    length: usize,
    /// Offset in the other stream that is acknowledged.
    acks: i64,
    window: u16,
}

/// A segment in order: `at` and `acks` are stream offsets.
fn seg(side: usize, flags: u8, at: i64, length: usize, acks: i64) -> Segment {
    Segment {
        side,
        flags,
        at,
        length,
        acks,
        window: 100,
    }
}

/// The segments of a handshake.
fn handshake() -> Vec<Segment> {
    vec![
        seg(CLIENT, SYN, -1, 0, 0),
        seg(SERVER, SYN | ACK, -1, 0, 0),
        seg(CLIENT, ACK, 0, 0, 0),
    ]
}

/// A handshake, a request of 10 bytes and its answer of 20.
fn exchange() -> Vec<Segment> {
    let mut segments = handshake();
    segments.extend([
        seg(CLIENT, ACK, 0, 10, 0),
        seg(SERVER, ACK, 0, 0, 10),
        seg(SERVER, ACK, 0, 20, 10),
        seg(CLIENT, ACK, 10, 0, 20),
    ]);
    segments
}

fn with(mut segments: Vec<Segment>, more: &[Segment]) -> Vec<Segment> {
    segments.extend(more);
    segments
}

fn wire(segment: &Segment) -> Vec<u8> {
    let number = |side: usize, at: i64| FIRST[side].wrapping_add(at as u32);
    let mut ports = [40_000, 80];
    let mut hosts = [[10, 0, 0, 9], [10, 0, 0, 1]];
    if segment.side == SERVER {
        ports.reverse();
        hosts.reverse();
    }
    let payload = vec![b'.'; segment.length];
    let sequence = number(segment.side, segment.at);
    let mut bytes = frame::tcp(ports, sequence, segment.flags, &[], &payload);
    bytes[8..12].copy_from_slice(&number(1 - segment.side, segment.acks).to_be_bytes());
    bytes[14..16].copy_from_slice(&segment.window.to_be_bytes());
    let packet = frame::ipv4(hosts[0].into(), hosts[1].into(), TCP, &bytes);
    frame::ethernet(IPV4, &packet)
}

fn show(kernel: &mut Kernel, bytes: &[u8]) {
    kernel.packet(&Memory::new(Link::Ethernet, bytes));
}

/// All flows that stand in the table.
fn standing(kernel: &Kernel) -> Vec<FlowRecord> {
    let mut records = Vec::new();
    for slot in 0..(kernel.flows.len() * FLOW_WAYS) as u32 {
        records.extend(kernel.flow(slot).read(slot, kernel.settings.tick_ns));
    }
    records
}

/// The only flow that stands in the table.
#[track_caller]
fn only(kernel: &Kernel) -> FlowRecord {
    let standing = standing(kernel);
    assert_eq!(standing.len(), 1, "{standing:#?}");
    standing[0]
}

/// Shows segments, a tick apart, and checks what Zeek would say. Gives the flow.
#[track_caller]
fn check(name: &str, segments: &[Segment], state: &str, history: &str) -> FlowRecord {
    let mut kernel = Kernel::new(1);
    for segment in segments {
        kernel.ticks.set(kernel.ticks.get() + 1);
        show(&mut kernel, &wire(segment));
    }
    let flow = only(&kernel);
    assert_eq!(flow.history().as_str(), history, "{name}: history");
    assert_eq!(flow.conn_state(), state, "{name}: state");
    // The account of the opener's packets, whatever happened to the stream.
    let opened_by = if segments[0].flags & (SYN | ACK) == SYN | ACK {
        1 - segments[0].side
    } else {
        segments[0].side
    };
    let packets = |side| {
        segments
            .iter()
            .filter(|segment| segment.side == side)
            .count() as u64
    };
    assert_eq!(
        flow.packets,
        [packets(opened_by), packets(1 - opened_by)],
        "{name}"
    );
    let bytes = |side| -> u64 {
        segments
            .iter()
            .filter(|segment| segment.side == side)
            .map(|segment| 40 + segment.length as u64)
            .sum()
    };
    assert_eq!(
        flow.bytes,
        [bytes(opened_by), bytes(1 - opened_by)],
        "{name}"
    );
    let sent = kernel.flow_records.take();
    let ended = flow.state & seen::ENDED != 0;
    assert_eq!(sent.len(), usize::from(ended), "{name}: {sent:#?}");
    if let Some(sent) = sent.first() {
        assert_eq!(sent.why, why::ENDED, "{name}");
        assert_eq!((sent.slot, sent.generation), (flow.slot, flow.generation));
    }
    flow
}

#[test]
fn every_state_has_its_name() {
    let client_fin = seg(CLIENT, FIN | ACK, 10, 0, 20);
    let server_fin = seg(SERVER, FIN | ACK, 20, 0, 11);
    let last_ack = seg(CLIENT, ACK, 11, 0, 21);
    check("S0", &[seg(CLIENT, SYN, -1, 0, 0)], "S0", "S");
    check(
        "S0, sent again",
        &[seg(CLIENT, SYN, -1, 0, 0), seg(CLIENT, SYN, -1, 0, 0)],
        "S0",
        "S",
    );
    check("S1", &handshake(), "S1", "ShA");
    check("S1, answered alone", &handshake()[..2], "S1", "Sh");
    check("S1 with data", &exchange(), "S1", "ShADad");
    let flow = check(
        "SF",
        &with(exchange(), &[client_fin, server_fin, last_ack]),
        "SF",
        "ShADadFf",
    );
    assert_eq!(flow.payload, [10, 20]);
    check(
        "SF, the server first",
        &with(
            exchange(),
            &[
                seg(SERVER, FIN | ACK, 20, 0, 10),
                seg(CLIENT, FIN | ACK, 10, 0, 21),
                seg(SERVER, ACK, 21, 0, 11),
            ],
        ),
        "SF",
        "ShADadfF",
    );
    check(
        "SF, last data with the FIN",
        &with(
            handshake(),
            &[
                seg(CLIENT, FIN | ACK, 0, 10, 0),
                seg(SERVER, FIN | ACK, 0, 20, 11),
                seg(CLIENT, ACK, 11, 0, 21),
            ],
        ),
        "SF",
        "ShADFdf",
    );
    check(
        "SF, reset behind both FINs",
        &with(
            exchange(),
            &[client_fin, server_fin, last_ack, seg(CLIENT, RST, 11, 0, 0)],
        ),
        "SF",
        "ShADadFfR",
    );
    check("S2", &with(exchange(), &[client_fin]), "S2", "ShADadF");
    check(
        "S3",
        &with(exchange(), &[seg(SERVER, FIN | ACK, 20, 0, 10)]),
        "S3",
        "ShADadf",
    );
    check(
        "REJ",
        &[
            seg(CLIENT, SYN, -1, 0, 0),
            seg(SERVER, RST | ACK, -0x1234_5678, 0, 0),
        ],
        "REJ",
        "Sr",
    );
    check(
        "RSTO",
        &with(exchange(), &[seg(CLIENT, RST | ACK, 10, 0, 20)]),
        "RSTO",
        "ShADadR",
    );
    check(
        "RSTR",
        &with(exchange(), &[seg(SERVER, RST, 20, 0, 0)]),
        "RSTR",
        "ShADadr",
    );
    check(
        "RSTR after a FIN",
        &with(exchange(), &[client_fin, seg(SERVER, RST, 20, 0, 0)]),
        "RSTR",
        "ShADadFr",
    );
    check(
        "RSTOS0",
        &[seg(CLIENT, SYN, -1, 0, 0), seg(CLIENT, RST, 0, 0, 0)],
        "RSTOS0",
        "SR",
    );
    check(
        "RSTRH",
        &[seg(SERVER, SYN | ACK, -1, 0, 0), seg(SERVER, RST, 0, 0, 0)],
        "RSTRH",
        "^hr",
    );
    check(
        "SH",
        &[seg(CLIENT, SYN, -1, 0, 0), seg(CLIENT, FIN, 0, 0, 0)],
        "SH",
        "SF",
    );
    check(
        "SHR",
        &[
            seg(SERVER, SYN | ACK, -1, 0, 0),
            seg(SERVER, FIN | ACK, 0, 0, 0),
        ],
        "SHR",
        "^hf",
    );
    check(
        "OTH",
        &[seg(CLIENT, ACK, 0, 10, 0), seg(SERVER, ACK, 0, 20, 10)],
        "OTH",
        "Dd",
    );
}

#[test]
fn letters_come_once_or_by_tens() {
    let again = seg(CLIENT, ACK, 0, 10, 20);
    let flow = check("again", &with(exchange(), &[again; 11]), "S1", "ShADadTT");
    assert_eq!(flow.retransmitted, [11, 0]);
    let closed = Segment {
        window: 0,
        ..seg(SERVER, ACK, 20, 0, 10)
    };
    let flow = check("closed", &with(exchange(), &[closed; 10]), "S1", "ShADadww");
    assert_eq!(flow.events, [0, 10 << 32]);
    // A SYN elsewhere, on a connection that is not open yet, is another SYN.
    check(
        "another SYN",
        &[seg(CLIENT, SYN, -1, 0, 0), seg(CLIENT, SYN, 99, 0, 0)],
        "S0",
        "SS",
    );
    check(
        "odd flags",
        &[
            seg(CLIENT, SYN | FIN, -1, 0, 0),
            seg(CLIENT, SYN | FIN, -1, 0, 0),
            seg(SERVER, FIN | RST, 0, 0, 0),
        ],
        "RSTR",
        "QSFir",
    );
    // More letters than are kept.
    let many: Vec<_> = (0..30)
        .map(|number| seg(CLIENT, SYN, number * 100, 0, 0))
        .collect();
    let flow = check("many", &many, "S0", &"S".repeat(HISTORY_MAX));
    assert_eq!(flow.history_length, 30);
}

#[test]
fn the_answer_first_turns_source_and_destination() {
    let flow = check(
        "answer first",
        &with(vec![], &exchange()[1..]),
        "OTH",
        "^hADad",
    );
    assert_eq!(flow.source[12..], [10, 0, 0, 9]);
    assert_eq!(flow.destination[12..], [10, 0, 0, 1]);
    assert_eq!(flow.source_port_be, 40_000_u16.to_be_bytes());
    assert_eq!(flow.destination_port_be, 80_u16.to_be_bytes());
    assert_eq!(flow.payload, [10, 20]);
}

#[test]
fn the_handshake_is_timed_where_it_is_sure() {
    // A tick of 4 ms apart.
    let flow = check("timed", &handshake(), "S1", "ShA");
    assert_eq!((flow.answer_us, flow.acknowledged_us), (4_000, 4_000));
    // Acknowledged by data alone.
    let mut segments = handshake();
    segments[2].length = 10;
    let flow = check("by data", &segments, "S1", "ShD");
    assert_eq!((flow.answer_us, flow.acknowledged_us), (4_000, 4_000));
    let mut segments = handshake();
    segments.insert(1, segments[0]);
    let flow = check("SYN again", &segments, "S1", "ShA");
    assert_eq!((flow.answer_us, flow.acknowledged_us), (0, 0));
    assert_eq!(flow.retransmitted, [1, 0]);
    let mut segments = handshake();
    segments.insert(2, segments[1]);
    let flow = check("answer again", &segments, "S1", "ShA");
    assert_eq!((flow.answer_us, flow.acknowledged_us), (0, 0));
}

#[test]
fn times_are_of_the_first_and_the_last_packet() {
    let mut kernel = Kernel::new(1);
    for (tick, segment) in exchange().iter().enumerate() {
        kernel.ticks.set(1_000 + 100 * tick as u64);
        show(&mut kernel, &wire(segment));
    }
    let flow = only(&kernel);
    assert_eq!(flow.first_ns, 1_000 * 4_000_000);
    assert_eq!(flow.last_ns, 1_600 * 4_000_000);
}

#[test]
fn a_sequence_number_of_nowhere_moves_nothing() {
    let far = 1 << 28;
    let flow = check(
        "far data",
        &with(
            exchange(),
            &[
                seg(CLIENT, 0, far, 10, 0),
                seg(CLIENT, RST, far, 0, 0),
                seg(CLIENT, ACK, 10, 10, 20),
            ],
        ),
        "S1",
        "ShADad",
    );
    assert_eq!((flow.payload, flow.missed), ([20, 20], [0, 0]));
    // It acknowledges what was sent: the connection has gone on unseen.
    let flow = check(
        "unseen",
        &with(exchange(), &[seg(CLIENT, ACK, far, 10, 20)]),
        "S1",
        "ShADadG",
    );
    assert_eq!(flow.payload, [far as u64 + 10, 20]);
    assert_eq!(flow.missed, [far as u64 - 10, 0]);
}

/// Shows a datagram.
fn datagram(kernel: &mut Kernel, from: u8, to: u8, ports: [u16; 2], length: usize) {
    let inside = frame::udp(ports, &vec![0; length]);
    let packet = frame::ipv4([10, 0, 0, from].into(), [10, 0, 0, to].into(), UDP, &inside);
    show(kernel, &frame::ethernet(IPV4, &packet));
}

#[test]
fn datagrams_are_counted_both_ways() {
    let mut kernel = Kernel::new(1);
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    assert_eq!(only(&kernel).conn_state(), "S0");
    datagram(&mut kernel, 1, 9, [53, 5_000], 100);
    datagram(&mut kernel, 1, 9, [53, 5_000], 0);
    let flow = only(&kernel);
    assert_eq!(flow.conn_state(), "SF");
    assert_eq!(flow.history().as_str(), "Dd");
    assert_eq!((flow.packets, flow.bytes), ([1, 2], [58, 156]));
    assert_eq!(flow.payload, [30, 100]);
    assert_eq!(u32::from(flow.protocol), Protocol::Udp as u32);
    assert_eq!(flow.source_port_be, 5_000_u16.to_be_bytes());
    // The same ports of TCP are another flow.
    let tcp = frame::tcp([5_000, 53], 1, ACK, &[], b"x");
    let packet = frame::ipv4([10, 0, 0, 9].into(), [10, 0, 0, 1].into(), TCP, &tcp);
    show(&mut kernel, &frame::ethernet(IPV4, &packet));
    assert_eq!(standing(&kernel).len(), 2);
}

/// An ICMP message of both families: type, code, identifier and 6 bytes more.
fn message(six: bool, from: u8, to: u8, kind: u8, code: u8, identifier: u16) -> Vec<u8> {
    let [high, low] = identifier.to_be_bytes();
    let inside = [kind, code, 0, 0, high, low, 0, 1, 1, 2, 3, 4, 5, 6];
    if six {
        let address = |last: u8| [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)].into();
        frame::ethernet(IPV6, &frame::ipv6(address(from), address(to), 58, &inside))
    } else {
        let packet = frame::ipv4([10, 0, 0, from].into(), [10, 0, 0, to].into(), 1, &inside);
        frame::ethernet(IPV4, &packet)
    }
}

#[test]
fn a_question_and_its_answer_are_one_flow() {
    for (six, asks, answers) in [
        (false, 8, 0),
        (true, 128, 129),
        (false, 13, 14),
        (false, 17, 18),
    ] {
        for (from, to) in [(9, 1), (1, 9), (1, 1)] {
            let mut kernel = Kernel::new(4);
            show(&mut kernel, &message(six, from, to, asks, 0, 7));
            show(&mut kernel, &message(six, to, from, answers, 0, 7));
            let flow = only(&kernel);
            let what = format!("type {asks} from {from} to {to}");
            assert_eq!(flow.packets, [1, 1], "{what}");
            assert_eq!(flow.payload, [6, 6], "{what}");
            assert_eq!(flow.source_port_be, [0, asks], "{what}");
            assert_eq!(flow.destination_port_be, [0, 0], "{what}");
            assert_eq!(flow.source[15], from, "{what}");
            assert_eq!(flow.conn_state(), "OTH");
            assert_eq!(flow.history().as_str(), "");
            // Another identifier is another flow.
            show(&mut kernel, &message(six, from, to, asks, 0, 8));
            assert_eq!(standing(&kernel).len(), 2, "{what}");
        }
    }
}

#[test]
fn other_messages_are_flows_by_type_and_code() {
    let mut kernel = Kernel::new(4);
    // Unreachable: what stands where a question has its identifier is no part of the name.
    show(&mut kernel, &message(false, 9, 1, 3, 1, 7));
    show(&mut kernel, &message(false, 9, 1, 3, 1, 8));
    let flow = only(&kernel);
    assert_eq!(flow.packets, [2, 0]);
    assert_eq!(
        (flow.source_port_be, flow.destination_port_be),
        ([0, 3], [0, 1])
    );
    show(&mut kernel, &message(false, 9, 1, 3, 3, 7));
    show(&mut kernel, &message(true, 9, 1, 135, 0, 7));
    assert_eq!(standing(&kernel).len(), 3);
}

#[test]
fn super_packets_count_their_segments() {
    let mut kernel = Kernel::new(1);
    for segment in handshake() {
        show(&mut kernel, &wire(&segment));
    }
    for _ in 0..2 {
        let bytes = wire(&seg(CLIENT, ACK, 0, 4_000, 0));
        let mut packet = Memory::new(Link::Ethernet, &bytes);
        packet.origin.segments = 3;
        kernel.packet(&packet);
    }
    let flow = only(&kernel);
    assert_eq!(flow.packets, [2 + 6, 1]);
    assert_eq!(flow.bytes, [2 * 40 + 2 * (4_040 + 2 * 40), 40]);
    assert_eq!((flow.payload[0], flow.retransmitted[0]), (4_000, 3));
    assert_eq!(flow.history().as_str(), "ShADT");
}

#[test]
fn tags_and_padding_change_no_count() {
    let mut kernel = Kernel::new(1);
    let plain = wire(&seg(CLIENT, ACK, 0, 3, 0));
    let tagged = frame::ethernet(frame::VLAN, &frame::vlan(7, IPV4, &plain[14..]));
    let padded = [plain.as_slice(), &[0; 9]].concat();
    for bytes in [&plain, &tagged, &padded] {
        show(&mut kernel, bytes);
    }
    let flow = only(&kernel);
    assert_eq!((flow.packets, flow.bytes), ([3, 0], [129, 0]));
    assert_eq!((flow.payload, flow.retransmitted), ([3, 0], [2, 0]));
}

#[test]
fn a_first_fragment_counts_and_the_others_are_ignored() {
    let mut kernel = Kernel::new(1);
    let mut first = frame::ethernet(
        IPV4,
        &frame::ipv4(
            [10, 0, 0, 9].into(),
            [10, 0, 0, 1].into(),
            UDP,
            &frame::udp([5_000, 53], &[0; 32]),
        ),
    );
    first[14 + 6] = 0x20;
    show(&mut kernel, &first);
    first[14 + 6] = 0;
    first[14 + 7] = 5;
    show(&mut kernel, &first);
    let flow = only(&kernel);
    assert_eq!((flow.packets, flow.payload), ([1, 0], [32, 0]));
}

#[test]
fn records_of_heads_name_the_flow() {
    let mut kernel = Kernel::new(8);
    let mut bytes = wire(&seg(CLIENT, ACK, 0, 18, 0));
    bytes[54..].copy_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    let records = kernel.packet(&Memory::new(Link::Ethernet, &bytes));
    let flow = only(&kernel);
    let name = records[0].0.flow;
    assert_eq!(name, flow_name(flow.slot, flow.generation));
    assert_eq!(slot_of(name), Some(flow.slot));
    // Switched off there are none.
    kernel.settings.flows = 0;
    kernel.ticks.set(1 << 20);
    let records = kernel.packet(&Memory::new(Link::Ethernet, &bytes));
    assert_eq!(records.first().map(|record| record.0.flow), None);
    assert_eq!(only(&kernel), flow);
    assert_eq!(slot_of(0), None);
}

#[test]
fn what_is_filtered_is_in_no_flow() {
    let mut kernel = Kernel::new(1);
    kernel.settings.filters = filter::PORTS;
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    assert_eq!(standing(&kernel), []);
    datagram(&mut kernel, 9, 1, [5_000, 80], 30);
    assert_eq!(standing(&kernel).len(), 1);
}

#[test]
fn the_cpu_of_each_direction_is_that_of_its_first_packet() {
    let flow = check("cpu", &handshake(), "S1", "ShA");
    assert_eq!((flow.cpus, flow.ifindex), ([5, 5], 3));
}

/// What left, in words: why, and packets.
fn left(kernel: &Kernel) -> Vec<String> {
    let words = |record: FlowRecord| {
        let [out, back] = record.packets;
        format!("{} {out}+{back}", record.why)
    };
    kernel.flow_records.take().into_iter().map(words).collect()
}

#[test]
fn a_flow_that_was_idle_leaves_when_the_next_packet_comes() {
    let mut kernel = Kernel::new(1);
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    let limit = u64::from(kernel.settings.flow_idle[1]);
    kernel.ticks.set(kernel.ticks.get() + limit);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    assert_eq!(left(&kernel), [""; 0]);
    let before = only(&kernel);
    kernel.ticks.set(kernel.ticks.get() + limit + 1);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    assert_eq!(left(&kernel), ["2 1+2"]);
    let after = only(&kernel);
    assert_eq!(after.slot, before.slot);
    assert_eq!(after.generation, before.generation + 1);
    // The other side has opened this one.
    assert_eq!((after.packets, after.source_port_be), ([1, 0], [0, 53]));
    // What the reader has is not sent again.
    kernel.flows_known[after.slot as usize].set(known_word(after.generation, 1, true));
    kernel.ticks.set(kernel.ticks.get() + limit + 1);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    assert_eq!(left(&kernel), [""; 0]);
    assert_eq!(only(&kernel).generation, after.generation + 1);
    assert_eq!(kernel.counters().flows, 3);
    assert_eq!(kernel.counters().flows_evicted, 0);
}

#[test]
fn what_comes_behind_the_end_is_counted_to_it() {
    let mut kernel = Kernel::new(1);
    let reset = seg(SERVER, RST, 20, 0, 0);
    for segment in with(exchange(), &[reset]) {
        show(&mut kernel, &wire(&segment));
    }
    assert_eq!(left(&kernel), ["1 4+4"]);
    assert!(!kernel.flow(only(&kernel).slot).has_news());
    // Late, and again.
    show(&mut kernel, &wire(&seg(CLIENT, ACK, 10, 0, 20)));
    show(&mut kernel, &wire(&reset));
    assert!(kernel.flow(only(&kernel).slot).has_news());
    assert_eq!(left(&kernel), [""; 0]);
    // The ports are used anew.
    show(&mut kernel, &wire(&seg(CLIENT, SYN, 5_000, 0, 0)));
    assert_eq!(left(&kernel), ["2 5+5"]);
    assert_eq!(only(&kernel).packets, [1, 0]);
    // Without anything late it is sent once.
    show(&mut kernel, &wire(&seg(SERVER, RST | ACK, 0, 0, 5_001)));
    assert_eq!(left(&kernel), ["1 1+1"]);
    show(&mut kernel, &wire(&seg(CLIENT, SYN, 9_000, 0, 0)));
    assert_eq!(left(&kernel), [""; 0]);
}

#[test]
fn a_full_ring_leaves_an_ended_flow_for_the_reader_to_find() {
    let mut kernel = Kernel::new(1);
    kernel.ring_is_full.set(true);
    for segment in with(exchange(), &[seg(SERVER, RST, 20, 0, 0)]) {
        show(&mut kernel, &wire(&segment));
    }
    let flow = only(&kernel);
    assert!(kernel.flow(flow.slot).has_news());
    assert_eq!(kernel.counters().packets_left_out, 0);
    // With the place the packets go, and are counted.
    show(&mut kernel, &wire(&seg(CLIENT, SYN, 5_000, 0, 0)));
    assert_eq!(kernel.counters().packets_left_out, 8);
    assert_eq!(kernel.counters().flows_left_out, 1);
}

#[test]
fn a_flood_drives_itself_out() {
    let mut kernel = Kernel::new(1);
    for segment in exchange() {
        show(&mut kernel, &wire(&segment));
    }
    for port in 0..100 {
        kernel.ticks.set(kernel.ticks.get() + 1);
        datagram(&mut kernel, 9, 1, [5_000 + port, 53], 30);
    }
    let standing = standing(&kernel);
    assert_eq!(standing.len(), FLOW_WAYS);
    assert!(standing.iter().any(|flow| flow.packets == [4, 3]));
    let evicted = 101 - FLOW_WAYS;
    assert_eq!(left(&kernel).len(), evicted);
    assert_eq!(kernel.counters().flows_evicted, evicted as u64);
}

#[test]
fn who_is_slower_counts_its_packet() {
    let mut kernel = Kernel::new(1);
    kernel.slower.set(true);
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    assert_eq!(standing(&kernel), []);
    assert_eq!(kernel.counters().packets_left_out, 1);
}
