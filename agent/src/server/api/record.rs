//! Sessions as they are sent: JSON becomes records, or says which value of which record is wrong.
//! Pure: the time comes in.
//!
//! The eight fields of a session that every program knows must be there; `timestamp` (else the time of
//! this host) and `cpu_id` (else 0) may be. With `session_id` the record is one of Tapline's own, and
//! all of its fields must be there; without, the others are passed over, as are fields of other names.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::body::Media;
use super::refusal::{Input, Place, Refusal, Wrong};
use crate::session::identifier::Identifier;
use crate::session::record::{Protocol, SessionDetails, SessionRecord};
use crate::sink::batch::Batch;
use crate::sink::sqlite::names::Day;

/// Wrong values that are told at most.
const WRONG_MOST: usize = 16;
/// Bytes of a wrong value that are given back at most.
const INPUT_MOST: usize = 200;
/// Days that the records of a body may be of: each has a database.
const DAYS_MOST: usize = 16;
/// Zeek's words for how a connection ended.
pub(super) const STATES: [&str; 13] = [
    "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH",
];
const HISTORY_MOST: usize = 64;
/// Bytes of an interface's name, as the kernel has it.
const INTERFACE_MOST: usize = 15;

/// What records must keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The time of this host.
    pub(super) now: Timestamp,
    /// Records of a body at most.
    pub(super) records: usize,
    /// Days for which records are kept; `None`: for ever.
    pub(super) retain_days: Option<u32>,
}

/// The records of a body.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) batch: Batch,
    /// It is one object, neither in an array nor one of several in lines.
    pub(super) is_single: bool,
}

/// Reads a body.
///
/// # Errors
/// A value is wrong, or there are too many records.
pub(super) fn parse(bytes: &[u8], media: Media, rules: &Rules) -> Result<Parsed, Refusal> {
    let mut checked = Checked {
        rules,
        batch: Batch::default(),
        wrong: Vec::new(),
        days: Vec::new(),
        index: None,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let msg = format!("The body is not UTF-8 from byte {} on", error.valid_up_to());
        Refusal::Values(vec![not_json(None, msg)])
    })?;
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    let mut is_single = false;
    match (media, trimmed.as_bytes().first()) {
        (Media::Json, Some(b'[')) => {
            for (index, item) in items(trimmed, rules.records)?.into_iter().enumerate() {
                checked.take(Some(index), item)?;
            }
        }
        (Media::Json, _) if !is_lines(trimmed) => {
            is_single = true;
            let item = json(trimmed).map_err(|msg| Refusal::Values(vec![not_json(None, msg)]))?;
            checked.take(None, item)?;
        }
        _ => {
            let lines = trimmed.lines().filter(|line| !line.trim().is_empty());
            for (index, line) in lines.enumerate() {
                if index == rules.records {
                    return Err(too_many(rules.records));
                }
                match json(line) {
                    Ok(item) => checked.take(Some(index), item)?,
                    Err(msg) => checked.wrong.push(not_json(Some(index), msg)),
                }
                checked.give_up()?;
            }
        }
    }
    match checked.wrong.is_empty() {
        true => Ok(Parsed {
            batch: checked.batch,
            is_single,
        }),
        false => Err(Refusal::Values(checked.wrong)),
    }
}

/// A time as it is written in bodies and queries: RFC 3339, or without an offset in UTC. The store
/// has microseconds; what is finer is cut.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if text.len() > 64 {
        return None;
    }
    let time = text.parse::<Timestamp>().ok().or_else(|| {
        let time: DateTime = text.parse().ok()?;
        let zoned = time.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp())
    })?;
    Timestamp::from_microsecond(time.as_microsecond()).ok()
}

/// Whether it is several values in lines: the first line is one, and is not all.
fn is_lines(text: &str) -> bool {
    let Some((first, _)) = text.split_once('\n') else {
        return false;
    };
    json(text).is_err() && json(first).is_ok()
}

fn json(text: &str) -> Result<&RawValue, String> {
    serde_json::from_str(text).map_err(|error| sentence(&error))
}

/// What the parser says, shortened: it may quote the body.
fn sentence(error: &serde_json::Error) -> String {
    const SHOWN: usize = 160;
    let said: String = error.to_string().chars().take(SHOWN).collect();
    format!("JSON decode error: {said}")
}

fn not_json(index: Option<usize>, msg: String) -> Wrong {
    Wrong {
        kind: "json_invalid",
        loc: place(index, None),
        msg,
        input: None,
    }
}

fn too_many(most: usize) -> Refusal {
    Refusal::TooLarge(format!("A body may have {most} records."))
}

fn place(index: Option<usize>, field: Option<&'static str>) -> Vec<Place> {
    let mut place = vec![Place::Name("body")];
    place.extend(index.map(Place::Index));
    place.extend(field.map(Place::Name));
    place
}

/// The elements of an array, unread.
fn items(text: &str, most: usize) -> Result<Vec<&RawValue>, Refusal> {
    let mut full = false;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Items {
        most,
        full: &mut full,
    };
    let found = seed
        .deserialize(&mut deserializer)
        .and_then(|items| deserializer.end().map(|()| items));
    match found {
        Ok(items) => Ok(items),
        Err(_) if full => Err(too_many(most)),
        Err(error) => Err(Refusal::Values(vec![not_json(None, sentence(&error))])),
    }
}

struct Items<'f> {
    most: usize,
    full: &'f mut bool,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            if found.len() == self.most {
                *self.full = true;
                return Err(A::Error::custom("too many records"));
            }
            found.push(item);
        }
        Ok(found)
    }
}

/// A record with its values unread. A value that is null counts as none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw<'a> {
    #[serde(borrow)]
    protocol: Option<&'a RawValue>,
    #[serde(borrow)]
    src_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    src_port: Option<&'a RawValue>,
    #[serde(borrow)]
    dst_ip: Option<&'a RawValue>,
    #[serde(borrow)]
    dst_port: Option<&'a RawValue>,
    #[serde(borrow)]
    packets: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    cpu_id: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow)]
    revision: Option<&'a RawValue>,
    #[serde(borrow)]
    interim: Option<&'a RawValue>,
    #[serde(borrow)]
    ended_at: Option<&'a RawValue>,
    #[serde(borrow)]
    duration_us: Option<&'a RawValue>,
    #[serde(borrow)]
    packets_out: Option<&'a RawValue>,
    #[serde(borrow)]
    packets_in: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes_out: Option<&'a RawValue>,
    #[serde(borrow)]
    bytes_in: Option<&'a RawValue>,
    #[serde(borrow)]
    orig_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    resp_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    missed_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    reply_cpu_id: Option<&'a RawValue>,
    #[serde(borrow)]
    conn_state: Option<&'a RawValue>,
    #[serde(borrow)]
    history: Option<&'a RawValue>,
    #[serde(borrow)]
    retransmits: Option<&'a RawValue>,
    #[serde(borrow)]
    rtt_us: Option<&'a RawValue>,
    #[serde(borrow)]
    http_requests: Option<&'a RawValue>,
    #[serde(borrow)]
    http_errors: Option<&'a RawValue>,
    #[serde(borrow)]
    ifname: Option<&'a RawValue>,
}

/// What was read so far.
struct Checked<'r> {
    rules: &'r Rules,
    batch: Batch,
    wrong: Vec<Wrong>,
    days: Vec<Day>,
    /// The record that is being read.
    index: Option<usize>,
}

impl Checked<'_> {
    /// Takes a record, or notes what is wrong with it.
    fn take(&mut self, index: Option<usize>, item: &RawValue) -> Result<(), Refusal> {
        self.index = index;
        if !item.get().starts_with('{') {
            let msg = "Input should be an object with the fields of a session";
            self.refuse("model_type", None, msg.to_owned(), Some(item));
            return self.give_up();
        }
        match serde_json::from_str::<Raw<'_>>(item.get()) {
            Ok(raw) => self.record(&raw),
            Err(error) => self.refuse("value_error", None, sentence(&error), Some(item)),
        }
        self.give_up()
    }

    /// Ends with what is wrong so far when it is enough.
    fn give_up(&mut self) -> Result<(), Refusal> {
        match self.wrong.len() < WRONG_MOST {
            true => Ok(()),
            false => Err(Refusal::Values(std::mem::take(&mut self.wrong))),
        }
    }

    fn record(&mut self, raw: &Raw<'_>) {
        let before = self.wrong.len();
        let protocol = self.needed("protocol", raw.protocol, Self::protocol);
        let src_ip = self.needed("src_ip", raw.src_ip, Self::address);
        let src_port = self.needed("src_port", raw.src_port, Self::port);
        let dst_ip = self.needed("dst_ip", raw.dst_ip, Self::address);
        let dst_port = self.needed("dst_port", raw.dst_port, Self::port);
        let packets = self.needed("packets", raw.packets, Self::count);
        let bytes = self.needed("bytes", raw.bytes, Self::count);
        let cpu_id = self.optional("cpu_id", raw.cpu_id, Self::number32);
        let is_ours = raw.session_id.is_some();
        let timestamp = self.optional("timestamp", raw.timestamp, |checked, json| {
            checked.start(json, is_ours)
        });
        let session_id = self.optional("session_id", raw.session_id, Self::identifier);
        let mut texts = Texts::default();
        let details = session_id.and_then(|session_id| self.details(session_id, raw, &mut texts));
        if self.wrong.len() > before {
            return;
        }
        let (Some(protocol), Some(src_ip), Some(src_port)) = (protocol, src_ip, src_port) else {
            return;
        };
        let (Some(dst_ip), Some(dst_port)) = (dst_ip, dst_port) else {
            return;
        };
        let (Some(packets), Some(bytes)) = (packets, bytes) else {
            return;
        };
        let record = SessionRecord {
            protocol,
            src_ip,
            src_port,
            dst_ip,
            dst_port,
            packets,
            bytes,
            cpu_id: cpu_id.unwrap_or(0),
            timestamp: timestamp.unwrap_or(self.rules.now),
            details: details.map(|details| SessionDetails {
                conn_state: &texts.conn_state,
                history: &texts.history,
                ifname: &texts.ifname,
                ..details
            }),
        };
        if self.batch.push_session(&record).is_err() {
            let msg = "The texts of all records together are too long".to_owned();
            self.refuse("too_long", None, msg, None);
        }
    }

    /// Without its texts, which are put into `texts`.
    fn details(
        &mut self,
        session_id: Identifier,
        raw: &Raw<'_>,
        texts: &mut Texts,
    ) -> Option<SessionDetails<'static>> {
        let before = self.wrong.len();
        let mut count = |name, value| self.needed(name, value, Self::count).unwrap_or(0);
        let details = SessionDetails {
            session_id,
            duration_us: count("duration_us", raw.duration_us),
            packets_out: count("packets_out", raw.packets_out),
            packets_in: count("packets_in", raw.packets_in),
            bytes_out: count("bytes_out", raw.bytes_out),
            bytes_in: count("bytes_in", raw.bytes_in),
            orig_bytes: count("orig_bytes", raw.orig_bytes),
            resp_bytes: count("resp_bytes", raw.resp_bytes),
            missed_bytes: count("missed_bytes", raw.missed_bytes),
            retransmits: count("retransmits", raw.retransmits),
            http_requests: count("http_requests", raw.http_requests),
            http_errors: count("http_errors", raw.http_errors),
            revision: self
                .needed("revision", raw.revision, Self::number32)
                .unwrap_or(0),
            interim: self
                .optional("interim", raw.interim, Self::truth)
                .unwrap_or(false),
            ended_at: self
                .needed("ended_at", raw.ended_at, Self::moment)
                .unwrap_or_default(),
            reply_cpu_id: self.optional("reply_cpu_id", raw.reply_cpu_id, Self::number32),
            rtt_us: self.optional("rtt_us", raw.rtt_us, Self::count),
            conn_state: "",
            history: "",
            ifname: "",
        };
        // Times that are given are needed: the record goes to the day of its start.
        if raw.timestamp.is_none() {
            self.refuse("missing", Some("timestamp"), required(), None);
        }
        texts.conn_state = self
            .needed("conn_state", raw.conn_state, Self::state)
            .unwrap_or_default();
        texts.history = self
            .needed("history", raw.history, Self::history)
            .unwrap_or_default();
        texts.ifname = self
            .optional("ifname", raw.ifname, Self::interface)
            .unwrap_or_default();
        (self.wrong.len() == before).then_some(details)
    }

    fn needed<T>(
        &mut self,
        field: &'static str,
        value: Option<&RawValue>,
        read: impl FnOnce(&mut Self, &str) -> Result<T, (&'static str, String)>,
    ) -> Option<T> {
        if value.is_none() {
            self.refuse("missing", Some(field), required(), None);
        }
        self.optional(field, value, read)
    }

    fn optional<T>(
        &mut self,
        field: &'static str,
        value: Option<&RawValue>,
        read: impl FnOnce(&mut Self, &str) -> Result<T, (&'static str, String)>,
    ) -> Option<T> {
        let value = value?;
        match read(self, value.get()) {
            Ok(read) => Some(read),
            Err((kind, msg)) => {
                self.refuse(kind, Some(field), msg, Some(value));
                None
            }
        }
    }

    fn refuse(
        &mut self,
        kind: &'static str,
        field: Option<&'static str>,
        msg: String,
        input: Option<&RawValue>,
    ) {
        if self.wrong.len() >= WRONG_MOST {
            return;
        }
        let input = input.filter(|value| value.get().len() <= INPUT_MOST);
        self.wrong.push(Wrong {
            kind,
            loc: place(self.index, field),
            msg,
            input: input.map(|value| Input::Json(value.to_owned())),
        });
    }

    fn protocol(&mut self, json: &str) -> Result<Protocol, (&'static str, String)> {
        let text = text(json)?;
        let found = Protocol::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| {
            let msg = "Input should be 'TCP', 'UDP' or 'ICMP'";
            ("enum", msg.to_owned())
        })
    }

    fn address(&mut self, json: &str) -> Result<IpAddr, (&'static str, String)> {
        parsed(json, "ip_any_address", "an IPv4 or IPv6 address")
    }

    fn identifier(&mut self, json: &str) -> Result<Identifier, (&'static str, String)> {
        parsed(json, "identifier", "32 hexadecimal digits")
    }

    fn port(&mut self, json: &str) -> Result<u16, (&'static str, String)> {
        let port = number(json, u64::from(u16::MAX))?;
        Ok(u16::try_from(port).unwrap_or(u16::MAX))
    }

    fn number32(&mut self, json: &str) -> Result<u32, (&'static str, String)> {
        let number = number(json, u64::from(u32::MAX))?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// The database has numbers with a sign.
    fn count(&mut self, json: &str) -> Result<u64, (&'static str, String)> {
        number(json, i64::MAX as u64)
    }

    fn truth(&mut self, json: &str) -> Result<bool, (&'static str, String)> {
        let truth = json.parse();
        truth.map_err(|_neither| ("bool_type", "Input should be true or false".to_owned()))
    }

    fn moment(&mut self, json: &str) -> Result<Timestamp, (&'static str, String)> {
        time(&text(json)?).ok_or_else(|| {
            let msg = "Input should be a time like 2026-01-31T12:00:00Z";
            ("datetime_parsing", msg.to_owned())
        })
    }

    /// When a session began, which says in which database it stands. One of Tapline's own may have
    /// lasted longer than records are kept: it goes to the first day that there is.
    fn start(&mut self, json: &str, is_ours: bool) -> Result<Timestamp, (&'static str, String)> {
        let time = self.moment(json)?;
        let day = Day::of(time.as_microsecond());
        let today = Day::of(self.rules.now.as_microsecond());
        if day.0 > today.0 + 1 {
            let msg = "Input should not be later than tomorrow by the clock of this host";
            return Err(("datetime_future", msg.to_owned()));
        }
        if let Some(days) = self.rules.retain_days
            && !is_ours
            && day.0 < today.0 - i64::from(days)
        {
            let msg = format!(
                "Input should not be older than what is kept: {days} days (store.retain.days)"
            );
            return Err(("datetime_past", msg));
        }
        if !self.days.contains(&day) {
            if self.days.len() == DAYS_MOST {
                let msg = format!("The records of a body should be of {DAYS_MOST} days at most");
                return Err(("too_many_days", msg));
            }
            self.days.push(day);
        }
        Ok(time)
    }

    fn state(&mut self, json: &str) -> Result<String, (&'static str, String)> {
        let text = text(json)?;
        match STATES.contains(&&*text) {
            true => Ok(text.into_owned()),
            false => Err((
                "enum",
                format!("Input should be one of {}", STATES.join(", ")),
            )),
        }
    }

    fn history(&mut self, json: &str) -> Result<String, (&'static str, String)> {
        let text = text(json)?;
        let is_history = text.len() <= HISTORY_MOST
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'^');
        match is_history {
            true => Ok(text.into_owned()),
            false => Err((
                "string_pattern_mismatch",
                format!("Input should be up to {HISTORY_MOST} letters"),
            )),
        }
    }

    fn interface(&mut self, json: &str) -> Result<String, (&'static str, String)> {
        let text = text(json)?;
        match text.len() <= INTERFACE_MOST && !text.chars().any(char::is_control) {
            true => Ok(text.into_owned()),
            false => Err((
                "string_pattern_mismatch",
                format!("Input should be a name of up to {INTERFACE_MOST} bytes"),
            )),
        }
    }
}

/// The texts of a record of Tapline's own.
#[derive(Default)]
struct Texts {
    conn_state: String,
    history: String,
    ifname: String,
}

fn required() -> String {
    "Field required".to_owned()
}

fn text(json: &str) -> Result<Cow<'_, str>, (&'static str, String)> {
    let plain = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('\\'));
    if let Some(plain) = plain {
        return Ok(Cow::Borrowed(plain));
    }
    let read = serde_json::from_str(json).map(Cow::Owned);
    read.map_err(|_other| ("string_type", "Input should be a valid string".to_owned()))
}

fn parsed<T: FromStr>(
    json: &str,
    kind: &'static str,
    what: &str,
) -> Result<T, (&'static str, String)> {
    let text = text(json)?;
    let parsed = text.parse();
    parsed.map_err(|_other| (kind, format!("Input should be {what}")))
}

/// A whole number from 0 to `most`, written without point or exponent.
fn number(json: &str, most: u64) -> Result<u64, (&'static str, String)> {
    let digits = json.strip_prefix('-').unwrap_or(json);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let msg = "Input should be a whole number, written as one";
        return Err(("int_type", msg.to_owned()));
    }
    if json != digits && digits != "0" {
        let msg = "Input should be greater than or equal to 0";
        return Err(("greater_than_equal", msg.to_owned()));
    }
    let number = digits.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| {
        (
            "less_than_equal",
            format!("Input should be less than or equal to {most}"),
        )
    })
}

#[cfg(test)]
mod tests;
