//! Format strings of GoAccess: `%h %^[%d:%t %^] "%r" %s %b "%R" "%u"`, with a date format and a time
//! format in the letters of strftime.
//!
//! | | |
//! |---|---|
//! | `%x` | date and time together, as the date format says |
//! | `%d` `%t` | date, time, as their formats say |
//! | `%h` `%v` | client, host |
//! | `%m` `%U` `%q` `%H` | method, path, query, version |
//! | `%r` | the request line |
//! | `%s` `%b` | status, bytes |
//! | `%R` `%u` | referrer, user agent |
//! | `%T` `%L` `%D` `%n` | duration in seconds, milliseconds, microseconds, nanoseconds |
//! | `%^` | anything, passed over |
//! | `%~` | spaces, passed over |
//! | `%e` `%C` `%M` `%K` `%k` | user, cache, type, TLS: passed over |
//!
//! A field goes to the letter that stands behind it; in quotes, escapes are undone.

mod stamp;

use super::escape::{Scratch, Text};
use super::time::Clock;
use super::{Entry, Parsed, Reason, fixed, number, present, request_line, status};
use stamp::Stamp;

/// What is wrong with a format string.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// A letter that means nothing.
    #[error("%{0} means nothing in a format string")]
    Letter(char),
    /// A letter of a date format that means nothing here.
    #[error("%{0} is not known in a date or time format")]
    TimeLetter(char),
    /// A field whose end cannot be found.
    #[error("nothing stands between two fields: where the first ends cannot be known")]
    NoSeparator,
    /// There is no field in it.
    #[error("there is no field in it: %h, %r or %U, %s")]
    NoFields,
    /// A date or a time without its format.
    #[error("%{0} needs --{1}, like '%d/%b/%Y' or '%H:%M:%S'")]
    NoFormat(char, &'static str),
    /// It has too many parts.
    #[error("it is too long")]
    TooLong,
}

/// A format string that was understood.
#[derive(Clone, Debug)]
pub struct Pattern {
    parts: Vec<Part>,
    date: Option<Stamp>,
    time: Option<Stamp>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// This must stand there.
    Literal(u8),
    /// Spaces, any number of them.
    Spaces,
    /// A field, to this byte; `None`: to the end.
    Field(u8, Option<u8>),
}

const KNOWN: &[u8] = b"xdthvmUqHrsbRuTLDn^eCMKk";

impl Pattern {
    /// Understands a format string.
    ///
    /// # Errors
    /// It has letters that mean nothing, or fields whose end cannot be known.
    pub fn new(text: &str, date: Option<&str>, time: Option<&str>) -> Result<Self, PatternError> {
        let bytes = text.as_bytes();
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if parts.len() > 200 {
                return Err(PatternError::TooLong);
            }
            if bytes[at] != b'%' {
                parts.push(Part::Literal(bytes[at]));
                at += 1;
                continue;
            }
            let letter = *bytes.get(at + 1).ok_or(PatternError::Letter(' '))?;
            at += 2;
            match letter {
                b'~' => parts.push(Part::Spaces),
                b'%' => parts.push(Part::Literal(b'%')),
                _ if KNOWN.contains(&letter) => {
                    let end = match bytes.get(at..) {
                        Some([b'%', b'~', ..]) => Some(b' '),
                        Some([b'%', b'%', ..]) => Some(b'%'),
                        Some([b'%', ..]) => return Err(PatternError::NoSeparator),
                        Some([byte, ..]) => Some(*byte),
                        _ => None,
                    };
                    parts.push(Part::Field(letter, end));
                }
                _ => return Err(PatternError::Letter(letter.into())),
            }
        }
        let has = |wanted: &[u8]| {
            parts
                .iter()
                .any(|part| matches!(part, Part::Field(letter, _) if wanted.contains(letter)))
        };
        if !has(b"rUs") {
            return Err(PatternError::NoFields);
        }
        if has(b"d") && date.is_none() || has(b"x") && date.is_none() {
            return Err(PatternError::NoFormat('d', "date-format"));
        }
        if has(b"t") && time.is_none() {
            return Err(PatternError::NoFormat('t', "time-format"));
        }
        Ok(Self {
            date: date.map(Stamp::new).transpose()?,
            time: time.map(Stamp::new).transpose()?,
            parts,
        })
    }

    /// The format string of GoAccess's AWSS3, or of its CLOUDSTORAGE, by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (text, date, time) = match name.to_ascii_uppercase().as_str() {
            "AWSS3" => (
                r#"%^ %v [%d:%t] %h %^ %^ %^ %^ "%r" %s %^ %b %^ %L %^ "%R" "%u""#,
                "%d/%b/%Y",
                Some("%H:%M:%S %z"),
            ),
            "CLOUDSTORAGE" => (
                r#""%x","%h",%^,%^,"%m","%U","%s",%^,"%b","%D",%^,"%R","%u""#,
                "%f",
                None,
            ),
            _ => return None,
        };
        Self::new(text, Some(date), time).ok()
    }

    /// Takes a line apart.
    pub(super) fn parse<'a>(
        &self,
        line: &'a [u8],
        clock: &mut Clock,
        scratch: &'a mut Scratch,
    ) -> Result<Parsed<'a>, Reason> {
        scratch.clear();
        let mut found = Found::default();
        let mut rest = line;
        let mut before = 0;
        for part in &self.parts {
            match *part {
                Part::Spaces => rest = rest.trim_ascii_start(),
                Part::Literal(byte) => {
                    rest = match rest.split_first() {
                        Some((first, behind)) if *first == byte => behind,
                        _ => return Err(Reason::Wrong("layout")),
                    };
                    before = byte;
                }
                Part::Field(letter, end) => {
                    let end = end_of(rest, end, before == b'"')?;
                    found.take(letter, &rest[..end], self, scratch)?;
                    rest = &rest[end..];
                }
            }
        }
        found.entry(clock, scratch)
    }
}

fn end_of(text: &[u8], end: Option<u8>, in_quotes: bool) -> Result<usize, Reason> {
    let Some(end) = end else {
        return Ok(text.len());
    };
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        at += memchr::memchr2(end, b'\\', rest).ok_or(Reason::Wrong("layout"))?;
        if text[at] == end {
            return Ok(at);
        }
        at += if in_quotes { 2 } else { 1 };
    }
}

/// The fields of a line.
#[derive(Default)]
struct Found<'a> {
    stamp: stamp::Parts,
    client: &'a [u8],
    host: &'a [u8],
    method: &'a [u8],
    path: &'a [u8],
    query: &'a [u8],
    request: Option<Text<'a>>,
    status: Option<u16>,
    bytes: Option<u64>,
    referrer: Text<'a>,
    agent: Text<'a>,
    latency_us: Option<u64>,
}

impl<'a> Found<'a> {
    fn take(
        &mut self,
        letter: u8,
        text: &'a [u8],
        pattern: &Pattern,
        scratch: &mut Scratch,
    ) -> Result<(), Reason> {
        let mut latency = |scale: u32, parts: u64| -> Result<(), Reason> {
            self.latency_us = match text {
                b"-" | b"" => None,
                _ => {
                    let value = fixed(text, scale).ok_or(Reason::Wrong("duration"))?;
                    Some(value / parts)
                }
            };
            Ok(())
        };
        match letter {
            b'd' | b'x' | b't' => {
                let stamp = if letter == b't' {
                    &pattern.time
                } else {
                    &pattern.date
                };
                if let Some(stamp) = stamp {
                    stamp.read(text, &mut self.stamp)?;
                }
            }
            b'h' => self.client = present(text),
            b'v' => self.host = present(text),
            b'm' => self.method = present(text),
            b'U' => self.path = present(text),
            b'q' => self.query = present(text),
            b'r' => self.request = Some(scratch.quoted(text)),
            b's' => self.status = status(text)?,
            b'b' => {
                self.bytes = match text {
                    b"-" | b"" => Some(0),
                    _ => Some(number(text).ok_or(Reason::Wrong("size"))?),
                }
            }
            b'R' => self.referrer = scratch.quoted(text),
            b'u' => self.agent = scratch.quoted(text),
            b'T' => latency(6, 1)?,
            b'L' => latency(3, 1)?,
            b'D' => latency(0, 1)?,
            b'n' => latency(0, 1000)?,
            _ => {}
        }
        Ok(())
    }

    fn entry(self, clock: &mut Clock, scratch: &'a mut Scratch) -> Result<Parsed<'a>, Reason> {
        let time_us = self.stamp.time_us(clock);
        let target = match self.query {
            b"" => Text::Line(self.path),
            query if query.starts_with(b"?") => scratch.joined(self.path, b"", query),
            query => scratch.joined(self.path, b"?", query),
        };
        let scratch: &'a Scratch = scratch;
        let (mut method, mut target) = (self.method, scratch.get(target));
        if let Some(request) = self.request {
            (method, target) = request_line(scratch.get(request));
        }
        Ok(Parsed::Entry(Entry {
            time_us,
            client: self.client,
            method,
            target,
            host: self.host,
            referrer: present(scratch.get(self.referrer)),
            user_agent: present(scratch.get(self.agent)),
            status: self.status,
            bytes: self.bytes,
            latency_us: self.latency_us,
            ..Entry::default()
        }))
    }
}
