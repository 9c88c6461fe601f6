//! What the handlers of one server share: what the process is, where its numbers come from, who looks on
//! and what they are shown.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::Snapshot;
use super::access::Guard;
use super::api::Api;
use super::api::refusal::Refusal;
use super::connections::{Patience, Stalled};
use super::live::Live;
use super::live::rows::Tail;
use super::routes::{Questions, ask};
use crate::alerts::board::Board;
use crate::alerts::rule::Rule;
use crate::store::{ReadError, Store};

/// Which command the process runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It captures.
    Run,
    /// It takes records and stores them.
    #[default]
    Serve,
    /// It follows log files.
    Watch,
}

/// Shared by all handlers and tasks of a server.
#[derive(Clone, Debug)]
pub(super) struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mode: Mode,
    started: Timestamp,
    hostname: String,
    /// Whoever has the numbers of the capture, where there is one.
    capture: Option<Questions>,
    api: Option<Api>,
    shelf: Option<Arc<Shelf>>,
    guard: Arc<Guard>,
    live: Live,
    tail: Tail,
    has_alerts: bool,
    board: Mutex<Board>,
    patience: Patience,
    stalled: Stalled,
    stopped: watch::Receiver<()>,
}

impl Hub {
    /// `capture`: who answers questions for the numbers of a capture; without one they are those of the
    /// store alone. `stopped`: its other end is dropped when the server stops.
    pub(super) fn new(
        mode: Mode,
        capture: Option<Questions>,
        api: Option<&Api>,
        guard: Arc<Guard>,
        rules: Vec<Rule>,
        patience: Patience,
        stopped: watch::Receiver<()>,
    ) -> Self {
        let shelf = api.map(|api| Arc::new(Shelf::new(api.directory().to_owned())));
        Self(Arc::new(Inner {
            mode,
            started: Timestamp::now(),
            hostname: hostname(),
            capture,
            api: api.cloned(),
            shelf,
            guard,
            live: Live::default(),
            tail: Tail::default(),
            has_alerts: !rules.is_empty(),
            board: Mutex::new(Board::new(rules, Timestamp::now())),
            patience,
            stalled: Stalled::default(),
            stopped,
        }))
    }

    /// Which command this is.
    pub(super) fn mode(&self) -> Mode {
        self.0.mode
    }

    /// When it began to serve.
    pub(super) fn started(&self) -> Timestamp {
        self.0.started
    }

    /// What the host calls itself.
    pub(super) fn hostname(&self) -> &str {
        &self.0.hostname
    }

    /// Who may ask.
    pub(super) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Those who look on.
    pub(super) fn live(&self) -> &Live {
        &self.0.live
    }

    /// Those who follow exchanges.
    pub(super) fn tail(&self) -> &Tail {
        &self.0.tail
    }

    /// How long it waits for whoever is slow.
    pub(super) fn patience(&self) -> &Patience {
        &self.0.patience
    }

    /// Counts those who were left because they were too slow.
    pub(super) fn stalled(&self) -> &Stalled {
        &self.0.stalled
    }

    /// Whoever has the numbers of the capture, where there is one.
    pub(super) fn capture(&self) -> Option<&Questions> {
        self.0.capture.as_ref()
    }

    /// Whether there are rules.
    pub(super) fn has_alerts(&self) -> bool {
        self.0.has_alerts
    }

    /// The rules, and where they stand. Held for a moment only.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The API of the store, where there is one.
    pub(super) fn api(&self) -> Option<&Api> {
        self.0.api.as_ref()
    }

    /// Becomes an error when the server stops.
    pub(super) fn stopped(&self) -> watch::Receiver<()> {
        self.0.stopped.clone()
    }

    /// The numbers of now.
    ///
    /// # Errors
    /// The capture is ending, or there is nothing that has numbers.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, Refusal> {
        let mut snapshot = match (&self.0.capture, &self.0.api) {
            (Some(capture), _) => ask(capture).await?,
            (None, Some(api)) => api.snapshot(),
            (None, None) => {
                let sentence = "Nothing is counted here.";
                return Err(Refusal::Unavailable(sentence.to_owned()));
            }
        };
        let board = self.board();
        let firing = board.firing().map(|(name, fires)| (name.to_owned(), fires));
        snapshot.alerts = firing.collect();
        Ok(snapshot)
    }

    /// Reads the store, in a thread that may wait; `None`: there is none, or it cannot be read, which the
    /// diagnostics say.
    pub(super) fn read<T, F>(&self, read: F) -> impl Future<Output = Option<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&mut Store) -> Result<T, ReadError> + Send + 'static,
    {
        let shelf = self.0.shelf.clone();
        let reading = shelf.map(|shelf| move || shelf.read(read));
        async move {
            let found = tokio::task::spawn_blocking(reading?).await;
            found.ok().flatten()
        }
    }
}

/// The store, as it is read for all who look on together: one reader, opened when it is first wanted.
#[derive(Debug)]
struct Shelf {
    directory: PathBuf,
    store: Mutex<Option<Store>>,
}

impl Shelf {
    fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            store: Mutex::new(None),
        }
    }

    fn read<T>(&self, read: impl FnOnce(&mut Store) -> Result<T, ReadError>) -> Option<T> {
        let mut kept = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match kept.take() {
            Some(mut store) => store.refresh().map(|()| store),
            None => Store::open(&self.directory),
        }
        .and_then(|mut store| Ok((read(&mut store)?, store)));
        match found {
            Ok((found, store)) => {
                *kept = Some(store);
                Some(found)
            }
            // One that failed is not kept.
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store cannot be read for those who look on"
                );
                None
            }
        }
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
