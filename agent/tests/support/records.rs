//! Records to store and to send.

use jiff::Timestamp;
use tapline::session::identifier::Identifier;
use tapline::session::record::{Protocol, SessionDetails, SessionRecord};

/// A session that is over, which can be told from others by its identifier and its packets.
pub(crate) fn session(number: u64, time: Timestamp) -> SessionRecord<'static> {
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: "192.0.2.1".parse().unwrap(),
        src_port: 1,
        dst_ip: "2001:db8::2".parse().unwrap(),
        dst_port: 80,
        packets: number,
        bytes: 100,
        cpu_id: 0,
        timestamp: time,
        details: Some(SessionDetails {
            session_id: Identifier::new(1, number),
            revision: 1,
            interim: false,
            ended_at: time,
            duration_us: 0,
            packets_out: 1,
            packets_in: 0,
            bytes_out: 100,
            bytes_in: 0,
            orig_bytes: 0,
            resp_bytes: 0,
            missed_bytes: 0,
            reply_cpu_id: None,
            conn_state: "S0",
            history: "S",
            retransmits: 0,
            rtt_us: None,
            http_requests: 0,
            http_errors: 0,
            ifname: "eth0",
        }),
    }
}
