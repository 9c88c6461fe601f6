//! Heads for the tests of the formats.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use crate::http::head::{Fields, Head, Kind, StartLine};

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
        minor_version: 1,
        fields: Fields {
            host: Some(b"cloud.example.com"),
            user_agent: Some(b"Mozilla/5.0 (Windows NT 10.0)"),
            ..Fields::default()
        },
        raw_fields: b"Host: cloud.example.com\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0)\r\n\r\n",
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
