//! What is looked for, and the SQL that finds it. Every value is bound, none becomes text of a query.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;

use super::read::Table;
use crate::analysis::template;
use crate::http::exchange::record::{Outcome, Role};
use crate::session::identifier::Identifier;
use crate::session::record::Protocol;
use crate::sink::sqlite::rows::{DRIFT, home};

/// What exchanges and sessions are looked for by. None: by any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// They began then or later.
    pub since: Option<Timestamp>,
    /// They began before then.
    pub until: Option<Timestamp>,
    /// The address of either side.
    pub ip: Option<IpAddr>,
    /// The port of either side.
    pub port: Option<u16>,
    /// The address of the source: of a session who opened it, of an exchange the client.
    pub src_ip: Option<IpAddr>,
    /// The address of the other side.
    pub dst_ip: Option<IpAddr>,
    /// The session.
    pub session_id: Option<Identifier>,
}

/// What exchanges are looked for by. None: by any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeFilter {
    /// What sessions have too.
    pub common: Common,
    /// The method, exactly.
    pub method: Option<String>,
    /// The method and the template of the path, with a space between them.
    pub endpoint: Option<String>,
    /// The host, exactly, in any case.
    pub host: Option<String>,
    /// A part of the target, exactly.
    pub target: Option<String>,
    /// The status, from and to.
    pub status: Option<RangeInclusive<u16>>,
    /// What became of it.
    pub outcome: Option<Outcome>,
    /// The part that this host plays.
    pub role: Option<Role>,
    /// Microseconds to the head of the response, at least.
    pub min_latency_us: Option<u64>,
    /// A part of the user agent, exactly.
    pub user_agent: Option<String>,
}

/// What sessions are looked for by. None: by any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// What exchanges have too.
    pub common: Common,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// Microseconds from the first to the last packet, at least.
    pub min_duration_us: Option<u64>,
    /// Zeek's word for how it ended.
    pub conn_state: Option<String>,
    /// The CPU of one of its directions.
    pub cpu: Option<u32>,
    /// Whether its directions met different CPUs.
    pub cpus_differ: Option<bool>,
}

/// A filter as SQL.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) table: Table,
    /// The keys between which all rows lie.
    pub(super) first_id: i64,
    pub(super) last_id: i64,
    conditions: Vec<&'static str>,
    pub(super) values: Vec<Value>,
}

impl ExchangeFilter {
    pub(super) fn query(&self) -> Query {
        let Self {
            common,
            method,
            host,
            target,
            status,
            outcome,
            role,
            min_latency_us,
            endpoint,
            user_agent,
        } = self;
        let mut query = Query::new(Table::Exchanges, common);
        query.text("method = ?", method.as_deref());
        query.text("host = ? COLLATE NOCASE", host.as_deref());
        query.text("instr(target, ?) > 0", target.as_deref());
        query.number(
            "status >= ?",
            status.as_ref().map(|status| (*status.start()).into()),
        );
        query.number(
            "status <= ?",
            status.as_ref().map(|status| (*status.end()).into()),
        );
        query.text("outcome = ?", outcome.map(Outcome::name));
        query.text("role = ?", role.map(Role::name));
        query.number("ttfb_us >= ?", min_latency_us.map(whole));
        query.text("instr(user_agent, ?) > 0", user_agent.as_deref());
        if let Some(endpoint) = endpoint {
            let (method, template) = endpoint.split_once(' ').unwrap_or((endpoint, ""));
            query.text("method = ?", Some(method));
            query.text("is_of_template(target, ?)", Some(template));
        }
        query
    }
}

impl SessionFilter {
    pub(super) fn query(&self) -> Query {
        let Self {
            common,
            protocol,
            min_duration_us,
            conn_state,
            cpu,
            cpus_differ,
        } = self;
        let mut query = Query::new(Table::Sessions, common);
        query.text("protocol = ?", protocol.map(Protocol::name));
        query.number("duration_us >= ?", min_duration_us.map(whole));
        query.text("conn_state = ?", conn_state.as_deref());
        if let Some(cpu) = cpu {
            let cpu = Value::Integer(i64::from(*cpu));
            query.conditions.push("(cpu_id = ? OR reply_cpu_id = ?)");
            query.values.extend([cpu.clone(), cpu]);
        }
        match cpus_differ {
            Some(true) => query.conditions.push("cpu_id <> reply_cpu_id"),
            Some(false) => query
                .conditions
                .push("cpu_id IS coalesce(reply_cpu_id, cpu_id)"),
            None => {}
        }
        query
    }
}

impl Query {
    fn new(table: Table, common: &Common) -> Self {
        let Common {
            since,
            until,
            ip,
            port,
            src_ip,
            dst_ip,
            session_id,
        } = common;
        let mut query = Self {
            table,
            first_id: i64::MIN,
            last_id: i64::MAX,
            conditions: Vec::new(),
            values: Vec::new(),
        };
        // The key tells the time nearly: it narrows, and the time itself decides.
        if let Some(since) = since {
            query.first_id = home(since.as_microsecond());
            let condition = match table {
                Table::Exchanges => "ts >= ?",
                Table::Sessions => "timestamp >= ?",
            };
            query.number(condition, Some(since.as_microsecond()));
        }
        if let Some(until) = until {
            query.last_id = home(until.as_microsecond()).saturating_add(DRIFT);
            let condition = match table {
                Table::Exchanges => "ts < ?",
                Table::Sessions => "timestamp < ?",
            };
            query.number(condition, Some(until.as_microsecond()));
        }
        if let Some(ip) = ip {
            let ip = Value::Text(ip.to_string());
            query.conditions.push("(src_ip = ? OR dst_ip = ?)");
            query.values.extend([ip.clone(), ip]);
        }
        if let Some(port) = port {
            let port = Value::Integer(i64::from(*port));
            query.conditions.push("(src_port = ? OR dst_port = ?)");
            query.values.extend([port.clone(), port]);
        }
        let address = |ip: IpAddr| ip.to_string();
        query.text("src_ip = ?", src_ip.map(address).as_deref());
        query.text("dst_ip = ?", dst_ip.map(address).as_deref());
        let session_id = session_id.map(|identifier| identifier.to_string());
        query.text("session_id = ?", session_id.as_deref());
        query
    }

    /// One exchange, by its identifier.
    pub(super) fn of_exchange(identifier: Identifier) -> Self {
        let mut query = Self::new(Table::Exchanges, &Common::default());
        query.text("exchange_id = ?", Some(&identifier.to_string()));
        query
    }

    /// These columns of what is looked for, the key first; more conditions can be added behind it.
    pub(super) fn columns(&self, columns: &str) -> String {
        let mut sql = format!("SELECT id, {columns} FROM {} WHERE true", self.table.name());
        for condition in &self.conditions {
            sql += " AND ";
            sql += condition;
        }
        sql
    }

    /// The query without its order; more conditions can be added behind it.
    pub(super) fn select(&self) -> String {
        self.columns(self.table.columns())
    }

    fn text(&mut self, condition: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Value::Text(value.to_owned()));
        }
    }

    fn number(&mut self, condition: &'static str, value: Option<i64>) {
        if let Some(value) = value {
            self.conditions.push(condition);
            self.values.push(Value::Integer(value));
        }
    }
}

/// Adds the functions that conditions call.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("is_of_template", 2, flags, |context| {
        let target = context.get_raw(0).as_bytes_or_null()?;
        let template = context.get_raw(1).as_bytes_or_null()?;
        Ok(match (target, template) {
            (Some(target), Some(template)) => template::is_of(target, template),
            _ => false,
        })
    })
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
