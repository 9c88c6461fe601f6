//! What it says when it begins and when it ends, to whom; and what a signal does while the rest is written.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{PipeReader, Read as _};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tapline_tests::support::{Nginx, Pair, Process, Program, Tapline, curl, heads_of, within};

/// Runs it for a second.
fn said(pair: &Pair, flags: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Tapline::command(&pair.server, "run");
    command
        .args("-i server0 --listen off --duration 1s --log-dir".split(' '))
        .arg(folder.path())
        .args(flags.split_whitespace());
    let done = Program::new(command).output();
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), ""),
        "{}",
        done.stderr
    );
    done.stderr
}

const BEGIN: &str = "tapline captures on server0";
const END: &str = "tapline saw ";

#[test]
fn first_lines_and_account_go_where_messages_go() {
    let pair = Pair::new();
    let plain = said(&pair, "");
    assert!(plain.starts_with(BEGIN), "{plain}");
    assert!(plain.contains(&format!("\n{END}")), "{plain}");
    for flags in ["-q", "--log-level warn", "--log-level error"] {
        assert_eq!(said(&pair, flags), "", "{flags}");
    }

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("diagnostics");
    assert_eq!(
        said(&pair, &format!("--diagnostics {}", file.display())),
        ""
    );
    let text = fs::read_to_string(&file).unwrap();
    for words in [BEGIN, "stop with Ctrl-C", END] {
        let line = text.lines().find(|line| line.contains(words));
        assert!(line.unwrap().contains("Z  INFO "), "{text}");
    }

    let json = said(&pair, "--diagnostics-format json");
    let lines = json.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    for words in [BEGIN, END] {
        let begins = |line: &&Value| line["message"].as_str().unwrap().starts_with(words);
        assert_eq!(lines.iter().find(begins).unwrap()["level"], "info");
    }
}

/// More lines than a pipe has room for, which nobody reads.
fn unread(pair: &Pair, flags: &str) -> (Process, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = Tapline::command(&pair.server, "run");
    command
        .args("-i server0 --listen off --log-dir - --format json".split(' '))
        .args(flags.split_whitespace());
    command.stdout(Stdio::from(writer));
    let mut process = Program::with_own_stdout(command).start();
    process.wait_for_stderr("stop with Ctrl-C");
    ask_for_many(pair);
    (process, reader)
}

fn ask_for_many(pair: &Pair) {
    let many = "http://10.9.0.1/small?[1-300]";
    curl(&pair.client, &[many, "--output", "/dev/null"]);
}

const WAITS: &str = " lines for standard output; ";
const LAST: &str = "another SIGINT or SIGTERM (Ctrl-C) ends it at once";

#[test]
fn of_a_stdout_that_nobody_reads_it_is_said_what_is_waited_for_and_how_to_end_it() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let (mut process, _reader) = unread(&pair, "");
    process.signal(libc::SIGTERM);
    process.wait_for_stderr(WAITS);
    process.wait_for_stderr(LAST);
    assert!(process.runs());
    process.signal(libc::SIGINT);
    let done = process.end_within(5);
    assert_eq!(done.signal, Some(libc::SIGINT), "{}", done.stderr);
    assert_eq!(done.stderr.matches(WAITS).count(), 1, "{}", done.stderr);
}

#[test]
fn the_first_signal_after_a_duration_loses_nothing() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let (mut process, mut reader) = unread(&pair, "--duration 3s");
    process.wait_for_stderr(WAITS);
    process.wait_for_stderr("the first SIGINT or SIGTERM (Ctrl-C) changes nothing");
    process.signal(libc::SIGTERM);
    process.wait_for_stderr(LAST);
    assert!(process.runs());
    let mut lines = String::new();
    reader.read_to_string(&mut lines).unwrap();
    let done = process.end_within(10);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(heads_of(&lines).len(), 600);
}

#[test]
fn it_ends_where_nobody_reads_what_it_says_either() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = Tapline::command(&pair.server, "run");
    command
        .args("-i server0 --listen off --log-dir - --format json".split(' '))
        .stderr(writer.try_clone().unwrap())
        .stdout(writer);
    let mut process = Program::with_own_outputs(command).start();
    let mut said = String::new();
    while !said.contains("stop with Ctrl-C") {
        let mut bytes = [0; 4096];
        let count = reader.read(&mut bytes).unwrap();
        assert_ne!(count, 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    ask_for_many(&pair);
    // Until it would have said that nobody reads.
    sleep(Duration::from_secs(5));
    within("its end", || {
        process.signal(libc::SIGTERM);
        sleep(Duration::from_millis(200));
        (!process.runs()).then_some(())
    });
}
