//! `GET /api/sessions`: pages of sessions, and one by its identifier. `/api/logs` shows the same to
//! programs that know that one.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde::Serialize;

use super::Api;
use super::covered::ShownCovered;
use super::exchanges::{covered, next, record};
use super::export::{self, Export, Format};
use super::filters::{self, identifier, with_session_filters};
use super::logs::{LIMIT, LIMIT_MOST, json_text};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::taking::ShownSession;
use crate::store::{Cursor, Page};

/// The parameters of the query.
pub(super) const PARAMETERS: &[&str] = with_session_filters!["limit", "after", "order", "format"];

/// The parameters of a query for one.
pub(super) const OF_ONE: [&str; 2] = ["ts", "after"];

#[derive(Serialize)]
struct Shown<'a> {
    sessions: Vec<ShownSession<'a>>,
    next: Option<String>,
    covered: ShownCovered,
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
    let filter = filters::sessions(&mut parameters);
    parameters.end()?;
    if let Some(format @ (Format::Csv | Format::Ndjson)) = format {
        let export = Export::of_sessions(filter, order, after, limit);
        return export::answer(&api, export, format, "sessions").await;
    }
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MOST);
    let found = api.0.readers.look(move |store| {
        let page = store.sessions(&filter, order, after, limit)?;
        let next = next(&page, limit);
        let covered = covered(
            &page,
            order,
            (filter.common.since, filter.common.until),
            after,
            next,
        );
        Ok(serde_json::to_vec(&Shown {
            sessions: shown(&page).collect(),
            next: next.map(|next| next.to_string()),
            covered: (&covered).into(),
        }))
    });
    json_text(found.await?)
}

/// `GET /api/sessions/{session_id}`.
pub(super) async fn one(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let id = identifier(&id, "session_id")?;
    let mut parameters = Parameters::new(query.as_deref(), &OF_ONE);
    let near = parameters.time("ts");
    let after = filters::cursor(&mut parameters);
    parameters.end()?;
    let found = api.0.readers.look(move |store| {
        let found = store.session_of(id, near, after)?;
        Ok(record(found).map(|page| {
            let record = shown(&page).next();
            serde_json::to_vec(&record)
        }))
    });
    json_text(found.await??)
}

fn shown(page: &Page) -> impl Iterator<Item = ShownSession<'_>> {
    let rows = page.ids().zip(page.sessions());
    rows.map(|(id, record)| ShownSession { id, record })
}
