//! The names of database files. What is not named exactly so is not ours and is never touched.
//!
//! | name | what it is |
//! |---|---|
//! | `tapline-20261121.db` | the records of that day (UTC) |
//! | `tapline-20261121.db.damaged-1` | what had this name and could not be used |
//! | either with `-wal` or `-shm` behind it | SQLite's own, part of the file before it |

use std::fmt;

use jiff::civil::Date;

/// What SQLite puts beside a database.
pub(crate) const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

const DAY_US: i64 = 86_400_000_000;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// A day of UTC, as the days since 1970-01-01.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Day(pub(crate) i64);

impl Day {
    /// The day of this time, in microseconds since 1970.
    pub(crate) const fn of(microseconds: i64) -> Self {
        Self(microseconds.div_euclid(DAY_US))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days of timestamps are within what dates hold.
        let date = EPOCH
            .checked_add(jiff::Span::new().days(self.0.clamp(-719_528, 2_932_896)))
            .unwrap_or(EPOCH);
        write!(f, "{:04}{:02}{:02}", date.year(), date.month(), date.day())
    }
}

/// The name of a database file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FileName {
    /// The day of its records.
    pub(crate) day: Day,
    /// The number of a file that was moved aside.
    pub(crate) damaged: Option<u32>,
}

impl FileName {
    /// None when the name is not exactly one that [`fmt::Display`] gives.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("tapline-")?;
        let (date, rest) = rest.split_at_checked(8)?;
        let date: u32 = digits(date)?.parse().ok()?;
        let date = Date::new(
            i16::try_from(date / 10_000).ok()?,
            i8::try_from(date / 100 % 100).ok()?,
            i8::try_from(date % 100).ok()?,
        )
        .ok()?;
        let day = Day(i64::from(EPOCH.until(date).ok()?.get_days()));
        let damaged = match rest.strip_prefix(".db")? {
            "" => None,
            rest => {
                let number = digits(rest.strip_prefix(".damaged-")?)?;
                Some(number.parse().ok().filter(|_| !number.starts_with('0'))?)
            }
        };
        Some(Self { day, damaged })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tapline-{}.db", self.day)?;
        match self.damaged {
            None => Ok(()),
            Some(number) => write!(f, ".damaged-{number}"),
        }
    }
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_names() {
        let check = |text: &str, day: i64, damaged| {
            let name = FileName {
                day: Day(day),
                damaged,
            };
            assert_eq!(FileName::parse(text), Some(name));
            assert_eq!(name.to_string(), text);
        };
        check("tapline-19700101.db", 0, None);
        check("tapline-19691231.db", -1, None);
        check("tapline-20261121.db", 20_778, None);
        check("tapline-20261121.db.damaged-12", 20_778, Some(12));
    }

    #[test]
    fn foreign_names() {
        for name in [
            "",
            "tapline-",
            "tapline-20261121",
            "tapline-20261121.db-wal",
            "tapline-20261121.db~",
            "tapline-20261121.db.damaged-",
            "tapline-20261121.db.damaged-0",
            "tapline-20261121.db.damaged-01",
            "tapline-20261121.db.damaged-99999999999",
            "tapline-20261121.db.damaged-1-wal",
            "tapline-20261131.db",
            "tapline-2026112é.db",
            "tapline-+2026112.db",
            "xtapline-20261121.db",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn days_begin_at_midnight_utc() {
        assert_eq!(Day::of(0), Day(0));
        assert_eq!(Day::of(-1), Day(-1));
        assert_eq!(Day::of(DAY_US - 1), Day(0));
        assert_eq!(Day::of(DAY_US), Day(1));
    }

    proptest! {
        #[test]
        fn names_of_all_days_are_read_back(day in -719_528_i64..2_932_896) {
            let name = FileName { day: Day(day), damaged: None };
            let text = name.to_string();
            prop_assert_eq!(FileName::parse(&text), Some(name), "{}", text);
        }

        #[test]
        fn the_day_of_any_time_has_a_name(microseconds in any::<i64>()) {
            prop_assert!(!Day::of(microseconds).to_string().is_empty());
        }
    }
}
