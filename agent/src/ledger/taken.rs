//! What became of the records of the kernel programs, as it was read from those who count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::RequestCounts;
use crate::capture::reader::{Finished, Progress};
use crate::http::engine::Counts as EngineCounts;
use crate::http::exchange::pairing::PairingCounts;
use crate::http::exchange::tally::Tally;
use crate::http::head::Kind;
use crate::selftest::keep::Kept;
use crate::server::Program;
use crate::session::table::SessionCounts;
use crate::sink::counts::Counts;
use crate::sink::log::SinkCounts;

/// What became of the records of the kernel programs. While records flow it is to be read before the
/// counters of the programs, and of it the later stages first: then no count is behind one that it is
/// a part of.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Records taken out of the ring, by the CPU that sent them.
    pub received: Vec<u64>,
    /// Heads by CPU, then by kind in the order of [`Kind::ALL`].
    pub heads: Vec<[u64; Kind::ALL.len()]>,
    /// What the engine counted.
    pub engine: EngineCounts,
    /// The account of the lines.
    pub log: SinkCounts,
    /// Exchanges, and how long they took.
    pub tally: Arc<Tally>,
    /// What was made of flows; `None`: they are not taken.
    pub sessions: Option<SessionCounts>,
    /// What was made of heads; `None`: they are not joined.
    pub pairing: Option<PairingCounts>,
    /// The account of each sink of exchanges and sessions, with its name.
    pub sinks: Vec<(&'static str, Counts)>,
    /// Requests that brought records; `None`: nothing takes any.
    pub requests: Option<RequestCounts>,
    /// How long and how often each kernel program has run; empty: that is not measured.
    pub programs: Vec<Program>,
    /// What is kept of the last selftest.
    pub selftest: Option<Kept>,
    /// [`Progress::longest_pause_us`].
    pub longest_pause_us: u64,
    /// The files may not have reached the disk.
    pub sync_error: Option<String>,
}

impl Taken {
    /// While it goes on. The accounts of the log and of the sinks are read before `progress`.
    pub fn of(progress: &Progress, log: SinkCounts, sinks: Vec<(&'static str, Counts)>) -> Self {
        // The engine first: it counts what was received before.
        let engine = progress.engine();
        let load = |count: &AtomicU64| count.load(Relaxed);
        let by_kind = |heads: &[AtomicU64; Kind::ALL.len()]| heads.each_ref().map(load);
        Self {
            heads: progress.heads_by_cpu.iter().map(by_kind).collect(),
            received: progress.received.iter().map(load).collect(),
            engine,
            tally: Arc::clone(&progress.tally),
            sessions: progress.sessions(),
            pairing: progress.pairing(),
            log,
            sinks,
            requests: None,
            programs: Vec::new(),
            selftest: None,
            longest_pause_us: load(&progress.longest_pause_us),
            sync_error: None,
        }
    }
}

impl From<&Finished> for Taken {
    fn from(finished: &Finished) -> Self {
        Self {
            received: finished.received.clone(),
            heads: finished.heads.clone(),
            engine: finished.counts,
            tally: Arc::clone(&finished.tally),
            sessions: finished.sessions,
            pairing: finished.pairing,
            log: finished.log.counts,
            sinks: finished.sinks.clone(),
            requests: None,
            programs: Vec::new(),
            selftest: None,
            longest_pause_us: finished.longest_pause_us,
            sync_error: finished.log.sync_error.as_ref().map(ToString::to_string),
        }
    }
}
