//! The engine of a run: asks makers for lines, writes what they made, and says in system.log how it goes.
//! When lines are asked for is for its parts: [`before`] for the day before, [`live`] for what comes after.

mod before;
mod live;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::account::{DayBefore, Done, Live, settle};
use super::plan::{Pace, Plan};
use super::sink::Sink;
use crate::generate::access::crowd::Tally;
use crate::generate::access::day::Day;
use crate::generate::access::health::Told;
use crate::generate::access::logs::Logs;
use crate::generate::access::state::State;
use crate::generate::access::work::Makers;
use crate::generate::progress::Progress;
use crate::generate::stop::Stop;

/// Lines that are asked for at once where they are made as fast as it goes.
const AT_ONCE: u32 = 2048;

/// Blocks that a thread makes ahead.
const AHEAD: usize = 6;

/// How often system.log says how it goes.
const REPORT: Duration = Duration::from_secs(10);

/// What moves lines, and what is known of them.
pub(super) struct Engine<'a> {
    plan: &'a Plan,
    stop: &'a Stop,
    makers: Makers,
    sink: Sink,
    told: Arc<Told>,
    progress: Progress,
    /// Lines that were handed over.
    lines: u64,
    /// What of the day before was written.
    day_before: Option<DayBefore>,
    /// When the part of the run that is under way began.
    begun: Instant,
    /// When files with the lines that come next are put aside; where there are none, never.
    period_end: i64,
    /// Users in each part.
    users: [usize; 64],
    reported: Instant,
    reported_lines: u64,
}

impl<'a> Engine<'a> {
    /// One that has asked for nothing yet.
    pub(super) fn new(
        plan: &'a Plan,
        stop: &'a Stop,
        makers: Makers,
        sink: Sink,
        told: Arc<Told>,
    ) -> Self {
        Self {
            plan,
            stop,
            makers,
            sink,
            told,
            progress: Progress::new(plan.count, !plan.is_quiet),
            lines: 0,
            day_before: None,
            begun: Instant::now(),
            period_end: i64::MIN,
            users: [0; 64],
            reported: Instant::now(),
            reported_lines: 0,
        }
    }

    /// Makes the lines of the day before, if they are wanted, and then those that come after, and settles
    /// what was written. `day`: when lines are due that come from this time on.
    pub(super) fn run(
        mut self,
        begin: i64,
        day: impl Fn(i64) -> Day,
    ) -> (Done, anyhow::Result<()>) {
        self.begun = Instant::now();
        let result = self.work(begin, day);
        if result.is_err() {
            self.told.broke();
        }
        self.progress.finish();
        let live = result.as_ref().copied().unwrap_or_else(|_| Live {
            seconds: self.begun.elapsed().as_secs_f64(),
            asked: None,
            is_met: true,
        });
        let (done, closed) = self.close(live);
        (done, result.map(drop).and(closed))
    }

    fn work(&mut self, begin: i64, day: impl Fn(i64) -> Day) -> anyhow::Result<Live> {
        if self.plan.config.output.pre_warm {
            self.warm(begin, day(self.plan.from(begin)))?;
        }
        self.begun = Instant::now();
        let begun = self.begun;
        match (self.plan.pace, self.plan.start) {
            (Pace::Free, None) => self.free(begun),
            _ => self.by_clock(begun, begin, day(begin)),
        }
    }

    /// The last time that goes into one file with this one.
    fn within(&mut self, time: i64) -> i64 {
        if let (true, Sink::Files(logs)) = (time >= self.period_end, &self.sink) {
            self.period_end = logs.end_of(time);
        }
        match self.period_end {
            i64::MIN => i64::MAX,
            end => end.saturating_sub(1),
        }
    }

    /// Writes blocks until only so many are on their way.
    fn take(&mut self, pending: usize) -> anyhow::Result<()> {
        while self.makers.pending() > pending {
            let Some(block) = self.makers.take() else {
                anyhow::bail!("a thread that makes lines has ended");
            };
            let written = self.sink.write(&block);
            self.lines += u64::from(block.lines);
            written?;
            self.told.wrote(self.lines);
            self.progress.add(u64::from(block.lines));
            if let Some(users) = self.users.get_mut(block.part as usize) {
                *users = block.users;
            }
            self.makers.give_back(block);
        }
        if pending == 0 {
            self.sink.flush()?;
        }
        self.report()
    }

    /// Says in system.log how it goes, if it is time.
    fn report(&mut self) -> anyhow::Result<()> {
        let since = self.reported.elapsed();
        self.progress.glance();
        if since < REPORT {
            return Ok(());
        }
        let lines = self.lines - self.reported_lines;
        let users: usize = self.users.iter().sum();
        let rate = lines as f64 / since.as_secs_f64();
        self.reported = Instant::now();
        self.reported_lines = self.lines;
        self.say(&format!(
            "Current rate: {rate:.2} logs/sec, Active sessions: {users}"
        ))?;
        if let Sink::Files(logs) = &mut self.sink {
            logs.say_notes()?;
            let turned = logs.turned();
            logs.say_more(&format!("{turned} files were put aside so far"))?;
        }
        Ok(())
    }

    /// Says it in system.log, where there is one.
    pub(super) fn say(&mut self, message: &str) -> anyhow::Result<()> {
        if let Sink::Files(logs) = &mut self.sink {
            logs.say("INFO", message)?;
        }
        Ok(())
    }

    /// Ends it, and settles what was written.
    fn close(mut self, live: Live) -> (Done, anyhow::Result<()>) {
        let moves = moves(&self.makers.finish());
        let flushed = self.sink.flush();
        let lines = self.lines.saturating_sub(self.sink.lost_lines());
        let (bytes, deleted) = (self.sink.bytes(), self.sink.deleted());
        let done = settle(self.plan, lines, bytes, deleted, self.day_before, live);
        let closed = match self.sink {
            Sink::Files(logs) => say_end(*logs, &moves, lines),
            Sink::Stdout(_) | Sink::Nowhere(_) => Ok(()),
        };
        (done, flushed.and(closed))
    }
}

/// Says the end in system.log and closes the logs.
fn say_end(mut logs: Logs, moves: &str, lines: u64) -> anyhow::Result<()> {
    logs.say("INFO", &format!("State transitions: {moves}"))?;
    logs.say(
        "INFO",
        &format!("Shutdown complete. Total logs generated: {lines}"),
    )?;
    Ok(logs.close()?)
}

/// How often sessions moved, in words.
fn moves(tally: &Tally) -> String {
    let mut words = Vec::new();
    for (from, row) in State::ALL.iter().zip(tally) {
        for (to, count) in State::ALL.iter().zip(row) {
            if *count > 0 {
                words.push(format!("{} to {} {count}", from.name(), to.name()));
            }
        }
    }
    words.join(", ")
}
