//! The log files: which one is open, when it is put aside, and what happens when the disk fails.
//!
//! Lines of a day go to the file of that day, so late ones of yesterday find theirs; a series (one
//! kind, or all) has at most two days open. A file is put aside under the next number, which is
//! above every number seen in the folder or given before; compressing and deleting is the work of
//! [`tidy`](super::tidy). Before each write the open file is looked at: when it was deleted, with
//! its folder or alone, it is made again. A file that was renamed is written to until
//! [`LogWriter::reopen`].
//!
//! No line is ever torn: when a write breaks off, what got out of the broken line is cut off
//! again, or, where even that fails, ended before the next line.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc::SyncSender},
    time::{Duration, Instant},
};

use jiff::civil::Date;

use self::open_file::OpenFile;
use super::{
    LogError,
    folder::{self, LiveFiles},
    frame::Frame,
    names::{FileName, Form, Series},
    settings::Rotate,
    stream::whole_lines,
};

mod open_file;

/// The file of a day that is over is closed when no late line came for so long.
const LATE: Duration = Duration::from_secs(600);

/// After a file could not be put aside, so long until the next try.
const ASIDE_PAUSE: Duration = Duration::from_secs(10);

/// How many numbers are tried when others are taken in the meantime.
const NUMBERS_TRIED: u64 = 1000;

/// How many series have their last number remembered.
const NUMBERS_KEPT: usize = 64;

/// Writes lines to the files of a folder.
#[derive(Debug)]
pub(super) struct LogWriter {
    directory: PathBuf,
    rotate: Rotate,
    open: Vec<OpenFile>,
    /// The highest number given, by series: also files deleted since count.
    numbers: Vec<(Series, u64)>,
    live: Arc<LiveFiles>,
    /// What stands around the lines of a file.
    frame: Frame,
    /// Whether closing waits for the disk.
    sync: bool,
    tidy: SyncSender<()>,
    today: Date,
    aside_not_before: Option<Instant>,
    /// The lock on the folder, held until this is dropped.
    lock: Option<File>,
}

impl LogWriter {
    /// Makes the folder when it is missing and takes it for this process. `tidy` is told when there
    /// is something to compress or delete.
    pub(super) fn open(
        directory: &Path,
        rotate: Rotate,
        live: Arc<LiveFiles>,
        tidy: SyncSender<()>,
        today: Date,
    ) -> Result<Self, LogError> {
        let folder_error = |source| LogError::Folder {
            path: directory.to_owned(),
            source,
        };
        folder::make(directory).map_err(folder_error)?;
        let lock = folder::lock(directory).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => LogError::InUse {
                path: directory.to_owned(),
            },
            _ => folder_error(source),
        })?;
        let probe = directory.join(format!(".tapline-{}.probe", std::process::id()));
        match folder::create_new(&probe).and_then(|_| std::fs::remove_file(&probe)) {
            Ok(()) => {}
            // There may be room again by the time of the first line.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
            Err(error) => return Err(folder_error(error)),
        }
        let mut writer = Self {
            directory: directory.to_owned(),
            rotate,
            open: Vec::new(),
            numbers: Vec::new(),
            live,
            frame: Frame::None,
            sync: true,
            tidy,
            today,
            aside_not_before: None,
            lock,
        };
        writer.put_closed_days_aside();
        Ok(writer)
    }

    /// The same with `frame` around the lines of every file.
    pub(super) fn framed(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// The same, closing without a wait for the disk unless `sync`.
    pub(super) fn synced(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Whether the file of a series will take lines, as far as that can be told without one: it may not be
    /// there yet, and is not made.
    pub(super) fn check(&self, series: Series) -> Result<(), LogError> {
        let form = Form::Live;
        let path = self.path(FileName { series, form });
        match folder::open_present(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(LogError::File { path, source }),
            Ok(_) => Ok(()),
        }
    }

    /// Writes whole lines. Gives how many of their bytes are in the files, and what stopped it.
    pub(super) fn write(&mut self, series: Series, lines: &[u8]) -> (usize, Option<io::Error>) {
        let mut done = 0;
        while done < lines.len() {
            let (count, error) = self.write_some(series, &lines[done..]);
            done += count;
            if error.is_some() {
                return (done, error);
            }
        }
        (done, None)
    }

    /// What is due by time alone: old files, days that are over. To be called every second or so.
    pub(super) fn tick(&mut self, now: Instant, today: Date) {
        let mut closed = false;
        for index in (0..self.open.len()).rev() {
            let file = &self.open[index];
            if file.size > 0 && file.is_older_than(self.rotate.max_age, now) {
                self.put_aside_if_possible(index, now);
            } else if file.series.day < today && now.duration_since(file.last_write) >= LATE {
                self.forget(index);
                closed = true;
            }
        }
        if closed || today != self.today {
            self.today = today;
            self.put_closed_days_aside();
        }
    }

    /// Closes the files, so that the next lines go to what then has their names.
    pub(super) fn reopen(&mut self) {
        while !self.open.is_empty() {
            self.forget(0);
        }
        self.lock = None;
    }

    /// Brings all to the disk, where that was asked for, and closes the files.
    pub(super) fn close(mut self) -> io::Result<()> {
        let mut result = Ok(());
        for file in &mut self.open {
            file.end();
            let mut ended = file.mend();
            if self.sync {
                ended = ended.and_then(|()| file.file.sync_all());
            }
            result = result.and(ended);
        }
        self.reopen();
        result
    }

    fn write_some(&mut self, series: Series, lines: &[u8]) -> (usize, Option<io::Error>) {
        // Twice: the first file may be full or old, the one after it is neither.
        for _ in 0..2 {
            let index = match self.file_of(series) {
                Ok(index) => index,
                Err(error) => return (0, Some(error)),
            };
            let now = Instant::now();
            let file = &mut self.open[index];
            let part = match self.rotate.max_bytes {
                Some(most) => fitting(
                    lines,
                    most.saturating_sub(file.size + file.frame_bytes()),
                    file.size == 0,
                ),
                None => lines,
            };
            let is_old = file.size > 0 && file.is_older_than(self.rotate.max_age, now);
            if (part.is_empty() || is_old) && self.put_aside_if_possible(index, now) {
                continue;
            }
            let part = if part.is_empty() { lines } else { part };
            return self.open[index].append(part, now);
        }
        (
            0,
            Some(io::Error::other("the file changes under the writer")),
        )
    }

    /// The open file of a series, with its size up to date.
    fn file_of(&mut self, series: Series) -> io::Result<usize> {
        if let Some(index) = self.open.iter().position(|file| file.series == series) {
            let metadata = self.open[index].file.metadata()?;
            if std::os::unix::fs::MetadataExt::nlink(&metadata) > 0 {
                self.open[index].size = metadata.len();
                return Ok(index);
            }
            let path = self.path(self.open[index].name());
            tracing::warn!(path = %path.display(), "the log file was deleted; it is made again");
            self.forget(index);
            self.lock = None;
        }
        let mut days = self
            .open
            .iter()
            .enumerate()
            .filter(|(_, file)| file.series.topic == series.topic);
        if let (Some((first, a)), Some((second, b))) = (days.next(), days.next()) {
            let oldest = if a.last_write <= b.last_write {
                first
            } else {
                second
            };
            self.forget(oldest);
        }
        let name = FileName {
            series,
            form: Form::Live,
        };
        self.live.lock().push(name);
        match self.open_file(name) {
            Ok(file) => {
                self.open.push(file);
                Ok(self.open.len() - 1)
            }
            Err(error) => {
                self.live.lock().retain(|&live| live != name);
                Err(error)
            }
        }
    }

    fn open_file(&mut self, name: FileName) -> io::Result<OpenFile> {
        let path = self.path(name);
        let file = match folder::open_append(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                folder::make(&self.directory)?;
                folder::open_append(&path)?
            }
            other => other?,
        };
        if self.lock.is_none() {
            // The folder is a new one. That somebody else was quicker must not stop the lines.
            self.lock = folder::lock(&self.directory).unwrap_or_default();
        }
        Ok(OpenFile::new(file, name.series)?.framed(self.frame.clone()))
    }

    /// Whether the file is put aside, so that the series has none open now.
    fn put_aside_if_possible(&mut self, index: usize, now: Instant) -> bool {
        if self.aside_not_before.is_some_and(|time| now < time) {
            return false;
        }
        let name = self.open[index].name();
        match self.put_aside(index) {
            Ok(()) => {
                self.aside_not_before = None;
                true
            }
            Err(error) => {
                if self.aside_not_before.is_none() {
                    let path = self.path(name);
                    tracing::error!(path = %path.display(), %error, "the log file cannot be put aside; it grows on until that works");
                }
                self.aside_not_before = Some(now + ASIDE_PAUSE);
                false
            }
        }
    }

    fn put_aside(&mut self, index: usize) -> io::Result<()> {
        let file = &mut self.open[index];
        let series = file.series;
        // A line that was cut off belongs to this file, but must not keep it from being put aside.
        file.end();
        let path = self.directory.join(file.name().to_string());
        if folder::is_same(&path, &file.file)? {
            self.rename_aside(series)?;
        }
        self.forget(index);
        Ok(())
    }

    /// Gives the file of the series its next number.
    fn rename_aside(&mut self, series: Series) -> io::Result<()> {
        let form = Form::Live;
        let from = self.path(FileName { series, form });
        let in_folder = folder::list(&self.directory)?
            .into_iter()
            .filter(|entry| entry.name.series == series)
            .filter_map(|entry| entry.name.form.number())
            .max();
        let given = self.numbers.iter().find(|(other, _)| *other == series);
        let highest = in_folder.max(given.map(|(_, number)| *number)).unwrap_or(0);
        for step in 1..=NUMBERS_TRIED {
            let Some(number) = highest.checked_add(step) else {
                break;
            };
            let form = Form::Aside(number);
            match folder::rename_new(&from, &self.path(FileName { series, form })) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.numbers.retain(|(other, _)| *other != series);
                    if self.numbers.len() == NUMBERS_KEPT {
                        self.numbers.remove(0);
                    }
                    self.numbers.push((series, number));
                    self.wake_tidy();
                    return Ok(());
                }
            }
        }
        Err(io::Error::other("no number is free for it"))
    }

    /// Files of days that are over, to which no line goes any more, get a number when they are to
    /// be compressed: a late line then begins a new file instead of running into the compression.
    fn put_closed_days_aside(&mut self) {
        self.wake_tidy();
        if !self.rotate.compress {
            return;
        }
        let entries = match folder::list(&self.directory) {
            Ok(entries) => entries,
            Err(error) => {
                let path = self.directory.display();
                tracing::warn!(%path, %error, "the log folder cannot be listed");
                return;
            }
        };
        for name in entries.iter().map(|entry| entry.name) {
            let is_open = self.open.iter().any(|file| file.name() == name);
            if name.form == Form::Live
                && name.series.day < self.today
                && !is_open
                && let Err(error) = self.rename_aside(name.series)
            {
                let path = self.path(name);
                tracing::warn!(path = %path.display(), %error, "the log file of a day that is over cannot be put aside");
            }
        }
    }

    /// Closes a file. It is not live any more.
    fn forget(&mut self, index: usize) {
        let mut file = self.open.swap_remove(index);
        file.end();
        let name = file.name();
        drop(file);
        self.live.lock().retain(|&live| live != name);
    }

    fn wake_tidy(&self) {
        // Full means that it will look anyway, and gone that the sink is being closed.
        let _woken = self.tidy.try_send(());
    }

    fn path(&self, name: FileName) -> PathBuf {
        self.directory.join(name.to_string())
    }
}

/// The whole lines that fit into `room`; at least one when `whole_line` says so.
fn fitting(lines: &[u8], room: u64, whole_line: bool) -> &[u8] {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines;
    }
    let mut length = whole_lines(&lines[..room]);
    if length == 0 && whole_line {
        length = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
    }
    &lines[..length]
}

#[cfg(test)]
mod tests;
