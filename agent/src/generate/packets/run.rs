//! One run: groups of connections are made, and their frames handed over as they are due.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::time::Duration;

use jiff::Timestamp;

use super::capture::{CaptureError, CaptureOutput};
use super::interface::{SendError, Sender, target};
use super::live::{LiveError, LiveSender, WAVE};
use super::maker::{Group, Maker};
use super::shape::Shape;
use super::truth::Truth;
use crate::generate::output::{Destination, Output, OutputError};
use crate::generate::pace::Pacer;
use crate::generate::progress::Progress;
use crate::generate::schedule::Schedule;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;

/// Nanoseconds from frame to frame in a capture file where no rate is asked for.
pub const STEP_NS: f64 = 10_000.0;

/// Where frames go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum To {
    /// To a capture file.
    Capture(Destination),
    /// To an interface of this host.
    Interface {
        /// Its name.
        name: String,
        /// Interfaces that are taken although other hosts are behind them.
        allowed: Vec<String>,
        /// Whether frames pass what is attached to it on their way out.
        seen_here: bool,
    },
    /// To an interface of this host, by XDP: one conversation for ever more clients.
    Live {
        /// Its name.
        name: String,
        /// As above.
        allowed: Vec<String>,
    },
    /// Nowhere: a dry run.
    Nowhere,
}

/// What is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the frames are made from.
    pub seed: Seed,
    /// Their shapes.
    pub shapes: Vec<Shape>,
    /// Exchanges of a connection of the shape `keepalive`.
    pub exchanges: u32,
    /// Frames to make, and those that end the connections which are under way then; `None`: no such bound.
    pub count: Option<u64>,
    /// Rounds of all shapes to make; `None`: no such bound.
    pub rounds: Option<u64>,
    /// How long, by our clock; `None`: no such bound.
    pub until: Option<Duration>,
    /// When frames are due.
    pub schedule: Schedule,
    /// The time of the first frame in a capture file; `None`: now.
    pub start: Option<Timestamp>,
    /// Nanoseconds from frame to frame in a capture file.
    pub step_ns: f64,
    /// Where frames go.
    pub to: To,
    /// Where the truth goes.
    pub truth: Option<Destination>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Made {
    /// Frames that are in the file, or left the interface.
    pub frames: u64,
    /// Frames that were made, and did not get there.
    pub unsent: u64,
    /// Their bytes; in a capture file, all bytes of it.
    pub bytes: u64,
    /// Connections and flows, where the truth was asked for.
    pub sessions: u64,
    /// Heads, where the truth was asked for.
    pub messages: u64,
    /// How long it took.
    pub time: Duration,
}

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The capture file.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The interface.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Frames by XDP.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The truth.
    #[error("the truth cannot be written")]
    Truth(#[source] OutputError),
    /// The truth would be written among the frames.
    #[error("--output and --truth name the same file: give the truth one of its own")]
    SameFile,
}

impl RunError {
    /// Whether what was asked for cannot be.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Send(error) => error.is_usage(),
            Self::Live(error) => matches!(error, LiveError::NotTaken(_)),
            Self::SameFile => true,
            Self::Capture(_) | Self::Truth(_) => false,
        }
    }
}

/// Takes the frames.
enum Sink {
    Capture {
        output: CaptureOutput,
        start_ns: i64,
    },
    Interface(Sender),
    Nowhere(u64),
}

/// Makes frames until there are enough, or it is time to stop; then the connections that are under way are
/// brought to their end without a pause. `made` tells how far it came, also after an error.
///
/// # Errors
/// Frames or the truth cannot be handed over.
pub fn run(
    plan: &Plan,
    stop: &Stop,
    progress: &mut Progress,
    made: &mut Made,
) -> Result<(), RunError> {
    if let To::Live { name, allowed } = &plan.to {
        return run_live(plan, name, allowed, stop, progress, made);
    }
    let mut sink = Sink::open(plan)?;
    let mut truth = match &plan.truth {
        Some(to) => Some(Output::open(to).map_err(RunError::Truth)?),
        None => None,
    };
    if let (Sink::Capture { output, .. }, Some(truth)) = (&sink, &truth)
        && is_same(output.file(), truth.file())
    {
        return Err(RunError::SameFile);
    }
    let maker = Maker::new(plan.seed, &plan.shapes, plan.exchanges, truth.is_some());
    let groups = plan
        .rounds
        .map_or(u64::MAX, |rounds| rounds.saturating_mul(maker.groups()));
    let mut group = Group::default();
    let mut line = Vec::new();
    let mut times = Vec::new();
    let mut pacer = Pacer::begin(plan.schedule, plan.until, stop);
    let result = (|| {
        for number in 0..groups {
            if plan.count.is_some_and(|count| made.frames >= count) || pacer.wait(made.frames) == 0
            {
                break;
            }
            maker.make(number, &mut group);
            let first = made.frames;
            times.clear();
            let mut at = 0;
            while at < group.len() {
                // When it is time to stop: the rest at once.
                let due = match pacer.wait(made.frames) {
                    0 => u64::MAX,
                    due => due,
                };
                let end = at + due.min((group.len() - at) as u64) as usize;
                sink.take(
                    plan,
                    &group,
                    at..end,
                    made.frames,
                    truth.is_some(),
                    &mut times,
                )?;
                made.frames += (end - at) as u64;
                progress.add((end - at) as u64);
                made.bytes = sink.bytes();
                at = end;
            }
            if let Some(truth) = &mut truth {
                for told in &mut group.truth {
                    told.place(first, |frame| {
                        times.get(frame.checked_sub(first)? as usize).copied()
                    });
                    match told {
                        Truth::Message(_) => made.messages += 1,
                        Truth::Session(_) => made.sessions += 1,
                        Truth::Exchange(_) => {}
                    }
                    line.clear();
                    if serde_json::to_writer(&mut line, told).is_ok() {
                        line.push(b'\n');
                        truth.write(&line).map_err(RunError::Truth)?;
                    }
                }
            }
        }
        sink.finish()?;
        match &mut truth {
            Some(truth) => truth.flush().map_err(RunError::Truth),
            None => Ok(()),
        }
    })();
    made.bytes = sink.bytes();
    made.time = pacer.elapsed();
    if let Sink::Capture { output, .. } = &sink {
        let made_frames = made.frames.max(output.frames());
        made.frames = output.frames();
        made.unsent = made_frames - made.frames;
    }
    result
}

/// Whether both are the same file, by whatever names they were opened. What is written to a device does not
/// stay there.
fn is_same(one: &File, other: &File) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => {
            !one.file_type().is_char_device()
                && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        _ => false,
    }
}

impl Sink {
    fn open(plan: &Plan) -> Result<Self, RunError> {
        Ok(match &plan.to {
            To::Capture(destination) => Self::Capture {
                output: CaptureOutput::open(destination)?,
                start_ns: nanoseconds(plan.start.unwrap_or_else(Timestamp::now)),
            },
            To::Interface {
                name,
                allowed,
                seen_here,
            } => Self::Interface(Sender::open(&target(name, allowed)?, *seen_here)?),
            // Waves are no groups: they have a run of their own.
            To::Nowhere | To::Live { .. } => Self::Nowhere(0),
        })
    }

    /// Takes these frames of the group, the first of which is frame `number` of the run; their times go to
    /// `times` where they are wanted.
    fn take(
        &mut self,
        plan: &Plan,
        group: &Group,
        frames: std::ops::Range<usize>,
        number: u64,
        wants_times: bool,
        times: &mut Vec<i64>,
    ) -> Result<(), RunError> {
        let count = frames.len();
        let taken = group.part(frames);
        match self {
            Self::Capture { output, start_ns } => {
                for (number, frame) in (number..).zip(taken) {
                    let time = start_ns.saturating_add((number as f64 * plan.step_ns) as i64);
                    output.frame(time, frame)?;
                    if wants_times {
                        times.push(time);
                    }
                }
            }
            Self::Interface(sender) if wants_times => {
                // One by one, so that each has a time of its own.
                for frame in taken {
                    times.push(nanoseconds(Timestamp::now()));
                    sender.send([frame])?;
                }
            }
            Self::Interface(sender) => sender.send(taken)?,
            Self::Nowhere(bytes) => {
                *bytes += taken.map(|frame| frame.len() as u64).sum::<u64>();
                let now = nanoseconds(Timestamp::now());
                times.extend((0..count).filter(|_| wants_times).map(|_| now));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RunError> {
        match self {
            Self::Capture { output, .. } => Ok(output.flush()?),
            Self::Interface(_) | Self::Nowhere(_) => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Capture { output, .. } => output.bytes(),
            Self::Interface(sender) => sender.bytes(),
            Self::Nowhere(bytes) => *bytes,
        }
    }
}

/// As [`run`], by XDP.
fn run_live(
    plan: &Plan,
    name: &str,
    allowed: &[String],
    stop: &Stop,
    progress: &mut Progress,
    made: &mut Made,
) -> Result<(), RunError> {
    let mut truth = match &plan.truth {
        Some(to) => Some(Output::open(to).map_err(RunError::Truth)?),
        None => None,
    };
    let mut sender = LiveSender::open(&target(name, allowed)?, plan.seed)?;
    let each = sender.frames_a_connection();
    let mut pacer = Pacer::begin(plan.schedule, plan.until, stop);
    let mut waves = 0;
    // The number of the next frame: also those have one that did not leave.
    let mut number = 0;
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let mut checked = false;
    let result = (|| loop {
        let left = plan
            .count
            .map_or(u64::MAX, |count| count.saturating_sub(number));
        let is_enough = left == 0 || plan.rounds.is_some_and(|rounds| waves >= rounds);
        let due = if is_enough { 0 } else { pacer.wait(number) };
        if due == 0 {
            break Ok(());
        }
        let before = sender.departed();
        // The first wave is small: it tells whether frames are taken.
        let most = if checked { u64::from(WAVE) } else { 64 };
        let clients = due.min(left).div_ceil(each).clamp(1, most) as u32;
        let wave = match checked {
            true => sender.wave(clients)?,
            false => sender.first_wave(clients)?,
        };
        let (_, clients) = wave;
        checked = true;
        waves += 1;
        progress.add(each * u64::from(clients));
        if truth.is_some() {
            sender.settle(before.unsent());
        }
        sender.check()?;
        if let Some(truth) = &mut truth {
            // Which frames of a wave are missing nobody can tell: not more are told than left.
            let left = sender.departed().left() - before.left();
            let is_lossy = left < each * u64::from(clients);
            for client in (0..clients).filter(|client| sender.has_left(clients, *client, left)) {
                lines.clear();
                sender.tell(wave, client, number, &mut lines);
                for told in &mut lines {
                    match told {
                        Truth::Message(_) => made.messages += 1,
                        Truth::Session(session) => {
                            made.sessions += 1;
                            session.lossy |= is_lossy;
                        }
                        Truth::Exchange(exchange) => exchange.lossy |= is_lossy,
                    }
                    line.clear();
                    if serde_json::to_writer(&mut line, told).is_ok() {
                        line.push(b'\n');
                        truth.write(&line).map_err(RunError::Truth)?;
                    }
                }
            }
        }
        number += each * u64::from(clients);
    })();
    made.time = pacer.elapsed();
    if result.is_ok() {
        sender.settle(0);
    }
    let departed = sender.departed();
    made.frames = departed.left();
    made.unsent = departed.unsent();
    made.bytes = sender.bytes();
    let written = match &mut truth {
        Some(truth) => truth.flush().map_err(RunError::Truth),
        None => Ok(()),
    };
    result.and(written)
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// The truth that a file holds.
///
/// # Errors
/// It cannot be read, or a line is none of the truth.
pub fn read_truth(path: &std::path::Path) -> io::Result<Vec<Truth>> {
    let text = std::fs::read_to_string(path)?;
    let told = text
        .lines()
        .map(|line| serde_json::from_str(line).map_err(io::Error::other));
    told.collect()
}
