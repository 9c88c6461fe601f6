//! `/api/exchanges`: exchanges are taken; pages of them, the newest first.
//!
//! The answer of `GET` is `{"exchanges": […], "next": "…"}`; `next`, given back as `after`, asks for the page
//! behind this one, and is null when there is none. A page costs the same wherever it stands.

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use serde::Serialize;

use super::Api;
use super::logs::{LIMIT, LIMIT_MOST, behind, json_text};
use super::parameters::Parameters;
use super::record::Sort;
use super::refusal::Refusal;
use super::taking;
use crate::http::exchange::record::{ExchangeRecord, Outcome, Role};
use crate::store::{Common, Cursor, ExchangeFilter, Order};

/// The parameters of the query.
pub(super) const PARAMETERS: [&str; 16] = [
    "limit",
    "after",
    "start_time",
    "end_time",
    "ip",
    "src_ip",
    "dst_ip",
    "port",
    "session_id",
    "method",
    "host",
    "target",
    "status",
    "outcome",
    "role",
    "min_latency_us",
];

#[derive(Serialize)]
struct Shown<'a> {
    exchanges: Vec<ExchangeRecord<'a>>,
    next: Option<String>,
}

/// `POST /api/exchanges`.
pub(super) async fn take(State(api): State<Api>, request: Request) -> Result<Response, Refusal> {
    taking::take(&api, request, Sort::Exchanges).await
}

/// Shows a page.
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let mut parameters = Parameters::new(query.as_deref(), &PARAMETERS);
    let limit = parameters.number("limit", 1, LIMIT_MOST).unwrap_or(LIMIT);
    let after: Option<Cursor> = parameters.parsed("after", "the next of another page");
    let filter = filter(&mut parameters);
    parameters.end()?;
    let found = api.0.readers.search(move |store| {
        let page = store.exchanges(&filter, Order::Newest, after, limit)?;
        let shown = Shown {
            exchanges: page.exchanges().collect(),
            next: (page.len() == limit)
                .then(|| page.next())
                .flatten()
                .map(|next| next.to_string()),
        };
        Ok(serde_json::to_vec(&shown))
    });
    json_text(found.await?)
}

/// Takes the filters.
pub(in crate::server) fn filter(parameters: &mut Parameters) -> ExchangeFilter {
    let address = "an IPv4 or IPv6 address";
    ExchangeFilter {
        common: Common {
            since: parameters.time("start_time"),
            until: parameters.time("end_time").map(behind),
            ip: parameters.parsed("ip", address),
            src_ip: parameters.parsed("src_ip", address),
            dst_ip: parameters.parsed("dst_ip", address),
            port: parameters.number("port", 0, u16::MAX),
            session_id: parameters.parsed("session_id", "32 hexadecimal digits"),
        },
        method: parameters.text("method"),
        host: parameters.text("host"),
        target: parameters.text("target"),
        status: parameters.read("status", "a status like 404, 400-499 or 5xx", status),
        outcome: parameters.word("outcome", &Outcome::ALL, Outcome::name),
        role: parameters.word("role", &Role::ALL, Role::name),
        min_latency_us: parameters.number("min_latency_us", 0, u64::MAX),
    }
}

/// `404`, `400-499` or `5xx`.
fn status(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let number = |text: &str| -> Option<u16> {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    if let Some((from, to)) = text.split_once('-') {
        return Some(number(from)?..=number(to)?);
    }
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok()?;
        if !(1..=9).contains(&class) || text.len() != 3 {
            return None;
        }
        return Some(class * 100..=class * 100 + 99);
    }
    let one = number(text)?;
    Some(one..=one)
}
