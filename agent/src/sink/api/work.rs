//! The thread that encodes, sends and spools.
//!
//! One task makes bodies of batches, some tasks send them, one looks at the clock. They share [`Work`],
//! which belongs to this thread alone; none holds a borrow of it while it waits.

mod spooling;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::ApiSettings;
use super::body::{Bodies, Body};
use super::connection::Connection;
use super::delivery::Delivery;
use super::gate::Gate;
use super::settings::Mode;
use crate::sink::batch::Batch;
use crate::sink::counts::{ExactCounts, Kept, LossReason};
use crate::sink::spool::{Place, Spool};

/// Bytes of bodies that wait in memory at most, while the target takes them.
const MEMORY: usize = 16 << 20;
/// A body that has been in memory for so long is brought to the spool, also while it is being sent.
const MEMORY_TIME: Duration = Duration::from_millis(500);
/// How often that is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often the spool is brought to the disk.
const SYNC: Duration = Duration::from_secs(1);
/// How long what is there at the end may still be sent; then it goes to the spool.
const AT_THE_END: Duration = Duration::from_secs(3);

/// How far the end is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Phase {
    Running,
    /// Nothing new comes; what is there is sent as far as that goes quickly.
    Ending,
    /// Nothing more is sent.
    Ended,
}

/// What the tasks share.
pub(super) struct Work {
    pub(super) settings: ApiSettings,
    pub(super) counts: Arc<ExactCounts>,
    pub(super) gate: Gate,
    spool: RefCell<Spool>,
    /// Bodies that wait and are not in the spool, the oldest first.
    memory: RefCell<VecDeque<Rc<Item>>>,
    memory_bytes: Cell<usize>,
    /// Being sent: a place for each task.
    under_way: RefCell<Vec<Option<Rc<Item>>>>,
    /// There is something to send.
    more: Notify,
    phase: watch::Sender<Phase>,
    spool_failed: Cell<Option<Instant>>,
    random: RandomState,
    drawn: Cell<u64>,
}

/// A body on its way.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) body: Body,
    since: Instant,
    /// Where it is in the spool, if it is.
    place: Cell<Option<Place>>,
    /// Records of it that are neither stored nor lost.
    left: Cell<u64>,
}

impl Item {
    fn new(body: Body, place: Option<Place>) -> Rc<Self> {
        let left = u64::from(body.records);
        Rc::new(Self {
            body,
            since: Instant::now(),
            place: Cell::new(place),
            left: Cell::new(left),
        })
    }

    /// Where its records count.
    fn kept(&self) -> Kept {
        match self.place.get() {
            Some(_) => Kept::Spooled,
            None => Kept::Queued,
        }
    }
}

impl Work {
    pub(super) fn new(settings: ApiSettings, spool: Spool, counts: Arc<ExactCounts>) -> Self {
        let tasks = settings.connections.max(1);
        Self {
            settings,
            counts,
            gate: Gate::new(),
            spool: RefCell::new(spool),
            memory: RefCell::default(),
            memory_bytes: Cell::new(0),
            under_way: RefCell::new(vec![None; tasks]),
            more: Notify::new(),
            phase: watch::Sender::new(Phase::Running),
            spool_failed: Cell::new(None),
            random: RandomState::new(),
            drawn: Cell::new(0),
        }
    }

    /// Works until the queue is closed, and what came by it is sent or spooled.
    pub(super) fn run(self, runtime: Runtime, batches: Receiver<Arc<Batch>>) {
        let tasks = self.under_way.borrow().len();
        let found = self.spool.borrow_mut().recover();
        if found.records + found.damaged > 0 {
            let all = found.records + found.damaged;
            self.counts.accept(Kept::Spooled, all);
            self.counts
                .lose(Kept::Spooled, LossReason::Damaged, found.damaged);
            tracing::info!(path = %self.settings.spool.directory.display(), records = found.records, damaged = found.damaged, "records of an earlier run wait in the spool");
        }
        if self.settings.target.shows_token() {
            tracing::warn!(url = %self.settings.target, "the token is sent unencrypted; use https");
        }
        let work = Rc::new(self);
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let senders: Vec<_> = (0..tasks)
                .map(|number| tokio::task::spawn_local(Rc::clone(&work).send(number)))
                .collect();
            let clock = tokio::task::spawn_local(Rc::clone(&work).watch_the_clock());
            work.encode(batches).await;
            work.phase.send_replace(match work.gate.is_open() {
                true => Phase::Ending,
                false => Phase::Ended,
            });
            work.more.notify_waiters();
            let mut phase = work.phase.subscribe();
            let until = Instant::now() + AT_THE_END;
            for sender in senders {
                tokio::pin!(sender);
                tokio::select! {
                    _ = &mut sender => continue,
                    () = tokio::time::sleep_until(until) => {}
                    _ended = phase.wait_for(|phase| *phase == Phase::Ended) => {}
                }
                work.phase.send_replace(Phase::Ended);
                // It puts down what it holds.
                drop(sender.await);
            }
            clock.abort();
            drop(clock.await);
        });
        drop(local);
        // A name that is being resolved may take its time, and needs nothing of ours.
        runtime.shutdown_background();
        match Rc::into_inner(work) {
            Some(work) => work.end(),
            None => tracing::error!("a task of the HTTP API did not end; what it held is lost"),
        }
    }

    /// Spools what is left in memory.
    fn end(self) {
        self.spool_failed.set(None);
        self.spool_memory();
        let left = self.memory.take();
        for item in left {
            self.lose(&item, LossReason::NoSpace, item.left.get());
        }
        self.spool.into_inner().close();
    }

    /// Makes bodies of what comes by the queue.
    async fn encode(&self, mut batches: Receiver<Arc<Batch>>) {
        let ApiSettings {
            mode,
            batch,
            interval,
            gzip,
            ..
        } = self.settings;
        let mut bodies = Bodies::new(mode, batch, interval, gzip);
        loop {
            let due = bodies.due().map(Instant::from_std);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = wait => {
                    for body in bodies.flush(Some(std::time::Instant::now())) {
                        self.put(body);
                    }
                }
                batch = batches.recv() => match batch {
                    Some(batch) => self.encode_batch(&batch, &mut bodies).await,
                    None => break,
                },
            }
        }
        for body in bodies.flush(None) {
            self.put(body);
        }
    }

    async fn encode_batch(&self, batch: &Batch, bodies: &mut Bodies) {
        let now = std::time::Instant::now();
        let mut since_pause = 0;
        for session in batch.sessions() {
            let is_interim = session.details.is_some_and(|details| details.interim);
            if is_interim && self.settings.mode == Mode::Single {
                continue;
            }
            let made = bodies.session(&session, now);
            self.put_made(made, &mut since_pause).await;
        }
        if self.settings.exchanges {
            for exchange in batch.exchanges() {
                let made = bodies.exchange(&exchange, now);
                self.put_made(made, &mut since_pause).await;
            }
        }
    }

    async fn put_made(&self, made: serde_json::Result<Option<Body>>, since_pause: &mut u64) {
        match made {
            Ok(None) => {}
            Ok(Some(body)) => {
                *since_pause += u64::from(body.records);
                self.put(body);
                // Let what is there be sent meanwhile.
                if *since_pause >= 64 {
                    *since_pause = 0;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => {
                self.counts.lose(Kept::Queued, LossReason::Other, 1);
                tracing::error!(%error, "a record cannot be written as JSON");
            }
        }
    }

    /// Takes a body: to memory while the target keeps up, to the spool otherwise.
    fn put(&self, body: Body) {
        let bytes = body.bytes.len();
        let item = Item::new(body, None);
        let is_full = self.memory_bytes.get() + bytes > MEMORY;
        let is_behind = !self.gate.is_open() || self.spool.borrow().has_more();
        self.memory_bytes.set(self.memory_bytes.get() + bytes);
        self.memory.borrow_mut().push_back(item);
        if is_full || is_behind {
            self.spool_memory();
        }
        while self.memory_bytes.get() > MEMORY {
            // Neither here nor there is room: the newest goes.
            let Some(newest) = self.memory.borrow_mut().pop_back() else {
                break;
            };
            self.memory_bytes
                .set(self.memory_bytes.get() - newest.body.bytes.len());
            self.lose(&newest, LossReason::NoSpace, newest.left.get());
        }
        self.more.notify_one();
    }

    /// Sends bodies, one after the other.
    async fn send(self: Rc<Self>, number: usize) {
        let mut connection = Connection::default();
        while let Some(item) = self.next().await {
            self.under_way.borrow_mut()[number] = Some(Rc::clone(&item));
            Delivery::new(&self, &item).run(&mut connection).await;
            self.under_way.borrow_mut()[number] = None;
        }
    }

    /// Waits for the next body, the oldest first; None at the end.
    async fn next(&self) -> Option<Rc<Item>> {
        loop {
            let phase = *self.phase.borrow();
            if phase == Phase::Ended {
                return None;
            }
            let more = self.more.notified();
            tokio::pin!(more);
            // From now on none is missed.
            more.as_mut().enable();
            let item = self.next_of_spool().or_else(|| self.next_of_memory());
            if item.is_some() {
                // Whoever was told of this one only may have to be told of another.
                self.more.notify_one();
                return item;
            }
            if phase != Phase::Running {
                return None;
            }
            more.await;
        }
    }

    fn next_of_memory(&self) -> Option<Rc<Item>> {
        let item = self.memory.borrow_mut().pop_front()?;
        self.memory_bytes
            .set(self.memory_bytes.get() - item.body.bytes.len());
        Some(item)
    }

    fn next_of_spool(&self) -> Option<Rc<Item>> {
        loop {
            let taken = self.spool.borrow_mut().take();
            match taken {
                Ok(None) => return None,
                Ok(Some(taken)) => {
                    let records = taken.records;
                    match Body::from_spool(taken.tag, records, taken.payload) {
                        Some(body) => return Some(Item::new(body, Some(taken.place))),
                        None => {
                            tracing::error!(
                                records,
                                "what is in the spool is of another version; it is lost"
                            );
                            self.counts.lose(
                                Kept::Spooled,
                                LossReason::Damaged,
                                u64::from(records),
                            );
                            self.spool.borrow_mut().done(taken.place);
                        }
                    }
                }
                Err(gone) => self.count_gone(gone),
            }
        }
    }

    /// The target has these records of the body.
    pub(super) fn store(&self, item: &Item, records: u64) {
        item.left.set(item.left.get().saturating_sub(records));
        self.counts.store(item.kept(), records);
    }

    /// These records of the body are lost.
    pub(super) fn lose(&self, item: &Item, reason: LossReason, records: u64) {
        item.left.set(item.left.get().saturating_sub(records));
        self.counts.lose(item.kept(), reason, records);
    }

    /// Nothing of the body is left to send.
    pub(super) fn finish(&self, item: &Item) {
        if let Some(place) = item.place.get() {
            self.spool.borrow_mut().done(place);
        }
    }

    /// Puts down a body at the end: what is left of it goes to the spool. `rest`: the part of it that
    /// is left, where some was dealt with already.
    pub(super) fn put_down(&self, item: &Item, rest: Option<Body>) {
        let Some(rest) = rest else {
            // A place in the spool it has, or gets; otherwise it is lost.
            self.spool_failed.set(None);
            if item.place.get().is_none() && !self.spool_item(item, true) {
                self.lose(item, LossReason::NoSpace, item.left.get());
            }
            return;
        };
        match self.write_spool(&rest, true) {
            Some(_) => {
                if item.place.get().is_none() {
                    self.counts
                        .bring(Kept::Queued, Kept::Spooled, item.left.get());
                }
                self.finish(item);
            }
            // All of it stays in the spool, and the target knows what it has; or it is lost.
            None if item.place.get().is_some() => {}
            None => self.lose(item, LossReason::NoSpace, item.left.get()),
        }
    }

    /// A request failed: what is being sent and what waits in memory goes to the spool.
    pub(super) fn target_fails(&self) {
        let under_way = self.under_way.borrow().clone();
        for item in under_way.iter().flatten() {
            self.keep_safe(item);
        }
        self.spool_memory();
        if *self.phase.borrow() == Phase::Ending {
            self.phase.send_replace(Phase::Ended);
        }
    }

    /// Resolves when nothing more is to be sent.
    pub(super) async fn ended(&self) {
        let mut phase = self.phase.subscribe();
        // An error is that there is nobody left to say so.
        drop(phase.wait_for(|phase| *phase == Phase::Ended).await);
    }

    /// A number that nobody can foresee.
    pub(super) fn random(&self) -> u64 {
        let number = self.drawn.get().wrapping_add(1);
        self.drawn.set(number);
        self.random.hash_one(number)
    }

    /// What is due by time alone.
    async fn watch_the_clock(self: Rc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut synced = Instant::now();
        loop {
            ticks.tick().await;
            let now = Instant::now();
            let is_old = |item: &Rc<Item>| now.duration_since(item.since) >= MEMORY_TIME;
            if self.memory.borrow().front().is_some_and(is_old) {
                self.spool_memory();
                self.more.notify_one();
            }
            let under_way = self.under_way.borrow().clone();
            for item in under_way.iter().flatten().filter(|item| is_old(item)) {
                self.keep_safe(item);
            }
            if now.duration_since(synced) >= SYNC {
                synced = now;
                let gone = self.spool.borrow_mut().check();
                if let Some(gone) = gone {
                    self.count_gone(gone);
                }
                self.sync().await;
            }
        }
    }

    /// Brings the spool to the disk, elsewhere: that may take its time.
    async fn sync(&self) {
        let Some(file) = self.spool.borrow_mut().unsynced() else {
            return;
        };
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        if let Ok(Err(error)) = synced {
            tracing::error!(path = %self.settings.spool.directory.display(), %error, "the spool may not have reached the disk");
        }
    }
}
