//! Heads, exchanges and sessions for the tests of the formats.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::http::head::{Fields, Head, Kind, StartLine};
use crate::session::identifier::Identifier;
use crate::session::record::{Protocol, SessionDetails, SessionRecord};

/// 2019-09-01 05:16:51.002 UTC.
pub(super) const TIME_NS: i64 = 1_567_315_011_002_000_000;

/// The request of the example in the documentation.
pub(super) fn request() -> Head<'static> {
    Head {
        time_ns: TIME_NS,
        kind: Kind::ClientQuery,
        local: true,
        source: SocketAddr::from(([223, 39, 188, 71], 50905)),
        destination: SocketAddr::from(([10, 140, 0, 2], 80)),
        cpu: 1,
        interface: "eth0",
        vlan: [0, 0],
        line: b"GET / HTTP/1.1",
        start: StartLine::Request {
            method: b"GET",
            target: b"/",
        },
        minor_version: Some(1),
        fields: Fields {
            host: Some(b"cloud.example.com"),
            user_agent: Some(b"Mozilla/5.0 (Windows NT 10.0)"),
            ..Fields::default()
        },
        raw_fields: b"Host: cloud.example.com\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0)\r\n\r\n",
        session_id: None,
        exchange_id: None,
        latency_us: None,
        partial: false,
    }
}

/// The response of the example in the documentation.
pub(super) fn response() -> Head<'static> {
    Head {
        time_ns: TIME_NS + 1_000_001,
        kind: Kind::ClientResponse,
        source: SocketAddr::from(([10, 140, 0, 2], 80)),
        destination: SocketAddr::from(([223, 39, 188, 71], 50905)),
        cpu: 0,
        interface: "",
        line: b"HTTP/1.1 302 Found",
        start: StartLine::Response {
            status: 302,
            reason: b"Found",
        },
        fields: Fields {
            content_length: Some(b"0"),
            content_type: Some(b"text/html; charset=UTF-8"),
            ..Fields::default()
        },
        raw_fields: b"Content-Length: 0\r\nContent-Type: text/html; charset=UTF-8\r\n\r\n",
        ..request()
    }
}

/// A head with any bytes in any place.
#[derive(Debug)]
pub(super) struct OwnedHead {
    time_ns: i64,
    kind: Kind,
    response: bool,
    source: (IpAddr, u16),
    vlan: [u16; 2],
    interface: String,
    texts: [Vec<u8>; 5],
    optional: [Option<Vec<u8>>; 4],
    partial: bool,
}

impl OwnedHead {
    pub(super) fn head(&self) -> Head<'_> {
        let [line, first, second, raw_fields, _] = &self.texts;
        let [host, user_agent, content_length, content_type] =
            self.optional.each_ref().map(Option::as_deref);
        Head {
            time_ns: self.time_ns,
            kind: self.kind,
            source: self.source.into(),
            interface: &self.interface,
            vlan: self.vlan,
            line,
            start: if self.response {
                StartLine::Response {
                    status: 999,
                    reason: first,
                }
            } else {
                StartLine::Request {
                    method: first,
                    target: second,
                }
            },
            fields: Fields {
                host,
                user_agent,
                referer: host,
                content_length,
                content_type,
                traceparent: user_agent,
            },
            raw_fields,
            session_id: None,
            exchange_id: None,
            latency_us: None,
            partial: self.partial,
            ..request()
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        any::<char>().prop_map(|character| character.to_string().into_bytes()),
        prop::sample::select(vec![
            &b"\r\n"[..],
            b"\n",
            b"\r",
            b"\\x0a",
            b"\"",
            b"\\",
            b"\xe2\x80\xa8",
            b"\xc2\x85",
            b"X-Request-Id:",
            b"\r\nforwarded: ",
            b" ",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Any bytes wherever bytes may stand.
pub(super) fn hostile_head() -> impl Strategy<Value = OwnedHead> {
    (
        (any::<i64>(), prop::sample::select(Kind::ALL.to_vec())),
        any::<bool>(),
        any::<(IpAddr, u16)>(),
        any::<[u16; 2]>(),
        any::<String>(),
        [bytes(), bytes(), bytes(), bytes(), bytes()],
        prop::array::uniform4(prop::option::of(bytes())),
        any::<bool>(),
    )
        .prop_map(
            |((time_ns, kind), response, source, vlan, interface, texts, optional, partial)| {
                OwnedHead {
                    time_ns,
                    kind,
                    response,
                    source,
                    vlan,
                    interface,
                    texts,
                    optional,
                    partial,
                }
            },
        )
}

/// The exchange of the documentation.
pub(super) fn exchange() -> ExchangeRecord<'static> {
    ExchangeRecord {
        exchange_id: Identifier::new(0xab, 7),
        session_id: Some(Identifier::new(0xab, 3)),
        ts: Timestamp::from_nanosecond(TIME_NS.into()).unwrap(),
        role: Role::Server,
        outcome: Outcome::Complete,
        src_ip: IpAddr::from([223, 39, 188, 71]),
        src_port: 50905,
        dst_ip: IpAddr::from([10, 140, 0, 2]),
        dst_port: 80,
        method: Some("GET"),
        target: Some("/a?b=c"),
        version: "HTTP/1.1",
        host: Some("cloud.example.com:8080"),
        user_agent: Some("Mozilla/5.0 (Windows NT 10.0)"),
        referer: None,
        status: Some(302),
        content_type: Some("text/html; charset=UTF-8"),
        ttfb_us: Some(1_000),
        total_us: Some(1_250),
        request_bytes: Some(211),
        response_bytes: Some(154),
        interim_status: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        headers: None,
        partial: false,
        cpu_id: 1,
        reply_cpu_id: Some(0),
    }
}

/// The session of [`exchange`].
pub(super) fn session() -> SessionRecord<'static> {
    let exchange = exchange();
    SessionRecord {
        protocol: Protocol::Tcp,
        src_ip: exchange.src_ip,
        src_port: exchange.src_port,
        dst_ip: exchange.dst_ip,
        dst_port: exchange.dst_port,
        packets: 10,
        bytes: 905,
        cpu_id: 1,
        timestamp: Timestamp::from_nanosecond((TIME_NS - 1_000_000).into()).unwrap(),
        details: Some(SessionDetails {
            session_id: Identifier::new(0xab, 3),
            revision: 1,
            interim: false,
            ended_at: Timestamp::from_nanosecond((TIME_NS + 2_000_000).into()).unwrap(),
            duration_us: 3_000,
            packets_out: 6,
            packets_in: 4,
            bytes_out: 531,
            bytes_in: 374,
            orig_bytes: 211,
            resp_bytes: 154,
            missed_bytes: 0,
            reply_cpu_id: Some(0),
            conn_state: "SF",
            history: "ShADadFf",
            retransmits: 0,
            rtt_us: Some(80),
            http_requests: 1,
            http_errors: 0,
            ifname: "eth0",
        }),
    }
}

/// An exchange with any text in any place.
#[derive(Debug)]
pub(super) struct OwnedExchange {
    ts: Timestamp,
    ends: [(IpAddr, u16); 2],
    texts: [Option<String>; 7],
    numbers: [Option<u64>; 4],
    status: Option<u16>,
    headers: Option<Box<RawValue>>,
    partial: bool,
}

impl OwnedExchange {
    pub(super) fn record(&self) -> ExchangeRecord<'_> {
        let [
            method,
            target,
            host,
            user_agent,
            referer,
            content_type,
            traceparent,
        ] = self.texts.each_ref().map(Option::as_deref);
        let [(src_ip, src_port), (dst_ip, dst_port)] = self.ends;
        let [ttfb_us, total_us, request_bytes, response_bytes] = self.numbers;
        ExchangeRecord {
            ts: self.ts,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            method,
            target,
            host,
            user_agent,
            referer,
            content_type,
            traceparent,
            status: self.status,
            ttfb_us,
            total_us,
            request_bytes,
            response_bytes,
            headers: self.headers.as_deref(),
            partial: self.partial,
            ..exchange()
        }
    }
}

/// Bytes as records hold them.
fn record_text() -> impl Strategy<Value = String> {
    bytes().prop_map(|bytes| {
        let mut text = Vec::new();
        super::text::append_plain(&bytes, &mut text);
        String::from_utf8(text).unwrap()
    })
}

pub(super) fn any_exchange() -> impl Strategy<Value = OwnedExchange> {
    let text = || prop::option::of(record_text());
    let target = prop::option::of(prop_oneof![
        record_text(),
        "(http://|/|)[a-z@:\\[\\]]{0,8}(:[0-9]{1,6})?[/?#a-z]{0,9}",
    ]);
    let headers = prop::option::of((record_text(), record_text()).prop_map(|(origin, via)| {
        let value =
            serde_json::json!({ "Origin": origin, "via": via, "X-Forwarded-For": "1.2.3.4, 5" });
        serde_json::value::to_raw_value(&value).unwrap()
    }));
    (
        any::<i64>(),
        any::<[(IpAddr, u16); 2]>(),
        (text(), target, text(), text(), text(), text(), text()),
        any::<[Option<u64>; 4]>(),
        prop::option::of(100..=999_u16),
        headers,
        any::<bool>(),
    )
        .prop_map(
            |(time_ns, ends, texts, numbers, status, headers, partial)| {
                let (a, b, c, d, e, f, g) = texts;
                OwnedExchange {
                    ts: Timestamp::from_nanosecond(time_ns.into()).unwrap(),
                    ends,
                    texts: [a, b, c, d, e, f, g],
                    numbers,
                    status,
                    headers,
                    partial,
                }
            },
        )
}
