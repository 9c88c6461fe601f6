//! `tapline gen events --serve`: records over HTTP, as they are asked for or as streams.
//!
//! Every stream and every WebSocket has a generator of its own; requests for records share one. An
//! anomaly that is injected goes to that one and to every client that is connected; while no client was
//! there to see it, also to the next that comes.
//!
//! It answers to names of this host where it listens on a loopback address, and there not to pages of
//! other hosts.

mod docs;
mod fields;
mod routes;
mod socket;
mod state;
mod stream;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::config::EventsConfig;
use crate::generate::seed::Seed;
use crate::server::access::Guard;
use crate::server::connections::{Patience, Stalled, accept};
use state::Shared;

/// Time in which all WebSockets are closed at the end.
const FAREWELLS: Duration = Duration::from_secs(2);

/// What the server is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    /// What records are like.
    pub config: EventsConfig,
    /// What they are made from.
    pub seed: Seed,
    /// Where to listen.
    pub address: SocketAddr,
    /// When to stop by itself.
    pub duration: Option<Duration>,
    /// Say nothing.
    pub quiet: bool,
}

/// Why it cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}{}", hint(source.kind()))]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

fn hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => {
            ": another program listens there; choose another address with --serve ADDR:PORT"
        }
        io::ErrorKind::AddrNotAvailable => ": no interface that is up has this address",
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need root or CAP_NET_BIND_SERVICE; choose a higher one"
        }
        _ => "",
    }
}

/// Serves until told to stop.
///
/// # Errors
/// It cannot listen there.
pub fn serve(serving: &Serving) -> anyhow::Result<()> {
    let address = serving.address;
    let bind = || -> io::Result<_> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        // With port 0 the kernel has picked one.
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = bind().map_err(|source| ListenError { address, source })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(until_told(serving, listener, address))?;
    runtime.shutdown_background();
    Ok(())
}

async fn until_told(
    serving: &Serving,
    listener: TcpListener,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let listener = tokio::net::TcpListener::from_std(listener).context("cannot listen")?;
    let (stop, stopped) = watch::channel(());
    let shared = Arc::new(Shared::new(
        serving.config.clone(),
        serving.seed,
        address.ip(),
        stopped.clone(),
    ));
    let guard = Arc::new(Guard::of_hosts(address.ip()));
    let router = routes::router(Arc::clone(&shared));
    let server = tokio::spawn(accept(
        listener,
        router,
        guard,
        Patience::default(),
        Stalled::default(),
        stopped,
    ));
    say(
        serving,
        &format!(
            "tapline serves events at http://{address} (what there is: http://{address}/docs); stop \
             with Ctrl-C (process {})\n",
            std::process::id()
        ),
    );
    if !address.ip().to_canonical().is_loopback() {
        say(
            serving,
            &format!(
                "tapline: warning: whoever reaches {address} can read and configure this server; \
                 127.0.0.1 serves this host alone\n"
            ),
        );
    }
    let ends = async {
        match serving.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = ends => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    crate::cli::run::let_signals_kill();
    drop(stop);
    server.await.context("the server failed")?;
    drop(tokio::time::timeout(FAREWELLS, shared.all_closed()).await);
    let (logs, anomalies) = shared.counts();
    say(
        serving,
        &format!(
            "tapline: {logs} records served, {anomalies} of them anomalous; seed={}\n",
            serving.seed
        ),
    );
    Ok(())
}

fn say(serving: &Serving, text: &str) {
    if !serving.quiet {
        // Where stderr is gone there is nobody to tell.
        drop(io::stderr().write_all(text.as_bytes()));
    }
}
