//! The servers, over HTTP/1: both give the API of the store ([`api`]), `/metrics` for Prometheus,
//! `/health`, `/api/ledger`, `/api/agent` and what is shown live; `tapline run` of a capture,
//! `tapline serve` of the store alone.
//!
//! ```text
//! connection ─► host, site, token ─► route ─► the store
//!                                      └────► Question ─► the loop of the capture
//!                                       ▲                       │ reads the counters now
//!                                       └──────── Snapshot ◄────┘
//! ```
//!
//! The server of a capture measures nothing between two requests: what is shown was read for the
//! request that asked, and each second while somebody looks on. Everything is bounded: connections,
//! streams, bytes of a head and of a body, time. Where it listens on a loopback address it answers only
//! to names of this host, so that no web page can read it through a name of its own that points here;
//! anywhere else it asks for a token.
//!
//! Binding is apart from serving: a port below 1024 is bound while there are privileges, and
//! threads and runtimes start after they are gone.

pub mod access;
mod agent;
mod alerts;
pub mod api;
pub(crate) mod connections;
mod dashboard;
mod headers;
mod health;
pub(crate) mod host_name;
mod hub;
mod live;
mod login;
pub mod metrics;
mod process;
mod routes;
mod snapshot;
pub(crate) mod table;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_common::counters::Counters;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use access::{Guard, Token};
use api::Api;
use connections::{Patience, Stalled, accept};
pub use health::{Health, Reason, State};
use hub::Hub;
pub use hub::Mode;
pub use process::{Process, ProcessReader};
use routes::Questions;
pub use snapshot::{Cpu, Exchanges, Interface, Lines, Program, Snapshot};

use crate::alerts::AlertSettings;
use crate::ledger::{Ledger, Moment, Taken};
use crate::sink::log::SinkCounts;

/// Questions that may wait for whoever has the numbers.
const QUESTIONS: usize = 32;

/// How long WebSockets have for a word at the end.
const FAREWELLS: Duration = Duration::from_secs(2);

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another program has the port.
    #[error(
        "cannot listen on {address}: another program listens there; end it, choose another address \
         with --listen (`run` goes without a server with --listen off)"
    )]
    InUse {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// This host does not have the address.
    #[error(
        "cannot listen on {address}: no interface that is up has this address; choose another with \
         --listen (`run` goes without a server with --listen off)"
    )]
    NoSuchAddress {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The port is reserved.
    #[error(
        "cannot listen on {address}: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a \
         higher one with --listen"
    )]
    Denied {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The kernel refuses for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
}

/// A bound socket that is not served yet, or nothing where no server is wanted.
#[derive(Debug)]
pub struct Listener(Option<(TcpListener, SocketAddr)>);

impl Listener {
    /// Where it listens; `None`: there is no server.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|(_, address)| *address)
    }

    /// Binds `address`; `None` is no server. Starts no thread and needs no runtime. Whoever connects
    /// waits in the kernel until [`Server::start`].
    ///
    /// # Errors
    /// The kernel refuses the address.
    pub fn bind(address: Option<SocketAddr>) -> Result<Self, ServerError> {
        let Some(address) = address else {
            return Ok(Self(None));
        };
        let bind = || -> io::Result<_> {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            // With port 0 the kernel has picked one.
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        bind()
            .map(|bound| Self(Some(bound)))
            .map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => ServerError::InUse { address },
                io::ErrorKind::AddrNotAvailable => ServerError::NoSuchAddress { address },
                io::ErrorKind::PermissionDenied => ServerError::Denied { address },
                _ => ServerError::Listen { address, source },
            })
    }
}

/// How a server serves.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// Which command it is of.
    pub mode: Mode,
    /// What whoever asks must give; `None`: nothing.
    pub token: Option<Token>,
    /// What is watched, and who is told.
    pub alerts: AlertSettings,
    /// How long it waits for whoever is slow.
    pub(crate) patience: Patience,
}

/// What a server does, until it is dropped.
#[derive(Debug)]
struct Tasks {
    address: Option<SocketAddr>,
    /// Held as long as connections are taken.
    stop: watch::Sender<()>,
    /// Dropping it ends the tasks and the connections.
    tasks: JoinSet<()>,
    /// `None`: nobody looks on.
    hub: Option<Hub>,
}

impl Tasks {
    /// Serves the numbers of a capture, or of a store, on a bound socket.
    fn start(
        listener: Listener,
        serving: Serving,
        capture: Option<Questions>,
        api: Option<&Api>,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        let address = listener.address();
        // Where nobody can ask there is nobody to be guarded against.
        let ip = address.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
        let guard = Arc::new(Guard::new(ip, serving.token));
        let hub = Hub::new(
            serving.mode,
            capture,
            api,
            Arc::clone(&guard),
            serving.alerts.rules,
            serving.patience,
            stopped.clone(),
        );
        let mut tasks = Self {
            address,
            stop,
            tasks: JoinSet::new(),
            hub: Some(hub.clone()),
        };
        if hub.has_alerts() {
            let AlertSettings { webhook, every, .. } = serving.alerts;
            tasks.tasks.spawn(alerts::run(hub.clone(), webhook, every));
        }
        if address.is_some() {
            tasks.tasks.spawn(live::run(hub.clone()));
            tasks.tasks.spawn(live::rows::run(hub.clone()));
        }
        let stalled = hub.stalled().clone();
        let router = routes::router(&hub);
        tasks.accept(listener, router, guard, serving.patience, stalled, stopped)?;
        Ok(tasks)
    }

    fn accept(
        &mut self,
        listener: Listener,
        router: axum::Router,
        guard: Arc<Guard>,
        patience: Patience,
        stalled: Stalled,
        stopped: watch::Receiver<()>,
    ) -> io::Result<()> {
        if let Some((listener, _)) = listener.0 {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            self.tasks
                .spawn(accept(listener, router, guard, patience, stalled, stopped));
        }
        Ok(())
    }

    /// Takes no more connections, ends streams with a word, and waits some seconds for the answers that
    /// are under way.
    async fn stop(mut self) {
        drop(self.stop);
        while self.tasks.join_next().await.is_some() {}
        // They are no connections of ours any more, but have tasks of their own.
        if let Some(hub) = &self.hub {
            drop(tokio::time::timeout(FAREWELLS, hub.tail().all_gone()).await);
        }
    }
}

/// A running server of the API alone, without a capture; it ends when dropped, with all connections.
#[derive(Debug)]
pub struct BackEnd(Tasks);

impl BackEnd {
    /// Serves the API, `/health` and what is shown live on a bound socket, in the runtime that this is
    /// called in.
    ///
    /// # Errors
    /// The runtime cannot wait for the socket.
    pub fn start(listener: Listener, api: &Api, serving: Serving) -> io::Result<Self> {
        Tasks::start(listener, serving, None, Some(api)).map(Self)
    }

    /// Serves these routes alone on a bound socket, in the runtime that this is called in.
    ///
    /// # Errors
    /// The runtime cannot wait for the socket.
    pub fn of_router(listener: Listener, router: axum::Router) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        let address = listener.address();
        let mut tasks = Tasks {
            address,
            stop,
            tasks: JoinSet::new(),
            hub: None,
        };
        if let Some(address) = address {
            let guard = Arc::new(Guard::of_hosts(address.ip()));
            let (patience, stalled) = (Patience::default(), Stalled::default());
            tasks.accept(listener, router, guard, patience, stalled, stopped)?;
        }
        Ok(Self(tasks))
    }

    /// Takes no more connections, ends streams with a word, and waits some seconds for the answers that
    /// are under way.
    pub async fn stop(self) {
        self.0.stop().await;
    }

    /// Where it listens; `None`: nowhere.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.address
    }
}

/// A request for the numbers of this moment.
#[derive(Debug)]
pub struct Question(oneshot::Sender<Snapshot>);

impl Question {
    /// Gives the numbers to whoever asked.
    pub fn answer(self, snapshot: Snapshot) {
        // Whoever asked may have gone away.
        drop(self.0.send(snapshot));
    }
}

/// A running server of a capture; it ends when dropped.
#[derive(Debug)]
pub struct Server {
    tasks: Tasks,
    questions: mpsc::Receiver<Question>,
    health: Health,
    process: Option<ProcessReader>,
    online: Vec<u32>,
    started: Instant,
}

impl Server {
    /// Serves a bound socket, in the runtime that this is called in. `api`: of the store, where there
    /// is one.
    ///
    /// # Errors
    /// The runtime cannot wait for the socket.
    pub fn start(listener: Listener, api: Option<&Api>, serving: Serving) -> io::Result<Self> {
        let (asker, questions) = mpsc::channel(QUESTIONS);
        Ok(Self {
            tasks: Tasks::start(listener, serving, Some(asker), api)?,
            questions,
            health: Health::new(Timestamp::now()),
            process: ProcessReader::new().ok(),
            online: aya::util::online_cpus().unwrap_or_default(),
            started: Instant::now(),
        })
    }

    /// Where it listens; `None`: there is no server.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.tasks.address
    }

    /// Answers no more questions, takes no more connections, ends streams with a word, and waits some
    /// seconds for the answers that are under way.
    pub async fn stop(self) {
        drop(self.questions);
        self.tasks.stop().await;
    }

    /// The next question; for ever none where there is no server. Nothing is lost when the wait is
    /// given up.
    pub async fn question(&mut self) -> Question {
        match self.questions.recv().await {
            Some(question) => question,
            None => std::future::pending().await,
        }
    }

    /// Keeps the state of health current: to be called every second or so.
    ///
    /// `counters`: of every CPU. `log`: the account of the lines. `attached`: a hook sits somewhere.
    pub fn observe(&mut self, counters: &[Counters], log: &SinkCounts, attached: bool) {
        let lost = health::Lost::of(counters, log);
        self.health
            .observe(Instant::now(), Timestamp::now(), lost, attached);
    }

    /// Everything that is shown, of this moment.
    ///
    /// `counters`: of every CPU, in order, read after what was `taken`. `interfaces`: those that are
    /// captured.
    pub fn snapshot(
        &mut self,
        counters: Vec<Counters>,
        taken: Taken,
        interfaces: Vec<Interface>,
    ) -> Snapshot {
        self.observe(&counters, &taken.log, !interfaces.is_empty());
        let exchanges = Exchanges::from(&*taken.tally);
        let ledger = Ledger::new(&counters, &taken, self.started.elapsed(), Moment::Live);
        Snapshot {
            process: self.process.as_ref().and_then(|reader| reader.read().ok()),
            health: self.health.clone(),
            exchanges,
            ..Snapshot::new(counters, &self.online, taken, interfaces, ledger)
        }
    }
}
