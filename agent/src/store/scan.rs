//! Goes through the rows of all days in order, a stretch of keys at a time, and stops in time.
//!
//! A stretch is as long as what took a few milliseconds before: rows lie a microsecond apart in one
//! file and an hour in another. No transaction is longer than a stretch, since the writer cannot use the
//! log beside the database again while one lasts.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;

use super::filter::Query;
use super::read::Table;
use super::{Cursor, Order, ReadError, ReadFile, Store};
use crate::sink::sqlite::names::Day;

/// Keys of the first stretch: a second.
const FIRST: i64 = 2 * 1_000_000;
/// Keys of the shortest stretch: ten milliseconds. It is never given up.
const SHORTEST: i64 = 2 * 10_000;
/// Keys of the longest stretch: a day.
const LONGEST: i64 = 2 * 86_400 * 1_000_000;
/// A stretch that took less is followed by a longer one.
const QUICK: Duration = Duration::from_millis(8);
/// A stretch that took more is followed by a shorter one.
const SLOW: Duration = Duration::from_millis(30);
/// Instructions of SQLite between two looks at the clock.
const LOOK: i32 = 20_000;

/// How far a scan came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// Through all.
    End,
    /// There was enough.
    Enough,
    /// The time was over: what lies behind this key is not looked at.
    At(i64),
}

/// What is done with a stretch.
pub(super) trait Stretch {
    /// Looks at the rows of a file within these keys. Where it is interrupted, [`Stretch::undo`] follows.
    fn look(&mut self, file: &ReadFile, keys: &RangeInclusive<i64>) -> Result<(), ReadError>;

    /// Forgets what was found since the last [`Stretch::keep`].
    fn undo(&mut self);

    /// All files have been looked at within the stretch. Gives whether it is enough.
    fn keep(&mut self) -> bool;
}

impl Store {
    /// Looks at the rows between the keys of the query, behind `after`, until there is enough, or the
    /// deadline has passed. It always comes a little farther.
    pub(super) fn scan(
        &self,
        query: &Query,
        order: Order,
        after: Option<Cursor>,
        stretch: &mut impl Stretch,
    ) -> Result<Reach, ReadError> {
        let files = self.files_between(query)?;
        let (mut first, mut last) = (query.first_id, query.last_id);
        match (after, order) {
            (Some(after), Order::Newest) => last = last.min(after.id),
            (Some(after), Order::Oldest) => first = first.max(after.id),
            (None, _) => {}
        }
        let mut width = FIRST;
        let mut has_moved = false;
        while first <= last {
            let Some(edge) = edge(&files, query.table, order, first, last)? else {
                break;
            };
            let keys = match order {
                Order::Newest => first.max(edge.saturating_sub(width))..=edge,
                Order::Oldest => edge..=last.min(edge.saturating_add(width)),
            };
            let start = Instant::now();
            let guard = self.deadline.filter(|_| width > SHORTEST);
            let is_whole = look(&files, &keys, order, after, guard, stretch)?;
            if is_whole {
                if stretch.keep() {
                    return Ok(Reach::Enough);
                }
                has_moved = true;
                match order {
                    Order::Newest => last = keys.start().saturating_sub(1),
                    Order::Oldest => first = keys.end().saturating_add(1),
                }
                let took = start.elapsed();
                if took < QUICK {
                    width = width.saturating_mul(4).min(LONGEST);
                } else if took > SLOW {
                    width = (width / 2).max(SHORTEST);
                }
            } else {
                stretch.undo();
                width = SHORTEST;
            }
            if has_moved && self.is_late() && first <= last {
                return Ok(Reach::At(match order {
                    Order::Newest => last,
                    Order::Oldest => first,
                }));
            }
        }
        Ok(Reach::End)
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The files that have rows between the keys of the query, as they are now.
    fn files_between(&self, query: &Query) -> Result<Vec<Ranged<'_>>, ReadError> {
        let mut files = Vec::new();
        for file in &self.files {
            if let Some((first, last)) = file.range(query.table)? {
                let ranged = Ranged { file, first, last };
                files.extend(Some(ranged).filter(|file| file.has(query.first_id, query.last_id)));
            }
        }
        Ok(files)
    }
}

/// A file, and its first and last key when the scan began: a stretch is of few files, however many days
/// there are.
struct Ranged<'s> {
    file: &'s ReadFile,
    first: i64,
    last: i64,
}

impl Ranged<'_> {
    /// Whether it may have rows between these keys.
    fn has(&self, first: i64, last: i64) -> bool {
        self.first <= last && self.last >= first
    }
}

impl Reach {
    /// Where to go on from; None: there is no more, or the last row tells.
    pub(super) fn cursor(self, order: Order) -> Option<Cursor> {
        let Self::At(id) = self else {
            return None;
        };
        // Days that make it stand before, or behind, all rows of this key.
        Some(match order {
            Order::Newest => Cursor {
                id: id.saturating_add(1),
                day: Day(i64::MIN),
            },
            Order::Oldest => Cursor {
                id: id.saturating_sub(1),
                day: Day(i64::MAX),
            },
        })
    }
}

/// The first key, in this order, that is there.
fn edge(
    files: &[Ranged<'_>],
    table: Table,
    order: Order,
    first: i64,
    last: i64,
) -> Result<Option<i64>, ReadError> {
    let mut found: Option<i64> = None;
    for ranged in files.iter().filter(|file| file.has(first, last)) {
        let edge = match order {
            Order::Newest if ranged.last <= last => Some(ranged.last),
            Order::Oldest if ranged.first >= first => Some(ranged.first),
            _ => ranged.file.edge(table, order, first, last)?,
        };
        found = match (found, edge, order) {
            (found, None, _) => found,
            (None, edge, _) => edge,
            (Some(found), Some(edge), Order::Newest) => Some(found.max(edge)),
            (Some(found), Some(edge), Order::Oldest) => Some(found.min(edge)),
        };
    }
    Ok(found)
}

/// Looks at a stretch of all files; false: the time was over before.
fn look(
    files: &[Ranged<'_>],
    keys: &RangeInclusive<i64>,
    order: Order,
    after: Option<Cursor>,
    guard: Option<Instant>,
    stretch: &mut impl Stretch,
) -> Result<bool, ReadError> {
    let there = |ranged: &&Ranged<'_>| ranged.has(*keys.start(), *keys.end());
    for Ranged { file, .. } in files.iter().filter(there) {
        let (mut first, mut last) = (*keys.start(), *keys.end());
        if let Some(Cursor { id, day }) = after {
            // The row itself was there already; one of another file may have the same key.
            match order {
                Order::Newest => last = last.min(id.saturating_sub((file.day >= day).into())),
                Order::Oldest => first = first.max(id.saturating_add((file.day <= day).into())),
            }
        }
        if first > last {
            continue;
        }
        if let Some(guard) = guard {
            file.interrupt_at(Some(guard), LOOK)?;
        }
        let looked = stretch.look(file, &(first..=last));
        if guard.is_some() {
            file.interrupt_at(None, LOOK)?;
        }
        match looked {
            Err(ReadError::Database { source, .. })
                if source.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
            {
                return Ok(false);
            }
            looked => looked?,
        }
    }
    Ok(true)
}
