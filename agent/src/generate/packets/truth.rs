//! What frames hold: every message, exchange and session, told by whoever made them. Nothing here comes from
//! reading frames back.
//!
//! `--truth FILE` has one JSON object a line, `what` first.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::shape::Shape;

/// A line of the truth.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Truth {
    /// A head, and where it goes.
    Message(Message),
    /// A request and what answers it.
    Exchange(Exchange),
    /// A connection or flow.
    Session(Session),
}

/// How much of a head the frames hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// All of it.
    Whole,
    /// A part.
    Part,
    /// Nothing.
    Nothing,
}

/// A head.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Message {
    /// The shape of its connection.
    pub shape: Shape,
    /// The number of its connection in the run, from 0.
    pub connection: u64,
    /// Names its exchange in the run: it stands in the target (or the `Host`) of the request and in the
    /// `Content-Type` of the response.
    pub stamp: u64,
    /// `client`: a request; `server`: a response.
    pub side: MessageSide,
    /// Who sends it.
    pub src_ip: IpAddr,
    /// From this port.
    pub src_port: u16,
    /// To whom.
    pub dst_ip: IpAddr,
    /// To this port.
    pub dst_port: u16,
    /// VLAN tags, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlan: Vec<u16>,
    /// The start line.
    pub line: String,
    /// Of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Bytes, with the empty line at its end.
    pub head_bytes: u64,
    /// How much of it the frames hold.
    pub seen: Seen,
    /// Of a part: so many bytes from its beginning, up to the first that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_bytes: Option<u64>,
    /// The frame with its first byte (the first that is seen), from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_frame: Option<u64>,
    /// The frame that completes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_frame: Option<u64>,
    /// The time of `first_frame`, where frames have times of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<Timestamp>,
}

/// Whose head it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageSide {
    /// A request.
    Client,
    /// A response.
    Server,
}

/// A request and what answers it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Exchange {
    /// The shape of its connection.
    pub shape: Shape,
    /// The number of its connection.
    pub connection: u64,
    /// Its name in the run.
    pub stamp: u64,
    /// The client.
    pub src_ip: IpAddr,
    /// Its port.
    pub src_port: u16,
    /// The server.
    pub dst_ip: IpAddr,
    /// Its port.
    pub dst_port: u16,
    /// `complete`, `unanswered` or `opaque`.
    pub outcome: ExchangeOutcome,
    /// Of the final response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Of the last interim response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interim_status: Option<u16>,
    /// Head and body.
    pub request_bytes: u64,
    /// Heads, interim ones too, and body. Of an opaque one the final head ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    /// The frame that completes the head of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_frame: Option<u64>,
    /// The frame with the first byte of the final response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_frame: Option<u64>,
    /// Microseconds from the one to the other, where frames have times of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttfb_us: Option<u64>,
    /// Frames of its connection were left out: what is told of it above need not be found.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lossy: bool,
}

/// What becomes of an exchange.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeOutcome {
    /// It is answered.
    Complete,
    /// It is not.
    Unanswered,
    /// It is answered, and what follows is not HTTP.
    Opaque,
}

/// A connection or flow, with what of it is in the frames.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Session {
    /// Its shape.
    pub shape: Shape,
    /// Its number in the run.
    pub connection: u64,
    /// `TCP`, `UDP` or `ICMP`.
    pub protocol: String,
    /// Who opened it.
    pub src_ip: IpAddr,
    /// The port; of ICMP the type of the first packet.
    pub src_port: u16,
    /// The other side.
    pub dst_ip: IpAddr,
    /// The port; of ICMP the code of the first packet.
    pub dst_port: u16,
    /// Frames from the source.
    pub packets_out: u64,
    /// Frames to the source.
    pub packets_in: u64,
    /// Bytes of their IP packets.
    pub bytes_out: u64,
    /// Bytes of their IP packets.
    pub bytes_in: u64,
    /// Payload that the source said, each byte once, whether it was seen or not.
    pub orig_bytes: u64,
    /// Payload that the other side said.
    pub resp_bytes: u64,
    /// How it ended, in Zeek's words: SF, RSTO, RSTR; of UDP SF, of ICMP OTH.
    pub conn_state: String,
    /// Requests in it.
    pub http_requests: u64,
    /// Frames of it were left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lossy: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Truth {
    /// Moves the numbers of frames on, and gives frames their times where they have some (nanoseconds since
    /// the epoch).
    pub fn place(&mut self, first_frame: u64, time: impl Fn(u64) -> Option<i64>) {
        let moved = |frame: &mut Option<u64>| {
            *frame = frame.map(|frame| frame + first_frame);
            *frame
        };
        match self {
            Self::Message(message) => {
                let first = moved(&mut message.first_frame);
                moved(&mut message.last_frame);
                let time = first.and_then(time);
                message.ts =
                    time.and_then(|time| Timestamp::from_nanosecond(i128::from(time)).ok());
            }
            Self::Exchange(exchange) => {
                let request = moved(&mut exchange.request_frame);
                let response = moved(&mut exchange.response_frame);
                let times = request.and_then(&time).zip(response.and_then(&time));
                exchange.ttfb_us = times.map(|(request, response)| {
                    u64::try_from((response - request) / 1000).unwrap_or(0)
                });
            }
            Self::Session(_) => {}
        }
    }
}
