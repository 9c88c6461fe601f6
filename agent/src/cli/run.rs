//! `tapline run`: capture on the interfaces of this host.

use std::time::Duration;

use crate::config::Config;
use crate::exit::Exit;

/// What `tapline run` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunArguments {
    /// Stop after this time; `None`: when told to.
    pub duration: Option<Duration>,
    /// Stop after this many packets; `None`: when told to.
    pub packets: Option<u64>,
    /// Write the result as one JSON document to stdout when it ends. Lines go elsewhere then.
    pub json: bool,
}

/// Captures until told to stop, or until `arguments` say so.
///
/// # Errors
/// Capture cannot begin, or cannot go on.
pub fn run(_config: Config, _arguments: RunArguments) -> anyhow::Result<Exit> {
    Err(anyhow::anyhow!("tapline run is not wired yet"))
}
