//! What was written, held against what was sent: by shape, how many heads were found, how many of what was
//! found are right, and how far times are off. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::generate::packets::is_local;
use crate::generate::packets::shape::Shape;
use crate::generate::packets::truth::{
    Exchange, ExchangeOutcome, Message, MessageSide, Seen, Session, Truth,
};

/// A head as it was written, a JSON line.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct FoundHead {
    kind: String,
    local: bool,
    src_ip: Option<IpAddr>,
    src_port: u16,
    dst_ip: Option<IpAddr>,
    dst_port: u16,
    vlan: Vec<u16>,
    method: Option<String>,
    target: Option<String>,
    version: String,
    host: Option<String>,
    status: Option<u16>,
    reason: Option<String>,
    content_type: Option<String>,
    partial: bool,
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

/// What came of a shape.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Score {
    /// Heads that the frames hold whole.
    pub sent: u64,
    /// Of these, those that were written, as they are.
    pub right: u64,
    /// Heads of which the frames hold a part, and of these those that were written as partial.
    pub cut: u64,
    /// As above.
    pub cut_found: u64,
    /// Heads that were written.
    pub written: u64,
    /// Of these, those that nobody sent, or that are not as they were sent, or written before.
    pub wrong: u64,
    /// Of those that are right, those with the right letters (CQ, CR, SQ, SR).
    pub roles_right: u64,
    /// Exchanges, and those that were stored as they were.
    pub exchanges: u64,
    /// As above.
    pub exchanges_right: u64,
    /// Connections and flows, and those that were stored as they were.
    pub sessions: u64,
    /// As above.
    pub sessions_right: u64,
    /// How far the times to the head of the response are off, in microseconds, sorted.
    #[serde(skip)]
    pub off_us: Vec<u64>,
    /// The first things that are wrong, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// Examples that are kept of each shape.
const EXAMPLES: usize = 5;

impl Score {
    /// Of the heads that were sent, the part that was written right; 1 where none was sent.
    #[must_use]
    pub fn recall(&self) -> f64 {
        part(self.right, self.sent)
    }

    /// Of the heads that were written, the part that is right.
    #[must_use]
    pub fn precision(&self) -> f64 {
        part(self.written - self.wrong, self.written)
    }

    /// Of the heads that are right, the part with the right letters.
    #[must_use]
    pub fn role_accuracy(&self) -> f64 {
        part(self.roles_right, self.right)
    }

    /// This part of the times is off by no more, in microseconds; `None`: there are none.
    #[must_use]
    pub fn off(&self, part: f64) -> Option<u64> {
        let last = self.off_us.len().checked_sub(1)?;
        self.off_us
            .get((last as f64 * part).round() as usize)
            .copied()
    }

    pub(super) fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }
}

fn part(of: u64, all: u64) -> f64 {
    match all {
        0 => 1.0,
        all => of as f64 / all as f64,
    }
}

/// A head by what names it: its ends, its stamp, and of a response the status, since interim ones share the
/// stamp.
type Key = (SocketAddr, SocketAddr, u64, Option<u16>);

/// What is wrong with all that is of no shape: heads and sessions that nobody sent.
pub const STRAY: &str = "stray";

/// Holds what was found against the truth. By the name of the shape; what belongs to none is under
/// [`STRAY`], where it is only ever wrong.
#[must_use]
pub fn score(truth: &[Truth], found: &Found) -> BTreeMap<&'static str, Score> {
    let mut scores = BTreeMap::new();
    let mut shapes = HashMap::new();
    let mut messages = HashMap::new();
    let mut cut = Vec::new();
    for told in truth {
        if let Truth::Message(message) = told {
            let score: &mut Score = scores.entry(message.shape.name()).or_default();
            shapes.insert(ends_of(message), message.shape);
            match message.seen {
                Seen::Whole => {
                    score.sent += 1;
                    messages.insert(key_of(message), (message, false));
                }
                Seen::Part => {
                    score.cut += 1;
                    cut.push((message, false));
                }
                Seen::Nothing => {}
            }
        }
    }
    // Those that are cut behind their stamp first, so that none is taken for another.
    let mut heads: Vec<&FoundHead> = found.heads.iter().collect();
    let is_named = |head: &FoundHead| {
        let mut cut = cut.iter();
        head.partial && cut.any(|(message, _)| head.stamp() == Some(message.stamp))
    };
    heads.sort_by_cached_key(|head| !is_named(head));
    for head in heads {
        let shape = head.ends().and_then(|ends| shapes.get(&ends));
        let score = scores
            .entry(shape.map_or(STRAY, |shape| shape.name()))
            .or_default();
        score.written += 1;
        let whole = head.key().and_then(|key| messages.get_mut(&key));
        match whole {
            Some((message, taken)) if !head.partial && !*taken && head.is(message) => {
                *taken = true;
                score.right += 1;
                score.roles_right += u64::from(head.has_role(message));
                if !head.has_role(message) {
                    score.example(|| format!("wrong letters: {}", head.text()));
                }
            }
            _ if head.partial && take_cut(&mut cut, head) => score.cut_found += 1,
            _ => {
                score.wrong += 1;
                score.example(|| format!("written and not sent so: {}", head.text()));
            }
        }
    }
    for (message, taken) in messages.values() {
        if !taken {
            let score = scores.entry(message.shape.name()).or_default();
            score.example(|| {
                format!(
                    "sent and not written: {} (stamp {})",
                    message.line, message.stamp
                )
            });
        }
    }
    score_exchanges(truth, found, &mut scores);
    score_sessions(truth, found, &mut scores);
    for score in scores.values_mut() {
        score.off_us.sort_unstable();
    }
    scores
}

fn score_exchanges(truth: &[Truth], found: &Found, scores: &mut BTreeMap<&'static str, Score>) {
    let mut by_stamp: HashMap<(SocketAddr, u64), Vec<&FoundExchange>> = HashMap::new();
    for exchange in &found.exchanges {
        if let Some(stamp) = exchange.stamp {
            by_stamp
                .entry((exchange.source, stamp))
                .or_default()
                .push(exchange);
        }
    }
    for told in truth {
        let Truth::Exchange(exchange) = told else {
            continue;
        };
        if exchange.lossy {
            continue;
        }
        let score = scores.entry(exchange.shape.name()).or_default();
        score.exchanges += 1;
        let source = SocketAddr::new(exchange.src_ip, exchange.src_port);
        match by_stamp.get(&(source, exchange.stamp)).map(Vec::as_slice) {
            Some([found]) if found.is(exchange) => {
                score.exchanges_right += 1;
                if let (Some(found), Some(told)) = (found.ttfb_us, exchange.ttfb_us) {
                    score.off_us.push(found.abs_diff(told));
                }
            }
            Some(found) => {
                score.example(|| format!("exchange {exchange:?} is stored as {found:?}"))
            }
            None => score.example(|| format!("exchange {exchange:?} is not stored")),
        }
    }
}

fn score_sessions(truth: &[Truth], found: &Found, scores: &mut BTreeMap<&'static str, Score>) {
    let mut by_ends: HashMap<(SocketAddr, SocketAddr), Vec<&FoundSession>> = HashMap::new();
    for session in &found.sessions {
        let ends = (session.source, session.destination);
        by_ends.entry(ends).or_default().push(session);
    }
    for told in truth {
        let Truth::Session(session) = told else {
            continue;
        };
        let score = scores.entry(session.shape.name()).or_default();
        score.sessions += 1;
        let ends = (
            SocketAddr::new(session.src_ip, session.src_port),
            SocketAddr::new(session.dst_ip, session.dst_port),
        );
        match by_ends.get(&ends).map(Vec::as_slice) {
            Some([found]) if found.is(session) => score.sessions_right += 1,
            Some(found) => score.example(|| format!("session {session:?} is stored as {found:?}")),
            None => score.example(|| format!("session {session:?} is not stored")),
        }
    }
}

fn ends_of(message: &Message) -> (SocketAddr, SocketAddr) {
    (
        SocketAddr::new(message.src_ip, message.src_port),
        SocketAddr::new(message.dst_ip, message.dst_port),
    )
}

fn key_of(message: &Message) -> Key {
    let (source, destination) = ends_of(message);
    (source, destination, message.stamp, message.status)
}

/// Takes the cut message of which `head` is what is left: that with its stamp, else the first that begins
/// as it does.
fn take_cut(cut: &mut [(&Message, bool)], head: &FoundHead) -> bool {
    let may_be = |(message, taken): &(&Message, bool)| !taken && head.is_left_of(message);
    let named = |entry: &(&Message, bool)| may_be(entry) && head.stamp() == Some(entry.0.stamp);
    let place = cut
        .iter()
        .position(named)
        .or_else(|| cut.iter().position(may_be));
    let entry = place.and_then(|place| cut.get_mut(place));
    entry.is_some_and(|(_, taken)| {
        *taken = true;
        true
    })
}

impl FoundHead {
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let source = SocketAddr::new(self.src_ip?, self.src_port);
        Some((source, SocketAddr::new(self.dst_ip?, self.dst_port)))
    }

    fn key(&self) -> Option<Key> {
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

    fn line(&self) -> String {
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

    fn text(&self) -> String {
        let ends = self
            .ends()
            .map_or_else(String::new, |(source, destination)| {
                format!("{source} to {destination} ")
            });
        let partial = if self.partial { " partial" } else { "" };
        format!("{ends}{} {}{partial}", self.kind, self.line())
    }

    fn is(&self, message: &Message) -> bool {
        self.line() == message.line
            && self.host == message.host
            && self.content_type == message.content_type
            && self.vlan == message.vlan
    }

    /// Whether it may be the front of the message.
    fn is_left_of(&self, message: &Message) -> bool {
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
    fn has_role(&self, message: &Message) -> bool {
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
    fn is(&self, told: &Exchange) -> bool {
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
    fn is(&self, told: &Session) -> bool {
        self.protocol == told.protocol
            && self.packets == [told.packets_out, told.packets_in]
            && self.bytes == [told.bytes_out, told.bytes_in]
            && (told.lossy
                || self.payload == [told.orig_bytes, told.resp_bytes]
                    && self.conn_state == told.conn_state
                    && self.http_requests == told.http_requests)
    }
}

/// The stamp in a target, or in a host.
#[must_use]
pub fn stamp_of(target: Option<&str>, host: Option<&str>) -> Option<u64> {
    let in_target = target.and_then(|target| digits(target.split_once("stamp=")?.1));
    let in_host = || host.and_then(|host| digits(host.strip_suffix(".test")?));
    let as_authority = || target.and_then(|target| digits(target.split_once(".test:")?.0));
    in_target.or_else(in_host).or_else(as_authority)
}

/// The number that a text begins with.
fn digits(text: &str) -> Option<u64> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

/// The shape of this name; `None`: it is none.
#[must_use]
pub fn loses(name: &str) -> bool {
    name.parse().is_ok_and(Shape::loses)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(side: MessageSide, stamp: u64, seen: Seen) -> Truth {
        let (client, server) = ("198.18.0.1", "198.19.0.1");
        let is_request = side == MessageSide::Client;
        let (source, destination) = if is_request {
            (client, server)
        } else {
            (server, client)
        };
        let ports = if is_request {
            [20_000, 80]
        } else {
            [80, 20_000]
        };
        let target = format!("/a?stamp={stamp}");
        let told = json!({
            "what": "message", "shape": "plain", "connection": 0, "stamp": stamp, "side": side,
            "src_ip": source, "src_port": ports[0], "dst_ip": destination, "dst_port": ports[1],
            "line": if is_request { format!("GET {target} HTTP/1.1") } else { "HTTP/1.1 200 OK".to_owned() },
            "method": is_request.then_some("GET"), "target": is_request.then_some(target),
            "host": is_request.then(|| format!("{stamp}.test")), "status": (!is_request).then_some(200),
            "content_type": (!is_request).then(|| format!("text/plain; stamp={stamp}")),
            "head_bytes": 100, "seen": seen,
        });
        serde_json::from_value(told).unwrap()
    }

    fn head(told: &Truth, change: impl Fn(&mut FoundHead)) -> FoundHead {
        let Truth::Message(told) = told else { panic!() };
        let mut words = told.line.splitn(3, ' ').map(str::to_owned);
        let is_request = told.side == MessageSide::Client;
        let mut head = FoundHead {
            kind: if is_request { "CQ" } else { "CR" }.to_owned(),
            local: true,
            src_ip: Some(told.src_ip),
            src_port: told.src_port,
            dst_ip: Some(told.dst_ip),
            dst_port: told.dst_port,
            method: told.method.clone(),
            target: told.target.clone(),
            version: "HTTP/1.1".to_owned(),
            host: told.host.clone(),
            status: told.status,
            reason: words.nth(2).filter(|_| !is_request),
            content_type: told.content_type.clone(),
            ..FoundHead::default()
        };
        change(&mut head);
        head
    }

    /// Of one request and one response: sent, right, written, wrong, with the right letters.
    fn check(change: impl Fn(&mut Vec<FoundHead>), expected: [u64; 5]) {
        let truth =
            [MessageSide::Client, MessageSide::Server].map(|side| message(side, 7, Seen::Whole));
        let mut found = Found {
            heads: truth.iter().map(|told| head(told, |_| {})).collect(),
            ..Found::default()
        };
        change(&mut found.heads);
        let scores = score(&truth, &found);
        let of = |count: fn(&Score) -> u64| scores.values().map(count).sum::<u64>();
        let counts = [
            of(|score| score.sent),
            of(|score| score.right),
            of(|score| score.written),
            of(|score| score.wrong),
            of(|score| score.roles_right),
        ];
        assert_eq!(counts, expected, "{scores:?}");
    }

    #[test]
    fn every_fault_is_seen() {
        check(|_| {}, [2, 2, 2, 0, 2]);
        check(|heads| heads.truncate(1), [2, 1, 1, 0, 1]);
        check(|heads| heads.push(heads[0].clone()), [2, 2, 3, 1, 2]);
        check(
            |heads| heads[0].target = Some("/b?stamp=7".to_owned()),
            [2, 1, 2, 1, 1],
        );
        check(|heads| heads[0].host = None, [2, 1, 2, 1, 1]);
        check(
            |heads| heads[1].reason = Some("Ok".to_owned()),
            [2, 1, 2, 1, 1],
        );
        check(|heads| heads[1].partial = true, [2, 1, 2, 1, 1]);
        check(|heads| heads[1].vlan = vec![7], [2, 1, 2, 1, 1]);
        check(|heads| heads[0].kind = "SQ".to_owned(), [2, 2, 2, 0, 1]);
        check(|heads| heads[0].src_port = 9, [2, 1, 2, 1, 1]);
        check(|heads| heads[1].content_type = None, [2, 1, 2, 1, 1]);
    }

    #[test]
    fn what_is_left_of_a_cut_head_is_no_fault() {
        let truth = [
            message(MessageSide::Client, 71, Seen::Part),
            message(MessageSide::Client, 72, Seen::Part),
        ];
        let cut = |told: &Truth, target: &str| {
            head(told, |head| {
                head.partial = true;
                head.host = None;
                head.target = Some(target.to_owned());
            })
        };
        let check = |heads: Vec<FoundHead>, cut_found, wrong| {
            let found = Found {
                heads,
                ..Found::default()
            };
            let scores = score(&truth, &found);
            let score = &scores["plain"];
            assert_eq!(
                (score.cut, score.cut_found, score.wrong),
                (2, cut_found, wrong)
            );
        };
        check(vec![], 0, 0);
        // The first may be of either, the second only of one.
        check(
            vec![cut(&truth[1], "/a?stamp=7"), cut(&truth[0], "/a?stamp=71")],
            2,
            0,
        );
        check(
            vec![
                cut(&truth[0], "/a"),
                cut(&truth[0], "/a"),
                cut(&truth[0], "/a"),
            ],
            2,
            1,
        );
        check(vec![cut(&truth[0], "/b")], 0, 1);
    }

    #[test]
    fn parts_and_times() {
        let score = Score {
            sent: 4,
            right: 3,
            written: 5,
            wrong: 1,
            off_us: (0..101).collect(),
            ..Score::default()
        };
        assert_eq!((score.recall(), score.precision()), (0.75, 0.8));
        assert_eq!((score.off(0.5), score.off(0.99)), (Some(50), Some(99)));
        let nothing = Score::default();
        assert_eq!(
            (nothing.recall(), nothing.precision(), nothing.off(0.5)),
            (1.0, 1.0, None)
        );
        let check = |target, host, stamp| assert_eq!(stamp_of(target, host), stamp);
        check(Some("/a?b&stamp=12;x"), None, Some(12));
        check(Some("*"), Some("13.test"), Some(13));
        check(Some("14.test:443"), None, Some(14));
        check(Some("/stamp"), Some("example.test"), None);
        check(None, None, None);
    }
}
