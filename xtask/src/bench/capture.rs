//! `cargo xtask bench capture`: what the agent costs a busy web server, and whether it misses
//! anything.
//!
//! nginx in one network namespace, wrk in another, a veth pair between them. Capture is off and on in
//! turn, in pairs whose order alternates, so that what drifts on the machine drifts for both; the
//! ratios within the pairs are what counts. The same for a bulk transfer (iperf3). Whether every head
//! is written is proved by a client that asks a known number of requests as fast as it can, and reads
//! every answer. Nothing of the host's own network is touched.
//!
//! Meanwhile no CPU goes to sleep ([`wakeful`]): waking a halted virtual CPU costs its host more than two
//! requests cost nginx, and how often that happens would decide the outcome.

pub(crate) mod capturer;
pub(crate) mod client;
pub(crate) mod document;
pub(in crate::bench) mod load;
pub(crate) mod measure;
mod program_time;
pub(crate) mod site;
pub(crate) mod usage;
pub(crate) mod wakeful;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    apt,
    bench::{
        capture::{
            capturer::Capturer,
            document::Document,
            measure::{Measured, Plan},
            site::Site,
            wakeful::Wakeful,
        },
        target::Target,
    },
    build,
    report::{print, say},
    workspace::{Workspace, find_program, is_root, sudo_command},
};

/// What is installed where it is missing.
const PACKAGES: [&str; 6] = [
    "iproute2",
    "nginx-light",
    "curl",
    "wrk",
    "iperf3",
    "tcpdump",
];

/// What `cargo xtask bench capture` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Hooks to measure, as in `tapline run --attach`
    #[arg(long, value_name = "HOOK,…", value_delimiter = ',', default_value = "tc",
        value_parser = ["auto", "tc", "socket", "xdp"])]
    hooks: Vec<String>,
    /// Pairs of runs with and without capture
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// Seconds of a run of wrk
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Seconds of a run of iperf3
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    bulk_seconds: u64,
    /// Connections that wrk keeps open
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Other programs to measure beside, where they are installed (none: nothing)
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "httpry,tcpdump,tshark",
        value_parser = ["httpry", "tcpdump", "tshark", "none"])]
    peers: Vec<String>,
    /// Measure what a run of each kernel program takes too (needs bpftool; one more run of wrk)
    #[arg(long)]
    program_time: bool,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    tapline: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When this is not root, or something cannot be built, installed or started.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let tapline = prepare(workspace, "bench capture", options.tapline.as_deref())?;
    let site = Site::make(workspace)?;
    let _wakeful = Wakeful::keep();
    let plan = Plan {
        pairs: options.pairs,
        time: Duration::from_secs(options.seconds),
        bulk_time: Duration::from_secs(options.bulk_seconds),
        connections: options.connections,
        program_time: options.program_time,
    };
    let mut measured = Vec::new();
    for hook in &options.hooks {
        let capturer = Capturer::tapline(&tapline, hook);
        measured.push(measure::agent(&site, &plan, &capturer)?);
    }
    for peer in options.peers.iter().filter(|name| *name != "none") {
        let Some(program) = find_program(peer) else {
            say(format_args!("{peer} is not installed: left out"));
            continue;
        };
        measured.push(measure::peer(
            &site,
            &plan,
            &Capturer::peer(peer, &program),
        )?);
    }
    let targets: Vec<Target> = measured.iter().flat_map(Measured::targets).collect();
    let document = Document::new(&plan, &measured, &targets);
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        document.show();
    }
    Ok(targets.iter().all(|target| target.met))
}

/// Makes sure that `command` can measure: root, what is installed where it is missing, and the program, which
/// is built unless one is named. Gives where that is.
///
/// # Errors
/// When this is not root, or something cannot be built or installed.
pub(crate) fn prepare(
    workspace: &Workspace,
    command: &str,
    tapline: Option<&Path>,
) -> Result<PathBuf> {
    if !is_root() {
        bail!(
            "capture and network namespaces need root: start it with `{}`",
            sudo_command(command)
        );
    }
    if apt::usable() {
        apt::install(&PACKAGES, "for the benchmark")?;
    }
    match tapline {
        Some(file) => std::path::absolute(file).with_context(|| format!("find {}", file.display())),
        None => {
            build::run(workspace)?;
            Ok(workspace.tapline())
        }
    }
}
