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
    /// Those that go on, in the order in which they began.
    open: Vec<Window>,
}

/// An anomaly that goes on.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Its number, from 1.
    number: u64,
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
            open: Vec::new(),
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
        let found = self
            .open
            .iter()
            .position(|window| window.episode == mark.episode);
        let place = found.unwrap_or(self.open.len());
        if found.is_none() {
            self.anomalies += 1;
            self.open.push(Window {
                number: self.anomalies,
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
        let window = &mut self.open[place];
        window.end = mark.time;
        window.last_line = line;
        window.lines += 1;
        let number = window.number;
        self.point(number, mark, line, file)?;
        match mark.is_last {
            true => {
                let window = self.open.remove(place);
                self.close(&window)
            }
            false => Ok(()),
        }
    }

    /// Writes what is held back; anomalies that go on end here.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn end(&mut self) -> Result<(), OutputError> {
        for window in std::mem::take(&mut self.open) {
            self.close(&window)?;
        }
        self.output.flush()
    }

    fn point(
        &mut self,
        number: u64,
        mark: &Mark,
        line: u64,
        file: Option<(&Path, u64)>,
    ) -> Result<(), OutputError> {
        self.begin("point", number, mark.family);
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

    fn close(&mut self, window: &Window) -> Result<(), OutputError> {
        self.begin("window", window.number, window.family);
        self.time("start", window.start);
        self.time("end", window.end);
        self.line.extend_from_slice(b",\"severity\":");
        fixed(window.severity, &mut self.line);
        self.number("first_line", window.first_line);
        self.number("last_line", window.last_line);
        self.number("lines", window.lines);
        self.write()
    }

    fn begin(&mut self, kind: &str, number: u64, family: Family) {
        self.line.clear();
        self.line.extend_from_slice(b"{\"kind\":\"");
        self.line.extend_from_slice(kind.as_bytes());
        self.line.extend_from_slice(b"\",\"anomaly_id\":");
        let mut buffer = itoa::Buffer::new();
        let number = buffer.format(number);
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
