//! Conditions: `status>=500 and path~/api`. What is meant is known before the first line is read; what
//! cannot be meant is refused with a sentence.
//!
//! ```text
//! condition  =  all { "or" all }
//! all        =  one { "and" one }
//! one        =  "not" one  |  "(" condition ")"  |  field operator value
//! operator   =  "=" "!=" "<" "<=" ">" ">=" "~" "!~"        ~: has it in it, in any case
//! ```

mod endpoint;
mod parse;

use std::net::IpAddr;

use endpoint::EndpointShape;
use ipnet::IpNet;

use super::format::Entry;

/// A condition on entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    root: Node,
    /// As it was typed.
    pub text: String,
}

/// A condition that cannot be meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} at character {place} of '{text}'")]
pub struct ConditionError {
    /// What is wrong.
    pub what: String,
    /// Where, from 1.
    pub place: usize,
    /// The whole condition.
    pub text: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Number(NumberField, Comparison, u64),
    /// A status of this class, `5xx`.
    Class(u16, bool),
    Text(TextField, TextTest, Box<[u8]>),
    /// A client in a network.
    Network(IpNet, bool),
    /// A request of an endpoint.
    Endpoint(EndpointShape, bool),
    Flag(FlagField, bool),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NumberField {
    Status,
    Bytes,
    Latency,
    /// Of the day, UTC.
    Hour,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TextField {
    Method,
    Path,
    Target,
    Host,
    Client,
    Referrer,
    Agent,
    Level,
    Source,
    Service,
    Message,
    Code,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum FlagField {
    Unanswered,
    Bot,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comparison {
    Equal,
    Not,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TextTest {
    Equal,
    Not,
    Has,
    HasNot,
}

impl Condition {
    /// Whether an entry meets it. What an entry does not have meets only what is negated.
    #[must_use]
    pub fn meets(&self, entry: &Entry<'_>) -> bool {
        self.root.meets(entry)
    }
}

impl Node {
    fn meets(&self, entry: &Entry<'_>) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.meets(entry)),
            Self::Or(nodes) => nodes.iter().any(|node| node.meets(entry)),
            Self::Not(node) => !node.meets(entry),
            Self::Number(field, comparison, wanted) => {
                let value = match field {
                    NumberField::Status => entry.status.map(u64::from),
                    NumberField::Bytes => entry.bytes,
                    NumberField::Latency => entry.latency_us,
                    NumberField::Hour => entry.time_us.map(hour_of),
                };
                match value {
                    Some(value) => comparison.holds(value, *wanted),
                    None => *comparison == Comparison::Not,
                }
            }
            Self::Class(class, is) => {
                entry.status.is_some_and(|status| status / 100 == *class) == *is
            }
            Self::Text(field, test, wanted) => test.holds(field.of(entry), wanted),
            Self::Network(network, is) => {
                let address = std::str::from_utf8(entry.client)
                    .ok()
                    .and_then(|text| text.parse::<IpAddr>().ok());
                address.is_some_and(|address| network.contains(&address.to_canonical())) == *is
            }
            Self::Endpoint(endpoint, is) => endpoint.has(entry) == *is,
            Self::Flag(FlagField::Unanswered, is) => entry.unanswered == *is,
            Self::Flag(FlagField::Bot, is) => super::statistics::is_bot(entry.user_agent) == *is,
        }
    }
}

fn hour_of(time_us: i64) -> u64 {
    (time_us.div_euclid(3_600_000_000).rem_euclid(24)).unsigned_abs()
}

impl Comparison {
    fn holds(self, value: u64, wanted: u64) -> bool {
        match self {
            Self::Equal => value == wanted,
            Self::Not => value != wanted,
            Self::Less => value < wanted,
            Self::AtMost => value <= wanted,
            Self::More => value > wanted,
            Self::AtLeast => value >= wanted,
        }
    }
}

impl TextField {
    fn of<'a>(self, entry: &Entry<'a>) -> &'a [u8] {
        let event = entry.event.unwrap_or_default();
        match self {
            Self::Method => entry.method,
            Self::Path => entry.path(),
            Self::Target => entry.target,
            Self::Host => entry.host,
            Self::Client => entry.client,
            Self::Referrer => entry.referrer,
            Self::Agent => entry.user_agent,
            Self::Level => event.level,
            Self::Source => event.source,
            Self::Service => event.service,
            Self::Message => event.message,
            Self::Code => event.code,
        }
    }
}

impl TextTest {
    fn holds(self, text: &[u8], wanted: &[u8]) -> bool {
        match self {
            Self::Equal => text == wanted,
            Self::Not => text != wanted,
            Self::Has => has(text, wanted),
            Self::HasNot => !has(text, wanted),
        }
    }
}

/// Whether a text has another in it, in any case of its ASCII letters.
fn has(text: &[u8], wanted: &[u8]) -> bool {
    let Some(first) = wanted.first() else {
        return true;
    };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text).any(|start| {
        text.get(start..start + wanted.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry<'static> {
        Entry {
            client: b"10.1.2.3",
            method: b"GET",
            target: b"/API/users?id=7",
            host: b"example.com",
            user_agent: b"Mozilla/5.0 (compatible; Googlebot/2.1)",
            status: Some(503),
            bytes: Some(100),
            latency_us: Some(250_000),
            ..Entry::default()
        }
    }

    #[test]
    fn conditions() {
        let check = |text: &str, expected: bool| {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.meets(&entry()), expected, "{text}");
        };
        check("status>=500 and path~/api", true);
        check("status=5xx", true);
        check("status!=5xx", false);
        check("status = 404 or status=503", true);
        check("status=404||status=503", true);
        check("not status=503", false);
        check("! (status=503 && method=GET)", false);
        check("path=/API/users", true);
        check("path=/api/users", false);
        check("path~id=7", false);
        check("target~'id=7'", true);
        check("latency>200ms", true);
        check("latency>=250ms and latency<=250000us and latency<1s", true);
        check("bytes<100", false);
        check("client=10.0.0.0/8", true);
        check("client!=10.0.0.0/8", false);
        check("ip=10.1.2.3", true);
        check("client~10.1.", true);
        check("referrer=''", true);
        check("agent~GOOGLE and bot=yes", true);
        check("bot=no", false);
        check("unanswered=no", true);
        check("level=ERROR", false);
        check("method!=POST and host!~test", true);
        // and binds closer than or.
        check("status=503 or status=404 and status=1", true);
        check("(status=503 or status=404) and status=1", false);
    }

    #[test]
    fn what_is_not_there() {
        let nothing = Entry::default();
        for (text, expected) in [
            ("status>0", false),
            ("status!=200", true),
            ("status=5xx", false),
            ("latency<1s", false),
            ("client=10.0.0.0/8", false),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.meets(&nothing), expected, "{text}");
        }
    }
}
