//! Records of programs, what was before, and the files that were read.

use super::super::{Section, bytes, grouped};
use super::{FAILED, bars, number, share, word};
use crate::analysis::insight::milliseconds;
use crate::analysis::language::Texts;
use crate::analysis::report::{Latency, NamedLevels, Report, Table};

pub(super) fn events(report: &Report, texts: &Texts, most: usize) -> Vec<Section> {
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

pub(super) fn compared(report: &Report, texts: &Texts) -> Section {
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

pub(super) fn sources(report: &Report, texts: &Texts) -> Section {
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

pub(super) fn failed_lines(report: &Report, texts: &Texts) -> Section {
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
