//! Builds, tests and measures Tapline.

mod apt;
mod bench;
mod build;
mod build_ebpf;
mod conformance;
mod dashboard;
mod demo;
mod interrupt;
mod lint;
mod node;
mod process;
mod report;
mod test;
mod toolchain;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, tests and measures Tapline.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Find the toolchain for the kernel programs, and install what is missing
    Setup,
    /// Build the kernel programs into target/ebpf/tapline.bpf.o
    BuildEbpf,
    /// Build the page of the dashboard into agent/dashboard/dist, with Node
    Dashboard,
    /// Build target/release/tapline with the kernel programs and the page inside
    Build,
    /// Build, then run `tapline run` with config/tapline.yaml (as root)
    BuildAndRun {
        /// What to pass on to `tapline run`
        #[arg(last = true)]
        flags: Vec<String>,
    },
    /// Show a web server, a client and the agent between them, in network namespaces (as root)
    Demo(demo::Options),
    /// Check the format and run clippy, on the kernel programs too
    Lint(lint::Options),
    /// Run every test; name what was left out and why
    Test(test::Options),
    /// Run the tests of the kernel programs on Debian 12's kernel, in a virtual machine
    TestVm(vm::Options),
    /// Measure against fixed targets: everything, or one benchmark (some as root)
    Bench(bench::Options),
    /// Compare what `tapline read` finds in captures with what is expected
    Conformance(conformance::Options),
}

fn main() -> ExitCode {
    interrupt::listen();
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            report::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::find();
    match task {
        Task::Setup => toolchain::run(&workspace)?,
        Task::BuildEbpf => build_ebpf::run(&workspace)?,
        Task::Dashboard => dashboard::run(&workspace)?,
        Task::Build => build::run(&workspace)?,
        Task::BuildAndRun { flags } => match build::run_program(&workspace, &flags)? {},
        Task::Demo(options) => return Ok(exit_code(demo::run(&workspace, &options)?)),
        Task::Lint(options) => return Ok(exit_code(lint::run(&workspace, &options)?)),
        Task::Test(options) => return Ok(exit_code(test::run(&workspace, &options)?)),
        Task::Bench(options) => return Ok(exit_code(bench::run(&workspace, &options)?)),
        Task::Conformance(options) => {
            return Ok(exit_code(conformance::run(&workspace, &options)?));
        }
        Task::TestVm(options) => return Ok(exit_code(vm::run(&workspace, &options)?)),
    }
    Ok(ExitCode::SUCCESS)
}

fn exit_code(passed: bool) -> ExitCode {
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Arguments::command().debug_assert();
    }
}
