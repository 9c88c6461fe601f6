//! Records for tests.

use jiff::Timestamp;

use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::session::identifier::Identifier;
use crate::session::record::{Protocol, SessionDetails, SessionRecord};

/// 2026-11-21 12:27:47.311 UTC.
pub(crate) const START_US: i64 = 1_795_264_067_311_000;

pub(crate) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap()
}

pub(crate) fn exchange() -> ExchangeRecord<'static> {
    ExchangeRecord {
        exchange_id: Identifier::new(7, 1),
        session_id: Some(Identifier::new(7, 2)),
        ts: time(START_US),
        role: Role::Server,
        outcome: Outcome::Complete,
        src_ip: "192.0.2.2".parse().unwrap(),
        src_port: 48_918,
        dst_ip: "192.0.2.1".parse().unwrap(),
        dst_port: 80,
        method: Some("GET"),
        target: Some("/api/items?page=2"),
        version: "HTTP/1.1",
        host: Some("shop.example.com"),
        user_agent: Some("Mozilla/5.0"),
        referer: None,
        status: Some(200),
        content_type: Some("application/json"),
        ttfb_us: Some(900),
        total_us: Some(1_100),
        request_bytes: Some(210),
        response_bytes: Some(1_400),
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: 1,
        reply_cpu_id: Some(0),
    }
}

pub(crate) fn details() -> SessionDetails<'static> {
    SessionDetails {
        session_id: Identifier::new(7, 2),
        revision: 1,
        interim: false,
        ended_at: time(START_US + 2_000_000),
        duration_us: 2_000_000,
        packets_out: 6,
        packets_in: 4,
        bytes_out: 600,
        bytes_in: 1_800,
        orig_bytes: 210,
        resp_bytes: 1_400,
        missed_bytes: 0,
        reply_cpu_id: Some(0),
        conn_state: "SF",
        history: "ShADadFf",
        retransmits: 0,
        rtt_us: Some(120),
        http_requests: 1,
        http_errors: 0,
        ifname: "eth0",
    }
}

pub(crate) fn session() -> SessionRecord<'static> {
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: "192.0.2.2".parse().unwrap(),
        src_port: 48_918,
        dst_ip: "192.0.2.1".parse().unwrap(),
        dst_port: 80,
        packets: 10,
        bytes: 2_400,
        cpu_id: 1,
        timestamp: time(START_US),
        details: Some(details()),
    }
}
