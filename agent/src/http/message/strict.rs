//! Heads read by `httparse`: nearly all that are on the wire.
//!
//! It is strict where a log is not, and lenient nowhere that a log is not: what it gives is the
//! answer, and what it refuses says nothing: heads with odd lines, more than [`FIELDS_MAX`] fields or
//! another minor version than 0 and 1 are left to the lenient reader.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Request, Response, Status};
use memchr::memchr;

use super::super::head::StartLine;
use super::start_line::METHOD_MAX;
use super::text::{trim, without_carriage_return};
use super::{Message, Parsed};

/// Fields that a head may have here. Their room is on the stack and not written before it is used.
const FIELDS_MAX: usize = 100;

/// Reads the head that begins with the first of `bytes`. `None`: the lenient reader has to tell.
#[inline]
pub(super) fn parse(bytes: &[u8]) -> Option<Parsed<'_>> {
    // Empty lines, which httparse would pass over, are no part of a head.
    if matches!(bytes.first()?, b'\r' | b'\n') {
        return None;
    }
    if bytes.starts_with(b"HTTP/") {
        response(bytes)
    } else {
        request(bytes)
    }
}

fn request(bytes: &[u8]) -> Option<Parsed<'_>> {
    let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut request = Request::new(&mut []);
    let status = configuration()
        .parse_request_with_uninit_headers(&mut request, bytes, &mut room)
        .ok()?;
    let method = request.method?.as_bytes();
    if method.len() > METHOD_MAX {
        return None;
    }
    let target = request.path?.as_bytes();
    let start = StartLine::Request { method, target };
    parsed(bytes, status, start, request.version?, request.headers)
}

fn response(bytes: &[u8]) -> Option<Parsed<'_>> {
    let mut room = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let status = configuration()
        .parse_response_with_uninit_headers(&mut response, bytes, &mut room)
        .ok()?;
    let code = response.code.filter(|&code| code >= 100)?;
    let mut reason = trim(response.reason?.as_bytes());
    if reason.is_empty() {
        // A reason with bytes above ASCII is given as an empty one.
        let line = without_carriage_return(&bytes[..memchr(b'\n', bytes)?]);
        reason = trim(trim(line.get(VERSION_LENGTH..)?).get(STATUS_LENGTH..)?);
    }
    let start = StartLine::Response {
        status: code,
        reason,
    };
    parsed(bytes, status, start, response.version?, response.headers)
}

/// Bytes of `HTTP/1.1`.
const VERSION_LENGTH: usize = 8;

/// Bytes of a status code.
const STATUS_LENGTH: usize = 3;

/// The head with the start line `start`, of which httparse says `status`.
// Inlined, so that the message is built in its place and not copied from call to call.
#[inline(always)]
fn parsed<'a>(
    bytes: &'a [u8],
    status: Status<usize>,
    start: StartLine<'a>,
    minor_version: u8,
    fields: &[Header<'a>],
) -> Option<Parsed<'a>> {
    let line_end = memchr(b'\n', bytes)?;
    let Status::Complete(length) = status else {
        return Some(Parsed::More);
    };
    let line = without_carriage_return(&bytes[..line_end]);
    let mut message = Message::new(line, start, Some(minor_version));
    for field in fields {
        message.take_field(field.name.as_bytes(), field.value);
    }
    // The last line end is that of the empty line.
    let head = bytes.get(..length)?;
    let fields_and_empty_line = head.get(line_end + 1..)?;
    let before = fields_and_empty_line.strip_suffix(b"\n")?;
    message.raw_fields = without_carriage_return(before);
    message.bytes = head;
    Some(Parsed::Whole(message))
}

/// Lenient where httparse reads the same as the lenient reader. It does not where it joins folded
/// lines to one value, and where it passes over a whole field because of one byte in its value.
fn configuration() -> ParserConfig {
    let mut configuration = ParserConfig::default();
    configuration
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_spaces_after_header_name_in_responses(true);
    configuration
}
