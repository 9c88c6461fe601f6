//! What a user can choose about log lines and their files.

use std::{path::PathBuf, time::Duration};

use jiff::tz::TimeZone;

use super::LogError;

/// The most names that `headers` may hold.
const HEADERS_MAX: usize = 64;

/// Where lines go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Files in this folder; it is made when it is missing.
    Directory(PathBuf),
    /// Standard output, `-`. Settings of files have no effect.
    Stdout,
}

/// How a line looks, and what it is about: a head (classic, JSON), an exchange (combined, ECS), or an
/// exchange in one file and a session in another (Zeek).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// See [`classic`](super::classic).
    Classic,
    /// See [`json`](super::json).
    Json,
    /// See [`combined`](super::combined).
    Combined,
    /// See [`ecs`](super::ecs).
    Ecs,
    /// See [`zeek`](super::zeek).
    Zeek,
}

/// What happens to lines when the disk is slower than the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnFull {
    /// They are dropped and counted; the caller is never held up. For live capture.
    Drop,
    /// The caller waits. For capture files, of which nothing may be lost.
    Block,
}

/// When a file is put aside as `http-YYYYMMDD.N.log`, and what is done with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rotate {
    /// A file does not grow beyond this many bytes (unless one line is longer). None: no limit.
    pub max_bytes: Option<u64>,
    /// A file is put aside when it is this old. None: no limit but the day.
    pub max_age: Option<Duration>,
    /// Files put aside are compressed to `.gz` in the background. Files of days that are over are
    /// put aside and compressed too.
    pub compress: bool,
}

/// When old files are deleted. A file that lines still go to is never deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Retain {
    /// Files of days more than this many days before today are deleted. None: no limit.
    pub days: Option<u32>,
    /// The oldest files are deleted until all are within this many bytes together. None: no limit.
    pub bytes: Option<u64>,
}

/// All settings of a [`LogSink`](super::LogSink).
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Where lines go. Default: the folder `./logs`.
    pub output: Output,
    /// How a line looks. Default: classic.
    pub format: Format,
    /// Four files, one for each kind of head, instead of one. Of no effect where lines are about
    /// exchanges. Default: no.
    pub split: bool,
    /// What stands for a missing value in a classic line. Default: `-`.
    pub missing: String,
    /// The header fields that JSON lines carry under `headers`. Default: X-Forwarded-For, Forwarded
    /// and X-Request-Id.
    pub headers: Vec<String>,
    /// When a file is put aside. Default: at the end of its day only, compressed.
    pub rotate: Rotate,
    /// When old files are deleted. Default: never.
    pub retain: Retain,
    /// A batch of lines goes to the writer when it holds this many bytes. Default: 64 KiB.
    pub batch_bytes: usize,
    /// Batches that may wait for the writer. Default: 128, so that at most about 8 MiB wait.
    pub queue_batches: usize,
    /// What happens when that many wait. Default: lines are dropped and counted.
    pub on_full: OnFull,
    /// Whether closing waits until the files are on the disk. Default: yes. No where the lines can be
    /// made again: the kernel brings them to the disk when it has time.
    pub sync: bool,
    /// Whether records are of now, so that the files of today are those that lines will go to: one that
    /// cannot be written to is told of at the start. Default: yes.
    pub live: bool,
    /// The zone of classic times, and of the day of a file in every format. None, the default: the
    /// zone of the host.
    pub zone: Option<TimeZone>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            output: Output::Directory(PathBuf::from("./logs")),
            format: Format::Classic,
            split: false,
            missing: "-".to_owned(),
            headers: default_headers(),
            rotate: Rotate {
                max_bytes: None,
                max_age: None,
                compress: true,
            },
            retain: Retain::default(),
            batch_bytes: 64 * 1024,
            queue_batches: 128,
            on_full: OnFull::Drop,
            sync: true,
            live: true,
            zone: None,
        }
    }
}

impl LogSettings {
    /// Says what cannot be meant.
    pub(super) fn check(&self) -> Result<(), LogError> {
        // A missing value must not be able to do what the wire is kept from doing.
        if self
            .missing
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        {
            return Err(LogError::Missing {
                text: self.missing.clone(),
            });
        }
        if let Some(name) = self.headers.iter().find(|name| !is_token(name)) {
            return Err(LogError::HeaderName { name: name.clone() });
        }
        if self.headers.len() > HEADERS_MAX {
            return Err(LogError::TooManyHeaders {
                count: self.headers.len(),
                most: HEADERS_MAX,
            });
        }
        for (key, is_zero) in [
            ("rotate.max_bytes", self.rotate.max_bytes == Some(0)),
            (
                "rotate.max_age",
                self.rotate.max_age == Some(Duration::ZERO),
            ),
            ("queue_batches", self.queue_batches == 0),
        ] {
            if is_zero {
                return Err(LogError::Zero { key });
            }
        }
        Ok(())
    }
}

/// The header fields under `headers` unless told otherwise.
pub(super) fn default_headers() -> Vec<String> {
    ["X-Forwarded-For", "Forwarded", "X-Request-Id"]
        .map(str::to_owned)
        .into()
}

/// A field name is a token (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut LogSettings), expected: Option<&str>) {
        let mut settings = LogSettings::default();
        change(&mut settings);
        let found = settings.check().err().map(|error| error.to_string());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        check(|_| (), None);
        check(|settings| settings.missing = String::new(), None);
        check(
            |settings| settings.missing = "a\nb".to_owned(),
            Some(r#"log.missing: "a\nb" holds a control character; give plain text"#),
        );
        check(
            |settings| settings.headers.push("X Y".to_owned()),
            Some(r#"log.headers: "X Y" is not the name of a header field"#),
        );
        check(
            |settings| settings.headers = vec!["a".to_owned(); 65],
            Some("log.headers: 65 names; at most 64 can be given"),
        );
        check(
            |settings| settings.rotate.max_bytes = Some(0),
            Some("log.rotate.max_bytes: 0 would hold nothing; give more, or leave it out"),
        );
    }
}
