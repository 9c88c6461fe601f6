//! Files that follow each other by size: `PATH_YYYYmmdd_HHMMSS_N.json` or `.log`, N counting from 1. A
//! file that is there already is never written to; of those with the same name the newest are kept.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::config::FileConfig;
use crate::generate::blocks::Lines;
use crate::generate::output::{Destination, Output, OutputError};

/// Why there is no file to write to.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The folder cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened or written to.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What was deleted so that no more files are there than should be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deleted {
    /// Files, also of runs before.
    pub files: u64,
    /// Records of this run that were in them; one that was in a file of each format counts once.
    pub records: u64,
}

/// Files of one kind of line.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    stem: String,
    /// Of the first file: when the run began.
    stamp: String,
    extension: &'static str,
    /// Bytes; 0: any number.
    limit: u64,
    /// 0: all.
    kept: usize,
    counter: u32,
    current: Output,
    path: PathBuf,
    /// Records in the current file.
    records: u64,
    /// Bytes in the files before.
    before: u64,
    /// Records taken so far, for all files.
    taken: u64,
    /// Files of this run before the current one that are still there, and their records. Empty where
    /// all are kept.
    full: Vec<(PathBuf, u64)>,
    deleted: Deleted,
}

impl Files {
    /// Makes the folder and the first file. `begun` is part of the names.
    ///
    /// # Errors
    /// They cannot be made.
    pub(super) fn open(
        config: &FileConfig,
        extension: &'static str,
        begun: &Zoned,
    ) -> Result<Self, FilesError> {
        let folder = match config.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&folder).map_err(|source| FilesError::Folder {
            path: folder.clone(),
            source,
        })?;
        let stem = config.path.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy().into_owned();
        let stamp = begun.strftime("%Y%m%d_%H%M%S").to_string();
        let mut counter = 0;
        let (current, path) = next(&folder, &stem, &stamp, extension, &mut counter)?;
        let mut files = Self {
            folder,
            stem,
            stamp,
            extension,
            // A part of a byte is none.
            limit: (config.rotation_size_mb * f64::from(1 << 20)) as u64,
            kept: config.max_files as usize,
            counter,
            current,
            path,
            records: 0,
            before: 0,
            taken: 0,
            full: Vec::new(),
            deleted: Deleted::default(),
        };
        files.tidy();
        Ok(files)
    }

    /// The current file, and the number of its next record, from 1.
    pub(super) fn position(&self) -> (&Path, u64) {
        (&self.path, self.records + 1)
    }

    /// What was deleted so far.
    pub(super) fn deleted(&self) -> Deleted {
        self.deleted
    }

    /// Records written so far, to all files. Each is a line.
    pub(super) fn written(&self) -> u64 {
        self.taken.saturating_sub(self.current.lost_lines())
    }

    /// Bytes written so far, to all files.
    pub(super) fn bytes(&self) -> u64 {
        self.before + self.current.bytes()
    }

    /// Goes on to the next file where the current one is full. Gives how many of these records belong
    /// to the same file; at least one.
    ///
    /// # Errors
    /// The file cannot be finished, or the next one not be made.
    pub(super) fn room(
        &mut self,
        lines: &Lines,
        records: &Range<usize>,
    ) -> Result<usize, FilesError> {
        if self.limit == 0 {
            return Ok(records.len());
        }
        if self.records > 0 && self.current.bytes() >= self.limit {
            self.current.flush()?;
            self.before += self.current.bytes();
            let (current, path) = next(
                &self.folder,
                &self.stem,
                &self.stamp,
                self.extension,
                &mut self.counter,
            )?;
            self.current = current;
            let full = std::mem::replace(&mut self.path, path);
            if self.kept > 0 {
                self.full.push((full, self.records));
            }
            self.records = 0;
            self.tidy();
        }
        let left = self.limit.saturating_sub(self.current.bytes());
        let first = lines.part(0..records.start).len() as u64;
        // A record goes to the file that is not full when it comes.
        let ends = lines.ends.get(records.clone()).unwrap_or_default();
        let fit = ends.partition_point(|end| u64::from(*end) - first < left) + 1;
        Ok(fit.min(records.len()))
    }

    /// Writes records that [`room`](Self::room) has found room for.
    ///
    /// # Errors
    /// They cannot be written.
    pub(super) fn write(&mut self, lines: &Lines, records: Range<usize>) -> Result<(), FilesError> {
        self.records += records.len() as u64;
        self.taken += records.len() as u64;
        Ok(self.current.write(lines.part(records))?)
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn flush(&mut self) -> Result<(), FilesError> {
        Ok(self.current.flush()?)
    }

    /// Removes the oldest files of this name but for those that are kept. What cannot be removed stays.
    fn tidy(&mut self) {
        if self.kept == 0 {
            return;
        }
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut own: Vec<(Reverse<(String, u32)>, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            .filter_map(|entry| {
                let name = entry.file_name();
                let order = order(name.to_str()?, &self.stem, self.extension)?;
                Some((Reverse(order), entry.path()))
            })
            .collect();
        own.sort();
        for (_, path) in own.into_iter().skip(self.kept) {
            if path == self.path || fs::remove_file(&path).is_err() {
                continue;
            }
            self.deleted.files += 1;
            if let Some(place) = self.full.iter().position(|(full, _)| *full == path) {
                self.deleted.records += self.full.remove(place).1;
            }
        }
    }
}

/// Opens the next file that is not there yet.
fn next(
    folder: &Path,
    stem: &str,
    stamp: &str,
    extension: &str,
    counter: &mut u32,
) -> Result<(Output, PathBuf), OutputError> {
    loop {
        *counter += 1;
        let path = folder.join(format!("{stem}_{stamp}_{counter}.{extension}"));
        if path.symlink_metadata().is_err() {
            // Should one come up in between, it is not emptied.
            return Ok((Output::open(&Destination::Append(path.clone()))?, path));
        }
    }
}

/// When a file of this name was made, if it is one of these files.
fn order(name: &str, stem: &str, extension: &str) -> Option<(String, u32)> {
    let rest = name.strip_prefix(stem)?.strip_prefix('_')?;
    let rest = rest.strip_suffix(extension)?.strip_suffix('.')?;
    let (stamp, counter) = rest.rsplit_once('_')?;
    let (day, time) = stamp.split_once('_')?;
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_stamp = digits(day, 8) && digits(time, 6) && digits(counter, counter.len());
    let counter = counter.parse().ok().filter(|_| is_stamp)?;
    Some((stamp.to_owned(), counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn config(folder: &Path, rotation_size_mb: f64, max_files: u32) -> FileConfig {
        FileConfig {
            path: folder.join("new/logs.txt"),
            rotation_size_mb,
            max_files,
        }
    }

    fn lines(count: usize) -> Lines {
        let mut lines = Lines::default();
        for number in 0..count {
            lines
                .bytes
                .extend_from_slice(format!("{number:099}\n").as_bytes());
            lines.end_record();
        }
        lines
    }

    fn write(files: &mut Files, lines: &Lines, mut records: Range<usize>) {
        while !records.is_empty() {
            let end = records.start + files.room(lines, &records).unwrap();
            files.write(lines, records.start..end).unwrap();
            records.start = end;
        }
    }

    fn begun() -> Zoned {
        "2026-01-31T12:00:05[UTC]".parse().unwrap()
    }

    #[test]
    fn files_follow_each_other_and_no_line_is_split_or_lost() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), 1000.0 / 1_048_576.0, 0);
        let mut files = Files::open(&config, "json", &begun()).unwrap();
        let lines = lines(25);
        for records in [0..1, 1..8, 8..8, 8..25] {
            write(&mut files, &lines, records);
        }
        assert_eq!(files.position().1, 6);
        assert_eq!(files.bytes(), 2500);
        files.flush().unwrap();
        let mut all = Vec::new();
        for (number, length) in [(1, 1000), (2, 1000), (3, 500)] {
            let name = format!("new/logs_20260131_120005_{number}.json");
            let bytes = fs::read(folder.path().join(name)).unwrap();
            assert_eq!(bytes.len(), length);
            all.extend_from_slice(&bytes);
        }
        assert_eq!(all, lines.bytes);
    }

    #[test]
    fn the_newest_are_kept_and_nothing_else_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("new");
        fs::create_dir(&own).unwrap();
        let foreign = [
            "logs_backup.json",
            "logs_20260101_000000_1.log",
            "logs_20260101_000000_x.json",
            "logs_2026_000000_1.json",
            "logs_20260101_000000_1.json.gz",
            "other_20260101_000000_1.json",
            "logs_+0260101_000000_1.json",
        ];
        for name in foreign.iter().chain(&[
            "logs_20260101_000000_9.json",
            "logs_20260101_000000_10.json",
        ]) {
            fs::write(own.join(name), "x").unwrap();
        }
        let config = config(folder.path(), 1000.0 / 1_048_576.0, 3);
        let mut files = Files::open(&config, "json", &begun()).unwrap();
        let left = names(&own);
        assert!(left.contains(&"logs_20260101_000000_9.json".to_owned()));
        let lines = lines(15);
        write(&mut files, &lines, 0..15);
        files.flush().unwrap();
        // One of the run before.
        let deleted = Deleted {
            files: 1,
            records: 0,
        };
        assert_eq!(files.deleted(), deleted);
        let mut expected: Vec<String> = foreign.iter().map(ToString::to_string).collect();
        expected.push("logs_20260101_000000_10.json".to_owned());
        expected.push("logs_20260131_120005_1.json".to_owned());
        expected.push("logs_20260131_120005_2.json".to_owned());
        expected.sort();
        assert_eq!(names(&own), expected);
    }

    #[test]
    fn what_is_there_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), 0.0, 0);
        let mut first = Files::open(&config, "log", &begun()).unwrap();
        write(&mut first, &lines(3), 0..3);
        first.flush().unwrap();
        let second = Files::open(&config, "log", &begun()).unwrap();
        assert!(second.position().0.ends_with("logs_20260131_120005_2.log"));
        let written = fs::read(folder.path().join("new/logs_20260131_120005_1.log")).unwrap();
        assert_eq!(written.len(), 300);
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("new"), "a file").unwrap();
        let error = Files::open(&config(folder.path(), 1.0, 1), "log", &begun()).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot make the folder "),
            "{error}"
        );
    }
}
