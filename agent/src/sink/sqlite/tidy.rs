//! What happens to the files of days that are over: they get the indexes that a file being written
//! cannot have, and the oldest are deleted.
//!
//! A thread of low priority looks at the folder at each new day and every ten minutes. While it works
//! on a file it claims its day; the writer keeps late records of it in memory meanwhile. Files of
//! today and of days to come are never touched.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::days::Days;
use super::error::FileError;
use super::file::{checkpoint, connect};
use super::folder::{self, Entry};
use super::groups;
use super::names::{Day, FileName};
use super::schema::INDEXES;
use super::settings::Retain;
use super::writer::Clock;

/// Without being woken it looks at the folder so often.
const PERIOD: Duration = Duration::from_secs(600);
/// A day gets its indexes when it is over for so long: most late records have come by then.
const SETTLED_US: i64 = 300_000_000;
/// How far below others the thread stands.
const NICENESS: libc::c_int = 10;

/// What tidies up a folder.
pub(super) struct Tidy {
    pub(super) directory: PathBuf,
    pub(super) retain: Retain,
    pub(super) days: Arc<Days>,
    pub(super) clock: Clock,
    pub(super) busy_timeout: Duration,
    /// Days that have their indexes, as far as is known.
    pub(super) finished: HashSet<Day>,
    /// The day of the last look.
    pub(super) last_today: Option<Day>,
}

impl Tidy {
    /// Tidies up whenever it is woken, until the other end of `wake` is gone.
    pub(super) fn run(mut self, wake: &Receiver<()>) {
        stand_below_others();
        let mut failing = false;
        while !matches!(
            wake.recv_timeout(PERIOD),
            Err(RecvTimeoutError::Disconnected)
        ) {
            match self.once() {
                Ok(()) => failing = false,
                Err(_) if self.days.is_stopped() => return,
                Err(error) if failing => {
                    tracing::debug!(%error, "the data folder still cannot be tidied up");
                }
                Err(error) => {
                    failing = true;
                    tracing::warn!(path = %self.directory.display(), %error, "the data folder cannot be tidied up; it is tried again every 10 minutes");
                }
            }
        }
    }

    /// Tidies up once. One file that fails does not keep the others from their turn; gives the first
    /// error.
    pub(super) fn once(&mut self) -> Result<(), FileError> {
        let now = (self.clock)().as_microsecond();
        let today = Day::of(now);
        // A clock that jumped may jump back: nothing is deleted by it before the next look.
        let last = self.last_today.replace(today).unwrap_or(today);
        let mut result = match (today.0 - last.0).abs() {
            0 | 1 => self.delete_oldest(today),
            _ => Ok(()),
        };
        let settled = Day::of(now - SETTLED_US);
        for entry in self.list()? {
            let FileName { day, damaged } = entry.name;
            if damaged.is_some() || day >= settled || self.finished.contains(&day) {
                continue;
            }
            match self.finish(day) {
                Ok(()) => {
                    self.finished.insert(day);
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Makes the indexes of a day.
    fn finish(&self, day: Day) -> Result<(), FileError> {
        let Some(claim) = self.days.claim(day) else {
            return Ok(());
        };
        let path = self
            .directory
            .join(FileName { day, damaged: None }.to_string());
        let connection = connect(&path, self.busy_timeout)?;
        claim.can_be_interrupted_by(connection.get_interrupt_handle());
        for (name, columns) in INDEXES {
            connection.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {name} ON {columns}"))?;
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        groups::close_all(&connection)?;
        connection.execute_batch("COMMIT")?;
        // Nobody follows a day that is over; and a reader that is in the way has the log as it is.
        connection.execute_batch("PRAGMA optimize")?;
        checkpoint(&connection, "TRUNCATE")?;
        Ok(())
    }

    fn delete_oldest(&self, today: Day) -> Result<(), FileError> {
        let horizon = self
            .retain
            .days
            .map(|days| Day(today.0.saturating_sub(i64::from(days))));
        if let Some(horizon) = horizon {
            self.days.raise_horizon(horizon);
        }
        let entries = self.list()?;
        let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let mut result = Ok(());
        for Entry { name, bytes } in entries {
            let too_old = horizon.is_some_and(|horizon| name.day < horizon);
            let too_much = self.retain.bytes.is_some_and(|most| total > most);
            if name.day >= today || !(too_old || too_much) {
                continue;
            }
            let Some(_claim) = self.days.claim(name.day) else {
                return result;
            };
            if name.damaged.is_none() {
                self.days.raise_horizon(Day(name.day.0 + 1));
            }
            match folder::delete(&self.directory, name) {
                Ok(()) => {
                    total = total.saturating_sub(bytes);
                    tracing::info!(file = %name, bytes, "an old database was deleted");
                }
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        result
    }

    fn list(&self) -> Result<Vec<Entry>, FileError> {
        match folder::list(&self.directory) {
            // Not there: nothing to do until the writer makes it again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => Ok(other?),
        }
    }
}

fn stand_below_others() {
    // SAFETY: takes three numbers; 0 is the calling thread. When it fails, nothing is changed,
    // and the thread works at the ordinary priority.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
}
