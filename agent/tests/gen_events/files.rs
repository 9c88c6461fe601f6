//! Files: their names, their rotation, what is in them when the disk is full.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;

use crate::program::limited;
use crate::{PAST, lines, run, said, tapline};

#[test]
fn files_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("events.yaml");
    fs::write(
        &config,
        "output:\n  format: both\n  file:\n    rotation_size_mb: 0.25\n    max_files: 3\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let arguments = [&PAST[..], &["-c", config, "-n", "4000", "-p", "out/a.b"]].concat();
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty());
    let mut names: Vec<String> = fs::read_dir(folder.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // What is gone is said.
    assert!(
        said(&output).contains("Rotation deleted 3 of the oldest files, with "),
        "{}",
        said(&output)
    );
    // 1.5 MB of JSON, of which three files are kept, and 0.6 MB of text.
    let ends: Vec<&str> = names
        .iter()
        .map(|name| &name[name.rfind('_').unwrap()..])
        .collect();
    assert_eq!(
        ends,
        [
            "_1.log", "_2.log", "_3.log", "_4.json", "_5.json", "_6.json"
        ],
        "{names:?}"
    );
    let all = run(
        folder.path(),
        &[&PAST[..], &["-n", "4000", "-o", "stdout", "-q"]].concat(),
    );
    let all = lines(&all.stdout);
    let kept = names.iter().filter(|name| name.ends_with(".json"));
    let last: Vec<Value> = kept
        .flat_map(|name| lines(&fs::read(folder.path().join("out").join(name)).unwrap()))
        .collect();
    let gone = format!("with {} records of this run", all.len() - last.len());
    assert!(said(&output).contains(&gone), "{gone}: {}", said(&output));
    assert_eq!(
        last[..],
        all[all.len() - last.len()..],
        "no line is lost between two files"
    );
}

#[test]
fn after_an_error_the_account_says_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let count = |said: &str| -> u64 {
        let (front, _) = said.split_once(" records, ").unwrap();
        front.rsplit(' ').next().unwrap().parse().unwrap()
    };
    for (format, lines) in [("json", 1), ("text", 1), ("both", 2)] {
        // A reader that has seen enough.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = tapline(&["-n", "0", "-i", "0", "-o", "-", "-f", format]);
        let child = command.stdout(writer).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        drop(command);
        reader.read_exact(&mut [0; 100_000]).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(count(&said(&output)) > 100 / lines, "{}", said(&output));
        // A disk that is full.
        let full = |stdout: Stdio, flags: &[&str]| {
            let flags = [&["-n", "100000", "-i", "0", "-f", format], flags].concat();
            let output = limited("events", 600, &flags)
                .current_dir(folder.path())
                .stdout(stdout)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
                .wait_with_output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            let said = said(&output);
            let (front, _) = said.split_once(" anomalous, ").unwrap();
            let anomalous = front.rsplit('(').next().unwrap().parse().unwrap();
            (count(&said), anomalous)
        };
        let anomalies = |text: &str| -> usize {
            let is_anomalous = |line: &&str| match format {
                "text" => line.contains("[ANOMALY:"),
                _ => line.contains("\"is_anomaly\":true"),
            };
            text.lines().filter(is_anomalous).count()
        };
        let path = folder.path().join("stdout");
        let (records, anomalous) = full(fs::File::create(&path).unwrap().into(), &["-o", "-"]);
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let (whole, _) = text.rsplit_once('\n').unwrap();
        assert!(records > 10);
        assert_eq!(records, whole.lines().count() as u64 / lines);
        // A record of which one of two lines is there is not counted.
        let told = anomalies(whole);
        assert!(
            (told.saturating_sub(1)..=told).contains(&anomalous),
            "{told} {anomalous}"
        );
        assert!(anomalous > 0);
        if lines == 1 {
            let (records, anomalous) = full(Stdio::null(), &["-p", &format!("{format}/x")]);
            let mut files = fs::read_dir(folder.path().join(format)).unwrap();
            let text = fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
            assert!(text.ends_with('\n'));
            assert_eq!(records, text.lines().count() as u64);
            assert_eq!(anomalous, anomalies(&text));
        }
    }
}

#[test]
fn a_full_disk_leaves_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let output = limited("events", 200, ["-n", "5000", "-i", "0", "-q"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let entry = fs::read_dir(folder.path().join("output"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let name = entry.file_name().into_string().unwrap();
    assert!(said(&output).contains(&name), "{}", said(&output));
    let bytes = fs::read(entry.path()).unwrap();
    assert!(
        bytes.len() > 90_000 && bytes.ends_with(b"}\n"),
        "{}",
        bytes.len()
    );
    lines(&bytes);
}

#[test]
fn what_rotation_deletes_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = "output:\n  format: both\n  file:\n    rotation_size_mb: 0.1\n    max_files: 2\n";
    fs::write(folder.path().join("c.yaml"), config).unwrap();
    let arguments = [&PAST[..], &["-c", "c.yaml", "-n", "4000", "--json"]].concat();
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let kept = |extension: &str| -> usize {
        let entries = fs::read_dir(folder.path().join("output")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let paths = paths.filter(|path| path.extension().unwrap() == extension);
        paths
            .map(|path| fs::read_to_string(path).unwrap().lines().count())
            .sum()
    };
    let (json, text) = (kept("json"), kept("log"));
    assert!(json < text && text < 4000, "{json} {text}");
    let account: Value = serde_json::from_slice(&output.stdout).unwrap();
    // What is in no file any more, or in one of the two kinds alone.
    assert_eq!(account["deleted_records"], 4000 - json);
}
