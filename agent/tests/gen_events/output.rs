//! What goes to stdout.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::{PAST, lines, run, said, tapline};

#[test]
fn stdout_has_records_alone_and_python_reads_each() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["-n", "20000", "-o", "stdout", "-a", "0.3", "-i", "0"],
    );
    assert_eq!(output.status.code(), Some(0));
    let path = folder.path().join("lines");
    fs::write(&path, &output.stdout).unwrap();
    let program = "import json, sys\nfrom datetime import datetime\n\
                   lines = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]\n\
                   [datetime.fromisoformat(line['timestamp']) for line in lines]\n\
                   print(len(lines), sum(line['_labels']['is_anomaly'] for line in lines))";
    let python = Command::new("python3")
        .args(["-c", program])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(python.stdout).unwrap(),
        "20000 6000\n",
        "{:?}",
        python.stderr
    );
    let said = said(&output);
    for text in [
        "Total logs: 20000",
        "Anomaly rate: 30.0%",
        "Generation complete. Total logs generated: 20000 (6000 anomalous",
        "20000 records, ",
        "seed=",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!folder.path().join("output").exists());
}

#[test]
fn the_same_seed_and_start_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let with = |more: &[&str]| {
        let arguments = [&PAST[..], &["-n", "5000", "-o", "-", "-q"], more].concat();
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        output.stdout
    };
    let one = with(&[]);
    assert_eq!(one, with(&["--jobs", "4"]));
    assert_eq!(one, with(&["--rate", "0", "--batch-size", "7"]));
    assert_ne!(one, with(&["-a", "0.06"]));
    // A drawn seed is said, and gives the same again.
    let arguments = [
        "-n",
        "100",
        "-o",
        "-",
        "-i",
        "0",
        "--start",
        "2026-01-01T00:00:00Z",
    ];
    let drawn = run(folder.path(), &arguments);
    let text = said(&drawn);
    assert_eq!(text.matches("seed=").count(), 1, "{text}");
    let seed = text.trim_end().rsplit_once("seed=").unwrap().1;
    let again = run(folder.path(), &[&arguments[..], &["--seed", seed]].concat());
    assert_eq!(drawn.stdout, again.stdout);
    let failed = run(folder.path(), &["--truth", "none/x", "-n", "1"]);
    assert!(!said(&failed).contains("seed="), "{}", said(&failed));
}

#[test]
fn without_labels_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["json", "text"] {
        let arguments = [
            &PAST[..],
            &["-n", "3000", "-o", "-", "-q", "--no-labels", "-f", format],
        ]
        .concat();
        let text = String::from_utf8(run(folder.path(), &arguments).stdout).unwrap();
        assert_eq!(text.lines().count(), 3000);
        assert!(!text.contains("_labels") && !text.contains("ANOMALY:"));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = tapline(&["-n", "100000", "-i", "0", "-o", "stdout", "-q"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn the_start_is_the_time_of_the_first_record() {
    let folder = tempfile::tempdir().unwrap();
    for start in [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T01:00:00+01:00",
    ] {
        let flags = [
            "-n", "2", "-i", "0", "-o", "-", "-q", "-a", "0", "--start", start,
        ];
        let output = run(folder.path(), &flags);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let first = &lines(&output.stdout)[0]["timestamp"];
        assert_eq!(first, "2026-01-01T00:00:00.000000+00:00", "{start}");
    }
}

#[test]
fn quiet_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let said_with = |more: &[&str]| {
        let flags = ["-n", "3", "--dry-run", "--seed", "1"];
        let output = run(folder.path(), &[&flags[..], more].concat());
        assert!(output.status.success());
        said(&output)
    };
    assert_eq!(said_with(&["-q"]), "");
    assert!(said_with(&[]).contains("3 records"));
}
