//! The documented sections: what is true of the whole log; and the same beside another time.

use super::{Insight, Kind, Severity, Subject, Unit};
use crate::analysis::report::{Endpoint, ErrorClass, Report};

/// Endpoints that are named where errors gather.
const NAMED: usize = 3;

/// Requests that an endpoint must have to be the slowest: one in a thousand, and at least so many.
const FEWEST: u64 = 5;

/// Changes that are too small to be told, in percent.
const SMALL: f64 = 10.0;

/// Slowest endpoint, where errors gather, the busiest hour, the slowest hour, shares of errors,
/// unanswered requests.
pub(super) fn find(report: &Report) -> Vec<Insight> {
    let mut found = Vec::new();
    found.extend(slowest_endpoint(report));
    found.extend(errors(report, ErrorClass::Client));
    found.extend(errors(report, ErrorClass::Server));
    found.extend(hours(report));
    found.extend(rates(report));
    found.extend(unanswered(report));
    found
}

/// The endpoint with the highest mean of those that are asked for at all: of a method, or of all methods
/// of a path together where each alone is asked for too seldom.
fn slowest_endpoint(report: &Report) -> Option<Insight> {
    let slowest = report.slowest_endpoints();
    let timed: u64 = slowest.iter().map(|(_, latency)| latency.timed).sum();
    let enough = FEWEST.max(timed / 1000);
    let all_methods = report
        .templates
        .iter()
        .filter_map(|template| Some((template, template.latency.as_ref()?)));
    // Of the same mean, the last is taken: that of a method.
    let (endpoint, latency) = all_methods
        .chain(slowest.iter().copied())
        .filter(|(_, latency)| latency.timed >= enough)
        .max_by(|one, other| one.1.mean_us.total_cmp(&other.1.mean_us))
        .or_else(|| slowest.first().copied())?;
    let fact = Insight::new(Kind::SlowestEndpoint, Severity::Info)
        .about(Some(Subject::Endpoint(endpoint.name())))
        .with("mean", latency.mean_us, Unit::Microseconds)
        .with("p90", latency.p90_us as f64, Unit::Microseconds)
        .with("count", latency.timed as f64, Unit::Count);
    Some(fact)
}

/// The endpoints with the most errors of a class; none where there are no errors.
fn errors(report: &Report, class: ErrorClass) -> Option<Insight> {
    let count = |endpoint: &Endpoint| match class {
        ErrorClass::Client => endpoint.counts.client_errors,
        ErrorClass::Server => endpoint.counts.server_errors,
    };
    let failing = report.most_failing(class);
    let rows: Vec<(String, u64)> = failing
        .iter()
        .take(NAMED)
        .map(|endpoint| (endpoint.name(), count(endpoint)))
        .collect();
    let all = match class {
        ErrorClass::Client => report.totals.counts.client_errors,
        ErrorClass::Server => report.totals.counts.server_errors,
    };
    let kind = match class {
        ErrorClass::Client => Kind::ClientErrors,
        ErrorClass::Server => Kind::ServerErrors,
    };
    (!rows.is_empty()).then(|| {
        Insight::new(kind, Severity::Info)
            .about(Some(Subject::Endpoints(rows)))
            .with("count", all as f64, Unit::Count)
    })
}

/// The hour of the day with the most requests, and the one with the highest mean: two different
/// things.
fn hours(report: &Report) -> Vec<Insight> {
    let mut found = Vec::new();
    let totals = &report.totals;
    if let Some(peak) = totals.busiest_hour {
        let share = percent(peak.requests, totals.requests);
        let fact = Insight::new(Kind::BusiestHour, Severity::Info)
            .about(Some(Subject::Hour(peak.hour)))
            .with("count", peak.requests as f64, Unit::Count)
            .with("share", share, Unit::Percent);
        found.push(fact);
    }
    if let Some((peak, mean)) = totals
        .slowest_hour
        .and_then(|peak| Some((peak, peak.mean_us?)))
    {
        let fact = Insight::new(Kind::SlowestHour, Severity::Info)
            .about(Some(Subject::Hour(peak.hour)))
            .with("mean", mean, Unit::Microseconds)
            .with("count", peak.requests as f64, Unit::Count);
        found.push(fact);
    }
    found
}

fn rates(report: &Report) -> Option<Insight> {
    let answered = answered(report);
    (answered > 0).then(|| {
        let counts = &report.totals.counts;
        let server_errors = percent(counts.server_errors, answered);
        let severity = match server_errors {
            _ if server_errors >= 5.0 => Severity::Warning,
            _ if server_errors >= 1.0 => Severity::Notice,
            _ => Severity::Info,
        };
        let client_errors = percent(counts.client_errors, answered);
        Insight::new(Kind::ErrorRates, severity)
            .with("client_errors", client_errors, Unit::Percent)
            .with("server_errors", server_errors, Unit::Percent)
            .with("count", answered as f64, Unit::Count)
    })
}

fn unanswered(report: &Report) -> Option<Insight> {
    let totals = &report.totals;
    let count = totals.counts.unanswered;
    (count > 0).then(|| {
        let share = percent(count, totals.requests);
        let severity = match share {
            _ if share >= 1.0 && count >= FEWEST => Severity::Notice,
            _ => Severity::Info,
        };
        Insight::new(Kind::UnansweredShare, severity)
            .with("count", count as f64, Unit::Count)
            .with("requests", totals.requests as f64, Unit::Count)
            .with("share", share, Unit::Percent)
    })
}

/// Requests, errors and times beside those of the time that was asked for.
pub(super) fn compared(report: &Report) -> Vec<Insight> {
    let Some(before) = report.before.as_deref() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut tell = |kind, now: f64, then: f64, unit, worse: bool| {
        let change = match then > 0.0 {
            true => (now / then - 1.0) * 100.0,
            false => f64::INFINITY,
        };
        if !change.is_finite() || change.abs() < SMALL {
            return;
        }
        let severity = match worse && change > 0.0 {
            true => Severity::Notice,
            false => Severity::Info,
        };
        let insight = Insight::new(kind, severity)
            .with("peak", now, unit)
            .with("usual", then, unit)
            .with("change", change, Unit::ChangePercent);
        found.push(insight);
    };
    let (now, then) = (&report.totals, &before.totals);
    tell(
        Kind::ComparedRate,
        now.requests as f64,
        then.requests as f64,
        Unit::Count,
        false,
    );
    tell(
        Kind::ComparedErrors,
        now.error_rate,
        then.error_rate,
        Unit::Percent,
        true,
    );
    if let (Some(now), Some(then)) = (now.latency, then.latency) {
        tell(
            Kind::ComparedLatency,
            now.mean_us,
            then.mean_us,
            Unit::Microseconds,
            true,
        );
    }
    found
}

/// Requests with a status.
pub(super) fn answered(report: &Report) -> u64 {
    report.statuses.iter().map(|row| row.requests).sum()
}

pub(super) fn percent(part: u64, of: u64) -> f64 {
    match of {
        0 => 0.0,
        of => part as f64 * 100.0 / of as f64,
    }
}
