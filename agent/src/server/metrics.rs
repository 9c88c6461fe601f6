#![doc = include_str!("metrics.md")]

use std::collections::BTreeMap;

use agent_common::counters::{Counters, Escalated, Ignored, Lost, Protocol};
use jiff::Timestamp;
use prometheus::TextEncoder;
use prometheus::proto::{self, Counter, Gauge, LabelPair, MetricFamily, MetricType};

use self::durations::DURATIONS;
use super::{Cpu, Exchanges, Health, Process, Snapshot};
use crate::http::head::Kind;
use crate::ledger::{Ledger, RequestCounts};
use crate::selftest::keep::Kept;
use crate::sink::counts::{self, Counts};
use crate::sink::log::LossReason;

pub mod durations;

/// One metric: what it is called, what it says, and where it is read from.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// Whether it only grows.
    pub grows: bool,
    /// What is counted or measured.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    read: fn(&Snapshot, &mut Samples),
}

/// Every metric.
pub const METRICS: [Metric; 29] = [
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
            for (name, seconds) in &snapshot.program_seconds {
                samples.add_measured(&[name], *seconds);
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

/// The values of every metric in Prometheus' text format, version 0.0.4. A metric without a value
/// (that of a process where /proc cannot be read) is left out.
///
/// # Errors
/// Two parts of the encoder contradict each other; none is known.
pub fn text(snapshot: &Snapshot) -> Result<String, prometheus::Error> {
    encode(snapshot, |_| true)
}

/// As [`text`], where there is a store and no capture: `sinks` are the accounts of the store.
///
/// # Errors
/// As those of [`text`].
pub fn text_of_store(
    sinks: &[(&'static str, Counts)],
    requests: RequestCounts,
    process: Option<Process>,
    selftest: Option<Kept>,
) -> Result<String, prometheus::Error> {
    let snapshot = Snapshot {
        cpus: Vec::new(),
        lines: None,
        sessions: None,
        sinks: sinks.to_vec(),
        requests: Some(requests),
        program_seconds: BTreeMap::new(),
        longest_pause_us: None,
        exchanges: Exchanges::default(),
        ledger: Ledger::default(),
        selftest,
        interfaces: Vec::new(),
        health: Health::new(Timestamp::UNIX_EPOCH),
        process,
    };
    encode(&snapshot, |metric| {
        let names = ["tapline_build_info", "tapline_lost_total"];
        names.contains(&metric.name)
            || metric.name.starts_with("tapline_sink_")
            || metric.name.starts_with("tapline_api_")
            || metric.name.starts_with("tapline_selftest_")
            || metric.name.starts_with("process_")
    })
}

fn encode(
    snapshot: &Snapshot,
    is_shown: impl Fn(&Metric) -> bool,
) -> Result<String, prometheus::Error> {
    let durations = DURATIONS.iter();
    let durations =
        durations.map(|metric| durations::family(metric, &snapshot.exchanges.histograms));
    let families: Vec<MetricFamily> = METRICS
        .iter()
        .filter(|metric| is_shown(metric))
        .map(|metric| family(metric, snapshot))
        .chain(durations)
        .filter(|family| !family.get_metric().is_empty())
        .collect();
    TextEncoder::new().encode_to_string(&families)
}

/// The list of all metrics as a Markdown table.
#[must_use]
pub fn list() -> String {
    let mut list = String::from("| metric | unit | what it says |\n|---|---|---|\n");
    for metric in &METRICS {
        let Metric {
            name,
            unit,
            labels,
            help,
            ..
        } = metric;
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        list += &format!("| `{name}{labels}` | {unit} | {help} |\n");
    }
    for durations::DurationMetric { name, help, .. } in &DURATIONS {
        let labels = durations::LABELS.join(",");
        list += &format!("| `{name}{{{labels}}}` | seconds | {help} |\n");
    }
    list
}

fn family(metric: &Metric, snapshot: &Snapshot) -> MetricFamily {
    let mut samples = Samples {
        labels: metric.labels,
        grows: metric.grows,
        metrics: Vec::new(),
    };
    (metric.read)(snapshot, &mut samples);
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.grows {
        true => MetricType::COUNTER,
        false => MetricType::GAUGE,
    });
    family.set_metric(samples.metrics);
    family
}

/// The values of one metric.
#[derive(Debug)]
struct Samples {
    labels: &'static [&'static str],
    grows: bool,
    metrics: Vec<proto::Metric>,
}

impl Samples {
    fn add(&mut self, labels: &[&str], count: u64) {
        self.add_measured(labels, count as f64);
    }

    /// `labels`: a value for each name, in order; an empty one is as if there were no such label.
    fn add_measured(&mut self, labels: &[&str], value: f64) {
        let mut metric = proto::Metric::from_label(pairs(self.labels, labels));
        if self.grows {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }
}

/// Labels with their values.
fn pairs(names: &[&str], values: &[&str]) -> Vec<LabelPair> {
    let pairs = names.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    pairs.collect()
}

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

#[cfg(test)]
mod tests;
