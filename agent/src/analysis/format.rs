//! Lines of logs, taken apart in place: what is in a line is told without copying it, but for texts
//! with escapes, which are undone in a buffer that is used again.
//!
//! A [`Reader`] knows one [`Format`]; [`detect`] tells which one lines have. Units come with the
//! format: a number whose unit a format does not declare is not taken for a duration.

pub mod detect;
mod elb;
pub mod escape;
mod fields;
mod head;
pub mod json;
mod names;
mod ncsa;
mod pattern;
mod scan;
mod simple;
mod squid;
pub mod time;
mod w3c;

pub use head::{Head, HeadKind};
pub use names::{Format, NoFormat};
pub use pattern::{Pattern, PatternError};

use jiff::tz::TimeZone;

use escape::Scratch;
use time::Clock;

/// A request, or a record of a program, as a line tells it. Texts are as they were sent: bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entry<'a> {
    /// When, in microseconds since 1970.
    pub time_us: Option<i64>,
    /// Who asked: an address, or a name.
    pub client: &'a [u8],
    /// The method; empty: unknown.
    pub method: &'a [u8],
    /// The target with its query; empty: unknown.
    pub target: &'a [u8],
    /// The host that was asked for; empty: unknown.
    pub host: &'a [u8],
    /// Where the user came from; empty or `-`: unknown.
    pub referrer: &'a [u8],
    /// The program of the user; empty or `-`: unknown.
    pub user_agent: &'a [u8],
    /// The status.
    pub status: Option<u16>,
    /// Bytes of the response.
    pub bytes: Option<u64>,
    /// How long it took, in microseconds.
    pub latency_us: Option<u64>,
    /// The log says that there was no response.
    pub unanswered: bool,
    /// What is special about the record of a program.
    pub event: Option<Event<'a>>,
}

/// The record of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Event<'a> {
    /// How bad it is, as it was written.
    pub level: &'a [u8],
    /// Where it comes from.
    pub source: &'a [u8],
    /// Which service.
    pub service: &'a [u8],
    /// What happened.
    pub message: &'a [u8],
    /// Its error code.
    pub code: &'a [u8],
    /// A mark in its metadata: its name and its value.
    pub mark: (&'a [u8], &'a [u8]),
}

impl<'a> Entry<'a> {
    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &'a [u8] {
        match memchr::memchr2(b'?', b'#', self.target) {
            Some(end) => &self.target[..end],
            None => self.target,
        }
    }

    /// Whether it is a request, or only the record of a program.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.event.is_none() || self.status.is_some()
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Parsed<'a> {
    /// A request with what became of it, or a record.
    Entry(Entry<'a>),
    /// A request or a response, to be joined with the other.
    Head(Head<'a>),
    /// A comment, a header, an empty line.
    Nothing,
}

/// Why a line is not one of its format.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reason {
    /// It ends too early.
    #[error("it ends before its {0}")]
    Missing(&'static str),
    /// A field is not what it has to be.
    #[error("its {0} is not one")]
    Wrong(&'static str),
    /// The columns are not known.
    #[error("no #Fields line stands before it")]
    NoColumns,
    /// It has no format that is known.
    #[error("it has no format that is known")]
    Unknown,
    /// It is too long.
    #[error("it is longer than a mebibyte")]
    TooLong,
}

/// Reads lines of a format.
#[derive(Clone, Debug)]
pub struct Reader {
    format: Format,
    clock: Clock,
    scratch: Scratch,
    columns: w3c::Columns,
    pattern: Option<Pattern>,
}

impl Reader {
    /// Reads lines of `format`; times without a zone are of `zone`.
    #[must_use]
    pub fn new(format: Format, zone: TimeZone) -> Self {
        Self {
            format,
            clock: Clock::new(zone),
            scratch: Scratch::default(),
            columns: w3c::Columns::default(),
            pattern: None,
        }
    }

    /// Reads lines as a format string of GoAccess describes them.
    #[must_use]
    pub fn of_pattern(pattern: Pattern, zone: TimeZone) -> Self {
        Self {
            pattern: Some(pattern),
            ..Self::new(Format::Pattern, zone)
        }
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether lines mean something only behind others, so that they have to be read in their order
    /// by one reader.
    #[must_use]
    pub fn needs_order(&self) -> bool {
        matches!(
            self.format,
            Format::Classic | Format::Json | Format::W3c | Format::CloudFront
        )
    }

    /// Takes a line without its end apart.
    ///
    /// # Errors
    /// It is not a line of this format.
    #[inline]
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Result<Parsed<'a>, Reason> {
        let Self {
            format,
            clock,
            scratch,
            columns,
            pattern,
        } = self;
        if line.is_empty() {
            return Ok(Parsed::Nothing);
        }
        match format {
            Format::Combined
            | Format::Common
            | Format::CombinedTime
            | Format::CombinedSeconds
            | Format::CombinedIo => ncsa::parse(line, false, *format, clock, scratch),
            Format::Vcombined | Format::Vcommon => ncsa::parse(line, true, *format, clock, scratch),
            Format::Traefik => ncsa::parse(line, false, *format, clock, scratch),
            Format::W3c | Format::CloudFront => w3c::parse(line, *format, columns, clock, scratch),
            Format::Json | Format::Caddy => json::parse(line, clock, scratch),
            Format::Elb | Format::Alb => elb::parse(line, clock, scratch),
            Format::Squid => squid::parse(line),
            Format::Simple => simple::parse(line, clock),
            Format::Classic => head::parse_classic(line, clock, scratch),
            Format::Pattern => match pattern {
                Some(pattern) => pattern.parse(line, clock, scratch),
                None => Err(Reason::Unknown),
            },
        }
    }
}

/// A number in decimal digits alone.
#[inline]
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut value = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// A decimal number in units of 10^-`scale`: `1.5` with scale 6 is 1,500,000. Further digits are cut.
pub(crate) fn fixed(text: &[u8], scale: u32) -> Option<u64> {
    let (whole, fraction) = match memchr::memchr(b'.', text) {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &text[..0]),
    };
    if whole.is_empty() && fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut value = if whole.is_empty() { 0 } else { number(whole)? };
    for place in 0..scale as usize {
        let digit = fraction.get(place).map_or(0, |byte| byte - b'0');
        value = value.checked_mul(10)?.checked_add(digit.into())?;
    }
    Some(value)
}

/// A status: three digits, 100 to 999; `-` and `000` are none.
#[inline]
pub(crate) fn status(text: &[u8]) -> Result<Option<u16>, Reason> {
    match *text {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            let digit = |byte: u8| u16::from(byte - b'0');
            Ok(Some(digit(a) * 100 + digit(b) * 10 + digit(c)))
        }
        [b'-'] | [b'0'] | [b'0', b'0', b'0'] => Ok(None),
        _ => Err(Reason::Wrong("status")),
    }
}

/// A value that `-` stands for the absence of.
#[inline]
pub(crate) fn present(text: &[u8]) -> &[u8] {
    match text {
        b"-" => b"",
        _ => text,
    }
}

/// Method and target of a request line; what is no request line is a target without a method.
#[inline]
pub(crate) fn request_line(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(first) = memchr::memchr(b' ', line) else {
        return (b"", present(line));
    };
    let (method, rest) = (&line[..first], &line[first + 1..]);
    let is_token = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
    if method.is_empty() || method.len() > 32 || !method.iter().all(is_token) {
        return (b"", line);
    }
    // Targets may hold spaces where a client sent them; the version is the last part.
    match memchr::memrchr(b' ', rest) {
        Some(last) if rest[last + 1..].starts_with(b"HTTP/") => (method, &rest[..last]),
        _ => (method, rest),
    }
}

#[cfg(test)]
mod tests;
