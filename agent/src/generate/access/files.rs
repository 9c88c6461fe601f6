//! A log file that lines are appended to, and when it is put aside: when the next line would make it too
//! large, or when another stretch of the clock begins, whichever comes first. No line is ever split. The
//! clock is that of the lines: those of the past are put aside as if they had been written then.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::backups::{Backups, Compressor};
use super::config::{RotationConfig, When};

/// What is wrong with a log file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The folder cannot be made.
    #[error("cannot make the folder {} (output.directory); name another with --log-dir", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("cannot open {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another program writes to it.
    #[error("another program writes to {}; end it, or name another folder with --log-dir", .path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// The file takes no more.
    #[error("cannot write to {}; all lines in it are whole", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be put aside.
    #[error("cannot put {} aside", .path.display())]
    Rotate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// When a file is put aside.
#[derive(Clone, Debug)]
pub struct Rules {
    /// When the next line would make it larger; `None`: at any size.
    max_bytes: Option<u64>,
    /// At the ends of these; `None`: at any age.
    period: Option<Period>,
    zone: TimeZone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    /// So many seconds, counted from a midnight long ago.
    Seconds(i64),
    /// So many days.
    Days(i64),
    /// Weeks that begin with this day.
    Weeks(Weekday),
}

impl Rules {
    /// The rules of a configuration.
    #[must_use]
    pub fn new(config: &RotationConfig, zone: TimeZone) -> Self {
        let bytes = (config.max_size_mb * 1_048_576.0) as u64;
        let interval = i64::from(config.interval);
        let period = match config.when {
            When::Seconds => Period::Seconds(interval),
            When::Minutes => Period::Seconds(interval * 60),
            When::Hours => Period::Seconds(interval * 3600),
            When::Days | When::Midnight => Period::Days(interval),
            When::Weekday(day) => Period::Weeks(
                Weekday::from_monday_zero_offset(i8::try_from(day).unwrap_or(0))
                    .unwrap_or(Weekday::Monday),
            ),
        };
        Self {
            max_bytes: (config.enabled && bytes > 0).then_some(bytes),
            period: (config.enabled && interval > 0).then_some(period),
            zone,
        }
    }

    /// Whether files that are put aside at the ends of periods go beyond those that are kept, where lines
    /// are of the time from `from` to `to`.
    #[must_use]
    pub fn loses(&self, from: Timestamp, to: Timestamp, kept: u32) -> bool {
        let mut time = from;
        // One more than those that were put aside is being written.
        for _ in 0..=kept {
            time = self.end_of(time);
            if time > to || time == Timestamp::MAX {
                return false;
            }
        }
        kept > 0
    }

    /// The time at which a file that has lines of `time` is put aside.
    #[must_use]
    pub fn end_of(&self, time: Timestamp) -> Timestamp {
        let Some(period) = self.period else {
            return Timestamp::MAX;
        };
        let now = self.zone.to_datetime(time);
        let (begin, days) = match period {
            Period::Seconds(length) => {
                // By the clock on the wall, so that hours begin with its hours.
                let midnight =
                    Date::constant(2000, 1, 1).to_datetime(jiff::civil::Time::midnight());
                let since = now.duration_since(midnight).as_secs();
                let left = length - since.rem_euclid(length);
                let left = SignedDuration::from_nanos(-i64::from(time.subsec_nanosecond()))
                    .saturating_add(SignedDuration::from_secs(left));
                return time.saturating_add(left).unwrap_or(Timestamp::MAX);
            }
            Period::Days(days) => {
                let since = (now.date() - Date::constant(2000, 1, 1)).get_days();
                let left = days - i64::from(since).rem_euclid(days);
                (now.date(), left)
            }
            Period::Weeks(first) => {
                let left = 7 - i64::from(first.until(now.date().weekday()));
                (now.date(), left)
            }
        };
        let end = begin
            .checked_add(days.days())
            .and_then(|date| date.to_zoned(self.zone.clone()));
        end.map_or(Timestamp::MAX, |end| end.timestamp())
    }
}

/// What rotation deleted of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Files, also of runs before.
    pub files: u64,
    /// Lines of this run that were in them.
    pub lines: u64,
}

/// A log file that is open.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// When it is put aside.
    end: Timestamp,
    rules: Rules,
    /// What each file begins with.
    head: &'static [u8],
    backups: Arc<Backups>,
    /// Bytes that were written in all.
    written: u64,
    /// Files that were put aside.
    turned: u64,
    /// Lines that were taken and could not be written.
    lost_lines: u64,
    /// Lines of this run in it, and in those of it that were put aside and are kept, the newest first.
    lines: u64,
    lines_aside: VecDeque<u64>,
    deleted: Deleted,
}

impl LogFile {
    /// Opens it to append. What is older than its rules allow is put aside first.
    ///
    /// # Errors
    /// It cannot be opened or put aside, or another program has it.
    pub fn open(
        path: PathBuf,
        rules: Rules,
        head: &'static [u8],
        backups: Arc<Backups>,
        compressor: &Compressor,
        now: Timestamp,
    ) -> Result<Self, FileError> {
        let (mut file, mut bytes, mut modified) = open(&path)?;
        let mut deleted = Deleted::default();
        if bytes > 0 && rules.end_of(modified) <= now {
            let old = backups
                .put_aside(compressor)
                .map_err(|source| FileError::Rotate {
                    path: path.clone(),
                    source,
                })?;
            deleted.files = old.len() as u64;
            (file, bytes, modified) = open(&path)?;
        }
        let mut log = Self {
            // What is in it is as old as the file.
            end: rules.end_of(modified),
            path,
            file,
            bytes,
            rules,
            head,
            backups,
            written: 0,
            turned: 0,
            lost_lines: 0,
            lines: 0,
            lines_aside: VecDeque::new(),
            deleted,
        };
        if log.bytes == 0 {
            log.put(head)?;
        } else if !ends_whole(&log.path, log.bytes) {
            // Whoever wrote it was killed within a line.
            log.put(b"\n")?;
        }
        Ok(log)
    }

    /// Appends whole lines of `time`, or of the same stretch of the clock.
    ///
    /// # Errors
    /// The file cannot be written to, and ends with a whole line; or it cannot be put aside.
    pub fn append(
        &mut self,
        lines: &[u8],
        time: Timestamp,
        compressor: &Compressor,
    ) -> Result<(), FileError> {
        let mut done = 0;
        let result = self.append_to(lines, &mut done, time, compressor);
        if result.is_err() {
            let lost = lines.get(done..).unwrap_or_default();
            self.lost_lines += memchr::memchr_iter(b'\n', lost).count() as u64;
        }
        result
    }

    /// Appends lines; `done` tells how many bytes of them are there, whole lines, also after an error.
    fn append_to(
        &mut self,
        lines: &[u8],
        done: &mut usize,
        time: Timestamp,
        compressor: &Compressor,
    ) -> Result<(), FileError> {
        if lines.is_empty() {
            return Ok(());
        }
        // A file with nothing in it is not worth a number, and begins with these lines.
        if self.bytes <= self.head.len() as u64 {
            self.end = self.rules.end_of(time);
        } else if time >= self.end {
            self.turn(time, compressor)?;
        }
        let mut put = |file: &mut Self, lines: &[u8]| {
            let before = file.bytes;
            let result = file.put(lines);
            let there = (file.bytes - before) as usize;
            let written = lines.get(..there).unwrap_or_default();
            file.lines += memchr::memchr_iter(b'\n', written).count() as u64;
            *done += there;
            result
        };
        let mut rest = lines;
        while !rest.is_empty() {
            let room = match self.rules.max_bytes {
                Some(most) => {
                    usize::try_from(most.saturating_sub(self.bytes)).unwrap_or(usize::MAX)
                }
                None => usize::MAX,
            };
            if rest.len() <= room {
                return put(self, rest);
            }
            let fitting = rest.get(..room).unwrap_or(rest);
            let mut cut = memchr::memrchr(b'\n', fitting).map_or(0, |end| end + 1);
            if cut == 0 && self.bytes <= self.head.len() as u64 {
                // A line that is longer than a file may be has a file of its own.
                cut = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            }
            let (first, behind) = rest.split_at(cut);
            put(self, first)?;
            rest = behind;
            if !rest.is_empty() {
                self.turn(time, compressor)?;
            }
        }
        Ok(())
    }

    /// Bytes that were written.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Lines that [`append`](Self::append) was given and that could not be written.
    #[must_use]
    pub const fn lost_lines(&self) -> u64 {
        self.lost_lines
    }

    /// Files that were put aside.
    #[must_use]
    pub const fn turned(&self) -> u64 {
        self.turned
    }

    /// What rotation deleted.
    #[must_use]
    pub const fn deleted(&self) -> Deleted {
        self.deleted
    }

    /// The file was put aside, and those that would have had these numbers were deleted.
    fn count_aside(&mut self, deleted: &[u32]) {
        let lines = std::mem::take(&mut self.lines);
        let keep = self.backups.keep() as usize;
        if keep == 0 {
            return;
        }
        self.lines_aside.push_front(lines);
        let of_number = |number: &u32| {
            let place = (*number as usize).checked_sub(1)?;
            self.lines_aside.get(place)
        };
        self.deleted.lines += deleted.iter().filter_map(of_number).sum::<u64>();
        self.deleted.files += deleted.len() as u64;
        self.lines_aside.truncate(keep);
    }

    fn turn(&mut self, time: Timestamp, compressor: &Compressor) -> Result<(), FileError> {
        let put_aside = self.backups.put_aside(compressor);
        let deleted = put_aside.map_err(|source| FileError::Rotate {
            path: self.path.clone(),
            source,
        })?;
        self.count_aside(&deleted);
        (self.file, self.bytes, _) = open(&self.path)?;
        self.end = self.rules.end_of(time);
        self.turned += 1;
        self.put(self.head)
    }

    fn put(&mut self, lines: &[u8]) -> Result<(), FileError> {
        let mut done = 0;
        while let Some(rest) = lines.get(done..).filter(|rest| !rest.is_empty()) {
            let error = match self.file.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    done += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            return Err(self.broken(lines.get(..done).unwrap_or_default(), error));
        }
        self.bytes += lines.len() as u64;
        self.written += lines.len() as u64;
        Ok(())
    }

    /// Cuts off what is no whole line.
    fn broken(&mut self, partly: &[u8], source: io::Error) -> FileError {
        let whole = memchr::memrchr(b'\n', partly).map_or(0, |end| end + 1) as u64;
        self.bytes += whole;
        self.written += whole;
        // Where that is not possible either there is nothing left to do.
        drop(self.file.set_len(self.bytes));
        FileError::Write {
            path: self.path.clone(),
            source,
        }
    }
}

/// Whether the last byte is a line end; where that cannot be told it is taken for one.
fn ends_whole(path: &Path, bytes: u64) -> bool {
    let mut last = [b'\n'];
    let read = File::open(path).and_then(|file| file.read_at(&mut last, bytes.saturating_sub(1)));
    read.is_err() || last == *b"\n"
}

fn open(path: &PathBuf) -> Result<(File, u64, Timestamp), FileError> {
    let wrong = |source| FileError::Open {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new().append(true).create(true).open(path);
    let file = file.map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(FileError::Taken { path: path.clone() }),
        // Not every file system has locks.
        Err(TryLockError::Error(_)) => {}
    }
    let data = file.metadata().map_err(wrong)?;
    let modified = data.modified().map_err(wrong)?;
    let modified = Timestamp::try_from(modified).unwrap_or(Timestamp::MAX);
    Ok((file, data.len(), modified))
}

#[cfg(test)]
mod tests;
