//! Heads: a request or a response alone, to be joined with the other by the addresses of its two
//! sides. Tapline's classic line is one; its values are not quoted, so it is read from both ends.
//!
//! ```text
//! 2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET / HTTP/1.1 cloud.example.com Mozilla/5.0 …
//! 2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found 0 text/html; charset=UTF-8
//! ```

use super::escape::Scratch;
use super::simple::local;
use super::time::{Clock, iso};
use super::{Parsed, Reason, number, present, status};

/// A request or a response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Head<'a> {
    /// When, in microseconds since 1970.
    pub time_us: i64,
    /// Which of the four it is.
    pub kind: HeadKind,
    /// The client's address and port, `192.0.2.7#50905`.
    pub client: &'a [u8],
    /// The server's.
    pub server: &'a [u8],
    /// Of a request: its method.
    pub method: &'a [u8],
    /// Of a request: its target.
    pub target: &'a [u8],
    /// Of a request: the host.
    pub host: &'a [u8],
    /// Of a request: where the user came from.
    pub referrer: &'a [u8],
    /// Of a request: the program of the user.
    pub user_agent: &'a [u8],
    /// Of a response.
    pub status: Option<u16>,
    /// Of a response: the length of its body.
    pub bytes: Option<u64>,
    /// Of a response: from the end of the request to its begin, where the line says.
    pub latency_us: Option<u64>,
}

/// What a head is, seen from the host that wrote it down.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum HeadKind {
    /// A request that came in.
    #[default]
    ClientQuery,
    /// The answer that went out.
    ClientResponse,
    /// A request that went out.
    ServerQuery,
    /// The answer that came in.
    ServerResponse,
}

impl HeadKind {
    pub(super) fn of(letters: &[u8]) -> Option<Self> {
        match letters {
            b"CQ" => Some(Self::ClientQuery),
            b"CR" => Some(Self::ClientResponse),
            b"SQ" => Some(Self::ServerQuery),
            b"SR" => Some(Self::ServerResponse),
            _ => None,
        }
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(self) -> bool {
        matches!(self, Self::ClientQuery | Self::ServerQuery)
    }

    /// Whether this host is the server.
    #[must_use]
    pub fn is_served(self) -> bool {
        matches!(self, Self::ClientQuery | Self::ClientResponse)
    }
}

impl Head<'_> {
    /// The address of a side without its port.
    #[must_use]
    pub fn address(side: &[u8]) -> &[u8] {
        memchr::memrchr(b'#', side).map_or(side, |at| &side[..at])
    }
}

/// Takes a classic line apart.
///
/// # Errors
/// It is not one.
pub(super) fn parse_classic<'a>(
    line: &'a [u8],
    clock: &mut Clock,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    let time = line.get(..23).ok_or(Reason::Missing("time"))?;
    let (time, has_zone) = iso(time).ok_or(Reason::Wrong("time"))?;
    let rest = line[23..]
        .strip_prefix(b" ")
        .ok_or(Reason::Missing("source"))?;
    if has_zone {
        return Err(Reason::Wrong("time"));
    }
    let time_us = local(time, clock).ok_or(Reason::Wrong("time"))?;
    let (source, rest) = word(rest).ok_or(Reason::Missing("source"))?;
    let (destination, rest) = word(rest).ok_or(Reason::Missing("destination"))?;
    for side in [source, destination] {
        let at = memchr::memrchr(b'#', side).ok_or(Reason::Wrong("address"))?;
        number(&side[at + 1..]).ok_or(Reason::Wrong("port"))?;
    }
    let (kind, rest) = word(rest).ok_or(Reason::Missing("kind"))?;
    let kind = HeadKind::of(kind).ok_or(Reason::Wrong("kind"))?;
    let mut head = Head {
        time_us,
        kind,
        ..Head::default()
    };
    if kind.is_request() {
        (head.client, head.server) = (source, destination);
        request(rest, &mut head)?;
    } else {
        (head.client, head.server) = (destination, source);
        response(rest, &mut head)?;
    }
    scratch.clear();
    let [target, host, agent] =
        [head.target, head.host, head.user_agent].map(|text| scratch.plain(text));
    let scratch: &'a Scratch = scratch;
    head.target = scratch.get(target);
    head.host = scratch.get(host);
    head.user_agent = scratch.get(agent);
    Ok(Parsed::Head(head))
}

/// `GET / HTTP/1.1 host user agent`.
fn request<'a>(rest: &'a [u8], head: &mut Head<'a>) -> Result<(), Reason> {
    let (method, rest) = word(rest).ok_or(Reason::Missing("target"))?;
    let version = memchr::memmem::find(rest, b" HTTP/1.").ok_or(Reason::Missing("version"))?;
    head.method = method;
    head.target = &rest[..version];
    let behind = &rest[version + 8..];
    let (_minor, values) = word(behind).unwrap_or((behind, b""));
    let (host, agent) = word(values).unwrap_or((values, b""));
    head.host = present(host);
    head.user_agent = present(agent);
    Ok(())
}

/// `HTTP/1.1 302 Found 0 text/html`.
fn response<'a>(rest: &'a [u8], head: &mut Head<'a>) -> Result<(), Reason> {
    let (version, rest) = word(rest).ok_or(Reason::Missing("status"))?;
    if !version.starts_with(b"HTTP/1.") {
        return Err(Reason::Wrong("version"));
    }
    let (code, rest) = word(rest).unwrap_or((rest, b""));
    head.status = status(code)?;
    // The reason may be of several words, the type too; the length is the first word that is a
    // number, or a dash.
    let length = rest
        .split(|byte| *byte == b' ')
        .find(|word| *word == b"-" || number(word).is_some());
    head.bytes = length.and_then(number);
    Ok(())
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    Some((&text[..end], &text[end + 1..]))
}
