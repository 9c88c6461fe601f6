//! The line of the Elastic Common Schema 9, one JSON object an exchange, nested.
//!
//! - Names are those of the schema where it has one; what it has no place for stands under `tapline`.
//! - `source` and `client` are who asks, `destination` and `server` who answers. Their bytes, and those
//!   of `http.request` and `http.response`, are payload on the wire, heads and bodies.
//! - `event.outcome` is by the status (failure from 400 on), unknown without one; `event.duration` is from
//!   the end of the request head to the last byte of the response, in nanoseconds.
//! - `url` is the target taken apart; domain and port are of the target, or else of `Host`. A port
//!   that neither names is left out.
//! - `trace.id` stands only where `traceparent` is valid.
//! - Strings hold `\xNN` as records do; values that are not there are left out.

mod url;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use self::url::Url;
use super::trace::trace_id;
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::session::identifier::Identifier;

/// The version of the schema.
const VERSION: &str = "9.0.0";

/// Appends the line of an exchange, with its line end.
pub fn write_exchange(record: &ExchangeRecord<'_>, out: &mut Vec<u8>) {
    let begin = out.len();
    // A vector takes every byte, and every part of a record has a form in JSON.
    if serde_json::to_writer(&mut *out, &Document::of(record)).is_ok() {
        out.push(b'\n');
    } else {
        out.truncate(begin);
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    ecs: Version,
    event: Event,
    source: End,
    client: End,
    destination: End,
    server: End,
    network: Network,
    http: Http<'a>,
    #[serde(skip_serializing_if = "Url::is_empty")]
    url: Url<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Original<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Trace<'a>>,
    tapline: Own<'a>,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

#[derive(Serialize)]
struct Event {
    id: Identifier,
    kind: &'static str,
    category: [&'static str; 2],
    r#type: [&'static str; 1],
    dataset: &'static str,
    outcome: &'static str,
    start: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
}

#[derive(Clone, Copy, Serialize)]
struct End {
    address: IpAddr,
    ip: IpAddr,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Network {
    protocol: &'static str,
    transport: &'static str,
    r#type: &'static str,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Http<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Request::is_empty")]
    request: Request<'a>,
    #[serde(skip_serializing_if = "Response::is_empty")]
    response: Response<'a>,
}

#[derive(Eq, PartialEq, Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Eq, PartialEq, Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Original<'a> {
    original: &'a str,
}

#[derive(Serialize)]
struct Trace<'a> {
    id: &'a str,
}

/// What the schema has no place for.
#[derive(Serialize)]
struct Own<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Identifier>,
    role: Role,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttfb_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interim_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    cpu_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_cpu_id: Option<u32>,
}

impl<'a> Document<'a> {
    fn of(record: &ExchangeRecord<'a>) -> Self {
        let end = |ip: IpAddr, port, bytes| End {
            address: ip.to_canonical(),
            ip: ip.to_canonical(),
            port,
            bytes,
        };
        let client = end(record.src_ip, record.src_port, record.request_bytes);
        let server = end(record.dst_ip, record.dst_port, record.response_bytes);
        let sum = client.bytes.zip(server.bytes);
        Self {
            timestamp: record.ts,
            ecs: Version { version: VERSION },
            event: Event {
                id: record.exchange_id,
                kind: "event",
                category: ["network", "web"],
                r#type: ["access"],
                dataset: "tapline.http",
                outcome: match record.status {
                    Some(..400) => "success",
                    Some(400..) => "failure",
                    None => "unknown",
                },
                start: record.ts,
                duration: record.total_us.and_then(|time| time.checked_mul(1_000)),
            },
            source: client,
            client,
            destination: server,
            server,
            network: Network {
                protocol: "http",
                transport: "tcp",
                r#type: if client.ip.is_ipv4() { "ipv4" } else { "ipv6" },
                direction: match record.role {
                    Role::Server => "ingress",
                    Role::Client => "egress",
                },
                bytes: sum.and_then(|(one, other)| one.checked_add(other)),
            },
            http: Http {
                version: Some(record.version)
                    .filter(|version| !version.is_empty())
                    .map(|version| version.strip_prefix("HTTP/").unwrap_or(version)),
                request: Request {
                    method: record.method,
                    referrer: record.referer,
                    bytes: record.request_bytes,
                },
                response: Response {
                    status_code: record.status,
                    mime_type: record.content_type.map(media_type),
                    bytes: record.response_bytes,
                },
            },
            url: Url::of(record.method, record.target, record.host),
            user_agent: record.user_agent.map(|original| Original { original }),
            trace: record.traceparent.and_then(trace_id).map(|id| Trace { id }),
            tapline: Own {
                session_id: record.session_id,
                role: record.role,
                outcome: record.outcome,
                ttfb_us: record.ttfb_us,
                interim_status: record.interim_status,
                headers: record.headers,
                partial: record.partial,
                cpu_id: record.cpu_id,
                reply_cpu_id: record.reply_cpu_id,
            },
        }
    }
}

impl Request<'_> {
    fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                method: None,
                referrer: None,
                bytes: None
            }
        )
    }
}

impl Response<'_> {
    fn is_empty(&self) -> bool {
        matches!(
            self,
            Self {
                status_code: None,
                mime_type: None,
                bytes: None
            }
        )
    }
}

/// A content type without its parameters (RFC 9110, section 8.3.1).
fn media_type(content_type: &str) -> &str {
    content_type
        .split_once(';')
        .map_or(content_type, |(media_type, _)| media_type)
        .trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::sink::log::samples::{any_exchange, exchange};

    fn line(record: &ExchangeRecord<'_>) -> String {
        let mut line = Vec::new();
        write_exchange(record, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn golden_lines() {
        let mut record = exchange();
        assert_eq!(
            line(&record),
            concat!(
                r#"{"@timestamp":"2019-09-01T05:16:51.002Z","ecs":{"version":"9.0.0"},"#,
                r#""event":{"id":"00000000000000ab0000000000000007","kind":"event","category":["network","web"],"type":["access"],"dataset":"tapline.http","outcome":"success","start":"2019-09-01T05:16:51.002Z","duration":1250000},"#,
                r#""source":{"address":"223.39.188.71","ip":"223.39.188.71","port":50905,"bytes":211},"client":{"address":"223.39.188.71","ip":"223.39.188.71","port":50905,"bytes":211},"#,
                r#""destination":{"address":"10.140.0.2","ip":"10.140.0.2","port":80,"bytes":154},"server":{"address":"10.140.0.2","ip":"10.140.0.2","port":80,"bytes":154},"#,
                r#""network":{"protocol":"http","transport":"tcp","type":"ipv4","direction":"ingress","bytes":365},"#,
                r#""http":{"version":"1.1","request":{"method":"GET","bytes":211},"response":{"status_code":302,"mime_type":"text/html","bytes":154}},"#,
                r#""url":{"original":"/a?b=c","scheme":"http","domain":"cloud.example.com","port":8080,"path":"/a","query":"b=c"},"#,
                r#""user_agent":{"original":"Mozilla/5.0 (Windows NT 10.0)"},"trace":{"id":"0af7651916cd43dd8448eb211c80319c"},"#,
                r#""tapline":{"session_id":"00000000000000ab0000000000000003","role":"server","outcome":"complete","ttfb_us":1000,"cpu_id":1,"reply_cpu_id":0}}"#,
                "\n"
            )
        );
        record.outcome = Outcome::Orphan;
        record.role = Role::Client;
        record.src_ip = "::ffff:1.2.3.4".parse().unwrap();
        record.dst_ip = "2001:db8::1".parse().unwrap();
        (record.method, record.target, record.host) = (None, None, None);
        (record.user_agent, record.traceparent) = (None, Some("00-x"));
        (record.status, record.content_type) = (Some(404), None);
        (record.request_bytes, record.response_bytes) = (None, Some(u64::MAX));
        (record.session_id, record.ttfb_us, record.total_us) = (None, None, Some(u64::MAX));
        record.reply_cpu_id = None;
        record.partial = true;
        assert_eq!(
            line(&record),
            concat!(
                r#"{"@timestamp":"2019-09-01T05:16:51.002Z","ecs":{"version":"9.0.0"},"#,
                r#""event":{"id":"00000000000000ab0000000000000007","kind":"event","category":["network","web"],"type":["access"],"dataset":"tapline.http","outcome":"failure","start":"2019-09-01T05:16:51.002Z"},"#,
                r#""source":{"address":"1.2.3.4","ip":"1.2.3.4","port":50905},"client":{"address":"1.2.3.4","ip":"1.2.3.4","port":50905},"#,
                r#""destination":{"address":"2001:db8::1","ip":"2001:db8::1","port":80,"bytes":18446744073709551615},"server":{"address":"2001:db8::1","ip":"2001:db8::1","port":80,"bytes":18446744073709551615},"#,
                r#""network":{"protocol":"http","transport":"tcp","type":"ipv4","direction":"egress"},"#,
                r#""http":{"version":"1.1","response":{"status_code":404,"bytes":18446744073709551615}},"#,
                r#""tapline":{"role":"client","outcome":"orphan","partial":true,"cpu_id":1}}"#,
                "\n"
            )
        );
        record.status = None;
        let value: Value = serde_json::from_str(&line(&record)).unwrap();
        assert_eq!(value["event"]["outcome"], "unknown");
    }

    proptest! {
        #[test]
        fn any_exchange_is_one_object_with_its_values(owned in any_exchange()) {
            let record = owned.record();
            let line = line(&record);
            let text = line.strip_suffix('\n').unwrap();
            prop_assert!(!text.contains(char::is_control));
            let value: Value = serde_json::from_str(text).unwrap();
            for (pointer, expected) in [
                ("/url/original", json!(record.target)),
                ("/http/request/method", json!(record.method)),
                ("/http/request/referrer", json!(record.referer)),
                ("/user_agent/original", json!(record.user_agent)),
                ("/http/response/status_code", json!(record.status)),
                ("/source/bytes", json!(record.request_bytes)),
                ("/server/bytes", json!(record.response_bytes)),
                ("/tapline/headers", json!(record.headers)),
                ("/client/port", json!(record.src_port)),
            ] {
                prop_assert_eq!(value.pointer(pointer).unwrap_or(&Value::Null), &expected, "{}", pointer);
            }
        }
    }
}
