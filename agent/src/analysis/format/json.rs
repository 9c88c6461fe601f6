//! JSON objects, one a line: what Tapline writes (heads and exchanges), `gen access` and `gen events`,
//! and the fields by which nginx, Caddy, Traefik, ECS and many programs name the same things.
//!
//! Units are those of the names: `_us`, `_ms`, `_ns`; nginx's `request_time` is in seconds, Caddy's
//! `duration` too, Traefik's `Duration` and ECS's `event.duration` in nanoseconds. A `duration` or
//! `latency` of anybody else has no unit and is not taken.

use super::escape::{Scratch, Text};
use super::scan::{Value, walk};
use super::simple::local;
use super::time::{Clock, epoch, iso};
use super::{
    Entry, Event, Head, HeadKind, Parsed, Reason, fixed, number, present, request_line, status,
};

/// The values of a line that are of use, as they stand in it.
#[derive(Default)]
struct Found<'a> {
    time: Option<Value<'a>>,
    kind: &'a [u8],
    source_ip: &'a [u8],
    source_port: &'a [u8],
    destination_ip: &'a [u8],
    destination_port: &'a [u8],
    client: &'a [u8],
    method: &'a [u8],
    target: &'a [u8],
    path: &'a [u8],
    query: &'a [u8],
    request: &'a [u8],
    host: &'a [u8],
    referrer: &'a [u8],
    agent: &'a [u8],
    status: &'a [u8],
    bytes: &'a [u8],
    content_length: &'a [u8],
    first_byte_us: Option<u64>,
    latency_us: Option<u64>,
    /// Caddy's duration, if this is a line of Caddy.
    duration: &'a [u8],
    is_caddy: bool,
    outcome: &'a [u8],
    level: &'a [u8],
    source: &'a [u8],
    service: &'a [u8],
    message: &'a [u8],
    code: &'a [u8],
    mark_name: Option<&'static [u8]>,
    mark: &'a [u8],
}

/// Takes a line apart.
///
/// # Errors
/// It is no JSON object, or holds nothing that is known.
pub(super) fn parse<'a>(
    line: &'a [u8],
    clock: &mut Clock,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    let mut found = Found::default();
    walk(line, &mut |name, value| found.take(name, value))?;
    let time_us = match found.time {
        Some(time) => time_of(time, clock),
        None => None,
    };
    match HeadKind::of(found.kind) {
        Some(kind) => head(&found, kind, time_us.ok_or(Reason::Wrong("ts"))?, scratch),
        None => entry(&found, time_us, scratch),
    }
}

fn entry<'a>(
    found: &Found<'a>,
    time_us: Option<i64>,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    let is_request = !found.status.is_empty() || !found.method.is_empty();
    // Caddy gives the lines of its access log a level too.
    let is_event = !found.is_caddy
        && !found.level.is_empty()
        && (!found.service.is_empty() || !found.source.is_empty() || !is_request);
    let has_target =
        !found.target.is_empty() || !found.path.is_empty() || !found.request.is_empty();
    let is_known = has_target || is_request && found.time.is_some();
    if !is_event && !is_known {
        return Err(Reason::Wrong("names of fields"));
    }
    let code = match found.status {
        b"" => None,
        text => status(text)?,
    };
    scratch.clear();
    let client = match found.client {
        b"" => found.source_ip,
        client => client,
    };
    let target = match (found.target, found.query) {
        (b"", b"") => scratch.json(found.path),
        (b"", query) => scratch.joined(found.path, b"?", query),
        (target, _) => scratch.json(target),
    };
    let [client, method, request, host, referrer, agent] = [
        client,
        found.method,
        found.request,
        found.host,
        found.referrer,
        found.agent,
    ]
    .map(|text| scratch.json(text));
    let [level, source, service, message, error, mark] = [
        found.level,
        found.source,
        found.service,
        found.message,
        found.code,
        found.mark,
    ]
    .map(|text| match is_event {
        true => scratch.json(text),
        false => Text::default(),
    });
    let scratch: &'a Scratch = scratch;
    let (mut method, mut target) = (scratch.get(method), scratch.get(target));
    if method.is_empty() && target.is_empty() {
        (method, target) = request_line(scratch.get(request));
    }
    let latency_us = match found.is_caddy {
        true => fixed_seconds(found.duration),
        false => found.first_byte_us.or(found.latency_us),
    };
    let event = is_event.then(|| Event {
        level: scratch.get(level),
        source: scratch.get(source),
        service: scratch.get(service),
        message: scratch.get(message),
        code: scratch.get(error),
        mark: (found.mark_name.unwrap_or_default(), scratch.get(mark)),
    });
    Ok(Parsed::Entry(Entry {
        time_us,
        client: present(scratch.get(client)),
        method,
        target,
        host: present(scratch.get(host)),
        referrer: present(scratch.get(referrer)),
        user_agent: present(scratch.get(agent)),
        status: code,
        bytes: number(found.bytes),
        latency_us,
        unanswered: found.outcome == b"unanswered",
        event,
    }))
}

fn head<'a>(
    found: &Found<'a>,
    kind: HeadKind,
    time_us: i64,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    scratch.clear();
    let source = scratch.joined(found.source_ip, b"#", found.source_port);
    let destination = scratch.joined(found.destination_ip, b"#", found.destination_port);
    let [method, target, host, referrer, agent] = [
        found.method,
        found.target,
        found.host,
        found.referrer,
        found.agent,
    ]
    .map(|text| scratch.json(text));
    let scratch: &'a Scratch = scratch;
    let (client, server) = match kind.is_request() {
        true => (source, destination),
        false => (destination, source),
    };
    let code = match found.status {
        b"" if !kind.is_request() => return Err(Reason::Missing("status")),
        b"" => None,
        text => status(text)?,
    };
    Ok(Parsed::Head(Head {
        time_us,
        kind,
        client: scratch.get(client),
        server: scratch.get(server),
        method: scratch.get(method),
        target: scratch.get(target),
        host: scratch.get(host),
        referrer: scratch.get(referrer),
        user_agent: scratch.get(agent),
        status: code,
        bytes: number(found.content_length),
        latency_us: found.latency_us,
    }))
}

impl<'a> Found<'a> {
    fn take(&mut self, name: &[u8], value: Value<'a>) {
        let text = value.bytes();
        match name {
            b"ts" | b"timestamp" | b"@timestamp" | b"time" | b"time_iso8601" | b"StartUTC"
            | b"time_local" | b"datetime" | b"msec"
                if self.time.is_none() && value != Value::Word =>
            {
                self.time = Some(value);
            }
            b"kind" => self.kind = text,
            b"src_ip" | b"source.ip" => self.source_ip = text,
            b"src_port" => self.source_port = text,
            b"dst_ip" => self.destination_ip = text,
            b"dst_port" => self.destination_port = text,
            b"remote_addr" | b"client_ip" | b"client" | b"ip" | b"ip_address" | b"client.ip"
            | b"request.client_ip" | b"ClientHost" | b"remote_ip" => self.client = text,
            b"request.remote_ip" => {
                self.is_caddy = true;
                set(&mut self.client, text);
            }
            b"method"
            | b"request_method"
            | b"request.method"
            | b"http.request.method"
            | b"RequestMethod"
            | b"verb" => set(&mut self.method, text),
            b"target" | b"uri" | b"request_uri" | b"request.uri" | b"url.original"
            | b"RequestPath" | b"endpoint" => set(&mut self.target, text),
            b"path" | b"url.path" => set(&mut self.path, text),
            b"url.query" | b"query_string" => set(&mut self.query, text),
            b"request" => self.request = text,
            b"host" | b"http_host" | b"request.host" | b"url.domain" | b"RequestHost"
            | b"server_name" => set(&mut self.host, text),
            b"referer"
            | b"referrer"
            | b"http_referer"
            | b"http_referrer"
            | b"http.request.referrer"
            | b"request.headers.Referer"
            | b"request_Referer" => {
                set(&mut self.referrer, text);
            }
            b"user_agent"
            | b"http_user_agent"
            | b"user_agent.original"
            | b"request.headers.User-Agent"
            | b"request_User-Agent" => set(&mut self.agent, text),
            b"status" | b"status_code" | b"http.response.status_code" | b"DownstreamStatus" => {
                set(&mut self.status, text);
            }
            b"response_bytes"
            | b"body_bytes_sent"
            | b"bytes_sent"
            | b"size"
            | b"bytes"
            | b"http.response.body.bytes"
            | b"http.response.bytes"
            | b"DownstreamContentSize" => {
                set(&mut self.bytes, text);
            }
            b"content_length" => self.content_length = text,
            b"ttfb_us" => self.first_byte_us = number(text),
            b"latency_us" | b"total_us" | b"duration_us" => self.latency(text, 0, 1),
            b"response_time_ms" | b"duration_ms" | b"latency_ms" | b"time_taken_ms"
            | b"elapsed_ms" => self.latency(text, 3, 1),
            b"request_time" => self.latency(text, 6, 1),
            b"Duration" | b"event.duration" | b"duration_ns" => self.latency(text, 0, 1000),
            b"duration" => self.duration = text,
            b"outcome" => self.outcome = text,
            b"level" | b"severity" | b"log.level" => set(&mut self.level, text),
            b"source" => self.source = text,
            b"service" | b"service.name" | b"logger" => set(&mut self.service, text),
            b"message" | b"msg" => set(&mut self.message, text),
            b"error_code" | b"error.code" => set(&mut self.code, text),
            b"metadata.threat_type" => self.mark(b"threat_type", text),
            b"metadata.resource_type" => self.mark(b"resource_type", text),
            b"metadata.outage_type" => self.mark(b"outage_type", text),
            b"metadata.data_issue" => self.mark(b"data_issue", text),
            _ => {}
        }
    }

    /// A number of units of 10^-`scale` microseconds, or `parts` of them a microsecond.
    fn latency(&mut self, text: &[u8], scale: u32, parts: u64) {
        if self.latency_us.is_none() {
            self.latency_us = fixed(text, scale).map(|value| value / parts);
        }
    }

    fn mark(&mut self, name: &'static [u8], text: &'a [u8]) {
        (self.mark_name, self.mark) = (Some(name), text);
    }
}

fn set<'a>(place: &mut &'a [u8], text: &'a [u8]) {
    if place.is_empty() {
        *place = text;
    }
}

/// Microseconds of a number of seconds, also one like `1.5e-5`.
fn fixed_seconds(text: &[u8]) -> Option<u64> {
    fixed(text, 6).or_else(|| {
        let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        (seconds >= 0.0).then_some((seconds * 1e6) as u64)
    })
}

fn time_of(value: Value<'_>, clock: &mut Clock) -> Option<i64> {
    match value {
        Value::Text(text) => match iso(text) {
            Some((time, true)) => Some(time),
            Some((time, false)) => local(time, clock),
            None => clock
                .clf(text)
                .map(|second| second * 1_000_000)
                .or_else(|| in_this_age(epoch(text)?)),
        },
        // Numbers are seconds: what would then be beyond the year 5138 is something else.
        Value::Number(text) => in_this_age(epoch(text)?),
        Value::Word => None,
    }
}

fn in_this_age(time_us: i64) -> Option<i64> {
    (time_us < 100_000_000_000_000_000).then_some(time_us)
}
