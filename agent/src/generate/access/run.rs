//! One run: lines of the day before if they are wanted, then lines as they are due.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::config::{AccessConfig, by_hour};
use super::crowd::Tally;
use super::day::{Day, Stretch, nanoseconds};
use super::files::Rules;
use super::health::{self, Health, Told};
use super::line::Style;
use super::logs::Logs;
use super::state::State;
use super::work::{Block, Makers, Material};
use super::world::World;
use crate::generate::bounds::with_grace;
use crate::generate::output::{Destination, Output};
use crate::generate::progress::Progress;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;
use crate::generate::summary::Summary;

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

impl Plan {
    /// What the rate is multiplied by at the start.
    #[must_use]
    pub fn multiplier(&self) -> f64 {
        let traffic = &self.config.traffic;
        let zone = TimeZone::get(&traffic.time_zone).unwrap_or(TimeZone::UTC);
        let now = zone.to_datetime(self.start.unwrap_or_else(Timestamp::now));
        let hours = by_hour(&traffic.patterns).unwrap_or([1.0; 24]);
        let hour = usize::from(now.hour().unsigned_abs());
        hours.get(hour).copied().unwrap_or(1.0)
    }

    /// What is to be said where files of the past are deleted as soon as they are written.
    fn loses(&self, begin: i64, zone: &TimeZone) -> Option<String> {
        let output = &self.config.output;
        let rotation = &output.rotation;
        let to = match (self.start, self.duration) {
            _ if self.to != To::Files => return None,
            (Some(_), Some(length)) if self.pace == Pace::Free => {
                let length = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
                begin.saturating_add(length)
            }
            _ => begin,
        };
        let time = |time: i64| Timestamp::from_nanosecond(time.into()).unwrap_or_default();
        let rules = Rules::new(rotation, zone.clone());
        let kept = rotation.backup_count;
        rules
            .loses(time(self.from(begin)), time(to), kept)
            .then(|| {
                format!(
                    "the last lines alone are kept: {kept} files of each log that were put aside \
                     (output.log_rotation.backup_count; 0: all)"
                )
            })
    }

    /// When the first line may be due, where the start is at `begin`.
    const fn from(&self, begin: i64) -> i64 {
        match self.config.output.pre_warm {
            true => begin.saturating_sub(DAY),
            false => begin,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Done {
    /// The account, without the day before.
    #[serde(flatten)]
    pub summary: Summary,
    /// The lines of the day before; `None`: there were to be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_before: Option<DayBefore>,
}

/// The lines of the 24 hours before the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DayBefore {
    /// How many.
    pub records: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Done {
    /// All lines.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.summary.records + self.day_before.map_or(0, |before| before.records)
    }
}

/// Runs until there are enough lines or it is time to stop. `begins` is called when all is open. Gives
/// what it came to, also where it ended with an error.
///
/// # Errors
/// The configured zone is none, the port is taken, a file cannot be opened.
pub fn run(
    plan: &Plan,
    stop: &Stop,
    begins: impl FnOnce(),
) -> anyhow::Result<(Done, anyhow::Result<()>)> {
    let config = &plan.config;
    let zone = TimeZone::get(&config.traffic.time_zone)
        .with_context(|| format!("there is no time zone {}", config.traffic.time_zone))?;
    let hours = by_hour(&config.traffic.patterns).unwrap_or([1.0; 24]);
    let listener = health::bind(plan.listen)?;
    let address = listener.address();
    let world = Arc::new(World::new(config, plan.seed));
    let style = Style::new(config.output.format, &world, &config.output.site);
    for (key, page) in world.site.never_opened(config) {
        warn(
            plan.is_quiet,
            &format!("{key} has {page}, which no user opens"),
        );
    }
    let begin = nanoseconds(plan.start.unwrap_or_else(Timestamp::now));
    if let Some(sentence) = plan.loses(begin, &zone) {
        warn(plan.is_quiet, &sentence);
    }
    let highest = hours.iter().copied().fold(0.0, f64::max);
    let (rate, is_full_house) = match (plan.pace, plan.start) {
        (Pace::Rate(rate), _) => (rate, false),
        (Pace::Free, Some(_)) => (config.output.rate, false),
        (Pace::Free, None) => (config.output.rate, true),
    };
    // The users that it takes where the multiplier is 1.
    let usual = rate / plan.speedup * world.pause.middle();
    let mut first = Day::new(plan.from(begin), rate, plan.speedup, hours, zone.clone());
    let (first, multiplier) = (first.peek(), first.multiplier());
    let material = Material {
        is_full_house: is_full_house || usual * highest > f64::from(world.users),
        begin: first,
        needed: match is_full_house && !config.output.pre_warm {
            true => f64::INFINITY,
            false => usual * multiplier,
        },
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
        day_before: None,
        begun: Instant::now(),
        period_end: i64::MIN,
        users: [0; 64],
        reported: Instant::now(),
        reported_lines: 0,
    };
    begins();
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
    engine.begun = Instant::now();
    let result = engine.work(begin, rate, &hours, &zone);
    if result.is_err() {
        engine.told.broke();
    }
    engine.progress.finish();
    let live = result.as_ref().copied().unwrap_or_else(|_| Live {
        seconds: engine.begun.elapsed().as_secs_f64(),
        asked: None,
        is_met: true,
    });
    let (done, closed) = engine.close(live);
    drop(health);
    Ok((done, result.map(drop).and(closed)))
}

/// How the live part of a run went.
#[derive(Clone, Copy, Debug)]
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

impl Engine<'_> {
    fn work(
        &mut self,
        begin: i64,
        rate: f64,
        hours: &[f64; 24],
        zone: &TimeZone,
    ) -> anyhow::Result<Live> {
        if self.plan.config.output.pre_warm {
            self.say("Pre-warming: writing the lines of the last 24 hours")?;
            let from = self.plan.from(begin);
            let mut day = Day::new(from, rate, self.plan.speedup, *hours, zone.clone());
            while !self.stop.is_told() {
                let until = self.within(day.peek()).min(begin);
                let Some(stretch) = day.take(until, AT_ONCE) else {
                    break;
                };
                self.makers.ask(stretch);
                self.take(self.makers.threads() * AHEAD)?;
            }
            self.take(0)?;
            self.say(&format!("Pre-warming done: {} lines", self.lines))?;
            self.day_before = Some(DayBefore {
                records: self.lines,
                bytes: self.sink.bytes(),
                seconds: self.begun.elapsed().as_secs_f64(),
            });
        }
        self.begun = Instant::now();
        let begun = self.begun;
        match (self.plan.pace, self.plan.start) {
            (Pace::Free, None) => self.free(begun),
            _ => {
                let day = Day::new(begin, rate, self.plan.speedup, *hours, zone.clone());
                self.by_clock(begun, begin, day)
            }
        }
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
            let until = until.min(self.within(day.peek()));
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

    fn say(&mut self, message: &str) -> anyhow::Result<()> {
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
        let bytes = self.sink.bytes();
        let is_warmed = self.plan.config.output.pre_warm;
        // Where not even that was done all lines are of it.
        let all = DayBefore {
            records: lines,
            bytes,
            seconds: live.seconds,
        };
        let (before, live) = match self.day_before {
            Some(before) => (before, live),
            None if is_warmed => (
                all,
                Live {
                    seconds: 0.0,
                    ..live
                },
            ),
            None => (DayBefore::default(), live),
        };
        let records = lines.saturating_sub(before.records);
        let summary = Summary {
            seed: self.plan.seed.0,
            records,
            bytes: Some(bytes.saturating_sub(before.bytes)),
            seconds: live.seconds,
            rate: match live.seconds > 0.0 {
                true => records as f64 / live.seconds,
                false => 0.0,
            },
            asked_rate: live.asked,
            rate_met: live.is_met,
            refused: 0,
            undelivered: 0,
            unsent: 0,
            dry_run: self.plan.to == To::Nowhere,
        };
        let done = Done {
            summary,
            day_before: is_warmed.then_some(before),
        };
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

    /// Lines that it was given and that are not there.
    const fn lost_lines(&self) -> u64 {
        match self {
            Self::Files(logs) => logs.lost_lines(),
            Self::Stdout(output) => output.lost_lines(),
            Self::Nowhere(_) => 0,
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
