//! `tapline watch`, the program: what it reads while logrotate does its work, what it writes, what it
//! serves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/program.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod program;
mod rotation;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::program::Running;

/// A run in a folder, and where it serves.
struct Watch {
    running: Running,
    address: String,
}

impl Watch {
    /// Starts it with these arguments in this folder, and waits until it listens.
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
        command
            .current_dir(folder)
            .env_clear()
            .env("TZ", "UTC")
            .args(["watch", "--listen", "127.0.0.1:0", "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let mut said = BufReader::new(running.0.stderr.take().unwrap());
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            assert_ne!(
                said.read_line(&mut line).unwrap(),
                0,
                "it ends before it listens"
            );
            address = line.split_once("http://").map(|(_, behind)| {
                let ends = |letter: char| !(letter.is_ascii_digit() || ".:".contains(letter));
                behind[..behind.find(ends).unwrap_or(behind.len())].to_owned()
            });
        }
        // It is never made to wait for us.
        thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
        Self {
            running,
            address: address.unwrap(),
        }
    }

    /// Head and body of an answer.
    fn get(&self, target: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let time = Some(Duration::from_secs(30));
        stream.set_read_timeout(time).unwrap();
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), body.to_owned())
    }

    /// The report as JSON, once so many lines are in it.
    fn report_of(&self, lines: u64) -> Value {
        let begun = Instant::now();
        loop {
            let (_, body) = self.get("/api/report?format=json");
            let report: Value = serde_json::from_str(&body).unwrap_or_default();
            if report["lines"]["read"].as_u64() >= Some(lines) {
                return report;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{body}");
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// How many exchanges the store shows.
    fn exchanges(&self) -> usize {
        let (_, body) = self.get("/api/exchanges?limit=1000");
        let page: Value = serde_json::from_str(&body).unwrap();
        page["exchanges"].as_array().unwrap().len()
    }

    /// Ends it; what it did.
    fn end(mut self) -> Value {
        self.running.signal("TERM");
        let mut text = String::new();
        let mut stdout = self.running.0.stdout.take().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(self.running.0.wait().unwrap().code(), Some(0));
        serde_json::from_str(&text).unwrap()
    }
}

/// A line of seed 3's format.
fn line(number: u64) -> String {
    let time = jiff::Timestamp::now();
    let time = time.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{time} GET /line/{number} 200 12ms\n")
}

#[test]
fn a_file_is_read_analysed_stored_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..100).map(line).collect();
    fs::write(folder.path().join("a.log"), text).unwrap();
    let watch = Watch::start(
        folder.path(),
        &["--interval", "200ms", "--lang", "ko", "a.log"],
    );
    let report = watch.report_of(100);
    assert_eq!(report["totals"]["requests"], 100);
    // What is appended comes too; what is no line is counted.
    let mut file = fs::OpenOptions::new();
    let mut file = file.append(true).open(folder.path().join("a.log")).unwrap();
    writeln!(file, "{}no line at all", line(100)).unwrap();
    let report = watch.report_of(102);
    assert_eq!(report["totals"]["requests"], 101);
    assert_eq!(report["lines"]["failed"], 1);
    let (head, html) = watch.get("/api/report?format=html&lang=ko");
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(html.contains("<html lang=\"ko\">"));
    // The store commits a moment later.
    let begun = Instant::now();
    while watch.exchanges() < 101 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(watch.exchanges(), 101);
    let done = watch.end();
    assert_eq!(done["lines"], 102);
    assert_eq!(done["stored"], 101);
    let text = fs::read_to_string(folder.path().join("analysis_report.txt")).unwrap();
    assert!(text.starts_with("[개선 제안 및 인사이트]\n---\n"), "{text}");
    // Nothing else was left: the databases were temporary.
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.log", "analysis_report.txt"]);
}

#[test]
fn the_demo_is_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch::start(folder.path(), &["--demo", "--interval", "200ms"]);
    let report = watch.report_of(101);
    assert_eq!(report["lines"]["failed"], 0);
    let newest: jiff::Timestamp = report["covered"]["to"].as_str().unwrap().parse().unwrap();
    assert!(newest <= jiff::Timestamp::now());
    let (_, classic) = watch.get("/api/report?format=classic&lang=ko");
    for line in [
        "- 가장 느린 엔드포인트: /api/admin/stats (평균 ",
        "- 트래픽 피크 시간대: ",
        "- 평균 응답시간이 가장 높은 시간대: ",
        "- 4xx 에러율: ",
        "3. 아래는 대시보드 주요 통계입니다.",
    ] {
        assert!(classic.contains(line), "{line}: {classic}");
    }
    watch.end();
    let text = fs::read_to_string(folder.path().join("server_sample.log")).unwrap();
    assert!(text.lines().count() >= 101);
}

/// The page of a log whose last line is older than anything that is kept.
#[test]
fn an_old_log_is_stored_back_from_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let line = |day| format!("2019-09-{day:02}T14:16:51Z GET /day/{day} 200 12ms\n");
    let text: String = (1..=30).map(line).collect();
    fs::write(folder.path().join("old.log"), text).unwrap();
    let watch = Watch::start(folder.path(), &["old.log"]);
    watch.report_of(30);
    let begun = Instant::now();
    let range = "start_time=2019-01-01T00:00:00Z&end_time=2020-01-01T00:00:00Z";
    let stored = loop {
        let (_, body) = watch.get(&format!("/api/stats?{range}"));
        let stats: Value = serde_json::from_str(&body).unwrap();
        let stored = stats["total_requests"].as_u64().unwrap_or_default();
        if stored >= 14 || begun.elapsed() > Duration::from_secs(30) {
            break stored;
        }
        thread::sleep(Duration::from_millis(100));
    };
    // Of the fourteen days up to the last line.
    assert_eq!(stored, 14);
    let done = watch.end();
    assert_eq!(done["stored"], 14);
    assert_eq!(done["not_stored"], 16);
}

#[test]
fn the_same_lines_are_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..50).map(line).collect();
    fs::write(folder.path().join("a.log"), text).unwrap();
    for _ in 0..2 {
        let arguments = ["--data-dir", "data", "--report", "-", "a.log"];
        let watch = Watch::start(folder.path(), &arguments);
        watch.report_of(50);
        assert!(watch.exchanges() <= 50);
        watch.end();
    }
    let stored = Command::new(env!("CARGO_BIN_EXE_tapline"))
        .current_dir(folder.path())
        .env_clear()
        .args([
            "exchanges",
            "--data-dir",
            "data",
            "--limit",
            "all",
            "--json",
        ])
        .output()
        .unwrap();
    let lines = String::from_utf8(stored.stdout).unwrap();
    assert_eq!(lines.lines().count(), 50);
}
