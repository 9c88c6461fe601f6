//! A batch of records: rows of fixed size, and one text that all their texts lie in.
//!
//! A record goes in borrowed and comes out borrowed, with nothing allocated once the batch has
//! grown to what is put into it. A batch that is full says so and takes no more.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::session::identifier::Identifier;
use crate::session::record::{SessionDetails, SessionRecord};

/// Bytes of text at most: far beyond what is handed over at once, and within what a [`Span`] holds.
const TEXT_MOST: usize = 1 << 30;

/// Records on their way to the sinks.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    exchanges: Vec<ExchangeRow>,
    sessions: Vec<SessionRow>,
    texts: String,
}

/// The batch holds too much text already: it is to be handed over first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the batch is full")]
pub struct BatchFull;

impl Batch {
    /// Takes a copy of the exchange.
    ///
    /// # Errors
    /// The batch is full and is as it was.
    pub fn push_exchange(&mut self, record: &ExchangeRecord<'_>) -> Result<(), BatchFull> {
        let ExchangeRecord {
            exchange_id,
            session_id,
            ts,
            role,
            outcome,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            method,
            target,
            version,
            host,
            user_agent,
            referer,
            status,
            content_type,
            ttfb_us,
            total_us,
            request_bytes,
            response_bytes,
            interim_status,
            traceparent,
            headers,
            partial,
            cpu_id,
            reply_cpu_id,
        } = *record;
        let before = self.texts.len();
        let mut keep = |text: Option<&str>| text.map(|text| keep(&mut self.texts, text));
        let row = ExchangeRow {
            exchange_id,
            session_id,
            ts,
            src_ip,
            dst_ip,
            method: keep(method),
            target: keep(target),
            version: keep(Some(version)),
            host: keep(host),
            user_agent: keep(user_agent),
            referer: keep(referer),
            content_type: keep(content_type),
            traceparent: keep(traceparent),
            headers: keep(headers.map(RawValue::get)),
            ttfb_us,
            total_us,
            request_bytes,
            response_bytes,
            cpu_id,
            reply_cpu_id,
            src_port,
            dst_port,
            status,
            interim_status,
            role,
            outcome,
            partial,
        };
        self.fits(before)?;
        self.exchanges.push(row);
        Ok(())
    }

    /// Takes a copy of the session.
    ///
    /// # Errors
    /// The batch is full and is as it was.
    pub fn push_session(&mut self, record: &SessionRecord<'_>) -> Result<(), BatchFull> {
        let before = self.texts.len();
        let mut row = SessionRow {
            record: SessionRecord {
                details: None,
                ..*record
            },
            details: None,
            conn_state: None,
            history: None,
            ifname: None,
        };
        if let Some(details) = record.details {
            row.conn_state = Some(keep(&mut self.texts, details.conn_state));
            row.history = Some(keep(&mut self.texts, details.history));
            row.ifname = Some(keep(&mut self.texts, details.ifname));
            row.details = Some(SessionDetails {
                conn_state: "",
                history: "",
                ifname: "",
                ..details
            });
        }
        self.fits(before)?;
        self.sessions.push(row);
        Ok(())
    }

    /// The exchange at this place, if there are so many.
    #[must_use]
    pub fn exchange(&self, index: usize) -> Option<ExchangeRecord<'_>> {
        let row = self.exchanges.get(index)?;
        Some(ExchangeRecord {
            exchange_id: row.exchange_id,
            session_id: row.session_id,
            ts: row.ts,
            role: row.role,
            outcome: row.outcome,
            src_ip: row.src_ip,
            src_port: row.src_port,
            dst_ip: row.dst_ip,
            dst_port: row.dst_port,
            method: self.text(row.method),
            target: self.text(row.target),
            version: self.text(row.version).unwrap_or_default(),
            host: self.text(row.host),
            user_agent: self.text(row.user_agent),
            referer: self.text(row.referer),
            status: row.status,
            content_type: self.text(row.content_type),
            ttfb_us: row.ttfb_us,
            total_us: row.total_us,
            request_bytes: row.request_bytes,
            response_bytes: row.response_bytes,
            interim_status: row.interim_status,
            traceparent: self.text(row.traceparent),
            // It was JSON when it was taken.
            headers: self
                .text(row.headers)
                .and_then(|text| serde_json::from_str(text).ok()),
            partial: row.partial,
            cpu_id: row.cpu_id,
            reply_cpu_id: row.reply_cpu_id,
        })
    }

    /// The session at this place, if there are so many.
    #[must_use]
    pub fn session(&self, index: usize) -> Option<SessionRecord<'_>> {
        let row = self.sessions.get(index)?;
        let details = row.details.map(|details| SessionDetails {
            conn_state: self.text(row.conn_state).unwrap_or_default(),
            history: self.text(row.history).unwrap_or_default(),
            ifname: self.text(row.ifname).unwrap_or_default(),
            ..details
        });
        Some(SessionRecord {
            details,
            ..row.record
        })
    }

    /// The exchanges, in the order in which they were taken.
    pub fn exchanges(&self) -> impl Iterator<Item = ExchangeRecord<'_>> {
        (0..self.exchanges.len()).filter_map(|index| self.exchange(index))
    }

    /// The sessions, in the order in which they were taken.
    pub fn sessions(&self) -> impl Iterator<Item = SessionRecord<'_>> {
        (0..self.sessions.len()).filter_map(|index| self.session(index))
    }

    /// When each record began, sessions first.
    pub(crate) fn times(&self) -> impl Iterator<Item = Timestamp> {
        let sessions = self.sessions.iter().map(|row| row.record.timestamp);
        sessions.chain(self.exchanges.iter().map(|row| row.ts))
    }

    /// Exchanges in it.
    pub(crate) fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }

    /// Sessions in it.
    pub(crate) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Records in it, of both sorts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exchanges.len() + self.sessions.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the texts in it.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.texts.len()
    }

    /// Takes everything out; the memory stays.
    pub fn clear(&mut self) {
        self.exchanges.clear();
        self.sessions.clear();
        self.texts.clear();
    }

    fn text(&self, span: Option<Span>) -> Option<&str> {
        let Span { start, end } = span?;
        self.texts.get(start as usize..end as usize)
    }

    /// Takes back what was kept since `before` when it is too much.
    fn fits(&mut self, before: usize) -> Result<(), BatchFull> {
        if self.texts.len() <= TEXT_MOST {
            return Ok(());
        }
        self.texts.truncate(before);
        Err(BatchFull)
    }
}

/// Where a text lies.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// The record without its texts, which lie elsewhere.
#[derive(Clone, Debug)]
struct SessionRow {
    record: SessionRecord<'static>,
    details: Option<SessionDetails<'static>>,
    conn_state: Option<Span>,
    history: Option<Span>,
    ifname: Option<Span>,
}

#[derive(Clone, Debug)]
struct ExchangeRow {
    exchange_id: Identifier,
    session_id: Option<Identifier>,
    ts: Timestamp,
    src_ip: IpAddr,
    dst_ip: IpAddr,
    method: Option<Span>,
    target: Option<Span>,
    version: Option<Span>,
    host: Option<Span>,
    user_agent: Option<Span>,
    referer: Option<Span>,
    content_type: Option<Span>,
    traceparent: Option<Span>,
    headers: Option<Span>,
    ttfb_us: Option<u64>,
    total_us: Option<u64>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
    cpu_id: u32,
    reply_cpu_id: Option<u32>,
    src_port: u16,
    dst_port: u16,
    status: Option<u16>,
    interim_status: Option<u16>,
    role: Role,
    outcome: Outcome,
    partial: bool,
}

/// Adds the text. Beyond [`TEXT_MOST`] the span is of no use, and the caller takes all back.
fn keep(texts: &mut String, text: &str) -> Span {
    let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let start = place(texts.len());
    if texts.len() <= TEXT_MOST {
        texts.push_str(text);
    }
    Span {
        start,
        end: place(texts.len()),
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
