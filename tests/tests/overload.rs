//! More frames than the agent can take, millions a second for some seconds: it lives, its memory stays
//! bounded, whoever else uses the cable is answered, and every frame and every record is accounted for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tapline_tests::support::{Connection, Nginx, Pair, Program, Tapline, curl, within_seconds};

/// How long frames come.
const SECONDS: u64 = 4;

/// The most memory that the agent may have had, in KiB: its tables, its queues and what its store keeps of the
/// day in memory. What comes in these seconds is several times as much.
const MEMORY_KIB: u64 = 256 << 10;

/// The longest that somebody beside the flood waits for an answer: a cable that is full drops frames of
/// everybody, and TCP sends them again after a while.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// So many frames at least, in [`SECONDS`].
const A_FLOOD: u64 = 500_000;

/// Packets of the host itself (neighbours, IPv6) that come while counters are read.
const CHATTER: u64 = 50;

#[test]
fn more_frames_than_it_can_take_are_accounted_for_to_the_last() {
    for hook in ["xdp", "tc"] {
        overload(hook);
    }
}

fn overload(hook: &str) {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    // So that the far end takes frames of XDP, whatever is attached to it.
    pair.server
        .run("ethtool", &["-K", Pair::SERVER_INTERFACE, "gro", "on"]);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let mut tapline = Tapline::start_with(
        &pair.server,
        &format!("-i server0 --attach {hook} --ring 64KiB --local 198.19.0.0/16 --data-dir {data}"),
        &[("TAPLINE_STORE_ENABLED", "true")],
    );
    let delivered_before = delivered(&pair);
    let over = AtomicBool::new(false);
    let (sent, beside) = thread::scope(|scope| {
        let beside = scope.spawn(|| ask_until(&pair, &over));
        // Also when the flood fails: the scope waits for whoever asks.
        let flood = scope.spawn(|| flood(&pair)).join();
        over.store(true, Ordering::Relaxed);
        (flood.unwrap(), beside.join().unwrap())
    });
    let delivered = delivered(&pair) - delivered_before;
    assert!(tapline.process().runs(), "{}", tapline.process().stderr());

    // Those beside it were answered all the time.
    assert!(beside.answers >= 20, "{hook}: {beside:?}");
    assert!(beside.longest < ANSWERED_WITHIN, "{hook}: {beside:?}");

    // Once it has caught up, it misses nothing.
    let ledger = within_seconds(60, "the agent to catch up", || {
        let (one, other) = (ledger(&pair), {
            thread::sleep(Duration::from_millis(200));
            ledger(&pair)
        });
        let is_still = one["records"] == other["records"] && one["lines"] == other["lines"];
        is_still.then_some(other)
    });
    for (name, identity) in ledger["identities"].as_object().unwrap() {
        assert_eq!(identity["holds"], true, "{hook}, {name}: {ledger:#}");
    }
    curl(&pair.client, &["http://10.9.0.1/small?afterwards"]);
    let lines = tapline.folder().display().to_string();
    within_seconds(30, "the request afterwards", || {
        let done = Program::new({
            let mut command = std::process::Command::new("grep");
            command.args(["-rqF", "/small?afterwards", &lines]);
            command
        })
        .output();
        (done.code == Some(0)).then_some(())
    });

    let memory = memory_kib(tapline.process().id());
    let ended = tapline.stop_unread();
    let incoming = ended.sum("packets_by/incoming", None);
    let summary = format!(
        "{hook}: {sent} sent, {delivered} delivered, {incoming} seen, {} of {} records lost, {memory} KiB, {beside:?}",
        ended.count("records/lost/ring"),
        ended.count("records/numbered")
    );
    assert!(memory < MEMORY_KIB, "{summary}");
    // It was too much, and yet whatever the cable brought was seen and counted. What its end has no room
    // for, the kernel drops before anybody sees it.
    assert!(ended.count("records/lost/ring") > 0, "{summary}");
    assert!(delivered > A_FLOOD, "{summary}");
    assert!(incoming.abs_diff(delivered) <= CHATTER, "{summary}");
}

/// Sends frames for some seconds, as many as go. Gives how many.
fn flood(pair: &Pair) -> u64 {
    let mut command = Tapline::command(&pair.client, "gen");
    command.args(["packets", "--quiet", "--json", "--xdp"]);
    command.args(["--interface", Pair::CLIENT_INTERFACE]);
    command.args(["--duration", &format!("{SECONDS}s")]);
    let done = Program::new(command).output();
    let account: Value = serde_json::from_str(&done.stdout).unwrap();
    // A cable that is full takes no more: that is said, and is no failure here.
    let code = i32::from(account["unsent"] != 0);
    assert_eq!(done.code, Some(code), "{}", done.stderr);
    account["records"].as_u64().unwrap()
}

/// What somebody beside the flood saw.
#[derive(Debug)]
struct Beside {
    answers: u32,
    longest: Duration,
}

/// Asks on one connection, a request after the other.
fn ask_until(pair: &Pair, over: &AtomicBool) -> Beside {
    let mut connection = Connection::open(&pair.client, SocketAddr::from(([10, 9, 0, 1], 80)));
    let mut beside = Beside {
        answers: 0,
        longest: Duration::ZERO,
    };
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        connection.write("GET /small?beside HTTP/1.1\r\nHost: beside\r\n\r\n");
        assert_eq!(connection.answer().body, b"small\n");
        beside.answers += 1;
        beside.longest = beside.longest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    beside
}

/// Packets that the server's interface took off the cable, as the kernel counts them.
fn delivered(pair: &Pair) -> u64 {
    let text = pair.server.ip("-json -stats link show server0");
    let links: Value = serde_json::from_str(&text).unwrap();
    links[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
}

fn ledger(pair: &Pair) -> Value {
    let text = curl(&pair.server, &["http://127.0.0.1:8000/api/ledger"]).stdout;
    serde_json::from_str(&text).unwrap()
}

/// The most memory that a process had so far.
fn memory_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let text = line.unwrap().trim().trim_end_matches(" kB");
    text.parse().unwrap()
}
