//! Alerts: rules over what is captured, and what is told when one begins to hold and when it ends.
//!
//! ```text
//! numbers of a window ─► Machine (a rule each) ─► Change ─► history, diagnostics, metric, webhook
//! ```
//!
//! What fires is kept over a restart ([`keep`]). What a rule says and when it fires is pure ([`rule`], [`machine`], [`board`]); the server brings the
//! numbers every few seconds, and [`webhook`] brings the word to whoever wants it.

pub mod board;
pub mod keep;
pub mod machine;
pub mod rule;
pub mod webhook;

use std::time::Duration;

use rule::Rule;
use webhook::Webhook;

/// What is watched, and who is told.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    /// The rules, each with a name of its own.
    pub rules: Vec<Rule>,
    /// Who is told; `None`: nobody.
    pub webhook: Option<Webhook>,
    /// How often the rules are looked at.
    pub every: Duration,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            webhook: None,
            every: Duration::from_secs(5),
        }
    }
}
