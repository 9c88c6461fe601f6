//! `cargo xtask bench`: all benchmarks in turn, each in a process of its own, as one table or document.

mod host;
mod markdown;
mod suite;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

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
    /// Leave these out
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    skip: Vec<String>,
    /// Measure this program instead of building one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
    /// Put the figures into this file, between its marks (docs/BENCHMARKS.md); rows of benchmarks that did not run
    /// stay
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// All results.
#[derive(Debug, Serialize)]
struct Document {
    host: Host,
    quick: bool,
    /// The signal before whose coming this was measured.
    interrupted: Option<i32>,
    /// All of it, without what was built before.
    seconds: f64,
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

/// Measures all. Gives whether all ran and all targets were met. After a signal that is what was measured until
/// then.
///
/// # Errors
/// When the program cannot be built, no benchmark has that name, or the result cannot be written. What fails
/// in one benchmark is told and does not keep the others from running.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let suites = chosen(&options.only, &options.skip)?;
    if let Some(file) = &options.write {
        // Before hours are spent.
        markdown::between(&read(file)?).with_context(|| format!("use {}", file.display()))?;
    }
    let host = Host::read(workspace)?;
    let tapline = match &options.program {
        Some(_) => build::given_or_release(workspace, options.program.as_deref())?,
        None => {
            build::run(workspace)?;
            workspace.tapline()
        }
    };
    let program = std::env::current_exe().context("find this program")?;
    for suite in &suites {
        // Of one that does not build its own run tells.
        if let Some(build) = suite.build
            && let Err(error) = build(workspace)
        {
            say(format_args!("benchmark {}: {error:#}", suite.name));
        }
    }
    let started = Instant::now();
    let mut measured = Vec::new();
    for suite in suites {
        if interrupt::signal().is_some() {
            break;
        }
        say(format_args!("benchmark {}", suite.name));
        let result = measure(suite, &tapline, &program, options.quick);
        match &result.failed {
            // It was stopped: that says nothing of it.
            Some(_) if interrupt::signal().is_some() => break,
            Some(failed) => say(format_args!("benchmark {} failed: {failed}", suite.name)),
            None => {}
        }
        measured.push(result);
    }
    let interrupted = interrupt::signal();
    let document = Document {
        host,
        quick: options.quick,
        interrupted,
        seconds: started.elapsed().as_secs_f64(),
        met: interrupted.is_none() && measured.iter().all(Measured::is_met),
        suites: measured,
    };
    if let Some(file) = options
        .write
        .as_ref()
        .filter(|_| !document.suites.is_empty())
    {
        let text = read(file)?;
        let figures = markdown::of(&document, markdown::between(&text)?);
        let text = markdown::put(&text, &figures)
            .with_context(|| format!("put the figures into {}", file.display()))?;
        fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    }
    if options.json {
        print(serde_json::to_string_pretty(&document).context("write the result")?);
    } else {
        show(&document);
    }
    if let Some(signal) = interrupted {
        say(format_args!(
            "interrupted by signal {signal}: that is what was measured until then"
        ));
    }
    Ok(document.met)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}

impl Measured {
    fn is_met(&self) -> bool {
        self.failed.is_none() && self.targets.iter().all(|target| target.met)
    }
}

fn chosen(only: &[String], skip: &[String]) -> Result<Vec<&'static Suite>> {
    let known = || SUITES.map(|suite| suite.name).join(", ");
    for name in only.iter().chain(skip) {
        if !SUITES.iter().any(|suite| suite.name == name) {
            bail!("there is no benchmark {name:?}: there are {}", known());
        }
    }
    let is_chosen = |suite: &&Suite| {
        let named = |names: &[String]| names.iter().any(|name| name == suite.name);
        (only.is_empty() || named(only)) && !named(skip)
    };
    let chosen: Vec<&Suite> = SUITES.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        bail!("no benchmark is left: --skip takes away all that --only names");
    }
    Ok(chosen)
}

fn measure(suite: &'static Suite, tapline: &Path, program: &Path, quick: bool) -> Measured {
    let started = Instant::now();
    let mut step = Step::new(program)
        .args(["bench", suite.name, "--json"])
        .args(if quick { suite.quick } else { suite.full })
        .time_limit(suite.time_limit);
    if let Some(flag) = suite.program_flag {
        step = step.arg(flag).arg(tapline);
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
    print(format_args!("{}; {:.0} s", document.host, document.seconds));
    let figures = || document.suites.iter().flat_map(|suite| &suite.targets);
    let width = |text: fn(&Figure) -> String| {
        let widths = figures().map(|figure| text(figure).chars().count());
        widths.max().unwrap_or(0)
    };
    let name = width(|figure| figure.name.clone()).max(6);
    let measured = width(Figure::measured).max(6);
    let spread = width(Figure::spread).max(11);
    let asked = width(Figure::asked).max(6);
    print(format_args!(
        "  {:<name$}  {:>measured$}  {:>spread$}  {:<asked$}",
        "figure", "median", "middle half", "target"
    ));
    for suite in &document.suites {
        print(format_args!("{} ({:.0} s)", suite.name, suite.seconds));
        for figure in &suite.targets {
            print(format_args!(
                "  {:<name$}  {:>measured$}  {:>spread$}  {:<asked$}  {}",
                figure.name,
                figure.measured(),
                figure.spread(),
                figure.asked(),
                figure.verdict()
            ));
        }
        if let Some(failed) = &suite.failed {
            print(format_args!("  FAILED  {failed}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_chosen_by_their_names() {
        let check = |only: &[&str], skip: &[&str], expected: Option<usize>| {
            let [named, skipped] =
                [only, skip].map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(
                chosen(&named, &skipped).ok().map(|suites| suites.len()),
                expected,
                "{only:?} {skip:?}"
            );
        };
        check(&[], &[], Some(SUITES.len()));
        check(&["kernel"], &[], Some(1));
        check(&["sinks", "kernel"], &[], Some(2));
        check(&["sinks", "kernel"], &["kernel"], Some(1));
        check(&[], &["dashboard"], Some(SUITES.len() - 1));
        check(&["kernel", "colonel"], &[], None);
        check(&[], &["colonel"], None);
        check(&["kernel"], &["kernel"], None);
    }

    #[test]
    fn what_a_benchmark_prints_is_understood() {
        let text = r#"{"measured": [], "targets": [
            {"name": "a", "value": 1.5, "spread": [1.25, 2000.0], "bound": "at_most", "limit": 2.0, "unit": "ns", "met": true},
            {"name": "b", "value": null, "bound": "at_least", "limit": 2.0, "unit": "ns", "met": false},
            {"name": "c", "value": 7.0, "unit": "", "met": true}
        ]}"#;
        let Targets { targets } = serde_json::from_str(text).unwrap();
        let shown = |figure: &Figure| {
            let verdict = figure.verdict().to_owned();
            [figure.measured(), figure.spread(), figure.asked(), verdict]
        };
        let found: Vec<[String; 4]> = targets.iter().map(shown).collect();
        let expected = [
            ["1.5 ns", "1.25–2000", "at most 2", "met"],
            ["nothing ns", "", "at least 2", "MISSED"],
            ["7", "", "", ""],
        ];
        assert_eq!(found, expected.map(|row| row.map(str::to_owned)));
    }
}
