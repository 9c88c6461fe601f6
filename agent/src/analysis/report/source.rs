//! What was read, and what was wrong with it.

use serde::Serialize;

/// A file, standard input or the store.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Source {
    /// Its name: a path, `-` for standard input, the folder of a store.
    pub name: String,
    /// The formats of its lines, the most frequent first, in the names that `--log-format` takes.
    pub formats: Vec<String>,
    /// Its lines.
    pub lines: Lines,
    /// How far it could be read.
    pub state: SourceState,
    /// What went wrong, in one sentence.
    pub problem: Option<String>,
}

/// How far a source could be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// To its end.
    #[default]
    Whole,
    /// It has no bytes.
    Empty,
    /// It is damaged or was cut off: what stands before that was read.
    Partial,
    /// Not at all.
    Unread,
}

/// An account of lines: `read = parsed + failed + ignored`, and `parsed = counted + left_out`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Lines {
    /// Lines read.
    pub read: u64,
    /// Those that were understood.
    pub parsed: u64,
    /// Those that were not.
    pub failed: u64,
    /// Empty lines, comments and headers.
    pub ignored: u64,
    /// Parsed lines that the report counts.
    pub counted: u64,
    /// Parsed lines that are out of the time or the condition that was asked for.
    pub left_out: u64,
    /// Bytes read, uncompressed.
    pub bytes: u64,
    /// Some of the lines that were not understood.
    pub failed_samples: Vec<Failed>,
}

impl Lines {
    /// Adds the lines of another account; with it there are `most` samples at the most.
    pub fn add(&mut self, other: &Self, most: usize) {
        self.read += other.read;
        self.parsed += other.parsed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.counted += other.counted;
        self.left_out += other.left_out;
        self.bytes += other.bytes;
        let room = most.saturating_sub(self.failed_samples.len());
        let samples = other.failed_samples.iter().take(room).cloned();
        self.failed_samples.extend(samples);
    }
}

/// A line that was not understood.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Failed {
    /// Its source.
    pub source: String,
    /// Its number in the source, from 1.
    pub line: u64,
    /// Its beginning, made harmless.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What the reader of the report has to know before believing it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The source, where it is about one.
    pub source: Option<String>,
    /// How many lines, requests or values it is about.
    pub count: u64,
    /// An English sentence.
    pub text: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// A source that could not be read.
    Unread,
    /// A source that was read in part.
    Partial,
    /// A source without bytes.
    Empty,
    /// Lines that were not understood.
    Failed,
    /// Lines of several formats in a source.
    MixedFormats,
    /// Times more than a day after now.
    Future,
    /// Lines whose time could not be read, counted without it.
    NoTime,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Bytes of a binary file.
    Binary,
    /// Lines that are too long to be read.
    LongLines,
    /// Lines that end with a number, which is a duration only if the format says so.
    UndeclaredNumber,
    /// Values beyond the bound of a table: counted together as others.
    Bounded,
    /// Something that a pattern matches and that is no regular file.
    Skipped,
    /// Requests or responses without the other.
    Unpaired,
    /// Nothing of what was read lies in the time, or meets the condition, that was asked for.
    NothingAsked,
}
