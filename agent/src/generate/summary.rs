//! What a run came to: said on stderr at its end, however it ended.

use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::schedule::Schedule;
use super::seed::Seed;
use crate::exit::Exit;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The seed, with which the same comes again.
    pub seed: u64,
    /// Records that were made and handed over.
    pub records: u64,
    /// Bytes that were written or sent; none: they cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// From the start to the end.
    pub seconds: f64,
    /// Records a second.
    pub rate: f64,
    /// Records a second that were asked for; none: as fast as it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_rate: Option<f64>,
    /// Whether the rate, if one was asked for, was met.
    pub rate_met: bool,
    /// Records that their target refused.
    pub refused: u64,
    /// Records that could not be brought to their target.
    pub undelivered: u64,
    /// Records that were made when it was time to stop, and not sent any more.
    pub unsent: u64,
    /// Nothing was written or sent.
    pub dry_run: bool,
    /// They are frames: nobody refuses one.
    #[serde(skip)]
    pub is_of_frames: bool,
}

impl Summary {
    /// Of a run by this schedule that handed over so many records and bytes, none refused.
    #[must_use]
    pub fn new(seed: Seed, schedule: Schedule, records: u64, bytes: u64, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        Self {
            seed: seed.0,
            records,
            bytes: Some(bytes),
            seconds,
            rate: records as f64 / seconds.max(1e-9),
            asked_rate: match schedule {
                Schedule::Rate(rate) => Some(rate),
                Schedule::Free | Schedule::Batches { .. } => None,
            },
            rate_met: schedule.was_kept(records, time),
            refused: 0,
            undelivered: 0,
            unsent: 0,
            dry_run: false,
            is_of_frames: false,
        }
    }

    /// How the program ends with this: a target that could not be reached comes before one that
    /// refused something, that before a rate that was not met.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self {
                undelivered: 1.., ..
            } => Exit::Unreachable,
            Self { refused: 1.., .. } => Exit::Refused,
            Self {
                rate_met: false, ..
            } => Exit::RateNotMet,
            _ => Exit::Done,
        }
    }

    /// Whether less than all that was asked for came to its target.
    #[must_use]
    pub const fn has_lost(&self) -> bool {
        self.refused > 0 || self.undelivered > 0 || self.unsent > 0 || !self.rate_met
    }

    /// Says it in one line on stderr; `is_quiet`: only if something was lost.
    pub fn say_unless(&self, is_quiet: bool) {
        if !is_quiet || self.has_lost() {
            self.say();
        }
    }

    fn say(&self) {
        // Where stderr is gone there is nobody to tell.
        drop(writeln!(io::stderr().lock(), "tapline: {self}"));
    }
}

/// Says a line on stderr, with the name of the program in front.
pub fn note(line: &str) {
    drop(writeln!(io::stderr().lock(), "tapline: {line}"));
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            records,
            bytes,
            seconds,
            rate,
            asked_rate,
            rate_met,
            refused,
            undelivered,
            unsent,
            dry_run,
            is_of_frames,
        } = self;
        let what = if *is_of_frames { "frames" } else { "records" };
        write!(formatter, "{records} {what}, ")?;
        if let Some(bytes) = bytes {
            write!(formatter, "{bytes} bytes, ")?;
        }
        write!(formatter, "{seconds:.3} s, {rate:.1} {what}/s")?;
        if !is_of_frames {
            write!(formatter, ", {refused} refused")?;
        }
        if *undelivered > 0 {
            write!(formatter, ", {undelivered} could not be delivered")?;
        }
        if *unsent > 0 {
            write!(formatter, ", {unsent} not sent")?;
        }
        if let (Some(asked), false) = (asked_rate, rate_met) {
            write!(formatter, "; the rate of {asked} {what}/s was not met")?;
        }
        if *dry_run {
            formatter.write_str("; a dry run: nothing was written or sent")?;
        }
        write!(formatter, "; seed={seed}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(schedule: Schedule, records: u64, seconds: u64) -> Summary {
        let time = Duration::from_secs(seconds);
        Summary::new(Seed(7), schedule, records, 2 * records, time)
    }

    #[test]
    fn the_worst_decides_how_it_ends() {
        let check = |summary: Summary, exit| assert_eq!(summary.exit(), exit, "{summary}");
        let met = || summary(Schedule::Rate(10.0), 100, 10);
        let missed = || summary(Schedule::Rate(10.0), 50, 10);
        check(summary(Schedule::Free, 5, 1), Exit::Done);
        check(met(), Exit::Done);
        check(missed(), Exit::RateNotMet);
        let stopped = Summary { unsent: 1, ..met() };
        check(stopped, Exit::Done);
        let refused = Summary {
            refused: 1,
            ..missed()
        };
        check(refused.clone(), Exit::Refused);
        check(
            Summary {
                undelivered: 1,
                ..refused
            },
            Exit::Unreachable,
        );
    }

    #[test]
    fn quiet_says_what_is_lost() {
        let met = || summary(Schedule::Rate(10.0), 100, 10);
        assert!(!met().has_lost());
        assert!(summary(Schedule::Rate(10.0), 50, 10).has_lost());
        assert!(
            Summary {
                refused: 1,
                ..met()
            }
            .has_lost()
        );
        assert!(
            Summary {
                undelivered: 1,
                ..met()
            }
            .has_lost()
        );
        assert!(Summary { unsent: 1, ..met() }.has_lost());
    }

    #[test]
    fn a_line_says_all() {
        let check = |summary: &Summary, expected: &str| {
            assert_eq!(summary.to_string(), expected);
        };
        check(
            &summary(Schedule::Free, 100, 10),
            "100 records, 200 bytes, 10.000 s, 10.0 records/s, 0 refused; seed=7",
        );
        let stored = Summary {
            bytes: None,
            ..summary(Schedule::Free, 100, 10)
        };
        check(
            &stored,
            "100 records, 10.000 s, 10.0 records/s, 0 refused; seed=7",
        );
        assert!(!serde_json::to_string(&stored).unwrap().contains("bytes"));
        let frames = Summary {
            unsent: 5,
            is_of_frames: true,
            ..summary(Schedule::Free, 100, 10)
        };
        check(
            &frames,
            "100 frames, 200 bytes, 10.000 s, 10.0 frames/s, 5 not sent; seed=7",
        );
        let missed = Summary {
            refused: 3,
            undelivered: 4,
            unsent: 5,
            dry_run: true,
            ..summary(Schedule::Rate(1000.0), 100, 10)
        };
        check(
            &missed,
            "100 records, 200 bytes, 10.000 s, 10.0 records/s, 3 refused, 4 could not be delivered, 5 not sent; \
             the rate of 1000 records/s was not met; a dry run: nothing was written or sent; seed=7",
        );
    }
}
