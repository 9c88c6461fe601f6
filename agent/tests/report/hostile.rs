//! Files that no server writes, or that something happened to.

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Folder, line, warnings};

#[test]
fn damage_is_counted_and_named_and_the_rest_is_analysed() {
    let good = line(0, "/", 200);
    let mut long = vec![b'x'; 10 << 20];
    long.extend_from_slice(b"\n");
    long.extend_from_slice(good.as_bytes());
    let mixed = format!("{good}{good}2026-11-01T00:00:00Z GET /x 200 5ms\n");
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let not_utf8 = [
        good.as_bytes(),
        b"\xff\xfe\n",
        &good.as_bytes()[..20],
        b"\xe4\n",
    ]
    .concat();
    let dates = format!("{good}{}", good.replace("01/Nov", "99/Foo"));
    let future = format!("{good}{}", good.replace("2026", "2099"));
    let folder = Folder::new(&[
        ("empty", b""),
        ("long", &long),
        ("mixed", mixed.as_bytes()),
        ("binary", &binary),
        ("not_utf8", &not_utf8),
        ("dates", dates.as_bytes()),
        ("future", future.as_bytes()),
        ("good", good.as_bytes()),
    ]);
    let check = |name: &str, requests: u64, failed: u64, kind: &str| {
        let (report, code) = folder.json(&[name, "good"]);
        assert_eq!(code, 0, "{name}");
        assert_eq!(report["totals"]["requests"], requests + 1, "{name}");
        assert_eq!(report["lines"]["failed"], failed, "{name}");
        assert!(
            warnings(&report).contains(&kind),
            "{name}: {}",
            report["warnings"]
        );
        let samples = report["lines"]["failed_samples"].as_array().unwrap();
        assert_eq!(samples.is_empty(), failed == 0, "{name}");
        for sample in samples {
            assert_eq!(sample["source"], name);
            let text = sample["text"].as_str().unwrap();
            assert!(
                text.len() < 1000 && !text.contains(char::is_control),
                "{name}"
            );
        }
    };
    check("empty", 0, 0, "empty");
    check("long", 1, 1, "long_lines");
    check("mixed", 3, 0, "mixed_formats");
    check("not_utf8", 1, 2, "not_utf8");
    check("dates", 1, 1, "failed");
    check("future", 2, 0, "future");
    check("nothing there", 0, 0, "unread");
    let (report, code) = folder.json(&["binary", "good"]);
    assert_eq!((&report["totals"]["requests"], code), (&1.into(), 0));
    assert!(warnings(&report).contains(&"binary"));
    let number = |name: &str| report["lines"][name].as_u64().unwrap();
    let sum = number("parsed") + number("failed") + number("ignored");
    assert_eq!(number("read"), sum);
}

#[test]
fn only_where_nothing_could_be_read_it_fails() {
    let folder = Folder::new(&[("empty", b""), ("nonsense", b"a\nb\n")]);
    let code = |arguments: &[&str]| folder.json(arguments).1;
    assert_eq!(code(&["nothing there"]), 1);
    assert_eq!(code(&["."]), 1);
    assert_eq!(code(&["nonsense"]), 1);
    assert_eq!(code(&["nonsense", "nothing there"]), 1);
    assert_eq!(code(&["empty"]), 0);
    assert_eq!(code(&["nothing there", "empty"]), 0);
}

/// What a stranger puts into a log stays text, wherever it is shown.
#[test]
fn nothing_from_a_log_controls_a_terminal() {
    let nasty = line(0, "/<script>alert(1)</script>\\x1b[31m\u{202e}x", 404)
        .replace("curl/8.5.0", "\\x1b]0;owned\\x07 <img src=x onerror=y>");
    let folder = Folder::new(&[("a", nasty.as_bytes())]);
    for format in ["text", "json", "html", "markdown", "classic", "lines"] {
        let output = folder.report(&["a", "--format", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        let text = String::from_utf8(output.stdout).unwrap();
        let is_control = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
        assert!(!text.contains(is_control), "{format}");
        assert!(!text.contains('\u{202e}'), "{format}");
        if format == "html" {
            assert!(!text.contains("<script>alert") && !text.contains("<img"));
        }
    }
}

/// What a pattern matches and is no file is passed over and said; it is a stream where it is named itself.
#[test]
fn a_pipe_among_files_hangs_nobody() {
    let folder = Folder::new(&[("a.log", line(0, "/", 200).as_bytes())]);
    let made = Command::new("mkfifo").arg(folder.path("p.log")).status();
    assert!(made.unwrap().success());
    let (report, code) = folder.json(&["*.log"]);
    assert_eq!((code, &report["totals"]["requests"]), (0, &1.into()));
    assert_eq!(warnings(&report), ["skipped"]);
    assert_eq!(report["warnings"][0]["source"], "p.log");
    // Nothing else is there: nothing is read, and it says why.
    let (report, code) = folder.json(&["p*.log"]);
    assert_eq!((code, warnings(&report)), (1, vec!["skipped", "unread"]));
    let path = folder.path("p.log");
    let writer = thread::spawn(move || fs::write(path, line(0, "/", 200).repeat(3)));
    let (report, code) = folder.json(&["p.log"]);
    assert_eq!((code, &report["totals"]["requests"]), (0, &3.into()));
    writer.join().unwrap().unwrap();
}

/// Memory is bounded whatever the log says, also on several threads.
#[test]
fn what_nobody_writes_takes_no_more_memory() {
    const LINES: u32 = 60_000;
    let folder = Folder::new(&[]);
    let mut file = BufWriter::new(File::create(folder.path("distinct.log")).unwrap());
    let mut heads = BufWriter::new(File::create(folder.path("heads.log")).unwrap());
    let long = "x".repeat(900);
    for number in 0..LINES {
        let (minute, second) = (number / 600 % 60, number / 10 % 60);
        writeln!(
            file,
            "c{number}{} - - [01/Nov/2026:{:02}:{minute:02}:{second:02} +0000] \"GET /{number}/{long} HTTP/1.1\" 200 10 \"http://{number}/{}\" \"a{number}{}\"",
            &long[..230], number / 36_000, &long[..490], &long[..490]
        )
        .unwrap();
        writeln!(
            heads,
            "2026-11-01 00:00:00.000 10.0.{}.{}#{} 10.0.0.1#80 CQ GET /{number}/{long} HTTP/1.1 {long} {long}",
            number >> 8 & 255, number & 255, number % 60_000
        )
        .unwrap();
    }
    drop((file, heads));
    for (name, jobs) in [
        ("distinct.log", "1"),
        ("distinct.log", "4"),
        ("distinct.log", "64"),
        ("heads.log", "2"),
    ] {
        let mut running = folder
            .report(&["--format", "json", "--jobs", jobs, name])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = running.stdout.take().unwrap();
        let reader = thread::spawn(move || {
            let mut printed = Vec::new();
            stdout.read_to_end(&mut printed).map(|_| printed)
        });
        let mut most = 0;
        while running.try_wait().unwrap().is_none() {
            most = most.max(peak_kib(running.id()));
            thread::sleep(Duration::from_millis(2));
        }
        let report: Value = serde_json::from_slice(&reader.join().unwrap().unwrap()).unwrap();
        assert_eq!(report["totals"]["requests"], LINES, "{name} {jobs}");
        // A build that is not optimised is a larger program, but its counts are as large. Of more threads
        // than four there are at most as many as CPUs.
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let threads = jobs.parse::<usize>().unwrap().min(cpus.max(4));
        let bound = (150 + 10 * threads.saturating_sub(4)) << 10;
        assert!(most > 0 && most < bound, "{name} {jobs}: {most} KiB");
    }
}

/// What a process had in memory at the most, in KiB; 0: it is gone.
fn peak_kib(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
    peak.unwrap_or_default()
}
