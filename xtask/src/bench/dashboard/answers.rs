//! The questions, and how long their answers take.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::arrivals::{now_seconds, rfc_3339};
use super::connection::Connection;

/// What is asked, each with a name. `{day}` is 24 hours ago, `{late}` 15 minutes; both move with each round,
/// so that no answer is one that was given a moment before. `{id}`, `{ts}` and `{session}` are of an exchange of
/// 12 hours ago.
const QUESTIONS: [(&str, &str); 63] = [
    ("stats, 15 minutes", "/api/stats?start_time={late}"),
    ("stats, a day", "/api/stats?start_time={day}"),
    (
        "stats, a host",
        "/api/stats?start_time={day}&host=h3.example.com",
    ),
    (
        "stats, status 5xx",
        "/api/stats?start_time={day}&status=5xx",
    ),
    (
        "stats, endpoint",
        "/api/stats?start_time={day}&endpoint=GET+/s0/items/%7Bid%7D",
    ),
    ("stats, method", "/api/stats?start_time={day}&method=POST"),
    (
        "stats, a client",
        "/api/stats?start_time={day}&src_ip=10.0.0.0",
    ),
    ("stats, role", "/api/stats?start_time={day}&role=client"),
    (
        "stats, part of a target",
        "/api/stats?start_time={day}&target=9999",
    ),
    (
        "stats, two filters",
        "/api/stats?start_time={day}&host=h3.example.com&status=5xx",
    ),
    ("series, 15 minutes", "/api/timeseries?start_time={late}"),
    (
        "series, 15 minutes by 1 s",
        "/api/timeseries?start_time={late}&step=1",
    ),
    (
        "series, 15 minutes by 10 s",
        "/api/timeseries?start_time={late}&step=10",
    ),
    ("series, a day", "/api/timeseries?start_time={day}"),
    (
        "series, a day by 60 s",
        "/api/timeseries?start_time={day}&step=60",
    ),
    (
        "series, a day by 600 s",
        "/api/timeseries?start_time={day}&step=600",
    ),
    (
        "series, a day by 3600 s",
        "/api/timeseries?start_time={day}&step=3600",
    ),
    (
        "series, a host",
        "/api/timeseries?start_time={day}&host=h3.example.com",
    ),
    (
        "series, part of a target",
        "/api/timeseries?start_time={day}&target=9999",
    ),
    (
        "top endpoints, 15 minutes",
        "/api/top?start_time={late}&by=endpoint",
    ),
    ("top endpoints", "/api/top?start_time={day}&by=endpoint"),
    (
        "top endpoints by errors",
        "/api/top?start_time={day}&by=endpoint&sort=errors",
    ),
    (
        "top endpoints by mean",
        "/api/top?start_time={day}&by=endpoint&sort=mean",
    ),
    (
        "top endpoints by p99",
        "/api/top?start_time={day}&by=endpoint&sort=p99",
    ),
    (
        "top endpoints by bytes",
        "/api/top?start_time={day}&by=endpoint&sort=bytes",
    ),
    ("top hosts", "/api/top?start_time={day}&by=host"),
    (
        "top hosts by p99",
        "/api/top?start_time={day}&by=host&sort=p99",
    ),
    ("top clients", "/api/top?start_time={day}&by=client"),
    (
        "top clients by p99",
        "/api/top?start_time={day}&by=client&sort=p99",
    ),
    ("top user agents", "/api/top?start_time={day}&by=user_agent"),
    (
        "top user agents by p99",
        "/api/top?start_time={day}&by=user_agent&sort=p99",
    ),
    ("top methods", "/api/top?start_time={day}&by=method"),
    ("top statuses", "/api/top?start_time={day}&by=status"),
    ("top hours", "/api/top?start_time={day}&by=hour"),
    (
        "top endpoints of a host",
        "/api/top?start_time={day}&by=endpoint&host=h3.example.com",
    ),
    ("slow", "/api/slow?start_time={day}"),
    (
        "slow of a host",
        "/api/slow?start_time={day}&host=h3.example.com",
    ),
    ("exchanges, the newest", "/api/exchanges"),
    ("exchanges, a thousand", "/api/exchanges?limit=1000"),
    (
        "exchanges, the oldest",
        "/api/exchanges?order=oldest&start_time={day}",
    ),
    (
        "exchanges, errors of a host",
        "/api/exchanges?status=5xx&host=h39.example.com",
    ),
    ("exchanges, a client", "/api/exchanges?src_ip=10.0.0.0"),
    ("exchanges, a server", "/api/exchanges?dst_ip=10.0.0.0"),
    ("exchanges, a port", "/api/exchanges?port=1024"),
    ("exchanges, a method", "/api/exchanges?method=POST"),
    (
        "exchanges, an endpoint",
        "/api/exchanges?endpoint=GET+/s0/items/%7Bid%7D",
    ),
    (
        "exchanges, slow ones",
        "/api/exchanges?min_latency_us=1900000",
    ),
    (
        "exchanges, a user agent",
        "/api/exchanges?user_agent=Chrome/299",
    ),
    ("exchanges, an outcome", "/api/exchanges?outcome=orphan"),
    (
        "exchanges, a session",
        "/api/exchanges?session_id={session}",
    ),
    (
        "exchanges, nothing is found",
        "/api/exchanges?target=/nothing",
    ),
    ("one exchange", "/api/exchanges/{id}?ts={ts}"),
    ("one exchange, without its time", "/api/exchanges/{id}"),
    ("around an exchange", "/api/exchanges/{id}/around?ts={ts}"),
    ("sessions, the newest", "/api/sessions"),
    ("sessions, differing CPUs", "/api/sessions?cpus=differ"),
    (
        "sessions, differing, a client",
        "/api/sessions?cpus=differ&src_ip=10.0.0.0",
    ),
    ("sessions, a protocol", "/api/sessions?protocol=UDP"),
    ("one session", "/api/sessions/{session}?ts={ts}"),
    ("report", "/api/report"),
    ("ledger", "/api/ledger"),
    ("agent", "/api/agent"),
    ("alerts", "/api/alerts"),
];

/// How long a question's answers took.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) name: &'static str,
    #[serde(skip)]
    pub(super) times: Vec<f64>,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// Of the last answer.
    pub(super) bytes: usize,
    /// Where the last answer came from, and whether it was all.
    pub(super) source: String,
}

/// Asks all questions in turn, so many times.
///
/// # Errors
/// An answer was none that was expected.
pub(super) fn ask(address: SocketAddr, rounds: u32) -> Result<Vec<Answer>> {
    let mut connection = Connection::open(address)?;
    let [id, ts, session] = some_exchange(&mut connection)?;
    let mut answers = Vec::new();
    for (name, target) in QUESTIONS {
        let target = target
            .replace("{id}", &id)
            .replace("{ts}", &ts)
            .replace("{session}", &session);
        let mut times = Vec::new();
        let mut last = (0, String::new());
        // The first time finds its pages on the disk.
        for round in 0..=rounds {
            let ago = |seconds: f64| rfc_3339(now_seconds() - seconds);
            let target = target
                .replace("{day}", &ago(86_400.0))
                .replace("{late}", &ago(900.0));
            let (status, body, took) = connection.get(&target)?;
            if status != 200 {
                bail!(
                    "{target} was answered {status}: {}",
                    String::from_utf8_lossy(&body)
                );
            }
            if round > 0 {
                times.push(took.as_secs_f64() * 1000.0);
            }
            last = (body.len(), source(&body)?);
        }
        times.sort_by(f64::total_cmp);
        answers.push(Answer {
            name,
            p50_ms: quantile(&times, 0.5),
            p99_ms: quantile(&times, 0.99),
            max_ms: quantile(&times, 1.0),
            times,
            bytes: last.0,
            source: last.1,
        });
    }
    Ok(answers)
}

/// The identifier and the time of an exchange of 12 hours ago, and its session.
fn some_exchange(connection: &mut Connection) -> Result<[String; 3]> {
    let from = rfc_3339(now_seconds() - 43_200.0);
    let target = format!("/api/exchanges?order=oldest&limit=1&start_time={from}");
    let (_, body, _) = connection.get(&target)?;
    let page: serde_json::Value = serde_json::from_slice(&body).context("read a page")?;
    let record = &page["exchanges"][0];
    let text = |name: &str| {
        let text = record[name].as_str().map(str::to_owned);
        text.with_context(|| format!("there is no {name} in the first exchange behind {from}"))
    };
    Ok([text("exchange_id")?, text("ts")?, text("session_id")?])
}

/// The time that this part of all answers to all questions did not exceed.
pub(super) fn of_all(answers: &[Answer], part: f64) -> f64 {
    let mut times: Vec<f64> = answers
        .iter()
        .flat_map(|answer| answer.times.iter().copied())
        .collect();
    times.sort_by(f64::total_cmp);
    quantile(&times, part)
}

/// Of sorted times; no number where there are none.
fn quantile(times: &[f64], part: f64) -> f64 {
    let place = (times.len() as f64 * part).ceil() as usize;
    times
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

fn source(body: &[u8]) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).context("read an answer")?;
    let covered = &answer["covered"];
    let source = covered["source"].as_str().unwrap_or("-");
    Ok(match covered["complete"] != false {
        true => source.to_owned(),
        false => format!("{source}, part"),
    })
}
