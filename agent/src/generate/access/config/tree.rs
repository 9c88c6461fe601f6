//! YAML as a tree of texts with their lines: what a configuration with names of the user's own (pages,
//! states) is read from.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MergeKeyPolicy, MessageFormatter as _, Spanned, UserMessageFormatter};

use super::error::{Source, Wrong};

/// The longest configuration that is read, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// A value and the line it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) line: u64,
    pub(super) node: Node,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing stands there.
    Nothing,
    /// One value, as text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// Keys with the line of each, and their values, in order.
    Map(Vec<(String, u64, Tree)>),
}

/// Reads one document.
///
/// # Errors
/// Too long, not text, or not YAML that a configuration needs.
pub(super) fn parse(source: &Source, bytes: &[u8]) -> Result<Tree, Wrong> {
    let wrong = |line, sentence: &str| Wrong::new(source, line, sentence);
    if bytes.len() > LONGEST {
        return Err(wrong(
            0,
            "it is larger than 1 MiB: that is no configuration",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() as u64 + 1;
        wrong(line, "it is not UTF-8 text")
    })?;
    if text.trim().is_empty() {
        return Ok(Tree {
            line: 1,
            node: Node::Nothing,
        });
    }
    let read: Result<Spanned<Node>, _> = serde_saphyr::from_str_with_options(text, options());
    match read {
        Ok(read) => Ok(Tree {
            line: read.referenced.line(),
            node: read.value,
        }),
        Err(error) => {
            let error = error.without_snippet();
            let line = error.location().map_or(1, |place| place.line().max(1));
            if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
                let key = key.clone().unwrap_or_default();
                return Err(wrong(line, &format!("the key {key:?} is there twice")));
            }
            let message = UserMessageFormatter.format_message(error);
            Err(wrong(
                line,
                &format!("not the YAML of a configuration: {message}"),
            ))
        }
    }
}

/// Nothing that a configuration does not need.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_aliases: 64,
            max_anchors: 64,
            max_documents: 1,
            max_nodes: 100_000,
            max_total_scalar_bytes: 4 << 20,
        },
        merge_keys: MergeKeyPolicy::Error,
        with_snippet: false,
        emit_comments: false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value, a list or keys with their values")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Node>>()? {
            items.push(Tree {
                line: item.referenced.line(),
                node: item.value,
            });
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            let value = map.next_value::<Spanned<Node>>()?;
            let tree = Tree {
                line: value.referenced.line(),
                node: value.value,
            };
            entries.push((name.value, name.referenced.line(), tree));
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source() -> Source {
        Source::Variable("X")
    }

    #[test]
    fn texts_lists_and_keys_know_their_lines() {
        let tree = parse(&source(), b"a: 1\nb:\n  - x\n  - 2-6\nc: {d: 0.5}\ne:\n").unwrap();
        let Node::Map(entries) = tree.node else {
            panic!("no keys")
        };
        let lines: Vec<(&str, u64)> = entries
            .iter()
            .map(|(name, line, _)| (name.as_str(), *line))
            .collect();
        assert_eq!(lines, [("a", 1), ("b", 2), ("c", 5), ("e", 6)]);
        assert_eq!(entries[0].2.node, Node::Text("1".to_owned()));
        let Node::List(items) = &entries[1].2.node else {
            panic!("no list")
        };
        assert_eq!(items[1].node, Node::Text("2-6".to_owned()));
        assert_eq!(items[1].line, 4);
        let Node::Map(inner) = &entries[2].2.node else {
            panic!("no keys")
        };
        assert_eq!(inner[0].2.node, Node::Text("0.5".to_owned()));
        assert_eq!(entries[3].2.node, Node::Nothing);
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        let check = |text: &[u8], part: &str| {
            let error = parse(&source(), text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        check(b"a: [1", "X, line");
        check(b"a: 1\na: 2\n", "the key \"a\" is there twice");
        check(b"a: 1\n\xff", "X, line 2: it is not UTF-8 text");
        check(&vec![b'#'; (1 << 20) + 1], "larger than 1 MiB");
        check(b"a: 1\n---\nb: 2\n", "X");
        let deep = "[".repeat(100);
        check(deep.as_bytes(), "X, line 1");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&source(), &bytes));
        }

        #[test]
        fn nearly_yaml(text in "([a-c]: |- |\\[|\\]|\\{|\\}|,|\"|\n|  |[0-9.]){0,60}") {
            drop(parse(&source(), text.as_bytes()));
        }
    }
}
