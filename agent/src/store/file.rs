//! The database of one day, to be read.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};

use super::filter::{self, Query};
use super::read::Table;
use super::{Order, Page, ReadError};
use crate::sink::sqlite::folder;
use crate::sink::sqlite::names::Day;
use crate::sink::sqlite::schema;

/// How long to wait for a writer that has a database to itself, as it is while it is being made.
const BUSY: Duration = Duration::from_secs(5);

/// The database of a day.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) day: Day,
    pub(super) path: PathBuf,
    pub(super) identity: folder::Identity,
    pub(super) connection: Connection,
    pub(super) has_changes: bool,
    pub(super) has_groups: bool,
}

impl ReadFile {
    /// None when the database is only being made.
    pub(super) fn open(day: Day, path: PathBuf) -> Result<Option<Self>, ReadError> {
        let opened = (|| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(folder::plain(&path), flags)?;
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(64);
            filter::add_functions(&connection)?;
            let version: i64 =
                connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok((connection, version))
        })();
        let (connection, version) = opened.map_err(|source| ReadError::Database {
            path: path.clone(),
            source,
        })?;
        if usize::try_from(version).is_ok_and(|version| version > schema::VERSION) {
            return Err(ReadError::Newer {
                path,
                version,
                known: schema::VERSION,
            });
        }
        let Some(identity) = folder::Identity::of(&path) else {
            return Ok(None);
        };
        Ok((version > 0).then_some(Self {
            day,
            path,
            identity,
            connection,
            has_changes: version >= 2,
            has_groups: version >= schema::WITH_GROUPS,
        }))
    }

    /// The first and the last key.
    pub(super) fn range(&self, table: Table) -> Result<Option<(i64, i64)>, ReadError> {
        let name = table.name();
        // Two questions, since SQLite answers each alone from one end of the table.
        let sql = format!("SELECT (SELECT min(id) FROM {name}), (SELECT max(id) FROM {name})");
        let range = self
            .connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
            .map_err(|source| self.failed(source))?;
        Ok(match range {
            (Some(first), Some(last)) => Some((first, last)),
            _ => None,
        })
    }

    /// The first key, in this order, that is there.
    pub(super) fn edge(
        &self,
        table: Table,
        order: Order,
        first: i64,
        last: i64,
    ) -> Result<Option<i64>, ReadError> {
        let end = match order {
            Order::Newest => "max",
            Order::Oldest => "min",
        };
        let sql = format!(
            "SELECT {end}(id) FROM {} WHERE id BETWEEN ? AND ?",
            table.name()
        );
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([first, last], |row| row.get(0)))
            .map_err(|source| self.failed(source))
    }

    pub(super) fn read_window(
        &self,
        query: &Query,
        order: Order,
        window: &RangeInclusive<i64>,
        limit: usize,
        page: &mut Page,
    ) -> rusqlite::Result<()> {
        let direction = match order {
            Order::Newest => "DESC",
            Order::Oldest => "ASC",
        };
        let sql = format!(
            "{} AND id BETWEEN ? AND ? ORDER BY id {direction} LIMIT ?",
            query.select()
        );
        let more = [
            *window.start(),
            *window.end(),
            i64::try_from(limit).unwrap_or(i64::MAX),
        ]
        .map(Value::Integer);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(query.values.iter().chain(&more)))?;
        while let Some(row) = rows.next()? {
            page.take(query.table, self.day, row)?;
        }
        Ok(())
    }

    /// From now on what is under way in this file ends with an error at this time.
    pub(super) fn interrupt_at(&self, time: Option<Instant>, look: i32) -> Result<(), ReadError> {
        let handler = time.map(|time| move || Instant::now() >= time);
        self.connection
            .progress_handler(look, handler)
            .map_err(|source| self.failed(source))
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> ReadError {
        ReadError::Database {
            path: self.path.clone(),
            source,
        }
    }
}
