//! What is wrong with a configuration: one sentence with the place and the key.

use std::fmt;
use std::path::PathBuf;

/// Where a configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// The text of an environment variable.
    Variable(&'static str),
    /// The one that is part of the program.
    Shipped,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Shipped => formatter.write_str("the shipped config/access.yaml"),
        }
    }
}

/// What is wrong with a configuration, or odd about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

impl Wrong {
    /// In a line of a source, counted from 1; 0: in all of it.
    #[must_use]
    pub fn new(source: &Source, line: u64, sentence: &str) -> Self {
        let place = match line {
            0 => source.to_string(),
            line => format!("{source}, line {line}"),
        };
        Self(one_line(&format!("{place}: {sentence}")))
    }

    /// Of something that has no line: a flag or a variable.
    #[must_use]
    pub fn of(sentence: &str) -> Self {
        Self(one_line(sentence))
    }
}

/// Control characters escaped: the text may quote the file.
fn one_line(text: &str) -> String {
    let escape = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(escape).collect()
}
