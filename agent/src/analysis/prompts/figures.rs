//! The figures that stand in prompts, as lines of text.

use super::Mask;
use crate::analysis::insight::{Insight, milliseconds};
use crate::analysis::language::Language;
use crate::analysis::report::Report;

/// Rows of a list.
const ROWS: usize = 10;

/// Insights in a prompt.
const INSIGHTS: usize = 20;

/// What matters: sums, what was found, endpoints, errors, statuses.
pub(super) fn summary(
    report: &Report,
    insights: &[Insight],
    language: Language,
    mask: &mut Mask,
) -> String {
    let texts = language.texts();
    let mut text = sums(report, language);
    section(&mut text, texts.insights);
    for insight in insights.iter().take(INSIGHTS) {
        let words = insight.words(language, &mut |part| mask.part(part));
        line(&mut text, &format!("{}: {}", words.title, words.text));
    }
    endpoints(&mut text, report, language, mask);
    statuses(&mut text, report, language);
    text
}

/// What a dashboard shows: sums, hours, statuses, endpoints, the slowest requests.
pub(super) fn dashboard(report: &Report, language: Language, mask: &mut Mask) -> String {
    let texts = language.texts();
    let mut text = sums(report, language);
    section(&mut text, texts.hours_of_day);
    for hour in report.hours_of_day.iter().filter(|hour| hour.requests > 0) {
        let mean = hour.latency.map(|latency| milliseconds(latency.mean_us));
        let mean = mean
            .map(|mean| format!(", {} {mean}", texts.mean))
            .unwrap_or_default();
        let errors = hour.client_errors + hour.server_errors;
        let (hour, requests) = (hour.hour, hour.requests);
        line(
            &mut text,
            &format!("{hour}: {requests} ({} {errors}{mean})", texts.errors),
        );
    }
    statuses(&mut text, report, language);
    endpoints(&mut text, report, language, mask);
    if !report.slowest.is_empty() {
        section(&mut text, texts.slowest_requests);
    }
    for request in report.slowest.iter().take(ROWS / 2) {
        let target = mask.text(&request.target);
        let time = milliseconds(request.latency_us as f64);
        line(&mut text, &format!("{} {target}: {time}", request.method));
    }
    text
}

fn sums(report: &Report, language: Language) -> String {
    let texts = language.texts();
    let totals = &report.totals;
    let mut text = String::new();
    if let Some(span) = report.covered {
        line(
            &mut text,
            &format!(
                "{}: {} {} {}",
                texts.period, span.from, texts.until, span.to
            ),
        );
    }
    line(
        &mut text,
        &format!("{}: {}", texts.total_requests, totals.requests),
    );
    line(&mut text, &format!("{}: {}", texts.clients, totals.clients));
    if let Some(latency) = totals.latency {
        let [mean, p90, p99] = [
            latency.mean_us,
            latency.p90_us as f64,
            latency.p99_us as f64,
        ]
        .map(milliseconds);
        line(
            &mut text,
            &format!(
                "{}: {} {mean}, p90 {p90}, p99 {p99}",
                texts.latency, texts.mean
            ),
        );
    }
    line(
        &mut text,
        &format!("{}: {:.2} %", texts.success_rate, totals.success_rate),
    );
    line(
        &mut text,
        &format!("{}: {:.2} %", texts.error_rate, totals.error_rate),
    );
    if let Some(events) = &report.events {
        let levels = &events.levels;
        line(
            &mut text,
            &format!(
                "{}: {} (WARNING {}, ERROR {}, CRITICAL {})",
                texts.records, events.records, levels.warning, levels.error, levels.critical
            ),
        );
    }
    text
}

fn statuses(text: &mut String, report: &Report, language: Language) {
    if report.statuses.is_empty() {
        return;
    }
    section(text, language.texts().statuses);
    for row in &report.statuses {
        line(text, &format!("{}: {}", row.status, row.requests));
    }
}

fn endpoints(text: &mut String, report: &Report, language: Language, mask: &mut Mask) {
    let texts = language.texts();
    if report.endpoints.rows.is_empty() {
        return;
    }
    section(text, texts.endpoints);
    for endpoint in report.endpoints.rows.iter().take(ROWS) {
        let latency = endpoint.latency.map(|latency| {
            let [mean, p90] = [latency.mean_us, latency.p90_us as f64].map(milliseconds);
            format!(", {} {mean}, p90 {p90}", texts.mean)
        });
        let name = mask.text(&endpoint.name());
        let counts = &endpoint.counts;
        let errors = format!("4xx {}, 5xx {}", counts.client_errors, counts.server_errors);
        let latency = latency.unwrap_or_default();
        line(
            text,
            &format!("{name}: {} ({errors}{latency})", endpoint.requests),
        );
    }
}

fn section(text: &mut String, title: &str) {
    text.push_str(&format!("[{title}]\n"));
}

fn line(text: &mut String, line: &str) {
    text.push_str(&format!("- {line}\n"));
}
