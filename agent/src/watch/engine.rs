//! What `watch` and `report --follow` do, step by step: reads what is new in the files, counts it,
//! hands it to the store, if there is one, and makes reports. It waits for nothing and keeps no clock:
//! its caller does.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::follow::{Event, Follower, Line};
use super::records::{Place, Records};
use crate::analysis::filter::Condition;
use crate::analysis::format::detect::Detector;
use crate::analysis::format::{Entry, Parsed, Reason};
use crate::analysis::pairing::Pairing;
use crate::analysis::report::{Asked, Failed, Lines, Report, Source, SourceState};
use crate::analysis::run::{Chosen, Range, detector};
use crate::analysis::statistics::Statistics;
use crate::http::redact::Redactor;
use crate::sink::batch::Batch;
use crate::sink::log::text::append_plain;

/// Bytes that are read of a file before the others have their turn.
const TURN: u64 = 4 << 20;

/// Records that are handed to the store at once.
const BATCH: usize = 4096;

/// Lines that a report shows of the last ones, unless told otherwise.
const LAST: usize = 50;

/// Bytes of one.
const LONG: usize = 1024;

/// Lines that were not understood and are shown.
const FAILED: usize = 10;

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
    files: Vec<Watched>,
    counting: Counting,
    statistics: Statistics,
    /// Where requests go as records, and the days that are stored; `None`: nothing is.
    records: Option<(Records, Option<u32>)>,
    batch: Batch,
    last_lines: VecDeque<String>,
    /// Requests that are too old, or too far in the future, to be stored.
    not_stored: u64,
}

/// A file that is followed.
#[derive(Debug)]
struct Watched {
    follower: Follower,
    detector: Option<Detector>,
    /// Requests and responses that wait for the other.
    pairing: Pairing,
    lines: Lines,
    problem: Option<String>,
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
}

impl Engine {
    /// Follows these files. `storing`: what becomes a record for the store. `now_s`: seconds since
    /// 1970.
    #[must_use]
    pub fn new(
        files: &[PathBuf],
        counting: Counting,
        storing: Option<Storing>,
        now_s: i64,
    ) -> Self {
        let watched = |path: &PathBuf| Watched {
            follower: Follower::new(path),
            detector: None,
            pairing: Pairing::default(),
            lines: Lines::default(),
            problem: None,
            text: Vec::new(),
            places: Vec::new(),
        };
        Self {
            files: files.iter().map(watched).collect(),
            counting,
            statistics: Statistics::new(now_s),
            records: storing.map(|storing| (Records::new(storing.redactor), storing.days)),
            batch: Batch::default(),
            last_lines: VecDeque::new(),
            not_stored: 0,
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
        for index in 0..self.files.len() {
            let Some(file) = self.files.get_mut(index) else {
                continue;
            };
            let path = file.follower.path().to_owned();
            let (text, places) = (&mut file.text, &mut file.places);
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
                let (text, places) = (&mut file.text, &mut file.places);
                file.follower.end(&mut |line| keep(text, places, &line));
            }
            self.take(index, today, store);
        }
        self.flush(store);
    }

    /// The report of all that was read so far.
    #[must_use]
    pub fn report(&mut self) -> Report {
        let source = |file: &Watched| Source {
            name: name(file.follower.path()),
            formats: file
                .detector
                .iter()
                .flat_map(Detector::counts)
                .map(|(format, _)| format.name().to_owned())
                .collect(),
            lines: file.lines.clone(),
            state: match (&file.problem, file.lines.read) {
                (Some(_), 0) => SourceState::Unread,
                (Some(_), _) => SourceState::Partial,
                (None, 0) if file.follower.is_missing() => SourceState::Unread,
                (None, 0) => SourceState::Empty,
                (None, _) => SourceState::Whole,
            },
            problem: file.problem.clone().or_else(|| {
                let is_missing = file.lines.read == 0 && file.follower.is_missing();
                is_missing.then(|| "it is not there".to_owned())
            }),
        };
        let mut lines = Lines::default();
        for file in &self.files {
            lines.read += file.lines.read;
            lines.parsed += file.lines.parsed;
            lines.failed += file.lines.failed;
            lines.ignored += file.lines.ignored;
            lines.counted += file.lines.counted;
            lines.left_out += file.lines.left_out;
            lines.bytes += file.lines.bytes;
            let room = FAILED.saturating_sub(lines.failed_samples.len());
            let samples = file.lines.failed_samples.iter().take(room).cloned();
            lines.failed_samples.extend(samples);
        }
        let counted = self.statistics.report(self.counting.top);
        let counting = &self.counting;
        Report {
            asked: Asked {
                since: counting.range.since,
                until: counting.range.until,
                from_end: None,
                condition: counting.condition.as_ref().map(|one| one.text.clone()),
                flags: counting.flags.clone(),
                sources: self
                    .files
                    .iter()
                    .map(|file| name(file.follower.path()))
                    .collect(),
                log_format: counting.format_text.clone(),
                store: None,
            },
            sources: self.files.iter().map(source).collect(),
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
        self.files.iter().map(|file| file.lines.read).sum()
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
        if file.places.is_empty() {
            return;
        }
        let counting = &self.counting;
        let detector = file
            .detector
            .get_or_insert_with(|| detector(counting.format.as_ref(), &file.text, &counting.zone));
        let newest = today.as_microsecond().saturating_add(DAY_US);
        let days = self.records.as_ref().and_then(|(_, days)| *days);
        let oldest = days.map_or(i64::MIN, |days| {
            let span = DAY_US.saturating_mul(days.into());
            today.as_microsecond().saturating_sub(span)
        });
        let of_file = hash_of(file.follower.path().as_os_str().as_encoded_bytes());
        for (place, (begin, offset)) in file.places.iter().enumerate() {
            let end = file
                .places
                .get(place + 1)
                .map_or(file.text.len(), |next| next.0);
            let line = file.text.get(*begin..end).unwrap_or_default();
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
        file.text.clear();
        file.places.clear();
    }

    fn flush(&mut self, store: &mut dyn FnMut(Arc<Batch>)) {
        if !self.batch.is_empty() {
            store(Arc::new(std::mem::take(&mut self.batch)));
        }
    }
}

fn count(
    lines: &mut Lines,
    taken: Result<bool, Reason>,
    is_counted: bool,
    follower: &Follower,
    line: &[u8],
) {
    match taken {
        Ok(true) => {
            lines.parsed += 1;
            lines.counted += u64::from(is_counted);
            lines.left_out += u64::from(!is_counted);
        }
        Ok(false) => lines.ignored += 1,
        Err(reason) => {
            lines.failed += 1;
            if lines.failed_samples.len() < FAILED {
                lines.failed_samples.push(Failed {
                    source: name(follower.path()),
                    line: lines.read,
                    text: harmless(line),
                    reason: reason.to_string(),
                });
            }
        }
    }
}

fn keep(text: &mut Vec<u8>, places: &mut Vec<(usize, u64)>, line: &Line<'_>) {
    places.push((text.len(), line.offset));
    text.extend_from_slice(line.bytes);
    text.push(b'\n');
}

/// The same number for the same bytes, at every start.
fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// A line as it may be shown, cut where it is long.
fn harmless(line: &[u8]) -> String {
    let mut text = Vec::new();
    append_plain(&line[..line.len().min(LONG)], &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn name(path: &Path) -> String {
    harmless(path.as_os_str().as_encoded_bytes())
}
