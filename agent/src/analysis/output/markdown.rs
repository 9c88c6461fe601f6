//! A page as Markdown: headings, lists and tables, as GitHub and most others show them.

use super::Style;
use super::escape::markdown as safe;
use super::page::{Page, Section};

/// The page.
pub(super) fn markdown(page: &Page, style: &Style) -> String {
    let texts = style.language.texts();
    let mut blocks = vec![format!("# {}", safe(&page.title))];
    if !page.subtitle.is_empty() {
        blocks.push(safe(&page.subtitle));
    }
    let rows = page
        .figures
        .iter()
        .map(|(name, value)| vec![name.clone(), value.clone()]);
    blocks.push(table(
        &["".to_owned(), "".to_owned()],
        &[false, false],
        rows,
    ));
    blocks.push(format!("## {}", texts.insights));
    if page.insights.is_empty() {
        blocks.push(texts.no_insights.to_owned());
    }
    let findings = page.insights.iter().map(|finding| {
        let words = &finding.words;
        let mut item = format!(
            "- **{}** ({}): {}  \n  {}",
            words.title,
            words.severity,
            safe(&words.text),
            words.advice
        );
        if let Some(command) = &finding.command {
            item.push_str(&format!("  \n  {}", safe(command)));
        }
        item
    });
    let findings: Vec<String> = findings.collect();
    if !findings.is_empty() {
        blocks.push(findings.join("\n"));
    }
    for section in page
        .sections
        .iter()
        .filter(|section| !section.rows.is_empty())
    {
        blocks.push(format!("## {}", safe(&section.title)));
        blocks.push(of_section(section));
        blocks.extend(section.rest.as_deref().map(safe));
    }
    if !page.notes.is_empty() {
        blocks.push(format!("## {}", texts.notes));
        let notes: Vec<String> = page
            .notes
            .iter()
            .map(|note| format!("- {}", safe(note)))
            .collect();
        blocks.push(notes.join("\n"));
    }
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text
}

fn of_section(section: &Section) -> String {
    let titles: Vec<String> = section
        .columns
        .iter()
        .map(|column| column.title.clone())
        .collect();
    let numbers: Vec<bool> = section
        .columns
        .iter()
        .map(|column| column.is_number)
        .collect();
    table(&titles, &numbers, section.rows.iter().cloned())
}

fn table(titles: &[String], numbers: &[bool], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| safe(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule: Vec<&str> = numbers
        .iter()
        .map(|is_number| match is_number {
            true => "---:",
            false => "---",
        })
        .collect();
    let mut lines = vec![line(titles), format!("| {} |", rule.join(" | "))];
    lines.extend(rows.map(|row| line(&row)));
    lines.join("\n")
}
