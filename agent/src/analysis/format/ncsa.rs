//! NCSA common and combined lines and what is made of them: with a virtual host in front, with a
//! duration or more behind.
//!
//! ```text
//! 192.0.2.7 - alice [01/Nov/2026:00:01:15 +0000] "GET / HTTP/1.1" 200 4256 "-" "Mozilla/5.0 …" 72882
//! ```

use super::escape::{Scratch, Text};
use super::time::Clock;
use super::{Entry, Format, Parsed, Reason, fixed, number, present, request_line, status};

/// Takes a line apart.
///
/// # Errors
/// It is not one of these.
#[inline]
pub(super) fn parse<'a>(
    line: &'a [u8],
    has_host: bool,
    format: Format,
    clock: &mut Clock,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    let (host, line) = match has_host {
        true => {
            let end = memchr::memchr(b' ', line).ok_or(Reason::Missing("client"))?;
            (&line[..end], &line[end + 1..])
        }
        false => (&line[..0], line),
    };
    let client_end = memchr::memchr(b' ', line).ok_or(Reason::Missing("time"))?;
    let client = &line[..client_end];
    let open = match &line[client_end..] {
        [b' ', b'-', b' ', b'-', b' ', b'[', ..] => client_end + 5,
        // A user may call himself anything: the time is what looks like one.
        rest => client_end + find_time(rest).ok_or(Reason::Missing("time"))?,
    };
    if !(b'!'..=b'~').contains(&line[0]) || client_end == 0 || client_end > 255 {
        return Err(Reason::Wrong("client"));
    }
    let time = line
        .get(open + 1..open + 27)
        .ok_or(Reason::Missing("request"))?;
    let second = clock.clf(time).ok_or(Reason::Wrong("time"))?;
    let rest = line
        .get(open + 27..)
        .and_then(|rest| rest.strip_prefix(b"] \""))
        .ok_or(Reason::Missing("request"))?;
    scratch.clear();
    let (request, rest) = quoted(rest, "request", scratch)?;
    let rest = rest.strip_prefix(b" ").ok_or(Reason::Missing("status"))?;
    let (code, rest) = word(rest);
    let code = status(code)?;
    let (bytes, rest) = word(rest);
    let bytes = match bytes {
        b"-" => Some(0),
        _ => Some(number(bytes).ok_or(Reason::Wrong("size"))?),
    };
    let (mut referrer, mut agent) = (Text::default(), Text::default());
    let mut rest = rest;
    if format != Format::Common && format != Format::Vcommon {
        let opened = rest
            .strip_prefix(b"\"")
            .ok_or(Reason::Missing("referrer"))?;
        let behind;
        (referrer, behind) = quoted(opened, "referrer", scratch)?;
        let opened = behind
            .strip_prefix(b" \"")
            .ok_or(Reason::Missing("user agent"))?;
        (agent, rest) = quoted(opened, "user agent", scratch)?;
    }
    let latency_us = match format {
        Format::CombinedTime => {
            Some(number(first_word(rest)).ok_or(Reason::Wrong("duration in microseconds"))?)
        }
        Format::CombinedSeconds => match first_word(rest) {
            b"-" => None,
            text => Some(fixed(text, 6).ok_or(Reason::Wrong("duration in seconds"))?),
        },
        Format::Traefik => Some(traefik_duration(rest).ok_or(Reason::Wrong("duration"))?),
        _ => None,
    };
    let scratch: &'a Scratch = scratch;
    let (method, target) = request_line(scratch.get(request));
    Ok(Parsed::Entry(Entry {
        time_us: Some(second * 1_000_000),
        client,
        method,
        target,
        host: host_of(host),
        referrer: present(scratch.get(referrer)),
        user_agent: present(scratch.get(agent)),
        status: code,
        bytes,
        latency_us,
        unanswered: code.is_none() && !target.is_empty(),
        event: None,
    }))
}

/// How many words stand before the time; `None`: there is no time.
pub(super) fn words_before_time(line: &[u8]) -> Option<usize> {
    let open = find_time(line)?;
    Some(memchr::memchr_iter(b' ', &line[..open]).count())
}

/// Whether something that may be a duration stands behind a combined line, which its format does not
/// declare.
pub(super) fn has_number_behind(line: &[u8]) -> bool {
    let Some(quote) = memchr::memrchr(b'"', line) else {
        return false;
    };
    let rest = line[quote + 1..].trim_ascii();
    !rest.is_empty()
        && rest
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Where the bracket of the time opens, with a space before it.
fn find_time(text: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        let open = start + memchr::memchr(b'[', &text[start..])?;
        let looks = matches!(text.get(open + 1..open + 5), Some([a, b, b'/', _])
            if a.is_ascii_digit() && b.is_ascii_digit());
        if looks && open > 0 && text[open - 1] == b' ' {
            return Some(open);
        }
        start = open + 1;
    }
}

/// The text to the quote that ends it, and what stands behind that.
#[inline]
fn quoted<'a>(
    text: &'a [u8],
    name: &'static str,
    scratch: &mut Scratch,
) -> Result<(Text<'a>, &'a [u8]), Reason> {
    let mut at = 0;
    let mut has_escapes = false;
    loop {
        let found = memchr::memchr2(b'"', b'\\', &text[at..]).ok_or(Reason::Missing(name))?;
        at += found;
        if text[at] == b'"' {
            break;
        }
        has_escapes = true;
        at = (at + 2).min(text.len());
    }
    let (inner, rest) = (&text[..at], &text[at + 1..]);
    match has_escapes {
        true => Ok((scratch.quoted(inner), rest)),
        false => Ok((Text::Line(inner), rest)),
    }
}

/// The text to the next space, and what stands behind that.
#[inline]
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &text[text.len()..]),
    }
}

fn first_word(text: &[u8]) -> &[u8] {
    word(text.trim_ascii_start()).0
}

/// ` 42 "router" "http://10.0.0.1:80" 12ms`.
pub(super) fn traefik_duration(rest: &[u8]) -> Option<u64> {
    let last = rest.trim_ascii_end().strip_suffix(b"ms")?;
    let space = memchr::memrchr(b' ', last)?;
    number(&last[space + 1..])?.checked_mul(1000)
}

/// A virtual host without its port.
fn host_of(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host) {
        Some(colon) if number(&host[colon + 1..]).is_some() => &host[..colon],
        _ => present(host),
    }
}
