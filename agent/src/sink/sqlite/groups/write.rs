//! Groups go to the table, and come back from it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::part::{self, Group};
use super::recent::{Groups, Minute, Table};
use super::written::Written;
use super::{Key, Kind, MINUTE, floor};
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::sink::sqlite::error::FileError;
use crate::sink::sqlite::tally::{Addend, Tally};

/// How long groups are kept in memory alone.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// Exchanges that may be in memory alone.
const PENDING_MOST: u64 = 16_384;
/// Transactions whose exchanges may be in memory alone: far fewer than those whose rows are known.
const TRANSACTIONS_MOST: i64 = 200;
/// Minutes that stay in memory once they are written, and enough for late records.
const KEPT: usize = 8;
/// Longer periods that are made of shorter ones at once, so that a transaction does not take long.
const CLOSED_AT_ONCE: usize = 2;

impl Groups {
    /// Of a file, as far as its table goes, and with what was stored since. To be called within a
    /// transaction.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn open(connection: &Connection) -> Result<Self, FileError> {
        let (sequence, generation) = state(connection)?;
        let mut written = Written {
            pending: 0,
            sequence,
            generation,
            at: Instant::now(),
            open: BTreeSet::new(),
            newest: i64::MIN,
            overdue: false,
        };
        written.find_open(connection)?;
        let mut groups = Self::new(written);
        groups.replay(connection, sequence)?;
        Ok(groups)
    }

    /// Counts an exchange that was not stored before.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn exchange(
        &mut self,
        connection: &Connection,
        id: i64,
        record: &ExchangeRecord<'_>,
        addend: &Addend,
    ) -> Result<(), FileError> {
        if !self.add(id, record, addend) {
            if self.is_full() {
                self.write_changed(connection)?;
                self.forget(1);
                self.written.overdue = true;
            }
            let time = floor(record.ts.as_second(), MINUTE);
            self.read(connection, time, record.role)?;
            self.add(id, record, addend);
        }
        Ok(())
    }

    /// Whether it is time to write, before the transaction of this number ends.
    pub(crate) fn is_due(&self, sequence: i64) -> bool {
        let Written {
            pending,
            sequence: written,
            at,
            overdue,
            ..
        } = &self.written;
        *pending > 0
            && (*overdue
                || *pending >= PENDING_MOST
                || sequence - written >= TRANSACTIONS_MOST
                || at.elapsed() >= WRITE_AFTER)
    }

    /// Whether something is in memory alone, and has been for so long.
    pub(crate) fn is_pending(&self, time: Duration) -> bool {
        self.written.pending > 0 && self.written.at.elapsed() >= time
    }

    /// Whether the table is as these groups left it: another may have written to it since.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn is_theirs(&self, connection: &Connection) -> Result<bool, FileError> {
        let Written {
            sequence,
            generation,
            ..
        } = self.written;
        Ok(state(connection)? == (sequence, generation))
    }

    /// Writes what has changed, as of the end of the transaction of this number, and closes periods
    /// that are over.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) fn write(
        &mut self,
        connection: &Connection,
        sequence: i64,
    ) -> Result<(), FileError> {
        self.write_changed(connection)?;
        if self.minutes.len() > KEPT || self.is_full() {
            self.forget(KEPT);
        }
        if self.is_full() {
            self.forget(1);
        }
        for _ in 0..CLOSED_AT_ONCE {
            let Some((period, time)) = self.written.due(self.written.newest) else {
                break;
            };
            self.written.close(connection, period, time)?;
        }
        connection
            .prepare_cached("UPDATE group_state SET sequence = ?")?
            .execute([sequence])?;
        self.written.sequence = sequence;
        self.written.pending = 0;
        self.written.overdue = false;
        self.written.at = Instant::now();
        Ok(())
    }

    fn write_changed(&mut self, connection: &Connection) -> Result<(), FileError> {
        for place in 0..self.minutes.len() {
            if !std::mem::take(&mut self.minutes[place].changed) {
                continue;
            }
            let Minute { time, role, .. } = self.minutes[place];
            for (kind, data) in self.rows(&self.minutes[place]) {
                let key = Key {
                    period: MINUTE,
                    time,
                    kind,
                    role,
                };
                put(connection, key, &data)?;
            }
            self.written.reopen(connection, time)?;
        }
        Ok(())
    }

    /// The rows of a minute; kinds that nothing was counted for have none.
    fn rows(&self, minute: &Minute) -> Vec<(Kind, Vec<u8>)> {
        let mut rows = vec![(
            Kind::All,
            part::encode(&mut vec![("", &minute.all)], &Tally::default()),
        )];
        if !minute.slowest.is_empty() {
            rows.push((Kind::Slowest, minute.slowest.encode()));
        }
        let method = |method: &u8| self.method_name(*method).map(str::to_owned);
        let endpoint = |endpoint: &(u8, _)| self.endpoint_name(*endpoint);
        let tables = [
            (Kind::Endpoint, encode(&minute.endpoints, endpoint)),
            (Kind::Host, encode_texts(&minute.hosts)),
            (Kind::UserAgent, encode_texts(&minute.agents)),
            (
                Kind::Client,
                encode(&minute.clients, |ip| Some(ip.to_string())),
            ),
            (Kind::Method, encode(&minute.methods, method)),
            (
                Kind::Status,
                encode(&minute.statuses, |status| Some(format!("{status:03}"))),
            ),
        ];
        for (kind, data) in tables {
            rows.extend(data.map(|data| (kind, data)));
        }
        rows
    }

    /// Brings a minute into memory, with what the table has of it.
    fn read(&mut self, connection: &Connection, time: i64, role: Role) -> Result<(), FileError> {
        self.begin(time, role);
        for kind in Kind::ALL {
            let key = Key {
                period: MINUTE,
                time,
                kind,
                role,
            };
            let Some(data) = get(connection, key)? else {
                continue;
            };
            if kind == Kind::Slowest {
                self.slowest_as_written().add_encoded(&data)?;
                continue;
            }
            part::read::<FileError>(&data, |group| {
                let (value, mut tally) = match group {
                    Group::Others(tally) => (None, tally),
                    Group::Of(value, tally) => (Some(value), tally),
                };
                Ok(self
                    .group_as_written(kind, value)
                    .merge_encoded(&mut tally)?)
            })?;
        }
        Ok(())
    }

    /// Counts what the transactions behind this one have stored.
    fn replay(&mut self, connection: &Connection, sequence: i64) -> Result<(), FileError> {
        let mut changes = connection
            .prepare("SELECT exchanges FROM changes WHERE sequence > ? ORDER BY sequence")?;
        let mut changes = changes.query([sequence])?;
        let mut row = connection.prepare(&format!("{EXCHANGE} WHERE id = ?"))?;
        while let Some(change) = changes.next()? {
            let (ids, _) = bytes(change)?.as_chunks();
            for id in ids {
                self.replay_rows(connection, row.query([i64::from_be_bytes(*id)])?)?;
            }
        }
        Ok(())
    }

    pub(super) fn replay_rows(
        &mut self,
        connection: &Connection,
        mut rows: rusqlite::Rows<'_>,
    ) -> Result<(), FileError> {
        while let Some(row) = rows.next()? {
            let Some((id, record)) = exchange(row)? else {
                continue;
            };
            self.exchange(connection, id, &record, &Addend::of(&record))?;
        }
        Ok(())
    }
}

/// Closes all periods of a file that nothing more comes for.
///
/// # Errors
/// What the database says.
pub(crate) fn close_all(connection: &Connection) -> Result<(), FileError> {
    let mut groups = Groups::open(connection)?;
    let sequence = connection.query_row(
        "SELECT coalesce(max(sequence), 0) FROM changes",
        [],
        |row| row.get(0),
    )?;
    groups.write(connection, sequence)?;
    while let Some((period, time)) = groups.written.due(i64::MAX) {
        groups.written.close(connection, period, time)?;
    }
    connection.execute("UPDATE group_state SET generation = generation + 1", [])?;
    Ok(())
}

/// The last transaction that is counted, and the generation of the rows.
fn state(connection: &Connection) -> Result<(i64, i64), FileError> {
    let mut statement =
        connection.prepare_cached("SELECT sequence, generation FROM group_state")?;
    Ok(statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

fn encode<K>(table: &Table<K>, name: impl Fn(&K) -> Option<String>) -> Option<Vec<u8>> {
    if table.groups.is_empty() && table.others.exchanges() == 0 {
        return None;
    }
    let mut others = table.others.clone();
    let mut named = Vec::with_capacity(table.groups.len());
    for (key, tally) in &table.groups {
        match name(key) {
            Some(name) => named.push((name, tally)),
            None => others.merge(tally),
        }
    }
    let mut groups = named
        .iter()
        .map(|(name, tally)| (name.as_str(), *tally))
        .collect();
    Some(part::encode(&mut groups, &others))
}

fn encode_texts(table: &Table<Box<str>>) -> Option<Vec<u8>> {
    if table.groups.is_empty() && table.others.exchanges() == 0 {
        return None;
    }
    let mut groups = table
        .groups
        .iter()
        .map(|(value, tally)| (&**value, tally))
        .collect();
    Some(part::encode(&mut groups, &table.others))
}

pub(super) fn put(connection: &Connection, key: Key, data: &[u8]) -> Result<(), FileError> {
    connection
        .prepare_cached(
            "INSERT INTO exchange_groups VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET data = excluded.data",
        )?
        .execute(params![
            key.period,
            key.time,
            key.kind.name(),
            key.role.name(),
            data
        ])?;
    Ok(())
}

pub(super) fn get(connection: &Connection, key: Key) -> Result<Option<Vec<u8>>, FileError> {
    let mut statement = connection.prepare_cached(
        "SELECT data FROM exchange_groups WHERE period = ? AND time = ? AND kind = ? AND role = ?",
    )?;
    let found = statement.query_row(
        params![key.period, key.time, key.kind.name(), key.role.name()],
        |row| row.get(0),
    );
    Ok(found.optional()?)
}

pub(super) const EXCHANGE: &str = "SELECT id, ts, role, outcome, src_ip, method, target, host, user_agent, status, \
    ttfb_us, request_bytes, response_bytes FROM exchanges";

/// What groups count of a row; None: it is none that we wrote.
fn exchange<'r>(row: &'r rusqlite::Row<'_>) -> rusqlite::Result<Option<(i64, ExchangeRecord<'r>)>> {
    let text = |index: usize| Ok::<_, rusqlite::Error>(row.get_ref(index)?.as_str_or_null()?);
    let count = |index: usize| {
        Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(i64::unsigned_abs))
    };
    let role = role(text(2)?);
    let outcome = text(3)?.and_then(|name| {
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.name() == name)
    });
    let src_ip = text(4)?.and_then(|ip| ip.parse().ok());
    let ts = jiff::Timestamp::from_microsecond(row.get(1)?).ok();
    let (Some(role), Some(outcome), Some(src_ip), Some(ts)) = (role, outcome, src_ip, ts) else {
        return Ok(None);
    };
    let record = ExchangeRecord {
        exchange_id: crate::session::identifier::Identifier::new(0, 0),
        session_id: None,
        ts,
        role,
        outcome,
        src_ip,
        src_port: 0,
        dst_ip: src_ip,
        dst_port: 0,
        method: text(5)?,
        target: text(6)?,
        version: "",
        host: text(7)?,
        user_agent: text(8)?,
        referer: None,
        status: row.get(9)?,
        content_type: None,
        ttfb_us: count(10)?,
        total_us: None,
        request_bytes: count(11)?,
        response_bytes: count(12)?,
        interim_status: None,
        traceparent: None,
        headers: None,
        partial: false,
        cpu_id: 0,
        reply_cpu_id: None,
    };
    Ok(Some((row.get(0)?, record)))
}

pub(super) fn role(name: Option<&str>) -> Option<Role> {
    let name = name?;
    Role::ALL.into_iter().find(|role| role.name() == name)
}

/// The bytes in the first column; none where it is null.
pub(super) fn bytes<'r>(row: &'r rusqlite::Row<'_>) -> rusqlite::Result<&'r [u8]> {
    Ok(row.get_ref(0)?.as_blob_or_null()?.unwrap_or_default())
}
