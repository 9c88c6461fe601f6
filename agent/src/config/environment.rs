//! The layer of the environment: `TAPLINE_LOG_DIR` for `log.dir`, lists separated by commas.
//!
//! A variable that begins with `TAPLINE_` and stands for no key is refused, so that a misspelt one
//! does not go unnoticed.

use std::ffi::OsString;

use super::nearest::nearest;
use super::{ConfigError, Key, Origin, Setting, Value};

/// What the name of every variable begins with.
pub(super) const PREFIX: &str = "TAPLINE_";

/// Variables of the build: they may still be set where a fresh build is run.
const OF_THE_BUILD: [&str; 1] = ["TAPLINE_EBPF_OBJECT"];

/// Picks the settings out of `variables` (as of [`std::env::vars_os`]), in the order of their names.
///
/// # Errors
/// A variable that stands for no key, or whose value is not text.
pub fn settings_from_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Setting>, ConfigError> {
    let mut ours: Vec<(String, OsString)> = variables
        .into_iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with(PREFIX) && !OF_THE_BUILD.contains(&name.as_str()))
        .collect();
    ours.sort();
    ours.into_iter()
        .map(|(name, value)| setting(name, value))
        .collect()
}

fn setting(name: String, value: OsString) -> Result<Setting, ConfigError> {
    let Some(key) = Key::ALL.into_iter().find(|key| key.variable() == name) else {
        return Err(ConfigError::UnknownVariable {
            nearest: nearest(&name, Key::ALL.into_iter().map(Key::variable)),
            variable: Value::Text(name),
        });
    };
    let Ok(text) = value.into_string() else {
        return Err(ConfigError::VariableNotText { variable: name });
    };
    let value = match key.is_list() {
        true => Value::List(items(&text)),
        false => Value::Text(text),
    };
    Ok(Setting {
        key,
        value,
        origin: Origin::Environment,
    })
}

fn items(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}
