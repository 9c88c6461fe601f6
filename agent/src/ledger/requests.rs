//! The part of requests that bring records over HTTP.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Identity, Moment};

/// What became of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RequestCounts {
    /// All of them, those that are not answered yet too.
    pub requests: u64,
    /// Their records are stored.
    pub taken: u64,
    /// They were refused, by the status of the answer, in the order of [`RequestCounts::STATUSES`].
    pub refused: [u64; Self::STATUSES.len()],
    /// Whoever asked had gone away before they were answered.
    pub abandoned: u64,
}

impl RequestCounts {
    /// The statuses with which they are refused.
    pub const STATUSES: [u16; 8] = [400, 408, 413, 415, 422, 429, 503, 500];

    /// All that were refused.
    #[must_use]
    pub fn refused_in_all(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// What must hold between them.
    pub(super) fn identity(&self, moment: Moment) -> (String, Identity) {
        let identity = Identity::flowing(
            "api.requests = api.taken + api.refused + api.abandoned; in flight: not answered yet",
            self.requests,
            self.taken + self.refused_in_all() + self.abandoned,
            moment,
        );
        ("api".to_owned(), identity)
    }
}

/// As it is shown.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Requests {
    requests: u64,
    taken: u64,
    /// By status, those that are not 0.
    refused: BTreeMap<String, u64>,
    abandoned: u64,
}

impl From<RequestCounts> for Requests {
    fn from(counts: RequestCounts) -> Self {
        let refused = RequestCounts::STATUSES.iter().zip(counts.refused);
        Self {
            requests: counts.requests,
            taken: counts.taken,
            refused: refused
                .filter(|(_, count)| *count > 0)
                .map(|(status, count)| (status.to_string(), count))
                .collect(),
            abandoned: counts.abandoned,
        }
    }
}
