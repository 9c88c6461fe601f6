//! Interface Description Blocks, and the options that all blocks have in common.

use super::Problem;
use super::{ByteOrder, Fields};
use crate::capture::pcap::link::LinkType;

const END_OF_OPTIONS: u16 = 0;
const NAME: u16 = 2;
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;

/// Names of real interfaces are shorter; what is longer costs no memory.
const NAME_MAX: usize = 128;

/// An interface of a section.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) link_number: u32,
    /// `None` when it is not read.
    pub(super) link_type: Option<LinkType>,
    /// 0 is "no limit".
    pub(super) snapshot_length: u32,
    pub(super) name: Option<Box<str>>,
    pub(super) clock: Clock,
}

/// How the timestamps of an interface count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset: i64,
}

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unit {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// The so-manieth part of a nanosecond.
    PartOfNanosecond(u128),
    /// 2 to the minus so many seconds.
    BinaryFraction(u8),
}

impl Interface {
    /// Reads the inside of an Interface Description Block.
    pub(super) fn parse(order: ByteOrder, body: &[u8], length: u32) -> Result<Self, Problem> {
        let mut fields = Fields::new(order, body);
        let (Some(link_number), Some(_reserved), Some(snapshot_length)) =
            (fields.u16(), fields.u16(), fields.u32())
        else {
            return Err(Problem::BlockLength {
                length,
                reason: "it is too short for what it must hold",
            });
        };
        let link_number = u32::from(link_number);
        let mut interface = Self {
            link_number,
            link_type: LinkType::from_number(link_number),
            snapshot_length,
            name: None,
            clock: Clock::MICROSECONDS,
        };
        let mut options = Options::new(order, fields.rest());
        while let Some((code, value)) = options.next()? {
            match (code, value) {
                (NAME, name) => interface.name = Some(readable_name(name)),
                (TIME_RESOLUTION, [resolution, ..]) => {
                    interface.clock.unit = Unit::from_option(*resolution);
                }
                (TIME_OFFSET, _) => {
                    if let Some(offset) = value.first_chunk::<8>() {
                        interface.clock.offset = order.u64(*offset).cast_signed();
                    }
                }
                _ => {}
            }
        }
        Ok(interface)
    }
}

impl Clock {
    const MICROSECONDS: Self = Self {
        unit: Unit::Nanoseconds(1000),
        offset: 0,
    };

    /// The time that a timestamp means: nanoseconds since the epoch, from 0 to `i64::MAX`.
    pub(super) fn nanoseconds(self, timestamp: u64) -> u64 {
        const LATEST: u64 = i64::MAX as u64;

        // At most 2^64 * 10^9, which has 94 bits.
        let nanoseconds = match self.unit {
            Unit::Nanoseconds(nanoseconds) => u128::from(timestamp) * u128::from(nanoseconds),
            Unit::PartOfNanosecond(parts) => u128::from(timestamp) / parts,
            Unit::BinaryFraction(bits) => (u128::from(timestamp) * 1_000_000_000) >> bits,
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        let time = nanoseconds.cast_signed() + offset;
        u64::try_from(time.max(0)).map_or(LATEST, |time| time.min(LATEST))
    }
}

impl Unit {
    /// `if_tsresol`: a negative power of ten, or of two when the upper bit is set.
    fn from_option(resolution: u8) -> Self {
        let exponent = resolution & 0x7f;
        if resolution & 0x80 != 0 {
            Self::BinaryFraction(exponent)
        } else if exponent <= 9 {
            Self::Nanoseconds(10_u64.pow(9 - u32::from(exponent)))
        } else {
            // Finer than 128 bits can say: every timestamp is then 0.
            let parts = 10_u128.checked_pow(u32::from(exponent) - 9);
            Self::PartOfNanosecond(parts.unwrap_or(u128::MAX))
        }
    }
}

/// The first option with this number; `None` also when the options make no sense up to there.
pub(super) fn find_option(order: ByteOrder, options: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut options = Options::new(order, options);
    while let Ok(Some((code, value))) = options.next() {
        if code == wanted {
            return Some(value);
        }
    }
    None
}

/// Goes through a list of options.
struct Options<'a> {
    fields: Fields<'a>,
}

impl<'a> Options<'a> {
    fn new(order: ByteOrder, bytes: &'a [u8]) -> Self {
        Self {
            fields: Fields::new(order, bytes),
        }
    }

    /// The number and the value of the next option; `None` at the end, which need not be marked.
    fn next(&mut self) -> Result<Option<(u16, &'a [u8])>, Problem> {
        if self.fields.rest().is_empty() {
            return Ok(None);
        }
        let (Some(code), Some(length)) = (self.fields.u16(), self.fields.u16()) else {
            return Err(Problem::InterfaceOptions);
        };
        if code == END_OF_OPTIONS {
            return Ok(None);
        }
        let length = usize::from(length);
        let Some(value) = self.fields.bytes(length) else {
            return Err(Problem::InterfaceOptions);
        };
        self.fields
            .skip_padding(length.next_multiple_of(4) - length);
        Ok(Some((code, value)))
    }
}

/// A name as text, of a length that can be kept; some writers end it with a NUL.
fn readable_name(name: &[u8]) -> Box<str> {
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = &name[..name.len().min(NAME_MAX)];
    String::from_utf8_lossy(name).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_become_nanoseconds() {
        const LATEST: u64 = i64::MAX as u64;
        let cases = [
            (0, 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (3, 0, 1_700_000_000_001, 1_700_000_000_001_000_000),
            (6, 0, 1_700_000_000_000_001, 1_700_000_000_000_001_000),
            (9, 0, 1_700_000_000_000_000_001, 1_700_000_000_000_000_001),
            (12, 0, 5_000_999, 5000),
            (47, 0, u64::MAX, 0),
            (48, 0, u64::MAX, 0),
            (127, 0, u64::MAX, 0),
            (0x80, 0, 3, 3_000_000_000),
            (0x80 | 1, 0, 3, 1_500_000_000),
            (0x80 | 32, 0, (7 << 32) | (1 << 31), 7_500_000_000),
            (0x80 | 127, 0, u64::MAX, 0),
            (6, 5, 7, 5_000_007_000),
            (6, -5, 5_000_007, 7000),
            (6, -6, 5_000_007, 0),
            (0, 0, u64::MAX, LATEST),
            (0x80, 0, u64::MAX, LATEST),
            (9, 0, u64::MAX, LATEST),
            (0, i64::MAX, u64::MAX, LATEST),
            (0, i64::MIN, 1, 0),
        ];
        for (resolution, offset, timestamp, expected) in cases {
            let clock = Clock {
                unit: Unit::from_option(resolution),
                offset,
            };
            let nanoseconds = clock.nanoseconds(timestamp);
            assert_eq!(nanoseconds, expected, "{resolution} {offset} {timestamp}");
        }
    }

    #[test]
    fn options_set_name_and_clock() {
        let body = [
            &[1, 0, 0, 0, 0, 0, 1, 0][..],
            &[2, 0, 5, 0, b'e', b't', b'h', b'1', b'0', 0, 0, 0],
            &[9, 0, 1, 0, 9, 0, 0, 0],
            &[14, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            &[0, 0, 0, 0, 9, 0, 1, 0, 3, 0, 0, 0], // behind the end: not read
        ]
        .concat();
        let interface = Interface::parse(ByteOrder::Little, &body, 60).unwrap();
        assert_eq!(interface.link_type, Some(LinkType::Ethernet));
        assert_eq!(interface.snapshot_length, 65_536);
        assert_eq!(interface.name.as_deref(), Some("eth10"));
        assert_eq!(interface.clock.nanoseconds(7), 2_000_000_007);
    }
}
