//! Heads read line by line. A log is no server: a line that is not a field is passed over, so that
//! one bad field never costs a head. Folded lines (RFC 9112, section 5.2) are passed over too.
//!
//! Refused: what has no start line of HTTP/1.

use memchr::memchr;

use super::super::head::StartLine;
use super::start_line::{cut_request_line, may_become_start_line, start_line};
use super::text::{trim, trim_end, without_carriage_return};
use super::{Message, Parsed};

/// Reads the head that begins with the first of `bytes`: as [`super::parse`] does, and alone enough.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
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
    let mut message = Message::new(line, start, Some(minor_version));
    let fields_begin = line_end + 1;
    let mut at = fields_begin;
    while let Some(length) = memchr(b'\n', &bytes[at..]) {
        let field = without_carriage_return(&bytes[at..at + length]);
        let next = at + length + 1;
        if field.is_empty() {
            message.raw_fields = &bytes[fields_begin..at];
            message.bytes = &bytes[..next];
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
        let (start, minor_version) = match start_line(line) {
            Some((start, minor_version)) => (start, Some(minor_version)),
            None => (cut_request_line(line)?, None),
        };
        let mut message = Message::new(line, start, minor_version);
        message.bytes = bytes;
        return Some(message);
    };
    let line = without_carriage_return(&bytes[..line_end]);
    let (start, minor_version) = start_line(line)?;
    let mut message = Message::new(line, start, Some(minor_version));
    let mut at = line_end + 1;
    message.raw_fields = &bytes[at..];
    message.bytes = bytes;
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

impl<'a> Message<'a> {
    /// Takes what is of use from one field line; a line that is no field is passed over. White space
    /// before the colon is left out in responses, as proxies do, and makes a line of a request no field,
    /// as servers have it (RFC 9112, section 5.1).
    fn read_field(&mut self, line: &'a [u8]) {
        if let Some(colon) = memchr(b':', line) {
            let name = match self.start {
                StartLine::Request { .. } => &line[..colon],
                StartLine::Response { .. } => trim_end(&line[..colon]),
            };
            self.take_field(name, trim(&line[colon + 1..]));
        }
    }
}
