//! The thread between the queue and the databases.
//!
//! It gathers batches until there are enough records for a transaction, or the first has waited long
//! enough, and stores the records of each day in the file of that day. At most two files are open:
//! today's, and the one that late records were last for.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::days::Days;
use super::error::FileError;
use super::file::{DayFile, Stored};
use super::folder;
use super::intake::{Awaited, FailedAt, Job, Written};
use super::names::{Day, FileName};
use super::rows::Placed;
use crate::sink::batch::Batch;
use crate::sink::counts::{LossReason, SharedCounts};

/// How often what is due by time alone is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often what was written is brought into the databases when there is little of it.
const CHECKPOINT: Duration = Duration::from_secs(30);
/// The file of a day that is over is closed when nothing came for so long.
const LATE: Duration = Duration::from_secs(600);
/// Losses by a full queue are reported at most so often.
const FULL_REPORT: Duration = Duration::from_secs(60);
/// Files that are open at most.
const OPEN: usize = 2;
/// So many senders that wait for one transaction are many.
const CROWD: usize = 4;
/// How long a transaction for many senders waits for more of them. The kernel adds its slack of
/// 50 microseconds; longer waits were measured to give fewer records a second.
const MOMENT: Duration = Duration::from_micros(10);
/// Records that wait at most for a day that is claimed.
const PARKED: usize = 65_536;

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
        for file in &mut self.state.open {
            file.checkpoint();
        }
    }

    /// Waits for more, until there is enough or it waited long enough. Where somebody waits for an
    /// answer, it takes only what is there already; where many did the last time, what comes within
    /// a moment: they share a commit then instead of making one each.
    fn gather(&self, full: &Receiver<Job>, gathered: &mut Gathered) {
        if !gathered.awaited.is_empty() && self.state.crowd >= CROWD {
            // Asleep, so that nobody has to wake this thread for each.
            std::thread::sleep(MOMENT);
        }
        let until = Instant::now() + self.commit_after;
        while gathered.records < self.commit_records {
            let left = match gathered.awaited.is_empty() {
                true => until.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            let Ok(job) = full.recv_timeout(left) else {
                return;
            };
            gathered.push(job);
        }
    }

    /// Stores what is awaited, together if that can be, and answers.
    fn store_awaited(&mut self, awaited: impl Iterator<Item = Awaited>) {
        let (batches, answers): (Vec<Batch>, Vec<_>) =
            awaited.map(|one| (one.batch, one.answer)).unzip();
        let together: Vec<&Batch> = batches.iter().collect();
        let written = self.write_awaited(&together);
        for ((answer, written), batch) in answers.into_iter().zip(written).zip(&batches) {
            let stored = written.ids.iter().flatten().count() as u64;
            self.shared.add_stored(stored);
            if let Some(reason) = written.failed {
                self.shared.add_lost(reason, batch.len() as u64 - stored);
            }
            // Whoever asked may have gone away.
            drop(answer.send(written));
        }
    }

    /// Stores batches, each day in one transaction; what became of each batch. One that
    /// failed on a day is not stored on the next.
    fn write_awaited(&mut self, batches: &[&Batch]) -> Vec<Written> {
        let mut written: Vec<Written> = batches
            .iter()
            .map(|batch| Written {
                ids: vec![None; batch.len()],
                failed: None,
            })
            .collect();
        let range = self.range();
        for (day, _) in self.by_day(batches) {
            let has_day = |batch: &Batch| batch.times().any(|time| range.day(time) == day);
            let together: Vec<usize> = (0..batches.len())
                .filter(|index| written[*index].failed.is_none() && has_day(batches[*index]))
                .collect();
            let result = self.write_day(day, batches, &together, &mut written);
            match result {
                // One that finds no place keeps none but itself from being stored.
                Err(LossReason::Refused) if together.len() > 1 => {
                    for index in together {
                        if let Err(reason) = self.write_day(day, batches, &[index], &mut written) {
                            written[index].failed = Some(reason);
                        }
                    }
                }
                Err(reason) => {
                    for index in together {
                        written[index].failed = Some(reason);
                    }
                }
                Ok(()) => {}
            }
        }
        written
    }

    /// Stores the records that the chosen batches have of a day, all or none.
    fn write_day(
        &mut self,
        day: Day,
        batches: &[&Batch],
        chosen: &[usize],
        written: &mut [Written],
    ) -> Result<(), LossReason> {
        if !self.days.begin(day) {
            return Err(LossReason::Locked);
        }
        let result = self.try_write_day(day, batches, chosen).or_else(|error| {
            if error.reason() != LossReason::Damaged {
                return Err(error);
            }
            self.move_aside(day, &error)?;
            self.try_write_day(day, batches, chosen)
        });
        self.days.end();
        match result {
            Ok(ids) => {
                for (batch, index, id) in ids {
                    written[batch].ids[index] = Some(id);
                }
                self.report_recovery();
                Ok(())
            }
            Err(error) => {
                let reason = error.reason();
                if reason != LossReason::Refused {
                    let records = chosen.iter().map(|index| batches[*index].len() as u64);
                    self.report_outage(&error, records.sum());
                }
                Err(reason)
            }
        }
    }

    /// The key of each record, with the place of its batch and its own in it, sessions first.
    fn try_write_day(
        &mut self,
        day: Day,
        batches: &[&Batch],
        chosen: &[usize],
    ) -> Result<Vec<(usize, usize, i64)>, FileError> {
        let mut ids = Vec::new();
        let range = self.range();
        let file = self.file(day)?;
        let sessions = chosen.iter().flat_map(|batch| {
            let sessions = batches[*batch].sessions().enumerate();
            sessions.map(move |(index, record)| ((*batch, index), record))
        });
        let of_day = sessions.filter(|(_, record)| range.day(record.timestamp) == day);
        let exchanges = chosen.iter().flat_map(|batch| {
            let exchanges = (batches[*batch].session_count()..).zip(batches[*batch].exchanges());
            exchanges.map(move |(index, record)| ((*batch, index), record))
        });
        let exchanges_of_day = exchanges.filter(|(_, record)| range.day(record.ts) == day);
        let result = file.store_and_tell(of_day, exchanges_of_day, |(batch, index), placed| {
            let (Placed::New(id) | Placed::Replaced(id, _) | Placed::Known(id)) = placed else {
                return Err(FileError::NoPlace);
            };
            ids.push((batch, index, id));
            Ok(())
        });
        match result {
            Ok(_stored) => Ok(ids),
            Err(error) => {
                if error.reason() != LossReason::Refused {
                    // Opened anew, it may have become another one.
                    self.state.open.retain(|file| file.day != day);
                }
                Err(error)
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
        if open.len() >= OPEN
            && let Some((oldest, _)) = open
                .iter()
                .enumerate()
                .min_by_key(|(_, file)| file.last_used)
        {
            drop(open.swap_remove(oldest));
        }
        open.push(DayFile::open(&self.directory, day, self.busy_timeout)?);
        let last = open.len() - 1;
        Ok(&mut open[last])
    }

    fn move_aside(&mut self, day: Day, error: &FileError) -> Result<(), FileError> {
        self.state.open.retain(|file| file.day != day);
        let name = FileName { day, damaged: None };
        let path = self.directory.join(name.to_string());
        let aside = folder::move_aside(&self.directory, name)?;
        tracing::error!(path = %path.display(), aside = %aside.display(), %error, "the database cannot be used; it was moved aside and a new one is begun");
        Ok(())
    }

    /// Keeps the records of a claimed day until it is released.
    fn park(&mut self, day: Day, records: u64, batches: &[&Batch]) {
        let range = self.range();
        let parked = &mut self.state.parked;
        let room = (PARKED.saturating_sub(parked.len())) as u64;
        if records > room {
            self.shared.add_lost(LossReason::Locked, records);
            return;
        }
        let mut kept = 0;
        for batch in batches {
            for record in batch.sessions() {
                if range.day(record.timestamp) == day && parked.push_session(&record).is_ok() {
                    kept += 1;
                }
            }
            for record in batch.exchanges() {
                if range.day(record.ts) == day && parked.push_exchange(&record).is_ok() {
                    kept += 1;
                }
            }
        }
        self.shared.add_lost(LossReason::Locked, records - kept);
    }

    /// Stores what was parked. When it is the `last` time, waits for the days to be released.
    fn store_parked(&mut self, last: bool) {
        let until = Instant::now() + self.busy_timeout;
        while !self.state.parked.is_empty() {
            let parked = std::mem::take(&mut self.state.parked);
            for (day, records) in self.by_day(&[&parked]) {
                self.store_day(day, records, &[&parked]);
            }
            if !last || self.state.parked.is_empty() {
                return;
            }
            if Instant::now() >= until {
                let left = self.state.parked.len() as u64;
                self.shared.add_lost(LossReason::Locked, left);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
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

    fn report_outage(&mut self, error: &FileError, records: u64) {
        *self
            .state
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let path = &self.directory;
        let total = self.state.outage.get_or_insert_with(|| {
            tracing::error!(path = %path.display(), reason = error.reason().word(), %error, "records cannot be stored; they are counted as lost until it works again");
            0
        });
        *total += records;
    }

    fn report_recovery(&mut self) {
        if let Some(records) = self.state.outage.take() {
            tracing::info!(path = %self.directory.display(), records, "records are stored again; the count is of those lost");
        }
    }

    fn report_full(&mut self, now: Instant) {
        let total = self.shared.counts().lost(LossReason::QueueFull);
        let (reported, last) = self.state.full_reported;
        let is_quiet = last.is_some_and(|last| now.saturating_duration_since(last) < FULL_REPORT);
        if total > reported && !is_quiet {
            tracing::warn!(
                records = total - reported,
                "records were dropped: the store is slower than the traffic"
            );
            self.state.full_reported = (total, Some(now));
        }
    }
}

/// What is stored next.
#[derive(Default)]
struct Gathered {
    shared: Vec<Arc<Batch>>,
    awaited: Vec<Awaited>,
    records: usize,
}

impl Gathered {
    fn push(&mut self, job: Job) {
        match job {
            Job::Shared(batch) => {
                self.records += batch.len();
                self.shared.push(batch);
            }
            Job::Awaited(mut awaited) => {
                drop(awaited.place.take());
                self.records += awaited.batch.len();
                self.awaited.push(awaited);
            }
        }
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
