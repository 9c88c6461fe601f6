//! `tapline report --follow`: the report of files that grow, written again while they do.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;

use super::{ReportArguments, Show, style, write};
use crate::analysis::output;
use crate::analysis::report::{Report, SourceState};
use crate::analysis::run::Options;
use crate::config::parse_duration;
use crate::exit::{Exit, UsageError};
use crate::generate::stop::Stop;
use crate::watch::engine::{Counting, Engine};
use crate::watch::patterns;
use crate::watch::work::say;

/// How often the report is written again, unless told.
pub(in crate::cli) const INTERVAL: &str = "5s";

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What a terminal is told before a report takes the place of the one before.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J\x1b[3J";

/// Reads an interval as it is typed.
pub(in crate::cli) fn interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|error| error.to_string())?;
    match interval >= Duration::from_millis(100) {
        true => Ok(interval),
        false => Err("must be at least 100ms".to_owned()),
    }
}

/// Follows the files until it is told to stop; then the report is written once more.
///
/// # Errors
/// A source is no file, or the report cannot be written.
pub(super) fn follow(
    options: &Options,
    arguments: &ReportArguments,
    interval: Duration,
) -> anyhow::Result<Exit> {
    let stop = Stop::on_signals();
    let mut engine = Engine::new(
        &files(&options.sources)?,
        Counting {
            format: options.format.clone(),
            format_text: options.format_text.clone(),
            flags: options.flags.clone(),
            zone: options.zone.clone(),
            range: options.range,
            condition: options.condition.clone(),
            top: options.top,
            last: match arguments.show {
                // All of a round are shown, which is bounded itself.
                Show::Lines => usize::MAX,
                _ => options.last,
            },
        },
        None,
        options.now.as_second(),
    );
    let style = style(arguments, io::stdout().is_terminal());
    let mut next = Instant::now();
    let mut shown = None;
    loop {
        let is_last = stop.is_told();
        let round = engine.round(Instant::now(), Timestamp::now(), &mut |_records| {});
        say(&round);
        if is_last {
            engine.end(Timestamp::now(), &mut |_records| {});
        }
        if arguments.show == Show::Lines {
            print_lines(&mut engine)?;
        } else if is_last || (Instant::now() >= next && (!round.more || shown.is_some())) {
            next = Instant::now() + interval;
            // What has not changed is not said again.
            if shown.replace(engine.lines()) != Some(engine.lines()) {
                print(&engine.report(), arguments.show, &style)?;
            }
        }
        if is_last {
            return Ok(exit(&engine.report()));
        }
        if !round.more {
            stop.sleep_until(Instant::now() + LOOK.min(interval));
        }
    }
}

/// The files and patterns that were named.
fn files(sources: &[String]) -> Result<Vec<PathBuf>, UsageError> {
    if sources.iter().any(|source| source == "-") {
        return Err(UsageError(
            "--follow is for files: standard input has an end, and its report comes then"
                .to_owned(),
        ));
    }
    let names: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
    patterns::check(&names).map_err(|error| UsageError(error.to_string()))?;
    Ok(names)
}

fn print(report: &Report, show: Show, style: &output::Style) -> anyhow::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let clear = match style.terminal {
        true => CLEAR,
        false => b"",
    };
    stdout
        .write_all(clear)
        .and_then(|()| write(report, show, style, &mut stdout))
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
}

fn print_lines(engine: &mut Engine) -> anyhow::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    engine
        .take_lines()
        .iter()
        .try_for_each(|line| writeln!(stdout, "{line}"))
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")
}

/// As without `--follow`: it failed only where nothing could be read.
fn exit(report: &Report) -> Exit {
    let is_read = report.sources.iter().any(|source| {
        source.lines.parsed > 0 || source.lines.failed == 0 && source.state != SourceState::Unread
    });
    match is_read {
        true => Exit::Done,
        false => Exit::Failed,
    }
}
