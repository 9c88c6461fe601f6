//! Times of logs, without a table of time zones where a line names its offset. Pure: no clock is read.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// Reads times; the last second is remembered, since it is mostly that of the next line too.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
    text: [u8; 26],
    second: i64,
    /// The minute of the local zone that was looked up last, and how far that is from UTC.
    minute: i64,
    offset: i64,
}

impl Clock {
    /// Times without a zone are of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            text: [0; 26],
            second: 0,
            minute: i64::MIN,
            offset: 0,
        }
    }

    /// `01/Nov/2026:00:01:15 +0000`, in seconds since 1970.
    #[inline]
    pub fn clf(&mut self, text: &[u8]) -> Option<i64> {
        if text == self.text {
            return Some(self.second);
        }
        let second = parse_clf(text)?;
        self.text = text.try_into().ok()?;
        self.second = second;
        Some(second)
    }

    /// Seconds since 1970 of a time of the local zone, given as if it were UTC. Where clocks are set
    /// back it is the first of the two.
    pub fn local(&mut self, second: i64) -> Option<i64> {
        let minute = second.div_euclid(MINUTE);
        if minute != self.minute {
            let civil = jiff::Timestamp::from_second(second).ok()?;
            let civil: DateTime = TimeZone::UTC.to_datetime(civil);
            let there = self.zone.to_timestamp(civil).ok()?;
            self.minute = minute;
            self.offset = second - there.as_second();
        }
        Some(second - self.offset)
    }
}

/// A date and a time in ISO 8601 order, in microseconds since 1970, and whether it names its zone:
/// `2026-11-01T00:00:00.5Z`, `2026-11-01 00:00:00,500`, `2026-11-01T00:00:00+01:00`.
#[must_use]
pub fn iso(text: &[u8]) -> Option<(i64, bool)> {
    let (date, rest) = text.split_at_checked(10)?;
    let day = iso_date(date)?;
    let (separator, rest) = rest.split_first()?;
    if !matches!(separator, b'T' | b't' | b' ' | b'_') {
        return None;
    }
    let (time, rest) = rest.split_at_checked(8)?;
    let second = clock_time(time)?;
    let (fraction, rest) = match rest {
        [b'.' | b',', rest @ ..] => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (micros(rest.get(..digits)?)?, rest.get(digits..)?)
        }
        _ => (0, rest),
    };
    let offset = match rest {
        [] => None,
        _ => Some(offset(rest)?),
    };
    let seconds = day * DAY + second - offset.unwrap_or(0);
    Some((seconds * 1_000_000 + fraction, offset.is_some()))
}

/// `2026-11-01`, in days since 1970.
#[must_use]
pub fn iso_date(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else {
        return None;
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    days(year, two(m0, m1)?, two(d0, d1)?)
}

/// `00:01:15`, in seconds since midnight; `24:00:00` is none, a leap second is the one before.
#[must_use]
pub fn clock_time(text: &[u8]) -> Option<i64> {
    let [h0, h1, b':', m0, m1, b':', s0, s1] = *text else {
        return None;
    };
    let (hour, minute, second) = (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(hour * 3600 + minute * MINUTE + second.min(59))
}

/// Seconds since 1970 with a fraction, in microseconds: `1762000000.123`.
#[must_use]
pub fn epoch(text: &[u8]) -> Option<i64> {
    i64::try_from(super::fixed(text, 6)?).ok()
}

/// `01/Nov/2026:00:01:15 +0000`.
fn parse_clf(text: &[u8]) -> Option<i64> {
    let [d0, d1, b'/', a, b, c, b'/', y0, y1, y2, y3, b':', rest @ ..] = text else {
        return None;
    };
    let (time, rest) = rest.split_at_checked(8)?;
    let [b' ', zone @ ..] = rest else {
        return None;
    };
    let year = two(*y0, *y1)? * 100 + two(*y2, *y3)?;
    let day = days(year, month([*a, *b, *c])?, two(*d0, *d1)?)?;
    Some(day * DAY + clock_time(time)? - offset(zone)?)
}

/// The number of a month by its first three letters in English.
#[must_use]
pub fn month(name: [u8; 3]) -> Option<i64> {
    const NAMES: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let name = name.map(|letter| letter.to_ascii_lowercase());
    let index = NAMES.iter().position(|month| **month == name)?;
    Some(index as i64 + 1)
}

/// `Z`, `+0100`, `-03:30`, `+01`, in seconds.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match *rest {
        [h0, h1] => (two(h0, h1)?, 0),
        [h0, h1, m0, m1] | [h0, h1, b':', m0, m1] => (two(h0, h1)?, two(m0, m1)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * MINUTE))
}

/// Days since 1970 of a date of the Gregorian calendar.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = LENGTHS.get(index)? + i64::from(is_leap && month == 2);
    if day < 1 || day > length {
        return None;
    }
    // Years that begin in March end with the day that leap years add.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Digits behind the dot of a second, in microseconds.
fn micros(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    let value = (0..6).fold(0, |value, place| {
        value * 10 + digits.get(place).map_or(0, |byte| i64::from(byte - b'0'))
    });
    Some(value)
}

/// Two digits.
#[inline]
pub(super) fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock() -> Clock {
        Clock::new(TimeZone::UTC)
    }

    #[test]
    fn times_of_common_lines() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(clock().clf(text.as_bytes()), expected, "{text}");
        };
        check("01/Jan/1970:00:00:00 +0000", Some(0));
        check("10/Oct/2024:13:55:36 +0000", Some(1_728_568_536));
        check("10/Oct/2024:13:55:36 +0900", Some(1_728_536_136));
        check("10/Oct/2024:13:55:36 -0330", Some(1_728_581_136));
        check("29/Feb/2024:00:00:00 +0000", Some(1_709_164_800));
        check("29/Feb/2023:00:00:00 +0000", None);
        check("31/Apr/2024:00:00:00 +0000", None);
        check("00/Oct/2024:13:55:36 +0000", None);
        check("10/Okt/2024:13:55:36 +0000", None);
        check("10/Oct/2024:24:00:00 +0000", None);
        check("10/Oct/2024:23:59:60 +0000", Some(1_728_604_799));
        check("10/Oct/2024:13:55:36", None);
        check("10/Oct/2024:13:55:36 +00", None);
        check("10/Oct/20x4:13:55:36 +0000", None);
        check("", None);
    }

    #[test]
    fn the_second_that_is_remembered_is_the_right_one() {
        let mut clock = clock();
        for (text, expected) in [
            ("01/Jan/1970:00:00:05 +0000", Some(5)),
            ("01/Jan/1970:00:00:05 +0000", Some(5)),
            ("01/Jan/1970:00:00:0x +0000", None),
            ("01/Jan/1970:00:00:06 +0000", Some(6)),
        ] {
            assert_eq!(clock.clf(text.as_bytes()), expected);
        }
    }

    #[test]
    fn iso_times() {
        let check = |text: &str, expected| assert_eq!(iso(text.as_bytes()), expected, "{text}");
        check("1970-01-01T00:00:01Z", Some((1_000_000, true)));
        check("1970-01-01 00:00:01", Some((1_000_000, false)));
        check("1970-01-01T00:00:01.5Z", Some((1_500_000, true)));
        check(
            "1970-01-01T00:00:01,123456789+00:00",
            Some((1_123_456, true)),
        );
        check("1970-01-01T01:00:01+01:00", Some((1_000_000, true)));
        check("1970-01-01T00:00:01.Z", None);
        check("1970-13-01T00:00:01Z", None);
        check("1970-01-01", None);
        check("1970-01-01T00:00", None);
        check("1970-01-01T00:00:01Q", None);
        check("\u{fe}970-01-01T00:00:01Z", None);
    }

    #[test]
    fn local_times() {
        let zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::fixed(jiff::tz::offset(1)));
        let mut clock = Clock::new(zone);
        // 2026-01-01 in Berlin.
        assert_eq!(clock.local(1_767_225_600), Some(1_767_222_000));
        assert_eq!(clock.local(1_767_225_601), Some(1_767_222_001));
        assert_eq!(clock.local(i64::MAX), None);
    }

    proptest! {
        #[test]
        fn days_are_those_of_the_calendar(second in -62_135_596_800_i64..253_402_300_799) {
            let time = jiff::Timestamp::from_second(second).unwrap();
            let text = time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            prop_assert_eq!(clock().clf(text.as_bytes()), Some(second));
            let text = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            prop_assert_eq!(iso(text.as_bytes()), Some((second * 1_000_000, true)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (iso(&text), epoch(&text), clock().clf(&text));
        }
    }
}
