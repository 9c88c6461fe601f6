//! `cargo xtask test`: every test of the project, and an honest account of those that did not run.

pub(crate) mod browser;
pub(crate) mod totals;

use std::{fs, time::Instant};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::{
    apt, build, build_ebpf, dashboard, interrupt,
    process::Step,
    report::{print, say},
    test::totals::Totals,
    toolchain, vm,
    workspace::{Workspace, is_root, metadata},
};

/// The servers, clients and tools that the privileged tests run.
const PACKAGES: [&str; 5] = ["nginx-light", "curl", "iproute2", "ethtool", "logrotate"];

/// The package of the tests that need root, and the one of its tests that runs in a machine of
/// its own only.
pub(crate) const PACKAGE: &str = "tapline-tests";
pub(crate) const VM_TEST: &str = "vm";

/// Names a file to which a test that cannot run here writes one line, `name: reason`.
pub(crate) const LEFT_OUT_VARIABLE: &str = "TAPLINE_LEFT_OUT";
/// Tells the tests where the built program is.
pub(crate) const PROGRAM_VARIABLE: &str = "TAPLINE_BIN";

/// What `cargo xtask test` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fail when any test was left out
    #[arg(long)]
    strict: bool,
    /// Leave out a part; again for more
    #[arg(long, value_name = "NAME")]
    skip: Vec<Part>,
}

/// One part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Unit, property and documentation tests: no privileges
    Unit,
    /// Unit tests of the dashboard's page, with Node
    Page,
    /// The fuzz targets, each for a moment
    Fuzz,
    /// Kernel programs, network namespaces, real servers: as root
    Privileged,
    /// The dashboard in Chromium, over the real program
    Browser,
    /// The oldest promised kernel, in a virtual machine
    Vm,
}

/// Runs the tests. Gives whether all that ran passed (and, strictly, that all ran).
///
/// # Errors
/// When something else than a test fails, like a folder that cannot be written.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let mut totals = Totals::default();
    let wanted = |part| !options.skip.contains(&part);
    // First of all: the agent embeds both, and would be built again after they changed.
    if wanted(Part::Page) || wanted(Part::Browser) || wanted(Part::Privileged) {
        dashboard::run_if_possible(workspace);
    }
    let object = if wanted(Part::Privileged) || wanted(Part::Vm) {
        match toolchain::setup(workspace) {
            Ok(_) => build_ebpf::run(workspace).map_err(Reason::Failed),
            Err(error) => Err(Reason::LeftOut(format!("{error:#}"))),
        }
    } else {
        Ok(())
    };

    for part in Part::value_variants() {
        let name = name(*part);
        if !wanted(*part) {
            totals.leave_out(&name, "--skip");
            continue;
        }
        let started = Instant::now();
        say(format_args!("tests: {name}"));
        let result = match (part, &object) {
            (Part::Unit, _) => unit(workspace, &mut totals),
            (Part::Page, _) => browser::page(workspace, &mut totals),
            (Part::Browser, _) => browser::run(workspace, &mut totals),
            (Part::Fuzz, _) => fuzz(workspace, &mut totals),
            (Part::Privileged | Part::Vm, Err(Reason::LeftOut(reason))) => {
                totals.leave_out(&name, reason);
                continue;
            }
            (Part::Privileged | Part::Vm, Err(Reason::Failed(error))) => {
                totals.fail(&name, &format!("{error:#}"));
                continue;
            }
            (Part::Privileged, Ok(())) => privileged(workspace, &mut totals),
            (Part::Vm, Ok(())) => vm::count(workspace, &mut totals),
        };
        if interrupt::signal().is_some() {
            bail!("interrupted during the tests: {name}; until then {totals}");
        }
        if let Err(error) = result {
            totals.fail(&name, &format!("{error:#}"));
        }
        say(format_args!(
            "tests: {name} took {} s",
            started.elapsed().as_secs()
        ));
    }

    for line in totals.remarks() {
        print(line);
    }
    print(&totals);
    Ok(totals.passed(options.strict))
}

/// Why the kernel programs are not there.
enum Reason {
    LeftOut(String),
    Failed(anyhow::Error),
}

fn name(part: Part) -> String {
    part.to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

fn unit(workspace: &Workspace, totals: &mut Totals) -> Result<()> {
    let step = Step::cargo("test")
        .folder(&workspace.root)
        .args(["--locked", "--no-fail-fast", "--workspace"])
        .args(["--exclude", "agent-ebpf", "--exclude", PACKAGE]);
    totals.add_run("unit", step, |line| print(line))
}

fn fuzz(workspace: &Workspace, totals: &mut Totals) -> Result<()> {
    let manifest = workspace.root.join("fuzz/Cargo.toml");
    if !manifest.is_file() {
        totals.leave_out("fuzz", "there is no fuzz/Cargo.toml");
        return Ok(());
    }
    let step = Step::cargo("test")
        .folder(&workspace.root)
        .args(["--locked", "--no-fail-fast", "--manifest-path"])
        .arg(manifest);
    totals.add_run("fuzz", step, |line| print(line))
}

fn privileged(workspace: &Workspace, totals: &mut Totals) -> Result<()> {
    if !is_root() {
        totals.leave_out("privileged", "not root: run it with sudo");
        return Ok(());
    }
    let tests: Vec<String> = metadata::test_targets(workspace, PACKAGE)?
        .into_iter()
        .filter(|name| name != VM_TEST)
        .collect();
    if tests.is_empty() {
        totals.leave_out("privileged", &format!("package {PACKAGE} has no tests"));
        return Ok(());
    }
    if apt::usable() {
        apt::install(&PACKAGES, "for the tests")?;
    }
    build::release(workspace)?;

    let folder = workspace.root.join("target/test");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let left_out = folder.join(format!("left-out-{}", std::process::id()));
    fs::write(&left_out, "").with_context(|| format!("write {}", left_out.display()))?;
    let mut step = Step::cargo("test")
        .folder(&workspace.root)
        .args(["--locked", "--no-fail-fast", "--package", PACKAGE, "--lib"])
        .env(LEFT_OUT_VARIABLE, &left_out)
        .env(PROGRAM_VARIABLE, workspace.tapline());
    for name in tests {
        step = step.args(["--test", &name]);
    }
    // One at a time: they share the machine's interfaces and its two or more CPUs.
    let result = totals.add_run(
        "privileged",
        step.args(["--", "--test-threads=1"]),
        |line| print(line),
    );
    let lines =
        fs::read_to_string(&left_out).with_context(|| format!("read {}", left_out.display()))?;
    fs::remove_file(&left_out).with_context(|| format!("remove {}", left_out.display()))?;
    totals.add_left_out_lines("privileged", &lines);
    result
}
