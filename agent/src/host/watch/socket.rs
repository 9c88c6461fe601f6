//! The subscribed netlink socket.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use rtnetlink::MulticastGroup;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

use super::super::netlink::NetlinkError;

const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];
/// A notice is one message; links of many properties need a few KiB.
const DATAGRAM_MAX: usize = 64 * 1024;

/// A netlink socket that gets the notices of [`super::Watcher`].
#[derive(Debug)]
pub(super) struct Subscription {
    socket: Socket,
    datagram: Vec<u8>,
}

impl Subscription {
    /// Opens and subscribes.
    pub(super) fn new() -> Result<Self, NetlinkError> {
        let failed = |action| move |source| NetlinkError::Socket { action, source };
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed("open a netlink socket"))?;
        socket
            .set_non_blocking(true)
            .map_err(failed("open a netlink socket"))?;
        // Before the subscription, so that no notice comes unfiltered.
        keep_only_local_routes(&socket).map_err(failed("filter notices of routes"))?;
        let groups = GROUPS
            .iter()
            .fold(0, |groups, group| groups | 1 << (*group as u32 - 1));
        socket
            .bind(&SocketAddr::new(0, groups))
            .map_err(failed("subscribe to changes of interfaces"))?;
        Ok(Self {
            socket,
            datagram: Vec::with_capacity(DATAGRAM_MAX),
        })
    }

    /// The datagram that was read last.
    pub(super) fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// Reads one datagram of the kernel; it is empty if it came from anybody else.
    pub(super) fn receive(&mut self) -> io::Result<()> {
        self.datagram.clear();
        let (length, sender) = self.socket.recv_from(&mut self.datagram, libc::MSG_TRUNC)?;
        if sender.port_number() != 0 {
            self.datagram.clear();
            return Ok(());
        }
        if length > self.datagram.len() {
            // A notice that does not fit is a notice lost.
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        Ok(())
    }

    /// Throws away what waits to be read; bounded, as more may come all the time.
    pub(super) fn forget(&mut self) {
        const MOST: usize = 1 << 16;
        for _ in 0..MOST {
            match self.receive() {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                // Nothing more, or an error that the next reading meets again.
                Err(_) => return,
            }
        }
    }

    /// Makes the buffer in the kernel so small that it runs over soon.
    #[cfg(test)]
    pub(super) fn shrink(&self) {
        self.socket.set_rx_buf_sz(1_u32).unwrap();
    }
}

impl AsRawFd for Subscription {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Attaches a classic BPF filter: notices of routes pass only if the route's type is `local`.
fn keep_only_local_routes(socket: &Socket) -> io::Result<()> {
    /// Where the message's type stands, and the route's, behind header and seven fields.
    const MESSAGE_TYPE: u32 = 4;
    const ROUTE_TYPE: u32 = 16 + 7;
    const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    // The filter loads in network byte order, the message is in the host's.
    let type_as_loaded = |kind: u16| u32::from(u16::from_be_bytes(kind.to_ne_bytes()));
    let mut program = [
        instruction(LOAD_HALF, 0, 0, MESSAGE_TYPE),
        instruction(IF_EQUAL, 1, 0, type_as_loaded(libc::RTM_NEWROUTE)),
        instruction(IF_EQUAL, 0, 2, type_as_loaded(libc::RTM_DELROUTE)),
        instruction(LOAD_BYTE, 0, 0, ROUTE_TYPE),
        instruction(IF_EQUAL, 0, 1, libc::RTN_LOCAL.into()),
        instruction(RETURN, 0, 0, u32::MAX),
        instruction(RETURN, 0, 0, 0),
    ];
    let filter = libc::sock_fprog {
        len: 7,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the descriptor is open, `filter` points at seven instructions that live until the
    // call returns, and the kernel copies and checks them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn instruction(code: u32, if_true: u8, if_false: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: if_true,
        jf: if_false,
        k: value,
    }
}
