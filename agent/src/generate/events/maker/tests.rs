mod agreement;
mod families;
mod records;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::super::clock::spread;
use super::super::config::{EventsConfig, config_from_yaml};
use super::super::family::Level;
use super::*;
use crate::config::Word as _;
use crate::generate::blocks;
use crate::generate::stop::Stop;

const START: i64 = 1_767_225_600_000_000;

/// Bytes and marks of so many records.
struct Made {
    json: Vec<u8>,
    text: Vec<u8>,
    marks: Vec<(u64, Mark)>,
}

fn make(config: &EventsConfig, seed: u64, count: u64, jobs: usize) -> Made {
    let model = Model::new(config, Seed(seed));
    let maker = Maker {
        model: &model,
        seed: Seed(seed),
        timeline: Some(Timeline {
            start: START,
            spacing: 1_000_500.0,
            spread: spread(config.timestamps.increment),
            is_early: false,
        }),
        count: Some(count),
        format: Format::Both,
        has_labels: config.output.include_labels,
    };
    let mut made = Made {
        json: Vec::new(),
        text: Vec::new(),
        marks: Vec::new(),
    };
    let taken = blocks::run(
        &maker,
        jobs,
        Some(count),
        &Stop::default(),
        |block, records| {
            made.json.extend_from_slice(&block.json.bytes);
            made.text.extend_from_slice(&block.text.bytes);
            let marks = block.marks.iter();
            made.marks
                .extend(marks.map(|mark| (records.start + u64::from(mark.record), *mark)));
            Ok::<_, std::convert::Infallible>(true)
        },
    );
    taken.unwrap();
    made
}

fn only(family: &str, rest: &str) -> EventsConfig {
    let mut yaml = format!("anomalies:\n  probability: 0.5\n  types:\n    {family}: {{{rest}}}\n");
    for other in Family::ALL.iter().filter(|other| other.word() != family) {
        yaml += &format!("    {}: {{enabled: false}}\n", other.word());
    }
    config_from_yaml(std::path::Path::new("x"), yaml.as_bytes()).unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The anomalous records of a run with one family, in order.
fn anomalous(config: &EventsConfig, count: u64) -> Vec<(Mark, Value)> {
    let made = make(config, 9, count, 2);
    let lines = lines(&made.json);
    made.marks
        .iter()
        .map(|(record, mark)| (*mark, lines[*record as usize].clone()))
        .collect()
}

/// Whether the record's source answers requests.
fn answers(line: &Value) -> bool {
    !matches!(text(&line["source"]), "database" | "infrastructure")
}

/// A part of all, to within three in a hundred.
fn about(found: usize, all: usize, share: f64) {
    let found = found as f64 / all as f64;
    assert!((found - share).abs() < 0.03, "{found} for {share}");
}
