//! Pages of rows over the databases of all days: each begins behind the last row of the one before it.

use std::ops::RangeInclusive;

use super::filter::{ExchangeFilter, Query, SessionFilter};
use super::scan::Stretch;
use super::{Cursor, Order, ReadError, ReadFile, Store};
use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::SessionRecord;
use crate::sink::batch::Batch;
use crate::sink::sqlite::names::Day;

/// Rows of a page, in the order that was asked for.
#[derive(Debug, Default)]
pub struct Page {
    pub(super) batch: Batch,
    /// The key of each row, and its place in the batch.
    pub(super) rows: Vec<(i64, Day, usize)>,
    /// The time was over before all was looked at: where to go on.
    pub(super) stopped: Option<Cursor>,
}

impl Store {
    /// The next exchanges behind `after` (None: from the beginning), at most `limit`.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn exchanges(
        &self,
        filter: &ExchangeFilter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        self.page(&filter.query(), order, after, limit)
    }

    /// The next sessions behind `after` (None: from the beginning), at most `limit`.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn sessions(
        &self,
        filter: &SessionFilter,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        self.page(&filter.query(), order, after, limit)
    }

    pub(super) fn page(
        &self,
        query: &Query,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let mut pages = Pages {
            query,
            order,
            limit,
            kept: 0,
            page: Page::default(),
        };
        let reach = self.scan(query, order, after, &mut pages)?;
        let mut page = pages.page;
        page.stopped = reach.cursor(order);
        Ok(page)
    }
}

impl Page {
    /// The exchanges in it.
    pub fn exchanges(&self) -> impl Iterator<Item = ExchangeRecord<'_>> {
        let place = |(_, _, index): &(i64, Day, usize)| self.batch.exchange(*index);
        self.rows.iter().filter_map(place)
    }

    /// The sessions in it.
    pub fn sessions(&self) -> impl Iterator<Item = SessionRecord<'_>> {
        let place = |(_, _, index): &(i64, Day, usize)| self.batch.session(*index);
        self.rows.iter().filter_map(place)
    }

    /// Turns the order around.
    pub fn reverse(&mut self) {
        self.rows.reverse();
    }

    /// The keys of its rows in the database, in the same order.
    pub fn ids(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().map(|(id, _, _)| *id)
    }

    /// How many rows it has; fewer than were asked for: there are no more.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where the search was given up because its time was over, and can go on; None: it was not.
    #[must_use]
    pub fn stopped(&self) -> Option<Cursor> {
        self.stopped
    }

    /// Where the next page begins.
    #[must_use]
    pub fn next(&self) -> Option<Cursor> {
        let (id, day, _) = *self.rows.last()?;
        Some(Cursor { id, day })
    }
}

/// Gathers the rows of a page.
struct Pages<'q> {
    query: &'q Query,
    order: Order,
    limit: usize,
    /// Rows of the stretches before.
    kept: usize,
    page: Page,
}

impl Stretch for Pages<'_> {
    fn look(&mut self, file: &ReadFile, keys: &RangeInclusive<i64>) -> Result<(), ReadError> {
        // As many as are left from each file: the first of all of them stay.
        let left = self.limit.saturating_sub(self.kept);
        file.read_window(self.query, self.order, keys, left, &mut self.page)
            .map_err(|source| file.failed(source))
    }

    fn undo(&mut self) {
        self.page.rows.truncate(self.kept);
    }

    fn keep(&mut self) -> bool {
        let rows = &mut self.page.rows;
        match self.order {
            Order::Newest => rows[self.kept..].sort_by_key(|row| std::cmp::Reverse(*row)),
            Order::Oldest => rows[self.kept..].sort(),
        }
        rows.truncate(self.limit);
        self.kept = rows.len();
        self.kept >= self.limit
    }
}
