//! The figures as a table for a document, between marks that stand in it.

use anyhow::{Context as _, Result};

use super::Document;

const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->";

/// The table.
pub(super) fn of(document: &Document) -> String {
    let mut text = format!(
        "{}\n\n| benchmark | figure | measured | target | |\n|---|---|---|---|---|\n",
        document.host
    );
    for suite in &document.suites {
        for target in &suite.targets {
            let met = if target.met { "met" } else { "**missed**" };
            text += &format!(
                "| {} | {} | {} | {} | {met} |\n",
                suite.name,
                target.name,
                target.measured(),
                target.asked()
            );
        }
        if let Some(failed) = &suite.failed {
            let failed = failed.replace(['|', '\n'], " ");
            text += &format!("| {} | | failed: {failed} | | **missed** |\n", suite.name);
        }
    }
    text
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
