//! The account: what was seen, what was written, what was lost and where. The same document at the end
//! of a run and while it goes on; with the identities that must hold between its counts. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_common::counters::{Counters, Escalated, Ignored, Lost, Protocol};
use serde::Serialize;

use self::exchanges::Exchanges;
use self::requests::Requests;
use self::sessions::Sessions;
use crate::http::head::Kind;
use crate::selftest::keep::Kept;
use crate::sink::counts::{Counts, LossReason};
use crate::sink::log::LossReason as LineLoss;

mod exchanges;
mod requests;
mod sessions;
mod taken;
mod words;

pub use self::requests::RequestCounts;
pub use self::taken::Taken;
pub(crate) use self::words::{in_words, many};

/// Whether it is the last word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Moment {
    /// Records are on their way.
    Live,
    /// All is detached, drained and closed.
    End,
}

/// Two counts that must be equal, but for what is on its way from one to the other.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// What both are.
    says: &'static str,
    left: u64,
    right: u64,
    /// `left - right`: on its way.
    in_flight: u64,
    /// Nothing came from nowhere; and at the end nothing is on its way.
    holds: bool,
}

impl Identity {
    /// Where something may be on its way while it goes on.
    fn flowing(says: &'static str, left: u64, right: u64, moment: Moment) -> Self {
        let in_flight = left.saturating_sub(right);
        Self {
            says,
            left,
            right,
            in_flight,
            holds: right <= left && (moment == Moment::Live || in_flight == 0),
        }
    }

    /// Where nothing ever is.
    fn exact(says: &'static str, left: u64, right: u64) -> Self {
        Self::flowing(says, left, right, Moment::End)
    }

    /// Of a sink.
    fn of_sink(counts: &Counts, moment: Moment) -> Self {
        let says = "accepted = stored + spooled + lost; in flight: queued";
        let parts = counts.stored + counts.spooled + counts.lost_in_all();
        Self::flowing(says, counts.accepted, parts, moment)
    }
}

/// The account of a store alone.
#[derive(Debug, Serialize)]
pub struct StoreLedger {
    seconds: f64,
    sinks: BTreeMap<&'static str, Sink>,
    /// Requests that brought records.
    api: Requests,
    identities: BTreeMap<String, Identity>,
    /// What is kept of the last selftest.
    #[serde(skip_serializing_if = "Option::is_none")]
    selftest: Option<Kept>,
}

impl StoreLedger {
    /// Of a store that has been open for this `time`.
    #[must_use]
    pub fn new(
        sinks: &[(&'static str, Counts)],
        requests: RequestCounts,
        time: Duration,
        moment: Moment,
    ) -> Self {
        Self {
            seconds: time.as_secs_f64(),
            sinks: sinks.iter().map(Sink::named).collect(),
            api: Requests::from(requests),
            identities: identities_of(sinks, moment)
                .chain([requests.identity(moment)])
                .collect(),
            selftest: None,
        }
    }

    /// With what is kept of the last selftest.
    #[must_use]
    pub fn with_selftest(self, selftest: Option<Kept>) -> Self {
        Self { selftest, ..self }
    }
}

fn identities_of(
    sinks: &[(&'static str, Counts)],
    moment: Moment,
) -> impl Iterator<Item = (String, Identity)> {
    sinks
        .iter()
        .map(move |(name, counts)| (format!("sinks.{name}"), Identity::of_sink(counts, moment)))
}

/// The account of a capture. Counts are of the whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ledger {
    seconds: f64,
    packets: u64,
    bytes: u64,
    /// `incoming` and `outgoing`, by protocol.
    packets_by: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Packets not looked into, by reason.
    ignored: BTreeMap<&'static str, u64>,
    candidates: u64,
    retransmitted: u64,
    connections: u64,
    evicted: u64,
    escalated: BTreeMap<&'static str, u64>,
    records: Records,
    heads: Heads,
    /// Where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<Sessions>,
    /// Where heads are joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    exchanges: Option<Exchanges>,
    lines: Lines,
    /// What became of exchanges and sessions, by sink.
    sinks: BTreeMap<&'static str, Sink>,
    /// Requests that brought records, where the store is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<Requests>,
    /// By CPU, in order.
    cpus: Vec<Cpu>,
    /// What must hold between these counts.
    identities: BTreeMap<String, Identity>,
    /// What is kept of the last selftest.
    #[serde(skip_serializing_if = "Option::is_none")]
    selftest: Option<Kept>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Records {
    /// Numbered by the kernel programs: `received + lost.ring`, of each CPU too.
    numbered: u64,
    received: u64,
    /// By reason; all but `ring` were never numbered.
    lost: BTreeMap<&'static str, u64>,
    lost_bytes: BTreeMap<&'static str, u64>,
    /// For how long the ring was not looked at while timeouts and flows were, at the most.
    longest_pause_us: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Heads {
    /// `whole + partial`.
    found: u64,
    whole: u64,
    partial: u64,
    /// By kind.
    kinds: BTreeMap<&'static str, u64>,
    /// `found + copies + look_alikes`.
    start_lines: u64,
    copies: u64,
    look_alikes: u64,
    desyncs: u64,
    lost_records: u64,
    holes_given_up: u64,
    overflows: u64,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Lines {
    /// `stored + queued + lost`.
    accepted: u64,
    stored: u64,
    queued: u64,
    lost: u64,
    /// `lost`, by reason.
    lost_by: BTreeMap<&'static str, u64>,
    /// The files may not have reached the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_error: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Sink {
    /// `stored + spooled + queued + lost`.
    accepted: u64,
    stored: u64,
    spooled: u64,
    queued: u64,
    lost: u64,
    /// `lost`, by reason.
    lost_by: BTreeMap<&'static str, u64>,
}

impl Sink {
    fn named((name, counts): &(&'static str, Counts)) -> (&'static str, Self) {
        let sink = Self {
            accepted: counts.accepted,
            stored: counts.stored,
            spooled: counts.spooled,
            queued: counts.queued,
            lost: counts.lost_in_all(),
            lost_by: named(
                &LossReason::ALL.map(LossReason::word),
                &LossReason::ALL.map(|reason| counts.lost(reason)),
            ),
        };
        (*name, sink)
    }
}

#[derive(Clone, Debug, Default, Serialize)]
struct Cpu {
    packets: u64,
    /// `received + lost`.
    records: u64,
    received: u64,
    lost: u64,
}

impl Ledger {
    /// Of the counters of every CPU, and of what was `taken` before they were read; `time`: since the
    /// start.
    #[must_use]
    pub fn new(counters: &[Counters], taken: &Taken, time: Duration, moment: Moment) -> Self {
        let mut total = Counters::default();
        for cpu in counters {
            total.add(cpu);
        }
        let counts = taken.engine;
        let lines = &taken.log;
        let received: u64 = taken.received.iter().sum();
        let lost_in_ring = total.lost[Lost::Ring as usize];
        let own = [
            (
                "records",
                Identity::flowing(
                    "records.numbered = records.received + records.lost.ring",
                    total.records,
                    received + lost_in_ring,
                    moment,
                ),
            ),
            (
                "start_lines",
                Identity::exact(
                    "heads.start_lines = heads.found + heads.copies + heads.look_alikes",
                    counts.start_lines,
                    counts.heads + counts.copies + counts.look_alikes,
                ),
            ),
            (
                "heads",
                Identity::exact(
                    "heads.found = heads.whole + heads.partial",
                    counts.heads,
                    counts.whole + counts.partial,
                ),
            ),
            (
                "lines",
                Identity::flowing(
                    "lines.accepted = lines.stored + lines.lost; in flight: lines.queued",
                    lines.accepted,
                    lines.stored + lines.lost_in_all().records,
                    moment,
                ),
            ),
        ];
        let own = own.map(|(name, identity)| (name.to_owned(), identity));
        let sessions = taken.sessions.map(|counts| Sessions::new(&counts, &total));
        let of_sessions = sessions
            .iter()
            .map(|sessions| ("sessions".to_owned(), sessions.identity(&total, moment)));
        let of_exchanges = taken
            .pairing
            .map(|counts| Exchanges(counts).identities(moment));
        let identities = own
            .into_iter()
            .chain(of_sessions)
            .chain(of_exchanges.into_iter().flatten())
            .chain(identities_of(&taken.sinks, moment))
            // The server ends with the process: some may not be answered.
            .chain(taken.requests.map(|counts| counts.identity(Moment::Live)))
            .collect();
        let by_protocol = |counts: &[u64; Protocol::COUNT]| named(&Protocol::NAMES, counts);
        Self {
            seconds: time.as_secs_f64(),
            packets: total.packets.iter().flatten().sum(),
            bytes: total.bytes.iter().flatten().sum(),
            packets_by: BTreeMap::from([
                ("incoming", by_protocol(&total.packets[0])),
                ("outgoing", by_protocol(&total.packets[1])),
            ]),
            ignored: named(&Ignored::NAMES, &total.ignored),
            candidates: total.candidates,
            retransmitted: total.retransmitted,
            connections: total.connections,
            evicted: total.evicted,
            escalated: named(&Escalated::NAMES, &total.escalated),
            records: Records {
                numbered: total.records,
                received,
                lost: named(&Lost::NAMES, &total.lost),
                lost_bytes: named(&Lost::NAMES, &total.lost_bytes),
                longest_pause_us: taken.longest_pause_us,
            },
            heads: Heads {
                found: counts.heads,
                whole: counts.whole,
                partial: counts.partial,
                kinds: Kind::ALL
                    .iter()
                    .map(|kind| {
                        let cpus = taken.heads.iter().map(|cpu| cpu[*kind as usize]);
                        (kind.letters(), cpus.sum())
                    })
                    .collect(),
                start_lines: counts.start_lines,
                copies: counts.copies,
                look_alikes: counts.look_alikes,
                desyncs: counts.desyncs,
                lost_records: counts.lost_records,
                holes_given_up: counts.holes_given_up,
                overflows: counts.overflows,
            },
            sessions,
            exchanges: taken.pairing.map(Exchanges),
            lines: Lines {
                accepted: lines.accepted,
                stored: lines.stored,
                queued: lines.queued,
                lost: lines.lost_in_all().records,
                lost_by: named(
                    &LineLoss::ALL.map(LineLoss::word),
                    &LineLoss::ALL.map(|reason| lines.lost(reason).records),
                ),
                sync_error: taken.sync_error.clone(),
            },
            sinks: taken.sinks.iter().map(Sink::named).collect(),
            api: taken.requests.map(Requests::from),
            cpus: counters
                .iter()
                .zip(&taken.received)
                .map(|(cpu, received)| Cpu {
                    packets: cpu.packets.iter().flatten().sum(),
                    records: cpu.records,
                    received: *received,
                    lost: cpu.lost[Lost::Ring as usize],
                })
                .collect(),
            identities,
            selftest: taken.selftest.clone(),
        }
    }

    /// Whether the run failed at its purpose although it ended in order.
    pub(crate) fn failed(&self) -> bool {
        self.lines.sync_error.is_some()
    }
}

/// Counts with their names, those that are not 0.
pub(crate) fn named(names: &[&'static str], counts: &[u64]) -> BTreeMap<&'static str, u64> {
    let all = names.iter().copied().zip(counts.iter().copied());
    all.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests;
