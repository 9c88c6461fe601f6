//! `cargo xtask bench sessions`: what the agent costs a busy web server with all that it does: exchanges
//! joined, sessions counted, both stored in SQLite, and a classic line a head. Then 100,000 flows at once.

pub(crate) mod crowd;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{
    bench::capture::{
        self,
        capturer::Capturer,
        document::Document,
        measure::{self, Plan},
        site::Site,
        wakeful::Wakeful,
    },
    report::print,
    workspace::Workspace,
};

/// What `cargo xtask bench sessions` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Pairs of runs with and without the agent
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// Seconds of a run of wrk
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Connections that wrk keeps open
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Leave the 100,000 flows at once out
    #[arg(long)]
    no_crowd: bool,
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
    let tapline = capture::prepare(workspace, "bench sessions", options.tapline.as_deref())?;
    let site = Site::make(workspace)?;
    let _wakeful = Wakeful::keep();
    let plan = Plan {
        pairs: options.pairs,
        time: Duration::from_secs(options.seconds),
        bulk_time: Duration::ZERO,
        connections: options.connections,
        program_time: false,
    };
    let measured = measure::with_store(&site, &plan, &Capturer::tapline_with_store(&tapline))?;
    let mut targets = measured.targets_with_store();
    if !options.no_crowd {
        targets.extend(crowd::measure(&site, &tapline)?.targets());
    }
    let all = [measured];
    let document = Document::new(&plan, &all, &targets);
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        document.show();
    }
    Ok(targets.iter().all(|target| target.met))
}
