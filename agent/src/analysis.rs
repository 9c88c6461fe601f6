//! Reading logs back: what they say, and what matters in it.

pub mod format;
pub mod insight;
pub mod language;
pub mod output;
pub mod prompts;
pub mod report;
pub mod statistics;
pub mod template;
