//! What was written, held against what was sent: by shape, how many heads were found, how many of what was
//! found are right, and how far times are off. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::generate::packets::truth::{Message, Seen, Truth};

mod found;
#[cfg(test)]
mod tests;

pub use self::found::{Found, FoundExchange, FoundHead, FoundSession};

/// What came of a shape.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Score {
    /// Heads that the frames hold whole.
    pub sent: u64,
    /// Of these, those that were written, as they are.
    pub right: u64,
    /// Heads of which the frames hold a part,
    pub cut: u64,
    /// of these, those that were written as partial,
    pub cut_found: u64,
    /// and those that were not, though the frames hold all of their start line.
    #[serde(default)]
    pub cut_missed: u64,
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
    /// Exchanges and sessions that were stored and that nobody sent.
    #[serde(default)]
    pub strays: u64,
    /// Requests of the load that failed.
    #[serde(default)]
    pub failed: u64,
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

    /// Counts an exchange that nobody sent.
    pub(super) fn stray(&mut self, exchange: &FoundExchange) {
        self.strays += 1;
        self.example(|| format!("stored and not sent: {exchange:?}"));
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

/// Requests over real connections.
pub const LOAD: &str = "load";

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
    // Fronts of which the start line is whole are looked for first, and those without a front not at all.
    cut.retain(|(message, _)| message.front_bytes != Some(0));
    cut.sort_by_key(|(message, _)| !has_start_line(message));
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
    for (message, taken) in cut {
        if has_start_line(message) && !taken {
            let score = scores.entry(message.shape.name()).or_default();
            score.cut_missed += 1;
            score.example(|| {
                format!(
                    "cut and not written: {} (stamp {})",
                    message.line, message.stamp
                )
            });
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
    let mut told_of = HashSet::new();
    let mut lossy = HashSet::new();
    for told in truth {
        let Truth::Exchange(exchange) = told else {
            continue;
        };
        let source = SocketAddr::new(exchange.src_ip, exchange.src_port);
        told_of.insert((source, exchange.stamp));
        if exchange.lossy {
            lossy.insert(source);
            continue;
        }
        let score = scores.entry(exchange.shape.name()).or_default();
        score.exchanges += 1;
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
    for exchange in &found.exchanges {
        let named = exchange.stamp.map(|stamp| (exchange.source, stamp));
        // Where frames were left out, an exchange may have lost what names it.
        if lossy.contains(&exchange.source) || named.is_some_and(|name| told_of.contains(&name)) {
            continue;
        }
        scores.entry(STRAY).or_default().stray(exchange);
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
        by_ends.remove(&ends);
    }
    for session in by_ends.into_values().flatten() {
        if is_neighbourly(session) {
            continue;
        }
        let score = scores.entry(STRAY).or_default();
        score.strays += 1;
        score.example(|| format!("stored and not sent: {session:?}"));
    }
}

/// Whether it is what the kernel says by itself on every cable: who is there, and who listens to what
/// (ICMPv6 from an address of the link, or from none).
fn is_neighbourly(session: &FoundSession) -> bool {
    let IpAddr::V6(source) = session.source.ip() else {
        return false;
    };
    session.protocol.starts_with("ICMP")
        && (source.is_unicast_link_local() || source.is_unspecified())
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

/// Whether the front that the frames hold of a cut message has its start line: with less of it nobody can tell that
/// it is a head.
fn has_start_line(message: &Message) -> bool {
    message
        .front_bytes
        .is_some_and(|front| front >= message.line.len() as u64 + 2)
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
