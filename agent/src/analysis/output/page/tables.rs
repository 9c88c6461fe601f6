//! The tables of a page.

use super::{Column, Section, bytes, grouped};
use crate::analysis::insight::milliseconds;
use crate::analysis::language::{Texts, fill};
use crate::analysis::report::{
    Counts, Endpoint, ErrorClass, Latency, Named, NamedLevels, Report, Table,
};

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

fn endpoint_table<'a>(
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

fn failing(report: &Report, texts: &Texts) -> Section {
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

fn slowest_requests(report: &Report, texts: &Texts) -> Section {
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

fn paths(report: &Report, texts: &Texts, most: usize) -> Section {
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

fn events(report: &Report, texts: &Texts, most: usize) -> Vec<Section> {
    let Some(events) = &report.events else {
        return Vec::new();
    };
    let levels = &events.levels;
    let by_level = [
        ("DEBUG", levels.debug),
        ("INFO", levels.info),
        ("WARNING", levels.warning),
        ("ERROR", levels.error),
        ("CRITICAL", levels.critical),
        ("-", levels.other),
    ];
    let by_level = by_level.iter().filter(|(_, count)| *count > 0);
    let levels = Section {
        title: texts.levels.to_owned(),
        columns: vec![
            word(texts.level),
            number(texts.records),
            number(texts.share),
        ],
        bars: bars(by_level.clone().map(|(_, count)| *count)),
        rows: by_level
            .map(|(name, count)| {
                vec![
                    (*name).to_owned(),
                    grouped(*count),
                    share(*count, events.records),
                ]
            })
            .collect(),
        ..Section::default()
    };
    let table = |title: &str, column: &str, table: &Table<NamedLevels>| {
        let rows = table.rows.iter().take(most);
        Section {
            title: title.to_owned(),
            columns: vec![
                word(column),
                number(texts.records),
                number(texts.warnings_column),
                number(texts.errors),
            ],
            bars: bars(rows.clone().map(|row| row.records)),
            rows: rows
                .map(|row| {
                    vec![
                        row.value.clone(),
                        grouped(row.records),
                        grouped(row.levels.warning),
                        grouped(row.levels.errors()),
                    ]
                })
                .collect(),
            ..Section::default()
        }
    };
    vec![
        levels,
        table(texts.event_sources, texts.source, &events.sources),
        table(texts.services, texts.service, &events.services),
        table(texts.messages, texts.message, &events.messages),
    ]
}

fn compared(report: &Report, texts: &Texts) -> Section {
    let Some(before) = report.before.as_deref() else {
        return Section::default();
    };
    let (now, then) = (&report.totals, &before.totals);
    let change = |now: f64, then: f64| match then > 0.0 {
        true => format!("{:+.1} %", (now / then - 1.0) * 100.0),
        false => "-".to_owned(),
    };
    let mean = |latency: Option<Latency>| latency.map(|latency| latency.mean_us);
    let row = |name: &str, said: [String; 2], values: [f64; 2]| {
        let [then_said, now_said] = said;
        vec![
            name.to_owned(),
            then_said,
            now_said,
            change(values[1], values[0]),
        ]
    };
    let mut rows = vec![
        row(
            texts.requests,
            [grouped(then.requests), grouped(now.requests)],
            [then.requests as f64, now.requests as f64],
        ),
        row(
            texts.clients,
            [grouped(then.clients), grouped(now.clients)],
            [then.clients as f64, now.clients as f64],
        ),
        row(
            texts.error_rate,
            [then, now].map(|totals| format!("{:.2} %", totals.error_rate)),
            [then.error_rate, now.error_rate],
        ),
    ];
    if let [Some(then), Some(now)] = [mean(then.latency), mean(now.latency)] {
        rows.push(row(
            texts.latency,
            [milliseconds(then), milliseconds(now)],
            [then, now],
        ));
    }
    Section {
        title: texts.change.to_owned(),
        columns: vec![
            word(""),
            number(texts.before),
            number(texts.now),
            number(texts.change),
        ],
        rows,
        ..Section::default()
    }
}

fn sources(report: &Report, texts: &Texts) -> Section {
    let rows = report.sources.iter().take(100).map(|source| {
        vec![
            source.name.clone(),
            source.formats.join(", "),
            grouped(source.lines.read),
            grouped(source.lines.failed),
            bytes(source.lines.bytes),
        ]
    });
    Section {
        title: texts.sources.to_owned(),
        columns: vec![
            word(texts.source),
            word(texts.format),
            number(texts.lines),
            number(texts.failed),
            number(texts.bytes),
        ],
        rows: rows.collect(),
        ..Section::default()
    }
}

fn failed_lines(report: &Report, texts: &Texts) -> Section {
    let rows = report
        .lines
        .failed_samples
        .iter()
        .take(FAILED)
        .map(|failed| {
            vec![
                format!("{}:{}", failed.source, failed.line),
                failed.reason.clone(),
                failed.text.clone(),
            ]
        });
    Section {
        title: texts.failed_lines.to_owned(),
        columns: vec![word(texts.source), word(texts.reason), word(texts.text)],
        rows: rows.collect(),
        ..Section::default()
    }
}
