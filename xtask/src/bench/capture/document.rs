//! The result: a table for people, a document for programs.

use serde::Serialize;

use crate::{
    bench::{
        capture::measure::{Measured, Plan},
        statistics::Summary,
        target::Target,
    },
    report::print,
};

/// The result.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    plan: &'a Plan,
    cpus: usize,
    measured: &'a [Measured],
    targets: &'a [Target],
}

impl<'a> Document<'a> {
    /// Puts it together.
    pub(crate) fn new(plan: &'a Plan, measured: &'a [Measured], targets: &'a [Target]) -> Self {
        Self {
            plan,
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            measured,
            targets,
        }
    }

    /// Prints the table.
    pub(crate) fn show(&self) {
        print(format_args!(
            "nginx (one worker, a file of 1 KiB) and wrk ({} connections, {} s a run) on {} CPUs; \
             medians of pairs",
            self.plan.connections,
            self.plan.time.as_secs(),
            self.cpus
        ));
        print(format_args!(
            "{:<16}{:>6}{:>12}{:>12}{:>8}{:>17}{:>11}{:>9}{:>8}{:>9}{:>7}",
            "capture",
            "pairs",
            "req/s off",
            "req/s on",
            "ratio",
            "middle half",
            "µs a head",
            "recall",
            "bulk",
            "Pss MiB",
            "wakes"
        ));
        for measured in self.measured {
            print(row(measured));
        }
        for measured in self.measured {
            for time in &measured.program_time {
                print(format_args!(
                    "{}: {} took {:.0} ns a run in {} runs (statistics included)",
                    measured.name, time.program, time.nanoseconds_a_run, time.runs
                ));
            }
        }
        for target in self.targets {
            print(target);
        }
    }
}

fn row(measured: &Measured) -> String {
    let pairs = &measured.pairs;
    let median = |values: Vec<f64>| Summary::of(values).map(|summary| summary.median);
    let off = median(
        pairs
            .iter()
            .map(|pair| pair.requests_per_second_off)
            .collect(),
    );
    let on = median(
        pairs
            .iter()
            .map(|pair| pair.requests_per_second_on)
            .collect(),
    );
    let ratio = measured.throughput_ratio;
    let middle = ratio.map_or_else(String::new, |ratio| {
        format!("{:.3}–{:.3}", ratio.lower_quarter, ratio.upper_quarter)
    });
    format!(
        "{:<16}{:>6}{:>12}{:>12}{:>8}{middle:>17}{:>11}{:>9}{:>8}{:>9.1}{:>7}",
        measured.name,
        pairs.len(),
        shown(off, 0),
        shown(on, 0),
        shown(ratio.map(|ratio| ratio.median), 3),
        shown(measured.cpu_microseconds_per_head.map(|cpu| cpu.median), 2),
        shown(measured.recall, 4),
        shown(measured.bulk_ratio.map(|ratio| ratio.median), 3),
        measured.memory as f64 / f64::from(1 << 20),
        shown(measured.wake_ups_per_second, 1),
    )
}

/// A figure, or a dash where there is none.
fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
