//! Prompts for a language model: texts to be pasted, filled with real figures and lines. Nothing is
//! sent anywhere.
//!
//! Addresses, users, e-mail addresses, queries and what looks like a secret are masked unless told
//! otherwise (see `prompts/mask.rs` for what is found and what is not).

mod figures;
mod mask;

pub use mask::Mask;

use super::insight::Insight;
use super::language::{Language, fill};
use super::report::Report;
use crate::config::{Word, words};

words! {
    /// What is asked of the model.
    Prompt {
        /// A report for an administrator, from the summary.
        Summary = "summary",
        /// What is out of the ordinary in the last lines.
        Anomalies = "anomalies",
        /// The figures of the dashboard, explained.
        Dashboard = "dashboard",
    }
}

/// Lines that go into a prompt.
const LINES: usize = 50;

/// Characters of a line that go into a prompt.
const LINE: usize = 500;

impl Prompt {
    /// The text of the prompt. `unmasked`: addresses, users and secrets stand in it as they are.
    #[must_use]
    pub fn write(
        self,
        report: &Report,
        insights: &[Insight],
        language: Language,
        unmasked: bool,
    ) -> String {
        let mut mask = Mask::new(unmasked);
        // A user may be named behind the line, or the endpoint, that he is in.
        report.last_lines.iter().for_each(|line| mask.learn(line));
        let texts = language.texts();
        let (text, data) = match self {
            Self::Summary => (
                texts.prompt_summary,
                figures::summary(report, insights, language, &mut mask),
            ),
            Self::Anomalies => (texts.prompt_anomalies, lines(report, &mut mask)),
            Self::Dashboard => (
                texts.prompt_dashboard,
                figures::dashboard(report, language, &mut mask),
            ),
        };
        fill(text, &[("data", data)])
    }
}

/// The last lines of the log.
fn lines(report: &Report, mask: &mut Mask) -> String {
    let skipped = report.last_lines.len().saturating_sub(LINES);
    let lines = report.last_lines.iter().skip(skipped);
    let lines = lines.map(|line| {
        let mut line = mask.line(line);
        if let Some((end, _)) = line.char_indices().nth(LINE) {
            line.truncate(end);
            line.push('…');
        }
        line
    });
    lines.collect::<Vec<String>>().join("\n")
}
