//! One HTTP/1 head, taken apart: start line, the fields that lines are made of, and what the fields
//! say about the length of the body (RFC 9112).
//!
//! A log is no server: it refuses as little as it can. A start line must be one of HTTP/1.x; fields
//! are read line by line, and a line that is not a field is passed over, so that one bad field never
//! costs a head. Bare LF ends a line (RFC 9112, section 2.2). Folded lines (section 5.2) are passed
//! over. The crate `httparse` reads first; a head that it refuses is read leniently.
//!
//! Refused: any other protocol or version (`RTSP/1.0`, `SIP/2.0`, `HTTP/2.0`, a request without a
//! version), names in another case (`http/1.1`), a bare CR inside the start line, and methods of more
//! than 256 bytes.

mod lenient;
mod start_line;
mod strict;
mod text;

use memchr::memchr;

use self::text::{trim, without_carriage_return};
use super::head::{Fields, StartLine};

pub use self::lenient::parse_cut;
pub(super) use self::start_line::{
    begins_with_known_method, continues_method, is_end_of_method, is_known_method,
    may_become_start_line,
};

/// What [`parse`] makes of the bytes at the place where a head may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made where it is wanted and read at once: a box would allocate for each head"
)]
pub enum Parsed<'a> {
    /// The head is complete up to its empty line.
    Whole(Message<'a>),
    /// What is here can be the beginning of a head; the end is still to come.
    More,
    /// This is no head of HTTP/1.
    Not,
}

/// One head, taken apart. Borrows the bytes it was read from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// The start line without its line end.
    pub line: &'a [u8],
    /// The start line, taken apart.
    pub start: StartLine<'a>,
    /// The minor version; `1` where a request line was cut before its version.
    pub minor_version: Option<u8>,
    /// The fields that lines are made of.
    pub fields: Fields<'a>,
    /// What the fields say about the body.
    pub framing: Framing,
    /// The field lines with their line ends, without the empty line.
    pub raw_fields: &'a [u8],
    /// The head as on the wire, its empty line included; of one that was cut, what there is.
    pub bytes: &'a [u8],
}

/// What the fields of a head say about the length of its body (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Framing {
    /// `Content-Length`.
    pub length: Length,
    /// The last coding of `Transfer-Encoding`.
    pub coding: Coding,
    /// `Expect: 100-continue`: a body follows only once it was asked for (RFC 9110, section 10.1.1).
    pub asks_first: bool,
}

/// The `Content-Length` fields of a head together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Length {
    /// There is none.
    #[default]
    Absent,
    /// One value, or several equal ones.
    Bytes(u64),
    /// Not a number, or values that differ.
    Bad,
}

/// The last transfer coding of a head.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Coding {
    /// There is no `Transfer-Encoding`.
    #[default]
    Absent,
    /// `chunked`.
    Chunked,
    /// Any other: the length of the body is not known from the head.
    Other,
}

/// Reads the head that begins with the first of `bytes`. Empty lines before it must be gone already.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    match strict::parse(bytes) {
        Some(parsed) => parsed,
        None => lenient::parse(bytes),
    }
}

/// Whether `bytes` begin with a complete, valid start line of HTTP/1.
#[must_use]
pub fn begins_with_start_line(bytes: &[u8]) -> bool {
    memchr(b'\n', bytes)
        .is_some_and(|end| start_line::start_line(without_carriage_return(&bytes[..end])).is_some())
}

/// Where the head ends that `bytes` begin with: the index behind its empty line. The search begins at
/// line end `from` (0, or what an earlier search without success had looked through).
#[must_use]
pub fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    // The line end that closes the last field may stand just before what is new.
    let mut at = from.saturating_sub(2);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr(b'\n', rest)) {
        at += found + 1;
        match bytes.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
    None
}

impl<'a> Message<'a> {
    fn new(line: &'a [u8], start: StartLine<'a>, minor_version: Option<u8>) -> Self {
        Self {
            line,
            start,
            minor_version,
            fields: Fields::default(),
            framing: Framing::default(),
            raw_fields: &[],
            bytes: &[],
        }
    }

    /// Takes what is of use from one field; the first of a name wins. `value` is without surrounding
    /// white space.
    #[inline]
    fn take_field(&mut self, name: &[u8], value: &'a [u8]) {
        let fields = &mut self.fields;
        let place = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut fields.host,
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.framing.asks_first |= trim(value).eq_ignore_ascii_case(b"100-continue");
                return;
            }
            7 if name.eq_ignore_ascii_case(b"referer") => &mut fields.referer,
            10 if name.eq_ignore_ascii_case(b"user-agent") => &mut fields.user_agent,
            11 if name.eq_ignore_ascii_case(b"traceparent") => &mut fields.traceparent,
            12 if name.eq_ignore_ascii_case(b"content-type") => &mut fields.content_type,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.framing.length = self.framing.length.and(content_length(value));
                &mut fields.content_length
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.framing.coding = last_coding(value);
                return;
            }
            _ => return,
        };
        if place.is_none() {
            *place = Some(value);
        }
    }
}

impl Length {
    /// This one and another field of the same head: equal values are one value (RFC 9112, 6.3).
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Absent, other) => other,
            (Self::Bytes(one), Self::Bytes(two)) if one == two => self,
            _ => Self::Bad,
        }
    }
}

/// A `Content-Length` value: digits, or a list of equal ones (RFC 9110, section 8.6).
fn content_length(value: &[u8]) -> Length {
    value
        .split(|&byte| byte == b',')
        .map(|part| decimal(trim(part)).map_or(Length::Bad, Length::Bytes))
        .fold(Length::Absent, Length::and)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn last_coding(value: &[u8]) -> Coding {
    let last = value
        .rsplit(|&byte| byte == b',')
        .map(trim)
        .find(|part| !part.is_empty());
    match last {
        Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
        _ => Coding::Other,
    }
}

#[cfg(test)]
mod tests;
