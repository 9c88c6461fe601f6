//! Texts of records on their way into a line. Records hold bytes of the wire as text: `\xNN` stands for
//! a byte that is no harmless text, `\x5c` for a backslash that would look so.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The bytes of the wire that a text of a record stands for.
pub(super) fn wire_bytes(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (byte, behind) = match *rest {
            [b'\\', b'x', high, low, ref behind @ ..] if is_pair(high, low) => {
                (digit(high) << 4 | digit(low), behind)
            }
            [byte, ref behind @ ..] => (byte, behind),
            [] => return None,
        };
        rest = behind;
        Some(byte)
    })
}

/// Whether the text goes on with a `\xNN`.
pub(super) fn is_escape(text: &[u8]) -> bool {
    matches!(*text, [b'\\', b'x', high, low, ..] if is_pair(high, low))
}

/// Appends `\xNN`.
pub(super) fn append_escape(byte: u8, out: &mut Vec<u8>) {
    let digits = [byte >> 4, byte & 15].map(|index| DIGITS[usize::from(index)]);
    out.extend_from_slice(b"\\x");
    out.extend_from_slice(&digits);
}

fn is_pair(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

/// The value of a hexadecimal digit.
fn digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::log::text::{append_plain, decode};

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain(*br"\x0a\\x5C\xzz\x1").collect();
        let mut text = Vec::new();
        append_plain(&all, &mut text);
        let text = String::from_utf8(text).unwrap();
        let found: Vec<u8> = wire_bytes(&text).collect();
        assert_eq!(found, all);
        assert_eq!(found, decode(text.as_bytes()));
        let mut escape = Vec::new();
        append_escape(0xa7, &mut escape);
        assert_eq!(escape, b"\\xa7");
        assert!(is_escape(&escape) && !is_escape(b"\\x") && !is_escape(b"\\x1g"));
    }
}
