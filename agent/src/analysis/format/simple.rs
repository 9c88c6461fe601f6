//! The short line: `2026-11-01T00:00:00Z GET /path 200 72ms`. It names no client.

use super::time::{Clock, iso};
use super::{Entry, Parsed, Reason, number, status};

/// Takes a line apart.
///
/// # Errors
/// It is not one of these.
pub(super) fn parse<'a>(line: &'a [u8], clock: &mut Clock) -> Result<Parsed<'a>, Reason> {
    let mut words = line
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let mut next = |name| words.next().ok_or(Reason::Missing(name));
    let (time, has_zone) = iso(next("time")?).ok_or(Reason::Wrong("time"))?;
    let time = match has_zone {
        true => time,
        false => local(time, clock).ok_or(Reason::Wrong("time"))?,
    };
    let method = next("method")?;
    if !method
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
    {
        return Err(Reason::Wrong("method"));
    }
    let target = next("path")?;
    let code = status(next("status")?)?;
    let taken = next("duration")?;
    let taken = taken
        .strip_suffix(b"ms")
        .and_then(|digits| super::fixed(digits, 3))
        .or_else(|| number(taken.strip_suffix(b"us")?))
        .ok_or(Reason::Wrong("duration"))?;
    Ok(Parsed::Entry(Entry {
        time_us: Some(time),
        method,
        target,
        status: code,
        latency_us: Some(taken),
        ..Entry::default()
    }))
}

/// A time of the local zone in microseconds, that was read as if it were UTC.
pub(super) fn local(time_us: i64, clock: &mut Clock) -> Option<i64> {
    let second = clock.local(time_us.div_euclid(1_000_000))?;
    Some(second * 1_000_000 + time_us.rem_euclid(1_000_000))
}
