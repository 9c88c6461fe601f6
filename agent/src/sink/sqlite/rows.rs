//! A record becomes a row: where it goes, and what it says.
//!
//! The key of a row is twice the microseconds of the record's start, or the next number that is
//! free. Keys therefore grow with time, so that rows are appended; and a later revision of a session
//! finds the row of the earlier by walking from there to the first key that is free, which is one
//! step unless other records began in the same microsecond. No index is needed for it.

use std::sync::LazyLock;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::bind::{bind_exchange, bind_session};
use super::roll_up::SessionTotals;
use super::text::Texts;
use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::{SessionDetails, SessionRecord};

/// How far a record is looked for, and put, behind its home. Reached only when thousands of records
/// claim the same microsecond.
const WALK: i64 = 4096;
/// The farthest that a record without an identifier is put behind its home: a minute.
pub(crate) const DRIFT: i64 = 2 * 60 * 1_000_000;

const SESSION: &str = "INTO sessions (id, session_id, revision, interim, protocol, src_ip, src_port, \
    dst_ip, dst_port, packets, bytes, cpu_id, timestamp, ended_at, duration_us, packets_out, packets_in, \
    bytes_out, bytes_in, orig_bytes, resp_bytes, missed_bytes, reply_cpu_id, conn_state, history, \
    retransmits, rtt_us, http_requests, http_errors, ifname) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
static INSERT_SESSION: LazyLock<String> = LazyLock::new(|| format!("INSERT OR IGNORE {SESSION}"));
static REPLACE_SESSION: LazyLock<String> = LazyLock::new(|| format!("INSERT OR REPLACE {SESSION}"));
const EXCHANGE: &str = "INSERT OR IGNORE INTO exchanges (id, exchange_id, session_id, ts, role, outcome, \
    src_ip, src_port, dst_ip, dst_port, method, target, version, host, user_agent, referer, status, \
    content_type, ttfb_us, total_us, request_bytes, response_bytes, interim_status, traceparent, headers, \
    partial, cpu_id, reply_cpu_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
    ?, ?, ?, ?, ?, ?)";

/// What became of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Placed {
    /// It has a row of its own.
    New(i64),
    /// It took the place of an earlier revision, which had counted this much.
    Replaced(i64, SessionTotals),
    /// It, or a later revision, is there already, with this key.
    Known(i64),
    /// All places near its time are taken.
    Nowhere,
}

/// The first key for a record that began at this time.
pub(crate) const fn home(microseconds: i64) -> i64 {
    microseconds.saturating_mul(2)
}

/// The statements of one transaction.
pub(super) struct Rows<'c> {
    insert_session: CachedStatement<'c>,
    replace_session: CachedStatement<'c>,
    find_session: CachedStatement<'c>,
    /// Keys and identifiers from one key on.
    walk_sessions: CachedStatement<'c>,
    insert_exchange: CachedStatement<'c>,
    walk_exchanges: CachedStatement<'c>,
    texts: &'c mut Texts,
    /// Where the last record without an identifier went: its home, and the key behind it.
    last: (i64, i64),
}

impl<'c> Rows<'c> {
    pub(super) fn new(connection: &'c Connection, texts: &'c mut Texts) -> rusqlite::Result<Self> {
        Ok(Self {
            insert_session: connection.prepare_cached(&INSERT_SESSION)?,
            replace_session: connection.prepare_cached(&REPLACE_SESSION)?,
            find_session: connection.prepare_cached(
                "SELECT session_id, revision, interim, packets, bytes, missed_bytes, retransmits, \
                 http_requests, http_errors, packets_out, packets_in, bytes_out, bytes_in \
                 FROM sessions WHERE id = ?",
            )?,
            walk_sessions: connection.prepare_cached(
                "SELECT id, session_id FROM sessions WHERE id >= ? AND id < ? ORDER BY id",
            )?,
            insert_exchange: connection.prepare_cached(EXCHANGE)?,
            walk_exchanges: connection.prepare_cached(
                "SELECT id, exchange_id FROM exchanges WHERE id >= ? AND id < ? ORDER BY id",
            )?,
            texts,
            last: (i64::MIN, i64::MIN),
        })
    }

    /// Stores a session.
    ///
    /// # Errors
    /// What the database says; the transaction is to be given up then.
    pub(super) fn session(&mut self, record: &SessionRecord<'_>) -> rusqlite::Result<Placed> {
        let Some(details) = &record.details else {
            return self.session_without_identifier(record);
        };
        let home = home(record.timestamp.as_microsecond());
        // Most sessions have one record, and the first of them is in nobody's way.
        if details.revision <= 1 && self.insert_session(home, record)? {
            return Ok(Placed::New(home));
        }
        let mut id = home;
        let mut found = self.session_at(id, details)?;
        if matches!(found, Found::Other) {
            let identifier = self.texts.identifier(details.session_id);
            let Some(place) = walk(&mut self.walk_sessions, home, identifier.as_bytes())? else {
                return Ok(Placed::Nowhere);
            };
            id = place;
            found = self.session_at(id, details)?;
        }
        match found {
            Found::Nothing => {
                self.insert_session(id, record)?;
                Ok(Placed::New(id))
            }
            Found::Other => Ok(Placed::Nowhere),
            Found::Same { revision, .. } if revision >= i64::from(details.revision) => {
                Ok(Placed::Known(id))
            }
            Found::Same { totals, .. } => {
                let statement = &mut self.replace_session;
                bind_session(statement, id, record, self.texts)?;
                statement.raw_execute()?;
                Ok(Placed::Replaced(id, totals))
            }
        }
    }

    /// Stores an exchange.
    ///
    /// # Errors
    /// What the database says; the transaction is to be given up then.
    pub(super) fn exchange(&mut self, record: &ExchangeRecord<'_>) -> rusqlite::Result<Placed> {
        let home = home(record.ts.as_microsecond());
        // Most are in nobody's way.
        if self.insert_exchange(home, record)? {
            return Ok(Placed::New(home));
        }
        let identifier = self.texts.identifier(record.exchange_id);
        let Some(id) = walk(&mut self.walk_exchanges, home, identifier.as_bytes())? else {
            return Ok(Placed::Nowhere);
        };
        // What is there has the same identifier.
        Ok(match self.insert_exchange(id, record)? {
            true => Placed::New(id),
            false => Placed::Known(id),
        })
    }

    fn insert_exchange(&mut self, id: i64, record: &ExchangeRecord<'_>) -> rusqlite::Result<bool> {
        bind_exchange(&mut self.insert_exchange, id, record, self.texts)?;
        Ok(self.insert_exchange.raw_execute()? == 1)
    }

    /// Other programs' records may have times of whole seconds, thousands of the same: the steps
    /// become longer, so that a place is found in a few.
    fn session_without_identifier(
        &mut self,
        record: &SessionRecord<'_>,
    ) -> rusqlite::Result<Placed> {
        let home = home(record.timestamp.as_microsecond());
        let mut id = if self.last.0 == home {
            self.last.1
        } else {
            home
        };
        let mut step = 1;
        while id - home <= DRIFT {
            if self.insert_session(id, record)? {
                self.last = (home, id.saturating_add(1));
                return Ok(Placed::New(id));
            }
            id = id.saturating_add(step);
            step *= 2;
        }
        Ok(Placed::Nowhere)
    }

    fn insert_session(&mut self, id: i64, record: &SessionRecord<'_>) -> rusqlite::Result<bool> {
        bind_session(&mut self.insert_session, id, record, self.texts)?;
        Ok(self.insert_session.raw_execute()? == 1)
    }

    fn session_at(&mut self, id: i64, details: &SessionDetails<'_>) -> rusqlite::Result<Found> {
        let identifier = self.texts.identifier(details.session_id);
        let found = self.find_session.query_row(params![id], |row| {
            if row.get_ref(0)?.as_bytes_or_null()? != Some(identifier.as_bytes()) {
                return Ok(Found::Other);
            }
            let number =
                |index| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.unwrap_or(0));
            Ok(Found::Same {
                revision: number(1)?,
                totals: SessionTotals {
                    interim: number(2)? != 0,
                    packets: number(3)?,
                    bytes: number(4)?,
                    missed_bytes: number(5)?,
                    retransmits: number(6)?,
                    http_requests: number(7)?,
                    http_errors: number(8)?,
                    packets_out: number(9)?,
                    packets_in: number(10)?,
                    bytes_out: number(11)?,
                    bytes_in: number(12)?,
                },
            })
        });
        Ok(found.optional()?.unwrap_or(Found::Nothing))
    }
}

/// Walks from `home` to the key of this identifier, or to the first that is free; `None`: that is too far.
/// `rows`: gives keys with identifiers. One statement for the whole way, since many records may claim the
/// same microsecond.
fn walk(
    rows: &mut CachedStatement<'_>,
    home: i64,
    identifier: &[u8],
) -> rusqlite::Result<Option<i64>> {
    let end = home.saturating_add(WALK);
    let mut found = rows.query([home, end])?;
    let mut id = home;
    while let Some(row) = found.next()? {
        let is_free = row.get::<_, i64>(0)? != id;
        if is_free || row.get_ref(1)?.as_bytes_or_null()? == Some(identifier) {
            break;
        }
        id += 1;
    }
    Ok((id < end).then_some(id))
}

/// What has a key.
enum Found {
    Nothing,
    Other,
    Same {
        revision: i64,
        totals: SessionTotals,
    },
}
