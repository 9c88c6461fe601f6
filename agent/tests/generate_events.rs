//! `tapline gen events` as its users meet it: the program itself, read by Python's json, asked by curl,
//! and by a WebSocket client of another library than the server's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_websockets::{ClientBuilder, Message};

fn tapline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapline"));
    command.args(["gen", "events"]).args(arguments).env_clear();
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    tapline(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_anomalous(line: &&Value) -> bool {
    line["_labels"]["is_anomaly"] == true
}

fn of_type(lines: &[Value], family: &str) -> usize {
    let is_it = |line: &&Value| line["_labels"]["anomaly_type"] == family;
    lines.iter().filter(is_it).count()
}

const PAST: [&str; 6] = ["-i", "0", "--start", "2026-01-01T00:00:00Z", "--seed", "7"];

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
    let seed = text.lines().next().unwrap().split_once("seed=").unwrap().1;
    let again = run(folder.path(), &[&arguments[..], &["--seed", seed]].concat());
    assert_eq!(drawn.stdout, again.stdout);
}

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
    let arguments = [
        &PAST[..],
        &[
            "-c", config, "-n", "4000", "-p", "out/a.b", "--truth", "truth",
        ],
    ]
    .concat();
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
    let (all, truth) = (
        lines(&all.stdout),
        fs::read(folder.path().join("truth")).unwrap(),
    );
    let mut kept = BTreeMap::new();
    for name in names.iter().filter(|name| name.ends_with(".json")) {
        let path = format!("out/{name}");
        let of_file = lines(&fs::read(folder.path().join(&path)).unwrap());
        kept.insert(path, of_file);
    }
    let last: Vec<Value> = kept.values().flatten().cloned().collect();
    let gone = format!("with {} records of this run", all.len() - last.len());
    assert!(said(&output).contains(&gone), "{gone}: {}", said(&output));
    assert_eq!(
        last[..],
        all[all.len() - last.len()..],
        "no line is lost between two files"
    );
    // The truth names each anomalous record, and no other.
    let mut points = BTreeMap::new();
    let mut windows = Vec::new();
    for line in lines(&truth) {
        match line["kind"].as_str().unwrap() {
            "point" => drop(points.insert(line["line"].as_u64().unwrap(), line)),
            _ => windows.push(line),
        }
    }
    for (number, record) in (1..).zip(&all) {
        let labels = &record["_labels"];
        let Some(point) = points.remove(&number) else {
            assert_eq!(labels["is_anomaly"], false);
            continue;
        };
        assert_eq!(labels["anomaly_type"], point["anomaly_type"]);
        assert_eq!(labels["anomaly_score"], point["score"]);
        if let Some(of_file) = kept.get(point["file"].as_str().unwrap()) {
            let place = point["file_line"].as_u64().unwrap() as usize - 1;
            assert_eq!(of_file[place], *record);
        }
        let window = windows
            .iter()
            .find(|one| one["anomaly_id"] == point["anomaly_id"])
            .unwrap();
        let inside = window["first_line"].as_u64().unwrap()..=window["last_line"].as_u64().unwrap();
        assert!(inside.contains(&number), "{window}");
        assert_eq!(window["anomaly_type"], point["anomaly_type"]);
        let time = point["timestamp"].as_str().unwrap();
        assert!(
            window["start"].as_str().unwrap() <= time && time <= window["end"].as_str().unwrap()
        );
        assert!((0.6..=1.0).contains(&window["severity"].as_f64().unwrap()));
    }
    assert!(points.is_empty(), "{points:?}");
    let in_windows: u64 = windows
        .iter()
        .map(|window| window["lines"].as_u64().unwrap())
        .sum();
    assert_eq!(in_windows as usize, all.iter().filter(is_anomalous).count());
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
fn batches_and_rates_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let timed = |arguments: &[&str]| {
        let begun = Instant::now();
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        (begun.elapsed().as_secs_f64(), lines(&output.stdout))
    };
    // Three batches: two pauses.
    let (time, made) = timed(&["-n", "30", "-b", "10", "-i", "0.4", "-o", "-", "-q"]);
    assert!((0.8..2.5).contains(&time), "{time}");
    assert_eq!(made.len(), 30);
    let (time, made) = timed(&["--rate", "1000", "--duration", "2s", "-o", "-", "-q"]);
    assert!((1.98..4.0).contains(&time), "{time}");
    assert_eq!(made.len(), 2000);
    // Times keep to the pace, and none lies in the future.
    let read = |line: &Value| {
        line["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let is_sound = |line: &&Value| !line["message"].as_str().unwrap().contains("date in future");
    let times: Vec<jiff::Timestamp> = made.iter().filter(is_sound).map(read).collect();
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    let over = times[times.len() - 1]
        .duration_since(times[0])
        .as_secs_f64();
    assert!((1.9..2.1).contains(&over), "{over}");
    assert!(times[times.len() - 1] <= jiff::Timestamp::now());
}

#[test]
fn a_rate_that_cannot_be_met_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["--rate", "900000000", "-n", "300000", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    assert!(said(&output).contains("the rate of 900000000 records/s was not met"));
}

#[test]
fn a_run_that_cannot_keep_its_rate_ends_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let output = run(
        folder.path(),
        &["--rate", "100000000", "--duration", "1", "--dry-run"],
    );
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    assert!(begun.elapsed() < Duration::from_secs(10));
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
            let script = "trap '' XFSZ; ulimit -f 600; exec \"$@\"";
            let output = Command::new("sh")
                .args(["-c", script, "sh", env!("CARGO_BIN_EXE_tapline")])
                .args(["gen", "events", "-n", "100000", "-i", "0", "-f", format])
                .args(flags)
                .env_clear()
                .current_dir(folder.path())
                .stdout(stdout)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
                .wait_with_output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            count(&said(&output))
        };
        let path = folder.path().join("stdout");
        let records = full(fs::File::create(&path).unwrap().into(), &["-o", "-"]);
        let whole = fs::read(&path).unwrap();
        let whole = whole.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert!(records > 10);
        assert_eq!(records, whole / lines);
        if lines == 1 {
            let records = full(Stdio::null(), &["-p", &format!("{format}/x")]);
            let mut files = fs::read_dir(folder.path().join(format)).unwrap();
            let text = fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
            assert!(text.ends_with('\n'));
            assert_eq!(records, text.lines().count() as u64);
        }
    }
}

#[test]
fn a_signal_ends_it_with_whole_lines_and_the_account() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut child = tapline(&["-n", "0", "--rate", "500", "-o", "stdout"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        tell(&child, signal);
        let mut bytes = Vec::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        let output = child.wait_with_output().unwrap();
        // On a busy machine the rate may not have been met.
        assert!(
            matches!(output.status.code(), Some(0 | 6)),
            "{}",
            said(&output)
        );
        let made = lines(&bytes).len();
        assert!((1..900).contains(&made), "{made}");
        let said = said(&output);
        assert!(
            said.contains(&format!(
                "Generation interrupted. Total logs generated: {made} "
            )),
            "{said}"
        );
        assert!(
            said.contains(&format!("{made} records, {} bytes", bytes.len())),
            "{said}"
        );
    }
}

fn tell(child: &Child, signal: libc::c_int) {
    // SAFETY: a signal to a child of this process that was not waited for.
    unsafe { libc::kill(child.id() as libc::pid_t, signal) };
}

#[test]
fn what_cannot_be_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("typo.yaml"),
        "generator:\n  batch_sise: 1\n",
    )
    .unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let check = |arguments: &[&str], code: i32, says: &str| {
        let output = run(folder.path(), arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(output.stdout.is_empty());
    };
    check(
        &["-c", "typo.yaml"],
        2,
        "typo.yaml, line 2: there is no key \"generator.batch_sise\"; did you mean generator.batch_size?",
    );
    check(
        &["-c", "none.yaml"],
        2,
        "cannot read the configuration file none.yaml",
    );
    check(
        &["-a", "1.5"],
        2,
        "--anomaly-rate is \"1.5\", but must be a number from 0 to 1",
    );
    check(&["-b", "0"], 2, "--batch-size is \"0\"");
    check(&["-i", "-1"], 2, "--interval is \"-1\"");
    check(
        &["-o", "syslog"],
        2,
        "--output is \"syslog\", but must be one of stdout, file, both",
    );
    check(&["--rate=-5"], 2, "--rate");
    check(&["--json", "-o", "stdout"], 2, "--json");
    check(&["--truth", "-", "-o", "stdout"], 2, "--truth");
    check(
        &["-p", "file/x", "-n", "1", "-q"],
        1,
        "cannot make the folder file",
    );
    check(
        &["--truth", "none/x", "-n", "1", "-q"],
        1,
        "cannot open none/x",
    );
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(
        &["--serve", &address, "-q"],
        1,
        &format!("cannot listen on {address}: another program listens there"),
    );
    check(&["--serve", "nowhere"], 2, "--serve");
    for port in [
        "99999",
        "+1",
        ":",
        "localhost:",
        "localhost:x",
        "elsewhere:80",
    ] {
        check(&["--serve", port], 2, "must be an address and a port");
    }
    let off: String = ["error_spike", "latency_degradation", "security_threat"]
        .iter()
        .chain(&["resource_exhaustion", "service_outage", "data_anomaly"])
        .map(|family| format!("    {family}: {{enabled: false}}\n"))
        .collect();
    fs::write(
        folder.path().join("off.yaml"),
        format!("anomalies:\n  probability: 0\n  types:\n{off}"),
    )
    .unwrap();
    check(
        &["-c", "off.yaml", "-a", "0.2", "-o", "-"],
        2,
        "off.yaml, line 4: anomalies.types must have a family that is enabled",
    );
}

#[test]
fn a_full_disk_leaves_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_tapline");
    // A file may have 100 KiB, as on a disk with no more room.
    let script = format!("trap '' XFSZ; ulimit -f 100; exec {program} gen events -n 5000 -i 0 -q");
    let output = Command::new("bash")
        .args(["-c", &script])
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
fn what_is_printed_is_read_again_and_a_dry_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(
        folder.path(),
        &[
            "--print-config",
            "-a",
            "0.25",
            "-n",
            "7",
            "-f",
            "text",
            "--seed",
            "1",
        ],
    );
    fs::write(folder.path().join("c.yaml"), &printed.stdout).unwrap();
    let again = run(
        folder.path(),
        &["--print-config", "-c", "c.yaml", "--seed", "1"],
    );
    assert_eq!(printed.stdout, again.stdout);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(
        text.contains("probability: 0.25") && text.contains("# seed: 1"),
        "{text}"
    );
    let dry = run(
        folder.path(),
        &[
            "--dry-run",
            "-n",
            "500",
            "-i",
            "0",
            "--json",
            "--truth",
            "t",
        ],
    );
    let account: Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!(account["records"], 500);
    assert_eq!(account["anomalies"], 25);
    assert_eq!(account["dry_run"], true);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A server that ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = tapline(&[&["--serve", "127.0.0.1:0", "--seed", "7"], arguments].concat())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        child.stderr = Some(stderr.into_inner());
        let address = line.split_once("http://").unwrap().1;
        let address = address.split([' ', '/']).next().unwrap().to_owned();
        Self { child, address }
    }

    /// What curl gives, and the status.
    fn curl(&self, arguments: &[&str], path: &str) -> (u16, String) {
        let output = Command::new("curl")
            .args(["-s", "-w", "\n%{http_code}", "--max-time", "20"])
            .args(arguments)
            .arg(format!("http://{}{path}", self.address))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.curl(&[], path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let json = "Content-Type: application/json";
        let (status, answer) = self.curl(&["-X", method, "-H", json, "-d", &body], path);
        (status, serde_json::from_str(&answer).unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.send("POST", path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The first lines of a stream, from a curl that is ended then.
    fn stream(&self, path: &str, count: usize) -> Vec<String> {
        let mut curl = Command::new("curl")
            .args(["-s", "-N", "--max-time", "30"])
            .arg(format!("http://{}{path}", self.address))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let reader = BufReader::new(curl.stdout.take().unwrap());
        let read = reader.lines().take(count).map(Result::unwrap).collect();
        curl.kill().unwrap();
        curl.wait().unwrap();
        read
    }

    /// The address of an open WebSocket.
    fn socket(&self) -> String {
        format!("ws://{}/ws/logs", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn logs(answer: &Value) -> Vec<Value> {
    answer["logs"].as_array().unwrap().clone()
}

#[test]
fn short_addresses_are_of_this_host_and_others_are_warned_of() {
    let said = |address: &str| {
        let output = tapline(&["--serve", address, "--duration", "100ms"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        said(&output)
    };
    for address in ["0", ":0", "localhost:0", "[::1]:0"] {
        let said = said(address);
        let host = if address.contains('[') {
            "[::1]"
        } else {
            "127.0.0.1"
        };
        assert!(
            said.contains(&format!("serves events at http://{host}:")),
            "{said}"
        );
        assert!(!said.contains("warning"), "{said}");
    }
    let said = said("0.0.0.0:0");
    assert!(said.contains("warning: whoever reaches 0.0.0.0:"), "{said}");
}

#[test]
fn pages_of_this_host_may_read_what_is_answered() {
    let server = Server::start(&[]);
    let allows = "access-control-allow-origin: ";
    for origin in [
        "http://localhost:3000",
        "https://127.0.0.1",
        "http://[::1]:8080",
    ] {
        let field = format!("Origin: {origin}");
        let (status, answer) = server.curl(&["-i", "-H", &field], "/api/status");
        assert_eq!(status, 200);
        assert!(
            answer.contains(&format!("{allows}{origin}\r\n")),
            "{answer}"
        );
        let before = [
            "-i",
            "-X",
            "OPTIONS",
            "-H",
            &field,
            "-H",
            "Access-Control-Request-Method: PUT",
        ];
        let (status, answer) = server.curl(&before, "/api/config/anomalies");
        assert_eq!(status, 204, "{answer}");
        assert!(
            answer.contains(&format!("{allows}{origin}\r\n")),
            "{answer}"
        );
        assert!(
            answer.contains("access-control-allow-methods: GET, POST, PUT"),
            "{answer}"
        );
        assert!(
            answer.contains("access-control-allow-headers: content-type"),
            "{answer}"
        );
    }
    for origin in [
        "https://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.x:80",
    ] {
        let field = format!("Origin: {origin}");
        for method in ["GET", "OPTIONS"] {
            let asked = [
                "-i",
                "-X",
                method,
                "-H",
                &field,
                "-H",
                "Access-Control-Request-Method: GET",
            ];
            let (status, answer) = server.curl(&asked, "/api/status");
            assert_eq!(status, 403, "{answer}");
            assert!(!answer.contains(allows), "{answer}");
        }
    }
    let (_, answer) = server.curl(&["-i"], "/api/status");
    assert!(!answer.contains(allows), "{answer}");
}

/// Opens a WebSocket, byte by byte, and gives what comes behind the head of the answer.
fn raw_socket(server: &Server) -> BufReader<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .write_all(
            b"GET /ws/logs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0);
    }
    reader
}

/// The content of the first Close frame, behind which nothing may come but the end.
fn close_frame(mut reader: BufReader<std::net::TcpStream>) -> Vec<u8> {
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head).unwrap();
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                reader.read_exact(&mut long).unwrap();
                u16::from_be_bytes(long).into()
            }
            127 => {
                let mut long = [0; 8];
                reader.read_exact(&mut long).unwrap();
                u64::from_be_bytes(long) as usize
            }
            short => usize::from(short),
        };
        let mut content = vec![0; length];
        reader.read_exact(&mut content).unwrap();
        if head[0] == 0x88 {
            return content;
        }
    }
}

#[test]
fn websockets_are_closed_as_they_should_be() {
    let server = Server::start(&[]);
    let mut reader = raw_socket(&server);
    // 1000, masked by zeroes.
    reader
        .get_mut()
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
        .unwrap();
    assert_eq!(close_frame(reader), [0x03, 0xe8], "it is echoed");
    let reader = raw_socket(&server);
    tell(&server.child, libc::SIGTERM);
    let content = close_frame(reader);
    assert_eq!(content[..2], 1001_u16.to_be_bytes(), "the server goes away");
}

#[test]
fn the_documented_requests_are_answered() {
    let server = Server::start(&[]);
    let root = server.get("/");
    assert_eq!(root["name"], "Synthetic Logs Generator API");
    for (name, path) in [
        ("generate", "/api/generate"),
        ("stream", "/api/stream"),
        ("websocket", "/ws/logs"),
        ("config", "/api/config"),
        ("status", "/api/status"),
    ] {
        assert_eq!(root["endpoints"][name], path);
    }
    assert_eq!(server.get("/health")["status"], "healthy");
    assert_eq!(server.get("/health")["generator_ready"], true);
    let status = server.get("/api/status");
    assert_eq!(status["logs_generated"], 0);
    assert_eq!(status["is_running"], false);
    assert_eq!(status["current_anomaly_active"], false);
    assert!(status["start_time"].is_string());
    let config = server.get("/api/config");
    assert_eq!(
        config["sources"]["database"]["services"],
        json!(["postgresql", "mongodb", "redis"])
    );
    assert_eq!(
        config["anomalies"]["types"]["latency_degradation"]["multiplier"],
        5.0
    );

    let made = server.post(
        "/api/generate",
        &json!({"count": 50, "anomaly_rate": 0.1, "include_labels": true, "format": "json"}),
    );
    assert_eq!(
        (made["count"].as_u64(), made["anomaly_count"].as_u64()),
        (Some(50), Some(5))
    );
    assert_eq!(logs(&made).len(), 50);
    assert_eq!(logs(&made).iter().filter(is_anomalous).count(), 5);
    let (status, body) = server.curl(&["-X", "POST"], "/api/generate");
    let made: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, made["count"].as_u64()),
        (200, Some(100)),
        "no body: the defaults"
    );
    let made = server.post(
        "/api/generate",
        &json!({"count": 3, "format": "text", "include_labels": false}),
    );
    assert!(
        logs(&made)
            .iter()
            .all(|line| line.as_str().unwrap().starts_with('[')),
        "{made}"
    );
    assert!(!made.to_string().contains("ANOMALY"));
    let most = server.post(
        "/api/generate",
        &json!({"count": 10_000, "anomaly_rate": 0.5}),
    );
    assert_eq!(logs(&most).iter().filter(is_anomalous).count(), 5000);

    let (status, one) = server.curl(&["-X", "POST"], "/api/generate/single?force_anomaly=true");
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!((status, &one["_labels"]["is_anomaly"]), (200, &json!(true)));
    let (_, one) = server.curl(&["-X", "POST"], "/api/generate/single?include_labels=false");
    assert!(
        serde_json::from_str::<Value>(&one)
            .unwrap()
            .get("_labels")
            .is_none()
    );

    let status = server.get("/api/status");
    assert_eq!(status["logs_generated"], 50 + 100 + 3 + 10_000 + 2);
    let (status, reset) = server.curl(&["-X", "POST"], "/api/reset");
    assert_eq!((status, reset.contains("Statistics reset")), (200, true));
    assert_eq!(server.get("/api/status")["logs_generated"], 0);

    let (status, page) = server.curl(&["-i"], "/docs");
    assert_eq!(status, 200);
    assert!(page.contains("text/html") && page.contains("openapi.json"));
    assert_eq!(server.get("/openapi.json")["openapi"], "3.1.0");
    let (status, _) = server.curl(&[], "/nothing");
    assert_eq!(status, 404);
    let (status, _) = server.curl(&[], "/api/generate");
    assert_eq!(status, 405);
}

#[test]
fn the_configuration_is_changed_for_what_comes() {
    let server = Server::start(&["--no-labels"]);
    let (status, answer) = server.send(
        "PUT",
        "/api/config/generator",
        &json!({"batch_size": 25, "interval": 0.5, "total_logs": 0}),
    );
    assert_eq!(status, 200);
    assert_eq!(answer["message"], "Generator configuration updated");
    assert_eq!(
        answer["config"],
        json!({"batch_size": 25, "interval": 0.5, "total_logs": 0})
    );
    let body = json!({"probability": 1.0, "error_spike_enabled": false, "latency_degradation_enabled": false,
        "security_threat_enabled": false, "resource_exhaustion_enabled": false, "service_outage_enabled": false});
    let (status, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(status, 200);
    assert_eq!(answer["message"], "Anomaly configuration updated");
    assert_eq!(answer["config"]["types"]["data_anomaly"]["enabled"], true);
    assert_eq!(answer["config"]["types"]["error_spike"]["enabled"], false);
    let made = server.post("/api/generate", &json!({"include_labels": true}));
    assert_eq!(made["count"], 25);
    assert_eq!(of_type(&logs(&made), "data_anomaly"), 25);
    assert!(
        server.post("/api/generate", &json!({"count": 1}))["logs"][0]
            .get("_labels")
            .is_none()
    );
    assert_eq!(server.get("/api/config")["generator"]["batch_size"], 25);
}

#[test]
fn anomalies_that_cannot_come_are_422() {
    let server = Server::start(&[]);
    let mut body = json!({"probability": 0.5});
    for family in ["error_spike", "latency_degradation", "security_threat"] {
        body[format!("{family}_enabled")] = json!(false);
    }
    for family in ["resource_exhaustion", "service_outage", "data_anomaly"] {
        body[format!("{family}_enabled")] = json!(false);
    }
    let (status, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["detail"][0]["loc"], json!(["body", "probability"]));
    body["probability"] = json!(0);
    let (status, answer) = server.send("PUT", "/api/config/anomalies", &body);
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = server.send("POST", "/api/generate", &json!({"anomaly_rate": 0.5}));
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["detail"][0]["loc"], json!(["body", "anomaly_rate"]));
    assert_eq!(
        server.post("/api/generate", &json!({"count": 3}))["anomaly_count"],
        0
    );
}

#[test]
fn what_is_wrong_is_422_with_the_field() {
    let server = Server::start(&[]);
    let check = |method: &str, path: &str, body: Value, field: &str| {
        let (status, answer) = server.send(method, path, &body);
        assert_eq!(status, 422, "{path} {body}: {answer}");
        assert_eq!(
            answer["detail"][0]["loc"],
            json!(["body", field]),
            "{answer}"
        );
    };
    check("POST", "/api/generate", json!({"count": 0}), "count");
    check("POST", "/api/generate", json!({"count": 10_001}), "count");
    check(
        "POST",
        "/api/generate",
        json!({"anomaly_rate": 1.5}),
        "anomaly_rate",
    );
    check("POST", "/api/generate", json!({"format": "xml"}), "format");
    check(
        "POST",
        "/api/generate",
        json!({"include_labels": "perhaps"}),
        "include_labels",
    );
    check(
        "POST",
        "/api/inject-anomaly",
        json!({"anomaly_type": "meteor"}),
        "anomaly_type",
    );
    check("POST", "/api/inject-anomaly", json!({}), "anomaly_type");
    check(
        "POST",
        "/api/inject-anomaly",
        json!({"anomaly_type": "error_spike", "duration_logs": 4}),
        "duration_logs",
    );
    check(
        "POST",
        "/api/inject-anomaly",
        json!({"anomaly_type": "error_spike", "duration_logs": 101}),
        "duration_logs",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"batch_size": 0}),
        "batch_size",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"interval": 61}),
        "interval",
    );
    check(
        "PUT",
        "/api/config/generator",
        json!({"total_logs": -1}),
        "total_logs",
    );
    check(
        "PUT",
        "/api/config/anomalies",
        json!({"probability": -0.1}),
        "probability",
    );
    check(
        "PUT",
        "/api/config/anomalies",
        json!({"error_spike_enabled": 3}),
        "error_spike_enabled",
    );
    for (path, field) in [
        ("/api/stream?batch_size=0", "batch_size"),
        ("/api/stream?batch_size=101", "batch_size"),
        ("/api/stream?interval=0.05", "interval"),
        ("/api/stream?anomaly_rate=2", "anomaly_rate"),
        ("/api/stream?max_batches=0", "max_batches"),
        ("/api/stream/ndjson?interval=0", "interval"),
        ("/api/stream/ndjson?include_labels=x", "include_labels"),
    ] {
        let (status, answer) = server.curl(&[], path);
        assert_eq!(status, 422, "{path}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            answer["detail"][0]["loc"],
            json!(["query", field]),
            "{answer}"
        );
    }
    let (status, _) = server.curl(&["-X", "POST", "-d", "{"], "/api/generate");
    assert_eq!(status, 415);
    let json = "Content-Type: application/json";
    let (status, _) = server.curl(&["-X", "POST", "-H", json, "-d", "{"], "/api/generate");
    assert_eq!(status, 422);
    // No page of another host, and no other name of this one.
    let (status, _) = server.curl(&["-H", "Origin: https://example.com"], "/api/status");
    assert_eq!(status, 403);
    let (status, _) = server.curl(&["-H", "Origin: http://localhost:3000"], "/api/status");
    assert_eq!(status, 200);
    let (status, _) = server.curl(&["-H", "Host: example.com"], "/api/status");
    assert_eq!(status, 421);
}

#[test]
fn what_is_injected_is_not_lost() {
    let server = Server::start(&[]);
    let inject = |family: &str, records: u32| {
        let body = json!({"anomaly_type": family, "duration_logs": records});
        let answer = server.post("/api/inject-anomaly", &body);
        assert_eq!(
            answer,
            json!({"message": format!("Anomaly '{family}' injected"), "duration_logs": records})
        );
    };
    let generate = |count: u32| {
        logs(&server.post("/api/generate", &json!({"count": count, "anomaly_rate": 0})))
    };
    inject("service_outage", 10);
    assert_eq!(server.get("/api/status")["current_anomaly_active"], true);
    assert_eq!(of_type(&generate(10), "service_outage"), 5);
    assert_eq!(of_type(&generate(30), "service_outage"), 5);
    assert_eq!(of_type(&generate(30), "service_outage"), 0);
    // Nobody was there: the stream that comes next sees it, and so does who generates.
    inject("security_threat", 5);
    let event = server.stream("/api/stream?anomaly_rate=0&batch_size=40&interval=0.1", 1);
    let event: Value = serde_json::from_str(event[0].strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(of_type(&logs(&event), "security_threat"), 5);
    assert_eq!(of_type(&generate(30), "security_threat"), 5);
    // One that is open sees it too.
    let path = "/api/stream/ndjson?anomaly_rate=0&batch_size=10&interval=0.05";
    let mut curl = Command::new("curl")
        .args(["-s", "-N", "--max-time", "30"])
        .arg(format!("http://{}{path}", server.address))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(curl.stdout.take().unwrap()).lines();
    reader.next().unwrap().unwrap();
    assert_eq!(server.get("/api/status")["is_running"], true);
    inject("data_anomaly", 20);
    let seen = reader
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .filter(|line| line["_labels"]["anomaly_type"] == "data_anomaly")
        .take(20)
        .count();
    assert_eq!(seen, 20);
    curl.kill().unwrap();
    curl.wait().unwrap();
}

#[test]
fn streams_are_read_by_curl_and_are_their_own() {
    let server = Server::start(&[]);
    let path =
        "/api/stream?batch_size=5&interval=0.1&anomaly_rate=1&max_batches=3&include_labels=true";
    let (status, text) = server.curl(&["-N", "-i"], path);
    assert_eq!(status, 200);
    let head = text.split("\r\n\r\n").next().unwrap().to_lowercase();
    for field in [
        "content-type: text/event-stream",
        "cache-control: no-cache",
        "x-accel-buffering: no",
    ] {
        assert!(head.contains(field), "{head}");
    }
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3, "it ends by itself");
    for (number, event) in (1..).zip(&events) {
        assert_eq!(event["batch"], number);
        assert_eq!(event["count"], 5);
        assert_eq!(event["anomaly_count"], 5);
        assert_eq!(logs(event).iter().filter(is_anomalous).count(), 5);
    }
    let text = server.stream("/api/stream/ndjson?interval=0.01&anomaly_rate=0", 50);
    assert_eq!(
        lines(text.join("\n").as_bytes())
            .iter()
            .filter(is_anomalous)
            .count(),
        0
    );
    // What one stream asks for changes nothing for others.
    assert_eq!(server.get("/api/config")["anomalies"]["probability"], 0.05);
    let made = server.post("/api/generate", &json!({"count": 1000}));
    assert_eq!(made["anomaly_count"], 50);
    let status = server.get("/api/status");
    assert!(
        status["logs_generated"].as_u64().unwrap() >= 15 + 50 + 1000,
        "every channel counts"
    );
}

#[test]
fn a_websocket_client_of_another_library_does_both_actions() {
    let server = Server::start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut socket, _) = ClientBuilder::new().uri(&server.socket()).unwrap().connect().await.unwrap();
        let next = async |socket: &mut tokio_websockets::WebSocketStream<_>, wanted: &str| -> Value {
            loop {
                let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await.unwrap().unwrap().unwrap();
                let Some(text) = message.as_text() else { continue };
                let value: Value = serde_json::from_str(text).unwrap();
                if value["type"] == wanted {
                    return value;
                }
                assert_eq!(value["type"], "logs", "{value}");
            }
        };
        let first = next(&mut socket, "logs").await;
        assert_eq!((first["count"].as_u64(), logs(&first).len()), (Some(10), 10));
        let configure = json!({"action": "configure", "config": {"batch_size": 20, "interval": 0.1, "anomaly_rate": 0, "include_labels": true}});
        socket.send(Message::text(configure.to_string())).await.unwrap();
        let updated = next(&mut socket, "config_updated").await;
        assert_eq!(updated["config"], json!({"batch_size": 20, "interval": 0.1, "anomaly_rate": 0.0, "include_labels": true}));
        let begun = Instant::now();
        for _ in 0..10 {
            let batch = next(&mut socket, "logs").await;
            assert_eq!(batch["count"], 20);
            assert_eq!(batch["anomaly_count"], 0, "the rate takes effect");
        }
        assert!((0.5..3.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
        let inject = json!({"action": "inject_anomaly", "anomaly_type": "resource_exhaustion"});
        socket.send(Message::text(inject.to_string())).await.unwrap();
        let injected = next(&mut socket, "anomaly_injected").await;
        assert_eq!(injected, json!({"type": "anomaly_injected", "anomaly_type": "resource_exhaustion"}));
        let mut seen = 0;
        for _ in 0..3 {
            let batch = next(&mut socket, "logs").await;
            let of_batch = of_type(&logs(&batch), "resource_exhaustion");
            assert_eq!(batch["anomaly_count"].as_u64(), Some(of_batch as u64));
            seen += of_batch;
        }
        assert_eq!(seen, 20);
        // What is wrong is told, and the connection goes on.
        for (message, field) in [
            ("{", ""),
            ("[]", ""),
            ("{}", "action"),
            ("{\"action\":\"dance\"}", ""),
            ("{\"action\":\"inject_anomaly\",\"anomaly_type\":\"meteor\"}", "anomaly_type"),
            ("{\"action\":\"inject_anomaly\"}", "anomaly_type"),
            ("{\"action\":\"configure\",\"config\":{\"interval\":0.01}}", "interval"),
            ("{\"action\":\"configure\",\"config\":{\"batch_size\":1001}}", "batch_size"),
        ] {
            socket.send(Message::text(message.to_owned())).await.unwrap();
            let error = next(&mut socket, "error").await;
            assert!(error["detail"].to_string().contains(field), "{error}");
        }
        next(&mut socket, "logs").await;
        // One client's wishes are its own.
        let (mut other, _) = ClientBuilder::new().uri(&server.socket()).unwrap().connect().await.unwrap();
        assert_eq!(next(&mut other, "logs").await["count"], 10);
        // A message does not put off the next batch.
        let begun = Instant::now();
        let chatter = async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(150)).await;
                other.send(Message::text("{\"action\":\"dance\"}".to_owned())).await.unwrap();
            }
            let mut batches = 0;
            while begun.elapsed() < Duration::from_secs(2) {
                let message = tokio::time::timeout(Duration::from_millis(300), other.next()).await;
                if let Ok(Some(Ok(message))) = message
                    && message.as_text().is_some_and(|text| text.starts_with("{\"type\":\"logs\""))
                {
                    batches += 1;
                }
            }
            batches
        };
        assert!(chatter.await >= 1);
    });
}

#[test]
fn a_signal_ends_the_server_and_its_streams() {
    let mut server = Server::start(&[]);
    let mut curl = Command::new("curl")
        .args(["-s", "-N", "--max-time", "30"])
        .arg(format!(
            "http://{}/api/stream/ndjson?interval=60",
            server.address
        ))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(curl.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let begun = Instant::now();
    tell(&server.child, libc::SIGTERM);
    let status = server.child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        curl.wait().unwrap().code(),
        Some(0),
        "the stream ends as it should"
    );
    let mut said = String::new();
    server
        .child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(said.contains("1 records served"), "{said}");
}

#[test]
fn what_is_no_http_harms_nobody() {
    let server = Server::start(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET /ws/logs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = [0; 100];
        drop(stream.read(&mut answer));
    }
    let huge = "x".repeat(70_000);
    let json = "Content-Type: application/json";
    let (status, _) = server.curl(&["-X", "POST", "-H", json, "-d", &huge], "/api/generate");
    assert_eq!(status, 413);
    assert_eq!(server.get("/health")["status"], "healthy");
}
