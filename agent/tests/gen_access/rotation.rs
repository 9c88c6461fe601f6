//! Files that are put aside by size and by the time of their lines.

use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use regex::Regex;

use super::{START, files_of, folder, run_in};

#[test]
fn what_came_before_is_written_first_and_fast() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    // The shipped rotation keeps all of it.
    fs::write(&config, "output: {debug: false}").unwrap();
    let logs = folder.path().join("logs");
    let begun = Instant::now();
    let line = format!(
        "{} --rate 10 --pre-warm -n 3 --seed 1 --pattern level",
        config.display()
    );
    let said = run_in(&logs, &line, 0);
    let elapsed = begun.elapsed();
    assert!(
        said.contains("tapline: the 24 hours before the start: 864000 records, "),
        "{said}"
    );
    assert!(said.contains("tapline: 3 records, "), "{said}");
    assert!(said.contains("Total logs generated: 864003\n"), "{said}");
    assert!(!said.contains("warning"), "{said}");
    let files = files_of(&logs);
    assert!((25..=26).contains(&files.len()), "{}", files.len());
    let hour = Regex::new(r"\[([^\]:]+:\d\d):").unwrap();
    for text in &files {
        let begins = &hour.captures(text).unwrap()[1];
        let hours = text
            .lines()
            .map(|line| hour.captures(line).unwrap()[1].to_owned());
        assert!(hours.into_iter().all(|hour| hour == begins), "{begins}");
    }
    let text = files.concat();
    assert_eq!(text.lines().count(), 864_003);
    let times = Regex::new(r"\[([^\]]+)\]").unwrap();
    let time = |line: &str| {
        let text = times.captures(line).unwrap()[1].to_owned();
        jiff::Zoned::strptime("%d/%b/%Y:%H:%M:%S %z", text)
            .unwrap()
            .timestamp()
    };
    let (first, last) = (
        time(text.lines().next().unwrap()),
        time(text.lines().last().unwrap()),
    );
    let hours = (last.as_second() - first.as_second()) as f64 / 3600.0;
    assert!((hours - 24.0).abs() < 0.01, "{hours}");
    // In release it is to be 2 s; this is no release, and others are at work here.
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}

#[test]
fn days_that_are_over_are_put_aside_one_by_one() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    fs::write(
        &config,
        "output: {rate: 0.01, log_rotation: {when: midnight, backup_count: 3}}",
    )
    .unwrap();
    let logs = folder.path().join("logs");
    let line = format!(
        "{} --seed 7 --start 2026-11-01T12:00:00Z --duration 5d",
        config.display()
    );
    let said = run_in(&logs, &line, 0);
    assert!(
        said.contains("tapline: warning: the last lines alone are kept: 3 files of each log"),
        "{said}"
    );
    let gone =
        Regex::new(r"rotation deleted (\d+) of the oldest files of access.log, with (\d+) lines");
    let gone = gone.unwrap();
    let gone = gone.captures(&said).unwrap();
    let all = Regex::new(r"Total logs generated: (\d+)").unwrap();
    let all: usize = all.captures(&said).unwrap()[1].parse().unwrap();
    let kept: usize = files_of(&logs)
        .iter()
        .map(|text| text.lines().count())
        .sum();
    assert_eq!(&gone[1], "2", "{said}");
    assert_eq!(gone[2].parse::<usize>().unwrap() + kept, all, "{said}");
    let day = Regex::new(r"\[(\d\d)/Nov/2026").unwrap();
    let days: Vec<Vec<String>> = files_of(&logs)
        .iter()
        .map(|text| {
            let days = text
                .lines()
                .map(|line| day.captures(line).unwrap()[1].to_owned());
            let mut days: Vec<String> = days.collect();
            days.dedup();
            days
        })
        .collect();
    assert_eq!(days, [["03"], ["04"], ["05"], ["06"]]);
}

#[test]
fn files_are_put_aside_and_compressed_and_no_line_is_lost() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    fs::write(
        &config,
        "output: {format: w3c, log_rotation: {max_size_mb: 0.5, when: midnight, backup_count: 100}}",
    )
    .unwrap();
    let logs = folder.path().join("logs");
    run_in(
        &logs,
        &format!("{} {START} --rate 0 -n 20000", config.display()),
        0,
    );
    let mut lines = 0;
    let mut files = 0;
    for entry in fs::read_dir(&logs).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with("access.log") {
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let mut text = String::new();
        if name != "access.log" {
            assert!(name.ends_with(".gz") && !name.ends_with(".gz.gz"), "{name}");
            GzDecoder::new(&bytes[..])
                .read_to_string(&mut text)
                .unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        assert!(
            text.len() <= 1 << 19 && text.starts_with("#Version: 1.0\n") && text.ends_with('\n'),
            "{name}"
        );
        lines += text.lines().filter(|line| !line.starts_with('#')).count();
        files += 1;
    }
    assert_eq!(lines, 20_000);
    assert!(files > 5, "{files}");
}
