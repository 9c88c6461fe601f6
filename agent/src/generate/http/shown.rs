//! How far a run is: a line that is written over on a terminal, one every ten seconds elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::load::Live;

/// Elsewhere than on a terminal a line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Says on stderr how far a run is.
#[derive(Debug)]
pub struct Shown {
    bar: Option<ProgressBar>,
    is_quiet: bool,
    begun: Instant,
    /// When the last line was written or drawn, and the answers by then.
    last: (Instant, u64),
}

impl Shown {
    /// Of a run that lasts so long, if that is known.
    #[must_use]
    pub fn new(duration: Option<Duration>, is_quiet: bool) -> Self {
        let begun = Instant::now();
        let bar = (!is_quiet && io::stderr().is_terminal()).then(|| bar(duration));
        Self {
            bar,
            is_quiet,
            begun,
            last: (begun, 0),
        }
    }

    /// To be called a few times a second.
    pub fn tick(&mut self, live: &Live) {
        if self.is_quiet {
            return;
        }
        let now = Instant::now();
        let every = match self.bar {
            Some(_) => Duration::from_millis(500),
            None => LINE_EVERY,
        };
        if now - self.last.0 < every {
            return;
        }
        let answered = live.answered.load(Relaxed);
        let seconds = (now - self.last.0).as_secs_f64();
        let rate = answered.saturating_sub(self.last.1) as f64 / seconds;
        self.last = (now, answered);
        let line = line(answered, live.failed.load(Relaxed), now - self.begun, rate);
        match &self.bar {
            Some(bar) => {
                let milliseconds = (now - self.begun).as_millis();
                bar.set_position(u64::try_from(milliseconds).unwrap_or(u64::MAX));
                bar.set_message(line);
            }
            // Where stderr is gone there is nobody to tell.
            None => drop(writeln!(io::stderr().lock(), "tapline: {line}")),
        }
    }

    /// Takes the line away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(duration: Option<Duration>) -> ProgressBar {
    let (bar, template) = match duration {
        Some(duration) => {
            let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            (ProgressBar::new(milliseconds), "{bar:30} {msg}")
        }
        None => (ProgressBar::no_length(), "{spinner} {msg}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn line(answered: u64, failed: u64, elapsed: Duration, rate: f64) -> String {
    let seconds = elapsed.as_secs_f64();
    format!("{answered} answers in {seconds:.0} s, {rate:.0}/s now, {failed} failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line() {
        assert_eq!(
            line(12_345, 6, Duration::from_secs(10), 1234.4),
            "12345 answers in 10 s, 1234/s now, 6 failed"
        );
    }
}
