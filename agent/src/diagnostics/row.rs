//! The row of a terminal that is written anew every so often: who writes a line to stderr clears it first,
//! or the line would stand behind it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Return to the begin of the row, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// The row of this process's stderr.
static ROW: Row = Row(AtomicBool::new(false));

/// Writes `text` into the row, in the place of what is there. Only where stderr is a terminal.
pub fn show(text: &str) {
    // A terminal that is gone is no reason to stop. Here and below the lock of stderr keeps others away
    // between the row and the note that it is there.
    drop(ROW.show(&mut io::stderr().lock(), text));
}

/// Leaves the row empty.
pub fn clear() {
    drop(ROW.line(&mut io::stderr().lock(), ""));
}

/// Writes a line to stderr, with its end, where the row was.
///
/// # Errors
/// Stderr is gone, or full.
pub fn line(text: &str) -> io::Result<()> {
    ROW.line(&mut io::stderr().lock(), text)
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
    use super::*;

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
