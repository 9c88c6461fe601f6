//! A page as text: for a terminal with bars and colours, plain otherwise.

use super::Style;
use super::escape::visible;
use super::page::{Finding, Page, Section};
use crate::analysis::insight::Severity;

/// Columns that a bar has.
const BAR: usize = 24;

/// Columns that a word of a table may take before it is cut; more where there is room.
const WORD: usize = 24;

/// The page.
pub(super) fn text(page: &Page, style: &Style) -> String {
    let mut text = String::new();
    let mut put = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    put(&paint(&visible(&page.title), Paint::Title, style));
    put(&visible(&page.subtitle));
    put("");
    let widest = page
        .figures
        .iter()
        .map(|(name, _)| display_width(name))
        .max();
    let widest = widest.unwrap_or_default();
    for (name, value) in &page.figures {
        put(&format!(
            "  {}  {}",
            padded(name, widest, false),
            visible(value)
        ));
    }
    if let Some(language) = page.language {
        put("");
        put(&paint(language.texts().insights, Paint::Title, style));
        if page.insights.is_empty() {
            put(&format!("  {}", language.texts().no_insights));
        }
    }
    for finding in &page.insights {
        for line in of_finding(finding, style) {
            put(&line);
        }
    }
    for section in &page.sections {
        if section.rows.is_empty() {
            continue;
        }
        put("");
        put(&paint(&visible(&section.title), Paint::Title, style));
        for line in table(section, style) {
            put(&line);
        }
        if let Some(rest) = &section.rest {
            put(&format!("  … {}", visible(rest)));
        }
    }
    if let (Some(language), false) = (page.language, page.notes.is_empty()) {
        put("");
        put(&paint(language.texts().notes, Paint::Title, style));
        for note in &page.notes {
            put(&format!("  - {}", visible(note)));
        }
    }
    text
}

fn of_finding(finding: &Finding, style: &Style) -> Vec<String> {
    let words = &finding.words;
    let paint = |text: &str| paint(text, Paint::Grade(finding.grade), style);
    let mut lines = vec![
        format!(
            "  {} {}",
            paint(&format!("[{}]", words.severity)),
            words.title
        ),
        format!("      {}", visible(&words.text)),
        format!("      → {}", words.advice),
    ];
    lines.extend(
        finding
            .command
            .iter()
            .map(|command| format!("      $ {}", visible(command))),
    );
    lines
}

/// Columns side by side, words to the left, numbers to the right.
fn table(section: &Section, style: &Style) -> Vec<String> {
    let cells: Vec<Vec<String>> = section
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect())
        .collect();
    let mut widths: Vec<usize> = section
        .columns
        .iter()
        .map(|column| display_width(&column.title))
        .collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(display_width(cell));
        }
    }
    let has_bars = style.terminal && section.bars.len() == cells.len();
    let bar = match has_bars {
        true => BAR + 2,
        false => 0,
    };
    fit(&mut widths, section, style.width.saturating_sub(bar));
    let line = |row: &[String]| {
        let mut line = String::new();
        for ((cell, width), column) in row.iter().zip(&widths).zip(&section.columns) {
            let cell = cut(cell, *width);
            line.push_str(&format!("  {}", padded(&cell, *width, column.is_number)));
        }
        line
    };
    let titles: Vec<String> = section
        .columns
        .iter()
        .map(|column| column.title.clone())
        .collect();
    let mut lines = vec![paint(&line(&titles), Paint::Head, style)];
    for (index, row) in cells.iter().enumerate() {
        let mut line = line(row);
        if let (true, Some(share)) = (has_bars, section.bars.get(index)) {
            line.push_str("  ");
            line.push_str(&paint(&drawn(*share), Paint::Bar, style));
        }
        lines.push(line);
    }
    lines
}

/// Makes the widest columns of words narrower until all fit.
fn fit(widths: &mut [usize], section: &Section, room: usize) {
    let is_word = |index: usize| {
        section
            .columns
            .get(index)
            .is_some_and(|column| !column.is_number)
    };
    loop {
        let sum: usize = widths.iter().map(|width| width + 2).sum();
        let Some(over) = sum.checked_sub(room).filter(|over| *over > 0) else {
            return;
        };
        let widest = (0..widths.len())
            .filter(|index| is_word(*index))
            .max_by_key(|index| widths[*index]);
        match widest {
            Some(index) if widths[index] > WORD => {
                widths[index] = widths[index].saturating_sub(over).max(WORD);
            }
            _ => return,
        }
    }
}

/// A bar of eighths of a column.
fn drawn(share: f64) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = match share.is_finite() {
        true => share.clamp(0.0, 1.0),
        false => 0.0,
    };
    let eighths = (share * (BAR * 8) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(PARTS[eighths % 8]);
    if bar.is_empty() && share > 0.0 {
        bar.push_str(PARTS[1]);
    }
    bar
}

#[derive(Clone, Copy, Debug)]
enum Paint {
    Title,
    Head,
    Bar,
    Grade(Severity),
}

fn paint(text: &str, paint: Paint, style: &Style) -> String {
    if !(style.terminal && style.colour) {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Title => "1",
        Paint::Head => "2",
        Paint::Bar | Paint::Grade(Severity::Notice) => "36",
        Paint::Grade(Severity::Info) => "2",
        Paint::Grade(Severity::Warning) => "33",
        Paint::Grade(Severity::Critical) => "1;31",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// With blanks up to the width.
fn padded(text: &str, width: usize, to_the_right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(display_width(text)));
    match to_the_right {
        true => format!("{blanks}{text}"),
        false => format!("{text}{blanks}"),
    }
}

/// At most so many columns, with `…` where something was cut.
fn cut(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut cut = String::new();
    for letter in text.chars() {
        let columns = columns(letter);
        if columns > left {
            break;
        }
        left -= columns;
        cut.push(letter);
    }
    cut.push('…');
    cut
}

/// Columns that a text takes on a terminal: letters of East Asia take two.
#[must_use]
pub fn display_width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(letter: char) -> usize {
    match letter {
        '\u{300}'..='\u{36f}' | '\u{1160}'..='\u{11ff}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_eighths() {
        assert_eq!(drawn(1.0).chars().count(), BAR);
        assert_eq!(drawn(0.0), "");
        assert_eq!(drawn(0.000_1), "▏");
        assert_eq!(drawn(f64::NAN), "");
        assert_eq!(drawn(7.0).chars().count(), BAR);
    }

    #[test]
    fn korean_takes_two_columns() {
        assert_eq!(display_width("한글 ab"), 7);
        assert_eq!(cut("한글한글", 5), "한글…");
        assert_eq!(padded("한", 4, true), "  한");
    }
}
