//! `tapline gen packets`: what it writes is what its truth tells, by `tapline read` and by another program
//! that takes packets apart; and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dissector;
mod refusals;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tapline::generate::packets::run::read_truth;
use tapline::generate::packets::shape::Shape;
use tapline::generate::packets::truth::{Seen, Truth};

/// The program with these arguments, without any variable of ours.
fn tapline(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    tapline(arguments).output().unwrap()
}

/// Makes these shapes with their truth; `more`: further flags.
fn make(folder: &Path, shapes: &[Shape], more: &[&str]) -> Vec<Truth> {
    let (capture, truth) = (folder.join("a.pcap"), folder.join("a.ndjson"));
    let mut command = tapline(&["gen", "packets", "--quiet", "--output"]);
    command.arg(&capture).arg("--truth").arg(&truth).args(more);
    for shape in shapes {
        command.args(["--shape", shape.name()]);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    read_truth(&truth).unwrap()
}

/// Every shape, by the code of `tapline read`: all that is on the wire is written as it is, and nothing
/// else; where frames are missing, what is there.
#[test]
fn what_is_read_is_the_truth() {
    for seed in ["1", "2"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let output = run(&[
            "selftest",
            "--attach",
            "read",
            "--seed",
            seed,
            "--json",
            "--data-dir",
            data,
        ]);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let mut sent = 0;
        let rows = report["rows"].as_array().unwrap();
        for row in rows {
            let number = |name: &str| row[name].as_u64().unwrap();
            let is_lossy = row["shape"] == "lossy";
            assert_eq!(row["passed"], true, "{row:#}");
            assert_eq!(row["ledger_closed"], Value::Null, "{row:#}");
            assert_eq!(number("right"), number("sent"), "{row:#}");
            assert_eq!(number("wrong"), 0, "{row:#}");
            assert_eq!(number("sessions_right"), number("sessions"), "{row:#}");
            sent += number("sent");
            if is_lossy {
                assert!(number("cut") > 0, "{row:#}");
            }
        }
        assert_eq!(rows.len(), Shape::ALL.len(), "{report:#}");
        assert!(sent > 5000, "{sent}");
        assert_eq!(output.status.code(), Some(0));
        let kept: Value =
            serde_json::from_slice(&fs::read(folder.path().join("selftest.json")).unwrap())
                .unwrap();
        assert_eq!(
            (&kept["recall"], &kept["passed"]),
            (&Value::from(1.0), &Value::from(true))
        );
    }
}

/// What was whole on the wire is found whatever is lost around it, and of what was cut each head whose start line
/// is there, whichever frames are missing.
#[test]
fn whatever_is_lost_the_rest_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let (mut cut, mut found) = (0, 0);
    for seed in 3..33 {
        let seed = seed.to_string();
        let output = run(&[
            "selftest",
            "--attach",
            "read",
            "--shape",
            "lossy",
            "--seed",
            &seed,
            "--json",
            "--data-dir",
            data,
        ]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = &report["rows"][0];
        assert_eq!(row["passed"], true, "{row:#}");
        assert_eq!(row["cut_missed"], 0, "{row:#}");
        cut += row["cut"].as_u64().unwrap();
        found += row["cut_found"].as_u64().unwrap();
    }
    assert!(cut > 300 && found > cut / 3, "{found} of {cut}");
}

/// The numbers of frames in the truth are those of the file, and its times are the file's.
#[test]
fn the_truth_names_the_frames() {
    let folder = tempfile::tempdir().unwrap();
    let start = "2026-01-01T00:00:00Z";
    let truth = make(
        folder.path(),
        &[Shape::Plain, Shape::Split, Shape::Vlan],
        &["--seed", "7", "--start", start, "--rate", "1000"],
    );
    let mut file =
        tapline::capture::pcap::CaptureFile::open(&folder.path().join("a.pcap")).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = file.next().unwrap() {
        frames.push((frame.time_ns, frame.bytes.to_vec()));
    }
    let begun: jiff::Timestamp = start.parse().unwrap();
    let (first, last) = (frames[0].0, frames[frames.len() - 1].0);
    assert_eq!(i128::from(first), begun.as_nanosecond());
    assert_eq!(last - first, (frames.len() as u64 - 1) * 1_000_000);
    let mut whole = 0;
    for told in &truth {
        let Truth::Message(message) = told else {
            continue;
        };
        assert_eq!(message.seen, Seen::Whole);
        let (first, last) = (message.first_frame.unwrap(), message.last_frame.unwrap());
        let (time, bytes) = &frames[first as usize];
        assert_eq!(message.ts.unwrap().as_nanosecond(), i128::from(*time));
        let begin = &message.line.as_bytes()[..1];
        assert!(bytes.windows(1).any(|bytes| bytes == begin));
        let line = message.line.as_bytes();
        if first == last {
            whole += 1;
            assert!(
                bytes.windows(line.len()).any(|bytes| bytes == line),
                "{message:?}"
            );
        }
    }
    assert!(whole > 20, "{whole}");
}

/// Every packet belongs to a session, also in a capture that is shorter than a walk through their table.
#[test]
fn every_packet_is_in_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let truth = make(
        folder.path(),
        &[Shape::Udp, Shape::Icmp],
        &["--seed", "1", "-n", "40000"],
    );
    let output = tapline(&["read", "--json", "-q", "--log-dir"])
        .arg(folder.path().join("log"))
        .arg(folder.path().join("a.pcap"))
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        summary["session_packets"], summary["packets"],
        "{summary:#}"
    );
    assert_eq!(summary["sessions"], truth.len(), "{summary:#}");
}

/// A pipe, without a file between.
#[test]
fn a_capture_goes_through_a_pipe() {
    let mut making = tapline(&[
        "gen",
        "packets",
        "-q",
        "--shape",
        "plain",
        "--shape",
        "pipelined",
        "--output",
        "-",
        "--seed",
        "3",
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = tapline(&["read", "--json", "--format", "json", "--log-dir"])
        .arg(folder.path())
        .arg("-")
        .stdin(making.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(making.wait().unwrap().success());
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let other = tempfile::tempdir().unwrap();
    let truth = make(
        other.path(),
        &[Shape::Plain, Shape::Pipelined],
        &["--seed", "3"],
    );
    let messages = truth
        .iter()
        .filter(|told| matches!(told, Truth::Message(_)))
        .count();
    assert_eq!(summary["heads"], messages);
    assert_eq!(summary["partial"], 0);
}

#[test]
fn the_same_seed_and_start_give_the_same_file() {
    let made = |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let truth = make(folder.path(), &[], more);
        let capture = fs::read(folder.path().join("a.pcap")).unwrap();
        (
            capture,
            fs::read_to_string(folder.path().join("a.ndjson")).unwrap(),
            truth,
        )
    };
    let small = ["--exchanges", "50", "--start", "2026-01-01T00:00:00Z"];
    let with = |seed: &'static str| made(&[&small[..], &["--seed", seed]].concat());
    let (first, again, other) = (with("7"), with("7"), with("8"));
    assert_eq!(first.0, again.0);
    assert_eq!(first.1, again.1);
    assert_ne!(first.0, other.0);
    let mut shapes = BTreeMap::new();
    for told in &first.2 {
        if let Truth::Session(session) = told {
            *shapes.entry(session.shape).or_insert(0) += 1;
        }
    }
    let expected = Shape::ALL.map(|shape| (shape, shape.connections()));
    assert_eq!(shapes, BTreeMap::from(expected));
}

#[test]
fn it_ends_where_it_is_told_to() {
    let check = |more: &[&str], least: u64, most: u64| {
        let output = run(&[
            &[
                "gen",
                "packets",
                "-q",
                "--json",
                "--shape",
                "plain",
                "--dry-run",
            ],
            more,
        ]
        .concat());
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let account: Value = serde_json::from_slice(&output.stdout).unwrap();
        let frames = account["records"].as_u64().unwrap();
        assert!((least..=most).contains(&frames), "{more:?}: {account:#}");
    };
    // What is under way is brought to its end.
    check(&["-n", "10000"], 10_000, 10_400);
    check(
        &["--start", "-6h", "--rate", "1000", "--duration", "5s"],
        5_000,
        5_400,
    );
    check(&["--rate", "1000", "--duration", "1s"], 900, 1_500);
    check(&["-n", "1"], 40, 400);
}
