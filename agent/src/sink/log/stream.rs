//! Lines to standard output, or to any other stream that cannot be renamed.

use std::{
    fs::File,
    io::{self, Write as _},
    thread,
    time::Duration,
};

use super::{frame::Frame, names::Topic};

/// How long to wait for a reader when the stream was made non-blocking by somebody else.
const PAUSE: Duration = Duration::from_millis(1);

/// A stream that whole lines go to.
#[derive(Debug)]
pub(super) struct Stream {
    file: File,
    /// The last line that got out is not whole.
    torn: bool,
    frame: Frame,
    framed: bool,
}

impl Stream {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            torn: false,
            frame: Frame::None,
            framed: false,
        }
    }

    /// The same with `frame` around its lines.
    pub(super) fn framed(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// Writes what ends the lines.
    pub(super) fn end(&mut self) {
        if self.framed && !self.torn {
            // For the reader's comfort: one that went away does not miss it.
            let _written = write_all(&mut self.file, &self.frame.end());
        }
    }

    /// Writes lines. Gives how many bytes of whole lines got out, and what stopped it.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        if self.torn {
            // What got out of the broken line cannot be taken back: it is ended here.
            if let (_, Some(error)) = write_all(&mut self.file, b"\n") {
                return (0, Some(error));
            }
            self.torn = false;
        }
        if !self.framed {
            let begin = self.frame.begin(Topic::Http);
            if let (written, Some(error)) = write_all(&mut self.file, &begin) {
                self.torn = written > 0;
                return (0, Some(error));
            }
            self.framed = true;
        }
        let (written, error) = write_all(&mut self.file, lines);
        let whole = whole_lines(&lines[..written]);
        self.torn = written > whole;
        (whole, error)
    }
}

/// The length of the whole lines in `bytes`.
pub(super) fn whole_lines(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)
}

/// Writes all, and says how much of it got out before an error.
pub(super) fn write_all(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, os::fd::OwnedFd};

    use super::*;

    #[test]
    fn a_closed_pipe_is_told_by_its_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut stream = Stream::new(File::from(OwnedFd::from(writer)));
        assert!(matches!(stream.write(b"one\n"), (4, None)));
        drop(reader);
        let (whole, error) = stream.write(b"two\n");
        assert_eq!(whole, 0);
        assert_eq!(error.unwrap().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_broken_line_is_ended_before_the_next() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut stream = Stream::new(File::from(OwnedFd::from(writer)));
        assert!(matches!(stream.write(b"one\ntw"), (4, None)));
        assert!(matches!(stream.write(b"three\n"), (6, None)));
        drop(stream);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntw\nthree\n");
    }
}
