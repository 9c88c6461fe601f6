//! Bytes of the wire as text that cannot break out of its place: in a classic line, or between the
//! quotes of a JSON string.
//!
//! Hidden characters are the control characters (U+0000 to U+001F, DEL, U+0080 to U+009F), the line
//! and paragraph separators (U+2028, U+2029) and the bidirectional embeddings, overrides and
//! isolates (U+202A to U+202E, U+2066 to U+2069), which would let one text look like another.
//!
//! | input | classic | JSON |
//! |---|---|---|
//! | byte that is not UTF-8 | `\xNN` | `\\xNN` |
//! | hidden character | each of its bytes as `\xNN` | `\uNNNN` |
//! | `\` before `x` and two hexadecimal digits | `\x5c` | `\\x5c` |
//! | any other `\` | as it is | `\\` |
//! | `"` | as it is | `\"` |
//!
//! `NN` is lower-case hexadecimal. So replacing every `\x` with two hexadecimal digits behind it by
//! that byte, from left to right, gives back the bytes of the wire: of a classic value as it
//! stands, of a JSON value after the JSON parser. Nothing is lost and nothing is ambiguous.

use std::net::IpAddr;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes` as they may stand in a classic line.
#[inline]
pub(crate) fn append_plain(bytes: &[u8], out: &mut Vec<u8>) {
    append::<false>(bytes, out);
}

/// Appends `bytes` as they may stand between the quotes of a JSON string (RFC 8259, section 7).
#[inline]
pub(super) fn append_quoted(bytes: &[u8], out: &mut Vec<u8>) {
    append::<true>(bytes, out);
}

/// Appends a number in decimal.
#[inline]
pub(super) fn append_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// The last `N` decimal digits of a number.
#[inline]
pub(super) fn fixed_digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    digits
}

/// Appends an address: IPv4 dotted, IPv4-mapped IPv6 as IPv4, IPv6 as in RFC 5952, without brackets
/// and zone.
#[inline]
pub(super) fn append_address(address: IpAddr, out: &mut Vec<u8>) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let mut text = [0; 15];
            let mut length = 0;
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    text[length] = b'.';
                    length += 1;
                }
                if octet >= 100 {
                    text[length] = b'0' + octet / 100;
                    length += 1;
                }
                if octet >= 10 {
                    text[length] = b'0' + octet / 10 % 10;
                    length += 1;
                }
                text[length] = b'0' + octet % 10;
                length += 1;
            }
            out.extend_from_slice(&text[..length]);
        }
        IpAddr::V6(address) => append_groups(&address.segments(), out),
    }
}

/// Eight groups with the longest run of two or more zero groups left out (the first of several).
fn append_groups(groups: &[u16; 8], out: &mut Vec<u8>) {
    let (mut gap_start, mut gap_end) = (8, 8);
    let mut start = 0;
    while start < 8 {
        let length = groups[start..]
            .iter()
            .take_while(|&&group| group == 0)
            .count();
        if length >= 2 && length > gap_end - gap_start {
            (gap_start, gap_end) = (start, start + length);
        }
        start += length + 1;
    }
    let mut index = 0;
    while index < 8 {
        if index == gap_start {
            out.extend_from_slice(b"::");
            index = gap_end;
            continue;
        }
        if index > 0 && index != gap_end {
            out.push(b':');
        }
        let group = groups[index];
        for shift in [12, 8, 4, 0] {
            if shift == 0 || group >> shift != 0 {
                out.push(DIGITS[usize::from(group >> shift & 0xf)]);
            }
        }
        index += 1;
    }
}

#[inline]
fn append<const QUOTED: bool>(bytes: &[u8], out: &mut Vec<u8>) {
    if is_clean::<QUOTED>(bytes) {
        out.extend_from_slice(bytes);
    } else {
        append_with_care::<QUOTED>(bytes, out);
    }
}

/// Whether the byte is one that may have to be written otherwise.
#[inline]
const fn needs_care<const QUOTED: bool>(byte: u8) -> bool {
    byte.wrapping_sub(0x20) >= 0x7f - 0x20 || byte == b'\\' || (QUOTED && byte == b'"')
}

/// Looks at 16 bytes at a time, which the compiler turns into a few vector instructions; the last
/// block of a longer text overlaps the one before.
#[inline]
fn is_clean<const QUOTED: bool>(bytes: &[u8]) -> bool {
    let block_is_clean = |block: &[u8; 16]| {
        !block
            .iter()
            .fold(false, |care, &byte| care | needs_care::<QUOTED>(byte))
    };
    match bytes.last_chunk::<16>() {
        Some(last) => bytes.as_chunks().0.iter().all(block_is_clean) && block_is_clean(last),
        None => !bytes.iter().any(|&byte| needs_care::<QUOTED>(byte)),
    }
}

#[cold]
fn append_with_care<const QUOTED: bool>(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        append_valid::<QUOTED>(chunk.valid().as_bytes(), out);
        for &byte in chunk.invalid() {
            append_byte::<QUOTED>(byte, out);
        }
    }
}

/// `text` is valid UTF-8.
fn append_valid<const QUOTED: bool>(text: &[u8], out: &mut Vec<u8>) {
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let byte = rest[0];
        if !needs_care::<QUOTED>(byte) {
            at += 1;
            continue;
        }
        let hidden = hidden_length(rest);
        let backslash = byte == b'\\' && (QUOTED || looks_like_escape(rest));
        let quote = QUOTED && byte == b'"';
        if hidden == 0 && !backslash && !quote {
            at += 1;
            continue;
        }
        out.extend_from_slice(&text[copied..at]);
        let length = hidden.max(1);
        if quote {
            out.extend_from_slice(b"\\\"");
        } else if backslash && looks_like_escape(rest) {
            append_byte::<QUOTED>(byte, out);
        } else if backslash {
            out.extend_from_slice(b"\\\\");
        } else if QUOTED {
            append_unit(code_point(&rest[..length]), out);
        } else {
            for &byte in &rest[..length] {
                append_byte::<QUOTED>(byte, out);
            }
        }
        at += length;
        copied = at;
    }
    out.extend_from_slice(&text[copied..]);
}

/// Length of the hidden character at the start of valid UTF-8; 0 when it is not a hidden one.
fn hidden_length(text: &[u8]) -> usize {
    match *text {
        [..0x20 | 0x7f, ..] => 1,
        [0xc2, 0x80..=0x9f, ..] => 2,
        [0xe2, 0x80, 0xa8..=0xae, ..] | [0xe2, 0x81, 0xa6..=0xa9, ..] => 3,
        _ => 0,
    }
}

/// The code point of a character of one to three bytes.
fn code_point(character: &[u8]) -> u16 {
    match *character {
        [a] => u16::from(a),
        [a, b] => u16::from(a & 0x1f) << 6 | u16::from(b & 0x3f),
        [a, b, c] => u16::from(a & 0x0f) << 12 | u16::from(b & 0x3f) << 6 | u16::from(c & 0x3f),
        _ => 0xfffd,
    }
}

fn looks_like_escape(text: &[u8]) -> bool {
    matches!(*text, [b'\\', b'x', high, low, ..]
        if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

fn append_byte<const QUOTED: bool>(byte: u8, out: &mut Vec<u8>) {
    let (high, low) = (
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    );
    if QUOTED {
        out.push(b'\\');
    }
    out.extend_from_slice(&[b'\\', b'x', high, low]);
}

fn append_unit(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from(unit >> shift & 0xf)]);
    }
}

/// Undoes the escaping of [`append_plain`], as the head of this file tells.
#[cfg(test)]
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if looks_like_escape(rest) {
            let digits = std::str::from_utf8(&rest[2..4]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &rest[4..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    bytes
}

/// Whether the text has no line end and nothing hidden.
#[cfg(test)]
pub(super) fn is_harmless(text: &str) -> bool {
    !text.contains(|c: char| {
        c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], plain: &str, quoted: &str) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        append_plain(bytes, &mut first);
        append_quoted(bytes, &mut second);
        assert_eq!(String::from_utf8(first).unwrap(), plain, "{bytes:?}");
        assert_eq!(String::from_utf8(second).unwrap(), quoted, "{bytes:?}");
    }

    #[test]
    fn text_is_escaped() {
        check(b"", "", "");
        check(b"curl/8.0 (x; y)", "curl/8.0 (x; y)", "curl/8.0 (x; y)");
        check("köln – 東京".as_bytes(), "köln – 東京", "köln – 東京");
        check(b"a\r\nb", r"a\x0d\x0ab", r"a\u000d\u000ab");
        check(
            b"\x1b[2J\t\x7f\0",
            r"\x1b[2J\x09\x7f\x00",
            r"\u001b[2J\u0009\u007f\u0000",
        );
        check("a\u{85}b".as_bytes(), r"a\xc2\x85b", r"a\u0085b");
        check(
            "\u{2028}\u{2029}".as_bytes(),
            r"\xe2\x80\xa8\xe2\x80\xa9",
            r"\u2028\u2029",
        );
        check(
            "\u{202e}\u{2066}".as_bytes(),
            r"\xe2\x80\xae\xe2\x81\xa6",
            r"\u202e\u2066",
        );
        check(b"\xffa\xc3", r"\xffa\xc3", r"\\xffa\\xc3");
        check(b"C:\\new \"x\"", "C:\\new \"x\"", "C:\\\\new \\\"x\\\"");
        check(br"\x0a", r"\x5cx0a", r"\\x5cx0a");
        check(br"\xZZ \x4", r"\xZZ \x4", r"\\xZZ \\x4");
        check(br"\\x41", r"\\x5cx41", r"\\\\x5cx41");
        check(b"\\x4\x01", r"\x4\x01", r"\\x4\u0001");
    }

    #[test]
    fn every_byte_at_every_place_is_seen() {
        for length in 0..50 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'a'; length];
                    text[place] = byte;
                    let mut line = Vec::new();
                    append_plain(&text, &mut line);
                    assert_eq!(line != text, !(0x20..0x7f).contains(&byte) && byte != b'\\');
                    line.clear();
                    append_quoted(&text, &mut line);
                    assert_eq!(line == text, !needs_care::<true>(byte));
                }
            }
        }
    }

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 99, 100, 65_535, u64::MAX] {
            let mut text = Vec::new();
            append_number(number, &mut text);
            assert_eq!(text, number.to_string().as_bytes());
        }
        assert_eq!(&fixed_digits::<3>(7), b"007");
        assert_eq!(&fixed_digits::<9>(123_456_789), b"123456789");
    }

    fn check_address(address: IpAddr) {
        let mut text = Vec::new();
        append_address(address, &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            address.to_canonical().to_string()
        );
    }

    #[test]
    fn addresses_as_the_standard_library_writes_them() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "10.140.0.2",
            "1.20.100.9",
            "::",
            "::1",
            "1::",
            "2001:db8::1:0:0:1",
            "2001:db8:0:1:1:1:1:1",
            "1:0:0:2:0:0:0:3",
            "::ffff:1.2.3.4",
            "fe80::1",
            "1:2:3:4:5:6:7:8",
            "0:0:1::",
            "1:0:0:2:3:0:0:4",
        ] {
            check_address(text.parse().unwrap());
        }
        // Every pattern of zero and other groups.
        for pattern in 0..=255_u32 {
            let groups = std::array::from_fn(|index| (pattern >> index & 1) as u16 * 0x1a0);
            check_address(Ipv6Addr::from(groups).into());
        }
    }

    /// Bytes with many of those that matter, so that their neighbourhoods are tried.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            prop::sample::select(vec![
                b'\\', b'x', b'0', b'f', b'"', b'\n', b' ', 0xc2, 0xe2, 0x80, 0xa8
            ])
            .prop_map(|byte| vec![byte]),
            any::<char>().prop_map(|character| character.to_string().into_bytes()),
            Just(br"\x0a".to_vec()),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in hostile()) {
            let mut line = Vec::new();
            append_plain(&bytes, &mut line);
            prop_assert_eq!(decode(&line), &bytes[..]);
            let text = String::from_utf8(line).unwrap();
            prop_assert!(is_harmless(&text));

            let mut quoted = b"\"".to_vec();
            append_quoted(&bytes, &mut quoted);
            quoted.push(b'"');
            let value: String = serde_json::from_slice(&quoted).unwrap();
            prop_assert_eq!(decode(value.as_bytes()), &bytes[..]);
            prop_assert!(!std::str::from_utf8(&quoted).unwrap().contains(char::is_control));
        }

        #[test]
        fn any_address(groups: [u16; 8]) {
            check_address(Ipv6Addr::from(groups).into());
        }
    }
}
