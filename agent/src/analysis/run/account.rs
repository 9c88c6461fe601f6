//! The account of a source: its lines, its formats, and what is to be said about it.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::worker::{Found, SAMPLES};
use crate::analysis::format::Format;
use crate::analysis::format::detect::has_undeclared_number;
use crate::analysis::input::Opened;
use crate::analysis::report::{Failed, Source, SourceState, Warning, WarningKind};
use crate::analysis::statistics::text;

/// Bytes at the beginning that are looked at for what no log has.
const LOOKED_AT: usize = 64 * 1024;
/// Samples of a report.
pub(super) const ALL_SAMPLES: usize = 20;

/// What was found in a source.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) source: Source,
    formats: Vec<(Format, u64)>,
    /// Parts that were read, and their lines.
    parts: Vec<(u64, u64)>,
    /// Lines that were not understood, numbered in their parts.
    samples: Vec<(u64, Failed)>,
    is_binary: bool,
    is_not_utf8: bool,
    has_numbers: bool,
    long: u64,
}

impl Account {
    pub(super) fn new(name: String) -> Self {
        Self {
            source: Source {
                name,
                ..Source::default()
            },
            formats: Vec::new(),
            parts: Vec::new(),
            samples: Vec::new(),
            is_binary: false,
            is_not_utf8: false,
            has_numbers: false,
            long: 0,
        }
    }

    /// Looks at the beginning.
    pub(super) fn look_at(&mut self, begin: &[u8]) {
        let begin = &begin[..begin.len().min(LOOKED_AT)];
        self.is_binary = memchr::memchr(0, begin).is_some();
        // A character may be cut at the end of what is looked at.
        self.is_not_utf8 = match std::str::from_utf8(begin) {
            Ok(_) => false,
            Err(error) => error.error_len().is_some(),
        };
    }

    /// Looks whether lines end with a number that may be a duration.
    pub(super) fn look_for_numbers(&mut self, format: Format, begin: &[u8]) {
        let mut lines = begin.split(|byte| *byte == b'\n').take(10).peekable();
        self.has_numbers = lines.peek().is_some_and(|line| !line.is_empty())
            && lines
                .filter(|line| !line.is_empty())
                .all(|line| has_undeclared_number(format, line));
    }

    /// Adds what a thread found.
    pub(super) fn add(&mut self, found: Found) {
        let lines = &mut self.source.lines;
        lines.read += found.read;
        lines.parsed += found.parsed;
        lines.failed += found.failed;
        lines.ignored += found.ignored;
        lines.counted += found.counted;
        lines.left_out += found.left_out;
        self.samples.extend(found.samples);
        self.parts.extend(found.parts);
        self.long += found.long;
        for (format, count) in found.formats {
            match self.formats.iter_mut().find(|(known, _)| *known == format) {
                Some((_, own)) => *own += count,
                None => self.formats.push((format, count)),
            }
        }
    }

    /// The end of the source.
    pub(super) fn end(&mut self, opened: &Opened) {
        self.number_samples();
        let source = &mut self.source;
        let (bytes, problem) = opened.end();
        source.lines.bytes = bytes;
        self.formats
            .sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        source.formats = self
            .formats
            .iter()
            .map(|(format, _)| format.name().to_owned())
            .collect();
        source.problem = problem;
        source.state = match (&source.problem, bytes) {
            (Some(_), 0) => SourceState::Unread,
            (Some(_), _) => SourceState::Partial,
            (None, 0) => SourceState::Empty,
            (None, _) => SourceState::Whole,
        };
    }

    /// Keeps the first samples, with the numbers that their lines have in the whole source.
    fn number_samples(&mut self) {
        self.samples
            .sort_by_key(|(part, failed)| (*part, failed.line));
        self.samples.truncate(SAMPLES);
        self.parts.sort_unstable();
        let mut parts = self.parts.iter().peekable();
        let mut before = 0;
        for (part, mut failed) in self.samples.drain(..) {
            while let Some((_, lines)) = parts.next_if(|(own, _)| *own < part) {
                before += lines;
            }
            failed.line += before;
            self.source.lines.failed_samples.push(failed);
        }
    }
}

/// What is to be said about what a pattern matches and is no regular file.
pub(super) fn skipped_warning(path: &Path) -> Warning {
    let name = text(path.as_os_str().as_encoded_bytes());
    Warning {
        kind: WarningKind::Skipped,
        count: 0,
        text: format!(
            "{name} matches a pattern, but is {}: it was passed over",
            kind_of(path)
        ),
        source: Some(name),
    }
}

/// What it is instead of a regular file.
fn kind_of(path: &Path) -> &'static str {
    let kind = fs::metadata(path).map(|metadata| metadata.file_type());
    match kind {
        Ok(kind) if kind.is_dir() => "a folder",
        Ok(kind) if kind.is_fifo() => "a pipe",
        Ok(kind) if kind.is_socket() => "a socket",
        Ok(_) => "a device",
        Err(_) => "a link to nothing",
    }
}

/// What is to be said about a source that could not be read, or not to its end.
pub(super) fn unread_warning(source: &Source) -> Option<Warning> {
    let problem = source.problem.as_deref().unwrap_or("it ended early");
    let (kind, text) = match source.state {
        SourceState::Whole => return None,
        SourceState::Empty => (WarningKind::Empty, "is empty".to_owned()),
        SourceState::Partial => (
            WarningKind::Partial,
            format!(
                "was read in part: {problem}; the {} lines before are counted",
                source.lines.read
            ),
        ),
        SourceState::Unread => (WarningKind::Unread, problem.to_owned()),
    };
    Some(Warning {
        kind,
        source: Some(source.name.clone()),
        count: source.lines.read,
        text: format!("{} {text}", source.name),
    })
}

/// What is to be said about a source.
pub(super) fn warnings_of(account: &Account) -> Vec<Warning> {
    let source = &account.source;
    let mut warnings: Vec<Warning> = unread_warning(source).into_iter().collect();
    let mut warn = |kind, count, text: String| {
        warnings.push(Warning {
            kind,
            source: Some(source.name.clone()),
            count,
            text: format!("{} {text}", source.name),
        });
    };
    let lines = &source.lines;
    if lines.failed > 0 {
        warn(
            WarningKind::Failed,
            lines.failed,
            format!(
                "has {} lines of {} that were not understood",
                lines.failed, lines.read
            ),
        );
    }
    if account.is_binary {
        warn(
            WarningKind::Binary,
            0,
            "holds bytes of a binary file".to_owned(),
        );
    }
    if account.is_not_utf8 && !account.is_binary {
        warn(
            WarningKind::NotUtf8,
            0,
            "holds bytes that are not UTF-8: they are shown as \\xNN".to_owned(),
        );
    }
    if account.long > 0 {
        warn(
            WarningKind::LongLines,
            account.long,
            format!(
                "has {} lines longer than a mebibyte: they were passed over",
                account.long
            ),
        );
    }
    if account.formats.len() > 1 {
        let others: u64 = account.formats.iter().skip(1).map(|(_, count)| count).sum();
        warn(
            WarningKind::MixedFormats,
            others,
            format!(
                "has lines of several formats: {}",
                source.formats.join(", ")
            ),
        );
    }
    if account.has_numbers {
        warn(
            WarningKind::UndeclaredNumber,
            0,
            "has lines that end with a number: if it is a duration, say so with --log-format combined_time (microseconds) or combined_seconds".to_owned(),
        );
    }
    warnings
}
