//! The bytes of a capture file in one buffer that is used over and over.
//!
//! Bytes are read only when those that are asked for are not there, and as many as the source gives
//! at once, so a pipe delivers each packet as it comes. The buffer grows when it is full of bytes
//! that have arrived, never because a length in the file says so.

use std::fmt;
use std::io::{self, Read};

use super::error::{Position, Problem};
use super::gzip::{self, Gzip};

const BUFFER: usize = 256 * 1024;

/// The bytes of a capture, after decompression.
pub(super) struct Input {
    source: Source,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where in the capture `buffer[start]` stands.
    offset: u64,
    /// Where in the capture the record begins that is being read.
    record: u64,
}

enum Source {
    /// Nothing has been read yet.
    Unknown(Box<dyn Read + Send>),
    Plain(Box<dyn Read + Send>),
    Gzip(Box<Gzip>),
    Ended,
}

/// Bytes in the buffer of an [`Input`]; good until more are asked for.
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self {
            source: Source::Unknown(source),
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            offset: 0,
            record: 0,
        }
    }

    /// Marks the next byte as the beginning of a record: errors name it.
    pub(super) fn begin_record(&mut self) {
        self.record = self.offset;
    }

    /// Makes errors name an earlier place.
    pub(super) fn blame(&mut self, offset: u64) {
        self.record = offset;
    }

    /// Reads until at least `wanted` bytes are there; `false` when the end comes first.
    pub(super) fn fill(&mut self, wanted: usize) -> Result<bool, Problem> {
        while self.end - self.start < wanted {
            self.make_room();
            let length = match &mut self.source {
                Source::Unknown(_) => {
                    self.detect_compression()?;
                    continue;
                }
                Source::Plain(source) => read_retrying(source, &mut self.buffer[self.end..])?,
                Source::Gzip(gzip) => gzip.read(&mut self.buffer[self.end..])?,
                Source::Ended => return Ok(false),
            };
            if length == 0 {
                // Not asked again: a terminal would wait for a second end of file. A compressed
                // source stays, as it knows the position.
                if let Source::Plain(_) = self.source {
                    self.source = Source::Ended;
                }
                return Ok(false);
            }
            self.end += length;
        }
        Ok(true)
    }

    /// The next `N` bytes, which stay; `None` when there are fewer.
    pub(super) fn peek<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Problem> {
        self.fill(N)?;
        Ok(self.bytes().first_chunk::<N>().copied())
    }

    /// Passes over `length` bytes; `false` when the end comes first.
    pub(super) fn skip(&mut self, mut length: u64) -> Result<bool, Problem> {
        loop {
            let here = length.min(self.available());
            self.consume(here as usize);
            length -= here;
            if length == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }

    /// Takes `length` bytes; no more than are there.
    pub(super) fn consume(&mut self, length: usize) -> Span {
        let start = self.start;
        let end = self.end.min(start.saturating_add(length));
        self.start = end;
        self.offset += (end - start) as u64;
        Span { start, end }
    }

    /// The bytes that are there and not taken yet.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The number of bytes that are there and not taken yet.
    pub(super) fn available(&self) -> u64 {
        (self.end - self.start) as u64
    }

    /// The number of bytes of the current record that have come, taken or not.
    pub(super) fn record_present(&self) -> u64 {
        self.offset - self.record + self.available()
    }

    /// The bytes of a span that [`Self::consume`] gave since the last [`Self::fill`].
    pub(super) fn span(&self, span: Span) -> &[u8] {
        self.buffer.get(span.start..span.end).unwrap_or_default()
    }

    /// Where the record that is being read begins.
    pub(super) fn position(&self) -> Position {
        Position {
            offset: self.record,
            compressed_offset: match &self.source {
                Source::Gzip(gzip) => Some(gzip.position()),
                _ => None,
            },
        }
    }

    /// How long the buffer has become.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Makes free space behind the bytes that are there.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end < self.buffer.len() {
            return;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        } else {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// Reads the first bytes and finds out whether they are gzip.
    fn detect_compression(&mut self) -> Result<(), Problem> {
        let Source::Unknown(mut source) = std::mem::replace(&mut self.source, Source::Ended) else {
            return Ok(());
        };
        while self.end < gzip::MAGIC.len() {
            match read_retrying(&mut source, &mut self.buffer[self.end..])? {
                0 => return Ok(()),
                length => self.end += length,
            }
        }
        self.source = if self.bytes().starts_with(&gzip::MAGIC) {
            let gzip = Gzip::new(source, self.bytes());
            self.end = self.start;
            Source::Gzip(Box::new(gzip))
        } else {
            Source::Plain(source)
        };
        Ok(())
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Input")
            .field("position", &self.position())
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

impl Span {
    /// The span without its first `length` bytes.
    pub(super) fn without_first(self, length: usize) -> Self {
        Self {
            start: self.end.min(self.start.saturating_add(length)),
            end: self.end,
        }
    }

    /// The first `length` bytes of the span, no more than it has.
    pub(super) fn first(self, length: usize) -> Self {
        Self {
            start: self.start,
            end: self.end.min(self.start.saturating_add(length)),
        }
    }
}

/// Reads once, and again when a signal came in between.
pub(super) fn read_retrying(source: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Problem> {
    loop {
        match source.read(buffer) {
            Ok(length) => return Ok(length.min(buffer.len())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Problem::Read { source }),
        }
    }
}
