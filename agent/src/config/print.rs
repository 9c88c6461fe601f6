//! The configuration as YAML that can be fed back, each value with a word on where it came from.

use super::{Config, Key, Origin, Origins, Value};

/// Writes `config` as a YAML file. Reading it gives the same configuration.
#[must_use]
pub fn print(config: &Config, origins: &Origins) -> String {
    let mut yaml = String::new();
    let mut open: Vec<&str> = Vec::new();
    for key in Key::ALL {
        let mut sections: Vec<&str> = key.path().split('.').collect();
        let name = sections.pop().unwrap_or_default();
        let shared = sections
            .iter()
            .zip(&open)
            .take_while(|(one, other)| one == other)
            .count();
        for (depth, section) in sections.iter().enumerate().skip(shared) {
            yaml += &format!("{}{section}:\n", "  ".repeat(depth));
        }
        yaml += &format!(
            "{}{name}: {}  # {}\n",
            "  ".repeat(sections.len()),
            flow(&config.get(key)),
            comment(key, origins.get(&key)),
        );
        open = sections;
    }
    yaml
}

fn flow(value: &Value) -> String {
    match value {
        Value::Text(text) => scalar(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| scalar(item)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// Plain where no reader can take it for anything else, in double quotes otherwise.
fn scalar(text: &str) -> String {
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '.');
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte));
    if begins && plain && !text.eq_ignore_ascii_case("null") {
        return text.to_owned();
    }
    quoted(text)
}

/// A text in double quotes, as YAML reads it again: in one line, and in ASCII.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ => quoted += &format!("\\U{:08x}", u32::from(letter)),
        }
    }
    quoted + "\""
}

fn comment(key: Key, origin: Option<&Origin>) -> String {
    match origin {
        None => "default".to_owned(),
        Some(Origin::Flag(flag)) => format!("flag {flag}"),
        Some(Origin::Environment) => format!("variable {}", key.variable()),
        // The name of a file may hold a line break, which would end the comment.
        Some(Origin::File { path, line }) => format!("{path:?}, line {line}"),
    }
}
