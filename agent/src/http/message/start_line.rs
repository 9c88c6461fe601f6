//! The start line of a head, read leniently (RFC 9112, sections 3 and 4).
//!
//! Refused: any other protocol or version (`RTSP/1.0`, `SIP/2.0`, `HTTP/2.0`, a request without a
//! version), names in another case (`http/1.1`), a bare CR inside the line, and methods of more than
//! 256 bytes.

use memchr::{memchr, memchr3};

use super::super::head::StartLine;
use super::text::{is_space, trim, trim_end};

/// The longest method that is taken for one; the longest registered has 17 bytes.
pub(super) const METHOD_MAX: usize = 256;

/// The methods that are registered or in wide use, as the classifier knows them (RFC 9110, RFC 5789,
/// WebDAV and its kin).
const METHODS: [&[u8]; 45] = [
    b"ACL",
    b"BASELINE-CONTROL",
    b"BIND",
    b"CHECKIN",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LABEL",
    b"LINK",
    b"LOCK",
    b"M-SEARCH",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MKREDIRECTREF",
    b"MKWORKSPACE",
    b"MOVE",
    b"MSEARCH",
    b"NOTIFY",
    b"OPTIONS",
    b"ORDERPATCH",
    b"PATCH",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PURGE",
    b"PUT",
    b"QUERY",
    b"REBIND",
    b"REPORT",
    b"SEARCH",
    b"SUBSCRIBE",
    b"TRACE",
    b"UNBIND",
    b"UNCHECKOUT",
    b"UNLINK",
    b"UNLOCK",
    b"UNSUBSCRIBE",
    b"UPDATE",
    b"UPDATEREDIRECTREF",
    b"VERSION-CONTROL",
];

/// A start line without its line end, and its minor version.
pub(super) fn start_line(line: &[u8]) -> Option<(StartLine<'_>, u8)> {
    if line.starts_with(b"HTTP/") {
        status_line(line)
    } else {
        request_line(line)
    }
}

/// A request line that ends before its version does. Without a version in sight it must be what no other protocol
/// begins with: a method that is in use, and a target in one of its forms (RFC 9112, section 3.2), or its beginning.
pub(super) fn cut_request_line(line: &[u8]) -> Option<StartLine<'_>> {
    let (method, rest) = method(line)?;
    let rest = trim(rest);
    let end = rest
        .iter()
        .position(|&byte| is_space(byte))
        .unwrap_or(rest.len());
    let (target, version) = (&rest[..end], trim(&rest[end..]));
    let whole = !target.is_empty() && memchr(b'\r', target).is_none();
    let is_request = match version.len() {
        0..PROTOCOL => is_known_method(method) && is_target(method, target),
        // Else it may as well be the preface of HTTP/2.
        PROTOCOL => (method, target) != (b"PRI", b"*"),
        _ => true,
    };
    (whole && is_request && b"HTTP/1.".starts_with(version))
        .then_some(StartLine::Request { method, target })
}

/// Bytes of `HTTP/`.
const PROTOCOL: usize = 5;

/// Whether a target of this method can begin so.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    let is_absolute = [&b"http://"[..], b"https://"].iter().any(|scheme| {
        let both = scheme.len().min(target.len());
        scheme[..both].eq_ignore_ascii_case(&target[..both])
    });
    match method {
        b"CONNECT" => !target.contains(&b'/'),
        b"OPTIONS" if target == b"*" => true,
        _ => target.starts_with(b"/") || (is_absolute && !target.is_empty()),
    }
}

/// Whether a line whose end is still to come can be a start line.
pub(in crate::http) fn may_become_start_line(bytes: &[u8]) -> bool {
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

/// Whether `method` is a registered one that is in use.
pub(in crate::http) fn is_known_method(method: &[u8]) -> bool {
    METHODS.contains(&method)
}

/// Whether `bytes` begin with a registered method that is in use and a space, as far as they go.
pub(in crate::http) fn begins_with_known_method(bytes: &[u8]) -> bool {
    match memchr(b' ', bytes) {
        Some(space) => is_known_method(&bytes[..space]),
        None => METHODS.iter().any(|method| method.starts_with(bytes)),
    }
}

/// Whether `method` is the end of a known method and none itself (`ET`): where the bytes before it
/// are missing, it is a method cut in two.
pub(in crate::http) fn is_end_of_method(method: &[u8]) -> bool {
    !METHODS.contains(&method) && METHODS.iter().any(|known| known.ends_with(method))
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

/// Whether `rest` rather goes on with the method of which `begin` is the beginning than begins a start
/// line of its own: a method may be cut anywhere, and `OST` is a method too. `begin` may be empty.
pub(in crate::http) fn continues_method(begin: &[u8], rest: &[u8]) -> bool {
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
