//! The oldest kernel that is promised, Debian 12's 6.1, in a virtual machine: no tcx, so filters of
//! clsact, and an older verifier. Time is dear there (every instruction is emulated), so each test does
//! much.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write as _;
use std::net::TcpStream;

use aya::util::KernelVersion;
use tapline_tests::support::{
    Connection, Family, Namespace, PROGRAMS, Pair, ROOMY, Server, Tapline, check_verified,
    leave_out, read_head, same_records, within,
};

/// Whether this is a kernel without tcx; elsewhere these tests have nothing to say.
fn old_kernel(test: &str) -> bool {
    let old = KernelVersion::current().unwrap() < KernelVersion::new(6, 6, 0);
    if !old {
        leave_out(
            test,
            "this kernel has tcx: run it with `cargo xtask test-vm`",
        );
    }
    old
}

#[test]
fn every_program_is_verified_and_makes_what_the_agent_makes() {
    if !old_kernel("every_program_is_verified_and_makes_what_the_agent_makes") {
        return;
    }
    let kernel = check_verified(&PROGRAMS, ROOMY, false);
    same_records(kernel, &PROGRAMS, 30);
    // One of each type: messages cost all of them the same.
    let one_of_each = PROGRAMS.into_iter().filter(|program| {
        ["tapline_ingress", "tapline_xdp", "tapline_socket"].contains(&program.name)
    });
    check_verified(&one_of_each.collect::<Vec<_>>(), ROOMY, true);
}

/// Answers every request, and keeps the connection.
fn serve(mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream) {
        assert!(head.starts_with("GET "), "{head}");
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// Sends requests: one whole, one in pieces, one longer than a record.
fn ask(pair: &Pair, server: &Server) {
    let mut connection = Connection::open(&pair.client, server.address);
    connection.write("GET /whole HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connection.answer().body, b"hello");
    connection.write_pieces("GET /pieces HTTP/1.1\r\nHost: b\r\n\r\n", 7);
    assert_eq!(connection.answer().body, b"hello");
    let cookie = "c".repeat(5_000);
    connection.write(format!(
        "GET /long HTTP/1.1\r\nCookie: {cookie}\r\nHost: c\r\n\r\n"
    ));
    assert_eq!(connection.answer().body, b"hello");
}

const LINES: [&str; 6] = [
    "Q GET /whole",
    "R 200",
    "Q GET /pieces",
    "R 200",
    "Q GET /long",
    "R 200",
];

fn lines(letter: char) -> Vec<String> {
    let line = |line: &&str| format!("{}{line}", if letter == 'C' { "C" } else { "S" });
    LINES.iter().map(line).collect()
}

#[test]
fn every_hook_gives_the_lines_in_both_roles() {
    if !old_kernel("every_hook_gives_the_lines_in_both_roles") {
        return;
    }
    let pair = Pair::new();
    let address = Pair::server_address(Family::Four);
    let server = Server::start(&pair.server, address, serve);
    for (flags, words) in [
        ("--attach auto", "tc ingress, tc egress"),
        ("--attach socket", "packet socket"),
        ("--attach xdp --xdp-mode native", "native XDP, tc egress"),
        ("--attach xdp --xdp-mode generic", "generic XDP, tc egress"),
    ] {
        let start = |namespace: &Namespace, interface: &str| {
            Tapline::start(namespace, &format!("-i {interface} {flags}"))
        };
        // Both at once: there are two CPUs, and most of the time goes into verifying.
        let (mut here, there) = std::thread::scope(|scope| {
            let there = scope.spawn(|| start(&pair.client, Pair::CLIENT_INTERFACE));
            let here = start(&pair.server, Pair::SERVER_INTERFACE);
            (here, there.join().unwrap())
        });
        let stderr = here.process().stderr();
        assert!(stderr.contains(words), "{flags}: {stderr}");
        ask(&pair, &server);
        for (tapline, letter) in [(here, 'C'), (there, 'S')] {
            let ended = tapline.stop();
            assert_eq!(ended.summaries(), lines(letter), "{flags}, {letter}");
            assert_eq!(
                ended.sum("records/lost", None),
                0,
                "{flags}: {:#}",
                ended.ledger
            );
        }
        for way in ["ingress", "egress"] {
            assert_eq!(filters(&pair, way), 0, "{flags} left a filter");
        }
    }
}

/// The number of our filters on the server's interface, as tc lists them.
fn filters(pair: &Pair, way: &str) -> usize {
    let shown = pair
        .server
        .run("tc", &["filter", "show", "dev", "server0", way]);
    shown
        .lines()
        .filter(|line| line.contains("tapline_"))
        .count()
}

fn both_ways(pair: &Pair) -> (usize, usize) {
    (filters(pair, "ingress"), filters(pair, "egress"))
}

#[test]
fn what_a_killed_one_leaves_is_taken_off_and_what_a_living_one_has_stays() {
    if !old_kernel("what_a_killed_one_leaves_is_taken_off_and_what_a_living_one_has_stays") {
        return;
    }
    let pair = Pair::new();
    let address = Pair::server_address(Family::Four);
    let server = Server::start(&pair.server, address, serve);
    let start = || Tapline::start(&pair.server, "-i server0 --attach tc --listen off");

    let mut killed = start();
    assert_eq!(both_ways(&pair), (1, 1));
    killed.process().signal(libc::SIGKILL);
    within("the killed one to end", || {
        (!killed.process().runs()).then_some(())
    });
    drop(killed);
    assert_eq!(both_ways(&pair), (1, 1), "clsact keeps filters of the dead");

    let first = start();
    assert_eq!(both_ways(&pair), (1, 1), "the next start took them off");
    // A second one beside it: both see all, neither takes the other's filters.
    let second = start();
    assert_eq!(both_ways(&pair), (2, 2));
    ask(&pair, &server);
    assert_eq!(second.stop().summaries(), lines('C'));
    assert_eq!(
        both_ways(&pair),
        (1, 1),
        "the second one's are gone, the first one's are not"
    );

    // The interface goes and comes back, with another index and no clsact.
    pair.server.ip("link delete server0");
    pair.server.join("server0", &pair.client, "client0");
    pair.server.address("server0", "10.9.0.1/24");
    pair.client.address("client0", "10.9.0.2/24");
    within("filters on the new interface", || {
        (both_ways(&pair) == (1, 1)).then_some(())
    });
    ask(&pair, &server);
    let twice = [lines('C'), lines('C')].concat();
    assert_eq!(first.stop().summaries(), twice);
    assert_eq!(both_ways(&pair), (0, 0));
}
