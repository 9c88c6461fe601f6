//! `GET /api/top`: exchanges by what they have in common, and `GET /api/slow`: those that took longest.

use std::cmp::Reverse;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::Api;
use super::covered::ShownCovered;
use super::filters::{question, with_exchange_filters};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::stats::round;
use crate::http::exchange::record::ExchangeRecord;
use crate::sink::sqlite::tally::{ERRORS, REQUEST_BYTES, RESPONSE_BYTES, STATUS_1XX, Tally};
use crate::store::{By, Covered, Page, Question, SLOW_MOST, Search, Store, Top};

/// The parameters of the query of `GET /api/top`.
pub(super) const PARAMETERS: &[&str] = with_exchange_filters!["after", "by", "sort", "limit"];

/// The parameters of the query of `GET /api/slow`.
pub(super) const OF_SLOW: &[&str] = with_exchange_filters!["after", "limit"];

/// Rows that can be asked for.
const LIMIT_MOST: usize = 100;
/// Rows unless it is asked for more or less.
const LIMIT: usize = 20;

/// What comes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sort {
    Requests,
    Errors,
    Mean,
    P99,
    Bytes,
}

impl Sort {
    const ALL: [Self; 5] = [
        Self::Requests,
        Self::Errors,
        Self::Mean,
        Self::P99,
        Self::Bytes,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Errors => "errors",
            Self::Mean => "mean",
            Self::P99 => "p99",
            Self::Bytes => "bytes",
        }
    }

    fn of(self, tally: &Tally) -> u64 {
        match self {
            Self::Requests => tally.exchanges(),
            Self::Errors => tally.sums[ERRORS],
            Self::Mean => tally.mean_us().map_or(0, |mean| mean as u64),
            Self::P99 => tally.quantile_us(0.99).unwrap_or(0),
            Self::Bytes => tally.sums[RESPONSE_BYTES],
        }
    }
}

#[derive(Serialize)]
struct Shown {
    covered: ShownCovered,
    by: &'static str,
    rows: Vec<Row>,
    others: Others,
}

#[derive(Serialize)]
struct Row {
    value: Box<str>,
    requests: u64,
    errors: u64,
    error_rate: Option<f64>,
    mean_us: Option<f64>,
    p50_us: Option<u64>,
    p90_us: Option<u64>,
    p99_us: Option<u64>,
    max_us: Option<u64>,
    request_bytes: u64,
    response_bytes: u64,
}

#[derive(Serialize)]
struct Others {
    values: Option<usize>,
    requests: u64,
    errors: u64,
    response_bytes: u64,
}

/// Shows the groups that stand first.
pub(super) async fn show(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let now = Timestamp::now();
    let mut parameters = Parameters::new(query.as_deref(), PARAMETERS);
    let question = question(&mut parameters, now);
    let by = parameters
        .word("by", &By::ALL, By::name)
        .unwrap_or(By::Endpoint);
    let sort = parameters
        .word("sort", &Sort::ALL, Sort::name)
        .unwrap_or(Sort::Requests);
    let limit = parameters.number("limit", 1, LIMIT_MOST).unwrap_or(LIMIT);
    parameters.end()?;
    let known = move |store: &Store, question: &Question| {
        let known = store.top_known(question, by, now)?;
        Ok(known.map(|(top, covered)| {
            let shown = shown(top, &covered, by, sort, limit);
            serde_json::to_vec(&shown)
        }))
    };
    let found = move |_store: &Store, search: &Search| {
        let shown = shown(search.top(by), &search.covered(), by, sort, limit);
        Ok(serde_json::to_vec(&shown))
    };
    api.search(question, now, known, found).await
}

fn shown(Top(merged): Top, covered: &Covered, by: By, sort: Sort, limit: usize) -> Shown {
    let mut groups: Vec<(u64, Box<str>, Tally)> = merged
        .groups
        .into_iter()
        .map(|(value, tally)| (sort.of(&tally), value, tally))
        .collect();
    groups.sort_by(|one, other| {
        let key = |group: &(u64, Box<str>, Tally)| Reverse((group.0, group.2.exchanges()));
        key(one).cmp(&key(other)).then_with(|| one.1.cmp(&other.1))
    });
    let rest = groups.split_off(groups.len().min(limit));
    // How many values there are among those that are not told apart, nobody knows.
    let values = (merged.others.exchanges() == 0).then_some(rest.len());
    let mut others = merged.others;
    for (_, _, tally) in &rest {
        others.add_sums(&tally.sums);
    }
    Shown {
        covered: covered.into(),
        by: by.name(),
        rows: groups
            .into_iter()
            .map(|(_, value, tally)| row(value, &tally))
            .collect(),
        others: Others {
            values,
            requests: others.exchanges(),
            errors: others.sums[ERRORS],
            response_bytes: others.sums[RESPONSE_BYTES],
        },
    }
}

fn row(value: Box<str>, tally: &Tally) -> Row {
    let answered: u64 = tally.sums[STATUS_1XX..ERRORS]
        .iter()
        .fold(0, |sum, count| sum.saturating_add(*count));
    let errors = tally.sums[ERRORS];
    let quantile = |part| tally.quantile_us(part);
    Row {
        value,
        requests: tally.exchanges(),
        errors,
        error_rate: (answered > 0)
            .then(|| (errors as f64 / answered as f64 * 10_000.0).round() / 100.0),
        mean_us: tally.mean_us().map(round),
        p50_us: quantile(0.5),
        p90_us: quantile(0.9),
        p99_us: quantile(0.99),
        max_us: tally.mean_us().map(|_timed| tally.longest_us),
        request_bytes: tally.sums[REQUEST_BYTES],
        response_bytes: tally.sums[RESPONSE_BYTES],
    }
}

#[derive(Serialize)]
struct ShownSlow<'a> {
    covered: ShownCovered,
    exchanges: Vec<ExchangeRecord<'a>>,
}

/// Shows those that took longest.
pub(super) async fn slow(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let now = Timestamp::now();
    let mut parameters = Parameters::new(query.as_deref(), OF_SLOW);
    let question = question(&mut parameters, now);
    let limit = parameters
        .number("limit", 1, SLOW_MOST)
        .unwrap_or(SLOW_MOST / 2);
    parameters.end()?;
    let known = move |store: &Store, question: &Question| {
        let known = store.slow_known(question, limit, now)?;
        Ok(known.map(|(page, covered)| shown_slow(&page, &covered)))
    };
    let found = move |store: &Store, search: &Search| {
        let page = store.slow_found(search, limit)?;
        Ok(shown_slow(&page, &search.covered()))
    };
    api.search(question, now, known, found).await
}

fn shown_slow(page: &Page, covered: &Covered) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&ShownSlow {
        covered: covered.into(),
        exchanges: page.exchanges().collect(),
    })
}
