//! What the commands say to the person in front of them: lines on stderr, results on stdout.

use std::{fmt, io::Write as _};

/// Writes one line of progress to stderr. A closed stderr is no reason to stop.
pub(crate) fn say(line: impl fmt::Display) {
    writeln!(std::io::stderr().lock(), "xtask: {line}").ok();
}

/// Writes one line of a result to stdout. A closed pipe (`| head`) is no reason to stop.
pub(crate) fn print(line: impl fmt::Display) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .ok();
}
