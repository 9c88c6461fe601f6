//! What a program that was run to its end said.

use std::process::{Command, Output};

/// Runs it; its code, and what it wrote to stdout and stderr.
pub(crate) fn output(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}
