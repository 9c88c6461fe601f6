//! A file that is followed, and the account of its lines.

use std::hash::{DefaultHasher, Hasher as _};
use std::path::Path;
use std::time::Instant;

use crate::analysis::format::Reason;
use crate::analysis::format::detect::Detector;
use crate::analysis::pairing::Pairing;
use crate::analysis::report::{Failed, Lines, Source, SourceState};
use crate::sink::log::text::append_plain;
use crate::watch::follow::{Follower, Line};

/// Bytes of a line that is shown.
const LONG: usize = 1024;

/// Lines that were not understood and are shown.
pub(super) const FAILED: usize = 10;

/// A file that is followed.
#[derive(Debug)]
pub(in crate::watch) struct Watched {
    pub(in crate::watch) follower: Follower,
    pub(super) detector: Option<Detector>,
    /// Requests and responses that wait for the other.
    pub(super) pairing: Pairing,
    pub(super) lines: Lines,
    pub(super) problem: Option<String>,
    /// A pattern found it: it is followed as long as it is there.
    pub(in crate::watch) is_found: bool,
    /// Since when it is not there.
    pub(in crate::watch) gone: Option<Instant>,
}

impl Watched {
    pub(super) fn new(path: &Path, is_found: bool) -> Self {
        Self {
            follower: Follower::new(path),
            detector: None,
            pairing: Pairing::default(),
            lines: Lines::default(),
            problem: None,
            is_found,
            gone: None,
        }
    }

    /// What a report says of it.
    pub(super) fn source(&self) -> Source {
        let is_missing = self.lines.read == 0 && self.follower.is_missing();
        Source {
            name: name(self.follower.path()),
            formats: self
                .detector
                .iter()
                .flat_map(Detector::counts)
                .map(|(format, _)| format.name().to_owned())
                .collect(),
            lines: self.lines.clone(),
            state: match (&self.problem, self.lines.read) {
                (Some(_), 0) => SourceState::Unread,
                (Some(_), _) => SourceState::Partial,
                (None, 0) if is_missing => SourceState::Unread,
                (None, 0) => SourceState::Empty,
                (None, _) => SourceState::Whole,
            },
            problem: self
                .problem
                .clone()
                .or_else(|| is_missing.then(|| "it is not there".to_owned())),
        }
    }
}

pub(super) fn count(
    lines: &mut Lines,
    taken: Result<bool, Reason>,
    is_counted: bool,
    follower: &Follower,
    line: &[u8],
) {
    match taken {
        Ok(true) => {
            lines.parsed += 1;
            lines.counted += u64::from(is_counted);
            lines.left_out += u64::from(!is_counted);
        }
        Ok(false) => lines.ignored += 1,
        Err(reason) => {
            lines.failed += 1;
            if lines.failed_samples.len() < FAILED {
                lines.failed_samples.push(Failed {
                    source: name(follower.path()),
                    line: lines.read,
                    text: harmless(line),
                    reason: reason.to_string(),
                });
            }
        }
    }
}

pub(super) fn keep(text: &mut Vec<u8>, places: &mut Vec<(usize, u64)>, line: &Line<'_>) {
    places.push((text.len(), line.offset));
    text.extend_from_slice(line.bytes);
    text.push(b'\n');
}

/// The same number for the same bytes, at every start.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// A line as it may be shown, cut where it is long.
pub(super) fn harmless(line: &[u8]) -> String {
    let mut text = Vec::new();
    append_plain(&line[..line.len().min(LONG)], &mut text);
    String::from_utf8(text).unwrap_or_default()
}

pub(super) fn name(path: &Path) -> String {
    harmless(path.as_os_str().as_encoded_bytes())
}
