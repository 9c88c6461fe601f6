//! Sessions to an HTTP API: one a request, as `log-gen` sends them, or in arrays, over some connections.
//!
//! ```text
//! this thread             │ thread `tapline-send` (tokio)
//! records ─► parcel ──► queue ─► a task for each connection ─► target
//!    ▲                                    │
//!    └── account: sent, refused, not delivered, why
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::generate::stop::Stop;
use crate::sink::api::Target;
use crate::sink::api::connection::Connection;
use crate::sink::api::direct::{Delivered, Direct, Parcel, Why};

/// Failures that are kept to be said.
const FAILURES: usize = 20;

/// Stretches of records that are named in one failure.
const STRETCHES: usize = 5;

/// A part of an array does not wait longer than this for the rest.
const ARRAY_AGE: Duration = Duration::from_millis(200);

/// How records are sent.
#[derive(Clone, Debug)]
pub struct SendSettings {
    /// Where to.
    pub target: Target,
    /// Records of an array at most; `None`: each by itself, as an object.
    pub batch: Option<u32>,
    /// Requests under way at the same time.
    pub connections: usize,
    /// Compress arrays.
    pub gzip: bool,
    /// How long a request may take.
    pub timeout: Duration,
    /// How long a failure is tried again.
    pub patience: Duration,
    /// When it is time to stop nothing is sent any more, nor tried again.
    pub stop: Stop,
}

/// What became of the records that were handed over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sent {
    /// The target has them.
    pub stored: u64,
    /// The target does not take them.
    pub refused: u64,
    /// The target could not be reached.
    pub undelivered: u64,
    /// It was time to stop before they were sent.
    pub unsent: u64,
    /// Bytes of the bodies that were sent.
    pub bytes: u64,
}

/// Records that were not stored.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Which.
    pub(crate) records: Numbers,
    /// Why.
    pub(crate) why: Why,
}

/// Numbers of records, as a person counts them: from 1. Said as `[3] [17-20]`, the first few stretches of
/// them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Numbers(Vec<Range<u64>>);

impl Numbers {
    /// Of the records at these places of a parcel, of which record `first` of the run, from 0, comes
    /// first.
    fn new(first: u64, places: &[Range<usize>]) -> Self {
        let number = |place: usize| first.saturating_add(place as u64 + 1);
        let stretch = |places: &Range<usize>| number(places.start)..number(places.end);
        // One more says that there are more.
        Self(places.iter().take(STRETCHES + 1).map(stretch).collect())
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, stretch) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            match stretch.end - stretch.start {
                _ if index == STRETCHES => write!(formatter, " …")?,
                1 => write!(formatter, "{space}[{}]", stretch.start)?,
                _ => write!(formatter, "{space}[{}-{}]", stretch.start, stretch.end - 1)?,
            }
        }
        Ok(())
    }
}

/// A parcel, and which record of the run comes first in it, from 0.
type Numbered = (u64, Parcel);

/// Sends records. Belongs to one thread.
#[derive(Debug)]
pub struct ApiSender {
    settings: SendSettings,
    shared: Arc<Shared>,
    worker: Option<(Sender<Numbered>, JoinHandle<()>)>,
    /// The array that is being filled, without its end.
    array: Vec<u8>,
    /// Records in it.
    records: u32,
    /// The number of the first of them.
    first: u64,
    /// When it came.
    since: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    settled: Condvar,
    /// The target cannot be reached: nothing is tried at all.
    is_down: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    sent: Sent,
    /// Records that are on their way.
    under_way: u64,
    failures: VecDeque<Failed>,
    /// Failures that were not kept.
    more_failures: u64,
}

impl ApiSender {
    /// Starts the thread. The target is not asked yet.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(settings: SendSettings) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let connections = settings.connections.max(1);
        let (queue, parcels) = channel(2 * connections);
        let shared = Arc::<Shared>::default();
        let direct = Direct::new(settings.target.clone(), settings.timeout, settings.patience);
        let for_tasks = Arc::clone(&shared);
        let stop = settings.stop.clone();
        let thread = thread::Builder::new()
            .name("tapline-send".to_owned())
            .spawn(move || {
                let tasks = tokio::task::LocalSet::new();
                let (direct, parcels) = (Rc::new(direct), tokio::sync::Mutex::new(parcels));
                let parcels = Rc::new(parcels);
                for _ in 0..connections {
                    let (direct, parcels) = (Rc::clone(&direct), Rc::clone(&parcels));
                    let (shared, stop) = (Arc::clone(&for_tasks), stop.clone());
                    tasks.spawn_local(async move {
                        send_all(&direct, &parcels, &shared, &stop).await;
                    });
                }
                runtime.block_on(tasks);
            })?;
        Ok(Self {
            settings,
            shared,
            worker: Some((queue, thread)),
            array: Vec::new(),
            records: 0,
            first: 0,
            since: Instant::now(),
        })
    }

    /// Takes record `number` of the run, from 0: a JSON object, with or without a line end. Those of an
    /// array follow each other. Waits while the target is slower than the records come.
    pub fn push(&mut self, number: u64, object: &[u8]) {
        let object = object.strip_suffix(b"\n").unwrap_or(object);
        let Some(batch) = self.settings.batch else {
            self.send(number, Parcel::single(object.to_vec()));
            return;
        };
        if self.records == 0 {
            self.since = Instant::now();
            self.first = number;
        }
        self.array.push(if self.records == 0 { b'[' } else { b',' });
        self.array.extend_from_slice(object);
        self.records += 1;
        if self.records >= batch {
            self.flush();
        }
    }

    /// Sends what waits for its array to become full, if it waited long enough.
    pub fn flush_if_due(&mut self) {
        if self.records > 0 && self.since.elapsed() >= ARRAY_AGE {
            self.flush();
        }
    }

    /// Sends what waits for its array to become full.
    pub fn flush(&mut self) {
        if self.records == 0 {
            return;
        }
        self.array.push(b']');
        let room = self.array.len() + self.array.len() / 16;
        let array = std::mem::replace(&mut self.array, Vec::with_capacity(room));
        let records = std::mem::take(&mut self.records);
        let parcel = Parcel::array(array, records, self.settings.gzip);
        self.send(self.first, parcel);
    }

    /// Sends all, or what is under way when it is time to stop, and waits until everything is settled.
    pub fn settle(&mut self) {
        self.flush();
        let mut state = self.shared.state();
        while state.under_way > 0 {
            let waited = self.shared.settled.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the target another chance, when it could not be reached.
    pub fn try_again(&self) {
        self.shared.is_down.store(false, Relaxed);
    }

    /// Whether the target cannot be reached, and nothing is tried.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.shared.is_down.load(Relaxed)
    }

    /// The account so far.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.shared.state().sent
    }

    /// Which records were not stored and why, since this was asked last, and how many failures more
    /// there were.
    #[must_use]
    pub(crate) fn take_failures(&self) -> (Vec<Failed>, u64) {
        let mut state = self.shared.state();
        let more = std::mem::take(&mut state.more_failures);
        (state.failures.drain(..).collect(), more)
    }

    /// Sends all, ends the thread and gives the final account.
    pub fn close(&mut self) -> Sent {
        self.settle();
        if let Some((queue, thread)) = self.worker.take() {
            drop(queue);
            // It holds nothing any more.
            drop(thread.join());
        }
        self.sent()
    }

    fn send(&self, first: u64, parcel: Parcel) {
        let records = parcel.records();
        self.shared.state().under_way += records;
        let sent = self
            .worker
            .as_ref()
            .is_some_and(|(queue, _)| queue.blocking_send((first, parcel)).is_ok());
        if !sent {
            // The thread ended by a defect.
            self.shared.settle(first, records, 0, undelivered(records));
        }
    }
}

impl Drop for ApiSender {
    fn drop(&mut self) {
        self.settings.stop.tell();
        let Some((queue, thread)) = self.worker.take() else {
            return;
        };
        drop(queue);
        drop(thread.join());
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are not sent any more.
    fn leave(&self, records: u64) {
        self.state().sent.unsent += records;
        self.settle(0, records, 0, Delivered::default());
    }

    /// What became of a parcel with so many records, of which record `first` of the run comes first.
    fn settle(&self, first: u64, records: u64, bytes: u64, delivered: Delivered) {
        let Delivered {
            stored,
            refused,
            undelivered,
            why,
            places,
        } = delivered;
        let mut state = self.state();
        state.under_way = state.under_way.saturating_sub(records);
        state.sent.stored += stored;
        state.sent.refused += refused;
        state.sent.undelivered += undelivered;
        state.sent.bytes += bytes;
        if let Some(why) = why {
            if state.failures.len() < FAILURES {
                let records = Numbers::new(first, &places);
                state.failures.push_back(Failed { records, why });
            } else {
                state.more_failures += 1;
            }
        }
        let is_settled = state.under_way == 0;
        drop(state);
        if is_settled {
            self.settled.notify_all();
        }
    }
}

fn undelivered(records: u64) -> Delivered {
    Delivered {
        undelivered: records,
        ..Delivered::default()
    }
}

async fn send_all(
    direct: &Direct,
    parcels: &tokio::sync::Mutex<Receiver<Numbered>>,
    shared: &Shared,
    stop: &Stop,
) {
    let mut connection = Connection::default();
    loop {
        let parcel = parcels.lock().await.recv().await;
        let Some((first, parcel)) = parcel else { break };
        let records = parcel.records();
        if shared.is_down.load(Relaxed) {
            shared.settle(first, records, 0, undelivered(records));
            continue;
        }
        if stop.is_told() {
            shared.leave(records);
            continue;
        }
        let stops = || stop.is_told() || shared.is_down.load(Relaxed);
        let delivered = direct.deliver(&mut connection, &parcel, stops).await;
        if delivered.undelivered > 0 {
            shared.is_down.store(true, Relaxed);
        }
        let is_sent = delivered.stored + delivered.refused > 0;
        let bytes = if is_sent { parcel.bytes() } else { 0 };
        shared.settle(first, records, bytes, delivered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port where nobody listens.
    fn nobody() -> Target {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        Target::new(&format!("http://{address}/api"), None, None).unwrap()
    }

    fn settings(batch: Option<u32>) -> SendSettings {
        SendSettings {
            target: nobody(),
            batch,
            connections: 2,
            gzip: false,
            timeout: Duration::from_secs(5),
            patience: Duration::from_millis(100),
            stop: Stop::default(),
        }
    }

    #[test]
    fn what_cannot_be_delivered_is_counted_once() {
        for batch in [None, Some(1), Some(3), Some(500)] {
            let mut sender = ApiSender::start(settings(batch)).unwrap();
            for number in 0..100 {
                sender.push(number, b"{}\n");
            }
            let sent = sender.close();
            assert_eq!((sent.stored, sent.refused, sent.undelivered), (0, 0, 100));
            assert!(sender.is_down());
            let (failures, _) = sender.take_failures();
            let why = failures[0].why.to_string();
            assert!(why.contains("cannot connect to 127.0.0.1 port"), "{why}");
            // One of the two connections has the first of them, the other may be sooner.
            let first = match batch {
                Some(3) => ["[1-3]", "[4-6]"],
                Some(500) => ["[1-100]", "[1-100]"],
                _ => ["[1]", "[2]"],
            };
            let found = failures[0].records.to_string();
            assert!(first.contains(&found.as_str()), "{found}");
        }
    }

    #[test]
    fn records_are_named_by_their_numbers() {
        let check = |places: &[Range<usize>], expected: &str| {
            assert_eq!(Numbers::new(100, places).to_string(), expected);
        };
        check(std::slice::from_ref(&(0..1)), "[101]");
        check(&[0..1, 3..5], "[101] [104-105]");
        let many: Vec<Range<usize>> = (0..9).map(|place| 2 * place..2 * place + 1).collect();
        check(&many, "[101] [103] [105] [107] [109] …");
        check(&many[..5], "[101] [103] [105] [107] [109]");
    }

    #[test]
    fn patience_ends_when_it_is_time_to_stop() {
        let patient = SendSettings {
            patience: Duration::from_secs(600),
            ..settings(None)
        };
        let stop = patient.stop.clone();
        let mut sender = ApiSender::start(patient).unwrap();
        sender.push(0, b"{}");
        stop.tell();
        let sent = sender.close();
        // Whether it was on its way by then.
        assert_eq!(sent.undelivered + sent.unsent, 1);
    }

    #[test]
    fn what_waits_when_it_is_time_to_stop_is_not_sent() {
        let settings = settings(Some(3));
        let stop = settings.stop.clone();
        let mut sender = ApiSender::start(settings).unwrap();
        stop.tell();
        for number in 0..100 {
            sender.push(number, b"{}");
        }
        let sent = sender.close();
        assert_eq!((sent.undelivered, sent.unsent), (0, 100));
        assert!(!sender.is_down());
    }

    #[test]
    fn it_can_be_dropped() {
        let mut sender = ApiSender::start(settings(Some(500))).unwrap();
        sender.push(0, b"{}");
        drop(sender);
    }
}
