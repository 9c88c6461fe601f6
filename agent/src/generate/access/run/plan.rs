//! What a run is to do: what lines, how fast, from when, how long, and to where.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::generate::access::config::{AccessConfig, by_hour};
use crate::generate::access::files::Rules;
use crate::generate::seed::Seed;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The three logs of `output.directory`.
    Files,
    /// Lines of access.log alone to stdout.
    Stdout,
    /// Nowhere.
    Nowhere,
}

/// How fast lines are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second, before the pattern of the day.
    Rate(f64),
    /// As fast as it goes. With a start the times that lines carry are those of the configured rate,
    /// without one that at which they are made.
    Free,
}

/// What a run is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The configuration, with what flags and variables changed.
    pub config: AccessConfig,
    /// Where lines go.
    pub to: To,
    /// How fast.
    pub pace: Pace,
    /// Lines, beside those of the day before; `None`: without end.
    pub count: Option<u64>,
    /// How long, by the clock of the lines.
    pub duration: Option<Duration>,
    /// The time of the start; `None`: now.
    pub start: Option<Timestamp>,
    /// How many times as fast as ours the clock of the lines runs.
    pub speedup: f64,
    /// What random numbers come from.
    pub seed: Seed,
    /// Threads that make lines.
    pub jobs: usize,
    /// Where to listen for those who ask about health.
    pub listen: Option<SocketAddr>,
    /// Nothing is said while it runs.
    pub is_quiet: bool,
}

impl Plan {
    /// What the rate is multiplied by at the start.
    #[must_use]
    pub fn multiplier(&self) -> f64 {
        let traffic = &self.config.traffic;
        let zone = TimeZone::get(&traffic.time_zone).unwrap_or(TimeZone::UTC);
        let now = zone.to_datetime(self.start.unwrap_or_else(Timestamp::now));
        let hours = by_hour(&traffic.patterns).unwrap_or([1.0; 24]);
        let hour = usize::from(now.hour().unsigned_abs());
        hours.get(hour).copied().unwrap_or(1.0)
    }

    /// What is to be said where files of the past are deleted as soon as they are written.
    pub(super) fn loses(&self, begin: i64, zone: &TimeZone) -> Option<String> {
        let output = &self.config.output;
        let rotation = &output.rotation;
        let to = match (self.start, self.duration) {
            _ if self.to != To::Files => return None,
            (Some(_), Some(length)) if self.pace == Pace::Free => {
                let length = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
                begin.saturating_add(length)
            }
            _ => begin,
        };
        let time = |time: i64| Timestamp::from_nanosecond(time.into()).unwrap_or_default();
        let rules = Rules::new(rotation, zone.clone());
        let kept = rotation.backup_count;
        rules
            .loses(time(self.from(begin)), time(to), kept)
            .then(|| {
                format!(
                    "the last lines alone are kept: {kept} files of each log that were put aside \
                     (output.log_rotation.backup_count; 0: all)"
                )
            })
    }

    /// When the first line may be due, where the start is at `begin`.
    pub(super) const fn from(&self, begin: i64) -> i64 {
        match self.config.output.pre_warm {
            true => begin.saturating_sub(DAY),
            false => begin,
        }
    }
}
