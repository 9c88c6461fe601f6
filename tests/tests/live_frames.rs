//! `tapline gen packets --xdp` says what left the interface, not what its program made.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tapline_tests::support::{Namespace, Program, Tapline, within_seconds};

/// Packets of the host itself (neighbours, IPv6) that come while counters are read.
const CHATTER: u64 = 50;

/// Two hosts and a cable between `near0` and `far0`, of which the near end takes frames of XDP.
fn cable() -> (Namespace, Namespace) {
    let (near, far) = (Namespace::new(), Namespace::new());
    near.join("near0", &far, "far0");
    near.run("ethtool", &["-K", "near0", "gro", "on"]);
    (near, far)
}

fn gen_packets(far: &Namespace, flags: &str) -> Program {
    let mut command = Tapline::command(far, "gen");
    command.args(["packets", "--interface", "far0", "--xdp", "--seed", "1"]);
    command.args(flags.split_whitespace());
    Program::new(command)
}

/// Packets that the far interface sent, as the kernel counts them.
fn sent(far: &Namespace) -> u64 {
    let text = far.ip("-json -stats link show far0");
    let links: Value = serde_json::from_str(&text).unwrap();
    links[0]["stats64"]["tx"]["packets"].as_u64().unwrap()
}

/// Waits until a run is well under way.
fn under_way(far: &Namespace) {
    within_seconds(20, "frames to leave", || (sent(far) > 50_000).then_some(()));
}

/// The numbers in front of these words of the summary.
fn said(stderr: &str, word: &str) -> u64 {
    let at = stderr
        .find(word)
        .unwrap_or_else(|| panic!("{word}: {stderr}"));
    let number = stderr[..at].trim_end().rsplit(' ').next().unwrap();
    number
        .parse()
        .unwrap_or_else(|_| panic!("{word}: {stderr}"))
}

#[test]
fn all_that_is_counted_left() {
    let (_near, far) = cable();
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth").display().to_string();
    let done = gen_packets(&far, &format!("-q --json -n 80000 --truth {truth}")).output();
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""));
    let account: Value = serde_json::from_str(&done.stdout).unwrap();
    let records = account["records"].as_u64().unwrap();
    assert!(records >= 80_000, "{account:#}");
    assert_eq!(account["unsent"], 0, "{account:#}");
    assert!(sent(&far).abs_diff(records) <= CHATTER, "{account:#}");
    let told = fs::read_to_string(&truth).unwrap();
    assert!(!told.contains("lossy"));
}

#[test]
fn frames_that_do_not_leave_are_unsent() {
    let (near, far) = cable();
    let running = gen_packets(&far, "-q --json --duration 3s").start();
    under_way(&far);
    near.run("ethtool", &["-K", "near0", "gro", "off"]);
    thread::sleep(Duration::from_millis(500));
    near.run("ethtool", &["-K", "near0", "gro", "on"]);
    let done = running.end_within(40);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let account: Value = serde_json::from_str(&done.stdout).unwrap();
    let number = |name: &str| account[name].as_u64().unwrap();
    assert!(number("unsent") > 1000, "{account:#}");
    assert!(
        sent(&far).abs_diff(number("records")) <= CHATTER,
        "{account:#}"
    );
    assert!(
        done.stderr.contains("or more did not leave far0"),
        "{}",
        done.stderr
    );
}

#[test]
fn an_interface_that_takes_no_more_ends_the_run() {
    let (near, far) = cable();
    let running = gen_packets(&far, "-q --duration 60s").start();
    under_way(&far);
    near.run("ethtool", &["-K", "near0", "gro", "off"]);
    let done = running.end_within(40);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    let error = "far0 takes no frames by XDP any more";
    assert!(done.stderr.contains(error), "{}", done.stderr);
    let frames = said(&done.stderr, "frames,");
    assert!(sent(&far).abs_diff(frames) <= CHATTER, "{}", done.stderr);
}

#[test]
fn an_interface_that_goes_down_ends_the_run() {
    let (near, far) = cable();
    let running = gen_packets(&far, "-q --duration 60s").start();
    under_way(&far);
    near.ip("link set near0 down");
    let done = running.end_within(40);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(
        done.stderr.contains("far0 went down, or"),
        "{}",
        done.stderr
    );
    let frames = said(&done.stderr, "frames,");
    assert!(sent(&far).abs_diff(frames) <= CHATTER, "{}", done.stderr);
}

#[test]
fn an_interface_that_is_gone_ends_the_run() {
    let (_near, far) = cable();
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth").display().to_string();
    let running = gen_packets(&far, &format!("-q --duration 60s --truth {truth}")).start();
    under_way(&far);
    let left = sent(&far);
    far.ip("link delete far0");
    let done = running.end_within(40);
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("far0 is gone"), "{}", done.stderr);
    // What was in flight when it went nobody counted.
    let told = fs::read_to_string(&truth).unwrap();
    let sessions = told.matches("\"what\":\"session\"").count() as u64;
    let frames = said(&done.stderr, "frames,");
    assert!(frames <= left + CHATTER || sessions > 0, "{}", done.stderr);
    assert!(sessions * 8 <= frames, "{sessions}, {}", done.stderr);
}
