//! The classic line: one line a head, fields with one space between them.
//!
//! ```text
//! 2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET / HTTP/1.1 cloud.example.com Mozilla/5.0
//! 2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found 0 text/html; charset=UTF-8
//! ```
//!
//! Behind the kind stand the start line as on the wire, then host and user agent of a request, or
//! content length and content type of a response. Milliseconds are cut, not rounded. A value that
//! is not there, or is empty, is the text chosen for missing ones. Nothing from the wire can begin
//! a line or move the cursor of a terminal: the table is in [`text`](super)'s description,
//! and turning every `\xNN` back into its byte gives the bytes of the wire.
//!
//! Values are not quoted, so one that holds spaces is not told apart by a program; the JSON
//! format is for that.

use jiff::tz::TimeZone;

use super::{
    clock::Clock,
    text::{append_address, append_number, append_plain, fixed_digits},
};
use crate::http::head::{Head, StartLine};

/// Writes classic lines.
#[derive(Debug)]
pub struct Classic {
    clock: Clock,
    missing: Box<[u8]>,
}

impl Classic {
    /// Times are of `zone`; `missing` stands for values that are not there and must be without
    /// control characters.
    #[must_use]
    pub fn new(zone: TimeZone, missing: &str) -> Self {
        Self {
            clock: Clock::new(zone, b' '),
            missing: missing.as_bytes().into(),
        }
    }

    /// Appends the line of `head`, with its line end.
    pub fn append(&mut self, head: &Head<'_>, out: &mut Vec<u8>) {
        let (second, nanosecond) = self.clock.text(head.time_ns);
        out.extend_from_slice(second);
        out.push(b'.');
        out.extend_from_slice(&fixed_digits::<3>(nanosecond / 1_000_000));
        for endpoint in [head.source, head.destination] {
            out.push(b' ');
            append_address(endpoint.ip(), out);
            out.push(b'#');
            append_number(endpoint.port().into(), out);
        }
        out.push(b' ');
        out.extend_from_slice(head.kind.letters().as_bytes());
        let values = match head.start {
            StartLine::Request { .. } => [head.fields.host, head.fields.user_agent],
            StartLine::Response { .. } => [head.fields.content_length, head.fields.content_type],
        };
        // A status line without a reason ends with the space before it (RFC 9112, section 4).
        let line = head.line.trim_ascii_end();
        for value in [Some(line)].into_iter().chain(values) {
            out.push(b' ');
            match value {
                Some(bytes) if !bytes.is_empty() => append_plain(bytes, out),
                _ => out.extend_from_slice(&self.missing),
            }
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::log::{
        samples::{hostile_head, request, response},
        text::{decode, is_harmless},
    };

    fn check(head: &Head<'_>, missing: &str, expected: &str) {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let mut line = Vec::new();
        Classic::new(zone, missing).append(head, &mut line);
        assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"));
    }

    #[test]
    fn golden_lines() {
        let (mut query, mut answer) = (request(), response());
        check(
            &query,
            "-",
            "2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET / HTTP/1.1 cloud.example.com Mozilla/5.0 (Windows NT 10.0)",
        );
        check(
            &answer,
            "-",
            "2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found 0 text/html; charset=UTF-8",
        );

        query.fields.host = None;
        answer.fields.content_length = None;
        check(
            &query,
            "-",
            "2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET / HTTP/1.1 - Mozilla/5.0 (Windows NT 10.0)",
        );
        check(
            &query,
            "",
            "2019-09-01 14:16:51.002 223.39.188.71#50905 10.140.0.2#80 CQ GET / HTTP/1.1  Mozilla/5.0 (Windows NT 10.0)",
        );
        check(
            &answer,
            "(none)",
            "2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found (none) text/html; charset=UTF-8",
        );
        answer.fields.content_type = Some(b"");
        check(
            &answer,
            "",
            "2019-09-01 14:16:51.003 10.140.0.2#80 223.39.188.71#50905 CR HTTP/1.1 302 Found  ",
        );

        query.source = "[2001:db8::7]:1".parse().unwrap();
        query.destination = "[::ffff:10.0.0.1]:65535".parse().unwrap();
        query.kind = crate::http::head::Kind::ServerQuery;
        query.line = b"GET /a\tb HTTP/1.1";
        query.fields.user_agent = Some(b"x\n2019-09-01 14:16:51.002 1.2.3.4#1");
        check(
            &query,
            "-",
            r"2019-09-01 14:16:51.002 2001:db8::7#1 10.0.0.1#65535 SQ GET /a\x09b HTTP/1.1 - x\x0a2019-09-01 14:16:51.002 1.2.3.4#1",
        );
    }

    proptest! {
        #[test]
        fn any_head_is_one_line(owned in hostile_head()) {
            let head = owned.head();
            let mut line = Vec::new();
            Classic::new(TimeZone::UTC, "-").append(&head, &mut line);
            let text = String::from_utf8(line).unwrap();
            let text = text.strip_suffix('\n').unwrap();
            prop_assert!(is_harmless(text));
            // The bytes of the wire can be read back.
            let decoded = decode(text.as_bytes());
            let line = head.line.trim_ascii_end();
            if !line.is_empty() {
                prop_assert!(memchr::memmem::find(&decoded, line).is_some());
            }
        }
    }
}
