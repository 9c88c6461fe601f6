//! Sums of exchanges over time: one for all of it, or one for each step.

use std::time::Duration;

use jiff::Timestamp;

use super::answer::{Covered, Question, Source, Wanted, Which, time_of, wanted};
use super::search::Search;
use super::{ReadError, Store};
use crate::sink::sqlite::groups::part::{self, Group};
use crate::sink::sqlite::groups::{Kind, MINUTE, floor};
use crate::sink::sqlite::tally::Tally;

/// Minutes that are so new that their roll-ups may still be on their way, in seconds: those are taken
/// from the sums by second.
const FRESH: i64 = 2 * MINUTE;

/// Seconds of the steps that can be asked for; each is a multiple of those before it.
pub const STEPS: [i64; 7] = [1, 5, 10, 60, 300, 600, 3600];
/// Steps that can be asked for at most.
pub const POINTS_MOST: i64 = 1500;

/// Sums, a place for each step.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The first second of the first place.
    pub from: i64,
    /// Seconds of a place.
    pub step: i64,
    /// What each place has counted.
    pub(crate) tallies: Vec<Tally>,
}

impl Series {
    /// Places of this many seconds, at multiples of it, that hold all between these seconds; None: one
    /// place.
    pub(super) fn new((from, to): (i64, i64), step: Option<i64>) -> Self {
        let (first, step) = match step {
            None => (from, to.saturating_sub(from).max(1)),
            Some(step) => (floor(from, step.max(1)), step.max(1)),
        };
        let length = to.saturating_sub(first).max(1) as u64;
        let places = usize::try_from(length.div_ceil(step as u64)).unwrap_or(1);
        Self {
            from: first,
            step,
            tallies: vec![Tally::default(); places],
        }
    }

    /// The place of a second; None: it is outside.
    pub(super) fn at(&mut self, second: i64) -> Option<&mut Tally> {
        let place = second.checked_sub(self.from)?.div_euclid(self.step);
        self.tallies.get_mut(usize::try_from(place).ok()?)
    }

    pub(super) fn add(&mut self, second: i64, tally: &Tally) {
        if let Some(sum) = self.at(second) {
            sum.merge(tally);
        }
    }
}

impl Store {
    /// The sums of what is asked for, by steps of so many seconds (None: in one), and what they cover.
    /// `now`: what is newer has no sums yet.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn series(
        &self,
        question: &Question,
        step: Option<i64>,
        now: Timestamp,
    ) -> Result<(Series, Covered), ReadError> {
        if let Some(answer) = self.series_known(question, step, now)? {
            return Ok(answer);
        }
        let mut search = Search::new(question, now);
        search.advance(self)?;
        Ok((search.series(step), search.covered()))
    }

    /// As [`series`](Self::series), where roll-ups know it; None: it must be searched for.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn series_known(
        &self,
        question: &Question,
        step: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<(Series, Covered)>, ReadError> {
        let Some(wanted) = wanted(&question.filter) else {
            return Ok(None);
        };
        match wanted.kind {
            Kind::All => self.series_of_all(question, &wanted, step, now).map(Some),
            _ if step.is_none_or(|step| step % MINUTE == 0) => {
                self.series_of_groups(question, &wanted, step, now)
            }
            _ => Ok(None),
        }
    }

    fn series_of_all(
        &self,
        question: &Question,
        wanted: &Wanted,
        step: Option<i64>,
        now: Timestamp,
    ) -> Result<(Series, Covered), ReadError> {
        let (from, to) = question.seconds();
        let mut series = Series::new((from, to), step);
        let (first, last) = match step {
            Some(step) if step % MINUTE != 0 => (to, to),
            _ => {
                let fresh = floor(now.as_second().saturating_sub(FRESH), MINUTE);
                let first = floor(from.saturating_add(MINUTE - 1), MINUTE);
                let last = floor(to, MINUTE).min(fresh);
                match first < last {
                    true => (first, last),
                    false => (to, to),
                }
            }
        };
        self.groups(wanted, (first, last), step, &mut |time, data| {
            part::read(data, |group| match (group, series.at(time)) {
                (Group::Of(_, mut tally) | Group::Others(mut tally), Some(sum)) => {
                    Ok(sum.merge_encoded(&mut tally)?)
                }
                (_, None) => Ok(()),
            })
        })?;
        let mut ends = vec![(from, first), (last, to)];
        // What a file of an earlier schema has.
        for file in self.files.iter().filter(|file| !file.has_groups) {
            for role in &wanted.roles {
                file.sums("minutes", *role, (first, last), &mut |second, tally| {
                    series.add(second, tally);
                })?;
            }
        }
        ends.retain(|(from, to)| from < to);
        for end in ends {
            self.seconds(&wanted.roles, end, &mut |second, tally| {
                series.add(second, tally);
            })?;
        }
        let covered = Covered {
            from: time_of(from),
            to: time_of(to).min(now).max(time_of(from)),
            complete: true,
            source: Source::RollUp,
            next: None,
        };
        Ok((series, covered))
    }

    /// None: what is asked for may be one of the others of some period.
    fn series_of_groups(
        &self,
        question: &Question,
        wanted: &Wanted,
        step: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<(Series, Covered)>, ReadError> {
        let (from, to) = question.minutes();
        let mut series = Series::new((from, to), step);
        let mut may_be_other = false;
        self.groups(wanted, (from, to), step, &mut |time, data| {
            let mut found = false;
            let mut has_others = false;
            part::read::<super::roll_ups::Failed>(data, |group| {
                match group {
                    Group::Others(_) => has_others = true,
                    Group::Of(value, mut tally) if wanted.group.has(value) => {
                        found = true;
                        if let Some(sum) = series.at(time) {
                            sum.merge_encoded(&mut tally)?;
                        }
                    }
                    Group::Of(..) => {}
                }
                Ok(())
            })?;
            may_be_other |= has_others && !found && wanted.group != Which::All;
            Ok(())
        })?;
        if may_be_other {
            return Ok(None);
        }
        Ok(Some((
            series,
            self.covered_by_groups(wanted.kind, (from, to), now)?,
        )))
    }

    /// What whole minutes of groups cover.
    pub(super) fn covered_by_groups(
        &self,
        kind: Kind,
        (from, to): (i64, i64),
        now: Timestamp,
    ) -> Result<Covered, ReadError> {
        let known = self.groups_known_from(kind)?;
        let first = known.map_or(from, |known| known.clamp(from, to));
        Ok(Covered {
            from: time_of(first),
            to: time_of(to).min(now).max(time_of(first)),
            complete: first == from,
            source: Source::RollUp,
            next: None,
        })
    }
}

/// The default length of a step, so that there are at most so many.
#[must_use]
pub fn step_of(length: Duration, steps: &[i64], most: u64) -> i64 {
    let fits = |step: &&i64| length.as_secs().div_ceil(step.unsigned_abs().max(1)) <= most;
    let longest = steps.last().copied().unwrap_or(1);
    steps.iter().find(fits).copied().unwrap_or(longest)
}
