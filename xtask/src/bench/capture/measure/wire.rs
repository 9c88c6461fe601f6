//! What the agent wrote against what the wire carried.

use crate::bench::capture::capturer::Ledger;

/// What is known of the wire without having listened to it.
///
/// wrk stops in the middle: of each connection one request may be under way, which nginx may or may
/// not have read and answered when the connection was reset. So there were at least as many requests
/// as nginx served and at most one more a connection; and at least as many responses as wrk read, at
/// most as many as requests. Within these bounds no capture can be told from a perfect one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) answered: u64,
    pub(super) served: u64,
    pub(super) connections: u64,
}

impl Wire {
    /// Heads outside of the bounds: missing, or too many.
    pub(super) fn missed(self, ledger: &Ledger) -> u64 {
        let (requests, responses) = heads(ledger);
        outside(requests, self.served, self.served + self.connections)
            + outside(responses, self.answered, requests)
            + ledger.heads.partial
    }

    pub(super) fn remarks(self, ledger: &Ledger) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.missed(ledger) > 0 {
            let (requests, responses) = heads(ledger);
            remarks.push(format!(
                "{requests} requests and {responses} responses captured ({} heads partial), where \
                 nginx served {} requests and wrk read {} responses",
                ledger.heads.partial, self.served, self.answered
            ));
        }
        if lost(ledger) > 0 || ledger.retransmitted > 0 || ledger.evicted > 0 {
            remarks.push(format!(
                "{} records numbered, {} received, lost {:?}, {} lines lost; {} segments seen \
                 before, {} connections evicted",
                ledger.records.numbered,
                ledger.records.received,
                ledger.records.lost,
                ledger.lines.lost,
                ledger.retransmitted,
                ledger.evicted
            ));
        }
        remarks
    }
}

/// Requests and responses that were written.
pub(super) fn heads(ledger: &Ledger) -> (u64, u64) {
    let kind = |name: &str| ledger.heads.kinds.get(name).copied().unwrap_or(0);
    (kind("CQ"), kind("CR"))
}

/// Records and lines that were lost, in sinks too, heads that became no line, and responses of which a
/// sink has no exchange.
pub(super) fn lost(ledger: &Ledger) -> u64 {
    let records = &ledger.records;
    records.numbered.abs_diff(records.received)
        + records.lost.values().sum::<u64>()
        + ledger.lines.lost
        + ledger.heads.found.abs_diff(ledger.lines.stored)
        + ledger
            .sinks
            .values()
            .map(|sink| sink.lost + heads(ledger).1.saturating_sub(sink.stored))
            .sum::<u64>()
}

/// How far `value` is from the range.
fn outside(value: u64, low: u64, high: u64) -> u64 {
    low.saturating_sub(value) + value.saturating_sub(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(requests: u64, responses: u64, partial: u64, received: u64) -> Ledger {
        let numbered = requests + responses;
        serde_json::from_value(serde_json::json!({
            "records": {"numbered": numbered, "received": received, "lost": {}},
            "heads": {
                "found": numbered, "partial": partial,
                "kinds": {"CQ": requests, "CR": responses},
            },
            "lines": {"stored": numbered, "lost": 0},
            "retransmitted": 0,
            "evicted": 0,
        }))
        .unwrap()
    }

    #[test]
    fn heads_are_missed_outside_of_what_the_wire_can_have_carried() {
        let wire = Wire {
            answered: 1000,
            served: 1010,
            connections: 64,
        };
        let check = |requests, responses, partial, expected| {
            let found = wire.missed(&ledger(requests, responses, partial, requests + responses));
            assert_eq!(found, expected, "{requests} {responses} {partial}");
        };
        check(1010, 1000, 0, 0);
        check(1010, 1010, 0, 0);
        check(1074, 1074, 0, 0);
        check(1009, 1000, 0, 1);
        check(1075, 1000, 0, 1);
        check(1010, 999, 0, 1);
        check(1010, 1011, 0, 1);
        check(1010, 1010, 3, 3);
        check(0, 0, 0, 2010);
    }

    #[test]
    fn what_was_numbered_and_not_received_is_lost() {
        assert_eq!(lost(&ledger(10, 10, 0, 20)), 0);
        assert_eq!(lost(&ledger(10, 10, 0, 19)), 1);
    }
}
