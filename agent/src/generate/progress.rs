//! How far a run is: a bar on a terminal, a line every ten seconds elsewhere, nothing when quiet.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Elsewhere than on a terminal a line is written this often.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Says on stderr how far a run is.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    total: Option<u64>,
    begun: Instant,
    next: Instant,
    records: u64,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Of a run with so many records, if that is known. `is_shown`: whether anything is to be said;
    /// where other lines go to the terminal a bar would be among them.
    #[must_use]
    pub fn new(total: Option<u64>, is_shown: bool) -> Self {
        let shown = match (is_shown, io::stderr().is_terminal()) {
            (false, _) => Shown::Nothing,
            (true, true) => Shown::Bar(bar(total)),
            (true, false) => Shown::Lines,
        };
        let begun = Instant::now();
        Self {
            shown,
            total,
            begun,
            next: begun + LINE_EVERY,
            records: 0,
        }
    }

    /// So many records more were handed over.
    #[inline]
    pub fn add(&mut self, records: u64) {
        self.records += records;
        if let Shown::Bar(bar) = &self.shown {
            // Drawn by a thread of its own, ten times a second.
            bar.inc(records);
            return;
        }
        self.glance();
    }

    /// To be called when there is time: says the line that is due.
    pub fn glance(&mut self) {
        if !matches!(self.shown, Shown::Lines) {
            return;
        }
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + LINE_EVERY;
        let line = line(self.records, self.total, now - self.begun);
        // Where stderr is gone there is nobody to tell.
        drop(io::stderr().lock().write_all(line.as_bytes()));
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        self.shown = Shown::Nothing;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{wide_bar} {human_pos}/{human_len} records, {per_sec}, {eta} left",
        ),
        None => (
            ProgressBar::no_length(),
            "{spinner} {human_pos} records, {per_sec}, {elapsed}",
        ),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn line(records: u64, total: Option<u64>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let rate = records as f64 / seconds.max(1e-9);
    let of = total
        .map(|total| format!(" of {total}"))
        .unwrap_or_default();
    format!("tapline: {records}{of} records in {seconds:.0} s, {rate:.0}/s\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let check = |records, total, seconds, expected: &str| {
            assert_eq!(line(records, total, Duration::from_secs(seconds)), expected);
        };
        check(
            500,
            Some(1000),
            10,
            "tapline: 500 of 1000 records in 10 s, 50/s\n",
        );
        check(0, None, 0, "tapline: 0 records in 0 s, 0/s\n");
    }

    #[test]
    fn every_record_is_counted() {
        let mut progress = Progress::new(Some(10), false);
        for count in [1, 0, 1000] {
            progress.add(count);
        }
        assert_eq!(progress.records, 1001);
    }
}
