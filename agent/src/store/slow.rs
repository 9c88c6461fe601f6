//! The exchanges that took longest.

use jiff::Timestamp;

use super::answer::{Covered, Question, Wanted, wanted};
use super::filter::Query;
use super::search::Search;
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
        if let Some(answer) = self.slow_known(question, limit, now)? {
            return Ok(answer);
        }
        let mut search = Search::new(question, now);
        search.advance(self)?;
        Ok((self.slow_found(&search, limit)?, search.covered()))
    }

    /// As [`slow`](Self::slow), where roll-ups know it; None: it must be searched for.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn slow_known(
        &self,
        question: &Question,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<(Page, Covered)>, ReadError> {
        let Some(wanted) = wanted(&question.filter).filter(|wanted| wanted.kind == Kind::All)
        else {
            return Ok(None);
        };
        let wanted = Wanted {
            kind: Kind::Slowest,
            ..wanted
        };
        let (slowest, covered) = self.slow_of_groups(question, &wanted, now)?;
        let mut page = Page::default();
        for (_, id) in slowest.found().iter().take(limit) {
            self.take_exchange(*id, &question.filter.query(), &mut page)?;
        }
        Ok(Some((page, covered)))
    }

    /// The slowest that a search has found, at most `limit`, the slowest first.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn slow_found(&self, search: &Search, limit: usize) -> Result<Page, ReadError> {
        let mut page = Page::default();
        for id in search.slowest().take(limit) {
            self.take_exchange(id, search.query(), &mut page)?;
        }
        Ok(page)
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
