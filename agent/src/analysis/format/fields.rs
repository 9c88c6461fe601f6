//! Lines of fields with spaces between them, some in quotes or brackets.

use super::Reason;

/// How many fields are told apart.
const MOST: usize = 40;

/// The fields of a line as they stand in it, without their quotes and brackets.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    fields: [&'a [u8]; MOST],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Takes a line apart. Several spaces are one.
    pub(super) fn of(line: &'a [u8]) -> Self {
        let mut found = Self {
            fields: [b""; MOST],
            count: 0,
        };
        let mut rest = line;
        while found.count < MOST {
            rest = rest.trim_ascii_start();
            let Some(first) = rest.first() else { break };
            let (inner, close) = match first {
                b'"' => (&rest[1..], b'"'),
                b'[' => (&rest[1..], b']'),
                _ => (rest, b' '),
            };
            let end = end_of(inner, close);
            found.fields[found.count] = &inner[..end];
            found.count += 1;
            rest = inner.get(end + 1..).unwrap_or_default();
        }
        found
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The field with this number, from 0.
    pub(super) fn get(&self, index: usize, name: &'static str) -> Result<&'a [u8], Reason> {
        match index < self.count {
            true => Ok(self.fields[index]),
            false => Err(Reason::Missing(name)),
        }
    }
}

fn end_of(text: &[u8], close: u8) -> usize {
    if close != b'"' {
        return memchr::memchr(close, text).unwrap_or(text.len());
    }
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let check = |line: &str, expected: &[&str]| {
            let fields = Fields::of(line.as_bytes());
            let found: Vec<&str> = (0..fields.len())
                .map(|index| std::str::from_utf8(fields.get(index, "").unwrap()).unwrap())
                .collect();
            assert_eq!(found, expected, "{line}");
        };
        check("", &[]);
        check("  a   b ", &["a", "b"]);
        check(r#"a "b c" [d e] "" f"#, &["a", "b c", "d e", "", "f"]);
        check(r#""a \" b" c"#, &[r#"a \" b"#, "c"]);
        check(r#""open"#, &["open"]);
        check(r#""open\"#, &["open\\"]);
        check("[open", &["open"]);
        let many = "x ".repeat(100);
        assert_eq!(Fields::of(many.as_bytes()).len(), MOST);
    }
}
