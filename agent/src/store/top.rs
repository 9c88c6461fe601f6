//! Exchanges by what they have in common, from roll-ups or from rows.

use jiff::Timestamp;

use super::answer::{Covered, Question, Wanted, time_of, wanted};
use super::search::Search;
use super::{ReadError, Store};
use crate::sink::sqlite::groups::Kind;
use crate::sink::sqlite::groups::part::{self, Group, Merged};

/// Seconds of an hour.
const HOUR: i64 = 3600;

/// What exchanges are grouped by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Method and path template.
    Endpoint,
    /// The Host.
    Host,
    /// The address of the client.
    Client,
    /// The method.
    Method,
    /// The status.
    Status,
    /// The hour of the day, UTC.
    Hour,
    /// The User-Agent.
    UserAgent,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Endpoint,
        Self::Host,
        Self::Client,
        Self::Method,
        Self::Status,
        Self::Hour,
        Self::UserAgent,
    ];

    /// The name in questions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Endpoint => Kind::Endpoint.name(),
            Self::Host => Kind::Host.name(),
            Self::Client => Kind::Client.name(),
            Self::Method => Kind::Method.name(),
            Self::Status => Kind::Status.name(),
            Self::UserAgent => Kind::UserAgent.name(),
        }
    }

    fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::Hour => return None,
            Self::Endpoint => Kind::Endpoint,
            Self::Host => Kind::Host,
            Self::Client => Kind::Client,
            Self::Method => Kind::Method,
            Self::Status => Kind::Status,
            Self::UserAgent => Kind::UserAgent,
        })
    }
}

/// Groups of exchanges.
#[derive(Debug, Default)]
pub struct Top(pub(crate) Merged);

impl Store {
    /// The groups of what is asked for, and what they cover. `now`: what is newer is not there yet.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn top(
        &self,
        question: &Question,
        by: By,
        now: Timestamp,
    ) -> Result<(Top, Covered), ReadError> {
        if let Some(answer) = self.top_known(question, by, now)? {
            return Ok(answer);
        }
        let mut search = Search::new(question, now);
        search.advance(self)?;
        Ok((search.top(by), search.covered()))
    }

    /// As [`top`](Self::top), where roll-ups know it; None: it must be searched for.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn top_known(
        &self,
        question: &Question,
        by: By,
        now: Timestamp,
    ) -> Result<Option<(Top, Covered)>, ReadError> {
        let Some(kind) = by.kind() else {
            return self.by_hour(question, now);
        };
        match wanted(&question.filter) {
            Some(wanted) if wanted.kind == Kind::All || wanted.kind == kind => {
                self.top_of_groups(question, &Wanted { kind, ..wanted }, now)
            }
            _ => Ok(None),
        }
    }

    fn by_hour(
        &self,
        question: &Question,
        now: Timestamp,
    ) -> Result<Option<(Top, Covered)>, ReadError> {
        let asked = self.within_days(question);
        let Some((series, mut covered)) = self.series_known(&asked, Some(HOUR), now)? else {
            return Ok(None);
        };
        if covered.complete {
            covered.from = question.from;
            covered.to = question.to.min(now).max(question.from);
        }
        let mut merged = Merged::default();
        for (place, tally) in series.tallies.iter().enumerate() {
            if tally.exchanges() > 0 {
                let hour = series.from.div_euclid(HOUR).saturating_add(place as i64);
                let value = hour.rem_euclid(24).to_string();
                merged.group(&value).merge(tally);
            }
        }
        Ok(Some((Top(merged), covered)))
    }

    /// The part of a question that there are days for: a range of all times has millions of hours.
    #[must_use]
    pub fn within_days(&self, question: &Question) -> Question {
        let days = self.files.iter().map(|file| file.day.0);
        let (first, last) = (days.clone().min().unwrap_or(0), days.max().unwrap_or(0));
        let start = |day: i64| time_of(day.saturating_mul(24 * HOUR));
        let from = question.from.max(start(first.saturating_sub(1)));
        Question {
            from,
            to: question.to.min(start(last.saturating_add(2))).max(from),
            ..question.clone()
        }
    }

    fn top_of_groups(
        &self,
        question: &Question,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Option<(Top, Covered)>, ReadError> {
        let range = question.minutes();
        let is_all = wanted.group == super::answer::Which::All;
        let mut merged = Merged::default();
        let mut may_be_other = false;
        self.groups(wanted, range, None, &mut |_time, data| {
            if is_all {
                return Ok(merged.add(data)?);
            }
            let (mut found, mut has_others) = (false, false);
            part::read::<super::roll_ups::Failed>(data, |group| {
                match group {
                    Group::Others(_) => has_others = true,
                    Group::Of(value, mut tally) if wanted.group.has(value) => {
                        found = true;
                        merged.group(value).merge_encoded(&mut tally)?;
                    }
                    Group::Of(..) => {}
                }
                Ok(())
            })?;
            may_be_other |= has_others && !found;
            Ok(())
        })?;
        if may_be_other {
            return Ok(None);
        }
        let covered = self.covered_by_groups(wanted.kind, range, now)?;
        Ok(Some((Top(merged), covered)))
    }
}
