//! The account for machines, and the bars of its times.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::threshold::Judged;

/// Rows of the bar histogram.
pub(super) const ROWS: usize = 10;

/// What a run came to, for machines. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    pub(super) arrivals: &'static str,
    pub(super) seed: u64,
    pub(super) threads: u32,
    pub(super) connections: u32,
    /// Until the last request had ended, without the wait for answers that did not come.
    pub(super) seconds: f64,
    /// Until nothing was started any more.
    pub(super) starting_seconds: f64,
    pub(super) started: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) unfinished: u64,
    pub(super) late: u64,
    pub(super) dropped: u64,
    pub(super) offered_rate: Option<f64>,
    pub(super) started_rate: f64,
    pub(super) answered_rate: f64,
    pub(super) rate_met: bool,
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) statuses: BTreeMap<String, u64>,
    pub(super) connections_opened: u64,
    pub(super) connections_most: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_of_bodies: u64,
    pub(super) bytes_unasked: u64,
    pub(super) from_send: Latency,
    pub(super) from_intended_start: Option<Latency>,
    pub(super) start_lateness: Option<Latency>,
    pub(super) until_failed: Option<Latency>,
    /// Of all times but those in seconds.
    pub(super) time_unit: &'static str,
    pub(super) histogram: Vec<Row>,
    pub(super) thresholds: Vec<Judged>,
}

/// Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    pub(super) count: u64,
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p99_9: f64,
    #[serde(rename = "p99.99")]
    pub(super) p99_99: f64,
    pub(super) max: f64,
}

impl Latency {
    pub(super) fn of(times: &Histogram<u64>) -> Self {
        let micros = |nanoseconds: f64| nanoseconds / 1000.0;
        // The end of a histogram's last step may be beyond its longest time.
        let at = |part: f64| micros(times.value_at_percentile(part).min(times.max()) as f64);
        Self {
            count: times.len(),
            min: if times.is_empty() {
                0.0
            } else {
                micros(times.min() as f64)
            },
            mean: micros(times.mean()),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: micros(times.max() as f64),
        }
    }
}

/// One row of the bar histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    /// Requests up to this time (microseconds), and later than the row before.
    pub(super) up_to: f64,
    pub(super) count: u64,
    #[serde(skip)]
    pub(super) end: u64,
}

/// Rows whose times grow by the same factor, from the shortest time to the longest.
pub(super) fn bars(times: &Histogram<u64>) -> Vec<Row> {
    if times.is_empty() {
        return Vec::new();
    }
    let (least, most) = (times.min().max(1) as f64, times.max().max(1) as f64);
    let factor = (most / least).powf(1.0 / ROWS as f64);
    let mut rows: Vec<Row> = Vec::new();
    let mut before = 0;
    for row in 1..=ROWS {
        let end = match row == ROWS {
            true => most,
            false => least * factor.powi(row as i32),
        };
        let end_step = times.highest_equivalent(end as u64);
        // Where all times are close to each other steps are wider than rows.
        if rows.last().is_some_and(|last| last.end == end_step) {
            continue;
        }
        let until = times.count_between(0, end_step);
        rows.push(Row {
            up_to: end_step.min(times.max()) as f64 / 1000.0,
            count: until.saturating_sub(before),
            end: end_step,
        });
        before = until;
        if end_step >= times.max() {
            break;
        }
    }
    rows
}
