//! Times as text, written without allocation: the digits of a second are kept and written again while
//! the second lasts.

use jiff::Timestamp;

/// Writes times as RFC 3339 says, in UTC.
#[derive(Clone, Debug)]
pub struct Stamps {
    second: i64,
    /// `2026-11-21T12:00:00`.
    text: [u8; 19],
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            second: 0,
            text: *b"1970-01-01T00:00:00",
        }
    }
}

/// The seconds that can be written with a year of four digits.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_207_200;

impl Stamps {
    /// Writes `microseconds` since the epoch with `digits` (0 to 6) behind the second, and `Z`. A time
    /// outside the years 1 to 9999 is the nearest in them.
    pub fn write(&mut self, microseconds: i64, digits: usize, into: &mut Vec<u8>) {
        let second = microseconds.div_euclid(1_000_000);
        let second = second.clamp(*SECONDS.start(), *SECONDS.end());
        if second != self.second {
            self.turn_to(second);
        }
        into.extend_from_slice(&self.text);
        let digits = digits.min(6);
        if digits > 0 {
            let mut rest = microseconds.rem_euclid(1_000_000);
            let mut text = *b".000000";
            for place in text[1..].iter_mut().rev() {
                *place = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            into.extend_from_slice(&text[..=digits]);
        }
        into.push(b'Z');
    }

    fn turn_to(&mut self, second: i64) {
        self.second = second;
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = time.to_zoned(jiff::tz::TimeZone::UTC);
        let mut put = |at: usize, length: usize, value: i32| {
            let mut value = value.unsigned_abs();
            for place in self.text[at..at + length].iter_mut().rev() {
                *place = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, time.year().into());
        put(5, 2, time.month().into());
        put(8, 2, time.day().into());
        put(11, 2, time.hour().into());
        put(14, 2, time.minute().into());
        put(17, 2, time.second().into());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(stamps: &mut Stamps, microseconds: i64, digits: usize) -> String {
        let mut text = Vec::new();
        stamps.write(microseconds, digits, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn times_are_written() {
        let mut stamps = Stamps::default();
        let mut check = |microseconds, digits, expected: &str| {
            assert_eq!(written(&mut stamps, microseconds, digits), expected);
        };
        check(0, 0, "1970-01-01T00:00:00Z");
        check(1, 6, "1970-01-01T00:00:00.000001Z");
        check(-1, 3, "1969-12-31T23:59:59.999Z");
        check(1_709_210_096_123_456, 3, "2024-02-29T12:34:56.123Z");
        check(1_709_210_096_999_999, 9, "2024-02-29T12:34:56.999999Z");
        check(i64::MAX, 0, "9999-12-30T22:00:00Z");
        check(i64::MIN, 0, "0001-01-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn they_are_those_of_another_library(times in prop::collection::vec(-62_135_596_800_000_000..253_402_207_200_000_000_i64, 1..5)) {
            let mut stamps = Stamps::default();
            for time in times {
                let expected = Timestamp::from_microsecond(time).unwrap();
                prop_assert_eq!(written(&mut stamps, time, 6), format!("{expected:.6}"));
            }
        }
    }
}
