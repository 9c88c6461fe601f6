//! A row becomes a record again. Rows that no Tapline wrote are an error, never a panic.

use std::fmt;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

use super::Page;
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::session::record::{Protocol, SessionDetails, SessionRecord};
use crate::sink::sqlite::names::Day;

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Table {
    Exchanges,
    Sessions,
}

impl Table {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Exchanges => "exchanges",
            Self::Sessions => "sessions",
        }
    }

    /// The columns behind the key, in the order in which they are read.
    pub(super) const fn columns(self) -> &'static str {
        match self {
            Self::Exchanges => {
                "exchange_id, session_id, ts, role, outcome, src_ip, src_port, dst_ip, dst_port, method, \
                 target, version, host, user_agent, referer, status, content_type, ttfb_us, total_us, \
                 request_bytes, response_bytes, interim_status, traceparent, headers, partial, cpu_id, \
                 reply_cpu_id"
            }
            Self::Sessions => {
                "protocol, src_ip, src_port, dst_ip, dst_port, packets, bytes, cpu_id, timestamp, \
                 session_id, revision, interim, ended_at, duration_us, packets_out, packets_in, bytes_out, \
                 bytes_in, orig_bytes, resp_bytes, missed_bytes, reply_cpu_id, conn_state, history, \
                 retransmits, rtt_us, http_requests, http_errors, ifname"
            }
        }
    }
}

impl Page {
    /// Takes a row of this table, with its key first.
    pub(super) fn take(&mut self, table: Table, day: Day, row: &Row<'_>) -> Result<()> {
        let id = row.get(0)?;
        // A page is far smaller than what a batch holds; one that is not ends earlier.
        let index = match table {
            Table::Exchanges => {
                let index = self.batch.exchange_count();
                self.batch
                    .push_exchange(&exchange(row)?)
                    .ok()
                    .map(|()| index)
            }
            Table::Sessions => {
                let index = self.batch.session_count();
                self.batch.push_session(&session(row)?).ok().map(|()| index)
            }
        };
        self.rows.extend(index.map(|index| (id, day, index)));
        Ok(())
    }
}

fn exchange<'r>(row: &'r Row<'_>) -> Result<ExchangeRecord<'r>> {
    let mut next = Next { row, index: 0 };
    Ok(ExchangeRecord {
        exchange_id: next.parsed()?,
        session_id: next.parsed_if_there()?,
        ts: next.time()?,
        role: next.word(&Role::ALL, Role::name)?,
        outcome: next.word(&Outcome::ALL, Outcome::name)?,
        src_ip: next.parsed()?,
        src_port: next.number()?,
        dst_ip: next.parsed()?,
        dst_port: next.number()?,
        method: next.text_if_there()?,
        target: next.text_if_there()?,
        version: next.text()?,
        host: next.text_if_there()?,
        user_agent: next.text_if_there()?,
        referer: next.text_if_there()?,
        status: next.number()?,
        content_type: next.text_if_there()?,
        ttfb_us: next.count_if_there()?,
        total_us: next.count_if_there()?,
        request_bytes: next.count_if_there()?,
        response_bytes: next.count_if_there()?,
        interim_status: next.number()?,
        traceparent: next.text_if_there()?,
        headers: match next.text_if_there()? {
            Some(text) => Some(serde_json::from_str(text).map_err(|error| next.refuse(error))?),
            None => None,
        },
        partial: next.number()?,
        cpu_id: next.number()?,
        reply_cpu_id: next.number()?,
    })
}

fn session<'r>(row: &'r Row<'_>) -> Result<SessionRecord<'r>> {
    let mut next = Next { row, index: 0 };
    Ok(SessionRecord {
        protocol: next.word(&Protocol::ALL, Protocol::name)?,
        src_ip: next.parsed()?,
        src_port: next.number()?,
        dst_ip: next.parsed()?,
        dst_port: next.number()?,
        packets: next.count()?,
        bytes: next.count()?,
        cpu_id: next.number()?,
        timestamp: next.time()?,
        details: match next.parsed_if_there()? {
            None => None,
            Some(session_id) => Some(SessionDetails {
                session_id,
                revision: next.number()?,
                interim: next.number()?,
                ended_at: next.time()?,
                duration_us: next.count()?,
                packets_out: next.count()?,
                packets_in: next.count()?,
                bytes_out: next.count()?,
                bytes_in: next.count()?,
                orig_bytes: next.count()?,
                resp_bytes: next.count()?,
                missed_bytes: next.count()?,
                reply_cpu_id: next.number()?,
                conn_state: next.text()?,
                history: next.text()?,
                retransmits: next.count()?,
                rtt_us: next.count_if_there()?,
                http_requests: next.count()?,
                http_errors: next.count()?,
                ifname: next.text_if_there()?.unwrap_or_default(),
            }),
        },
    })
}

/// Reads one column after the other, behind the key.
struct Next<'r, 's> {
    row: &'r Row<'s>,
    index: usize,
}

impl<'r> Next<'r, '_> {
    fn number<T: rusqlite::types::FromSql>(&mut self) -> Result<T> {
        self.index += 1;
        self.row.get(self.index)
    }

    fn count_if_there(&mut self) -> Result<Option<u64>> {
        let number: Option<i64> = self.number()?;
        let count = number.map(u64::try_from).transpose();
        count.map_err(|error| self.refuse(error))
    }

    fn count(&mut self) -> Result<u64> {
        let count = self.count_if_there()?;
        count.ok_or_else(|| self.refuse("there is no value"))
    }

    fn time(&mut self) -> Result<Timestamp> {
        let microseconds = self.number()?;
        Timestamp::from_microsecond(microseconds).map_err(|error| self.refuse(error))
    }

    fn text_if_there(&mut self) -> Result<Option<&'r str>> {
        self.index += 1;
        let value = self.row.get_ref(self.index)?;
        value.as_str_or_null().map_err(|error| self.refuse(error))
    }

    fn text(&mut self) -> Result<&'r str> {
        let text = self.text_if_there()?;
        text.ok_or_else(|| self.refuse("there is no value"))
    }

    fn parsed_if_there<T: std::str::FromStr<Err: fmt::Display>>(&mut self) -> Result<Option<T>> {
        let text = self.text_if_there()?;
        let parsed = text.map(str::parse).transpose();
        parsed.map_err(|error| self.refuse(error))
    }

    fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&mut self) -> Result<T> {
        let parsed = self.parsed_if_there()?;
        parsed.ok_or_else(|| self.refuse("there is no value"))
    }

    fn word<T: Copy>(&mut self, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T> {
        let text = self.text()?;
        let found = all.iter().copied().find(|value| name(*value) == text);
        found.ok_or_else(|| self.refuse("it is none of the words for it"))
    }

    fn refuse(&self, why: impl fmt::Display) -> Error {
        Error::FromSqlConversionFailure(self.index, Type::Text, why.to_string().into())
    }
}
