//! A report as titles, tables and charts in one language: what text, HTML and Markdown have in common.

mod tables;

use super::Style;
use super::chart::{Chart, Line};
use crate::analysis::insight::{Insight, Severity, Words, milliseconds};
use crate::analysis::language::{Language, Texts, fill, said};
use crate::analysis::report::{Report, SourceState};

/// A report that is ready to be written out. All texts may be a stranger's.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) language: Option<Language>,
    pub(super) title: String,
    /// The time that is covered, and what was read.
    pub(super) subtitle: String,
    /// Sums: a name and a value.
    pub(super) figures: Vec<(String, String)>,
    pub(super) insights: Vec<Finding>,
    pub(super) sections: Vec<Section>,
    /// What the reader has to know before believing it.
    pub(super) notes: Vec<String>,
}

/// An insight, said.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) grade: Severity,
    pub(super) words: Words,
    pub(super) command: Option<String>,
}

/// A title with a chart, a table, or both.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) chart: Option<Chart>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
    /// A bar beside each row: the share of the largest, 0 to 1; none where there are no bars.
    pub(super) bars: Vec<f64>,
    /// What is not listed.
    pub(super) rest: Option<String>,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) title: String,
    pub(super) is_number: bool,
}

/// Makes the page.
pub(super) fn page(report: &Report, insights: &[Insight], style: &Style) -> Page {
    let texts = style.language.texts();
    let finding = |insight: &Insight| Finding {
        grade: insight.severity,
        words: insight.words(style.language, &mut |part| part.shown()),
        command: insight.command.clone(),
    };
    let mut sections = over_time(report, texts);
    sections.extend(tables::sections(report, texts, style.rows));
    sections.retain(|section| !section.rows.is_empty() || section.chart.is_some());
    Page {
        language: Some(style.language),
        title: texts.title.to_owned(),
        subtitle: subtitle(report, texts),
        figures: figures(report, texts),
        insights: insights.iter().map(finding).collect(),
        sections,
        notes: notes(report, style.language),
    }
}

fn subtitle(report: &Report, texts: &Texts) -> String {
    let covered = report.covered.map(|span| {
        let said = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M:%S").to_string();
        format!("{} {} {} UTC", said(span.from), texts.until, said(span.to))
    });
    let names: Vec<&str> = report
        .sources
        .iter()
        .take(4)
        .map(|source| source.name.as_str())
        .collect();
    let mut names = names.join(", ");
    if report.sources.len() > 4 {
        names.push_str(&format!(" … ({})", report.sources.len()));
    }
    match covered {
        Some(covered) if !names.is_empty() => format!("{names}: {covered}"),
        Some(covered) => covered,
        None => names,
    }
}

/// The time that was asked for, and what it was counted from.
fn asked_time(report: &Report, texts: &Texts) -> Option<String> {
    let asked = &report.asked;
    asked.since.or(asked.until)?;
    let said = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    // Where it has no end, that of the log is it.
    let covered = report.covered;
    let since = asked.since.or_else(|| covered.map(|span| span.from));
    let until = asked.until.or_else(|| covered.map(|span| span.to));
    let (since, until) = (since.map(said), until.map(said));
    let time = format!(
        "{} {} {} UTC",
        since.unwrap_or_default(),
        texts.until,
        until.unwrap_or_default()
    );
    Some(match asked.from_end {
        Some(end) => format!("{time} ({})", fill(texts.from_end, &[("end", said(end))])),
        None => time,
    })
}

/// The sums.
fn figures(report: &Report, texts: &Texts) -> Vec<(String, String)> {
    let totals = &report.totals;
    let mut figures = Vec::new();
    let mut add = |name: &str, value: String| figures.push((name.to_owned(), value));
    if let Some(condition) = &report.asked.condition {
        add(texts.asked, condition.clone());
    }
    if let Some(asked) = asked_time(report, texts) {
        add(texts.period, asked);
    }
    if totals.requests > 0 || report.events.is_none() {
        add(texts.total_requests, grouped(totals.requests));
    }
    if let Some(events) = &report.events {
        add(texts.records, grouped(events.records));
    }
    if let Some(rate) = totals.rate {
        add(texts.rate, format!("{rate:.2}"));
    }
    if totals.requests > 0 {
        if totals.clients > 0 {
            add(texts.clients, grouped(totals.clients));
        }
        if totals.counts.bytes > 0 {
            add(texts.bytes, bytes(totals.counts.bytes));
        }
        add(texts.success_rate, format!("{:.2} %", totals.success_rate));
        let counts = &totals.counts;
        add(
            texts.error_rate,
            format!(
                "{:.2} % (4xx {}, 5xx {})",
                totals.error_rate,
                grouped(counts.client_errors),
                grouped(counts.server_errors)
            ),
        );
        if counts.unanswered > 0 {
            add(texts.unanswered, grouped(counts.unanswered));
        }
        if totals.bots > 0 {
            add(texts.bots, grouped(totals.bots));
        }
    }
    if let Some(latency) = totals.latency {
        let [p50, p90, p95, p99, max] = [
            latency.p50_us,
            latency.p90_us,
            latency.p95_us,
            latency.p99_us,
            latency.max_us,
        ]
        .map(|time| milliseconds(time as f64));
        let mean = milliseconds(latency.mean_us);
        add(
            texts.latency,
            format!(
                "{} {mean}, p50 {p50}, p90 {p90}, p95 {p95}, p99 {p99}, {} {max}",
                texts.mean, texts.longest
            ),
        );
    }
    let lines = &report.lines;
    add(texts.lines_read, grouped(lines.read));
    if lines.left_out > 0 {
        add(texts.lines_left_out, grouped(lines.left_out));
    }
    if lines.failed > 0 {
        add(texts.lines_failed, grouped(lines.failed));
    }
    figures
}

fn notes(report: &Report, language: Language) -> Vec<String> {
    let texts = language.texts();
    let warnings = report
        .warnings
        .iter()
        .map(|warning| said(warning, language));
    // What a warning tells is not told again.
    let is_told = |name: &String| {
        let mut warnings = report.warnings.iter();
        warnings.any(|warning| warning.source.as_ref() == Some(name))
    };
    let problems = report.sources.iter().filter_map(|source| {
        let problem = source.problem.as_ref().filter(|_| !is_told(&source.name))?;
        (source.state != SourceState::Whole).then(|| format!("{}: {problem}", source.name))
    });
    let mut notes: Vec<String> = warnings.chain(problems).collect();
    notes.dedup();
    notes.extend(report.before.as_deref().and_then(|before| {
        let span = before.covered?;
        let values = [("from", span.from.to_string()), ("to", span.to.to_string())];
        Some(fill(texts.compared, &values))
    }));
    notes
}

/// What came when, as charts; the hours as a table with bars too.
fn over_time(report: &Report, texts: &Texts) -> Vec<Section> {
    // Hours where there are days of them, else minutes.
    let hours: Vec<_> = report.hours.iter().map(|hour| &hour.period).collect();
    let minutes: Vec<_> = report.minutes.iter().collect();
    let (periods, step_s) = match hours.len() > 48 || minutes.len() < 2 {
        true => (hours, 3600),
        false => (minutes, 60),
    };
    let times: Vec<i64> = periods.iter().map(|period| period.start_s).collect();
    let line = |name: &str, class: &'static str, values: Vec<Option<f64>>| Line {
        name: name.to_owned(),
        class,
        values,
    };
    let mut sections = Vec::new();
    if times.len() > 1 {
        let requests = periods.iter().map(|period| Some(period.requests as f64));
        let client = periods
            .iter()
            .map(|period| Some(period.client_errors as f64));
        let server = periods
            .iter()
            .map(|period| Some(period.server_errors as f64));
        sections.push(Section {
            title: texts.over_time.to_owned(),
            chart: Some(Chart {
                step_s,
                times: times.clone(),
                lines: vec![
                    line(texts.requests, "a", requests.collect()),
                    line("4xx", "w", client.collect()),
                    line("5xx", "e", server.collect()),
                ],
            }),
            ..Section::default()
        });
    }
    if times.len() > 1 && periods.iter().any(|period| period.mean_us.is_some()) {
        let of = |time: Option<u64>| time.map(|time| time as f64 / 1000.0);
        let mean = periods
            .iter()
            .map(|period| period.mean_us.map(|mean| mean / 1000.0));
        let median = periods.iter().map(|period| of(period.p50_us));
        let high = periods.iter().map(|period| of(period.p99_us));
        sections.push(Section {
            title: texts.response_over_time.to_owned(),
            chart: Some(Chart {
                step_s,
                times,
                lines: vec![
                    line("p99", "e", high.collect()),
                    line(texts.mean, "w", mean.collect()),
                    line("p50", "a", median.collect()),
                ],
            }),
            ..Section::default()
        });
    }
    sections
}

/// A number with a mark between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in the largest unit that fits.
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    match unit {
        "B" => format!("{count} B"),
        unit => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_easily() {
        let check = |number: u64, expected: &str| assert_eq!(grouped(number), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(1_234_567, "1,234,567");
        let check = |count: u64, expected: &str| assert_eq!(bytes(count), expected);
        check(1023, "1023 B");
        check(1536, "1.5 KiB");
        check(u64::MAX, "16384.0 PiB");
    }
}
