//! What an answer says about the records of a request. An answer that makes no sense is a failure: the
//! records are sent again.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::target::Names;

/// Letters of an answer that are quoted.
const QUOTED: usize = 200;

/// What stands for an answer with nothing in it.
pub(crate) const NOTHING: &str = "no more than that";

/// What became of the records.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// The target has them all.
    Stored,
    /// The target will not take these bytes, however often they are sent: one of the records is at
    /// fault, or there are too many of them.
    Refused(Refusal),
    /// They are to be sent again, later.
    Failed(Answered),
}

/// Why the target does not take records.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("status {status}: {said}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) said: String,
}

impl Refusal {
    /// The size is at fault.
    pub(super) fn is_too_large(&self) -> bool {
        self.status == 413
    }
}

/// An answer that is no success.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the target answered {status}{trouble}")]
pub(crate) struct Answered {
    pub(crate) trouble: Trouble,
    pub(crate) status: u16,
    /// How long the target wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

/// What is wrong with an answer. Said behind its status.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Trouble {
    /// Its status; then what may help, and what it said.
    #[error(": {said}{hint}")]
    Status { said: String, hint: Hint },
    /// It tells of success, but what it said is no JSON.
    #[error(", but what it said is not JSON: {0}")]
    NoJson(String),
    /// There was one record, and it tells of many.
    #[error(", but with an array for one record")]
    Array,
    /// It counted otherwise.
    #[error(", but it counted {counted} of {records} records")]
    Count { counted: u64, records: u64 },
}

/// What may help against a status, with the name of what is to be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hint {
    None,
    /// It redirects.
    Redirect(&'static str),
    /// It does not know who asks.
    Token(&'static str),
    /// It has nothing there.
    Path(&'static str),
    /// It does not understand the body.
    Gzip(&'static str),
}

impl Hint {
    fn of(status: u16, names: &Names) -> Self {
        match status {
            300..=399 => Self::Redirect(names.url),
            401 | 403 => Self::Token(names.token_file),
            404 | 405 => Self::Path(names.url),
            415 => Self::Gzip(names.gzip),
            _ => Self::None,
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Redirect(url) => write!(
                formatter,
                "; a redirect is not followed: is {url} the address itself?"
            ),
            Self::Token(token) => write!(formatter, "; is the token in {token} right?"),
            Self::Path(url) => write!(
                formatter,
                "; is {url} the address of the API, the part in front of /logs?"
            ),
            Self::Gzip(gzip) => write!(formatter, "; does it take gzip? ({gzip})"),
        }
    }
}

impl Answered {
    /// The token was not accepted.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self.status, 401 | 403)
    }
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    count: Option<&'a RawValue>,
}

/// Judges the whole answer to `records` records, sent in an array or as one object. `names`: those of
/// what may be to blame.
pub(super) fn judge(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
    records: usize,
    is_array: bool,
    names: &Names,
) -> Verdict {
    match status {
        200..=299 => match understood(body, records, is_array) {
            Ok(()) => Verdict::Stored,
            Err(trouble) => Verdict::Failed(Answered {
                trouble,
                status,
                retry_after,
            }),
        },
        400 | 413 | 422 => Verdict::Refused(Refusal {
            status,
            said: quote(body),
        }),
        _ => Verdict::Failed(Answered {
            trouble: Trouble::Status {
                said: quote(body),
                hint: Hint::of(status, names),
            },
            status,
            retry_after,
        }),
    }
}

/// Whether a success is one. Back ends answer with what they stored, a count, or nothing at all; a
/// page of a portal in between is none of these.
fn understood(body: &[u8], records: usize, is_array: bool) -> Result<(), Trouble> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(());
    }
    let no_json = || Trouble::NoJson(quote(body));
    if body.first() == Some(&b'[') {
        return match serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(body) {
            Ok(_) if is_array => Ok(()),
            Ok(_) => Err(Trouble::Array),
            Err(_) => Err(no_json()),
        };
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_what| no_json())?;
    let count = answer
        .count
        .and_then(|count| count.get().parse::<u64>().ok());
    match count {
        Some(counted) if is_array && counted != records as u64 => Err(Trouble::Count {
            counted,
            records: records as u64,
        }),
        _ => Ok(()),
    }
}

/// The beginning of an answer, on one line.
fn quote(body: &[u8]) -> String {
    let body = body.trim_ascii();
    if body.is_empty() {
        return NOTHING.to_owned();
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * QUOTED)]);
    let mut quoted: String = text
        .chars()
        .take(QUOTED)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if quoted.len() < body.len() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers() {
        #[track_caller]
        fn check(status: u16, body: &str, is_array: bool, expected: &str) {
            let verdict = judge(status, None, body.as_bytes(), 3, is_array, &Names::KEYS);
            let word = match &verdict {
                Verdict::Stored => "stored",
                Verdict::Refused(refusal) if refusal.is_too_large() => "too large",
                Verdict::Refused(_) => "refused",
                Verdict::Failed(answered) if answered.is_denied() => "denied",
                Verdict::Failed(_) => "failed",
            };
            assert_eq!(word, expected, "{status} {body:?}: {verdict:?}");
        }
        check(201, r#"{"count": 3, "ids": [1, 2, 3]}"#, true, "stored");
        check(201, r#"{"id": 7, "protocol": "TCP"}"#, false, "stored");
        check(201, r#"{"count": 1, "id": 7}"#, false, "stored");
        check(200, "[{}, {}, {}]", true, "stored");
        check(200, " [] \n", true, "stored");
        check(204, "", true, "stored");
        check(202, "\n", false, "stored");
        check(200, r#"{"count": "all"}"#, true, "stored");
        // Half of it, something else, and the answer to another question.
        check(201, r#"{"count": 2, "ids": [1, 2]}"#, true, "failed");
        check(201, r#"{"count": 3, "ids": [1, 2"#, true, "failed");
        check(
            200,
            "<html><body>Log in to the hotel's network",
            true,
            "failed",
        );
        check(200, "\u{0}\u{1}\u{2}", false, "failed");
        check(200, "ok", false, "failed");
        check(200, "[1, 2", true, "failed");
        check(200, "[{}]", false, "failed");
        check(200, r#"{"count": 3} {"count": 3}"#, true, "failed");
        for status in [400, 422] {
            check(status, r#"{"detail": "bytes"}"#, true, "refused");
        }
        check(413, "", true, "too large");
        for status in [
            301, 308, 404, 405, 408, 415, 429, 500, 502, 503, 504, 599, 999, 100, 0,
        ] {
            check(status, r#"{"count": 3}"#, true, "failed");
        }
        check(401, "", true, "denied");
        check(403, "", false, "denied");
    }

    #[test]
    fn what_may_help_is_named_as_its_user_knows_it() {
        let flags = Names {
            url: "--url",
            token_file: "--token",
            ca_file: "--ca",
            gzip: "--packed",
        };
        let check = |status, names: &Names, expected: &str| {
            let Verdict::Failed(answered) = judge(status, None, b"no", 1, false, names) else {
                panic!("{status}");
            };
            assert_eq!(answered.to_string(), expected);
        };
        check(
            401,
            &Names::KEYS,
            "the target answered 401: no; is the token in sinks.api.token_file right?",
        );
        check(
            401,
            &flags,
            "the target answered 401: no; is the token in --token right?",
        );
        check(
            302,
            &flags,
            "the target answered 302: no; a redirect is not followed: is --url the address itself?",
        );
        check(
            404,
            &flags,
            "the target answered 404: no; is --url the address of the API, the part in front of /logs?",
        );
        check(
            415,
            &flags,
            "the target answered 415: no; does it take gzip? (--packed)",
        );
        check(500, &flags, "the target answered 500: no");
        check(
            200,
            &flags,
            "the target answered 200, but what it said is not JSON: no",
        );
    }

    #[test]
    fn what_was_said_is_quoted_on_one_line() {
        assert_eq!(quote(b""), NOTHING);
        assert_eq!(quote(b" a\r\n\x1b[31mb "), "a   [31mb");
        assert_eq!(quote(&[b'x'; 5000]), format!("{}…", "x".repeat(QUOTED)));
        assert!(quote(&[0xff; 5000]).chars().count() <= QUOTED + 1);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in prop::collection::vec(any::<u8>(), 0..300), records in 0_usize..9, is_array: bool) {
            let verdict = judge(status, None, &body, records, is_array, &Names::KEYS);
            prop_assert_eq!(verdict == Verdict::Stored, (200..300).contains(&status) && understood(&body, records, is_array).is_ok());
        }

        #[test]
        fn an_answer_that_is_cut_is_no_success(cut in 1_usize..40) {
            let whole = br#"{"count": 3, "ids": [11, 12, 13], "a": 1}"#;
            prop_assert_eq!(judge(201, None, whole, 3, true, &Names::KEYS), Verdict::Stored);
            prop_assert_ne!(judge(201, None, &whole[..cut], 3, true, &Names::KEYS), Verdict::Stored);
        }
    }
}
