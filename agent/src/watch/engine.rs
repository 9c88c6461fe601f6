//! What `watch` and `report --follow` do, step by step: reads what is new in the files, counts it,
//! hands it to the store, if there is one, and makes reports. It waits for nothing and keeps no clock:
//! its caller does.

mod watched;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::follow::{Event, Line};
use super::patterns::{self, Patterns};
use super::records::{Place, Records};
use crate::analysis::filter::Condition;
use crate::analysis::format::{Entry, Parsed};
use crate::analysis::report::{Asked, Lines, Report};
use crate::analysis::run::{Chosen, Range, detector};
use crate::analysis::statistics::Statistics;
use crate::http::redact::Redactor;
use crate::sink::batch::Batch;
pub(super) use watched::Watched;
use watched::{count, harmless, hash_of, keep, name};

/// Bytes that are read of a file before the others have their turn.
const TURN: u64 = 4 << 20;

/// Records that are handed to the store at once.
const BATCH: usize = 4096;

/// Lines that a report shows of the last ones, unless told otherwise.
const LAST: usize = 50;

/// Rows of a table of the report.
const ROWS: usize = 50;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// What is counted of the lines, and how they are read.
#[derive(Clone, Debug)]
pub struct Counting {
    /// The format of the lines; `None`: it is told from them.
    pub format: Option<Chosen>,
    /// It as it was typed.
    pub format_text: Option<String>,
    /// Further flags that commands name again.
    pub flags: Vec<String>,
    /// The zone of times without one.
    pub zone: TimeZone,
    /// The time that is asked for.
    pub range: Range,
    /// Only what meets it.
    pub condition: Option<Condition>,
    /// Rows of a table.
    pub top: usize,
    /// Last lines that are kept.
    pub last: usize,
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            format: None,
            format_text: None,
            flags: Vec::new(),
            zone: TimeZone::system(),
            range: Range::default(),
            condition: None,
            top: ROWS,
            last: LAST,
        }
    }
}

impl Counting {
    fn counts(&self, entry: &Entry<'_>) -> bool {
        let condition = self.condition.as_ref();
        self.range.has(entry.time_us) && condition.is_none_or(|condition| condition.meets(entry))
    }
}

/// What is stored.
#[derive(Debug)]
pub struct Storing {
    /// Takes secrets out of targets and referrers.
    pub redactor: Redactor,
    /// Requests of the last so many days; `None`: all.
    pub days: Option<u32>,
}

/// Follows files, counts and stores what they say.
#[derive(Debug)]
pub struct Engine {
    /// Files and patterns, as they were named.
    names: Vec<PathBuf>,
    files: Vec<Watched>,
    patterns: Patterns,
    /// Lines of files that are no longer followed.
    of_gone: Lines,
    counting: Counting,
    statistics: Statistics,
    /// Where requests go as records, and the days that are stored; `None`: nothing is.
    records: Option<(Records, Option<u32>)>,
    batch: Batch,
    last_lines: VecDeque<String>,
    /// Requests that are too old, or too far in the future, to be stored.
    not_stored: u64,
    /// Lines of one turn, each with its end, and where each begins.
    text: Vec<u8>,
    places: Vec<(usize, u64)>,
}

/// What came of a round.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// There may be more at once.
    pub more: bool,
    /// What was noticed at files.
    pub events: Vec<(PathBuf, Event)>,
    /// Files that could not be read, and why; each is said once.
    pub problems: Vec<(PathBuf, String)>,
    /// What a pattern matches and is not followed, and why; each is said once.
    pub passed: Vec<(PathBuf, &'static str)>,
}

impl Engine {
    /// Follows these files, and those that the patterns among them match, also later ones. `storing`: what
    /// becomes a record for the store. `now_s`: seconds since 1970.
    #[must_use]
    pub fn new(
        names: &[PathBuf],
        counting: Counting,
        storing: Option<Storing>,
        now_s: i64,
    ) -> Self {
        let (patterns, files) = patterns::among(names);
        Self {
            names: names.to_owned(),
            files: files.iter().map(|path| Watched::new(path, false)).collect(),
            patterns,
            of_gone: Lines::default(),
            counting,
            statistics: Statistics::new(now_s),
            records: storing.map(|storing| (Records::new(storing.redactor), storing.days)),
            batch: Batch::default(),
            last_lines: VecDeque::new(),
            not_stored: 0,
            text: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Reads what is new, a turn a file, and gives records for the store to `store`.
    pub fn round(
        &mut self,
        now: Instant,
        today: Timestamp,
        store: &mut dyn FnMut(Arc<Batch>),
    ) -> Round {
        let mut round = Round::default();
        self.look(now, today, &mut round, store);
        for index in 0..self.files.len() {
            let Some(file) = self.files.get_mut(index) else {
                continue;
            };
            let path = file.follower.path().to_owned();
            let (text, places) = (&mut self.text, &mut self.places);
            let mut line = |line: Line<'_>| keep(text, places, &line);
            let mut event = |event| round.events.push((path.clone(), event));
            match file.follower.poll(now, TURN, &mut line, &mut event) {
                Ok(more) => {
                    round.more |= more;
                    file.problem = None;
                }
                Err(error) => {
                    let error = error.to_string();
                    if file.problem.as_ref() != Some(&error) {
                        round.problems.push((path.clone(), error.clone()));
                    }
                    file.problem = Some(error);
                }
            }
            self.take(index, today, store);
        }
        self.flush(store);
        round
    }

    /// Takes the last lines too, those without an end.
    pub fn end(&mut self, today: Timestamp, store: &mut dyn FnMut(Arc<Batch>)) {
        for index in 0..self.files.len() {
            if let Some(file) = self.files.get_mut(index) {
                let (text, places) = (&mut self.text, &mut self.places);
                file.follower.end(&mut |line| keep(text, places, &line));
            }
            self.take(index, today, store);
        }
        self.flush(store);
    }

    /// Takes files that patterns match and that are new, and leaves those that are gone for a while.
    fn look(
        &mut self,
        now: Instant,
        today: Timestamp,
        round: &mut Round,
        store: &mut dyn FnMut(Arc<Batch>),
    ) {
        let Some(looked) = self.patterns.look(now, &mut self.files) else {
            return;
        };
        round.passed.extend(looked.passed);
        let new = looked.new.iter().map(|path| Watched::new(path, true));
        self.files.extend(new);
        // From the last on: the places of those before stay.
        for index in looked.left.into_iter().rev() {
            if let Some(file) = self.files.get_mut(index) {
                let (text, places) = (&mut self.text, &mut self.places);
                file.follower.end(&mut |line| keep(text, places, &line));
            }
            self.take(index, today, store);
            let gone = self.files.remove(index);
            self.of_gone.add(&gone.lines, watched::FAILED);
        }
    }

    /// The report of all that was read so far.
    #[must_use]
    pub fn report(&mut self) -> Report {
        let mut lines = self.of_gone.clone();
        for file in &self.files {
            lines.add(&file.lines, watched::FAILED);
        }
        let counted = self.statistics.report_so_far(self.counting.top);
        let counting = &self.counting;
        Report {
            asked: Asked {
                since: counting.range.since,
                until: counting.range.until,
                from_end: None,
                condition: counting.condition.as_ref().map(|one| one.text.clone()),
                flags: counting.flags.clone(),
                sources: self.names.iter().map(|path| name(path)).collect(),
                log_format: counting.format_text.clone(),
                store: None,
            },
            sources: self.files.iter().map(Watched::source).collect(),
            lines,
            last_lines: self.last_lines.iter().cloned().collect(),
            ..counted
        }
    }

    /// The last lines that were counted since this was asked, made harmless.
    pub fn take_lines(&mut self) -> VecDeque<String> {
        std::mem::take(&mut self.last_lines)
    }

    /// Lines that were read so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        let followed: u64 = self.files.iter().map(|file| file.lines.read).sum();
        followed + self.of_gone.read
    }

    /// Requests that are too old, or too far in the future, to be stored; the report counts them.
    #[must_use]
    pub fn not_stored(&self) -> u64 {
        self.not_stored
    }

    /// Takes the lines of a turn apart, counts and stores them.
    fn take(&mut self, index: usize, today: Timestamp, store: &mut dyn FnMut(Arc<Batch>)) {
        let Some(file) = self.files.get_mut(index) else {
            return;
        };
        if self.places.is_empty() {
            return;
        }
        let counting = &self.counting;
        let detector = file
            .detector
            .get_or_insert_with(|| detector(counting.format.as_ref(), &self.text, &counting.zone));
        let newest = today.as_microsecond().saturating_add(DAY_US);
        let days = self.records.as_ref().and_then(|(_, days)| *days);
        let oldest = days.map_or(i64::MIN, |days| {
            let span = DAY_US.saturating_mul(days.into());
            today.as_microsecond().saturating_sub(span)
        });
        let of_file = hash_of(file.follower.path().as_os_str().as_encoded_bytes());
        for (place, (begin, offset)) in self.places.iter().enumerate() {
            let end = self
                .places
                .get(place + 1)
                .map_or(self.text.len(), |next| next.0);
            let line = self.text.get(*begin..end).unwrap_or_default();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            file.lines.read += 1;
            file.lines.bytes += line.len() as u64 + 1;
            let place = Place {
                of_line: hash_of(line) ^ of_file,
                offset: *offset,
            };
            let (statistics, records, batch) =
                (&mut self.statistics, &mut self.records, &mut self.batch);
            let not_stored = &mut self.not_stored;
            let pairing = &mut file.pairing;
            let mut is_counted = true;
            let mut take = |entry: &Entry<'_>| {
                is_counted = counting.counts(entry);
                if is_counted {
                    statistics.add(entry);
                }
                let Some((records, _)) = records else {
                    return;
                };
                let time = entry.time_us.unwrap_or(i64::MAX);
                match (oldest..=newest).contains(&time) {
                    // A batch has far more room than its records take.
                    true => drop(records.push(entry, place, batch)),
                    false => *not_stored += u64::from(entry.is_request()),
                }
            };
            let taken = detector.parse(line, |parsed| match parsed {
                Parsed::Entry(entry) => {
                    take(&entry);
                    true
                }
                Parsed::Head(head) => {
                    pairing.take(&head, take);
                    true
                }
                Parsed::Nothing => false,
            });
            count(&mut file.lines, taken, is_counted, &file.follower, line);
            if matches!(taken, Ok(true)) && is_counted {
                if self.last_lines.len() >= counting.last {
                    self.last_lines.pop_front();
                }
                self.last_lines.push_back(harmless(line));
            }
            if self.batch.len() >= BATCH {
                store(Arc::new(std::mem::take(&mut self.batch)));
            }
        }
        self.text.clear();
        self.places.clear();
    }

    fn flush(&mut self, store: &mut dyn FnMut(Arc<Batch>)) {
        if !self.batch.is_empty() {
            store(Arc::new(std::mem::take(&mut self.batch)));
        }
    }
}
