//! Records as they are sent: JSON becomes sessions ([`session`]) or exchanges ([`exchange`]), or says which
//! value of which record is wrong. Pure: the time comes in. Fields of other names are passed over.

/// `struct Raw`: a record of these fields with its values unread. A value that is null counts as none.
macro_rules! unread {
    ($($field:ident),+) => {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Raw<'a> {
            $(
                #[serde(borrow)]
                $field: Option<&'a serde_json::value::RawValue>,
            )+
        }
    };
}

mod exchange;
mod session;
mod values;

pub(super) use self::session::STATES;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::values::Answer;
use super::body::Media;
use super::refusal::{Input, Place, Refusal, Wrong};
use crate::sink::batch::Batch;
use crate::sink::sqlite::names::Day;

/// Wrong values that are told at most.
const WRONG_MOST: usize = 16;
/// Bytes of a wrong value that are given back at most.
const INPUT_MOST: usize = 200;
/// Days that the records of a body may be of: each has a database.
const DAYS_MOST: usize = 16;

/// What the records of a body are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    /// Of `POST /api/logs`.
    Sessions,
    /// Of `POST /api/exchanges`.
    Exchanges,
}

/// What records must keep to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// What they are.
    pub(super) sort: Sort,
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
        let (a_record, take): (_, fn(&mut Self, &str) -> serde_json::Result<()>) =
            match self.rules.sort {
                Sort::Sessions => ("a session", Self::session),
                Sort::Exchanges => ("an exchange", Self::exchange),
            };
        if !item.get().starts_with('{') {
            let msg = format!("Input should be an object with the fields of {a_record}");
            self.refuse("model_type", None, msg, Some(item));
            return self.give_up();
        }
        if let Err(error) = take(self, item.get()) {
            self.refuse("value_error", None, sentence(&error), Some(item));
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

    fn needed<T>(
        &mut self,
        field: &'static str,
        value: Option<&RawValue>,
        read: impl FnOnce(&mut Self, &str) -> Answer<T>,
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
        read: impl FnOnce(&mut Self, &str) -> Answer<T>,
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

    fn too_long(&mut self) {
        let msg = "The texts of all records together are too long".to_owned();
        self.refuse("too_long", None, msg, None);
    }
}

fn required() -> String {
    "Field required".to_owned()
}

#[cfg(test)]
mod tests;
