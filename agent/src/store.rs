//! Reads what the store holds: pages of exchanges or sessions over the databases of all days, and
//! what comes new.
//!
//! The databases are opened read-only and read while they are written; a transaction lasts some
//! milliseconds. A page begins behind the last row of the page before it (a key, not a
//! count), so that the thousandth page costs as much as the first.

mod answer;
mod filter;
mod follow;
mod matching;
mod one;
mod place;
mod read;
mod recent;
mod roll_ups;
mod rows;
mod scan;
mod search;
mod series;
mod slow;
mod top;
mod traffic;

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};

pub use answer::{Covered, Next, Question, Source};
pub use filter::{Common, ExchangeFilter, SessionFilter};
pub use follow::{Follower, Fresh};
pub use one::Found;
pub use recent::{CLASSES, Sums};
pub use search::{Pinned, Search, SearchKey};
pub use series::{POINTS_MOST, STEPS, Series, step_of};
pub use slow::SLOW_MOST;
pub use top::{By, Top};
pub use traffic::{CpuTraffic, Traffic};

use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::SessionRecord;
use crate::sink::batch::Batch;
use crate::sink::sqlite::folder;
use crate::sink::sqlite::names::{Day, FileName};
use crate::sink::sqlite::schema;
use filter::Query;
use read::Table;
use scan::Stretch;

/// How long to wait for a writer that has a database to itself, as it is while it is being made.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// Which end of time comes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
}

/// A place between two rows, to go on from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor {
    id: i64,
    day: Day,
}

/// Why the store cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The folder cannot be listed.
    #[error("data folder {} cannot be read; name another with --data-dir", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database cannot be read.
    #[error("the database {} cannot be read", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A database is of a newer version.
    #[error("the database {} has the schema {version}, and this version of Tapline knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The newest version that is known.
        known: usize,
    },
    /// The roll-ups of a database are not as they were written.
    #[error("the roll-ups of the database {} cannot be read", path.display())]
    RollUps {
        /// The file.
        path: PathBuf,
    },
    /// The deadline passed before all was found.
    #[error("the search takes too long; ask for a shorter time, or for less")]
    TooLong,
}

/// What is no [`Cursor`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a place in the store is two whole numbers with a dot between them")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.id, self.day.0)
    }
}

impl Cursor {
    /// The time at which it stands.
    #[must_use]
    pub fn time(self) -> Timestamp {
        let microseconds = self.id.div_euclid(2);
        Timestamp::from_microsecond(microseconds).unwrap_or(match microseconds {
            ..0 => Timestamp::MIN,
            _ => Timestamp::MAX,
        })
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (id, day) = text.split_once('.').ok_or(NoCursor)?;
        let number = |text: &str| text.parse().map_err(|_none| NoCursor);
        Ok(Self {
            id: number(id)?,
            day: Day(number(day)?),
        })
    }
}

/// The databases of a folder, to be read.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    files: Vec<ReadFile>,
    deadline: Option<Instant>,
}

/// Rows of a page, in the order that was asked for.
#[derive(Debug, Default)]
pub struct Page {
    batch: Batch,
    /// The key of each row, and its place in the batch.
    rows: Vec<(i64, Day, usize)>,
    /// The time was over before all was looked at: where to go on.
    stopped: Option<Cursor>,
}

#[derive(Debug)]
struct ReadFile {
    day: Day,
    path: PathBuf,
    identity: folder::Identity,
    connection: Connection,
    has_changes: bool,
    has_groups: bool,
}

impl Store {
    /// Opens the databases of a folder. One without any is an empty store.
    ///
    /// # Errors
    /// The folder or a database cannot be read.
    pub fn open(directory: &Path) -> Result<Self, ReadError> {
        let mut store = Self {
            directory: directory.to_owned(),
            files: Vec::new(),
            deadline: None,
        };
        store.refresh()?;
        Ok(store)
    }

    /// Opens databases that are new, and lets those go that were deleted.
    ///
    /// # Errors
    /// The folder or a database cannot be read.
    pub fn refresh(&mut self) -> Result<(), ReadError> {
        self.files.retain(|file| file.identity.is_at(&file.path));
        let entries = folder::list(&self.directory).map_err(|source| ReadError::Folder {
            path: self.directory.clone(),
            source,
        })?;
        for entry in entries {
            let FileName { day, damaged } = entry.name;
            let is_open = self.files.iter().any(|file| file.day == day);
            // An empty file is one that is just being made.
            if damaged.is_some() || is_open || entry.bytes == 0 {
                continue;
            }
            let path = self.directory.join(entry.name.to_string());
            if let Some(file) = ReadFile::open(day, path)? {
                self.files.push(file);
            }
        }
        Ok(())
    }

    /// From now on searches that are not done by then give what they have found: see
    /// [`Page::stopped`].
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The session with this key; that of the day of the key, where a file of another day has one too.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn session(&self, id: i64) -> Result<Page, ReadError> {
        let query = SessionFilter::default().query();
        let own = Day::of(id.div_euclid(2));
        let mut files: Vec<&ReadFile> = self.files.iter().collect();
        files.sort_by_key(|file| file.day.0.abs_diff(own.0));
        let mut page = Page::default();
        for file in files {
            file.read_window(&query, Order::Newest, &(id..=id), 1, &mut page)
                .map_err(|source| file.failed(source))?;
            if !page.is_empty() {
                break;
            }
        }
        Ok(page)
    }

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

    fn page(
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

impl ReadFile {
    /// None when the database is only being made.
    fn open(day: Day, path: PathBuf) -> Result<Option<Self>, ReadError> {
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
    fn range(&self, table: Table) -> Result<Option<(i64, i64)>, ReadError> {
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
    fn edge(
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

    fn read_window(
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
    fn interrupt_at(&self, time: Option<Instant>, look: i32) -> Result<(), ReadError> {
        let handler = time.map(|time| move || Instant::now() >= time);
        self.connection
            .progress_handler(look, handler)
            .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> ReadError {
        ReadError::Database {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests;
