//! `tapline report` as its users start it: over good files, bad ones, packed ones, and those that real
//! servers write.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod follow;
mod hostile;
mod servers;
mod sources;
mod store;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A combined line of this second of a day and this status.
fn line(second: u32, path: &str, status: u16) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "192.0.2.7 - - [01/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" {status} 10 \"-\" \"curl/8.5.0\"\n"
    )
}

/// A folder with files in it.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            fs::write(folder.path(name), bytes).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `tapline report` in this folder.
    fn report(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
        command
            .arg("report")
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    /// The report as JSON, and the exit code.
    fn json(&self, arguments: &[&str]) -> (Value, i32) {
        let mut command = self.report(arguments);
        answer(&command.args(["--format", "json"]).output().unwrap())
    }
}

fn answer(output: &Output) -> (Value, i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    (
        report.unwrap_or_else(|error| panic!("{error}: {said}")),
        output.status.code().unwrap(),
    )
}

/// The kinds of the warnings.
fn warnings(report: &Value) -> Vec<&str> {
    let warnings = report["warnings"].as_array().unwrap();
    warnings
        .iter()
        .map(|warning| warning["kind"].as_str().unwrap())
        .collect()
}
