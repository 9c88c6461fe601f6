//! Values as Zeek writes them.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::session::identifier::Identifier;
use crate::sink::log::{
    escaped::{append_escape, is_escape},
    text::{append_address, append_number, fixed_digits},
};

pub(super) const UNSET: &[u8] = b"-";
pub(super) const EMPTY: &[u8] = b"(empty)";

/// Begins a field behind another.
pub(super) fn next(out: &mut Vec<u8>) {
    out.push(b'\t');
}

pub(super) fn append_unset(count: usize, out: &mut Vec<u8>) {
    for _ in 0..count {
        next(out);
        out.extend_from_slice(UNSET);
    }
}

/// A text of a record, where it is known.
pub(super) fn append_text(text: Option<&str>, out: &mut Vec<u8>) {
    next(out);
    let Some(text) = text else {
        out.extend_from_slice(UNSET);
        return;
    };
    match text.as_bytes() {
        [] => out.extend_from_slice(EMPTY),
        bytes @ (UNSET | EMPTY) => {
            append_escape(bytes[0], out);
            out.extend_from_slice(&bytes[1..]);
        }
        _ => append_escaped(text, b"", out),
    }
}

/// Escapes what Zeek would: backslashes, unless they are escapes already, control characters, and
/// `also`.
pub(super) fn append_escaped(text: &str, also: &[u8], out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        let is_plain = match byte {
            b'\\' => is_escape(&bytes[index..]),
            _ => byte >= b' ' && byte != 0x7f && !also.contains(&byte),
        };
        if is_plain {
            out.push(byte);
        } else {
            append_escape(byte, out);
        }
    }
}

pub(super) fn append_count(count: Option<u64>, out: &mut Vec<u8>) {
    next(out);
    match count {
        Some(count) => append_number(count, out),
        None => out.extend_from_slice(UNSET),
    }
}

/// The two ends, client first.
pub(super) fn append_ends(ends: [(IpAddr, u16); 2], out: &mut Vec<u8>) {
    for (address, port) in ends {
        next(out);
        append_address(address, out);
        append_count(Some(port.into()), out);
    }
}

/// Seconds since the epoch with six digits behind the point; the first field of a line.
pub(super) fn append_time(time: Timestamp, out: &mut Vec<u8>) {
    let microseconds = time.as_microsecond();
    if microseconds < 0 {
        out.push(b'-');
    }
    append_seconds(microseconds.unsigned_abs(), out);
}

/// Microseconds as seconds.
pub(super) fn append_seconds(microseconds: u64, out: &mut Vec<u8>) {
    append_number(microseconds / 1_000_000, out);
    out.push(b'.');
    // Less than a million.
    let rest = u32::try_from(microseconds % 1_000_000).unwrap_or_default();
    out.extend_from_slice(&fixed_digits::<6>(rest));
}

/// `C` and the identifier in base 62.
pub(super) fn append_uid(identifier: Option<Identifier>, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    next(out);
    let Some(identifier) = identifier else {
        out.extend_from_slice(UNSET);
        return;
    };
    let mut number = u128::from_be_bytes(identifier.to_bytes());
    // 62^22 is above 2^128.
    let mut digits = [b'0'; 22];
    let mut begin = digits.len();
    while number > 0 && begin > 0 {
        begin -= 1;
        digits[begin] = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    out.push(b'C');
    out.extend_from_slice(&digits[begin.min(digits.len() - 1)..]);
}
