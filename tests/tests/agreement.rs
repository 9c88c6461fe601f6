//! `tapline run` and `tapline read` give the same heads of the same traffic, whatever offloads do to
//! its packets; and the times of the lines are those of the packets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;

use tapline_tests::support::{
    Family, Head, Nginx, Pair, Process, Program, Tapline, Traffic, counted, heads_of, leave_out,
    within,
};

/// What `tapline read` makes of a capture.
fn read(pair: &Pair, path: &Path) -> Vec<Head> {
    let mut command = Tapline::command(&pair.server, "read");
    command
        .args([
            "--format", "json", "--local", "10.9.0.1", "--local", "fd09::1",
        ])
        .arg(path);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    heads_of(&done.stdout)
}

fn tcpdump(pair: &Pair, path: &Path) -> Process {
    let mut command = pair.server.command("tcpdump");
    command
        .args([
            "-i", "server0", "-s", "0", "-B", "16384", "-U", "-Z", "root", "-w",
        ])
        .arg(path);
    let mut process = Program::new(command).start();
    process.wait_for_stderr("listening on");
    process
}

/// Stops tcpdump when it has written all that it has.
fn stop(process: Process) {
    process.signal(libc::SIGINT);
    let done = process.end_within(20);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr.contains("\n0 packets dropped by kernel"),
        "{}",
        done.stderr
    );
}

fn lines(heads: &[Head]) -> Vec<String> {
    heads
        .iter()
        .map(|head| head.without_time().to_string())
        .collect()
}

/// Nanoseconds since the epoch; within a day is enough for a difference.
fn time(head: &Head) -> i128 {
    let text = head.text("ts");
    let (_, clock) = text.trim_end_matches('Z').split_once('T').unwrap();
    let mut parts = clock
        .split([':', '.'])
        .map(|part| part.parse::<i128>().unwrap());
    let mut next = || parts.next().unwrap();
    ((next() * 60 + next()) * 60 + next()) * 1_000_000_000 + next()
}

#[test]
fn run_and_read_agree_with_and_without_offloads() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        leave_out(
            "run_and_read_agree_with_and_without_offloads",
            "there is no tcpdump",
        );
        return;
    }
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for offloads in ["on", "off"] {
        for (namespace, interface) in [(&pair.server, "server0"), (&pair.client, "client0")] {
            let features = ["tso", "gso", "gro"].map(|feature| [feature, offloads]);
            let mut arguments = vec!["-K", interface];
            arguments.extend(features.as_flattened());
            namespace.run("ethtool", &arguments);
        }
        for (flags, family) in [
            ("--attach tc", Family::Four),
            ("--attach tc", Family::Six),
            ("--attach socket", Family::Four),
            ("--attach xdp", Family::Six),
        ] {
            let what = format!("{flags}, {family:?}, offloads {offloads}");
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("traffic.pcap");
            let recorder = tcpdump(&pair, &path);
            let tapline = Tapline::start(&pair.server, &format!("-i server0 {flags}"));
            Traffic::send(&pair, family);
            let ended = tapline.stop();
            // tcpdump takes packets out of its buffer in blocks.
            let read = within("the last head in the capture", || {
                let heads = read(&pair, &path);
                (heads.len() >= Traffic::expected('C').len()).then_some(heads)
            });
            stop(recorder);
            assert_eq!(
                counted(lines(&read)),
                counted(lines(&ended.heads)),
                "{what}"
            );
            assert_eq!(
                counted(ended.summaries()),
                counted(Traffic::expected('C')),
                "{what}"
            );
            same_times(&ended.heads, &read, &what);
        }
    }
}

/// Half of the requests (each has a target of its own) have the time of their packet to the
/// millisecond, and all to 50: the machine may stop for a moment between two looks at the clock.
fn same_times(run: &[Head], read: &[Head], what: &str) {
    let mut differences: Vec<i128> = run
        .iter()
        .filter(|head| head.is_request())
        .map(|head| {
            let same = |other: &&Head| {
                other.text("target") == head.text("target")
                    && other.text("method") == head.text("method")
            };
            (time(head) - time(read.iter().find(same).unwrap())).abs()
        })
        .collect();
    differences.sort_unstable();
    assert!(
        differences[differences.len() / 2] < 1_000_000,
        "{what}: {differences:?}"
    );
    assert!(
        differences[differences.len() - 1] < 50_000_000,
        "{what}: {differences:?}"
    );
}
