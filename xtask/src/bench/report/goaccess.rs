//! goaccess on the same log: how long it takes, and whether it counts the same.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::Step;

/// What goaccess did.
pub(super) struct Beside {
    pub(super) seconds: f64,
    /// Values whose requests are the same.
    pub(super) compared: u64,
}

/// Runs goaccess over the log and compares its counts with those of `report`, which holds all rows.
///
/// # Errors
/// It fails, or counts something else.
pub(super) fn beside(
    goaccess: &Path,
    file: &Path,
    folder: &Path,
    report: &Value,
) -> Result<Beside> {
    let output = folder.join("goaccess.json");
    let started = Instant::now();
    Step::new(goaccess)
        .args([
            "--log-format=COMBINED",
            "--no-global-config",
            "--no-query-string",
        ])
        .args(["--no-progress", "--max-items=1000000", "-o"])
        .arg(&output)
        .arg(file)
        .time_limit(Duration::from_secs(900))
        .stdout()?;
    let seconds = started.elapsed().as_secs_f64();
    let text = fs::read(&output).context("read what goaccess wrote")?;
    let theirs: Value = serde_json::from_slice(&text).context("understand what goaccess wrote")?;
    let mut compared = 0;
    for (name, ours, theirs) in [
        (
            "statuses",
            own(&report["statuses"], "status"),
            statuses(&theirs),
        ),
        (
            "paths",
            own(&report["paths"]["rows"], "path"),
            panels(&theirs, &["requests", "static_requests", "not_found"]),
        ),
        (
            "clients",
            own(&report["clients"]["rows"], "client"),
            panels(&theirs, &["hosts"]),
        ),
    ] {
        if ours.is_empty() {
            bail!("the report has no {name}");
        }
        compare(name, &ours, &theirs)?;
        compared += ours.len() as u64;
    }
    Ok(Beside { seconds, compared })
}

type Counts = BTreeMap<String, u64>;

fn compare(name: &str, ours: &Counts, theirs: &Counts) -> Result<()> {
    for (value, count) in ours.iter().chain(theirs) {
        let (own, their) = (ours.get(value), theirs.get(value));
        if own != their {
            bail!(
                "{name}: {value} has {own:?} requests, goaccess counts {their:?} (one says {count})"
            );
        }
    }
    Ok(())
}

/// Requests by the value of a field.
fn own(rows: &Value, field: &str) -> Counts {
    let mut counts = Counts::new();
    for row in rows.as_array().into_iter().flatten() {
        let value = match &row[field] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        *counts.entry(value).or_default() += row["requests"].as_u64().unwrap_or_default();
    }
    counts
}

/// Hits of panels by what they are of.
fn panels(document: &Value, names: &[&str]) -> Counts {
    let mut counts = Counts::new();
    for name in names {
        for row in document[*name]["data"].as_array().into_iter().flatten() {
            let value = row["data"].as_str().unwrap_or_default().to_owned();
            *counts.entry(value).or_default() += hits(row);
        }
    }
    counts
}

/// Hits by status: the items of classes, `200 - OK: …`.
fn statuses(document: &Value) -> Counts {
    let mut counts = Counts::new();
    let classes = document["status_codes"]["data"].as_array();
    for class in classes.into_iter().flatten() {
        for item in class["items"].as_array().into_iter().flatten() {
            let text = item["data"].as_str().unwrap_or_default();
            let status = text.split(' ').next().unwrap_or_default().to_owned();
            *counts.entry(status).or_default() += hits(item);
        }
    }
    counts
}

fn hits(row: &Value) -> u64 {
    row["hits"]["count"].as_u64().unwrap_or_default()
}
