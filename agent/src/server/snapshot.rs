//! Everything that is shown, of one moment: plain numbers, without I/O.

use std::collections::BTreeMap;

use agent_common::counters::Counters;
use jiff::Timestamp;

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
    /// Seconds that each kernel program has run, as measured so far; empty: that is not measured.
    pub program_seconds: BTreeMap<String, f64>,
    /// Microseconds for which the reader did not look at the ring, at the most; `None`: there is none.
    pub longest_pause_us: Option<u64>,
    /// The whole account.
    pub ledger: Ledger,
    /// What is kept of the last selftest.
    pub selftest: Option<Kept>,
    /// The names of the interfaces that are captured.
    pub interfaces: Vec<String>,
    /// The state of health.
    pub health: Health,
    /// What the process uses; `None`: /proc cannot be read.
    pub process: Option<Process>,
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
        interfaces: Vec<String>,
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
            program_seconds: taken.program_seconds.unwrap_or_default(),
            selftest: taken.selftest,
            longest_pause_us: Some(taken.longest_pause_us),
            ledger,
            interfaces,
            health: Health::new(Timestamp::UNIX_EPOCH),
            process: None,
        }
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
