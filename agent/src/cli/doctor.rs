//! `tapline doctor`: what this host allows.

use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::config::Config;
use crate::exit::Exit;
use crate::host::doctor::{Report, can_capture, examine, to_text};

/// What `tapline doctor` is told beside its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoctorArguments {
    /// Write the result as one JSON document to stdout.
    pub json: bool,
}

/// Says what this host allows, and what to do about what it does not.
///
/// # Errors
/// The result cannot be written.
pub fn doctor(_config: Config, arguments: DoctorArguments) -> anyhow::Result<Exit> {
    let checks = examine();
    if arguments.json {
        super::write_result(&Report::new(&checks))?;
    } else {
        io::stdout()
            .write_all(to_text(&checks).as_bytes())
            .context("cannot write to stdout")?;
    }
    Ok(if can_capture(&checks) {
        Exit::Done
    } else {
        Exit::Failed
    })
}
