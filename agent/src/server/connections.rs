//! Connections: how many, how long, and how patient the server is with them.
//!
//! Where there are as many as may be, one more takes the place of the one that has waited longest
//! without a request: silent and idle connections, however many somebody opens, shut nobody out.

mod stalling;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use self::stalling::Stalling;
use super::access::{Guard, Peer};

/// Bytes of a request's head; the smallest that hyper takes.
pub(super) const HEAD_BYTES: usize = 8192;

/// A pause after the kernel gave no connection, most likely for want of descriptors.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// How long connections may go on with what they do after the stop.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Connections served at the same time; others wait in the kernel.
    pub(crate) connections: usize,
    /// The time in which a new connection must have sent the head of its first request.
    pub(crate) first: Duration,
    /// The time in which the head of another request must come, from the start of waiting for it.
    pub(crate) idle: Duration,
    /// The time in which whoever asked must take some of the answer.
    pub(crate) stall: Duration,
    /// Bytes that the kernel holds for whoever is behind, before the server waits for them.
    pub(crate) unsent: u32,
    /// A connection that has had no request for so long may be closed for another one.
    pub(crate) spared: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // Two hundred may look on without end, and others ask beside them.
            connections: 384,
            first: Duration::from_secs(5),
            idle: Duration::from_secs(30),
            stall: Duration::from_secs(10),
            unsent: 64 << 10,
            spared: Duration::from_secs(1),
        }
    }
}

/// Counts those who were left because they took nothing of what they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalled(Arc<AtomicU64>);

impl Stalled {
    /// One more.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a connection does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Doing {
    /// It has had no request.
    New { since: Instant },
    /// Its request is being answered.
    Answering,
    /// It has had an answer.
    Idle { since: Instant },
}

/// What a connection does, for those who look for a place.
#[derive(Debug)]
struct Place(Mutex<Doing>);

impl Place {
    fn set(&self, doing: Doing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    fn get(&self) -> Doing {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connections that are open.
struct Open {
    tasks: JoinSet<()>,
    places: Vec<(AbortHandle, Arc<Place>)>,
}

impl Open {
    /// Makes room for another one. False where all have had a request of late.
    fn make_room(&mut self, patience: &Patience) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.places.retain(|(task, _)| !task.is_finished());
        if self.places.len() < patience.connections {
            return true;
        }
        let waiting = self
            .places
            .iter()
            .enumerate()
            .filter_map(|(index, (_, place))| match place.get() {
                Doing::New { since } | Doing::Idle { since } => Some((since, index)),
                Doing::Answering => None,
            });
        match waiting.min() {
            Some((since, index)) if since.elapsed() >= patience.spared => {
                self.places.swap_remove(index).0.abort();
                true
            }
            _ => false,
        }
    }
}

/// Takes connections until the other end of `stop` is dropped; then it waits until those that are
/// under way have had their answers. Its connections end with it.
pub(crate) async fn accept(
    listener: TcpListener,
    router: axum::Router,
    guard: Arc<Guard>,
    patience: Patience,
    stalled: Stalled,
    mut stop: watch::Receiver<()>,
) {
    let mut open = Open {
        tasks: JoinSet::new(),
        places: Vec::new(),
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot take a connection to the server"
                );
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            }
        };
        while !open.make_room(&patience) {
            tokio::select! {
                _ = open.tasks.join_next() => {}
                () = tokio::time::sleep(patience.spared / 10) => {}
                _ = stop.changed() => break,
            }
            if stop.has_changed().is_err() {
                break;
            }
        }
        let place = Arc::new(Place(Mutex::new(Doing::New {
            since: Instant::now(),
        })));
        let watched = Watched {
            router: TowerToHyperService::new(router.clone()),
            guard: Arc::clone(&guard),
            peer,
            place: Arc::clone(&place),
        };
        let served = serve(stream, watched, patience, stalled.clone(), stop.clone());
        let task = open.tasks.spawn(served);
        open.places.push((task, place));
    }
    drop(listener);
    let rest = async { while open.tasks.join_next().await.is_some() {} };
    // Those that are still not done end with this function.
    drop(tokio::time::timeout(AFTER_STOP, rest).await);
}

async fn serve(
    stream: TcpStream,
    watched: Watched,
    patience: Patience,
    stalled: Stalled,
    mut stop: watch::Receiver<()>,
) {
    // Answers are written whole: to wait for more would only delay them.
    drop(stream.set_nodelay(true));
    let stream = Stalling::new(stream, &patience, stalled);
    let place = Arc::clone(&watched.place);
    let connection = hyper::server::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .timer(TokioTimer::new())
        .header_read_timeout(patience.idle)
        .serve_connection(TokioIo::new(stream), watched)
        .with_upgrades();
    tokio::pin!(connection);
    let first = tokio::time::sleep(patience.first);
    tokio::pin!(first);
    let mut is_new = true;
    let ended = loop {
        tokio::select! {
            ended = &mut connection => break ended,
            () = &mut first, if is_new => {
                is_new = matches!(place.get(), Doing::New { .. });
                if is_new {
                    // It has had its time.
                    return;
                }
            }
            _ = stop.changed() => {
                if matches!(place.get(), Doing::New { .. }) {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                break connection.await;
            }
        }
    };
    // A client that is slow, speaks nonsense or goes away has only harmed itself.
    if let Err(error) = ended {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection to the server failed"
        );
    }
}

/// Answers to whoever may ask, and says when it does.
struct Watched {
    router: TowerToHyperService<axum::Router>,
    guard: Arc<Guard>,
    /// The other end.
    peer: IpAddr,
    place: Arc<Place>,
}

impl Service<Request<Incoming>> for Watched {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Self::Error>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(mut refusal) = self.guard.refusal(&request) {
            self.guard.finish(&mut refusal);
            self.place.set(Doing::Idle {
                since: Instant::now(),
            });
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        self.place.set(Doing::Answering);
        let place = Arc::clone(&self.place);
        let guard = Arc::clone(&self.guard);
        request.extensions_mut().insert(Peer(self.peer));
        let answer = self.router.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            guard.finish(&mut answer);
            if answer.body().size_hint().exact().is_none() {
                // One that goes on is being answered as long as it does.
                return Ok(answer.map(|body| Body::new(Streamed { body, place })));
            }
            place.set(Doing::Idle {
                since: Instant::now(),
            });
            Ok(answer)
        })
    }
}

/// A body without a length that is known beforehand.
struct Streamed {
    body: Body,
    place: Arc<Place>,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.place.set(Doing::Idle {
            since: Instant::now(),
        });
    }
}
