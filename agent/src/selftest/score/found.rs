//! What was written, as it is read back to be held against the truth.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::{Key, digits, ends_of, stamp_of};
use crate::generate::packets::is_local;
use crate::generate::packets::truth::{Exchange, ExchangeOutcome, Message, MessageSide, Session};

/// A head as it was written, a JSON line.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct FoundHead {
    pub(super) kind: String,
    pub(super) local: bool,
    pub(super) src_ip: Option<IpAddr>,
    pub(super) src_port: u16,
    pub(super) dst_ip: Option<IpAddr>,
    pub(super) dst_port: u16,
    pub(super) vlan: Vec<u16>,
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    pub(super) version: String,
    pub(super) host: Option<String>,
    pub(super) status: Option<u16>,
    pub(super) reason: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) partial: bool,
}

/// An exchange as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundExchange {
    /// The client.
    pub source: SocketAddr,
    /// The server.
    pub destination: SocketAddr,
    /// The stamp of its request.
    pub stamp: Option<u64>,
    /// The name of what became of it.
    pub outcome: String,
    /// Of the final response.
    pub status: Option<u16>,
    /// Of the last interim response.
    pub interim_status: Option<u16>,
    /// Head and body.
    pub request_bytes: Option<u64>,
    /// Heads and body.
    pub response_bytes: Option<u64>,
    /// To the head of the response.
    pub ttfb_us: Option<u64>,
    /// To its last byte.
    pub total_us: Option<u64>,
}

/// A session as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSession {
    /// `TCP`, `UDP` or `ICMP`.
    pub protocol: String,
    /// Who opened it.
    pub source: SocketAddr,
    /// The other side.
    pub destination: SocketAddr,
    /// From the source, and to it.
    pub packets: [u64; 2],
    /// From the source, and to it.
    pub bytes: [u64; 2],
    /// Payload from the source, and to it.
    pub payload: [u64; 2],
    /// In Zeek's words.
    pub conn_state: String,
    /// Requests in it.
    pub http_requests: u64,
}

/// All that was written.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Lines.
    pub heads: Vec<FoundHead>,
    /// Rows of the store.
    pub exchanges: Vec<FoundExchange>,
    /// Rows of the store.
    pub sessions: Vec<FoundSession>,
}

impl FoundHead {
    pub(super) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let source = SocketAddr::new(self.src_ip?, self.src_port);
        Some((source, SocketAddr::new(self.dst_ip?, self.dst_port)))
    }

    pub(super) fn key(&self) -> Option<Key> {
        let (source, destination) = self.ends()?;
        Some((source, destination, self.stamp()?, self.status))
    }

    /// The stamp that stands in it.
    #[must_use]
    pub fn stamp(&self) -> Option<u64> {
        match self.status {
            Some(_) => digits(self.content_type.as_deref()?.split_once("stamp=")?.1),
            None => stamp_of(self.target.as_deref(), self.host.as_deref()),
        }
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.status.is_none()
    }

    /// Whether its fields are these, and it came without a tag.
    #[must_use]
    pub fn has_fields(&self, host: Option<&str>, content_type: Option<&str>) -> bool {
        self.host.as_deref() == host
            && self.content_type.as_deref() == content_type
            && self.vlan.is_empty()
    }

    /// Who sent it.
    #[must_use]
    pub fn source(&self) -> (Option<IpAddr>, u16) {
        (self.src_ip, self.src_port)
    }

    /// To whom.
    #[must_use]
    pub fn destination(&self) -> (Option<IpAddr>, u16) {
        (self.dst_ip, self.dst_port)
    }

    /// The letters of its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether its end is missing.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    pub(in crate::selftest) fn line(&self) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match self.status {
            Some(status) => format!("{} {status} {}", self.version, text(&self.reason)),
            None => format!(
                "{} {} {}",
                text(&self.method),
                text(&self.target),
                self.version
            ),
        }
    }

    pub(in crate::selftest) fn text(&self) -> String {
        let ends = self
            .ends()
            .map_or_else(String::new, |(source, destination)| {
                format!("{source} to {destination} ")
            });
        let partial = if self.partial { " partial" } else { "" };
        format!("{ends}{} {}{partial}", self.kind, self.line())
    }

    pub(super) fn is(&self, message: &Message) -> bool {
        self.line() == message.line
            && self.host == message.host
            && self.content_type == message.content_type
            && self.vlan == message.vlan
    }

    /// Whether it may be the front of the message.
    pub(super) fn is_left_of(&self, message: &Message) -> bool {
        let begins = |told: &Option<String>, found: &Option<String>| match (told, found) {
            (Some(told), Some(found)) => told.starts_with(found.as_str()),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        Some(ends_of(message)) == self.ends()
            && self.status == message.status
            && begins(&message.method, &self.method)
            && begins(&message.target, &self.target)
            && begins(&message.host, &self.host)
            && begins(&message.content_type, &self.content_type)
    }

    /// A local server's queries are CQ, those of a local client SQ.
    pub(super) fn has_role(&self, message: &Message) -> bool {
        let (client, server) = match message.side {
            MessageSide::Client => (message.src_ip, message.dst_ip),
            MessageSide::Server => (message.dst_ip, message.src_ip),
        };
        let letter = if is_local(client) && !is_local(server) {
            'S'
        } else {
            'C'
        };
        let second = match message.side {
            MessageSide::Client => 'Q',
            MessageSide::Server => 'R',
        };
        self.local && self.kind.chars().eq([letter, second])
    }
}

impl FoundExchange {
    pub(super) fn is(&self, told: &Exchange) -> bool {
        let outcome = match told.outcome {
            ExchangeOutcome::Complete => "complete",
            ExchangeOutcome::Unanswered => "unanswered",
            ExchangeOutcome::Opaque => "opaque",
        };
        // Where nothing tells where a message ends but the connection, its bytes are no fact of the head.
        let counts = told.outcome == ExchangeOutcome::Complete;
        self.outcome == outcome
            && self.destination == SocketAddr::new(told.dst_ip, told.dst_port)
            && self.status == told.status
            && self.interim_status == told.interim_status
            && (!counts || self.request_bytes == Some(told.request_bytes))
            && (!counts || self.response_bytes == told.response_bytes)
    }
}

impl FoundSession {
    pub(super) fn is(&self, told: &Session) -> bool {
        self.protocol == told.protocol
            && self.packets == [told.packets_out, told.packets_in]
            && self.bytes == [told.bytes_out, told.bytes_in]
            && (told.lossy
                || self.payload == [told.orig_bytes, told.resp_bytes]
                    && self.conn_state == told.conn_state
                    && self.http_requests == told.http_requests)
    }
}
