//! One HTTP/1 head, taken apart: start line, the fields that lines are made of, and what the fields
//! say about the length of the body (RFC 9112).
//!
//! A log is no server: it refuses as little as it can. A start line must be one of HTTP/1.x; fields
//! are read line by line, and a line that is not a field is passed over, so that one bad field never
//! costs a head. Bare LF ends a line (RFC 9112, section 2.2). Folded lines (section 5.2) are passed
//! over.
//!
//! Refused: any other protocol or version (`RTSP/1.0`, `SIP/2.0`, `HTTP/2.0`, a request without a
//! version), names in another case (`http/1.1`), a bare CR inside the start line, and methods of more
//! than 256 bytes.

use memchr::{memchr, memchr3};

use super::head::{Fields, StartLine};

/// The longest method that is taken for one; the longest registered has 17 bytes.
const METHOD_MAX: usize = 256;

/// The methods that are registered and in use (RFC 9110, 5789, WebDAV and its kin).
const METHODS: [&[u8]; 24] = [
    b"ACL",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LOCK",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MOVE",
    b"OPTIONS",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PUT",
    b"QUERY",
    b"REPORT",
    b"SEARCH",
    b"TRACE",
    b"UNLOCK",
];

/// What [`parse`] makes of the bytes at the place where a head may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
    pub minor_version: u8,
    /// The fields that lines are made of.
    pub fields: Fields<'a>,
    /// What the fields say about the body.
    pub framing: Framing,
    /// The field lines with their line ends, without the empty line.
    pub raw_fields: &'a [u8],
    /// Bytes of the head, its empty line included.
    pub length: usize,
}

/// What the fields of a head say about the length of its body (RFC 9112, section 6).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Framing {
    /// `Content-Length`.
    pub length: Length,
    /// The last coding of `Transfer-Encoding`.
    pub coding: Coding,
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
    let Some(line_end) = memchr(b'\n', bytes) else {
        return if may_become_start_line(bytes) {
            Parsed::More
        } else {
            Parsed::Not
        };
    };
    let line = without_carriage_return(&bytes[..line_end]);
    let Some((start, minor_version)) = start_line(line) else {
        return Parsed::Not;
    };
    let mut message = Message::new(line, start, minor_version);
    let fields_begin = line_end + 1;
    let mut at = fields_begin;
    while let Some(length) = memchr(b'\n', &bytes[at..]) {
        let field = without_carriage_return(&bytes[at..at + length]);
        let next = at + length + 1;
        if field.is_empty() {
            message.raw_fields = &bytes[fields_begin..at];
            message.length = next;
            return Parsed::Whole(message);
        }
        message.read_field(field);
        at = next;
    }
    Parsed::More
}

/// Reads a head whose end is missing for good. `None` when not even the start line can be told: a
/// request needs its method, the space and one byte of the target, a response its status.
#[must_use]
pub fn parse_cut(bytes: &[u8]) -> Option<Message<'_>> {
    let Some(line_end) = memchr(b'\n', bytes) else {
        let line = without_carriage_return(bytes);
        let (start, minor_version) = start_line(line).or_else(|| cut_request_line(line))?;
        let mut message = Message::new(line, start, minor_version);
        message.length = bytes.len();
        return Some(message);
    };
    let line = without_carriage_return(&bytes[..line_end]);
    let (start, minor_version) = start_line(line)?;
    let mut message = Message::new(line, start, minor_version);
    let mut at = line_end + 1;
    message.raw_fields = &bytes[at..];
    message.length = bytes.len();
    while let Some(length) = memchr(b'\n', &bytes[at..]) {
        message.read_field(without_carriage_return(&bytes[at..at + length]));
        at += length + 1;
    }
    // Half a text is worth having; half a number is a wrong number.
    let (length, framing) = (message.fields.content_length, message.framing);
    message.read_field(without_carriage_return(&bytes[at..]));
    message.fields.content_length = length;
    message.framing = framing;
    Some(message)
}

/// Whether `bytes` begin with a complete, valid start line of HTTP/1.
#[must_use]
pub fn begins_with_start_line(bytes: &[u8]) -> bool {
    memchr(b'\n', bytes)
        .is_some_and(|end| start_line(without_carriage_return(&bytes[..end])).is_some())
}

/// Whether `method` is a registered one that is in use.
pub(super) fn is_known_method(method: &[u8]) -> bool {
    METHODS.contains(&method)
}

/// Whether `method` is the end of a known method and none itself (`ET`): where the bytes before it
/// are missing, it is a method cut in two.
pub(super) fn is_end_of_method(method: &[u8]) -> bool {
    !METHODS.contains(&method) && METHODS.iter().any(|known| known.ends_with(method))
}

/// Whether `rest` rather goes on with the method of which `begin` is the beginning than begins a start
/// line of its own: a method may be cut anywhere, and `OST` is a method too. `begin` may be empty.
pub(super) fn continues_method(begin: &[u8], rest: &[u8]) -> bool {
    let rest = match memchr(b' ', rest) {
        Some(space) if !begin.is_empty() => &rest[..space],
        _ => return true,
    };
    let joins = |known: &&[u8]| {
        known
            .strip_prefix(begin)
            .is_some_and(|behind| behind == rest)
    };
    begin.iter().chain(rest).copied().all(is_token)
        && (!is_known_method(rest) || METHODS.iter().any(joins))
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
    fn new(line: &'a [u8], start: StartLine<'a>, minor_version: u8) -> Self {
        Self {
            line,
            start,
            minor_version,
            fields: Fields::default(),
            framing: Framing::default(),
            raw_fields: &[],
            length: 0,
        }
    }

    /// Takes what is of use from one field line; the first of a name wins.
    fn read_field(&mut self, line: &'a [u8]) {
        let Some(colon) = memchr(b':', line) else {
            return;
        };
        let (name, value) = (trim_end(&line[..colon]), &line[colon + 1..]);
        let fields = &mut self.fields;
        let place = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut fields.host,
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
            *place = Some(trim(value));
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

/// A start line without its line end, and its minor version.
fn start_line(line: &[u8]) -> Option<(StartLine<'_>, u8)> {
    if line.starts_with(b"HTTP/") {
        status_line(line)
    } else {
        request_line(line)
    }
}

/// `method SP target SP HTTP/1.x` (RFC 9112, section 3).
fn request_line(line: &[u8]) -> Option<(StartLine<'_>, u8)> {
    let (method, rest) = method(line)?;
    let rest = trim(rest);
    let space = rest.iter().rposition(|&byte| is_space(byte))?;
    let minor_version = version(&rest[space + 1..])?;
    let target = trim_end(&rest[..space]);
    if target.is_empty() {
        return None;
    }
    // White space in a target is wrong, and sent all the same (RFC 9112, section 3.2). It is taken
    // where the target can still be told from a sentence that ends in a version.
    if let Some(odd) = memchr3(b' ', b'\t', b'\r', target) {
        let plain_form = target[0] == b'/' || memchr::memmem::find(target, b"://").is_some();
        if !plain_form || target[odd..].contains(&b'\r') {
            return None;
        }
    }
    Some((StartLine::Request { method, target }, minor_version))
}

/// `HTTP/1.x SP status [SP reason]` (RFC 9112, section 4).
fn status_line(line: &[u8]) -> Option<(StartLine<'_>, u8)> {
    let minor_version = version(line.get(..8)?)?;
    let rest = &line[8..];
    let [first, ..] = rest else { return None };
    if !is_space(*first) {
        return None;
    }
    let rest = trim(rest);
    let (digits, reason) = rest.split_first_chunk::<3>()?;
    if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
        return None;
    }
    if reason.first().is_some_and(|&byte| !is_space(byte)) || memchr(b'\r', reason).is_some() {
        return None;
    }
    let status = digits
        .iter()
        .fold(0, |number, &byte| number * 10 + u16::from(byte - b'0'));
    Some((
        StartLine::Response {
            status,
            reason: trim(reason),
        },
        minor_version,
    ))
}

/// A request line that ends before its version does.
fn cut_request_line(line: &[u8]) -> Option<(StartLine<'_>, u8)> {
    let (method, rest) = method(line)?;
    let rest = trim(rest);
    let end = rest
        .iter()
        .position(|&byte| is_space(byte))
        .unwrap_or(rest.len());
    let (target, version) = (&rest[..end], trim(&rest[end..]));
    let whole = !target.is_empty() && memchr(b'\r', target).is_none();
    (whole && b"HTTP/1.".starts_with(version)).then_some((StartLine::Request { method, target }, 1))
}

/// The method and what follows it, which begins with white space.
fn method(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = token_end(line)?;
    (end > 0 && is_space(line[end])).then(|| line.split_at(end))
}

/// Index of the first byte that is of no token; `None` where there is none.
fn token_end(line: &[u8]) -> Option<usize> {
    line.iter()
        .take(METHOD_MAX + 1)
        .position(|&byte| !is_token(byte))
}

fn version(word: &[u8]) -> Option<u8> {
    match word.strip_prefix(b"HTTP/1.")? {
        [digit] if digit.is_ascii_digit() => Some(digit - b'0'),
        _ => None,
    }
}

/// Whether a line whose end is still to come can be a start line.
pub(super) fn may_become_start_line(bytes: &[u8]) -> bool {
    const VERSION: &[u8] = b"HTTP/1.";
    if let Some(rest) = bytes.strip_prefix(VERSION) {
        let shape = [
            u8::is_ascii_digit as fn(&u8) -> bool,
            |byte| is_space(*byte),
            |byte| byte.is_ascii_digit() || is_space(*byte),
        ];
        return rest.iter().zip(shape).all(|(byte, fits)| fits(byte));
    }
    if VERSION.starts_with(bytes) {
        return true;
    }
    match token_end(bytes) {
        Some(end) => end > 0 && is_space(bytes[end]),
        None => bytes.len() <= METHOD_MAX,
    }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Optional white space, and the other bytes that RFC 9112, section 3 lets a recipient take for it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && (is_space(*last) || *last == b'\r')
    {
        bytes = rest;
    }
    bytes
}

fn trim(bytes: &[u8]) -> &[u8] {
    let mut bytes = trim_end(bytes);
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

/// A `tchar` of RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests;
