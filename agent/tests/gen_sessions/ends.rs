//! How a run ends: by signals, with its time, with its reader.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::back_end::{nobody, slow};
use crate::program::Running;
use crate::{account, generator, output};

#[test]
fn a_signal_ends_the_patience_with_an_api_that_is_not_there() {
    let line = format!("-n 1000 --retry 1h --api-url http://{}/api", nobody());
    let mut child = Running::start(&mut generator(&line));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("[1] ")));
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    child.signal("INT");
    assert!(lines.any(|line| line.starts_with("[DONE] 0/")));
    assert_eq!(child.0.wait().unwrap().code(), Some(4));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn batches_go_on_when_the_api_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let address = nobody();
    let line = format!("-d -n 2 -i 0.1 --retry 0 --api-url http://{address}/api");
    let mut child = Running::start(&mut generator(&line));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("[OK] 0/2 sent ")));
    let back_end = Command::new(env!("CARGO_BIN_EXE_tapline"))
        .args(["serve", "--listen", &address.to_string(), "--data-dir"])
        .arg(folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _back_end = Running(back_end.unwrap());
    assert!(lines.any(|line| line.starts_with("[OK] 2/2 sent ")));
    child.signal("TERM");
    assert!(lines.any(|line| line.starts_with("[STOP] Generated: ")));
    // Part of the records was not delivered.
    assert_eq!(child.0.wait().unwrap().code(), Some(4));
}

#[test]
fn a_signal_ends_a_run_with_its_account() {
    for name in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let line = format!("-n 0 --rate 5000 --output {} --json", path.display());
        let mut child = Running::start(&mut generator(&line));
        let begun = Instant::now();
        while fs::metadata(&path).map_or(0, |data| data.len()) < 20_000 {
            assert!(begun.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        child.signal(name);
        let mut stdout = String::new();
        child
            .0
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        let account = account(&stdout);
        assert!(matches!(child.0.wait().unwrap().code(), Some(0 | 6)));
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(account["records"], written.lines().count());
        assert_eq!(account["bytes"], written.len());
        for line in written.lines() {
            assert!(
                serde_json::from_str::<Value>(line).unwrap()["cpu_id"].is_u64(),
                "{line}"
            );
        }
    }
}

#[test]
fn a_signal_ends_a_run_to_a_slow_api_with_the_requests_under_way() {
    for (flags, ends) in [
        ("-n 5000", "[DONE] "),
        ("-n 5000 --connections 3", "[DONE] "),
        ("-n 500000 --batch 5", "[DONE] "),
        ("-d -n 1000 -i 0", "[STOP] Generated: "),
    ] {
        let (url, bodies) = slow();
        let mut child = Running::start(&mut generator(&format!("{flags} --api-url {url}")));
        let mut stdout = child.0.stdout.take().unwrap();
        let shown = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let limit = Instant::now() + Duration::from_secs(60);
        while bodies.lock().unwrap().len() < 5 {
            assert!(Instant::now() < limit);
            thread::sleep(Duration::from_millis(10));
        }
        let begun = Instant::now();
        child.signal("TERM");
        let shown = shown.join().unwrap();
        assert_eq!(child.0.wait().unwrap().code(), Some(0), "{shown}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{flags}");
        let mut stderr = String::new();
        let mut pipe = child.0.stderr.take().unwrap();
        pipe.read_to_string(&mut stderr).unwrap();
        let number_before = |what: &str| -> u64 {
            let (front, _) = stderr.split_once(what).unwrap();
            front.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let (made, unsent) = (number_before(" records,"), number_before(" not sent"));
        let sent: usize = bodies
            .lock()
            .unwrap()
            .iter()
            .map(|body| {
                let body: Value = serde_json::from_str(body).unwrap();
                body.as_array().map_or(1, Vec::len)
            })
            .sum();
        assert!(unsent > 0 && made < 5000, "{stderr}");
        assert_eq!(made, sent as u64 + unsent, "{stderr}");
        let last = shown.lines().last().unwrap();
        let expected = match ends {
            "[DONE] " => format!("[DONE] {sent}/{made} logs sent successfully"),
            _ => format!("[STOP] Generated: {made}, Sent: {sent}"),
        };
        assert_eq!(last, expected);
    }
}

#[test]
fn a_run_that_cannot_keep_its_rate_ends_with_its_time() {
    let begun = Instant::now();
    let (url, bodies) = slow();
    let line = format!("--rate 1000 --duration 1 --json --api-url {url}");
    let (code, stdout, stderr) = output(&mut generator(&line));
    assert_eq!(code, 6, "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let account = account(&stdout);
    assert_eq!(account["rate_met"], false);
    assert_eq!(account["unsent"], 0, "what was handed over is sent");
    assert_eq!(account["records"], bodies.lock().unwrap().len());
    assert!(account["records"].as_u64().unwrap() < 200, "{account}");
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = generator("-n 0 --output - --seed 1");
    let child = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(command);
    let child = Running(child);
    let mut first = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"protocol\":"), "{first}");
    drop(reader);
    let mut child = child;
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let mut stderr = String::new();
    child
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
