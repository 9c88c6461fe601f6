//! `cargo xtask bench insights`: how many of the faults in logs `tapline report` finds, and how often it tells of
//! one where there is none.
//!
//! Two sorts of logs, of several seeds each: records of `tapline gen events`, whose `--truth` says what is
//! anomalous in them, and lines of `tapline gen access` into which faults are put here. A fault is found when
//! an insight's time has a second of it; an insight with a time that has no second of any fault is a false
//! alarm. Nothing in the program knows of the seeds.

mod faults;
mod times;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::{
    bench::target::{Bound, Target},
    build,
    process::Step,
    report::{print, say},
    workspace::Workspace,
};
use faults::Fault;
use times::seconds;

/// The share of faults that must be found.
const FOUND: f64 = 0.9;
/// False alarms an hour of traffic at most.
const FALSE: f64 = 1.0;

/// What `cargo xtask bench insights` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seeds of each sort of log
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 101)]
    first_seed: u64,
    /// Hours of an access log
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(2..=24))]
    hours: u64,
    /// Lines a second of an access log by day; at night there are fewer
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rate: u64,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// A time with something in it, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Window {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) kind: String,
}

/// What was found in a log.
#[derive(Debug, Serialize)]
struct Score {
    sort: &'static str,
    seed: u64,
    hours: f64,
    faults: usize,
    found: usize,
    alarms: usize,
    false_alarms: usize,
    missed: Vec<String>,
    mistaken: Vec<String>,
}

/// The result.
#[derive(Debug, Serialize)]
struct Document {
    scores: Vec<Score>,
    targets: Vec<Target>,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When the program cannot be built or fails, or says what is not understood.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let program = build::given_or_release(workspace, options.program.as_deref())?;
    let folder = workspace.host_target.join("bench/insights");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let result = measure(&program, &folder, options);
    fs::remove_dir_all(&folder).ok();
    let document = result?;
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        show(&document);
    }
    Ok(document.targets.iter().all(|target| target.met))
}

fn measure(program: &Path, folder: &Path, options: &Options) -> Result<Document> {
    let mut scores = Vec::new();
    for seed in options.first_seed..options.first_seed + options.seeds {
        say(format_args!("seed {seed}"));
        scores.push(of_events(program, folder, seed)?);
        scores.push(of_access(program, folder, options, seed)?);
    }
    let mut targets = Vec::new();
    for sort in ["events", "access"] {
        let all = || scores.iter().filter(|score| score.sort == sort);
        let sum = |part: fn(&Score) -> f64| all().map(part).sum::<f64>();
        let found = sum(|score| score.found as f64) / sum(|score| score.faults as f64);
        let alarms = sum(|score| score.false_alarms as f64) / sum(|score| score.hours);
        let name = |what: &str| -> &'static str {
            match (sort, what) {
                ("events", "found") => "faults found in events",
                ("events", _) => "false alarms in events",
                (_, "found") => "faults found in access logs",
                _ => "false alarms in access logs",
            }
        };
        targets.push(Target::new(
            name("found"),
            found,
            Bound::AtLeast,
            FOUND,
            "of all",
        ));
        targets.push(Target::new(
            name("false"),
            alarms,
            Bound::AtMost,
            FALSE,
            "an hour",
        ));
    }
    Ok(Document { scores, targets })
}

/// Records of `gen events`, a second apart on average, for about eleven hours.
fn of_events(program: &Path, folder: &Path, seed: u64) -> Result<Score> {
    let log = folder.join("events.ndjson");
    let truth = folder.join("truth.ndjson");
    let records = Step::new(program)
        .args([
            "gen",
            "events",
            "-n",
            "40000",
            "-i",
            "0",
            "--no-labels",
            "-q",
        ])
        .args(["--start", "2026-01-01T00:00:00Z", "-o", "stdout", "--seed"])
        .arg(seed.to_string())
        .arg("--truth")
        .arg(&truth)
        .time_limit(Duration::from_secs(120))
        .stdout()?;
    fs::write(&log, records).context("write the events")?;
    let mut windows = Vec::new();
    for line in fs::read_to_string(&truth)
        .context("read the truth")?
        .lines()
    {
        let line: Value = serde_json::from_str(line).context("understand the truth")?;
        if line["kind"] == "window" {
            windows.push(Window {
                from: time(&line["start"])?,
                to: time(&line["end"])?,
                kind: line["anomaly_type"].as_str().unwrap_or_default().to_owned(),
            });
        }
    }
    // A second apart on average.
    let hours = 40_000.0 / 3600.0;
    score(program, &log, "events", seed, hours, &windows)
}

/// Lines of `gen access` with faults put into them.
fn of_access(program: &Path, folder: &Path, options: &Options, seed: u64) -> Result<Score> {
    let log = folder.join("access.log");
    let configuration = format!("output: {{rate: {}}}", options.rate);
    let lines = Step::new(program)
        .env("LOG_GENERATOR_CONFIG_YAML", configuration)
        .args([
            "gen",
            "access",
            "--format",
            "combined_time",
            "--output",
            "-",
            "-q",
        ])
        .args(["--start", "2026-01-01T00:00:00Z", "--seed"])
        .arg(seed.to_string())
        .arg("--duration")
        .arg(format!("{}h", options.hours))
        .time_limit(Duration::from_secs(300))
        .stdout()?;
    let faults = Fault::plan(seed, options.hours * 3600);
    fs::write(&log, faults::put(&lines, &faults, seed)).context("write the access log")?;
    let windows: Vec<Window> = faults.iter().map(Fault::window).collect();
    score(
        program,
        &log,
        "access",
        seed,
        options.hours as f64,
        &windows,
    )
}

fn score(
    program: &Path,
    log: &Path,
    sort: &'static str,
    seed: u64,
    hours: f64,
    faults: &[Window],
) -> Result<Score> {
    let printed = Step::new(program)
        .args(["report", "--format", "json", "--quiet", "--log-format"])
        // No program tells a unit by itself.
        .arg(if sort == "access" {
            "combined_time"
        } else {
            "json"
        })
        .arg(log)
        .time_limit(Duration::from_secs(300))
        .stdout()?;
    let report: Value = serde_json::from_str(&printed).context("understand the report")?;
    let insights = report["insights"]
        .as_array()
        .context("the report has no insights")?;
    let mut alarms = Vec::new();
    for insight in insights
        .iter()
        .filter(|insight| insight["from"].is_string())
    {
        alarms.push(Window {
            from: time(&insight["from"])?,
            to: time(&insight["to"])?,
            kind: insight["kind"].as_str().unwrap_or_default().to_owned(),
        });
    }
    let meets = |one: &Window, other: &Window| one.from < other.to && other.from < one.to;
    let missed: Vec<String> = faults
        .iter()
        .filter(|fault| !alarms.iter().any(|alarm| meets(alarm, fault)))
        .map(|fault| format!("{} at {:.0} s", fault.kind, fault.from))
        .collect();
    let mistaken: Vec<String> = alarms
        .iter()
        .filter(|alarm| !faults.iter().any(|fault| meets(alarm, fault)))
        .map(|alarm| format!("{} at {:.0} s", alarm.kind, alarm.from))
        .collect();
    Ok(Score {
        sort,
        seed,
        hours,
        faults: faults.len(),
        found: faults.len() - missed.len(),
        alarms: alarms.len(),
        false_alarms: mistaken.len(),
        missed,
        mistaken,
    })
}

fn time(value: &Value) -> Result<f64> {
    let text = value.as_str().context("a time is missing")?;
    seconds(text).with_context(|| format!("understand the time {text}"))
}

fn show(document: &Document) {
    for score in &document.scores {
        print(format_args!(
            "{}, seed {}: {} of {} faults found in {:.1} hours, {} of {} alarms false{}{}",
            score.sort,
            score.seed,
            score.found,
            score.faults,
            score.hours,
            score.false_alarms,
            score.alarms,
            list("; missed: ", &score.missed),
            list("; false: ", &score.mistaken),
        ));
    }
    for target in &document.targets {
        print(target);
    }
}

fn list(before: &str, all: &[String]) -> String {
    match all.is_empty() {
        true => String::new(),
        false => format!("{before}{}", all.join(", ")),
    }
}
