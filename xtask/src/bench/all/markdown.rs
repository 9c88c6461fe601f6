//! The figures as a table for a document, between marks that stand in it.

use anyhow::{Context as _, Result};

use super::{Document, Measured, suite::SUITES};

const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->";

/// The head of the table.
const HEAD: &str =
    "| benchmark | figure | median | middle half | target | |\n|---|---|---|---|---|---|\n";

/// The table. Rows of benchmarks that did not run stay as they are in `before`, below where and of what they are.
pub(super) fn of(document: &Document, before: &str) -> String {
    let mut text = String::new();
    if !document.suites.is_empty() {
        let quick = if document.quick { "; quick run" } else { "" };
        text += &format!("{}{quick}\n\n{HEAD}", document.host);
        text.extend(document.suites.iter().map(rows));
    }
    let ran = |name: &str| document.suites.iter().any(|suite| suite.name == name);
    for section in sections(before) {
        let rows = section.rows.iter().filter(|(name, _)| !ran(name));
        let rows: Vec<String> = rows.map(|(_, row)| format!("{row}\n")).collect();
        if !rows.is_empty() {
            let begin = if text.is_empty() { "" } else { "\n" };
            text += &format!("{begin}{}\n\n{HEAD}{}", section.origin, rows.concat());
        }
    }
    text
}

fn rows(suite: &Measured) -> String {
    let mut text = String::new();
    for target in &suite.targets {
        let met = match target.verdict() {
            "MISSED" => "**missed**",
            verdict => verdict,
        };
        let (name, measured) = (&target.name, target.measured());
        let (spread, asked) = (target.spread(), target.asked());
        text += &format!(
            "| {} | {name} | {measured} | {spread} | {asked} | {met} |\n",
            suite.name
        );
    }
    if let Some(failed) = &suite.failed {
        let failed = failed.replace(['|', '\n'], " ");
        text += &format!("| {} | | failed: {failed} | | | **missed** |\n", suite.name);
    }
    text
}

/// A table that was written before.
struct Section<'a> {
    /// Where and of what it is.
    origin: &'a str,
    /// Names of benchmarks, each with a row as it is.
    rows: Vec<(&'a str, &'a str)>,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some(row) = line.strip_prefix("| ") else {
            // The line between head and rows is none of them.
            if !line.starts_with('|') {
                sections.push(Section {
                    origin: line,
                    rows: Vec::new(),
                });
            }
            continue;
        };
        let name = row.split(' ').next().unwrap_or_default();
        if let Some(section) = sections.last_mut()
            && SUITES.iter().any(|suite| suite.name == name)
        {
            section.rows.push((name, line));
        }
    }
    sections
}

/// What stands between the marks.
///
/// # Errors
/// A mark is missing.
pub(super) fn between(text: &str) -> Result<&str> {
    let (_, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("the mark {:?} is not in it", BEGIN.trim()))?;
    let (figures, _) = rest
        .split_once(END)
        .with_context(|| format!("the mark {END:?} is not in it"))?;
    Ok(figures)
}

/// `text` with `figures` between its marks.
///
/// # Errors
/// A mark is missing.
pub(super) fn put(text: &str, figures: &str) -> Result<String> {
    let (before, rest) = text
        .split_once(BEGIN)
        .with_context(|| format!("the mark {:?} is not in it", BEGIN.trim()))?;
    let (_, after) = rest
        .split_once(END)
        .with_context(|| format!("the mark {END:?} is not in it"))?;
    Ok(format!("{before}{BEGIN}{figures}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::all::host::Host;

    #[test]
    fn what_did_not_run_stays_with_its_origin() {
        let before = "Monday\n\n| benchmark | figure |\n|---|---|\n| kernel | a | 1 |\n| sinks | b | 2 |\n\nSunday\n\n\
                      | benchmark | figure |\n|---|---|\n| load | c | 3 |\n| read | d | 4 |\n";
        let found: Vec<(&str, Vec<&str>)> = sections(before)
            .into_iter()
            .map(|section| {
                let rows = section.rows.into_iter().map(|(name, _)| name);
                (section.origin, rows.collect())
            })
            .collect();
        assert_eq!(
            found,
            [
                ("Monday", vec!["kernel", "sinks"]),
                ("Sunday", vec!["load", "read"])
            ]
        );
        assert!(
            sections("None of all is written down yet.\n")[0]
                .rows
                .is_empty()
        );
        let document = |names: &[&'static str]| Document {
            host: Host::default(),
            quick: true,
            interrupted: None,
            seconds: 0.0,
            suites: names
                .iter()
                .map(|name| Measured {
                    name,
                    seconds: 0.0,
                    targets: Vec::new(),
                    result: None,
                    failed: Some("no | root".to_owned()),
                })
                .collect(),
            met: false,
        };
        let text = of(&document(&["sinks", "read"]), before);
        let failed = |name: &str| format!("| {name} | | failed: no   root | | | **missed** |\n");
        let kept =
            format!("\nMonday\n\n{HEAD}| kernel | a | 1 |\n\nSunday\n\n{HEAD}| load | c | 3 |\n");
        let (own, rest) = text.split_at(text.find("\nMonday").unwrap());
        assert!(own.ends_with(&(failed("sinks") + &failed("read"))), "{own}");
        assert_eq!(rest, kept);
        // Written once more, each has the place that it had.
        assert_eq!(
            of(&document(&[]), before),
            before.replace("| benchmark | figure |\n|---|---|\n", HEAD)
        );
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(put(text, "new\n").ok().as_deref(), expected, "{text}");
        };
        check(
            "a\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nb\n",
            Some("a\n<!-- figures: begin -->\nnew\n<!-- figures: end -->\nb\n"),
        );
        check("a\n<!-- figures: begin -->\nold\n", None);
        check("a\n", None);
    }
}
