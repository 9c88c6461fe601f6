//! The few words of netlink that the agent speaks: ask for a list, read the answer.
//!
//! Messages are read field by field, and attributes that are not asked for are stepped over: a newer
//! kernel that says more is no error. What is cut short ends the walk; nothing is read past its end.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr};

/// Why the kernel could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A system call on the socket failed.
    #[error("cannot {action}: {source}")]
    Socket {
        /// What was attempted, to follow "cannot".
        action: &'static str,
        /// The system's word.
        source: io::Error,
    },
    /// The kernel answered with an error.
    #[error("the kernel refused to list {what}: {source}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// The kernel's word.
        source: io::Error,
    },
    /// What was listed changed under the kernel's hands, each time.
    #[error("the list of {what} kept changing while it was read; try again")]
    Changing {
        /// What was asked for.
        what: &'static str,
    },
}

/// Bytes that a message begins with: length, type, flags, sequence number, port.
const HEADER: usize = 16;
/// The kernel puts at the most 32 KiB into one datagram of a list.
const DATAGRAM_MAX: usize = 64 * 1024;
/// How often a list that was interrupted by a change is asked for again.
const ATTEMPTS: usize = 8;

/// One message: its type and what follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// `RTM_NEWLINK` and so on.
    pub(crate) kind: u16,
    flags: u16,
    sequence: u32,
    /// The family's own header, then attributes.
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The family's own header of `length` bytes and the attributes behind it.
    pub(crate) fn split(&self, length: usize) -> Option<(&'a [u8], Attributes<'a>)> {
        let (header, rest) = self.body.split_at_checked(length)?;
        Some((header, Attributes(rest)))
    }
}

/// The messages of one datagram, up to the first that is not whole.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(number_u32(rest, 0)?).ok()?;
        let message = Message {
            kind: number_u16(rest, 4)?,
            flags: number_u16(rest, 6)?,
            sequence: number_u32(rest, 8)?,
            body: rest.get(HEADER..length)?,
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Attributes: pairs of a number and bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The bytes of the first attribute of this kind.
    pub(crate) fn get(self, kind: u16) -> Option<&'a [u8]> {
        self.into_iter()
            .find(|(found, _)| *found == kind)
            .map(|(_, value)| value)
    }

    /// The attribute as a number of 32 bits.
    pub(crate) fn number(self, kind: u16) -> Option<u32> {
        number_u32(self.get(kind)?, 0)
    }

    /// The attribute as attributes.
    pub(crate) fn nested(self, kind: u16) -> Self {
        Self(self.get(kind).unwrap_or_default())
    }

    /// The attribute as text, up to its NUL.
    pub(crate) fn text(self, kind: u16) -> Option<String> {
        self.get(kind).map(text)
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);
    type IntoIter = AttributesIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        AttributesIter(self.0)
    }
}

/// Walks over attributes; see [`Attributes`].
#[derive(Debug)]
pub(crate) struct AttributesIter<'a>(&'a [u8]);

impl<'a> Iterator for AttributesIter<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        /// The upper two bits say "nested" and "network byte order".
        const KIND_MASK: u16 = 0x3fff;
        let length = usize::from(number_u16(self.0, 0)?);
        let kind = number_u16(self.0, 2)? & KIND_MASK;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Bytes up to the first NUL as text; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// The number of 16 bits at `offset`, in the byte order of the host.
pub(crate) fn number_u16(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*field))
}

/// The number of 32 bits at `offset`, in the byte order of the host.
pub(crate) fn number_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*field))
}

/// The bytes of one attribute, padded.
pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(8 + value.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A question whose answer is a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// What is listed, for error messages: "interfaces".
    pub(crate) what: &'static str,
    /// `NETLINK_ROUTE` or `NETLINK_GENERIC`.
    pub(crate) protocol: isize,
    /// `RTM_GETLINK` and so on.
    pub(crate) kind: u16,
    /// Whether a whole table is asked for (`NLM_F_DUMP`) or one object.
    pub(crate) all: bool,
    /// The family's own header and attributes.
    pub(crate) body: &'a [u8],
}

/// Asks the kernel and returns what `read` makes of each message of the answer. Blocks for as long
/// as the kernel needs to write its list: well under a millisecond for hundreds of entries.
pub(crate) fn ask<T>(
    question: Question<'_>,
    read: impl Fn(Message<'_>) -> Option<T>,
) -> Result<Vec<T>, NetlinkError> {
    for _ in 0..ATTEMPTS {
        if let Some(list) = ask_once(question, &read)? {
            return Ok(list);
        }
    }
    Err(NetlinkError::Changing {
        what: question.what,
    })
}

/// `None` when the list changed while it was written (`NLM_F_DUMP_INTR`).
fn ask_once<T>(
    question: Question<'_>,
    read: impl Fn(Message<'_>) -> Option<T>,
) -> Result<Option<Vec<T>>, NetlinkError> {
    const SEQUENCE: u32 = 1;
    const INTERRUPTED: u16 = 0x10;
    let failed = |action| move |source| NetlinkError::Socket { action, source };

    let mut socket = Socket::new(question.protocol).map_err(failed("open a netlink socket"))?;
    socket
        .bind(&SocketAddr::new(0, 0))
        .map_err(failed("bind a netlink socket"))?;
    // With strict checking the kernel filters (one route type out of a million routes) where it
    // would send everything. It is there since Linux 4.20; without it the caller's filter does.
    let _filters: bool = socket.set_netlink_get_strict_chk(true).is_ok();
    socket
        .send_to(&request(question, SEQUENCE), &SocketAddr::new(0, 0), 0)
        .map_err(failed("send a question over netlink"))?;

    let mut list = Vec::new();
    let mut interrupted = false;
    let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
    loop {
        datagram.clear();
        let (length, sender) = match socket.recv_from(&mut datagram, libc::MSG_TRUNC) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(failed("read an answer over netlink")(source)),
        };
        if sender.port_number() != 0 {
            continue;
        }
        if length > datagram.len() {
            return Err(failed("read an answer over netlink")(
                io::ErrorKind::FileTooLarge.into(),
            ));
        }
        for message in messages(&datagram).filter(|message| message.sequence == SEQUENCE) {
            interrupted |= message.flags & INTERRUPTED != 0;
            match i32::from(message.kind) {
                libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                    // Both begin with a negative errno, or 0.
                    let code = number_u32(message.body, 0)
                        .unwrap_or_default()
                        .cast_signed();
                    if code < 0 {
                        return Err(NetlinkError::Refused {
                            what: question.what,
                            source: io::Error::from_raw_os_error(code.saturating_neg()),
                        });
                    }
                    return Ok((!interrupted).then_some(list));
                }
                _ => list.extend(read(message)),
            }
        }
    }
}

/// Tells the kernel to change something of the network of the calling thread, and waits until it has.
/// `flags` are those that say what is to be made (`NLM_F_CREATE` …).
///
/// # Errors
/// The kernel's word.
pub(crate) fn tell(kind: u16, flags: libc::c_int, body: &[u8]) -> io::Result<()> {
    const SEQUENCE: u32 = 1;
    let mut socket = Socket::new(rtnetlink::sys::protocols::NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, 0))?;
    let mode = libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags;
    let message = message(kind, mode, SEQUENCE, body);
    socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
    let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
    loop {
        datagram.clear();
        let (_, sender) = match socket.recv_from(&mut datagram, 0) {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if sender.port_number() != 0 {
            continue;
        }
        let answer = messages(&datagram)
            .filter(|message| message.sequence == SEQUENCE)
            .find(|message| i32::from(message.kind) == libc::NLMSG_ERROR);
        if let Some(answer) = answer {
            // A negative errno, or 0: done.
            let code = number_u32(answer.body, 0).unwrap_or_default().cast_signed();
            return match code {
                0 => Ok(()),
                code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
            };
        }
    }
}

fn request(question: Question<'_>, sequence: u32) -> Vec<u8> {
    let mode = if question.all {
        libc::NLM_F_REQUEST | libc::NLM_F_DUMP
    } else {
        // The acknowledgement ends the answer, as "done" ends a list.
        libc::NLM_F_REQUEST | libc::NLM_F_ACK
    };
    message(question.kind, mode, sequence, question.body)
}

fn message(kind: u16, mode: libc::c_int, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&u16::try_from(mode).unwrap_or_default().to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two_messages() -> Vec<u8> {
        let mut body = attribute(3, b"eth0\0");
        body.extend(attribute(4 | 0x8000, &1500_u32.to_ne_bytes()));
        let question = Question {
            what: "things",
            protocol: 0,
            kind: 16,
            all: true,
            body: &body,
        };
        let mut datagram = request(question, 7);
        datagram.extend(request(question, 8));
        datagram
    }

    #[test]
    fn what_is_written_is_read_back() {
        let datagram = two_messages();
        let read: Vec<_> = messages(&datagram).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].kind, read[0].sequence, read[1].sequence),
            (16, 7, 8)
        );
        let (_, attributes) = read[0].split(0).unwrap();
        assert_eq!(attributes.text(3).as_deref(), Some("eth0"));
        assert_eq!(attributes.number(4), Some(1500));
        assert_eq!(attributes.number(3), Some(u32::from_ne_bytes(*b"eth0")));
        assert_eq!(attributes.get(5), None);
    }

    #[test]
    fn every_truncation_reads_whole_messages_only() {
        let datagram = two_messages();
        for length in 0..datagram.len() {
            let whole = messages(&datagram[..length]).count();
            assert_eq!(whole, usize::from(length >= datagram.len() / 2), "{length}");
        }
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for length in [0_u32, 1, 15, 17, 4000, u32::MAX] {
            let mut datagram = two_messages();
            datagram[..4].copy_from_slice(&length.to_ne_bytes());
            let bodies: usize = messages(&datagram).map(|message| message.body.len()).sum();
            assert!(bodies <= datagram.len(), "{length}");
        }
        for length in [0_u8, 1, 3] {
            assert_eq!(
                Attributes(&[length, 0, 3, 0, 1, 2, 3, 4])
                    .into_iter()
                    .count(),
                0
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_in_finite_steps(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / HEADER + 1);
            prop_assert!(Attributes(&bytes).into_iter().count() <= bytes.len() / 4 + 1);
        }
    }
}
