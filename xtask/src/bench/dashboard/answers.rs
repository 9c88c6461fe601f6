//! The questions, and how long their answers take.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::connection::Connection;

/// What is asked, each with a name; `{from}` is 24 hours ago.
const QUESTIONS: [(&str, &str); 24] = [
    ("stats, 15 minutes", "/api/stats"),
    ("stats, a day", "/api/stats?start_time={from}"),
    (
        "stats, a day, a host",
        "/api/stats?start_time={from}&host=h3.example.com",
    ),
    (
        "stats, a day, status 5xx",
        "/api/stats?start_time={from}&status=5xx",
    ),
    (
        "stats, a day, endpoint",
        "/api/stats?start_time={from}&endpoint=GET+/s0/items/%7Bid%7D",
    ),
    (
        "stats, a day, part of a target",
        "/api/stats?start_time={from}&target=9999",
    ),
    ("series, 15 minutes", "/api/timeseries"),
    ("series, 15 minutes by second", "/api/timeseries?step=1"),
    ("series, a day", "/api/timeseries?start_time={from}"),
    (
        "series, a day, a host",
        "/api/timeseries?start_time={from}&host=h3.example.com",
    ),
    ("top endpoints, 15 minutes", "/api/top?by=endpoint"),
    (
        "top endpoints, a day",
        "/api/top?by=endpoint&start_time={from}&sort=p99",
    ),
    ("top clients, a day", "/api/top?by=client&start_time={from}"),
    (
        "top user agents, a day",
        "/api/top?by=user_agent&start_time={from}",
    ),
    ("top hours, a day", "/api/top?by=hour&start_time={from}"),
    (
        "top endpoints of a host, a day",
        "/api/top?by=endpoint&start_time={from}&host=h3.example.com",
    ),
    ("slow, a day", "/api/slow?start_time={from}"),
    ("exchanges, the newest", "/api/exchanges"),
    (
        "exchanges, errors of a host",
        "/api/exchanges?status=5xx&host=h39.example.com",
    ),
    (
        "exchanges, nothing is found",
        "/api/exchanges?target=/nothing",
    ),
    ("exchanges, a client", "/api/exchanges?src_ip=10.0.0.0"),
    (
        "exchanges, the oldest",
        "/api/exchanges?order=oldest&start_time={from}",
    ),
    ("sessions, the newest", "/api/sessions"),
    (
        "sessions, differing CPUs, a client",
        "/api/sessions?cpus=differ&src_ip=10.0.0.0",
    ),
];

/// How long a question's answers took.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) name: &'static str,
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
    let day_ago = super::arrivals::now_seconds() - 86_400.0;
    let from = super::arrivals::rfc_3339(day_ago);
    let mut answers = Vec::new();
    for (name, target) in QUESTIONS {
        let target = target.replace("{from}", &from);
        let mut times = Vec::new();
        let mut last = (0, String::new());
        // The first time finds its pages on the disk.
        for round in 0..=rounds {
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
        let quantile = |part: f64| {
            let place = (times.len() as f64 * part).ceil() as usize;
            times
                .get(place.saturating_sub(1))
                .copied()
                .unwrap_or(f64::NAN)
        };
        answers.push(Answer {
            name,
            p50_ms: quantile(0.5),
            p99_ms: quantile(0.99),
            max_ms: quantile(1.0),
            bytes: last.0,
            source: last.1,
        });
    }
    Ok(answers)
}

fn source(body: &[u8]) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).context("read an answer")?;
    let covered = &answer["covered"];
    let source = covered["source"].as_str().unwrap_or("none");
    Ok(match covered["complete"] == true {
        true => source.to_owned(),
        false => format!("{source}, part"),
    })
}
