//! The truth beside the records: which of them are anomalous, and what belongs together. A JSON object a
//! line: a `point` for each anomalous record, and behind the last of an anomaly its `window`.

use std::path::Path;

use super::family::Family;
use super::maker::Mark;
use super::record::{fixed, quoted};
use crate::config::Word as _;
use crate::generate::output::{Destination, Output, OutputError};
use crate::generate::stamp::Stamps;

/// Writes the truth to a file.
#[derive(Debug)]
pub(super) struct Truth {
    output: Output,
    stamps: Stamps,
    line: Vec<u8>,
    /// Anomalies so far.
    anomalies: u64,
    open: Option<Window>,
}

/// An anomaly that goes on.
#[derive(Clone, Copy, Debug)]
struct Window {
    episode: (u64, u32),
    family: Family,
    severity: u32,
    start: i64,
    end: i64,
    first_line: u64,
    last_line: u64,
    lines: u64,
}

impl Truth {
    /// Opens the file, which begins anew.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, OutputError> {
        Ok(Self {
            output: Output::open(&Destination::named(path))?,
            stamps: Stamps::default(),
            line: Vec::new(),
            anomalies: 0,
            open: None,
        })
    }

    /// Takes an anomalous record: record `line` of the run, from 1; in which file and which of its
    /// records, where there is one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn mark(
        &mut self,
        mark: &Mark,
        line: u64,
        file: Option<(&Path, u64)>,
    ) -> Result<(), OutputError> {
        if self
            .open
            .is_none_or(|window| window.episode != mark.episode)
        {
            self.close()?;
            self.anomalies += 1;
            self.open = Some(Window {
                episode: mark.episode,
                family: mark.family,
                severity: mark.severity,
                start: mark.time,
                end: mark.time,
                first_line: line,
                last_line: line,
                lines: 0,
            });
        }
        if let Some(window) = &mut self.open {
            window.end = mark.time;
            window.last_line = line;
            window.lines += 1;
        }
        self.point(mark, line, file)?;
        match mark.is_last {
            true => self.close(),
            false => Ok(()),
        }
    }

    /// Writes what is held back; an anomaly that goes on ends here.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn end(&mut self) -> Result<(), OutputError> {
        self.close()?;
        self.output.flush()
    }

    fn point(
        &mut self,
        mark: &Mark,
        line: u64,
        file: Option<(&Path, u64)>,
    ) -> Result<(), OutputError> {
        self.begin("point", mark.family);
        self.time("timestamp", mark.time);
        self.line.extend_from_slice(b",\"score\":");
        fixed(mark.score, &mut self.line);
        self.number("line", line);
        if let Some((path, line)) = file {
            self.line.extend_from_slice(b",\"file\":");
            quoted(path.to_string_lossy().as_bytes(), &mut self.line);
            self.number("file_line", line);
        }
        self.write()
    }

    fn close(&mut self) -> Result<(), OutputError> {
        let Some(window) = self.open.take() else {
            return Ok(());
        };
        self.begin("window", window.family);
        self.time("start", window.start);
        self.time("end", window.end);
        self.line.extend_from_slice(b",\"severity\":");
        fixed(window.severity, &mut self.line);
        self.number("first_line", window.first_line);
        self.number("last_line", window.last_line);
        self.number("lines", window.lines);
        self.write()
    }

    fn begin(&mut self, kind: &str, family: Family) {
        self.line.clear();
        self.line.extend_from_slice(b"{\"kind\":\"");
        self.line.extend_from_slice(kind.as_bytes());
        self.line.extend_from_slice(b"\",\"anomaly_id\":");
        let mut buffer = itoa::Buffer::new();
        let number = buffer.format(self.anomalies);
        self.line.extend_from_slice(number.as_bytes());
        self.line.extend_from_slice(b",\"anomaly_type\":\"");
        self.line.extend_from_slice(family.word().as_bytes());
        self.line.push(b'"');
    }

    fn time(&mut self, key: &str, time: i64) {
        self.line.extend_from_slice(b",\"");
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":\"");
        super::record::time(&mut self.stamps, time, &mut self.line);
        self.line.push(b'"');
    }

    fn number(&mut self, key: &str, number: u64) {
        self.line.extend_from_slice(b",\"");
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
        let mut buffer = itoa::Buffer::new();
        self.line
            .extend_from_slice(buffer.format(number).as_bytes());
    }

    fn write(&mut self) -> Result<(), OutputError> {
        self.line.extend_from_slice(b"}\n");
        self.output.write(&self.line)
    }
}
