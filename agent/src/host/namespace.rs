//! Network namespaces: hosts of their own on this machine, joined by virtual cables.
//!
//! They have no name: what keeps one is its descriptor, and the processes in it. When the process that made
//! it is gone, however it ended, nothing is left of it.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread;

use super::interfaces;
use super::netlink::{attribute, tell};

/// `struct ifinfomsg` of linux/rtnetlink.h: family, type, index, flags, which flags.
const LINK_HEADER: usize = 16;

/// Attributes of links and addresses (linux/if_link.h, linux/if_addr.h, linux/veth.h).
mod number {
    pub(super) const LINK_NAME: u16 = 3;
    pub(super) const LINK_INFO: u16 = 18;
    pub(super) const LINK_NAMESPACE: u16 = 28;
    pub(super) const INFO_KIND: u16 = 1;
    pub(super) const INFO_DATA: u16 = 2;
    pub(super) const VETH_PEER: u16 = 1;
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const ADDRESS_LOCAL: u16 = 2;
    /// No duplicate address detection.
    pub(super) const NO_DETECTION: u8 = 2;
}

/// A namespace cannot be made or furnished.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {cause}{}", hint(cause))]
pub struct NamespaceError {
    action: String,
    /// In the sentence already: no `source`, or it would be said twice.
    cause: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; it needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)",
        _ => "",
    }
}

fn failed(action: impl Into<String>) -> impl FnOnce(io::Error) -> NamespaceError {
    move |cause| NamespaceError {
        action: action.into(),
        cause,
    }
}

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    descriptor: OwnedFd,
}

impl Namespace {
    /// Makes one, with its loopback interface up.
    ///
    /// # Errors
    /// The kernel makes none.
    pub fn new() -> Result<Self, NamespaceError> {
        const MAKE: &str = "make a network namespace";
        let made = thread::scope(|scope| {
            let inside = scope.spawn(|| {
                // SAFETY: takes a flag and changes only this thread, which ends at once.
                if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                    return Err(io::Error::last_os_error());
                }
                File::open("/proc/thread-self/ns/net").map(OwnedFd::from)
            });
            inside
                .join()
                .unwrap_or_else(|_panic| Err(io::ErrorKind::Other.into()))
        });
        let namespace = Self {
            descriptor: made.map_err(failed(MAKE))?,
        };
        namespace.enter(|| switch_on("lo"))??;
        Ok(namespace)
    }

    /// Runs `action` on a thread inside: the sockets, threads and processes that it makes belong there for
    /// good.
    ///
    /// # Errors
    /// The namespace cannot be entered.
    ///
    /// # Panics
    /// `action` does.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                // SAFETY: the descriptor is open; only this thread changes its namespace, and it ends with
                // the action.
                let result =
                    unsafe { libc::setns(self.descriptor.as_raw_fd(), libc::CLONE_NEWNET) };
                match result {
                    0 => Ok(action()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
            match inside.join() {
                Ok(result) => result.map_err(failed("enter a network namespace")),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Makes that what `command` starts runs inside, and is told to end (SIGTERM) when the thread that starts
    /// it does, however it ends.
    pub fn confine(&self, command: &mut Command) {
        let descriptor = self.descriptor.as_raw_fd();
        let parent = std::process::id();
        let inside = move || {
            // SAFETY: numbers only; the parent keeps the descriptor open while it starts the child.
            let entered = unsafe { libc::setns(descriptor, libc::CLONE_NEWNET) };
            // SAFETY: numbers only.
            let bound = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
            if entered != 0 || bound != 0 {
                return Err(io::Error::last_os_error());
            }
            // It may have ended before that was said.
            if std::os::unix::process::parent_id() != parent {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(())
        };
        // SAFETY: it makes system calls only, all safe between fork and exec; nothing is allocated.
        unsafe { command.pre_exec(inside) };
    }

    /// Joins an interface here with one in `other` by a virtual cable, both up.
    ///
    /// # Errors
    /// The kernel makes none.
    pub fn join(&self, name: &str, other: &Self, other_name: &str) -> Result<(), NamespaceError> {
        let mut peer = vec![0; LINK_HEADER];
        peer.extend(attribute(number::LINK_NAME, &named(other_name)));
        let descriptor = other.descriptor.as_raw_fd().to_ne_bytes();
        peer.extend(attribute(number::LINK_NAMESPACE, &descriptor));
        let mut info = attribute(number::INFO_KIND, b"veth\0");
        let data = attribute(number::VETH_PEER, &peer);
        info.extend(attribute(number::INFO_DATA, &data));
        let mut body = vec![0; LINK_HEADER];
        body.extend(attribute(number::LINK_NAME, &named(name)));
        body.extend(attribute(number::LINK_INFO, &info));
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.enter(|| tell(libc::RTM_NEWLINK, flags, &body))?
            .map_err(failed("make a pair of virtual interfaces (veth)"))?;
        self.enter(|| switch_on(name))??;
        other.enter(|| switch_on(other_name))?
    }

    /// Gives an interface an address with its prefix length.
    ///
    /// # Errors
    /// The kernel does not.
    pub fn address(&self, name: &str, address: IpAddr, prefix: u8) -> Result<(), NamespaceError> {
        self.enter(|| {
            let index = index_of(name)?;
            let (family, bytes) = match address {
                IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec()),
                IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec()),
            };
            let mut body = vec![family as u8, prefix, number::NO_DETECTION, 0];
            body.extend(index.to_ne_bytes());
            body.extend(attribute(number::ADDRESS_LOCAL, &bytes));
            body.extend(attribute(number::ADDRESS, &bytes));
            let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
            tell(libc::RTM_NEWADDR, flags, &body)
        })?
        .map_err(failed(format!("give {name} the address {address}")))
    }
}

/// Switches an interface of the calling thread's namespace on.
fn switch_on(name: &str) -> Result<(), NamespaceError> {
    let up = libc::IFF_UP.to_ne_bytes();
    let switched = index_of(name).and_then(|index| {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(up);
        body.extend(up);
        tell(libc::RTM_NEWLINK, 0, &body)
    });
    switched.map_err(failed(format!("switch {name} on")))
}

fn index_of(name: &str) -> io::Result<u32> {
    let interface = interfaces::by_name(name).map_err(io::Error::other)?;
    Ok(interface.index)
}

fn named(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::super::testing::is_root;
    use super::*;

    #[test]
    fn two_hosts_on_a_cable_reach_each_other_and_leave_nothing() {
        if !is_root("two hosts on a cable") {
            return;
        }
        let (near, far) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        near.join("near0", &far, "far0").unwrap();
        for (host, name, last) in [(&near, "near0", 1), (&far, "far0", 2)] {
            host.address(name, [10, 250, 0, last].into(), 24).unwrap();
            let six = [0xfd99, 0, 0, 0, 0, 0, 0, u16::from(last)];
            host.address(name, six.into(), 64).unwrap();
        }
        for address in ["10.250.0.1", "fd99::1"] {
            let address: IpAddr = address.parse().unwrap();
            let listener = near
                .enter(|| TcpListener::bind((address, 0)).unwrap())
                .unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut asks = far
                .enter(|| TcpStream::connect((address, port)).unwrap())
                .unwrap();
            asks.write_all(b"x").unwrap();
            let mut byte = [0];
            listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
            assert_eq!(byte, *b"x");
        }
        // The calling thread is where it was.
        assert!(interfaces::by_name("near0").is_err());
        let error = near.join("near0", &far, "far1").unwrap_err();
        assert!(error.to_string().contains("veth"), "{error}");
        let error = near.address("none0", [10, 0, 0, 1].into(), 24).unwrap_err();
        assert!(error.to_string().contains("none0"), "{error}");
    }
}
