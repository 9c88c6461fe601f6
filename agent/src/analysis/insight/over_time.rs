//! Changes as insights: from the steps of a report, of all its traffic and of each endpoint.

use std::collections::BTreeMap;

use super::changes::{Change, Signal, changes, changes_of_part};
use super::series::{Point, Series};
use super::{Insight, Kind, Severity, Subject, Unit};
use crate::analysis::report::{Cell, Report};

/// Endpoints that are looked at one by one: those with the most requests.
const ENDPOINTS: usize = 24;

/// How much less likely than in all traffic something must be at one endpoint to be told, since there
/// are many of them: in decimal logarithms; and in deviations, of times.
const STRICTER: (f64, f64) = (5.0, 8.0);

/// What changed against the hours before.
pub(super) fn find(report: &Report) -> Vec<Insight> {
    let mut found = Vec::new();
    let series = Series::of_minutes(&requests(report));
    let whole: Vec<Change> = series.iter().flat_map(changes).collect();
    for change in &whole {
        let subject = worst_endpoint(report, change).map(Subject::Endpoint);
        found.push(insight(change, subject));
    }
    for (name, change) in of_endpoints(report) {
        let overlaps = |other: &Change| {
            other.signal == change.signal
                && other.from_s < change.to_s
                && change.from_s < other.to_s
        };
        // What all traffic shows is told once.
        if !whole.iter().any(overlaps) {
            let kind = match change.signal {
                Signal::Slower => Kind::EndpointSlower,
                _ => Kind::EndpointErrors,
            };
            let mut insight = insight(&change, Some(Subject::Endpoint(name)));
            insight.kind = kind;
            found.push(insight);
        }
    }
    let series = Series::of_minutes(&events(report));
    for change in series.iter().flat_map(changes) {
        let subject = worst_service(report, &change).map(Subject::Service);
        found.push(insight(&change, subject));
    }
    found
}

/// The requests of each step.
fn requests(report: &Report) -> Vec<Point> {
    let steps = report.windows.steps.iter();
    let point = |period: &crate::analysis::report::Period, timed: u64, sum: f64| Point {
        time_s: period.start_s,
        records: period.requests,
        client_errors: period.client_errors,
        server_errors: period.server_errors,
        unanswered: period.unanswered,
        timed,
        time_sum_us: sum,
        ..Point::default()
    };
    steps
        .filter(|step| step.period.requests > 0)
        .map(|step| {
            // Where the mean is known, most of its requests are timed: of logs either all are or none.
            let timed = match step.period.mean_us {
                Some(_) => step.period.requests,
                None => 0,
            };
            let sum = step.period.mean_us.unwrap_or_default() * timed as f64;
            point(&step.period, timed, sum)
        })
        .collect()
}

/// The records with a level of each step.
fn events(report: &Report) -> Vec<Point> {
    let Some(events) = &report.events else {
        return Vec::new();
    };
    let point = |window: &crate::analysis::report::EventWindow| Point {
        time_s: window.start_s,
        records: window.levels.records(),
        warnings: window.levels.warning + window.levels.errors(),
        failures: window.levels.errors(),
        timed: u64::from(window.timed),
        time_sum_us: window.sum_us,
        ..Point::default()
    };
    events.windows.iter().map(point).collect()
}

/// Changes of the endpoints with the most requests: errors and times.
fn of_endpoints(report: &Report) -> Vec<(String, Change)> {
    let mut sums: BTreeMap<u16, u64> = BTreeMap::new();
    for (place, cell) in cells(report) {
        *sums.entry(place).or_default() += u64::from(cell.requests);
    }
    let mut largest: Vec<(u16, u64)> = sums.into_iter().collect();
    largest.sort_by_key(|(place, sum)| (std::cmp::Reverse(*sum), *place));
    let mut found = Vec::new();
    for (place, _) in largest.into_iter().take(ENDPOINTS) {
        let Some(name) = report.windows.endpoints.get(usize::from(place)) else {
            continue;
        };
        let points: Vec<Point> = report
            .windows
            .steps
            .iter()
            .filter_map(|step| {
                let (_, cell) = step.endpoints.iter().find(|(at, _)| *at == place)?;
                Some(of_cell(step.period.start_s, cell))
            })
            .collect();
        let series = Series::of_minutes(&points);
        let is_told = |change: &Change| match change.signal {
            Signal::ServerErrors => change.score >= STRICTER.0,
            Signal::Slower => change.score >= STRICTER.1,
            _ => false,
        };
        let told = series.iter().flat_map(changes_of_part).filter(is_told);
        found.extend(told.map(|change| (name.clone(), change)));
    }
    found
}

fn of_cell(time_s: i64, cell: &Cell) -> Point {
    Point {
        time_s,
        records: cell.requests.into(),
        client_errors: cell.client_errors.into(),
        server_errors: cell.server_errors.into(),
        timed: cell.timed.into(),
        time_sum_us: cell.sum_us.into(),
        ..Point::default()
    }
}

fn cells(report: &Report) -> impl Iterator<Item = (u16, &Cell)> {
    let steps = report.windows.steps.iter();
    steps.flat_map(|step| step.endpoints.iter().map(|(place, cell)| (*place, cell)))
}

/// The endpoint that has most of what changed, if it has a third of it.
fn worst_endpoint(report: &Report, change: &Change) -> Option<String> {
    let steps = report
        .windows
        .steps
        .iter()
        .filter(|step| (change.from_s..change.to_s).contains(&step.period.start_s));
    let cells = steps.flat_map(|step| step.endpoints.iter());
    let place = largest(
        change,
        cells.map(|(place, cell)| (*place, weight(change.signal, cell))),
    )?;
    report.windows.endpoints.get(usize::from(place)).cloned()
}

/// The service that has most of what changed, if it has a third of it.
fn worst_service(report: &Report, change: &Change) -> Option<String> {
    let events = report.events.as_ref()?;
    let windows = events
        .windows
        .iter()
        .filter(|window| (change.from_s..change.to_s).contains(&window.start_s));
    let cells = windows.flat_map(|window| window.services.iter());
    let place = largest(
        change,
        cells.map(|(place, cell)| (*place, weight(change.signal, cell))),
    )?;
    events.service_names.get(usize::from(place)).cloned()
}

fn weight(signal: Signal, cell: &Cell) -> f64 {
    match signal {
        Signal::ServerErrors | Signal::Failures => cell.server_errors.into(),
        Signal::ClientErrors => cell.client_errors.into(),
        Signal::Warnings => f64::from(cell.client_errors) + f64::from(cell.server_errors),
        Signal::Slower => cell.sum_us.into(),
        // Of what was not answered only the whole is known.
        Signal::Unanswered => 0.0,
        Signal::MoreRecords | Signal::FewerRecords => cell.requests.into(),
    }
}

/// The place with the most, if it has a third of all; also of what is at no place that is known.
fn largest(change: &Change, weights: impl Iterator<Item = (u16, f64)>) -> Option<u16> {
    let mut sums: BTreeMap<u16, f64> = BTreeMap::new();
    for (place, weight) in weights {
        *sums.entry(place).or_default() += weight;
    }
    let all = match change.signal {
        Signal::Slower => sums.values().sum(),
        _ => change.count as f64,
    };
    let (place, most) = sums
        .into_iter()
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    (all > 0.0 && most * 3.0 >= all).then_some(place)
}

fn insight(change: &Change, subject: Option<Subject>) -> Insight {
    let (kind, unit, scale) = match change.signal {
        Signal::ServerErrors => (Kind::ServerErrorsRose, Unit::Percent, 100.0),
        Signal::ClientErrors => (Kind::ClientErrorsRose, Unit::Percent, 100.0),
        Signal::Unanswered => (Kind::UnansweredRose, Unit::Percent, 100.0),
        Signal::Failures => (Kind::FailuresRose, Unit::Percent, 100.0),
        Signal::Warnings => (Kind::WarningsRose, Unit::Percent, 100.0),
        Signal::MoreRecords => (Kind::MoreRequests, Unit::PerMinute, 1.0),
        Signal::FewerRecords => (Kind::FewerRequests, Unit::PerMinute, 1.0),
        Signal::Slower => (Kind::Slower, Unit::Microseconds, 1.0),
    };
    Insight::new(kind, severity(change))
        .about(subject)
        .within(change.from_s, change.to_s)
        .with("peak", change.peak * scale, unit)
        .with("usual", change.usual * scale, unit)
        .with("count", change.count as f64, Unit::Count)
}

/// By how much it is, not by how sure.
fn severity(change: &Change) -> Severity {
    match change.signal {
        Signal::ServerErrors | Signal::Failures | Signal::Unanswered if change.peak >= 0.2 => {
            Severity::Critical
        }
        Signal::ServerErrors | Signal::Failures | Signal::Unanswered => Severity::Warning,
        Signal::Slower if change.peak >= change.usual * 3.0 => Severity::Critical,
        Signal::Slower => Severity::Warning,
        Signal::FewerRecords if change.peak <= change.usual * 0.1 => Severity::Critical,
        Signal::FewerRecords => Severity::Warning,
        Signal::ClientErrors | Signal::Warnings | Signal::MoreRecords => Severity::Notice,
    }
}
