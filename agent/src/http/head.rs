//! One HTTP head, as the capture core hands it to the sinks.

use std::net::SocketAddr;

use crate::session::identifier::Identifier;

/// What a head is, seen from this host.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// CQ: a request that came in to a local server.
    ClientQuery,
    /// CR: a local server's response going out.
    ClientResponse,
    /// SQ: a request that a local client sends to another server.
    ServerQuery,
    /// SR: the response to it.
    ServerResponse,
}

impl Kind {
    /// All kinds, in the order of their documentation.
    pub const ALL: [Self; 4] = [
        Self::ClientQuery,
        Self::ClientResponse,
        Self::ServerQuery,
        Self::ServerResponse,
    ];

    /// The two letters that stand in a log line.
    #[must_use]
    pub fn letters(self) -> &'static str {
        match self {
            Self::ClientQuery => "CQ",
            Self::ClientResponse => "CR",
            Self::ServerQuery => "SQ",
            Self::ServerResponse => "SR",
        }
    }
}

/// A start line, taken apart. Every byte is from the wire and may be anything but CR and LF.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartLine<'a> {
    /// `method target HTTP/1.minor` (RFC 9112, section 3).
    Request {
        /// The method, for example `GET`.
        method: &'a [u8],
        /// The request target in any of its four forms.
        target: &'a [u8],
    },
    /// `HTTP/1.minor status reason` (RFC 9112, section 4).
    Response {
        /// The status code, 100 to 999.
        status: u16,
        /// The reason phrase; may be empty.
        reason: &'a [u8],
    },
}

/// The header fields that lines are made of: values without surrounding white space, of the first
/// field of that name; `None` when the head has no such field. Bytes are from the wire.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fields<'a> {
    /// `Host`.
    pub host: Option<&'a [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer`.
    pub referer: Option<&'a [u8]>,
    /// `Content-Length`, as written.
    pub content_length: Option<&'a [u8]>,
    /// `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// `traceparent` (W3C Trace Context).
    pub traceparent: Option<&'a [u8]>,
}

/// One HTTP head with all that a line says of it. Borrowed: the core allocates nothing per head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// When the packet with the first byte of the head was seen: nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// What the head is, seen from this host.
    pub kind: Kind,
    /// Whether one of the two endpoints is this host.
    pub local: bool,
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The CPU that handled the first byte of the head.
    pub cpu: u32,
    /// Name of the interface; empty when unknown.
    pub interface: &'a str,
    /// VLAN identifiers, outermost first; 0 is "no tag".
    pub vlan: [u16; 2],
    /// The start line without its line end, as on the wire.
    pub line: &'a [u8],
    /// The start line, taken apart.
    pub start: StartLine<'a>,
    /// The minor version: `1` in `HTTP/1.1`; `None`: the line was cut before it.
    pub minor_version: Option<u8>,
    /// The header fields that lines are made of.
    pub fields: Fields<'a>,
    /// The header fields as on the wire, without the start line: for fields that a user asked for.
    pub raw_fields: &'a [u8],
    /// The connection, where exchanges are followed.
    pub session_id: Option<Identifier>,
    /// The exchange, where exchanges are followed.
    pub exchange_id: Option<Identifier>,
    /// Of a response, microseconds from the end of the request's head to its first byte, where both were
    /// seen.
    pub latency_us: Option<u64>,
    /// The head is not whole: bytes of it were lost, or it is longer than what is collected.
    pub partial: bool,
}
