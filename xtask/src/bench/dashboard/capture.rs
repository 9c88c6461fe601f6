//! What those who look on cost the capture: requests a second between nginx and wrk on a pair of virtual
//! cables, captured with all that the agent does, with a hundred streams of /api/live and without, in turn.

use std::{thread, time::Duration};

use anyhow::{Result, bail};
use serde::Serialize;

use super::lookers;
use crate::{
    bench::{
        capture::{
            capturer::{Capturer, Capturing},
            load,
            site::Site,
        },
        statistics::Summary,
        target::{Bound, Target},
    },
    interrupt,
    report::say,
    workspace::{Workspace, is_root},
};

/// Agents, each with two runs without those who look on, and two with them.
const ROUNDS: u32 = 7;

/// How long each run takes.
const TAKES: Duration = Duration::from_secs(3);

/// They have had a tick by then.
const SETTLES: Duration = Duration::from_secs(2);

/// Connections of wrk.
const CONNECTIONS: u32 = 64;

/// Streams that are open.
const STREAMS: u32 = 100;

/// What is left of the speed without them, at least. It is a hundred of a hundred; runs of the same differ
/// by more than what is left out here.
const RATIO: f64 = 0.97;

/// The result.
#[derive(Debug, Serialize)]
pub(super) struct WithViewers {
    streams: u32,
    /// Without and with those who look on.
    pairs: Vec<[Turn; 2]>,
    /// Of the requests a second.
    ratio: Option<Summary>,
    /// Of the agent's CPU time a request.
    cpu_ratio: Option<Summary>,
}

/// What wrk was answered, and what that cost the agent.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Turn {
    requests: u64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Turn {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.seconds += other.seconds;
        self.cpu_seconds += other.cpu_seconds;
    }

    fn requests_a_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    fn cpu_us_a_request(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.requests as f64
    }
}

impl WithViewers {
    /// What is held against limits.
    pub(super) fn targets(&self) -> [Target; 2] {
        let median = |ratio: Option<Summary>| ratio.map_or(f64::NAN, |ratio| ratio.median);
        let name = "capture with 100 who look on: of the requests a second without";
        let beside = "the same: of the agent's CPU time a request without";
        [
            Target::new(name, median(self.ratio), Bound::AtLeast, RATIO, "").over(self.ratio),
            Target::beside(beside, median(self.cpu_ratio), "").over(self.cpu_ratio),
        ]
    }
}

/// Measures. None where that cannot be done, which is said.
///
/// # Errors
/// When a program fails, or Ctrl-C came.
pub(super) fn measure(
    workspace: &Workspace,
    tapline: &std::path::Path,
) -> Result<Option<WithViewers>> {
    if !is_root() {
        say("capture with viewers is not measured: it takes root");
        return Ok(None);
    }
    let site = Site::make(workspace)?;
    let capturer = Capturer::tapline_with_store(tapline);
    let mut pairs = Vec::new();
    for round in 0..ROUNDS {
        if let Some(signal) = interrupt::signal() {
            bail!("interrupted by signal {signal}");
        }
        // One agent for all: two of them differ by more than what is looked for. And in an order in which what
        // becomes slower as the store grows does so for both.
        let capturing = capturer.start(&site)?;
        let mut pair = [Turn::default(); 2];
        for turn in [0, 1, 1, 0].map(|turn| (turn + round as usize) % 2) {
            pair[turn].add(ask(&site, &capturing, turn == 1)?);
        }
        capturing.finish()?;
        let [without, with] = pair;
        say(format_args!(
            "{:.0} requests/s captured without viewers ({:.2} µs each), {:.0} with ({:.2} µs)",
            without.requests_a_second(),
            without.cpu_us_a_request(),
            with.requests_a_second(),
            with.cpu_us_a_request(),
        ));
        pairs.push(pair);
    }
    let ratio = |of: fn(&Turn) -> f64| {
        Summary::of(pairs.iter().map(|[without, with]| of(with) / of(without)))
    };
    Ok(Some(WithViewers {
        streams: STREAMS,
        ratio: ratio(Turn::requests_a_second),
        cpu_ratio: ratio(Turn::cpu_us_a_request),
        pairs,
    }))
}

/// How fast wrk is answered while the agent captures that, with viewers or without.
fn ask(site: &Site, capturing: &Capturing, watched: bool) -> Result<Turn> {
    let time = SETTLES + TAKES;
    let looking = watched
        .then(|| lookers::start(site, STREAMS, time))
        .transpose()?;
    thread::sleep(SETTLES);
    let before = capturing.cpu_time()?;
    let asked = load::wrk(site, CONNECTIONS, TAKES)?;
    let cpu = capturing.cpu_time()?.saturating_sub(before);
    if let Some(looking) = looking {
        let ticks = lookers::ticks(looking)?;
        // One may be on its way at each end.
        if ticks + 2 < time.as_secs() {
            bail!("one who looks on had {ticks} ticks in {time:?}");
        }
    }
    Ok(Turn {
        requests: asked.requests,
        seconds: asked.requests as f64 / asked.requests_per_second,
        cpu_seconds: cpu.as_secs_f64(),
    })
}
