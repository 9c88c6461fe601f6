//! A place between two rows, and how it is written down.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::sink::sqlite::names::Day;

/// A place between two rows, to go on from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor {
    pub(super) id: i64,
    pub(super) day: Day,
}

/// What is no [`Cursor`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a place in the store is two whole numbers with a dot between them")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.id, self.day.0)
    }
}

impl Cursor {
    /// The time at which it stands.
    #[must_use]
    pub fn time(self) -> Timestamp {
        let microseconds = self.id.div_euclid(2);
        Timestamp::from_microsecond(microseconds).unwrap_or(match microseconds {
            ..0 => Timestamp::MIN,
            _ => Timestamp::MAX,
        })
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (id, day) = text.split_once('.').ok_or(NoCursor)?;
        let number = |text: &str| text.parse().map_err(|_none| NoCursor);
        Ok(Self {
            id: number(id)?,
            day: Day(number(day)?),
        })
    }
}
