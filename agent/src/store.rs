//! Reads what the store holds: pages of exchanges or sessions over the databases of all days, and
//! what comes new.
//!
//! The databases are opened read-only and read while they are written; a transaction lasts some
//! milliseconds. A page begins behind the last row of the page before it (a key, not a
//! count), so that the thousandth page costs as much as the first.

mod answer;
mod cursor;
mod file;
mod filter;
mod follow;
mod matching;
mod one;
mod page;
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

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;

pub use answer::{Covered, Next, Question, Source};
pub use cursor::{Cursor, NoCursor};
pub use filter::{Common, ExchangeFilter, SessionFilter};
pub use follow::{Follower, Fresh};
pub use one::Found;
pub use page::Page;
pub use recent::{CLASSES, Sums};
pub use search::{Pinned, Search, SearchKey};
pub use series::{POINTS_MOST, STEPS, Series, step_of};
pub use slow::SLOW_MOST;
pub use top::{By, Top};
pub use traffic::{CpuTraffic, Traffic};

use crate::sink::sqlite::folder;
use crate::sink::sqlite::names::{Day, FileName};
use file::ReadFile;
use read::Table;

/// Which end of time comes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
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

/// The databases of a folder, to be read.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    files: Vec<ReadFile>,
    deadline: Option<Instant>,
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

    /// The time of the first exchange or session that is stored; None: there is none.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn first_time(&self) -> Result<Option<Timestamp>, ReadError> {
        let mut files: Vec<&ReadFile> = self.files.iter().collect();
        files.sort_by_key(|file| file.day);
        for file in files {
            let firsts = [
                file.edge(Table::Exchanges, Order::Oldest, i64::MIN, i64::MAX)?,
                file.edge(Table::Sessions, Order::Oldest, i64::MIN, i64::MAX)?,
            ];
            // Those of a later day are later.
            if let Some(id) = firsts.into_iter().flatten().min() {
                return Ok(Some(Cursor { id, day: file.day }.time()));
            }
        }
        Ok(None)
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
}

#[cfg(test)]
mod tests;
