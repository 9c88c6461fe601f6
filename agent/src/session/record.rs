//! One record a session, as sinks store it and the API shows it.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::identifier::Identifier;

/// A TCP connection, UDP flow or ICMP flow, whole or so far.
///
/// The source opened it. Counts are of packets as on the wire (a super-packet counts its segments);
/// bytes are IP lengths unless a field says payload.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SessionRecord<'a> {
    /// The transport protocol; ICMPv6 is ICMP.
    pub protocol: Protocol,
    /// Who opened it.
    pub src_ip: IpAddr,
    /// The port; of ICMP the type of the first packet.
    pub src_port: u16,
    /// The other side.
    pub dst_ip: IpAddr,
    /// The port; of ICMP the code of the first packet.
    pub dst_port: u16,
    /// Packets in both directions.
    pub packets: u64,
    /// Bytes in both directions.
    pub bytes: u64,
    /// The CPU that carried the first packet.
    pub cpu_id: u32,
    /// When the first packet was seen.
    pub timestamp: Timestamp,
    /// What else is known; records of other programs have the fields above alone.
    #[serde(flatten)]
    pub details: Option<SessionDetails<'a>>,
}

/// What a record of Tapline's own says beyond the fields that every program knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SessionDetails<'a> {
    /// Names the session.
    pub session_id: Identifier,
    /// Counts the records of this session, from 1: a later one takes the place of the earlier.
    pub revision: u32,
    /// The session goes on: a record with a larger revision follows.
    #[serde(skip_serializing_if = "is_false")]
    pub interim: bool,
    /// When the last packet was seen.
    pub ended_at: Timestamp,
    /// Microseconds from the first to the last packet.
    pub duration_us: u64,
    /// Packets from the source.
    pub packets_out: u64,
    /// Packets to the source.
    pub packets_in: u64,
    /// Bytes from the source.
    pub bytes_out: u64,
    /// Bytes to the source.
    pub bytes_in: u64,
    /// Payload bytes from the source.
    pub orig_bytes: u64,
    /// Payload bytes to the source.
    pub resp_bytes: u64,
    /// Payload bytes that were not seen although the sequence numbers say that they were sent. What was seen
    /// and lost behind that, in the ring or to a budget, is not among them: the account has it.
    pub missed_bytes: u64,
    /// The CPU that carried the first packet to the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_cpu_id: Option<u32>,
    /// How it began and ended, in Zeek's words: S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH,
    /// SHR, OTH.
    pub conn_state: &'a str,
    /// What happened in order, in Zeek's letters.
    pub history: &'a str,
    /// Segments seen before.
    pub retransmits: u64,
    /// Microseconds from SYN to the acknowledgement of the answer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
    /// Requests in it, of those that were read: the kernel side counts packets and not requests, so what the ring
    /// had no room for is not among them, and nothing here tells that it is missing.
    pub http_requests: u64,
    /// Responses in it with a status of 400 or more, counted as requests are.
    pub http_errors: u64,
    /// The interface; empty when unknown.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub ifname: &'a str,
}

/// A transport protocol of sessions.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
pub enum Protocol {
    /// TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// ICMP and ICMPv6.
    #[serde(rename = "ICMP")]
    Icmp,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Icmp];

    /// The name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Icmp => "ICMP",
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}
