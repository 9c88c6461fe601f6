//! The three logs of a folder: access.log, error.log and system.log.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::backups::{Backups, Compressor};
use super::config::{DiskConfig, OutputConfig};
use super::day::nanoseconds;
use super::disk::Guard;
use super::files::{Deleted, FileError, LogFile, Rules};
use super::work::Block;

/// The log of requests.
pub const ACCESS: &str = "access.log";
/// The log of what went wrong on the site.
pub const ERROR: &str = "error.log";
/// The log of the generator.
pub const SYSTEM: &str = "system.log";

/// The logs, open, with what looks after them.
#[derive(Debug)]
pub struct Logs {
    access: LogFile,
    error: LogFile,
    system: LogFile,
    rules: Rules,
    compressor: Compressor,
    guard: Option<Guard>,
    notes: Receiver<String>,
    debug: bool,
}

impl Logs {
    /// Opens them to append; the folder is made when missing. `head`: what access.log begins with.
    ///
    /// # Errors
    /// The folder cannot be made, or a file in it cannot be opened.
    pub fn open(
        config: &OutputConfig,
        zone: &TimeZone,
        head: &'static [u8],
    ) -> anyhow::Result<Self> {
        let folder = config.directory.as_path();
        std::fs::create_dir_all(folder).map_err(|source| FileError::Folder {
            path: folder.to_owned(),
            source,
        })?;
        let (say, notes) = channel();
        let compressor =
            Compressor::start(say.clone()).context("cannot start the thread that compresses")?;
        let rotation = &config.rotation;
        let rules = Rules::new(rotation, zone.clone());
        let now = Timestamp::now();
        let logs = [ACCESS, ERROR, SYSTEM].map(|name| {
            let compress = rotation.compress;
            Arc::new(Backups::new(folder, name, rotation.backup_count, compress))
        });
        let open = |backups: &Arc<Backups>, name: &str, head| {
            let recovered = backups.recover(&compressor);
            recovered.with_context(|| format!("cannot read the folder {}", folder.display()))?;
            let (path, rules) = (folder.join(name), rules.clone());
            let backups = Arc::clone(backups);
            anyhow::Ok(LogFile::open(path, rules, head, backups, &compressor, now)?)
        };
        let [access, error, system] = &logs;
        let access = open(access, ACCESS, head)?;
        let error = open(error, ERROR, b"")?;
        let system = open(system, SYSTEM, b"")?;
        let guard = guard(&config.disk, folder, logs.to_vec(), say)?;
        let mut opened = Self {
            access,
            error,
            system,
            rules,
            compressor,
            guard,
            notes,
            debug: config.debug,
        };
        opened.say(
            "INFO",
            "Logging initialized - all output directed to log files",
        )?;
        let path = folder.join(ACCESS);
        let begins = format!(
            "Starting log generation. Logs will be written to: {}",
            path.display()
        );
        opened.say("INFO", &begins)?;
        if opened.guard.is_some() {
            let DiskConfig {
                min_free_gb,
                interval,
                ..
            } = config.disk;
            let line = format!(
                "Disk space monitor started (min: {min_free_gb:?}GB, interval: {interval}s)"
            );
            opened.say("INFO", &line)?;
        }
        Ok(opened)
    }

    /// Writes lines, all of one stretch of the clock.
    ///
    /// # Errors
    /// A file takes no more; all lines in it are whole.
    pub fn write(&mut self, block: &Block) -> Result<(), FileError> {
        let time = timestamp(block.time);
        self.access.append(&block.access, time, &self.compressor)?;
        self.error.append(&block.errors, time, &self.compressor)
    }

    /// When files with a line of this time are put aside, both in nanoseconds since the epoch.
    #[must_use]
    pub fn end_of(&self, time: i64) -> i64 {
        nanoseconds(self.rules.end_of(timestamp(time)))
    }

    /// Writes a line of system.log.
    ///
    /// # Errors
    /// The file takes no more.
    pub fn say(&mut self, level: &str, message: &str) -> Result<(), FileError> {
        let now = Timestamp::now();
        let message: String = message
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect();
        let line = format!(
            "{} - {level} - {message}\n",
            now.strftime("%Y-%m-%d %H:%M:%S")
        );
        self.system.append(line.as_bytes(), now, &self.compressor)
    }

    /// Writes a line of system.log where `output.debug` asks for it.
    ///
    /// # Errors
    /// The file takes no more.
    pub fn say_more(&mut self, message: &str) -> Result<(), FileError> {
        match self.debug {
            true => self.say("DEBUG", message),
            false => Ok(()),
        }
    }

    /// Writes what those who look after the files have to say.
    ///
    /// # Errors
    /// The file takes no more.
    pub fn say_notes(&mut self) -> Result<(), FileError> {
        while let Ok(note) = self.notes.try_recv() {
            self.say("WARNING", &note)?;
        }
        Ok(())
    }

    /// Bytes that were written to access.log.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.access.written()
    }

    /// Lines that access.log could not take.
    #[must_use]
    pub const fn lost_lines(&self) -> u64 {
        self.access.lost_lines()
    }

    /// Files that were put aside of access.log.
    #[must_use]
    pub const fn turned(&self) -> u64 {
        self.access.turned()
    }

    /// What rotation deleted of access.log.
    #[must_use]
    pub const fn deleted(&self) -> Deleted {
        self.access.deleted()
    }

    /// Waits until all is compressed.
    ///
    /// # Errors
    /// system.log takes no more.
    pub fn close(mut self) -> Result<(), FileError> {
        if let Some(guard) = self.guard.take() {
            guard.finish();
        }
        self.say_notes()?;
        self.compressor.finish();
        Ok(())
    }
}

fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

fn guard(
    config: &DiskConfig,
    folder: &Path,
    logs: Vec<Arc<Backups>>,
    say: std::sync::mpsc::Sender<String>,
) -> anyhow::Result<Option<Guard>> {
    if !config.enabled {
        return Ok(None);
    }
    let least = (config.min_free_gb * 1_073_741_824.0) as u64;
    let interval = Duration::from_secs(config.interval);
    let guard = Guard::start(folder.to_owned(), logs, least, interval, say);
    let guard = guard.context("cannot start the thread that looks at the disk")?;
    Ok(Some(guard))
}
