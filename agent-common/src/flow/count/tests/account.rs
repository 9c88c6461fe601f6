//! The account: packets seen are in flows, ignored, or counted as left out.

use std::collections::HashMap;

use proptest::prelude::*;

use super::datagrams::message;
use super::*;
use crate::counters::Ignored;

/// A packet of one of a few flows.
#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    host: u8,
    from_server: bool,
    flags: u8,
    at: i64,
    length: usize,
    segments: u32,
    ticks: u64,
    ring_is_full: bool,
    /// The reader walks through the table.
    walks: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        4 => Just(ACK),
        2 => Just(SYN),
        1 => Just(SYN | ACK),
        1 => Just(FIN | ACK),
        1 => Just(RST),
        1 => any::<u8>(),
    ];
    let ticks = prop_oneof![8 => 0..10_u64, 1 => 10_000..100_000_u64];
    (
        (0..6_u8, 0..12_u8, any::<bool>(), flags),
        (0..200_i64, 0..50_usize, 1..4_u32, ticks),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(who, what, ring_is_full, walks)| {
            let (kind, host, from_server, flags) = who;
            let (at, length, segments, ticks) = what;
            Step {
                kind,
                host,
                from_server,
                flags,
                at,
                length,
                segments,
                ticks,
                ring_is_full,
                walks,
            }
        })
}

fn bytes_of(step: &Step) -> Vec<u8> {
    let (mut from, mut to) = (10 + step.host, 1);
    let mut ports = [40_000, 80];
    if step.from_server {
        (from, to) = (to, from);
        ports.reverse();
    }
    let packet = |protocol: u8, inside: &[u8]| {
        let (from, to) = ([10, 0, 0, from].into(), [10, 0, 0, to].into());
        frame::ethernet(IPV4, &frame::ipv4(from, to, protocol, inside))
    };
    match step.kind {
        0 => packet(UDP, &frame::udp(ports, &vec![0; step.length])),
        1 => message(false, from, to, if step.from_server { 0 } else { 8 }, 0, 7),
        // Not TCP, UDP or ICMP; and no IP at all.
        2 if step.host == 0 => packet(132, &[0; 20]),
        2 if step.host == 1 => frame::ethernet(0x0806, &[0; 28]),
        _ => {
            let payload = vec![b'.'; step.length];
            let sequence = FIRST[0].wrapping_add(step.at as u32);
            let flags = step.flags & 0x3f;
            packet(TCP, &frame::tcp(ports, sequence, flags, &[], &payload))
        }
    }
}

/// A reader for which the later record of a flow takes the place of the earlier.
#[derive(Debug, Default)]
struct Sessions(HashMap<(u32, u32), [u64; 2]>);

impl Sessions {
    fn take(&mut self, record: &FlowRecord) -> u64 {
        let packets = record.packets[0] + record.packets[1];
        let bytes = record.bytes[0] + record.bytes[1];
        let before = self
            .0
            .insert((record.slot, record.generation), [packets, bytes]);
        assert!(before.unwrap_or_default()[0] <= packets, "{record:#?}");
        packets
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_packet_is_somewhere(steps in prop::collection::vec(step(), 1..200)) {
        let mut kernel = Kernel::new(1);
        let mut sessions = Sessions::default();
        let mut shown = 0;
        for step in &steps {
            kernel.ticks.set(kernel.ticks.get() + step.ticks);
            kernel.ring_is_full.set(step.ring_is_full);
            let bytes = bytes_of(step);
            let mut packet = Memory::new(Link::Ethernet, &bytes);
            packet.origin.segments = step.segments;
            kernel.packet(&packet);
            shown += u64::from(step.segments);
            for record in kernel.flow_records.take() {
                sessions.take(&record);
            }
            if step.walks {
                for record in standing(&kernel) {
                    let packets = sessions.take(&record);
                    // Some as final: an end, or what was idle for so long that it cannot go on.
                    let now_ns = kernel.ticks.get() * 4_000_000;
                    let idle = (now_ns - record.last_ns) / 4_000_000;
                    let limit = kernel.settings.flow_idle[usize::from(record.protocol)];
                    let over = record.state & seen::ENDED != 0 || idle > u64::from(limit);
                    let word = known_word(record.generation, packets, over);
                    kernel.flows_known[record.slot as usize].set(word);
                }
            }
        }
        // At the end the table is read.
        for record in standing(&kernel) {
            sessions.take(&record);
        }
        let counters = kernel.counters();
        let in_sessions = |word: usize| -> u64 {
            sessions.0.values().map(|counts| counts[word]).sum()
        };
        // The reasons behind are about what packets carry, and such packets are in flows.
        let ignored: u64 = counters.ignored[..=Ignored::Protocol as usize].iter().sum();
        let seen: u64 = counters.packets.as_flattened().iter().sum();
        prop_assert_eq!(seen, shown);
        prop_assert_eq!(seen, in_sessions(0) + ignored + counters.packets_left_out);
        if counters.packets_left_out == 0 {
            let others = Protocol::Other as usize;
            let bytes: u64 = counters.bytes.iter().flat_map(|bytes| &bytes[..others]).sum();
            prop_assert_eq!(bytes, in_sessions(1));
        }
    }
}
