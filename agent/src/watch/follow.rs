//! Follows a log file: gives every whole line once, in order, whatever is done to the file.
//!
//! | what happens | what is seen | what is done |
//! |---|---|---|
//! | lines are appended | the file grows | they are given; a last line without its end waits |
//! | renamed, and a new one made | another inode has the name | the old one is read to its end, and for a while on, since its writer may still have it open; then the new one from its beginning |
//! | copied, and truncated | it is shorter, or begins otherwise | what was not read yet is read from the copy beside it, plain or gzip; then the file from its beginning |
//! | compressed or deleted | nothing: the open file stays readable | it is read to its end |
//! | not there | no file of the name | it is waited for |
//!
//! Nothing is kept of a file but a place, its first bytes, and a line that has no end yet.

mod copy;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memchr::memchr;

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

/// Bytes that a line may have: of a longer one this much is given, the rest is passed over.
const LONGEST: usize = 1 << 20;

/// First bytes by which a file is known again.
const MARK: usize = 256;

/// How long a file that was renamed is still looked at, when nothing comes.
const LINGER: Duration = Duration::from_secs(15);

/// Files that were renamed and are still looked at.
const MOST_OLD: usize = 4;

/// A line, and where it stood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// Without its end.
    pub bytes: &'a [u8],
    /// Where it begins in its file.
    pub offset: u64,
}

/// What was noticed at a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// It is there for the first time, or again.
    Opened,
    /// It is not there.
    Missing,
    /// It was renamed, and another has its name.
    Renamed,
    /// It was truncated; `lost`: some lines may be missing, because no copy of it was found.
    Truncated {
        /// No copy was found.
        lost: bool,
    },
}

/// Follows one path.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    current: Option<Open>,
    /// Files that had the name before.
    old: Vec<(Open, Instant)>,
    is_missing: bool,
    buffer: Vec<u8>,
}

/// An open file and how far it was read.
#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    /// Where the next byte is read.
    offset: u64,
    /// The first bytes.
    mark: Vec<u8>,
    /// The begin of a line without an end.
    partial: Vec<u8>,
    /// Where that line begins.
    line_start: u64,
    /// The line is too long: its rest is passed over.
    skips: bool,
}

impl Follower {
    /// Follows this path, from the beginning of the file. Reads nothing yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            current: None,
            old: Vec::new(),
            is_missing: false,
            buffer: Vec::new(),
        }
    }

    /// What it follows.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no file has the name.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.is_missing
    }

    /// Whether this is the file that it reads, or one that it read before, of another name now.
    #[must_use]
    pub fn reads(&self, file: &fs::Metadata) -> bool {
        let identity = (file.dev(), file.ino());
        let old = self.old.iter().map(|(open, _)| open);
        let mut all = self.current.iter().chain(old);
        all.any(|open| open.identity == identity)
    }

    /// Reads what is new, at most about `most` bytes, and gives each whole line. Returns whether there
    /// may be more at once. `now` tells how long nothing came.
    ///
    /// # Errors
    /// The file is there and cannot be read. The next call tries again.
    pub fn poll(
        &mut self,
        now: Instant,
        most: u64,
        line: &mut dyn FnMut(Line<'_>),
        event: &mut dyn FnMut(Event),
    ) -> io::Result<bool> {
        self.buffer.resize(BLOCK, 0);
        let mut left = most;
        self.read_old(now, &mut left, line)?;
        let there = match fs::metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(open) = &mut self.current {
            let identity = there.as_ref().map(|there| (there.dev(), there.ino()));
            if open.was_cut()? {
                let lost = !copy::rest(&self.path, open, line)?;
                open.restart();
                event(Event::Truncated { lost });
            }
            let more = open.read(&mut self.buffer, &mut left, line)?;
            if identity.is_some_and(|identity| identity != open.identity) && !more {
                event(Event::Renamed);
                self.old.extend(self.current.take().map(|open| (open, now)));
                self.forget_oldest(line);
            } else if more {
                return Ok(true);
            }
        }
        if self.current.is_none() {
            let Some(there) = there else {
                if !self.is_missing {
                    self.is_missing = true;
                    event(Event::Missing);
                }
                return Ok(false);
            };
            if !there.is_file() {
                let sentence = "it is no regular file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
            }
            let mut open = Open::at(&self.path)?;
            event(Event::Opened);
            self.is_missing = false;
            let more = open.read(&mut self.buffer, &mut left, line)?;
            self.current = Some(open);
            return Ok(more);
        }
        Ok(false)
    }

    /// Gives the last line also where it has no end: nothing comes any more.
    pub fn end(&mut self, line: &mut dyn FnMut(Line<'_>)) {
        for (mut open, _) in self.old.drain(..) {
            open.give_rest(line);
        }
        if let Some(open) = &mut self.current {
            open.give_rest(line);
        }
    }

    fn read_old(
        &mut self,
        now: Instant,
        left: &mut u64,
        line: &mut dyn FnMut(Line<'_>),
    ) -> io::Result<()> {
        for (open, since) in &mut self.old {
            let before = open.offset;
            open.read(&mut self.buffer, left, line)?;
            if open.offset > before {
                *since = now;
            }
        }
        let is_over =
            |(_, since): &(Open, Instant)| now.saturating_duration_since(*since) >= LINGER;
        let mut index = 0;
        while index < self.old.len() {
            if self.old.get(index).is_some_and(is_over) {
                let (mut open, _) = self.old.remove(index);
                open.give_rest(line);
            } else {
                index += 1;
            }
        }
        Ok(())
    }

    fn forget_oldest(&mut self, line: &mut dyn FnMut(Line<'_>)) {
        while self.old.len() > MOST_OLD {
            // The one that was quiet for longest.
            let quiet = (0..self.old.len()).min_by_key(|index| self.old[*index].1);
            let (mut open, _) = self.old.remove(quiet.unwrap_or_default());
            open.give_rest(line);
        }
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            identity: (metadata.dev(), metadata.ino()),
            file,
            offset: 0,
            mark: Vec::new(),
            partial: Vec::new(),
            line_start: 0,
            skips: false,
        })
    }

    /// Whether what was read is no longer at its place: it is shorter, or begins otherwise.
    fn was_cut(&self) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.offset {
            return Ok(true);
        }
        let mut first = vec![0; self.mark.len()];
        match self.file.read_exact_at(&mut first, 0) {
            Ok(()) => Ok(first != self.mark),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// From the beginning again.
    fn restart(&mut self) {
        self.offset = 0;
        self.mark.clear();
        self.partial.clear();
        self.line_start = 0;
        self.skips = false;
    }

    /// Reads on; whether there may be more at once.
    fn read(
        &mut self,
        buffer: &mut [u8],
        left: &mut u64,
        line: &mut dyn FnMut(Line<'_>),
    ) -> io::Result<bool> {
        loop {
            let room = usize::try_from(*left)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            if room == 0 {
                return Ok(true);
            }
            let length = match self.file.read_at(&mut buffer[..room], self.offset) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if length == 0 {
                return Ok(false);
            }
            *left -= length as u64;
            self.take(&buffer[..length], line);
        }
    }

    /// Takes bytes that follow those that were taken.
    fn take(&mut self, bytes: &[u8], line: &mut dyn FnMut(Line<'_>)) {
        let wanted = MARK.saturating_sub(self.mark.len());
        if wanted > 0 && self.mark.len() as u64 == self.offset {
            self.mark.extend(bytes.iter().take(wanted));
        }
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            let (found, behind) = (&rest[..end], &rest[end + 1..]);
            let length = end as u64 + 1;
            if self.skips {
                self.skips = false;
            } else if self.partial.is_empty() {
                line(Line {
                    bytes: &found[..found.len().min(LONGEST)],
                    offset: self.line_start,
                });
            } else {
                self.extend_partial(found);
                line(Line {
                    bytes: &self.partial,
                    offset: self.line_start,
                });
            }
            self.partial.clear();
            self.offset += length;
            self.line_start = self.offset;
            rest = behind;
        }
        self.offset += rest.len() as u64;
        if !self.skips && !rest.is_empty() {
            self.extend_partial(rest);
            if self.partial.len() >= LONGEST {
                line(Line {
                    bytes: &self.partial,
                    offset: self.line_start,
                });
                self.partial.clear();
                self.skips = true;
            }
        }
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.partial.len());
        self.partial.extend(bytes.iter().take(room));
    }

    /// Gives the line without an end.
    fn give_rest(&mut self, line: &mut dyn FnMut(Line<'_>)) {
        if !self.partial.is_empty() {
            line(Line {
                bytes: &self.partial,
                offset: self.line_start,
            });
            self.partial.clear();
        }
    }
}

#[cfg(test)]
mod tests;
