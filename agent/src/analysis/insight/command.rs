//! The command that shows the lines of an insight, safe to be pasted into a shell.

use super::{Insight, Kind, Subject};
use crate::analysis::report::Report;

/// The command; `None`: the sources cannot be read again, or a name cannot be written in a line.
pub(super) fn of(report: &Report, insight: &Insight) -> Option<String> {
    let sources = &report.asked.sources;
    let store = report.asked.store.as_ref();
    let cannot = |source: &String| source == "-" || source.contains(char::is_control);
    let mut all_sources = sources.iter().chain(store).peekable();
    if all_sources.peek().is_none() || all_sources.any(cannot) {
        return None;
    }
    let mut words = vec!["tapline".to_owned(), "report".to_owned()];
    words.extend(store.map(|folder| quoted(&format!("--db={folder}"))));
    words.extend(report.asked.flags.iter().map(|flag| quoted(flag)));
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
    let mut all: Vec<String> = asked
        .map(|condition| format!("({condition})"))
        .into_iter()
        .collect();
    all.extend(conditions(insight)?);
    let conditions = all;
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

/// What the lines have in common; `None`: it cannot be written as a condition.
fn conditions(insight: &Insight) -> Option<Vec<String>> {
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
        Kind::UnansweredRose | Kind::UnansweredShare => {
            conditions.push("unanswered=yes".to_owned());
        }
        Kind::FailuresRose => {
            conditions.push("(level=ERROR or level=CRITICAL)".to_owned());
        }
        Kind::WarningsRose => {
            conditions.push("(level=WARNING or level=ERROR or level=CRITICAL)".to_owned());
        }
        _ => {}
    }
    match &insight.subject {
        Some(Subject::Client(client)) => conditions.push(format!("client={}", value(client)?)),
        Some(Subject::Endpoint(endpoint)) if insight.kind.is_of_endpoint() => {
            conditions.push(of_endpoint(endpoint)?);
        }
        Some(Subject::Hour(hour)) => conditions.push(format!("hour={hour}")),
        Some(Subject::Service(service)) if insight.kind.is_of_service() => {
            conditions.push(format!("service={}", value(service)?));
        }
        _ => {}
    }
    Some(conditions)
}

/// The requests of an endpoint.
fn of_endpoint(endpoint: &str) -> Option<String> {
    let (method, template) = match endpoint.split_once(' ') {
        Some((method, template)) if !method.contains('/') => (method, template),
        _ => ("-", endpoint),
    };
    if template.contains('{') {
        let endpoint = match method {
            "-" => template,
            _ => endpoint,
        };
        return Some(format!("endpoint={}", value(endpoint)?));
    }
    let path = format!("path={}", value(template)?);
    Some(match method {
        "-" => path,
        _ => format!("method={} and {path}", value(method)?),
    })
}

impl Kind {
    /// Whether its subject says which lines are meant, rather than where most of them are.
    fn is_of_endpoint(self) -> bool {
        matches!(
            self,
            Self::SlowestEndpoint | Self::EndpointSlower | Self::EndpointErrors
        )
    }

    /// Whether its service says which records are meant.
    fn is_of_service(self) -> bool {
        matches!(self, Self::FailuresRose | Self::WarningsRose)
    }
}

/// A value of a condition; `None`: it has both sorts of quotes in it.
fn value(text: &str) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".:/-_".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return Some(text.to_owned());
    }
    let quote = ['"', '\'']
        .into_iter()
        .find(|quote| !text.contains(*quote))?;
    Some(format!("{quote}{text}{quote}"))
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
    fn conditions_are_those_that_report_takes() {
        use crate::analysis::filter::Condition;

        let check = |subject: Subject, expected: Option<&str>| {
            let kind = match subject {
                Subject::Client(_) => Kind::Scanner,
                _ => Kind::EndpointSlower,
            };
            let insight = Insight {
                subject: Some(subject),
                ..Insight::new(kind, super::super::Severity::Info)
            };
            let found = conditions(&insight).map(|conditions| conditions.join(" and "));
            assert_eq!(found.as_deref(), expected);
            if let Some(found) = found {
                found.parse::<Condition>().unwrap();
            }
        };
        let endpoint = |text: &str| Subject::Endpoint(text.to_owned());
        let client = |text: &str| Subject::Client(text.to_owned());
        check(endpoint("GET /a"), Some("method=GET and path=/a"));
        check(
            endpoint("GET /user/{id}/x"),
            Some("endpoint=\"GET /user/{id}/x\""),
        );
        check(endpoint("/a b"), Some("path=\"/a b\""));
        check(
            client("203.0.113.7"),
            Some("status=404 and client=203.0.113.7"),
        );
        check(client("a\"b"), Some("status=404 and client='a\"b'"));
        check(client("a\"b'"), None);
    }
}
