//! Insights of reports made by hand.

use super::*;
use crate::analysis::language::Language;
use crate::analysis::report::{Asked, ClientWindow, Period, Window, Windows};
use crate::config::Word as _;

/// A day of minutes with 30 requests each.
fn day() -> Report {
    let step = |index: i64| Window {
        period: Period {
            start_s: 1_800_000_000 + index * 60,
            requests: 30 + (index * 7919 % 5).unsigned_abs(),
            ..Period::default()
        },
        endpoints: Vec::new(),
    };
    Report {
        asked: Asked {
            sources: vec!["it's.log".to_owned()],
            ..Asked::default()
        },
        windows: Windows {
            step_s: 60,
            steps: (0..1440).map(step).collect(),
            ..Windows::default()
        },
        ..Report::default()
    }
}

fn minute(client: &str, index: i64) -> ClientWindow {
    ClientWindow {
        client: client.to_owned(),
        start_s: 1_800_000_000 + index * 60,
        requests: 12,
        ..ClientWindow::default()
    }
}

#[test]
fn an_ordinary_day_has_nothing_to_tell() {
    assert_eq!(find(&day()), []);
}

#[test]
fn a_burst_of_errors_is_told_with_its_command() {
    let mut report = day();
    for step in &mut report.windows.steps[600..605] {
        step.period.server_errors = 10;
    }
    let found = find(&report);
    let [insight] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(insight.kind, Kind::ServerErrorsRose);
    assert_eq!(insight.severity, Severity::Critical);
    assert_eq!(insight.number("count"), Some(50.0));
    let command = insight.command.as_deref().unwrap();
    assert_eq!(
        command,
        "tapline report 'it'\\''s.log' --since 2027-01-15T18:00:00Z --until 2027-01-15T18:05:00Z \
         --where 'status>=500' --format lines"
    );
}

#[test]
fn clients_are_told_by_what_they_do() {
    let check = |change: fn(&mut ClientWindow), expected: Option<Kind>| {
        let mut report = day();
        let mut windows: Vec<ClientWindow> =
            (100..103).map(|at| minute("203.0.113.7", at)).collect();
        windows.iter_mut().for_each(change);
        report.windows.clients = windows;
        let found: Vec<Kind> = find(&report).iter().map(|insight| insight.kind).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<Kind>>());
    };
    check(|_| {}, None);
    check(|window| window.denied = 11, Some(Kind::BruteForce));
    check(|window| window.denied = 3, None);
    check(
        |window| {
            window.missing = 12;
            window.distinct_paths = 12;
        },
        Some(Kind::Scanner),
    );
    // One missing file that is asked for again and again is no scan.
    check(
        |window| {
            window.missing = 12;
            window.distinct_paths = 1;
        },
        None,
    );
}

/// Every kind has texts whose names all have values, in all languages.
#[test]
fn insights_are_said_whole() {
    let mut report = day();
    for step in &mut report.windows.steps[600..605] {
        step.period.server_errors = 10;
        step.period.client_errors = 15;
        step.period.unanswered = 5;
    }
    for step in &mut report.windows.steps[800..805] {
        step.period.requests = 300;
    }
    for step in &mut report.windows.steps[900..905] {
        step.period.requests = 1;
    }
    let mut scanner = minute("203.0.113.7", 20);
    (scanner.requests, scanner.missing, scanner.distinct_paths) = (40, 40, 40);
    let mut intruder = minute("203.0.113.8", 20);
    (intruder.requests, intruder.denied) = (40, 40);
    let mut busy = minute("203.0.113.9", 802);
    busy.requests = 250;
    report.totals.clients = 100;
    report.windows.clients = vec![scanner, intruder, busy];
    let found = find(&report);
    // Some are parts of others.
    let kinds: std::collections::BTreeSet<Kind> = found
        .iter()
        .flat_map(|insight| {
            insight
                .also
                .iter()
                .map(|also| also.kind)
                .chain([insight.kind])
        })
        .collect();
    for kind in [
        Kind::ServerErrorsRose,
        Kind::ClientErrorsRose,
        Kind::UnansweredRose,
        Kind::MoreRequests,
        Kind::FewerRequests,
        Kind::Scanner,
        Kind::BruteForce,
        Kind::ClientBurst,
    ] {
        assert!(kinds.contains(&kind), "{kind:?}: {kinds:?}");
    }
    for insight in &found {
        for language in Language::ALL {
            let words = insight.words(*language, &mut |part| part.shown());
            assert!(!words.text.contains(['{', '}']), "{words:?}");
        }
    }
    let grades: Vec<Severity> = found.iter().map(|insight| insight.severity).collect();
    assert!(grades.is_sorted_by(|one, other| one >= other), "{grades:?}");
}
