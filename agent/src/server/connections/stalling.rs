//! A stream that fails when whoever it goes to takes nothing for too long, and for which the kernel holds
//! little until then.

use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::{Patience, Stalled};

/// A connection that is written to.
pub(super) struct Stalling {
    stream: TcpStream,
    stall: Duration,
    stalled: Stalled,
    /// Ends the wait of a write that is under way.
    since: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    /// One that may wait as long as the patience says, and then counts.
    pub(super) fn new(stream: TcpStream, patience: &Patience, stalled: Stalled) -> Self {
        // The kernel would take megabytes for a client that reads nothing, which then seems to read.
        if let Err(error) = limit_unsent(&stream, patience.unsent) {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the kernel holds as much as it wants for a connection"
            );
        }
        Self {
            stream,
            stall: patience.stall,
            stalled,
            since: None,
        }
    }

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
        self.stalled.add();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// From now on the kernel takes no more than about so many bytes that it cannot send yet.
fn limit_unsent(stream: &TcpStream, bytes: u32) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the value is valid for its length.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            (&raw const bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
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
