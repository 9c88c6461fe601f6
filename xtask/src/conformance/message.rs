//! One HTTP message, as far as two programs must agree on it, and the difference of two lists.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// A request or a response and the way it went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    content: Content,
}

/// What a message says in its start line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    Request { method: String, target: String },
    Response { status: u16 },
}

/// What is in one list and not in the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Expected and not found, each as often as it lacks.
    pub(crate) missing: Vec<Message>,
    /// Found and not expected, each as often as it is too many.
    pub(crate) extra: Vec<Message>,
}

/// One line of `expected.jsonl`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    file: String,
    messages: Vec<Expected>,
}

/// `[source, port, destination, port, "Q", method, target]` or `[…, "R", status]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Expected {
    Request(IpAddr, u16, IpAddr, u16, String, String, String),
    Response(IpAddr, u16, IpAddr, u16, String, u16),
}

/// One JSON line of the program, as far as it is compared.
#[derive(Deserialize)]
struct LogLine {
    kind: String,
    src_ip: IpAddr,
    src_port: u16,
    dst_ip: IpAddr,
    dst_port: u16,
    method: Option<String>,
    target: Option<String>,
    status: Option<u16>,
}

impl Message {
    /// Reads one JSON line that the program wrote.
    ///
    /// # Errors
    /// When the line is not JSON, lacks a value, or its kind is none of CQ, CR, SQ and SR.
    pub(crate) fn from_log_line(line: &str) -> Result<Self> {
        let entry: LogLine = serde_json::from_str(line).with_context(|| format!("read {line}"))?;
        let content = match entry.kind.as_str() {
            "CQ" | "SQ" => Content::Request {
                method: entry
                    .method
                    .with_context(|| format!("no method in {line}"))?,
                target: entry
                    .target
                    .with_context(|| format!("no target in {line}"))?,
            },
            "CR" | "SR" => Content::Response {
                status: entry
                    .status
                    .with_context(|| format!("no status in {line}"))?,
            },
            other => bail!("kind {other:?} in {line}"),
        };
        Ok(Self {
            source: (entry.src_ip, entry.src_port),
            destination: (entry.dst_ip, entry.dst_port),
            content,
        })
    }
}

impl TryFrom<Expected> for Message {
    type Error = anyhow::Error;

    fn try_from(expected: Expected) -> Result<Self> {
        match expected {
            Expected::Request(from, from_port, to, to_port, kind, method, target)
                if kind == "Q" =>
            {
                Ok(Self {
                    source: (from, from_port),
                    destination: (to, to_port),
                    content: Content::Request { method, target },
                })
            }
            Expected::Response(from, from_port, to, to_port, kind, status) if kind == "R" => {
                Ok(Self {
                    source: (from, from_port),
                    destination: (to, to_port),
                    content: Content::Response { status },
                })
            }
            _ => bail!("a message is neither \"Q\", method, target nor \"R\", status"),
        }
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            destination,
            content,
        } = self;
        write!(
            f,
            "{}#{} {}#{} ",
            source.0, source.1, destination.0, destination.1
        )?;
        match content {
            Content::Request { method, target } => write!(f, "{method} {target}"),
            Content::Response { status } => write!(f, "{status}"),
        }
    }
}

/// Reads `expected.jsonl`: the messages by the name of the capture.
///
/// # Errors
/// When a line is not as told, or a capture has two; the message names the line.
pub(crate) fn expectations(text: &str) -> Result<BTreeMap<String, Vec<Message>>> {
    let mut files = BTreeMap::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let expectation: Expectation =
            serde_json::from_str(line).with_context(|| format!("line {number}"))?;
        let messages = expectation
            .messages
            .into_iter()
            .map(Message::try_from)
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("line {number}"))?;
        if files.insert(expectation.file.clone(), messages).is_some() {
            bail!("line {number}: {} has a line already", expectation.file);
        }
    }
    Ok(files)
}

/// Compares two lists as multisets.
pub(crate) fn compare(expected: &[Message], found: &[Message]) -> Difference {
    let mut balance: BTreeMap<&Message, i64> = BTreeMap::new();
    for message in expected {
        *balance.entry(message).or_default() += 1;
    }
    for message in found {
        *balance.entry(message).or_default() -= 1;
    }
    let mut difference = Difference::default();
    for (message, count) in balance {
        let list = if count > 0 {
            &mut difference.missing
        } else {
            &mut difference.extra
        };
        list.extend((0..count.unsigned_abs()).map(|_| message.clone()));
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"["10.0.0.1", 5, "::1", 80, "Q", "GET", "/a"]"#;
    const RESPONSE: &str = r#"["::1", 80, "10.0.0.1", 5, "R", 200]"#;

    fn expected(messages: &[&str]) -> Vec<Message> {
        let line = format!(r#"{{"file": "f", "messages": [{}]}}"#, messages.join(","));
        expectations(&line).unwrap().remove("f").unwrap()
    }

    fn found(lines: &[&str]) -> Vec<Message> {
        lines
            .iter()
            .map(|line| Message::from_log_line(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_of_the_log_is_the_message_that_was_expected() {
        let lines = [
            r#"{"ts":"x","kind":"SQ","src_ip":"10.0.0.1","src_port":5,"dst_ip":"0:0::1","dst_port":80,"method":"GET","target":"/a","version":"1.1"}"#,
            r#"{"kind":"CR","src_ip":"::1","src_port":80,"dst_ip":"10.0.0.1","dst_port":5,"status":200}"#,
        ];
        assert_eq!(found(&lines), expected(&[REQUEST, RESPONSE]));
    }

    #[test]
    fn a_line_that_lacks_something_is_an_error() {
        let check = |rest: &str| {
            let line = format!(
                r#"{{"src_ip":"10.0.0.1","src_port":5,"dst_ip":"::1","dst_port":80,{rest}}}"#
            );
            Message::from_log_line(&line).unwrap_err();
        };
        check(r#""kind":"CQ","method":"GET""#);
        check(r#""kind":"CR","method":"GET","target":"/""#);
        check(r#""kind":"XX","status":200"#);
        check(r#""status":200"#);
        Message::from_log_line("2019-09-01 14:16:51.002 1.1.1.1#5 2.2.2.2#80 CQ").unwrap_err();
        Message::from_log_line("").unwrap_err();
    }

    #[test]
    fn a_wrong_line_of_expectations_is_named() {
        let check = |text: &str, part: &str| {
            let message = format!("{:#}", expectations(text).unwrap_err());
            assert!(message.contains(part), "{message}");
        };
        check("{\"file\":\"a\",\"messages\":[]}\nnonsense", "line 2");
        check(
            "{\"file\":\"a\",\"messages\":[]}\n{\"file\":\"a\",\"messages\":[]}",
            "line 2: a has",
        );
        check(
            r#"{"file":"a","messages":[["::1",1,"::1",2,"R","GET","/"]]}"#,
            "neither",
        );
        check(
            r#"{"file":"a","messages":[["::1",1,"::1",2,"Q",200]]}"#,
            "neither",
        );
        assert!(expectations("\n").unwrap().is_empty());
    }

    #[test]
    fn lists_are_compared_by_how_often_each_comes() {
        let check = |wanted: &[&str], got: &[&str], missing: &[&str], extra: &[&str]| {
            let difference = compare(&expected(wanted), &expected(got));
            let want = Difference {
                missing: expected(missing),
                extra: expected(extra),
            };
            assert_eq!(difference, want);
        };
        check(&[REQUEST, RESPONSE], &[RESPONSE, REQUEST], &[], &[]);
        check(&[REQUEST, REQUEST], &[REQUEST], &[REQUEST], &[]);
        check(
            &[REQUEST],
            &[REQUEST, REQUEST, REQUEST],
            &[],
            &[REQUEST, REQUEST],
        );
        check(&[REQUEST], &[RESPONSE], &[REQUEST], &[RESPONSE]);
        check(&[], &[], &[], &[]);
    }
}
