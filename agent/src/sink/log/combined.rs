//! The combined line of NCSA and Apache, one an exchange.
//!
//! ```text
//! 223.39.188.71 - - [01/Sep/2019:14:16:51 +0900] "GET / HTTP/1.1" 302 0 "-" "Mozilla/5.0"
//! client        - -  time of the request, zone    request line    status bytes referer user agent
//! ```
//!
//! What is not there is `-`. Bytes are those of the response on the wire with its head (`%O` of Apache,
//! not `%b`), since a body is counted with what frames it. Between quotes stands what Apache would
//! write: `\"`, `\\`, `\b`, `\n`, `\r`, `\t`, `\v`, and `\xhh` for every other byte that is not
//! printable ASCII. Records of the wire's bytes hold `\xNN`; it is undone first.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    escaped::{append_escape, wire_bytes},
    text::{append_address, append_number, fixed_digits},
};
use crate::http::exchange::record::ExchangeRecord;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Writes combined lines.
#[derive(Debug)]
pub struct Combined {
    zone: TimeZone,
    /// The second that `text` is of.
    second: Option<i64>,
    text: [u8; 26],
}

impl Combined {
    /// Times are of `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            second: None,
            text: [b' '; 26],
        }
    }

    /// Appends the line of an exchange, with its line end.
    pub fn write_exchange(&mut self, record: &ExchangeRecord<'_>, out: &mut Vec<u8>) {
        append_address(record.src_ip, out);
        out.extend_from_slice(b" - - [");
        out.extend_from_slice(self.time(record.ts));
        out.extend_from_slice(b"] \"");
        match (record.method, record.target) {
            (None, None) => out.push(b'-'),
            (method, target) => {
                append_quoted(method.unwrap_or("-"), out);
                out.push(b' ');
                append_quoted(target.unwrap_or("-"), out);
                if !record.version.is_empty() {
                    out.push(b' ');
                    append_quoted(record.version, out);
                }
            }
        }
        out.extend_from_slice(b"\" ");
        append_count(record.status.map(u64::from), out);
        out.push(b' ');
        append_count(record.response_bytes, out);
        for text in [record.referer, record.user_agent] {
            out.extend_from_slice(b" \"");
            append_quoted(text.filter(|text| !text.is_empty()).unwrap_or("-"), out);
            out.push(b'"');
        }
        out.push(b'\n');
    }

    /// `01/Sep/2019:14:16:51 +0900`.
    fn time(&mut self, time: Timestamp) -> &[u8; 26] {
        // Before the epoch a time is of the second below.
        let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
        if self.second != Some(second) {
            let time = Timestamp::from_second(second).unwrap_or_default();
            let offset = self.zone.to_offset(time);
            let time = offset.to_datetime(time);
            let minutes = offset.seconds().unsigned_abs() / 60;
            let two = |number: i8| fixed_digits::<2>(number.unsigned_abs().into());
            let month = usize::from(time.month().unsigned_abs()).saturating_sub(1);
            let sign = if offset.seconds() < 0 { b"-" } else { b"+" };
            let parts: [(usize, &[u8]); 15] = [
                (0, &two(time.day())),
                (2, b"/"),
                (3, MONTHS.get(month).map_or(b"---", |name| &name[..])),
                (6, b"/"),
                (7, &fixed_digits::<4>(time.year().unsigned_abs().into())),
                (11, b":"),
                (12, &two(time.hour())),
                (14, b":"),
                (15, &two(time.minute())),
                (17, b":"),
                (18, &two(time.second())),
                (20, b" "),
                (21, sign),
                (22, &fixed_digits::<2>(minutes / 60)),
                (24, &fixed_digits::<2>(minutes % 60)),
            ];
            for (place, part) in parts {
                self.text[place..place + part.len()].copy_from_slice(part);
            }
            self.second = Some(second);
        }
        &self.text
    }
}

fn append_count(count: Option<u64>, out: &mut Vec<u8>) {
    match count {
        Some(count) => append_number(count, out),
        None => out.push(b'-'),
    }
}

/// Appends a text of a record as Apache escapes the bytes that it stands for.
fn append_quoted(text: &str, out: &mut Vec<u8>) {
    for byte in wire_bytes(text) {
        let letter = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            b' '..=b'~' => {
                out.push(byte);
                continue;
            }
            _ => {
                append_escape(byte, out);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::exchange::record::Outcome;
    use crate::sink::log::{
        samples::{any_exchange, exchange},
        text::decode,
    };

    fn line(record: &ExchangeRecord<'_>, zone: TimeZone) -> String {
        let mut line = Vec::new();
        Combined::new(zone).write_exchange(record, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn golden_lines() {
        let tokyo = || TimeZone::fixed(jiff::tz::offset(9));
        let mut record = exchange();
        assert_eq!(
            line(&record, tokyo()),
            "223.39.188.71 - - [01/Sep/2019:14:16:51 +0900] \"GET /a?b=c HTTP/1.1\" 302 154 \"-\" \"Mozilla/5.0 (Windows NT 10.0)\"\n"
        );
        record.src_ip = "2001:db8::7".parse().unwrap();
        record.referer = Some(r#"http://r/"\x0a\x5cx41\xff\x1b\"#);
        record.user_agent = Some("");
        record.target = Some("/köln");
        let newfoundland = TimeZone::fixed(jiff::tz::Offset::from_seconds(-12_600).unwrap());
        assert_eq!(
            line(&record, newfoundland),
            "2001:db8::7 - - [01/Sep/2019:01:46:51 -0330] \"GET /k\\xc3\\xb6ln HTTP/1.1\" 302 154 \"http://r/\\\"\\n\\\\x41\\xff\\x1b\\\\\" \"-\"\n"
        );
        record.outcome = Outcome::Orphan;
        (record.method, record.target, record.user_agent) = (None, None, None);
        (record.referer, record.status, record.response_bytes) = (None, None, None);
        assert_eq!(
            line(&record, TimeZone::UTC),
            "2001:db8::7 - - [01/Sep/2019:05:16:51 +0000] \"-\" - - \"-\" \"-\"\n"
        );
        record.ts = Timestamp::from_nanosecond(-1).unwrap();
        assert!(line(&record, TimeZone::UTC).contains("[31/Dec/1969:23:59:59 +0000]"));
    }

    /// A line taken apart: the parts between spaces, brackets and quotes, unescaped.
    fn fields(line: &str) -> Vec<Vec<u8>> {
        let mut fields = Vec::new();
        let mut rest = line.strip_suffix('\n').unwrap().as_bytes();
        while let Some(&first) = rest.first() {
            let close = match first {
                b'"' => b'"',
                b'[' => b']',
                _ => b' ',
            };
            let mut at = usize::from(close != b' ');
            let mut field = Vec::new();
            while rest.get(at).is_some_and(|&byte| byte != close) {
                let (byte, width) = match rest[at..] {
                    [b'\\', b'x', ..] if close == b'"' => {
                        let digits = std::str::from_utf8(&rest[at + 2..at + 4]).unwrap();
                        (u8::from_str_radix(digits, 16).unwrap(), 4)
                    }
                    [b'\\', letter, ..] if close == b'"' => match letter {
                        b'b' => (8, 2),
                        b'n' => (b'\n', 2),
                        b'r' => (b'\r', 2),
                        b't' => (b'\t', 2),
                        b'v' => (11, 2),
                        b'"' | b'\\' => (letter, 2),
                        _ => panic!("an escape that Apache does not write"),
                    },
                    [byte, ..] => (byte, 1),
                    [] => panic!("a field without its end"),
                };
                field.push(byte);
                at += width;
            }
            fields.push(field);
            let used = at + usize::from(close != b' ');
            rest = rest.get(used..).unwrap_or_default();
            rest = rest.strip_prefix(b" ").unwrap_or(rest);
        }
        fields
    }

    proptest! {
        #[test]
        fn any_exchange_comes_back(owned in any_exchange()) {
            let record = owned.record();
            let line = line(&record, TimeZone::UTC);
            prop_assert!(line.strip_suffix('\n').unwrap().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let fields = fields(&line);
            prop_assert_eq!(fields.len(), 9);
            let wire = |text: Option<&str>| match text {
                None | Some("") => b"-".to_vec(),
                Some(text) => decode(text.as_bytes()),
            };
            let address = record.src_ip.to_canonical().to_string().into_bytes();
            prop_assert_eq!(&fields[0], &address);
            let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            prop_assert_eq!(&fields[5], &number(record.status.map(u64::from)).into_bytes());
            prop_assert_eq!(&fields[6], &number(record.response_bytes).into_bytes());
            prop_assert_eq!(&fields[7], &wire(record.referer));
            prop_assert_eq!(&fields[8], &wire(record.user_agent));
            if let (Some(method), Some(target)) = (record.method, record.target) {
                let expected = [method, " ", target, " ", record.version].map(|text| decode(text.as_bytes()));
                prop_assert_eq!(&fields[4], &expected.concat());
            }
            // The time, by another way.
            let second = record.ts.to_zoned(TimeZone::UTC).strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
            prop_assert_eq!(&fields[3], second.as_bytes());
        }
    }
}
