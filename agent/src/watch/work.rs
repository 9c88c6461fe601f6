//! The thread that follows: rounds of reading, an analysis every few seconds, and the report file,
//! rewritten whole.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::demo::{Demo, PAUSE_S};
use super::engine::{Engine, Round};
use super::follow::Event;
use crate::analysis::insight::{self, Insight};
use crate::analysis::language::Language;
use crate::analysis::output::classic;
use crate::analysis::report::Report;
use crate::sink::RecordSink;

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What the thread works with.
pub struct Work {
    /// What follows and counts.
    pub engine: Engine,
    /// Where records go.
    pub store: Box<dyn RecordSink + Send>,
    /// How often it analyses.
    pub interval: Duration,
    /// The file of the report; `None`: none is written.
    pub report: Option<PathBuf>,
    /// In which language.
    pub language: Language,
    /// The sample log that it writes.
    pub demo: Option<Demo>,
    /// Takes each report.
    pub show: Box<dyn FnMut(Report, Vec<Insight>) + Send>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Done {
    /// Lines that were read.
    pub lines: u64,
    /// Requests that were not stored, because of their time.
    pub not_stored: u64,
    /// Analyses that were made.
    pub analyses: u64,
}

impl Work {
    /// Works until the other end of `stop` is gone, then takes what is there, analyses once more and
    /// gives the store back.
    pub fn run(mut self, stop: &Receiver<()>) -> (Done, Box<dyn RecordSink + Send>) {
        let mut done = Done::default();
        let mut next_analysis = Instant::now();
        let mut next_line = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next_line {
                next_line = now + Duration::from_secs(PAUSE_S);
                self.write_line();
            }
            let more = self.round(now);
            let now = Instant::now();
            if now >= next_analysis {
                next_analysis = now + self.interval;
                self.analyse();
                done.analyses += 1;
            }
            let wait = match more {
                true => Duration::ZERO,
                false => LOOK.min(next_analysis.saturating_duration_since(Instant::now())),
            };
            match stop.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // What is there is taken, but nobody waits for a file that grows for ever.
        let until = Instant::now() + Duration::from_secs(5);
        while self.round(Instant::now()) && Instant::now() < until {}
        let store = &mut self.store;
        self.engine
            .end(Timestamp::now(), &mut |batch| store.offer(&batch));
        self.analyse();
        done.analyses += 1;
        done.lines = self.engine.lines();
        done.not_stored = self.engine.not_stored();
        (done, self.store)
    }

    fn round(&mut self, now: Instant) -> bool {
        let store = &mut self.store;
        let round = self
            .engine
            .round(now, Timestamp::now(), &mut |batch| store.offer(&batch));
        say(&round);
        round.more
    }

    fn write_line(&mut self) {
        let written = match &mut self.demo {
            Some(demo) => demo.append(Timestamp::now()),
            None => return,
        };
        match written {
            Ok(line) => tracing::debug!(line, "a line of the sample log"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the sample log cannot be written to"
            ),
        }
    }

    fn analyse(&mut self) {
        let report = self.engine.report();
        let insights = insight::find(&report);
        if let Some(path) = &self.report {
            let text = classic(&report, &insights, self.language);
            if let Err(error) = replace(path, text.as_bytes()) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    path = %path.display(),
                    "the report cannot be written"
                );
            }
        }
        (self.show)(report, insights);
    }
}

/// Says what was noticed at the files.
pub(crate) fn say(round: &Round) {
    for (path, event) in &round.events {
        let path = path.display();
        match event {
            Event::Opened => tracing::info!(%path, "follows"),
            Event::Missing => tracing::warn!(%path, "is not there; it is waited for"),
            Event::Renamed => tracing::info!(%path, "was renamed; the new one is followed"),
            Event::Truncated { lost: false } => {
                tracing::info!(%path, "was truncated; it is read from its beginning");
            }
            Event::Truncated { lost: true } => tracing::warn!(
                %path,
                "was truncated, and no copy of it was found: lines since the last look may be missing"
            ),
        }
    }
    for (path, why) in &round.passed {
        let path = path.display();
        tracing::warn!(%path, why, "matches a pattern and is passed over");
    }
    for (path, problem) in &round.problems {
        let path = path.display();
        tracing::error!(%path, problem, "cannot be read; it is tried again");
    }
}

/// Writes the file anew, so that readers see the old one or the new one, whole.
///
/// # Errors
/// The folder cannot be written to.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    // One that is there is of a process of our number that was killed; a link is not followed.
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let written = File::create_new(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        drop(fs::remove_file(&temporary));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.txt");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("no/report.txt"), b"x").is_err());
    }
}
