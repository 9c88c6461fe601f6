//! What is sent is taken: read, checked, given to the writer, and acknowledged when it is stored.
//! Every such request is counted, with what became of it.

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::Api;
use super::record::{Parsed, Rules, Sort, parse};
use super::refusal::Refusal;
use super::requests::Counted;
use crate::http::exchange::record::ExchangeRecord;
use crate::session::record::SessionRecord;
use crate::sink::batch::Batch;
use crate::sink::counts::LossReason;
use crate::sink::sqlite::{NotTaken, Written};

/// A session as it is shown: with its key.
#[derive(Serialize)]
pub(super) struct ShownSession<'a> {
    pub(super) id: i64,
    #[serde(flatten)]
    pub(super) record: SessionRecord<'a>,
}

/// An exchange as it is shown when it is taken: with its key.
#[derive(Serialize)]
struct ShownExchange<'a> {
    id: i64,
    #[serde(flatten)]
    record: ExchangeRecord<'a>,
}

/// Takes the records of a body.
pub(super) async fn take(api: &Api, request: Request, sort: Sort) -> Result<Response, Refusal> {
    let counted = Counted::begin(&api.0.requests);
    let answer = try_take(api, request, sort).await;
    counted.end(answer.as_ref().err());
    answer
}

async fn try_take(api: &Api, request: Request, sort: Sort) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let inner = &*api.0;
    let whole = inner
        .budget
        .read(&head.headers, body, &inner.bounds)
        .await?;
    let now = Timestamp::now();
    let rules = Rules {
        sort,
        // As the store keeps it.
        now: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
        records: inner.bounds.records,
        retain_days: inner.retain_days,
    };
    let Parsed { batch, is_single } = parse(&whole.bytes, whole.media, &rules)?;
    if batch.is_empty() {
        return Ok(created(&[]));
    }
    // The writer has the batch itself; a single record is shown from this one.
    let single = is_single.then(|| batch.clone());
    let answered = inner.intake.offer(batch).map_err(|error| match error {
        NotTaken::Full => Refusal::Busy("The store is too far behind."),
        NotTaken::Closed => Refusal::Unavailable("The store is closed.".to_owned()),
    })?;
    let written = match tokio::time::timeout(inner.bounds.write_time, answered).await {
        Ok(Ok(written)) => written,
        Ok(Err(_ended)) => {
            return Err(Refusal::Failed("The store has failed.".to_owned()));
        }
        Err(_elapsed) => {
            let why = "The store does not answer; the records may be stored later.";
            return Err(Refusal::Failed(why.to_owned()));
        }
    };
    let ids = stored(&written)?;
    Ok(match (single, ids.as_slice()) {
        (Some(batch), [id]) => shown(&batch, *id).unwrap_or_else(|| created(&ids)),
        _ => created(&ids),
    })
}

/// The answer to one object: the whole of it.
fn shown(batch: &Batch, id: i64) -> Option<Response> {
    if let Some(record) = batch.session(0) {
        let shown = ShownSession { id, record };
        return Some((StatusCode::CREATED, Json(shown)).into_response());
    }
    let record = batch.exchange(0)?;
    let shown = ShownExchange { id, record };
    Some((StatusCode::CREATED, Json(shown)).into_response())
}

/// The answer to an array, or to lines.
fn created(ids: &[i64]) -> Response {
    let answer = json!({"count": ids.len(), "ids": ids});
    (StatusCode::CREATED, Json(answer)).into_response()
}

/// The keys, if all have one.
fn stored(written: &Written) -> Result<Vec<i64>, Refusal> {
    let ids: Option<Vec<i64>> = written.ids.iter().copied().collect();
    if let (Some(ids), None) = (ids, written.failed) {
        return Ok(ids);
    }
    let all = written.ids.len();
    let count = written.ids.iter().flatten().count();
    let how_many = match count {
        0 => "nothing is stored".to_owned(),
        count => format!("only {count} of {all} records, those of other days, are stored"),
    };
    Err(match written.failed {
        Some(LossReason::Refused) => Refusal::Failed(format!(
            "Thousands of records have the time of one of these; {how_many}."
        )),
        Some(reason) => Refusal::Unavailable(format!(
            "The store cannot be written to ({}); {how_many}.",
            reason.word()
        )),
        None => Refusal::Failed(format!("The store has failed; {how_many}.")),
    })
}
