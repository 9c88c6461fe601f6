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
    let flipped = flow.state & seen::FLIPPED != 0;
    let [out, back] = flow.cpus.map(u32::from);
    let cpu_id = if flipped || flow.packets[0] == 0 {
        back
    } else {
        out
    };
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
            reply_cpu_id: (flow.packets[1] > 0).then_some(back),
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
