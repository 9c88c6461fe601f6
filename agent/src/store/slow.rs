//! The exchanges that took longest.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::answer::{Covered, Question, Wanted, wanted};
use super::filter::Query;
use super::read::Table;
use super::scan::Stretch;
use super::{Order, Page, ReadError, ReadFile, Store};
use crate::sink::sqlite::groups::Kind;
use crate::sink::sqlite::groups::slowest::{KEPT, Slowest};

/// The slowest exchanges that can be asked for.
pub const SLOW_MOST: usize = KEPT;

impl Store {
    /// The slowest of what is asked for, at most `limit`, the slowest first, and what was looked at.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn slow(
        &self,
        question: &Question,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Page, Covered), ReadError> {
        let known = wanted(&question.filter).filter(|wanted| wanted.kind == Kind::All);
        let (slowest, covered) = match (known, question.after) {
            (Some(wanted), None) => {
                let wanted = Wanted {
                    kind: Kind::Slowest,
                    ..wanted
                };
                self.slow_of_groups(question, &wanted, now)?
            }
            _ => self.slow_of_rows(question, now)?,
        };
        let mut page = Page::default();
        for (_, id) in slowest.found().iter().take(limit) {
            self.take_exchange(*id, &question.filter.query(), &mut page)?;
        }
        Ok((page, covered))
    }

    fn slow_of_groups(
        &self,
        question: &Question,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<(Slowest, Covered), ReadError> {
        let range = question.minutes();
        let mut slowest = Slowest::default();
        self.groups(wanted, range, None, &mut |_time, data| {
            Ok(slowest.add_encoded(data)?)
        })?;
        let covered = self.covered_by_groups(Kind::Slowest, range, now)?;
        Ok((slowest, covered))
    }

    fn slow_of_rows(
        &self,
        question: &Question,
        now: Timestamp,
    ) -> Result<(Slowest, Covered), ReadError> {
        let query = question.of_rows().query();
        let mut looking = Looking {
            sql: query.columns("ttfb_us") + " AND ttfb_us NOTNULL AND id BETWEEN ? AND ?",
            query: &query,
            fresh: Slowest::default(),
            found: Slowest::default(),
        };
        let reach = self.scan(&query, Order::Newest, question.after, &mut looking)?;
        let to = match question.after {
            Some(after) => after.time().clamp(question.from, question.to),
            None => question.to.min(now).max(question.from),
        };
        let stopped = reach.cursor(Order::Newest);
        let covered = Covered::by_rows(question.from, to, Order::Newest, stopped);
        Ok((looking.found, covered))
    }

    /// Adds the exchange of this key, that of the file of its day where several have one.
    fn take_exchange(&self, id: i64, query: &Query, page: &mut Page) -> Result<(), ReadError> {
        let own = super::Day::of(id.div_euclid(2));
        let mut files: Vec<&ReadFile> = self.files.iter().collect();
        files.sort_by_key(|file| file.day.0.abs_diff(own.0));
        let before = page.len();
        for file in files {
            file.read_window(query, Order::Newest, &(id..=id), 1, page)
                .map_err(|source| file.failed(source))?;
            if page.len() > before {
                break;
            }
        }
        Ok(())
    }
}

struct Looking<'q> {
    query: &'q Query,
    sql: String,
    /// With the stretch that is looked at.
    fresh: Slowest,
    found: Slowest,
}

impl Stretch for Looking<'_> {
    fn look(&mut self, file: &ReadFile, keys: &RangeInclusive<i64>) -> Result<(), ReadError> {
        debug_assert_eq!(self.query.table, Table::Exchanges);
        let mut read = || {
            let keys = [*keys.start(), *keys.end()].map(Value::Integer);
            let mut statement = file.connection.prepare_cached(&self.sql)?;
            let values = self.query.values.iter().chain(&keys);
            let mut rows = statement.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let latency: i64 = row.get(1)?;
                self.fresh.add(latency.unsigned_abs(), row.get(0)?);
            }
            Ok(())
        };
        read().map_err(|source| file.failed(source))
    }

    fn undo(&mut self) {
        self.fresh = self.found.clone();
    }

    fn keep(&mut self) -> bool {
        self.found = self.fresh.clone();
        false
    }
}
