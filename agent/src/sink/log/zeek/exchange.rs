//! Lines of `http.log`.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::value::{
    EMPTY, UNSET, append_count, append_ends, append_escaped, append_text, append_time, append_uid,
    append_unset, next,
};
use crate::http::exchange::record::ExchangeRecord;

pub(super) const COLUMNS: [(&str, &str); 30] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("trans_depth", "count"),
    ("method", "string"),
    ("host", "string"),
    ("uri", "string"),
    ("referrer", "string"),
    ("version", "string"),
    ("user_agent", "string"),
    ("origin", "string"),
    ("request_body_len", "count"),
    ("response_body_len", "count"),
    ("status_code", "count"),
    ("status_msg", "string"),
    ("info_code", "count"),
    ("info_msg", "string"),
    ("tags", "set[enum]"),
    ("username", "string"),
    ("password", "string"),
    ("proxied", "set[string]"),
    ("orig_fuids", "vector[string]"),
    ("orig_filenames", "vector[string]"),
    ("orig_mime_types", "vector[string]"),
    ("resp_fuids", "vector[string]"),
    ("resp_filenames", "vector[string]"),
    ("resp_mime_types", "vector[string]"),
];

/// The fields by which a request says that it came through a proxy, as Zeek has them.
const PROXY_FIELDS: [&str; 7] = [
    "FORWARDED",
    "X-FORWARDED-FOR",
    "X-FORWARDED-FROM",
    "CLIENT-IP",
    "VIA",
    "XROXY-CONNECTION",
    "PROXY-CONNECTION",
];

/// Appends the line of an exchange, with its line end. `trans_depth`: its number in its session, from
/// 1, where that is known.
pub fn write_exchange(record: &ExchangeRecord<'_>, trans_depth: Option<u64>, out: &mut Vec<u8>) {
    append_time(record.ts, out);
    append_uid(record.session_id, out);
    let client = (record.src_ip, record.src_port);
    append_ends([client, (record.dst_ip, record.dst_port)], out);
    append_count(trans_depth, out);
    append_text(record.method, out);
    append_text(record.host.map(without_port), out);
    append_text(record.target, out);
    append_text(record.referer, out);
    let version = Some(record.version).filter(|version| !version.is_empty());
    append_text(
        version.map(|version| version.strip_prefix("HTTP/").unwrap_or(version)),
        out,
    );
    append_text(record.user_agent, out);
    append_header(record.headers, Wanted::Origin, out);
    append_unset(2, out);
    append_count(record.status.map(u64::from), out);
    append_unset(1, out);
    append_count(record.interim_status.map(u64::from), out);
    append_unset(1, out);
    next(out);
    out.extend_from_slice(EMPTY);
    append_unset(2, out);
    append_header(record.headers, Wanted::Proxied, out);
    append_unset(6, out);
    out.push(b'\n');
}

/// Zeek takes the port off.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

/// What is looked for among the header fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    /// The value of `Origin`.
    Origin,
    /// `NAME -> value` of the fields of proxies.
    Proxied,
}

/// What is found; unset when nothing is.
fn append_header(headers: Option<&RawValue>, wanted: Wanted, out: &mut Vec<u8>) {
    let begin = out.len();
    if let Some(headers) = headers {
        let mut deserializer = serde_json::Deserializer::from_str(headers.get());
        let fields = Fields {
            wanted,
            begin,
            out: &mut *out,
        };
        // What is no object of texts has no such fields.
        if deserializer.deserialize_map(fields).is_err() {
            out.truncate(begin);
        }
    }
    if out.len() == begin {
        next(out);
        out.extend_from_slice(UNSET);
    }
}

struct Fields<'out> {
    wanted: Wanted,
    begin: usize,
    out: &'out mut Vec<u8>,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Texts with escapes are not borrowed, so all are taken as they come.
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            match self.wanted {
                Wanted::Origin if name.eq_ignore_ascii_case("Origin") => {
                    if self.out.len() == self.begin {
                        append_text(Some(&value), self.out);
                    }
                }
                Wanted::Proxied => {
                    let proxy = PROXY_FIELDS
                        .iter()
                        .find(|field| field.eq_ignore_ascii_case(&name));
                    if let Some(field) = proxy {
                        let is_first = self.out.len() == self.begin;
                        self.out.push(if is_first { b'\t' } else { b',' });
                        self.out.extend_from_slice(field.as_bytes());
                        self.out.extend_from_slice(b" -> ");
                        append_escaped(&value, b",", self.out);
                    }
                }
                Wanted::Origin => {}
            }
        }
        Ok(())
    }
}
