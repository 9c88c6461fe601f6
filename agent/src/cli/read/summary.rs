//! What reading captures came to.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was read, as `--json` gives it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Packets of the captures.
    pub(super) packets: u64,
    /// Heads found.
    pub(super) heads: u64,
    /// Those of them that are not whole.
    pub(super) partial: u64,
    /// Heads by kind.
    pub(super) kinds: BTreeMap<&'static str, u64>,
    /// Packets not looked into, by reason.
    pub(super) ignored: BTreeMap<&'static str, u64>,
    /// What was to be copied and could not, by reason.
    pub(super) lost_records: BTreeMap<&'static str, u64>,
    /// Segments seen before.
    pub(super) retransmitted: u64,
    /// Start lines that had been read before, and what looks like one and is none.
    pub(super) copies: u64,
    pub(super) look_alikes: u64,
    /// Sessions, and the packets in them: all but those ignored (`tls`, `http2` and `sequence` are in them).
    pub(super) sessions: u64,
    pub(super) session_packets: u64,
    /// Lines written.
    pub(super) lines: u64,
    /// Lines that could not be written although somebody was there to take them.
    pub(super) lost: u64,
}
