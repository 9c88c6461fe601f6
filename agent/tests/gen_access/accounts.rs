//! What is said of a run, also where it ends early.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

use super::{COMBINED, START, folder, generator, output, read, run_in};
use crate::program::{Running, limited};

#[test]
fn a_full_disk_ends_it_with_what_was_written_whole() {
    let folder = folder();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("access.log")).unwrap();
    let said = run_in(folder.path(), &format!("{START} -n 1000"), 1);
    let path = folder.path().join("access.log");
    let expected = format!(
        "tapline: cannot write to {}; all lines in it are whole: No space left on device (os error 28)",
        path.display()
    );
    assert!(said.lines().any(|line| line == expected), "{said}");
    check_account(&said, 0, 0);
}

/// The account says so many lines and bytes, and a rate that there can be.
fn check_account(said: &str, lines: usize, bytes: usize) {
    let shape =
        Regex::new(r"(?m)^tapline: (\d+) records, (\d+) bytes, (\d+\.\d+) s, (\d+\.\d) records/s")
            .unwrap();
    let found = shape.captures(said).unwrap();
    let number = |at: usize| found[at].parse::<f64>().unwrap();
    assert_eq!(
        (number(1), number(2)),
        (lines as f64, bytes as f64),
        "{said}"
    );
    // The seconds are rounded.
    assert!(
        number(4) <= number(1) / (number(3) - 0.0005).max(1e-4) + 0.1,
        "{said}"
    );
}

#[test]
fn the_account_counts_what_is_whole_in_the_files() {
    for (line, blocks) in [("", 2000), ("--format w3c", 6000)] {
        let folder = folder();
        let line = format!("{START} --listen off -n 100000 {line} --log-dir");
        let mut command = limited("access", blocks, line.split_whitespace());
        let (code, _, said) = output(command.arg(folder.path()));
        assert_eq!(code, 1, "{said}");
        let text = read(folder.path(), "access.log");
        let fills = |block: usize| {
            let limit = blocks as usize * block;
            (limit - 1000..=limit).contains(&text.len())
        };
        assert!(
            text.ends_with('\n') && (fills(512) || fills(1024)),
            "{}",
            text.len()
        );
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        check_account(&said, lines, text.len());
        assert!(
            said.contains(&format!("Total logs generated: {lines}\n")),
            "{said}"
        );
    }
}

#[test]
fn the_seed_is_said_once_and_not_before_a_failure() {
    let dry = |more: &str| {
        let line = format!("--dry-run -n 3 --listen off {more}");
        let (code, _, said) = output(&mut generator(&line));
        assert_eq!(code, 0, "{said}");
        said
    };
    for said in [dry(""), dry("--seed 7")] {
        assert_eq!(said.matches("seed=").count(), 1, "{said}");
    }
    assert_eq!(dry("-q"), "");
    let line = "-n 3 --listen off --log-dir /proc/no/such";
    let (_, _, said) = output(&mut generator(line));
    assert!(!said.contains("seed="), "{said}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = folder();
    let logs = folder.path().join("logs");
    let (code, stdout, stderr) =
        output(generator(&format!("{START} --dry-run --json -n 1000 --log-dir")).arg(&logs));
    assert_eq!(code, 0, "{stderr}");
    let account: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(account["records"], 1000);
    assert_eq!(account["dry_run"], true);
    assert!(account["bytes"].as_u64().unwrap() > 100_000);
    assert!(!logs.exists());
}

#[test]
fn a_run_that_cannot_keep_its_rate_ends_with_its_time() {
    let begun = Instant::now();
    let (code, _, stderr) = output(&mut generator(
        "--rate 50000000 --duration 1 --dry-run --listen off",
    ));
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("was not met"), "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let mut running = Running::start(&mut generator("--rate 0 --output - -q"));
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let shape = Regex::new(COMBINED).unwrap();
    for line in lines.by_ref().take(100) {
        assert!(shape.is_match(&line.unwrap()));
    }
    drop(lines);
    let (code, said) = running.end();
    assert_eq!((code, said.lines().count()), (0, 1), "{said}");
    let records = Regex::new(r"^tapline: (\d+) records, ").unwrap();
    let records: u64 = records.captures(&said).unwrap()[1].parse().unwrap();
    assert!(records >= 100, "{said}");
}

#[test]
fn a_dry_run_does_not_wait_for_its_lines() {
    for (flags, at_least) in [
        ("-n 100000", 100_000),
        ("--duration 2h", 7_000),
        ("", 400_000),
    ] {
        let begun = Instant::now();
        let line = format!("--dry-run --seed 1 --json --listen off {flags}");
        let (code, stdout, stderr) = output(&mut generator(&line));
        assert_eq!(code, 0, "{stderr}");
        let account: Value = serde_json::from_str(&stdout).unwrap();
        assert!(account["records"].as_u64().unwrap() >= at_least, "{stdout}");
        // In their own time they would take hours.
        assert!(begun.elapsed() < Duration::from_secs(120));
    }
}

#[test]
fn the_day_before_has_an_account_of_its_own() {
    let line = format!("{START} --dry-run --pre-warm -n 1000 --json -q");
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!(code, 0, "{stderr}");
    let account: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(account["records"], 1000);
    let per_line = |part: &Value| {
        let number = |key: &str| part[key].as_f64().unwrap();
        number("bytes") / number("records")
    };
    assert!((100.0..400.0).contains(&per_line(&account)), "{stdout}");
    let before = &account["day_before"];
    // Ten a second under the pattern of the day.
    let lines =
        36_000.0 * (4.0 * 0.1 + 3.0 * 0.3 + 3.0 * 0.7 + 3.0 + 3.0 * 0.8 + 3.0 * 0.5 + 5.0 * 0.2);
    let found = before["records"].as_f64().unwrap();
    assert!((found - lines).abs() <= 1.0, "{found} {lines}");
    assert!((100.0..400.0).contains(&per_line(before)), "{stdout}");
}
