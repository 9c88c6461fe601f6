//! Amazon's load balancers: the classic one, and the application one, whose lines begin with the
//! protocol.
//!
//! The duration is the sum of the three times, in seconds: what the balancer took to hand the request
//! on, the target to answer, the balancer to hand the response back. -1 in any of them: there was none.

use super::escape::Scratch;
use super::fields::Fields;
use super::time::{Clock, iso};
use super::{Entry, Parsed, Reason, fixed, number, present, request_line, status};

/// Takes a line apart.
///
/// # Errors
/// It is not one of these.
pub(super) fn parse<'a>(
    line: &'a [u8],
    _clock: &mut Clock,
    scratch: &'a mut Scratch,
) -> Result<Parsed<'a>, Reason> {
    let fields = Fields::of(line);
    // The application load balancer has the protocol in front.
    let is_new = iso(fields.get(0, "time")?).is_none();
    let at = usize::from(is_new);
    let (time, has_zone) = iso(fields.get(at, "time")?).ok_or(Reason::Wrong("time"))?;
    if !has_zone {
        return Err(Reason::Wrong("time"));
    }
    let client = fields.get(at + 2, "client")?;
    let client = memchr::memrchr(b':', client).map_or(client, |colon| &client[..colon]);
    let mut latency = Some(0_u64);
    for index in 4..7 {
        let part = fields.get(at + index, "times")?;
        latency = match part {
            b"-1" | b"-" => None,
            _ => {
                let part = fixed(part, 6).ok_or(Reason::Wrong("time taken"))?;
                latency.and_then(|sum| sum.checked_add(part))
            }
        };
    }
    let code = status(fields.get(at + 7, "status")?)?;
    let bytes = number(fields.get(at + 10, "size")?).ok_or(Reason::Wrong("size"))?;
    scratch.clear();
    let request = scratch.quoted(fields.get(at + 11, "request")?);
    let agent = scratch.quoted(fields.get(at + 12, "user agent").unwrap_or_default());
    let scratch: &'a Scratch = scratch;
    let (method, url) = request_line(scratch.get(request));
    let (host, target) = split_url(url);
    Ok(Parsed::Entry(Entry {
        time_us: Some(time),
        client,
        method: present(method),
        target: present(target),
        host,
        user_agent: present(scratch.get(agent)),
        status: code,
        bytes: Some(bytes),
        latency_us: latency,
        ..Entry::default()
    }))
}

/// Host without port, and target, of a URL; what is none is a target.
pub(super) fn split_url(url: &[u8]) -> (&[u8], &[u8]) {
    let Some(scheme) = memchr::memmem::find(url, b"://") else {
        return (b"", url);
    };
    let rest = &url[scheme + 3..];
    let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    let (host, target) = (&rest[..end], &rest[end..]);
    let host = match memchr::memrchr(b':', host) {
        Some(colon) if number(&host[colon + 1..]).is_some() => &host[..colon],
        _ => host,
    };
    (host, if target.is_empty() { b"/" } else { target })
}
