//! `tapline selftest`: known traffic goes through the capture, and what was caught, missed and mistaken is
//! printed.

use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::config::{Config, Refusal, StoreConfig};
use crate::exit::{Exit, UsageError};
use crate::generate::bounds::{self, Limit};
use crate::generate::packets::EXCHANGES_MAX;
use crate::generate::packets::shape::Shape;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;
use crate::selftest::{Plan, keep};

/// How long real connections load a hook.
const LOAD: Duration = Duration::from_secs(2);

/// It is not shorter, unless it is not at all, and not longer.
const LOADS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// As above, in words.
const LOADS_TOLD: &str = "must be from 1s to 60s, or 0: no load";

/// The same frames every time, where no seed is asked for: what changed is the program.
const SEED: Seed = Seed(1);

/// Exchanges of a connection that is kept.
const EXCHANGES: u32 = 2000;

pub(super) const HELP: &str = "\
Examples:
  sudo tapline selftest                      every shape and full load, at every hook
  sudo tapline selftest --attach tc --load 10s
  tapline selftest                           without root: every shape, by the code of tapline read

As root it makes two network namespaces and a pair of interfaces, runs `tapline run` there, sends every \
shape of `tapline gen packets` and then real requests as fast as they go, and holds what was written \
against what was sent. Nothing is left of it (after kill -9, until the next one). It takes less than a minute, with a longer --load more.

The last result is kept in the data folder (selftest.json); /metrics and /api/ledger show it. One of hooks \
and of all shapes stays until another such comes.

Exit codes: 0 everything that was on the wire was written as it was, 1 it was not, or the test could not \
be done, 2 wrong usage.";

/// Flags of `tapline selftest`.
#[derive(Debug, Args)]
pub(super) struct SelftestFlags {
    /// Hook to test (again for more); read: none, a capture file [default: as root tc, socket and xdp,
    /// else read]
    #[arg(long, value_name = "HOOK")]
    attach: Vec<TestedHook>,
    /// Shape to send (again for more) [default: all]
    #[arg(long, value_name = "SHAPE")]
    shape: Vec<Shape>,
    /// Exchanges of a connection of the shape keepalive
    #[arg(long, value_name = "N", default_value_t = EXCHANGES, value_parser = clap::value_parser!(u32).range(1..=i64::from(EXCHANGES_MAX)), allow_negative_numbers = true)]
    exchanges: u32,
    /// How long real connections load each hook, each way, from 1s to 60s [default: 2s]; 0: not at all
    #[arg(long, value_name = "TIME", value_parser = read_load, allow_hyphen_values = true)]
    load: Option<Limit>,
    /// What the frames are made from [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<Seed>,
    /// Folder that keeps the result
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// A hook, or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum TestedHook {
    Tc,
    Socket,
    Xdp,
    Read,
}

impl TestedHook {
    fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Socket => "socket",
            Self::Xdp => "xdp",
            Self::Read => "read",
        }
    }
}

/// What `tapline selftest` is told.
#[derive(Clone, Debug, PartialEq)]
pub struct SelftestArguments {
    plan: Plan,
    data_dir: Option<PathBuf>,
    json: bool,
    quiet: bool,
}

impl SelftestFlags {
    /// The flags with those of every command.
    pub(super) fn arguments(
        self,
        json: bool,
        quiet: bool,
    ) -> Result<SelftestArguments, UsageError> {
        let mut hooks: Vec<&'static str> = self.attach.iter().map(|hook| hook.name()).collect();
        let mut seen = Vec::new();
        hooks.retain(|hook| {
            !seen.contains(hook) && {
                seen.push(*hook);
                true
            }
        });
        let reads = hooks.contains(&"read");
        if reads && hooks.len() > 1 {
            let sentence = "--attach read stands alone: there is no hook in it";
            return Err(UsageError(sentence.to_owned()));
        }
        if hooks.is_empty() && is_root() {
            hooks = vec!["tc", "socket", "xdp"];
        }
        let load = match self.load {
            Some(Limit(None)) => Duration::ZERO,
            Some(Limit(Some(load))) if LOADS.contains(&load) => load,
            Some(_) => {
                return Err(UsageError(format!("--load {LOADS_TOLD}")));
            }
            None => LOAD,
        };
        hooks.retain(|hook| *hook != "read");
        let mut shapes = self.shape;
        shapes.sort_unstable();
        shapes.dedup();
        if shapes.is_empty() {
            shapes.extend(Shape::ALL);
        }
        Ok(SelftestArguments {
            plan: Plan {
                seed: self.seed.unwrap_or(SEED),
                shapes,
                exchanges: self.exchanges,
                hooks: hooks.into_iter().map(str::to_owned).collect(),
                load,
            },
            data_dir: self.data_dir,
            json,
            quiet,
        })
    }
}

fn read_load(text: &str) -> Result<Limit, Refusal> {
    bounds::limit(text).map_err(|_wrong| Refusal::new(LOADS_TOLD))
}

fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Tests, prints and keeps the result.
///
/// # Errors
/// The test cannot be done.
pub fn selftest(config: &Config, arguments: &SelftestArguments) -> anyhow::Result<Exit> {
    let stop = Stop::on_signals();
    if !arguments.quiet {
        let what = match arguments.plan.hooks.as_slice() {
            [] => "no hook: the shapes go to a capture file (root tests the kernel programs)"
                .to_owned(),
            // The shapes take a few seconds a hook.
            hooks if arguments.plan.load <= LOAD => {
                format!("{}; it takes less than a minute", hooks.join(", "))
            }
            hooks => {
                let load = arguments.plan.load.as_secs_f64();
                format!("{}; {load} s of load each", hooks.join(", "))
            }
        };
        crate::generate::summary::note(&format!("selftest of {what}"));
    }
    let Some(report) = crate::selftest::run(&arguments.plan, &stop)? else {
        crate::generate::summary::note("stopped before the test was done");
        return Ok(Exit::Failed);
    };
    if arguments.json {
        super::write_result(&report)?;
    } else {
        io::stdout()
            .write_all(report.to_string().as_bytes())
            .context("cannot write the result to stdout")?;
    }
    let folder = arguments.data_dir.as_ref().unwrap_or(&config.store.dir);
    let is_asked = arguments.data_dir.is_some() || *folder != StoreConfig::default().dir;
    let kept = report.kept();
    let yields = keep::read(folder).and_then(|last| kept.yields_to(&last));
    match yields.map_or_else(|| keep::write(folder, &kept).map(drop), |_| Ok(())) {
        Ok(()) => {
            if let Some(why) = yields {
                let place = folder.display();
                crate::generate::summary::note(&format!("the last result stays in {place}: {why}"));
            }
        }
        Err(error) if !is_asked => {
            let place = folder.display();
            crate::generate::summary::note(&format!("the result is not kept in {place}: {error}"));
        }
        Err(error) => {
            return Err(error)
                .with_context(|| format!("cannot keep the result in {}", folder.display()));
        }
    }
    Ok(match report.passed {
        true => Exit::Done,
        false => Exit::Failed,
    })
}
