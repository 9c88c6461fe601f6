//! The part of sessions: each packet is in one, ignored, or counted as left out.

use agent_common::counters::{Counters, Ignored};
use serde::Serialize;

use super::{Identity, Moment};
use crate::session::table::SessionCounts;

/// What was made of flows.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Sessions {
    /// Those with a record at least.
    pub(super) begun: u64,
    /// Their records.
    pub(super) records: u64,
    /// Those of them that a later one was to replace.
    pub(super) interim: u64,
    /// Flows that the kernel programs began to count.
    pub(super) flows: u64,
    /// Those of them that had to make room for others.
    pub(super) evicted: u64,
    /// Those of them that left while the ring had no room for their record.
    pub(super) left_out: u64,
    /// Packets in the last record of each session.
    pub(super) packets: u64,
    /// Packets that are in no record: of flows that were left out, or of no flow.
    pub(super) packets_left_out: u64,
    /// Requests and errors that were found after the last record of their session: they are not in its count.
    pub(super) late_heads: u64,
}

impl Sessions {
    pub(super) fn new(counts: &SessionCounts, total: &Counters) -> Self {
        Self {
            begun: counts.sessions,
            records: counts.records,
            interim: counts.interim,
            flows: total.flows,
            evicted: total.flows_evicted,
            left_out: total.flows_left_out,
            packets: counts.packets,
            packets_left_out: total.packets_left_out.saturating_sub(counts.counted_twice),
            late_heads: counts.late_heads,
        }
    }

    /// Every packet is in a session, ignored, or counted as left out.
    pub(super) fn identity(&self, total: &Counters, moment: Moment) -> Identity {
        // The reasons behind are about what packets carry, and such packets are in flows.
        let ignored: u64 = total.ignored[..=Ignored::Protocol as usize].iter().sum();
        Identity::flowing(
            "packets = sessions.packets + ignored (but tls, http2, sequence) + sessions.packets_left_out; in flight: not on record yet",
            total.packets.iter().flatten().sum(),
            self.packets + ignored + self.packets_left_out,
            moment,
        )
    }
}
