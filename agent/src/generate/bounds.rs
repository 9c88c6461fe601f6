//! What every generator can be told: how many records, how fast, how long, from when, from which seed.

use std::time::Duration;

use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::schedule::{NOMINAL_RATE, Schedule, Times};
use super::seed::Seed;
use crate::config::{Refusal, parse_duration};
use crate::exit::UsageError;

/// A run that keeps its rate may be late by so much, and by 1 % of its time: more than what counts as
/// kept.
const GRACE: Duration = Duration::from_millis(150);

/// The longest duration that is taken: about a hundred years.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// However long it is, it is not given more.
const GRACE_MOST: Duration = Duration::from_secs(1);

/// The flags that all generators have.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "How many, how fast, from when")]
pub struct BoundFlags {
    /// Records to make; 0: without end
    #[arg(short = 'n', long, alias = "total", value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub count: Option<u64>,
    /// Records a second; 0: as fast as it goes
    #[arg(long, value_name = "N", value_parser = rate, allow_negative_numbers = true)]
    pub rate: Option<f64>,
    /// Stop after this time of the records, and by our clock where they are made now: 500ms, 30s, 5m,
    /// 1h, 1d, or a number of seconds; 0: without end
    #[arg(long, value_name = "TIME", value_parser = limit, allow_hyphen_values = true)]
    pub duration: Option<Limit>,
    /// Time of the first record (like 2026-01-31, 2026-01-31T12:00:00 or 2026-01-31T12:00:00Z, in UTC
    /// where no zone is named; -6h: so long ago) [default: now]
    #[arg(long, value_name = "TIME", value_parser = start, allow_hyphen_values = true)]
    pub start: Option<Timestamp>,
    /// How many times as fast as ours the clock of the records runs
    #[arg(long, value_name = "N", value_parser = speedup, requires = "start", allow_negative_numbers = true)]
    pub speedup: Option<f64>,
    /// The same seed makes the same records again; drawn and said when not given
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<Seed>,
    /// Threads that make records: never changes what comes out
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256), allow_negative_numbers = true)]
    pub jobs: u16,
    /// Make the records, but write and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the configuration that results, as YAML, and stop
    #[arg(long)]
    pub print_config: bool,
}

/// How long a run is; `None`: without end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit(pub Option<Duration>);

/// What holds where no flag says otherwise: from the configuration of a generator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundDefaults {
    /// Records to make; `None`: without end.
    pub count: Option<u64>,
    /// Records a second; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// How long.
    pub duration: Option<Duration>,
}

/// How many records, how fast, how long, from when, from which seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// Records to make; `None`: without end.
    pub count: Option<u64>,
    /// Records a second; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// How long, by the clock of the records; `None`: without end.
    pub duration: Option<Duration>,
    /// Time of the first record; `None`: now.
    pub start: Option<Timestamp>,
    /// How many times as fast as ours the clock of the records runs.
    pub speedup: f64,
    /// What the records are made from.
    pub seed: Seed,
    /// Threads that make records.
    pub jobs: usize,
    /// Nothing is written or sent.
    pub dry_run: bool,
    /// Nothing is said while it runs.
    pub quiet: bool,
}

impl BoundFlags {
    /// The flags over `defaults`. Who says how long but not how many wants no bound on the number.
    ///
    /// # Errors
    /// A seed cannot be drawn.
    pub fn over(&self, defaults: BoundDefaults, quiet: bool) -> anyhow::Result<Bounds> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => Seed::draw()?,
        };
        let default_count = defaults.count.filter(|_| self.duration.is_none());
        let unlimited = |number: u64| (number > 0).then_some(number);
        let duration = match self.duration {
            Some(Limit(duration)) => duration,
            None => defaults.duration,
        };
        Ok(Bounds {
            count: self.count.map_or(default_count, Some).and_then(unlimited),
            rate: self
                .rate
                .map_or(defaults.rate, Some)
                .filter(|rate| *rate > 0.0),
            duration,
            start: self.start,
            speedup: self.speedup.unwrap_or(1.0),
            seed,
            jobs: self.jobs.into(),
            dry_run: self.dry_run,
            quiet,
        })
    }
}

impl Bounds {
    /// When records are due.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        self.rate.map_or(Schedule::Free, Schedule::Rate)
    }

    /// The times that records carry, made by `schedule` from `begun` (now) on.
    #[must_use]
    pub fn times(&self, schedule: Schedule, begun: Timestamp) -> Times {
        match self.start {
            Some(start) => Times::from_start(schedule, start.as_microsecond(), self.speedup),
            None => Times::live(schedule, begun.as_microsecond()),
        }
    }

    /// Records to make, also where the time says how many; `None`: without end, or until the time
    /// of [`until`](Self::until) is over.
    #[must_use]
    pub fn records(&self) -> Option<u64> {
        let by_time = match (self.duration, self.rate, self.start) {
            (Some(duration), Some(rate), _) => Some((duration, rate)),
            (Some(duration), None, Some(_)) => Some((duration, NOMINAL_RATE)),
            _ => None,
        };
        let by_time = by_time.map(|(duration, rate)| {
            // Rounded: what is a whole number but for the last digit is one.
            (duration.as_secs_f64() * rate / self.speedup).round() as u64
        });
        match (self.count, by_time) {
            (Some(count), Some(by_time)) => Some(count.min(by_time)),
            (count, by_time) => count.or(by_time),
        }
    }

    /// The time by our clock after which to stop. Where the number of records tells when the time is
    /// over, it is a little later: the last of them is due just then. Where records carry times of their
    /// own there is none.
    #[must_use]
    pub fn until(&self) -> Option<Duration> {
        let duration = self.duration.filter(|_| self.start.is_none())?;
        Some(match self.rate {
            Some(_) => with_grace(duration),
            None => duration,
        })
    }

    /// The lines of `--print-config` that say this.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: String| {
            text.push_str(&format!("{key}: {value}\n"));
        };
        line("count", self.count.unwrap_or(0).to_string());
        line("rate", self.rate.unwrap_or(0.0).to_string());
        line(
            "duration",
            self.duration
                .map_or_else(|| "0".to_owned(), |time| format!("{}ms", time.as_millis())),
        );
        line(
            "start",
            self.start
                .map_or_else(|| "now".to_owned(), |time| time.to_string()),
        );
        line("speedup", self.speedup.to_string());
        line("seed", self.seed.to_string());
        line("jobs", self.jobs.to_string());
        line("dry_run", self.dry_run.to_string());
        text
    }

    /// A usage error where a rate is asked for that stands against something else.
    ///
    /// # Errors
    /// The rate is asked for.
    pub fn refuse_rate(&self, because: &str) -> Result<(), UsageError> {
        match self.rate {
            Some(_) => Err(UsageError(format!("--rate {because}"))),
            None => Ok(()),
        }
    }
}

/// When to stop a run of which the number of records tells when the time is over: a little later, since
/// the last of them is due just then.
#[must_use]
pub fn with_grace(duration: Duration) -> Duration {
    duration.saturating_add((duration / 100 + GRACE).min(GRACE_MOST))
}

pub(crate) fn count(text: &str) -> Result<u64, Refusal> {
    let count = text.parse();
    count.map_err(|_wrong| Refusal::new("must be a whole number of records; 0: without end"))
}

pub(crate) fn rate(text: &str) -> Result<f64, Refusal> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1e9).contains(rate));
    rate.ok_or_else(|| Refusal::new("must be a number of records a second, from 0 to 1000000000"))
}

fn speedup(text: &str) -> Result<f64, Refusal> {
    let speedup = text
        .parse()
        .ok()
        .filter(|number: &f64| (1e-6..=1e9).contains(number));
    speedup.ok_or_else(|| Refusal::new("must be a number from 0.000001 to 1000000000"))
}

pub(crate) fn limit(text: &str) -> Result<Limit, Refusal> {
    let time = match text.parse() {
        // Bare seconds.
        Ok(seconds) => Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|time| *time <= LONGEST),
        Err(_) => parse_duration(text).ok(),
    };
    let time = time.ok_or_else(|| {
        Refusal::new(
            "must be a duration like 500ms, 30s, 5m, 1h or 1d, or a number of seconds, up to 36500d; \
             0: without end",
        )
    })?;
    Ok(Limit((!time.is_zero()).then_some(time)))
}

/// A time; where it names no zone, one of UTC, and without a time of day, the beginning of the day.
#[must_use]
pub fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

pub(crate) fn start(text: &str) -> Result<Timestamp, Refusal> {
    let refusal = || {
        Refusal::new(
            "must be a time like 2026-11-21T12:00:00Z of the years 1 to 9998, or how long ago like -6h",
        )
    };
    match text.strip_prefix('-') {
        Some(ago) => {
            let ago = parse_duration(ago)?;
            let ago = SignedDuration::try_from(ago).map_err(|_too_long| refusal())?;
            Timestamp::now()
                .checked_sub(ago)
                .map_err(|_outside| refusal())
        }
        None => time(text)
            .filter(|time| (1..=9998).contains(&time.to_zoned(TimeZone::UTC).year()))
            .ok_or_else(refusal),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        flags: BoundFlags,
    }

    const DEFAULTS: BoundDefaults = BoundDefaults {
        count: Some(10),
        rate: Some(5.0),
        duration: None,
    };

    fn read(line: &str) -> Result<Bounds, String> {
        let words = std::iter::once("x").chain(line.split_whitespace());
        let program = Program::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(program.flags.over(DEFAULTS, false).unwrap())
    }

    #[test]
    fn how_many_records() {
        let check = |line: &str, records: Option<u64>, until: Option<u64>| {
            let bounds = read(line).unwrap();
            assert_eq!(bounds.records(), records, "{line}");
            assert_eq!(bounds.until(), until.map(Duration::from_millis), "{line}");
        };
        check("", Some(10), None);
        check("-n 7", Some(7), None);
        check("--total 7", Some(7), None);
        check("--count 0", None, None);
        check("--duration 0", None, None);
        check("--duration 10s", Some(50), Some(10_250));
        check("--duration 10", Some(50), Some(10_250));
        check("--duration 0.5 --rate 0", None, Some(500));
        check("--duration 0.0", None, None);
        check("--duration 1d --rate 1", Some(86_400), Some(86_401_000));
        check("--duration 10s -n 7", Some(7), Some(10_250));
        check("--duration 10s --rate 0", None, Some(10_000));
        check("--duration 10s --rate 0 -n 7", Some(7), Some(10_000));
        check(
            "--duration 10s --rate 100000",
            Some(1_000_000),
            Some(10_250),
        );
        let start = "--start 2026-11-21T00:00:00Z";
        check(
            &format!("{start} --duration 1h --rate 0"),
            Some(3_600_000),
            None,
        );
        check(
            &format!("{start} --duration 1h --rate 10 --speedup 60"),
            Some(600),
            None,
        );
    }

    #[test]
    fn seeds_are_drawn_where_none_is_given() {
        assert_eq!(read("--seed 0x10").unwrap().seed, Seed(16));
        assert_ne!(read("").unwrap().seed, read("").unwrap().seed);
    }

    #[test]
    fn times_of_the_past() {
        let bounds = read("--start -6h").unwrap();
        let ago = Timestamp::now().duration_since(bounds.start.unwrap());
        assert!((ago.as_secs() - 6 * 3600).abs() < 60, "{ago:?}");
        for same in [
            "2026-01-31",
            "2026-01-31T00:00:00",
            "2026-01-31T01:00:00+01:00",
        ] {
            let bounds = read(&format!("--start {same}")).unwrap();
            let expected = "2026-01-31T00:00:00Z".parse().unwrap();
            assert_eq!(bounds.start, Some(expected), "{same}");
        }
        let at = |line: &str, number| {
            let bounds = read(line).unwrap();
            let times = bounds.times(bounds.schedule(), Timestamp::UNIX_EPOCH);
            times.at(number)
        };
        assert_eq!(at("--start 1970-01-01T01:00:00Z", 5), Some(3_601_000_000));
        assert_eq!(at("--rate 1", 4), Some(4_000_000));
        assert_eq!(at("--rate 0", 4), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |line: &str, said: &str| {
            let error = read(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        };
        for bad in ["-1", "nan", "inf", "x", "1e10", ""] {
            check(&format!("--rate={bad}"), "records a second");
        }
        // Behind a space too it is a value, and the sentence is ours.
        check("--rate -1", "'--rate <N>': must be a number of records");
        check("-n -5", "'--count <N>': must be a whole number of records");
        check("--duration -1", "'--duration <TIME>': must be a duration");
        check("--seed -1", "'--seed <N>': must be a whole number");
        check(
            "--start -6h --speedup -1",
            "'--speedup <N>': must be a number",
        );
        check("--jobs -1", "'--jobs <N>'");
        for bad in [
            "9999-01-01",
            "99999-01-01",
            "0000-12-31",
            "-9999-01-01T00:00:00Z",
        ] {
            check(&format!("--start {bad}"), "");
        }
        check("--start 9999-12-31", "of the years 1 to 9998");
        check("--duration 10x", "or a number of seconds");
        check("--duration inf", "must be a duration");
        check("--duration nan", "must be a duration");
        check("--duration 1e300", "must be a duration");
        check("--duration -1s", "must be a duration");
        check("--duration=-1s", "must be a duration");
        check("--start yesterday", "must be a time like");
        check("--start -6", "must be a duration");
        check("--start=-36501d", "must be a duration");
        check("--speedup 2", "--start");
        check(
            "--start 2026-11-21T00:00:00Z --speedup 0",
            "must be a number",
        );
        check("--jobs 0", "1..=256");
        check("--seed x", "whole number");
        check("-n x", "must be a whole number of records");
    }

    #[test]
    fn the_configuration_is_printed() {
        let bounds = read("--seed 7 -n 5 --rate 0.5 --duration 1m").unwrap();
        let expected = "count: 5\nrate: 0.5\nduration: 60000ms\nstart: now\nspeedup: 1\nseed: 7\n\
                        jobs: 1\ndry_run: false\n";
        assert_eq!(bounds.to_yaml(), expected);
    }
}
