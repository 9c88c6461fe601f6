//! The part of exchanges: each head is in one, an interim response, or still open.

use serde::Serialize;

use super::{Identity, Moment};
use crate::http::exchange::pairing::PairingCounts;

/// What was made of heads.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Exchanges(pub(super) PairingCounts);

impl Exchanges {
    /// What must hold between its counts.
    pub(super) fn identities(self, moment: Moment) -> [(String, Identity); 2] {
        let PairingCounts {
            requests,
            responses,
            answered,
            unanswered,
            orphans,
            interim,
            open_requests,
            open_responses,
        } = self.0;
        // At the end nothing is open; while it goes on what is open is known to the count.
        let [open_requests, open_responses] = match moment {
            Moment::Live => [open_requests, open_responses],
            Moment::End => [0, 0],
        };
        [
            (
                "requests".to_owned(),
                Identity::exact(
                    "exchanges.requests = exchanges.answered + exchanges.unanswered + exchanges.open_requests",
                    requests,
                    answered + unanswered + open_requests,
                ),
            ),
            (
                "responses".to_owned(),
                Identity::exact(
                    "exchanges.responses = exchanges.answered + exchanges.orphans + exchanges.interim + exchanges.open_responses",
                    responses,
                    answered + orphans + interim + open_responses,
                ),
            ),
        ]
    }
}
