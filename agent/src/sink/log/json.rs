//! The JSON line: one object a head, without white space, values that are not there left out.
//!
//! ```text
//! ts, kind, local, src_ip, src_port, dst_ip, dst_port, cpu_id, ifname, vlan, session_id, exchange_id,
//! method, target, version, host, user_agent, referer, content_length, content_type, traceparent,
//! headers {…}, status, reason, latency_us, partial
//! ```
//!
//! - `ts` is RFC 3339 in UTC with nine digits behind the point; `version` is as in the start line,
//!   for example `HTTP/1.1`; `vlan` lists the tags, outermost first.
//! - Strings hold the bytes of the wire as text. A byte that is not UTF-8 becomes `\xNN` in the
//!   string's value, and a backslash that stands before `x` and two hexadecimal digits becomes
//!   `\x5c`: turning each `\xNN` of the value back into its byte gives the bytes of the wire.
//!   Control and other hidden characters are JSON escapes (`\u001b`) and need no such step.
//! - `content_length` is a number when it is 0 or up to 18 digits without a leading zero, so that
//!   every signed 64-bit reader takes it; anything else that stood there is a string.
//! - `headers` holds fields that were asked for, in the order and spelling in which they were asked
//!   for; fields that stand several times are joined with `, ` (RFC 9110, section 5.3), folded lines
//!   with one space (RFC 9112, section 5.2).
//! - A field that is there but empty is `""`; an empty reason phrase is left out.
//! - `partial` stands only when it is true.

use jiff::tz::TimeZone;

use super::{
    asked::AskedFields,
    clock::Clock,
    text::{append_address, append_number, append_quoted, fixed_digits},
};
use crate::http::head::{Head, StartLine};
use crate::session::identifier::Identifier;

/// Writes JSON lines.
#[derive(Debug)]
pub struct Json {
    clock: Clock,
    asked: AskedFields,
}

impl Json {
    /// `headers` are the names of the fields that go under `headers`; upper and lower case are one.
    #[must_use]
    pub fn new(headers: &[String]) -> Self {
        Self {
            clock: Clock::new(TimeZone::UTC, b'T'),
            asked: AskedFields::new(headers),
        }
    }

    /// Appends the line of `head`, with its line end.
    pub fn append(&mut self, head: &Head<'_>, out: &mut Vec<u8>) {
        let (second, nanosecond) = self.clock.text(head.time_ns);
        out.extend_from_slice(b"{\"ts\":\"");
        out.extend_from_slice(second);
        out.push(b'.');
        out.extend_from_slice(&fixed_digits::<9>(nanosecond));
        out.extend_from_slice(b"Z\",\"kind\":\"");
        out.extend_from_slice(head.kind.letters().as_bytes());
        out.extend_from_slice(b"\",\"local\":");
        out.extend_from_slice(if head.local { b"true" } else { b"false" });
        out.extend_from_slice(b",\"src_ip\":\"");
        append_address(head.source.ip(), out);
        out.extend_from_slice(b"\",\"src_port\":");
        append_number(head.source.port().into(), out);
        out.extend_from_slice(b",\"dst_ip\":\"");
        append_address(head.destination.ip(), out);
        out.extend_from_slice(b"\",\"dst_port\":");
        append_number(head.destination.port().into(), out);
        out.extend_from_slice(b",\"cpu_id\":");
        append_number(head.cpu.into(), out);
        if !head.interface.is_empty() {
            append_member(b",\"ifname\":\"", head.interface.as_bytes(), out);
        }
        append_vlan(head.vlan, out);
        append_identifier(b",\"session_id\":\"", head.session_id, out);
        append_identifier(b",\"exchange_id\":\"", head.exchange_id, out);
        if let StartLine::Request { method, target } = head.start {
            append_member(b",\"method\":\"", method, out);
            append_member(b",\"target\":\"", target, out);
        }
        if let Some(minor_version) = head.minor_version {
            out.extend_from_slice(b",\"version\":\"HTTP/1.");
            append_number(minor_version.into(), out);
            out.push(b'"');
        }
        let fields = &head.fields;
        append_field(b",\"host\":\"", fields.host, out);
        append_field(b",\"user_agent\":\"", fields.user_agent, out);
        append_field(b",\"referer\":\"", fields.referer, out);
        append_content_length(fields.content_length, out);
        append_field(b",\"content_type\":\"", fields.content_type, out);
        append_field(b",\"traceparent\":\"", fields.traceparent, out);
        self.asked.append(head.raw_fields, out);
        if let StartLine::Response { status, reason } = head.start {
            out.extend_from_slice(b",\"status\":");
            append_number(status.into(), out);
            if !reason.is_empty() {
                append_member(b",\"reason\":\"", reason, out);
            }
            if let Some(latency) = head.latency_us {
                out.extend_from_slice(b",\"latency_us\":");
                append_number(latency, out);
            }
        }
        if head.partial {
            out.extend_from_slice(b",\"partial\":true");
        }
        out.extend_from_slice(b"}\n");
    }
}

/// `opening` is all from the comma to the quote that opens the value.
#[inline]
fn append_member(opening: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(opening);
    append_quoted(value, out);
    out.push(b'"');
}

#[inline]
fn append_field(opening: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        append_member(opening, value, out);
    }
}

fn append_identifier(opening: &[u8], identifier: Option<Identifier>, out: &mut Vec<u8>) {
    if let Some(identifier) = identifier {
        out.extend_from_slice(opening);
        out.extend_from_slice(&identifier.digits());
        out.push(b'"');
    }
}

fn append_vlan(tags: [u16; 2], out: &mut Vec<u8>) {
    let mut opening: &[u8] = b",\"vlan\":[";
    for tag in tags.into_iter().filter(|&tag| tag != 0) {
        out.extend_from_slice(opening);
        append_number(tag.into(), out);
        opening = b",";
    }
    if tags != [0, 0] {
        out.push(b']');
    }
}

fn append_content_length(value: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(value) = value else {
        return;
    };
    let is_number = matches!(value, b"0" | [b'1'..=b'9', ..])
        && value.len() <= 18
        && value.iter().all(u8::is_ascii_digit);
    if is_number {
        out.extend_from_slice(b",\"content_length\":");
        out.extend_from_slice(value);
    } else {
        append_member(b",\"content_length\":\"", value, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sink::log::{
        samples::{hostile_head, request, response},
        settings::default_headers,
        text::{decode, is_harmless},
    };

    fn line(head: &Head<'_>) -> String {
        let mut line = Vec::new();
        Json::new(&default_headers()).append(head, &mut line);
        String::from_utf8(line).unwrap()
    }

    fn check(head: &Head<'_>, expected: &str) {
        let line = line(head);
        assert_eq!(line, format!("{expected}\n"));
        serde_json::from_str::<Value>(&line).unwrap();
    }

    #[test]
    fn golden_lines() {
        let mut query = request();
        check(
            &query,
            r#"{"ts":"2019-09-01T05:16:51.002000000Z","kind":"CQ","local":true,"src_ip":"223.39.188.71","src_port":50905,"dst_ip":"10.140.0.2","dst_port":80,"cpu_id":1,"ifname":"eth0","method":"GET","target":"/","version":"HTTP/1.1","host":"cloud.example.com","user_agent":"Mozilla/5.0 (Windows NT 10.0)"}"#,
        );
        check(
            &response(),
            r#"{"ts":"2019-09-01T05:16:51.003000001Z","kind":"CR","local":true,"src_ip":"10.140.0.2","src_port":80,"dst_ip":"223.39.188.71","dst_port":50905,"cpu_id":0,"version":"HTTP/1.1","content_length":0,"content_type":"text/html; charset=UTF-8","status":302,"reason":"Found"}"#,
        );
        query.source = "[2001:db8::7]:1".parse().unwrap();
        query.destination = "[::ffff:10.0.0.1]:65535".parse().unwrap();
        query.local = false;
        query.interface = "";
        query.vlan = [7, 100];
        query.minor_version = Some(0);
        query.fields.host = Some(b"");
        query.fields.user_agent = Some(b"\"\\\x1b\xff\\x41");
        query.fields.referer = Some(b"http://r/");
        query.fields.traceparent = Some(b"00-ab-cd-01");
        query.raw_fields =
            b"x-request-id: 7\r\nX-FORWARDED-FOR: 1.1.1.1\r\nX-Forwarded-For:2.2.2.2 \r\n\r\n";
        query.partial = true;
        check(
            &query,
            r#"{"ts":"2019-09-01T05:16:51.002000000Z","kind":"CQ","local":false,"src_ip":"2001:db8::7","src_port":1,"dst_ip":"10.0.0.1","dst_port":65535,"cpu_id":1,"vlan":[7,100],"method":"GET","target":"/","version":"HTTP/1.0","host":"","user_agent":"\"\\\u001b\\xff\\x5cx41","referer":"http://r/","traceparent":"00-ab-cd-01","headers":{"X-Forwarded-For":"1.1.1.1, 2.2.2.2","X-Request-Id":"7"},"partial":true}"#,
        );
    }

    #[test]
    fn content_length_is_a_number_only_when_it_is_one() {
        let mut head = response();
        for (text, expected) in [
            ("0", json!(0)),
            ("3274", json!(3274)),
            ("999999999999999999", json!(999_999_999_999_999_999_u64)),
            ("1000000000000000000", json!("1000000000000000000")),
            ("", json!("")),
            ("007", json!("007")),
            ("00", json!("00")),
            ("5, 5", json!("5, 5")),
            ("-1", json!("-1")),
            ("1e3", json!("1e3")),
            ("1\"", json!("1\"")),
        ] {
            head.fields.content_length = Some(text.as_bytes());
            let value: Value = serde_json::from_str(&line(&head)).unwrap();
            assert_eq!(value["content_length"], expected, "{text}");
        }
    }

    #[test]
    fn vlan_tags() {
        let mut head = request();
        for (tags, expected) in [
            ([0, 0], Value::Null),
            ([5, 0], json!([5])),
            ([0, 6], json!([6])),
            ([4095, 1], json!([4095, 1])),
        ] {
            head.vlan = tags;
            let value: Value = serde_json::from_str(&line(&head)).unwrap();
            assert_eq!(value["vlan"], expected);
        }
    }

    proptest! {
        #[test]
        fn any_head_is_one_object_with_all_its_bytes(owned in hostile_head()) {
            let head = owned.head();
            let line = line(&head);
            let text = line.strip_suffix('\n').unwrap();
            prop_assert!(is_harmless(text));
            let value: Value = serde_json::from_str(text).unwrap();
            let bytes = |name: &str| value[name].as_str().map(|text| decode(text.as_bytes()));
            prop_assert_eq!(bytes("host"), head.fields.host.map(<[u8]>::to_vec));
            prop_assert_eq!(bytes("user_agent"), head.fields.user_agent.map(<[u8]>::to_vec));
            prop_assert_eq!(bytes("content_type"), head.fields.content_type.map(<[u8]>::to_vec));
            match head.start {
                StartLine::Request { method, target } => {
                    prop_assert_eq!(bytes("method"), Some(method.to_vec()));
                    prop_assert_eq!(bytes("target"), Some(target.to_vec()));
                }
                StartLine::Response { status, reason } => {
                    prop_assert_eq!(&value["status"], &json!(status));
                    prop_assert_eq!(bytes("reason").unwrap_or_default(), reason);
                }
            }
        }
    }
}
