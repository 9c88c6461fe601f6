//! Squid's native log: `time elapsed client code/status bytes method URL user hierarchy type`, time in
//! seconds since 1970, elapsed in milliseconds.

use super::elb::split_url;
use super::fields::Fields;
use super::time::epoch;
use super::{Entry, Parsed, Reason, number, present, status};

/// Takes a line apart.
///
/// # Errors
/// It is not one of these.
pub(super) fn parse(line: &[u8]) -> Result<Parsed<'_>, Reason> {
    let fields = Fields::of(line);
    let time = epoch(fields.get(0, "time")?).ok_or(Reason::Wrong("time"))?;
    let elapsed = fields.get(1, "elapsed time")?;
    let elapsed = match elapsed {
        [b'-', ..] => None,
        _ => Some(number(elapsed).ok_or(Reason::Wrong("elapsed time"))?),
    };
    let client = fields.get(2, "client")?;
    let code = fields.get(3, "status")?;
    let slash = memchr::memchr(b'/', code).ok_or(Reason::Wrong("status"))?;
    let code = status(&code[slash + 1..])?;
    let bytes = number(fields.get(4, "size")?).ok_or(Reason::Wrong("size"))?;
    let method = fields.get(5, "method")?;
    let (host, target) = split_url(fields.get(6, "URL")?);
    fields.get(8, "hierarchy")?;
    Ok(Parsed::Entry(Entry {
        time_us: Some(time),
        client,
        method: present(method),
        target: present(target),
        host,
        status: code,
        bytes: Some(bytes),
        latency_us: elapsed.and_then(|elapsed| elapsed.checked_mul(1000)),
        ..Entry::default()
    }))
}
