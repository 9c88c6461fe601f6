//! What an answer is about, as it is shown.

use serde::Serialize;

use crate::store::Covered;

/// `{"from", "to", "complete", "source", "next"}`.
#[derive(Debug, Serialize)]
pub(super) struct ShownCovered {
    from: String,
    to: String,
    complete: bool,
    source: &'static str,
    next: Option<String>,
}

impl From<&Covered> for ShownCovered {
    fn from(covered: &Covered) -> Self {
        Self {
            from: covered.from.to_string(),
            to: covered.to.to_string(),
            complete: covered.complete,
            source: covered.source.name(),
            next: covered.next.map(|next| next.to_string()),
        }
    }
}
