//! One message as one line, text or JSON. Pure: the time comes in.

use std::error::Error;
use std::fmt;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::config::DiagnosticsFormat;

/// Bytes of a message or a field at most: what quotes the wire can be long.
const TEXT_MAX: usize = 4096;

/// A message and its fields.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) message: String,
    fields: Vec<(&'static str, FieldValue)>,
}

#[derive(Debug)]
enum FieldValue {
    Text(String),
    Plain(serde_json::Value),
}

impl Said {
    /// What an event says.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut said = Self::default();
        event.record(&mut said);
        said
    }

    /// A message without fields.
    pub(super) fn plain(message: String) -> Self {
        Self {
            message,
            fields: Vec::new(),
        }
    }

    /// The whole line, with its line end. `target` is the part of the program that speaks.
    pub(super) fn line(
        &self,
        format: DiagnosticsFormat,
        now: Timestamp,
        level: Level,
        target: &str,
    ) -> String {
        match format {
            DiagnosticsFormat::Text => self.text(now, level),
            DiagnosticsFormat::Json => self.json(now, level, target),
        }
    }

    fn text(&self, now: Timestamp, level: Level) -> String {
        let mut line = format!("{now:.3} {level:>5} ");
        push_escaped(&mut line, &self.message);
        for (name, value) in &self.fields {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            match value {
                FieldValue::Plain(value) => line.push_str(&value.to_string()),
                FieldValue::Text(text) if is_one_word(text) => push_escaped(&mut line, text),
                FieldValue::Text(text) => {
                    line.push('"');
                    push_escaped(&mut line, &text.replace('\\', "\\\\").replace('"', "\\\""));
                    line.push('"');
                }
            }
        }
        line.push('\n');
        line
    }

    fn json(&self, now: Timestamp, level: Level, target: &str) -> String {
        let mut line = format!("{{\"ts\":\"{now:.3}\"");
        let mut push = |name: &str, value: serde_json::Value| {
            line.push_str(&format!(",{}:{value}", serde_json::Value::from(name)));
        };
        push("level", level.as_str().to_ascii_lowercase().into());
        push("target", target.into());
        push("message", shortened(&self.message).into());
        for (name, value) in &self.fields {
            // What every line has cannot be said twice.
            let name = match *name {
                "ts" | "level" | "target" => &format!("{name}_"),
                name => name,
            };
            match value {
                FieldValue::Plain(value) => push(name, value.clone()),
                FieldValue::Text(text) => push(name, shortened(text).into()),
            }
        }
        line.push_str("}\n");
        line
    }

    fn put(&mut self, field: &Field, value: FieldValue) {
        match (field.name(), value) {
            ("message", FieldValue::Text(text)) => self.message = text,
            ("message", FieldValue::Plain(value)) => self.message = value.to_string(),
            // How events of the crate `log` carry their origin.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, FieldValue::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, FieldValue::Text(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, FieldValue::Plain(value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, FieldValue::Plain(value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, FieldValue::Plain(value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, FieldValue::Plain(value.into()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut chain = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            chain.push_str(&format!(": {error}"));
            cause = error.source();
        }
        self.put(field, FieldValue::Text(chain));
    }
}

fn is_one_word(text: &str) -> bool {
    let breaks =
        |letter: char| letter.is_whitespace() || letter.is_control() || "\"\\=".contains(letter);
    !text.is_empty() && !text.contains(breaks)
}

/// Control characters, and the line ends of Unicode, escaped.
fn push_escaped(line: &mut String, text: &str) {
    for letter in shortened(text).chars() {
        match letter {
            '\u{2028}' | '\u{2029}' => line.extend(letter.escape_unicode()),
            _ if letter.is_control() => line.extend(letter.escape_default()),
            _ => line.push(letter),
        }
    }
}

fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= TEXT_MAX {
        return text.into();
    }
    let end = text.floor_char_boundary(TEXT_MAX);
    format!("{}…", &text[..end]).into()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use tracing::Level;

    use super::{FieldValue, Said};
    use crate::config::DiagnosticsFormat;

    fn lines(message: &str, field: FieldValue) -> [String; 2] {
        let said = Said {
            message: message.to_owned(),
            fields: vec![("path", field)],
        };
        [DiagnosticsFormat::Text, DiagnosticsFormat::Json]
            .map(|format| said.line(format, Timestamp::UNIX_EPOCH, Level::WARN, "tapline::x"))
    }

    #[test]
    fn golden_lines() {
        let check = |message: &str, field: &str, text: &str, json: &str| {
            let [as_text, as_json] = lines(message, FieldValue::Text(field.to_owned()));
            assert_eq!(as_text, format!("1970-01-01T00:00:00.000Z  WARN {text}\n"));
            let begin =
                "{\"ts\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"target\":\"tapline::x\"";
            assert_eq!(as_json, format!("{begin},\"message\":{json}}}\n"));
            assert!(serde_json::from_str::<serde_json::Value>(&as_json).is_ok());
        };
        check("lost", "/a/b", "lost path=/a/b", r#""lost","path":"/a/b""#);
        check("a b", "c d", "a b path=\"c d\"", r#""a b","path":"c d""#);
        check("x", "", "x path=\"\"", r#""x","path":"""#);
        check("x", "\"\\", r#"x path="\"\\""#, r#""x","path":"\"\\""#);
        check(
            "forged\n1970",
            "\u{1b}[31m\u{2028}",
            "forged\\n1970 path=\"\\u{1b}[31m\\u{2028}\"",
            "\"forged\\n1970\",\"path\":\"\\u001b[31m\u{2028}\"",
        );
    }

    #[test]
    fn numbers_are_plain() {
        let [text, json] = lines("x", FieldValue::Plain(7.into()));
        assert!(text.ends_with("x path=7\n"), "{text}");
        assert!(json.contains("\"path\":7"), "{json}");
    }

    #[test]
    fn a_field_cannot_pose_as_what_every_line_has() {
        let said = Said {
            message: "x".to_owned(),
            fields: vec![("level", FieldValue::Plain(1.into()))],
        };
        let line = said.line(
            DiagnosticsFormat::Json,
            Timestamp::UNIX_EPOCH,
            Level::WARN,
            "t",
        );
        assert!(
            line.ends_with("\"level\":\"warn\",\"target\":\"t\",\"message\":\"x\",\"level_\":1}\n"),
            "{line}"
        );
    }

    #[test]
    fn long_texts_are_shortened() {
        let long = "é".repeat(1 << 20);
        for line in lines(&long, FieldValue::Text(long.clone())) {
            assert!(line.len() < 3 * super::TEXT_MAX, "{}", line.len());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_line(message in any::<String>(), field in any::<String>()) {
            let [text, json] = lines(&message, FieldValue::Text(field.clone()));
            for line in [&text, &json] {
                let inner = line.strip_suffix('\n').unwrap();
                prop_assert!(!inner.contains(['\n', '\r', '\u{1b}', '\0']), "{}", line);
            }
            prop_assert!(!text.trim_end_matches('\n').contains(char::is_control));
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read["message"].as_str(), Some(&*message));
            prop_assert_eq!(read["path"].as_str(), Some(&*field));
        }
    }
}
