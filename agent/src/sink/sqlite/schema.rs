//! The tables, and how a file of an earlier schema becomes one of today's.
//!
//! `user_version` counts the steps that a file has behind it; `application_id` tells a file of ours
//! from any other database.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, TransactionBehavior};

use super::error::FileError;
use super::groups;

/// `TAPL`, as `file(1)` and SQLite know it.
pub(super) const APPLICATION_ID: i32 = 0x5441_504c;

/// A page of a new file: SQLite's own 4 KiB cost a row a tenth more, since rows are appended and much is
/// done once a page. Larger ones gain little, and where few records come each commit writes a handful of
/// pages.
const PAGE_BYTES: i64 = 16_384;

/// What leads from each version to the next. Never changed once released: only added to.
const STEPS: [&str; 3] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
];

/// From this version on a file has groups.
pub(crate) const WITH_GROUPS: i64 = 3;

/// The version of a file that has all steps behind it.
pub(crate) const VERSION: usize = STEPS.len();

/// The indexes of a day that is over. While a file is written to, an index on what comes in no
/// order would cost more than all the rest.
pub(super) const INDEXES: [(&str, &str); 6] = [
    ("sessions_by_src_ip", "sessions (src_ip)"),
    ("sessions_by_dst_ip", "sessions (dst_ip)"),
    ("sessions_by_session_id", "sessions (session_id)"),
    ("exchanges_by_session_id", "exchanges (session_id)"),
    ("exchanges_by_src_ip", "exchanges (src_ip)"),
    ("exchanges_by_host", "exchanges (host)"),
];

/// Makes the tables in an empty file, brings one of an earlier schema to today's.
///
/// # Errors
/// It is a database of something else, or of a newer Tapline; or the database fails.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), FileError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = (version, application, objects) == (0, 0, 0);
    if application != APPLICATION_ID && !is_empty {
        return Err(FileError::Unusable(
            "it is a database, but none of Tapline".to_owned(),
        ));
    }
    let Some(steps) = usize::try_from(version)
        .ok()
        .and_then(|version| STEPS.get(version..))
    else {
        return Err(FileError::Unusable(format!(
            "its schema {version} is not one of this version of Tapline, which knows {VERSION}"
        )));
    };
    if steps.is_empty() {
        return Ok(());
    }
    if is_empty {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    }
    add_functions(connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    if !is_empty && version < WITH_GROUPS {
        groups::fill(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", VERSION as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

/// Where the bucket of this latency begins: its first four binary digits, the others zero.
pub(super) const fn latency_bucket(microseconds: u64) -> u64 {
    let digits = u64::BITS - microseconds.leading_zeros();
    let dropped = digits.saturating_sub(4);
    microseconds >> dropped << dropped
}

/// The functions that steps call.
fn add_functions(connection: &Connection) -> Result<(), FileError> {
    connection.create_scalar_function(
        "latency_bucket",
        1,
        FunctionFlags::SQLITE_DETERMINISTIC,
        |context| {
            let latency: i64 = context.get(0)?;
            Ok(latency_bucket(latency.unsigned_abs()) as i64)
        },
    )?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    const FIRST: &str = include_str!("schema/first.sql");

    /// A file of the second schema, with the tables of the third: so many exchanges over three minutes of 2026
    /// that begin at a whole one, every tenth an error.
    pub(in crate::sink::sqlite) fn of_second_schema(exchanges: i64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        add_functions(&connection).unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        let insert = format!(
            "WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {exchanges}),
             made AS (SELECT n, (1795264020 + n * 180 / {exchanges}) * 1000000 AS ts,
                 iif(n % 10 = 0, 503, 200) AS status, 700 + n * 37 AS took FROM number)
             INSERT INTO exchanges (id, exchange_id, ts, role, outcome, src_ip, src_port, dst_ip, dst_port, method,
                 target, version, status, ttfb_us, request_bytes, response_bytes, partial, cpu_id)
             SELECT 2 * ts + n, printf('%032x', n), ts, 'server', 'complete', '192.0.2.1', 1, '192.0.2.2', 80, 'GET',
                 '/user/' || n, 'HTTP/1.1', status, took, 10, 20, 0, 0 FROM made;
             INSERT INTO exchange_minutes
             SELECT ts / 1000000 / 60 * 60, role, count(*), count(*), 0, 0, 0, 0, sum(status = 200), 0, 0,
                 sum(status = 503), 0, sum(status >= 400), sum(request_bytes), sum(response_bytes), count(ttfb_us),
                 sum(ttfb_us) FROM exchanges GROUP BY 1, 2;"
        );
        connection.execute_batch(&insert).unwrap();
        // The second step makes histograms of what is there.
        connection.execute_batch(STEPS[1]).unwrap();
        connection.execute_batch(STEPS[2]).unwrap();
        connection
    }

    fn shape(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn a_file_of_the_first_schema_is_upgraded_with_what_is_in_it() {
        let mut old = Connection::open_in_memory().unwrap();
        old.execute_batch(FIRST).unwrap();
        let count = |connection: &Connection, sql: &str| -> i64 {
            connection.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&old, "PRAGMA user_version"), 1);
        let before = count(&old, "SELECT sum(id) FROM exchanges");
        migrate(&mut old).unwrap();
        assert_eq!(count(&old, "PRAGMA user_version"), VERSION as i64);
        assert_eq!(count(&old, "SELECT sum(id) FROM exchanges"), before);
        // Three are timed: 900, 901 and 5000 microseconds; the last in another minute.
        assert_eq!(count(&old, "SELECT sum(exchanges) FROM latency_seconds"), 3);
        assert_eq!(
            count(
                &old,
                "SELECT exchanges FROM latency_minutes WHERE from_us = 896"
            ),
            2
        );
        // All four are in groups: two of a role and minute in each row.
        assert_eq!(
            count(
                &old,
                "SELECT count(*) FROM exchange_groups WHERE kind = 'all'"
            ),
            2
        );
        assert_eq!(count(&old, "SELECT known_from IS NULL FROM group_state"), 1);
        let mut new = Connection::open_in_memory().unwrap();
        migrate(&mut new).unwrap();
        assert_eq!(shape(&old), shape(&new));
        assert_eq!(count(&new, "PRAGMA page_size"), PAGE_BYTES);
        // Once more changes nothing.
        migrate(&mut new).unwrap();
        assert_eq!(count(&new, "PRAGMA user_version"), VERSION as i64);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let check = |sql: &str, word: &str| {
            let mut connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(sql).unwrap();
            let error = migrate(&mut connection).unwrap_err();
            assert!(matches!(error, FileError::Unusable(_)), "{error}");
            assert!(error.to_string().contains(word), "{error}");
        };
        check("CREATE TABLE a (b)", "none of Tapline");
        check("PRAGMA application_id = 1", "none of Tapline");
        check("PRAGMA user_version = 1", "none of Tapline");
        let ours = format!("PRAGMA application_id = {APPLICATION_ID};");
        check(&format!("{ours} PRAGMA user_version = 4"), "schema 4");
        check(&format!("{ours} PRAGMA user_version = -1"), "schema -1");
    }

    #[test]
    fn buckets() {
        let check = |latency, bucket| assert_eq!(latency_bucket(latency), bucket);
        check(0, 0);
        check(15, 15);
        check(16, 16);
        check(17, 16);
        check(18, 18);
        check(1_000, 960);
        check(u64::MAX, 0xf000_0000_0000_0000);
    }

    proptest! {
        #[test]
        fn a_bucket_is_an_eighth_wide(latency in any::<u64>()) {
            let bucket = latency_bucket(latency);
            prop_assert!(bucket <= latency && latency - bucket <= bucket / 8);
            prop_assert_eq!(latency_bucket(bucket), bucket);
        }
    }
}
