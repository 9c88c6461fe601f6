//! From a flow as counted to a session as sinks take it.

use std::net::{IpAddr, Ipv6Addr};

use agent_common::counters::Protocol as Counted;
use agent_common::flow::{FlowRecord, seen};
use jiff::Timestamp;

use super::record::{Protocol, SessionDetails, SessionRecord};
use super::table::Due;

/// Calls `take` with the record. `begin_ns`: when the first packet was seen, in nanoseconds since the epoch;
/// `ifname`: the interface of its first packet, empty when unknown.
pub fn describe(
    flow: &FlowRecord,
    due: Due,
    ifname: &str,
    begin_ns: i64,
    take: impl FnOnce(&SessionRecord<'_>),
) {
    let history = flow.history();
    let (cpu_id, reply_cpu_id) = cpus(flow);
    let known = flow.answer_us > 0 && flow.acknowledged_us > 0;
    let rtt_us = u64::from(flow.answer_us) + u64::from(flow.acknowledged_us);
    let duration_ns = flow.last_ns.saturating_sub(flow.first_ns);
    let end_ns = begin_ns.saturating_add_unsigned(duration_ns);
    take(&SessionRecord {
        protocol: match u32::from(flow.protocol) {
            protocol if protocol == Counted::Udp as u32 => Protocol::Udp,
            protocol if protocol == Counted::Icmp as u32 => Protocol::Icmp,
            _ => Protocol::Tcp,
        },
        src_ip: address(flow.source),
        src_port: u16::from_be_bytes(flow.source_port_be),
        dst_ip: address(flow.destination),
        dst_port: u16::from_be_bytes(flow.destination_port_be),
        packets: sum(flow.packets),
        bytes: sum(flow.bytes),
        cpu_id,
        timestamp: timestamp(begin_ns),
        details: Some(SessionDetails {
            session_id: due.session,
            revision: due.revision,
            interim: due.interim,
            ended_at: timestamp(end_ns),
            duration_us: duration_ns / 1000,
            packets_out: flow.packets[0],
            packets_in: flow.packets[1],
            bytes_out: flow.bytes[0],
            bytes_in: flow.bytes[1],
            orig_bytes: flow.payload[0],
            resp_bytes: flow.payload[1],
            missed_bytes: sum(flow.missed),
            reply_cpu_id,
            conn_state: flow.conn_state(),
            history: history.as_str(),
            retransmits: sum(flow.retransmitted),
            rtt_us: known.then_some(rtt_us),
            http_requests: u64::from(due.requests),
            http_errors: u64::from(due.errors),
            ifname,
        }),
    });
}

/// The CPU of the first packet, and that of the reply, where there is one.
pub(super) fn cpus(flow: &FlowRecord) -> (u32, Option<u32>) {
    let flipped = flow.state & seen::FLIPPED != 0;
    let [out, back] = flow.cpus.map(u32::from);
    let first = if flipped || flow.packets[0] == 0 {
        back
    } else {
        out
    };
    (first, (flow.packets[1] > 0).then_some(back))
}

fn sum([first, second]: [u64; 2]) -> u64 {
    first.saturating_add(second)
}

fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

fn address(bytes: [u8; 16]) -> IpAddr {
    let address = Ipv6Addr::from(bytes);
    address
        .to_ipv4_mapped()
        .map_or(IpAddr::V6(address), IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::identifier::Identifier;

    fn due() -> Due {
        Due {
            session: Identifier::new(7, 9),
            revision: 3,
            interim: true,
            requests: 5,
            errors: 2,
        }
    }

    fn check(flow: FlowRecord, look: impl FnOnce(&SessionRecord<'_>, &SessionDetails<'_>)) {
        let mut looked = false;
        describe(&flow, due(), "eth0", 1_000_000_500, |record| {
            look(record, &record.details.unwrap());
            looked = true;
        });
        assert!(looked);
    }

    fn flow() -> FlowRecord {
        FlowRecord {
            first_ns: 7_000,
            last_ns: 2_007_999,
            packets: [3, 4],
            bytes: [30, 40],
            payload: [10, 20],
            missed: [1, 2],
            retransmitted: [3, 0],
            source: std::net::Ipv4Addr::new(192, 0, 2, 7)
                .to_ipv6_mapped()
                .octets(),
            destination: Ipv6Addr::LOCALHOST.octets(),
            source_port_be: 50_000_u16.to_be_bytes(),
            destination_port_be: 80_u16.to_be_bytes(),
            cpus: [1, 2],
            ..FlowRecord::default()
        }
    }

    #[test]
    fn what_was_counted_is_told() {
        check(flow(), |record, details| {
            assert_eq!(record.src_ip, IpAddr::from([192, 0, 2, 7]));
            assert_eq!(record.dst_ip, IpAddr::from(Ipv6Addr::LOCALHOST));
            assert_eq!([record.src_port, record.dst_port], [50_000, 80]);
            assert_eq!([record.packets, record.bytes], [7, 70]);
            assert_eq!(record.timestamp.as_nanosecond(), 1_000_000_500);
            assert_eq!(details.ended_at.as_nanosecond(), 1_002_001_499);
            assert_eq!(details.duration_us, 2000);
            assert_eq!([details.packets_out, details.packets_in], [3, 4]);
            assert_eq!([details.bytes_out, details.bytes_in], [30, 40]);
            assert_eq!([details.orig_bytes, details.resp_bytes], [10, 20]);
            assert_eq!([details.missed_bytes, details.retransmits], [3, 3]);
            assert_eq!([details.http_requests, details.http_errors], [5, 2]);
            assert_eq!((details.session_id, details.revision), (due().session, 3));
            assert_eq!((details.interim, details.ifname), (true, "eth0"));
        });
    }

    #[test]
    fn cpus_are_those_of_the_first_packet_and_of_the_reply() {
        let check_cpus = |packets, state, expected: (u32, Option<u32>)| {
            let flow = FlowRecord {
                packets,
                state,
                ..flow()
            };
            check(flow, |record, details| {
                assert_eq!((record.cpu_id, details.reply_cpu_id), expected);
            });
        };
        check_cpus([3, 4], 0, (1, Some(2)));
        check_cpus([3, 0], 0, (1, None));
        // The answer was the first packet.
        check_cpus([3, 4], seen::FLIPPED, (2, Some(2)));
        check_cpus([0, 4], seen::FLIPPED, (2, Some(2)));
    }

    #[test]
    fn the_handshake_is_timed_where_all_of_it_was_seen() {
        for (answer_us, acknowledged_us, expected) in
            [(0, 0, None), (5, 0, None), (0, 5, None), (5, 7, Some(12))]
        {
            let flow = FlowRecord {
                answer_us,
                acknowledged_us,
                ..flow()
            };
            check(flow, |_, details| assert_eq!(details.rtt_us, expected));
        }
    }

    #[test]
    fn protocols_have_their_names() {
        for (protocol, expected) in [
            (Counted::Tcp, Protocol::Tcp),
            (Counted::Udp, Protocol::Udp),
            (Counted::Icmp, Protocol::Icmp),
        ] {
            let flow = FlowRecord {
                protocol: protocol as u8,
                ..flow()
            };
            check(flow, |record, _| assert_eq!(record.protocol, expected));
        }
    }

    #[test]
    fn no_time_makes_it_panic() {
        for (first_ns, last_ns) in [(0, u64::MAX), (u64::MAX, 0)] {
            for begin_ns in [i64::MIN, i64::MAX] {
                let flow = FlowRecord {
                    first_ns,
                    last_ns,
                    packets: [u64::MAX; 2],
                    ..flow()
                };
                describe(&flow, due(), "", begin_ns, |record| {
                    assert_eq!(record.packets, u64::MAX);
                });
            }
        }
    }
}
