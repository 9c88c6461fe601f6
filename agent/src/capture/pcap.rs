//! Reads capture files: pcap and pcapng, plain or compressed with gzip, from a path or from stdin.
//!
//! ```text
//! file or stdin ─► Input (gzip, one buffer) ─► classic | pcapng ─► link (down to the network layer) ─► Frame
//! ```
//!
//! A capture file is read as it streams: a packet is given as soon as its last byte is there, and a
//! packet costs no allocation. Every byte of it is taken for hostile: lengths are checked before they
//! are believed, memory grows only with bytes that have arrived (to 32 MiB at the most), and damage
//! ends the reading with an error that names the byte, after all packets before it were given.
//!
//! Refused, each with a sentence that says so: files of other formats, versions of the two formats
//! that nobody has written a description of, and link types other than those of [`LinkType`].

mod classic;
mod error;
mod fields;
pub(crate) mod gzip;
mod input;
mod link;
mod pcapng;
mod write;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use error::{PcapError, Position, Problem};
pub use link::{Link, LinkType};
pub use write::PcapWriter;

use classic::Classic;
use error::printable;
use input::Input;
use pcapng::Pcapng;

/// The longest packet that is taken whatever the file declares: packets of Linux are shorter, even
/// those that GRO or TSO has put together.
pub const PACKET_MAX: u32 = 256 * 1024;

/// The longest packet that is taken from a file whose snapshot length declares so long ones.
pub const PACKET_MAX_DECLARED: u32 = 16 * 1024 * 1024;

/// One packet of a capture file, without the link header that only capture files have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// What `bytes` begins with.
    pub link: Link,
    /// The captured bytes, from the start that `link` names.
    pub bytes: &'a [u8],
    /// How long `bytes` would be had the whole packet been captured; never less than its length.
    pub wire_len: u32,
    /// When the packet was captured: nanoseconds since the Unix epoch, at most `i64::MAX`. 0 when the
    /// file does not say (Simple Packet Blocks).
    pub time_ns: u64,
    /// The interface, where the file says which.
    pub interface: Option<Interface<'a>>,
    /// Whether the packet left the capturing host (`true`) or came in, where the file says so.
    pub outgoing: Option<bool>,
}

/// The interface that a packet of a capture file was seen on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface<'a> {
    /// The capturing host's index of the interface where the packet carries it (Linux cooked v2,
    /// nflog, modified pcap); else, in pcapng, the number that the section gives the interface, from 0. Another
    /// section may give the same number to another interface.
    pub index: u32,
    /// The name that a pcapng file gives the interface, cut after 128 bytes. Any text, it may hold
    /// control characters.
    pub name: Option<&'a str>,
}

/// A capture file that is being read.
#[derive(Debug)]
pub struct CaptureFile {
    name: String,
    input: Input,
    format: Format,
    packets: u64,
    finished: bool,
}

#[derive(Debug)]
enum Format {
    Classic(Classic),
    Pcapng(Pcapng),
}

/// A packet as the two formats give it; `link::strip` makes a [`Frame`] of it.
struct Packet {
    bytes: input::Span,
    wire_len: u32,
    time_ns: u64,
    link_type: LinkType,
    order: fields::ByteOrder,
    interface: Option<u32>,
    outgoing: Option<bool>,
}

impl CaptureFile {
    /// Opens the file at `path`, or stdin when it is `-`, and reads its header.
    ///
    /// # Errors
    /// It cannot be opened or read, is empty, is no capture, or is one that this reader refuses.
    pub fn open(path: &Path) -> Result<Self, PcapError> {
        if path.as_os_str() == "-" {
            return Self::from_reader("stdin", io::stdin());
        }
        let name = path.to_string_lossy();
        match File::open(path) {
            Ok(file) => Self::from_reader(&name, file),
            Err(source) => Err(PcapError::new(
                printable(&name),
                None,
                0,
                Problem::Open { source },
            )),
        }
    }

    /// Reads a capture from any source of bytes; `name` stands for it in errors. The source is asked
    /// for more only when the next packet is not there whole, and in large pieces: it needs no buffer.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn from_reader(name: &str, reader: impl Read + Send + 'static) -> Result<Self, PcapError> {
        let name = printable(name);
        let mut input = Input::new(Box::new(reader));
        match Format::detect(&mut input) {
            Ok(format) => Ok(Self {
                name,
                input,
                format,
                packets: 0,
                finished: false,
            }),
            Err(problem) => Err(PcapError::new(name, Some(input.position()), 0, problem)),
        }
    }

    /// Gives the next packet; `None` at the end, and always after an error.
    ///
    /// # Errors
    /// The file is damaged, cut off, or cannot be read further: all packets before that place have
    /// been given. Or its end is reached and no interface in it had a link type that is read.
    #[expect(
        clippy::should_implement_trait,
        reason = "the frame is lent until the next call, which an iterator cannot do"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, PcapError> {
        if self.finished {
            return Ok(None);
        }
        let packet = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
        };
        match packet {
            Ok(Some(packet)) => {
                self.packets += 1;
                let name = match (&self.format, packet.interface) {
                    (Format::Pcapng(pcapng), Some(number)) => pcapng.interface_name(number),
                    _ => None,
                };
                Ok(Some(link::strip(&packet, &self.input, name)))
            }
            Ok(None) => {
                self.finished = true;
                Ok(None)
            }
            Err(problem) => {
                self.finished = true;
                Err(PcapError::new(
                    self.name.clone(),
                    Some(self.input.position()),
                    self.packets,
                    problem,
                ))
            }
        }
    }

    /// Whether the next call of [`Self::next`] need not wait for the source: what comes next in the file has
    /// been read whole.
    #[must_use]
    pub fn has_next(&self) -> bool {
        let whole = match &self.format {
            Format::Classic(classic) => classic.length_of_next(self.input.bytes()),
            Format::Pcapng(pcapng) => pcapng.length_of_next(self.input.bytes()),
        };
        self.finished || whole.is_some_and(|whole| self.input.available() >= whole)
    }

    /// The number of packets passed over so far because the link type of their interface is not read.
    /// Only a pcapng file that also has other interfaces comes to its end with such.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        match &self.format {
            Format::Classic(_) => 0,
            Format::Pcapng(pcapng) => pcapng.skipped(),
        }
    }
}

impl Format {
    fn detect(input: &mut Input) -> Result<Self, Problem> {
        input.begin_record();
        let Some(magic) = input.peek::<4>()? else {
            return Err(match input.available() {
                0 => Problem::Empty,
                present => Problem::Cut {
                    part: "file header",
                    present,
                    wanted: 24,
                },
            });
        };
        if magic == pcapng::SECTION_HEADER {
            return Ok(Self::Pcapng(Pcapng::new()));
        }
        match Classic::open(input, magic)? {
            Some(classic) => Ok(Self::Classic(classic)),
            None => Err(Problem::NotACapture {
                begins: magic,
                compressed_with: compression(magic),
            }),
        }
    }
}

/// Names the compression whose files begin so; gzip is not among them, as it is read.
fn compression(magic: [u8; 4]) -> Option<&'static str> {
    match magic {
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        [0xfd, b'7', b'z', b'X'] => Some("xz"),
        [b'B', b'Z', b'h', _] => Some("bzip2"),
        [0x04, 0x22, 0x4d, 0x18] => Some("lz4"),
        _ => None,
    }
}
