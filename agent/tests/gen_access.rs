//! `tapline gen access`, the program: its files, what it says, how it ends, and what other programs make
//! of its lines.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

fn generator(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command
        .args(["gen", "access"])
        .args(line.split_whitespace())
        .env_clear();
    command
}

fn output(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
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

/// A program that ends with the test, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end; its code and the rest of what it says.
    fn end(mut self) -> (i32, String) {
        let mut said = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        (self.0.wait().unwrap().code().unwrap(), said)
    }
}

fn start(command: &mut Command) -> Running {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

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

#[test]
fn the_same_bytes_again_whatever_the_number_of_threads() {
    let config = folder();
    // More users than there may be: only then threads share them.
    let crowded = config.path().join("a.yaml");
    fs::write(
        &crowded,
        "output: {rate: 5000, log_rotation: {interval: 0}}\nsession: {concurrent_users: 1000}",
    )
    .unwrap();
    let made = |flags: &str| {
        let folder = folder();
        run_in(folder.path(), flags, 0);
        (
            read(folder.path(), "access.log"),
            read(folder.path(), "error.log"),
        )
    };
    for line in [
        format!("{START} -n 30000"),
        format!("{} {START} -n 100000", crowded.display()),
        format!("{START} -n 5000 --pre-warm --format json"),
    ] {
        let one = made(&line);
        assert!(one.0.lines().count() >= 5000);
        assert_eq!(made(&line), one, "{line}");
        assert_eq!(made(&format!("{line} --jobs 2")), one, "{line}");
        assert_eq!(made(&format!("{line} --jobs 7")), one, "{line}");
        let other = line.replace("--seed 7", "--seed 8");
        assert_ne!(made(&other), one);
    }
}

#[test]
fn a_run_appends_to_its_three_logs() {
    let folder = folder();
    let said = run_in(folder.path(), &format!("{START} -n 1000"), 0);
    assert!(said.contains("tapline: 1000 records, "), "{said}");
    assert!(
        said.contains("Shutdown complete. Total logs generated: 1000\n"),
        "{said}"
    );
    let first = read(folder.path(), "access.log");
    run_in(folder.path(), &format!("{START} -n 500"), 0);
    let both = read(folder.path(), "access.log");
    assert!(both.starts_with(&first));
    assert_eq!(both.lines().count(), 1500);
    let shape = Regex::new(COMBINED).unwrap();
    for line in both.lines() {
        assert!(shape.is_match(line), "{line}");
    }
    let failures = both.lines().filter(|line| {
        let status = shape.captures(line).unwrap()[8].parse::<u16>().unwrap();
        status >= 400
    });
    let errors = read(folder.path(), "error.log");
    // The page that fails in the state ERROR is one of them.
    assert_eq!(errors.lines().count(), failures.count());
    let plain =
        Regex::new(r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} - (INFO|WARNING|ERROR) - .+$").unwrap();
    let system = read(folder.path(), "system.log");
    for line in errors.lines().chain(system.lines()) {
        assert!(plain.is_match(line), "{line}");
    }
    for part in [
        " - INFO - Logging initialized - all output directed to log files\n",
        &format!(
            " - INFO - Starting log generation. Logs will be written to: {}/access.log\n",
            folder.path().display()
        ),
        " - INFO - Disk space monitor started (min: 1.0GB, interval: 300s)\n",
        " - INFO - Shutdown complete. Total logs generated: 500\n",
    ] {
        assert!(system.contains(part), "{system}");
    }
}

/// The regular expression of access-log-generator's own tests.
const COMBINED: &str = r#"^(\S+) (\S+) (\S+) \[([\w:/]+\s[+\-]\d{4})\] "(\S+) (\S+) (\S+)" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$"#;

#[test]
fn a_rate_is_met() {
    let begun = Instant::now();
    let folder = folder();
    let mut command = generator("--rate 500 --duration 2s --seed 1 --listen off --log-dir");
    let (code, _, stderr) = output(command.arg(folder.path()));
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(1990));
    // Where others take the CPU it is late, and says so.
    let is_late = elapsed > Duration::from_millis(2100);
    assert!(code == 0 || (code == 6 && is_late), "{code}: {stderr}");
    let lines = read(folder.path(), "access.log").lines().count();
    assert_eq!(lines, 1000);
}

/// The share of each page and status among lines in the combined format.
fn shares<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, f64> {
    let shape = Regex::new(COMBINED).unwrap();
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    let mut all = 0.0;
    for line in lines {
        let found = shape.captures(line).unwrap();
        let page = found[6].split('?').next().unwrap_or_default();
        *counts.entry(format!("{} {page}", &found[5])).or_default() += 1.0;
        *counts.entry(found[8].to_owned()).or_default() += 1.0;
        all += 1.0;
    }
    counts.values_mut().for_each(|count| *count /= all);
    counts
}

#[test]
fn the_first_lines_are_like_those_that_come_later() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    fs::write(
        &config,
        "output: {rate: 1000, log_rotation: {enabled: false}}",
    )
    .unwrap();
    let logs = folder.path().join("logs");
    let line = format!("{} {START} --pattern level -n 200000", config.display());
    run_in(&logs, &line, 0);
    let text = read(&logs, "access.log");
    let first = shares(text.lines().take(5000));
    let late = shares(text.lines().skip(100_000));
    for (name, share) in &late {
        let found = first.get(name).copied().unwrap_or(0.0);
        // Four times as far apart as draws would be, and what little is left of a rare page.
        let limit = 4.0 * (share / 5000.0).sqrt() + 0.001;
        assert!(
            (found - share).abs() <= limit,
            "{name}: {found}, later {share}"
        );
    }
    assert!(late["POST /login"] > 0.01 && late["POST /login"] < 0.1);
    let system = read(&logs, "system.log");
    let begun: u64 = Regex::new("START to [A-Z_]+ ([0-9]+)")
        .unwrap()
        .captures_iter(&system)
        .map(|found| found[1].parse::<u64>().unwrap())
        .sum();
    assert!((1000..10_000).contains(&begun), "{begun}: {system}");
}

#[test]
fn the_pattern_of_the_day_is_kept() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    fs::write(
        &config,
        "output: {rate: 2, log_rotation: {interval: 0}}\ntime_zone: America/New_York\ntraffic_patterns: [{time: 0-9, multiplier: 0.5}, {time: 9-24, multiplier: 1.5}]\n",
    )
    .unwrap();
    let logs = folder.path().join("logs");
    let line = format!(
        "{} --seed 7 --start 2026-11-21T00:00:00-05:00 --duration 1d",
        config.display()
    );
    run_in(&logs, &line, 0);
    let text = read(&logs, "access.log");
    let shape = Regex::new(r"\[(\d+)/Nov/2026:(\d+):").unwrap();
    let mut hours = BTreeMap::new();
    for line in text.lines() {
        let found = shape.captures(line).unwrap();
        let hour =
            (found[1].parse::<u32>().unwrap() - 21) * 24 + found[2].parse::<u32>().unwrap() - 5;
        *hours.entry(hour).or_insert(0_i64) += 1;
    }
    for hour in 0..24 {
        let expected: i64 = if hour < 9 { 3600 } else { 10_800 };
        let found = hours.get(&hour).copied().unwrap_or(0);
        assert!((found - expected).abs() <= 1, "{hour}: {found}");
    }
}

#[test]
fn what_came_before_is_written_first_and_fast() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    fs::write(&config, "output: {log_rotation: {backup_count: 0}}").unwrap();
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
    for (line, limit) in [("", 1_000_000), ("--format w3c", 3_000_000)] {
        let folder = folder();
        // The file may have so many bytes, as on a disk with no more room.
        let script = format!("trap '' XFSZ; exec prlimit --fsize={limit} \"$@\"");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tapline")])
            .args(["gen", "access", "--listen", "off", "-n", "100000"])
            .args(START.split_whitespace())
            .args(line.split_whitespace())
            .arg("--log-dir")
            .arg(folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        let (code, _, said) = output(&mut command);
        assert_eq!(code, 1, "{said}");
        let text = read(folder.path(), "access.log");
        assert!(
            text.ends_with('\n') && text.len() > limit - 1000,
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
fn what_cannot_be_ends_it_with_one_sentence() {
    let folder = folder();
    let file = folder.path().join("a.yaml");
    let check = |text: &str, code: i32, sentence: &str| {
        fs::write(&file, text).unwrap();
        let (found, stdout, stderr) = output(generator("--listen off -q -n 1").arg(&file));
        assert_eq!(found, code, "{text}: {stderr}");
        assert_eq!(stdout, "");
        let sentence = sentence.replace("FILE", &file.display().to_string());
        assert_eq!(stderr, format!("tapline: {sentence}\n"), "{text}");
    };
    check(
        "output:\n  rat: 1\n",
        2,
        "FILE, line 2: there is no key \"output.rat\"; did you mean output.rate?",
    );
    check(
        "output: {rate: -1}",
        2,
        "FILE, line 1: output.rate is \"-1\", but must be a number of lines a second above 0",
    );
    check(
        "state_transitions:\n  START: {LOGIN: 0.5}\n",
        2,
        "FILE, line 2: state_transitions.START must sum to 1 (± 0.01), but sums to 0.5000",
    );
    check(
        "traffic_patterns: [{time: 3-24, multiplier: 1}]",
        2,
        "FILE, line 1: traffic_patterns has no pattern that covers the hour from 0 to 1",
    );
    let nowhere = format!(
        "output: {{directory: {}/a.yaml/logs}}",
        folder.path().display()
    );
    check(
        &nowhere,
        1,
        &format!(
            "cannot make the folder {}/a.yaml/logs (output.directory); name another with --log-dir: Not a directory (os error 20)",
            folder.path().display()
        ),
    );
    let (code, _, stderr) = output(&mut generator("/nowhere/a.yaml"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "tapline: cannot read the configuration file /nowhere/a.yaml: No such file or directory (os error 2)\n"
        )
    );
    let (code, _, stderr) = output(generator("-n 1").env("LOG_GENERATOR_CONFIG_YAML_B64", "?"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "tapline: LOG_GENERATOR_CONFIG_YAML_B64: it is not base64 (RFC 4648)\n"
        )
    );
    let (code, _, stderr) = output(generator("-n 1").env("RATE_OVERRIDE", "fast"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "tapline: RATE_OVERRIDE is \"fast\", but must be a number of lines a second above 0\n"
        )
    );
    for flags in [
        "--rate -1",
        "--format xml",
        "--listen nowhere",
        "--output file",
        "--output - --log-dir x",
        "--json --output -",
        "--start 2999-01-01T00:00:00Z",
    ] {
        let (code, stdout, stderr) = output(&mut generator(flags));
        assert_eq!((code, stdout.as_str()), (2, ""), "{flags}: {stderr}");
    }
}

#[test]
fn a_port_in_use_is_said_before_anything_is_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let folder = folder();
    let logs = folder.path().join("logs");
    let (code, _, stderr) = output(
        generator("-n 1 --listen")
            .arg(&address)
            .arg("--log-dir")
            .arg(&logs),
    );
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains(&format!(
            "cannot listen on {address}: another program listens there"
        )),
        "{stderr}"
    );
    assert!(!logs.exists());
}

#[test]
fn what_wins() {
    let folder = folder();
    let named = folder.path().join("named.yaml");
    fs::write(&named, "output: {rate: 1, directory: /named}").unwrap();
    let by_path = folder.path().join("by-path.yaml");
    fs::write(&by_path, "output: {rate: 4}").unwrap();
    let check = |flags: &str, variables: &[(&str, &str)], expected: &[&str]| {
        let mut command = generator(flags);
        command
            .arg("--print-config")
            .envs(variables.iter().copied());
        let (code, stdout, stderr) = output(&mut command);
        assert_eq!(code, 0, "{stderr}");
        for line in expected {
            assert!(
                stdout.lines().any(|found| found.trim() == *line),
                "{line}: {stdout}"
            );
        }
    };
    // output: {rate: 2}
    let base64 = ("LOG_GENERATOR_CONFIG_YAML_B64", "b3V0cHV0OiB7cmF0ZTogMn0=");
    let yaml = ("LOG_GENERATOR_CONFIG_YAML", "output: {rate: 3}");
    let path = ("LOG_GENERATOR_CONFIG_PATH", by_path.to_str().unwrap());
    let (rate, place) = (("RATE_OVERRIDE", "5"), ("LOG_DIR_OVERRIDE", "/over"));
    let named = named.to_str().unwrap();
    check(
        &format!("{named} --rate 6 --log-dir /flag"),
        &[base64, yaml, path, rate, place],
        &["rate: 6", "directory: \"/flag\""],
    );
    check(
        named,
        &[base64, yaml, path, rate, place],
        &["rate: 5", "directory: \"/over\""],
    );
    check(
        named,
        &[base64, yaml, path],
        &["rate: 1", "directory: \"/named\""],
    );
    check("", &[base64, yaml, path], &["rate: 2"]);
    check("", &[yaml, path], &["rate: 3"]);
    check("", &[path], &["rate: 4"]);
    check("", &[], &["rate: 10", "directory: \"/var/log/app\""]);
    check(
        &format!("{named} --log-dir-override /old"),
        &[],
        &["directory: \"/old\""],
    );
}

#[test]
fn the_printed_configuration_can_be_fed_back() {
    let (code, printed, _) = output(&mut generator("--print-config --format w3c --seed 3"));
    assert_eq!(code, 0);
    let folder = folder();
    let file = folder.path().join("a.yaml");
    fs::write(&file, &printed).unwrap();
    let (code, again, stderr) = output(generator("--print-config --seed 3").arg(&file));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let tail = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(tail(&again), tail(&printed));
}

#[test]
fn version_exit_and_schema_say_what_they_should() {
    let (code, stdout, _) = output(
        generator("--version")
            .env("APP_VERSION", "v2.0.0")
            .env("GIT_COMMIT", "2429aee"),
    );
    assert_eq!(code, 0);
    assert!(stdout.starts_with("Access Log Generator\nVersion:     v2.0.0\nGit Commit:  2429aee\nBuild Date:  unknown\n"), "{stdout}");
    let (code, stdout, _) = output(&mut generator("--exit /nowhere/a.yaml"));
    assert_eq!(
        (code, stdout.as_str()),
        (0, "Exiting after pre-caching dependencies...\n")
    );
    let (code, stdout, _) = output(&mut generator("--schema json"));
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&stdout).unwrap();
    let pattern = "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"";
    assert_eq!(schema["access_log"]["pattern"], pattern);
    assert_eq!(schema["access_log"]["fields"].as_array().unwrap().len(), 9);
    let (code, stdout, _) = output(&mut generator("--schema markdown --format json"));
    assert_eq!(code, 0);
    assert!(stdout.contains("| total_us |"), "{stdout}");
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
    let mut running = start(&mut generator("--rate 0 --output - -q"));
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

/// What the health check answers: the status and the body.
fn ask(address: &str, path: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

#[test]
fn health_is_told_while_it_runs_and_a_signal_ends_it() {
    for signal in ["TERM", "INT"] {
        let folder = folder();
        let mut command = generator("--rate 100 --seed 1 --listen 127.0.0.1:0 --log-dir");
        let mut running = start(command.arg(folder.path()));
        let mut said = BufReader::new(running.0.stderr.take().unwrap());
        let address = within("address of the health check", || {
            let mut line = String::new();
            said.read_line(&mut line).unwrap();
            let url = line.split_once("http://")?.1;
            Some(url.strip_suffix("/health\n").unwrap().to_owned())
        });
        within("lines", || {
            (ask(&address, "/ready")?.0 == 200).then_some(())
        });
        assert_eq!(ask(&address, "/ready").unwrap().1["status"], "ready");
        let (status, health) = within("lines", || {
            ask(&address, "/health")
                .filter(|(_, health)| health["total_logs_generated"].as_u64() > Some(20))
        });
        assert_eq!((status, &health["status"]), (200, &Value::from("healthy")));
        assert_eq!(health["rate"], 100);
        assert_eq!(health["output_directory"], folder.path().to_str().unwrap());
        assert!(health["uptime_seconds"].as_f64().unwrap() > 0.1);
        assert_eq!(ask(&address, "/else").unwrap().0, 404);
        running.signal(signal);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert_eq!(running.0.wait().unwrap().code(), Some(0), "{rest}");
        let text = read(folder.path(), "access.log");
        assert!(text.ends_with('\n'));
        let lines = text.lines().count();
        assert!(
            rest.contains(&format!("Total logs generated: {lines}\n")),
            "{rest}"
        );
        assert!(
            rest.contains(&format!("tapline: {lines} records, {} bytes, ", text.len())),
            "{rest}"
        );
        let system = read(folder.path(), "system.log");
        let port = address.rsplit(':').next().unwrap();
        assert!(
            system.contains(&format!(
                " - INFO - Health check server started on port {port}\n"
            )),
            "{system}"
        );
    }
}

#[test]
fn nothing_is_ready_before_lines_flow() {
    let folder = folder();
    let config = folder.path().join("a.yaml");
    // An hour without lines, but for one that is long over.
    let hour = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .hour();
    let other = (hour + 12) % 24;
    fs::write(&config, format!("traffic_patterns: [{{time: \"{other}-{}\", multiplier: 1}}, {{time: 0-24, multiplier: 0}}]", (other + 1) % 24)).unwrap();
    let mut command = generator("--listen 127.0.0.1:0");
    let logs = folder.path().join("logs");
    let mut running = start(command.arg("--log-dir").arg(&logs).arg(&config));
    let mut said = BufReader::new(running.0.stderr.take().unwrap());
    let address = within("address of the health check", || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let url = line.split_once("http://")?.1;
        Some(url.strip_suffix("/health\n").unwrap().to_owned())
    });
    thread::sleep(Duration::from_millis(300));
    assert_eq!(ask(&address, "/ready").unwrap().0, 503);
    assert_eq!(ask(&address, "/health").unwrap().0, 200);
    running.signal("TERM");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn python_reads_every_json_line() {
    if !is_here("python3") {
        return;
    }
    let folder = folder();
    run_in(folder.path(), &format!("{START} -n 20000 --format json"), 0);
    let program = "import json,sys\nn=0\nfor line in open(sys.argv[1]):\n    r=json.loads(line)\n    assert {'ts','src_ip','method','target','status','response_bytes','user_agent'} <= r.keys()\n    n+=1\nprint(n)";
    let found = Command::new("python3")
        .args(["-c", program])
        .arg(folder.path().join("access.log"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "20000\n",
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
}

/// goaccess reads all lines, and counts the same statuses and paths.
fn goaccess_counts(lines: u64) {
    if !is_here("goaccess") {
        return;
    }
    for (format, named, status, target) in [
        ("common", "COMMON", 8, 6),
        ("combined", "COMBINED", 8, 6),
        ("vhost_combined", "VCOMBINED", 9, 7),
        (
            "combined_time",
            "%h %^[%d:%t %^] \"%r\" %s %b \"%R\" \"%u\" %D",
            8,
            6,
        ),
        ("w3c", "W3C", 7, 5),
    ] {
        let folder = folder();
        run_in(
            folder.path(),
            &format!("{START} -n {lines} --format {format}"),
            0,
        );
        let report = folder.path().join("report.json");
        let mut command = Command::new("goaccess");
        command
            .arg(folder.path().join("access.log"))
            .arg("-o")
            .arg(&report);
        command.args(["--no-global-config", "--no-progress", "--max-items=100000"]);
        command.arg(format!("--log-format={named}"));
        if format == "combined_time" {
            command.args(["--date-format=%d/%b/%Y", "--time-format=%H:%M:%S"]);
        }
        let ran = command.output().unwrap();
        assert!(
            ran.status.success(),
            "{format}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
        assert_eq!(report["general"]["total_requests"], lines, "{format}");
        assert_eq!(report["general"]["valid_requests"], lines, "{format}");
        assert_eq!(report["general"]["failed_requests"], 0, "{format}");
        let text = read(folder.path(), "access.log");
        let prefix = if format == "vhost_combined" {
            r"(\S+) "
        } else {
            ""
        };
        let shape = match format {
            "w3c" => r"^(\S+) (\S+) (\S+) (\S+) (\S+ \S+) (?:\S+ ){4}(\S+) (\d{3}) ".to_owned(),
            _ => format!(
                r#"^{prefix}(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+) (\S+)" (\d{{3}}) (\d+|-)"#
            ),
        };
        let shape = Regex::new(&shape).unwrap();
        let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
        let mut paths: BTreeMap<String, u64> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let found = shape.captures(line).unwrap();
            *statuses.entry(found[status].to_owned()).or_default() += 1;
            let path = found[target].replace(" -", "").replace(' ', "?");
            *paths.entry(path).or_default() += 1;
        }
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for class in report["status_codes"]["data"].as_array().unwrap() {
            for item in class["items"].as_array().unwrap() {
                let name = item["data"].as_str().unwrap().split(' ').next().unwrap();
                counted.insert(name.to_owned(), item["hits"]["count"].as_u64().unwrap());
            }
        }
        assert_eq!(counted, statuses, "{format}");
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for panel in ["requests", "not_found"] {
            for item in report[panel]["data"].as_array().unwrap() {
                // goaccess takes the - of an empty query for a query.
                let path = item["data"]
                    .as_str()
                    .unwrap()
                    .trim_end_matches("?-")
                    .to_owned();
                *counted.entry(path).or_default() += item["hits"]["count"].as_u64().unwrap();
            }
        }
        assert_eq!(counted, paths, "{format}");
    }
}

#[test]
fn goaccess_counts_the_same() {
    // As many as are asked for: a million takes a minute of a release build, and minutes of this one.
    let lines = std::env::var("GOACCESS_LINES").map_or(30_000, |lines| lines.parse().unwrap());
    goaccess_counts(lines);
}

/// The shape of a line: what a browser's request for a page looks like in a server's log.
const SHAPE: &str = r#"^(?P<address>[0-9a-f.:]+) - (?:-|[\w.]+) \[\d{2}/(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] "(?:GET|POST) /[!-~]* HTTP/1\.1" [1-5]\d{2} (?:-|\d+) "(?:-|https?://[!#-~]+)" "(?:-|(?:[ !#-\[\]-~]|\\["\\]|\\x[0-9a-f]{2})+)"$"#;

/// Asks a server for some pages, as browsers do.
fn browse(port: u16) {
    for request in [
        "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0 (X11)\r\n",
        "GET /products?categoryID=4&sort=price HTTP/1.1\r\nHost: x\r\nReferer: http://x/products\r\nUser-Agent: a\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n",
        "GET /missing HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT\r\n",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "{request}Connection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "));
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Starts a server, lets it log some requests, and gives its lines.
fn lines_of(mut command: Command, folder: &Path, port: u16) -> Vec<String> {
    let mut running = start(&mut command);
    within("server", || {
        assert!(
            running.0.try_wait().unwrap().is_none(),
            "the server has ended"
        );
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    browse(port);
    let lines = within("lines of the server", || {
        let text = fs::read_to_string(folder.join("server.log")).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= 4).then_some(lines)
    });
    running.signal("TERM");
    drop(running.0.wait());
    lines
}

#[test]
fn lines_of_nginx_and_apache_have_the_same_shape() {
    let shape = Regex::new(SHAPE).unwrap();
    let check = |lines: &[String], whose: &str| {
        for line in lines {
            assert!(shape.is_match(line), "{whose}: {line}");
        }
    };
    let own = folder();
    run_in(own.path(), &format!("{START} -n 20000"), 0);
    let lines: Vec<String> = read(own.path(), "access.log")
        .lines()
        .map(str::to_owned)
        .collect();
    check(&lines, "ours");
    assert!(
        !shape.is_match("1.2.3.4 - - [x] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\""),
        "it can fail"
    );
    if is_here("nginx") {
        let folder = folder();
        let (path, port) = (folder.path().display(), free_port());
        let config = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n  access_log {path}/server.log combined;\n  client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c; uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;\n  server {{ listen 127.0.0.1:{port}; root {path}; }}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-e").arg("stderr");
        command.arg("-c").arg(folder.path().join("nginx.conf"));
        check(&lines_of(command, folder.path(), port), "nginx");
    }
    if is_here("apache2") {
        let folder = folder();
        let (path, port) = (folder.path().display(), free_port());
        let modules = "/usr/lib/apache2/modules";
        let config = format!(
            "ServerName x\nServerRoot {path}\nDefaultRuntimeDir {path}\nPidFile {path}/pid\nListen 127.0.0.1:{port}\nErrorLog {path}/error\nLoadModule mpm_event_module {modules}/mod_mpm_event.so\nLoadModule authz_core_module {modules}/mod_authz_core.so\nDocumentRoot {path}\nLogFormat \"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\nCustomLog {path}/server.log combined\n"
        );
        fs::write(folder.path().join("apache.conf"), config).unwrap();
        let mut command = Command::new("apache2");
        command
            .arg("-X")
            .arg("-f")
            .arg(folder.path().join("apache.conf"));
        check(&lines_of(command, folder.path(), port), "apache2");
    }
}
