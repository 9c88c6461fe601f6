//! The tables of a page.

mod others;
mod requests;

use self::others::{compared, events, failed_lines, sources};
use self::requests::{endpoint_table, failing, paths, slowest_requests};
use super::{Column, Section, bytes, grouped};
use crate::analysis::insight::milliseconds;
use crate::analysis::language::{Texts, fill};
use crate::analysis::report::{Endpoint, Named, Report, Table};

/// Endpoints that are listed where only the worst count.
const WORST: usize = 10;

/// Lines that were not understood, of which some are shown.
const FAILED: usize = 10;

/// All tables, also those without rows.
pub(super) fn sections(report: &Report, texts: &Texts, most: usize) -> Vec<Section> {
    let mut sections = vec![hours_of_day(report, texts), statuses(report, texts)];
    sections.push(named(
        texts.methods,
        texts.method,
        &report.methods,
        texts,
        most,
    ));
    let endpoints = report.endpoints.rows.iter().take(most);
    let mut section = endpoint_table(texts.endpoints, endpoints, texts);
    section.rest = rest(
        &report.endpoints,
        most,
        |row: &Endpoint| row.requests,
        texts,
    );
    sections.push(section);
    if report.endpoints.rows.len() > 1 {
        let slowest = report.slowest_endpoints();
        let slowest = slowest.iter().take(WORST).map(|(endpoint, _)| *endpoint);
        sections.push(endpoint_table(texts.slowest_endpoints, slowest, texts));
    }
    sections.push(failing(report, texts));
    sections.push(slowest_requests(report, texts));
    sections.push(paths(report, texts, most));
    sections.push(clients(report, texts, most));
    sections.push(named(texts.hosts, texts.host, &report.hosts, texts, most));
    sections.push(named(
        texts.referrers,
        texts.referrer,
        &report.referrers,
        texts,
        most,
    ));
    sections.push(agents(report, texts, most));
    sections.extend(events(report, texts, most));
    sections.push(compared(report, texts));
    sections.push(sources(report, texts));
    sections.push(failed_lines(report, texts));
    sections
}

fn word(title: &str) -> Column {
    Column {
        title: title.to_owned(),
        is_number: false,
    }
}

fn number(title: &str) -> Column {
    Column {
        title: title.to_owned(),
        is_number: true,
    }
}

/// Shares of the largest.
fn bars(values: impl Iterator<Item = u64>) -> Vec<f64> {
    let values: Vec<u64> = values.collect();
    let most = values.iter().copied().max().unwrap_or_default().max(1);
    values
        .iter()
        .map(|value| *value as f64 / most as f64)
        .collect()
}

fn share(part: u64, of: u64) -> String {
    match of {
        0 => "-".to_owned(),
        of => format!("{:.2} %", part as f64 * 100.0 / of as f64),
    }
}

fn time(microseconds: Option<f64>) -> String {
    microseconds.map_or_else(|| "-".to_owned(), milliseconds)
}

fn rest<R>(
    table: &Table<R>,
    most: usize,
    requests: impl Fn(&R) -> u64,
    texts: &Texts,
) -> Option<String> {
    let hidden: u64 = table.rows.iter().skip(most).map(requests).sum();
    let requests = hidden.saturating_add(table.unlisted);
    let listed = table.rows.len().min(most) as u64;
    let values = table.distinct.saturating_sub(listed);
    (requests > 0).then(|| {
        let values = [
            ("values", grouped(values.max(1))),
            ("requests", grouped(requests)),
        ];
        fill(texts.others, &values)
    })
}

fn hours_of_day(report: &Report, texts: &Texts) -> Section {
    let hours = report.hours_of_day.iter();
    let hours = hours.filter(|hour| hour.requests > 0);
    let row = |hour: &crate::analysis::report::HourOfDay| {
        vec![
            format!("{:02}", hour.hour),
            grouped(hour.requests),
            grouped(hour.client_errors),
            grouped(hour.server_errors),
            time(hour.latency.map(|latency| latency.mean_us)),
            time(hour.latency.map(|latency| latency.p99_us as f64)),
        ]
    };
    Section {
        title: texts.hours_of_day.to_owned(),
        columns: vec![
            number(texts.hour),
            number(texts.requests),
            number("4xx"),
            number("5xx"),
            number(texts.mean),
            number("p99"),
        ],
        bars: bars(hours.clone().map(|hour| hour.requests)),
        rows: hours.map(row).collect(),
        ..Section::default()
    }
}

fn statuses(report: &Report, texts: &Texts) -> Section {
    let rows = &report.statuses;
    let all: u64 = rows.iter().map(|row| row.requests).sum();
    Section {
        title: texts.statuses.to_owned(),
        columns: vec![
            number(texts.status),
            number(texts.requests),
            number(texts.share),
        ],
        bars: bars(rows.iter().map(|row| row.requests)),
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    row.status.to_string(),
                    grouped(row.requests),
                    share(row.requests, all),
                ]
            })
            .collect(),
        ..Section::default()
    }
}

fn named(title: &str, column: &str, table: &Table<Named>, texts: &Texts, most: usize) -> Section {
    let rows = table.rows.iter().take(most);
    Section {
        title: title.to_owned(),
        columns: vec![
            word(column),
            number(texts.requests),
            number(texts.errors),
            number(texts.bytes),
        ],
        bars: bars(rows.clone().map(|row| row.requests)),
        rows: rows
            .map(|row| {
                vec![
                    row.value.clone(),
                    grouped(row.requests),
                    share(row.counts.errors(), row.requests),
                    bytes(row.counts.bytes),
                ]
            })
            .collect(),
        rest: rest(table, most, |row: &Named| row.requests, texts),
        ..Section::default()
    }
}

fn clients(report: &Report, texts: &Texts, most: usize) -> Section {
    let table = &report.clients;
    let rows = table.rows.iter().take(most);
    Section {
        title: texts.clients_table.to_owned(),
        columns: vec![
            word(texts.client),
            number(texts.requests),
            number(texts.errors),
            number(texts.denied),
            number(texts.missing),
            number(texts.distinct_paths),
            number(texts.bytes),
            word(texts.bot),
        ],
        bars: bars(rows.clone().map(|row| row.requests)),
        rows: rows
            .map(|row| {
                vec![
                    row.client.clone(),
                    grouped(row.requests),
                    share(row.counts.errors(), row.requests),
                    grouped(row.denied),
                    grouped(row.missing),
                    grouped(row.distinct_paths),
                    bytes(row.counts.bytes),
                    mark(row.bot, texts),
                ]
            })
            .collect(),
        rest: rest(table, most, |row| row.requests, texts),
        ..Section::default()
    }
}

fn agents(report: &Report, texts: &Texts, most: usize) -> Section {
    let table = &report.agents;
    let rows = table.rows.iter().take(most);
    Section {
        title: texts.agents.to_owned(),
        columns: vec![
            word(texts.agent),
            word(texts.bot),
            number(texts.requests),
            number(texts.errors),
        ],
        bars: bars(rows.clone().map(|row| row.requests)),
        rows: rows
            .map(|row| {
                vec![
                    row.family.clone(),
                    mark(row.bot, texts),
                    grouped(row.requests),
                    share(row.counts.errors(), row.requests),
                ]
            })
            .collect(),
        rest: rest(table, most, |row| row.requests, texts),
        ..Section::default()
    }
}

fn mark(bot: bool, texts: &Texts) -> String {
    match bot {
        true => texts.yes.to_owned(),
        false => String::new(),
    }
}
