//! Tells what changes on the host: interfaces and local addresses.
//!
//! One netlink socket subscribed to links, addresses and routes. A filter in the kernel lets only
//! routes of type `local` through, so a router that learns a thousand routes a second does not wake
//! us once. What waits to be read is bounded by the socket's buffer in the kernel; when that runs
//! over, [`Event::Lost`] says so and the interfaces are compared with a fresh list.

mod links;
mod socket;

use std::collections::VecDeque;
use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use self::links::Links;
use super::interfaces::{self, Interface};
use super::netlink::{NetlinkError, messages};

/// What changed. Interfaces are named by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new interface; if it is up, [`Event::Up`] follows.
    Appeared {
        /// Its index.
        index: u32,
        /// Its name.
        name: String,
    },
    /// It was removed, or moved to another network namespace.
    Gone {
        /// The index it had.
        index: u32,
    },
    /// It was switched on.
    Up {
        /// Its index.
        index: u32,
    },
    /// It was switched off.
    Down {
        /// Its index.
        index: u32,
    },
    /// It has another name.
    Renamed {
        /// Its index.
        index: u32,
        /// The name it has now.
        name: String,
    },
    /// The local addresses may have changed: read them again.
    AddressesChanged,
    /// Notices were lost: read everything again. What changed with interfaces follows as events.
    Lost,
}

/// A source of [`Event`]s for the network namespace of the thread that made it.
#[derive(Debug)]
pub struct Watcher {
    socket: AsyncFd<socket::Subscription>,
    links: Links,
    waiting: VecDeque<Event>,
}

impl Watcher {
    /// Subscribes, then lists the interfaces: no change between the two is missed. To be called
    /// within a tokio runtime that has I/O enabled; a current-thread one will do.
    ///
    /// # Errors
    /// The kernel refused the socket or the list.
    ///
    /// # Panics
    /// Outside a tokio runtime (that is tokio's own rule).
    pub fn new() -> Result<(Self, Vec<Interface>), NetlinkError> {
        let subscription = socket::Subscription::new()?;
        // SAFETY: the subscription owns its socket, never exchanges it, and lives as long as the
        // `AsyncFd` around it.
        let socket = unsafe { AsyncFd::register_with_interest(subscription, Interest::READABLE) }
            .map_err(|error| failed(error.into()))?;
        let interfaces = interfaces::list()?;
        let watcher = Self {
            socket,
            links: Links::new(&interfaces),
            waiting: VecDeque::new(),
        };
        Ok((watcher, interfaces))
    }

    /// Waits for the next change. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The socket or the list that is read after a loss failed; the watcher is of no further use.
    pub async fn next(&mut self) -> Result<Event, NetlinkError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(event);
            }
            let mut ready = self.socket.readable_mut().await.map_err(failed)?;
            match ready.try_io(|socket| socket.get_mut().receive()) {
                Ok(Ok(())) => {
                    for message in messages(ready.get_inner().datagram()) {
                        self.links.take(message, &mut self.waiting);
                    }
                }
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.waiting.push_back(Event::Lost);
                    // What still waits is older than the list: a notice of an interface whose end
                    // was lost would bring it back to life.
                    ready.get_inner_mut().forget();
                    let interfaces = interfaces::list()?;
                    self.links.compare(&interfaces, &mut self.waiting);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(failed(error)),
                // Not readable after all; try_io cleared the readiness.
                Err(_would_block) => {}
            }
        }
    }
}

fn failed(source: io::Error) -> NetlinkError {
    NetlinkError::Socket {
        action: "watch the interfaces over netlink",
        source,
    }
}

#[cfg(test)]
mod tests;
