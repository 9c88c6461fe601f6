//! Golden captures: what `tapline read` prints of each file in `captures`, to the letter.
//!
//! The captures are made by `cases`, byte for byte the same everywhere, and lie beside what is printed
//! of them, so that a change is seen in review, and other programs can be asked about them.
//! `TAPLINE_BLESS=1 cargo test -p tapline --test golden` writes both anew.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod cases;
mod files;
mod talk;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use cases::Case;

/// Whether the files are to be written instead of compared.
fn blesses() -> bool {
    env::var_os("TAPLINE_BLESS").is_some_and(|value| value == "1")
}

/// What is printed of a capture.
const FORMATS: [&str; 4] = ["classic", "json", "ecs", CONNECTIONS];

/// The `conn.log` of the format zeek.
const CONNECTIONS: &str = "conn";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

/// What the program prints of a capture.
fn read(capture: &Path, format: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command.env_clear().env("TZ", "UTC");
    command.args(["read", "--format", format, "--log-dir", "-"]);
    let output = command.arg(capture).output().expect("it starts");
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{}: {said}", capture.display());
    String::from_utf8(stdout).expect("lines are UTF-8")
}

/// The lines of the capture's `conn.log`, without those that tell when they were written.
fn connections(capture: &Path) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command.env_clear().env("TZ", "UTC");
    command.args(["read", "--format", "zeek", "--log-dir"]);
    command.arg(folder.path()).arg(capture);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", capture.display());
    let files = fs::read_dir(folder.path()).expect("the folder is there");
    let files = files.map(|file| file.expect("it can be read").path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.display().to_string().contains("/conn"))
        .collect();
    files.sort();
    let mut lines = String::new();
    for file in files {
        let text = fs::read_to_string(file).expect("lines are UTF-8");
        let is_kept = |line: &&str| !line.starts_with("#open") && !line.starts_with("#close");
        for line in text.split_inclusive('\n').filter(is_kept) {
            lines.push_str(line);
        }
    }
    lines
}

/// The first line in which two texts differ, with what stands around it; `None` when they are equal.
fn difference(expected: &str, got: &str) -> Option<String> {
    if expected == got {
        return None;
    }
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), got.split('\n').collect());
    let same = expected
        .iter()
        .zip(&got)
        .take_while(|(a, b)| a == b)
        .count();
    let mut text = format!("line {} differs\n", same + 1);
    let (expected, got) = (&expected[same..], &got[same..]);
    let tail = expected
        .iter()
        .rev()
        .zip(got.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    for (sign, lines) in [('-', expected), ('+', got)] {
        for line in &lines[..lines.len() - tail] {
            writeln!(text, "{sign} {line}").expect("a string has room");
        }
    }
    Some(text)
}

fn name(case: &Case) -> &str {
    case.file.split('.').next().unwrap_or(case.file)
}

#[test]
fn captures_print_what_is_written_beside_them() {
    let folder = folder();
    let mut wrong = String::new();
    for case in &cases::all() {
        let capture = folder.join(case.file);
        if blesses() {
            fs::write(&capture, &case.bytes).expect("the folder can be written to");
        }
        for format in FORMATS {
            let log = folder.join(format!("{}.{format}.log", name(case)));
            let got = match format {
                CONNECTIONS => connections(&capture),
                _ => read(&capture, format),
            };
            if blesses() {
                fs::write(&log, &got).expect("the folder can be written to");
            }
            let expected = fs::read_to_string(&log).unwrap_or_default();
            if let Some(difference) = difference(&expected, &got) {
                writeln!(wrong, "\n{}: {difference}", log.display()).expect("a string has room");
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "- is what is written, + what is printed.\n{wrong}\nIf that is as it should be: TAPLINE_BLESS=1 cargo test -p tapline --test golden"
    );
}

/// Of each connection the state that its source port stands for.
#[test]
fn every_state_of_a_connection_is_told() {
    if blesses() {
        // The capture is being written by another test.
        return;
    }
    let lines = connections(&folder().join("states.pcap"));
    let mut told: Vec<(u16, String, String)> = lines
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let port = fields[3].parse().expect("a port");
            (port, fields[11].to_owned(), fields[15].to_owned())
        })
        .collect();
    told.sort();
    let expected: Vec<(u16, String, String)> = (50_001..)
        .zip(cases::STATES)
        .map(|(port, (state, history))| (port, state.to_owned(), history.to_owned()))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn every_packet_of_a_capture_is_in_a_session_or_ignored() {
    if blesses() {
        return;
    }
    for case in &cases::all() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
        let folder = tempfile::tempdir().expect("a folder can be made");
        command.env_clear().args(["read", "--json", "--log-dir"]);
        command
            .arg(folder.path())
            .arg(self::folder().join(case.file));
        let output = command.output().expect("it starts");
        let result: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("one document");
        let ignored: u64 = result["ignored"]
            .as_object()
            .expect("reasons")
            .iter()
            .filter(|(reason, _)| !["tls", "http2", "sequence"].contains(&reason.as_str()))
            .filter_map(|(_, count)| count.as_u64())
            .sum();
        let number = |name: &str| result[name].as_u64().expect("a number");
        assert_eq!(
            number("packets"),
            number("session_packets") + ignored,
            "{}: {result:#}",
            case.file
        );
        assert!(number("sessions") > 0, "{}", case.file);
    }
}

#[test]
fn captures_are_those_that_are_made_here() {
    if blesses() {
        // They are being written by the other test.
        return;
    }
    let mut known: Vec<String> = Vec::new();
    for case in &cases::all() {
        let there = fs::read(folder().join(case.file)).expect("the capture is there");
        let same = match case.file.ends_with(".gz") {
            // Compressors may differ.
            true => unpacked(&there) == unpacked(&case.bytes),
            false => there == case.bytes,
        };
        assert!(same, "{} is not as cases.rs makes it: bless", case.file);
        known.push(case.file.to_owned());
        known.extend(FORMATS.map(|format| format!("{}.{format}.log", name(case))));
    }
    for entry in fs::read_dir(folder()).expect("the folder is there") {
        let file = entry.expect("it can be read").file_name();
        let file = file.to_string_lossy();
        assert!(known.contains(&file.to_string()), "{file} is of no case");
    }
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut unpacked = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder.read_to_end(&mut unpacked).expect("it is gzip");
    unpacked
}

#[test]
fn a_difference_can_be_read() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    let check = |expected: &str, got: &str, text: &str| {
        assert_eq!(difference(expected, got).as_deref(), Some(text));
    };
    check("a\nb\nc\n", "a\nx\nc\n", "line 2 differs\n- b\n+ x\n");
    check("a\nc\n", "a\nb\nc\n", "line 2 differs\n+ b\n");
    check("a\nb\n", "a\n", "line 2 differs\n- b\n");
    check("", "a\n", "line 1 differs\n+ a\n");
}
