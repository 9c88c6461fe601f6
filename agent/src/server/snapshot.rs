//! Everything that is shown, of one moment: plain numbers, without I/O.

use agent_common::counters::{Counters, Lost};
use jiff::Timestamp;
use serde::Serialize;

use super::{Health, Process};
use crate::http::exchange::record::Outcome;
use crate::http::exchange::tally::{Histogram, Tally};
use crate::http::head::Kind;
use crate::ledger::{Ledger, RequestCounts, Taken};
use crate::selftest::keep::Kept;
use crate::session::table::SessionCounts;
use crate::sink::counts::Counts;
use crate::sink::log::{LossReason, SinkCounts};

/// The numbers of one moment. The kernel programs count on while they are read: sums over CPUs may
/// be off by what is in flight.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The CPUs that are shown, in order.
    pub cpus: Vec<Cpu>,
    /// Exchanges, and how long they took.
    pub exchanges: Exchanges,
    /// What was made of flows; `None`: they are not taken.
    pub sessions: Option<SessionCounts>,
    /// The account of the log; `None`: no lines are written.
    pub lines: Option<Lines>,
    /// The account of each sink of exchanges and sessions, with its name.
    pub sinks: Vec<(&'static str, Counts)>,
    /// Requests that brought records; `None`: nothing takes any.
    pub requests: Option<RequestCounts>,
    /// The kernel programs, as far as they were measured; empty: that is not done.
    pub programs: Vec<Program>,
    /// Microseconds for which the reader did not look at the ring, at the most; `None`: there is none.
    pub longest_pause_us: Option<u64>,
    /// The whole account.
    pub ledger: Ledger,
    /// What is kept of the last selftest.
    pub selftest: Option<Kept>,
    /// The interfaces that are captured.
    pub interfaces: Vec<Interface>,
    /// The rules of alerts by name, and whether each fires.
    pub alerts: Vec<(String, bool)>,
    /// The state of health.
    pub health: Health,
    /// What the process uses; `None`: /proc cannot be read.
    pub process: Option<Process>,
}

/// An interface that is captured.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The hooks that sit on it, in words.
    pub hook: String,
}

/// A kernel program, as far as it was measured: estimated from one second of every minute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// How often it has run.
    pub runs: u64,
    /// Nanoseconds for which it has run.
    pub ns: u64,
}

/// One CPU.
#[derive(Clone, Copy, Debug)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// What it has counted.
    pub counters: Counters,
    /// Its records that were taken out of the ring.
    pub received: u64,
    /// Heads whose first byte it carried, by kind in the order of [`Kind::ALL`].
    pub heads: [u64; Kind::ALL.len()],
}

impl Cpu {
    /// Packets that it has seen and looked into.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counters.packets.as_flattened().iter().sum()
    }

    /// Records that were lost before the program, and may have held heads.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let reasons = [Lost::Ring, Lost::CpuBudget];
        let lost = reasons.map(|reason| self.counters.lost[reason as usize]);
        lost.iter().sum()
    }
}

/// Exchanges at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exchanges {
    /// How many there were, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// How long the complete ones took.
    pub histograms: Vec<Histogram>,
}

impl From<&Tally> for Exchanges {
    fn from(tally: &Tally) -> Self {
        Self {
            outcomes: tally.outcomes(),
            histograms: tally.histograms(),
        }
    }
}

/// The account of the log: what became of the lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lines {
    /// Taken by the operating system.
    pub stored: u64,
    /// Waiting for the writer.
    pub queued: u64,
    /// Lost, in the order of [`LossReason::ALL`].
    pub lost: [u64; LossReason::ALL.len()],
}

impl From<&SinkCounts> for Lines {
    fn from(counts: &SinkCounts) -> Self {
        Self {
            stored: counts.stored,
            queued: counts.queued,
            lost: LossReason::ALL.map(|reason| counts.lost(reason).records),
        }
    }
}

impl Snapshot {
    /// Puts the numbers together; health is that of a fresh start and the process is not in it.
    ///
    /// `counters`: of every CPU that the host may ever have. Those that are neither `online` nor have
    /// counted anything are left out: some hosts have places for hundreds.
    pub(super) fn new(
        counters: Vec<Counters>,
        online: &[u32],
        taken: Taken,
        interfaces: Vec<Interface>,
        ledger: Ledger,
    ) -> Self {
        let heads = taken.heads;
        let cpus = (0..)
            .zip(counters)
            .zip(taken.received)
            .map(|((number, counters), received)| Cpu {
                number,
                counters,
                received,
                heads: heads.get(number as usize).copied().unwrap_or_default(),
            });
        Self {
            cpus: cpus
                .filter(|cpu| online.contains(&cpu.number) || has_counted(&cpu.counters))
                .collect(),
            sessions: taken.sessions,
            exchanges: Exchanges::default(),
            lines: Some(Lines::from(&taken.log)),
            sinks: taken.sinks,
            requests: taken.requests,
            programs: taken.programs,
            selftest: taken.selftest,
            longest_pause_us: Some(taken.longest_pause_us),
            ledger,
            interfaces,
            alerts: Vec::new(),
            health: Health::new(Timestamp::UNIX_EPOCH),
            process: None,
        }
    }

    /// Of a store alone: `sinks` is its account.
    pub(super) fn of_store(
        sinks: Vec<(&'static str, Counts)>,
        requests: RequestCounts,
        process: Option<Process>,
        selftest: Option<Kept>,
    ) -> Self {
        Self {
            cpus: Vec::new(),
            lines: None,
            sessions: None,
            sinks,
            requests: Some(requests),
            programs: Vec::new(),
            longest_pause_us: None,
            exchanges: Exchanges::default(),
            ledger: Ledger::default(),
            selftest,
            interfaces: Vec::new(),
            alerts: Vec::new(),
            health: Health::new(Timestamp::UNIX_EPOCH),
            process,
        }
    }

    /// All that was lost since the start: records before the program, lines, and records on their way
    /// to the sinks.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let lines = self.lines.iter().flat_map(|lines| lines.lost);
        let sinks = self.sinks.iter().map(|(_, counts)| counts.lost_in_all());
        self.cpus
            .iter()
            .map(Cpu::lost)
            .chain(lines)
            .chain(sinks)
            .sum()
    }

    /// The counters of all CPUs together.
    #[must_use]
    pub fn total(&self) -> Counters {
        let mut total = Counters::default();
        for cpu in &self.cpus {
            total.add(&cpu.counters);
        }
        total
    }
}

/// Every packet is counted as one or as ignored.
fn has_counted(counters: &Counters) -> bool {
    let packets = counters.packets.as_flattened();
    packets
        .iter()
        .chain(&counters.ignored)
        .any(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_that_are_not_there_are_left_out() {
        let check = |online: &[u32], counted: &[usize], shown: &[u32]| {
            let mut counters = vec![Counters::default(); 4];
            for cpu in counted {
                counters[*cpu].ignored[0] = 1;
            }
            let taken = Taken {
                received: vec![0; 4],
                ..Taken::default()
            };
            let snapshot = Snapshot::new(counters, online, taken, Vec::new(), Ledger::default());
            let numbers: Vec<u32> = snapshot.cpus.iter().map(|cpu| cpu.number).collect();
            assert_eq!(numbers, shown);
        };
        check(&[0, 1], &[], &[0, 1]);
        check(&[0, 1], &[3], &[0, 1, 3]);
        check(&[], &[2], &[2]);
        check(&[7], &[], &[]);
    }
}
