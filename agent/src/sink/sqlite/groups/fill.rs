//! The groups of a file of an earlier schema.

use rusqlite::{Connection, params};

use super::part;
use super::recent::Groups;
use super::write::{EXCHANGE, put, role};
use super::{Key, Kind, MINUTE, floor};
use crate::sink::sqlite::error::FileError;
use crate::sink::sqlite::tally::{EXCHANGE_SUMS, Sums, Tally, histogram};

/// Exchanges of a file of an earlier schema that are counted anew; more would take too long.
const FILLED_MOST: i64 = 300_000;

/// Counts what a file of an earlier schema holds: all of it where that takes no more than a moment,
/// else what its sums by minute say.
///
/// # Errors
/// What the database says.
pub(crate) fn fill(connection: &Connection) -> Result<(), FileError> {
    let (exchanges, newest): (i64, Option<i64>) = connection.query_row(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM exchanges LIMIT ?)), (SELECT max(id) FROM exchanges)",
        [FILLED_MOST + 1],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some(newest) = newest else {
        return Ok(());
    };
    if exchanges <= FILLED_MOST {
        let mut groups = Groups::open(connection)?;
        let mut rows = connection.prepare(&format!("{EXCHANGE} ORDER BY id"))?;
        groups.replay_rows(connection, rows.query([])?)?;
        let sequence = groups.written.sequence;
        groups.write(connection, sequence)?;
        return Ok(());
    }
    let known_from = floor(newest / 2_000_000, MINUTE) + MINUTE;
    connection.execute("UPDATE group_state SET known_from = ?", [known_from])?;
    let sums = EXCHANGE_SUMS.join(", ");
    let mut minutes =
        connection.prepare(&format!("SELECT time, role, {sums} FROM exchange_minutes"))?;
    let mut latencies = connection
        .prepare("SELECT from_us, exchanges FROM latency_minutes WHERE time = ? AND role = ?")?;
    let mut minutes = minutes.query([])?;
    while let Some(row) = minutes.next()? {
        let time: i64 = row.get(0)?;
        let Some(role) = role(row.get::<_, Option<String>>(1)?.as_deref()) else {
            continue;
        };
        let mut sums: Sums = Default::default();
        for (place, sum) in sums.iter_mut().enumerate() {
            *sum = row.get::<_, i64>(place + 2)?.unsigned_abs();
        }
        let mut tally = Tally {
            sums,
            ..Tally::default()
        };
        let mut buckets = latencies.query(params![time, role.name()])?;
        while let Some(row) = buckets.next()? {
            let index = histogram::index(row.get::<_, i64>(0)?.unsigned_abs());
            tally
                .histogram
                .add(index, row.get::<_, i64>(1)?.unsigned_abs());
            // Exactly it is not known any more: the end of its bucket.
            let end = histogram::from_us((index + 1).min(histogram::BUCKETS - 1));
            tally.longest_us = tally.longest_us.max(end);
        }
        let key = Key {
            period: MINUTE,
            time,
            kind: Kind::All,
            role,
        };
        let data = part::encode(&mut vec![("", &tally)], &Tally::default());
        put(connection, key, &data)?;
    }
    Ok(())
}
