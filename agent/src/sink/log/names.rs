//! The names of log files. What is not named exactly so is not ours and is never touched.
//!
//! | name | what it is |
//! |---|---|
//! | `http-20190901.log`, `http-CQ-20190901.log` | lines go here |
//! | `conn-20190901.log` | lines of sessions go here (Zeek's format) |
//! | `http-20190901.3.log` | the third file of that day that was put aside |
//! | `http-20190901.3.log.gz` | the same, compressed |
//! | `http-20190901.3.log.gz.tmp` | being compressed |

use std::{ffi::OsStr, fmt};

use jiff::civil::Date;

use crate::http::head::Kind;

/// Whether a file of this name in the log folder is one of ours: a log of any form, also one that somebody renamed
/// behind its topic, or one that shows whether the folder can be written.
pub(crate) fn is_own(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let beginnings: [&[u8]; 3] = [b"http-", b"conn-", b".tapline-"];
    beginnings
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

/// What the lines of a file are about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Topic {
    /// Heads of all kinds, or exchanges.
    Http,
    /// Heads of this kind, by its place in [`Kind::ALL`].
    Kind(usize),
    /// Sessions.
    Connections,
}

impl Topic {
    /// The heads of one kind.
    pub(super) fn kind(kind: Kind) -> Self {
        Self::Kind(kind as usize)
    }
}

/// The files that go on one another: on one topic, of one day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Series {
    pub(super) topic: Topic,
    pub(super) day: Date,
}

/// What a file of a series is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Lines go here.
    Live,
    /// Put aside, with its number from 1.
    Aside(u64),
    /// Put aside and compressed.
    Compressed(u64),
    /// Compression is under way, or was interrupted.
    Unfinished(u64),
}

impl Form {
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Live => None,
            Self::Aside(number) | Self::Compressed(number) | Self::Unfinished(number) => {
                Some(number)
            }
        }
    }
}

/// The name of a log file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileName {
    pub(super) series: Series,
    pub(super) form: Form,
}

impl FileName {
    /// None when the name is not exactly one that [`fmt::Display`] gives.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (topic, rest) = if let Some(rest) = name.strip_prefix("conn-") {
            (Topic::Connections, rest)
        } else {
            let rest = name.strip_prefix("http-")?;
            Kind::ALL
                .into_iter()
                .find_map(|kind| {
                    let rest = rest.strip_prefix(kind.letters())?.strip_prefix('-')?;
                    Some((Topic::kind(kind), rest))
                })
                .unwrap_or((Topic::Http, rest))
        };
        let (date, rest) = rest.split_at_checked(8)?;
        let date: u32 = digits(date)?.parse().ok()?;
        let day = Date::new(
            i16::try_from(date / 10_000).ok()?,
            i8::try_from(date / 100 % 100).ok()?,
            i8::try_from(date % 100).ok()?,
        )
        .ok()?;
        let form = if rest == ".log" {
            Form::Live
        } else {
            let (number, suffix) = rest.strip_prefix('.')?.split_once('.')?;
            let number = digits(number).filter(|text| !text.starts_with('0'))?;
            let number = number.parse().ok()?;
            match suffix {
                "log" => Form::Aside(number),
                "log.gz" => Form::Compressed(number),
                "log.gz.tmp" => Form::Unfinished(number),
                _ => return None,
            }
        };
        Some(Self {
            series: Series { topic, day },
            form,
        })
    }
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.series.topic {
            Topic::Http => f.write_str("http-")?,
            Topic::Kind(index) => {
                let letters = Kind::ALL.get(index).map_or("", |kind| kind.letters());
                write!(f, "http-{letters}-")?;
            }
            Topic::Connections => f.write_str("conn-")?,
        }
        let day = self.series.day;
        write!(f, "{:04}{:02}{:02}", day.year(), day.month(), day.day())?;
        match self.form {
            Form::Live => f.write_str(".log"),
            Form::Aside(number) => write!(f, ".{number}.log"),
            Form::Compressed(number) => write!(f, ".{number}.log.gz"),
            Form::Unfinished(number) => write!(f, ".{number}.log.gz.tmp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn check(name: &str, topic: Topic, form: Form) {
        let day = date(2019, 9, 1);
        let series = Series { topic, day };
        let expected = FileName { series, form };
        assert_eq!(FileName::parse(name), Some(expected));
        assert_eq!(expected.to_string(), name);
    }

    #[test]
    fn our_names() {
        check("http-20190901.log", Topic::Http, Form::Live);
        check(
            "http-CQ-20190901.log",
            Topic::kind(Kind::ClientQuery),
            Form::Live,
        );
        check(
            "http-SR-20190901.12.log",
            Topic::kind(Kind::ServerResponse),
            Form::Aside(12),
        );
        check("conn-20190901.log", Topic::Connections, Form::Live);
        check(
            "conn-20190901.2.log.gz",
            Topic::Connections,
            Form::Compressed(2),
        );
        check("http-20190901.1.log.gz", Topic::Http, Form::Compressed(1));
        check(
            "http-20190901.7.log.gz.tmp",
            Topic::Http,
            Form::Unfinished(7),
        );
    }

    #[test]
    fn foreign_names() {
        for name in [
            "",
            "http-",
            "http-20190901",
            "http-20190901.log.gz",
            "http-20190901.log~",
            "http-20190901.log.1",
            "http-20190901.0.log",
            "http-20190901.01.log",
            "http-20190901..log",
            "http-20190901.+1.log",
            "http-20191301.log",
            "http-20190931.log",
            "http-XX-20190901.log",
            "http-cq-20190901.log",
            "http-2019090.log",
            "http-2019090é.log",
            "xhttp-20190901.log",
            "http-+2190901.log",
            "http-20190901.99999999999999999999.log",
            "http-20190901.1.log.gz.tmp2",
            "http-CQ20190901.log",
            "conn-CQ-20190901.log",
            "conn_20190901.log",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
