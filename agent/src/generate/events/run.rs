//! A run: records to files and stdout, as they are due.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};

use super::clock::{Timeline, spread};
use super::config::EventsConfig;
use super::family::{Destination, Format};
pub use super::files::Deleted;
use super::files::{Files, FilesError};
use super::maker::{Block, Maker};
use super::model::Model;
use super::truth::Truth;
use crate::generate::blocks::Lines;
use crate::generate::bounds::{Bounds, with_grace};
use crate::generate::drive::{Driven, Plan, Take, drive};
use crate::generate::output::{self, Output, OutputError};
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;

/// What a run is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What records are like, and where they go.
    pub config: EventsConfig,
    /// How many, how fast, how long, from when.
    pub bounds: Bounds,
    /// Whether a rate was asked for, be it 0.
    pub has_rate: bool,
    /// Whether the clock of the records runs at a speed of its own.
    pub has_speedup: bool,
    /// Where the truth goes.
    pub truth: Option<PathBuf>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The account.
    pub summary: Summary,
    /// Records that were anomalous.
    pub anomalies: u64,
    /// What rotation deleted.
    pub deleted: Deleted,
    /// Whether it was told to stop.
    pub is_interrupted: bool,
}

impl Run {
    /// When records are due: as `--rate` says, or batch by batch.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let generator = &self.config.generator;
        match (self.bounds.rate, generator.interval > 0.0) {
            (Some(rate), _) => Schedule::Rate(rate),
            (None, true) if !self.has_rate => Schedule::Batches {
                size: generator.batch_size.into(),
                every: Duration::from_secs_f64(generator.interval),
            },
            _ => Schedule::Free,
        }
    }

    /// When records are, for a run that begins now; none: when they are made.
    #[must_use]
    pub fn timeline(&self, begun: Timestamp) -> Option<Timeline> {
        let timestamps = &self.config.timestamps;
        let schedule = self.schedule();
        // Microseconds from a record to the next as they are made.
        let pace = match schedule {
            Schedule::Free => None,
            Schedule::Rate(rate) => Some(1e6 / rate),
            Schedule::Batches { size, every } => Some(every.as_secs_f64() * 1e6 / size as f64),
        };
        let (least, most) = timestamps.increment;
        let spread = spread(timestamps.increment);
        if let Some(start) = self.bounds.start.or(timestamps.start) {
            // Who says how fast records are made says how far they are apart; else they are so far
            // apart as they are told to be.
            let pace = pace.filter(|_| self.has_speedup || self.bounds.rate.is_some());
            return Some(Timeline {
                start: start.as_microsecond(),
                spacing: pace.unwrap_or((least + most) / 2.0 * 1e6) * self.bounds.speedup,
                spread,
                is_early: false,
            });
        }
        let begun = begun.as_microsecond();
        let (start, is_early) = match schedule {
            // A batch tells of the time before it.
            Schedule::Batches { every, .. } => (begun - every.as_micros() as i64, false),
            Schedule::Rate(_) | Schedule::Free => (begun, true),
        };
        pace.map(|spacing| Timeline {
            start,
            spacing,
            spread,
            is_early,
        })
    }

    /// Records to make: by number, or by the time that they tell of.
    #[must_use]
    pub fn count(&self, timeline: Option<&Timeline>) -> Option<u64> {
        let by_time = match (self.bounds.duration, timeline) {
            (Some(duration), Some(timeline)) if timeline.spacing > 0.0 => {
                Some((duration.as_secs_f64() * 1e6 / timeline.spacing).round() as u64)
            }
            _ => None,
        };
        match (self.bounds.count, by_time) {
            (Some(count), Some(by_time)) => Some(count.min(by_time)),
            (count, by_time) => count.or(by_time),
        }
    }

    /// The time by our clock after which to stop; none where records carry times of their own.
    fn until(&self, timeline: Option<&Timeline>) -> Option<Duration> {
        let start = self.bounds.start.or(self.config.timestamps.start);
        let duration = self.bounds.duration.filter(|_| start.is_none())?;
        Some(match timeline {
            Some(_) => with_grace(duration),
            None => duration,
        })
    }

    /// Makes records until there are enough, or until told to stop. Says how far it is on stderr.
    ///
    /// # Errors
    /// Something cannot be opened or written to; what was written is whole. The outcome is there all
    /// the same where records were made.
    pub fn run(&self, stop: &Stop) -> (Option<Outcome>, Result<(), FilesError>) {
        let bounds = &self.bounds;
        let begun = Zoned::now();
        let timeline = self.timeline(begun.timestamp());
        let schedule = self.schedule();
        let count = self.count(timeline.as_ref());
        let model = Model::new(&self.config, bounds.seed);
        let maker = Maker {
            model: &model,
            seed: bounds.seed,
            timeline,
            count,
            format: self.config.output.format,
            has_labels: self.config.output.include_labels,
        };
        let mut taker = match Taker::open(self, schedule, &begun) {
            Ok(taker) => taker,
            Err(error) => return (None, Err(error)),
        };
        let mut progress = Progress::new(count, !bounds.quiet);
        let mut driven = Driven::default();
        let plan = Plan {
            schedule,
            count,
            until: self.until(timeline.as_ref()),
            jobs: bounds.jobs,
            stop,
        };
        let result = drive(&maker, &plan, &mut progress, &mut driven, &mut taker);
        // Also after a failure: what can be written is.
        let ended = taker.end();
        let result = result.and(ended);
        progress.finish();
        let mut summary = Summary::new(
            bounds.seed,
            schedule,
            taker.written().unwrap_or(driven.records),
            taker.bytes(),
            driven.time,
        );
        summary.dry_run = bounds.dry_run;
        let outcome = Outcome {
            anomalies: taker.anomalies(summary.records),
            summary,
            deleted: taker.deleted(),
            is_interrupted: stop.is_told(),
        };
        (Some(outcome), result)
    }
}

/// Hands records to where they go.
struct Taker {
    stdout: Option<Output>,
    json: Option<Files>,
    text: Option<Files>,
    truth: Option<Truth>,
    format: Format,
    /// Records that are written together.
    batch: u64,
    /// Time after which what is there is written in any case.
    patience: Option<Duration>,
    /// Lines that stdout was given.
    lines: u64,
    /// Records since the last writing.
    held: u64,
    /// When that was; none: the first is written at once.
    written: Option<Instant>,
    /// Anomalous records up to there.
    anomalies: u64,
    /// The numbers of the anomalous records since.
    held_anomalies: Vec<u64>,
    /// Bytes of a dry run.
    dropped: u64,
    is_dry: bool,
}

impl Taker {
    fn open(run: &Run, schedule: Schedule, begun: &Zoned) -> Result<Self, FilesError> {
        let output = &run.config.output;
        let is_dry = run.bounds.dry_run;
        let to_stdout = matches!(output.destination, Destination::Stdout | Destination::Both);
        let to_file = matches!(output.destination, Destination::File | Destination::Both);
        let files = |of: Format, extension| {
            let is_wanted = output.format == of || output.format == Format::Both;
            (to_file && is_wanted && !is_dry)
                .then(|| Files::open(&output.file, extension, begun))
                .transpose()
        };
        let stdout = || Output::open(&output::Destination::Stdout);
        let truth = run.truth.as_deref().filter(|_| !is_dry);
        let interval = Duration::from_secs_f64(run.config.generator.interval);
        Ok(Self {
            stdout: (to_stdout && !is_dry).then(stdout).transpose()?,
            json: files(Format::Json, "json")?,
            text: files(Format::Text, "log")?,
            truth: truth.map(Truth::open).transpose()?,
            format: output.format,
            batch: run.config.generator.batch_size.into(),
            patience: (schedule != Schedule::Free).then_some(interval),
            lines: 0,
            held: 0,
            written: None,
            anomalies: 0,
            held_anomalies: Vec::new(),
            dropped: 0,
            is_dry,
        })
    }

    /// Records that are everywhere where they should be; none: they go nowhere.
    fn written(&self) -> Option<u64> {
        let stdout = self.stdout.as_ref().map(|stdout| {
            let lines = self.lines.saturating_sub(stdout.lost_lines());
            match self.format {
                Format::Both => lines / 2,
                Format::Json | Format::Text => lines,
            }
        });
        let files = self.json.iter().chain(&self.text).map(Files::written);
        files.chain(stdout).min()
    }

    /// Bytes that went anywhere.
    fn bytes(&self) -> u64 {
        let files = self.json.iter().chain(&self.text);
        files.map(Files::bytes).sum::<u64>()
            + self.stdout.as_ref().map_or(0, Output::bytes)
            + self.dropped
    }

    /// What rotation deleted. It begins with the oldest: of two kinds of files one has lost what the
    /// other has, or more.
    fn deleted(&self) -> Deleted {
        let files = self.json.iter().chain(&self.text);
        files
            .map(Files::deleted)
            .fold(Deleted::default(), |all, one| Deleted {
                files: all.files + one.files,
                records: all.records.max(one.records),
            })
    }

    /// Anomalous records among the first so many.
    fn anomalies(&self, records: u64) -> u64 {
        let held = self.held_anomalies.iter();
        self.anomalies + held.filter(|number| **number < records).count() as u64
    }

    fn write_stdout(&mut self, block: &Block, records: &Range<usize>) -> Result<(), OutputError> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(());
        };
        if self.format != Format::Both {
            self.lines += records.len() as u64;
        }
        match self.format {
            Format::Json => stdout.write(block.json.part(records.clone())),
            Format::Text => stdout.write(block.text.part(records.clone())),
            Format::Both => records.clone().try_for_each(|record| {
                self.lines += 1;
                stdout.write(block.json.part(record..record + 1))?;
                self.lines += 1;
                stdout.write(block.text.part(record..record + 1))
            }),
        }
    }

    /// Writes records to files, and what is anomalous among them to the truth. `first`: the number of
    /// the first in the run.
    fn write_files(
        &mut self,
        block: &Block,
        records: &Range<usize>,
        first: u64,
    ) -> Result<(), FilesError> {
        let kinds = [(&mut self.json, &block.json), (&mut self.text, &block.text)];
        let mut has_truth = false;
        for (files, lines) in kinds {
            let Some(files) = files else { continue };
            let mut rest = records.clone();
            while !rest.is_empty() {
                let part = rest.start..rest.start + files.room(lines, &rest)?;
                if let Some(truth) = self.truth.as_mut().filter(|_| !has_truth) {
                    let file = files.position();
                    let number = first + (part.start - records.start) as u64;
                    tell(truth, block, &part, number, Some(file))?;
                }
                rest.start = part.end;
                files.write(lines, part)?;
            }
            has_truth = true;
        }
        match self.truth.as_mut().filter(|_| !has_truth) {
            Some(truth) => Ok(tell(truth, block, records, first, None)?),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), FilesError> {
        self.held = 0;
        self.written = Some(Instant::now());
        let mut files = self.json.iter_mut().chain(&mut self.text);
        files.try_for_each(Files::flush)?;
        if let Some(stdout) = &mut self.stdout {
            stdout.flush()?;
        }
        Ok(())
    }

    /// Writes what is held back, all that can be.
    fn end(&mut self) -> Result<(), FilesError> {
        let truth = self.truth.as_mut().map_or(Ok(()), Truth::end);
        self.flush()?;
        Ok(truth?)
    }
}

/// Tells the truth about these records; the first of them is record `number` of the run, from 0, and
/// where a file is named, which of its records.
fn tell(
    truth: &mut Truth,
    block: &Block,
    records: &Range<usize>,
    number: u64,
    file: Option<(&std::path::Path, u64)>,
) -> Result<(), OutputError> {
    for mark in marks(block, records) {
        let after = u64::from(mark.record) - records.start as u64;
        let file = file.map(|(path, line)| (path, line + after));
        truth.mark(mark, number + after + 1, file)?;
    }
    Ok(())
}

fn marks<'a>(block: &'a Block, records: &Range<usize>) -> &'a [super::maker::Mark] {
    let place = |record: usize| {
        let marks = &block.marks;
        marks.partition_point(|mark| (mark.record as usize) < record)
    };
    &block.marks[place(records.start)..place(records.end)]
}

impl Take<Block> for Taker {
    type Error = FilesError;

    fn settle(&mut self) -> Result<(), FilesError> {
        self.flush()
    }

    fn take(
        &mut self,
        block: &Block,
        records: Range<usize>,
        first: u64,
    ) -> Result<bool, FilesError> {
        let number = |record: u32| first + u64::from(record) - records.start as u64;
        let marked = marks(block, &records).iter();
        if self.is_dry {
            self.anomalies += marked.len() as u64;
            let length = |lines: &Lines| lines.part(records.clone()).len() as u64;
            self.dropped += length(&block.json) + length(&block.text);
            return Ok(true);
        }
        self.held_anomalies
            .extend(marked.map(|mark| number(mark.record)));
        self.write_files(block, &records, first)?;
        self.write_stdout(block, &records)?;
        self.held += records.len() as u64;
        let is_time = |patience| self.written.is_none_or(|then| then.elapsed() >= patience);
        if self.held >= self.batch || self.patience.is_some_and(is_time) {
            self.flush()?;
            self.anomalies += self.held_anomalies.len() as u64;
            self.held_anomalies.clear();
        }
        Ok(true)
    }
}
