//! One JSON document: the report, and the insights with their texts. Its schema is
//! `docs/report.schema.json`.

use std::io;

use serde::Serialize;

use crate::analysis::insight::Insight;
use crate::analysis::language::Language;
use crate::analysis::report::Report;
use crate::config::Word as _;

/// The document.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// The language of the texts of the insights.
    language: &'static str,
    insights: Vec<Said<'a>>,
}

/// An insight and what it says.
#[derive(Serialize)]
struct Said<'a> {
    #[serde(flatten)]
    insight: &'a Insight,
    title: &'static str,
    text: String,
    advice: &'static str,
}

/// Writes the document and a line end.
///
/// # Errors
/// `out` cannot be written to.
pub(super) fn write(
    report: &Report,
    insights: &[Insight],
    language: Language,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let said = |insight| {
        let words = Insight::words(insight, language, &mut |part| part.shown());
        Said {
            insight,
            title: words.title,
            text: words.text,
            advice: words.advice,
        }
    };
    let document = Document {
        report,
        language: language.word(),
        insights: insights.iter().map(said).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}
