//! What those who look on cost the capture: requests a second between nginx and wrk on a pair of virtual
//! cables, captured with all that the agent does, with a hundred streams of /api/live and without, in turn.

use std::{process::Stdio, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::{
    bench::{
        capture::{
            capturer::Capturer,
            load,
            site::{Site, program},
        },
        statistics::Summary,
        target::{Bound, Target},
    },
    interrupt,
    report::say,
    workspace::{Workspace, is_root},
};

/// Pairs of runs.
const PAIRS: u32 = 5;

/// How long each run takes.
const TAKES: Duration = Duration::from_secs(3);

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
    /// Requests a second without and with those who look on.
    pairs: Vec<[f64; 2]>,
    ratio: Option<Summary>,
}

impl WithViewers {
    /// What is held against limits.
    pub(super) fn target(&self) -> Target {
        let ratio = self.ratio.as_ref().map_or(f64::NAN, |ratio| ratio.median);
        let name = "capture with 100 who look on: of the requests a second without";
        Target::new(name, ratio, Bound::AtLeast, RATIO, "")
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
    for round in 0..PAIRS {
        if let Some(signal) = interrupt::signal() {
            bail!("interrupted by signal {signal}");
        }
        let mut rates = [0.0; 2];
        for turn in [round % 2, 1 - round % 2] {
            let capturing = capturer.start(&site)?;
            let viewers = (turn == 1).then(|| look_on(&site)).transpose()?;
            // They have had a tick by then.
            thread::sleep(Duration::from_millis(1500));
            rates[turn as usize] = load::wrk(&site, CONNECTIONS, TAKES)?.requests_per_second;
            drop(viewers);
            capturing.finish()?;
        }
        let [without, with] = rates;
        say(format_args!(
            "{without:.0} requests/s captured without viewers, {with:.0} with"
        ));
        pairs.push(rates);
    }
    let ratio = Summary::of(pairs.iter().map(|[without, with]| with / without));
    Ok(Some(WithViewers {
        streams: STREAMS,
        pairs,
        ratio,
    }))
}

/// Opens the streams, from within the namespace of the server.
fn look_on(site: &Site) -> Result<crate::process::Running> {
    site.in_server(program("curl")?)
        .args([
            "--silent",
            "--no-buffer",
            "--parallel",
            "--parallel-immediate",
        ])
        .args([
            "--parallel-max",
            &STREAMS.to_string(),
            "--output",
            "/dev/null",
        ])
        .arg(format!("http://127.0.0.1:8000/api/live#[1-{STREAMS}]"))
        .start(Stdio::null(), Stdio::null())
        .context("open streams with curl")
}
