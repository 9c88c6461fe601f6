//! The account is exact, also when the ring is far too small; and however the program ends, nothing
//! of it stays on an interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Barrier;
use std::time::Duration;

use tapline_tests::support::{
    Connection, Nginx, Pair, Program, Tapline, classifiers, counted, curl, has_tcx, heads_of,
    within,
};

const CONNECTIONS: usize = 16;
const REQUESTS: usize = 400;

/// Many connections at once, more heads than the ring can hold; afterwards one request each, one
/// after the other. Gives the port of each connection.
fn overload(pair: &Pair, pipelined: usize) -> Vec<u16> {
    let address = SocketAddr::from(([10, 9, 0, 1], 80));
    let barrier = Barrier::new(CONNECTIONS);
    let connections: Vec<Connection> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let mut connection = Connection::open(&pair.client, address);
                    barrier.wait();
                    for batch in 0..REQUESTS / pipelined {
                        let heads: String = (0..pipelined)
                            .map(|one| {
                                format!("GET /small?{number}.{batch}.{one} HTTP/1.1\r\nHost: load\r\n\r\n")
                            })
                            .collect();
                        connection.write(heads);
                        for _ in 0..pipelined {
                            assert_eq!(connection.answer().body, b"small\n");
                        }
                    }
                    connection
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut ports = Vec::new();
    for (number, mut connection) in connections.into_iter().enumerate() {
        // The ring has room again: the reader looks every few milliseconds. No outsider can see it.
        std::thread::sleep(Duration::from_millis(50));
        connection.write(format!(
            "GET /small?after.{number} HTTP/1.1\r\nHost: after\r\n\r\n"
        ));
        assert_eq!(connection.answer().body, b"small\n");
        ports.push(connection.address().port());
    }
    ports
}

#[test]
fn a_ring_that_is_too_small_loses_countably_and_every_connection_finds_its_place_again() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for (flags, pipelined) in [
        ("--attach tc", 1),
        ("--attach tc", 8),
        ("--attach socket", 1),
        ("--attach xdp", 4),
    ] {
        let what = format!("{flags}, {pipelined} requests at once");
        let tapline = Tapline::start(&pair.server, &format!("-i server0 --ring 4KiB {flags}"));
        let ports = overload(&pair, pipelined);
        // The identities themselves are checked by `stop`.
        let ended = tapline.stop();
        assert!(
            ended.count("records/lost/ring") > 0,
            "{what}: nothing was lost: {:#}",
            ended.ledger
        );
        let requests = ended.heads.iter().filter(|head| head.is_request());
        let targets = counted(requests.map(|head| head.text("target").to_owned()));
        assert!(
            targets.values().all(|count| *count == 1),
            "{what}: a head is written twice"
        );
        for (number, port) in ports.into_iter().enumerate() {
            let of_connection: Vec<_> = ended
                .heads
                .iter()
                .filter(|head| {
                    [head.number("src_port"), head.number("dst_port")].contains(&Some(port.into()))
                })
                .collect();
            let last: Vec<String> = of_connection
                .iter()
                .rev()
                .take(2)
                .rev()
                .map(|head| head.summary())
                .collect();
            assert_eq!(
                last,
                [format!("CQ GET /small?after.{number}"), "CR 200".to_owned()],
                "{what}"
            );
        }
    }
}

#[test]
fn a_ring_that_is_large_enough_loses_nothing() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for pipelined in [1, 8] {
        let tapline = Tapline::start(&pair.server, "-i server0");
        let _ports = overload(&pair, pipelined);
        let ended = tapline.stop();
        let heads = 2 * (CONNECTIONS * REQUESTS + CONNECTIONS);
        assert_eq!(ended.heads.len(), heads, "{pipelined}: {:#}", ended.ledger);
        assert_eq!(ended.count("heads/whole"), heads as u64, "{pipelined}");
        assert_eq!(ended.sum("records/lost", None), 0, "{pipelined}");
    }
}

/// What sits on the interface, by hook.
fn attached(pair: &Pair, hook: &str) -> usize {
    match hook {
        "tc" => [false, true]
            .map(|outgoing| classifiers(&pair.server, Pair::SERVER_INTERFACE, outgoing).len())
            .iter()
            .sum(),
        "socket" => {
            pair.server
                .run("cat", &["/proc/net/packet"])
                .lines()
                .count()
                - 1
        }
        _ => pair
            .server
            .ip("-d link show server0")
            .matches("prog/xdp")
            .count(),
    }
}

#[test]
fn however_it_ends_nothing_stays_attached() {
    let pair = Pair::new();
    for hook in ["tc", "socket", "xdp"] {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGKILL] {
            assert_eq!(attached(&pair, hook), 0, "{hook} before {signal}");
            let mut tapline = Tapline::start(&pair.server, &format!("-i server0 --attach {hook}"));
            // The same question is answered with yes while it runs.
            assert_eq!(
                attached(&pair, hook),
                if hook == "tc" { 2 } else { 1 },
                "{hook}"
            );
            tapline.process().signal(signal);
            if signal == libc::SIGKILL {
                within("its end", || (!tapline.process().runs()).then_some(()));
                if hook != "socket" && !has_tcx() {
                    // Filters of clsact outlive their process; the next one takes them off.
                    let flags = format!("-i server0 --attach {hook}");
                    let _ended = Tapline::start(&pair.server, &flags).stop();
                }
                // The kernel closes the links of a killed process a moment later.
                within("an empty interface", || {
                    (attached(&pair, hook) == 0).then_some(())
                });
            } else {
                let _ended = tapline.ended();
                assert_eq!(attached(&pair, hook), 0, "{hook} after {signal}");
            }
        }
    }
}

#[test]
fn what_was_captured_just_before_the_end_is_written() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut tapline = Tapline::start(&pair.server, "-i server0");
        let mut connection = Connection::open(&pair.client, SocketAddr::from(([10, 9, 0, 1], 80)));
        let heads: String = (0..200)
            .map(|number| format!("GET /small?{number} HTTP/1.1\r\nHost: h\r\n\r\n"))
            .collect();
        connection.write(heads);
        for _ in 0..200 {
            let _answer = connection.answer();
        }
        tapline.process().signal(signal);
        let ended = tapline.ended();
        assert_eq!(ended.heads.len(), 400, "{:#}", ended.ledger);
        assert_eq!(ended.count("heads/whole"), 400);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    // Nobody reads the lines: once the pipe is full, writing what is left waits for ever.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = Tapline::command(&pair.server, "run");
    command
        .args(["-i", "server0", "--log-dir", "-", "--format", "json"])
        .stdout(Stdio::from(writer));
    let mut process = Program::with_own_stdout(command).start();
    process.wait_for_stderr("stop with Ctrl-C");
    let mut connection = Connection::open(&pair.client, SocketAddr::from(([10, 9, 0, 1], 80)));
    for number in 0..1_000 {
        connection.write(format!("GET /small?{number} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let _answer = connection.answer();
    }
    process.signal(libc::SIGINT);
    within("the programs to be taken off", || {
        (attached(&pair, "tc") == 0).then_some(())
    });
    assert!(
        process.runs(),
        "it was to wait for the reader of its lines: {}",
        process.stderr()
    );
    process.signal(libc::SIGINT);
    let done = process.end_within(2);
    assert_eq!(done.signal, Some(libc::SIGINT), "{}", done.stderr);
    drop(reader);
}

#[test]
fn a_reader_that_closes_the_pipe_is_a_quiet_end() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = Tapline::command(&pair.server, "run");
    command.args(["-i", "server0", "--log-dir", "-", "--format", "json"]);
    command.stdout(Stdio::from(writer));
    let mut process = Program::with_own_stdout(command).start();
    process.wait_for_stderr("stop with Ctrl-C");
    curl(&pair.client, &["http://10.9.0.1/small"]);
    let mut reader = std::io::BufReader::new(reader);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert_eq!(heads_of(&line)[0].summary(), "CQ GET /small");
    drop(reader);
    within("its end", || {
        curl(&pair.client, &["http://10.9.0.1/small"]);
        (!process.runs()).then_some(())
    });
    let done = process.end_within(1);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        !done.stderr.to_lowercase().contains("pipe"),
        "{}",
        done.stderr
    );
}
