//! Sends frames as they are.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::namespace::Namespace;

/// A socket that puts whole frames on an interface.
#[derive(Debug)]
pub struct RawSender {
    socket: OwnedFd,
    address: libc::sockaddr_ll,
}

impl RawSender {
    /// Opens one on an interface of a namespace.
    ///
    /// # Panics
    /// Not root, or there is no such interface.
    #[must_use]
    pub fn open(namespace: &Namespace, interface: &str) -> Self {
        namespace.enter(|| {
            // Protocol 0: it receives nothing.
            // SAFETY: takes numbers only.
            let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
            assert!(socket >= 0, "{}", io::Error::last_os_error());
            // SAFETY: a descriptor that was just made and that nobody else owns.
            let socket = unsafe { OwnedFd::from_raw_fd(socket) };
            let name = CString::new(interface).unwrap();
            // SAFETY: the name ends with 0 and lives through the call.
            let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
            assert_ne!(index, 0, "no interface {interface}");
            // SAFETY: numbers only; all zero is a valid address.
            let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            address.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
            address.sll_ifindex = i32::try_from(index).unwrap();
            Self { socket, address }
        })
    }

    /// Sends one frame.
    ///
    /// # Panics
    /// The interface is down, or the frame too long for it.
    pub fn send(&self, frame: &[u8]) {
        // SAFETY: the frame and the address live through the call, with their true lengths.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const self.address).cast(),
                u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap(),
            )
        };
        assert_eq!(
            usize::try_from(sent).ok(),
            Some(frame.len()),
            "{}",
            io::Error::last_os_error()
        );
    }

    /// Sends frames one after the other.
    ///
    /// # Panics
    /// As [`RawSender::send`].
    pub fn send_all(&self, frames: impl IntoIterator<Item = Vec<u8>>) {
        for frame in frames {
            self.send(&frame);
        }
    }
}
