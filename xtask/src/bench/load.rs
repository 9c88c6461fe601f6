//! `cargo xtask bench load`: requests a second that `tapline gen http` sends on one CPU, beside wrk on the same nginx in
//! the same run, and how exactly it keeps a rate.
//!
//! nginx (one worker, a file of 1 KiB) has one CPU, the client the other. wrk and `gen http` take turns, in pairs
//! whose order alternates, so that what drifts on the machine drifts for both; the ratios within the pairs are what
//! counts. Then open loop against the same nginx, and the closed loop against the target of `gen http` itself, which
//! must not be what limits it. Meanwhile no CPU goes to sleep. No root is needed: all is loopback.

mod account;
mod nginx;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

use self::account::{Account, requests_of_wrk};
use self::nginx::Nginx;
use crate::{
    bench::{
        capture::wakeful::Wakeful,
        statistics::Summary,
        target::{Bound, Target},
    },
    build,
    process::Step,
    report::{print, say},
    workspace::{Workspace, find_program},
};

/// What wrk's requests a second are multiplied with at least.
const RATIO: f64 = 0.9;
/// How far a rate may be off, in parts of 100.
const RATE_OFF: f64 = 1.0;
/// The median of how late requests are started, in microseconds.
const LATE: f64 = 150.0;

/// Both send the same request.
const AGENT: &str = "User-Agent: bench";

/// What `cargo xtask bench load` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Pairs of runs of wrk and of gen http
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: u32,
    /// Seconds of a run
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Connections of the closed loop
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Requests a second of the open loop
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: u32,
    /// The CPU of the client
    #[arg(long, default_value_t = 0)]
    client_cpu: u32,
    /// The CPU of the server
    #[arg(long, default_value_t = 1)]
    server_cpu: u32,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    tapline: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// wrk and `gen http`, one after the other.
#[derive(Clone, Copy, Debug, Serialize)]
struct Pair {
    wrk_requests_a_second: f64,
    gen_http_requests_a_second: f64,
    ratio: f64,
}

/// The result.
#[derive(Debug, Serialize)]
struct Document {
    connections: u32,
    seconds: u64,
    /// Empty where wrk is not installed.
    pairs: Vec<Pair>,
    ratio: Option<Summary>,
    /// Open loop, evenly spread and at random.
    open_loop: Vec<Open>,
    own_target_requests_a_second: f64,
    targets: Vec<Target>,
}

/// A run of the open loop.
#[derive(Clone, Copy, Debug, Serialize)]
struct Open {
    arrivals: &'static str,
    offered_a_second: f64,
    started_a_second: f64,
    dropped: u64,
    median_lateness_us: f64,
    p99_us: f64,
}

/// Measures. Gives whether the targets were met.
///
/// # Errors
/// When something cannot be built or started, or a run had errors.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let program = build::given_or_release(workspace, options.tapline.as_deref())?;
    say("measuring; whatever else runs here disturbs it");
    let _wakeful = Wakeful::keep();
    let nginx = Nginx::start(workspace, options.server_cpu)?;
    let pairs = match find_program("wrk") {
        Some(wrk) => pairs(options, &program, &wrk, &nginx.url)?,
        None => {
            say("wrk is not installed: the ratio to it is left out");
            Vec::new()
        }
    };
    let open_loop = [("constant", "1"), ("poisson", "2")]
        .into_iter()
        .map(|(arrivals, seed)| open(options, &program, &nginx.url, arrivals, seed))
        .collect::<Result<Vec<Open>>>()?;
    let document = Document {
        connections: options.connections,
        seconds: options.seconds,
        ratio: Summary::of(pairs.iter().map(|pair| pair.ratio)),
        targets: targets(&pairs, &open_loop),
        pairs,
        open_loop,
        own_target_requests_a_second: own_target(options, &program)?,
    };
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        document.show();
    }
    let is_whole = !document.pairs.is_empty();
    Ok(is_whole && document.targets.iter().all(|target| target.met))
}

fn pairs(options: &Options, program: &Path, wrk: &Path, url: &str) -> Result<Vec<Pair>> {
    let of_wrk = || -> Result<f64> {
        let text = on_cpu(options.client_cpu, wrk)?
            .args(["--threads", "1", "--connections"])
            .arg(options.connections.to_string())
            .args(["--duration", &format!("{}s", options.seconds)])
            .args(["--header", AGENT])
            .arg(url)
            .time_limit(Duration::from_secs(options.seconds + 30))
            .stdout()?;
        requests_of_wrk(&text).with_context(|| format!("wrk printed {text:?}"))
    };
    let of_ours = || Ok::<f64, anyhow::Error>(closed(options, program, url)?.answered_rate);
    (0..options.pairs)
        .map(|number| {
            let (theirs, ours) = match number % 2 {
                0 => {
                    let theirs = of_wrk()?;
                    (theirs, of_ours()?)
                }
                _ => {
                    let ours = of_ours()?;
                    (of_wrk()?, ours)
                }
            };
            Ok(Pair {
                wrk_requests_a_second: theirs,
                gen_http_requests_a_second: ours,
                ratio: ours / theirs,
            })
        })
        .collect()
}

fn closed(options: &Options, program: &Path, url: &str) -> Result<Account> {
    let connections = options.connections.to_string();
    let more = ["--connections", &connections, "--header", AGENT];
    gen_http(options, program, url, &more)
}

fn open(
    options: &Options,
    program: &Path,
    url: &str,
    arrivals: &'static str,
    seed: &str,
) -> Result<Open> {
    let rate = options.rate.to_string();
    let more = ["--rate", &rate, "--arrivals", arrivals, "--seed", seed];
    let account = gen_http(options, program, url, &more)?;
    let (Some(offered), Some(lateness), Some(response)) = (
        account.offered_rate,
        account.start_lateness,
        account.from_intended_start,
    ) else {
        bail!("an open loop without a rate: {account:?}");
    };
    Ok(Open {
        arrivals,
        offered_a_second: offered,
        started_a_second: account.started_rate,
        dropped: account.dropped,
        median_lateness_us: lateness.p50,
        p99_us: response.p99,
    })
}

/// Runs `gen http`. A run in which something failed is none.
fn gen_http(options: &Options, program: &Path, url: &str, more: &[&str]) -> Result<Account> {
    let outcome = on_cpu(options.client_cpu, program)?
        .args(["gen", "http", url, "--threads", "1", "--json", "--quiet"])
        .args(["--duration", &format!("{}s", options.seconds)])
        .args(more)
        .time_limit(Duration::from_secs(options.seconds + 30))
        .outcome()?;
    let account: Account = serde_json::from_str(&outcome.stdout)
        .with_context(|| format!("understand the account; it said {}", outcome.stderr.trim()))?;
    if account.failed + account.unfinished > 0 {
        bail!("not every request was answered: {account:?}");
    }
    Ok(account)
}

/// The closed loop against the target of `gen http`.
fn own_target(options: &Options, program: &Path) -> Result<f64> {
    let port = nginx::free_port()?;
    let address = format!("127.0.0.1:{port}");
    let mut target = on_cpu(options.server_cpu, program)?
        .args([
            "gen",
            "http",
            "--serve",
            &address,
            "--threads",
            "1",
            "--quiet",
        ])
        .start(std::process::Stdio::null(), std::process::Stdio::inherit())?;
    nginx::wait_for(port)?;
    let account = closed(options, program, &format!("http://{address}/"))?;
    let status = target.stop()?;
    if !status.success() {
        bail!("the target ended with {status}");
    }
    Ok(account.answered_rate)
}

/// A command on one CPU.
fn on_cpu(cpu: u32, program: &Path) -> Result<Step> {
    let Some(taskset) = find_program("taskset") else {
        bail!("the benchmark needs taskset: install util-linux");
    };
    let cpu = cpu.to_string();
    Ok(Step::new(taskset).args(["--cpu-list", &cpu]).arg(program))
}

fn targets(pairs: &[Pair], open_loop: &[Open]) -> Vec<Target> {
    let ratio = Summary::of(pairs.iter().map(|pair| pair.ratio));
    let ratio = ratio.map(|ratio| {
        Target::new(
            "requests/s of wrk reached",
            ratio.median,
            Bound::AtLeast,
            RATIO,
            "",
        )
        .over(Some(ratio))
    });
    let alone = |name: &str, rate: fn(&Pair) -> f64| {
        let rates = Summary::of(pairs.iter().map(rate));
        rates.map(|rates| Target::beside(name, rates.median, "requests/s").over(Some(rates)))
    };
    let beside = [
        alone("gen http, closed loop", |pair| {
            pair.gen_http_requests_a_second
        }),
        alone("wrk", |pair| pair.wrk_requests_a_second),
    ];
    let even = open_loop.iter().filter(|open| open.arrivals == "constant");
    let even = even.flat_map(|open| {
        let off = (open.started_a_second / open.offered_a_second - 1.0).abs() * 100.0;
        [
            Target::new("open loop: off the rate", off, Bound::AtMost, RATE_OFF, "%"),
            Target::new(
                "open loop: median lateness",
                open.median_lateness_us,
                Bound::AtMost,
                LATE,
                "µs",
            ),
        ]
    });
    let beside = beside.into_iter().flatten();
    beside.chain(ratio).chain(even).collect()
}

impl Document {
    fn show(&self) {
        print(format_args!(
            "nginx (one worker, a file of 1 KiB), client and server on one CPU each, {} connections, {} s a run",
            self.connections, self.seconds
        ));
        print(format_args!(
            "{:<12}{:>14}{:>14}{:>8}",
            "pair", "wrk req/s", "ours req/s", "ratio"
        ));
        for (number, pair) in self.pairs.iter().enumerate() {
            print(format_args!(
                "{:<12}{:>14.0}{:>14.0}{:>8.3}",
                number + 1,
                pair.wrk_requests_a_second,
                pair.gen_http_requests_a_second,
                pair.ratio
            ));
        }
        if let Some(ratio) = &self.ratio {
            print(format_args!(
                "ratio: median {:.3}, middle half {:.3} to {:.3}, {:.3} to {:.3} in all",
                ratio.median, ratio.lower_quarter, ratio.upper_quarter, ratio.lowest, ratio.highest
            ));
        }
        for open in &self.open_loop {
            print(format_args!(
                "open loop, {}: {:.1}/s of {}/s started, {} dropped, {:.1} µs late (median), p99 {:.0} µs",
                open.arrivals,
                open.started_a_second,
                open.offered_a_second,
                open.dropped,
                open.median_lateness_us,
                open.p99_us
            ));
        }
        print(format_args!(
            "closed loop against gen http --serve: {:.0} requests/s",
            self.own_target_requests_a_second
        ));
        for target in &self.targets {
            print(target);
        }
    }
}
