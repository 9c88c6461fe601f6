//! How the rate changes over the day.

/// From one full hour to another, which may lie on the next day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pattern {
    /// 0 to 23.
    pub from: u8,
    /// 0 to 24: the first hour that it does not hold. Below `from`: of the next day.
    pub to: u8,
    /// What the rate is multiplied by.
    pub multiplier: f64,
}

impl From<(u8, u8, f64)> for Pattern {
    fn from((from, to, multiplier): (u8, u8, f64)) -> Self {
        Self {
            from,
            to,
            multiplier,
        }
    }
}

impl Pattern {
    /// Reads `6-9`. `None`: that is no time of the day.
    #[must_use]
    pub fn read(time: &str, multiplier: f64) -> Option<Self> {
        let (from, to) = time.split_once('-')?;
        let hour = |text: &str| text.trim().parse::<u8>().ok();
        let (from, to) = (hour(from)?, hour(to)?);
        (from <= 23 && to <= 24 && from != to).then_some(Self {
            from,
            to,
            multiplier,
        })
    }

    /// Whether it holds the hour.
    #[must_use]
    pub const fn holds(&self, hour: u8) -> bool {
        match self.from < self.to {
            true => self.from <= hour && hour < self.to,
            false => self.from <= hour || hour < self.to,
        }
    }
}

/// The multiplier of each hour.
///
/// # Errors
/// The first hour that no pattern holds.
pub fn by_hour(patterns: &[Pattern]) -> Result<[f64; 24], u8> {
    let mut hours = [0.0; 24];
    for (hour, multiplier) in (0..).zip(&mut hours) {
        let pattern = patterns.iter().find(|pattern| pattern.holds(hour));
        *multiplier = pattern.ok_or(hour)?.multiplier;
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_day() {
        let check = |time: &str, hours: Option<(u8, u8)>| {
            let found = Pattern::read(time, 1.0).map(|pattern| (pattern.from, pattern.to));
            assert_eq!(found, hours, "{time:?}");
        };
        check("2-6", Some((2, 6)));
        check(" 21 - 2 ", Some((21, 2)));
        check("0-24", Some((0, 24)));
        check("22-0", Some((22, 0)));
        for bad in [
            "", "6", "6-", "-6", "6-6", "24-2", "3-25", "a-b", "1-2-3", "1.5-3", "300-4",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn every_hour_has_the_first_pattern_that_holds_it() {
        let patterns = [(21, 2, 0.2), (0, 24, 1.0), (5, 6, 9.0)].map(Pattern::from);
        let hours = by_hour(&patterns).unwrap();
        for (hour, multiplier) in hours.into_iter().enumerate() {
            let night = !(2..21).contains(&hour);
            assert_eq!(multiplier, if night { 0.2 } else { 1.0 }, "{hour}");
        }
        assert_eq!(by_hour(&[Pattern::from((0, 23, 1.0))]), Err(23));
        assert_eq!(by_hour(&[Pattern::from((22, 9, 1.0))]), Err(9));
        assert_eq!(by_hour(&[]), Err(0));
    }
}
