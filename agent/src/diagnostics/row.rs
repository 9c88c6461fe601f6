//! The row of a terminal that is written anew every so often: who writes a line to stderr clears it first,
//! or the line would stand behind it. Nobody waits for long for a stderr that takes nothing: what is said is of
//! less worth than what the program is there for, and than its end.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::pipe::{PIECE, Room, room};

/// Return to the begin of the row, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// How long the first line waits for room; those behind it, until there is some, do not wait.
const PATIENCE: Duration = Duration::from_millis(500);

/// The row of this process's stderr.
static ROW: Row = Row(AtomicBool::new(false));

/// Writes `text` into the row, in the place of what is there. Only where stderr is a terminal.
pub fn show(text: &str) {
    // A terminal that is gone is no reason to stop. Here and below the lock of stderr keeps others away
    // between the row and the note that it is there.
    drop(ROW.show(&mut Patient::new(io::stderr().lock(), &FULL), text));
}

/// Leaves the row empty.
pub fn clear() {
    drop(line(""));
}

/// Writes a line to stderr, with its end, where the row was.
///
/// # Errors
/// Stderr is gone, or full: [`WouldBlock`](io::ErrorKind::WouldBlock).
pub fn line(text: &str) -> io::Result<()> {
    ROW.line(&mut Patient::new(io::stderr().lock(), &FULL), text)
}

/// Whether this process's stderr took nothing when it was last tried.
static FULL: AtomicBool = AtomicBool::new(false);

/// A stream that may be a pipe which nobody reads.
struct Patient<'a, W> {
    output: W,
    full: &'a AtomicBool,
}

impl<'a, W: Write + AsFd> Patient<'a, W> {
    const fn new(output: W, full: &'a AtomicBool) -> Self {
        Self { output, full }
    }
}

impl<W: Write + AsFd> Write for Patient<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wait = match self.full.load(Ordering::Relaxed) {
            true => Duration::ZERO,
            false => PATIENCE,
        };
        let is_full = room(self.output.as_fd(), wait) == Room::None;
        self.full.store(is_full, Ordering::Relaxed);
        match is_full {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => self.output.write(&bytes[..bytes.len().min(PIECE)]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Whether there is something in the row.
struct Row(AtomicBool);

impl Row {
    fn show(&self, output: &mut impl Write, text: &str) -> io::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        output.write_all(format!("{CLEAR}{text} ").as_bytes())?;
        output.flush()
    }

    fn line(&self, output: &mut impl Write, text: &str) -> io::Result<()> {
        if self.0.swap(false, Ordering::Relaxed) {
            output.write_all(CLEAR.as_bytes())?;
        }
        output.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_is_waited_for_once() {
        let (mut reader, writer) = io::pipe().unwrap();
        let full = AtomicBool::new(false);
        let mut output = Patient::new(writer, &full);
        let line = [b'x'; PIECE];
        let mut taken = 0;
        while output.write(&line).is_ok_and(|count| count == PIECE) {
            taken += 1;
        }
        assert!(taken > 0 && full.load(Ordering::Relaxed));
        let begun = Instant::now();
        for _ in 0..100 {
            let error = output.write_all(&line).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        assert!(begun.elapsed() < 100 * PATIENCE / 2);
        reader.read_exact(&mut [0; 2 * PIECE]).unwrap();
        // Longer than what a pipe takes at once.
        output.write_all(&[b'y'; PIECE + 1]).unwrap();
        assert!(!full.load(Ordering::Relaxed));
    }

    #[test]
    fn a_line_takes_the_place_of_the_row_once() {
        let row = Row(AtomicBool::new(false));
        let mut output = Vec::new();
        row.line(&mut output, "first\n").unwrap();
        row.show(&mut output, "1 packet").unwrap();
        row.show(&mut output, "2 packets").unwrap();
        row.line(&mut output, "second\n").unwrap();
        row.line(&mut output, "third\n").unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "first\n\r\x1b[K1 packet \r\x1b[K2 packets \r\x1b[Ksecond\nthird\n"
        );
    }
}
