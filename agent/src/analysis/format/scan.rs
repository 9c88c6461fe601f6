//! Walks over a JSON object (RFC 8259) and tells its values with the names that lead to them, without
//! a tree and without copying. It is made for what programs write: what is no JSON at all is refused,
//! but not every fault is looked for.

use super::Reason;

/// Objects and arrays in one another.
const DEEP: usize = 32;
/// Bytes of names with dots between them; longer ones are not told.
const NAME: usize = 96;

/// A value that is no object and no array.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value<'a> {
    /// What stands between the quotes.
    Text(&'a [u8]),
    /// Its digits.
    Number(&'a [u8]),
    /// `true`, `false`, `null`.
    Word,
}

impl<'a> Value<'a> {
    /// What a text says, or a number.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Word => b"",
        }
    }
}

const BROKEN: Reason = Reason::Wrong("JSON");

/// Calls `take` with the dotted name and the value of every member. Those of arrays have the name of
/// the array.
///
/// # Errors
/// It is no JSON object, or too deep.
pub(super) fn walk<'a>(
    line: &'a [u8],
    take: &mut impl FnMut(&[u8], Value<'a>),
) -> Result<(), Reason> {
    let mut walker = Walker {
        text: line,
        at: 0,
        name: [0; NAME],
        length: 0,
    };
    walker.blank();
    if walker.peek() != Some(b'{') {
        return Err(BROKEN);
    }
    walker.value(DEEP, take)?;
    walker.blank();
    match walker.at == line.len() {
        true => Ok(()),
        false => Err(BROKEN),
    }
}

struct Walker<'a> {
    text: &'a [u8],
    at: usize,
    name: [u8; NAME],
    /// Of the name; beyond its room: the name is too long.
    length: usize,
}

impl<'a> Walker<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Reason> {
        self.blank();
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            _ => Err(BROKEN),
        }
    }

    fn value(
        &mut self,
        depth: usize,
        take: &mut impl FnMut(&[u8], Value<'a>),
    ) -> Result<(), Reason> {
        let depth = depth.checked_sub(1).ok_or(BROKEN)?;
        self.blank();
        let value = match self.peek().ok_or(BROKEN)? {
            b'{' => return self.members(depth, take),
            b'[' => return self.elements(depth, take),
            b'"' => Value::Text(self.text()?),
            b'-' | b'0'..=b'9' => Value::Number(self.run(|byte| {
                byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')
            })),
            _ => match self.run(|byte| byte.is_ascii_lowercase()) {
                b"true" | b"false" | b"null" => Value::Word,
                _ => return Err(BROKEN),
            },
        };
        if let Some(name) = self.name.get(..self.length) {
            take(name, value);
        }
        Ok(())
    }

    fn members(
        &mut self,
        depth: usize,
        take: &mut impl FnMut(&[u8], Value<'a>),
    ) -> Result<(), Reason> {
        self.at += 1;
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let outer = self.length;
        loop {
            self.blank();
            let name = self.text()?;
            self.push(name);
            self.expect(b':')?;
            self.value(depth, take)?;
            self.length = outer;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(BROKEN),
            }
        }
    }

    fn elements(
        &mut self,
        depth: usize,
        take: &mut impl FnMut(&[u8], Value<'a>),
    ) -> Result<(), Reason> {
        self.at += 1;
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth, take)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(BROKEN),
            }
        }
    }

    /// What stands between quotes.
    fn text(&mut self) -> Result<&'a [u8], Reason> {
        if self.peek() != Some(b'"') {
            return Err(BROKEN);
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            let rest = self.text.get(at..).ok_or(BROKEN)?;
            at += memchr::memchr2(b'"', b'\\', rest).ok_or(BROKEN)?;
            if self.text[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = at + 1;
        Ok(&self.text[start..at])
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Puts a name behind those that lead to it.
    fn push(&mut self, name: &[u8]) {
        let dot = usize::from(self.length > 0);
        let end = self.length.saturating_add(dot).saturating_add(name.len());
        if let Some(room) = self.name.get_mut(self.length..end) {
            if dot == 1 {
                room[0] = b'.';
            }
            room[dot..].copy_from_slice(name);
        }
        // Beyond the room: the values below are not told.
        self.length = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members(text: &str) -> Result<Vec<(String, String)>, Reason> {
        let mut found = Vec::new();
        walk(text.as_bytes(), &mut |name, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push((text(name), text(value.bytes())));
        })?;
        Ok(found)
    }

    #[test]
    fn members_with_their_names() {
        let found = members(
            r#" {"a":1,"b":{"c":"x\"y","d":[1,{"e":-2.5e3},[]]},"f":null,"g":{},"h.i":true} "#,
        );
        let expected = [
            ("a", "1"),
            ("b.c", r#"x\"y"#),
            ("b.d", "1"),
            ("b.d.e", "-2.5e3"),
            ("f", ""),
            ("h.i", ""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, Ok(expected.to_vec()));
    }

    #[test]
    fn what_is_no_object() {
        for text in [
            "",
            "1",
            "[]",
            "{",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1}}"#,
            r#"{"a":1,}"#,
            r#"{"a":"\"}"#,
            r#"{a:1}"#,
            r#"{"a":nul}"#,
            r#"{"a":[1}"#,
        ] {
            assert_eq!(members(text), Err(BROKEN), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep), Err(BROKEN));
        let long = format!("{{\"{}\":{{\"b\":1}},\"c\":2}}", "a".repeat(200));
        assert_eq!(members(&long), Ok(vec![("c".to_owned(), "2".to_owned())]));
    }

    proptest! {
        #[test]
        fn any_text_is_walked_or_refused(text in "[\\[\\]{}\",:\\\\a1 tnull.-]{0,60}") {
            drop(members(&text));
        }
    }
}
