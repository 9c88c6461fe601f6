//! What the server keeps: its configuration, one generator for requests, who is connected, counts.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::super::clock::{Timeline, spread};
use super::super::config::EventsConfig;
use super::super::family::Family;
use super::super::generator::Generator;
use super::super::model::Model;
use crate::generate::seed::Seed;

/// Anomalies that wait to be seen.
const WAITING_MOST: usize = 1000;
/// WebSockets at the same time.
const SOCKETS_MOST: usize = 128;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    seed: Seed,
    /// Where it listens.
    pub(super) listen: IpAddr,
    inner: Mutex<Inner>,
    clients: Mutex<Vec<Weak<Mailbox>>>,
    next_client: AtomicU64,
    logs: AtomicU64,
    anomalies: AtomicU64,
    pub(super) sockets: Arc<Semaphore>,
    /// Ends when the server stops.
    pub(super) stopped: watch::Receiver<()>,
}

#[derive(Debug)]
struct Inner {
    config: EventsConfig,
    model: Arc<Model>,
    generator: Generator,
    /// What was injected while no client was there to see it, and no request has shown to its end.
    unseen: Vec<Injection>,
    since: Timestamp,
}

/// An anomaly that was injected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Injection {
    pub(super) family: Family,
    pub(super) records: u32,
}

/// What was injected for a client that is connected.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Letters>);

#[derive(Debug, Default)]
struct Letters {
    new: Vec<Injection>,
    /// Anomalies that its generator has not ended yet.
    open: usize,
}

/// A client that gets records one batch after the other.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) generator: Generator,
    mailbox: Arc<Mailbox>,
}

/// What the server did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) is_running: bool,
    pub(super) logs: u64,
    pub(super) anomalies: u64,
    pub(super) since: Timestamp,
    pub(super) has_anomaly: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(
        config: EventsConfig,
        seed: Seed,
        listen: IpAddr,
        stopped: watch::Receiver<()>,
    ) -> Self {
        let model = Arc::new(Model::new(&config, seed));
        let stream = seed.stream("events: requests", 0);
        let generator = Generator::new(Arc::clone(&model), stream, timeline(&config));
        Self {
            seed,
            listen,
            inner: Mutex::new(Inner {
                config,
                model,
                generator,
                unseen: Vec::new(),
                since: Timestamp::now(),
            }),
            clients: Mutex::default(),
            next_client: AtomicU64::new(0),
            logs: AtomicU64::new(0),
            anomalies: AtomicU64::new(0),
            sockets: Arc::new(Semaphore::new(SOCKETS_MOST)),
            stopped,
        }
    }

    /// The configuration of now.
    pub(super) fn config(&self) -> EventsConfig {
        lock(&self.inner).config.clone()
    }

    /// Changes the configuration: for requests at once, for streams that begin later.
    pub(super) fn configure(&self, change: impl FnOnce(&mut EventsConfig)) -> EventsConfig {
        let mut inner = lock(&self.inner);
        change(&mut inner.config);
        inner.model = Arc::new(Model::new(&inner.config, self.seed));
        let model = Arc::clone(&inner.model);
        inner.generator.set_model(model);
        inner.config.clone()
    }

    /// Makes records with the generator for requests; `make` gives how many records it made and how
    /// many of them are anomalous. What was injected and is over with them was seen.
    pub(super) fn make(&self, make: impl FnOnce(&mut Generator) -> (u32, u32)) -> u32 {
        let mut inner = lock(&self.inner);
        let (records, anomalous) = make(&mut inner.generator);
        // What nobody has seen was injected last: a client that came took all that was there before.
        let over = inner.unseen.len().saturating_sub(inner.generator.waiting());
        inner.unseen.drain(..over);
        drop(inner);
        self.count(records, anomalous);
        anomalous
    }

    /// Counts records that were made for somebody.
    pub(super) fn count(&self, records: u32, anomalous: u32) {
        self.logs.fetch_add(records.into(), Relaxed);
        self.anomalies.fetch_add(anomalous.into(), Relaxed);
    }

    /// Records that were made, and how many of them are anomalous.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.logs.load(Relaxed), self.anomalies.load(Relaxed))
    }

    /// Puts in an anomaly: for requests, and for all who are connected. Nobody takes it from another.
    /// False: too many wait that nobody has seen.
    pub(super) fn inject(&self, injection: Injection) -> bool {
        let mut clients = lock(&self.clients);
        clients.retain(|client| client.strong_count() > 0);
        let mut inner = lock(&self.inner);
        if inner.generator.waiting() >= WAITING_MOST {
            if clients.is_empty() {
                return false;
            }
            // The oldest was seen by those who are connected.
            inner.generator.drop_oldest();
        }
        inner.generator.put_in(injection.family, injection.records);
        let connected: Vec<Arc<Mailbox>> = clients.iter().filter_map(Weak::upgrade).collect();
        if connected.is_empty() {
            inner.unseen.push(injection);
        }
        for mailbox in connected {
            let mut letters = lock(&mailbox.0);
            if letters.new.len() < WAITING_MOST {
                letters.new.push(injection);
            }
        }
        true
    }

    /// A client begins. It gets what was injected while nobody was there.
    pub(super) fn client(&self) -> Client {
        let number = self.next_client.fetch_add(1, Relaxed);
        let mailbox = Arc::new(Mailbox::default());
        let mut clients = lock(&self.clients);
        let mut inner = lock(&self.inner);
        lock(&mailbox.0).new = std::mem::take(&mut inner.unseen);
        clients.push(Arc::downgrade(&mailbox));
        let stream = self.seed.stream("events: clients", number);
        let model = Arc::clone(&inner.model);
        Client {
            generator: Generator::new(model, stream, timeline(&inner.config)),
            mailbox,
        }
    }

    /// Waits until no WebSocket is open.
    pub(super) async fn all_closed(&self) {
        // The semaphore is never closed.
        drop(self.sockets.acquire_many(SOCKETS_MOST as u32).await);
    }

    /// Begins anew: counts, the generator for requests, and what was injected.
    pub(super) fn reset(&self) {
        let mut inner = lock(&self.inner);
        let number = self.next_client.fetch_add(1, Relaxed);
        let stream = self.seed.stream("events: clients", number);
        let model = Arc::clone(&inner.model);
        inner.generator = Generator::new(model, stream, timeline(&inner.config));
        inner.unseen.clear();
        inner.since = Timestamp::now();
        self.logs.store(0, Relaxed);
        self.anomalies.store(0, Relaxed);
    }

    pub(super) fn status(&self) -> Status {
        let clients = lock(&self.clients);
        let connected: Vec<Arc<Mailbox>> = clients.iter().filter_map(Weak::upgrade).collect();
        let inner = lock(&self.inner);
        let is_open = |mailbox: &Arc<Mailbox>| {
            let letters = lock(&mailbox.0);
            letters.open > 0 || !letters.new.is_empty()
        };
        let (logs, anomalies) = self.counts();
        Status {
            is_running: !connected.is_empty(),
            logs,
            anomalies,
            since: inner.since,
            has_anomaly: inner.generator.waiting() > 0 || connected.iter().any(is_open),
        }
    }
}

impl Client {
    /// Takes what was injected since.
    pub(super) fn collect(&mut self) {
        let new = std::mem::take(&mut lock(&self.mailbox.0).new);
        for injection in new {
            self.generator.put_in(injection.family, injection.records);
        }
    }

    /// Tells the others whether anomalies that were put in go on.
    pub(super) fn tell(&self) {
        lock(&self.mailbox.0).open = self.generator.waiting();
    }
}

/// Times from a start that is configured; none: now.
fn timeline(config: &EventsConfig) -> Option<Timeline> {
    let (least, most) = config.timestamps.increment;
    config.timestamps.start.map(|start| Timeline {
        start: start.as_microsecond(),
        spacing: (least + most) / 2.0 * 1e6,
        spread: spread(config.timestamps.increment),
        is_early: false,
    })
}
