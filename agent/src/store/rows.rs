//! What sums take from rows.

use std::ops::RangeInclusive;

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::filter::Query;
use super::{ReadError, ReadFile};
use crate::http::exchange::record::Outcome;
use crate::sink::sqlite::tally::Addend;

/// Columns that sums take; more follow behind.
const COLUMNS: &str = "ts, outcome, status, request_bytes, response_bytes, ttfb_us";
/// The place of the first column that follows.
pub(super) const MORE: usize = 7;

/// What a row adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) second: i64,
    pub(super) addend: Addend,
}

impl Counted {
    /// Of a row of [`select`].
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let count = |index: usize| {
            let number: Option<i64> = row.get(index)?;
            Ok::<_, rusqlite::Error>(number.map(i64::unsigned_abs))
        };
        let name = row.get_ref(2)?.as_str_or_null()?;
        let outcome = Outcome::ALL
            .into_iter()
            .find(|outcome| Some(outcome.name()) == name);
        let microseconds: i64 = row.get(1)?;
        Ok(Self {
            second: microseconds.div_euclid(1_000_000),
            addend: Addend::new(
                outcome.unwrap_or(Outcome::Complete),
                row.get(3)?,
                count(4)?,
                count(5)?,
                count(6)?,
            ),
        })
    }
}

/// The statement that finds what sums take, and these columns more; the keys are bound behind the
/// values of the query.
pub(super) fn select(query: &Query, more: &str) -> String {
    query.columns(&format!("{COLUMNS}{more}")) + " AND id BETWEEN ? AND ?"
}

/// Shows each row of a file between these keys.
pub(super) fn each(
    file: &ReadFile,
    query: &Query,
    sql: &str,
    keys: &RangeInclusive<i64>,
    mut see: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> Result<(), ReadError> {
    let mut read = || {
        let keys = [*keys.start(), *keys.end()].map(Value::Integer);
        let mut statement = file.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(query.values.iter().chain(&keys)))?;
        while let Some(row) = rows.next()? {
            see(row)?;
        }
        Ok(())
    };
    read().map_err(|source| file.failed(source))
}
