//! The first lines of `tapline run`.

use crate::capture::hooks::Hooks;
use crate::capture::programs;
use crate::config::{Config, LogFormat, LogOutput};
use crate::diagnostics;
use crate::server::Server;

/// The first lines: where it sits, where lines go, how to stop it.
pub(super) fn greet(config: &Config, hooks: &Hooks, server: &Server) {
    let place = match &config.log.output {
        LogOutput::Stdout => "stdout".to_owned(),
        LogOutput::Folder(folder) => folder
            .canonicalize()
            .unwrap_or_else(|_| folder.clone())
            .join(file_names(config))
            .display()
            .to_string(),
    };
    let where_it_sits = if hooks.is_empty() {
        "nothing yet: waiting for the interface to appear".to_owned()
    } else {
        hooks.describe()
    };
    let pages = match server.address() {
        Some(address) => format!("; dashboard at http://{address}/, metrics at /metrics"),
        None => String::new(),
    };
    let places = config.capture.flows;
    let memory = programs::table_bytes(places, hooks.programs().counts_flows()) >> 20;
    let greeting = format!(
        "tapline captures on {where_it_sits}\n\
         at most {places} connections are followed at once, in {memory} MiB of the kernel's memory\n\
         lines go to {place}{pages}; stop with Ctrl-C (process {})\n",
        std::process::id()
    );
    diagnostics::tell(&greeting);
}

/// The names of the files that are written. One a kind of head is for formats of a line a head.
fn file_names(config: &Config) -> &'static str {
    match config.log.format {
        LogFormat::Classic | LogFormat::Json if config.log.split => {
            "http-{CQ,CR,SQ,SR}-YYYYMMDD.log"
        }
        LogFormat::Zeek if config.sessions.enabled => "{http,conn}-YYYYMMDD.log",
        _ => "http-YYYYMMDD.log",
    }
}
