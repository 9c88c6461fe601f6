//! The thread between the queue and the databases.
//!
//! It gathers batches until there are enough records for a transaction, or the first has waited long
//! enough, and stores the records of each day in the file of that day. At most two files are open:
//! today's, and the one that late records were last for.

mod awaited;
mod gather;
mod parked;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::gather::Gathered;
use super::days::Days;
use super::error::FileError;
use super::file::{DayFile, Stored};
use super::folder;
use super::intake::{FailedAt, Job};
use super::names::{Day, FileName};
use crate::sink::batch::Batch;
use crate::sink::counts::{LossReason, SharedCounts};

/// How often what is due by time alone is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often what was written is brought into the databases when there is little of it.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// The file of a day that is over is closed when nothing came for so long.
const LATE: Duration = Duration::from_secs(600);
/// Files that are open at most.
const OPEN: usize = 2;

/// What tells the time: tests have a day of their own.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Stores batches from the queue until it is closed.
pub(super) struct Writer {
    pub(super) directory: PathBuf,
    pub(super) commit_records: usize,
    pub(super) commit_after: Duration,
    pub(super) busy_timeout: Duration,
    pub(super) clock: Clock,
    pub(super) shared: Arc<SharedCounts>,
    pub(super) days: Arc<Days>,
    pub(super) wake_tidy: SyncSender<()>,
    pub(super) state: WriterState,
}

/// What the writer remembers.
#[derive(Default)]
pub(super) struct WriterState {
    open: Vec<DayFile>,
    /// Records of days that are claimed.
    parked: Batch,
    /// Senders that waited for the last transaction that somebody waited for.
    crowd: usize,
    /// What was lost since storing began to fail.
    outage: Option<u64>,
    pub(super) failed_at: FailedAt,
    today: Option<Day>,
    last_checkpoint: Option<Instant>,
    full_reported: (u64, Option<Instant>),
}

impl Writer {
    pub(super) fn run(mut self, full: &Receiver<Job>) {
        let mut gathered = Gathered::default();
        let mut last_tick = Instant::now();
        self.tick(last_tick);
        loop {
            match full.recv_timeout(TICK) {
                Ok(job) => {
                    gathered.push(job);
                    self.gather(full, &mut gathered);
                    self.store(&gathered.shared);
                    // Whoever fills batches may have them again.
                    gathered.shared.clear();
                    if !gathered.awaited.is_empty() {
                        self.state.crowd = gathered.awaited.len();
                    }
                    self.store_awaited(gathered.awaited.drain(..));
                    gathered.records = 0;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if now.duration_since(last_tick) >= TICK {
                last_tick = now;
                self.tick(now);
            }
        }
        self.days.stop();
        self.store_parked(true);
        self.write_groups(Duration::ZERO);
        for file in &mut self.state.open {
            file.checkpoint();
        }
    }

    /// Writes the groups that have been in memory alone for so long.
    fn write_groups(&mut self, time: Duration) {
        for file in &mut self.state.open {
            if self.days.begin(file.day) {
                write_groups(file, time);
                self.days.end();
            }
        }
    }

    /// Stores what is in the batches, or counts it as lost.
    pub(super) fn store(&mut self, batches: &[Arc<Batch>]) {
        let batches: Vec<&Batch> = batches.iter().map(AsRef::as_ref).collect();
        for (day, records) in self.by_day(&batches) {
            self.store_day(day, records, &batches);
        }
    }

    /// The days of the records, each with the number of them.
    fn by_day(&self, batches: &[&Batch]) -> Vec<(Day, u64)> {
        let range = self.range();
        let mut days: Vec<(Day, u64)> = Vec::new();
        let times = batches.iter().flat_map(|batch| batch.times());
        let mut last = 0;
        for time in times {
            let day = range.day(time);
            // Nearly always the day of the record before.
            if let Some((other, records)) = days.get_mut(last)
                && *other == day
            {
                *records += 1;
                continue;
            }
            match days.iter_mut().find(|(other, _)| *other == day) {
                Some((_, records)) => *records += 1,
                None => days.push((day, 1)),
            }
            last = days
                .iter()
                .position(|(other, _)| *other == day)
                .unwrap_or(0);
        }
        days.sort();
        days
    }

    fn store_day(&mut self, day: Day, records: u64, batches: &[&Batch]) {
        self.make_room(day);
        if !self.days.begin(day) {
            self.park(day, records, batches);
            return;
        }
        let result = self.try_store(day, batches).or_else(|error| {
            if error.reason() != LossReason::Damaged {
                return Err(error);
            }
            self.move_aside(day, &error)?;
            self.try_store(day, batches)
        });
        self.days.end();
        match result {
            Ok(Stored { stored, refused }) => {
                self.shared.add_stored(stored);
                if refused > 0 {
                    self.shared.add_lost(LossReason::Refused, refused);
                }
                self.report_recovery();
            }
            Err(error) => {
                self.shared.add_lost(error.reason(), records);
                self.report_outage(&error, records);
            }
        }
    }

    fn try_store(&mut self, day: Day, batches: &[&Batch]) -> Result<Stored, FileError> {
        let range = self.range();
        let file = self.file(day)?;
        let sessions = batches.iter().flat_map(|batch| batch.sessions());
        let exchanges = batches.iter().flat_map(|batch| batch.exchanges());
        let result = file.store(
            sessions.filter(|record| range.day(record.timestamp) == day),
            exchanges.filter(|record| range.day(record.ts) == day),
        );
        if result.is_err() {
            // Opened anew, it may have become another one.
            self.state.open.retain(|file| file.day != day);
        }
        result
    }

    /// The open file of a day.
    fn file(&mut self, day: Day) -> Result<&mut DayFile, FileError> {
        let open = &mut self.state.open;
        if let Some(index) = open.iter().position(|file| file.day == day) {
            if open[index].is_there() {
                return Ok(&mut open[index]);
            }
            tracing::warn!(day = %day, "the database was deleted or moved; it is made again");
            // Closed before a new one is made: it deletes the log of its name.
            drop(open.swap_remove(index));
        }
        open.push(DayFile::open(&self.directory, day, self.busy_timeout)?);
        let last = open.len() - 1;
        Ok(&mut open[last])
    }

    /// Closes the file that nothing came for since longest, where another one is to be opened for this day.
    /// Its roll-ups are written first: it may never be opened again.
    fn make_room(&mut self, day: Day) {
        let open = &self.state.open;
        if open.len() < OPEN || open.iter().any(|file| file.day == day) {
            return;
        }
        let files = open.iter().enumerate();
        let Some((oldest, _)) = files.min_by_key(|(_, file)| file.last_used) else {
            return;
        };
        let mut file = self.state.open.swap_remove(oldest);
        // Whoever tidies up such a day counts what is missing.
        if self.days.begin(file.day) {
            write_groups(&mut file, Duration::ZERO);
            drop(file);
            self.days.end();
        }
    }

    fn move_aside(&mut self, day: Day, error: &FileError) -> Result<(), FileError> {
        self.state.open.retain(|file| file.day != day);
        let name = FileName { day, damaged: None };
        let path = self.directory.join(name.to_string());
        let aside = folder::move_aside(&self.directory, name)?;
        tracing::error!(path = %path.display(), aside = %aside.display(), %error, "the database cannot be used; it was moved aside and a new one is begun");
        Ok(())
    }

    /// What is due by time alone.
    fn tick(&mut self, now: Instant) {
        self.store_parked(false);
        let today = Day::of((self.clock)().as_microsecond());
        if self.state.today != Some(today) {
            self.state.today = Some(today);
            // Full means that it will look anyway.
            let _woken = self.wake_tidy.try_send(());
        }
        self.write_groups(TICK);
        let horizon = self.days.horizon();
        self.state.open.retain(|file| {
            let is_late = file.day < today && now.saturating_duration_since(file.last_used) >= LATE;
            !is_late && horizon.is_none_or(|horizon| file.day >= horizon)
        });
        let is_due = self
            .state
            .last_checkpoint
            .is_none_or(|last| now.saturating_duration_since(last) >= CHECKPOINT);
        if is_due {
            self.state.last_checkpoint = Some(now);
            for file in &mut self.state.open {
                file.checkpoint();
            }
        }
        self.report_full(now);
    }

    fn range(&self) -> Range {
        let today = Day::of((self.clock)().as_microsecond());
        Range {
            // A clock that was put back is before what was deleted.
            first: self.days.horizon().map(|first| first.min(today)),
            last: Day(today.0 + 1),
        }
    }
}

/// What fails is done again when the file is opened.
fn write_groups(file: &mut DayFile, time: Duration) {
    if let Err(error) = file.write_groups(time) {
        tracing::debug!(day = %file.day, %error, "roll-ups could not be written");
    }
}

/// The days that have files now. What is older than all goes to the first, so that a session that
/// has lasted longer than files are kept is kept too; what claims to be of the future goes to
/// tomorrow's, so that no clock makes files without end.
#[derive(Clone, Copy)]
struct Range {
    first: Option<Day>,
    last: Day,
}

impl Range {
    fn day(self, time: Timestamp) -> Day {
        let day = Day::of(time.as_microsecond()).min(self.last);
        self.first.map_or(day, |first| day.max(first))
    }
}
