//! Sums of sessions over time, and of their packets by CPU.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use super::{ReadError, ReadFile, Store};
use crate::sink::sqlite::groups::{MINUTE, floor};

/// CPUs that are told apart: records of other programs may name any.
const CPUS_MOST: usize = 1024;

/// What sessions have counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// They began.
    pub opened: u64,
    /// They ended.
    pub ended: u64,
    /// Packets of those that ended, or told how far they are.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// Packets and bytes that a CPU carried, a place for each step.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct CpuTraffic {
    /// Packets.
    pub packets: Vec<u64>,
    /// Bytes.
    pub bytes: Vec<u64>,
}

impl Store {
    /// The sums of sessions between these seconds, in so many places of `step` seconds from `first` on.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn traffic(
        &self,
        (from, to): (i64, i64),
        first: i64,
        step: i64,
        places: usize,
    ) -> Result<Vec<Traffic>, ReadError> {
        let mut found = vec![Traffic::default(); places];
        for file in &self.files {
            for (unit, from, to) in ranges((from, to), step) {
                let sql = format!(
                    "SELECT time, opened, ended, packets, bytes FROM session_{unit} \
                     WHERE time >= ? AND time < ?"
                );
                file.rows(&sql, (from, to), |row| {
                    let Some(sum) =
                        place(row.get(0)?, first, step).and_then(|at| found.get_mut(at))
                    else {
                        return Ok(());
                    };
                    let number = |index| {
                        Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.max(0).unsigned_abs())
                    };
                    sum.opened = sum.opened.saturating_add(number(1)?);
                    sum.ended = sum.ended.saturating_add(number(2)?);
                    sum.packets = sum.packets.saturating_add(number(3)?);
                    sum.bytes = sum.bytes.saturating_add(number(4)?);
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }

    /// The same by CPU.
    ///
    /// # Errors
    /// A database cannot be read.
    pub fn cpu_traffic(
        &self,
        (from, to): (i64, i64),
        first: i64,
        step: i64,
        places: usize,
    ) -> Result<BTreeMap<u32, CpuTraffic>, ReadError> {
        let mut found: BTreeMap<u32, CpuTraffic> = BTreeMap::new();
        for file in &self.files {
            for (unit, from, to) in ranges((from, to), step) {
                let sql = format!(
                    "SELECT time, cpu_id, packets, bytes FROM session_cpu_{unit} WHERE time >= ? AND time < ?"
                );
                file.rows(&sql, (from, to), |row| {
                    let Some(at) = place(row.get(0)?, first, step).filter(|at| *at < places) else {
                        return Ok(());
                    };
                    let number: u32 = row.get(1)?;
                    if found.len() >= CPUS_MOST && !found.contains_key(&number) {
                        return Ok(());
                    }
                    let cpu = found.entry(number).or_insert_with(|| CpuTraffic {
                        packets: vec![0; places],
                        bytes: vec![0; places],
                    });
                    let number = |index| {
                        Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.max(0).unsigned_abs())
                    };
                    cpu.packets[at] = cpu.packets[at].saturating_add(number(2)?);
                    cpu.bytes[at] = cpu.bytes[at].saturating_add(number(3)?);
                    Ok(())
                })?;
            }
        }
        Ok(found)
    }
}

/// Whole minutes where steps are such, and seconds for the rest.
fn ranges((from, to): (i64, i64), step: i64) -> Vec<(&'static str, i64, i64)> {
    let (first, last) = (
        floor(from.saturating_add(MINUTE - 1), MINUTE),
        floor(to, MINUTE),
    );
    // One place for all of it takes minutes too.
    let is_one = to.saturating_sub(from) <= step;
    if first >= last || (step % MINUTE != 0 && !is_one) {
        return vec![("seconds", from, to)];
    }
    vec![
        ("seconds", from, first),
        ("minutes", first, last),
        ("seconds", last, to),
    ]
}

fn place(second: i64, first: i64, step: i64) -> Option<usize> {
    let place = second.checked_sub(first)?.div_euclid(step.max(1));
    usize::try_from(place).ok()
}

impl ReadFile {
    fn rows(
        &self,
        sql: &str,
        (from, to): (i64, i64),
        mut see: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), ReadError> {
        let mut read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![from, to])?;
            while let Some(row) = rows.next()? {
                see(row)?;
            }
            Ok(())
        };
        read().map_err(|source| self.failed(source))
    }
}
