//! The `tracing` layer: takes events, asks whether they were said too often, writes lines.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::file::RotatedFile;
use super::line::Said;
use super::repeats::{Repeats, Suppressed, WINDOW};
use super::row;
use crate::config::{DiagnosticsFormat, Level as ConfigLevel};

/// Where lines go.
#[derive(Debug)]
pub(super) enum Output {
    Stderr {
        /// Messages that found no room there since the last one that did.
        unsaid: u64,
    },
    File(RotatedFile),
    #[cfg(test)]
    Memory(Arc<Mutex<String>>),
}

/// Decides what is said and writes it. Shared by the layer and by the handle of the program.
#[derive(Debug)]
pub(super) struct Sayer {
    format: DiagnosticsFormat,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    output: Output,
    repeats: Repeats<Place>,
}

/// A place in the code that says something.
#[derive(Clone, Copy, Debug)]
struct Place(&'static Metadata<'static>);

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.callsite() == other.callsite()
    }
}

impl Eq for Place {}

impl std::hash::Hash for Place {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.callsite().hash(state);
    }
}

impl Place {
    fn callsite(self) -> Identifier {
        self.0.callsite()
    }
}

impl Sayer {
    pub(super) fn new(format: DiagnosticsFormat, output: Output) -> Self {
        let repeats = Repeats::new();
        Self {
            format,
            state: Mutex::new(State { output, repeats }),
        }
    }

    /// Says an event, unless its place has spoken too often.
    fn say(&self, event: &Event<'_>, now: Instant) {
        let metadata = event.metadata();
        // Before the lock: what formats a field may say something itself.
        let said = Said::of(event);
        let state = &mut *self.lock();
        self.say_suppressed(&mut state.output, state.repeats.due(now));
        let example = || said.message.clone();
        if *metadata.level() <= Level::INFO && !state.repeats.say(Place(metadata), now, example) {
            return;
        }
        self.write(&mut state.output, &said, metadata);
    }

    /// Says how many were held back, for windows that are over.
    pub(super) fn say_due(&self, now: Instant) {
        let state = &mut *self.lock();
        self.say_suppressed(&mut state.output, state.repeats.due(now));
    }

    /// Says how many were held back, for all windows.
    pub(super) fn say_all(&self) {
        let state = &mut *self.lock();
        self.say_suppressed(&mut state.output, state.repeats.all());
    }

    fn say_suppressed(&self, output: &mut Output, suppressed: Vec<Suppressed<Place>>) {
        for Suppressed {
            key: Place(metadata),
            count,
            example,
        } in suppressed
        {
            let seconds = WINDOW.as_secs();
            let said = Said::plain(format!(
                "suppressed {count} more within {seconds} s of: {example}"
            ));
            self.write(output, &said, metadata);
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.lock().output, Output::File(_))
    }

    pub(super) fn reopen(&self) -> io::Result<()> {
        match &mut self.lock().output {
            Output::File(file) => file.reopen(),
            _ => Ok(()),
        }
    }

    /// Writes whole lines: as they are where a person reads them, else each as a message of level `info`.
    pub(super) fn tell(&self, text: &str) {
        let output = &mut self.lock().output;
        if let Output::Stderr { unsaid } = output
            && self.format == DiagnosticsFormat::Text
        {
            // Where stderr is gone or full there is nobody to tell.
            drop(self.to_stderr(unsaid, text));
            return;
        }
        for line in text.lines() {
            let said = Said::plain(line.to_owned());
            self.write_as(output, &said, Level::INFO, "tapline");
        }
    }

    fn write(&self, output: &mut Output, said: &Said, metadata: &Metadata<'_>) {
        self.write_as(output, said, *metadata.level(), metadata.target());
    }

    fn write_as(&self, output: &mut Output, said: &Said, level: Level, target: &str) {
        let line = said.line(self.format, Timestamp::now(), level, target);
        // There is no place left to say that this failed.
        drop(match output {
            Output::Stderr { unsaid } => self.to_stderr(unsaid, &line),
            Output::File(file) => file.write(line.as_bytes()),
            #[cfg(test)]
            Output::Memory(lines) => {
                lines.lock().unwrap().push_str(&line);
                Ok(())
            }
        });
    }

    /// Writes to stderr, behind a word on what found no room there before.
    fn to_stderr(&self, unsaid: &mut u64, text: &str) -> io::Result<()> {
        let missing = match *unsaid {
            0 => String::new(),
            count => {
                let said = format!("{count} messages before this one found no room on stderr");
                let said = Said::plain(said);
                said.line(self.format, Timestamp::now(), Level::WARN, "tapline")
            }
        };
        let written = row::line(&format!("{missing}{text}"));
        *unsaid = match &written {
            Ok(()) => 0,
            Err(_) => *unsaid + 1,
        };
        written
    }

    /// A panic while writing leaves nothing half done that matters here.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer that hands events to a [`Sayer`].
pub(super) struct SayingLayer {
    /// The level of our own events.
    ours: LevelFilter,
    /// The level of the events of libraries.
    others: LevelFilter,
    sayer: Arc<Sayer>,
}

impl SayingLayer {
    pub(super) fn new(level: ConfigLevel, sayer: Arc<Sayer>) -> Self {
        let (ours, others) = match level {
            ConfigLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
            ConfigLevel::Warn => (LevelFilter::WARN, LevelFilter::WARN),
            ConfigLevel::Info => (LevelFilter::INFO, LevelFilter::WARN),
            ConfigLevel::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
            ConfigLevel::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
        };
        Self {
            ours,
            others,
            sayer,
        }
    }
}

impl<S: Subscriber> Layer<S> for SayingLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        let is_ours = metadata
            .target()
            .strip_prefix("tapline")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        let least = if is_ours { self.ours } else { self.others };
        *metadata.level() <= least
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.ours.max(self.others))
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        self.sayer.say(event, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::{Output, Sayer, SayingLayer};
    use crate::config::{DiagnosticsFormat, Level};
    use crate::diagnostics::repeats::OFTEN;

    /// What is written while `work` runs, without the time in front.
    fn said(level: Level, work: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(String::new()));
        let output = Output::Memory(Arc::clone(&lines));
        let sayer = Arc::new(Sayer::new(DiagnosticsFormat::Text, output));
        let layer = SayingLayer::new(level, Arc::clone(&sayer));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, work);
        sayer.say_all();
        let lines = lines.lock().unwrap();
        let without_time = |line: &str| line.split_once(' ').unwrap().1.trim_start().to_owned();
        lines.lines().map(without_time).collect()
    }

    fn every_level() {
        tracing::error!("1");
        tracing::warn!("2");
        tracing::info!("3");
        tracing::debug!("4");
        tracing::trace!("5");
        tracing::warn!(target: "aya::maps", "6");
        tracing::info!(target: "taplines", "7");
    }

    #[test]
    fn levels() {
        let check = |level: Level, expected: &[&str]| {
            assert_eq!(said(level, every_level), expected, "{level:?}");
        };
        check(Level::Error, &["ERROR 1"]);
        check(Level::Warn, &["ERROR 1", "WARN 2", "WARN 6"]);
        check(Level::Info, &["ERROR 1", "WARN 2", "INFO 3", "WARN 6"]);
        check(
            Level::Debug,
            &["ERROR 1", "WARN 2", "INFO 3", "DEBUG 4", "WARN 6"],
        );
        let all = [
            "ERROR 1", "WARN 2", "INFO 3", "DEBUG 4", "TRACE 5", "WARN 6", "INFO 7",
        ];
        check(Level::Trace, &all);
    }

    #[test]
    fn an_error_is_said_with_its_causes() {
        let cause = io::Error::other("no room\nleft");
        let error = crate::config::ConfigError::Unreadable {
            path: "x".into(),
            source: cause,
        };
        let lines = said(Level::Info, || {
            let error: &dyn Error = &error;
            tracing::error!(error, lost = 3_u64, whole = false, "cannot go on");
        });
        let expected = "ERROR cannot go on error=\"cannot read the configuration file x: no room\\nleft\" lost=3 whole=false";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn a_flood_is_told_of_once() {
        let lines = said(Level::Info, || {
            for number in 0..100 {
                tracing::warn!(number, "cannot write");
            }
            tracing::warn!("of another place");
        });
        assert_eq!(lines.len(), OFTEN as usize + 2);
        assert_eq!(lines[0], "WARN cannot write number=0");
        assert_eq!(lines[OFTEN as usize], "WARN of another place");
        let last = format!(
            "WARN suppressed {} more within 10 s of: cannot write",
            100 - OFTEN
        );
        assert_eq!(lines.last(), Some(&last));
    }

    #[test]
    fn what_is_told_is_a_message_a_line_where_it_is_no_text_for_a_person() {
        let lines = Arc::new(Mutex::new(String::new()));
        let output = Output::Memory(Arc::clone(&lines));
        let sayer = Sayer::new(DiagnosticsFormat::Json, output);
        sayer.tell("tapline captures on lo\nlines go to stdout\n");
        let lines = lines.lock().unwrap();
        let said: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let messages: Vec<&str> = said
            .iter()
            .filter_map(|line| line["message"].as_str())
            .collect();
        assert_eq!(messages, ["tapline captures on lo", "lines go to stdout"]);
        assert_eq!(said[0]["level"], "info");
    }

    #[test]
    fn who_asks_for_details_gets_them_all() {
        let lines = said(Level::Debug, || (0..100).for_each(|_| tracing::debug!("x")));
        assert_eq!(lines.len(), 100);
    }

    #[test]
    fn what_speaks_while_it_is_formatted_does_not_lock_up() {
        struct Talkative;
        impl std::fmt::Debug for Talkative {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                tracing::info!("inner");
                formatter.write_str("talkative")
            }
        }
        let lines = said(Level::Info, || tracing::info!(who = ?Talkative, "outer"));
        assert_eq!(
            lines.last().map(String::as_str),
            Some("INFO outer who=talkative")
        );
    }
}
