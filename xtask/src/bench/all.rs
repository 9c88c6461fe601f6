//! `cargo xtask bench`: all benchmarks in turn, each in a process of its own, as one table or document.

mod host;
mod markdown;
mod suite;

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::{
    host::Host,
    suite::{SUITES, Suite},
};
use crate::{
    bench::target::Figure,
    build, interrupt,
    process::Step,
    report::{print, say},
    workspace::Workspace,
};

/// What `cargo xtask bench` takes where no benchmark is named.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fewer and shorter runs: all in under 3 minutes, and figures that vary more
    #[arg(long)]
    quick: bool,
    /// Only these benchmarks
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
    /// Put the figures into this file, between its marks (docs/BENCHMARKS.md)
    #[arg(long, value_name = "FILE", conflicts_with = "quick")]
    write: Option<PathBuf>,
}

/// All results.
#[derive(Debug, Serialize)]
struct Document {
    host: Host,
    quick: bool,
    suites: Vec<Measured>,
    /// Every benchmark ran, and every target was met.
    met: bool,
}

/// What one benchmark gave.
#[derive(Debug, Serialize)]
struct Measured {
    name: &'static str,
    seconds: f64,
    targets: Vec<Figure>,
    /// Its own document; none when it failed.
    result: Option<Box<RawValue>>,
    /// Why it gave none.
    failed: Option<String>,
}

/// What is read of a benchmark's document.
#[derive(Deserialize)]
struct Targets {
    targets: Vec<Figure>,
}

/// Measures all. Gives whether all ran and all targets were met.
///
/// # Errors
/// When the program cannot be built, no benchmark has that name, or the result cannot be written. What fails
/// in one benchmark is told and does not keep the others from running.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let suites = chosen(&options.only)?;
    build::run(workspace)?;
    let program = std::env::current_exe().context("find this program")?;
    let mut measured = Vec::new();
    for suite in suites {
        if let Some(signal) = interrupt::signal() {
            bail!("interrupted by signal {signal}");
        }
        say(format_args!("benchmark {}", suite.name));
        let result = measure(suite, workspace, &program, options.quick);
        if let Some(failed) = &result.failed {
            say(format_args!("benchmark {} failed: {failed}", suite.name));
        }
        measured.push(result);
    }
    let document = Document {
        host: Host::read(workspace)?,
        quick: options.quick,
        met: measured.iter().all(Measured::is_met),
        suites: measured,
    };
    if let Some(file) = &options.write {
        let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let text = markdown::put(&text, &markdown::of(&document))
            .with_context(|| format!("put the figures into {}", file.display()))?;
        fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    }
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        show(&document);
    }
    Ok(document.met)
}

impl Measured {
    fn is_met(&self) -> bool {
        self.failed.is_none() && self.targets.iter().all(|target| target.met)
    }
}

fn chosen(only: &[String]) -> Result<Vec<&'static Suite>> {
    let known = || SUITES.map(|suite| suite.name).join(", ");
    for name in only {
        if !SUITES.iter().any(|suite| suite.name == name) {
            bail!("there is no benchmark {name:?}: there are {}", known());
        }
    }
    let is_chosen = |suite: &&Suite| only.is_empty() || only.iter().any(|name| name == suite.name);
    Ok(SUITES.iter().filter(is_chosen).collect())
}

fn measure(
    suite: &'static Suite,
    workspace: &Workspace,
    program: &std::path::Path,
    quick: bool,
) -> Measured {
    let started = Instant::now();
    let mut step = Step::new(program)
        .args(["bench", suite.name, "--json"])
        .args(if quick { suite.quick } else { suite.full })
        .time_limit(suite.time_limit);
    if let Some(flag) = suite.program_flag {
        step = step.arg(flag).arg(workspace.tapline());
    }
    let mut printed = String::new();
    let ended = step.lines(|line| {
        printed.push_str(line);
        printed.push('\n');
    });
    let result = ended.and_then(|status| {
        let Targets { targets } = serde_json::from_str(&printed)
            .with_context(|| format!("it ended with {status} and without a result"))?;
        Ok((targets, serde_json::from_str(&printed)?))
    });
    let (targets, result, failed) = match result {
        Ok((targets, result)) => (targets, Some(result), None),
        Err(error) => (Vec::new(), None, Some(format!("{error:#}"))),
    };
    Measured {
        name: suite.name,
        seconds: started.elapsed().as_secs_f64(),
        targets,
        result,
        failed,
    }
}

fn show(document: &Document) {
    print(&document.host);
    for measured in &document.suites {
        print(format_args!(
            "\n{} ({:.0} s)",
            measured.name, measured.seconds
        ));
        for target in &measured.targets {
            print(format_args!("  {target}"));
        }
        if let Some(failed) = &measured.failed {
            print(format_args!("  FAILED  {failed}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_chosen_by_their_names() {
        let check = |only: &[&str], expected: Option<usize>| {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            assert_eq!(
                chosen(&only).ok().map(|suites| suites.len()),
                expected,
                "{only:?}"
            );
        };
        check(&[], Some(SUITES.len()));
        check(&["kernel"], Some(1));
        check(&["sinks", "kernel"], Some(2));
        check(&["kernel", "colonel"], None);
    }

    #[test]
    fn what_a_benchmark_prints_is_understood() {
        let text = r#"{"measured": [], "targets": [
            {"name": "a", "value": 1.5, "bound": "at_most", "limit": 2.0, "unit": "ns", "met": true},
            {"name": "b", "value": null, "bound": "at_least", "limit": 2.0, "unit": "ns", "met": false}
        ]}"#;
        let Targets { targets } = serde_json::from_str(text).unwrap();
        assert_eq!(targets[0].to_string(), "met     a: 1.5 ns (at most 2)");
        assert_eq!(targets[1].to_string(), "MISSED  b: nothing ns (at least 2)");
    }
}
