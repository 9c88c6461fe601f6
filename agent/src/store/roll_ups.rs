//! Reads roll-ups: the longest periods that lie within what is asked for and have rows, and shorter ones
//! at its ends.

use rusqlite::{Connection, params};

use super::answer::Wanted;
use super::{ReadError, ReadFile, Store};
use crate::http::exchange::record::Role;
use crate::sink::sqlite::groups::{Kind, MINUTE, PERIODS, floor};
use crate::sink::sqlite::tally::varint::NotOurs;
use crate::sink::sqlite::tally::{EXCHANGE_SUMS, Sums, Tally, histogram};

/// Why a roll-up cannot be read.
#[derive(Debug)]
pub(super) enum Failed {
    Database(rusqlite::Error),
    NotOurs,
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<rusqlite::types::FromSqlError> for Failed {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Database(error.into())
    }
}

impl From<NotOurs> for Failed {
    fn from(_error: NotOurs) -> Self {
        Self::NotOurs
    }
}

/// What sees the rows of groups: the first second of a row's period, and its bytes.
pub(super) type See<'s> = dyn FnMut(i64, &[u8]) -> Result<(), Failed> + 's;

impl Store {
    /// Shows all rows of groups between these seconds, which are whole minutes. `step`: no period is
    /// longer, or lies across a multiple of it; None: any.
    pub(super) fn groups(
        &self,
        wanted: &Wanted,
        (from, to): (i64, i64),
        step: Option<i64>,
        see: &mut See<'_>,
    ) -> Result<(), ReadError> {
        let fits = |period: &i64| step.is_none_or(|step| step % period == 0);
        let periods: Vec<i64> = PERIODS.into_iter().rev().filter(fits).collect();
        for file in self.files.iter().filter(|file| file.has_groups) {
            let mut read = || {
                // All rows of one moment: the writer takes some away while it makes longer ones.
                let transaction = file.connection.unchecked_transaction()?;
                for role in &wanted.roles {
                    walk(&transaction, wanted.kind, *role, &periods, (from, to), see)?;
                }
                Ok(())
            };
            let result: Result<(), Failed> = read();
            result.map_err(|error| file.unreadable(error))?;
        }
        Ok(())
    }

    /// The first second from which on groups are known, if that is not from the beginning.
    pub(super) fn groups_known_from(&self, kind: Kind) -> Result<Option<i64>, ReadError> {
        let mut known: Option<i64> = None;
        for file in &self.files {
            let of_file = match file.has_groups {
                // Sums by second and minute are kept for all.
                true if kind == Kind::All => None,
                true => file
                    .connection
                    .prepare_cached("SELECT known_from FROM group_state")
                    .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
                    .map_err(|source| file.failed(source))?,
                false => Some(file.day.0.saturating_add(1).saturating_mul(86_400)),
            };
            known = known.max(of_file);
        }
        Ok(known)
    }

    /// Shows the sums by second between these seconds: each with its second.
    pub(super) fn seconds(
        &self,
        roles: &[Role],
        (from, to): (i64, i64),
        see: &mut dyn FnMut(i64, &Tally),
    ) -> Result<(), ReadError> {
        for file in &self.files {
            for role in roles {
                file.sums("seconds", *role, (from, to), see)?;
            }
        }
        Ok(())
    }
}

impl ReadFile {
    /// Shows the sums of a role by this unit, `seconds` or `minutes`.
    pub(super) fn sums(
        &self,
        unit: &str,
        role: Role,
        range: (i64, i64),
        see: &mut dyn FnMut(i64, &Tally),
    ) -> Result<(), ReadError> {
        self.read_sums(unit, role, range, see)
            .map_err(|source| self.failed(source))
    }

    fn read_sums(
        &self,
        unit: &str,
        role: Role,
        (from, to): (i64, i64),
        see: &mut dyn FnMut(i64, &Tally),
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        let longest = match self.has_groups {
            true => "longest_us",
            false => "0",
        };
        let mut sums = transaction.prepare_cached(&format!(
            "SELECT time, {longest}, {} FROM exchange_{unit} WHERE time >= ? AND time < ? AND role = ?",
            EXCHANGE_SUMS.join(", ")
        ))?;
        let mut rows = sums.query(params![from, to, role.name()])?;
        while let Some(row) = rows.next()? {
            let mut sums: Sums = Default::default();
            for (place, sum) in sums.iter_mut().enumerate() {
                *sum = row.get::<_, i64>(place + 2)?.unsigned_abs();
            }
            let tally = Tally {
                sums,
                longest_us: row.get::<_, i64>(1)?.unsigned_abs(),
                ..Tally::default()
            };
            see(row.get(0)?, &tally);
        }
        if !self.has_changes {
            // Of a schema that knew no latencies.
            return Ok(());
        }
        let mut latencies = transaction.prepare_cached(&format!(
            "SELECT time, from_us, exchanges FROM latency_{unit} \
             WHERE time >= ? AND time < ? AND role = ? ORDER BY time"
        ))?;
        let mut rows = latencies.query(params![from, to, role.name()])?;
        let mut tally = Tally::default();
        let mut second: Option<i64> = None;
        while let Some(row) = rows.next()? {
            let time = row.get(0)?;
            if second.is_some_and(|second| second != time) {
                see(second.unwrap_or(time), &std::mem::take(&mut tally));
            }
            second = Some(time);
            let index = histogram::index(row.get::<_, i64>(1)?.unsigned_abs());
            let count = row.get::<_, i64>(2)?.unsigned_abs();
            tally.histogram.add(index, count);
        }
        if let Some(second) = second {
            see(second, &tally);
        }
        Ok(())
    }

    fn unreadable(&self, error: Failed) -> ReadError {
        match error {
            Failed::Database(source) => self.failed(source),
            Failed::NotOurs => ReadError::RollUps {
                path: self.path.clone(),
            },
        }
    }
}

/// Takes the rows of the longest period there are, and goes on with shorter ones where there are none.
fn walk(
    connection: &Connection,
    kind: Kind,
    role: Role,
    periods: &[i64],
    (from, to): (i64, i64),
    see: &mut See<'_>,
) -> Result<(), Failed> {
    let Some((period, shorter)) = periods.split_first() else {
        return Ok(());
    };
    if from >= to {
        return Ok(());
    }
    let (first, end) = (
        floor(from.saturating_add(period - 1), *period),
        floor(to, *period),
    );
    if *period == MINUTE {
        return take(connection, kind, role, MINUTE, (from, to), see);
    }
    if first >= end {
        return walk(connection, kind, role, shorter, (from, to), see);
    }
    let mut done = from;
    for (run_from, run_to) in runs(connection, *period, (first, end))? {
        walk(connection, kind, role, shorter, (done, run_from), see)?;
        take(connection, kind, role, *period, (run_from, run_to), see)?;
        done = run_to;
    }
    walk(connection, kind, role, shorter, (done, to), see)
}

/// Where periods of this length have rows, as long as they follow each other.
fn runs(
    connection: &Connection,
    period: i64,
    (from, to): (i64, i64),
) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT time FROM exchange_groups WHERE period = ? AND time >= ? AND time < ? ORDER BY time",
    )?;
    let mut rows = statement.query(params![period, from, to])?;
    let mut runs: Vec<(i64, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let time: i64 = row.get(0)?;
        match runs.last_mut() {
            Some((_, end)) if *end == time => *end = time.saturating_add(period),
            _ => runs.push((time, time.saturating_add(period))),
        }
    }
    Ok(runs)
}

fn take(
    connection: &Connection,
    kind: Kind,
    role: Role,
    period: i64,
    (from, to): (i64, i64),
    see: &mut See<'_>,
) -> Result<(), Failed> {
    let mut statement = connection.prepare_cached(
        "SELECT time, data FROM exchange_groups WHERE period = ? AND time >= ? AND time < ? \
         AND kind = ? AND role = ?",
    )?;
    let mut rows = statement.query(params![period, from, to, kind.name(), role.name()])?;
    while let Some(row) = rows.next()? {
        let data = row.get_ref(1)?.as_blob_or_null()?.unwrap_or_default();
        see(row.get(0)?, data)?;
    }
    Ok(())
}
