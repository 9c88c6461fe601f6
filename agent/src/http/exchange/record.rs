//! One record an exchange, as sinks store it and the API shows it.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::session::identifier::Identifier;

/// A request and the response that answers it; or one of them, when the other was not seen.
///
/// Texts are from the wire: control characters and bytes that are not UTF-8 are written as `\xNN`, as
/// in log lines; secrets are redacted. Absent values are left out of JSON. Borrowed, so that none is
/// allocated on the way from the wire.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ExchangeRecord<'a> {
    /// Names the exchange.
    pub exchange_id: Identifier,
    /// The connection; absent when it is not followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<Identifier>,
    /// When the first byte of the request was seen; of an orphan, of the response.
    pub ts: Timestamp,
    /// The part that this host plays.
    pub role: Role,
    /// What became of it.
    pub outcome: Outcome,
    /// The client.
    pub src_ip: IpAddr,
    /// The client's port.
    pub src_port: u16,
    /// The server.
    pub dst_ip: IpAddr,
    /// The server's port.
    pub dst_port: u16,
    /// The method; absent in an orphan, as all of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    /// The request target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a str>,
    /// `HTTP/1.0` or `HTTP/1.1`, of the request (of an orphan, of the response); empty: the request line was cut before
    /// it.
    pub version: &'a str,
    /// `Host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<&'a str>,
    /// `Referer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referer: Option<&'a str>,
    /// The status of the final response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `Content-Type` of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<&'a str>,
    /// Microseconds from the end of the request head to the head of the final response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttfb_us: Option<u64>,
    /// Microseconds from the end of the request head to the last byte of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_us: Option<u64>,
    /// Payload bytes of the request on the wire, head and body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// Payload bytes of the response on the wire, heads (interim ones too) and body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    /// The status of the last interim response (1xx).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interim_status: Option<u16>,
    /// `traceparent` (W3C Trace Context) of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<&'a str>,
    /// Other fields of the request that were asked for, as a JSON object of names and values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<&'a RawValue>,
    /// One of the heads is not whole; or one is missing, and may be among records that the ring lost.
    #[serde(skip_serializing_if = "is_false")]
    pub partial: bool,
    /// The CPU that carried the request; of an orphan, the response.
    pub cpu_id: u32,
    /// The CPU that carried the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_cpu_id: Option<u32>,
}

/// The part that this host plays in an exchange. Where neither side is this host's, the side that
/// answers counts as local.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It answers.
    Server,
    /// It asks.
    Client,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Server, Self::Client];

    /// The name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// What became of an exchange.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Request and response were seen.
    Complete,
    /// No response was seen.
    Unanswered,
    /// No request was seen.
    Orphan,
    /// It was answered by 101, or by 2xx to CONNECT: what follows on the connection is not HTTP.
    Opaque,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Complete, Self::Unanswered, Self::Orphan, Self::Opaque];

    /// The name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unanswered => "unanswered",
            Self::Orphan => "orphan",
            Self::Opaque => "opaque",
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
