//! `cargo xtask bench read`: packets a second that `tapline read` takes from a capture of keep-alive traffic, beside
//! tshark in the same run.
//!
//! The capture is made by `tapline gen packets`: connections of 2,000 exchanges each, nearly every packet a head.
//! What was read must be what the capture holds. tshark has a smaller capture of the same sort, which both read in
//! turn, since it would take minutes for one run of the large one; the ratios within these pairs are what counts.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

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

/// About what a frame of this traffic takes in the file.
const FRAME_BYTES: u64 = 269;
/// Packets a second at least.
const PACKETS: f64 = 2e6;
/// How many times as fast as tshark at least.
const TIMES_TSHARK: f64 = 50.0;
/// Resident memory at most, in MiB: what tables and buffers take, whatever the file.
const MEMORY: f64 = 128.0;

/// What `cargo xtask bench read` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Size of the capture, in millions of bytes
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    megabytes: u64,
    /// Size of the capture that tshark reads too, in millions of bytes
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    tshark_megabytes: u64,
    /// Runs of each; the median of them is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
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
    file_bytes: u64,
    packets: u64,
    heads: u64,
    packets_a_second: Option<Summary>,
    resident_mib: f64,
    /// None where tshark is not installed.
    beside_tshark: Option<Beside>,
    targets: Vec<Target>,
}

/// Both on the smaller capture.
#[derive(Clone, Copy, Debug, Serialize)]
struct Beside {
    file_bytes: u64,
    packets: u64,
    packets_a_second: Option<Summary>,
    tshark_packets_a_second: Option<Summary>,
    /// Of the pairs.
    times: Option<Summary>,
}

/// A capture and what it holds.
struct Capture {
    file: PathBuf,
    bytes: u64,
    messages: u64,
}

/// What `tapline read --json` says.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Account {
    packets: u64,
    heads: u64,
    partial: u64,
    lines: u64,
    lost: u64,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When the program cannot be built, fails, or reads something else than the capture holds.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let program = build::given_or_release(workspace, options.program.as_deref())?;
    let folder = workspace.host_target.join("bench/read");
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
    say("making the captures");
    let capture = make(program, folder, "keepalive", options.megabytes)?;
    let tshark = find_program("tshark");
    let small = match tshark {
        Some(_) => Some(make(program, folder, "small", options.tshark_megabytes)?),
        None => None,
    };
    say("measuring; whatever else runs here disturbs it");
    let mut rates = Vec::new();
    let mut memory = 0;
    let mut account = None;
    for _ in 0..options.rounds {
        let (found, seconds, resident) = read(program, &capture, folder)?;
        rates.push(found.packets as f64 / seconds);
        memory = memory.max(resident);
        account = Some(found);
    }
    let Some(account) = account else {
        bail!("nothing was read");
    };
    let beside_tshark = match (&tshark, &small) {
        (Some(tshark), Some(small)) => {
            Some(beside(program, tshark, small, folder, options.rounds)?)
        }
        _ => None,
    };
    let rate = Summary::of(rates);
    let resident_mib = memory as f64 / f64::from(1 << 20);
    let median = |summary: Option<Summary>| summary.map_or(f64::NAN, |summary| summary.median);
    let mut targets = vec![
        Target::new(
            "packets read",
            median(rate),
            Bound::AtLeast,
            PACKETS,
            "a second",
        )
        .over(rate),
        Target::new("resident", resident_mib, Bound::AtMost, MEMORY, "MiB"),
    ];
    if let Some(beside) = &beside_tshark {
        targets.extend([
            Target::beside(
                format!("tshark, {} MB", beside.file_bytes / 1_000_000),
                median(beside.tshark_packets_a_second),
                "a second",
            )
            .over(beside.tshark_packets_a_second),
            Target::beside(
                "tapline read, the same",
                median(beside.packets_a_second),
                "a second",
            )
            .over(beside.packets_a_second),
            Target::new(
                "speed",
                median(beside.times),
                Bound::AtLeast,
                TIMES_TSHARK,
                "times tshark's",
            )
            .over(beside.times),
        ]);
    }
    Ok(Document {
        file_bytes: capture.bytes,
        packets: account.packets,
        heads: account.heads,
        packets_a_second: rate,
        resident_mib,
        beside_tshark,
        targets,
    })
}

/// Makes a capture of about so many millions of bytes.
fn make(program: &Path, folder: &Path, name: &str, megabytes: u64) -> Result<Capture> {
    let file = folder.join(format!("{name}.pcap"));
    let truth = folder.join("truth.ndjson");
    Step::new(program)
        .args(["gen", "packets", "--shape", "keepalive", "--seed", "7"])
        .args(["--start", "2026-01-01T00:00:00Z", "--quiet", "--count"])
        .arg((megabytes * 1_000_000 / FRAME_BYTES).to_string())
        .arg("--output")
        .arg(&file)
        .arg("--truth")
        .arg(&truth)
        .time_limit(Duration::from_secs(600))
        .stdout()?;
    let messages = messages(&truth)?;
    fs::remove_file(&truth).context("remove the truth")?;
    Ok(Capture {
        bytes: fs::metadata(&file).context("look at the capture")?.len(),
        file,
        messages,
    })
}

/// Messages that the truth tells of.
fn messages(truth: &Path) -> Result<u64> {
    let file = fs::File::open(truth).context("open the truth")?;
    let mut messages = 0;
    for line in BufReader::new(file).lines() {
        let line = line.context("read the truth")?;
        messages += u64::from(line.starts_with(r#"{"what":"message","#));
    }
    Ok(messages)
}

/// Gives the account, which must be that of the capture, the seconds, and the most memory.
fn read(program: &Path, capture: &Capture, folder: &Path) -> Result<(Account, f64, u64)> {
    let logs = folder.join("logs");
    if logs.exists() {
        fs::remove_dir_all(&logs).context("remove the lines of the run before")?;
    }
    let started = Instant::now();
    let mut running = Step::new(program)
        .args(["read", "--json", "--quiet", "--log-dir"])
        .arg(&logs)
        .arg(&capture.file)
        .start(Stdio::piped(), Stdio::inherit())?;
    let mut resident = 0;
    let status = loop {
        if let Some(status) = running.ended()? {
            break status;
        }
        resident = resident.max(usage::peak_memory(running.id()));
        thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    let mut printed = String::new();
    if let Some(mut stdout) = running.take_stdout() {
        stdout
            .read_to_string(&mut printed)
            .context("read the account")?;
    }
    if !status.success() {
        bail!("`tapline read` ended with {status}");
    }
    let account: Account = serde_json::from_str(&printed)
        .with_context(|| format!("understand the account {printed:?}"))?;
    let messages = capture.messages;
    let found = (account.heads, account.lines, account.partial, account.lost);
    if found != (messages, messages, 0, 0) {
        bail!("the capture holds {messages} messages, `tapline read` found {account:?}");
    }
    Ok((account, seconds, resident))
}

/// Both read the smaller capture in turn; which comes first changes with the rounds.
fn beside(
    program: &Path,
    tshark: &Path,
    capture: &Capture,
    folder: &Path,
    rounds: u32,
) -> Result<Beside> {
    let (mut ours, mut theirs, mut packets) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                let (found, seconds, _) = read(program, capture, folder)?;
                packets = found.packets;
                ours.push(seconds);
            } else {
                theirs.push(by_tshark(tshark, capture)?);
            }
        }
    }
    let rate = |seconds: &f64| packets as f64 / seconds;
    Ok(Beside {
        file_bytes: capture.bytes,
        packets,
        packets_a_second: Summary::of(ours.iter().map(rate)),
        tshark_packets_a_second: Summary::of(theirs.iter().map(rate)),
        times: Summary::of(theirs.iter().zip(&ours).map(|(theirs, ours)| theirs / ours)),
    })
}

/// Seconds that tshark takes for the same.
fn by_tshark(tshark: &Path, capture: &Capture) -> Result<f64> {
    let started = Instant::now();
    let printed = Step::new(tshark)
        .arg("-r")
        .arg(&capture.file)
        .args(["-Y", "http", "-T", "fields", "-e", "frame.time_epoch"])
        .args(["-e", "ip.src", "-e", "http.request.method"])
        .args(["-e", "http.request.uri", "-e", "http.response.code"])
        .time_limit(Duration::from_secs(600))
        .stdout()?;
    let seconds = started.elapsed().as_secs_f64();
    // A line a packet with HTTP in it, which may be of several messages.
    if printed.is_empty() {
        bail!("tshark found nothing");
    }
    Ok(seconds)
}

fn show(document: &Document) {
    print(format_args!(
        "{} packets, {} heads, {} bytes",
        document.packets, document.heads, document.file_bytes
    ));
    if let Some(rate) = document.packets_a_second {
        print(format_args!(
            "tapline read: {:.0} packets/s (middle half {:.0} to {:.0}), {:.0} MiB",
            rate.median, rate.lower_quarter, rate.upper_quarter, document.resident_mib
        ));
    }
    if document.beside_tshark.is_none() {
        print("tshark is not installed: the ratio to it is left out");
    }
    for target in &document.targets {
        print(target);
    }
}
