//! The command that shows the lines of an insight, safe to be pasted into a shell.

use super::{Insight, Kind, Subject};
use crate::analysis::report::Report;

/// The command; `None`: the sources cannot be read again, or a name cannot be written in a line.
pub(super) fn of(report: &Report, insight: &Insight) -> Option<String> {
    let sources = &report.asked.sources;
    let cannot = |source: &String| source == "-" || source.contains(char::is_control);
    if sources.is_empty() || sources.iter().any(cannot) {
        return None;
    }
    let mut words = vec!["tapline".to_owned(), "report".to_owned()];
    words.extend(sources.iter().map(|source| match source.starts_with('-') {
        true => quoted(&format!("./{source}")),
        false => quoted(source),
    }));
    if let Some(format) = &report.asked.log_format {
        words.extend(["--log-format".to_owned(), quoted(format)]);
    }
    let since = insight.from.or(report.asked.since);
    let until = insight.to.or(report.asked.until);
    for (flag, time) in [("--since", since), ("--until", until)] {
        words.extend(time.map(|time| format!("{flag} {time}")));
    }
    let asked = report.asked.condition.as_ref();
    let conditions: Vec<String> = asked
        .map(|condition| format!("({condition})"))
        .into_iter()
        .chain(conditions(insight))
        .collect();
    if conditions
        .iter()
        .any(|text| text.contains(char::is_control))
    {
        return None;
    }
    if !conditions.is_empty() {
        words.extend(["--where".to_owned(), quoted(&conditions.join(" and "))]);
    }
    words.extend(["--format".to_owned(), "lines".to_owned()]);
    Some(words.join(" "))
}

/// What the lines have in common.
fn conditions(insight: &Insight) -> Vec<String> {
    let mut conditions = Vec::new();
    match insight.kind {
        Kind::ServerErrors | Kind::ServerErrorsRose | Kind::EndpointErrors => {
            conditions.push("status>=500".to_owned());
        }
        Kind::ClientErrors | Kind::ClientErrorsRose => {
            conditions.push("status>=400 and status<500".to_owned());
        }
        Kind::ErrorRates | Kind::ComparedErrors => conditions.push("status>=400".to_owned()),
        Kind::Scanner => conditions.push("status=404".to_owned()),
        Kind::BruteForce => conditions.push("(status=401 or status=403)".to_owned()),
        _ => {}
    }
    match &insight.subject {
        Some(Subject::Client(client)) => conditions.push(format!("client={}", value(client))),
        Some(Subject::Endpoint(endpoint)) if insight.kind.is_of_endpoint() => {
            conditions.push(format!("endpoint={}", value(endpoint)));
        }
        _ => {}
    }
    conditions
}

impl Kind {
    /// Whether its subject says which lines are meant, rather than where most of them are.
    fn is_of_endpoint(self) -> bool {
        matches!(
            self,
            Self::SlowestEndpoint | Self::EndpointSlower | Self::EndpointErrors
        )
    }
}

/// A value of a condition.
fn value(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".:/-_".contains(letter);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// A word of a shell's command line.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "./-_:,+@%".contains(letter);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_words_as_they_are() {
        for text in [
            "", "a b", "it's", "$(id)", "`id`", "a;b", "*", "\\", "\"", "!x", "~", "한",
        ] {
            let script = format!("printf %s {}", quoted(text));
            let shell = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), text);
        }
        assert_eq!(quoted("/var/log/access.log"), "/var/log/access.log");
    }

    #[test]
    fn values_are_quoted_where_needed() {
        assert_eq!(value("203.0.113.7"), "203.0.113.7");
        assert_eq!(value("GET /user/{id}"), "\"GET /user/{id}\"");
        assert_eq!(value("a\"b\\"), "\"a\\\"b\\\\\"");
    }
}
