//! Sockets that never wait, and the kernel's list of those on which something happens (epoll, edges only).

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with, sockopt,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Events that are taken at once.
const EVENTS: usize = 256;

/// Everything that can happen to a connection; told once each time it does.
const EDGES: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);

/// What happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    /// The number that it was added with.
    pub(super) token: u64,
    /// There may be something to read, be it the end.
    pub(super) reads: bool,
    /// It may take bytes again.
    pub(super) writes: bool,
    /// The other side sends no more, or there is an error.
    pub(super) ends: bool,
}

/// The sockets of a thread, which stays on it.
pub(super) struct Poller {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        let nothing = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: vec![nothing; EVENTS],
        })
    }

    /// Adds a connection. It is taken out when it is closed.
    pub(super) fn add(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        Ok(epoll::add(
            &self.epoll,
            socket,
            EventData::new_u64(token),
            EDGES,
        )?)
    }

    /// Adds a listener, which is told of as long as there is somebody to accept; of several threads that
    /// wait for it one is woken.
    pub(super) fn add_listener(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
        Ok(epoll::add(
            &self.epoll,
            socket,
            EventData::new_u64(token),
            flags,
        )?)
    }

    /// Waits until something happens, for so long at most; gives how many of
    /// [`happened`](Self::happened) there are.
    #[inline]
    pub(super) fn wait(&mut self, most: Duration) -> io::Result<usize> {
        let most = Timespec {
            tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: most.subsec_nanos().into(),
        };
        match epoll::wait(&self.epoll, &mut self.events[..], Some(&most)) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// One of the things that happened.
    #[inline]
    pub(super) fn happened(&self, at: usize) -> Option<Happened> {
        let event = self.events.get(at)?;
        let (flags, data) = (event.flags, event.data);
        let ends = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        Some(Happened {
            token: data.u64(),
            reads: flags.intersects(EventFlags::IN | ends),
            writes: flags.intersects(EventFlags::OUT | ends),
            ends: flags.intersects(ends),
        })
    }
}

/// Begins to open a connection; whether it is open is told by the poller.
pub(super) fn connect(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket),
        Err(error) => Err(error),
    }
}

/// The next connection of a listener; `None`: nobody waits.
pub(super) fn accept(listener: impl AsFd) -> Result<Option<OwnedFd>, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    match rustix::net::accept_with(listener, flags) {
        Ok(socket) => {
            // Without it answers that come in pieces would come late.
            let _is_set = sockopt::set_tcp_nodelay(&socket, true);
            Ok(Some(socket))
        }
        // Who was there is gone again.
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How the opening of a connection ended.
pub(super) fn connected(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::socket_error(socket)?
}

/// The address of our side.
pub(super) fn local_address(socket: &OwnedFd) -> Option<SocketAddr> {
    let address = rustix::net::getsockname(socket).ok()?;
    SocketAddr::try_from(address).ok()
}

/// Sends what there is room for; `None`: there is none.
#[inline]
pub(super) fn write(socket: &OwnedFd, bytes: &[u8]) -> Result<Option<usize>, Errno> {
    loop {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes what is there; `None`: nothing is. 0 bytes are the end.
#[inline]
pub(super) fn read(socket: &OwnedFd, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
    loop {
        match recv(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((count, _)) => return Ok(Some(count)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Closes a connection so that the other side sees a reset.
pub(super) fn reset(socket: OwnedFd) {
    // Where it cannot be said that it is to be a reset it is an end.
    let _is_reset = sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
    drop(socket);
}

/// Sees to it that so many sockets can be open, as far as the host lets us.
pub fn allow_descriptors(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < count) else {
        return;
    };
    let wanted = limit.maximum.map_or(count, |most| most.min(count));
    if wanted > current {
        let limit = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        // Where that is refused, connections beyond the limit are counted as failures.
        let _is_raised = setrlimit(Resource::Nofile, limit);
    }
}

/// Lets short sleeps of this thread be short.
pub(super) fn sleep_exactly() {
    // Where that is not possible sleeps are a little longer.
    let _is_set = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Where the kernel is told whole milliseconds, every wait is that long at least.
    #[test]
    fn a_wait_is_no_whole_millisecond() {
        let mut poller = Poller::new().unwrap();
        let shortest = (0..200).map(|_| {
            let begun = Instant::now();
            assert_eq!(poller.wait(Duration::from_micros(200)).unwrap(), 0);
            begun.elapsed()
        });
        let shortest = shortest.min().unwrap();
        let expected = Duration::from_micros(200)..Duration::from_micros(900);
        assert!(expected.contains(&shortest), "{shortest:?}");
    }
}
