//! Tests that cannot run here say so.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Notes that the test `name` was left out and why, in the file that TAPLINE_LEFT_OUT names (where
/// it names none, on stderr). The test returns afterwards.
///
/// # Panics
/// The file cannot be written.
pub fn leave_out(name: &str, reason: &str) {
    match std::env::var_os("TAPLINE_LEFT_OUT") {
        Some(path) => {
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
            writeln!(file, "{name}: {reason}").unwrap();
        }
        None => drop(writeln!(std::io::stderr(), "left out: {name}: {reason}")),
    }
}
