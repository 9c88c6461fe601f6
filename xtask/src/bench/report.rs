//! `cargo xtask bench report`: lines a second that `tapline report` takes from a combined log with all its
//! tables, on one thread and on two, its memory, also for ten times the lines, beside goaccess on the same file in
//! the same run, in turn.
//!
//! The log is made by `tapline gen access`. Requests by status, path and client must be those that goaccess counts.

mod goaccess;

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::{
    bench::{
        capture::usage,
        statistics::Summary,
        target::{Bound, Target},
    },
    build,
    process::Step,
    report::{print, say},
    workspace::{Workspace, find_program},
};

/// Lines a second at least, on one thread.
const LINES: f64 = 1e6;
/// How many times as fast as goaccess at least.
const TIMES_GOACCESS: f64 = 12.0;
/// Resident memory at most, in MiB, whatever the file.
const MEMORY: f64 = 150.0;
/// How many times as fast two threads are at least.
const TIMES_ONE: f64 = 1.7;
/// Rows of each table where counts are compared: all.
const ALL: &str = "1000000";

/// What `cargo xtask bench report` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Lines of the log
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1000..=100_000_000))]
    lines: u64,
    /// Runs of each kind; the median of them is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Leave the run with ten times the lines out
    #[arg(long)]
    no_ten_times: bool,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// The result.
#[derive(Debug, Serialize)]
struct Document {
    lines: u64,
    file_bytes: u64,
    clients: u64,
    paths: u64,
    lines_a_second: Option<Summary>,
    lines_a_second_two_threads: Option<Summary>,
    resident_mib: f64,
    resident_mib_two_threads: f64,
    /// Of ten times the lines; None where it was left out.
    resident_mib_ten_times: Option<f64>,
    /// None where goaccess is not installed.
    goaccess_lines_a_second: Option<Summary>,
    /// Of the rounds.
    times_goaccess: Option<Summary>,
    /// Statuses, paths and clients whose requests are those of goaccess.
    compared_with_goaccess: Option<u64>,
    targets: Vec<Target>,
}

/// A run.
struct Run {
    report: Value,
    seconds: f64,
    resident: u64,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When the program cannot be built, fails, or counts something else than the log holds.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let program = build::given_or_release(workspace, options.program.as_deref())?;
    let folder = workspace.host_target.join("bench/report");
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
    let file = folder.join("access.log");
    say("making the log");
    generate(
        program,
        options.lines,
        File::create(&file).context("make the log")?,
    )?;
    say("measuring; whatever else runs here disturbs it");
    let lines = options.lines as f64;
    let all = report(program, &[&file.to_string_lossy(), "--top", ALL], "1")?.report;
    let goaccess = find_program("goaccess");
    let (mut theirs, mut compared) = (Vec::new(), None);
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let (mut memory, mut memory_two) = (0, 0);
    for _ in 0..options.rounds {
        for (threads, rates, most) in [
            ("1", &mut one, &mut memory),
            ("2", &mut two, &mut memory_two),
        ] {
            let run = report(program, &[&file.to_string_lossy()], threads)?;
            check(&run.report, options.lines)?;
            rates.push(lines / run.seconds);
            *most = run.resident.max(*most);
        }
        if let Some(goaccess) = &goaccess {
            let beside = goaccess::beside(goaccess, &file, folder, &all)?;
            theirs.push(lines / beside.seconds);
            compared = Some(beside.compared);
        }
    }
    let times = Summary::of(one.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs));
    let theirs = Summary::of(theirs);
    let ratio = Summary::of(two.iter().zip(&one).map(|(two, one)| two / one));
    let ten_times = match options.no_ten_times {
        true => None,
        false => Some(ten_times(program, folder, options.lines * 10)?),
    };
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (one, two) = (Summary::of(one), Summary::of(two));
    let median = |summary: Option<Summary>| summary.map_or(f64::NAN, |rate| rate.median);
    let mut targets = vec![
        Target::new("lines", median(one), Bound::AtLeast, LINES, "a second").over(one),
        Target::new("resident", mib(memory), Bound::AtMost, MEMORY, "MiB"),
        Target::new(
            "two threads",
            median(ratio),
            Bound::AtLeast,
            TIMES_ONE,
            "times one",
        )
        .over(ratio),
    ];
    targets.extend(ten_times.map(|bytes| {
        Target::new(
            "resident, ten times the lines",
            mib(bytes),
            Bound::AtMost,
            MEMORY,
            "MiB",
        )
    }));
    if theirs.is_some() {
        targets.extend([
            Target::beside("goaccess", median(theirs), "lines a second").over(theirs),
            Target::new(
                "speed",
                median(times),
                Bound::AtLeast,
                TIMES_GOACCESS,
                "times goaccess's",
            )
            .over(times),
        ]);
    }
    Ok(Document {
        lines: options.lines,
        file_bytes: fs::metadata(&file).context("look at the log")?.len(),
        clients: all["clients"]["distinct"].as_u64().unwrap_or_default(),
        paths: all["paths"]["distinct"].as_u64().unwrap_or_default(),
        lines_a_second: one,
        lines_a_second_two_threads: two,
        resident_mib: mib(memory),
        resident_mib_two_threads: mib(memory_two),
        resident_mib_ten_times: ten_times.map(mib),
        goaccess_lines_a_second: theirs,
        times_goaccess: times,
        compared_with_goaccess: compared,
        targets,
    })
}

fn generate(program: &Path, lines: u64, to: File) -> Result<()> {
    let mut running = Step::new(program)
        .args(["gen", "access", "--quiet", "--seed", "7", "--start"])
        .args(["2026-01-01T00:00:00Z", "--output", "-", "--count"])
        .arg(lines.to_string())
        .start(Stdio::from(to), Stdio::inherit())?;
    let status = loop {
        match running.ended()? {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    if !status.success() {
        bail!("`tapline gen access` ended with {status}");
    }
    Ok(())
}

/// The memory that ten times the lines take; they come through a pipe with a name.
fn ten_times(program: &Path, folder: &Path, lines: u64) -> Result<u64> {
    say("ten times the lines, through a pipe");
    let pipe = folder.join("pipe");
    Step::new("mkfifo").arg(&pipe).run()?;
    let run = thread::scope(|scope| {
        let generator = scope.spawn(|| {
            // Waits for the reader.
            let to = File::options().write(true).open(&pipe);
            generate(program, lines, to.context("open the pipe")?)
        });
        let run = report(program, &[&pipe.to_string_lossy()], "1")?;
        match generator.join() {
            Ok(result) => result.map(|()| run),
            Err(_panic) => bail!("the generator could not be run"),
        }
    })?;
    check(&run.report, lines)?;
    Ok(run.resident)
}

fn check(report: &Value, lines: u64) -> Result<()> {
    let (counted, failed) = (&report["totals"]["requests"], &report["lines"]["failed"]);
    if counted.as_u64() != Some(lines) || failed.as_u64() != Some(0) {
        bail!("the log holds {lines} lines, `tapline report` counted {counted}, {failed} failed");
    }
    Ok(())
}

/// Runs `tapline report` with all its tables.
fn report(program: &Path, arguments: &[&str], threads: &str) -> Result<Run> {
    let started = Instant::now();
    let mut running = Step::new(program)
        .args(["report", "--format", "json", "--quiet", "--jobs", threads])
        .args(arguments)
        .start(Stdio::piped(), Stdio::inherit())?;
    let Some(mut stdout) = running.take_stdout() else {
        bail!("`tapline report` has no output");
    };
    // Its output may be more than a pipe holds.
    let reader = thread::spawn(move || {
        let mut printed = Vec::new();
        stdout.read_to_end(&mut printed).map(|_| printed)
    });
    let mut resident = 0;
    let status = loop {
        if let Some(status) = running.ended()? {
            break status;
        }
        resident = resident.max(usage::peak_memory(running.id()));
        thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    let printed = match reader.join() {
        Ok(printed) => printed.context("read the report")?,
        Err(_panic) => bail!("the report could not be read"),
    };
    if !status.success() {
        bail!("`tapline report` ended with {status}");
    }
    Ok(Run {
        report: serde_json::from_slice(&printed).context("understand the report")?,
        seconds,
        resident,
    })
}

fn show(document: &Document) {
    print(format_args!(
        "{} lines, {} bytes, {} clients, {} paths",
        document.lines, document.file_bytes, document.clients, document.paths
    ));
    for (name, rate, mib) in [
        ("one thread", document.lines_a_second, document.resident_mib),
        (
            "two threads",
            document.lines_a_second_two_threads,
            document.resident_mib_two_threads,
        ),
    ] {
        if let Some(rate) = rate {
            print(format_args!(
                "tapline report, {name}: {:.0} lines/s (middle half {:.0} to {:.0}), {mib:.0} MiB",
                rate.median, rate.lower_quarter, rate.upper_quarter
            ));
        }
    }
    if let Some(mib) = document.resident_mib_ten_times {
        print(format_args!("ten times the lines: {mib:.0} MiB"));
    }
    match (
        document.goaccess_lines_a_second,
        document.compared_with_goaccess,
    ) {
        (Some(rate), Some(compared)) => print(format_args!(
            "goaccess: {:.0} lines/s; {compared} statuses, paths and clients with the same requests",
            rate.median
        )),
        _ => print("goaccess is not installed: the ratio to it is left out"),
    }
    for target in &document.targets {
        print(target);
    }
}
