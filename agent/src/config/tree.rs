//! A YAML file as a tree with the line of every key and value, for files whose keys are not all known
//! beforehand. Refuses what [`settings_from_yaml`](super::settings_from_yaml) refuses, but knows no keys:
//! a [`Branch`] hands out what its reader asks for, and refuses what nobody asked for.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MessageFormatter as _, Spanned, UserMessageFormatter};

use super::file::{bytes_of_file, one_line, options, text_of};
use super::nearest::nearest;
use super::{ConfigError, Refusal, Value};

/// Reads the file at `path`.
///
/// # Errors
/// The file cannot be read, or what [`tree_from_yaml`] refuses.
pub fn tree_from_file(path: &Path) -> Result<Node, ConfigError> {
    tree_from_yaml(path, &bytes_of_file(path)?)
}

/// Reads a file's content; `path` is only for messages. A file with nothing in it is an empty section.
///
/// # Errors
/// Too large, not text, not YAML, or a key that is there twice.
pub fn tree_from_yaml(path: &Path, bytes: &[u8]) -> Result<Node, ConfigError> {
    let text = text_of(path, bytes)?;
    let read = serde_saphyr::from_str_with_options::<Option<Spanned<Tree>>>(text, options());
    match read {
        Ok(Some(root)) => Ok(Node::from(root)),
        Ok(None) => Ok(Node {
            line: 1,
            tree: Tree::Nothing,
        }),
        Err(error) => Err(explain(path, &error)),
    }
}

fn explain(path: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let error = error.without_snippet();
    let line = error.location().map_or(1, |place| place.line().max(1));
    let path = path.to_owned();
    if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
        let key = Value::Text(key.clone().unwrap_or_default());
        return ConfigError::Repeated { path, line, key };
    }
    ConfigError::NotYaml {
        path,
        line,
        message: one_line(&UserMessageFormatter.format_message(error)),
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The line, from 1.
    pub line: u64,
    /// What stands there.
    pub tree: Tree,
}

/// What can stand in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// No value.
    Nothing,
    /// One value, as text: numbers and truth values too.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with their lines and values, in the order of the file.
    Section(Vec<(String, u64, Node)>),
}

impl From<Spanned<Tree>> for Node {
    fn from(spanned: Spanned<Tree>) -> Self {
        Self {
            line: spanned.referenced.line().max(1),
            tree: spanned.value,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value, a list or a section")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nothing)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Tree>>()? {
            items.push(item.into());
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            let line = name.referenced.line().max(1);
            let value = map.next_value::<Spanned<Tree>>()?;
            entries.push((name.value, line, value.into()));
        }
        Ok(Tree::Section(entries))
    }
}

/// A section that is being read: keys are taken out by name, what is left over is unknown.
#[derive(Debug)]
pub struct Branch<'a> {
    file: &'a Path,
    /// The keys above, joined by dots; empty at the root.
    path: String,
    entries: Vec<(&'a str, u64, &'a Node)>,
    /// The names that were asked for.
    known: Vec<String>,
}

/// A value with its key and place, for whoever reads it.
#[derive(Clone, Debug)]
pub struct Leaf<'a> {
    /// The file.
    pub file: &'a Path,
    /// The whole key, with dots; of an item of a list with its number, from 0, in brackets.
    pub key: String,
    /// The line of the key, or of the item.
    pub line: u64,
    /// What stands there.
    pub node: &'a Node,
}

impl<'a> Branch<'a> {
    /// The root of a file.
    ///
    /// # Errors
    /// It is no section.
    pub fn root(file: &'a Path, root: &'a Node) -> Result<Self, ConfigError> {
        Leaf {
            file,
            key: String::new(),
            line: root.line,
            node: root,
        }
        .branch()
    }

    /// Takes the value of a key; `None`: the key is not there, or has no value.
    pub fn take(&mut self, name: &str) -> Option<Leaf<'a>> {
        self.known.push(name.to_owned());
        let place = self.entries.iter().position(|(key, ..)| *key == name)?;
        let (_, line, node) = self.entries.remove(place);
        let leaf = Leaf {
            file: self.file,
            key: self.whole(name),
            line,
            node,
        };
        (node.tree != Tree::Nothing).then_some(leaf)
    }

    /// Takes the value of a key, read by `read`, into its place, which stays as it is where the key is not
    /// there or has no value.
    ///
    /// # Errors
    /// It is a list or a section, or refused.
    pub fn set<T>(
        &mut self,
        name: &str,
        place: &mut T,
        read: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Result<(), ConfigError> {
        if let Some(leaf) = self.take(name) {
            *place = leaf.read(read)?;
        }
        Ok(())
    }

    /// Takes the section of a key; `None`: the key is not there, or has no value.
    ///
    /// # Errors
    /// It is no section.
    pub fn section(&mut self, name: &str) -> Result<Option<Self>, ConfigError> {
        self.take(name).map(|leaf| leaf.branch()).transpose()
    }

    /// Takes all that is left, in the order of the file: for sections whose keys are names.
    pub fn rest(&mut self) -> Vec<(&'a str, Leaf<'a>)> {
        let entries = std::mem::take(&mut self.entries);
        entries
            .into_iter()
            .map(|(name, line, node)| {
                let leaf = Leaf {
                    file: self.file,
                    key: self.whole(name),
                    line,
                    node,
                };
                (name, leaf)
            })
            .collect()
    }

    /// Ends the reading of the section.
    ///
    /// # Errors
    /// The first key that nobody took.
    pub fn end(self) -> Result<(), ConfigError> {
        let Some((name, line, _)) = self.entries.first() else {
            return Ok(());
        };
        let near = nearest(name, self.known.iter().cloned());
        Err(ConfigError::UnknownKey {
            path: self.file.to_owned(),
            line: *line,
            nearest: near.map(|name| self.whole(&name)),
            key: Value::Text(self.whole(name)),
        })
    }

    fn whole(&self, name: &str) -> String {
        match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        }
    }
}

impl<'a> Leaf<'a> {
    /// The value as a section; none is an empty one.
    ///
    /// # Errors
    /// It is something else.
    pub fn branch(&self) -> Result<Branch<'a>, ConfigError> {
        let entries = match &self.node.tree {
            Tree::Section(entries) => entries
                .iter()
                .map(|(name, line, node)| (name.as_str(), *line, node))
                .collect(),
            Tree::Nothing => Vec::new(),
            Tree::Text(_) | Tree::List(_) => {
                return Err(self.shape("must be a section: keys and their values"));
            }
        };
        Ok(Branch {
            file: self.file,
            path: self.key.clone(),
            entries,
            known: Vec::new(),
        })
    }

    /// The items of a list.
    ///
    /// # Errors
    /// It is something else.
    pub fn list(&self) -> Result<Vec<Self>, ConfigError> {
        let Tree::List(items) = &self.node.tree else {
            return Err(self.shape("must be a list, like [first, second]"));
        };
        Ok(items
            .iter()
            .enumerate()
            .map(|(number, node)| Self {
                file: self.file,
                key: format!("{}[{number}]", self.key),
                line: node.line,
                node,
            })
            .collect())
    }

    /// The value, read by `read`.
    ///
    /// # Errors
    /// It is a list or a section, or refused.
    pub fn read<T>(&self, read: impl FnOnce(&str) -> Result<T, Refusal>) -> Result<T, ConfigError> {
        let Tree::Text(text) = &self.node.tree else {
            return Err(self.shape("must be one value, not a list or a section"));
        };
        read(text).map_err(|refusal| {
            let value = Value::Text(text.clone());
            self.refused(&Refusal::new(format!("is {value}, but {refusal}")))
        })
    }

    /// The error for this value: the refusal completes "KEY …".
    #[must_use]
    pub fn refused(&self, refusal: &Refusal) -> ConfigError {
        ConfigError::Shape {
            path: self.file.to_owned(),
            line: self.line,
            key: match self.key.is_empty() {
                true => "the file".to_owned(),
                false => one_line(&self.key),
            },
            refusal: refusal.clone(),
        }
    }

    fn shape(&self, what: &str) -> ConfigError {
        self.refused(&Refusal::new(what))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(text: &str) -> Result<Node, String> {
        tree_from_yaml(Path::new("f.yaml"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_and_shapes() {
        let root = tree("a: 1\nb:\n  - .5\n  - \"x: y\"\nc:\n  d: true\n  e:\n").unwrap();
        let file = Path::new("f.yaml");
        let mut branch = Branch::root(file, &root).unwrap();
        let a = branch.take("a").unwrap();
        assert_eq!((a.key.as_str(), a.line), ("a", 1));
        assert_eq!(a.node.tree, Tree::Text("1".to_owned()));
        let items = branch.take("b").unwrap().list().unwrap();
        assert_eq!((items[1].line, items[1].key.as_str()), (4, "b[1]"));
        assert_eq!(items[1].node.tree, Tree::Text("x: y".to_owned()));
        let number = items[0].read(|text| Ok(text.parse::<f64>().unwrap()));
        assert_eq!(number.unwrap(), 0.5);
        let mut c = branch.section("c").unwrap().unwrap();
        assert_eq!(c.take("d").unwrap().key, "c.d");
        assert!(c.take("e").is_none());
        c.end().unwrap();
        branch.end().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, says: &str| {
            let read = || -> Result<(), String> {
                let root = tree(text)?;
                let mut branch =
                    Branch::root(Path::new("f.yaml"), &root).map_err(|error| error.to_string())?;
                let weight = branch.take("weight");
                let weight = weight.map(|leaf| {
                    leaf.read(|text| {
                        text.parse::<f64>()
                            .map_err(|_none| Refusal::new("must be a number"))
                    })
                });
                weight.transpose().map_err(|error| error.to_string())?;
                branch.end().map_err(|error| error.to_string())
            };
            assert_eq!(read().unwrap_err(), says, "{text}");
        };
        check(
            "weight: many",
            "f.yaml, line 1: weight is \"many\", but must be a number",
        );
        check(
            "\nweight: [1]",
            "f.yaml, line 2: weight must be one value, not a list or a section",
        );
        check(
            "weight:\n  a: 1",
            "f.yaml, line 1: weight must be one value, not a list or a section",
        );
        check(
            "weight: .nan",
            "f.yaml, line 1: weight is \".nan\", but must be a number",
        );
        check(
            "weight: -.Inf",
            "f.yaml, line 1: weight is \"-.inf\", but must be a number",
        );
        check(
            "weight: 1\nwieght: 2",
            "f.yaml, line 2: there is no key \"wieght\"; did you mean weight?",
        );
        check(
            "weight: 1\nweight: 2",
            "f.yaml, line 2: the key \"weight\" is there twice",
        );
        check(
            "- 1",
            "f.yaml, line 1: the file must be a section: keys and their values",
        );
        let broken = tree("a: [1, 2\nb: }").unwrap_err();
        assert!(broken.starts_with("f.yaml, line "), "{broken}");
    }

    #[test]
    fn nothing_is_an_empty_section() {
        for text in ["", "# only a remark\n", "---\n"] {
            let root = tree(text).unwrap();
            let branch = Branch::root(Path::new("f"), &root).unwrap();
            branch.end().unwrap();
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(\\PC|\n|  |: |- |\\[|\\{|&a |\\*a |\"){0,60}") {
            drop(tree(&text));
        }
    }
}
