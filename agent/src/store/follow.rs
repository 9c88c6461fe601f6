//! What comes new. Rows do not come in the order of their time (a session is stored when it ends,
//! with the time of its begin), so the writer leaves the keys of each transaction's rows in the
//! table `changes`, and whoever follows reads those.

use std::collections::HashMap;

use rusqlite::{params_from_iter, types::Value};

use super::filter::Query;
use super::read::Table;
use super::{ExchangeFilter, Page, ReadError, ReadFile, SessionFilter, Store};
use crate::sink::sqlite::names::Day;

/// Remembers how far somebody has followed.
#[derive(Debug)]
pub struct Follower {
    /// The last transaction seen of each day.
    seen: HashMap<Day, i64>,
    missed: bool,
}

/// What came new.
#[derive(Debug, Default)]
pub struct Fresh {
    /// The newest of it, in the order in which it was stored.
    pub page: Page,
    /// How many rows came before these, and were not read.
    pub passed_over: usize,
}

impl Store {
    /// Follows from now on.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn follow(&self) -> Result<Follower, ReadError> {
        let mut seen = HashMap::new();
        for file in &self.files {
            seen.insert(file.day, file.last_change()?);
        }
        Ok(Follower {
            seen,
            missed: false,
        })
    }
}

impl Follower {
    /// The exchanges that were stored since the last call, in the order in which they were.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn exchanges(
        &mut self,
        store: &mut Store,
        filter: &ExchangeFilter,
    ) -> Result<Page, ReadError> {
        Ok(self.fresh(store, &filter.query(), usize::MAX)?.page)
    }

    /// As [`exchanges`](Self::exchanges), of all exchanges, but no more than the newest `most` of a
    /// day are read: however many come, it does not take for ever.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn newest_exchanges(&mut self, store: &mut Store, most: usize) -> Result<Fresh, ReadError> {
        self.fresh(store, &ExchangeFilter::default().query(), most)
    }

    /// The sessions that were stored, or replaced by a later revision, since the last call, in the
    /// order in which they were.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn sessions(
        &mut self,
        store: &mut Store,
        filter: &SessionFilter,
    ) -> Result<Page, ReadError> {
        Ok(self.fresh(store, &filter.query(), usize::MAX)?.page)
    }

    /// Whether it was asked so late that rows were passed over, since the last time this was asked.
    pub fn has_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    fn fresh(&mut self, store: &mut Store, query: &Query, most: usize) -> Result<Fresh, ReadError> {
        store.refresh()?;
        let days = &store.files;
        self.seen
            .retain(|day, _| days.iter().any(|file| file.day == *day));
        let mut fresh = Fresh::default();
        for file in &store.files {
            let seen = self.seen.entry(file.day).or_insert(0);
            let last = file.last_change()?;
            if last < *seen {
                // Another file has the name now.
                *seen = 0;
            }
            if last == *seen {
                continue;
            }
            self.missed |= file.changed(query, seen, most, &mut fresh)?;
        }
        Ok(fresh)
    }
}

impl ReadFile {
    fn last_change(&self) -> Result<i64, ReadError> {
        if !self.has_changes {
            return Ok(0);
        }
        self.connection
            .prepare_cached("SELECT coalesce(max(sequence), 0) FROM changes")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|source| self.failed(source))
    }

    /// Takes the last `most` of the rows that changed behind `seen`, and moves it on. Gives whether some
    /// are not known any more.
    fn changed(
        &self,
        query: &Query,
        seen: &mut i64,
        most: usize,
        fresh: &mut Fresh,
    ) -> Result<bool, ReadError> {
        let column = match query.table {
            Table::Exchanges => "exchanges",
            Table::Sessions => "sessions",
        };
        let mut missed = false;
        let mut ids: Vec<i64> = Vec::new();
        let mut read = || {
            let mut changes = self.connection.prepare_cached(&format!(
                "SELECT sequence, {column} FROM changes WHERE sequence > ? ORDER BY sequence"
            ))?;
            let mut rows = changes.query([*seen])?;
            while let Some(row) = rows.next()? {
                let sequence: i64 = row.get(0)?;
                missed |= sequence > seen.saturating_add(1);
                *seen = sequence;
                let (keys, _) = row.get_ref(1)?.as_blob()?.as_chunks();
                ids.extend(keys.iter().map(|key| i64::from_be_bytes(*key)));
            }
            drop(rows);
            let passed_over = ids.len().saturating_sub(most);
            fresh.passed_over += passed_over;
            let sql = query.select() + " AND id = ?";
            let mut statement = self.connection.prepare_cached(&sql)?;
            for id in &ids[passed_over..] {
                let id = Value::Integer(*id);
                let values = query.values.iter().chain(std::iter::once(&id));
                let mut rows = statement.query(params_from_iter(values))?;
                if let Some(row) = rows.next()? {
                    fresh.page.take(query.table, self.day, row)?;
                }
            }
            Ok(())
        };
        read().map_err(|source| self.failed(source))?;
        Ok(missed)
    }
}
