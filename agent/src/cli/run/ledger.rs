//! The account at the end of a run: what was seen, what was written, what was lost and where.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;

use agent_common::counters::{Counters, Escalated, Ignored, Lost, Protocol};
use serde::Serialize;

use super::super::named;
use super::status::sum;
use crate::capture::reader::Finished;
use crate::http::head::Kind;
use crate::sink::counts::LossReason;

/// The account. Counts are of the whole run.
#[derive(Debug, Serialize)]
pub(super) struct Ledger {
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
    lines: Lines,
    /// What became of exchanges and sessions, by sink.
    sinks: BTreeMap<&'static str, Sink>,
    /// By CPU, in order.
    cpus: Vec<Cpu>,
}

#[derive(Debug, Serialize)]
struct Records {
    /// Numbered by the kernel programs: `received + lost.ring`, of each CPU too.
    numbered: u64,
    received: u64,
    /// By reason; all but `ring` were never numbered.
    lost: BTreeMap<&'static str, u64>,
    lost_bytes: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
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

#[derive(Debug, Serialize)]
struct Lines {
    /// `stored + lost`.
    accepted: u64,
    stored: u64,
    lost: u64,
    /// The files may not have reached the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Sink {
    /// `stored + spooled + lost`.
    accepted: u64,
    stored: u64,
    spooled: u64,
    lost: u64,
    /// By reason, where there is any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    lost_by: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    packets: u64,
    /// `received + lost`.
    records: u64,
    received: u64,
    lost: u64,
}

impl Ledger {
    pub(super) fn new(counters: &[Counters], finished: &Finished, time: Duration) -> Self {
        let total = sum(counters);
        let counts = finished.counts;
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
                received: finished.received.iter().sum(),
                lost: named(&Lost::NAMES, &total.lost),
                lost_bytes: named(&Lost::NAMES, &total.lost_bytes),
            },
            heads: Heads {
                found: counts.heads,
                whole: counts.whole,
                partial: counts.partial,
                kinds: Kind::ALL
                    .iter()
                    .map(|kind| (kind.letters(), finished.heads[*kind as usize]))
                    .collect(),
                start_lines: counts.start_lines,
                copies: counts.copies,
                look_alikes: counts.look_alikes,
                desyncs: counts.desyncs,
                lost_records: counts.lost_records,
                holes_given_up: counts.holes_given_up,
                overflows: counts.overflows,
            },
            lines: Lines {
                accepted: finished.log.counts.accepted,
                stored: finished.log.counts.stored,
                lost: finished.log.counts.lost_in_all().records,
                sync_error: finished.log.sync_error.as_ref().map(ToString::to_string),
            },
            sinks: finished
                .sinks
                .iter()
                .map(|(name, counts)| {
                    let sink = Sink {
                        accepted: counts.accepted,
                        stored: counts.stored,
                        spooled: counts.spooled,
                        lost: counts.lost_in_all(),
                        lost_by: LossReason::ALL
                            .iter()
                            .map(|reason| (reason.word(), counts.lost(*reason)))
                            .filter(|(_, lost)| *lost > 0)
                            .collect(),
                    };
                    (*name, sink)
                })
                .collect(),
            cpus: counters
                .iter()
                .zip(&finished.received)
                .map(|(cpu, received)| Cpu {
                    packets: cpu.packets.iter().flatten().sum(),
                    records: cpu.records,
                    received: *received,
                    lost: cpu.lost[Lost::Ring as usize],
                })
                .collect(),
        }
    }

    /// Whether the run failed at its purpose although it ended in order.
    pub(super) fn failed(&self) -> bool {
        self.lines.sync_error.is_some()
    }

    /// Says the account in a few lines.
    pub(super) fn say(&self) {
        let Self {
            seconds,
            packets,
            ignored,
            retransmitted,
            evicted,
            records,
            heads,
            lines,
            ..
        } = self;
        let lost: u64 = records.lost.values().sum();
        let mut text = format!(
            "tapline saw {packets} packets in {seconds:.1} s and wrote {} heads ({} partial) in {} lines\n\
             records: {} numbered = {} received + {} lost in the ring; lost otherwise: {}; \
             lines lost: {}; segments seen before: {retransmitted}; connections evicted: {evicted}\n",
            heads.found,
            heads.partial,
            lines.stored,
            records.numbered,
            records.received,
            records.lost.get("ring").copied().unwrap_or(0),
            lost - records.lost.get("ring").copied().unwrap_or(0),
            lines.lost,
        );
        for (name, sink) in &self.sinks {
            let reasons: Vec<String> = sink
                .lost_by
                .iter()
                .map(|(reason, lost)| format!("{reason} {lost}"))
                .collect();
            let reasons = match reasons.is_empty() {
                true => String::new(),
                false => format!(" ({})", reasons.join(", ")),
            };
            text.push_str(&format!(
                "{name}: {} records = {} stored + {} spooled + {} lost{reasons}\n",
                sink.accepted, sink.stored, sink.spooled, sink.lost
            ));
        }
        if !ignored.is_empty() {
            let reasons: Vec<String> = ignored
                .iter()
                .map(|(reason, count)| format!("{reason} {count}"))
                .collect();
            text.push_str(&format!("ignored: {}\n", reasons.join(", ")));
        }
        // Where stderr is gone there is nobody to tell.
        drop(io::stderr().write_all(text.as_bytes()));
    }
}
