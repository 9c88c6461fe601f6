//! One file that lines go to, and how it keeps them whole.

use std::{
    fs::File,
    io,
    time::{Duration, Instant},
};

use crate::sink::log::{
    folder,
    frame::Frame,
    names::{FileName, Form, Series},
    stream::{whole_lines, write_all},
};

/// A file that lines go to.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) series: Series,
    pub(super) file: File,
    /// As of the last look at the file.
    pub(super) size: u64,
    pub(super) last_write: Instant,
    pub(super) age_when_opened: Duration,
    pub(super) tear: Tear,
    opened: Instant,
    frame: Frame,
    /// What begins the lines was written, what ends them was not.
    framed: bool,
}

/// What a write that broke off left behind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tear {
    None,
    /// The whole lines end at `good`, the file at `end`.
    Cut {
        good: u64,
        end: u64,
    },
    /// The file ended in the middle of a line when it was opened.
    Unended,
}

impl OpenFile {
    pub(super) fn new(file: File, series: Series) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let size = metadata.len();
        let tear = if folder::ends_torn(&file, size)? {
            Tear::Unended
        } else {
            Tear::None
        };
        let age_when_opened = metadata
            .created()
            .ok()
            .and_then(|time| time.elapsed().ok())
            .unwrap_or_default();
        let now = Instant::now();
        Ok(Self {
            series,
            file,
            size,
            opened: now,
            age_when_opened,
            last_write: now,
            tear,
            frame: Frame::None,
            framed: false,
        })
    }

    /// The same with `frame` around its lines.
    pub(super) fn framed(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// Bytes that are still to be written around the lines.
    pub(super) fn frame_bytes(&self) -> u64 {
        let begin = match self.framed {
            true => 0,
            false => self.frame.begin(self.series.topic).len(),
        };
        (begin + self.frame.end().len()) as u64
    }

    pub(super) fn name(&self) -> FileName {
        FileName {
            series: self.series,
            form: Form::Live,
        }
    }

    pub(super) fn is_older_than(&self, age: Option<Duration>, now: Instant) -> bool {
        age.is_some_and(|age| self.age_when_opened + now.duration_since(self.opened) >= age)
    }

    /// Appends lines at `size`. Gives how many bytes of whole lines are in the file now.
    pub(super) fn append(&mut self, lines: &[u8], now: Instant) -> (usize, Option<io::Error>) {
        self.last_write = now;
        if let Err(error) = self.mend() {
            return (0, Some(error));
        }
        if !self.framed {
            let begin = self.frame.begin(self.series.topic);
            if let (_, Some(error)) = self.append_whole(&begin) {
                return (0, Some(error));
            }
            self.framed = true;
        }
        self.append_whole(lines)
    }

    /// Writes what ends the lines, as far as that goes: it is for the reader's comfort.
    pub(super) fn end(&mut self) {
        let mended = self.mend();
        if mended.is_ok() && std::mem::take(&mut self.framed) {
            let end = self.frame.end();
            let _written = self.append_whole(&end);
        }
    }

    fn append_whole(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        let start = self.size;
        let (written, error) = write_all(&mut self.file, lines);
        self.size += written as u64;
        let whole = match error {
            None => written,
            Some(_) => whole_lines(&lines[..written]),
        };
        if written > whole {
            self.tear = Tear::Cut {
                good: start + whole as u64,
                end: self.size,
            };
            // What cannot be mended now is mended before the next line.
            let _mended = self.mend();
        }
        (whole, error)
    }

    /// Takes away or ends what there is of a broken line.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if let Tear::Cut { good, end } = self.tear
            // Somebody else may have written since; their bytes are not ours to take away.
            && self.file.metadata()?.len() == end
            && self.file.set_len(good).is_ok()
        {
            self.size = good;
            self.tear = Tear::None;
        }
        if self.tear != Tear::None {
            if let (_, Some(error)) = write_all(&mut self.file, b"\n") {
                return Err(error);
            }
            self.size += 1;
            self.tear = Tear::None;
        }
        Ok(())
    }
}
