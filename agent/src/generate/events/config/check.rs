//! What a value of each kind must be. Every refusal says so: "must be …".

use std::path::PathBuf;

use jiff::Timestamp;

use super::super::family::Destination;
use crate::config::{Refusal, from_word};
use crate::generate::bounds::time;

/// Records that may be written together.
pub(super) const BATCH_MOST: u32 = 1_000_000;
/// Seconds between two batches: a day.
const INTERVAL_MOST: f64 = 86_400.0;
/// Records of one anomaly.
const DURATION_MOST: u32 = 1_000_000;
const NAME_MOST: usize = 200;

pub(super) fn truth(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err(Refusal::new("must be true or false")),
    }
}

pub(super) fn count(text: &str) -> Result<u64, Refusal> {
    text.parse()
        .map_err(|_none| Refusal::new("must be a whole number; 0 is without end"))
}

pub(super) fn batch_size(text: &str) -> Result<u32, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|number| (1..=BATCH_MOST).contains(number))
        .ok_or_else(|| Refusal::new(format!("must be a whole number from 1 to {BATCH_MOST}")))
}

pub(super) fn duration_logs(text: &str) -> Result<u32, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|number| (1..=DURATION_MOST).contains(number))
        .ok_or_else(|| Refusal::new(format!("must be a whole number from 1 to {DURATION_MOST}")))
}

pub(super) fn interval(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0, INTERVAL_MOST, "must be seconds from 0 to 86400")
}

pub(super) fn share(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0, 1.0, "must be a number from 0 to 1")
}

pub(super) fn weight(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0, 1e9, "must be a number that is not negative")
}

pub(super) fn milliseconds(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0, 1e7, "must be milliseconds from 0 to 10000000")
}

pub(super) fn multiplier(text: &str) -> Result<f64, Refusal> {
    number(text, 1.0, 1e4, "must be a number from 1 to 10000")
}

pub(super) fn rotation_size(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0, 1e6, "must be MiB from 0 (never) to 1000000")
}

pub(super) fn increment(text: &str) -> Result<f64, Refusal> {
    number(text, 0.0, INTERVAL_MOST, "must be seconds from 0 to 86400")
}

pub(super) fn max_files(text: &str) -> Result<u32, Refusal> {
    text.parse()
        .map_err(|_none| Refusal::new("must be a whole number; 0 keeps all files"))
}

/// `-` is stdout too.
pub(super) fn destination(text: &str) -> Result<Destination, Refusal> {
    match text {
        "-" => Ok(Destination::Stdout),
        _ => from_word(text),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, Refusal> {
    let path = PathBuf::from(text);
    let is_path = !text.contains('\0') && path.file_name().is_some() && !text.ends_with('/');
    is_path.then_some(path).ok_or_else(|| {
        Refusal::new("must be a folder and the beginning of a name, like ./output/logs")
    })
}

/// `now` is none. A time without a zone is one of UTC.
pub(super) fn start(text: &str) -> Result<Option<Timestamp>, Refusal> {
    if text == "now" {
        return Ok(None);
    }
    let refusal = || Refusal::new("must be now, or a time from 1970 on like 2026-01-31T12:00:00Z");
    time(text)
        .filter(|time| *time >= Timestamp::UNIX_EPOCH)
        .map(Some)
        .ok_or_else(refusal)
}

/// A name in a record. It becomes part of lines of text.
pub(super) fn name(text: &str) -> Result<String, Refusal> {
    let is_name = !text.is_empty()
        && text.len() <= NAME_MOST
        && !text
            .chars()
            .any(|letter| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}'));
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| Refusal::new("must be a name of 1 to 200 bytes without control characters"))
}

fn number(text: &str, least: f64, most: f64, what: &str) -> Result<f64, Refusal> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| Refusal::new(what))
}
