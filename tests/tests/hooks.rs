//! Every hook gives the same lines of the same traffic, on a server and on a client, over IPv4 and
//! over IPv6.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use tapline_tests::support::{
    Connection, Ended, Family, Namespace, Nginx, Pair, Program, Tapline, Traffic, counted, curl,
};

/// The flags of each hook, and the words with which the program says where it sits.
/// (`tcx ingress` since Linux 6.6, `tc ingress` before.)
const HOOKS: [(&str, &str); 5] = [
    ("--attach auto", " ingress"),
    ("--attach tc", " ingress"),
    ("--attach socket", "packet socket"),
    ("--attach xdp --xdp-mode native", "native XDP"),
    ("--attach xdp --xdp-mode generic", "generic XDP"),
];

fn check(ended: &Ended, letter: char, what: &str) {
    let expected = Traffic::expected(letter);
    assert_eq!(
        counted(ended.summaries()),
        counted(expected.clone()),
        "{what}: {:#}",
        ended.ledger
    );
    // One connection at a time: the order of the wire is that of the lines, but for pipelines, where
    // a response may overtake a later request on another CPU.
    let before: Vec<String> = ended
        .summaries()
        .into_iter()
        .take(Traffic::IN_ORDER)
        .collect();
    assert_eq!(before, expected[..Traffic::IN_ORDER], "{what}");
    let partial = ended
        .heads
        .iter()
        .filter(|head| head.0["partial"] == true)
        .count();
    assert_eq!(partial, 0, "{what}");
    let host = |target: &str| {
        let head = ended
            .heads
            .iter()
            .find(|head| head.text("target") == target);
        head.unwrap().text("host").to_owned()
    };
    assert_eq!(host("/small?bytes"), "one.byte.at.a.time", "{what}");
    assert_eq!(host("/small?long"), "behind.the.cookie", "{what}");
    assert!(
        ended.heads.iter().all(|head| head.0["local"] == true),
        "{what}"
    );
    assert_eq!(
        ended.sum("records/lost", None),
        0,
        "{what}: {:#}",
        ended.ledger
    );
}

fn every_hook(family: Family) {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for (flags, words) in HOOKS {
        let start = |namespace, interface: &str| {
            Tapline::start(namespace, &format!("-i {interface} {flags}"))
        };
        let mut server = start(&pair.server, Pair::SERVER_INTERFACE);
        let client = start(&pair.client, Pair::CLIENT_INTERFACE);
        let stderr = server.process().stderr();
        assert!(stderr.contains(words), "{flags}: {stderr}");
        Traffic::send(&pair, family);
        check(&server.stop(), 'C', &format!("server, {flags}, {family:?}"));
        check(&client.stop(), 'S', &format!("client, {flags}, {family:?}"));
    }
}

#[test]
fn every_hook_gives_the_same_lines_over_ipv4() {
    every_hook(Family::Four);
}

#[test]
fn every_hook_gives_the_same_lines_over_ipv6() {
    every_hook(Family::Six);
}

#[test]
fn an_interface_that_has_an_xdp_program_is_named() {
    let pair = Pair::new();
    let holder = Tapline::start(&pair.server, "-i server0 --attach xdp --xdp-mode generic");
    let mut command = Tapline::command(&pair.server, "run");
    command.args([
        "--listen",
        "off",
        "-i",
        "server0",
        "--attach",
        "xdp",
        "--xdp-mode",
        "generic",
        "--log-dir",
        "-",
    ]);
    let done = Program::new(command).output();
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    let said = "tapline: cannot attach to generic XDP of server0: another XDP program sits there, and an \
                interface takes one: use --attach tc, or take the other off";
    assert!(done.stderr.starts_with(said), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    // One of the other mode is refused with another error.
    command = Tapline::command(&pair.server, "run");
    command.args(["--listen", "off", "-i", "server0", "--attach", "xdp"]);
    command.args(["--xdp-mode", "native", "--log-dir", "-"]);
    let done = Program::new(command).output();
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    let said = "tapline: cannot attach to native XDP of server0: an XDP program of the other mode (native, generic) \
                sits there, or its bridge or bond has one, and the kernel takes no second: use --attach tc, or take \
                the other off (";
    assert!(done.stderr.starts_with(said), "{}", done.stderr);
    let _ended = holder.stop();
}

/// The kernel takes no XDP program below a bridge that has one.
#[test]
fn generic_xdp_sits_on_a_bridge_and_on_its_ports() {
    let (host, client, server) = (Namespace::new(), Namespace::new(), Namespace::new());
    // The bridge is there first, with the lower number.
    host.ip("link add br0 type bridge");
    host.ip("link set br0 up");
    host.join("port0", &client, "client0");
    host.join("port1", &server, "server0");
    for port in ["port0", "port1"] {
        host.ip(&format!("link set {port} master br0"));
    }
    client.address("client0", "10.9.0.2/24");
    server.address("server0", "10.9.0.1/24");
    let _nginx = Nginx::start(&server, None);
    let tapline = Tapline::start(&host, "-i any --attach xdp --xdp-mode generic");
    curl(&client, &["http://10.9.0.1/small?bridged"]);
    let _heads = tapline.wait_for_heads(2);
    let ended = tapline.stop();
    assert!(!ended.stderr.contains("passed over"), "{}", ended.stderr);

    // A port that comes later is refused with a reason.
    let holder = Tapline::start(&host, "-i br0 --attach xdp --xdp-mode generic");
    let mut command = Tapline::command(&host, "run");
    command.args([
        "--listen",
        "off",
        "-i",
        "port0",
        "--attach",
        "xdp",
        "--xdp-mode",
        "generic",
    ]);
    command.args(["--log-dir", "-"]);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(1));
    let said = "tapline: cannot attach to generic XDP of port0: an XDP program of the other mode";
    assert!(done.stderr.starts_with(said), "{}", done.stderr);
    let said = "or its bridge or bond has one";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    let _ended = holder.stop();
}

#[test]
fn heads_in_single_bytes_from_changing_cpus_are_whole() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 25;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for (flags, _) in &HOOKS[1..] {
        let server = Tapline::start(&pair.server, &format!("-i server0 {flags}"));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let pair = &pair;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let address = SocketAddr::new(Pair::server_address(Family::Six), 80);
                        let mut connection = Connection::open(&pair.client, address);
                        let head = format!(
                            "GET /small?{thread}.{round} HTTP/1.1\r\nHost: one.byte.at.a.time\r\n\r\n"
                        );
                        for (number, byte) in head.bytes().enumerate() {
                            // Packets are taken in on the CPU that sent them.
                            move_to_cpu(number % cpus);
                            connection.write([byte]);
                        }
                        assert_eq!(connection.answer().body, b"small\n");
                    }
                });
            }
        });
        let ended = server.stop();
        let mut expected = vec!["CR 200".to_owned(); THREADS * ROUNDS];
        for thread in 0..THREADS {
            expected.extend((0..ROUNDS).map(|round| format!("CQ GET /small?{thread}.{round}")));
        }
        expected.sort();
        let mut summaries = ended.summaries();
        summaries.sort();
        assert_eq!(summaries, expected, "{flags}: {:#}", ended.ledger);
    }
}

/// Moves this thread.
fn move_to_cpu(cpu: usize) {
    // SAFETY: all zero is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is within the set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set lives through the call, with its true length.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(result, 0);
}
