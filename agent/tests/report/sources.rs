//! Where lines come from, and which of them count.

use std::io::Write as _;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::{Folder, answer, line, warnings};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn lines(seconds: std::ops::Range<u32>) -> String {
    seconds.map(|second| line(second, "/", 200)).collect()
}

/// Paths in the order in which their lines were read, as the lines that are shown tell.
fn order(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let mut command = folder.report(arguments);
    let output = command.args(["--format", "lines"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split(' ').nth(6).unwrap().to_owned())
        .collect()
}

#[test]
fn rotated_files_are_read_in_their_order() {
    let folder = Folder::new(&[
        ("access.log", line(4, "/4", 200).as_bytes()),
        ("access.log.1", line(3, "/3", 200).as_bytes()),
        ("access.log.2.gz", &gzip(&line(2, "/2", 200))),
        ("access.log.10.zst", &zstd(&line(1, "/1", 200))),
        ("other.log", line(9, "/9", 200).as_bytes()),
    ]);
    let all = ["/1", "/2", "/3", "/4"];
    assert_eq!(order(&folder, &["--rotated", "access.log"]), all);
    assert_eq!(order(&folder, &["access.log*"]), all);
    assert_eq!(
        order(&folder, &["access.log", "access.log.1"]),
        ["/3", "/4"]
    );
    assert_eq!(order(&folder, &["access.log", "access.log"]), ["/4"]);
    assert_eq!(order(&folder, &["other.log", "access.log"]), ["/9", "/4"]);
}

#[test]
fn packed_files_say_the_same() {
    let text = lines(0..5000);
    // Several members and frames, one after the other.
    let (mut twice_gzip, mut twice_zstd) = (gzip(&text), zstd(&text));
    twice_gzip.extend(gzip(&text));
    twice_zstd.extend(zstd(&text));
    let folder = Folder::new(&[
        ("plain", text.as_bytes()),
        ("a", &gzip(&text)),
        ("b", &zstd(&text)),
        ("c", &twice_gzip),
        ("d", &twice_zstd),
    ]);
    let expected = folder.json(&["plain"]).0["totals"].clone();
    assert_eq!(expected["requests"], 5000);
    for name in ["a", "b"] {
        assert_eq!(folder.json(&[name]).0["totals"], expected, "{name}");
    }
    for name in ["c", "d"] {
        assert_eq!(
            folder.json(&[name]).0["totals"]["requests"],
            10_000,
            "{name}"
        );
    }
}

#[test]
fn packed_files_that_are_cut_count_what_is_there() {
    let text: String = (0..60_000)
        .map(|second| line(second, &format!("/{}", second * 7919 % 10_007), 200))
        .collect();
    for whole in [gzip(&text), zstd(&text)] {
        let folder = Folder::new(&[
            ("cut", &whole[..whole.len() / 2]),
            ("good", line(0, "/", 200).as_bytes()),
        ]);
        let (report, code) = folder.json(&["cut", "good"]);
        assert_eq!(code, 0);
        assert_eq!(warnings(&report)[0], "partial", "{}", report["warnings"]);
        assert_eq!(report["sources"][0]["state"], "partial");
        let requests = report["totals"]["requests"].as_u64().unwrap();
        assert!((20_000..55_000).contains(&requests), "{requests}");
    }
}

#[test]
fn standard_input() {
    let folder = Folder::new(&[]);
    for arguments in [&["-"][..], &[]] {
        let mut child = folder
            .report(arguments)
            .args(["--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&gzip(&lines(0..10))).unwrap();
        drop(stdin);
        let (report, code) = answer(&child.wait_with_output().unwrap());
        assert_eq!((&report["totals"]["requests"], code), (&json!(10), 0));
        assert_eq!(report["sources"][0]["name"], "-");
    }
}

#[test]
fn times_and_conditions() {
    let mut text = lines(0..7200);
    text += &line(3600, "/api/x", 503);
    let folder = Folder::new(&[("a", text.as_bytes())]);
    let check = |arguments: &[&str], expected: u64| {
        let (report, code) = folder.json(&[&["a"], arguments].concat());
        let found = &report["totals"]["requests"];
        assert_eq!((found, code), (&json!(expected), 0), "{arguments:?}");
        let lines = &report["lines"];
        let (counted, left_out) = (&lines["counted"], &lines["left_out"]);
        let sum = counted.as_u64().unwrap() + left_out.as_u64().unwrap();
        assert_eq!(sum, 7201, "{arguments:?}");
    };
    check(&[], 7201);
    check(&["--where", "status>=500 and path~/API"], 1);
    check(&["--where", "client=192.0.2.0/24 and not status=503"], 7200);
    check(&["--since", "2026-11-01T01:00:00Z"], 3601);
    check(&["--until", "2026-11-01T00:00:10Z"], 10);
    check(
        &[
            "--since",
            "2026-11-01",
            "--until",
            "2026-11-01T00:01",
            "--zone",
            "UTC",
        ],
        60,
    );
    let (report, _) = folder.json(&[
        "a",
        "--since",
        "2026-11-01T01:00:00Z",
        "--until",
        "2026-11-01T02:00:00Z",
        "--compare",
        "1h",
    ]);
    assert_eq!(report["totals"]["requests"], 3601);
    assert_eq!(report["before"]["totals"]["requests"], 3600);
    assert_eq!(report["before"]["asked"]["since"], "2026-11-01T00:00:00Z");
}

#[test]
fn threads_do_not_change_the_report() {
    let text: String = (0..40_000_u32)
        .map(|number| {
            let status = [200, 200, 404, 500][number as usize % 4];
            let client = format!("10.0.{}.{}", number % 7, number % 250);
            line(number / 2, &format!("/item/{}", number % 3000), status)
                .replace("192.0.2.7", &client)
        })
        .collect();
    let folder = Folder::new(&[("a", text.as_bytes())]);
    let (one, _) = folder.json(&["a", "--jobs", "1"]);
    for jobs in ["2", "3"] {
        let (many, _) = folder.json(&["a", "--jobs", jobs]);
        for part in [
            "lines",
            "totals",
            "endpoints",
            "paths",
            "clients",
            "minutes",
            "hours",
        ] {
            assert_eq!(one[part], many[part], "{part} {jobs}");
        }
    }
}

#[test]
fn what_cannot_be_asked_for() {
    let folder = Folder::new(&[("a", b"")]);
    for (arguments, expected) in [
        (&["a", "--where", "stat=5"][..], "there is no field 'stat'"),
        (&["a", "--log-format", "nope"], "there is no format 'nope'"),
        (&["a", "--log-format", "%h %Q"], "%Q means nothing"),
        (&["a", "--since", "soon"], "--since: 'soon' must be a time"),
        (
            &["-", "--since", "1h", "--from-end"],
            "--from-end needs files",
        ),
        (&["--db", "--from-end"], "cannot be used with"),
        (&["a", "--zone", "Nowhere"], "there is no time zone"),
        (&["a", "--compare", "x"], "--compare: 'x' must be"),
        (&["a***"], "is no pattern"),
    ] {
        let output = folder.report(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

/// Threads that read parts of a file count what one does, whatever the lines and their lengths.
#[test]
fn parts_do_not_change_the_report() {
    let mut text = String::new();
    for second in 0..40_000 {
        text += &line(
            second,
            &format!("/p/{}", second * 7919 % 501),
            200 + (second % 7) as u16 * 50,
        );
        if second % 9973 == 5 {
            text += "nonsense\n";
        }
        if second % 17_001 == 9 {
            text += &"x".repeat(3 << 20);
            text.push('\n');
        }
    }
    let folder = Folder::new(&[("a", text.as_bytes()), ("packed", &gzip(&text))]);
    let report = |name: &str, jobs: &str| {
        let (mut report, code) = folder.json(&[name, "--jobs", jobs]);
        assert_eq!(code, 0);
        let plain = report.to_string().replace("packed", "a");
        report = serde_json::from_str(&plain).unwrap();
        report["lines"]["bytes"] = json!(text.len());
        report
    };
    let one = report("a", "1");
    assert_eq!(one["lines"]["read"], 40_000 + 5 + 3);
    assert_eq!(one["lines"]["failed_samples"][0]["line"], 7);
    assert_eq!(one, report("a", "2"));
    assert_eq!(one, report("a", "3"));
    assert_eq!(one, report("packed", "1"));
    assert_eq!(one, report("packed", "2"));
}

/// Of a log that ended long ago the last ten minutes are those before its end.
#[test]
fn times_may_be_counted_from_the_end_of_the_log() {
    let text = lines(0..30_000);
    assert!(
        text.len() > 2 << 20,
        "it has more parts than are read for it"
    );
    let stray = line(0, "/", 200).replace("2026", "2099");
    let folder = Folder::new(&[
        ("access.log.1", lines(0..100).as_bytes()),
        ("access.log", format!("{stray}{text}{stray}").as_bytes()),
        ("packed.gz", &gzip(&text)),
    ]);
    let end = "2026-11-01T08:19:59Z";
    let check = |arguments: &[&str], requests: u64, before: Option<u64>| {
        let (report, code) = folder.json(arguments);
        assert_eq!(code, 0, "{arguments:?}");
        assert_eq!(report["totals"]["requests"], requests, "{arguments:?}");
        assert_eq!(report["asked"]["from_end"], end, "{arguments:?}");
        assert_eq!(report["before"]["totals"]["requests"].as_u64(), before);
    };
    // What is in the future is no end; without --until it is behind it.
    check(&["access.log", "--since", "10m", "--from-end"], 602, None);
    check(&["packed.gz", "--since", "10m", "--from-end"], 600, None);
    let both = ["access.log*", "--until", "1h", "--from-end"];
    check(&both, 26_400 + 100, None);
    let compared = ["access.log", "--compare", "1h", "--from-end"];
    check(&compared, 3600, Some(3600));
    let mut command = folder.report(&["packed.gz", "--since", "10m", "--from-end"]);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let said = "2026-11-01 08:10:00 to 2026-11-01 08:19:59 UTC (counted from the end of the log, 2026-11-01 08:19:59)";
    assert!(text.contains(said), "{text}");
    // Without it they count from now, and a log that had ended by then says how else.
    let (report, _) = folder.json(&["packed.gz", "--since", "1s"]);
    let hint = report["warnings"][0]["text"].as_str().unwrap();
    assert_eq!(report["asked"]["from_end"], json!(null));
    assert!(
        hint.contains("the last is of 2026-11-01T08:19:59Z"),
        "{hint}"
    );
    assert!(hint.contains("with --from-end from there"), "{hint}");
}
