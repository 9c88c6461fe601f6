//! What must not be: `p99>5ms`. A run that comes to it fails.

use std::fmt;
use std::str::FromStr;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::report::Account;
use crate::config::Refusal;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    /// The time below which so many percent of the requests ended.
    Percentile(f64),
    Mean,
    Longest,
    /// Answers a second.
    Rate,
    /// The share of requests that have no answer.
    ErrorRate,
    /// Requests that have no answer: failed, or under way at the end.
    Errors,
    /// The share of starts that were left out.
    DroppedRate,
    /// The share of answers of a class.
    Class(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// A condition under which a run fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    text: String,
    measure: Measure,
    sign: Sign,
    /// Nanoseconds, a share, or a number.
    limit: f64,
}

/// What a threshold came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The condition.
    pub fail_if: String,
    /// What was measured: microseconds, a share or a number; none where nothing was.
    pub value: Option<f64>,
    /// Whether the run has failed by it.
    pub failed: bool,
    #[serde(skip)]
    is_time: bool,
    #[serde(skip)]
    is_count: bool,
}

/// What can be asked for.
const ALLOWED: &str = "must be like p99>5ms: one of p50, p99.9 and the like, mean, max (with ns, us, ms \
                       or s), rate, errors, error_rate, dropped_rate, status_4xx, status_5xx (shares \
                       as 0.01 or 1%), then >, >=, < or <=, and a number";

impl FromStr for Threshold {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refusal = || Refusal::new(ALLOWED);
        let at = text.find(['<', '>']).ok_or_else(refusal)?;
        let (name, rest) = text.split_at(at);
        let (sign, limit) = [
            (">=", Sign::AtLeast),
            ("<=", Sign::AtMost),
            (">", Sign::Above),
            ("<", Sign::Below),
        ]
        .into_iter()
        .find_map(|(text, sign)| rest.strip_prefix(text).map(|limit| (sign, limit)))
        .ok_or_else(refusal)?;
        let measure = measure(name.trim()).ok_or_else(refusal)?;
        let limit = limit.trim();
        let limit = match measure {
            Measure::Percentile(_) | Measure::Mean | Measure::Longest => time(limit),
            Measure::Rate | Measure::Errors => number(limit),
            Measure::ErrorRate | Measure::DroppedRate | Measure::Class(_) => share(limit),
        };
        let is_share = matches!(
            measure,
            Measure::ErrorRate | Measure::DroppedRate | Measure::Class(_)
        );
        let comes_never = |limit| limit > 1.0 || (limit == 1.0 && sign == Sign::Above);
        if is_share && limit.is_some_and(comes_never) {
            return Err(Refusal::new(
                "must have a share, and none is above 1 (100%): 5 % is 0.05 or 5%",
            ));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            measure,
            sign,
            limit: limit.ok_or_else(refusal)?,
        })
    }
}

impl Threshold {
    /// Holds an account against it. Where there is nothing to measure it has failed: it was not shown to
    /// hold.
    #[must_use]
    pub fn judge(&self, account: &Account) -> Judged {
        let tally = &account.report.tally;
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        let times = account.times();
        let value = match self.measure {
            Measure::Percentile(part) => at(times, |times| times.value_at_percentile(part) as f64),
            Measure::Mean => at(times, Histogram::mean),
            Measure::Longest => at(times, |times| times.max() as f64),
            Measure::Rate => Some(account.answered_rate()),
            Measure::Errors => Some(tally.unanswered() as f64),
            Measure::ErrorRate => share(tally.unanswered(), tally.unanswered() + tally.answered),
            Measure::DroppedRate => share(tally.dropped, tally.dropped + tally.started),
            Measure::Class(class) => {
                let first = usize::from(class);
                let of_class = tally.statuses.iter().skip(first).take(100).sum();
                share(of_class, tally.answered)
            }
        };
        let failed = value.is_none_or(|value| match self.sign {
            Sign::Above => value > self.limit,
            Sign::AtLeast => value >= self.limit,
            Sign::Below => value < self.limit,
            Sign::AtMost => value <= self.limit,
        });
        let is_time = self.is_time();
        Judged {
            fail_if: self.text.clone(),
            value: value.map(|value| if is_time { value / 1000.0 } else { value }),
            failed,
            is_time,
            is_count: self.measure == Measure::Errors,
        }
    }

    const fn is_time(&self) -> bool {
        matches!(
            self.measure,
            Measure::Percentile(_) | Measure::Mean | Measure::Longest
        )
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, came) = match self.failed {
            true => ("FAILED", "came true"),
            false => ("ok", "did not come true"),
        };
        write!(formatter, "{verdict}: {}", self.fail_if)?;
        if self.value.is_some() {
            write!(formatter, " {came}")?;
        }
        match self.value {
            Some(value) if self.is_time => write!(formatter, " ({:.3} ms)", value / 1000.0),
            Some(value) if self.is_count => write!(formatter, " ({value:.0})"),
            Some(value) => write!(formatter, " ({value:.4})"),
            None => write!(formatter, " (nothing was measured)"),
        }
    }
}

fn at(times: &Histogram<u64>, value: impl Fn(&Histogram<u64>) -> f64) -> Option<f64> {
    (!times.is_empty()).then(|| value(times))
}

fn measure(name: &str) -> Option<Measure> {
    Some(match name {
        "mean" => Measure::Mean,
        "max" => Measure::Longest,
        "rate" => Measure::Rate,
        "errors" => Measure::Errors,
        "error_rate" => Measure::ErrorRate,
        "dropped_rate" => Measure::DroppedRate,
        "status_4xx" => Measure::Class(400),
        "status_5xx" => Measure::Class(500),
        _ => {
            let part = number(name.strip_prefix('p')?)?;
            if part > 100.0 {
                return None;
            }
            Measure::Percentile(part)
        }
    })
}

/// A number without sign.
fn number(text: &str) -> Option<f64> {
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_number)
}

fn share(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        Some(percent) => number(percent.trim_end()).map(|percent| percent / 100.0),
        None => number(text),
    }
}

/// A time in nanoseconds.
fn time(text: &str) -> Option<f64> {
    let units = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    let found = units.into_iter().find_map(|(unit, scale)| {
        let number = text.strip_suffix(unit)?;
        Some((number.trim_end(), scale))
    });
    let (text, scale) = found?;
    number(text).map(|number| number * scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generate::http::answer::Whole;
    use crate::generate::http::report::tests::account;
    use crate::generate::http::tally::Fault;

    fn judged(text: &str) -> Judged {
        let mut account = account();
        let tally = &mut account.report.tally;
        for milliseconds in 1..=100 {
            tally.service.record(milliseconds * 1_000_000).unwrap();
            tally.answer(&Whole {
                status: if milliseconds > 98 { 503 } else { 200 },
                is_kept: true,
                body: 0,
            });
        }
        tally.started = 125;
        (0..25).for_each(|_| tally.fail(Fault::Reset));
        text.parse::<Threshold>().unwrap().judge(&account)
    }

    #[test]
    fn conditions() {
        let check = |text: &str, failed: bool| {
            let judged = judged(text);
            assert_eq!(judged.failed, failed, "{text}: {judged}");
        };
        check("p50>60ms", false);
        check("p50 > 40ms", true);
        check("p99>98.5ms", true);
        check("p99.9>0.2s", false);
        check("p0>900us", true);
        check("max>=99999us", true);
        check("max>101ms", false);
        check("mean<50000000ns", false);
        check("mean<=60ms", true);
        check("error_rate>0.1", true);
        check("error_rate>19%", true);
        check("error_rate>21 %", false);
        check("errors>24", true);
        check("errors>25", false);
        check("rate<49", false);
        check("rate<51", true);
        check("status_5xx>1%", true);
        check("status_5xx>2.1%", false);
        check("status_4xx>0", false);
        check("dropped_rate>0", false);
        let said = |text: &str, starts: &str| {
            let said = judged(text).to_string();
            assert!(said.starts_with(starts), "{said}");
        };
        said("p50>60ms", "ok: p50>60ms did not come true (50.0");
        said("errors>0", "FAILED: errors>0 came true (25)");
        said(
            "error_rate>0.9",
            "ok: error_rate>0.9 did not come true (0.2000)",
        );
    }

    #[test]
    fn what_was_never_answered_is_an_error() {
        let mut account = account();
        account.report.tally.unfinished = 4;
        for text in ["errors>0", "error_rate>0"] {
            let judged = text.parse::<Threshold>().unwrap().judge(&account);
            assert!(judged.failed, "{judged}");
        }
    }

    #[test]
    fn without_answers_nothing_holds() {
        let judge = |text: &str| text.parse::<Threshold>().unwrap().judge(&account());
        for text in ["p99>5ms", "p99<5ms", "error_rate>0.5", "status_5xx>0.9"] {
            let judged = judge(text);
            assert!(judged.failed && judged.value.is_none(), "{text}");
        }
        assert!(!judge("errors>0").failed);
        assert!(judge("rate<1").failed);
    }

    #[test]
    fn what_is_no_condition() {
        for bad in [
            "",
            "p99",
            "p99=5ms",
            "p99>5",
            "p99>-5ms",
            "p101>5ms",
            "p>5ms",
            "pp>5ms",
            "p99>ms",
            "p99>5m",
            "rate>5ms",
            "rate>nan",
            "p99>inf",
            "error_rate>x",
            "speed>5",
            ">5ms",
            "p99>>5ms",
            "p99 5ms",
            "rate>1e5",
            "p99>5ms>6ms",
        ] {
            let error = bad.parse::<Threshold>().unwrap_err();
            assert!(error.to_string().contains("p99>5ms"), "{bad}");
        }
    }

    /// Somebody who leaves the sign away would have a gate that never closes.
    #[test]
    fn a_share_is_not_above_1() {
        for name in ["error_rate", "dropped_rate", "status_4xx", "status_5xx"] {
            for limit in [">5", ">1", ">=1.01", "<2", "> 100.5 %", ">101%"] {
                let error = format!("{name}{limit}").parse::<Threshold>().unwrap_err();
                assert!(
                    error.to_string().contains("5 % is 0.05 or 5%"),
                    "{name}{limit}: {error}"
                );
            }
            for limit in [">=1", ">0.05", ">=100%", "<1", "<=100 %"] {
                format!("{name}{limit}").parse::<Threshold>().unwrap();
            }
        }
        "errors>5".parse::<Threshold>().unwrap();
        "rate<500".parse::<Threshold>().unwrap();
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(p|rate|[0-9]{1,3}|\\.|>|<|=|ms|%| ){0,8}") {
            drop(text.parse::<Threshold>());
        }
    }
}
