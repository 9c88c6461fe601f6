//! Escapes undone: those of Apache and nginx, of JSON, and the plus signs of W3C.

/// Texts of a line that are not as they stand in it. Its memory is used again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
}

/// A text: as it stands in the line, or in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    Line(&'a [u8]),
    Scratch(usize, usize),
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Line(b"")
    }
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// A text with the escapes of Apache and nginx (`\"`, `\\`, `\n`, `\x22` …).
    pub(super) fn quoted<'a>(&mut self, text: &'a [u8]) -> Text<'a> {
        if memchr::memchr(b'\\', text).is_none() {
            return Text::Line(text);
        }
        let start = self.bytes.len();
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            self.bytes.extend_from_slice(&rest[..at]);
            let (byte, used) = match rest[at + 1..] {
                [b'x' | b'X', high, low, ..] => match (hex(high), hex(low)) {
                    (Some(high), Some(low)) => (high << 4 | low, 4),
                    _ => (b'\\', 1),
                },
                [letter @ (b'"' | b'\\' | b'\''), ..] => (letter, 2),
                [b'n', ..] => (b'\n', 2),
                [b'r', ..] => (b'\r', 2),
                [b't', ..] => (b'\t', 2),
                [b'b', ..] => (8, 2),
                [b'v', ..] => (11, 2),
                [b'f', ..] => (12, 2),
                _ => (b'\\', 1),
            };
            self.bytes.push(byte);
            rest = &rest[at + used..];
        }
        self.bytes.extend_from_slice(rest);
        Text::Scratch(start, self.bytes.len())
    }

    /// A text of Tapline's own lines and records, in which `\xNN` stands for a byte, and nothing else
    /// for another.
    pub(super) fn plain<'a>(&mut self, text: &'a [u8]) -> Text<'a> {
        if memchr::memmem::find(text, b"\\x").is_none() {
            return Text::Line(text);
        }
        let start = self.bytes.len();
        undo(text, &mut self.bytes);
        Text::Scratch(start, self.bytes.len())
    }

    /// A text in which `+` stands for a space.
    pub(super) fn plus<'a>(&mut self, text: &'a [u8]) -> Text<'a> {
        if memchr::memchr(b'+', text).is_none() {
            return Text::Line(text);
        }
        self.joined(text, b"", b"")
            .mapped(self, |byte| if byte == b'+' { b' ' } else { byte })
    }

    /// A text behind another, with something between.
    pub(super) fn joined(&mut self, first: &[u8], between: &[u8], last: &[u8]) -> Text<'static> {
        let start = self.bytes.len();
        for part in [first, between, last] {
            self.bytes.extend_from_slice(part);
        }
        Text::Scratch(start, self.bytes.len())
    }

    /// What stands between the quotes of a JSON string (RFC 8259, section 7); the `\xNN` of Tapline's
    /// own records in it are undone too.
    pub(super) fn json<'a>(&mut self, text: &'a [u8]) -> Text<'a> {
        if memchr::memchr(b'\\', text).is_none() {
            return Text::Line(text);
        }
        let start = self.bytes.len();
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            self.bytes.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            let Some((letter, behind)) = rest.split_first() else {
                self.bytes.push(b'\\');
                break;
            };
            rest = behind;
            let byte = match letter {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                b'u' => {
                    rest = self.code_unit(rest);
                    continue;
                }
                b'\\' => match rest {
                    [b'x', high, low, behind @ ..] => match (hex(*high), hex(*low)) {
                        (Some(high), Some(low)) => {
                            rest = behind;
                            high << 4 | low
                        }
                        _ => b'\\',
                    },
                    _ => b'\\',
                },
                other => *other,
            };
            self.bytes.push(byte);
        }
        self.bytes.extend_from_slice(rest);
        Text::Scratch(start, self.bytes.len())
    }

    /// What stands behind a `\u`: four digits, and the second half of a pair. Half a pair alone, and
    /// what is no such escape, becomes a replacement character.
    fn code_unit<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let unit = |text: &[u8]| -> Option<u32> {
            let digits = text.get(..4)?;
            digits
                .iter()
                .try_fold(0, |value, byte| Some(value << 4 | u32::from(hex(*byte)?)))
        };
        let Some(first) = unit(rest) else {
            self.push(char::REPLACEMENT_CHARACTER);
            return rest;
        };
        let behind = &rest[4..];
        if let (0xd800..=0xdbff, [b'\\', b'u', second @ ..]) = (first, behind)
            && let Some(low @ 0xdc00..=0xdfff) = unit(second)
        {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            self.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            return &second[4..];
        }
        self.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        behind
    }

    fn push(&mut self, letter: char) {
        let mut buffer = [0; 4];
        self.bytes
            .extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
    }

    /// The bytes of a text.
    #[inline]
    pub(super) fn get<'a>(&'a self, text: Text<'a>) -> &'a [u8] {
        match text {
            Text::Line(text) => text,
            Text::Scratch(start, end) => &self.bytes[start..end],
        }
    }
}

impl Text<'static> {
    fn mapped(self, scratch: &mut Scratch, map: impl Fn(u8) -> u8) -> Self {
        if let Self::Scratch(start, end) = self {
            for byte in &mut scratch.bytes[start..end] {
                *byte = map(*byte);
            }
        }
        self
    }
}

/// Appends the bytes that a text of Tapline's own records stands for: `\xNN` is one.
pub(crate) fn undo(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = match rest[at..] {
            [b'\\', b'x', high, low, ref behind @ ..]
                if hex(high).is_some() && hex(low).is_some() =>
            {
                out.push(hex(high).unwrap_or_default() << 4 | hex(low).unwrap_or_default());
                behind
            }
            _ => {
                out.push(b'\\');
                &rest[at + 1..]
            }
        };
    }
    out.extend_from_slice(rest);
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_of_servers() {
        let check = |text: &[u8], expected: &[u8]| {
            let mut scratch = Scratch::default();
            let found = scratch.quoted(text);
            assert_eq!(scratch.get(found), expected, "{text:?}");
        };
        check(b"plain", b"plain");
        check(br#"a\"b\\c"#, br#"a"b\c"#);
        check(br"\x22\x5C\xe4\n\t\r\b\v", b"\"\\\xe4\n\t\r\x08\x0b");
        check(br"\xg0\x1", br"\xg0\x1");
        check(br"end\", br"end\");
        check(br"\q", br"\q");
    }

    #[test]
    fn escapes_of_json() {
        let check = |text: &str, expected: &[u8]| {
            let mut scratch = Scratch::default();
            let found = scratch.json(text.as_bytes());
            assert_eq!(scratch.get(found), expected, "{text:?}");
        };
        check("plain", b"plain");
        check(r#"a\"b\\c\/"#, br#"a"b\c/"#);
        check(r"\u00e4\ud83d\ude00", "ä😀".as_bytes());
        check(r"\ud83d!", "\u{fffd}!".as_bytes());
        check(r"\ude00\u12", "\u{fffd}\u{fffd}12".as_bytes());
        check(r"\\xff\\x5cx41", b"\xff\\x41");
        check(r"\u001b\n", b"\x1b\n");
        check("\\", b"\\");
    }

    #[test]
    fn plus_signs() {
        let mut scratch = Scratch::default();
        let text = scratch.plus(b"Mozilla/5.0+(X11)");
        assert_eq!(scratch.get(text), b"Mozilla/5.0 (X11)");
    }

    proptest! {
        /// What Apache would write comes back.
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut written = Vec::new();
            for byte in &bytes {
                match byte {
                    b'"' | b'\\' => written.extend([b'\\', *byte]),
                    b' '..=b'~' => written.push(*byte),
                    _ => written.extend(format!("\\x{byte:02x}").into_bytes()),
                }
            }
            let mut scratch = Scratch::default();
            let found = scratch.quoted(&written);
            prop_assert_eq!(scratch.get(found), &bytes[..]);
        }

        #[test]
        fn a_string_of_json_comes_back(text in ".{0,40}") {
            prop_assume!(!text.contains("\\x"));
            let written = serde_json::to_string(&text).unwrap();
            let inner = &written[1..written.len() - 1];
            let mut scratch = Scratch::default();
            let found = scratch.json(inner.as_bytes());
            prop_assert_eq!(scratch.get(found), text.as_bytes());
        }

        #[test]
        fn any_text_is_taken(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut scratch = Scratch::default();
            let _ = (scratch.json(&text), scratch.quoted(&text), scratch.plus(&text));
        }
    }
}
