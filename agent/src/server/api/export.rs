//! Pages as a file: CSV, or a JSON object a line.
//!
//! Rows are read a page at a time while the client takes them: a client that does not read holds a page
//! and no more, and one that goes away ends the reading. A file has at most [`ROWS_MOST`] rows.
//!
//! Text comes from the wire, and spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a
//! formula: such a cell of CSV gets an apostrophe before it, as one that begins with a tab or a line's end.

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::Api;
use super::logs::LIMIT_MOST;
use super::refusal::Refusal;
use crate::store::{Cursor, ExchangeFilter, Order, Page, ReadError, SessionFilter, Store};

/// Rows of a file.
pub(super) const ROWS_MOST: usize = 1_000_000;
/// Rows that are read at a time.
const PAGE: usize = 1000;
/// Pieces that wait for the client.
const AHEAD: usize = 2;

/// What rows are given as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    Json,
    Csv,
    Ndjson,
}

impl Format {
    pub(super) const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Ndjson];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// How many rows may be asked for.
pub(super) fn limit_most(format: Option<Format>) -> usize {
    match format {
        Some(Format::Csv | Format::Ndjson) => ROWS_MOST,
        _ => LIMIT_MOST,
    }
}

/// Rows that are given as a file.
#[derive(Debug)]
pub(super) struct Export {
    what: What,
    order: Order,
    after: Option<Cursor>,
    left: usize,
}

#[derive(Debug)]
enum What {
    Exchanges(ExchangeFilter),
    Sessions(SessionFilter),
}

impl Export {
    pub(super) fn of_exchanges(
        filter: ExchangeFilter,
        order: Order,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Self {
        Self::new(What::Exchanges(filter), order, after, limit)
    }

    pub(super) fn of_sessions(
        filter: SessionFilter,
        order: Order,
        after: Option<Cursor>,
        limit: Option<usize>,
    ) -> Self {
        Self::new(What::Sessions(filter), order, after, limit)
    }

    fn new(what: What, order: Order, after: Option<Cursor>, limit: Option<usize>) -> Self {
        Self {
            what,
            order,
            after,
            left: limit.unwrap_or(ROWS_MOST),
        }
    }

    /// The next rows; None: there are no more.
    fn next(&mut self, store: &Store) -> Result<Option<Page>, ReadError> {
        if self.left == 0 {
            return Ok(None);
        }
        let asked = self.left.min(PAGE);
        let page = match &self.what {
            What::Exchanges(filter) => store.exchanges(filter, self.order, self.after, asked),
            What::Sessions(filter) => store.sessions(filter, self.order, self.after, asked),
        }?;
        self.left -= page.len();
        match (page.stopped(), page.next()) {
            (Some(stopped), _) => self.after = Some(stopped),
            (None, Some(next)) if page.len() == asked => self.after = Some(next),
            _ => self.left = 0,
        }
        Ok(Some(page))
    }

    /// The columns of CSV: the fields of records.
    fn columns(&self) -> &'static [&'static str] {
        match self.what {
            What::Exchanges(_) => &EXCHANGE_COLUMNS,
            What::Sessions(_) => &SESSION_COLUMNS,
        }
    }

    fn text(&self, page: &Page, format: Format) -> serde_json::Result<Vec<u8>> {
        match self.what {
            What::Exchanges(_) => lines(page.exchanges(), self.columns(), format),
            What::Sessions(_) => lines(page.sessions(), self.columns(), format),
        }
    }
}

const EXCHANGE_COLUMNS: [&str; 27] = [
    "exchange_id",
    "session_id",
    "ts",
    "role",
    "outcome",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "method",
    "target",
    "version",
    "host",
    "user_agent",
    "referer",
    "status",
    "content_type",
    "ttfb_us",
    "total_us",
    "request_bytes",
    "response_bytes",
    "interim_status",
    "traceparent",
    "headers",
    "partial",
    "cpu_id",
    "reply_cpu_id",
];

const SESSION_COLUMNS: [&str; 29] = [
    "session_id",
    "revision",
    "interim",
    "protocol",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "packets",
    "bytes",
    "cpu_id",
    "timestamp",
    "ended_at",
    "duration_us",
    "packets_out",
    "packets_in",
    "bytes_out",
    "bytes_in",
    "orig_bytes",
    "resp_bytes",
    "missed_bytes",
    "reply_cpu_id",
    "conn_state",
    "history",
    "retransmits",
    "rtt_us",
    "http_requests",
    "http_errors",
    "ifname",
];

/// Answers with a file. What goes wrong behind its first rows ends it before its end: the client sees
/// that it is broken off.
pub(super) async fn answer(
    api: &Api,
    mut export: Export,
    format: Format,
    name: &str,
) -> Result<Response, Refusal> {
    let turn = api.0.readers.export().await?;
    let (pieces, mut taken) = mpsc::channel::<Result<Bytes, std::io::Error>>(AHEAD);
    let readers = api.0.readers.clone();
    let mut head = Vec::new();
    if format == Format::Csv {
        head = export.columns().join(",").into_bytes();
        head.extend_from_slice(b"\r\n");
    }
    let reading = async move {
        let _turn = turn;
        if !head.is_empty() && pieces.send(Ok(head.into())).await.is_err() {
            return;
        }
        loop {
            let (given, read) = match readers
                .look(move |store| {
                    let page = export.next(store)?;
                    let text = page.map(|page| export.text(&page, format));
                    Ok((export, text))
                })
                .await
            {
                Ok(found) => found,
                Err(_refused) => {
                    let error = std::io::Error::other("the store cannot be read");
                    let _gone = pieces.send(Err(error)).await;
                    return;
                }
            };
            export = given;
            let piece = match read {
                None => return,
                Some(Ok(text)) if text.is_empty() => continue,
                Some(text) => text.map(Bytes::from).map_err(std::io::Error::other),
            };
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    };
    tokio::spawn(reading);
    let stream = futures_util::stream::poll_fn(move |context| taken.poll_recv(context));
    let day = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let (media, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Format::Json | Format::Ndjson => ("application/x-ndjson", "ndjson"),
    };
    let headers = [
        (CONTENT_TYPE, media.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"tapline-{name}-{day}.{ending}\""),
        ),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

fn lines(
    records: impl Iterator<Item = impl Serialize>,
    columns: &[&str],
    format: Format,
) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    for record in records {
        if format != Format::Csv {
            serde_json::to_writer(&mut text, &record)?;
            text.push(b'\n');
            continue;
        }
        let Value::Object(fields) = serde_json::to_value(&record)? else {
            continue;
        };
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            match fields.get(*column) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => cell(&mut text, value),
                Some(Value::Object(value)) => cell(&mut text, &serde_json::to_string(value)?),
                Some(value) => text.extend_from_slice(value.to_string().as_bytes()),
            }
        }
        text.extend_from_slice(b"\r\n");
    }
    Ok(text)
}

/// A text as a cell (RFC 4180), that no spreadsheet takes for a formula.
fn cell(text: &mut Vec<u8>, value: &str) {
    let is_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let is_quoted = is_formula || value.contains([',', '"', '\r', '\n']);
    if !is_quoted {
        text.extend_from_slice(value.as_bytes());
        return;
    }
    text.push(b'"');
    if is_formula {
        text.push(b'\'');
    }
    text.extend_from_slice(value.replace('"', "\"\"").as_bytes());
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::record::ExchangeRecord;
    use crate::session::record::{SessionDetails, SessionRecord};
    use crate::sink::batch::samples::{details, exchange, session};

    #[test]
    fn cells_are_harmless() {
        let check = |value: &str, expected: &str| {
            let mut text = Vec::new();
            cell(&mut text, value);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        };
        check("", "");
        check("a b", "a b");
        check("a,b", "\"a,b\"");
        check("a\"b", "\"a\"\"b\"");
        check("=1+1", "\"'=1+1\"");
        check("+1", "\"'+1\"");
        check("-1", "\"'-1\"");
        check("@x", "\"'@x\"");
        check("\tx", "\"'\tx\"");
        check("x\r\ny", "\"x\r\ny\"");
    }

    #[test]
    fn every_field_has_a_column() {
        let check = |record: Value, columns: &[&str]| {
            for field in record.as_object().unwrap().keys() {
                assert!(columns.contains(&field.as_str()), "{field}");
            }
            let line = lines([&record].into_iter(), columns, Format::Csv).unwrap();
            let line = String::from_utf8(line).unwrap();
            assert!(line.ends_with("\r\n"), "{line}");
        };
        let headers = serde_json::value::RawValue::from_string("{\"a\":\"b\"}".to_owned()).unwrap();
        let record = ExchangeRecord {
            referer: Some("=x"),
            interim_status: Some(103),
            traceparent: Some("x"),
            headers: Some(&headers),
            partial: true,
            ..exchange()
        };
        check(serde_json::to_value(record).unwrap(), &EXCHANGE_COLUMNS);
        let record = SessionRecord {
            details: Some(SessionDetails {
                interim: true,
                ..details()
            }),
            ..session()
        };
        check(serde_json::to_value(record).unwrap(), &SESSION_COLUMNS);
    }
}
