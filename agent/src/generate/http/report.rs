//! What a run came to: for people, and as JSON.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

mod document;

use self::document::bars;
pub use self::document::{Document, Latency};
use super::arrivals::Arrivals;
use super::load::LoadReport;
use super::tally::{Fault, Tally};
use super::threshold::{Judged, Threshold};
use crate::exit::Exit;
use crate::generate::seed::Seed;

/// Letters of its longest bar.
const BAR: usize = 40;

/// This share of starts may be left out, and of the time be needed for more than was planned, and the rate counts as
/// met;
const MISSED: f64 = 0.01;

/// and so may this time, in seconds: that share of ten of them.
const BEHIND: f64 = 0.1;

/// What a run was asked for and what it came to.
#[derive(Clone, Debug)]
pub struct Account {
    /// What it came to.
    pub report: LoadReport,
    /// How requests were to arrive.
    pub arrivals: Arrivals,
    /// Connections that were asked for.
    pub connections: u32,
    /// What was drawn came of it.
    pub seed: Seed,
    /// What must not be.
    pub thresholds: Vec<Threshold>,
}

impl Account {
    /// The times that count: in the open loop from the intended start, in the closed loop from the send.
    #[must_use]
    pub const fn times(&self) -> &Histogram<u64> {
        match self.arrivals {
            Arrivals::Closed => &self.report.tally.service,
            Arrivals::Even(_) | Arrivals::Poisson(_) => &self.report.tally.response,
        }
    }

    /// Answers a second.
    #[must_use]
    pub fn answered_rate(&self) -> f64 {
        a_second(self.report.tally.answered, self.report.time)
    }

    /// Starts a second, while there were any.
    #[must_use]
    pub fn started_rate(&self) -> f64 {
        a_second(self.report.tally.started, self.report.starting)
    }

    /// Whether the rate, if one was asked for, was met: of the starts that were due not more than one in
    /// a hundred was left out, and starts were over when they were to be.
    #[must_use]
    pub fn is_rate_met(&self) -> bool {
        let tally = &self.report.tally;
        let due = tally.started + tally.dropped;
        let is_whole = tally.dropped as f64 <= due as f64 * MISSED;
        let behind = Duration::from_nanos(tally.behind).as_secs_f64();
        let is_in_time = behind <= self.report.starting.as_secs_f64() * MISSED + BEHIND;
        self.arrivals == Arrivals::Closed || (is_whole && is_in_time)
    }

    /// How the program ends with this: where nothing was ever reached, that comes before a threshold that
    /// failed, that before requests that did, that before a rate that was not met.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let tally = &self.report.tally;
        let is_nothing_answered = tally.answered == 0 && tally.started > 0;
        if tally.connections == 0 && tally.started > 0 {
            return Exit::Unreachable;
        }
        if self.judged().iter().any(|judged| judged.failed) {
            return Exit::ThresholdFailed;
        }
        match (
            is_nothing_answered || tally.unanswered() > 0,
            self.is_rate_met(),
        ) {
            (true, _) => Exit::Refused,
            (false, false) => Exit::RateNotMet,
            (false, true) => Exit::Done,
        }
    }

    /// What the thresholds came to.
    #[must_use]
    pub fn judged(&self) -> Vec<Judged> {
        let thresholds = self.thresholds.iter();
        thresholds.map(|threshold| threshold.judge(self)).collect()
    }

    /// The whole of it, for machines.
    #[must_use]
    pub fn document(&self) -> Document {
        let LoadReport {
            tally,
            time,
            starting,
            threads,
            ..
        } = &self.report;
        let is_open = self.arrivals != Arrivals::Closed;
        let some = |histogram: &Histogram<u64>| is_open.then(|| Latency::of(histogram));
        let faults = Fault::ALL.iter().zip(tally.faults);
        let statuses = tally.statuses.iter().enumerate();
        Document {
            arrivals: match self.arrivals {
                Arrivals::Closed => "closed",
                Arrivals::Even(_) => "constant",
                Arrivals::Poisson(_) => "poisson",
            },
            seed: self.seed.0,
            threads: *threads,
            connections: self.connections,
            seconds: time.as_secs_f64(),
            starting_seconds: starting.as_secs_f64(),
            started: tally.started,
            answered: tally.answered,
            failed: tally.failed(),
            unfinished: tally.unfinished,
            late: tally.late,
            dropped: tally.dropped,
            offered_rate: self.arrivals.rate(),
            started_rate: self.started_rate(),
            answered_rate: self.answered_rate(),
            rate_met: self.is_rate_met(),
            errors: faults
                .filter(|(_, count)| *count > 0)
                .map(|(fault, count)| (fault.name(), count))
                .collect(),
            statuses: statuses
                .filter(|(_, count)| **count > 0)
                .map(|(status, count)| (status.to_string(), *count))
                .collect(),
            connections_opened: tally.connections,
            connections_most: tally.most_connections,
            bytes_sent: tally.sent,
            bytes_received: tally.received,
            bytes_of_bodies: tally.bodies,
            bytes_unasked: tally.unasked,
            from_send: Latency::of(&tally.service),
            from_intended_start: some(&tally.response),
            start_lateness: some(&tally.lateness),
            time_unit: "us",
            until_failed: (!tally.failures.is_empty()).then(|| Latency::of(&tally.failures)),
            histogram: bars(self.times()),
            thresholds: self.judged(),
        }
    }
}

fn a_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadReport {
            tally,
            time,
            threads,
            ..
        } = &self.report;
        let seconds = time.as_secs_f64();
        writeln!(
            formatter,
            "requests     {} started, {} answered, {} failed, {} unfinished in {seconds:.3} s",
            tally.started,
            tally.answered,
            tally.failed(),
            tally.unfinished
        )?;
        match self.arrivals.rate() {
            Some(offered) => writeln!(
                formatter,
                "rate         {offered} offered, {:.1} started, {:.1} answered a second; {} late (over 1 ms), {} dropped",
                self.started_rate(),
                self.answered_rate(),
                tally.late,
                tally.dropped
            )?,
            None => writeln!(
                formatter,
                "rate         {:.1} answered a second (closed loop)",
                self.answered_rate()
            )?,
        }
        writeln!(
            formatter,
            "connections  {} opened, {} at most at the same time, on {threads} thread{}",
            tally.connections,
            tally.most_connections,
            if *threads == 1 { "" } else { "s" }
        )?;
        writeln!(
            formatter,
            "bytes        {} sent, {} received, {} of them bodies",
            tally.sent, tally.received, tally.bodies
        )?;
        let statuses = tally.statuses.iter().enumerate();
        let statuses = statuses.map(|(status, count)| (status.to_string(), *count));
        counts(formatter, "statuses", statuses)?;
        let faults = Fault::ALL.iter().zip(tally.faults);
        let faults = faults.map(|(fault, count)| (fault.name().to_owned(), count));
        counts(formatter, "errors", faults)?;
        self.write_times(formatter, tally)?;
        for judged in self.judged() {
            writeln!(formatter, "{judged}")?;
        }
        if !self.is_rate_met() {
            let offered = self.arrivals.rate().unwrap_or_default();
            writeln!(formatter, "the rate of {offered} requests/s was not met")?;
        }
        write!(formatter, "seed={}", self.seed)
    }
}

impl Account {
    fn write_times(&self, formatter: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
        if self.times().is_empty() && tally.failures.is_empty() {
            return Ok(());
        }
        writeln!(
            formatter,
            "{:<24}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "latency (ms)", "min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"
        )?;
        let mut row = |name: &str, times: &Histogram<u64>| {
            if times.is_empty() {
                return Ok(());
            }
            let latency = Latency::of(times);
            write!(formatter, "  {name:<22}")?;
            for micros in [
                latency.min,
                latency.mean,
                latency.p50,
                latency.p90,
                latency.p99,
                latency.p99_9,
                latency.p99_99,
                latency.max,
            ] {
                write!(formatter, "{:>10.3}", micros / 1000.0)?;
            }
            writeln!(formatter)
        };
        row("from the send", &tally.service)?;
        if self.arrivals != Arrivals::Closed {
            row("from intended start", &tally.response)?;
            row("starts late by", &tally.lateness)?;
        }
        row("until it failed", &tally.failures)?;
        let rows = bars(self.times());
        let most = rows.iter().map(|row| row.count).max().unwrap_or(0).max(1);
        for row in rows {
            let length = (row.count as f64 / most as f64 * BAR as f64).ceil() as usize;
            writeln!(
                formatter,
                "  up to {:>10.3} ms {:>12} {}",
                row.up_to / 1000.0,
                row.count,
                "■".repeat(length)
            )?;
        }
        Ok(())
    }
}

fn counts(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    counts: impl Iterator<Item = (String, u64)>,
) -> fmt::Result {
    let texts: Vec<String> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    match texts.is_empty() {
        true => Ok(()),
        false => writeln!(formatter, "{name:<13}{}", texts.join(", ")),
    }
}

#[cfg(test)]
pub(super) mod tests;
