//! Times as the texts that lines need, in UTC, worked out once a second and kept.

use jiff::Timestamp;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The seconds that have a year of four digits.
const SECONDS: (i64, i64) = (-62_135_596_800, 253_402_207_199);

/// The texts of one second.
#[derive(Clone, Debug)]
pub struct Clock {
    second: i64,
    /// `01/Jan/1970:00:00:00 +0000`.
    apache: [u8; 26],
    /// `1970-01-01 00:00:00`.
    plain: [u8; 19],
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            second: 0,
            apache: *b"01/Jan/1970:00:00:00 +0000",
            plain: *b"1970-01-01 00:00:00",
        }
    }
}

impl Clock {
    /// Goes to a time, in nanoseconds since the epoch. Gives the milliseconds within its second.
    #[inline]
    pub fn go_to(&mut self, time: i64) -> u32 {
        let second = time.div_euclid(1_000_000_000).clamp(SECONDS.0, SECONDS.1);
        if second != self.second {
            self.turn(second);
        }
        (time.rem_euclid(1_000_000_000) / 1_000_000) as u32
    }

    /// `10/Oct/2024:13:55:36 +0000`.
    #[inline]
    #[must_use]
    pub const fn apache(&self) -> &[u8; 26] {
        &self.apache
    }

    /// `2024-10-10 13:55:36`.
    #[inline]
    #[must_use]
    pub const fn plain(&self) -> &[u8; 19] {
        &self.plain
    }

    fn turn(&mut self, second: i64) {
        self.second = second;
        let time = Timestamp::from_second(second).unwrap_or_default();
        let time = jiff::tz::Offset::UTC.to_datetime(time);
        let put = |text: &mut [u8], number: i32| {
            let mut number = number.unsigned_abs();
            for place in text.iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        let month = usize::from(time.month().unsigned_abs()).saturating_sub(1);
        self.apache[3..6].copy_from_slice(MONTHS.get(month).map_or(b"---", |name| &name[..]));
        put(&mut self.apache[0..2], time.day().into());
        put(&mut self.apache[7..11], time.year().into());
        put(&mut self.apache[12..14], time.hour().into());
        put(&mut self.apache[15..17], time.minute().into());
        put(&mut self.apache[18..20], time.second().into());
        put(&mut self.plain[0..4], time.year().into());
        put(&mut self.plain[5..7], time.month().into());
        put(&mut self.plain[8..10], time.day().into());
        put(&mut self.plain[11..13], time.hour().into());
        put(&mut self.plain[14..16], time.minute().into());
        put(&mut self.plain[17..19], time.second().into());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_those_of_the_time(times in proptest::collection::vec(any::<i64>(), 1..10)) {
            let mut clock = Clock::default();
            for time in times {
                let milliseconds = clock.go_to(time);
                let stamp = Timestamp::from_nanosecond(i128::from(time)).unwrap();
                // A time before the epoch belongs to the second below it.
                let second = Timestamp::from_second(time.div_euclid(1_000_000_000)).unwrap();
                let apache = second.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
                prop_assert_eq!(clock.apache(), apache.as_bytes());
                let plain = second.strftime("%Y-%m-%d %H:%M:%S").to_string();
                prop_assert_eq!(clock.plain(), plain.as_bytes());
                prop_assert_eq!(stamp.strftime("%.3f").to_string(), format!(".{milliseconds:03}"));
            }
        }
    }
}
