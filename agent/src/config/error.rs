//! What can be wrong with a configuration: one sentence each, with the key and the place.

use std::path::PathBuf;

use super::{Refusal, Value};

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", .path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The file is longer than a configuration can be.
    #[error("{} is larger than {limit} bytes: that is no configuration file", .path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    /// The file is not text.
    #[error("{}, line {line}: the file is not UTF-8 text", .path.display())]
    NotText { path: PathBuf, line: u64 },
    /// The file is not YAML, or YAML that no configuration needs.
    #[error("{}, line {line}: not the YAML of a configuration: {message}", .path.display())]
    NotYaml {
        path: PathBuf,
        line: u64,
        message: String,
    },
    /// The shape of the value of a key is wrong.
    #[error("{}, line {line}: {key} {refusal}", .path.display())]
    Shape {
        path: PathBuf,
        line: u64,
        key: String,
        refusal: Refusal,
    },
    /// The file has a key that does not exist.
    #[error("{}, line {line}: there is no key {key}{}", .path.display(), hint(.nearest.as_deref()))]
    UnknownKey {
        path: PathBuf,
        line: u64,
        key: Value,
        nearest: Option<String>,
    },
    /// The file has a key twice in one section.
    #[error("{}, line {line}: the key {key} is there twice", .path.display())]
    Repeated {
        path: PathBuf,
        line: u64,
        key: Value,
    },
    /// A value of the file is refused.
    #[error("{}, line {line}: {key} is {value}, but {refusal}", .path.display())]
    FileValue {
        path: PathBuf,
        line: u64,
        key: &'static str,
        value: Value,
        refusal: Refusal,
    },
    /// A variable begins with TAPLINE_ but stands for no key.
    #[error("there is no variable {variable}{}", hint(.nearest.as_deref()))]
    UnknownVariable {
        variable: Value,
        nearest: Option<String>,
    },
    /// The value of a variable is not text.
    #[error("{variable} is not UTF-8 text")]
    VariableNotText { variable: String },
    /// The value of a variable is refused.
    #[error("{variable} is {value}, but {refusal}")]
    VariableValue {
        variable: String,
        value: Value,
        refusal: Refusal,
    },
    /// The value of a flag is refused.
    #[error("{flag} is {value}, but {refusal}")]
    FlagValue {
        flag: &'static str,
        value: Value,
        refusal: Refusal,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}
