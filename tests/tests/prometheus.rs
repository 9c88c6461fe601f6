//! A real Prometheus asks for the metrics, and its own tool checks what is asked and shipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tapline_tests::support::{
    Namespace, Nginx, Pair, Process, Program, Tapline, curl, leave_out, run, within_seconds,
};

fn is_installed(test: &str) -> bool {
    let there = |name: &str| {
        let asked = Command::new(name).arg("--version").output();
        asked.is_ok_and(|output| output.status.success())
    };
    let both = there("prometheus") && there("promtool");
    if !both {
        leave_out(test, "prometheus and promtool are not installed");
    }
    both
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../config")
        .join(name)
}

/// The shipped configuration, with another address to ask and the shipped rules; asks every second.
fn configuration(folder: &Path, target: &str) -> PathBuf {
    let text = fs::read_to_string(shipped("prometheus.yml")).unwrap();
    assert!(text.contains("127.0.0.1:8000") && text.contains("scrape_interval: 15s"));
    let rules = shipped("alerts.yml").canonicalize().unwrap();
    let text = text
        .replace("127.0.0.1:8000", target)
        .replace("scrape_interval: 15s", "scrape_interval: 1s");
    let path = folder.join("prometheus.yml");
    let text = format!("{text}\nrule_files: [\"{}\"]\n", rules.display());
    fs::write(&path, text).unwrap();
    path
}

/// Prometheus in a namespace, on its usual port there.
fn prometheus(namespace: &Namespace, folder: &Path, target: &str) -> Process {
    let configuration = configuration(folder, target);
    let mut command = namespace.command("prometheus");
    command
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.join("data").display()
        ))
        .arg("--web.listen-address=127.0.0.1:9090");
    Program::new(command).start()
}

/// The values of a query, once there is one.
fn asked(namespace: &Namespace, query: &str) -> Vec<f64> {
    within_seconds(60, query, || {
        let mut command = namespace.command("curl");
        command.args(["--disable", "--silent", "--get", "--data-urlencode"]);
        command.arg(format!("query={query}"));
        command.arg("http://127.0.0.1:9090/api/v1/query");
        let answer: Value = serde_json::from_str(&Program::new(command).output().stdout).ok()?;
        let results = answer["data"]["result"].as_array()?;
        let values: Vec<f64> = results
            .iter()
            .filter_map(|result| result["value"][1].as_str()?.parse().ok())
            .collect();
        (!values.is_empty()).then_some(values)
    })
}

#[test]
fn prometheus_scrapes_a_capture_and_knows_its_heads() {
    let test = "prometheus_scrapes_a_capture_and_knows_its_heads";
    if !is_installed(test) {
        return;
    }
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let data = tempfile::tempdir().unwrap();
    let flags = format!(
        "-i server0 --listen 127.0.0.1:8000 --store --data-dir {}",
        data.path().display()
    );
    let tapline = Tapline::start(&pair.server, &flags);
    curl(
        &pair.client,
        &["http://10.9.0.1/small", "http://10.9.0.1/nothing"],
    );
    let _heads = tapline.wait_for_heads(4);
    let folder = tempfile::tempdir().unwrap();
    let _prometheus = prometheus(&pair.server, folder.path(), "127.0.0.1:8000");
    assert_eq!(asked(&pair.server, "up{job=\"tapline\"} == 1"), [1.0]);
    let heads = asked(&pair.server, "sum by (kind) (tapline_heads_total) > 0");
    assert_eq!(heads, [2.0, 2.0]);
    let exchanges = "http_server_request_duration_seconds_count";
    assert_eq!(asked(&pair.server, exchanges), [1.0, 1.0]);
    let memory = asked(&pair.server, "process_proportional_memory_bytes");
    assert!(memory[0] > 1e6, "{memory:?}");
    let nothing_lost = "sum(tapline_lost_total)";
    assert_eq!(asked(&pair.server, nothing_lost), [0.0]);
    // What it takes is what promtool finds in order.
    let text = curl(&pair.server, &["http://127.0.0.1:8000/metrics"]).stdout;
    check_metrics(&text);
    let _ended = tapline.stop();
}

#[test]
fn the_shipped_files_are_in_order() {
    if !is_installed("the_shipped_files_are_in_order") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = configuration(folder.path(), "127.0.0.1:8000");
    run(
        "promtool",
        &["check", "config", &configuration.display().to_string()],
    );
    for (what, name) in [("config", "prometheus.yml"), ("rules", "alerts.yml")] {
        let path = shipped(name).display().to_string();
        run("promtool", &["check", what, &path]);
    }
}

/// `promtool check metrics` finds nothing in these.
fn check_metrics(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    fs::write(&path, text).unwrap();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    command.stdin(fs::File::open(&path).unwrap());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_run_time_of_programs_is_measured_where_that_is_asked_for() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let flags = "-i server0 --listen 127.0.0.1:8000";
    let metrics = |name: &str| -> Vec<f64> {
        let text = curl(&pair.server, &["http://127.0.0.1:8000/metrics"]).stdout;
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
            .collect()
    };
    let name = "tapline_program_run_seconds_total{";
    let tapline = Tapline::start(&pair.server, flags);
    curl(&pair.client, &["http://10.9.0.1/small"]);
    assert!(metrics(name).is_empty());
    let _ended = tapline.stop();
    let asked = [("TAPLINE_METRICS_PROGRAM_TIME", "true")];
    let tapline = Tapline::start_with(&pair.server, flags, &asked);
    let seconds = within_seconds(20, "a measurement", || {
        curl(&pair.client, &["http://10.9.0.1/small"]);
        let seconds = metrics(name);
        seconds
            .iter()
            .any(|seconds| *seconds > 0.0)
            .then_some(seconds)
    });
    assert!(seconds.iter().all(|seconds| *seconds < 1.0), "{seconds:?}");
    // Without the capability it says so once, and goes on.
    let _ended = tapline.stop();
    let mut command = pair.server.command("setpriv");
    command
        .env_remove("TAPLINE_BIN")
        .env_remove("TAPLINE_LEFT_OUT");
    command.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]);
    command.arg(tapline_tests::support::program());
    command.args([
        "run",
        "-i",
        "server0",
        "--listen",
        "off",
        "--duration",
        "5s",
        "--no-store",
    ]);
    command.args(["--log-dir", "-"]);
    command.env("TAPLINE_METRICS_PROGRAM_TIME", "true");
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let said = done.stderr.matches("CAP_SYS_ADMIN").count();
    assert_eq!(said, 1, "{}", done.stderr);
}
