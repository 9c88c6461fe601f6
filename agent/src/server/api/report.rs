//! `GET /api/report`: the analysis report of what is stored; of `tapline watch`, that of the files it
//! follows.
//!
//! Of a store the newest exchanges are read, as many as the bounds allow; a report that does not
//! cover all says so. It is kept for some seconds, so that many viewers cost what one does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jiff::Timestamp;

use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Api, OF_SEARCHES};
use crate::analysis::format::Entry;
use crate::analysis::insight::{self, Insight};
use crate::analysis::language::Language;
use crate::analysis::output::{self, Format, Style};
use crate::analysis::report::{Lines, Report, Source, SourceState, Warning, WarningKind};
use crate::analysis::statistics::Statistics;
use crate::config::Word as _;
use crate::http::exchange::record::{ExchangeRecord, Outcome};
use crate::server::table::Route;
use crate::store::{ExchangeFilter, Order, ReadError, Store};

/// What is answered.
pub(in crate::server) const OF_REPORT: [Route<Api>; 1] = [Route {
    method: "GET",
    path: "/api/report",
    handler: || get(show),
    parameters: &["lang", "format"],
    statuses: &OF_SEARCHES,
}];

/// Exchanges that are read for a report at most.
const MOST: u64 = 200_000;

/// Exchanges of a page.
const PAGE: usize = 5000;

/// How long reading may take.
const TIME: Duration = Duration::from_secs(2);

/// How long a report is kept.
const KEPT: Duration = Duration::from_secs(5);

/// Rows of a table.
const ROWS: usize = 50;

/// What an HTML report may do: show itself. Its style stands in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// A report with its insights.
type Made = Arc<(Report, Vec<Insight>)>;

/// The report that was made last.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Made by somebody else, for ever newer than the store.
    given: Mutex<Option<Made>>,
    /// Made of the store, and when.
    of_store: Mutex<Option<(Instant, Made)>>,
}

impl Reports {
    fn given(&self) -> Option<Made> {
        self.given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn kept(&self) -> Option<Made> {
        let kept = self.of_store.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, made) = kept.as_ref()?;
        (when.elapsed() < KEPT).then(|| Arc::clone(made))
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
    let mut parameters = Parameters::new(query.as_deref(), &["lang", "format"]);
    let language = parameters.word("lang", Language::ALL, Language::word);
    let format = parameters.word("format", Format::ALL, Format::word);
    parameters.end()?;
    let reports = &api.0.reports;
    let made = match reports.given().or_else(|| reports.kept()) {
        Some(made) => made,
        None => {
            let name = api.0.readers.directory().display().to_string();
            let made = api
                .0
                .readers
                .search(move |store| read(store, &name))
                .await?;
            let made = Arc::new(made);
            let mut kept = reports
                .of_store
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *kept = Some((Instant::now(), Arc::clone(&made)));
            made
        }
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

/// The report of the newest exchanges of the store.
fn read(store: &Store, name: &str) -> Result<(Report, Vec<Insight>), ReadError> {
    let until = Instant::now() + TIME;
    let mut statistics = Statistics::new(Timestamp::now().as_second());
    let mut count = 0;
    let mut after = None;
    let is_whole = loop {
        let page = store.exchanges(&ExchangeFilter::default(), Order::Newest, after, PAGE)?;
        for exchange in page.exchanges() {
            let client = exchange.src_ip.to_string();
            statistics.add(&entry(&exchange, &client));
        }
        count += page.len() as u64;
        if page.len() < PAGE {
            break true;
        }
        if count >= MOST || Instant::now() >= until {
            break false;
        }
        after = page.next();
    };
    let mut report = statistics.report(ROWS);
    report.lines = Lines {
        read: count,
        parsed: count,
        counted: count,
        ..Lines::default()
    };
    report.sources = vec![Source {
        name: name.to_owned(),
        lines: report.lines.clone(),
        state: match (count, is_whole) {
            (0, _) => SourceState::Empty,
            (_, true) => SourceState::Whole,
            (_, false) => SourceState::Partial,
        },
        ..Source::default()
    }];
    if !is_whole {
        report.warnings.push(Warning {
            kind: WarningKind::Partial,
            source: Some(name.to_owned()),
            count,
            text: format!("of the store only the newest {count} exchanges were read"),
        });
    }
    let insights = insight::find(&report);
    Ok((report, insights))
}

/// An exchange as an entry of a log.
fn entry<'a>(exchange: &ExchangeRecord<'a>, client: &'a str) -> Entry<'a> {
    let text = |text: Option<&'a str>| text.unwrap_or_default().as_bytes();
    Entry {
        time_us: Some(exchange.ts.as_microsecond()),
        client: client.as_bytes(),
        method: text(exchange.method),
        target: text(exchange.target),
        host: text(exchange.host),
        referrer: text(exchange.referer),
        user_agent: text(exchange.user_agent),
        status: exchange.status,
        bytes: exchange.response_bytes,
        latency_us: exchange.ttfb_us,
        unanswered: exchange.outcome == Outcome::Unanswered,
        event: None,
    }
}
