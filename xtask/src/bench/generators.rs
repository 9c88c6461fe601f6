//! `cargo xtask bench generators`: records a second that `tapline gen` makes on one CPU, how exactly it keeps a
//! rate, and how much memory it takes.
//!
//! Each generator has a file with its rows. A row is a command line of `tapline gen`; its figures come from the
//! program's own account (`--json`), which must agree with what is there in the end, and from the kernel.

mod access;
mod events;
mod measure;
mod row;
mod sessions;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use self::{
    measure::{Measured, Place, measure},
    row::{Goal, Row},
};
use crate::{
    bench::target::{Bound, Target, print_document},
    build,
    report::{print, say},
    workspace::Workspace,
};

/// The rows of all generators.
const ROWS: [&[Row]; 3] = [&sessions::ROWS, &events::ROWS, &access::ROWS];

/// Resident memory at most, in MiB.
const MEMORY: f64 = 64.0;
/// How far a rate may be off, in parts of 100.
const RATE_OFF: f64 = 1.0;

/// What `cargo xtask bench generators` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only rows whose name has this in it
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// The CPU that the generator runs on
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..1024))]
    cpu: u32,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When the program cannot be built or started, ends otherwise than it should, or its account is not that of
/// what it left.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let rows: Vec<&Row> = ROWS
        .iter()
        .flat_map(|rows| rows.iter())
        .filter(|row| row.name.contains(&options.only))
        .collect();
    if rows.is_empty() {
        bail!("no row has {:?} in its name", options.only);
    }
    let program = build::given_or_release(workspace, options.program.as_deref())?;
    say("measuring; whatever else runs here disturbs it");
    let place = Place {
        program,
        folder: workspace.host_target.join("bench/generators"),
        cpu: options.cpu,
    };
    let mut measured = Vec::new();
    let mut targets = Vec::new();
    for row in rows {
        let result = measure(row, &place).with_context(|| format!("measure {}", row.name))?;
        if !options.json {
            show(&result);
        }
        targets.extend(targets_of(row, &result));
        measured.push(result);
    }
    fs::remove_dir_all(&place.folder).ok();
    if options.json {
        print_document(&measured, &targets)?;
    } else {
        for target in &targets {
            print(target);
        }
    }
    Ok(targets.iter().all(|target| target.met))
}

fn targets_of(row: &Row, measured: &Measured) -> Vec<Target> {
    let name = |what: &str| format!("{}: {what}", row.name);
    let rate = match row.goal {
        Goal::Rate(asked) => Some(Target::new(
            name("off the rate"),
            (measured.records_a_second / asked - 1.0).abs() * 100.0,
            Bound::AtMost,
            RATE_OFF,
            "%",
        )),
        Goal::AtLeast(limit) => Some(Target::new(
            name("made"),
            measured.records_a_second,
            Bound::AtLeast,
            limit,
            "records/s",
        )),
        Goal::None => None,
    };
    let memory = Target::new(
        name("resident"),
        measured.resident_mib,
        Bound::AtMost,
        MEMORY,
        "MiB",
    );
    rate.into_iter().chain([memory]).collect()
}

fn show(measured: &Measured) {
    print(format_args!(
        "{:<28}{:>10} records {:>8.2} s {:>12.1} records/s {:>7.1} MB/s {:>6.3} us of CPU each {:>6.1} MiB",
        measured.row,
        measured.records,
        measured.seconds,
        measured.records_a_second,
        measured.bytes as f64 / measured.seconds / 1e6,
        measured.cpu_us,
        measured.resident_mib,
    ));
}
