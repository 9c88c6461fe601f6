//! What an answer says about the records of a request. An answer that makes no sense is a failure: the
//! records are sent again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Letters of an answer that are quoted.
const QUOTED: usize = 200;

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
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) said: String,
}

impl Refusal {
    /// The size is at fault.
    pub(super) fn is_too_large(&self) -> bool {
        self.status == 413
    }
}

/// An answer that is no success.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}")]
pub(super) struct Answered {
    pub(super) what: String,
    pub(super) status: u16,
    /// How long the target wants to be left alone.
    pub(super) retry_after: Option<Duration>,
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

/// Judges the whole answer to `records` records, sent in an array or as one object.
pub(super) fn judge(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
    records: usize,
    is_array: bool,
) -> Verdict {
    match status {
        200..=299 => match understood(body, records, is_array) {
            Ok(()) => Verdict::Stored,
            Err(what) => Verdict::Failed(Answered {
                what: format!("the target answered {status}, but {what}"),
                status,
                retry_after,
            }),
        },
        400 | 413 | 422 => Verdict::Refused(Refusal {
            status,
            said: quote(body),
        }),
        _ => {
            let hint = match status {
                300..=399 => {
                    "; a redirect is not followed: is sinks.api.url (--api-url) the address itself?"
                }
                401 | 403 => "; is the token in sinks.api.token_file right?",
                404 | 405 => {
                    "; is sinks.api.url (--api-url) the address of the API, the part in front of /logs?"
                }
                415 => "; does it take gzip? (sinks.api.gzip)",
                _ => "",
            };
            Verdict::Failed(Answered {
                what: format!("the target answered {status}: {}{hint}", quote(body)),
                status,
                retry_after,
            })
        }
    }
}

/// Whether a success is one. Back ends answer with what they stored, a count, or nothing at all; a
/// page of a portal in between is none of these.
fn understood(body: &[u8], records: usize, is_array: bool) -> Result<(), String> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Ok(());
    }
    let no_json = || format!("what it said is not JSON: {}", quote(body));
    if body.first() == Some(&b'[') {
        return match serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(body) {
            Ok(_) if is_array => Ok(()),
            Ok(_) => Err("with an array for one record".to_owned()),
            Err(_) => Err(no_json()),
        };
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_what| no_json())?;
    let count = answer
        .count
        .and_then(|count| count.get().parse::<u64>().ok());
    match count {
        Some(count) if is_array && count != records as u64 => {
            Err(format!("it counted {count} of {records} records"))
        }
        _ => Ok(()),
    }
}

/// The beginning of an answer, on one line.
fn quote(body: &[u8]) -> String {
    let body = body.trim_ascii();
    if body.is_empty() {
        return "no more than that".to_owned();
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
            let verdict = judge(status, None, body.as_bytes(), 3, is_array);
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
    fn what_was_said_is_quoted_on_one_line() {
        assert_eq!(quote(b""), "no more than that");
        assert_eq!(quote(b" a\r\n\x1b[31mb "), "a   [31mb");
        assert_eq!(quote(&[b'x'; 5000]), format!("{}…", "x".repeat(QUOTED)));
        assert!(quote(&[0xff; 5000]).chars().count() <= QUOTED + 1);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in prop::collection::vec(any::<u8>(), 0..300), records in 0_usize..9, is_array: bool) {
            let verdict = judge(status, None, &body, records, is_array);
            prop_assert_eq!(verdict == Verdict::Stored, (200..300).contains(&status) && understood(&body, records, is_array).is_ok());
        }

        #[test]
        fn an_answer_that_is_cut_is_no_success(cut in 1_usize..40) {
            let whole = br#"{"count": 3, "ids": [11, 12, 13], "a": 1}"#;
            prop_assert_eq!(judge(201, None, whole, 3, true), Verdict::Stored);
            prop_assert_ne!(judge(201, None, &whole[..cut], 3, true), Verdict::Stored);
        }
    }
}
