//! The database of one day, open for writing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::error::FileError;
use super::folder::{self, Identity};
use super::groups::Groups;
use super::names::{Day, FileName};
use super::roll_up::RollUps;
use super::rows::{Placed, Rows};
use super::schema;
use super::tally::Addend;
use super::text::Texts;
use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::SessionRecord;

/// Bytes of pages in the log beside the database before they are moved into it.
const CHECKPOINT_BYTES: i64 = 80 << 20;
/// Above this the log beside the database is cut when it is empty.
const LOG_BYTES: i64 = 256 << 20;
/// Memory for pages, as SQLite wants it: negative, in KiB.
const CACHE: i64 = -65_536;
/// A file up to this size is checked page by page when it is opened. A larger one would take seconds
/// to minutes; what is wrong in it is found when it is come upon.
const CHECKED_BYTES: u64 = 64 << 20;
/// Transactions whose rows are kept for those who follow.
const CHANGES_KEPT: i64 = 600;

/// The database of one day.
#[derive(Debug)]
pub(super) struct DayFile {
    pub(super) day: Day,
    path: PathBuf,
    identity: Identity,
    connection: Connection,
    texts: Texts,
    /// None: they are to be read first.
    groups: Option<Groups>,
    /// The number of the last transaction.
    sequence: i64,
    /// Something was written since the last checkpoint.
    dirty: bool,
    pub(super) last_used: Instant,
}

/// What became of the records of a transaction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Stored {
    pub(super) stored: u64,
    /// There was no place for them.
    pub(super) refused: u64,
}

impl DayFile {
    /// Opens the database of a day, makes it when it is missing, and brings it to today's schema.
    ///
    /// # Errors
    /// What the system or the database says, or that it is none of ours, or damaged.
    pub(super) fn open(
        directory: &Path,
        day: Day,
        busy_timeout: Duration,
    ) -> Result<Self, FileError> {
        let path = directory.join(FileName { day, damaged: None }.to_string());
        let identity = folder::make(&path)?;
        let connection = connect(&path, busy_timeout)?;
        let sequence = connection.query_row(
            "SELECT coalesce(max(sequence), 0) FROM changes",
            [],
            |row| row.get(0),
        )?;
        Ok(Self {
            day,
            path,
            identity,
            connection,
            texts: Texts::default(),
            groups: None,
            sequence,
            dirty: false,
            last_used: Instant::now(),
        })
    }

    /// Whether its name still is that of the file that is open.
    pub(super) fn is_there(&self) -> bool {
        self.identity.is_at(&self.path)
    }

    /// Stores the records in one transaction, with what they add to the roll-ups.
    ///
    /// # Errors
    /// What the database says; nothing of it is stored then.
    pub(super) fn store<'r>(
        &mut self,
        sessions: impl Iterator<Item = SessionRecord<'r>>,
        exchanges: impl Iterator<Item = ExchangeRecord<'r>>,
    ) -> Result<Stored, FileError> {
        let sessions = sessions.map(|record| ((), record));
        let exchanges = exchanges.map(|record| ((), record));
        self.store_and_tell(sessions, exchanges, |(), placed| {
            // One that finds no place does not keep the others from theirs.
            let _where = placed;
            Ok(())
        })
    }

    /// As [`DayFile::store`], and tells where each record went.
    ///
    /// # Errors
    /// What the database says, or what `tell` says; nothing of it is stored then.
    pub(super) fn store_and_tell<'r, M>(
        &mut self,
        sessions: impl Iterator<Item = (M, SessionRecord<'r>)>,
        exchanges: impl Iterator<Item = (M, ExchangeRecord<'r>)>,
        mut tell: impl FnMut(M, Placed) -> Result<(), FileError>,
    ) -> Result<Stored, FileError> {
        self.last_used = Instant::now();
        let mut result = Stored::default();
        let mut roll_ups = RollUps::default();
        let mut changed = Changed::default();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Those that a transaction leaves which is given up are not taken up again.
        let mut groups = match self.groups.take() {
            Some(groups) if groups.is_theirs(&transaction)? => groups,
            _ => Groups::open(&transaction)?,
        };
        let mut rows = Rows::new(&transaction, &mut self.texts)?;
        for (mark, record) in sessions {
            let placed = rows.session(&record)?;
            match placed {
                Placed::New(id) => {
                    changed.session(id);
                    roll_ups.session(&record, None);
                }
                Placed::Replaced(id, before) => {
                    changed.session(id);
                    roll_ups.session(&record, Some(before));
                }
                Placed::Known(_) | Placed::Nowhere => {}
            }
            tell(mark, placed)?;
            result.count(placed);
        }
        for (mark, record) in exchanges {
            let placed = rows.exchange(&record)?;
            if let Placed::New(id) = placed {
                changed.exchange(id);
                let addend = Addend::of(&record);
                roll_ups.exchange(record.ts, record.role, &addend);
                groups.exchange(&transaction, id, &record, &addend)?;
            }
            tell(mark, placed)?;
            result.count(placed);
        }
        drop(rows);
        roll_ups.write(&transaction)?;
        changed.write(&transaction, self.sequence + 1)?;
        if groups.is_due(self.sequence + 1) {
            groups.write(&transaction, self.sequence + 1)?;
        }
        transaction.commit()?;
        self.groups = Some(groups);
        self.sequence += 1;
        self.dirty = true;
        Ok(result)
    }

    /// Writes the groups that have been in memory alone for so long.
    ///
    /// # Errors
    /// What the database says; they are read anew then.
    pub(super) fn write_groups(&mut self, time: Duration) -> Result<(), FileError> {
        let Some(mut groups) = self.groups.take_if(|groups| groups.is_pending(time)) else {
            return Ok(());
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if groups.is_theirs(&transaction)? {
            groups.write(&transaction, self.sequence)?;
            transaction.commit()?;
            self.groups = Some(groups);
            self.dirty = true;
        }
        Ok(())
    }

    /// Moves what was written from the log beside it into the database, as far as no reader is in
    /// the way, so that it survives the fall of the host too.
    pub(super) fn checkpoint(&mut self) {
        if std::mem::take(&mut self.dirty)
            && let Err(error) = checkpoint(&self.connection, "PASSIVE")
        {
            self.dirty = true;
            tracing::debug!(path = %self.path.display(), %error, "no checkpoint could be made");
        }
    }
}

impl Stored {
    fn count(&mut self, placed: Placed) {
        match placed {
            Placed::New(_) | Placed::Replaced(..) | Placed::Known(_) => self.stored += 1,
            Placed::Nowhere => self.refused += 1,
        }
    }
}

/// Opens an existing file as a database of ours of today's schema, to write to it.
pub(super) fn connect(path: &Path, busy_timeout: Duration) -> Result<Connection, FileError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(folder::plain(path), flags)?;
    connection.busy_timeout(busy_timeout)?;
    // A file that is not ours is not changed, not even its mode of journal.
    schema::migrate(&mut connection)?;
    let length = std::fs::metadata(path)?.len();
    if length <= CHECKED_BYTES {
        let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Err(FileError::Unusable(format!("it is damaged: {said}")));
        }
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        tracing::debug!(path = %path.display(), mode, "the file system allows no write-ahead log");
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let checkpoint_pages = CHECKPOINT_BYTES / page_bytes.max(512);
    connection.pragma_update(None, "wal_autocheckpoint", checkpoint_pages)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Makes a checkpoint of this kind, as far as it goes without waiting.
pub(super) fn checkpoint(connection: &Connection, kind: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({kind})"), [], |_row| Ok(()))
}

/// The keys of the rows that a transaction touched, 8 bytes each, the most significant first.
#[derive(Debug, Default)]
struct Changed {
    exchanges: Vec<u8>,
    sessions: Vec<u8>,
}

impl Changed {
    fn exchange(&mut self, id: i64) {
        self.exchanges.extend_from_slice(&id.to_be_bytes());
    }

    fn session(&mut self, id: i64) {
        self.sessions.extend_from_slice(&id.to_be_bytes());
    }

    fn write(&self, transaction: &Transaction<'_>, sequence: i64) -> rusqlite::Result<()> {
        transaction
            .prepare_cached("INSERT INTO changes VALUES (?, ?, ?)")?
            .execute((sequence, &self.exchanges, &self.sessions))?;
        transaction
            .prepare_cached("DELETE FROM changes WHERE sequence <= ?")?
            .execute([sequence - CHANGES_KEPT])?;
        Ok(())
    }
}
