//! Durations and sizes as people write them: `30s`, `16MiB`. Parsing and printing are inverse.

use std::time::Duration;

use super::Refusal;

/// Units of time with their milliseconds, longest first.
const TIMES: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of size with their bytes, largest first. The last is for bare numbers.
const SIZES: [(&str, u64); 6] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("", 1),
];

/// The longest duration taken: about a hundred years, so that adding it to a time cannot overflow.
const LONGEST_MILLISECONDS: u64 = 36_500 * 86_400_000;

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`; more than zero.
///
/// # Errors
/// A refusal that says what a duration looks like.
pub fn parse_duration(text: &str) -> Result<Duration, Refusal> {
    let milliseconds = number_with_unit(text, &TIMES)
        .filter(|milliseconds| (1..=LONGEST_MILLISECONDS).contains(milliseconds));
    milliseconds.map(Duration::from_millis).ok_or_else(|| {
        Refusal::new("must be a duration like 500ms, 30s, 5m, 1h or 1d, from 1ms to 36500d")
    })
}

/// Writes a duration in the largest unit that leaves a whole number.
pub(crate) fn format_duration(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    format_with_unit(milliseconds, &TIMES)
}

/// Reads a size: a whole number of bytes, or one with `KiB`, `MiB`, `GiB` or `TiB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, Refusal> {
    number_with_unit(text, &SIZES).ok_or_else(|| {
        Refusal::new("must be a number of bytes, or a number with KiB, MiB, GiB or TiB")
    })
}

/// Writes a size in the largest unit that leaves a whole number.
pub(crate) fn format_size(bytes: u64) -> String {
    format_with_unit(bytes, &SIZES[..4])
}

fn number_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit
        .strip_prefix(' ')
        .filter(|unit| !unit.is_empty())
        .unwrap_or(unit);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    // An empty or overlong number is refused by the parser.
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn format_with_unit(number: u64, units: &[(&str, u64)]) -> String {
    for (unit, scale) in units {
        if number > 0 && number.is_multiple_of(*scale) {
            return format!("{}{unit}", number / scale);
        }
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{format_duration, format_size, parse_duration, parse_size};

    #[test]
    fn durations() {
        let check = |text: &str, milliseconds: Option<u64>| {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(parse_duration(text).ok(), expected, "{text:?}");
        };
        check("500ms", Some(500));
        check("30s", Some(30_000));
        check("5m", Some(300_000));
        check("1h", Some(3_600_000));
        check("1d", Some(86_400_000));
        check("90 s", Some(90_000));
        check("36500d", Some(36_500 * 86_400_000));
        for bad in [
            "",
            "s",
            "0s",
            "0",
            "30",
            "-1s",
            "+1s",
            "1.5h",
            "1h30m",
            "1 h ",
            " 1h",
            "1H",
            "36501d",
            "99999999999999999999d",
            "18446744073709551615d",
            "１s",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn sizes() {
        let check = |text: &str, bytes: Option<u64>| {
            assert_eq!(parse_size(text).ok(), bytes, "{text:?}");
        };
        check("0", Some(0));
        check("4096", Some(4096));
        check("4096B", Some(4096));
        check("64KiB", Some(65_536));
        check("16 MiB", Some(16 << 20));
        check("1GiB", Some(1 << 30));
        check("2TiB", Some(2 << 40));
        check("18446744073709551615", Some(u64::MAX));
        for bad in [
            "",
            "KiB",
            "1KB",
            "1k",
            "1mib",
            "-1",
            "1.5MiB",
            "0x10",
            "16777216TiB",
            "1 ",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn the_largest_whole_unit_is_written() {
        assert_eq!(format_duration(Duration::from_secs(86_400)), "1d");
        assert_eq!(format_duration(Duration::from_millis(90_500)), "90500ms");
        assert_eq!(format_size(16 << 20), "16MiB");
        assert_eq!(format_size(1000), "1000");
        assert_eq!(format_size(0), "0");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number in any::<u64>(), milliseconds in 1..=super::LONGEST_MILLISECONDS) {
            prop_assert_eq!(parse_size(&format_size(number)).ok(), Some(number));
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)).ok(), Some(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            drop((parse_size(&text), parse_duration(&text)));
        }
    }
}
