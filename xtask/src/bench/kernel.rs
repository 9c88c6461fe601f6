//! `cargo xtask bench kernel`: nanoseconds a packet in each kernel program, over an empty program of
//! the same type.
//!
//! Hot caches and one connection: a lower bound of what live traffic pays. The measuring program is
//! an example of the package of the end-to-end tests; it proves by the counters, the ring and the
//! connection table that every run took the way that is measured, and fails otherwise.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    bench::target::{Bound, Target},
    build_ebpf,
    process::Step,
    report::{print, say},
    test::PACKAGE,
    workspace::{Workspace, is_root, sudo_command},
};

/// The measuring program.
const EXAMPLE: &str = "bench_kernel";

/// What `cargo xtask bench kernel` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Hooks to measure; the targets are those of tc
    #[arg(
        long,
        value_name = "HOOK,…",
        value_delimiter = ',',
        default_value = "tc,xdp,socket"
    )]
    hooks: Vec<String>,
    /// Rounds; the median of them is reported
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// CPU to run on; the last one by default
    #[arg(long)]
    cpu: Option<usize>,
    /// Measure this object instead of building one
    #[arg(long, value_name = "FILE")]
    object: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// What the measuring program prints.
#[derive(Debug, Deserialize, Serialize)]
struct Measured {
    cpu: usize,
    verified_instructions: BTreeMap<String, Option<u32>>,
    /// What one load of 100,000 cache lines at random takes on this machine, without any program.
    scattered_load_ns: f64,
    results: Vec<Figure>,
}

/// One case at one hook; nanoseconds over the empty program.
#[derive(Debug, Deserialize, Serialize)]
struct Figure {
    hook: String,
    program: String,
    case: String,
    payload_bytes: u64,
    median_ns: f64,
    lowest_ns: f64,
    quarter_ns: f64,
    three_quarters_ns: f64,
    highest_ns: f64,
    empty_ns: f64,
    target_ns: Option<f64>,
    rounds: u64,
    runs_a_round: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    measured: &'a Measured,
    targets: &'a [Target],
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When this is not root, something does not build, or a run took another way than the one that was
/// to be measured.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    if !is_root() {
        bail!(
            "running kernel programs needs root: start it with `{}`",
            sudo_command("bench kernel")
        );
    }
    let object = match &options.object {
        Some(file) => {
            std::path::absolute(file).with_context(|| format!("find {}", file.display()))?
        }
        None => {
            build_ebpf::run(workspace)?;
            workspace.ebpf_object()
        }
    };
    let cpu = options.cpu.unwrap_or_else(last_cpu);
    build_example(workspace)?;
    say(format_args!(
        "measuring on CPU {cpu}, {} rounds; whatever else runs here disturbs it",
        options.rounds
    ));
    let printed = Step::new(workspace.host_target.join("debug/examples").join(EXAMPLE))
        .arg(object)
        .args([options.rounds.to_string(), cpu.to_string()])
        .args(&options.hooks)
        .stdout()?;
    let measured: Measured = serde_json::from_str(&printed).context("read what was measured")?;
    let targets: Vec<Target> = measured
        .results
        .iter()
        .filter_map(|figure| {
            let name = format!("{}, {}", figure.hook, figure.case);
            let spread = Some([figure.quarter_ns, figure.three_quarters_ns]);
            figure.target_ns.map(|limit| Target {
                spread,
                ..Target::new(name, figure.median_ns, Bound::AtMost, limit, "ns")
            })
        })
        .collect();
    if options.json {
        let document = Document {
            measured: &measured,
            targets: &targets,
        };
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        show(&measured, &targets);
    }
    Ok(targets.iter().all(|target| target.met))
}

/// Builds what measures, and the kernel programs.
///
/// # Errors
/// One of them does not build.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build_ebpf::run(workspace)?;
    build_example(workspace)
}

/// Not for release: it is the kernel that is measured, and this builds in a fraction of the time.
fn build_example(workspace: &Workspace) -> Result<()> {
    Step::cargo("build")
        .folder(&workspace.root)
        .args(["--locked", "--package", PACKAGE, "--example", EXAMPLE])
        .run()
}

fn last_cpu() -> usize {
    std::thread::available_parallelism().map_or(0, |count| count.get() - 1)
}

fn show(measured: &Measured, targets: &[Target]) {
    print(format_args!(
        "nanoseconds a packet over an empty program, hot caches, CPU {}:",
        measured.cpu
    ));
    print(format_args!(
        "{:<8}{:<30}{:>8}{:>9}{:>18}{:>9}{:>8}",
        "hook", "packet", "median", "lowest", "middle half", "highest", "empty"
    ));
    for figure in &measured.results {
        let middle = format!("{:.1}–{:.1}", figure.quarter_ns, figure.three_quarters_ns);
        print(format_args!(
            "{:<8}{:<30}{:>8.1}{:>9.1}{middle:>18}{:>9.1}{:>8.1}",
            figure.hook,
            figure.case,
            figure.median_ns,
            figure.lowest_ns,
            figure.highest_ns,
            figure.empty_ns
        ));
    }
    print(format_args!(
        "one load of 100,000 cache lines at random takes {:.1} ns here, without any program",
        measured.scattered_load_ns
    ));
    print("instructions that the verifier looked at:");
    for (program, count) in &measured.verified_instructions {
        let count = count.map_or_else(|| "not told".to_owned(), |count| count.to_string());
        print(format_args!("  {program:<18}{count:>10}"));
    }
    for target in targets {
        print(target);
    }
}
