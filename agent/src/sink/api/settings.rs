//! What a user can choose about sending.

use std::time::Duration;

use super::target::Target;
use crate::sink::spool::SpoolSettings;

/// All settings of an [`ApiSink`](super::ApiSink).
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where records go.
    pub target: Target,
    /// What a request holds. Default: arrays.
    pub mode: Mode,
    /// Send exchanges too, in arrays to `{url}/exchanges`. Default: no.
    pub exchanges: bool,
    /// Records in an array at most. Default: 500.
    pub batch: usize,
    /// How long a record waits for an array to become full. Default: 200 ms.
    pub interval: Duration,
    /// How long a request may take, and before it making a connection. Default: 10 s.
    pub timeout: Duration,
    /// Requests under way at the same time. Default: 4.
    pub connections: usize,
    /// Compress arrays. Default: yes.
    pub gzip: bool,
    /// Where records wait that cannot be sent.
    pub spool: SpoolSettings,
    /// Batches that may wait to be encoded. Default: 32 (of at most 4096 records each).
    pub queue_batches: usize,
}

/// What a request holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// An array of records.
    Array,
    /// One session as an object, with the fields that every back end knows: protocol, addresses, ports,
    /// packets, bytes, CPU and start. Final records only, since no later one can take their place.
    Single,
}

impl ApiSettings {
    /// The defaults, for this target.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            mode: Mode::Array,
            exchanges: false,
            batch: 500,
            interval: Duration::from_millis(200),
            timeout: Duration::from_secs(10),
            connections: 4,
            gzip: true,
            spool: SpoolSettings::default(),
            queue_batches: 32,
        }
    }
}
