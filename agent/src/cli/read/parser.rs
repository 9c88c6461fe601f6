//! The second half of `tapline read`, on a thread of its own: from the records of the classifier to heads,
//! exchanges, sessions and lines.
//!
//! ```text
//! packets ─► classifier ─► batch n + 1         batch n ─► heads ─► lines
//!                ▲                                │
//!                └── releases of batch n - 1 ◄────┘
//! ```
//!
//! What the second half says of connections (a body ended, copy no more of this one) reaches the first one
//! when the batch behind the next one begins, however fast either thread is: the same capture gives the
//! same lines.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::capture::flows::{Item, TakeFlow as _};
use crate::capture::offline::{Slot, each_record};
use crate::capture::writer::Writer;
use crate::http::engine::Engine;
use crate::sink::log::LogHandle;

/// Batches that are on their way when another one is handed over.
const DEPTH: usize = 1;

/// What the second half consists of.
pub(super) struct Parsing {
    pub(super) engine: Engine,
    pub(super) writer: Writer,
}

/// The records of some packets; on the way back, what is to be released.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<u64>,
    releases: Vec<Slot>,
}

/// The thread.
pub(super) struct Parser {
    parsing: Arc<Mutex<Parsing>>,
    sink: LogHandle,
    full: SyncSender<Batch>,
    done: Receiver<Batch>,
    /// Batches that the thread has.
    away: usize,
    spare: Vec<Batch>,
    thread: JoinHandle<()>,
}

impl Parser {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(super) fn start(mut parsing: Parsing) -> io::Result<Self> {
        let sink = parsing.writer.sink().handle();
        let parsing = Arc::new(Mutex::new(parsing));
        let (full, batches) = sync_channel::<Batch>(DEPTH + 1);
        let (give_back, done) = sync_channel(DEPTH + 1);
        let shared = Arc::clone(&parsing);
        let thread = thread::Builder::new()
            .name("tapline-parse".to_owned())
            .spawn(move || {
                for mut batch in batches {
                    lock(&shared).take(&mut batch);
                    if give_back.send(batch).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self {
            parsing,
            sink,
            full,
            done,
            away: 0,
            spare: Vec::new(),
            thread,
        })
    }

    /// Hands records over, waits for the batch before them, and gives what it releases to `release`. Gives
    /// room for other records.
    ///
    /// # Errors
    /// The thread ended by a defect.
    pub(super) fn hand_over(
        &mut self,
        records: Vec<u64>,
        release: impl FnMut(Slot),
    ) -> Result<Vec<u64>, Ended> {
        let batch = self.spare.pop().unwrap_or_default();
        let full = Batch { records, ..batch };
        let room = batch_room(&mut self.spare);
        self.full.send(full).map_err(|_ended| Ended)?;
        self.away += 1;
        self.wait(DEPTH, release)?;
        Ok(room)
    }

    /// Waits until everything that was handed over is parsed, and gives access to what did it.
    ///
    /// # Errors
    /// As [`Self::hand_over`].
    pub(super) fn settle(
        &mut self,
        release: impl FnMut(Slot),
    ) -> Result<MutexGuard<'_, Parsing>, Ended> {
        self.wait(0, release)?;
        Ok(lock(&self.parsing))
    }

    /// Ends the thread; everything that was handed over is parsed.
    ///
    /// # Errors
    /// As [`Self::hand_over`].
    pub(super) fn finish(mut self) -> Result<Parsing, Ended> {
        self.wait(0, |_| {})?;
        drop(self.full);
        self.thread.join().map_err(|_defect| Ended)?;
        let parsing = Arc::into_inner(self.parsing).ok_or(Ended)?;
        Ok(parsing.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the reader of standard output went away.
    pub(super) fn reader_gone(&self) -> bool {
        self.sink.reader_gone()
    }

    fn wait(&mut self, away: usize, mut release: impl FnMut(Slot)) -> Result<(), Ended> {
        while self.away > away {
            let mut batch = self.done.recv().map_err(|_ended| Ended)?;
            self.away -= 1;
            batch.releases.drain(..).for_each(&mut release);
            self.spare.push(batch);
        }
        Ok(())
    }
}

/// The thread that parses has ended by a defect.
#[derive(Debug, thiserror::Error)]
#[error("the thread that reads heads ended by a defect; what it said stands above")]
pub(super) struct Ended;

impl Parsing {
    fn take(&mut self, batch: &mut Batch) {
        let Self { engine, writer } = self;
        each_record(&batch.records, |item| {
            match item {
                Item::Piece(header, bytes) => engine.record(header, bytes, writer),
                Item::Flow(flow) => {
                    writer.sent(flow, engine);
                }
            }
            batch.releases.extend(writer.take_release());
        });
    }
}

/// The buffer of a batch that came back.
fn batch_room(spare: &mut [Batch]) -> Vec<u64> {
    let used = spare.last_mut().map(|batch| &mut batch.records);
    used.map(std::mem::take).unwrap_or_default()
}

fn lock(parsing: &Mutex<Parsing>) -> MutexGuard<'_, Parsing> {
    // A thread that panicked has said so, and `done` is closed.
    parsing.lock().unwrap_or_else(PoisonError::into_inner)
}
