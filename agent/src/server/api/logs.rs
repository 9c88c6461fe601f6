//! `/api/logs`: sessions are taken, found and shown.

use std::cmp::Reverse;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use jiff::{SignedDuration, Timestamp};

use super::Api;
use super::parameters::Parameters;
use super::record::Sort;
use super::refusal::{Place, Refusal, Wrong};
use super::taking::{self, ShownSession};
use crate::session::record::Protocol;
use crate::store::{Common, Order, Page, ReadError, SessionFilter, Store};

/// Rows that a page may have.
pub(super) const LIMIT_MOST: usize = 1000;
/// The parameters of the query of `GET /api/logs`.
pub(super) const PARAMETERS: [&str; 7] = [
    "skip",
    "limit",
    "src_ip",
    "dst_ip",
    "protocol",
    "start_time",
    "end_time",
];

/// Rows of a page, unless it is asked for more or less.
pub(super) const LIMIT: usize = 100;

/// `POST /api/logs`.
pub(super) async fn take(State(api): State<Api>, request: Request) -> Result<Response, Refusal> {
    taking::take(&api, request, Sort::Sessions).await
}

/// `GET /api/logs`.
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::new(query.as_deref(), &PARAMETERS);
    let skip = parameters.number("skip", 0, i64::MAX as usize).unwrap_or(0);
    let limit = parameters.number("limit", 1, LIMIT_MOST).unwrap_or(LIMIT);
    let filter = SessionFilter {
        common: Common {
            since: parameters.time("start_time"),
            until: parameters.time("end_time").map(behind),
            src_ip: parameters.parsed("src_ip", "an IPv4 or IPv6 address"),
            dst_ip: parameters.parsed("dst_ip", "an IPv4 or IPv6 address"),
            ..Common::default()
        },
        protocol: parameters.word("protocol", &Protocol::ALL, Protocol::name),
        ..SessionFilter::default()
    };
    parameters.end()?;
    let found = api.0.readers.search(move |store| {
        let page = behind_skipped(store, &filter, skip, limit)?;
        Ok(shown(&page))
    });
    json_text(found.await?)
}

/// `GET /api/logs/{id}`.
pub(super) async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id: i64 = id.parse().map_err(|_other| {
        Refusal::Values(vec![Wrong {
            kind: "int_parsing",
            loc: vec![Place::Name("path"), Place::Name("id")],
            msg: "Input should be a whole number".to_owned(),
            input: None,
        }])
    })?;
    let found = api.0.readers.search(move |store| {
        let page = store.session(id)?;
        let record = page.sessions().next();
        Ok(record.map(|record| serde_json::to_vec(&ShownSession { id, record })))
    });
    json_text(found.await?.ok_or(Refusal::NotFound(MISSING))?)
}

const MISSING: &str = "Traffic log not found";

/// Times of filters are up to and with this one, the store's are up to it.
pub(super) fn behind(time: Timestamp) -> Timestamp {
    let next = SignedDuration::from_micros(1);
    time.checked_add(next).unwrap_or(time)
}

fn behind_skipped(
    store: &Store,
    filter: &SessionFilter,
    mut skip: usize,
    limit: usize,
) -> Result<Page, ReadError> {
    let mut after = None;
    while skip > 0 {
        let asked = skip.min(LIMIT_MOST);
        let page = whole(store.sessions(filter, Order::Newest, after, asked)?)?;
        if page.len() < asked {
            return Ok(Page::default());
        }
        skip -= asked;
        after = page.next();
    }
    whole(store.sessions(filter, Order::Newest, after, limit)?)
}

/// Programs that know this resource alone take a page for all that there is: none is given where the
/// time was over before.
fn whole(page: Page) -> Result<Page, ReadError> {
    match page.stopped() {
        None => Ok(page),
        Some(_) => Err(ReadError::TooLong),
    }
}

/// The page as JSON, the newest first also where thousands have the same time: keys are then out of
/// order by as many microseconds.
fn shown(page: &Page) -> serde_json::Result<Vec<u8>> {
    let rows = page.ids().zip(page.sessions());
    let mut rows: Vec<ShownSession<'_>> = rows
        .map(|(id, record)| ShownSession { id, record })
        .collect();
    rows.sort_by_key(|row| Reverse(row.record.timestamp));
    serde_json::to_vec(&rows)
}

pub(super) fn json_text(text: serde_json::Result<Vec<u8>>) -> Result<Response, Refusal> {
    let text = text.map_err(|_unwritable| Refusal::Failed("It cannot be shown.".to_owned()))?;
    Ok(([(CONTENT_TYPE, "application/json")], Body::from(text)).into_response())
}
