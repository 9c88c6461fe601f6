//! Reading logs back: what they say, and what matters in it.

pub mod filter;
pub mod format;
pub mod input;
pub mod insight;
pub mod language;
pub mod output;
pub mod pairing;
pub mod prompts;
pub mod report;
pub mod run;
pub mod statistics;
pub mod template;
