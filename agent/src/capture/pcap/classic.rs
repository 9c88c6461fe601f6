//! The pcap format: a header of 24 bytes, then records, each with a header of 16 bytes
//! (draft-ietf-opsawg-pcap). Also the form with 24 bytes a record that some old Linux systems wrote.

use super::error::Problem;
use super::fields::{ByteOrder, Fields};
use super::input::Input;
use super::link::{LinkType, is_outgoing};
use super::{PACKET_MAX, PACKET_MAX_DECLARED, Packet};

const FILE_HEADER: usize = 24;
const CUT_FILE_HEADER: &str = "file header";

/// What the header of a file says of its records.
#[derive(Debug)]
pub(super) struct Classic {
    order: ByteOrder,
    nanoseconds: bool,
    modified: bool,
    /// Before version 2.3 the two lengths stood the other way round; 2.3 has both.
    minor: u16,
    link_type: LinkType,
    limit: u32,
}

impl Classic {
    /// Reads the header of a file that begins with `magic`; `None` when it is not of this format.
    pub(super) fn open(input: &mut Input, magic: [u8; 4]) -> Result<Option<Self>, Problem> {
        let (order, nanoseconds, modified) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (ByteOrder::Big, false, false),
            [0xd4, 0xc3, 0xb2, 0xa1] => (ByteOrder::Little, false, false),
            [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, true, false),
            [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, true, false),
            [0xa1, 0xb2, 0xcd, 0x34] => (ByteOrder::Big, false, true),
            [0x34, 0xcd, 0xb2, 0xa1] => (ByteOrder::Little, false, true),
            _ => return Ok(None),
        };
        input.fill(FILE_HEADER)?;
        let Some((major, minor, snapshot_length, link_field)) =
            parse_file_header(order, input.bytes())
        else {
            return Err(cut(input, CUT_FILE_HEADER, FILE_HEADER));
        };
        if major != 2 {
            return Err(Problem::Version {
                format: "pcap",
                major,
                minor,
            });
        }
        // The upper bits tell of frame check sequences.
        let link_number = link_field & 0x03ff_ffff;
        let Some(link_type) = LinkType::from_number(link_number) else {
            return Err(Problem::UnsupportedLinkType {
                link_type: link_number,
            });
        };
        input.consume(FILE_HEADER);
        Ok(Some(Self {
            order,
            nanoseconds,
            modified,
            minor,
            link_type,
            limit: packet_limit(snapshot_length),
        }))
    }

    /// How long the record is that begins with these bytes; `None` where too few are there to tell.
    pub(super) fn length_of_next(&self, bytes: &[u8]) -> Option<u64> {
        let header_length = if self.modified { 24 } else { 16 };
        Some(header_length + u64::from(self.record(bytes)?.captured))
    }

    /// The header of a record; old versions have the two lengths the other way round.
    fn record(&self, bytes: &[u8]) -> Option<Record> {
        let mut record = parse_record_header(self.order, self.modified, bytes)?;
        if self.minor < 3 || (self.minor == 3 && record.captured > record.original) {
            std::mem::swap(&mut record.captured, &mut record.original);
        }
        Some(record)
    }

    /// Takes the next packet; `None` when the input ends where a record would begin.
    pub(super) fn next(&self, input: &mut Input) -> Result<Option<Packet>, Problem> {
        const RECORD: &str = "packet record";

        input.begin_record();
        let header_length = if self.modified { 24 } else { 16 };
        if !input.fill(header_length)? && input.available() == 0 {
            return Ok(None);
        }
        let Some(record) = self.record(input.bytes()) else {
            return Err(cut(input, RECORD, header_length));
        };
        let Record {
            seconds,
            fraction,
            captured,
            original,
            interface,
            outgoing,
        } = record;
        if captured > self.limit {
            return Err(Problem::PacketLength {
                length: captured,
                limit: self.limit,
            });
        }
        let length = header_length + captured as usize;
        if !input.fill(length)? {
            return Err(cut(input, RECORD, length));
        }
        let nanoseconds = u64::from(fraction) * if self.nanoseconds { 1 } else { 1000 };
        Ok(Some(Packet {
            bytes: input.consume(length).without_first(header_length),
            wire_len: original.max(captured),
            time_ns: u64::from(seconds) * 1_000_000_000 + nanoseconds,
            link_type: self.link_type,
            order: self.order,
            interface,
            outgoing,
        }))
    }
}

/// The longest packet to believe in a file (or from an interface) with this snapshot length; 0 is
/// "no limit".
pub(super) fn packet_limit(snapshot_length: u32) -> u32 {
    snapshot_length.clamp(PACKET_MAX, PACKET_MAX_DECLARED)
}

/// The error for a record of `wanted` bytes that the input ends in.
pub(super) fn cut(input: &Input, part: &'static str, wanted: usize) -> Problem {
    Problem::Cut {
        part,
        present: input.record_present(),
        wanted: wanted as u64,
    }
}

/// Gives the version's two numbers, the snapshot length and the link type's field.
fn parse_file_header(order: ByteOrder, bytes: &[u8]) -> Option<(u16, u16, u32, u32)> {
    let mut fields = Fields::new(order, bytes);
    let _magic = fields.u32()?;
    let (major, minor) = (fields.u16()?, fields.u16()?);
    let [_time_zone, _accuracy] = [fields.u32()?, fields.u32()?];
    let snapshot_length = fields.u32()?;
    Some((major, minor, snapshot_length, fields.u32()?))
}

struct Record {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
    interface: Option<u32>,
    outgoing: Option<bool>,
}

fn parse_record_header(order: ByteOrder, modified: bool, bytes: &[u8]) -> Option<Record> {
    let mut fields = Fields::new(order, bytes);
    let mut record = Record {
        seconds: fields.u32()?,
        fraction: fields.u32()?,
        captured: fields.u32()?,
        original: fields.u32()?,
        interface: None,
        outgoing: None,
    };
    if modified {
        record.interface = Some(fields.u32()?);
        let _protocol = fields.u16()?;
        record.outgoing = is_outgoing(u16::from(fields.u8()?));
        let _padding = fields.u8()?;
    }
    Some(record)
}
