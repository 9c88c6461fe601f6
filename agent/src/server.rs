//! The server of `tapline run`: `/metrics` for Prometheus and `/health`, over HTTP/1.
//!
//! ```text
//! connection ─► host check ─► method check ─► route ─► Question ─► the loop of the capture
//!                                               ▲                          │ reads the counters now
//!                                               └───────── Snapshot ◄──────┘
//! ```
//!
//! It measures nothing between two requests: what is shown was read for the request that asked.
//! One request a connection, and everything is bounded: connections, bytes of a head, time. Bodies
//! are never read. Where it listens on a loopback address it answers only to names of this host, so
//! that no web page can read it through a name of its own that points here.
//!
//! Binding is apart from serving: a port below 1024 is bound while there are privileges, and
//! threads and runtimes start after they are gone.

mod health;
mod host_name;
pub mod metrics;
mod process;
mod routes;
mod snapshot;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use agent_common::counters::Counters;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

pub use health::{Health, Reason, State};
pub use process::{Process, ProcessReader};
pub use snapshot::{Cpu, Lines, Snapshot};

use crate::capture::reader::Progress;
use crate::sink::counts::Counts;
use crate::sink::log::SinkCounts;

/// Connections served at the same time; others wait in the kernel.
const CONNECTIONS: usize = 32;

/// Bytes of a request's head; the smallest that hyper takes.
const HEAD_BYTES: usize = 8192;

/// The life of a connection: reading the request, and writing the answer to a slow reader.
const LIFE: Duration = Duration::from_secs(10);

/// A pause after the kernel gave no connection, most likely for want of descriptors.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another program has the port.
    #[error(
        "cannot listen on {address}: another program listens there; end it, choose another address \
         with --listen, or go without metrics with --listen off"
    )]
    InUse {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// This host does not have the address.
    #[error(
        "cannot listen on {address}: no interface that is up has this address; choose another with \
         --listen, or go without metrics with --listen off"
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

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct Server {
    address: Option<SocketAddr>,
    questions: mpsc::Receiver<Question>,
    health: Health,
    process: Option<ProcessReader>,
    online: Vec<u32>,
    /// Held: dropping it ends the task and its connections.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Serves a bound socket, in the runtime that this is called in.
    ///
    /// # Errors
    /// The runtime cannot wait for the socket.
    pub fn start(listener: Listener) -> io::Result<Self> {
        let (asker, questions) = mpsc::channel(CONNECTIONS);
        let mut tasks = JoinSet::new();
        let mut bound = None;
        if let Some((listener, address)) = listener.0 {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            bound = Some(address);
            tasks.spawn(accept(listener, routes::router(asker, address.ip())));
        }
        Ok(Self {
            address: bound,
            questions,
            health: Health::new(Timestamp::now()),
            process: ProcessReader::new().ok(),
            online: aya::util::online_cpus().unwrap_or_default(),
            _tasks: tasks,
        })
    }

    /// Where it listens; `None`: there is no server.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
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
    /// `counters`: of every CPU, in order. `sinks`: the accounts of the sinks of records. `interfaces`: the names of those that are captured.
    pub fn snapshot(
        &mut self,
        counters: Vec<Counters>,
        progress: &Progress,
        log: &SinkCounts,
        sinks: Vec<(&'static str, Counts)>,
        interfaces: Vec<String>,
    ) -> Snapshot {
        self.observe(&counters, log, !interfaces.is_empty());
        Snapshot {
            process: self.process.as_ref().and_then(|reader| reader.read().ok()),
            health: self.health.clone(),
            ..Snapshot::new(counters, &self.online, progress, log, sinks, interfaces)
        }
    }
}

/// Takes connections for ever. Its connections end with it.
async fn accept(listener: tokio::net::TcpListener, router: axum::Router) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, router.clone()));
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot take a connection to the server of metrics"
                );
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn serve(stream: tokio::net::TcpStream, router: axum::Router) {
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // A client that is slow, speaks nonsense or goes away has only harmed itself.
    if let Ok(Err(error)) = tokio::time::timeout(LIFE, connection).await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection to the server of metrics failed"
        );
    }
}
