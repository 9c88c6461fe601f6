//! What can be wrong with a capture file, and how it is said.

use std::error::Error;
use std::fmt;
use std::io;

use super::link::LinkType;

/// Why a capture file cannot be read, or not further. Printed, it is one sentence with the name of
/// the file, the place and the problem.
#[derive(Debug)]
pub struct PcapError {
    name: String,
    position: Option<Position>,
    packets: u64,
    problem: Problem,
}

/// A place in a capture file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// The first byte of the packet record or block concerned, counted from 0 in the capture, after
    /// decompression where it is compressed.
    pub offset: u64,
    /// How much of the compressed file had been taken in when the problem was met.
    pub compressed_offset: Option<u64>,
}

/// What is wrong with a capture file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The length of a block contradicts itself, the format or what the block must hold.
    #[error("a block of {length} bytes is impossible: {reason}")]
    BlockLength {
        /// The length that the block gives itself.
        length: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The input ends in the middle of something.
    #[error("the {part} is cut off, {present} of {wanted} bytes are there")]
    Cut {
        /// What is cut.
        part: &'static str,
        /// How many of its bytes are there.
        present: u64,
        /// How many there should be.
        wanted: u64,
    },
    /// The file has no byte.
    #[error("the file is empty, there is no capture in it")]
    Empty,
    /// The compressed data is damaged or cut off.
    #[error("the gzip data is damaged ({what})")]
    Gzip {
        /// What is wrong with it.
        what: &'static str,
    },
    /// An interface is described in a way that leaves its times in doubt.
    #[error("the description of an interface is damaged: an option runs past its block")]
    InterfaceOptions,
    /// The file is no capture, or none that is read.
    #[error("not a pcap or pcapng file, it begins with {}{}", hex(begins), advice(*.compressed_with))]
    NotACapture {
        /// The first bytes.
        begins: [u8; 4],
        /// The compression, where the bytes show that it is one which is not read.
        compressed_with: Option<&'static str>,
    },
    /// The file or stdin cannot be opened.
    #[error("cannot be opened")]
    Open {
        /// Why.
        source: io::Error,
    },
    /// A packet is longer than any real one.
    #[error(
        "a packet of {length} bytes is claimed where {limit} are the most, so the file is damaged here"
    )]
    PacketLength {
        /// The length in the file.
        length: u32,
        /// The longest packet that is believed.
        limit: u32,
    },
    /// The input cannot be read further.
    #[error("cannot be read further")]
    Read {
        /// Why.
        source: io::Error,
    },
    /// A pcapng section does not begin with one of the two byte orders.
    #[error(
        "a pcapng section has the byte-order mark {}, which is none",
        hex(mark)
    )]
    SectionByteOrder {
        /// The four bytes where the mark should stand.
        mark: [u8; 4],
    },
    /// A pcapng section describes too many interfaces.
    #[error("a pcapng section describes more than {limit} interfaces")]
    TooManyInterfaces {
        /// How many are taken.
        limit: usize,
    },
    /// A packet belongs to an interface that the section has not described.
    #[error("a packet names interface {number}, but only {known} are described before it")]
    UnknownInterface {
        /// The number of the interface.
        number: u32,
        /// How many interfaces there are.
        known: usize,
    },
    /// No packet in the file has a link type that is read.
    #[error(
        "link type {link_type} is not read; convert the capture to one of: {}",
        LinkType::LISTED
    )]
    UnsupportedLinkType {
        /// The number of the (first such) link type in the registry of link types.
        link_type: u32,
    },
    /// The file has a version that no description exists for.
    #[error("version {major}.{minor} of the {format} format is not known")]
    Version {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// The number before the point.
        major: u16,
        /// The number after the point.
        minor: u16,
    },
}

impl PcapError {
    pub(super) fn new(
        name: String,
        position: Option<Position>,
        packets: u64,
        problem: Problem,
    ) -> Self {
        Self {
            name,
            position,
            packets,
            problem,
        }
    }

    /// The file, or `stdin`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many packets were given before.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Where it went wrong; `None` when the file could not be opened.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for PcapError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            position,
            packets,
            problem,
        } = self;
        formatter.write_str(name)?;
        if let Some(Position {
            offset,
            compressed_offset,
        }) = position
        {
            write!(formatter, ", byte {offset}")?;
            if let Some(compressed) = compressed_offset {
                write!(
                    formatter,
                    " after decompression (about byte {compressed} of the file)"
                )?;
            }
        }
        match packets {
            0 => {}
            1 => formatter.write_str(", behind the first packet")?,
            _ => write!(formatter, ", behind {packets} packets")?,
        }
        write!(formatter, ": {problem}")
    }
}

impl Error for PcapError {
    /// The error of the operating system beneath, if there is one: [`Problem`] itself is part of
    /// what this error prints.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}

/// Makes a name fit for one line of a terminal: a file may be named with an escape sequence.
pub(super) fn printable(name: &str) -> String {
    let mut printable = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Four bytes as `68 65 6c 6c`.
fn hex([first, second, third, fourth]: &[u8; 4]) -> String {
    format!("{first:02x} {second:02x} {third:02x} {fourth:02x}")
}

fn advice(compressed_with: Option<&'static str>) -> String {
    match compressed_with {
        Some(compression) => {
            format!("; it is compressed with {compression}, decompress it first and pipe it in")
        }
        None => String::new(),
    }
}
