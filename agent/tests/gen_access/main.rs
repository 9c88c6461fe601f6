//! `tapline gen access`, the program: its files, what it says, how it ends, and what other programs make
//! of its lines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod configuration;
mod health;
mod lines;
#[path = "../support/output.rs"]
mod output;
#[path = "../support/program.rs"]
mod program;
mod programs;
mod rotation;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use tempfile::TempDir;

use self::output::output;

fn generator(line: &str) -> Command {
    program::generator("access", line.split_whitespace())
}

/// Runs it with its logs in this folder; it must end with this code. Where no file is named, no log is put
/// aside: lines of hours that are over would be.
fn run_in(folder: &Path, line: &str, code: i32) -> String {
    let mut command = generator(line);
    if !line.starts_with('/') {
        let whole = "output: {log_rotation: {interval: 0}}";
        command.env("LOG_GENERATOR_CONFIG_YAML", whole);
    }
    command
        .arg("--log-dir")
        .arg(folder)
        .args(["--listen", "off"]);
    let (found, stdout, stderr) = output(&mut command);
    assert_eq!(found, code, "{line}: {stderr}");
    assert_eq!(stdout, "", "{line}");
    stderr
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

const START: &str = "--seed 7 --start 2026-11-21T10:00:00Z";

/// Asks until there is an answer.
fn within<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "no {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a program is here. Without it a test of it can say nothing: it says so.
fn is_here(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    let is_here = found.unwrap().status.success();
    if !is_here {
        let mut stderr = std::io::stderr().lock();
        drop(writeln!(stderr, "NOT TESTED: {program} is not installed"));
    }
    is_here
}

/// The regular expression of access-log-generator's own tests.
const COMBINED: &str = r#"^(\S+) (\S+) (\S+) \[([\w:/]+\s[+\-]\d{4})\] "(\S+) (\S+) (\S+)" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$"#;

/// What is in access.log and the files that were put aside of it, the oldest first.
fn files_of(logs: &Path) -> Vec<String> {
    let mut files = vec![read(logs, "access.log")];
    for number in 1.. {
        let path = logs.join(format!("access.log.{number}.gz"));
        let Ok(bytes) = fs::read(path) else { break };
        let mut text = String::new();
        GzDecoder::new(&bytes[..])
            .read_to_string(&mut text)
            .unwrap();
        files.push(text);
    }
    files.reverse();
    files
}
