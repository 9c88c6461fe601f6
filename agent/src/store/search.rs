//! A search: what a question comes to that roll-ups cannot answer, found by looking at rows, the newest
//! first, a little farther each time. One pass makes all views of the answer (sums, steps of time, groups,
//! the slowest), so that they are about the same rows whichever is asked for.
//!
//! ```text
//! newest ◄──────────────── looked at ────────────────┤ at ├──────── not yet ───────► from
//! ```
//!
//! What was looked at is not looked at again: a row that is stored late, behind the place where the
//! search has come to, is not in it. Its range has a fixed end, so what comes new does not move it.

mod found;
mod groups;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::Timestamp;

use self::found::{Found, FoundRow};
use super::answer::{Covered, Question, Source};
use super::filter::Query;
use super::rows;
use super::scan::Stretch;
use super::series::Series;
use super::top::{By, Top};
use super::{Cursor, ExchangeFilter, Next, NoCursor, Order, ReadError, ReadFile, Store};

/// A stretch of time with fixed ends, which a search that goes on is asked for by, and how far that came:
/// so that going on is another question than the one before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pinned {
    from: Timestamp,
    to: Timestamp,
    reached: Timestamp,
}

impl Pinned {
    /// The first moment.
    #[must_use]
    pub fn from(self) -> Timestamp {
        self.from
    }

    /// The moment behind the last.
    #[must_use]
    pub fn to(self) -> Timestamp {
        self.to
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to, reached] = [self.from, self.to, self.reached].map(Timestamp::as_microsecond);
        write!(formatter, "{from}..{to}..{reached}")
    }
}

impl FromStr for Pinned {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (from, rest) = text.split_once("..").ok_or(NoCursor)?;
        let (to, reached) = rest.split_once("..").ok_or(NoCursor)?;
        let time = |text: &str| {
            let microseconds = text.parse().map_err(|_none| NoCursor)?;
            Timestamp::from_microsecond(microseconds).map_err(|_none| NoCursor)
        };
        let (from, to, reached) = (time(from)?, time(to)?, time(reached)?);
        (from..=to)
            .contains(&reached)
            .then_some(Self { from, to, reached })
            .ok_or(NoCursor)
    }
}

/// What a search is for: equal where the rows that are found are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SearchKey(ExchangeFilter);

impl SearchKey {
    /// Of a question, with its times as they are.
    #[must_use]
    pub fn of(question: &Question) -> Self {
        let mut filter = pinned(question, Timestamp::MAX).of_rows();
        if let Some(host) = &mut filter.host {
            host.make_ascii_lowercase();
        }
        Self(filter)
    }
}

/// A search, as far as it came.
#[derive(Debug)]
pub struct Search {
    /// With the ends of time that are fixed.
    question: Question,
    query: Query,
    sql: String,
    found: Found,
    /// Where to go on; None: it has not begun, or is at its end.
    at: Option<Cursor>,
    is_complete: bool,
}

impl Search {
    /// One that has looked at nothing yet. `now`: its range ends there at the latest.
    #[must_use]
    pub fn new(question: &Question, now: Timestamp) -> Self {
        let question = pinned(question, now);
        let query = question.of_rows().query();
        Self {
            sql: rows::select(&query, ", method, target, host, src_ip, user_agent"),
            query,
            found: Found::new(question.seconds()),
            question,
            at: None,
            is_complete: false,
        }
    }

    /// What it is for, with the end that it has.
    #[must_use]
    pub fn key(&self) -> SearchKey {
        SearchKey::of(&self.question)
    }

    /// Whether all rows have been looked at.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether it is farther than whoever asks knows; where that is nothing yet, whether it has begun. So all
    /// who ask for a view of it at the same time are given views of the same rows.
    #[must_use]
    pub fn is_ahead_of(&self, known: Option<Pinned>) -> bool {
        let reached = self.covered().from;
        self.is_complete || self.at.is_some() && known.is_none_or(|known| reached < known.reached)
    }

    /// Looks farther, until the deadline of the store; always a little.
    ///
    /// # Errors
    /// A database cannot be read; the search has to begin anew then, and does.
    pub fn advance(&mut self, store: &Store) -> Result<(), ReadError> {
        if self.is_complete {
            return Ok(());
        }
        let mut looking = Looking {
            query: &self.query,
            sql: &self.sql,
            fresh: Vec::new(),
            found: &mut self.found,
        };
        match store.scan(&self.query, Order::Newest, self.at, &mut looking) {
            Ok(reach) => {
                self.at = reach.cursor(Order::Newest);
                self.is_complete = self.at.is_none();
                self.found.keep_small();
                Ok(())
            }
            Err(error) => {
                // What was found before it failed may be a part of a stretch.
                self.begin_again();
                Err(error)
            }
        }
    }

    /// Forgets what was found.
    pub fn begin_again(&mut self) {
        self.found = Found::new(self.question.seconds());
        self.at = None;
        self.is_complete = false;
    }

    /// What it has looked at, and how to go on.
    #[must_use]
    pub fn covered(&self) -> Covered {
        let Question { from, to, .. } = self.question;
        let reached = match self.at {
            Some(at) => at.time().clamp(from, to),
            None if self.is_complete => from,
            None => to,
        };
        Covered {
            from: reached,
            to,
            complete: self.is_complete,
            source: Source::Rows,
            next: (!self.is_complete).then_some(Next::Search(Pinned { from, to, reached })),
        }
    }

    /// The sums by steps of so many seconds; None: in one.
    #[must_use]
    pub fn series(&self, step: Option<i64>) -> Series {
        self.found.series(self.question.seconds(), step)
    }

    /// The groups.
    #[must_use]
    pub fn top(&self, by: By) -> Top {
        Top(self.found.top(by))
    }

    /// The keys of the slowest, the slowest first.
    pub(super) fn slowest(&self) -> impl Iterator<Item = i64> {
        self.found.slowest().iter().map(|(_, id)| *id)
    }

    /// What its rows are found by, for one of them.
    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.found.bytes()
    }
}

/// The question with ends that stay.
fn pinned(question: &Question, now: Timestamp) -> Question {
    let whole = |time: Timestamp| {
        Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(Timestamp::UNIX_EPOCH)
    };
    let from = whole(question.from);
    Question {
        from,
        to: whole(question.to.min(now)).max(from),
        ..question.clone()
    }
}

/// Counts the rows of a stretch when all of it has been looked at.
struct Looking<'s> {
    query: &'s Query,
    sql: &'s str,
    fresh: Vec<FoundRow>,
    found: &'s mut Found,
}

impl Stretch for Looking<'_> {
    fn look(&mut self, file: &ReadFile, keys: &RangeInclusive<i64>) -> Result<(), ReadError> {
        let Self { found, fresh, .. } = self;
        rows::each(file, self.query, self.sql, keys, |row| {
            fresh.push(found.row(row)?);
            Ok(())
        })
    }

    fn undo(&mut self) {
        self.fresh.clear();
    }

    fn keep(&mut self) -> bool {
        for row in self.fresh.drain(..) {
            self.found.count(&row);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pins_a_range_comes_back() {
        for (from, to) in [
            (0, 0),
            (-5, 7),
            (1_763_790_000_000_000, 1_763_793_600_000_000),
        ] {
            let time = |us| Timestamp::from_microsecond(us).unwrap();
            let pinned = Pinned {
                from: time(from),
                to: time(to),
                reached: time(to),
            };
            assert_eq!(pinned.to_string().parse(), Ok(pinned));
        }
        for text in [
            "",
            "..",
            "1..",
            "1.2",
            "1..2",
            "2..1..1",
            "1..2..3",
            "1..2..0",
            "1..2..2..2",
            "0..99999999999999999999..0",
            "0..9223372036854775807..0",
            "-9223372036854775808..0..0",
            "a..b..c",
        ] {
            assert_eq!(text.parse::<Pinned>(), Err(NoCursor), "{text}");
        }
    }
}
