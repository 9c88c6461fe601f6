//! What changed against the time before: more errors, more records or fewer, slower answers.
//!
//! Every step of a series is compared with its history: the steps of the six hours before, without
//! those just before it, and without those that were already found to be out of the ordinary. Where
//! there is no such history yet, the beginning of the log stands for it. Medians and median deviations
//! describe it, so that a bad quarter of an hour does not become what is ordinary.
//!
//! Thresholds are probabilities, not figures of a data set: a step is told where chance alone would
//! bring so much less than once in a thousand steps, and it is clearly more than usual.

mod history;
mod usual;

use super::robust::{Spread, median, surprise};
use super::series::{Point, Series};
use history::History;
use usual::Usual;

/// What is counted of a step.
type Count = fn(&Point) -> u64;

/// What changed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Signal {
    /// The share of answers with a status from 500 on.
    ServerErrors,
    /// The share of answers with a status from 400 to 499.
    ClientErrors,
    /// The share of requests without an answer.
    Unanswered,
    /// The share of records of the levels ERROR and CRITICAL.
    Failures,
    /// The share of records of the levels WARNING and above.
    Warnings,
    /// More records than usual.
    MoreRecords,
    /// Fewer records than usual.
    FewerRecords,
    /// The mean time of answers.
    Slower,
}

/// A time in which something was not as before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What it is.
    pub signal: Signal,
    /// When it began: seconds since 1970.
    pub from_s: i64,
    /// When it was over: the end of its last step.
    pub to_s: i64,
    /// Its worst step: a share (0 to 1), records a minute, or a mean in microseconds.
    pub peak: f64,
    /// What was to be expected of that step.
    pub usual: f64,
    /// How unlikely that step is: minus the decimal logarithm of the probability, or deviations from
    /// the median.
    pub score: f64,
    /// Records of this sort in all of it (those that erred, those that were timed, all).
    pub count: u64,
}

/// Minus the decimal logarithm of the probability from which a count is told.
const SURPRISE: f64 = 3.0;

/// How many times the usual share it must be, too.
const TIMES: f64 = 1.5;

/// Errors that are too few to be told, whatever their share.
const FEWEST: u64 = 5;

/// Deviations from the median from which a time is told, and by what share it must be longer, too.
const SLOWER: (f64, f64) = (4.0, 1.3);

/// Microseconds by which it must be longer, too: less is nothing that a user feels, and clocks of logs
/// have no more than milliseconds.
const FELT: f64 = 10_000.0;

/// Deviations from the median from which a rate is told, and how many times as much it must be.
const MORE: (f64, f64) = (6.0, 2.0);

/// The same for what is missing.
const FEWER: (f64, f64) = (6.0, 0.4);

/// The part of the history that may have as much, or as little, where a rate is told for what was shortly
/// before alone: what comes now and then is usual.
const SELDOM: f64 = 0.05;

/// Measured answers that a step must have for its mean to say something.
const TIMED: u64 = 10;

/// Steps of one change may have so many ordinary ones between them.
const BRIDGE: usize = 1;

/// What changed at one part of the traffic: errors of the server, and times. The earliest first.
#[must_use]
pub fn changes_of_part(series: &Series) -> Vec<Change> {
    let mut found = share(series, Signal::ServerErrors, |point| point.server_errors);
    found.extend(slower(series));
    found.sort_by_key(|change| (change.from_s, change.signal));
    found
}

/// All changes in the series, the earliest first.
#[must_use]
pub fn changes(series: &Series) -> Vec<Change> {
    let shares: [(Signal, Count); 5] = [
        (Signal::ServerErrors, |point| point.server_errors),
        (Signal::ClientErrors, |point| point.client_errors),
        (Signal::Unanswered, |point| point.unanswered),
        (Signal::Failures, |point| point.failures),
        (Signal::Warnings, |point| point.warnings),
    ];
    let mut found = Vec::new();
    for (signal, count) in shares {
        found.extend(share(series, signal, count));
    }
    found.extend(slower(series));
    found.extend(rate(series, Signal::MoreRecords));
    found.extend(rate(series, Signal::FewerRecords));
    found.sort_by_key(|change| (change.from_s, change.signal));
    found
}

/// A step that is out of the ordinary.
#[derive(Clone, Copy, Debug)]
struct Odd {
    value: f64,
    usual: f64,
    score: f64,
}

/// Where errors gather: steps alone, and two together, since what is short may lie on both sides of
/// the minute.
fn share(series: &Series, signal: Signal, count: Count) -> Vec<Change> {
    let points = &series.points;
    if points.iter().all(|point| count(point) == 0) {
        return Vec::new();
    }
    let ratio =
        |point: &Point| (point.records > 0).then(|| count(point) as f64 / point.records as f64);
    let mut odd: Vec<Option<Odd>> = vec![None; points.len()];
    let mut history = History::new(series, |point| point.records > 0);
    for index in 0..points.len() {
        let point = points[index];
        let before = index.checked_sub(1).filter(|before| odd[*before].is_none());
        let others = before.map_or(0, |before| count(&points[before]));
        // With so few, nothing is odd: what is usual need not be known.
        if point.records == 0 || count(&point).saturating_add(others) < FEWEST {
            continue;
        }
        let steps = history.of(index);
        let judge = |usual: f64, records: u64, count: u64| {
            let expected = usual * records as f64;
            let score = surprise(count as f64, expected);
            let is_odd = count >= FEWEST && score >= SURPRISE && count as f64 >= expected * TIMES;
            is_odd.then(|| Odd {
                value: count as f64 / records as f64,
                usual,
                score,
            })
        };
        let before = before.map(|before| (before, points[before]));
        let alone = |usual| judge(usual, point.records, count(&point));
        let both = |usual| {
            let (before, other) = before?;
            let found = judge(
                usual,
                point.records.saturating_add(other.records),
                count(&point).saturating_add(count(&other)),
            )?;
            let above = |point: &Point| ratio(point).unwrap_or_default() > usual;
            (above(&point) && above(&other)).then_some((before, found))
        };
        let mut usual = Usual::of(points, steps, count, ratio);
        // What is not odd beside the median is not odd beside what is more.
        let middle = usual.middle();
        if alone(middle).is_none() && both(middle).is_none() {
            continue;
        }
        let usual = usual.share();
        if let Some(alone) = alone(usual) {
            odd[index] = Some(alone);
            history.leave_out(index);
        } else if let Some((before, both)) = both(usual) {
            odd[before] = Some(both);
            odd[index] = Some(both);
            history.leave_out(before);
            history.leave_out(index);
        }
    }
    join(series, signal, &odd, count)
}

/// Where answers were slower.
fn slower(series: &Series) -> Vec<Change> {
    let points = &series.points;
    let is_measured = |point: &Point| point.timed >= TIMED;
    let mut odd: Vec<Option<Odd>> = vec![None; points.len()];
    let mut history = History::new(series, is_measured);
    for index in 0..points.len() {
        let Some(mean) = points[index]
            .mean_us()
            .filter(|_| is_measured(&points[index]))
        else {
            continue;
        };
        if mean < FELT {
            continue;
        }
        let steps = history.of(index).iter();
        let mut means: Vec<f64> = steps
            .filter_map(|index| points.get(*index)?.mean_us())
            .collect();
        let Some(spread) = Spread::of(&mut means) else {
            continue;
        };
        let deviation = spread.deviation.max(spread.median * 0.02).max(1.0);
        let score = (mean - spread.median) / deviation;
        let is_felt = mean - spread.median >= FELT;
        if score >= SLOWER.0 && mean >= spread.median * SLOWER.1 && is_felt {
            odd[index] = Some(Odd {
                value: mean,
                usual: spread.median,
                score,
            });
            history.leave_out(index);
        }
    }
    join(series, Signal::Slower, &odd, |point| point.timed)
}

/// Where there was more, or less, than before. The first and the last step are often not whole and
/// are left out.
fn rate(series: &Series, signal: Signal) -> Vec<Change> {
    let points = &series.points;
    let is_more = signal == Signal::MoreRecords;
    let minutes = series.step_s as f64 / 60.0;
    let roots: Vec<f64> = points
        .iter()
        .map(|point| (point.records as f64).sqrt())
        .collect();
    let mut odd: Vec<Option<Odd>> = vec![None; points.len()];
    let is_whole = |place: &usize| *place > 0 && *place + 1 < points.len();
    let root = |place: &usize| roots.get(*place).copied();
    let mut history = History::new(series, |_| true);
    for index in 1..points.len().saturating_sub(1) {
        let records = points[index].records as f64;
        let is_far = |usual: f64| match is_more {
            true => records >= usual * MORE.1,
            false => records <= usual * FEWER.1,
        };
        let judge = |spread: &Spread| {
            // Roots of counts by chance deviate by a half, whatever the count.
            let score = (records.sqrt() - spread.median) / spread.deviation.max(0.5);
            let usual = spread.median * spread.median;
            let is_odd = match is_more {
                true => score >= MORE.0,
                false => -score >= FEWER.0,
            };
            (is_odd && is_far(usual)).then_some(Odd {
                value: records / minutes,
                usual: usual / minutes,
                score: score.abs(),
            })
        };
        let steps = history.of(index).iter().filter(|place| is_whole(place));
        let mut before: Vec<f64> = steps.filter_map(root).collect();
        // Most steps are not far from the median: how much they deviate need not be known.
        let odd_beside = |roots: &mut [f64]| {
            let is_near = !median(roots).is_some_and(|median| is_far(median * median));
            let spread = (!is_near).then(|| Spread::of(roots))??;
            judge(&spread)
        };
        // Beside six hours in which the traffic went from one level to another little is odd: what was
        // shortly before tells more, unless the history has had the like.
        let of_recent = || {
            // As much but for what chance does.
            let is_like = |before: &&f64| match is_more {
                true => **before >= records.sqrt() - 1.0,
                false => **before <= records.sqrt() + 1.0,
            };
            let like = before.iter().filter(is_like).count();
            let is_seldom = like as f64 <= before.len() as f64 * SELDOM;
            let steps = history.recent(index).filter(is_whole);
            let mut recent: Vec<f64> = steps.filter_map(|place| root(&place)).collect();
            is_seldom.then(|| odd_beside(&mut recent))?
        };
        let Some(found) = of_recent().or_else(|| odd_beside(&mut before)) else {
            continue;
        };
        // What comes every day at this time is not out of the ordinary.
        let days = same_time(series, index);
        let mut daily: Vec<f64> = days.iter().filter_map(root).collect();
        let is_daily = Spread::of(&mut daily).is_some_and(|spread| judge(&spread).is_none());
        if days.len() < 2 || !is_daily {
            odd[index] = Some(found);
            history.leave_out(index);
        }
    }
    join(series, signal, &odd, |point| point.records)
}

/// The steps of the days before at the time of this one.
fn same_time(series: &Series, index: usize) -> Vec<usize> {
    let day = usize::try_from(86_400 / series.step_s.max(1)).unwrap_or(usize::MAX);
    let earlier = (1..=7).map_while(|days| index.checked_sub(day.checked_mul(days)?));
    earlier.collect()
}

/// Steps that follow each other are one change.
fn join(series: &Series, signal: Signal, odd: &[Option<Odd>], count: Count) -> Vec<Change> {
    let mut changes: Vec<(usize, Change)> = Vec::new();
    for (index, (found, point)) in odd.iter().zip(&series.points).enumerate() {
        let Some(found) = found else {
            continue;
        };
        let to_s = point.time_s.saturating_add(series.step_s);
        match changes.last_mut() {
            Some((last, change)) if index - *last <= BRIDGE + 1 => {
                *last = index;
                change.to_s = to_s;
                change.count = change.count.saturating_add(count(point));
                if found.score > change.score {
                    change.score = found.score;
                    change.peak = found.value;
                    change.usual = found.usual;
                }
            }
            _ => changes.push((
                index,
                Change {
                    signal,
                    from_s: point.time_s,
                    to_s,
                    peak: found.value,
                    usual: found.usual,
                    score: found.score,
                    count: count(point),
                },
            )),
        }
    }
    changes.into_iter().map(|(_, change)| change).collect()
}

#[cfg(test)]
mod tests;
