//! Where a configuration came from, and what is wrong with it: one sentence with the place and the key.

use std::fmt;
use std::path::PathBuf;

use crate::config::ConfigError;

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

impl Source {
    /// What messages name as the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.to_string())
    }
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
    /// As this sentence says.
    #[must_use]
    pub fn new(sentence: &str) -> Self {
        // It may quote a file or a variable.
        let escape = |letter: char| match letter.is_control() {
            true => letter.escape_default().to_string(),
            false => letter.to_string(),
        };
        Self(sentence.chars().map(escape).collect())
    }
}

impl From<ConfigError> for Wrong {
    fn from(error: ConfigError) -> Self {
        Self::new(&error.to_string())
    }
}
