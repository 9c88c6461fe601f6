//! Reads logs and makes the report: the only place here that opens files and starts threads.

mod account;
mod store;
mod worker;

use std::path::PathBuf;
use std::thread;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::filter::Condition;
use super::format::detect::Detector;
use super::format::{Format, Pattern, Reader};
use super::input::{self, Block, NoFiles, Opened, Place};
use super::report::{Asked, Lines, Report, Source, SourceState, Warning, WarningKind};
use account::{Account, warnings_of};
use worker::Worker;

/// Blocks in which lines are looked for to tell their format from: there may be nothing but lines that
/// are too long.
const BEGIN: usize = 8;

/// What is to be read, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files, patterns, `-` for standard input.
    pub sources: Vec<String>,
    /// Read the rotated files of each too.
    pub rotated: bool,
    /// The folder of a store whose exchanges are read.
    pub store: Option<PathBuf>,
    /// The format of the lines; `None`: it is told from them.
    pub format: Option<Chosen>,
    /// `--log-format` as it was typed.
    pub format_text: Option<String>,
    /// Further flags that say how the sources are read, as they were typed: a command that shows
    /// lines names them again.
    pub flags: Vec<String>,
    /// The zone of times without one.
    pub zone: TimeZone,
    /// What is more than a day later is in the future.
    pub now: Timestamp,
    /// The time that is asked for.
    pub range: Range,
    /// The time to compare with.
    pub before: Option<Range>,
    /// Only what meets it.
    pub condition: Option<Condition>,
    /// Threads that take lines apart.
    pub jobs: usize,
    /// Rows of lists.
    pub top: usize,
    /// Lines that are kept as they are, the newest.
    pub last: usize,
}

/// A time from and to, half open; `None`: without end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Range {
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

impl Range {
    /// Whether a time lies in it; no time does only where it has no end.
    pub(crate) fn has(&self, time_us: Option<i64>) -> bool {
        if *self == Self::default() {
            return true;
        }
        let Some(time) = time_us else { return false };
        self.since
            .is_none_or(|since| time >= since.as_microsecond())
            && self.until.is_none_or(|until| time < until.as_microsecond())
    }
}

/// A format that was named.
#[derive(Clone, Debug)]
pub enum Chosen {
    /// By its name.
    Named(Format),
    /// By a format string.
    Pattern(Pattern),
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Whether anything could be read. An empty file could.
    pub is_read: bool,
}

/// Reads all that was named and makes the report. What cannot be read stands in it.
///
/// # Errors
/// A pattern of names is none.
pub fn run(options: &Options) -> Result<Outcome, NoFiles> {
    let places = input::places(&options.sources, options.rotated)?;
    let mut workers: Vec<Worker<'_>> = Vec::new();
    let first = Worker::new(options);
    for _ in 1..options.jobs.max(1) {
        workers.push(first.fresh());
    }
    workers.insert(0, first);
    let mut sources = Vec::new();
    let mut warnings = Vec::new();
    for place in &places {
        let account = read(place, options, &mut workers);
        warnings.extend(warnings_of(&account));
        sources.push(account.source);
    }
    if let Some(directory) = &options.store {
        let source = store::read(directory, options, &mut workers[0]);
        warnings.extend(account::unread_warning(&source));
        sources.push(source);
    }
    let mut workers = workers.into_iter();
    let Some(mut worker) = workers.next() else {
        return Err(NoFiles::Pattern {
            pattern: String::new(),
            reason: "there is nobody to read",
        });
    };
    for other in workers {
        worker.merge(other);
    }
    let orphans = worker.end();
    if orphans > 0 {
        warnings.push(Warning {
            kind: WarningKind::Unpaired,
            source: None,
            count: orphans,
            text: format!("{orphans} responses have no request in the log: they are not counted"),
        });
    }
    let is_read = sources.iter().any(|source| {
        source.lines.parsed > 0 || source.lines.failed == 0 && source.state != SourceState::Unread
    });
    Ok(Outcome {
        report: report(worker, options, sources, warnings),
        is_read,
    })
}

fn report(
    worker: Worker<'_>,
    options: &Options,
    sources: Vec<Source>,
    mut warnings: Vec<Warning>,
) -> Report {
    let mut lines = Lines::default();
    for source in &sources {
        account::add(&mut lines, &source.lines);
    }
    let asked = |range: &Range| Asked {
        since: range.since,
        until: range.until,
        condition: options.condition.as_ref().map(|one| one.text.clone()),
        sources: options.sources.clone(),
        store: options
            .store
            .as_ref()
            .map(|directory| directory.to_string_lossy().into_owned()),
        log_format: options.format_text.clone(),
        flags: options.flags.clone(),
    };
    if lines.counted == 0 && lines.left_out > 0 {
        warnings.push(Warning {
            kind: WarningKind::NothingAsked,
            source: None,
            count: lines.left_out,
            text: format!(
                "none of the {} lines that were read lies in the time, or meets the condition, that was asked for",
                lines.left_out
            ),
        });
    }
    let last_lines = worker.last_lines();
    let (mut current, before) = worker.statistics();
    let before = before.zip(options.before).map(|(mut before, range)| {
        Box::new(Report {
            asked: asked(&range),
            ..before.report(options.top)
        })
    });
    let mut report = current.report(options.top);
    warnings.append(&mut report.warnings);
    Report {
        asked: asked(&options.range),
        sources,
        lines,
        warnings,
        last_lines,
        before,
        ..report
    }
}

/// Reads one source.
fn read(place: &Place, options: &Options, workers: &mut [Worker<'_>]) -> Account {
    let mut account = Account::new(place.name());
    let opened = match place.open() {
        Ok(opened) => opened,
        Err(error) => {
            account.source.state = SourceState::Unread;
            account.source.problem = Some(format!("cannot be read: {error}"));
            return account;
        }
    };
    let begun = begin(&opened);
    if let Some(first) = begun.last() {
        account.look_at(first.lines());
        let detector = detector(options.format.as_ref(), first.lines(), &options.zone);
        account.look_for_numbers(detector.format(), first.lines());
        let most = match detector.needs_order() {
            true => 1,
            false => opened.readers(workers.len()),
        };
        let workers = workers.get_mut(..most).unwrap_or_default();
        for worker in workers.iter_mut() {
            worker.begin(&account.source.name, detector.fresh());
        }
        if let Some((worker, others)) = workers.split_first_mut() {
            thread::scope(|scope| {
                for other in others {
                    scope.spawn(|| work(other, &opened, Block::default()));
                }
                begun.iter().for_each(|block| worker.take(block));
                work(worker, &opened, Block::default());
            });
        }
        for worker in workers {
            account.add(worker.finish());
        }
    }
    account.end(&opened);
    account
}

/// What takes lines apart: of the format that was named, or of the one that these lines have.
pub(crate) fn detector(format: Option<&Chosen>, lines: &[u8], zone: &TimeZone) -> Detector {
    match format {
        None => Detector::of(lines, zone),
        Some(Chosen::Named(format)) => Detector::named(Reader::new(*format, zone.clone())),
        Some(Chosen::Pattern(pattern)) => {
            Detector::named(Reader::of_pattern(pattern.clone(), zone.clone()))
        }
    }
}

/// The first blocks, up to one with lines to tell the format from.
fn begin(opened: &Opened) -> Vec<Block> {
    let mut begun = Vec::new();
    for _ in 0..BEGIN {
        let mut block = Block::default();
        if !opened.next(&mut block) {
            break;
        }
        let has_lines = !block.lines().is_empty();
        begun.push(block);
        if has_lines {
            break;
        }
    }
    begun
}

/// Takes block after block.
fn work(worker: &mut Worker<'_>, opened: &Opened, mut block: Block) {
    while opened.next(&mut block) {
        worker.take(&block);
    }
}
