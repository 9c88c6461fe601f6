//! Reads logs and makes the report: the only place here that opens files and starts threads.

mod account;
mod last;
mod shared;
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
pub(crate) use last::last_of;
pub use last::last_time;
use shared::Shared;
use worker::{Counted, Worker};

/// Blocks in which lines are looked for to tell their format from: there may be nothing but lines that
/// are too long.
const BEGIN: usize = 8;

/// Blocks after which a thread looks how much memory its counts take.
const LOOK: u64 = 4;

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
    /// Where relative times were counted from the end of the log: that end.
    pub from_end: Option<Timestamp>,
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
    let found = input::places(&options.sources, options.rotated)?;
    let mut first = Worker::new(options);
    let others = (1..options.jobs.max(1)).map(|_| first.fresh());
    let mut others: Vec<Worker<'_>> = others.collect();
    let shared = Shared::new(options.jobs);
    let mut sources = Vec::new();
    let mut warnings: Vec<Warning> = found
        .skipped
        .iter()
        .map(|path| account::skipped_warning(path))
        .collect();
    for place in &found.places {
        let account = read(place, options, &shared, &mut first, &mut others);
        warnings.extend(warnings_of(&account));
        sources.push(account.source);
    }
    if let Some(directory) = &options.store {
        let source = store::read(directory, options, &mut first);
        warnings.extend(account::unread_warning(&source));
        sources.push(source);
    }
    let orphans = first.end();
    let mut counted = shared.end(first.give());
    for mut other in others {
        counted.merge(other.give());
        first.take_last(other);
    }
    let last_lines = first.last_lines();
    let newest = first.newest();
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
        report: Report {
            last_lines,
            ..report(counted, options, newest, sources, warnings)
        },
        is_read,
    })
}

fn report(
    counted: Counted,
    options: &Options,
    newest: Option<Timestamp>,
    sources: Vec<Source>,
    mut warnings: Vec<Warning>,
) -> Report {
    let mut lines = Lines::default();
    for source in &sources {
        lines.add(&source.lines, account::ALL_SAMPLES);
    }
    let asked = |range: &Range| Asked {
        since: range.since,
        until: range.until,
        from_end: options.from_end,
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
                "none of the {} lines that were read lies in the time, or meets the condition, that was asked for{}",
                lines.left_out,
                hint(options, newest)
            ),
        });
    }
    let Counted {
        mut current,
        before,
    } = counted;
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
        before,
        ..report
    }
}

/// Where relative times may have missed the log.
fn hint(options: &Options, newest: Option<Timestamp>) -> String {
    let is_behind = |newest: &Timestamp| options.range.since.is_some_and(|since| *newest < since);
    match newest.filter(is_behind) {
        Some(newest) if options.from_end.is_none() => format!(
            "; the last is of {newest:.0}: times like 1h count from now, with --from-end from there"
        ),
        _ => String::new(),
    }
}

/// Reads one source.
fn read<'o>(
    place: &Place,
    options: &Options,
    shared: &Shared,
    worker: &mut Worker<'o>,
    others: &mut [Worker<'o>],
) -> Account {
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
            false => opened.readers(others.len() + 1),
        };
        let others = others.get_mut(..most - 1).unwrap_or_default();
        for worker in others.iter_mut().chain([&mut *worker]) {
            worker.begin(&account.source.name, detector.fresh());
        }
        thread::scope(|scope| {
            for other in others.iter_mut() {
                scope.spawn(|| work(other, &opened, shared));
            }
            begun.iter().for_each(|block| worker.take(block));
            drop(begun);
            work(worker, &opened, shared);
        });
        account.add(worker.finish());
        for other in others {
            account.add(other.finish());
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
fn work(worker: &mut Worker<'_>, opened: &Opened, shared: &Shared) {
    let mut block = Block::default();
    for count in 1_u64.. {
        if !opened.next(&mut block) {
            break;
        }
        worker.take(&block);
        if count.is_multiple_of(LOOK) {
            shared.relieve(worker);
        }
    }
}
