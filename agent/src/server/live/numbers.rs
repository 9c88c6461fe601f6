//! The numbers of a tick: of the last whole second and the last minute, from the roll-ups of the store,
//! or, without a store, from what the capture has counted since. Pure.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::server::Snapshot;
use crate::store::{CLASSES, Sums};

/// Seconds of the longer stretch.
pub(super) const MINUTE: i64 = 60;

/// What was seen in a stretch of time; `None`: that is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Seen {
    /// The second that it began with, since the epoch.
    time_s: Option<i64>,
    requests: Option<u64>,
    errors: Option<u64>,
    status: Option<Statuses>,
    mean_us: Option<u64>,
    p50_us: Option<u64>,
    p95_us: Option<u64>,
    p99_us: Option<u64>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
}

/// The same over a minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Minute {
    #[serde(flatten)]
    seen: Seen,
    /// Requests a second.
    rate: Option<f64>,
    /// Percent of those that have a status.
    success_rate: Option<f64>,
    error_rate: Option<f64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
struct Statuses {
    #[serde(rename = "1xx")]
    informational: u64,
    #[serde(rename = "2xx")]
    successful: u64,
    #[serde(rename = "3xx")]
    redirection: u64,
    #[serde(rename = "4xx")]
    client_error: u64,
    #[serde(rename = "5xx")]
    server_error: u64,
    other: u64,
}

impl From<[u64; CLASSES]> for Statuses {
    fn from(counts: [u64; CLASSES]) -> Self {
        let [
            informational,
            successful,
            redirection,
            client_error,
            server_error,
            other,
        ] = counts;
        Self {
            informational,
            successful,
            redirection,
            client_error,
            server_error,
            other,
        }
    }
}

impl Seen {
    /// Of the store, from `time_s` on.
    pub(super) fn of(time_s: i64, sums: &Sums) -> Self {
        Self {
            time_s: Some(time_s),
            requests: Some(sums.exchanges),
            errors: Some(sums.errors),
            status: Some(sums.statuses.into()),
            mean_us: sums.mean_us(),
            p50_us: sums.percentile_us(0.5),
            p95_us: sums.percentile_us(0.95),
            p99_us: sums.percentile_us(0.99),
            request_bytes: Some(sums.request_bytes),
            response_bytes: Some(sums.response_bytes),
        }
    }
}

impl Minute {
    fn of(seen: Seen, sums: &Sums, seconds: f64) -> Self {
        let [_, successful, ..] = sums.statuses;
        let percent = |count: u64| {
            let share = 100.0 * count as f64 / sums.answered() as f64;
            (sums.answered() > 0).then(|| rounded(share))
        };
        Self {
            seen,
            rate: (seconds > 0.0).then(|| rounded(sums.exchanges as f64 / seconds)),
            success_rate: percent(successful),
            error_rate: percent(sums.errors),
        }
    }
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Of the roll-ups: `seconds` are those of a minute that ends before `end`.
pub(super) fn of_store(seconds: &BTreeMap<i64, Sums>, end: i64) -> (Seen, Minute) {
    let none = Sums::default();
    let last = seconds.get(&(end - 1)).unwrap_or(&none);
    let mut all = Sums::default();
    for second in seconds.values() {
        all.add(second);
    }
    let minute = Seen::of(end - MINUTE, &all);
    (
        Seen::of(end - 1, last),
        Minute::of(minute, &all, MINUTE as f64),
    )
}

/// What a capture had counted, by the second: without a store it is all that is known.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<(i64, Sums)>);

impl History {
    /// Takes the counts of the second `now`, and gives what came since the last one and within the last
    /// minute.
    pub(super) fn add(&mut self, now: i64, snapshot: &Snapshot) -> (Seen, Minute) {
        // Nobody has looked on for a while: the difference is of no second.
        if self
            .0
            .back()
            .is_some_and(|(last, _)| !(1..=3).contains(&(now - last)))
        {
            self.0.clear();
        }
        while self
            .0
            .front()
            .is_some_and(|(first, _)| now - first > MINUTE)
        {
            self.0.pop_front();
        }
        let counted = counted(snapshot);
        let since = |place: Option<&(i64, Sums)>| {
            place.map(|(time, before)| (*time, difference(&counted, before)))
        };
        let second = since(self.0.back()).map(|(time, sums)| known(time, &sums));
        let minute = since(self.0.front()).map(|(time, sums)| {
            let seen = known(time, &sums);
            Minute::of(seen, &sums, (now - time) as f64)
        });
        self.0.push_back((now, counted));
        (second.unwrap_or_default(), minute.unwrap_or_default())
    }
}

/// Without what a capture does not count.
fn known(time_s: i64, sums: &Sums) -> Seen {
    Seen {
        request_bytes: None,
        response_bytes: None,
        ..Seen::of(time_s, sums)
    }
}

/// From the start on.
pub(in crate::server) fn counted(snapshot: &Snapshot) -> Sums {
    let mut sums = Sums {
        exchanges: snapshot.exchanges.outcomes.iter().sum(),
        ..Sums::default()
    };
    for histogram in &snapshot.exchanges.histograms {
        let count: u64 = histogram.buckets.iter().sum();
        let class = match histogram.status / 100 {
            class @ 1..=5 => usize::from(class) - 1,
            _ => CLASSES - 1,
        };
        sums.statuses[class] += count;
        if histogram.status >= 400 {
            sums.errors += count;
        }
        sums.timed += count;
        sums.ttfb_us += (histogram.sum_seconds * 1e6) as u64;
    }
    sums
}

pub(in crate::server) fn difference(now: &Sums, before: &Sums) -> Sums {
    let mut statuses = now.statuses;
    for (status, before) in statuses.iter_mut().zip(before.statuses) {
        *status = status.saturating_sub(before);
    }
    Sums {
        exchanges: now.exchanges.saturating_sub(before.exchanges),
        statuses,
        errors: now.errors.saturating_sub(before.errors),
        timed: now.timed.saturating_sub(before.timed),
        ttfb_us: now.ttfb_us.saturating_sub(before.ttfb_us),
        ..Sums::default()
    }
}
