//! Frames to a capture file, or to stdout: pcap with nanoseconds, whole frames only.
//!
//! When a file cannot be written to any more (a full disk), what was written of its last frame is cut off
//! again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use crate::capture::pcap::{LinkType, PcapWriter};
use crate::generate::output::Destination;

/// Bytes are collected up to so many before they are written.
const BUFFER: usize = 256 << 10;

/// Bytes in front of each frame.
const HEADER: usize = 16;

/// A capture file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be made or opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something in it.
    #[error("{} is there already; --overwrite begins it anew", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written to.
    #[error("cannot write to {place}; the {frames} frames in front are whole")]
    Write {
        /// Where to.
        place: String,
        /// Frames that are there.
        frames: u64,
        /// Why; of the kind `BrokenPipe` where the reader of stdout has seen enough.
        source: io::Error,
    },
    /// pcap has 32 bits for seconds.
    #[error(
        "cannot write a frame of a time before 1970 or after February 2106; choose another --start"
    )]
    Time,
}

/// A capture file that is being written.
#[derive(Debug)]
pub struct CaptureOutput {
    file: File,
    /// `None`: stdout.
    path: Option<PathBuf>,
    buffer: Vec<u8>,
    /// Bytes and frames that are written.
    written: u64,
    frames: u64,
    is_broken: bool,
}

impl CaptureOutput {
    /// Opens it; a file begins anew, but for a [`Destination::New`] with something in it.
    ///
    /// # Errors
    /// It cannot be made, opened or written to.
    pub fn open(destination: &Destination) -> Result<Self, CaptureError> {
        let (file, path) = match destination {
            Destination::Stdout => {
                let own = io::stdout().as_fd().try_clone_to_owned();
                let file = own.map(|fd: OwnedFd| File::from(fd));
                let place = Path::new("stdout");
                (file.map_err(|source| open_error(place, source))?, None)
            }
            Destination::File(path) | Destination::Append(path) | Destination::New(path) => {
                let is_new = matches!(destination, Destination::New(_));
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(!is_new);
                let file = options
                    .open(path)
                    .map_err(|source| open_error(path, source))?;
                if is_new && file.metadata().is_ok_and(|data| data.len() > 0) {
                    return Err(CaptureError::Exists { path: path.clone() });
                }
                (file, Some(path.clone()))
            }
        };
        let header = PcapWriter::new(Vec::with_capacity(2 * BUFFER), LinkType::Ethernet);
        let buffer = header.and_then(PcapWriter::finish).unwrap_or_default();
        Ok(Self {
            file,
            path,
            buffer,
            written: 0,
            frames: 0,
            is_broken: false,
        })
    }

    /// Takes a frame that was captured at `time_ns` since the epoch.
    ///
    /// # Errors
    /// The frames before it cannot be written, or a file cannot say that time.
    #[inline]
    pub fn frame(&mut self, time_ns: i64, frame: &[u8]) -> Result<(), CaptureError> {
        let seconds = time_ns.div_euclid(1_000_000_000);
        let seconds = u32::try_from(seconds).ok().ok_or(CaptureError::Time)?;
        let nanoseconds = time_ns.rem_euclid(1_000_000_000) as u32;
        let length = frame.len() as u32;
        let mut header = [0; HEADER];
        for (place, field) in header
            .chunks_exact_mut(4)
            .zip([seconds, nanoseconds, length, length])
        {
            place.copy_from_slice(&field.to_le_bytes());
        }
        self.buffer.extend_from_slice(&header);
        self.buffer.extend_from_slice(frame);
        self.frames += 1;
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// It cannot be written; the file ends with a whole frame, and takes no more.
    pub fn flush(&mut self) -> Result<(), CaptureError> {
        let mut done = 0;
        while done < self.buffer.len() {
            let result = match self.is_broken {
                true => Err(io::Error::other("it failed before")),
                false => self.file.write(&self.buffer[done..]),
            };
            match result {
                Ok(0) => return Err(self.broken(done, io::ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(done, error)),
            }
        }
        self.written += done as u64;
        self.buffer.clear();
        Ok(())
    }

    /// What is written to.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Frames taken so far; after an error, those that are whole in the file.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes taken so far; after an error, those of whole frames.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn broken(&mut self, done: usize, source: io::Error) -> CaptureError {
        let (whole, left) = whole_frames(&self.buffer, done, self.written == 0);
        if !self.is_broken
            && self.path.is_some()
            && self.file.metadata().is_ok_and(|data| data.is_file())
        {
            // What cannot be cut off stays, and the error is said in any case.
            drop(self.file.set_len(self.written + whole as u64));
        }
        self.is_broken = true;
        self.written += whole as u64;
        self.frames -= left;
        self.buffer.clear();
        CaptureError::Write {
            place: match &self.path {
                Some(path) => path.display().to_string(),
                None => "stdout".to_owned(),
            },
            frames: self.frames,
            source,
        }
    }
}

/// How many of the first `done` bytes are whole frames, and how many frames stand behind them.
fn whole_frames(buffer: &[u8], done: usize, with_header: bool) -> (usize, u64) {
    let mut at = if with_header { 24 } else { 0 };
    let (mut whole, mut left) = (if done >= at { at } else { 0 }, 0);
    while let Some(length) = buffer.get(at + 8..at + 12) {
        let length = length.try_into().map_or(0, u32::from_le_bytes);
        at += HEADER + length as usize;
        match at <= done {
            true => whole = at,
            false => left += 1,
        }
    }
    (whole, left)
}

fn open_error(path: &Path, source: io::Error) -> CaptureError {
    CaptureError::Open {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::pcap::CaptureFile;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let mut output = CaptureOutput::open(&Destination::File(path.clone())).unwrap();
        for number in 0..5000_u32 {
            let frame = vec![number as u8; 60 + number as usize % 1400];
            output
                .frame(1_800_000_000_000_000_000 + i64::from(number), &frame)
                .unwrap();
        }
        output.flush().unwrap();
        assert_eq!(output.bytes(), std::fs::metadata(&path).unwrap().len());
        let mut file = CaptureFile::open(&path).unwrap();
        let mut count = 0;
        while let Some(frame) = file.next().unwrap() {
            assert_eq!(frame.time_ns, 1_800_000_000_000_000_000 + count);
            assert_eq!(frame.bytes.len(), 60 + count as usize % 1400);
            count += 1;
        }
        assert_eq!(count, 5000);
        assert!(matches!(
            output.frame(-1, &[0; 60]),
            Err(CaptureError::Time)
        ));
        assert!(matches!(
            output.frame(i64::MAX, &[0; 60]),
            Err(CaptureError::Time)
        ));
    }

    #[test]
    fn a_disk_that_is_full_is_said() {
        let full = Path::new("/dev/full");
        let mut output = CaptureOutput::open(&Destination::File(full.to_owned())).unwrap();
        let mut taken = 0;
        let error = loop {
            match output.frame(0, &[0; 1000]) {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
        };
        assert!(taken > 100);
        assert!(
            matches!(&error, CaptureError::Write { frames: 0, .. }),
            "{error}"
        );
    }

    #[test]
    fn only_whole_frames_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.pcap");
        let mut output = CaptureOutput::open(&Destination::File(path)).unwrap();
        for _ in 0..3 {
            output.frame(0, &[7; 100]).unwrap();
        }
        let check = |done, expected| {
            assert_eq!(whole_frames(&output.buffer, done, true), expected, "{done}");
        };
        check(0, (0, 3));
        check(24, (24, 3));
        check(139, (24, 3));
        check(140, (140, 2));
        check(371, (256, 1));
        check(372, (372, 0));
    }
}
