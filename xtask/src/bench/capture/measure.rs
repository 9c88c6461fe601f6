//! Pairs of runs, with capture and without, and what follows from them.

use std::{thread, time::Duration};

use anyhow::{Result, bail};
use serde::Serialize;

use crate::{
    bench::{
        capture::{
            capturer::{Capturer, Capturing},
            load,
            measure::wire::{Wire, heads, lost},
            program_time::{self, ProgramTime},
            site::Site,
        },
        statistics::Summary,
    },
    interrupt,
    report::say,
};

mod targets;
mod wire;

/// How long an idle agent is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// How much is measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Plan {
    pub(crate) pairs: u32,
    pub(crate) time: Duration,
    pub(crate) bulk_time: Duration,
    pub(crate) connections: u32,
    pub(crate) program_time: bool,
}

/// One pair of runs of wrk.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) requests_per_second_off: f64,
    pub(crate) requests_per_second_on: f64,
    pub(crate) ratio: f64,
    /// Requests that wrk saw answered, that nginx served, and heads that were written, while capture
    /// was on.
    pub(crate) answered: u64,
    pub(crate) served: u64,
    pub(crate) heads: Option<u64>,
    /// Packets that the capturing program says it missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dropped_packets: Option<u64>,
    /// CPU time of the capturing program, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Memory of the capturing program after it, in bytes.
    pub(crate) memory: u64,
    /// Heads and records that went another way than to a line, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
    /// Heads that are missing or too many for certain, or partial.
    pub(crate) missed: u64,
    /// Records and lines lost.
    pub(crate) lost: u64,
}

/// A run of a known number of requests.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Known {
    /// Requests sent, each answered.
    pub(crate) sent: u64,
    /// Requests that nginx served.
    pub(crate) served: u64,
    pub(crate) requests: u64,
    pub(crate) responses: u64,
    pub(crate) partial: u64,
    /// Records and lines lost.
    pub(crate) lost: u64,
}

impl Known {
    /// Heads missing, too many, or partial.
    fn missed(self) -> u64 {
        self.requests.abs_diff(self.sent) + self.responses.abs_diff(self.sent) + self.partial
    }
}

/// Everything about one capturing program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: String,
    #[serde(skip)]
    judged: bool,
    pub(crate) pairs: Vec<Pair>,
    /// The run of a known number of requests.
    pub(crate) known: Option<Known>,
    pub(crate) throughput_ratio: Option<Summary>,
    /// Microseconds of CPU time a head that was written; a head on the wire, where none is written.
    pub(crate) cpu_microseconds_per_head: Option<Summary>,
    /// Heads written of those on the wire.
    pub(crate) recall: Option<f64>,
    /// Gigabits a second with and without, and their ratio.
    pub(crate) bulk: Vec<[f64; 2]>,
    pub(crate) bulk_ratio: Option<Summary>,
    pub(crate) memory: u64,
    pub(crate) wake_ups_per_second: Option<f64>,
    /// Live runs of the kernel programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) program_time: Vec<ProgramTime>,
}

/// Measures the agent: wrk, a bulk transfer, and what it does when there is nothing to do.
///
/// # Errors
/// When a program fails or Ctrl-C came.
pub(crate) fn agent(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<Measured> {
    let known = known(site, plan, capturer)?;
    say(format_args!(
        "{}: {} requests sent and answered, {} requests and {} responses written, {} records lost",
        capturer.name, known.sent, known.requests, known.responses, known.lost
    ));
    let pairs = pairs(site, plan, plan.pairs, capturer)?;
    let mut bulk = Vec::new();
    for round in 0..plan.pairs {
        let [off, on] = in_turn(round, |capture| {
            let capturing = capture.then(|| capturer.start(site)).transpose()?;
            let rate = load::iperf(site, plan.bulk_time)?;
            if let Some(capturing) = capturing {
                capturing.finish()?;
            }
            Ok(rate)
        })?;
        say(format_args!(
            "{}: bulk transfer {off:.2} Gbit/s without, {on:.2} with",
            capturer.name
        ));
        bulk.push([off, on]);
    }
    let memory = churned(site, plan, capturer)?;
    say(format_args!(
        "{}: {:.1} MiB of Pss behind requests on a connection each",
        capturer.name,
        memory as f64 / f64::from(1 << 20)
    ));
    let wake_ups = idle(site, capturer)?;
    let program_time = if plan.program_time {
        program_time::measure(site, plan, capturer)?
    } else {
        Vec::new()
    };
    let measured = Measured::of_pairs(capturer, pairs);
    Ok(Measured {
        known: Some(known),
        bulk_ratio: Summary::of(bulk.iter().map(|[off, on]| on / off)),
        bulk,
        wake_ups_per_second: Some(wake_ups),
        program_time,
        memory: measured.memory.max(memory),
        ..measured
    })
}

/// Measures another program: wrk alone, three pairs at most.
///
/// # Errors
/// When a program fails or Ctrl-C came.
pub(crate) fn peer(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<Measured> {
    let pairs = pairs(site, plan, plan.pairs.min(3), capturer)?;
    Ok(Measured::of_pairs(capturer, pairs))
}

/// Measures the agent with all that it does: wrk alone.
///
/// # Errors
/// When a program fails or Ctrl-C came.
pub(crate) fn with_store(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<Measured> {
    let pairs = pairs(site, plan, plan.pairs, capturer)?;
    Ok(Measured::of_pairs(capturer, pairs))
}

impl Measured {
    fn of_pairs(capturer: &Capturer, pairs: Vec<Pair>) -> Self {
        let on_wire: u64 = pairs.iter().map(|pair| 2 * pair.served).sum();
        let written: Option<u64> = pairs.iter().map(|pair| pair.heads).sum();
        Self {
            name: capturer.name.clone(),
            judged: capturer.is_judged(),
            throughput_ratio: Summary::of(pairs.iter().map(|pair| pair.ratio)),
            cpu_microseconds_per_head: Summary::of(
                pairs.iter().map(|pair| {
                    pair.cpu_seconds * 1e6 / pair.heads.unwrap_or(2 * pair.served) as f64
                }),
            ),
            recall: written.map(|written| written as f64 / on_wire as f64),
            known: None,
            bulk: Vec::new(),
            bulk_ratio: None,
            memory: pairs.iter().map(|pair| pair.memory).max().unwrap_or(0),
            wake_ups_per_second: None,
            program_time: Vec::new(),
            pairs,
        }
    }
}

fn pairs(site: &Site, plan: &Plan, count: u32, capturer: &Capturer) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for round in 0..count {
        let mut with_capture = None;
        let [off, on] = in_turn(round, |capture| {
            if !capture {
                return Ok(load::wrk(site, plan.connections, plan.time)?.requests_per_second);
            }
            let run = captured(site, plan, capturer)?;
            let rate = run.requests_per_second_on;
            with_capture = Some(run);
            Ok(rate)
        })?;
        let Some(mut pair) = with_capture else {
            bail!("a pair without a run with capture");
        };
        pair.requests_per_second_off = off;
        pair.ratio = on / off;
        say(format_args!(
            "{}: {off:.0} requests/s without, {on:.0} with; {} heads of {} requests",
            capturer.name,
            pair.heads
                .map_or_else(|| "no".to_owned(), |heads| heads.to_string()),
            pair.served
        ));
        for remark in &pair.remarks {
            say(format_args!("{}: {remark}", capturer.name));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Runs without and with capture; which comes first changes with the rounds.
fn in_turn(round: u32, mut run: impl FnMut(bool) -> Result<f64>) -> Result<[f64; 2]> {
    if let Some(signal) = interrupt::signal() {
        bail!("interrupted by signal {signal}");
    }
    if round.is_multiple_of(2) {
        let off = run(false)?;
        Ok([off, run(true)?])
    } else {
        let on = run(true)?;
        Ok([run(false)?, on])
    }
}

/// A run of a known number of requests with capture.
fn known(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<Known> {
    const REQUESTS: u32 = 200_000;
    let capturing = capturer.start(site)?;
    let before = site.requests()?;
    let sent = load::known(site, plan.connections, REQUESTS.div_ceil(plan.connections))?;
    let served = site.requests()?.since(before);
    let account = capturing.finish()?;
    let Some(ledger) = account.ledger else {
        bail!("only the agent gives an account of heads");
    };
    if served != sent {
        bail!("nginx served {served} requests, the client sent {sent}");
    }
    let (requests, responses) = heads(&ledger);
    Ok(Known {
        sent,
        served,
        requests,
        responses,
        partial: ledger.heads.partial,
        lost: lost(&ledger),
    })
}

/// Memory behind a run in which every request has a connection of its own.
fn churned(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<u64> {
    let capturing = capturer.start(site)?;
    load::wrk_without_keeping(site, plan.connections, plan.time)?;
    capturing.settle()?;
    let memory = capturing.memory()?;
    capturing.finish()?;
    Ok(memory)
}

/// A run of wrk with capture.
fn captured(site: &Site, plan: &Plan, capturer: &Capturer) -> Result<Pair> {
    let capturing = capturer.start(site)?;
    let requests_before = site.requests()?;
    let cpu_before = capturing.cpu_time()?;
    let asked = load::wrk(site, plan.connections, plan.time)?;
    capturing.settle()?;
    let cpu = capturing.cpu_time()?.saturating_sub(cpu_before);
    let memory = capturing.memory()?;
    let served = site.requests()?.since(requests_before);
    let account = capturing.finish()?;
    let wire = Wire {
        answered: asked.requests,
        served,
        connections: u64::from(plan.connections),
    };
    let (missed, lost, remarks) = match &account.ledger {
        Some(ledger) => (wire.missed(ledger), lost(ledger), wire.remarks(ledger)),
        None => (0, 0, Vec::new()),
    };
    Ok(Pair {
        requests_per_second_off: f64::NAN,
        requests_per_second_on: asked.requests_per_second,
        ratio: f64::NAN,
        answered: asked.requests,
        served,
        heads: account.heads,
        dropped_packets: account.dropped,
        cpu_seconds: cpu.as_secs_f64(),
        memory,
        remarks,
        missed,
        lost,
    })
}

/// Wake-ups a second with an interface on which nothing happens.
fn idle(site: &Site, capturer: &Capturer) -> Result<f64> {
    let capturing: Capturing = capturer.start(site)?;
    thread::sleep(Duration::from_secs(1));
    let before = capturing.wake_ups()?;
    thread::sleep(IDLE);
    let after = capturing.wake_ups()?;
    capturing.finish()?;
    Ok((after - before) as f64 / IDLE.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_within_a_pair_changes() {
        let check = |round, expected: [bool; 2]| {
            let mut order = Vec::new();
            let rates = in_turn(round, |capture| {
                order.push(capture);
                Ok(f64::from(u8::from(capture)))
            });
            assert_eq!(rates.unwrap(), [0.0, 1.0]);
            assert_eq!(order, expected);
        };
        check(0, [false, true]);
        check(1, [true, false]);
        check(2, [false, true]);
    }
}
