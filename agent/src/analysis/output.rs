//! A report, written out: as text, JSON, one HTML file, Markdown, or the file `analysis_report.txt`.
//!
//! ```text
//! Report, insights ─► page: titles, tables, charts, in a language ─┬─► text, for terminals and files
//!        │                                                         ├─► HTML
//!        │                                                         └─► Markdown
//!        ├─► JSON (docs/report.schema.json)
//!        └─► classic (analysis_report.txt)
//! ```
//!
//! What comes from a log is taken for a stranger's: each output escapes all that could be markup or
//! control of a terminal in it (`escape`).

mod chart;
mod classic;
mod escape;
mod html;
mod json;
mod markdown;
mod page;
mod text;

use std::io;

pub(crate) use classic::classic;
pub use text::display_width;

use super::insight::Insight;
use super::language::Language;
use super::report::Report;
use crate::config::{Word, words};

words! {
    /// How a report is written.
    Format {
        /// Tables for a person, with bars on a terminal.
        Text = "text",
        /// One JSON document.
        Json = "json",
        /// One file with charts that needs nothing else.
        Html = "html",
        /// Headings and tables.
        Markdown = "markdown",
        /// As `analysis_report.txt`.
        Classic = "classic",
    }
}

/// How it looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    /// In which language.
    pub language: Language,
    /// Bars beside the numbers of a text, and colours in it: for a terminal.
    pub terminal: bool,
    /// Colours, where it is for a terminal.
    pub colour: bool,
    /// Columns of a text.
    pub width: usize,
    /// Rows of a table.
    pub rows: usize,
}

impl Style {
    /// For a file: no bars, no colours.
    #[must_use]
    pub const fn plain(language: Language) -> Self {
        Self {
            language,
            terminal: false,
            colour: false,
            width: 100,
            rows: 20,
        }
    }
}

/// Writes the report.
///
/// # Errors
/// `out` cannot be written to.
pub fn write(
    report: &Report,
    insights: &[Insight],
    format: Format,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        Format::Json => json::write(report, insights, style.language, out),
        Format::Classic => out.write_all(classic(report, insights, style.language).as_bytes()),
        Format::Text => {
            let page = page::page(report, insights, style);
            out.write_all(text::text(&page, style).as_bytes())
        }
        Format::Html => {
            let page = page::page(report, insights, style);
            out.write_all(html::html(&page, style).as_bytes())
        }
        Format::Markdown => {
            let page = page::page(report, insights, style);
            out.write_all(markdown::markdown(&page, style).as_bytes())
        }
    }
}

#[cfg(test)]
mod tests;
