//! `GET /health` and `GET /ready` over HTTP, while lines are made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::server::{BackEnd, Listener, ServerError};

/// Nobody can be answered there.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address}: {why}; choose another address with --listen ADDR:PORT, or --listen off \
     for none (output.health_check)"
)]
pub struct ListenError {
    address: SocketAddr,
    why: &'static str,
}

/// Binds the socket, where there is to be one.
///
/// # Errors
/// The port is taken or reserved, or no interface has the address.
pub fn bind(address: Option<SocketAddr>) -> anyhow::Result<Listener> {
    Listener::bind(address).map_err(|error| {
        let (address, why) = match error {
            ServerError::InUse { address } => (address, "another program listens there"),
            ServerError::NoSuchAddress { address } => {
                (address, "no interface that is up has this address")
            }
            ServerError::Denied { address } => (
                address,
                "ports below 1024 need root or CAP_NET_BIND_SERVICE",
            ),
            other => return other.into(),
        };
        ListenError { address, why }.into()
    })
}

/// What is told about a run.
#[derive(Debug)]
pub struct Told {
    begun: Instant,
    directory: String,
    rate: f64,
    lines: AtomicU64,
    is_ready: AtomicBool,
    is_broken: AtomicBool,
}

impl Told {
    /// Of a run that begins now.
    #[must_use]
    pub fn new(directory: String, rate: f64) -> Self {
        Self {
            begun: Instant::now(),
            directory,
            rate,
            lines: AtomicU64::new(0),
            is_ready: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
        }
    }

    /// So many lines were written in all.
    pub fn wrote(&self, lines: u64) {
        self.lines.store(lines, Relaxed);
    }

    /// Lines flow as they should.
    pub fn is_live(&self) {
        self.is_ready.store(true, Relaxed);
    }

    /// Lines cannot be written.
    pub fn broke(&self) {
        self.is_broken.store(true, Relaxed);
        self.is_ready.store(false, Relaxed);
    }
}

/// The server; it ends when dropped.
#[derive(Debug)]
pub struct Health {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Health {
    /// Starts it on a bound socket, in a thread of its own.
    ///
    /// # Errors
    /// The thread or its runtime cannot be started.
    pub fn start(listener: Listener, address: SocketAddr, told: Arc<Told>) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let work = move || {
            runtime.block_on(async {
                let server = BackEnd::of_router(listener, router(told));
                // The other end is dropped when it is to stop.
                drop(stopped.await);
                drop(server);
            });
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("health".to_owned())
            .spawn(work)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn router(told: Arc<Told>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .with_state(told)
}

async fn health(State(told): State<Arc<Told>>) -> Response {
    let (code, status) = match told.is_broken.load(Relaxed) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        false => (StatusCode::OK, "healthy"),
    };
    let body = json!({
        "status": status,
        "uptime_seconds": told.begun.elapsed().as_secs_f64(),
        "total_logs_generated": told.lines.load(Relaxed),
        "output_directory": told.directory,
        "rate": number(told.rate),
    });
    (code, Json(body)).into_response()
}

async fn ready(State(told): State<Arc<Told>>) -> Response {
    match told.is_ready.load(Relaxed) {
        true => Json(json!({"status": "ready"})).into_response(),
        false => {
            let body = Json(json!({"status": "not ready"}));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// A whole number without a point.
fn number(number: f64) -> Value {
    match number.fract() == 0.0 && number < 1e15 {
        true => json!(number as u64),
        false => json!(number),
    }
}
