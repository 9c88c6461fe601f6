//! What stands around the lines of a file: for most formats nothing.

use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::{names::Topic, zeek};

/// What stands around the lines.
#[derive(Clone, Debug, Default)]
pub(super) enum Frame {
    /// Nothing.
    #[default]
    None,
    /// The header and the last line of Zeek's files, with times of this zone.
    Zeek(TimeZone),
}

impl Frame {
    /// What goes before the first line; lines that begin with `#`, or nothing.
    pub(super) fn begin(&self, topic: Topic) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Zeek(zone) => zeek::header(topic == Topic::Connections, &now(zone)),
        }
    }

    /// What goes behind the last line.
    pub(super) fn end(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Zeek(zone) => zeek::footer(&now(zone)),
        }
    }
}

fn now(zone: &TimeZone) -> Zoned {
    Timestamp::now().to_zoned(zone.clone())
}
