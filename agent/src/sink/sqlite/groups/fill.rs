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
    fill_up_to(connection, FILLED_MOST)
}

fn fill_up_to(connection: &Connection, most: i64) -> Result<(), FileError> {
    let (exchanges, newest): (i64, Option<i64>) = connection.query_row(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM exchanges LIMIT ?)), (SELECT max(id) FROM exchanges)",
        [most + 1],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some(newest) = newest else {
        return Ok(());
    };
    if exchanges <= most {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sqlite::groups::part::Merged;
    use crate::sink::sqlite::schema::tests::of_second_schema;
    use crate::sink::sqlite::tally::{ERRORS, EXCHANGES, TTFB_US};

    /// A file of the second schema with a hundred exchanges over three minutes, brought to groups with this
    /// bound. Gives the sums of all groups of a kind, and from when on they are known.
    fn filled(most: i64, kind: Kind) -> (Tally, usize, Option<i64>) {
        let connection = of_second_schema(100);
        fill_up_to(&connection, most).unwrap();
        let mut rows = connection
            .prepare("SELECT data FROM exchange_groups WHERE period = 60 AND kind = ?")
            .unwrap();
        let mut merged = Merged::default();
        let data = rows.query_map([kind.name()], |row| row.get(0)).unwrap();
        let data: Vec<Vec<u8>> = data.map(Result::unwrap).collect();
        for row in &data {
            merged.add(row).unwrap();
        }
        let mut all = merged.others;
        merged.groups.values().for_each(|tally| all.merge(tally));
        let known = connection
            .query_row("SELECT known_from FROM group_state", [], |row| row.get(0))
            .unwrap();
        (all, data.len(), known)
    }

    #[test]
    fn a_large_file_has_its_sums_by_minute_and_says_from_when_on_it_knows_more() {
        let (counted, rows, known) = filled(100, Kind::All);
        assert_eq!(known, None);
        let (told, told_rows, known) = filled(99, Kind::All);
        assert_eq!((rows, told_rows), (told_rows, 3));
        assert_eq!(told.sums, counted.sums);
        assert_eq!(told.sums[EXCHANGES], 100);
        assert!(told.sums[ERRORS] > 0 && told.sums[TTFB_US] > 0);
        assert_eq!(told.histogram, counted.histogram);
        // The longest is known to its bucket.
        assert!(told.longest_us >= counted.longest_us);
        assert!(told.longest_us <= counted.longest_us + counted.longest_us / 8 + 1);
        // The minute behind the last exchange is the first of which endpoints are known.
        assert_eq!(known, Some(1_795_264_020 + 180));
        assert_eq!(filled(99, Kind::Endpoint).1, 0);
        assert_eq!(filled(100, Kind::Endpoint).0.exchanges(), 100);
    }
}
