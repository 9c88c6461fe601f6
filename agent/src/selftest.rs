//! `tapline selftest`: known traffic goes through the capture, and what was written is held against what was
//! sent.
//!
//! ```text
//! gen packets: every shape ─► truth ───────────────────────────────────────────┐
//!        │                                                                     ▼
//!        ▼                                                                   score ─► report
//!  namespace "wire" ══ veth ══ namespace "agent": tapline run ─► lines, store ─┘
//!        ▲
//! gen http: real connections, each request stamped
//! ```
//!
//! The namespaces have no names and live as long as this process and what it started: nothing is left behind,
//! however it ends. Without privileges the shapes go to a capture file, and the code of `tapline read` reads
//! it.

mod found;
pub mod keep;
mod live;
mod load;
mod offline;
pub mod report;
pub mod score;
mod workplace;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::generate::packets::shape::Shape;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;
use report::{Report, Row};

/// What is to be tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the frames are made from.
    pub seed: Seed,
    /// The shapes that are sent.
    pub shapes: Vec<Shape>,
    /// Exchanges of a connection that is kept.
    pub exchanges: u32,
    /// The hooks, by the words of `--attach`; empty: none, a capture file is read.
    pub hooks: Vec<String>,
    /// How long real connections load each hook.
    pub load: Duration,
}

/// Tests. `None`: it was time to stop before it was done.
///
/// # Errors
/// What is needed cannot be had: namespaces, the capture, files.
pub fn run(plan: &Plan, stop: &Stop) -> anyhow::Result<Option<Report>> {
    let (at, begun) = (Timestamp::now(), Instant::now());
    let mut rows: Vec<Row> = Vec::new();
    if plan.hooks.is_empty() {
        rows.extend(offline::rows(plan, stop)?);
    }
    for hook in &plan.hooks {
        if stop.is_told() {
            return Ok(None);
        }
        rows.extend(live::rows(plan, hook, stop)?);
    }
    if stop.is_told() {
        return Ok(None);
    }
    Ok(Some(Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at,
        seconds: begun.elapsed().as_secs_f64(),
        seed: plan.seed.0,
        passed: rows.iter().all(|row| row.passed)
            && rows
                .iter()
                .any(|row| row.score.sent + row.score.sessions > 0),
        rows,
    }))
}
