//! The account of a run: what of it was live, what was of the day before, and what of it there is.

use serde::Serialize;

use super::plan::{Plan, To};
use crate::generate::access::files::Deleted;
use crate::generate::summary::Summary;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Done {
    /// The account, without the day before.
    #[serde(flatten)]
    pub summary: Summary,
    /// The lines of the day before; `None`: there were to be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_before: Option<DayBefore>,
    /// Files of access.log that rotation deleted, also of runs before.
    pub deleted_files: u64,
    /// Lines of this run that were in them, also of the day before.
    pub deleted_lines: u64,
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

/// How the live part of a run went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) seconds: f64,
    /// The rate that was asked for, on average.
    pub(super) asked: Option<f64>,
    pub(super) is_met: bool,
}

/// Settles a run of which so many lines and bytes are there. `warmed`: the day before, if that came to its
/// end.
pub(super) fn settle(
    plan: &Plan,
    lines: u64,
    bytes: u64,
    deleted: Deleted,
    warmed: Option<DayBefore>,
    live: Live,
) -> Done {
    let is_warmed = plan.config.output.pre_warm;
    // Where not even that was done all lines are of it.
    let all = DayBefore {
        records: lines,
        bytes,
        seconds: live.seconds,
    };
    let (before, live) = match warmed {
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
        seed: plan.seed.0,
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
        is_of_frames: false,
        dry_run: plan.to == To::Nowhere,
    };
    Done {
        summary,
        day_before: is_warmed.then_some(before),
        deleted_files: deleted.files,
        deleted_lines: deleted.lines,
    }
}
