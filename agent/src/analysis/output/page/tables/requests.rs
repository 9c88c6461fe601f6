//! Endpoints, paths, and single requests.

use super::super::{Section, bytes, grouped};
use super::{WORST, bars, number, rest, share, time, word};
use crate::analysis::insight::milliseconds;
use crate::analysis::language::Texts;
use crate::analysis::report::{Counts, Endpoint, ErrorClass, Latency, Report};

pub(super) fn endpoint_table<'a>(
    title: &str,
    endpoints: impl Iterator<Item = &'a Endpoint> + Clone,
    texts: &Texts,
) -> Section {
    let columns = [
        texts.requests,
        "4xx",
        "5xx",
        texts.mean,
        "p50",
        "p90",
        "p95",
        "p99",
        texts.longest,
    ];
    let columns = std::iter::once(word(texts.endpoint)).chain(columns.map(number));
    let row = |endpoint: &Endpoint| {
        let counts = &endpoint.counts;
        let of = |value: fn(&Latency) -> f64| time(endpoint.latency.as_ref().map(value));
        vec![
            endpoint.name(),
            grouped(endpoint.requests),
            grouped(counts.client_errors),
            grouped(counts.server_errors),
            of(|latency| latency.mean_us),
            of(|latency| latency.p50_us as f64),
            of(|latency| latency.p90_us as f64),
            of(|latency| latency.p95_us as f64),
            of(|latency| latency.p99_us as f64),
            of(|latency| latency.max_us as f64),
        ]
    };
    Section {
        title: title.to_owned(),
        columns: columns.collect(),
        bars: bars(endpoints.clone().map(|endpoint| endpoint.requests)),
        rows: endpoints.map(row).collect(),
        ..Section::default()
    }
}

pub(super) fn failing(report: &Report, texts: &Texts) -> Section {
    let mut worst = report.most_failing(ErrorClass::Server);
    worst.extend(report.most_failing(ErrorClass::Client));
    let mut seen = std::collections::HashSet::new();
    worst.retain(|endpoint| seen.insert(endpoint.name()));
    worst.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.counts.errors()));
    worst.truncate(WORST);
    let row = |endpoint: &&Endpoint| {
        let Counts {
            client_errors,
            server_errors,
            ..
        } = endpoint.counts;
        vec![
            endpoint.name(),
            grouped(client_errors),
            grouped(server_errors),
            share(endpoint.counts.errors(), endpoint.requests),
        ]
    };
    Section {
        title: texts.failing_endpoints.to_owned(),
        columns: vec![
            word(texts.endpoint),
            number("4xx"),
            number("5xx"),
            number(texts.share),
        ],
        bars: bars(worst.iter().map(|endpoint| endpoint.counts.errors())),
        rows: worst.iter().map(row).collect(),
        ..Section::default()
    }
}

pub(super) fn slowest_requests(report: &Report, texts: &Texts) -> Section {
    let rows = report.slowest.iter().take(WORST);
    Section {
        title: texts.slowest_requests.to_owned(),
        columns: vec![
            word(texts.time),
            number(texts.latency),
            number(texts.status),
            word(texts.target),
            word(texts.client),
        ],
        bars: bars(rows.clone().map(|row| row.latency_us)),
        rows: rows
            .map(|row| {
                let when = row
                    .time
                    .map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
                vec![
                    when.unwrap_or_else(|| "-".to_owned()),
                    milliseconds(row.latency_us as f64),
                    row.status
                        .map_or_else(|| "-".to_owned(), |status| status.to_string()),
                    format!("{} {}", row.method, row.target),
                    row.client.clone(),
                ]
            })
            .collect(),
        ..Section::default()
    }
}

pub(super) fn paths(report: &Report, texts: &Texts, most: usize) -> Section {
    let table = &report.paths;
    let rows = table.rows.iter().take(most);
    Section {
        title: texts.paths.to_owned(),
        columns: vec![
            word(texts.path),
            number(texts.requests),
            number(texts.errors),
            number(texts.bytes),
            number(texts.mean),
            number(texts.longest),
        ],
        bars: bars(rows.clone().map(|row| row.requests)),
        rows: rows
            .map(|row| {
                vec![
                    row.path.clone(),
                    grouped(row.requests),
                    share(row.counts.errors(), row.requests),
                    bytes(row.counts.bytes),
                    time(row.mean_us),
                    time(row.max_us.map(|time| time as f64)),
                ]
            })
            .collect(),
        rest: rest(table, most, |row| row.requests, texts),
        ..Section::default()
    }
}
