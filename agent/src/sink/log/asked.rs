//! The header fields that a user asked for, found in the bytes of a head.

use std::ops::Range;

use super::text::append_quoted;

/// Looks for fields by name in the raw fields of a head.
#[derive(Debug)]
pub(crate) struct AskedFields {
    names: Vec<Asked>,
    /// A bit for each length of a name, modulo 64: most lines are passed over by it.
    lengths: u64,
    /// What was found in the head at hand: the index of the name, and where the value stands.
    /// Kept, so that its memory is used again.
    found: Vec<(usize, Range<usize>)>,
}

#[derive(Debug)]
struct Asked {
    name: Box<[u8]>,
    /// `"Name":"`.
    opening: Box<[u8]>,
}

impl AskedFields {
    /// Names that differ only in upper and lower case count once.
    pub(crate) fn new(names: &[String]) -> Self {
        let mut asked: Vec<Asked> = Vec::new();
        let mut lengths = 0;
        for name in names.iter().map(String::as_bytes) {
            if asked
                .iter()
                .any(|other| other.name.eq_ignore_ascii_case(name))
            {
                continue;
            }
            let mut opening = b"\"".to_vec();
            append_quoted(name, &mut opening);
            opening.extend_from_slice(b"\":\"");
            lengths |= 1 << (name.len() % 64);
            asked.push(Asked {
                name: name.into(),
                opening: opening.into(),
            });
        }
        Self {
            names: asked,
            lengths,
            found: Vec::new(),
        }
    }

    /// Appends `,"headers":{…}` with the fields that stand in `raw`; nothing when none does.
    pub(super) fn append(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        self.append_behind(b",\"headers\":", raw, out);
    }

    /// Appends `{…}`, an object with the fields that stand in `raw`. False: none does.
    pub(crate) fn append_object(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        self.append_behind(b"", raw, out)
    }

    fn append_behind(&mut self, name: &[u8], raw: &[u8], out: &mut Vec<u8>) -> bool {
        if self.names.is_empty() {
            return false;
        }
        self.find(raw);
        if self.found.is_empty() {
            return false;
        }
        out.extend_from_slice(name);
        let mut opening: &[u8] = b"{";
        for (index, asked) in self.names.iter().enumerate() {
            let mut values = self.found.iter().filter(|(name, _)| *name == index);
            let Some((_, first)) = values.next() else {
                continue;
            };
            out.extend_from_slice(opening);
            opening = b",";
            out.extend_from_slice(&asked.opening);
            append_value(&raw[first.clone()], out);
            for (_, value) in values {
                out.extend_from_slice(b", ");
                append_value(&raw[value.clone()], out);
            }
            out.push(b'"');
        }
        out.push(b'}');
        true
    }

    fn find(&mut self, raw: &[u8]) {
        self.found.clear();
        let mut start = 0;
        // Whether a line that goes on the one before (RFC 9112, section 5.2) belongs to a field
        // that was asked for.
        let mut goes_on = false;
        while start < raw.len() {
            let end = memchr::memchr(b'\n', &raw[start..]).map_or(raw.len(), |at| start + at + 1);
            let line = &raw[start..end];
            if matches!(line[0], b' ' | b'\t') {
                if let Some((_, value)) = self.found.last_mut().filter(|_| goes_on) {
                    value.end = end;
                }
            } else {
                let name = self.name_of(line);
                goes_on = name.is_some();
                if let Some(index) = name {
                    self.found
                        .push((index, start + self.names[index].name.len() + 1..end));
                }
            }
            start = end;
        }
    }

    #[inline]
    fn name_of(&self, line: &[u8]) -> Option<usize> {
        let length = memchr::memchr(b':', line)?;
        if self.lengths & (1 << (length % 64)) == 0 {
            return None;
        }
        self.names
            .iter()
            .position(|asked| asked.name.eq_ignore_ascii_case(&line[..length]))
    }
}

/// One value: its lines without the white space around them, with one space between them.
fn append_value(value: &[u8], out: &mut Vec<u8>) {
    let mut lines = value
        .split(|&byte| byte == b'\n')
        .map(trim)
        .filter(|line| !line.is_empty());
    if let Some(first) = lines.next() {
        append_quoted(first, out);
    }
    for line in lines {
        out.push(b' ');
        append_quoted(line, out);
    }
}

/// Without the optional white space of RFC 9110, section 5.6.3, and the CR of a line end.
fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().take_while(|byte| blank(byte)).count();
    let end = line.iter().rev().take_while(|byte| blank(byte)).count();
    line.get(start..line.len() - end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], raw: &str, expected: &str) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut fields = AskedFields::new(&names);
        // Twice: nothing of the first head may be left for the second.
        for _ in 0..2 {
            let mut out = Vec::new();
            fields.append(raw.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{raw:?}");
        }
    }

    #[test]
    fn fields_are_found() {
        let names = ["X-Request-Id", "Forwarded", "x-request-ID"];
        check(&[], "X-Request-Id: 1\r\n\r\n", "");
        check(&names, "", "");
        check(
            &names,
            "Host: a\r\nX-Request-Idx: 1\r\nX-Request-Id : 2\r\n\r\n",
            "",
        );
        check(&names, "X-Request-Id", "");
        check(
            &names,
            "x-request-id:1",
            r#","headers":{"X-Request-Id":"1"}"#,
        );
        check(
            &names,
            "X-REQUEST-ID:\t 1 \t\nHost: a\n\n",
            r#","headers":{"X-Request-Id":"1"}"#,
        );
        check(
            &names,
            "forwarded: for=a\r\nX-Request-Id: 1\r\nForwarded: for=b\r\n\r\n",
            r#","headers":{"X-Request-Id":"1","Forwarded":"for=a, for=b"}"#,
        );
        check(
            &names,
            "Forwarded:\r\n\r\n",
            r#","headers":{"Forwarded":""}"#,
        );
        check(
            &names,
            "Forwarded: a\r\n  b\r\n\tc\r\nHost: d\r\n  e\r\n\r\n",
            r#","headers":{"Forwarded":"a b c"}"#,
        );
        check(
            &names,
            " Forwarded: a\r\nForwarded: b\rc",
            r#","headers":{"Forwarded":"b\u000dc"}"#,
        );
        check(
            &names,
            "Forwarded: \"a\"\r\n",
            r#","headers":{"Forwarded":"\"a\""}"#,
        );
    }

    #[test]
    fn every_cut_of_a_head_is_taken() {
        let raw = "Host: a\r\nForwarded: one\r\n two\r\nX-Request-Id: 77\r\n\r\n";
        let mut fields = AskedFields::new(&["Forwarded".to_owned(), "X-Request-Id".to_owned()]);
        for end in 0..=raw.len() {
            let mut out = b"{\"a\":1".to_vec();
            fields.append(&raw.as_bytes()[..end], &mut out);
            out.push(b'}');
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let whole = value["headers"]["Forwarded"].as_str().unwrap_or_default();
            assert!("one two".starts_with(whole));
        }
    }
}
