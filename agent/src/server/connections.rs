//! Connections: how many, how long, and how patient the server is with them.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Sleep;

/// Bytes of a request's head; the smallest that hyper takes.
pub(super) const HEAD_BYTES: usize = 8192;

/// A pause after the kernel gave no connection, most likely for want of descriptors.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// The bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Connections served at the same time; others wait in the kernel.
    pub(super) connections: usize,
    /// The life of a connection that takes one request; `None`: it may take any number.
    pub(super) life: Option<Duration>,
    /// The time in which a head must come, from the start of waiting for it.
    pub(super) head: Duration,
    /// The time in which whoever asked must take some of the answer.
    pub(super) stall: Duration,
}

/// How long connections may go on with what they do after the stop.
const AFTER_STOP: Duration = Duration::from_secs(5);

/// Takes connections until the other end of `stop` is dropped; then it waits until those that are
/// under way have had their answers. Its connections end with it.
pub(super) async fn accept(
    listener: TcpListener,
    router: axum::Router,
    patience: Patience,
    mut stop: watch::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= patience.connections {
            tokio::select! {
                _ = connections.join_next() => {}
                _ = stop.changed() => break,
            }
        }
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, router.clone(), patience, stop.clone()));
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot take a connection to the server"
                );
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    // Those that are still not done end with this function.
    drop(tokio::time::timeout(AFTER_STOP, rest).await);
}

async fn serve(
    stream: TcpStream,
    router: axum::Router,
    patience: Patience,
    mut stop: watch::Receiver<()>,
) {
    // Answers are written whole: to wait for more would only delay them.
    drop(stream.set_nodelay(true));
    let stream = Stalling {
        stream,
        stall: patience.stall,
        since: None,
    };
    let connection = hyper::server::conn::http1::Builder::new()
        .keep_alive(patience.life.is_none())
        .max_buf_size(HEAD_BYTES)
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let whole = async {
        tokio::select! {
            ended = &mut connection => return ended,
            _ = stop.changed() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    let ended = match patience.life {
        Some(life) => tokio::time::timeout(life, whole).await,
        None => Ok(whole.await),
    };
    // A client that is slow, speaks nonsense or goes away has only harmed itself.
    if let Ok(Err(error)) = ended {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a connection to the server failed"
        );
    }
}

/// A stream that fails when nothing can be written to it for too long.
struct Stalling {
    stream: TcpStream,
    stall: Duration,
    /// Ends the wait of a write that is under way.
    since: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.since = None;
            return result;
        }
        let stall = self.stall;
        let since = self
            .since
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        ready!(since.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
