//! How far the groups are in the table, and the longer periods that are made of shorter ones.

use std::collections::BTreeSet;
use std::time::Instant;

use rusqlite::{Connection, params};

use super::part::Merged;
use super::slowest::Slowest;
use super::write::{bytes, put};
use super::{Key, Kind, MINUTE, PERIODS, floor};
use crate::http::exchange::record::Role;
use crate::sink::sqlite::error::FileError;

/// A period gets its row when so many seconds of the next have passed: late records have come by then.
const SETTLED: i64 = 120;

/// How far groups are written.
#[derive(Debug)]
pub(crate) struct Written {
    /// Exchanges that are in memory alone.
    pub(super) pending: u64,
    /// The last transaction whose exchanges are in the table.
    pub(super) sequence: i64,
    /// Another who writes to the table counts up.
    pub(super) generation: i64,
    pub(super) at: Instant,
    /// Periods that have shorter ones in the table, and no row of their own.
    pub(super) open: BTreeSet<(i64, i64)>,
    /// The newest minute that was written.
    pub(super) newest: i64,
    /// Some of what is counted is written before its transaction is, and the rest must be with it.
    pub(super) overdue: bool,
}

impl Written {
    /// Finds the periods that are to be closed.
    pub(super) fn find_open(&mut self, connection: &Connection) -> Result<(), FileError> {
        let mut rows =
            connection.prepare("SELECT DISTINCT period, time FROM exchange_groups ORDER BY 1")?;
        let there: BTreeSet<(i64, i64)> = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (period, time) in &there {
            if *period == MINUTE {
                self.newest = self.newest.max(*time);
            }
            for longer in PERIODS.into_iter().filter(|longer| longer > period) {
                let around = (longer, floor(*time, longer));
                if !there.contains(&around) {
                    self.open.insert(around);
                }
            }
        }
        Ok(())
    }

    /// A minute has changed: what is made of it is made again.
    pub(super) fn reopen(&mut self, connection: &Connection, minute: i64) -> Result<(), FileError> {
        self.newest = self.newest.max(minute);
        for period in PERIODS.into_iter().filter(|period| *period > MINUTE) {
            let time = floor(minute, period);
            if self.open.insert((period, time)) {
                connection
                    .prepare_cached("DELETE FROM exchange_groups WHERE period = ? AND time = ?")?
                    .execute([period, time])?;
            }
        }
        Ok(())
    }

    /// A period that is over by this second, the shortest first.
    pub(super) fn due(&self, second: i64) -> Option<(i64, i64)> {
        // The first of a length is the oldest; a longer one is over later than all that it is made of.
        PERIODS.into_iter().skip(1).find_map(|period| {
            let first = self.open.range((period, i64::MIN)..).next()?;
            let end = first.1.saturating_add(period + SETTLED);
            (first.0 == period && end <= second).then_some(*first)
        })
    }

    /// Makes the rows of a period of those of the next shorter one.
    pub(super) fn close(
        &mut self,
        connection: &Connection,
        period: i64,
        time: i64,
    ) -> Result<(), FileError> {
        let shorter = PERIODS
            .into_iter()
            .rfind(|shorter| *shorter < period)
            .unwrap_or(MINUTE);
        let mut rows = connection.prepare_cached(
            "SELECT data FROM exchange_groups WHERE period = ? AND time >= ? AND time < ? \
             AND kind = ? AND role = ?",
        )?;
        for kind in Kind::ALL {
            for role in Role::ALL {
                let mut found = rows.query(params![
                    shorter,
                    time,
                    time + period,
                    kind.name(),
                    role.name()
                ])?;
                let mut merged = Merged::default();
                let mut slowest = Slowest::default();
                let mut is_empty = true;
                while let Some(row) = found.next()? {
                    let data = bytes(row)?;
                    is_empty = false;
                    match kind {
                        Kind::Slowest => slowest.add_encoded(data)?,
                        _ => merged.add(data)?,
                    }
                }
                if is_empty {
                    continue;
                }
                let data = match kind {
                    Kind::Slowest => slowest.encode(),
                    _ => merged.encode(),
                };
                let key = Key {
                    period,
                    time,
                    kind,
                    role,
                };
                put(connection, key, &data)?;
            }
        }
        self.open.remove(&(period, time));
        Ok(())
    }
}
