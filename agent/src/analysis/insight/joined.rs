//! What is likely one fault, as one insight: alarms of one sort of cause at the same time. The gravest
//! of them leads, the others stand in it.

use super::{Also, Insight, Kind, Subject};

/// The larger of two times may be this many times the smaller, and a bit: what is found within a long
/// trouble is a matter of its own.
const TIMES: f64 = 4.0;
/// Seconds of that bit.
const BIT: f64 = 600.0;
/// The part of the smaller that must lie in the larger.
const PART: f64 = 0.5;

/// What is behind an alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    /// The service: it fails, is slow, or is not there.
    Service,
    /// Those who ask.
    Clients,
}

/// Puts alarms together; all else stays as it is.
pub(super) fn join(found: Vec<Insight>) -> Vec<Insight> {
    let mut groups: Vec<Vec<Insight>> = Vec::new();
    let mut alarms = found;
    alarms.sort_by(|one, other| {
        let grade = other.severity.cmp(&one.severity);
        grade
            .then_with(|| rank(one.kind).cmp(&rank(other.kind)))
            .then_with(|| one.from.cmp(&other.from))
    });
    for insight in alarms {
        let group = groups
            .iter_mut()
            .find(|group| group.iter().all(|one| is_one(one, &insight)));
        match group {
            Some(group) => group.push(insight),
            None => groups.push(vec![insight]),
        }
    }
    groups.into_iter().filter_map(together).collect()
}

/// The first of a group, with the others in it.
fn together(group: Vec<Insight>) -> Option<Insight> {
    let mut group = group.into_iter();
    let mut first = group.next()?;
    for other in group {
        first.from = first.from.min(other.from);
        first.to = first.to.max(other.to);
        first.also.push(Also {
            kind: other.kind,
            subject: other.subject,
            numbers: other.numbers,
        });
    }
    Some(first)
}

/// Whether two alarms are likely of one fault.
fn is_one(one: &Insight, other: &Insight) -> bool {
    let (Some(cause), Some(span)) = (cause(one.kind), span(one)) else {
        return false;
    };
    let Some(other_span) = span_of(other, cause) else {
        return false;
    };
    let clients = [one, other].map(|insight| match &insight.subject {
        Some(Subject::Client(client)) => Some(client),
        _ => None,
    });
    if let [Some(one), Some(other)] = clients
        && one != other
    {
        return false;
    }
    let common = span.1.min(other_span.1) - span.0.max(other_span.0);
    let lengths = [span.1 - span.0, other_span.1 - other_span.0];
    let (shorter, longer) = (lengths[0].min(lengths[1]), lengths[0].max(lengths[1]));
    common > 0.0 && common >= shorter * PART && longer <= shorter * TIMES + BIT
}

fn span_of(insight: &Insight, wanted: Cause) -> Option<(f64, f64)> {
    (cause(insight.kind)? == wanted).then(|| span(insight))?
}

/// From and to, in seconds.
fn span(insight: &Insight) -> Option<(f64, f64)> {
    let (from, to) = (insight.from?, insight.to?);
    Some((from.as_second() as f64, to.as_second() as f64))
}

fn cause(kind: Kind) -> Option<Cause> {
    Some(match kind {
        Kind::ServerErrorsRose
        | Kind::UnansweredRose
        | Kind::FailuresRose
        | Kind::WarningsRose
        | Kind::FewerRequests
        | Kind::Slower
        | Kind::EndpointSlower
        | Kind::EndpointErrors => Cause::Service,
        Kind::ClientErrorsRose
        | Kind::MoreRequests
        | Kind::Scanner
        | Kind::BruteForce
        | Kind::ClientBurst => Cause::Clients,
        _ => return None,
    })
}

/// What leads among alarms of one severity: what says most.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::BruteForce | Kind::Scanner => 0,
        Kind::ServerErrorsRose | Kind::FailuresRose | Kind::ClientBurst => 1,
        Kind::UnansweredRose | Kind::MoreRequests => 2,
        Kind::Slower | Kind::ClientErrorsRose => 3,
        Kind::FewerRequests => 4,
        Kind::EndpointErrors => 5,
        Kind::EndpointSlower => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Severity, Unit};
    use super::*;

    fn alarm(kind: Kind, severity: Severity, from_s: i64, to_s: i64) -> Insight {
        Insight::new(kind, severity)
            .within(from_s, to_s)
            .with("count", 7.0, Unit::Count)
    }

    fn check(found: Vec<Insight>, expected: &[(Kind, i64, i64, &[Kind])]) {
        let mut joined: Vec<(Kind, i64, i64, Vec<Kind>)> = join(found)
            .iter()
            .map(|insight| {
                let (from, to) = span(insight).unwrap();
                let also = insight.also.iter().map(|also| also.kind).collect();
                (insight.kind, from as i64, to as i64, also)
            })
            .collect();
        joined.sort();
        let mut expected: Vec<(Kind, i64, i64, Vec<Kind>)> = expected
            .iter()
            .map(|(kind, from, to, also)| (*kind, *from, *to, also.to_vec()))
            .collect();
        expected.sort();
        assert_eq!(joined, expected);
    }

    #[test]
    fn one_fault_is_told_once() {
        use Severity::{Critical, Notice, Warning};
        check(
            vec![
                alarm(Kind::EndpointSlower, Warning, 600, 900),
                alarm(Kind::Slower, Critical, 600, 960),
                alarm(Kind::ServerErrorsRose, Critical, 540, 900),
                alarm(Kind::MoreRequests, Notice, 600, 900),
            ],
            &[
                (
                    Kind::ServerErrorsRose,
                    540,
                    960,
                    &[Kind::Slower, Kind::EndpointSlower],
                ),
                (Kind::MoreRequests, 600, 900, &[]),
            ],
        );
    }

    #[test]
    fn what_is_apart_stays_apart() {
        use Severity::Warning;
        // One after the other; a short one within a long one.
        check(
            vec![
                alarm(Kind::Slower, Warning, 0, 300),
                alarm(Kind::ServerErrorsRose, Warning, 300, 600),
                alarm(Kind::EndpointSlower, Warning, 10_000, 20_000),
                alarm(Kind::EndpointErrors, Warning, 12_000, 12_060),
            ],
            &[
                (Kind::Slower, 0, 300, &[]),
                (Kind::ServerErrorsRose, 300, 600, &[]),
                (Kind::EndpointSlower, 10_000, 20_000, &[]),
                (Kind::EndpointErrors, 12_000, 12_060, &[]),
            ],
        );
        // Two who scan.
        let of = |client: &str| {
            let alarm = alarm(Kind::Scanner, Warning, 0, 300);
            alarm.about(Some(Subject::Client(client.to_owned())))
        };
        check(
            vec![of("a"), of("b"), of("a")],
            &[
                (Kind::Scanner, 0, 300, &[]),
                (Kind::Scanner, 0, 300, &[Kind::Scanner]),
            ],
        );
        // Facts have no time.
        assert_eq!(
            join(vec![
                Insight::new(Kind::ErrorRates, Warning),
                Insight::new(Kind::ErrorRates, Warning)
            ])
            .len(),
            2
        );
    }
}
