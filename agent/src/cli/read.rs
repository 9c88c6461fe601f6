//! `tapline read`: the same pipeline over capture files.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;
use crate::exit::Exit;

/// What `tapline read` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadArguments {
    /// What to read, in this order; at least one.
    pub sources: Vec<CaptureSource>,
    /// Stop after this time, counted by the packets' own clock from the first one.
    pub duration: Option<Duration>,
    /// Stop after this many packets.
    pub packets: Option<u64>,
    /// Write the result as one JSON document to stdout when it ends. Lines go elsewhere then.
    pub json: bool,
}

/// Where a capture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureSource {
    /// Standard input; once at the most.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Reads captures and writes their lines.
///
/// # Errors
/// A capture cannot be read to its end, or lines cannot be written.
pub fn read(_config: Config, _arguments: ReadArguments) -> anyhow::Result<Exit> {
    Err(anyhow::anyhow!("tapline read is not wired yet"))
}
