//! Frames to an interface of this host, by a packet socket (AF_PACKET): as they are, without a queue.
//!
//! Only interfaces that lead nowhere but to this host are taken without being asked for by name twice: the
//! kernel tells what an interface is, its name does not.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use crate::host::interfaces::{self, Interface, InterfaceError, LinkLayer};

/// Frames that one system call takes.
const AT_ONCE: usize = 64;

/// How often a full queue is tried again, a millisecond apart, before it is an error.
const PATIENCE: u32 = 2000;

/// Kinds of interfaces, as the kernel names them, behind which there is no other host.
const HARMLESS: [&str; 2] = ["veth", "dummy"];

/// `PACKET_QDISC_BYPASS` of linux/if_packet.h.
const PACKET_QDISC_BYPASS: i32 = 20;

/// Frames cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no such interface, or the kernel cannot be asked.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// Other hosts may be behind it.
    #[error(
        "{name} is {kind}, and other hosts may get what is sent there; if that is meant, say --interface-allowed {name}"
    )]
    NotAllowed {
        /// The interface.
        name: String,
        /// What it is.
        kind: String,
    },
    /// Its frames do not begin with an Ethernet header.
    #[error("frames of {name} have no Ethernet header; choose a veth, dummy or loopback interface")]
    NotEthernet {
        /// The interface.
        name: String,
    },
    /// It is down.
    #[error("{name} is down; switch it on with `ip link set {name} up`")]
    Down {
        /// The interface.
        name: String,
    },
    /// The socket cannot be had.
    #[error("cannot open a packet socket; it needs root or CAP_NET_RAW")]
    Socket {
        /// The system's word.
        source: io::Error,
    },
    /// A frame was refused.
    #[error("cannot send a frame of {length} bytes to {name}")]
    Send {
        /// The interface.
        name: String,
        /// The length of the frame.
        length: usize,
        /// The system's word.
        source: io::Error,
    },
}

impl SendError {
    /// Whether what was asked for cannot be, as opposed to what went wrong.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Interface(error) => matches!(error, InterfaceError::Unknown { .. }),
            Self::NotAllowed { .. } | Self::NotEthernet { .. } | Self::Down { .. } => true,
            Self::Socket { .. } | Self::Send { .. } => false,
        }
    }
}

/// The interface of this name, if frames may be sent there. `allowed`: those that may be taken although
/// other hosts are behind them.
///
/// # Errors
/// There is none, or it cannot be taken.
pub fn target(name: &str, allowed: &[String]) -> Result<Interface, SendError> {
    let interface = interfaces::by_name(name)?;
    let kind = interface.kind.as_deref().unwrap_or_default();
    let name = interface.name.clone();
    let is_allowed = allowed.contains(&name);
    if !interface.loopback && !HARMLESS.contains(&kind) && !is_allowed {
        let kind = match kind {
            "" => "a network card".to_owned(),
            kind => format!("of the kind {kind}"),
        };
        return Err(SendError::NotAllowed { name, kind });
    }
    if interface.link_layer != LinkLayer::Ethernet {
        return Err(SendError::NotEthernet { name });
    }
    if !interface.up {
        return Err(SendError::Down { name });
    }
    Ok(interface)
}

/// Sends whole frames to one interface.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    name: String,
    address: libc::sockaddr_ll,
    bytes: u64,
}

impl Sender {
    /// A socket for this interface, in the network namespace of the calling thread. `seen_here`: frames pass what
    /// is attached on their way out (tc, packet sockets), as those of everybody do; else they go past it, faster.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn open(interface: &Interface, seen_here: bool) -> Result<Self, SendError> {
        // Protocol 0: it receives nothing.
        // SAFETY: takes numbers only.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            let source = io::Error::last_os_error();
            return Err(SendError::Socket { source });
        }
        // SAFETY: a descriptor that was just made and that nobody else owns.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let past: i32 = i32::from(!seen_here);
        // Where it is refused, frames go through the queue.
        // SAFETY: the value is valid for its length.
        let _refused = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                PACKET_QDISC_BYPASS,
                (&raw const past).cast(),
                size_of_val(&past) as u32,
            )
        };
        Ok(Self {
            socket,
            name: interface.name.clone(),
            address: libc::sockaddr_ll {
                sll_family: libc::AF_PACKET as u16,
                sll_protocol: 0,
                sll_ifindex: interface.index.cast_signed(),
                sll_hatype: 0,
                sll_pkttype: 0,
                sll_halen: 0,
                sll_addr: [0; 8],
            },
            bytes: 0,
        })
    }

    /// Sends these frames, in order.
    ///
    /// # Errors
    /// The interface takes no more.
    pub fn send<'f>(
        &mut self,
        frames: impl IntoIterator<Item = &'f [u8]>,
    ) -> Result<(), SendError> {
        let mut frames = frames.into_iter();
        loop {
            let mut batch: [&[u8]; AT_ONCE] = [&[]; AT_ONCE];
            let mut count = 0;
            for (place, frame) in batch.iter_mut().zip(frames.by_ref()) {
                *place = frame;
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            self.send_batch(&batch[..count])?;
        }
    }

    /// Bytes sent so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn send_batch(&mut self, mut frames: &[&[u8]]) -> Result<(), SendError> {
        let mut tries = 0;
        while let Some(first) = frames.first() {
            match self.send_some(frames) {
                Ok(sent) => {
                    tries = 0;
                    let (done, rest) = frames.split_at(sent.min(frames.len()));
                    self.bytes += done.iter().map(|frame| frame.len() as u64).sum::<u64>();
                    frames = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && tries < PATIENCE => {
                    tries += 1;
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                Err(source) => {
                    return Err(SendError::Send {
                        name: self.name.clone(),
                        length: first.len(),
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    /// One system call; how many frames it took.
    fn send_some(&mut self, frames: &[&[u8]]) -> io::Result<usize> {
        let mut parts = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; AT_ONCE];
        for (part, frame) in parts.iter_mut().zip(frames) {
            part.iov_base = frame.as_ptr().cast_mut().cast();
            part.iov_len = frame.len();
        }
        // SAFETY: all zero is a valid message: numbers and null pointers.
        let mut messages: [libc::mmsghdr; AT_ONCE] = unsafe { std::mem::zeroed() };
        for (message, part) in messages.iter_mut().zip(&mut parts) {
            message.msg_hdr.msg_name = (&raw mut self.address).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
        }
        let count = frames.len().min(AT_ONCE);
        // SAFETY: so many messages are filled in; the address, the parts and the frames that they point at
        // live through the call, and the kernel only reads the frames.
        let sent = unsafe {
            libc::sendmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count as u32,
                0,
            )
        };
        match usize::try_from(sent) {
            Ok(sent) => Ok(sent),
            Err(_) => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{in_new_namespace, ip};

    #[test]
    fn only_interfaces_that_lead_nowhere_are_taken() {
        in_new_namespace(|| {
            ip("link add near type veth peer name far");
            ip("link add veth9 type bridge");
            for name in ["near", "veth9", "lo"] {
                ip(&format!("link set {name} up"));
            }
            for name in ["near", "lo"] {
                assert_eq!(target(name, &[]).unwrap().name, name);
            }
            let dummy = std::process::Command::new("ip")
                .args(["link", "add", "nowhere", "up", "type", "dummy"])
                .output();
            match dummy.is_ok_and(|output| output.status.success()) {
                true => assert_eq!(target("nowhere", &[]).unwrap().name, "nowhere"),
                false => eprintln!("left out: this kernel makes no dummy interfaces"),
            }
            // Called like a veth, and none.
            let error = target("veth9", &[]).unwrap_err();
            assert!(matches!(error, SendError::NotAllowed { .. }), "{error}");
            assert!(error.is_usage());
            assert!(target("veth9", &["veth9".to_owned()]).is_ok());
            let error = target("far", &[]).unwrap_err();
            assert!(matches!(error, SendError::Down { .. }), "{error}");
            let error = target("eth77", &[]).unwrap_err();
            assert!(error.is_usage(), "{error}");
        });
    }

    #[test]
    fn frames_arrive_as_they_are() {
        in_new_namespace(|| {
            ip("link add near type veth peer name far");
            ip("link set near up");
            ip("link set far up");
            let far = interfaces::by_name("far").unwrap();
            let before = received(&far.name);
            let mut sender = Sender::open(&target("near", &[]).unwrap(), false).unwrap();
            let frames: Vec<Vec<u8>> = (0..200).map(|length| vec![0xaa; 60 + length]).collect();
            sender.send(frames.iter().map(Vec::as_slice)).unwrap();
            assert_eq!(
                sender.bytes(),
                frames.iter().map(|frame| frame.len() as u64).sum::<u64>()
            );
            assert!(received(&far.name) >= before + 200);
            let error = sender.send([&[0; 5000][..]]).unwrap_err();
            assert!(
                matches!(error, SendError::Send { length: 5000, .. }),
                "{error}"
            );
        });
    }

    /// Packets that came in at an interface, as the kernel counts them.
    fn received(name: &str) -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        let mut fields = line.unwrap().trim_start_matches(':').split_whitespace();
        fields.nth(1).unwrap().parse().unwrap()
    }
}
