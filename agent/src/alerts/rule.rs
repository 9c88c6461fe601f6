//! A rule in one line: `slow p99 above 500ms over 5m for 1m`. Reading and writing are inverse. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{format_duration, parse_duration};

/// Characters of a name at most.
const NAME_MOST: usize = 64;
/// The shortest and the longest time that is looked at.
const WINDOWS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(3600)];
/// For how long a rule may have to hold.
const FOR_MOST: Duration = Duration::from_secs(86_400);
/// The largest bound, in the unit of its metric.
const BOUND_MOST: u64 = 1_000_000_000;

/// When somebody is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// What is watched.
    pub metric: Metric,
    /// On which side of the bound it is wrong.
    pub side: Side,
    /// The bound in thousandths of the metric's unit.
    pub bound: u64,
    /// The time that is looked at.
    pub window: Duration,
    /// For how long it has to be wrong.
    pub hold: Duration,
}

/// What is watched, over a window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metric {
    /// Of the exchanges with a status, those with 400 or more, in percent.
    ErrorRate,
    /// The time that 99 of 100 exchanges do not exceed, in milliseconds.
    P99,
    /// Exchanges a second.
    RequestsPerSecond,
    /// Records and lines that were lost.
    Lost,
}

/// On which side of the bound it is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Above.
    Above,
    /// Below.
    Below,
}

/// What is no rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NoRule(String);

impl Metric {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ErrorRate,
        Self::P99,
        Self::RequestsPerSecond,
        Self::Lost,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::P99 => "p99",
            Self::RequestsPerSecond => "requests_per_second",
            Self::Lost => "lost",
        }
    }

    /// The unit of its values.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::ErrorRate => "percent",
            Self::P99 => "ms",
            Self::RequestsPerSecond => "per_second",
            Self::Lost => "records",
        }
    }

    /// A value with its unit, for people.
    #[must_use]
    pub fn say(self, value: f64) -> String {
        let unit = match self {
            Self::ErrorRate => " %",
            Self::P99 => " ms",
            Self::RequestsPerSecond => " a second",
            Self::Lost => " records",
        };
        format!("{}{unit}", (value * 1000.0).round() / 1000.0)
    }

    fn read_bound(self, text: &str) -> Result<u64, NoRule> {
        let refuse = || {
            NoRule(format!(
                "the bound of {} must be {}",
                self.word(),
                match self {
                    Self::ErrorRate => "a percentage from 0 to 100, like 5 or 2.5%",
                    Self::P99 => "a duration, like 500ms",
                    Self::RequestsPerSecond => "a number, like 100 or 0.5",
                    Self::Lost => "a whole number, like 0",
                }
            ))
        };
        let bound = match self {
            Self::ErrorRate => thousandths(text.strip_suffix('%').unwrap_or(text)),
            Self::P99 => parse_duration(text)
                .ok()
                .and_then(|time| u64::try_from(time.as_millis()).ok()?.checked_mul(1000)),
            Self::RequestsPerSecond => thousandths(text),
            Self::Lost => thousandths(text).filter(|bound| bound.is_multiple_of(1000)),
        };
        let most = match self {
            Self::ErrorRate => 100,
            Self::P99 | Self::RequestsPerSecond | Self::Lost => BOUND_MOST,
        };
        bound
            .filter(|bound| *bound <= most * 1000)
            .ok_or_else(refuse)
    }
}

impl Side {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl Rule {
    /// The bound, in the metric's unit.
    #[must_use]
    pub fn bound(&self) -> f64 {
        self.bound as f64 / 1000.0
    }

    /// Whether a value is on the wrong side.
    #[must_use]
    pub fn is_broken_by(&self, value: f64) -> bool {
        match self.side {
            Side::Above => value > self.bound(),
            Side::Below => value < self.bound(),
        }
    }
}

impl FromStr for Rule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        let shape = || {
            NoRule(
                "a rule is NAME METRIC above|below BOUND over WINDOW [for TIME], like \
                 \"slow p99 above 500ms over 5m for 1m\""
                    .to_owned(),
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (name, metric, side, bound, window, hold) = match words.as_slice() {
            [name, metric, side, bound, "over", window] => {
                (name, metric, side, bound, window, None)
            }
            [name, metric, side, bound, "over", window, "for", hold] => {
                (name, metric, side, bound, window, Some(hold))
            }
            _ => return Err(shape()),
        };
        if !is_name(name) {
            return Err(NoRule(format!(
                "the name of a rule has up to {NAME_MOST} letters, digits, - and _"
            )));
        }
        let metric = Metric::ALL
            .into_iter()
            .find(|one| one.word() == *metric)
            .ok_or_else(|| {
                let words = Metric::ALL.map(Metric::word).join(", ");
                NoRule(format!("the metric of a rule is one of {words}"))
            })?;
        let side = match *side {
            "above" => Side::Above,
            "below" => Side::Below,
            _ => return Err(shape()),
        };
        let [least, most] = WINDOWS;
        let window = parse_duration(window).ok();
        let window = window
            .filter(|window| (least..=most).contains(window) && window.subsec_nanos() == 0)
            .ok_or_else(|| NoRule("the window of a rule is from 10s to 1h".to_owned()))?;
        let hold = match hold {
            None => Duration::ZERO,
            Some(hold) => parse_duration(hold)
                .ok()
                .filter(|hold| *hold <= FOR_MOST)
                .ok_or_else(|| NoRule("a rule holds for 1d at most".to_owned()))?,
        };
        Ok(Self {
            name: (*name).to_owned(),
            metric,
            side,
            bound: metric.read_bound(bound)?,
            window,
            hold,
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.metric {
            Metric::ErrorRate => format!("{}%", decimal(self.bound)),
            Metric::P99 => match self.bound {
                0 => "0ms".to_owned(),
                bound => format_duration(Duration::from_micros(bound)),
            },
            Metric::RequestsPerSecond | Metric::Lost => decimal(self.bound),
        };
        write!(
            formatter,
            "{} {} {} {bound} over {}",
            self.name,
            self.metric.word(),
            self.side.word(),
            format_duration(self.window)
        )?;
        match self.hold.is_zero() {
            true => Ok(()),
            false => write!(formatter, " for {}", format_duration(self.hold)),
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_MOST).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A number with up to three decimals, in thousandths.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 3 {
        return None;
    }
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1000)?
        .checked_add(part)
}

fn decimal(thousandths: u64) -> String {
    let (whole, part) = (thousandths / 1000, thousandths % 1000);
    match part {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:03}")
            .trim_end_matches('0')
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_are_read_and_written() {
        let check = |text: &str, written: &str| {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), written);
            assert_eq!(written.parse::<Rule>().unwrap(), rule);
            rule
        };
        let rule = check(
            "slow  p99 above 500ms over 5m for 60s",
            "slow p99 above 500ms over 5m for 1m",
        );
        assert_eq!(rule.metric, Metric::P99);
        assert_eq!((rule.bound(), rule.is_broken_by(500.0)), (500.0, false));
        assert!(rule.is_broken_by(500.5));
        let rule = check(
            "errors error_rate above 2.50 over 10s",
            "errors error_rate above 2.5% over 10s",
        );
        assert_eq!((rule.bound, rule.hold), (2_500, Duration::ZERO));
        let rule = check(
            "quiet requests_per_second below 0.05 over 1h for 1d",
            "quiet requests_per_second below 0.05 over 1h for 1d",
        );
        assert!(rule.is_broken_by(0.0) && !rule.is_broken_by(0.05));
        check("a-B_9 lost above 0 over 1m", "a-B_9 lost above 0 over 1m");
    }

    #[test]
    fn what_is_no_rule_is_told() {
        let check = |text: &str, says: &str| {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        };
        check("", "a rule is NAME");
        check("a p99 above 1ms", "a rule is NAME");
        check("a p99 over 1ms over 1m", "a rule is NAME");
        check("a p99 above 1ms over 1m for", "a rule is NAME");
        check("a/b p99 above 1ms over 1m", "name of a rule");
        check(
            &format!("{} lost above 1 over 1m", "a".repeat(65)),
            "name of a rule",
        );
        check("a p98 above 1ms over 1m", "one of error_rate, p99");
        check("a p99 above 1 over 1m", "a duration");
        check("a error_rate above 101 over 1m", "percentage");
        check("a error_rate above -1 over 1m", "percentage");
        check("a error_rate above 1.2345 over 1m", "percentage");
        check("a error_rate above nan over 1m", "percentage");
        check("a lost above 0.5 over 1m", "whole number");
        check("a requests_per_second above 1e9 over 1m", "a number");
        check(
            "a requests_per_second above 18446744073709551615 over 1m",
            "a number",
        );
        check("a lost above 0 over 9s", "window");
        check("a lost above 0 over 61m", "window");
        check("a lost above 0 over 10500ms", "window");
        check("a lost above 0 over 1m for 2d", "1d at most");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            drop(text.parse::<Rule>());
        }

        #[test]
        fn what_is_written_is_read_back(
            metric in prop::sample::select(Metric::ALL.to_vec()),
            above: bool,
            bound in 0..100_000_u64,
            window in 10..=3_600_u64,
            hold in 0..86_400_u64,
        ) {
            let bound = match metric {
                Metric::Lost => bound * 1_000,
                Metric::P99 => (bound + 1) * 1_000,
                Metric::ErrorRate | Metric::RequestsPerSecond => bound,
            };
            let rule = Rule {
                name: "x".to_owned(),
                metric,
                side: if above { Side::Above } else { Side::Below },
                bound,
                window: Duration::from_secs(window),
                hold: Duration::from_secs(hold),
            };
            prop_assert_eq!(rule.to_string().parse::<Rule>().unwrap(), rule);
        }
    }
}
