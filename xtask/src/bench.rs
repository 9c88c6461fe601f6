//! `cargo xtask bench`: what capture costs, in the kernel and on a whole host, and what storing costs,
//! against fixed targets.

mod all;
mod capture;
mod code;
mod dashboard;
mod generators;
mod insights;
mod kernel;
mod load;
mod nginx;
mod packets;
mod read;
mod report;
mod sessions;
mod sinks;
mod statistics;
mod target;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::workspace::Workspace;

/// What `cargo xtask bench` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[group(skip)]
pub(crate) struct Options {
    #[command(subcommand)]
    one: Option<Bench>,
    #[command(flatten)]
    all: all::Options,
}

/// What `cargo xtask bench` measures.
#[derive(Debug, Subcommand)]
enum Bench {
    /// The whole way on real traffic: nginx and wrk on a veth pair, capture on and off in turn (as
    /// root)
    Capture(capture::Options),
    /// The same with all that the agent does: exchanges, sessions and the store (as root)
    Sessions(sessions::Options),
    /// The kernel programs alone, by BPF_PROG_TEST_RUN, over an empty program (as root)
    Kernel(kernel::Options),
    /// How long the answers of the dashboard take over millions of exchanges, while thousands arrive each second
    Dashboard(dashboard::Options),
    /// Records a second over HTTP into the store, in arrays and alone
    Sinks(sinks::Options),
    /// Records a second that `tapline gen` makes on one CPU, the rates it keeps, its memory
    Generators(generators::Options),
    /// Frames a second that `tapline gen packets` makes: to a file, to a veth pair, by XDP live frames (as
    /// root)
    Packets(packets::Options),
    /// Requests a second of `tapline gen http` on one CPU beside wrk on the same nginx, and the rate it keeps
    Load(load::Options),
    /// Packets a second that `tapline read` takes from a capture file, beside tshark
    Read(read::Options),
    /// Lines a second that `tapline report` takes from an access log, beside goaccess
    Report(report::Options),
    /// Lines, heads, rows of the store and records to an HTTP API, by the benchmarks of the code itself
    Code(code::Options),
    /// Faults in logs that `tapline report` finds, and alarms that are false
    Insights(insights::Options),
    /// The client of a known number of requests, which `capture` starts
    #[command(hide = true)]
    Client(capture::client::Options),
    /// The sender of the flows that `sessions` starts
    #[command(hide = true)]
    Crowd(sessions::crowd::Options),
    /// Those who look on while `dashboard` measures a capture
    #[command(hide = true)]
    Lookers(dashboard::lookers::Options),
}

/// Measures, prints a table (or JSON) and gives whether all targets were met.
///
/// # Errors
/// When this is not root, something cannot be built or started, or a measurement is not what it was
/// meant to be.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let Some(bench) = &options.one else {
        return all::run(workspace, &options.all);
    };
    match bench {
        Bench::Capture(options) => capture::run(workspace, options),
        Bench::Kernel(options) => kernel::run(workspace, options),
        Bench::Sessions(options) => sessions::run(workspace, options),
        Bench::Dashboard(options) => dashboard::run(workspace, options),
        Bench::Sinks(options) => sinks::run(workspace, options),
        Bench::Generators(options) => generators::run(workspace, options),
        Bench::Packets(options) => packets::run(workspace, options),
        Bench::Load(options) => load::run(workspace, options),
        Bench::Read(options) => read::run(workspace, options),
        Bench::Report(options) => report::run(workspace, options),
        Bench::Code(options) => code::run(workspace, options),
        Bench::Insights(options) => insights::run(workspace, options),
        Bench::Client(options) => capture::client::run(options).map(|()| true),
        Bench::Crowd(options) => sessions::crowd::send(options).map(|()| true),
        Bench::Lookers(options) => dashboard::lookers::run(options).map(|()| true),
    }
}
