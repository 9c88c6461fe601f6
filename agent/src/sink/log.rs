//! Log lines: from the hot thread through a bounded queue to files or standard output.
//!
//! ```text
//! hot thread                       │ writer thread                 │ tidy thread
//! head ─► line ─► batch (per kind) ─► queue ─► LogWriter ─► file    │
//!                    ▲             │              │ put aside ──────► compress, delete
//!                    └──── empty batches ◄────────┘                │
//! ```
//!
//! A batch goes to the writer when it is large enough, when a line of another day comes, or when
//! [`LogSink::flush`] is called. The batches go round, so that once all were made nothing is
//! allocated a line or a batch. When the writer is behind, lines are dropped and counted, or the
//! caller waits, as [`OnFull`] says.

use std::{
    fs::File,
    io,
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
        mpsc::{Receiver, SyncSender, TrySendError},
    },
    thread::JoinHandle,
};

use jiff::Timestamp;

pub(crate) use self::folder::make as make_folder;
pub(crate) use self::names::is_own as is_own_file;
use self::{clock::Clock, counts::Shared, lines::Lines, names::Series, writer::Batch};
pub use self::{
    counts::{Loss, LossReason, SinkCounts},
    error::LogError,
    settings::{Format, LogSettings, OnFull, Output, Retain, Rotate},
};
use crate::http::exchange::record::ExchangeRecord;
use crate::http::head::Head;
use crate::session::record::SessionRecord;

pub(crate) mod asked;
pub mod classic;
mod clock;
pub mod combined;
mod counts;
pub mod ecs;
mod error;
mod escaped;
mod files;
mod folder;
mod frame;
pub mod json;
mod lines;
mod names;
#[cfg(test)]
mod samples;
mod settings;
mod start;
mod stream;
pub(crate) mod text;
pub(crate) use text::append_plain;
mod tidy;
mod trace;
mod writer;
pub mod zeek;

/// How a sink ended.
#[derive(Debug)]
pub struct LogOutcome {
    /// The final account: `accepted = stored + lost`.
    pub counts: SinkCounts,
    /// The reader of standard output went away: a quiet end, not a failure.
    pub reader_gone: bool,
    /// Bringing the files to the disk failed: lines counted as stored may be lost when the host
    /// goes down now.
    pub sync_error: Option<io::Error>,
}

/// Takes heads, exchanges and sessions, and writes the lines that the format has. Belongs to one thread; see [`LogHandle`] for others.
#[derive(Debug)]
pub struct LogSink {
    lines: Lines,
    /// The day of a record; None when the output has no days.
    clock: Option<Clock>,
    split: bool,
    batch_bytes: usize,
    on_full: OnFull,
    /// The batches being filled: one, or one for each kind.
    filling: Vec<Batch>,
    /// Batches that may still be made.
    unmade: usize,
    spare: Option<Batch>,
    empty: Receiver<Batch>,
    shared: Arc<Shared>,
    workers: Option<Workers>,
}

/// The threads behind a sink.
#[derive(Debug)]
struct Workers {
    queue: SyncSender<Batch>,
    writer: JoinHandle<io::Result<()>>,
    tidy: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
}

/// Watches and steers a sink from any thread.
#[derive(Clone, Debug)]
pub struct LogHandle {
    shared: Arc<Shared>,
}

impl LogSink {
    /// Checks the settings, makes the folder and starts the threads.
    ///
    /// # Errors
    /// When a setting cannot be meant, the folder cannot be used or no thread can be made.
    pub fn start(settings: LogSettings) -> Result<Self, LogError> {
        settings.check()?;
        match &settings.output {
            Output::Directory(_) => Self::start_files(&settings),
            Output::Stdout => {
                let stdout = io::stdout()
                    .as_fd()
                    .try_clone_to_owned()
                    .map_err(|source| LogError::Stdout { source })?;
                Self::start_stream(&settings, File::from(stdout))
            }
        }
    }

    /// Appends the line of `head` to its batch, where the format has lines of heads. Allocates nothing
    /// once the batches have grown.
    pub fn write(&mut self, head: &Head<'_>) {
        if !matches!(self.lines, Lines::Classic(_) | Lines::Json(_)) {
            return;
        }
        let index = if self.split { head.kind as usize } else { 0 };
        self.begin_line(index, head.time_ns);
        self.lines.append(head, &mut self.filling[index].lines);
        self.end_line(index);
    }

    /// Appends the line of an exchange to its batch, where the format has such lines ([`Combined`],
    /// [`ecs`], [`zeek`]). The file is that of the day of the request.
    pub fn write_exchange(&mut self, record: &ExchangeRecord<'_>) {
        if !self.lines.takes_exchanges() {
            return;
        }
        self.begin_line(0, nanoseconds(record.ts));
        self.lines
            .append_exchange(record, &mut self.filling[0].lines);
        self.end_line(0);
    }

    /// Appends the line of a session to its batch, where the format has such lines ([`zeek`], in files)
    /// and the record is a final one. The file is that of the day of its end.
    pub fn write_session(&mut self, record: &SessionRecord<'_>) {
        let is_interim = record.details.is_some_and(|details| details.interim);
        if is_interim || !self.takes_sessions() {
            return;
        }
        let end = record
            .details
            .map_or(record.timestamp, |details| details.ended_at);
        self.begin_line(1, nanoseconds(end));
        zeek::write_session(record, &mut self.filling[1].lines);
        self.end_line(1);
    }

    /// Whether exchanges are written at all.
    #[must_use]
    pub fn takes_exchanges(&self) -> bool {
        self.lines.takes_exchanges()
    }

    /// Whether sessions are written at all: standard output has room for one kind of Zeek's lines.
    #[must_use]
    pub fn takes_sessions(&self) -> bool {
        matches!(self.lines, Lines::Zeek(_)) && self.filling.len() > 1
    }

    /// Makes the batch one of the day of the record.
    fn begin_line(&mut self, index: usize, time_ns: i64) {
        if let Some(clock) = &mut self.clock {
            let day = clock.day(time_ns);
            if self.filling[index].series.day != day {
                self.hand_over(index);
                self.filling[index].series.day = day;
            }
        }
    }

    fn end_line(&mut self, index: usize) {
        let batch = &mut self.filling[index];
        batch.records += 1;
        if batch.lines.len() >= self.batch_bytes {
            self.hand_over(index);
        }
    }

    /// Hands what was written so far to the writer. To be called at the end of a drain.
    pub fn flush(&mut self) {
        for index in 0..self.filling.len() {
            self.hand_over(index);
        }
    }

    /// Opens the files anew before the next line, after an external program renamed them.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Release);
    }

    /// The account so far. Lines not yet flushed are not in it.
    #[must_use]
    pub fn counts(&self) -> SinkCounts {
        self.shared.counts()
    }

    /// Whether the reader of standard output went away, so that there is no use in going on.
    #[must_use]
    pub fn reader_gone(&self) -> bool {
        self.shared.reader_gone.load(Acquire)
    }

    /// For other threads.
    #[must_use]
    pub fn handle(&self) -> LogHandle {
        LogHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Writes all that is queued, brings it to the disk and ends the threads. Waits for the disk
    /// whatever [`OnFull`] says; a compression under way is given up and done at the next start.
    #[must_use]
    pub fn close(mut self) -> LogOutcome {
        let sync_error = self.end();
        LogOutcome {
            counts: self.shared.counts(),
            reader_gone: self.reader_gone(),
            sync_error,
        }
    }

    /// Puts a batch into the queue and an empty one in its place.
    fn hand_over(&mut self, index: usize) {
        let records = self.filling[index].records;
        if records == 0 {
            return;
        }
        self.shared.add_accepted(records);
        let Some(mut empty) = self.take_empty() else {
            self.drop_batch(index, LossReason::QueueFull);
            return;
        };
        let Some(workers) = &self.workers else {
            self.drop_batch(index, LossReason::Other);
            return;
        };
        empty.series = self.filling[index].series;
        let full = std::mem::replace(&mut self.filling[index], empty);
        let refused = match self.on_full {
            OnFull::Drop => workers.queue.try_send(full).err(),
            OnFull::Block => workers
                .queue
                .send(full)
                .err()
                .map(|refused| TrySendError::Disconnected(refused.0)),
        };
        let (batch, reason) = match refused {
            None => return,
            Some(TrySendError::Full(batch)) => (batch, LossReason::QueueFull),
            // The writer ended by a defect: what it did not take is lost.
            Some(TrySendError::Disconnected(batch)) => (batch, LossReason::Other),
        };
        self.spare = Some(std::mem::replace(&mut self.filling[index], batch));
        self.drop_batch(index, reason);
    }

    /// An empty batch; None when all are on their way and the caller is not to wait.
    fn take_empty(&mut self) -> Option<Batch> {
        if let Some(batch) = self.spare.take() {
            return Some(batch);
        }
        if let Ok(batch) = self.empty.try_recv() {
            return Some(batch);
        }
        if self.unmade > 0 {
            self.unmade -= 1;
            return Some(new_batch(self.filling[0].series, self.batch_bytes));
        }
        match self.on_full {
            OnFull::Drop => None,
            OnFull::Block => self.empty.recv().ok(),
        }
    }

    fn drop_batch(&mut self, index: usize, reason: LossReason) {
        let batch = &mut self.filling[index];
        let loss = Loss {
            records: batch.records,
            bytes: batch.lines.len() as u64,
        };
        self.shared.add_lost(reason, loss);
        batch.lines.clear();
        batch.records = 0;
    }

    fn end(&mut self) -> Option<io::Error> {
        self.on_full = OnFull::Block;
        self.flush();
        let Workers {
            queue,
            writer,
            tidy,
        } = self.workers.take()?;
        if let Some((_, stop)) = &tidy {
            stop.store(true, Relaxed);
        }
        drop(queue);
        let result = writer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the log writer ended by a defect")));
        // The writer held the other end of what wakes this thread.
        if let Some((thread, _)) = tidy {
            let _joined = thread.join();
        }
        result.err()
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl LogHandle {
    /// As [`LogSink::reopen`].
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Release);
    }

    /// As [`LogSink::counts`].
    #[must_use]
    pub fn counts(&self) -> SinkCounts {
        self.shared.counts()
    }

    /// As [`LogSink::reader_gone`].
    #[must_use]
    pub fn reader_gone(&self) -> bool {
        self.shared.reader_gone.load(Acquire)
    }
}

/// Since the epoch; what lies beyond 64 bits is at their end.
fn nanoseconds(time: Timestamp) -> i64 {
    let clamped = time.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
    i64::try_from(clamped).unwrap_or_default()
}

/// With room for the line that goes beyond the size at which a batch is handed over.
fn new_batch(series: Series, batch_bytes: usize) -> Batch {
    Batch {
        series,
        lines: Vec::with_capacity(batch_bytes.saturating_add(4096)),
        records: 0,
    }
}

#[cfg(test)]
mod tests;
