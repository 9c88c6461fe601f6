//! What single clients do: look for what is not there, try to get in, ask for most of all.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::facts::percent;
use super::{Insight, Kind, Severity, Subject, Unit};
use crate::analysis::report::{ClientWindow, Report};

/// Minutes of a client may lie so far apart and still be one attempt, in seconds.
const PAUSE_S: i64 = 600;

/// Answers with 404 from which a client is a scanner, and the share of its requests they must be.
const MISSING: (u64, f64) = (15, 0.5);

/// Different paths that a scanner asks for, at least.
const PATHS: u64 = 8;

/// Answers with 401 or 403 from which a client tries to get in, and the share of its requests.
const DENIED: (u64, f64) = (10, 0.5);

/// The share of all requests from which one client's is told, of so many requests by so many clients.
const SHARE: (f64, u64, u64) = (0.3, 200, 5);

/// The share of the requests of a few minutes from which one client's is told, and how many.
const BURST: (f64, u64) = (0.5, 100);

/// Scanners, attempts to get in, bursts, and the client with a large share of all.
pub(super) fn find(report: &Report) -> Vec<Insight> {
    let mut found = Vec::new();
    for visit in visits(suspects(&report.windows.clients)) {
        let denied = share(visit.denied, visit.requests);
        let missing = share(visit.missing, visit.requests);
        if visit.denied >= DENIED.0 && denied >= DENIED.1 {
            let insight = visit.insight(Kind::BruteForce, Severity::Critical);
            found.push(insight.with("count", visit.denied as f64, Unit::Count));
        } else if visit.missing >= MISSING.0 && missing >= MISSING.1 && visit.paths >= PATHS {
            let insight = visit.insight(Kind::Scanner, Severity::Warning);
            let insight = insight.with("count", visit.missing as f64, Unit::Count);
            found.push(insight.with("paths", visit.paths as f64, Unit::Count));
        }
    }
    found.extend(bursts(report));
    found.extend(largest(report));
    found
}

/// The minutes of those clients that were refused, or missed something, often enough in all.
fn suspects(windows: &[ClientWindow]) -> impl Iterator<Item = &ClientWindow> {
    let mut sums: HashMap<&str, (u64, u64)> = HashMap::new();
    for window in windows
        .iter()
        .filter(|one| one.denied > 0 || one.missing > 0)
    {
        let (denied, missing) = sums.entry(&window.client).or_default();
        *denied += u64::from(window.denied);
        *missing += u64::from(window.missing);
    }
    sums.retain(|_, (denied, missing)| *denied >= DENIED.0 || *missing >= MISSING.0);
    windows
        .iter()
        .filter(move |window| sums.contains_key(&*window.client))
}

/// What a client did in minutes that follow each other.
struct Visit<'a> {
    client: &'a str,
    from_s: i64,
    to_s: i64,
    requests: u64,
    denied: u64,
    missing: u64,
    /// At least so many different paths.
    paths: u64,
}

impl Visit<'_> {
    fn insight(&self, kind: Kind, severity: Severity) -> Insight {
        Insight::new(kind, severity)
            .about(Some(Subject::Client(self.client.to_owned())))
            .within(self.from_s, self.to_s)
            .with("requests", self.requests as f64, Unit::Count)
    }
}

/// The minutes of each client, put together where they are near each other.
fn visits<'w>(windows: impl Iterator<Item = &'w ClientWindow>) -> Vec<Visit<'w>> {
    let mut by_client: BTreeMap<&str, Vec<&ClientWindow>> = BTreeMap::new();
    for window in windows {
        by_client.entry(&window.client).or_default().push(window);
    }
    let mut visits: Vec<Visit<'_>> = Vec::new();
    for (client, mut minutes) in by_client {
        minutes.sort_by_key(|minute| minute.start_s);
        for minute in minutes {
            let to_s = minute.start_s.saturating_add(60);
            let requests = u64::from(minute.requests);
            let denied = u64::from(minute.denied);
            let missing = u64::from(minute.missing);
            let paths = u64::from(minute.distinct_paths);
            match visits.last_mut() {
                Some(visit)
                    if visit.client == client
                        && minute.start_s.saturating_sub(visit.to_s) <= PAUSE_S =>
                {
                    visit.to_s = to_s;
                    visit.requests += requests;
                    visit.denied += denied;
                    visit.missing += missing;
                    visit.paths = visit.paths.max(paths);
                }
                _ => visits.push(Visit {
                    client,
                    from_s: minute.start_s,
                    to_s,
                    requests,
                    denied,
                    missing,
                    paths,
                }),
            }
        }
    }
    visits
}

/// Clients that for minutes ask for more than all others together, where usually none does.
fn bursts(report: &Report) -> Vec<Insight> {
    let mut all: BTreeMap<i64, u64> = BTreeMap::new();
    for step in &report.windows.steps {
        let minute = step.period.start_s.div_euclid(60) * 60;
        *all.entry(minute).or_default() += step.period.requests;
    }
    let many = |window: &&ClientWindow| {
        let all = all.get(&window.start_s).copied().unwrap_or_default();
        share(window.requests.into(), all) >= BURST.0
    };
    let mut found = Vec::new();
    for visit in visits(report.windows.clients.iter().filter(many)) {
        let within: u64 = all
            .range(visit.from_s..visit.to_s)
            .map(|(_, count)| *count)
            .sum();
        let is_all_it_does = heavy_everywhere(report, visit.client);
        if visit.requests >= BURST.1 && share(visit.requests, within) >= BURST.0 && !is_all_it_does
        {
            let mut insight = visit.insight(Kind::ClientBurst, Severity::Notice);
            insight.numbers.clear();
            let insight = insight.with("count", visit.requests as f64, Unit::Count);
            let percent = percent(visit.requests, within);
            found.push(insight.with("share", percent, Unit::Percent));
        }
    }
    found
}

/// Whether the client has a large share of all the log: then its minutes are nothing new.
fn heavy_everywhere(report: &Report, client: &str) -> bool {
    let rows = &report.clients.rows;
    let row = rows.iter().find(|row| row.client == client);
    row.is_some_and(|row| share(row.requests, report.totals.requests) >= SHARE.0)
        || report.totals.clients < SHARE.2
}

/// The client with a large share of all requests.
fn largest(report: &Report) -> Option<Insight> {
    let totals = &report.totals;
    let client = report.clients.rows.first()?;
    let (least, requests, clients) = SHARE;
    let is_large = totals.requests >= requests
        && totals.clients >= clients
        && share(client.requests, totals.requests) >= least;
    is_large.then(|| {
        Insight::new(Kind::ClientShare, Severity::Notice)
            .about(Some(Subject::Client(client.client.clone())))
            .with("count", client.requests as f64, Unit::Count)
            .with(
                "share",
                percent(client.requests, totals.requests),
                Unit::Percent,
            )
    })
}

fn share(part: u64, of: u64) -> f64 {
    match of {
        0 => 0.0,
        of => part as f64 / of as f64,
    }
}
