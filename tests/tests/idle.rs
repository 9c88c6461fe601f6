//! What the program costs while nothing happens.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tapline_tests::support::{Connection, Nginx, Pair, Tapline};

/// How often the threads of a process went to sleep of their own will, that is: woke up.
fn wake_ups(id: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    tasks
        .map(|task| {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            number(&status, "voluntary_ctxt_switches:")
        })
        .sum()
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_idle_interface_wakes_it_rarely_and_it_is_small() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let mut tapline = Tapline::start(&pair.server, "-i server0 --ring 16MiB");
    let id = tapline.process().id();
    // Some work first: memory that only an untouched program has does not count.
    let mut connection = Connection::open(&pair.client, SocketAddr::from(([10, 9, 0, 1], 80)));
    for number in 0..3_000 {
        connection.write(format!("GET /small?{number} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let _answer = connection.answer();
    }
    let heads = tapline.wait_for_heads(6_000);
    assert_eq!(heads.len(), 6_000);
    let memory = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
    let pss = number(&memory, "Pss:");
    assert!(pss <= 40 * 1024, "Pss {pss} KiB");

    let (start, before) = (Instant::now(), wake_ups(id));
    std::thread::sleep(Duration::from_secs(5));
    let (seconds, count) = (start.elapsed().as_secs_f64(), wake_ups(id) - before);
    assert!(
        count as f64 <= 10.0 * seconds,
        "{count} wake-ups in {seconds:.1} s"
    );
    // It sleeps, and is not dead: the next head comes at once.
    connection.write("GET /small?awake HTTP/1.1\r\nHost: h\r\n\r\n");
    let _answer = connection.answer();
    let heads = tapline.wait_for_heads(6_002);
    assert_eq!(heads[6_000].summary(), "CQ GET /small?awake");
    let _ended = tapline.stop();
}
