//! The roll-ups of one transaction: added up in memory, then added to the tables, a row for each
//! second and minute that was touched. Sums stop at the largest number instead of overflowing.

use std::collections::HashMap;

use rusqlite::{Connection, ToSql, types::Value};

use super::tally::{Addend, EXCHANGE_SUMS, Tally, histogram};
use crate::http::exchange::record::Role;
use crate::session::record::{Protocol, SessionRecord};

const SESSION_SUMS: [&str; 8] = [
    "opened",
    "ended",
    "packets",
    "bytes",
    "missed_bytes",
    "retransmits",
    "http_requests",
    "http_errors",
];

const CPU_SUMS: [&str; 2] = ["packets", "bytes"];

/// What a session has counted so far, as its row says: a revision counts only for what it adds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct SessionTotals {
    pub(super) interim: bool,
    pub(super) packets: i64,
    pub(super) bytes: i64,
    pub(super) missed_bytes: i64,
    pub(super) retransmits: i64,
    pub(super) http_requests: i64,
    pub(super) http_errors: i64,
    pub(super) packets_out: i64,
    pub(super) packets_in: i64,
    pub(super) bytes_out: i64,
    pub(super) bytes_in: i64,
}

impl SessionTotals {
    /// What the record says.
    pub(super) fn of(record: &SessionRecord<'_>) -> Self {
        let mut totals = Self {
            packets: whole(record.packets),
            bytes: whole(record.bytes),
            packets_out: whole(record.packets),
            bytes_out: whole(record.bytes),
            ..Self::default()
        };
        if let Some(details) = &record.details {
            totals.interim = details.interim;
            totals.missed_bytes = whole(details.missed_bytes);
            totals.retransmits = whole(details.retransmits);
            totals.http_requests = whole(details.http_requests);
            totals.http_errors = whole(details.http_errors);
            totals.packets_out = whole(details.packets_out);
            totals.packets_in = whole(details.packets_in);
            totals.bytes_out = whole(details.bytes_out);
            totals.bytes_in = whole(details.bytes_in);
        }
        totals
    }
}

/// The sums of one transaction.
#[derive(Debug, Default)]
pub(super) struct RollUps {
    /// By second.
    exchanges: Vec<((i64, Role), Tally)>,
    sessions: HashMap<(i64, Protocol), [i64; SESSION_SUMS.len()]>,
    cpus: HashMap<(i64, u32), [i64; CPU_SUMS.len()]>,
}

impl RollUps {
    /// Counts an exchange that was not stored before.
    pub(super) fn exchange(&mut self, time: jiff::Timestamp, role: Role, addend: &Addend) {
        let key = (second(time), role);
        // Nearly always one of the last seconds.
        let found = self.exchanges.iter().rposition(|(other, _)| *other == key);
        let place = found.unwrap_or_else(|| {
            self.exchanges.push((key, Tally::default()));
            self.exchanges.len() - 1
        });
        self.exchanges[place].1.add(addend);
    }

    /// Counts what a session adds to what its row said `before`; None: it had none.
    pub(super) fn session(&mut self, record: &SessionRecord<'_>, before: Option<SessionTotals>) {
        let now = SessionTotals::of(record);
        let had_ended = before.is_some_and(|before| !before.interim);
        let opened = i64::from(before.is_none());
        let before = before.unwrap_or_default();
        let started = second(record.timestamp);
        let ended = record
            .details
            .map_or(started, |details| second(details.ended_at));
        let protocol = record.protocol;
        let added = |total: fn(&SessionTotals) -> i64| total(&now).saturating_sub(total(&before));
        let sums = [
            0,
            i64::from(!now.interim && !had_ended),
            added(|totals| totals.packets),
            added(|totals| totals.bytes),
            added(|totals| totals.missed_bytes),
            added(|totals| totals.retransmits),
            added(|totals| totals.http_requests),
            added(|totals| totals.http_errors),
        ];
        add(self.sessions.entry((ended, protocol)), sums);
        if opened > 0 {
            let sums = [opened, 0, 0, 0, 0, 0, 0, 0];
            add(self.sessions.entry((started, protocol)), sums);
        }
        let out = [
            added(|totals| totals.packets_out),
            added(|totals| totals.bytes_out),
        ];
        add(self.cpus.entry((ended, record.cpu_id)), out);
        let back = [
            added(|totals| totals.packets_in),
            added(|totals| totals.bytes_in),
        ];
        if back != [0, 0] {
            let reply = record.details.and_then(|details| details.reply_cpu_id);
            let cpu = reply.unwrap_or(record.cpu_id);
            add(self.cpus.entry((ended, cpu)), back);
        }
    }

    /// Adds the sums to the tables.
    ///
    /// # Errors
    /// What the database says.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        write_exchanges(connection, &self.exchanges)?;
        let sessions = |(time, protocol): &(i64, Protocol)| (*time, vec![name(protocol.name())]);
        write(
            connection,
            "session",
            &["protocol"],
            &SESSION_SUMS,
            &self.sessions,
            sessions,
        )?;
        let cpus = |(time, cpu): &(i64, u32)| (*time, vec![Value::Integer(i64::from(*cpu))]);
        write(
            connection,
            "session_cpu",
            &["cpu_id"],
            &CPU_SUMS,
            &self.cpus,
            cpus,
        )
    }
}

/// The largest number that the database has, for what is larger.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn second(time: jiff::Timestamp) -> i64 {
    time.as_microsecond().div_euclid(1_000_000)
}

fn name(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn add<K, const N: usize>(
    entry: std::collections::hash_map::Entry<'_, K, [i64; N]>,
    added: [i64; N],
) {
    let sums = entry.or_insert([0; N]);
    for (sum, added) in sums.iter_mut().zip(added) {
        *sum = sum.saturating_add(added);
    }
}

fn write_exchanges(
    connection: &Connection,
    seconds: &[((i64, Role), Tally)],
) -> rusqlite::Result<()> {
    if seconds.is_empty() {
        return Ok(());
    }
    let mut minutes: Vec<((i64, Role), Tally)> = Vec::new();
    for ((time, role), tally) in seconds {
        let key = (time.div_euclid(60) * 60, *role);
        match minutes.iter_mut().find(|(other, _)| *other == key) {
            Some((_, total)) => total.merge(tally),
            None => minutes.push((key, tally.clone())),
        }
    }
    for (unit, tallies) in [("seconds", seconds), ("minutes", &minutes)] {
        let mut sums = Vec::with_capacity(tallies.len());
        let mut buckets = Vec::new();
        let mut longest = connection.prepare_cached(&format!(
            "UPDATE exchange_{unit} SET longest_us = ?3 WHERE time = ?1 AND role = ?2 AND longest_us < ?3"
        ))?;
        for ((time, role), tally) in tallies {
            sums.push((*time, vec![name(role.name())], tally.sums.map(whole)));
            for (index, count) in tally.histogram.buckets() {
                let from = Value::Integer(whole(histogram::from_us(index)));
                buckets.push((*time, vec![name(role.name()), from], [whole(count)]));
            }
        }
        let table = format!("exchange_{unit}");
        add_rows(connection, &table, &["role"], &EXCHANGE_SUMS, &sums)?;
        for ((time, role), tally) in tallies {
            longest.execute((time, role.name(), whole(tally.longest_us)))?;
        }
        let table = format!("latency_{unit}");
        add_rows(
            connection,
            &table,
            &["role", "from_us"],
            &["exchanges"],
            &buckets,
        )?;
    }
    Ok(())
}

/// Adds to `…_seconds`, and minute by minute to `…_minutes`.
fn write<K, const N: usize>(
    connection: &Connection,
    table: &str,
    keys: &[&str],
    columns: &[&str; N],
    seconds: &HashMap<K, [i64; N]>,
    split: impl Fn(&K) -> (i64, Vec<Value>),
) -> rusqlite::Result<()> {
    if seconds.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<(i64, Vec<Value>, [i64; N])> = Vec::with_capacity(seconds.len());
    let mut minutes: Vec<(i64, Vec<Value>, [i64; N])> = Vec::new();
    for (key, sums) in seconds {
        let (time, rest) = split(key);
        let minute = time.div_euclid(60) * 60;
        match minutes
            .iter_mut()
            .find(|(time, keys, _)| *time == minute && *keys == rest)
        {
            Some((_, _, total)) => {
                for (total, sum) in total.iter_mut().zip(sums) {
                    *total = total.saturating_add(*sum);
                }
            }
            None => minutes.push((minute, rest.clone(), *sums)),
        }
        rows.push((time, rest, *sums));
    }
    add_rows(
        connection,
        &format!("{table}_seconds"),
        keys,
        columns,
        &rows,
    )?;
    add_rows(
        connection,
        &format!("{table}_minutes"),
        keys,
        columns,
        &minutes,
    )
}

fn add_rows<const N: usize>(
    connection: &Connection,
    table: &str,
    keys: &[&str],
    columns: &[&str; N],
    rows: &[(i64, Vec<Value>, [i64; N])],
) -> rusqlite::Result<()> {
    let all: Vec<&str> = std::iter::once("time")
        .chain(keys.iter().copied())
        .chain(columns.iter().copied())
        .collect();
    let places = vec!["?"; all.len()].join(", ");
    // Integers that overflow would become floating point, which a STRICT table refuses.
    let sums: Vec<String> = columns
        .iter()
        .map(|column| {
            format!(
                "{column} = max(min({column} + excluded.{column}, {}), -{})",
                i64::MAX,
                i64::MAX
            )
        })
        .collect();
    let sql = format!(
        "INSERT INTO {table} ({}) VALUES ({places}) ON CONFLICT DO UPDATE SET {}",
        all.join(", "),
        sums.join(", ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    for (time, keys, sums) in rows {
        let values = std::iter::once(time as &dyn ToSql)
            .chain(keys.iter().map(|key| key as &dyn ToSql))
            .chain(sums.iter().map(|sum| sum as &dyn ToSql));
        statement.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}
