//! `GET /api/stats`: what exchanges, and sessions, come to over a stretch of time.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::covered::ShownCovered;
use super::filters::{question, with_exchange_filters};
use super::logs::json_text;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Api, Inner};
use crate::http::exchange::record::Outcome;
use crate::server::routes::Questions;
use crate::sink::sqlite::tally::{
    COMPLETE, ERRORS, REQUEST_BYTES, RESPONSE_BYTES, STATUS_1XX, TIMED, Tally, histogram,
};
use crate::store::{Common, Covered, ExchangeFilter, Question, ReadError, Search, Store, Traffic};

/// The parameters of the query.
pub(super) const PARAMETERS: &[&str] = with_exchange_filters!["after"];

/// The names of the classes of statuses.
pub(super) const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

#[derive(Serialize)]
struct Shown {
    covered: ShownCovered,
    total_requests: u64,
    /// Milliseconds.
    avg_response_time: Option<f64>,
    /// Percent of those answered.
    success_rate: Option<f64>,
    error_rate: Option<f64>,
    /// Requests a second, since the first record that is stored.
    rate: f64,
    /// The time of that; None: there is none.
    since: Option<String>,
    errors: u64,
    answered: u64,
    timed: u64,
    by_status: BTreeMap<&'static str, u64>,
    by_outcome: BTreeMap<&'static str, u64>,
    request_bytes: u64,
    response_bytes: u64,
    ttfb_us: Option<Latency>,
    histogram: Vec<(u64, u64)>,
    sessions: Option<Sessions>,
    lost: Option<u64>,
}

/// Microseconds.
#[derive(Serialize)]
pub(super) struct Latency {
    mean: f64,
    p50: u64,
    p90: u64,
    p95: u64,
    p99: u64,
    max: u64,
}

#[derive(Serialize)]
struct Sessions {
    opened: u64,
    ended: u64,
    packets: u64,
    bytes: u64,
    active: Option<u64>,
}

/// Shows the sums.
pub(super) async fn show(
    State(api): State<Api>,
    questions: Option<Extension<Questions>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let now = Timestamp::now();
    let mut parameters = Parameters::new(query.as_deref(), PARAMETERS);
    let question = question(&mut parameters, now);
    parameters.end()?;
    let of_sessions = question.after.is_none() && is_of_time_alone(&question.filter);
    let known = move |store: &Store, question: &Question| {
        let Some((series, covered)) = store.series_known(question, None, now)? else {
            return Ok(None);
        };
        let tally = series.tallies.into_iter().next().unwrap_or_default();
        let traffic = match of_sessions {
            true => Some(traffic(store, question.seconds())?),
            false => None,
        };
        Ok(Some((tally, covered, traffic, store.first_time()?)))
    };
    let found = move |store: &Store, search: &Search| {
        let tally = search.series(None).tallies.into_iter().next();
        let since = store.first_time()?;
        Ok((tally.unwrap_or_default(), search.covered(), None, since))
    };
    let Inner {
        searches, readers, ..
    } = &*api.0;
    let answer = searches.answer(readers, question, now, known, found);
    let (tally, covered, traffic, since) = answer.await?;
    let (active, lost) = match questions {
        Some(Extension(questions)) => super::super::routes::gauges(&questions).await?,
        None => (None, None),
    };
    let sessions = traffic.map(|traffic| Sessions {
        opened: traffic.opened,
        ended: traffic.ended,
        packets: traffic.packets,
        bytes: traffic.bytes,
        active,
    });
    let shown = shown(&tally, &covered, since, sessions, lost);
    json_text(serde_json::to_vec(&shown))
}

fn traffic(store: &Store, range: (i64, i64)) -> Result<Traffic, ReadError> {
    let step = range.1.saturating_sub(range.0).max(1);
    let sums = store.traffic(range, range.0, step, 1)?;
    Ok(sums.first().copied().unwrap_or_default())
}

/// Whether a filter finds all exchanges of its time.
pub(super) fn is_of_time_alone(filter: &ExchangeFilter) -> bool {
    let Common { since, until, .. } = filter.common;
    let common = Common {
        since,
        until,
        ..Common::default()
    };
    *filter
        == ExchangeFilter {
            common,
            ..ExchangeFilter::default()
        }
}

fn shown(
    tally: &Tally,
    covered: &Covered,
    since: Option<Timestamp>,
    sessions: Option<Sessions>,
    lost: Option<u64>,
) -> Shown {
    let statuses = &tally.sums[STATUS_1XX..STATUS_1XX + CLASSES.len()];
    let answered: u64 = statuses
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count));
    let percent = |count: u64| {
        (answered > 0).then(|| (count as f64 / answered as f64 * 10_000.0).round() / 100.0)
    };
    let seconds = counted_for(covered, since);
    let mean = tally.mean_us();
    Shown {
        covered: covered.into(),
        total_requests: tally.exchanges(),
        avg_response_time: mean.map(|mean| (mean / 10.0).round() / 100.0),
        success_rate: percent(statuses[1]),
        error_rate: percent(tally.sums[ERRORS]),
        rate: match seconds > 0.0 {
            true => (tally.exchanges() as f64 / seconds * 1000.0).round() / 1000.0,
            false => 0.0,
        },
        since: since.map(|since| since.to_string()),
        errors: tally.sums[ERRORS],
        answered,
        timed: tally.sums[TIMED],
        by_status: CLASSES.into_iter().zip(statuses.iter().copied()).collect(),
        by_outcome: Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome.name(), tally.sums[COMPLETE + outcome as usize]))
            .collect(),
        request_bytes: tally.sums[REQUEST_BYTES],
        response_bytes: tally.sums[RESPONSE_BYTES],
        ttfb_us: latency(tally),
        histogram: tally
            .histogram
            .buckets()
            .map(|(index, count)| (histogram::from_us(index), count))
            .collect(),
        sessions,
        lost,
    }
}

/// The seconds of what is covered in which something could be stored: those since the first record. One
/// at least, where so much is covered: what has only come makes no rate.
fn counted_for(covered: &Covered, since: Option<Timestamp>) -> f64 {
    let whole = covered.seconds();
    let Some(since) = since.filter(|since| *since > covered.from) else {
        return whole;
    };
    let part = covered.to.duration_since(since).as_secs_f64();
    part.max(1.0).min(whole)
}

/// How long those timed took; None: none is.
pub(super) fn latency(tally: &Tally) -> Option<Latency> {
    let quantile = |part| tally.quantile_us(part).unwrap_or_default();
    Some(Latency {
        mean: round(tally.mean_us()?),
        p50: quantile(0.5),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        max: tally.longest_us,
    })
}

/// To a tenth.
pub(super) fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
