//! A page as one HTML file that needs nothing else: charts are SVG within it, there is no script, and
//! nothing is fetched; a policy in it forbids both. Light or dark as the reader has it, and fit to print.

use std::borrow::Cow;

use super::Style;
use super::chart::svg;
use super::escape::html as safe;
use super::page::{Column, Finding, Page, Section};
use crate::analysis::insight::Severity;
use crate::analysis::language::{Language, fill};
use crate::config::Word as _;

const STYLE: &str = include_str!("report.css");

/// What the page may do: show itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Characters of a cell.
const LONG: usize = 200;

/// The page.
pub(super) fn html(page: &Page, style: &Style) -> String {
    let texts = style.language.texts();
    let mut html = String::with_capacity(64 << 10);
    let language = style.language.word();
    let title = safe(&page.title);
    let subtitle = safe(&page.subtitle);
    html.push_str(&format!("<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
         <p>{subtitle}</p>\n</header>\n<main>\n"
    ));
    html.push_str("<dl class=\"figures\">\n");
    for (name, value) in &page.figures {
        html.push_str(&format!(
            "<div><dt>{}</dt><dd>{}</dd></div>\n",
            safe(name),
            safe(value)
        ));
    }
    html.push_str("</dl>\n");
    html.push_str(&format!("<section>\n<h2>{}</h2>\n", safe(texts.insights)));
    if page.insights.is_empty() {
        html.push_str(&format!("<p>{}</p>\n", safe(texts.no_insights)));
    } else {
        html.push_str("<ul class=\"insights\">\n");
        for finding in &page.insights {
            of_finding(&mut html, finding);
        }
        html.push_str("</ul>\n");
    }
    html.push_str("</section>\n");
    for section in &page.sections {
        of_section(&mut html, section);
    }
    if !page.notes.is_empty() {
        html.push_str(&format!(
            "<section>\n<h2>{}</h2>\n<ul>\n",
            safe(texts.notes)
        ));
        for note in &page.notes {
            html.push_str(&format!("<li>{}</li>\n", safe(note)));
        }
        html.push_str("</ul>\n</section>\n");
    }
    html.push_str(&format!(
        "</main>\n<footer>{}</footer>\n</body>\n</html>\n",
        safe(&made_by(style.language))
    ));
    html
}

fn made_by(language: Language) -> String {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    fill(language.texts().printed_by, &[("version", version)])
}

fn of_finding(html: &mut String, finding: &Finding) {
    let class = match finding.grade {
        Severity::Info => "info",
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let words = &finding.words;
    html.push_str(&format!(
        "<li class=\"{class}\"><p><b>{}</b> <span class=\"grade\">{}</span></p><p>{}</p>\
         <p class=\"advice\">{}</p>",
        safe(words.title),
        safe(words.severity),
        safe(&words.text),
        safe(words.advice)
    ));
    if let Some(command) = &finding.command {
        html.push_str(&format!(
            "<pre tabindex=\"0\"><code>{}</code></pre>",
            safe(command)
        ));
    }
    html.push_str("</li>\n");
}

fn of_section(html: &mut String, section: &Section) {
    let title = safe(&section.title);
    html.push_str(&format!("<section>\n<h2>{title}</h2>\n"));
    if let Some(chart) = &section.chart {
        html.push_str("<figure>\n");
        html.push_str(&svg(chart, &section.title));
        html.push_str("\n<figcaption>");
        for line in &chart.lines {
            html.push_str(&format!(
                "<span class=\"key {}\">{}</span> ",
                line.class,
                safe(&line.name)
            ));
        }
        html.push_str("</figcaption>\n</figure>\n");
    }
    if !section.rows.is_empty() {
        of_table(html, section);
    }
    if let Some(rest) = &section.rest {
        html.push_str(&format!("<p class=\"rest\">{}</p>\n", safe(rest)));
    }
    html.push_str("</section>\n");
}

/// A text of a cell, cut where it would fill a page.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONG) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

fn of_table(html: &mut String, section: &Section) {
    let class = |column: Option<&Column>| match column {
        Some(column) if column.is_number => " class=\"n\"",
        _ => "",
    };
    let has_bars = section.bars.len() == section.rows.len();
    html.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
    for column in &section.columns {
        html.push_str(&format!(
            "<th scope=\"col\"{}>{}</th>",
            class(Some(column)),
            safe(&column.title)
        ));
    }
    if has_bars {
        html.push_str("<td></td>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (index, row) in section.rows.iter().enumerate() {
        html.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            let class = class(section.columns.get(place));
            html.push_str(&format!("<td{class}>{}</td>", safe(&shortened(cell))));
        }
        if let (true, Some(share)) = (has_bars, section.bars.get(index)) {
            let width = match share.is_finite() {
                true => share.clamp(0.0, 1.0) * 100.0,
                false => 0.0,
            };
            html.push_str(&format!(
                "<td class=\"bar\" aria-hidden=\"true\"><svg viewBox=\"0 0 100 10\" \
                 preserveAspectRatio=\"none\"><rect width=\"{width:.1}\" height=\"10\"/></svg></td>"
            ));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table></div>\n");
}
