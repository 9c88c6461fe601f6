//! What a reader tells: while it runs, and when it has ended.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::http::engine::Counts as EngineCounts;
use crate::http::exchange::pairing::PairingCounts;
use crate::http::exchange::tally::Tally;
use crate::http::head::Kind;
use crate::session::table::SessionCounts;
use crate::sink::counts::Counts;
use crate::sink::log::LogOutcome;

/// What the reader has taken so far; for other threads.
#[derive(Debug)]
pub struct Progress {
    /// Records taken out of the rings, by the CPU that sent them.
    pub received: Box<[AtomicU64]>,
    /// Records that were no records of this version.
    pub foreign: AtomicU64,
    /// Heads found.
    pub heads: AtomicU64,
    /// Heads found, by CPU, then by kind in the order of [`Kind::ALL`].
    pub heads_by_cpu: Box<[[AtomicU64; Kind::ALL.len()]]>,
    /// Exchanges, and how long they took.
    pub tally: Arc<Tally>,
    /// Microseconds for which the rings were not looked at while timeouts and flows were, at the most.
    pub longest_pause_us: AtomicU64,
    /// What the engine has counted, after a drain.
    pub(super) engine: Mutex<EngineCounts>,
    /// What was made of flows, after the same drain; `None`: they are not taken.
    pub(super) sessions: Mutex<Option<SessionCounts>>,
    /// What was made of heads, after the same drain; `None`: they are not joined.
    pub(super) pairing: Mutex<Option<PairingCounts>>,
}

impl Progress {
    /// Nothing yet, of a host with at most so many CPUs.
    #[must_use]
    pub fn new(cpus: usize) -> Self {
        Self {
            received: (0..cpus).map(|_| AtomicU64::new(0)).collect(),
            foreign: AtomicU64::new(0),
            heads: AtomicU64::new(0),
            heads_by_cpu: (0..cpus).map(|_| Default::default()).collect(),
            tally: Arc::default(),
            longest_pause_us: AtomicU64::new(0),
            engine: Mutex::default(),
            sessions: Mutex::default(),
            pairing: Mutex::default(),
        }
    }

    /// What the engine had counted when the rings were last looked at: all of one moment.
    #[must_use]
    pub fn engine(&self) -> EngineCounts {
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What had been made of heads then; `None`: they are not joined.
    #[must_use]
    pub fn pairing(&self) -> Option<PairingCounts> {
        *self.pairing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What had been made of flows then; `None`: they are not taken.
    #[must_use]
    pub fn sessions(&self) -> Option<SessionCounts> {
        *self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a finished reader leaves.
#[derive(Debug)]
pub struct Finished {
    /// What the engine counted.
    pub counts: EngineCounts,
    /// Heads by CPU, then by kind in the order of [`crate::http::head::Kind::ALL`].
    pub heads: Vec<[u64; Kind::ALL.len()]>,
    /// Exchanges, and how long they took.
    pub tally: Arc<Tally>,
    /// What was made of flows; `None`: they were not taken.
    pub sessions: Option<SessionCounts>,
    /// What was made of heads; `None`: they were not joined.
    pub pairing: Option<PairingCounts>,
    /// [`Progress::longest_pause_us`].
    pub longest_pause_us: u64,
    /// What became of the lines.
    pub log: LogOutcome,
    /// What became of exchanges and sessions, by sink.
    pub sinks: Vec<(&'static str, Counts)>,
    /// Records taken out of the rings, by the CPU that sent them.
    pub received: Vec<u64>,
}
