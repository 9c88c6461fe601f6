//! `cargo xtask bench code`: what single parts of the program cost, by its own benchmarks (`cargo bench`): heads taken
//! apart, lines made, rows stored, records sent.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::{
    bench::target::{Target, print_document},
    process::Step,
    report::{print, say},
    workspace::Workspace,
};

/// What this is called among all benchmarks.
pub(crate) const NAME: &str = "code";

/// Benchmarks whose figures are nanoseconds of CPU time, by criterion.
const TIMED: [&str; 2] = ["heads", "lines"];
/// Benchmarks that say lines of their own, with what makes them short: counts of rows, or of records.
const COUNTED: [(&str, &[&str]); 2] = [("store", &["300000", "200000"]), ("api", &["200000"])];

/// What `cargo xtask bench code` takes.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fewer rounds and rows
    #[arg(long)]
    quick: bool,
    /// Write the result as one JSON document to stdout
    #[arg(long)]
    json: bool,
}

/// One line of a benchmark.
#[derive(Debug, Serialize)]
struct Measured {
    bench: &'static str,
    name: String,
    value: f64,
    /// How far the rounds lie apart, to each side, where that is told.
    deviation: Option<f64>,
    unit: &'static str,
}

/// Builds all of them, so that no time of a measurement goes to it.
///
/// # Errors
/// When they do not build.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    cargo(
        workspace,
        TIMED.into_iter().chain(COUNTED.map(|(name, _)| name)),
    )
    .arg("--no-run")
    .run()
}

/// Measures. There are no targets in it: true.
///
/// # Errors
/// When one does not build or fails, or says what is not understood.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    build(workspace)?;
    say("measuring; whatever else runs here disturbs it");
    let mut measured = Vec::new();
    for name in TIMED {
        let mut step =
            cargo(workspace, [name]).args(["--", "--output-format", "bencher", "--noplot"]);
        if options.quick {
            step = step.args([
                "--warm-up-time",
                "0.1",
                "--measurement-time",
                "0.2",
                "--sample-size",
                "10",
            ]);
        }
        let said = step.time_limit(Duration::from_secs(600)).stdout()?;
        let before = measured.len();
        measured.extend(said.lines().filter_map(|line| timed(name, line)));
        if measured.len() == before {
            bail!("the benchmark {name} said {said:?}");
        }
    }
    for (name, counts) in COUNTED {
        let mut step = cargo(workspace, [name]).arg("--");
        if options.quick {
            step = step.args(counts);
        }
        let said = step.time_limit(Duration::from_secs(600)).stdout()?;
        let before = measured.len();
        measured.extend(said.lines().flat_map(|line| counted(name, line)));
        if measured.len() == before {
            bail!("the benchmark {name} said {said:?}");
        }
    }
    let targets: Vec<Target> = measured.iter().map(Measured::target).collect();
    if options.json {
        print_document(&measured, &targets)?;
    } else {
        for target in &targets {
            print(target);
        }
    }
    Ok(true)
}

impl Measured {
    fn target(&self) -> Target {
        let Self {
            bench,
            name,
            value,
            deviation,
            unit,
        } = self;
        let mut target = Target::beside(format!("{bench}: {name}"), *value, unit);
        target.spread = deviation.map(|deviation| [value - deviation, value + deviation]);
        target
    }
}

fn cargo(workspace: &Workspace, benches: impl IntoIterator<Item = &'static str>) -> Step {
    let mut step = Step::cargo("bench").folder(&workspace.root).args([
        "--locked",
        "--quiet",
        "--package",
        "tapline",
    ]);
    for name in benches {
        step = step.args(["--bench", name]);
    }
    step
}

/// A line like `test line/classic/clean ... bench:         512 ns/iter (+/- 12)`.
fn timed(bench: &'static str, line: &str) -> Option<Measured> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... bench:")?;
    let (value, rest) = rest.split_once(" ns/iter (+/- ")?;
    let number = |text: &str| text.trim().replace(',', "").parse().ok();
    Some(Measured {
        bench,
        name: name.trim().to_owned(),
        value: number(value)?,
        deviation: number(rest.trim_end().strip_suffix(')')?),
        unit: "ns",
    })
}

/// The figures of a line like `sessions: 500 rows in 1.6 s: 312 rows/s, 400 bytes a row, 2.9 µs of CPU a row`.
fn counted(bench: &'static str, line: &str) -> Vec<Measured> {
    let Some((name, rest)) = line.split_once(": ") else {
        return Vec::new();
    };
    let figure = |behind: &str| {
        let (before, _) = rest.split_once(behind)?;
        before.rsplit([' ', ':']).next()?.parse().ok()
    };
    [
        (" rows/s,", "rows/s"),
        (" records/s,", "records/s"),
        (" µs of CPU a ", "µs of CPU each"),
    ]
    .into_iter()
    // What is said on the way has no rate of the whole.
    .filter(|_| !rest.contains("of late"))
    .filter_map(|(behind, unit)| {
        Some(Measured {
            bench,
            name: name.to_owned(),
            value: figure(behind)?,
            deviation: None,
            unit,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_criterion_says_is_understood() {
        let found = timed(
            "lines",
            "test line/classic/clean ... bench:       1,512 ns/iter (+/- 12)",
        );
        let found = found.unwrap();
        assert_eq!(found.name, "line/classic/clean");
        assert_eq!((found.value, found.deviation), (1512.0, Some(12.0)));
        for line in ["", "running 3 tests", "test x ... ok"] {
            assert!(timed("lines", line).is_none(), "{line}");
        }
    }

    #[test]
    fn what_the_others_say_is_understood() {
        let check = |line: &str, expected: &[(f64, &str)]| {
            let found = counted("x", line);
            let found: Vec<(f64, &str)> = found.iter().map(|one| (one.value, one.unit)).collect();
            assert_eq!(found, expected, "{line}");
        };
        check(
            "sessions: 300000 rows in 1.6 s: 312500 rows/s, 400 bytes a row, 2.90 µs of CPU a row",
            &[(312_500.0, "rows/s"), (2.9, "µs of CPU each")],
        );
        check(
            "single objects, 32 connections: 9.50 µs of CPU a record, 30000 records/s, 400 bytes a record, 0 spooled on the way",
            &[(30_000.0, "records/s"), (9.5, "µs of CPU each")],
        );
        check("sessions: 500000 stored, of late 9 rows/s", &[]);
        check("records 5", &[]);
    }
}
