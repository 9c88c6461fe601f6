//! `cargo xtask bench packets`: frames a second that `tapline gen packets` makes, to a capture file, to a veth
//! pair by packet sockets, and by XDP live frames.
//!
//! Of the pair everything that arrives is dropped at once: it is the sending that is measured. What arrived is
//! told by the kernel's counters; frames that were dropped on the way count for nothing.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    bench::{
        statistics::Summary,
        target::{Bound, Target, print_document},
    },
    build, build_ebpf,
    demo::namespaces::{CLIENT_INTERFACE, Namespaces, SERVER_INTERFACE},
    process::{Running, Step},
    report::{print, say},
    test::PACKAGE,
    workspace::{Workspace, is_root, sudo_command},
};

/// What drops frames at the far end.
const EXAMPLE: &str = "drop_all";

/// Addresses that are not used: frames bring their own.
const ENDS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::new(198, 51, 100, 2),
];

/// Frames a second to a file, at least.
const TO_FILE: f64 = 1_000_000.0;
/// Frames a second by XDP that arrive, at least.
const BY_XDP: f64 = 5_000_000.0;

/// What `cargo xtask bench packets` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; the median of them is reported
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// What the program says at its end.
#[derive(Debug, Deserialize)]
struct Account {
    records: u64,
    seconds: f64,
}

/// One row.
#[derive(Debug, Serialize)]
struct Measured {
    row: &'static str,
    frames: u64,
    /// Of them, those that arrived; of a file, all.
    arrived: u64,
    /// Frames a second that arrived, of each round.
    rounds: Vec<f64>,
    median: f64,
    spread: Option<Summary>,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When this is not root, something cannot be built or started, or ends otherwise than it should.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    if !is_root() {
        bail!(
            "network namespaces and kernel programs need root: start it with `{}`",
            sudo_command("bench packets")
        );
    }
    build_ebpf::run(workspace)?;
    let program = build::given_or_release(workspace, options.program.as_deref())?;
    Step::cargo("build")
        .folder(&workspace.root)
        .args(["--locked", "--package", PACKAGE, "--example", EXAMPLE])
        .run()?;
    say("measuring; whatever else runs here disturbs it");
    let folder = workspace.host_target.join("bench/packets");
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let rows = [
        row("to a file", options.rounds, || to_file(&program, &folder))?,
        row("to veth, packet socket", options.rounds, || {
            to_pair(workspace, &program, &["--shape", "plain", "-n", "500000"])
        })?,
        row("to veth, XDP live frames", options.rounds, || {
            to_pair(workspace, &program, &["--xdp", "--duration", "3s"])
        })?,
    ];
    fs::remove_dir_all(&folder).ok();
    let target = |row: &Measured, limit| {
        Target::new(row.row, row.median, Bound::AtLeast, limit, "frames/s").over(row.spread)
    };
    let socket = &rows[1];
    let targets = [
        target(&rows[0], TO_FILE),
        Target::beside(socket.row, socket.median, "frames/s").over(socket.spread),
        target(&rows[2], BY_XDP),
    ];
    if options.json {
        print_document(&rows, &targets)?;
    } else {
        for row in &rows {
            show(row);
        }
        for target in &targets {
            print(target);
        }
    }
    Ok(targets.iter().all(|target| target.met))
}

/// Frames that were sent and that arrived, and how long it took.
struct Round {
    frames: u64,
    arrived: u64,
    seconds: f64,
}

fn row(name: &'static str, rounds: u32, measure: impl Fn() -> Result<Round>) -> Result<Measured> {
    let (mut frames, mut arrived, mut rates) = (0, 0, Vec::new());
    for _ in 0..rounds {
        let round = measure().with_context(|| format!("measure frames {name}"))?;
        frames += round.frames;
        arrived += round.arrived;
        rates.push(round.arrived as f64 / round.seconds);
    }
    let spread = Summary::of(rates.iter().copied());
    Ok(Measured {
        row: name,
        frames,
        arrived,
        median: spread.map_or(f64::NAN, |rates| rates.median),
        spread,
        rounds: rates,
    })
}

fn to_file(program: &Path, folder: &Path) -> Result<Round> {
    let capture = folder.join("frames.pcap");
    let account = account(
        Step::new(program)
            .args(["gen", "packets", "--quiet", "--json", "--shape", "plain"])
            .args([
                "--start",
                "2026-01-01T00:00:00Z",
                "-n",
                "1000000",
                "--output",
            ])
            .arg(&capture),
    )?;
    let length = fs::metadata(&capture).context("look at the capture")?.len();
    if length < account.records * 76 {
        bail!(
            "the capture has {length} bytes, too few for {} frames",
            account.records
        );
    }
    fs::remove_file(&capture).context("delete the capture")?;
    Ok(Round {
        frames: account.records,
        arrived: account.records,
        seconds: account.seconds,
    })
}

fn to_pair(workspace: &Workspace, program: &Path, flags: &[&str]) -> Result<Round> {
    let namespaces = Namespaces::make(ENDS[0], ENDS[1])?;
    let drop_all = workspace.host_target.join("debug/examples").join(EXAMPLE);
    let _dropping = start(
        namespaces
            .in_server(drop_all)
            .arg(workspace.ebpf_object())
            .arg(SERVER_INTERFACE),
    )?;
    let before = sent(&namespaces)?;
    let account = account(
        namespaces
            .in_client(program)
            .args([
                "gen",
                "packets",
                "--quiet",
                "--json",
                "--interface",
                CLIENT_INTERFACE,
            ])
            .args(flags),
    )?;
    let arrived = sent(&namespaces)?
        .saturating_sub(before)
        .min(account.records);
    Ok(Round {
        frames: account.records,
        arrived,
        seconds: account.seconds,
    })
}

/// Starts what drops frames and waits until it does.
fn start(step: Step) -> Result<Running> {
    let mut running = step.start(Stdio::piped(), Stdio::inherit())?;
    let stdout = running.take_stdout().context("read what it says")?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context("read what it says")?;
    if line.trim() != "ready" {
        bail!("nothing drops frames at the far end");
    }
    Ok(running)
}

/// What the generator says. That frames did not leave is no failure of a measurement, which counts those that did.
fn account(step: Step) -> Result<Account> {
    let outcome = step.outcome()?;
    if !matches!(outcome.status.code(), Some(0 | 1)) {
        bail!(
            "the generator ended with {}: {}",
            outcome.status,
            outcome.stderr
        );
    }
    serde_json::from_str(&outcome.stdout)
        .with_context(|| format!("read the account of the generator: {}", outcome.stderr))
}

/// Packets that the near end handed over, as the kernel counts them: those that the far end had no room for
/// are not among them.
fn sent(namespaces: &Namespaces) -> Result<u64> {
    let text = namespaces.in_client("cat").arg("/proc/net/dev").stdout()?;
    let line = text.lines().find_map(|line| {
        line.trim()
            .strip_prefix(CLIENT_INTERFACE)?
            .strip_prefix(':')
    });
    let count = line.and_then(|line| line.split_whitespace().nth(9)?.parse().ok());
    count.context("read the counters of the interface")
}

fn show(row: &Measured) {
    let rounds: Vec<String> = row.rounds.iter().map(|rate| format!("{rate:.0}")).collect();
    print(format_args!(
        "{:<28}{:>12.0} frames/s  ({} of {} frames arrived; rounds: {})",
        row.row,
        row.median,
        row.arrived,
        row.frames,
        rounds.join(", ")
    ));
}
