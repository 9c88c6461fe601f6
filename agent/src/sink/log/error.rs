//! Why log lines cannot be written at all.

use std::{io, path::PathBuf};

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The folder cannot be made or written to.
    #[error("log folder {} cannot be used; make it writable or choose another with --log-dir", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of today cannot be written to.
    #[error("log file {} cannot be written to; move it away, or choose another folder with --log-dir", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("log folder {}: another tapline writes there; choose another with --log-dir", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Standard output cannot be used.
    #[error("standard output cannot be written to")]
    Stdout {
        /// What the system said.
        source: io::Error,
    },
    /// A thread cannot be made.
    #[error("no thread can be made for the log")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The text for missing values could break a line.
    #[error("log.missing: {text:?} holds a control character; give plain text")]
    Missing {
        /// The text.
        text: String,
    },
    /// A name that no header field can have.
    #[error("log.headers: {name:?} is not the name of a header field")]
    HeaderName {
        /// The name.
        name: String,
    },
    /// Too many header fields are asked for.
    #[error("log.headers: {count} names; at most {most} can be given")]
    TooManyHeaders {
        /// How many were given.
        count: usize,
        /// How many can be.
        most: usize,
    },
    /// A limit of zero.
    #[error("log.{key}: 0 would hold nothing; give more, or leave it out")]
    Zero {
        /// The setting.
        key: &'static str,
    },
}
