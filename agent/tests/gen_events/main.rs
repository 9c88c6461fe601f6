//! `tapline gen events` as its users meet it: the program itself, read by Python's json, asked by curl,
//! and by a WebSocket client of another library than the server's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod changes;
mod configuration;
mod files;
mod output;
mod pace;
#[path = "../support/program.rs"]
mod program;
mod server;
mod sockets;
mod streams;
mod truth;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn tapline(arguments: &[&str]) -> Command {
    program::generator("events", arguments)
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    tapline(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_anomalous(line: &&Value) -> bool {
    line["_labels"]["is_anomaly"] == true
}

fn of_type(lines: &[Value], family: &str) -> usize {
    let is_it = |line: &&Value| line["_labels"]["anomaly_type"] == family;
    lines.iter().filter(is_it).count()
}

const PAST: [&str; 6] = ["-i", "0", "--start", "2026-01-01T00:00:00Z", "--seed", "7"];
