//! The pcapng format: sections of blocks (draft-ietf-opsawg-pcapng).
//!
//! Read are Section Headers, Interface Descriptions, and packets in Enhanced, Simple and the obsolete
//! Packet Blocks; all other blocks are passed over without keeping them. Packets of an interface with
//! a link type that is not read are counted; they are an error only when nothing else could be read.

mod interface;

use super::classic::{cut, packet_limit};
use super::error::Problem;
use super::fields::{ByteOrder, Fields};
use super::input::Input;
use super::{PACKET_MAX_DECLARED, Packet};
use interface::{Interface, find_option};

/// How a section, and so a file, begins; the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Interfaces a section: as many as the obsolete Packet Block can tell apart.
const INTERFACES_MAX: usize = 65_536;

/// What a block whose content is read may be long: the longest packet, and room for options.
const BLOCK_MAX: u32 = PACKET_MAX_DECLARED + 1024 * 1024;

/// Type and length in front, length again behind.
const BLOCK_HEADER: usize = 8;
const BLOCK_TRAILER: usize = 4;
const BLOCK: &str = "block";

/// Where the reading of a file stands.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    skipped: u64,
    /// The first link type that is not read, and where the interface with it is described.
    unsupported: Option<(u32, u64)>,
    any_supported: bool,
}

/// The fixed fields of a block with a packet.
struct PacketFields {
    /// Length of the fixed fields.
    fields: usize,
    interface: u32,
    /// `None` where the block carries no time.
    timestamp: Option<u64>,
    captured: u32,
    original: u32,
}

impl Pcapng {
    /// To be used on an input that begins with [`SECTION_HEADER`].
    pub(super) fn new() -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            skipped: 0,
            unsupported: None,
            any_supported: false,
        }
    }

    /// Takes the next packet; `None` when the input ends where a block would begin.
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Packet>, Problem> {
        loop {
            input.begin_record();
            let Some((kind, length)) = input.peek::<BLOCK_HEADER>()?.map(halves) else {
                return match input.available() {
                    0 => self.end(input),
                    _ => Err(cut(input, BLOCK, BLOCK_HEADER)),
                };
            };
            if kind == SECTION_HEADER {
                self.section(input)?;
                continue;
            }
            let length = self.order.u32(length);
            check_length(length, BLOCK_HEADER + BLOCK_TRAILER)?;
            match self.order.u32(kind) {
                INTERFACE_DESCRIPTION => {
                    fill_block(input, length)?;
                    self.describe_interface(input, length)?;
                    self.finish(input, length)?;
                }
                kind @ (OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) => {
                    if let Some(packet) = self.packet(input, kind, length)? {
                        return Ok(Some(packet));
                    }
                }
                _ => self.skip(input, length)?,
            }
        }
    }

    /// How long the block is that begins with these bytes; `None` where too few are there to tell. Of a new
    /// section it may be wrong, as that may have another order of bytes.
    pub(super) fn length_of_next(&self, bytes: &[u8]) -> Option<u64> {
        let (_, length) = halves(*bytes.first_chunk::<BLOCK_HEADER>()?);
        Some(self.order.u32(length).into())
    }

    /// The number of packets whose interface has a link type that is not read.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The name of an interface of the current section.
    pub(super) fn interface_name(&self, number: u32) -> Option<&str> {
        self.interfaces.get(number as usize)?.name.as_deref()
    }

    fn end(&self, input: &mut Input) -> Result<Option<Packet>, Problem> {
        match self.unsupported {
            Some((link_type, described_at)) if !self.any_supported && self.skipped > 0 => {
                input.blame(described_at);
                Err(Problem::UnsupportedLinkType { link_type })
            }
            _ => Ok(None),
        }
    }

    fn section(&mut self, input: &mut Input) -> Result<(), Problem> {
        const FIXED: usize = 24;

        let Some([_, _, _, _, l0, l1, l2, l3, mark @ ..]) = input.peek::<12>()? else {
            return Err(cut(input, BLOCK, FIXED + BLOCK_TRAILER));
        };
        self.order = match mark {
            [0x1a, 0x2b, 0x3c, 0x4d] => ByteOrder::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => ByteOrder::Little,
            mark => return Err(Problem::SectionByteOrder { mark }),
        };
        let length = self.order.u32([l0, l1, l2, l3]);
        check_length(length, FIXED + BLOCK_TRAILER)?;
        let Some([.., m0, m1, n0, n1]) = input.peek::<16>()? else {
            return Err(cut(input, BLOCK, length as usize));
        };
        let (major, minor) = (self.order.u16([m0, m1]), self.order.u16([n0, n1]));
        // 1.2 was written by some and is the same (draft-ietf-opsawg-pcapng, section 4.1).
        if major != 1 || !matches!(minor, 0 | 2) {
            return Err(Problem::Version {
                format: "pcapng",
                major,
                minor,
            });
        }
        self.interfaces.clear();
        self.skip(input, length)
    }

    fn describe_interface(&mut self, input: &Input, length: u32) -> Result<(), Problem> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(Problem::TooManyInterfaces {
                limit: INTERFACES_MAX,
            });
        }
        let interface = Interface::parse(self.order, body(input, length), length)?;
        match interface.link_type {
            Some(_) => self.any_supported = true,
            None => {
                let described_at = input.position().offset;
                self.unsupported
                    .get_or_insert((interface.link_number, described_at));
            }
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// Takes a block with a packet; `None` when it belongs to an interface that is not read.
    fn packet(
        &mut self,
        input: &mut Input,
        kind: u32,
        length: u32,
    ) -> Result<Option<Packet>, Problem> {
        // The fixed fields first: they tell whether the length is worth waiting for.
        let fixed = if kind == SIMPLE_PACKET { 4 } else { 20 };
        check_length(length, BLOCK_HEADER + fixed + BLOCK_TRAILER)?;
        if !input.fill(BLOCK_HEADER + fixed)? {
            return Err(cut(input, BLOCK, length as usize));
        }
        let Some(fields) = self.packet_fields(input, kind) else {
            return Err(cut(input, BLOCK, length as usize));
        };
        let Some(interface) = self.interfaces.get(fields.interface as usize) else {
            return Err(Problem::UnknownInterface {
                number: fields.interface,
                known: self.interfaces.len(),
            });
        };
        let captured = match kind {
            // It has no captured length of its own.
            SIMPLE_PACKET if interface.snapshot_length > 0 => {
                fields.captured.min(interface.snapshot_length)
            }
            _ => fields.captured,
        };
        let limit = packet_limit(interface.snapshot_length);
        if captured > limit {
            return Err(Problem::PacketLength {
                length: captured,
                limit,
            });
        }
        let data = BLOCK_HEADER + fields.fields;
        if captured as usize > length as usize - data - BLOCK_TRAILER {
            return Err(Problem::BlockLength {
                length,
                reason: "the packet in it is longer",
            });
        }
        fill_block(input, length)?;
        let flags = match kind {
            SIMPLE_PACKET => None,
            _ => {
                let options = body(input, length)
                    .get(fields.fields + (captured as usize).next_multiple_of(4)..);
                direction(self.order, options.unwrap_or_default())
            }
        };
        let link_type = interface.link_type;
        let time_ns = fields
            .timestamp
            .map_or(0, |timestamp| interface.clock.nanoseconds(timestamp));
        let block = self.finish(input, length)?;
        let Some(link_type) = link_type else {
            self.skipped += 1;
            return Ok(None);
        };
        Ok(Some(Packet {
            bytes: block.without_first(data).first(captured as usize),
            wire_len: fields.original.max(captured),
            time_ns,
            link_type,
            order: self.order,
            interface: Some(fields.interface),
            outgoing: flags,
        }))
    }

    fn packet_fields(&self, input: &Input, kind: u32) -> Option<PacketFields> {
        let mut fields = Fields::new(self.order, input.bytes().get(BLOCK_HEADER..)?);
        if kind == SIMPLE_PACKET {
            let original = fields.u32()?;
            return Some(PacketFields {
                fields: 4,
                interface: 0,
                timestamp: None,
                captured: original,
                original,
            });
        }
        let interface = match kind {
            OBSOLETE_PACKET => {
                let (interface, _drops) = (fields.u16()?, fields.u16()?);
                u32::from(interface)
            }
            _ => fields.u32()?,
        };
        let (high, low) = (fields.u32()?, fields.u32()?);
        Some(PacketFields {
            fields: 20,
            interface,
            timestamp: Some(u64::from(high) << 32 | u64::from(low)),
            captured: fields.u32()?,
            original: fields.u32()?,
        })
    }

    /// Takes a block that is there whole, once its two lengths are found equal.
    fn finish(&self, input: &mut Input, length: u32) -> Result<super::input::Span, Problem> {
        let trailer = input
            .bytes()
            .get(length as usize - BLOCK_TRAILER..)
            .and_then(<[u8]>::first_chunk);
        self.check_trailer(trailer.copied(), length)?;
        Ok(input.consume(length as usize))
    }

    /// Passes over a block, however long, without keeping it.
    fn skip(&self, input: &mut Input, length: u32) -> Result<(), Problem> {
        let whole = input.skip(u64::from(length) - BLOCK_TRAILER as u64)?;
        let trailer = input.peek::<BLOCK_TRAILER>()?;
        if !whole || trailer.is_none() {
            return Err(cut(input, BLOCK, length as usize));
        }
        self.check_trailer(trailer, length)?;
        input.consume(BLOCK_TRAILER);
        Ok(())
    }

    fn check_trailer(&self, trailer: Option<[u8; 4]>, length: u32) -> Result<(), Problem> {
        if trailer.map(|bytes| self.order.u32(bytes)) != Some(length) {
            return Err(Problem::BlockLength {
                length,
                reason: "it ends with another length",
            });
        }
        Ok(())
    }
}

/// The type and the length field of a block.
fn halves([k0, k1, k2, k3, l0, l1, l2, l3]: [u8; 8]) -> ([u8; 4], [u8; 4]) {
    ([k0, k1, k2, k3], [l0, l1, l2, l3])
}

fn check_length(length: u32, minimum: usize) -> Result<(), Problem> {
    let reason = if (length as usize) < minimum {
        "it is too short for what it must hold"
    } else if !length.is_multiple_of(4) {
        "it is no multiple of four"
    } else {
        return Ok(());
    };
    Err(Problem::BlockLength { length, reason })
}

/// Reads until a block is there whole.
fn fill_block(input: &mut Input, length: u32) -> Result<(), Problem> {
    if length > BLOCK_MAX {
        return Err(Problem::BlockLength {
            length,
            reason: "it is longer than the longest packet",
        });
    }
    if !input.fill(length as usize)? {
        return Err(cut(input, BLOCK, length as usize));
    }
    Ok(())
}

/// What a block that is there whole holds between its two lengths.
fn body(input: &Input, length: u32) -> &[u8] {
    input
        .bytes()
        .get(BLOCK_HEADER..length as usize - BLOCK_TRAILER)
        .unwrap_or_default()
}

/// The direction among the options of a packet: `epb_flags` and `pack_flags` have the same number and
/// form. Options that make no sense take nothing from the packet.
fn direction(order: ByteOrder, options: &[u8]) -> Option<bool> {
    const FLAGS: u16 = 2;

    if options.is_empty() {
        return None;
    }
    let flags = find_option(order, options, FLAGS)?;
    match order.u32(*flags.first_chunk()?) & 3 {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    }
}
