//! The reader of the rings: takes records where they lie, drives the engine, and tells the kernel side
//! what is released.
//!
//! A plain thread. While traffic flows it looks every few milliseconds and the programs wake nobody;
//! when the rings stay empty it asks to be woken and sleeps.

mod progress;
mod scan;
mod sleep;

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use agent_common::shared::Shared;
use aya::maps::{MapData, RingBuf};

pub use self::progress::{Finished, Progress};
use self::sleep::{event_descriptor, monotonic_ns, rest, wait};
use super::flows::table::FlowTable;
use super::flows::{Item, TakeFlow as _};
use super::mapped::Mapped;
use super::offline::Slot;
use super::rings::Rings;
use super::writer::{Closed, Writer};
use crate::http::engine::Engine;

/// Records taken at the most before other things are looked at: names of interfaces, timeouts, the end.
const TAKEN_MAX: u64 = 1 << 16;

/// How long lines are gathered at the most while records come: handing them over wakes another thread.
const GATHER_NS: u64 = 25_000_000;

/// How long it sleeps at the most when nothing comes; timeouts of heads are looked at in between.
const SLEEP: Duration = Duration::from_secs(1);

/// How often timeouts of heads and holes are looked at.
const EXPIRE_NS: u64 = 250_000_000;

/// A record may come so long after one of a later packet: its program read the clock and has yet to send it. Twice
/// the coarsest tick (100 Hz), because flows have the times of their last packets to a tick.
const IN_FLIGHT_NS: u64 = 20_000_000;

/// The reader's end of the kernel programs.
#[expect(missing_debug_implementations, reason = "aya's ring has none")]
pub struct KernelEnd {
    rings: Rings,
    /// What a program wakes the reader by; there is nothing of meaning in it.
    bell: RingBuf<MapData>,
    releases: Mapped<Shared<u64>>,
    sleeping: Mapped<Shared<u64>>,
    /// `None`: flows are not counted.
    flows: Option<FlowTable>,
}

impl KernelEnd {
    pub(super) fn new(
        rings: Rings,
        bell: RingBuf<MapData>,
        releases: Mapped<Shared<u64>>,
        sleeping: Mapped<Shared<u64>>,
        flows: Option<FlowTable>,
    ) -> Self {
        Self {
            rings,
            bell,
            releases,
            sleeping,
            flows,
        }
    }

    /// Whether flows are counted.
    #[must_use]
    pub fn counts_flows(&self) -> bool {
        self.flows.is_some()
    }

    fn release(&self, slot: Slot) {
        let Slot { slot, release } = slot;
        if let Some(word) = self.releases.get(slot as usize) {
            word.set(release.to_word());
        }
    }

    /// Whether the next record wakes the reader. Not so where a program that was held up has taken the word late: it
    /// found it set before the last look, and set anew since.
    fn is_to_be_woken(&self) -> bool {
        self.sleeping.get(0).is_some_and(|word| word.get() != 0)
    }

    fn set_sleeping(&self, sleeping: bool) {
        if let Some(word) = self.sleeping.get(0) {
            word.set(u64::from(sleeping));
        }
        // The rings are looked at after the word is seen by other CPUs.
        std::sync::atomic::fence(Ordering::SeqCst);
    }
}

/// A running reader.
#[derive(Debug)]
pub struct Reader {
    thread: std::thread::JoinHandle<Finished>,
    control: Arc<Control>,
    names: mpsc::Sender<(u32, String)>,
    progress: Arc<Progress>,
}

#[derive(Debug)]
struct Control {
    stop: AtomicBool,
    wake: OwnedFd,
}

impl Reader {
    /// Starts the thread, on a host with at most so many CPUs.
    ///
    /// # Errors
    /// The kernel gives no thread or no event descriptor.
    pub fn start(
        kernel: KernelEnd,
        engine: Engine,
        writer: Writer,
        cpus: usize,
    ) -> io::Result<Self> {
        let control = Arc::new(Control {
            stop: AtomicBool::new(false),
            wake: event_descriptor()?,
        });
        let progress = Arc::new(Progress {
            tally: writer.tally(),
            ..Progress::new(cpus)
        });
        let (names, named) = mpsc::channel();
        let work = Work {
            kernel,
            engine,
            writer,
            control: Arc::clone(&control),
            progress: Arc::clone(&progress),
            named,
            received: vec![0; cpus],
            missing: vec![0; cpus],
            expired_ns: 0,
            flushed_ns: 0,
            read_ns: 0,
            scan_ns: 0,
        };
        let thread = std::thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || work.run())?;
        Ok(Self {
            thread,
            control,
            names,
            progress,
        })
    }

    /// Tells what an interface is called.
    pub fn name_interface(&self, index: u32, name: &str) {
        // The receiver is gone only when the thread ended; names are of no use then.
        drop(self.names.send((index, name.to_owned())));
    }

    /// What was taken so far.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether the thread has ended by itself, which it does only when it panicked.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Takes what is left in the rings, writes what is held back, closes the log. To be called after
    /// every hook is detached.
    ///
    /// # Errors
    /// The thread panicked.
    pub fn finish(self) -> io::Result<Finished> {
        self.control.stop.store(true, Ordering::Release);
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the buffer has eight bytes, as an event descriptor wants.
        unsafe { libc::write(self.control.wake.as_raw_fd(), one.as_ptr().cast(), 8) };
        self.thread
            .join()
            .map_err(|_panic| io::Error::other("the thread that reads the rings panicked"))
    }
}

struct Work {
    kernel: KernelEnd,
    engine: Engine,
    writer: Writer,
    control: Arc<Control>,
    progress: Arc<Progress>,
    named: mpsc::Receiver<(u32, String)>,
    /// As in [`Progress`].
    received: Vec<u64>,
    /// By CPU: records that are missing among those that it has numbered so far.
    missing: Vec<u64>,
    expired_ns: u64,
    /// When lines were handed over last.
    flushed_ns: u64,
    /// What was sent of packets up to this time was taken.
    read_ns: u64,
    /// When the next slice of the table of flows is due.
    scan_ns: u64,
}

impl Work {
    fn run(mut self) -> Finished {
        let mut asleep = false;
        while !self.control.stop.load(Ordering::Acquire) {
            let Taken { records, fullest } = self.drain();
            if records > 0 {
                if asleep {
                    asleep = false;
                    self.kernel.set_sleeping(false);
                }
                if records < TAKEN_MAX {
                    let rest = rest(self.kernel.rings.bytes(), fullest);
                    if !rest.is_zero() {
                        wait(&[self.control.wake.as_raw_fd()], rest);
                    }
                }
                continue;
            }
            if asleep && self.kernel.is_to_be_woken() {
                // Whoever takes the word from now on rings a bell that nobody has emptied.
                let bell = self.kernel.bell.as_raw_fd();
                wait(&[self.control.wake.as_raw_fd(), bell], SLEEP);
            } else {
                // Then one look more: a program publishes its record first and reads the word behind that.
                asleep = true;
                self.kernel.set_sleeping(true);
            }
        }
        // The programs are detached: what is there is all there will be.
        while self.drain().records > 0 {}
        self.engine.finish(&mut self.writer);
        // Behind all heads.
        self.scan_all();
        let heads = self.writer.heads().to_vec();
        let sessions = self.writer.session_counts();
        let Closed {
            log,
            sinks,
            pairing,
        } = self.writer.close();
        Finished {
            counts: self.engine.counts(),
            heads,
            received: self.received,
            tally: Arc::clone(&self.progress.tally),
            longest_pause_us: self.progress.longest_pause_us.load(Ordering::Relaxed),
            sessions,
            pairing,
            log,
            sinks,
        }
    }

    /// Takes the records that are there, [`TAKEN_MAX`] at the most.
    fn drain(&mut self) -> Taken {
        while let Ok((index, name)) = self.named.try_recv() {
            self.writer.name_interface(index, &name);
        }
        let started_ns = monotonic_ns();
        let mut is_empty = false;
        let mut sent_ns = 0;
        let mut taken = 0;
        let mut foreign = 0;
        // First: a bell that rings from now on may be for a record that this look misses.
        while self.kernel.bell.next().is_some() {}
        let fullest = self.kernel.rings.look();
        while taken < TAKEN_MAX {
            let Some(item) = self.kernel.rings.next() else {
                is_empty = true;
                break;
            };
            taken += 1;
            let record = Item::read(item).and_then(|record| {
                let cpu = record.cpu() as usize;
                Some((
                    record,
                    self.received.get_mut(cpu)?,
                    self.missing.get_mut(cpu)?,
                ))
            });
            match record {
                Some((record, received, missing)) => {
                    *received += 1;
                    sent_ns = record.time_ns();
                    let numbered = record.number();
                    if numbered > *received + *missing {
                        *missing = numbered - *received;
                        self.writer.lost(sent_ns);
                    }
                    match record {
                        Item::Piece(header, bytes) => {
                            self.engine.record(header, bytes, &mut self.writer);
                        }
                        Item::Flow(flow) => {
                            if let Some(flows) = self.writer.flows() {
                                flows.sent(flow, &self.engine);
                            }
                        }
                    }
                }
                None => foreign += 1,
            }
            while let Some(slot) = self.writer.take_release() {
                self.kernel.release(slot);
            }
        }
        self.kernel.rings.done();
        let taken_ns = if is_empty { started_ns } else { sent_ns };
        self.read_ns = self.read_ns.max(taken_ns.saturating_sub(IN_FLIGHT_NS));
        let now_ns = monotonic_ns();
        if now_ns.saturating_sub(self.expired_ns) >= EXPIRE_NS {
            self.expired_ns = now_ns;
            self.engine.expire(now_ns, &mut self.writer);
            self.writer.expire(now_ns);
            while let Some(slot) = self.writer.take_release() {
                self.kernel.release(slot);
            }
        }
        self.scan(now_ns, taken == 0);
        let pause_us = monotonic_ns().saturating_sub(now_ns) / 1_000;
        self.progress
            .longest_pause_us
            .fetch_max(pause_us, Ordering::Relaxed);
        if taken > 0 {
            let progress = &self.progress;
            for (shared, received) in progress.received.iter().zip(&self.received) {
                shared.store(*received, Ordering::Relaxed);
            }
            progress.foreign.fetch_add(foreign, Ordering::Relaxed);
        }
        let engine = self.engine.counts();
        *self
            .progress
            .engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = engine;
        *self
            .progress
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self.writer.session_counts();
        *self
            .progress
            .pairing
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = self.writer.pairing_counts();
        let heads = self.writer.heads().as_flattened().iter().sum();
        if self.progress.heads.load(Ordering::Relaxed) != heads {
            self.progress.heads.store(heads, Ordering::Relaxed);
            let shared = self.progress.heads_by_cpu.as_flattened();
            for (shared, heads) in shared.iter().zip(self.writer.heads().as_flattened()) {
                shared.store(*heads, Ordering::Relaxed);
            }
        }
        if taken == 0 || now_ns.saturating_sub(self.flushed_ns) >= GATHER_NS {
            self.flushed_ns = now_ns;
            self.writer.flush(Instant::now());
        }
        Taken {
            records: taken,
            fullest,
        }
    }
}

/// What one look at the rings found.
#[derive(Clone, Copy, Debug)]
struct Taken {
    records: u64,
    /// Bytes that waited in the fullest ring.
    fullest: u64,
}
