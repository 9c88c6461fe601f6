//! What a run came to: for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::arrivals::Arrivals;
use super::load::LoadReport;
use super::tally::{Fault, Tally};
use super::threshold::{Judged, Threshold};
use crate::exit::Exit;
use crate::generate::schedule::Schedule;
use crate::generate::seed::Seed;

/// Rows of the bar histogram.
const ROWS: usize = 10;

/// Letters of its longest bar.
const BAR: usize = 40;

/// A share of starts may be left out, and the rate counts as met.
const MISSED: f64 = 0.01;

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
    /// a hundred was left out, and the last was not late.
    #[must_use]
    pub fn is_rate_met(&self) -> bool {
        let tally = &self.report.tally;
        let due = tally.started + tally.dropped;
        let is_whole = tally.dropped as f64 <= due as f64 * MISSED;
        match self.arrivals {
            Arrivals::Closed => true,
            Arrivals::Even(rate) => {
                is_whole && Schedule::Rate(rate).was_kept(due, self.report.starting)
            }
            Arrivals::Poisson(_) => is_whole,
        }
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
            histogram: bars(self.times()),
            thresholds: self.judged(),
        }
    }
}

fn a_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

/// What a run came to, for machines. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    arrivals: &'static str,
    seed: u64,
    threads: u32,
    connections: u32,
    /// Until the last request had ended, without the wait for answers that did not come.
    seconds: f64,
    /// Until nothing was started any more.
    starting_seconds: f64,
    started: u64,
    answered: u64,
    failed: u64,
    unfinished: u64,
    late: u64,
    dropped: u64,
    offered_rate: Option<f64>,
    started_rate: f64,
    answered_rate: f64,
    rate_met: bool,
    errors: BTreeMap<&'static str, u64>,
    statuses: BTreeMap<String, u64>,
    connections_opened: u64,
    connections_most: u64,
    bytes_sent: u64,
    bytes_received: u64,
    bytes_of_bodies: u64,
    bytes_unasked: u64,
    from_send: Latency,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_intended_start: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_lateness: Option<Latency>,
    histogram: Vec<Row>,
    thresholds: Vec<Judged>,
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    count: u64,
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p99_9: f64,
    #[serde(rename = "p99.99")]
    p99_99: f64,
    max: f64,
}

impl Latency {
    fn of(times: &Histogram<u64>) -> Self {
        let micros = |nanoseconds: f64| nanoseconds / 1000.0;
        // The end of a histogram's last step may be beyond its longest time.
        let at = |part: f64| micros(times.value_at_percentile(part).min(times.max()) as f64);
        Self {
            count: times.len(),
            min: if times.is_empty() {
                0.0
            } else {
                micros(times.min() as f64)
            },
            mean: micros(times.mean()),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: micros(times.max() as f64),
        }
    }
}

/// One row of the bar histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Row {
    /// Requests up to this time (microseconds), and later than the row before.
    up_to: f64,
    count: u64,
    #[serde(skip)]
    end: u64,
}

/// Rows whose times grow by the same factor, from the shortest time to the longest.
fn bars(times: &Histogram<u64>) -> Vec<Row> {
    if times.is_empty() {
        return Vec::new();
    }
    let (least, most) = (times.min().max(1) as f64, times.max().max(1) as f64);
    let factor = (most / least).powf(1.0 / ROWS as f64);
    let mut rows: Vec<Row> = Vec::new();
    let mut before = 0;
    for row in 1..=ROWS {
        let end = match row == ROWS {
            true => most,
            false => least * factor.powi(row as i32),
        };
        let end_step = times.highest_equivalent(end as u64);
        // Where all times are close to each other steps are wider than rows.
        if rows.last().is_some_and(|last| last.end == end_step) {
            continue;
        }
        let until = times.count_between(0, end_step);
        rows.push(Row {
            up_to: end_step.min(times.max()) as f64 / 1000.0,
            count: until.saturating_sub(before),
            end: end_step,
        });
        before = until;
        if end_step >= times.max() {
            break;
        }
    }
    rows
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
        if self.times().is_empty() {
            return Ok(());
        }
        writeln!(
            formatter,
            "{:<24}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "latency (ms)", "min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"
        )?;
        let mut row = |name: &str, times: &Histogram<u64>| {
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
pub(super) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::generate::http::answer::Whole;

    /// Of two seconds in which nothing was done.
    pub(in crate::generate::http) fn account() -> Account {
        Account {
            report: LoadReport {
                tally: Tally::new().unwrap(),
                begun: SystemTime::UNIX_EPOCH,
                time: Duration::from_secs(2),
                starting: Duration::from_secs(2),
                threads: 1,
            },
            arrivals: Arrivals::Closed,
            connections: 4,
            seed: Seed(7),
            thresholds: Vec::new(),
        }
    }

    fn answered(times: impl IntoIterator<Item = u64>) -> Account {
        let mut account = account();
        let tally = &mut account.report.tally;
        for time in times {
            tally.started += 1;
            tally.answer(&Whole {
                status: 200,
                is_kept: true,
                body: 10,
            });
            for histogram in [&mut tally.service, &mut tally.response, &mut tally.lateness] {
                histogram.record(time).unwrap();
            }
        }
        tally.connections = 1;
        account
    }

    #[test]
    fn bars_hold_every_answer_once() {
        let check = |times: Vec<u64>| {
            let account = answered(times.clone());
            let rows = bars(account.times());
            let sum: u64 = rows.iter().map(|row| row.count).sum();
            assert_eq!(sum, times.len() as u64, "{rows:?}");
            assert!(rows.len() <= ROWS);
            assert!(
                rows.windows(2).all(|two| two[0].up_to < two[1].up_to),
                "{rows:?}"
            );
        };
        check(vec![]);
        check(vec![5]);
        check(vec![1, 2, 3]);
        check(vec![50_000; 1000]);
        check((1..5000).map(|number| number * 997).collect());
        check(vec![1, 3_600_000_000_000]);
        check(vec![49_000, 49_001, 51_000]);
    }

    #[test]
    fn how_it_ends() {
        let check = |account: &Account, exit: Exit| assert_eq!(account.exit(), exit);
        check(&account(), Exit::Done);
        let mut one = answered([5]);
        check(&one, Exit::Done);
        one.report.tally.fail(Fault::Reset);
        check(&one, Exit::Refused);
        let mut left = answered([5]);
        left.report.tally.unfinished = 1;
        check(&left, Exit::Refused);
        one.thresholds = vec!["errors>0".parse().unwrap()];
        check(&one, Exit::ThresholdFailed);
        one.report.tally.connections = 0;
        check(&one, Exit::Unreachable);
        let mut open = answered((0..200).map(|_| 5));
        open.arrivals = Arrivals::Even(100.0);
        check(&open, Exit::Done);
        open.report.tally.dropped = 2;
        check(&open, Exit::Done);
        open.report.tally.dropped = 20;
        check(&open, Exit::RateNotMet);
        open.report.tally.dropped = 0;
        open.arrivals = Arrivals::Even(200.0);
        check(&open, Exit::RateNotMet);
        open.arrivals = Arrivals::Poisson(200.0);
        check(&open, Exit::Done);
    }

    #[test]
    fn it_is_said() {
        let mut account = answered([1_000_000, 2_000_000, 3_000_000]);
        account.arrivals = Arrivals::Even(1.5);
        account.report.tally.fail(Fault::Timeout);
        account.thresholds = vec!["p50>1ms".parse().unwrap()];
        let text = account.to_string();
        for expected in [
            "requests     3 started, 3 answered, 1 failed, 0 unfinished in 2.000 s\n",
            "rate         1.5 offered, 1.5 started, 1.5 answered a second; 0 late (over 1 ms), 0 dropped\n",
            "statuses     200 3\n",
            "errors       timeout 1\n",
            "  from the send              1.000",
            "  from intended start        1.000",
            "FAILED: p50>1ms came true (2.0",
            "■",
            "seed=7",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        let json = serde_json::to_value(account.document()).unwrap();
        assert_eq!(json["errors"]["timeout"], 1);
        assert_eq!(json["statuses"]["200"], 3);
        assert_eq!(json["from_send"]["count"], 3);
        assert_eq!(json["thresholds"][0]["failed"], true);
        assert!((json["from_intended_start"]["p99.9"].as_f64().unwrap() - 3000.0).abs() < 5.0);
        assert_eq!(json["offered_rate"], 1.5);
    }
}
