//! One run: lines of the day before if they are wanted, then lines as they are due.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::config::{AccessConfig, by_hour};
use super::crowd::Tally;
use super::day::{Day, Stretch, nanoseconds};
use super::health::{Health, Told};
use super::line::Style;
use super::logs::Logs;
use super::state::State;
use super::work::{Block, Makers, Material};
use super::world::World;
use crate::exit::Exit;
use crate::generate::bounds::with_grace;
use crate::generate::output::{Destination, Output};
use crate::generate::progress::Progress;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;
use crate::server::Listener;

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// Lines that are asked for at once where they are made as fast as it goes.
const AT_ONCE: u32 = 2048;

/// Blocks that a thread makes ahead.
const AHEAD: usize = 6;

/// What is late is made up at most so many times as fast as the rate.
const MAKE_UP: f64 = 2.0;

/// Seconds of the rate that are made up at once.
const BURST: f64 = 0.1;

/// While nothing is due it is looked again after so long at least.
const TICK: Duration = Duration::from_millis(1);

/// How often system.log says how it goes.
const REPORT: Duration = Duration::from_secs(10);

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The three logs of `output.directory`.
    Files,
    /// Lines of access.log alone to stdout.
    Stdout,
    /// Nowhere.
    Nowhere,
}

/// How fast lines are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many a second, before the pattern of the day.
    Rate(f64),
    /// As fast as it goes. With a start the times that lines carry are those of the configured rate,
    /// without one that at which they are made.
    Free,
}

/// What a run is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The configuration, with what flags and variables changed.
    pub config: AccessConfig,
    /// Where lines go.
    pub to: To,
    /// How fast.
    pub pace: Pace,
    /// Lines, beside those of the day before; `None`: without end.
    pub count: Option<u64>,
    /// How long, by the clock of the lines.
    pub duration: Option<Duration>,
    /// The time of the start; `None`: now.
    pub start: Option<Timestamp>,
    /// How many times as fast as ours the clock of the lines runs.
    pub speedup: f64,
    /// What random numbers come from.
    pub seed: Seed,
    /// Threads that make lines.
    pub jobs: usize,
    /// Where to listen for those who ask about health.
    pub listen: Option<SocketAddr>,
    /// Nothing is said while it runs.
    pub is_quiet: bool,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// The account.
    pub summary: Summary,
    /// Lines of the day before, which are among its records.
    pub warmed: u64,
}

/// Runs until there are enough lines or it is time to stop.
///
/// # Errors
/// The configured zone is none, the port is taken, a file cannot be opened or written to.
pub fn run(plan: &Plan, stop: &Stop) -> anyhow::Result<Done> {
    let config = &plan.config;
    let zone = TimeZone::get(&config.traffic.time_zone)
        .with_context(|| format!("there is no time zone {}", config.traffic.time_zone))?;
    let hours = by_hour(&config.traffic.patterns).unwrap_or([1.0; 24]);
    let listener = Listener::bind(plan.listen)?;
    let address = listener.address();
    let world = Arc::new(World::new(config, plan.seed));
    let style = Style::new(config.output.format, &world, &config.output.site);
    for page in world.site.never_opened(config) {
        warn(
            plan.is_quiet,
            &format!("error_rates.high_error_pages has {page}, which no user opens"),
        );
    }
    let highest = hours.iter().copied().fold(0.0, f64::max);
    let (rate, is_full_house) = match (plan.pace, plan.start) {
        (Pace::Rate(rate), _) => (rate, false),
        (Pace::Free, Some(_)) => (config.output.rate, false),
        (Pace::Free, None) => (config.output.rate, true),
    };
    let needed = rate / plan.speedup * highest * world.pause.middle();
    let material = Material {
        is_full_house: is_full_house || needed > f64::from(world.users),
        with_errors: plan.to != To::Stdout,
        seed: plan.seed,
        style: Arc::new(style),
        world,
    };
    let sink = Sink::open(plan, &zone, material.style.file_head())?;
    let directory = config.output.directory.display().to_string();
    let told = Arc::new(Told::new(directory, rate));
    let health = match address {
        Some(address) => {
            let health = Health::start(listener, address, Arc::clone(&told));
            Some(health.context("cannot start the health check")?)
        }
        None => None,
    };
    let makers = Makers::start(&material, plan.jobs).context("cannot start a thread")?;
    let mut engine = Engine {
        plan,
        stop,
        makers,
        sink,
        told,
        progress: Progress::new(plan.count, !plan.is_quiet),
        lines: 0,
        users: [0; 64],
        reported: Instant::now(),
        reported_lines: 0,
    };
    if let Some(health) = &health {
        engine.say(&format!(
            "Health check server started on port {}",
            health.address.port()
        ))?;
        if !plan.is_quiet {
            say(&format!(
                "tapline: health check at http://{}/health",
                health.address
            ));
        }
    }
    let begun = Instant::now();
    let result = engine.work(rate, &hours, &zone);
    if result.is_err() {
        engine.told.broke();
    }
    let (warmed, live) = result.as_ref().copied().unwrap_or_default();
    let lines = engine.lines;
    engine.progress.finish();
    let seconds = begun.elapsed().as_secs_f64();
    let summary = Summary {
        seed: plan.seed.0,
        records: lines,
        bytes: Some(engine.sink.bytes()),
        seconds,
        rate: (lines - warmed) as f64 / live.seconds.max(1e-9),
        asked_rate: live.asked,
        rate_met: live.is_met,
        refused: 0,
        undelivered: 0,
        unsent: 0,
        dry_run: plan.to == To::Nowhere,
    };
    let closed = engine.close(lines);
    drop(health);
    match result.and(closed) {
        Ok(()) => Ok(Done { summary, warmed }),
        Err(error) => {
            // A reader that has seen enough is no failure.
            if Exit::of(&error) != Exit::Done {
                summary.say();
            }
            Err(error)
        }
    }
}

/// How the live part of a run went.
#[derive(Clone, Copy, Debug, Default)]
struct Live {
    seconds: f64,
    /// The rate that was asked for, on average.
    asked: Option<f64>,
    is_met: bool,
}

struct Engine<'a> {
    plan: &'a Plan,
    stop: &'a Stop,
    makers: Makers,
    sink: Sink,
    told: Arc<Told>,
    progress: Progress,
    /// Lines that were written.
    lines: u64,
    /// Users in each part.
    users: [usize; 64],
    reported: Instant,
    reported_lines: u64,
}

impl Engine<'_> {
    fn work(
        &mut self,
        rate: f64,
        hours: &[f64; 24],
        zone: &TimeZone,
    ) -> anyhow::Result<(u64, Live)> {
        let begin = nanoseconds(self.plan.start.unwrap_or_else(Timestamp::now));
        if self.plan.config.output.pre_warm {
            self.say("Pre-warming: writing the lines of the last 24 hours")?;
            let from = begin.saturating_sub(DAY);
            let mut day = Day::new(from, rate, self.plan.speedup, *hours, zone.clone());
            while !self.stop.is_told()
                && let Some(stretch) = day.take(begin, AT_ONCE)
            {
                self.makers.ask(stretch);
                self.take(self.makers.threads() * AHEAD)?;
            }
            self.take(0)?;
            self.say(&format!("Pre-warming done: {} lines", self.lines))?;
        }
        let warmed = self.lines;
        let begun = Instant::now();
        let live = match (self.plan.pace, self.plan.start) {
            (Pace::Free, None) => self.free(begun)?,
            _ => {
                let day = Day::new(begin, rate, self.plan.speedup, *hours, zone.clone());
                self.by_clock(begun, begin, day)?
            }
        };
        Ok((warmed, live))
    }

    /// As fast as it goes, with the time at which lines are made.
    fn free(&mut self, begun: Instant) -> anyhow::Result<Live> {
        let mut asked = 0;
        let is_over = || {
            self.plan
                .duration
                .is_some_and(|most| begun.elapsed() >= most)
        };
        while !self.stop.is_told() && !is_over() {
            let most = match self.plan.count {
                Some(count) => u32::try_from(count - asked).unwrap_or(u32::MAX),
                None => u32::MAX,
            };
            let stretch = Stretch::at(nanoseconds(Timestamp::now()), most.min(AT_ONCE));
            if stretch.lines == 0 {
                break;
            }
            asked += u64::from(stretch.lines);
            self.makers.ask(stretch);
            self.take(self.makers.threads() * AHEAD)?;
            self.told.is_live();
        }
        self.take(0)?;
        Ok(Live {
            seconds: begun.elapsed().as_secs_f64(),
            asked: None,
            is_met: true,
        })
    }

    /// Lines with the times at which they are due; where there is a rate, at those times.
    fn by_clock(&mut self, begun: Instant, begin: i64, mut day: Day) -> anyhow::Result<Live> {
        let plan = self.plan;
        let is_free = plan.pace == Pace::Free;
        let end = match plan.duration {
            Some(most) => {
                let most = i64::try_from(most.as_nanos()).unwrap_or(i64::MAX);
                begin.saturating_add(most)
            }
            None => i64::MAX,
        };
        // From the clock of the lines to ours and back.
        let ours = |time: i64| {
            let seconds = (time.saturating_sub(begin)) as f64 / 1e9 / plan.speedup;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        };
        let theirs = |time: Duration| {
            let nanoseconds = time.as_secs_f64() * plan.speedup * 1e9;
            begin.saturating_add(nanoseconds as i64)
        };
        let burst = match plan.pace {
            Pace::Free => AT_ONCE,
            Pace::Rate(rate) => ((rate * BURST) as u32).clamp(1, 1 << 16),
        };
        // Lines of now end with their time, also where they are late.
        let limit = plan.duration.filter(|_| plan.start.is_none());
        let limit = limit.map(with_grace);
        let is_over = || limit.is_some_and(|limit| begun.elapsed() >= limit);
        let mut asked: u64 = 0;
        let mut last = begin;
        let mut not_before = begun;
        while !self.stop.is_told() && !is_over() {
            let left = plan.count.map_or(u64::MAX, |count| count - asked);
            if left == 0 {
                break;
            }
            let most = u32::try_from(left).unwrap_or(u32::MAX).min(burst);
            let until = match is_free {
                true => end,
                false => theirs(begun.elapsed()).min(end),
            };
            if let Some(stretch) = day.take(until, most) {
                asked += u64::from(stretch.lines);
                last = stretch.time(stretch.lines.saturating_sub(1));
                self.makers.ask(stretch);
                let threads = self.makers.threads();
                match is_free {
                    true => self.take(threads * AHEAD)?,
                    false => {
                        self.take(0)?;
                        if self.sleep_until(not_before) {
                            break;
                        }
                        let rate = self.plan_rate() * day.multiplier();
                        let least = f64::from(stretch.lines) / rate.max(1e-9) / MAKE_UP;
                        not_before = Instant::now() + Duration::from_secs_f64(least.min(60.0));
                    }
                }
                self.told.is_live();
                continue;
            }
            let next = day.peek();
            if next > end {
                // The rest of the time is quiet.
                if !is_free {
                    self.sleep_until(begun.checked_add(ours(end)).unwrap_or(begun));
                }
                break;
            }
            let tick = Instant::now() + TICK;
            let due = begun
                .checked_add(ours(next))
                .map_or(tick, |due| due.max(tick));
            if self.sleep_until(due) {
                break;
            }
        }
        self.take(0)?;
        let seconds = begun.elapsed().as_secs_f64();
        let planned = ours(day.peek().min(end)).as_secs_f64();
        Ok(Live {
            seconds,
            asked: (!is_free && asked > 0)
                .then(|| asked as f64 / ours(last).as_secs_f64().max(1e-9)),
            is_met: is_free || seconds <= planned.mul_add(1.01, 0.1),
        })
    }

    const fn plan_rate(&self) -> f64 {
        match self.plan.pace {
            Pace::Rate(rate) => rate,
            Pace::Free => f64::INFINITY,
        }
    }

    /// Sleeps, and looks now and then whether there is something to say. Whether it is time to stop.
    fn sleep_until(&mut self, then: Instant) -> bool {
        loop {
            // Nobody waits for what is said: a failure comes with the next line.
            drop(self.report());
            let now = Instant::now();
            if now >= then {
                return self.stop.is_told();
            }
            if self
                .stop
                .sleep_until(then.min(now + Duration::from_secs(1)))
            {
                return true;
            }
        }
    }

    /// Writes blocks until only so many are on their way.
    fn take(&mut self, pending: usize) -> anyhow::Result<()> {
        while self.makers.pending() > pending {
            let Some(block) = self.makers.take() else {
                anyhow::bail!("a thread that makes lines has ended");
            };
            self.sink.write(&block)?;
            self.lines += u64::from(block.lines);
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

    fn say(&mut self, message: &str) -> anyhow::Result<()> {
        if let Sink::Files(logs) = &mut self.sink {
            logs.say("INFO", message)?;
        }
        Ok(())
    }

    fn close(mut self, lines: u64) -> anyhow::Result<()> {
        let moves = moves(&self.makers.finish());
        if let Sink::Files(logs) = &mut self.sink {
            logs.say("INFO", &format!("State transitions: {moves}"))?;
            logs.say(
                "INFO",
                &format!("Shutdown complete. Total logs generated: {lines}"),
            )?;
        }
        match self.sink {
            Sink::Files(logs) => Ok(logs.close()?),
            Sink::Stdout(mut output) => Ok(output.flush()?),
            Sink::Nowhere(_) => Ok(()),
        }
    }
}

/// Where lines go, open.
enum Sink {
    Files(Box<Logs>),
    Stdout(Output),
    /// Bytes that would have been written.
    Nowhere(u64),
}

impl Sink {
    fn open(plan: &Plan, zone: &TimeZone, head: &'static [u8]) -> anyhow::Result<Self> {
        Ok(match plan.to {
            To::Files => Self::Files(Box::new(Logs::open(&plan.config.output, zone, head)?)),
            To::Stdout => {
                let mut output = Output::open(&Destination::Stdout)?;
                output.write(head)?;
                Self::Stdout(output)
            }
            To::Nowhere => Self::Nowhere(head.len() as u64),
        })
    }

    fn write(&mut self, block: &Block) -> anyhow::Result<()> {
        match self {
            Self::Files(logs) => logs.write(block)?,
            Self::Stdout(output) => output.write(&block.access)?,
            Self::Nowhere(bytes) => *bytes += block.access.len() as u64,
        }
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(output) => Ok(output.flush()?),
            Self::Files(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Files(logs) => logs.bytes(),
            Self::Stdout(output) => output.bytes(),
            Self::Nowhere(bytes) => *bytes,
        }
    }
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

/// Says on stderr what should be otherwise.
pub fn warn(is_quiet: bool, warning: &str) {
    if !is_quiet {
        say(&format!("tapline: warning: {warning}"));
    }
}

/// Says a line on stderr.
pub fn say(line: &str) {
    // Where stderr is gone there is nobody to tell.
    drop(writeln!(io::stderr().lock(), "{line}"));
}
