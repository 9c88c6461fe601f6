//! Heads as the program wrote them, read back from JSON lines.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// One JSON line.
#[derive(Clone, Debug, PartialEq)]
pub struct Head(pub Value);

impl Head {
    /// Kind and start line: `CQ GET /x`, `CR 200`, with ` partial` behind it where it is.
    #[must_use]
    pub fn summary(&self) -> String {
        self.to_string()
    }

    /// The text of a member; empty if it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// The number of a member.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.0.get("method").is_some()
    }

    /// The line without what differs from run to run and from hook to hook: times, CPU, interface,
    /// identifiers.
    #[must_use]
    pub fn without_time(&self) -> Value {
        let mut value = self.0.clone();
        if let Some(members) = value.as_object_mut() {
            for name in [
                "ts",
                "cpu_id",
                "ifname",
                "session_id",
                "exchange_id",
                "latency_us",
            ] {
                members.remove(name);
            }
        }
        value
    }
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.text("kind"))?;
        match self.number("status") {
            Some(status) => write!(formatter, "{status}")?,
            None => write!(formatter, "{} {}", self.text("method"), self.text("target"))?,
        }
        if self.0["partial"] == true {
            formatter.write_str(" partial")?;
        }
        Ok(())
    }
}

/// Reads JSON lines. A last line without its end is left out: it is being written.
///
/// # Panics
/// A line is no JSON.
#[must_use]
pub fn heads_of(text: &str) -> Vec<Head> {
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| {
            Head(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
        })
        .collect()
}

/// The summaries of heads, in their order.
#[must_use]
pub fn summaries(heads: &[Head]) -> Vec<String> {
    heads.iter().map(Head::summary).collect()
}

/// How often each item is there: what two lists have in common whatever their order.
#[must_use]
pub fn counted<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}
