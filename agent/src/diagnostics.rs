//! What the program says about itself: `tracing` events, one line each, as text or JSON, to stderr or
//! to a file of bounded size.
//!
//! ```text
//! event ─► level? ─► said too often? ─► line ─► stderr | file
//!                         └► counted; said once when the ten seconds are over
//! ```
//!
//! - Our own events are said from the configured level on, those of libraries from `warn` on, unless
//!   the level is `trace`.
//! - More than twenty events of one place in the code within ten seconds are
//!   counted and not said. `debug` and `trace` are never held back: who asks for them wants all.
//! - An error given as a field (`error = &error as &dyn std::error::Error`) is said with its causes.
//! - Control characters in messages and fields are escaped: they may come from the wire.
//! - Spans are not shown; say in the event what it is about.

mod file;
mod layer;
mod line;
mod repeats;
pub mod row;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::DiagnosticsConfig;
use crate::exit::{Exit, OneLine};
use file::RotatedFile;
use layer::{Output, Sayer, SayingLayer};

/// Diagnostics cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum DiagnosticsError {
    /// The file cannot be opened.
    #[error("cannot open the diagnostics file {}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The process has diagnostics already.
    #[error("diagnostics have begun already")]
    Twice,
}

/// The diagnostics of this process: there is one subscriber for all of it, so there is one of these.
static RUNNING: OnceLock<Arc<Sayer>> = OnceLock::new();

/// Keeps diagnostics running; what is still held back is said when it is dropped.
#[must_use = "what is held back is said when this is dropped"]
pub struct Diagnostics {
    sayer: Arc<Sayer>,
}

/// Begins diagnostics for the whole process.
///
/// # Errors
/// The file cannot be opened, or diagnostics have begun already.
pub fn start(config: &DiagnosticsConfig) -> Result<Diagnostics, DiagnosticsError> {
    let output = match &config.file {
        None => Output::Stderr { unsaid: 0 },
        Some(path) => {
            Output::File(
                RotatedFile::open(path).map_err(|source| DiagnosticsError::Open {
                    path: path.clone(),
                    source,
                })?,
            )
        }
    };
    let sayer = Arc::new(Sayer::new(config.format, output));
    let layer = SayingLayer::new(config.level, Arc::clone(&sayer));
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .or(Err(DiagnosticsError::Twice))?;
    RUNNING
        .set(Arc::clone(&sayer))
        .or(Err(DiagnosticsError::Twice))?;
    Ok(Diagnostics { sayer })
}

/// Tells whoever started the program how it begins and ends, in whole lines: where diagnostics go to stderr as
/// text, as they are; else each is a message of level `info`. Who wants no such messages is told nothing.
pub fn tell(text: &str) {
    if !tracing::enabled!(target: "tapline", tracing::Level::INFO) {
        return;
    }
    if let Some(sayer) = RUNNING.get() {
        sayer.tell(text);
    }
}

/// Says what was held back and whose time is over. Also done with every event; a program that has a
/// timer calls it, so that the last flood is told of in time.
pub fn tick() {
    if let Some(sayer) = RUNNING.get() {
        sayer.say_due(Instant::now());
    }
}

/// Opens the file of the diagnostics anew, for one that was moved away (SIGHUP). Nothing to do where
/// they go to stderr.
///
/// # Errors
/// The file cannot be opened; the old one stays in use.
pub fn reopen() -> std::io::Result<()> {
    RUNNING.get().map_or(Ok(()), |sayer| sayer.reopen())
}

impl Diagnostics {
    /// Says why the program failed, where diagnostics go to a file: stderr gets it in any case (see
    /// [`report`](crate::exit::report)).
    pub fn failed(&self, error: &anyhow::Error) {
        if self.sayer.is_file() && Exit::of(error) != Exit::Done {
            tracing::error!("{}", OneLine(error));
        }
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        self.sayer.say_all();
    }
}

impl std::fmt::Debug for Diagnostics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Diagnostics")
            .finish_non_exhaustive()
    }
}
