//! What one thread does: takes the lines of blocks apart and counts them.

use jiff::Timestamp;

use super::Options;
use crate::analysis::format::detect::Detector;
use crate::analysis::format::{Entry, Format, Parsed, Reason};
use crate::analysis::input::{Block, LongLine};
use crate::analysis::pairing::Pairing;
use crate::analysis::report::Failed;
use crate::analysis::statistics::{Statistics, text};

/// Bytes of one.
const LINE: usize = 1000;
/// Samples of lines that were not understood, of a source.
pub(super) const SAMPLES: usize = 5;
/// Bytes of one.
const SAMPLE: usize = 200;

/// A thread's part of the work.
#[derive(Debug)]
pub(super) struct Worker<'o> {
    options: &'o Options,
    counters: Counters,
    pairing: Pairing,
    detector: Option<Detector>,
    found: Found,
    last: Last,
    /// How many sources were begun.
    sources: u64,
    /// A line that is made of an entry.
    text: Vec<u8>,
}

/// What was counted, now and in the time to compare with.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) current: Statistics,
    pub(super) before: Option<Statistics>,
}

impl Counted {
    /// Adds what another one counted.
    pub(super) fn merge(&mut self, other: Self) {
        self.current.merge(other.current);
        if let (Some(own), Some(other)) = (&mut self.before, other.before) {
            own.merge(other);
        }
    }
}

/// What is counted, now and in the time to compare with.
#[derive(Debug)]
struct Counters {
    current: Statistics,
    before: Option<Statistics>,
    counted: u64,
    left_out: u64,
    /// The latest time that was left out.
    newest_us: i64,
    has_conditions: bool,
}

/// What was found in the lines of a source.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) read: u64,
    pub(super) parsed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
    pub(super) counted: u64,
    pub(super) left_out: u64,
    pub(super) long: u64,
    /// Each with its part, in which its line is numbered.
    pub(super) samples: Vec<(u64, Failed)>,
    /// Parts of a file that was read in parts, and how many lines begin in them.
    pub(super) parts: Vec<(u64, u64)>,
    pub(super) formats: Vec<(Format, u64)>,
    pub(super) source: String,
}

/// Where a line stands: the source, its part, and the number there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct LinePlace {
    source: u64,
    part: u64,
    line: u64,
}

/// The last lines, and where they stood.
#[derive(Clone, Debug, Default)]
struct Last {
    lines: Vec<(LinePlace, Vec<u8>)>,
    next: usize,
}

impl Last {
    #[inline]
    fn keep(&mut self, place: LinePlace, line: &[u8], most: usize) {
        let line = &line[..line.len().min(LINE)];
        match self.lines.get_mut(self.next) {
            Some((own, text)) => {
                *own = place;
                text.clear();
                text.extend_from_slice(line);
            }
            None => self.lines.push((place, line.to_vec())),
        }
        self.next = (self.next + 1) % most.max(1);
    }
}

impl Counters {
    #[inline]
    fn count(&mut self, entry: &Entry<'_>, options: &Options) -> bool {
        if !self.has_conditions {
            self.current.add(entry);
            self.counted += 1;
            return true;
        }
        let meets = options
            .condition
            .as_ref()
            .is_none_or(|condition| condition.meets(entry));
        let is_current = meets && options.range.has(entry.time_us);
        if is_current {
            self.current.add(entry);
        }
        let is_before = match (&mut self.before, options.before) {
            (Some(before), Some(range)) if meets && range.has(entry.time_us) => {
                before.add(entry);
                true
            }
            _ => false,
        };
        match is_current || is_before {
            true => self.counted += 1,
            false => {
                self.left_out += 1;
                self.newest_us = self.newest_us.max(entry.time_us.unwrap_or(i64::MIN));
            }
        }
        is_current
    }
}

impl<'o> Worker<'o> {
    pub(super) fn new(options: &'o Options) -> Self {
        let current = Statistics::new(options.now.as_second());
        Self::with(options, current)
    }

    /// Another one, whose counts can be merged with those of this one.
    pub(super) fn fresh(&self) -> Self {
        Self::with(self.options, self.counters.current.fresh())
    }

    fn with(options: &'o Options, current: Statistics) -> Self {
        Self {
            options,
            counters: Counters {
                before: options.before.is_some().then(|| current.fresh()),
                current,
                counted: 0,
                left_out: 0,
                newest_us: i64::MIN,
                has_conditions: options.condition.is_some()
                    || options.before.is_some()
                    || options.range != super::Range::default(),
            },
            pairing: Pairing::default(),
            detector: None,
            found: Found::default(),
            last: Last::default(),
            sources: 0,
            text: Vec::new(),
        }
    }

    /// Begins with a source.
    pub(super) fn begin(&mut self, name: &str, detector: Detector) {
        self.sources += 1;
        self.detector = Some(detector);
        self.found = Found {
            source: name.to_owned(),
            ..Found::default()
        };
    }

    /// Takes the lines of a block.
    pub(super) fn take(&mut self, block: &Block) {
        let (before, behind): (Vec<&LongLine>, Vec<&LongLine>) = block
            .long
            .iter()
            .partition(|long| long.line < block.first_line);
        self.pass_over(block.part, &before);
        let mut place = LinePlace {
            source: self.sources,
            part: block.part,
            line: block.first_line,
        };
        let mut rest = block.lines();
        while !rest.is_empty() {
            let line = match memchr::memchr(b'\n', rest) {
                Some(end) => {
                    let line = &rest[..end];
                    rest = &rest[end + 1..];
                    line
                }
                None => std::mem::take(&mut rest),
            };
            self.line(place, line);
            place.line += 1;
        }
        self.pass_over(block.part, &behind);
        if block.first_line == 1 {
            let lines = place.line - 1 + behind.len() as u64;
            self.found.parts.push((block.part, lines));
        }
    }

    fn pass_over(&mut self, part: u64, lines: &[&LongLine]) {
        for long in lines {
            self.found.read += 1;
            self.found.long += 1;
            self.found
                .fail((part, long.line), &long.begin, Reason::TooLong);
        }
    }

    #[inline]
    fn line(&mut self, place: LinePlace, line: &[u8]) {
        let Self {
            options,
            counters,
            pairing,
            detector: Some(detector),
            found,
            last,
            ..
        } = self
        else {
            return;
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A mark of the order of bytes, before the first line.
        let line = match (place.part, place.line) {
            (0, 1) => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            _ => line,
        };
        found.read += 1;
        let counted = detector.parse(line, |parsed| match parsed {
            Parsed::Nothing => None,
            Parsed::Entry(entry) => Some(counters.count(&entry, options)),
            Parsed::Head(head) => {
                let mut is_counted = true;
                pairing.take(&head, |entry| is_counted = counters.count(entry, options));
                Some(is_counted)
            }
        });
        match counted {
            Ok(None) => found.ignored += 1,
            Ok(Some(is_counted)) => {
                found.parsed += 1;
                if is_counted {
                    last.keep(place, line, options.last);
                }
            }
            Err(reason) => found.fail((place.part, place.line), line, reason),
        }
    }

    /// Begins with a store, whose entries come from no lines.
    pub(super) fn begin_store(&mut self) {
        self.sources += 1;
        self.found = Found::default();
    }

    /// Counts an entry that comes from no line; it is shown as a combined one.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) {
        self.found.read += 1;
        self.found.parsed += 1;
        if self.counters.count(entry, self.options) {
            self.text.clear();
            combined(entry, &mut self.text);
            let place = LinePlace {
                source: self.sources,
                part: 0,
                line: self.found.read,
            };
            self.last.keep(place, &self.text, self.options.last);
        }
    }

    /// Ends with a source.
    pub(super) fn finish(&mut self) -> Found {
        let mut found = std::mem::take(&mut self.found);
        if let Some(detector) = self.detector.take() {
            found.formats = detector.counts().collect();
        }
        found.counted = std::mem::take(&mut self.counters.counted);
        found.left_out = std::mem::take(&mut self.counters.left_out);
        found
    }

    /// Ends with all sources: requests that still wait were not answered. Gives the responses without
    /// a request.
    pub(super) fn end(&mut self) -> u64 {
        let Self {
            options,
            counters,
            pairing,
            ..
        } = self;
        pairing.end(|entry| {
            counters.count(entry, options);
        });
        pairing.orphans()
    }

    /// The memory that the counts take.
    pub(super) fn bytes(&self) -> usize {
        let before = self.counters.before.as_ref();
        self.counters.current.bytes() + before.map_or(0, Statistics::bytes)
    }

    /// Gives the counts so far away, and begins with none.
    pub(super) fn give(&mut self) -> Counted {
        let counters = &mut self.counters;
        let fresh = counters.current.fresh();
        let before = counters.before.as_mut();
        Counted {
            before: before.map(|before| std::mem::replace(before, fresh.fresh())),
            current: std::mem::replace(&mut counters.current, fresh),
        }
    }

    /// The latest time of what was left out.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let time = Some(self.counters.newest_us).filter(|time| *time > i64::MIN)?;
        Timestamp::from_microsecond(time).ok()
    }

    /// The last lines of another one, and the latest time.
    pub(super) fn take_last(&mut self, other: Self) {
        let newest = &mut self.counters.newest_us;
        *newest = other.counters.newest_us.max(*newest);
        self.last.lines.extend(other.last.lines);
    }

    /// The last lines that were counted, made harmless.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.last.lines.iter().collect();
        lines.sort();
        let skipped = lines.len().saturating_sub(self.options.last);
        lines[skipped..]
            .iter()
            .map(|(_, line)| text(line))
            .collect()
    }
}

/// Writes an entry as a line of the combined format with microseconds behind.
fn combined(entry: &Entry<'_>, line: &mut Vec<u8>) {
    let or_dash = |text: &'_ [u8]| match text {
        [] => b"-".to_vec(),
        text => text.to_vec(),
    };
    let number = |number: Option<u64>| match number {
        Some(number) => number.to_string(),
        None => "-".to_owned(),
    };
    let time = entry
        .time_us
        .and_then(|time| Timestamp::from_microsecond(time).ok())
        .map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string());
    line.extend_from_slice(&or_dash(entry.client));
    line.extend_from_slice(format!(" - - [{}] \"", time.unwrap_or_default()).as_bytes());
    line.extend_from_slice(&or_dash(entry.method));
    line.push(b' ');
    line.extend_from_slice(&or_dash(entry.target));
    let status = number(entry.status.map(u64::from));
    let rest = format!(" HTTP/1.1\" {status} {} \"", number(entry.bytes));
    line.extend_from_slice(rest.as_bytes());
    line.extend_from_slice(&or_dash(entry.referrer));
    line.extend_from_slice(b"\" \"");
    line.extend_from_slice(&or_dash(entry.user_agent));
    line.extend_from_slice(format!("\" {}", number(entry.latency_us)).as_bytes());
}

impl Found {
    #[cold]
    fn fail(&mut self, (part, line): (u64, u64), begin: &[u8], reason: Reason) {
        self.failed += 1;
        if self.samples.len() < SAMPLES {
            let failed = Failed {
                source: self.source.clone(),
                line,
                text: text(&begin[..begin.len().min(SAMPLE)]),
                reason: reason.to_string(),
            };
            self.samples.push((part, failed));
        }
    }
}
