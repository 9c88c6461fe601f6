//! The table of metrics, and where each is read from.

use agent_common::counters::{Counters, Escalated, Ignored, Lost, Protocol};

use super::{Metric, Samples, durations};
use crate::http::head::Kind;
use crate::ledger::RequestCounts;
use crate::selftest::keep::Kept;
use crate::server::{Cpu, Process, Program, Snapshot};
use crate::sink::counts;
use crate::sink::log::LossReason;

/// Every metric.
pub const METRICS: [Metric; 31] = [
    Metric {
        name: "tapline_build_info",
        grows: false,
        unit: "1",
        labels: &["version"],
        help: "Always 1; the version of the program is the label.",
        read: |_, samples| samples.add(&[env!("CARGO_PKG_VERSION")], 1),
    },
    Metric {
        name: "tapline_packets_total",
        grows: true,
        unit: "packets",
        labels: &["cpu", "direction", "protocol"],
        help: "Packets seen, as on the wire: a super-packet counts its segments.",
        read: |snapshot, samples| by_protocol(snapshot, samples, |cpu| &cpu.packets),
    },
    Metric {
        name: "tapline_bytes_total",
        grows: true,
        unit: "bytes",
        labels: &["cpu", "direction", "protocol"],
        help: "Bytes of these packets, from the network header on.",
        read: |snapshot, samples| by_protocol(snapshot, samples, |cpu| &cpu.bytes),
    },
    Metric {
        name: "tapline_ignored_total",
        grows: true,
        unit: "packets",
        labels: &["reason", "cpu"],
        help: "Packets not looked into.",
        read: |snapshot, samples| {
            by_reason(snapshot, samples, &[], &Ignored::NAMES, |cpu| &cpu.ignored);
        },
    },
    Metric {
        name: "tapline_candidates_total",
        grows: true,
        unit: "segments",
        labels: &["cpu"],
        help: "Segments that began like a head.",
        read: |snapshot, samples| by_cpu(snapshot, samples, |cpu| cpu.counters.candidates),
    },
    Metric {
        name: "tapline_retransmitted_total",
        grows: true,
        unit: "segments",
        labels: &["cpu"],
        help: "Segments seen before: retransmitted, or on a second interface.",
        read: |snapshot, samples| by_cpu(snapshot, samples, |cpu| cpu.counters.retransmitted),
    },
    Metric {
        name: "tapline_records_total",
        grows: true,
        unit: "records",
        labels: &["cpu"],
        help: "Records numbered by the kernel programs: each is received or lost in the ring.",
        read: |snapshot, samples| by_cpu(snapshot, samples, |cpu| cpu.counters.records),
    },
    Metric {
        name: "tapline_records_received_total",
        grows: true,
        unit: "records",
        labels: &["cpu"],
        help: "Records taken out of the ring, by the CPU that sent them.",
        read: |snapshot, samples| by_cpu(snapshot, samples, |cpu| cpu.received),
    },
    Metric {
        name: "tapline_lost_total",
        grows: true,
        unit: "records",
        labels: &["stage", "reason", "cpu"],
        help: "What was lost, by where: records in the capture (slot: packets), lines in the log, records in other sinks (both: no cpu).",
        read: lost,
    },
    Metric {
        name: "tapline_heads_total",
        grows: true,
        unit: "heads",
        labels: &["kind", "cpu"],
        help: "HTTP heads found, each once, by the CPU that carried their first byte.",
        read: |snapshot, samples| {
            for cpu in &snapshot.cpus {
                let number = cpu.number.to_string();
                for (kind, heads) in Kind::ALL.iter().zip(cpu.heads) {
                    samples.add(&[kind.letters(), &number], heads);
                }
            }
        },
    },
    Metric {
        name: "tapline_exchanges_total",
        grows: true,
        unit: "exchanges",
        labels: &["outcome"],
        help: "Requests and the responses that answer them, by what became of them.",
        read: durations::outcomes,
    },
    Metric {
        name: "tapline_escalations_total",
        grows: true,
        unit: "connections",
        labels: &["reason"],
        help: "Connections of which the kernel programs began to copy everything.",
        read: |snapshot, samples| {
            for (reason, count) in Escalated::NAMES.iter().zip(snapshot.total().escalated) {
                samples.add(&[reason], count);
            }
        },
    },
    Metric {
        name: "tapline_flow_evictions_total",
        grows: true,
        unit: "flows",
        labels: &["table"],
        help: "Flows that had to make room for others in their table.",
        read: |snapshot, samples| {
            let total = snapshot.total();
            samples.add(&["connections"], total.evicted);
            samples.add(&["sessions"], total.flows_evicted);
        },
    },
    Metric {
        name: "tapline_sessions_active",
        grows: false,
        unit: "sessions",
        labels: &[],
        help: "Sessions that had neither ended nor been idle for too long when their table was last walked through.",
        read: |snapshot, samples| {
            if let Some(sessions) = &snapshot.sessions {
                samples.add(&[], sessions.active);
            }
        },
    },
    Metric {
        name: "tapline_sink_records_total",
        grows: true,
        unit: "records",
        labels: &["sink", "outcome"],
        help: "Records that a sink has dealt with; the sink log takes lines.",
        read: |snapshot, samples| {
            if let Some(lines) = &snapshot.lines {
                samples.add(&["log", "stored"], lines.stored);
                samples.add(&["log", "lost"], lines.lost.iter().sum());
            }
            for (name, counts) in &snapshot.sinks {
                samples.add(&[name, "stored"], counts.stored);
                samples.add(&[name, "spooled"], counts.spooled);
                samples.add(&[name, "lost"], counts.lost_in_all());
            }
        },
    },
    Metric {
        name: "tapline_sink_queue_records",
        grows: false,
        unit: "records",
        labels: &["sink"],
        help: "Records that wait for a sink.",
        read: |snapshot, samples| {
            if let Some(lines) = &snapshot.lines {
                samples.add(&["log"], lines.queued);
            }
            for (name, counts) in &snapshot.sinks {
                samples.add(&[name], counts.queued);
            }
        },
    },
    Metric {
        name: "tapline_api_requests_total",
        grows: true,
        unit: "requests",
        labels: &["outcome"],
        help: "Requests that brought records, answered: taken, refused with this status, or abandoned by whoever asked.",
        read: |snapshot, samples| {
            if let Some(requests) = &snapshot.requests {
                samples.add(&["taken"], requests.taken);
                for (status, count) in RequestCounts::STATUSES.iter().zip(requests.refused) {
                    samples.add(&[&status.to_string()], count);
                }
                samples.add(&["abandoned"], requests.abandoned);
            }
        },
    },
    Metric {
        name: "tapline_spool_records",
        grows: false,
        unit: "records",
        labels: &[],
        help: "Records that wait on disk to be sent to the HTTP API.",
        read: |snapshot, samples| {
            for (_, counts) in snapshot.sinks.iter().filter(|(name, _)| *name == "api") {
                samples.add(&[], counts.spooled);
            }
        },
    },
    Metric {
        name: "tapline_program_run_seconds_total",
        grows: true,
        unit: "seconds",
        labels: &["program"],
        help: "CPU time of each kernel program, estimated from one second of every minute; only with metrics.program_time.",
        read: |snapshot, samples| {
            for Program { name, ns, .. } in &snapshot.programs {
                samples.add_measured(&[name], *ns as f64 / 1e9);
            }
        },
    },
    Metric {
        name: "tapline_selftest_recall",
        grows: false,
        unit: "1",
        labels: &[],
        help: "Of the heads that the last selftest sent, the part that was written as it was: the least of all shapes and hooks.",
        read: |snapshot, samples| of_selftest(snapshot, samples, |kept| kept.recall),
    },
    Metric {
        name: "tapline_selftest_precision",
        grows: false,
        unit: "1",
        labels: &[],
        help: "Of the heads that the last selftest found written, the part that was sent: the least of all shapes and hooks.",
        read: |snapshot, samples| of_selftest(snapshot, samples, |kept| kept.precision),
    },
    Metric {
        name: "tapline_selftest_passed",
        grows: false,
        unit: "1",
        labels: &[],
        help: "Whether the last selftest found everything right: 1, or 0.",
        read: |snapshot, samples| {
            of_selftest(snapshot, samples, |kept| f64::from(u8::from(kept.passed)));
        },
    },
    Metric {
        name: "tapline_selftest_time_seconds",
        grows: false,
        unit: "seconds",
        labels: &[],
        help: "When the last selftest began, since the epoch.",
        read: |snapshot, samples| {
            of_selftest(snapshot, samples, |kept| {
                kept.at.as_millisecond() as f64 / 1e3
            });
        },
    },
    Metric {
        name: "tapline_alerts_firing",
        grows: false,
        unit: "1",
        labels: &["rule"],
        help: "Whether a rule of the configuration (alerts.rules) fires: 1, or 0.",
        read: |snapshot, samples| {
            for (name, fires) in &snapshot.alerts {
                samples.add(&[name], u64::from(*fires));
            }
        },
    },
    Metric {
        name: "tapline_reader_pause_max_seconds",
        grows: false,
        unit: "seconds",
        labels: &[],
        help: "Longest time for which the ring was not looked at, while timeouts and flows were.",
        read: |snapshot, samples| {
            if let Some(microseconds) = snapshot.longest_pause_us {
                samples.add_measured(&[], microseconds as f64 / 1e6);
            }
        },
    },
    Metric {
        name: "process_cpu_seconds_total",
        grows: true,
        unit: "seconds",
        labels: &[],
        help: "CPU time of the process, user and system.",
        read: |snapshot, samples| of_process(snapshot, samples, |process| process.cpu_seconds),
    },
    Metric {
        name: "process_resident_memory_bytes",
        grows: false,
        unit: "bytes",
        labels: &[],
        help: "Memory of the process that is in RAM.",
        read: |snapshot, samples| {
            of_process(snapshot, samples, |process| process.resident_bytes as f64);
        },
    },
    Metric {
        name: "process_proportional_memory_bytes",
        grows: false,
        unit: "bytes",
        labels: &[],
        help: "Memory of the process that is in RAM, with its share of what it has in common with others (Pss).",
        read: |snapshot, samples| {
            if let Some(bytes) = snapshot
                .process
                .and_then(|process| process.proportional_bytes)
            {
                samples.add(&[], bytes);
            }
        },
    },
    Metric {
        name: "process_open_fds",
        grows: false,
        unit: "descriptors",
        labels: &[],
        help: "Open file descriptors of the process.",
        read: |snapshot, samples| {
            of_process(snapshot, samples, |process| process.open_files as f64);
        },
    },
    Metric {
        name: "process_max_fds",
        grows: false,
        unit: "descriptors",
        labels: &[],
        help: "The most file descriptors that the process may open.",
        read: |snapshot, samples| {
            of_process(snapshot, samples, |process| process.max_files as f64);
        },
    },
    Metric {
        name: "process_start_time_seconds",
        grows: false,
        unit: "seconds",
        labels: &[],
        help: "When the process started, since the epoch.",
        read: |snapshot, samples| of_process(snapshot, samples, |process| process.started_seconds),
    },
];

fn by_cpu(snapshot: &Snapshot, samples: &mut Samples, of: fn(&Cpu) -> u64) {
    for cpu in &snapshot.cpus {
        samples.add(&[&cpu.number.to_string()], of(cpu));
    }
}

fn by_protocol(
    snapshot: &Snapshot,
    samples: &mut Samples,
    of: fn(&Counters) -> &[[u64; Protocol::COUNT]; 2],
) {
    for cpu in &snapshot.cpus {
        let number = cpu.number.to_string();
        for (direction, counts) in ["incoming", "outgoing"].iter().zip(of(&cpu.counters)) {
            for (protocol, count) in Protocol::NAMES.iter().zip(counts) {
                samples.add(&[&number, direction, protocol], *count);
            }
        }
    }
}

/// `before`: values of labels that stand before the reason.
fn by_reason(
    snapshot: &Snapshot,
    samples: &mut Samples,
    before: &[&str],
    names: &[&'static str],
    of: fn(&Counters) -> &[u64],
) {
    for cpu in &snapshot.cpus {
        let number = cpu.number.to_string();
        for (reason, count) in names.iter().zip(of(&cpu.counters)) {
            samples.add(&[before, &[reason, &number]].concat(), *count);
        }
    }
}

fn lost(snapshot: &Snapshot, samples: &mut Samples) {
    by_reason(snapshot, samples, &["capture"], &Lost::NAMES, |cpu| {
        &cpu.lost
    });
    if let Some(lines) = &snapshot.lines {
        for (reason, count) in LossReason::ALL.iter().zip(lines.lost) {
            samples.add(&["log", reason.word(), ""], count);
        }
    }
    for (name, counts) in &snapshot.sinks {
        for reason in counts::LossReason::ALL {
            samples.add(&[name, reason.word(), ""], counts.lost(reason));
        }
    }
}

fn of_selftest(snapshot: &Snapshot, samples: &mut Samples, of: fn(&Kept) -> f64) {
    if let Some(kept) = &snapshot.selftest {
        samples.add_measured(&[], of(kept));
    }
}

fn of_process(snapshot: &Snapshot, samples: &mut Samples, of: fn(&Process) -> f64) {
    if let Some(process) = &snapshot.process {
        samples.add_measured(&[], of(process));
    }
}
