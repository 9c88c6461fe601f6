//! `tapline doctor`: what this host allows.

use crate::config::Config;
use crate::exit::Exit;

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
pub fn doctor(_config: Config, _arguments: DoctorArguments) -> anyhow::Result<Exit> {
    Err(anyhow::anyhow!("tapline doctor is not wired yet"))
}
