//! `tapline gen packets`: frames of conversations that carry HTTP/1, and the truth about them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::exit::{Exit, UsageError};
use crate::generate::bounds::{self, Limit, with_grace};
use crate::generate::output::Destination;
use crate::generate::packets::EXCHANGES_MAX;
use crate::generate::packets::run::{self, Made, Plan, STEP_NS, To};
use crate::generate::packets::shape::Shape;
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;

/// Exchanges of a connection that is kept.
const EXCHANGES: u32 = 2000;

pub(super) const HELP: &str = "\
Examples:
  tapline gen packets --output all.pcap --truth all.ndjson       every shape once
  tapline gen packets --shape split --shape lossy --output - --seed 7 | tapline read -
  tapline gen packets --shape plain -n 1000000 --output big.pcap
  sudo tapline gen packets --interface veth0 --rate 10000 --duration 10s
  sudo tapline gen packets --interface veth0 --xdp --duration 10s

Shapes: plain, split (heads, at every byte), tiny, pipelined, retransmitted, reordered, overlapping, \
lossy, targets, connect, lookalike, keepalive, interim, upgrade, until-close, reset, long, vlan, ipv6, \
udp, icmp. Without --count and --duration each comes once, with all its cases. Connections are never \
cut short: those that are under way when there is enough are brought to their end.

Frames go to a capture file, or to an interface: veth, dummy and loopback ones are taken, others need \
--interface-allowed. Their addresses are those of networks for measurements (198.18.0.0/15, 2001:2::/48).

Exit codes: 0 done, 1 failed, or frames did not leave the interface, 2 wrong usage, 6 the rate was not met.";

/// Flags of `tapline gen packets`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PacketsFlags {
    /// Shape of the traffic (again for more) [default: all]
    #[arg(long, value_name = "SHAPE", help_heading = "What is made")]
    shape: Vec<Shape>,
    /// Exchanges of a connection of the shape keepalive
    #[arg(long, value_name = "N", default_value_t = EXCHANGES, help_heading = "What is made", value_parser = clap::value_parser!(u32).range(1..=i64::from(EXCHANGES_MAX)), allow_negative_numbers = true)]
    exchanges: u32,
    /// The same seed makes the same frames again; drawn and said when not given
    #[arg(
        long,
        value_name = "N",
        help_heading = "What is made",
        allow_negative_numbers = true
    )]
    seed: Option<Seed>,
    /// Write a capture file (- for stdout)
    #[arg(long, value_name = "FILE", help_heading = "Where frames go", required_unless_present_any = ["interface", "dry_run"])]
    output: Option<PathBuf>,
    /// Send them to this interface (needs root or CAP_NET_RAW)
    #[arg(
        short = 'i',
        long,
        value_name = "NAME",
        help_heading = "Where frames go",
        conflicts_with = "output"
    )]
    interface: Option<String>,
    /// Send them by XDP, millions a second: one conversation for ever more clients (needs root). The other
    /// end of the cable must take frames of XDP
    #[arg(long, help_heading = "Where frames go", requires = "interface", conflicts_with_all = ["shape", "exchanges"])]
    xdp: bool,
    /// Interface that is taken although other hosts are behind it (again for more)
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Where frames go",
        requires = "interface"
    )]
    interface_allowed: Vec<String>,
    /// Write what the frames hold: every message, exchange and session, an object a line
    #[arg(long, value_name = "FILE", help_heading = "Where frames go")]
    truth: Option<PathBuf>,
    /// Begin a file anew that has something in it
    #[arg(long, help_heading = "Where frames go")]
    overwrite: bool,
    /// Make the frames, but write and send none
    #[arg(long, help_heading = "Where frames go", conflicts_with_all = ["output", "interface"])]
    dry_run: bool,
    /// Frames to make, and those that end the last connections; 0: without end
    #[arg(short = 'n', long, value_name = "N", help_heading = "How many, how fast", value_parser = bounds::count, allow_negative_numbers = true)]
    count: Option<u64>,
    /// Frames a second; 0: as fast as it goes
    #[arg(long, value_name = "N", help_heading = "How many, how fast", value_parser = bounds::rate, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Stop after this time: 500ms, 30s, 5m, or a number of seconds; 0: without end
    #[arg(long, value_name = "TIME", help_heading = "How many, how fast", value_parser = bounds::limit, allow_hyphen_values = true)]
    duration: Option<Limit>,
    /// Time of the first frame of a capture file (RFC 3339, or -6h: so long ago); then nothing waits,
    /// and --rate and --duration are those of the frames' own clock [default: now]
    #[arg(long, value_name = "TIME", help_heading = "How many, how fast", value_parser = bounds::start, conflicts_with = "interface", allow_hyphen_values = true)]
    start: Option<Timestamp>,
}

/// What `tapline gen packets` is told.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketsArguments {
    plan: Plan,
    /// The seed was drawn.
    seed_is_drawn: bool,
    quiet: bool,
    json: bool,
}

impl PacketsFlags {
    /// The flags with those of every command.
    pub(super) fn arguments(self, json: bool, quiet: bool) -> anyhow::Result<PacketsArguments> {
        if self.interface.is_none() && (self.xdp || !self.interface_allowed.is_empty()) {
            let sentence =
                "--xdp and --interface-allowed are about an interface: name it with --interface";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let same = |one: &PathBuf, other: &PathBuf| {
            std::path::absolute(one).ok() == std::path::absolute(other).ok()
        };
        if let (Some(output), Some(truth)) = (&self.output, &self.truth)
            && same(output, truth)
            && Destination::named(output) != Destination::Stdout
        {
            let sentence = "--output and --truth name the same file: give the truth one of its own";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let named = |path: &PathBuf| match Destination::named(path) {
            Destination::File(path) if !self.overwrite => Destination::New(path),
            other => other,
        };
        let truth = self.truth.as_ref().map(named);
        let to = match (self.output, self.interface) {
            (_, Some(name)) if self.xdp => To::Live {
                name,
                allowed: self.interface_allowed,
            },
            (_, Some(name)) => To::Interface {
                name,
                allowed: self.interface_allowed,
                seen_here: false,
            },
            (Some(file), None) => To::Capture(named(&file)),
            (None, None) => To::Nowhere,
        };
        let truth_to_stdout = truth == Some(Destination::Stdout);
        let frames_to_stdout = to == To::Capture(Destination::Stdout);
        if [json, truth_to_stdout, frames_to_stdout]
            .iter()
            .filter(|is| **is)
            .count()
            > 1
        {
            let sentence =
                "--output -, --truth - and --json all write to stdout: name a file for all but one";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let rate = self.rate.filter(|rate| *rate > 0.0);
        let step_ns = rate.map_or(STEP_NS, |rate| 1e9 / rate);
        let duration = self.duration.and_then(|Limit(duration)| duration);
        let is_timed = self.start.is_some();
        let by_time = duration
            .filter(|_| is_timed)
            .map(|duration| (duration.as_secs_f64() * 1e9 / step_ns).round() as u64);
        let count = self.count.filter(|count| *count > 0);
        let is_bound = self.count.is_some() || self.duration.is_some();
        let schedule = match rate {
            Some(rate) if !is_timed => Schedule::Rate(rate),
            _ => Schedule::Free,
        };
        let (seed, seed_is_drawn) = match self.seed {
            Some(seed) => (seed, false),
            None => (Seed::draw()?, true),
        };
        let mut shapes = self.shape;
        shapes.sort_unstable();
        shapes.dedup();
        if shapes.is_empty() {
            shapes.extend(Shape::ALL);
        }
        Ok(PacketsArguments {
            plan: Plan {
                seed,
                shapes,
                exchanges: self.exchanges,
                count: match (count, by_time) {
                    (Some(count), Some(by_time)) => Some(count.min(by_time)),
                    (count, by_time) => count.or(by_time),
                },
                rounds: (!is_bound).then_some(1),
                until: duration
                    .filter(|_| !is_timed)
                    .map(|duration| grace(duration, schedule)),
                schedule,
                start: self.start,
                step_ns,
                to,
                truth,
            },
            seed_is_drawn,
            quiet,
            json,
        })
    }
}

/// With a rate the last frame is due when the time is over.
fn grace(duration: Duration, schedule: Schedule) -> Duration {
    match schedule {
        Schedule::Free => duration,
        _ => with_grace(duration),
    }
}

/// The account, as `--json` gives it.
#[derive(Debug, Serialize)]
struct Account {
    #[serde(flatten)]
    summary: Summary,
    /// Connections and flows; with `--truth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<u64>,
    /// Heads; with `--truth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
}

/// Makes frames until there are enough, or until told to stop.
///
/// # Errors
/// They cannot be written or sent.
pub fn generate(arguments: &PacketsArguments) -> anyhow::Result<Exit> {
    let PacketsArguments {
        plan,
        seed_is_drawn,
        quiet,
        json,
    } = arguments;
    let stop = Stop::on_signals();
    if *seed_is_drawn && !quiet {
        crate::generate::summary::note(&format!("seed={}", plan.seed));
    }
    let mut progress = Progress::new(plan.count, !quiet);
    let mut made = Made::default();
    let result = run::run(plan, &stop, &mut progress, &mut made);
    progress.finish();
    let mut summary = Summary::new(plan.seed, plan.schedule, made.frames, made.bytes, made.time);
    summary.dry_run = plan.to == To::Nowhere;
    summary.unsent = made.unsent;
    summary.is_of_frames = true;
    if let Err(error) = result {
        let is_usage = error.is_usage();
        let error = match is_usage {
            true => UsageError(error.to_string()).into(),
            false => anyhow::Error::from(error),
        };
        // What could not begin has no account, and a reader that has seen enough has lost nothing.
        let is_done = Exit::of(&error) == Exit::Done;
        let has_begun = !is_usage && made.frames + made.unsent > 0;
        if has_begun && !(*quiet && is_done) {
            summary.say_unless(*quiet);
        }
        return Err(error);
    }
    summary.say_unless(*quiet);
    if let (To::Live { name, .. }, 1..) = (&plan.to, made.unsent) {
        let told = match plan.truth {
            Some(_) => {
                "; of a wave with such a frame the truth tells its first connections, not more than can have \
                 left, as lossy"
            }
            None => "",
        };
        crate::generate::summary::note(&format!(
            "{} frames or more did not leave {name}: it counted {} of {}{told}",
            made.unsent,
            made.frames,
            made.frames + made.unsent
        ));
    }
    if *json {
        let is_told = plan.truth.is_some();
        crate::cli::write_result(&Account {
            sessions: is_told.then_some(made.sessions),
            messages: is_told.then_some(made.messages),
            summary: summary.clone(),
        })?;
    }
    Ok(match made.unsent {
        0 => summary.exit(),
        _ => Exit::Failed,
    })
}
