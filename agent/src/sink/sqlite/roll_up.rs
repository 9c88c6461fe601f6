//! The roll-ups of one transaction: added up in memory, then added to the tables, a row for each
//! second and minute that was touched. Sums stop at the largest number instead of overflowing.

use std::collections::HashMap;

use rusqlite::{Connection, ToSql, types::Value};

use super::schema::latency_bucket;
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::session::record::{Protocol, SessionRecord};

const EXCHANGE_SUMS: [&str; 16] = [
    "exchanges",
    "complete",
    "unanswered",
    "orphan",
    "opaque",
    "status_1xx",
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "status_other",
    "errors",
    "request_bytes",
    "response_bytes",
    "timed",
    "ttfb_us",
];

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
    exchanges: HashMap<(i64, Role), [i64; EXCHANGE_SUMS.len()]>,
    latencies: HashMap<(i64, Role, i64), [i64; 1]>,
    sessions: HashMap<(i64, Protocol), [i64; SESSION_SUMS.len()]>,
    cpus: HashMap<(i64, u32), [i64; CPU_SUMS.len()]>,
}

impl RollUps {
    /// Counts an exchange that was not stored before.
    pub(super) fn exchange(&mut self, record: &ExchangeRecord<'_>) {
        let second = second(record.ts);
        let outcome = |outcome| i64::from(record.outcome == outcome);
        let class = record.status.map(|status| status / 100);
        let status = |wanted| i64::from(class == Some(wanted));
        let other = class.is_some_and(|class| !(1..=5).contains(&class));
        let sums = [
            1,
            outcome(Outcome::Complete),
            outcome(Outcome::Unanswered),
            outcome(Outcome::Orphan),
            outcome(Outcome::Opaque),
            status(1),
            status(2),
            status(3),
            status(4),
            status(5),
            i64::from(other),
            i64::from(record.status.is_some_and(|status| status >= 400)),
            whole(record.request_bytes.unwrap_or(0)),
            whole(record.response_bytes.unwrap_or(0)),
            i64::from(record.ttfb_us.is_some()),
            whole(record.ttfb_us.unwrap_or(0)),
        ];
        add(self.exchanges.entry((second, record.role)), sums);
        if let Some(latency) = record.ttfb_us {
            let bucket = whole(latency_bucket(latency));
            add(self.latencies.entry((second, record.role, bucket)), [1]);
        }
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
        let exchanges = |(time, role): &(i64, Role)| (*time, vec![name(role.name())]);
        write(
            connection,
            "exchange",
            &["role"],
            &EXCHANGE_SUMS,
            &self.exchanges,
            exchanges,
        )?;
        let latencies = |(time, role, from): &(i64, Role, i64)| {
            (*time, vec![name(role.name()), Value::Integer(*from)])
        };
        let keys = ["role", "from_us"];
        write(
            connection,
            "latency",
            &keys,
            &["exchanges"],
            &self.latencies,
            latencies,
        )?;
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
