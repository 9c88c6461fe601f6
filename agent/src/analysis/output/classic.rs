//! `analysis_report.txt`: insights with advice, then the three prompts. Lines and their order are
//! documented; what has no number says so.

use super::escape::visible;
use crate::analysis::insight::{Insight, Kind, Subject};
use crate::analysis::language::{Language, Texts, fill};
use crate::analysis::prompts::Prompt;
use crate::analysis::report::{Endpoint, ErrorClass, Report};
use crate::config::Word as _;

/// The file. Prompts are masked.
#[must_use]
pub(crate) fn classic(report: &Report, insights: &[Insight], language: Language) -> String {
    let texts = language.texts();
    let mut lines = vec![texts.classic_insights.to_owned(), "---".to_owned()];
    let find = |kind: Kind| insights.iter().find(|insight| insight.kind == kind);
    // Whatever the method is.
    let templates = &report.templates;
    lines.extend(slowest(templates, texts));
    for (class, text, advice) in [
        (
            ErrorClass::Client,
            texts.classic_client_errors,
            texts.classic_client_errors_advice,
        ),
        (
            ErrorClass::Server,
            texts.classic_server_errors,
            texts.classic_server_errors_advice,
        ),
    ] {
        lines.push(fill(text, &[("list", list(templates, class, texts))]));
        lines.push(advice.to_owned());
    }
    if let Some(fact) = find(Kind::BusiestHour) {
        lines.push(fill(texts.classic_busiest, &values(fact)));
    }
    if let Some(fact) = find(Kind::SlowestHour) {
        let mut values = values(fact);
        // Whole milliseconds, as documented.
        let mean = fact.number("mean").unwrap_or_default() / 1000.0;
        values.retain(|(name, _)| *name != "mean");
        values.push(("mean", format!("{mean:.0}")));
        lines.push(fill(texts.classic_slowest_hour, &values));
    }
    let rate = |name: &str| {
        let share = find(Kind::ErrorRates).and_then(|fact| fact.number(name));
        format!("{:.2}", share.unwrap_or_default())
    };
    lines.push(fill(
        texts.classic_rates,
        &[
            ("client_errors", rate("client_errors")),
            ("server_errors", rate("server_errors")),
        ],
    ));
    lines.push(String::new());
    lines.push(texts.classic_prompts.to_owned());
    lines.push("---".to_owned());
    let mut text = lines
        .iter()
        .map(|line| visible(line).into_owned())
        .collect::<Vec<String>>()
        .join("\n");
    for (number, prompt) in (1..).zip(Prompt::ALL) {
        let prompt = prompt.write(report, insights, language, false);
        let prompt: Vec<String> = prompt
            .lines()
            .map(|line| visible(line).into_owned())
            .collect();
        text.push_str(&format!("\n{number}. {}\n", prompt.join("\n")));
    }
    text
}

fn slowest(templates: &[Endpoint], texts: &Texts) -> Vec<String> {
    let timed = templates
        .iter()
        .filter_map(|template| Some((template, template.latency.as_ref()?)));
    let slowest = timed.max_by(|one, other| one.1.mean_us.total_cmp(&other.1.mean_us));
    let Some((slowest, latency)) = slowest else {
        return Vec::new();
    };
    let values = [
        ("subject", slowest.template.clone()),
        ("mean", format!("{:.1}", latency.mean_us / 1000.0)),
        ("p90", format!("{:.1}", latency.p90_us as f64 / 1000.0)),
        ("count", slowest.requests.to_string()),
    ];
    vec![
        fill(texts.classic_slowest, &values),
        texts.classic_slowest_advice.to_owned(),
    ]
}

/// The three with the most errors.
fn list(templates: &[Endpoint], class: ErrorClass, texts: &Texts) -> String {
    let errors = |template: &Endpoint| match class {
        ErrorClass::Client => template.counts.client_errors,
        ErrorClass::Server => template.counts.server_errors,
    };
    let mut failing: Vec<&Endpoint> = templates.iter().filter(|one| errors(one) > 0).collect();
    failing.sort_by_key(|template| std::cmp::Reverse(errors(template)));
    let items: Vec<String> = failing
        .iter()
        .take(3)
        .map(|template| {
            let values = [
                ("subject", template.template.clone()),
                ("count", errors(template).to_string()),
            ];
            fill(texts.classic_item, &values)
        })
        .collect();
    match items.is_empty() {
        true => texts.classic_none.to_owned(),
        false => items.join(", "),
    }
}

/// The values of an hour.
fn values(fact: &Insight) -> Vec<(&'static str, String)> {
    let numbers = fact.numbers.iter();
    let mut values: Vec<(&'static str, String)> = numbers
        .map(|number| (number.name, format!("{:.0}", number.value)))
        .collect();
    if let Some(Subject::Hour(hour)) = &fact.subject {
        values.push(("hour", hour.to_string()));
    }
    values
}
