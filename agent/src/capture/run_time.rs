//! How long the kernel programs run: BPF statistics, measured for a second of every minute.
//!
//! While they are on, the kernel reads two clocks for each run of each program on the host, which costs more
//! than some programs do. So they are on for a sixtieth of the time, and what they say is taken for all of
//! it. The kernel asks for CAP_SYS_ADMIN each time.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use aya::sys::{Stats, enable_stats};

use super::programs::{Programs, Ran};
use crate::server::Program;

/// From the begin of one measurement to that of the next.
const EVERY: Duration = Duration::from_secs(60);

/// How long one takes, at the least.
const TAKES: Duration = Duration::from_secs(1);

/// Measures, and sums up.
#[derive(Debug)]
pub struct RunTimes {
    /// While statistics are on, and what the programs had run before.
    running: Option<(OwnedFd, Ran)>,
    /// When the last measurement began.
    begun: Option<Instant>,
    /// The end of the last one, up to which the sums are.
    until: Instant,
    /// Seconds and runs.
    estimated: BTreeMap<String, (f64, f64)>,
    /// It was said that it cannot be.
    given_up: bool,
}

impl RunTimes {
    /// Nothing yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            running: None,
            begun: None,
            until: now,
            estimated: BTreeMap::new(),
            given_up: false,
        }
    }

    /// Begins or ends a measurement, when that is due. To be called every second or more often.
    pub fn tick(&mut self, programs: &Programs, now: Instant) {
        if self.given_up {
            return;
        }
        let since = self.begun.map(|begun| now.duration_since(begun));
        if self.running.is_some() {
            if since.is_some_and(|since| since >= TAKES) {
                self.end(&programs.run_times(), now);
            }
            return;
        }
        if since.is_some_and(|since| since < EVERY) {
            return;
        }
        match enable_stats(Stats::RunTime) {
            Ok(statistics) => {
                self.begun = Some(now);
                self.running = Some((statistics, programs.run_times()));
            }
            Err(error) => {
                self.given_up = true;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the run time of the kernel programs is not measured: BPF statistics take CAP_SYS_ADMIN (metrics.program_time)"
                );
            }
        }
    }

    /// What each program has run, from the start on; those that were never measured are not in it.
    #[must_use]
    pub fn programs(&self) -> Vec<Program> {
        let programs = self
            .estimated
            .iter()
            .map(|(name, (seconds, runs))| Program {
                name: name.clone(),
                runs: *runs as u64,
                ns: (seconds * 1e9) as u64,
            });
        programs.collect()
    }

    /// Takes what was measured for all the time since the measurement before.
    fn end(&mut self, after: &Ran, now: Instant) {
        let (Some((statistics, before)), Some(begun)) = (self.running.take(), self.begun) else {
            return;
        };
        drop(statistics);
        let measured = now.duration_since(begun).as_secs_f64();
        let stands_for = now.duration_since(self.until).as_secs_f64();
        self.until = now;
        for (name, after) in after {
            let before = before.get(name).copied().unwrap_or_default();
            let ran = after.0.saturating_sub(before.0).as_secs_f64();
            let runs = after.1.saturating_sub(before.1) as f64;
            let scale = stands_for / measured.max(f64::MIN_POSITIVE);
            let (seconds, all_runs) = self.estimated.entry(name.clone()).or_default();
            *seconds += ran * scale;
            *all_runs += runs * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    /// A run a microsecond.
    fn ran(microseconds: u64) -> Ran {
        let time = Duration::from_micros(microseconds);
        BTreeMap::from([("a".to_owned(), (time, microseconds))])
    }

    #[test]
    fn a_measurement_stands_for_the_time_since_the_one_before() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut times = RunTimes::new(start);
        let mut measure = |begun: u64, ended: u64, before, after, expected: f64| {
            let any = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
            times.begun = Some(at(begun));
            times.running = Some((any, ran(before)));
            times.end(&ran(after), at(ended));
            let [Program { name, runs, ns }] = &times.programs()[..] else {
                panic!("one program");
            };
            assert_eq!(name, "a");
            let seconds = *ns as f64 / 1e9;
            assert!((seconds - expected).abs() < 1e-8, "{seconds} {expected}");
            assert!(runs.abs_diff((expected * 1e6) as u64) <= 1, "{runs}");
        };
        // A thousandth of a second in one, which is the first.
        measure(0, 1, 0, 1_000, 0.001);
        // Two thousandths in two seconds, for 61.
        measure(60, 62, 1_000, 3_000, 0.001 + 0.061);
        // The program was loaded anew.
        measure(120, 121, 3_000, 10, 0.062);
    }
}
