//! Sentences, taken apart once so that filling them in is only copying.

use super::words::Template;

/// What stands at a place of a sentence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Text(&'static str),
    Affected,
    Attempt,
    Bytes,
    CacheKey,
    Chars,
    Client,
    Config,
    Connections,
    Constraint,
    Container,
    Count,
    Days,
    Deployment,
    Domain,
    Email,
    Endpoint,
    Error,
    FewPercent,
    Field,
    File,
    Heap,
    Ip,
    JobId,
    Lag,
    Latency,
    Metric,
    Namespace,
    Node,
    OrderId,
    Param,
    Pattern,
    Payload,
    Percent,
    Pod,
    Policy,
    Process,
    Pvc,
    QueryType,
    Replicas,
    RequestId,
    Resource,
    ServerError,
    Service,
    Size,
    SmallLag,
    Status,
    Table,
    Time,
    TransactionId,
    Usage,
    UserId,
    Value,
}

/// The names in braces.
const NAMES: &[(&str, Part)] = &[
    ("affected", Part::Affected),
    ("attempt", Part::Attempt),
    ("bytes", Part::Bytes),
    ("cache_key", Part::CacheKey),
    ("chars", Part::Chars),
    ("client", Part::Client),
    ("config", Part::Config),
    ("connections", Part::Connections),
    ("constraint", Part::Constraint),
    ("container", Part::Container),
    ("count", Part::Count),
    ("days", Part::Days),
    ("deployment", Part::Deployment),
    ("domain", Part::Domain),
    ("email", Part::Email),
    ("endpoint", Part::Endpoint),
    ("error", Part::Error),
    ("few_percent", Part::FewPercent),
    ("field", Part::Field),
    ("file", Part::File),
    ("heap", Part::Heap),
    ("ip", Part::Ip),
    ("job_id", Part::JobId),
    ("lag", Part::Lag),
    ("latency", Part::Latency),
    ("metric", Part::Metric),
    ("namespace", Part::Namespace),
    ("node", Part::Node),
    ("order_id", Part::OrderId),
    ("param", Part::Param),
    ("pattern", Part::Pattern),
    ("payload", Part::Payload),
    ("percent", Part::Percent),
    ("pod", Part::Pod),
    ("policy", Part::Policy),
    ("process", Part::Process),
    ("pvc", Part::Pvc),
    ("query_type", Part::QueryType),
    ("replicas", Part::Replicas),
    ("request_id", Part::RequestId),
    ("resource", Part::Resource),
    ("server_error", Part::ServerError),
    ("service", Part::Service),
    ("size", Part::Size),
    ("small_lag", Part::SmallLag),
    ("status", Part::Status),
    ("table", Part::Table),
    ("time", Part::Time),
    ("transaction_id", Part::TransactionId),
    ("usage", Part::Usage),
    ("user_id", Part::UserId),
    ("value", Part::Value),
];

/// A sentence in parts.
#[derive(Clone, Debug)]
pub(super) struct Sentence {
    pub(super) template: Template,
    pub(super) parts: Vec<Part>,
}

impl Sentence {
    /// Whether it says how long the answer took.
    pub(super) fn tells_time(&self) -> bool {
        self.parts.contains(&Part::Time)
    }

    /// Whether it says with which status a server failed.
    pub(super) fn tells_server_error(&self) -> bool {
        self.parts.contains(&Part::ServerError)
    }

    /// Takes templates apart. A brace whose name is not known stays text.
    pub(super) fn all(templates: &[Template]) -> Vec<Self> {
        templates.iter().map(|one| Self::new(*one)).collect()
    }

    fn new(template: Template) -> Self {
        let mut parts = Vec::new();
        let mut rest = template.text;
        while let Some((before, part, after)) = next(rest) {
            if !before.is_empty() {
                parts.push(Part::Text(before));
            }
            parts.push(part);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest));
        }
        Self { template, parts }
    }
}

fn next(text: &'static str) -> Option<(&'static str, Part, &'static str)> {
    let (before, behind) = text.split_once('{')?;
    let (name, after) = behind.split_once('}')?;
    let (_, part) = NAMES.iter().find(|(known, _)| *known == name)?;
    Some((before, *part, after))
}

#[cfg(test)]
mod tests {
    use super::super::words::*;
    use super::*;

    /// All of them, with how many there are.
    const ALL: &[(&[Template], usize)] = &[
        (WEB_INFO, 8),
        (WEB_WARNING, 8),
        (WEB_ERROR, 6),
        (APP_INFO, 10),
        (APP_WARNING, 8),
        (APP_ERROR, 7),
        (APP_CRITICAL, 5),
        (DB_INFO, 6),
        (DB_WARNING, 5),
        (DB_ERROR, 5),
        (INFRA_INFO, 7),
        (INFRA_WARNING, 6),
        (INFRA_ERROR, 6),
        (BRUTE_FORCE, 4),
        (SQL_INJECTION, 4),
        (XSS_ATTEMPT, 4),
        (UNAUTHORIZED_ACCESS, 5),
        (MEMORY, 4),
        (CPU, 4),
        (DISK, 4),
        (CONNECTIONS, 4),
        (OUTAGE_COMPLETE, 4),
        (OUTAGE_INTERMITTENT, 3),
        (LATENCY_TIMEOUT, 1),
        (LATENCY_SLOW, 1),
    ];

    #[test]
    fn every_name_in_braces_is_known() {
        for (templates, count) in ALL {
            assert_eq!(templates.len(), *count);
            for sentence in Sentence::all(templates) {
                for part in &sentence.parts {
                    if let Part::Text(text) = part {
                        assert!(!text.contains(['{', '}']), "{sentence:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn parts_stand_in_order() {
        let sentence = &Sentence::all(WEB_INFO)[0];
        assert_eq!(
            sentence.parts,
            [
                Part::Text("\"GET "),
                Part::Endpoint,
                Part::Text(" HTTP/1.1\" "),
                Part::Status,
                Part::Text(" "),
                Part::Bytes,
            ]
        );
        assert!(!sentence.tells_time());
        assert!(Sentence::all(LATENCY_SLOW)[0].tells_time());
    }

    #[test]
    fn every_resource_can_always_say_something() {
        for templates in [MEMORY, CPU, DISK, CONNECTIONS] {
            assert!(templates.iter().any(|one| one.from_percent == 0));
        }
    }
}
