//! W3C extended lines: their columns are named by a `#Fields:` line, times are UTC, and in texts `+`
//! stands for a space. `time-taken` is in milliseconds (IIS and what follows it), of CloudFront in
//! seconds, of which fields are separated by tabs.

use super::escape::{Scratch, Text};
use super::time::{Clock, clock_time, iso_date};
use super::{Entry, Format, Parsed, Reason, fixed, number, present, status};

/// How many columns are looked at.
const MOST: usize = 64;

/// The columns of the lines, as the last `#Fields:` line named them.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    /// `#Date:` of lines that have a time alone, in days since 1970.
    date: Option<i64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Column {
    Date,
    Time,
    Client,
    Method,
    Stem,
    Query,
    Uri,
    Host,
    Referrer,
    Agent,
    Status,
    Bytes,
    Taken,
    Else,
}

impl Column {
    fn of(name: &[u8]) -> Self {
        let lower = name.to_ascii_lowercase();
        match lower.as_slice() {
            b"date" => Self::Date,
            b"time" => Self::Time,
            b"c-ip" => Self::Client,
            b"cs-method" => Self::Method,
            b"cs-uri-stem" => Self::Stem,
            b"cs-uri-query" => Self::Query,
            b"cs-uri" => Self::Uri,
            b"cs-host" | b"cs(host)" | b"x-host-header" => Self::Host,
            b"cs(referer)" => Self::Referrer,
            b"cs(user-agent)" => Self::Agent,
            b"sc-status" => Self::Status,
            b"sc-bytes" => Self::Bytes,
            b"time-taken" => Self::Taken,
            _ => Self::Else,
        }
    }
}

/// Takes a line apart; `#` lines are learned from.
///
/// # Errors
/// It does not have the columns that were named, or none were.
pub(super) fn parse<'a>(
    line: &'a [u8],
    format: Format,
    columns: &mut Columns,
    _clock: &mut Clock,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    if let Some(header) = line.strip_prefix(b"#") {
        columns.learn(header);
        return Ok(Parsed::Nothing);
    }
    if columns.columns.is_empty() {
        return Err(Reason::NoColumns);
    }
    let separator = match memchr::memchr(b'\t', line) {
        Some(_) => b'\t',
        None => b' ',
    };
    scratch.clear();
    let mut entry = Entry::default();
    let (mut date, mut time) = (columns.date, None);
    let (mut stem, mut query): (&[u8], &[u8]) = (b"", b"");
    let (mut referrer, mut agent) = (Text::default(), Text::default());
    let mut values = line.split(|byte| *byte == separator);
    for column in &columns.columns {
        let value = values.next().ok_or(Reason::Missing("last columns"))?;
        match column {
            Column::Date => date = Some(iso_date(value).ok_or(Reason::Wrong("date"))?),
            Column::Time => {
                let whole = value.get(..8).unwrap_or(value);
                time = Some(clock_time(whole).ok_or(Reason::Wrong("time"))?);
            }
            Column::Client => entry.client = present(value),
            Column::Method => entry.method = present(value),
            Column::Stem | Column::Uri => stem = present(value),
            Column::Query => query = present(value),
            Column::Host => {
                // CloudFront has the name of its own host too, before that of the header.
                if !present(value).is_empty() {
                    entry.host = value;
                }
            }
            Column::Referrer => referrer = scratch.plus(value),
            Column::Agent => agent = scratch.plus(value),
            Column::Status => entry.status = status(value)?,
            Column::Bytes => entry.bytes = number(value),
            Column::Taken => {
                let scale = if format == Format::CloudFront { 6 } else { 3 };
                entry.latency_us = match value {
                    b"-" => None,
                    _ => Some(fixed(value, scale).ok_or(Reason::Wrong("time-taken"))?),
                };
            }
            Column::Else => {}
        }
    }
    if values.next().is_some() {
        return Err(Reason::Wrong("number of columns"));
    }
    let target = match query.is_empty() {
        true => Text::Line(stem),
        false => scratch.joined(stem, b"?", query),
    };
    let scratch: &'a Scratch = scratch;
    entry.target = scratch.get(target);
    entry.referrer = present(scratch.get(referrer));
    entry.user_agent = present(scratch.get(agent));
    entry.time_us = match (date, time) {
        (Some(date), Some(time)) => Some((date * 86_400 + time) * 1_000_000),
        _ => None,
    };
    Ok(Parsed::Entry(entry))
}

impl Columns {
    fn learn(&mut self, header: &[u8]) {
        if let Some(names) = header.strip_prefix(b"Fields:") {
            self.columns = names
                .split(|byte| byte.is_ascii_whitespace())
                .filter(|name| !name.is_empty())
                .take(MOST)
                .map(Column::of)
                .collect();
        } else if let Some(date) = header.strip_prefix(b"Date:") {
            self.date = date.trim_ascii().get(..10).and_then(iso_date);
        }
    }
}
