//! Values out of the tree: each checked, each error with its key and line, and what nobody asked for
//! refused at the end.

use super::error::{Source, Wrong};
use super::tree::{Node, Tree};
use crate::config::nearest;

/// The longest text that is taken as one value.
const LONGEST_TEXT: usize = 4096;

/// What reading leaves beside the values.
#[derive(Debug)]
pub(super) struct Notes<'a> {
    pub(super) source: &'a Source,
    /// What works, but should be written otherwise.
    pub(super) warnings: Vec<Wrong>,
}

impl Notes<'_> {
    pub(super) fn wrong(&self, line: u64, sentence: &str) -> Wrong {
        Wrong::new(self.source, line, sentence)
    }

    pub(super) fn warn(&mut self, line: u64, sentence: &str) {
        let warning = self.wrong(line, sentence);
        self.warnings.push(warning);
    }
}

/// A value with its path.
#[derive(Debug)]
pub(super) struct Value {
    pub(super) path: String,
    pub(super) tree: Tree,
}

impl Value {
    pub(super) fn line(&self) -> u64 {
        self.tree.line
    }

    /// The error for this value.
    pub(super) fn refuse(&self, notes: &Notes<'_>, must: &str) -> Wrong {
        let shown = match &self.tree.node {
            Node::Nothing => "empty".to_owned(),
            Node::Text(text) => {
                let mut shown: String = text.chars().take(60).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("{shown:?}")
            }
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a section".to_owned(),
        };
        notes.wrong(
            self.line(),
            &format!("{} is {shown}, but must be {must}", self.path),
        )
    }

    /// A text without control characters.
    pub(super) fn text(&self, notes: &Notes<'_>) -> Result<String, Wrong> {
        match &self.tree.node {
            Node::Text(text)
                if !text.is_empty()
                    && text.len() <= LONGEST_TEXT
                    && !text.chars().any(char::is_control) =>
            {
                Ok(text.clone())
            }
            _ => Err(self.refuse(notes, "a text without control characters")),
        }
    }

    /// A number from `low` to `high`, which `must` describes.
    pub(super) fn number(
        &self,
        notes: &Notes<'_>,
        (low, high): (f64, f64),
        must: &str,
    ) -> Result<f64, Wrong> {
        let number = match &self.tree.node {
            Node::Text(text) => text.trim().parse::<f64>().ok(),
            _ => None,
        };
        number
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| self.refuse(notes, must))
    }

    /// A likelihood.
    pub(super) fn share(&self, notes: &Notes<'_>) -> Result<f64, Wrong> {
        self.number(notes, (0.0, 1.0), "a number from 0 to 1")
    }

    /// A weight.
    pub(super) fn weight(&self, notes: &Notes<'_>) -> Result<f64, Wrong> {
        self.number(notes, (0.0, 1e12), "a weight: a number from 0 on")
    }

    /// A whole number.
    pub(super) fn whole(&self, notes: &Notes<'_>, low: u64, high: u64) -> Result<u64, Wrong> {
        let number = match &self.tree.node {
            Node::Text(text) => text.trim().parse::<u64>().ok(),
            _ => None,
        };
        number
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| self.refuse(notes, &format!("a whole number from {low} to {high}")))
    }

    /// `true` or `false`, also as YAML 1.1 writes them.
    pub(super) fn truth(&self, notes: &Notes<'_>) -> Result<bool, Wrong> {
        let word = match &self.tree.node {
            Node::Text(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.refuse(notes, "true or false")),
        }
    }

    /// A list.
    pub(super) fn items(self, notes: &Notes<'_>) -> Result<Vec<Self>, Wrong> {
        match self.tree.node {
            Node::List(items) => {
                let path = self.path;
                let items = items.into_iter().enumerate();
                Ok(items
                    .map(|(index, tree)| Self {
                        path: format!("{path}[{index}]"),
                        tree,
                    })
                    .collect())
            }
            Node::Nothing => Ok(Vec::new()),
            _ => Err(self.refuse(notes, "a list")),
        }
    }

    /// Keys and their values; nothing is a section without keys.
    pub(super) fn section(self, notes: &Notes<'_>) -> Result<Section, Wrong> {
        match self.tree.node {
            Node::Map(entries) => Ok(Section {
                path: self.path,
                line: self.tree.line,
                entries,
                asked: Vec::new(),
            }),
            Node::Nothing => Ok(Section {
                path: self.path,
                line: self.tree.line,
                entries: Vec::new(),
                asked: Vec::new(),
            }),
            _ => Err(self.refuse(notes, "a section: keys and their values")),
        }
    }
}

/// A section that is being read.
#[derive(Debug)]
pub(super) struct Section {
    path: String,
    pub(super) line: u64,
    entries: Vec<(String, u64, Tree)>,
    /// The keys that there are.
    asked: Vec<&'static str>,
}

impl Section {
    /// The path of a key.
    fn path_of(&self, name: &str) -> String {
        match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        }
    }

    /// The value of a key. `None`: it is not there, or empty, and keeps its default.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.asked.push(name);
        let at = self.entries.iter().position(|(key, ..)| key == name)?;
        let (name, _, tree) = self.entries.remove(at);
        let path = self.path_of(&name);
        (tree.node != Node::Nothing).then_some(Value { path, tree })
    }

    /// The value of a key that has another name, too: that one is taken with a warning.
    pub(super) fn take_also(
        &mut self,
        name: &'static str,
        other: &'static str,
        notes: &mut Notes<'_>,
    ) -> Option<Value> {
        let value = self.take(name);
        let Some(at) = self.entries.iter().position(|(key, ..)| key == other) else {
            return value;
        };
        let (_, line, tree) = self.entries.remove(at);
        let (known, asked) = (self.path_of(name), self.path_of(other));
        if value.is_some() {
            notes.warn(
                line,
                &format!("{asked} is another name of {known}, which is there too and wins"),
            );
            return value;
        }
        notes.warn(line, &format!("{asked} is taken for {known}: use that key"));
        (tree.node != Node::Nothing).then_some(Value { path: known, tree })
    }

    /// All that is left, for a section whose keys are the user's own.
    pub(super) fn rest(&mut self) -> Vec<(String, u64, Value)> {
        let path = self.path.clone();
        let entries = std::mem::take(&mut self.entries).into_iter();
        entries
            .map(|(name, line, tree)| {
                let path = match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}.{name}"),
                };
                (name, line, Value { path, tree })
            })
            .collect()
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self, notes: &Notes<'_>) -> Result<(), Wrong> {
        let Some((name, line, _)) = self.entries.first() else {
            return Ok(());
        };
        let path = self.path_of(name);
        let known = self.asked.iter().map(|name| (*name).to_owned());
        let hint = nearest(name, known).map_or_else(String::new, |name| {
            format!("; did you mean {}?", self.path_of(&name))
        });
        Err(notes.wrong(*line, &format!("there is no key {path}{hint}")))
    }
}
