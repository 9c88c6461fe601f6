//! `GET /api/timeseries`: what exchanges and sessions come to, step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::Api;
use super::covered::ShownCovered;
use super::filters::{question, with_exchange_filters};
use super::parameters::Parameters;
use super::refusal::{Input, Place, Refusal, Wrong};
use super::stats::{is_of_time_alone, round};
use crate::sink::sqlite::tally::{ERRORS, REQUEST_BYTES, RESPONSE_BYTES, STATUS_1XX, Tally};
use crate::store::{
    Covered, CpuTraffic, POINTS_MOST, Question, STEPS, Search, Series, Store, Traffic, step_of,
};

/// The parameters of the query.
pub(super) const PARAMETERS: &[&str] = with_exchange_filters!["after", "step"];

/// Points where no step is asked for.
const POINTS: u64 = 360;

#[derive(Serialize)]
struct Shown {
    covered: ShownCovered,
    step: i64,
    times: Vec<i64>,
    series: BTreeMap<&'static str, Points>,
    cpus: BTreeMap<u32, CpuTraffic>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Points {
    Counts(Vec<u64>),
    Means(Vec<Option<f64>>),
    Quantiles(Vec<Option<u64>>),
}

/// Shows the steps.
pub(super) async fn show(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let now = Timestamp::now();
    let mut parameters = Parameters::new(query.as_deref(), PARAMETERS);
    let question = question(&mut parameters, now);
    let asked = parameters.read(
        "step",
        "one of 1, 5, 10, 60, 300, 600, 3600 (seconds)",
        |text| {
            let step: Option<i64> = text.parse().ok();
            step.filter(|step| STEPS.contains(step))
        },
    );
    parameters.end()?;
    let (from, to) = question.seconds();
    let length = to.saturating_sub(from);
    let default = step_of(Duration::from_secs(length.unsigned_abs()), &STEPS, POINTS);
    let step = asked.unwrap_or(default);
    if length / step > POINTS_MOST {
        return Err(Refusal::Values(vec![Wrong {
            kind: "too_many",
            loc: vec![Place::Name("query"), Place::Name("step")],
            msg: format!(
                "A step of {step} s makes more than {POINTS_MOST} points of this time; ask for a longer step or a shorter time"
            ),
            input: Some(Input::Text(step.to_string())),
        }]));
    }
    let of_sessions = question.after.is_none() && is_of_time_alone(&question.filter);
    let known = move |store: &Store, question: &Question| {
        let Some((series, covered)) = store.series_known(question, Some(step), now)? else {
            return Ok(None);
        };
        let places = series.tallies.len();
        let (traffic, cpus) = match of_sessions {
            true => (
                store.traffic((from, to), series.from, step, places)?,
                store.cpu_traffic((from, to), series.from, step, places)?,
            ),
            false => (Vec::new(), BTreeMap::new()),
        };
        let shown = shown(&series, &covered, &traffic, cpus);
        Ok(Some(serde_json::to_vec(&shown)))
    };
    let found = move |_store: &Store, search: &Search| {
        let shown = shown(
            &search.series(Some(step)),
            &search.covered(),
            &[],
            BTreeMap::new(),
        );
        Ok(serde_json::to_vec(&shown))
    };
    api.search(question, now, known, found).await
}

fn shown(
    series: &Series,
    covered: &Covered,
    traffic: &[Traffic],
    cpus: BTreeMap<u32, CpuTraffic>,
) -> Shown {
    let tallies = &series.tallies;
    let sums =
        |place: usize| Points::Counts(tallies.iter().map(|tally| tally.sums[place]).collect());
    let quantiles = |part: f64| {
        Points::Quantiles(
            tallies
                .iter()
                .map(|tally| tally.quantile_us(part))
                .collect(),
        )
    };
    let mut shown = BTreeMap::from([
        (
            "requests",
            Points::Counts(tallies.iter().map(Tally::exchanges).collect()),
        ),
        ("errors", sums(ERRORS)),
        ("request_bytes", sums(REQUEST_BYTES)),
        ("response_bytes", sums(RESPONSE_BYTES)),
        (
            "mean_us",
            Points::Means(
                tallies
                    .iter()
                    .map(|tally| tally.mean_us().map(round))
                    .collect(),
            ),
        ),
        ("p50_us", quantiles(0.5)),
        ("p95_us", quantiles(0.95)),
        ("p99_us", quantiles(0.99)),
    ]);
    let classes = [
        "status_1xx",
        "status_2xx",
        "status_3xx",
        "status_4xx",
        "status_5xx",
        "status_other",
    ];
    for (place, class) in classes.into_iter().enumerate() {
        shown.insert(class, sums(STATUS_1XX + place));
    }
    if !traffic.is_empty() {
        let counts =
            |count: fn(&Traffic) -> u64| Points::Counts(traffic.iter().map(count).collect());
        shown.insert("sessions_opened", counts(|traffic| traffic.opened));
        shown.insert("packets", counts(|traffic| traffic.packets));
        shown.insert("bytes", counts(|traffic| traffic.bytes));
    }
    Shown {
        covered: covered.into(),
        step: series.step,
        times: (0..tallies.len() as i64)
            .map(|place| series.from.saturating_add(place * series.step))
            .collect(),
        series: shown,
        cpus,
    }
}
