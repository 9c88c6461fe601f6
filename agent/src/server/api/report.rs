//! `GET /api/report`: the analysis report of what is stored; of `tapline watch`, that of the files it
//! follows.
//!
//! That of a store is made of roll-ups ([`of_store`]), of one time after the other: whoever asks for
//! the same meanwhile waits for that one. It is kept for some seconds, so that many viewers cost what
//! one does.

mod of_store;
mod tallies;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex as Turn;

use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Api, OF_SEARCHES};
use crate::analysis::insight::{self, Insight};
use crate::analysis::language::Language;
use crate::analysis::output::{self, Format, Style};
use crate::analysis::report::Report;
use crate::config::Word as _;
use crate::server::table::Route;
use crate::store::{ExchangeFilter, Question};

/// The parameters of its query.
const PARAMETERS: &[&str] = &["lang", "format", "start_time", "end_time"];

/// What is answered.
pub(in crate::server) const OF_REPORT: [Route<Api>; 1] = [Route::new(
    "GET",
    "/api/report",
    || get(show),
    PARAMETERS,
    &OF_SEARCHES,
)];

/// Seconds that are told of where no time is given.
const LATELY: i64 = 86_400;

/// How long a report is kept, in seconds: times are taken as multiples of it.
const KEPT: i64 = 5;

/// Reports that are kept.
const MOST: usize = 16;

/// What an HTML report may do: show itself. Its style stands in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// A report with its insights.
type Made = Arc<(Report, Vec<Insight>)>;

/// The reports that were made last.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Made by somebody else, for ever newer than the store.
    given: Mutex<Option<Made>>,
    /// Made of the store: when, and of which time. Held while one is made.
    of_store: Turn<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    asked: (Timestamp, Timestamp),
    when: Instant,
    made: Made,
}

impl Reports {
    fn given(&self) -> Option<Made> {
        self.given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Api {
    /// From now on `/api/report` shows this, in place of a report of the store.
    pub fn show_report(&self, report: Report, insights: Vec<Insight>) {
        let mut given = self
            .0
            .reports
            .given
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *given = Some(Arc::new((report, insights)));
    }
}

async fn show(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let mut parameters = Parameters::new(query.as_deref(), PARAMETERS);
    let language = parameters.word("lang", Language::ALL, Language::word);
    let format = parameters.word("format", Format::ALL, Format::word);
    let question = question(&mut parameters, Timestamp::now());
    parameters.end()?;
    let made = match api.0.reports.given() {
        Some(made) => made,
        None => of_store(&api, question).await?,
    };
    let format = format.unwrap_or(Format::Json);
    let style = Style::plain(language.unwrap_or(Language::English));
    let mut body = Vec::new();
    let (report, insights) = &*made;
    let written = output::write(report, insights, format, &style, &mut body);
    written.map_err(|_error| Refusal::Failed("The report cannot be written.".to_owned()))?;
    let kind = match format {
        Format::Json => "application/json",
        Format::Html => "text/html; charset=utf-8",
        Format::Markdown => "text/markdown; charset=utf-8",
        Format::Text | Format::Classic => "text/plain; charset=utf-8",
    };
    let mut answer = ([(CONTENT_TYPE, kind)], body).into_response();
    if format == Format::Html {
        let policy = HeaderValue::from_static(POLICY);
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(answer)
}

/// What is asked about, in times that many ask about.
fn question(parameters: &mut Parameters, now: Timestamp) -> Question {
    let rounded = |time: Timestamp, up: i64| {
        let second = time.as_second().saturating_add(up).div_euclid(KEPT) * KEPT;
        Timestamp::from_second(second).unwrap_or(time)
    };
    let to = rounded(parameters.time("end_time").unwrap_or(now), KEPT - 1);
    let from = parameters.time("start_time").unwrap_or_else(|| {
        to.checked_sub(SignedDuration::from_secs(LATELY))
            .unwrap_or(to)
    });
    let from = rounded(from, 0);
    Question {
        from,
        to: to.max(from),
        filter: ExchangeFilter::default(),
        after: None,
    }
}

/// The report of a store: the one that is kept, or a new one.
async fn of_store(api: &Api, question: Question) -> Result<Made, Refusal> {
    let asked = (question.from, question.to);
    let turn = api.0.reports.of_store.lock();
    let Ok(mut kept) = tokio::time::timeout(api.0.bounds.search_time, turn).await else {
        return Err(Refusal::Busy("Too many reports are under way."));
    };
    kept.retain(|one| one.when.elapsed() < Duration::from_secs(KEPT.unsigned_abs()));
    if let Some(one) = kept.iter().find(|one| one.asked == asked) {
        return Ok(Arc::clone(&one.made));
    }
    let name = api.0.readers.directory().display().to_string();
    let made = api.0.readers.search(move |store| {
        let report = of_store::report(store, &name, &question, Timestamp::now())?;
        let insights = insight::find(&report);
        Ok((report, insights))
    });
    let made = Arc::new(made.await?);
    if kept.len() >= MOST {
        kept.remove(0);
    }
    kept.push(Kept {
        asked,
        when: Instant::now(),
        made: Arc::clone(&made),
    });
    Ok(made)
}
