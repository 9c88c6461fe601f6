//! The time of a record as text and as a day, worked out once a second and kept.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::text::fixed_digits;

const NANOSECONDS: i64 = 1_000_000_000;

/// Turns nanoseconds since the Unix epoch into the date and time of one zone.
#[derive(Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    /// What stands between date and time.
    separator: u8,
    /// The second that `text` and `day` are of.
    second: Option<i64>,
    text: [u8; 19],
    day: Date,
}

impl Clock {
    /// `separator` stands between date and time.
    pub(super) fn new(zone: TimeZone, separator: u8) -> Self {
        Self {
            zone,
            separator,
            second: None,
            text: [b' '; 19],
            day: Date::ZERO,
        }
    }

    /// The day of a time, in the clock's zone.
    #[inline]
    pub(super) fn day(&mut self, time_ns: i64) -> Date {
        self.set(time_ns);
        self.day
    }

    /// `YYYY-MM-DD HH:MM:SS` with the clock's separator, and the nanoseconds within that second.
    #[inline]
    pub(super) fn text(&mut self, time_ns: i64) -> (&[u8; 19], u32) {
        let nanosecond = self.set(time_ns);
        (&self.text, nanosecond)
    }

    #[inline]
    fn set(&mut self, time_ns: i64) -> u32 {
        let second = time_ns.div_euclid(NANOSECONDS);
        if self.second != Some(second) {
            self.work_out(second);
        }
        time_ns.rem_euclid(NANOSECONDS) as u32
    }

    #[cold]
    fn work_out(&mut self, second: i64) {
        // Nanoseconds in 64 bits end in the years 1677 and 2262: the default is never taken.
        let time = Timestamp::from_second(second).unwrap_or_default();
        let time = self.zone.to_datetime(time);
        let text = &mut self.text;
        text[0..4].copy_from_slice(&fixed_digits::<4>(time.year().unsigned_abs().into()));
        text[4] = b'-';
        text[7] = b'-';
        text[10] = self.separator;
        text[13] = b':';
        text[16] = b':';
        for (place, number) in [
            (5, time.month()),
            (8, time.day()),
            (11, time.hour()),
            (14, time.minute()),
            (17, time.second()),
        ] {
            text[place..place + 2]
                .copy_from_slice(&fixed_digits::<2>(number.unsigned_abs().into()));
        }
        self.day = time.date();
        self.second = Some(second);
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn check(clock: &mut Clock, time_ns: i64, text: &str, nanosecond: u32, day: Date) {
        assert_eq!(clock.day(time_ns), day);
        let (found, rest) = clock.text(time_ns);
        assert_eq!(std::str::from_utf8(found).unwrap(), text);
        assert_eq!(rest, nanosecond);
    }

    #[test]
    fn seconds_days_and_the_ends_of_time() {
        let mut utc = Clock::new(TimeZone::UTC, b'T');
        check(&mut utc, 0, "1970-01-01T00:00:00", 0, date(1970, 1, 1));
        check(
            &mut utc,
            -1,
            "1969-12-31T23:59:59",
            999_999_999,
            date(1969, 12, 31),
        );
        check(
            &mut utc,
            i64::MAX,
            "2262-04-11T23:47:16",
            854_775_807,
            date(2262, 4, 11),
        );
        check(
            &mut utc,
            i64::MIN,
            "1677-09-21T00:12:43",
            145_224_192,
            date(1677, 9, 21),
        );
        // Back again: what was kept must not be taken for another second.
        check(&mut utc, 5, "1970-01-01T00:00:00", 5, date(1970, 1, 1));
    }

    #[test]
    fn a_zone_with_summer_time() {
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        let mut clock = Clock::new(zone, b' ');
        let change = 1_552_201_200 * NANOSECONDS; // 2019-03-10 07:00 UTC
        check(
            &mut clock,
            change - 1,
            "2019-03-10 01:59:59",
            999_999_999,
            date(2019, 3, 10),
        );
        check(
            &mut clock,
            change,
            "2019-03-10 03:00:00",
            0,
            date(2019, 3, 10),
        );
        let midnight = 1_552_190_400 * NANOSECONDS; // 2019-03-10 04:00 UTC
        check(
            &mut clock,
            midnight,
            "2019-03-09 23:00:00",
            0,
            date(2019, 3, 9),
        );
    }
}
