//! `/api/exchanges`: exchanges are taken; pages of them; one, and what stands around it.
//!
//! The answer of `GET` is `{"exchanges": […], "next": "…", "covered": {…}}`; `next`, given back as `after`,
//! asks for the page behind this one, and is null when there is none. A page costs the same wherever it
//! stands. One that must look at more rows than there is time for holds what was found, and `next` goes on.

use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::Api;
use super::covered::ShownCovered;
use super::export::{self, Export, Format};
use super::filters::{self, identifier, with_exchange_filters};
use super::logs::{LIMIT, LIMIT_MOST, json_text};
use super::parameters::Parameters;
use super::record::Sort;
use super::refusal::Refusal;
use super::taking;
use crate::http::exchange::record::ExchangeRecord;
use crate::store::{Covered, Cursor, Found, Order, Page};

/// The parameters of the query.
pub(super) const PARAMETERS: &[&str] = with_exchange_filters!["limit", "after", "order", "format"];

/// The parameters of a query for one.
pub(super) const OF_ONE: [&str; 2] = ["ts", "after"];

/// The parameters of a query for what stands around one.
pub(super) const OF_AROUND: [&str; 3] = ["ts", "after", "limit"];

#[derive(Serialize)]
struct Shown<'a> {
    exchanges: Vec<ExchangeRecord<'a>>,
    next: Option<String>,
    covered: ShownCovered,
}

#[derive(Serialize)]
struct Around<'a> {
    before: Vec<ExchangeRecord<'a>>,
    exchange: Option<ExchangeRecord<'a>>,
    after: Vec<ExchangeRecord<'a>>,
}

/// `POST /api/exchanges`.
pub(super) async fn take(State(api): State<Api>, request: Request) -> Result<Response, Refusal> {
    taking::take(&api, request, Sort::Exchanges).await
}

/// Shows a page, or gives all as a file.
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::new(query.as_deref(), PARAMETERS);
    let format = parameters.word("format", &Format::ALL, Format::name);
    let limit = parameters.number("limit", 1, export::limit_most(format));
    let after: Option<Cursor> = filters::cursor(&mut parameters);
    let order = filters::order(&mut parameters);
    let filter = filters::exchanges(&mut parameters);
    parameters.end()?;
    if let Some(format @ (Format::Csv | Format::Ndjson)) = format {
        let export = Export::of_exchanges(filter, order, after, limit);
        return export::answer(&api, export, format, "exchanges").await;
    }
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MOST);
    let found = api.0.readers.look(move |store| {
        let page = store.exchanges(&filter, order, after, limit)?;
        let next = next(&page, limit);
        let covered = covered(
            &page,
            order,
            (filter.common.since, filter.common.until),
            after,
            next,
        );
        Ok(serde_json::to_vec(&Shown {
            exchanges: page.exchanges().collect(),
            next: next.map(|next| next.to_string()),
            covered: (&covered).into(),
        }))
    });
    json_text(found.await?)
}

/// Where the next page begins.
pub(super) fn next(page: &Page, limit: usize) -> Option<Cursor> {
    match page.stopped() {
        None => page.next().filter(|_| page.len() == limit),
        stopped => stopped,
    }
}

/// What a page covers: all that was asked for, where it is the last; else as far as it came.
pub(super) fn covered(
    page: &Page,
    order: Order,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    after: Option<Cursor>,
    next: Option<Cursor>,
) -> Covered {
    let now = Timestamp::now();
    let mut from = since.unwrap_or(Timestamp::UNIX_EPOCH);
    let mut to = until.map_or(now, |until| until.min(now)).max(from);
    match (after.map(Cursor::time), order) {
        (Some(after), Order::Newest) => to = after.clamp(from, to),
        (Some(after), Order::Oldest) => from = after.clamp(from, to),
        (None, _) => {}
    }
    let covered = Covered::by_rows(from, to, order, next);
    Covered {
        // A page that is full is all that was asked for, also where another follows.
        complete: page.stopped().is_none(),
        ..covered
    }
}

/// `GET /api/exchanges/{exchange_id}`.
pub(super) async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let id = identifier(&id, "exchange_id")?;
    let mut parameters = Parameters::new(query.as_deref(), &OF_ONE);
    let near = parameters.time("ts");
    let after = filters::cursor(&mut parameters);
    parameters.end()?;
    let found = api.0.readers.look(move |store| {
        let found = store.exchange_of(id, near, after)?;
        Ok(record(found).map(|page| {
            let record = page.exchanges().next();
            serde_json::to_vec(&record)
        }))
    });
    json_text(found.await??)
}

/// `GET /api/exchanges/{exchange_id}/around`.
pub(super) async fn around(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let id = identifier(&id, "exchange_id")?;
    let mut parameters = Parameters::new(query.as_deref(), &OF_AROUND);
    let near = parameters.time("ts");
    let after = filters::cursor(&mut parameters);
    let limit = parameters.number("limit", 1, 100).unwrap_or(20);
    parameters.end()?;
    let found = api.0.readers.look(move |store| {
        let page = match record(store.exchange_of(id, near, after)?) {
            Ok(page) => page,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (before, behind) = match page.next() {
            Some(place) => store.around(place, limit)?,
            None => (Page::default(), Page::default()),
        };
        Ok(Ok(serde_json::to_vec(&Around {
            before: before.exchanges().collect(),
            exchange: page.exchanges().next(),
            after: behind.exchanges().collect(),
        })))
    });
    json_text(found.await??)
}

/// The record, or why it is not shown.
pub(super) fn record(found: Found) -> Result<Page, Refusal> {
    match found {
        Found::Record(page) => Ok(page),
        Found::Nothing => Err(Refusal::NotFound("There is no such record.")),
        Found::NotYet(next) => Err(Refusal::NotYet {
            why: format!(
                "It did not begin at {} or later, and there was no time to look farther back: ask again \
                 with next as after, or say with ts about when it began.",
                next.time()
            ),
            next: next.to_string(),
        }),
    }
}
