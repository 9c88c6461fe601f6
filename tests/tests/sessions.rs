//! Sessions of real traffic: what the store holds of connections, datagrams and echoes, and that no packet
//! is missing in the account.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::FromRawFd as _;
use std::time::Duration;

use serde_json::Value;
use tapline_tests::support::{
    Connection, Ended, Nginx, Pair, Program, Tapline, curl, within, within_seconds,
};

/// What `tapline sessions` prints of a folder, oldest first.
fn stored(pair: &Pair, folder: &str) -> Vec<Value> {
    let mut command = Tapline::command(&pair.server, "sessions");
    command.args(["--json", "--oldest", "--limit", "10000"]);
    command.args(["--data-dir", folder]);
    let done = Program::new(command).output();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let lines = done.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

struct Run {
    folder: tempfile::TempDir,
    tapline: Tapline,
}

impl Run {
    fn start(pair: &Pair, flags: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flags = format!(
            "-i server0 --store --data-dir {} {flags}",
            folder.path().display()
        );
        let tapline = Tapline::start(&pair.server, &flags);
        Self { folder, tapline }
    }

    fn stored(&self, pair: &Pair) -> Vec<Value> {
        stored(pair, self.folder.path().to_str().unwrap())
    }

    /// Ends it; all identities hold. Gives the sessions that are stored then.
    fn stop(self, pair: &Pair) -> (Vec<Value>, Ended) {
        let ended = self.tapline.stop();
        assert_eq!(ended.count("sinks/sqlite/lost"), 0, "{:#}", ended.ledger);
        let sessions = stored(pair, self.folder.path().to_str().unwrap());
        let packets: u64 = sessions
            .iter()
            .map(|session| count(session, "packets"))
            .sum();
        assert_eq!(
            packets,
            ended.count("sessions/packets"),
            "{:#}",
            ended.ledger
        );
        assert!(ended.ledger["identities"]["sessions"].is_object());
        (sessions, ended)
    }
}

fn count(session: &Value, name: &str) -> u64 {
    session[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}: {session:#}"))
}

fn text<'a>(session: &'a Value, name: &str) -> &'a str {
    session[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {session:#}"))
}

/// The only session with this protocol and destination port.
fn only<'a>(sessions: &'a [Value], protocol: &str, port: u64) -> &'a Value {
    let mut found = sessions
        .iter()
        .filter(|session| session["protocol"] == protocol && session["dst_port"] == port);
    let first = found.next().unwrap_or_else(|| panic!("{sessions:#?}"));
    assert_eq!(found.next(), None, "{protocol} {port}");
    first
}

/// Asks the server's host for an echo (ICMPv6) twice, and has the answers.
fn echo_twice(pair: &Pair) {
    // Type and code, checksum (the kernel's work), identifier, number, data.
    const REQUEST: [u8; 16] = *b"\x80\0\0\0\x12\x34\0\x01datadata";
    const REPLY: u8 = 129;
    // SAFETY: a socket of our own; no pointers.
    let socket = pair
        .client
        .enter(|| unsafe { libc::socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6) });
    assert!(socket >= 0);
    // SAFETY: just made, owned by nobody else. A raw socket sends and receives as one of UDP does.
    let socket = unsafe { UdpSocket::from_raw_fd(socket) };
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    for _ in 0..2 {
        socket.send_to(&REQUEST, "[fd09::1]:0").unwrap();
        let mut answer = [0; 64];
        while answer[0] != REPLY {
            socket.recv(&mut answer).unwrap();
        }
    }
}

#[test]
fn connections_datagrams_and_echoes_are_counted() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    for attach in ["tc", "socket", "xdp"] {
        let run = Run::start(&pair, &format!("--attach {attach}"));
        curl(
            &pair.client,
            &["http://10.9.0.1/small", "http://10.9.0.1/nothing-here"],
        );
        // Nobody listens there.
        let refused = pair
            .client
            .enter(|| TcpStream::connect(SocketAddr::from(([10, 9, 0, 1], 9))).is_err());
        assert!(refused);
        let server = pair
            .server
            .enter(|| UdpSocket::bind("10.9.0.1:5353").unwrap());
        let client = pair.client.enter(|| UdpSocket::bind("10.9.0.2:0").unwrap());
        client.connect("10.9.0.1:5353").unwrap();
        for length in [100, 200] {
            client.send(&vec![b'q'; length]).unwrap();
        }
        let mut buffer = [0; 512];
        let (_, from) = server.recv_from(&mut buffer).unwrap();
        server.send_to(&[b'a'; 50], from).unwrap();
        client.recv(&mut buffer).unwrap();
        echo_twice(&pair);

        let (sessions, _) = run.stop(&pair);
        let http = only(&sessions, "TCP", 80);
        assert_eq!(text(http, "conn_state"), "SF", "{attach}: {http:#}");
        assert!(
            text(http, "history").starts_with("ShA"),
            "{attach}: {http:#}"
        );
        assert_eq!(count(http, "http_requests"), 2, "{attach}: {http:#}");
        assert_eq!(count(http, "http_errors"), 1, "{attach}: {http:#}");
        assert!(count(http, "rtt_us") < 1_000_000, "{attach}: {http:#}");
        assert_eq!(text(http, "src_ip"), "10.9.0.2");
        assert_eq!(text(http, "ifname"), "server0");
        assert!(http.get("interim").is_none(), "{attach}: {http:#}");
        let both = count(http, "packets_out") + count(http, "packets_in");
        assert_eq!(count(http, "packets"), both);

        let rejected = only(&sessions, "TCP", 9);
        assert_eq!(text(rejected, "conn_state"), "REJ", "{attach}");
        assert_eq!(text(rejected, "history"), "Sr", "{attach}");

        let datagrams = only(&sessions, "UDP", 5353);
        let counts = [
            "packets_out",
            "packets_in",
            "orig_bytes",
            "resp_bytes",
            "bytes",
        ]
        .map(|name| count(datagrams, name));
        // 28 bytes of IPv4 and UDP each.
        assert_eq!(counts, [2, 1, 300, 50, 350 + 3 * 28], "{attach}");
        assert_eq!(text(datagrams, "conn_state"), "SF", "{attach}");

        // Type 128 of ICMPv6 is the echo request; the port of a destination is the code.
        let echoes: Vec<&Value> = sessions
            .iter()
            .filter(|session| session["protocol"] == "ICMP" && session["src_port"] == 128)
            .collect();
        assert_eq!(echoes.len(), 1, "{attach}: {echoes:#?}");
        let counts = ["packets_out", "packets_in", "bytes"].map(|name| count(echoes[0], name));
        assert_eq!(counts, [2, 2, 4 * (40 + 16)], "{attach}: {:#}", echoes[0]);
        assert_eq!(text(echoes[0], "src_ip"), "fd09::2", "{attach}");
    }
}

#[test]
fn exchanges_carry_the_name_of_their_session() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let run = Run::start(&pair, "");
    for _ in 0..3 {
        curl(
            &pair.client,
            &["http://10.9.0.1/small", "http://10.9.0.1/small"],
        );
    }
    let (sessions, ended) = run.stop(&pair);
    let of_http = sessions.iter().filter(|session| session["dst_port"] == 80);
    let mut count = 0;
    for session in of_http {
        let heads = ended
            .heads
            .iter()
            .filter(|head| head.text("session_id") == text(session, "session_id"));
        let ports: Vec<_> = heads.clone().map(|head| head.number("src_port")).collect();
        assert_eq!(ports.len(), 4, "{session:#}");
        assert_eq!(ports[0], session["src_port"].as_u64());
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn what_goes_on_is_stored_so_far_and_replaced() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let run = Run::start(&pair, "--interim 1s");
    let address = SocketAddr::from(([10, 9, 0, 1], 80));
    let mut connection = Connection::open(&pair.client, address);
    let mut ask = |_: u64| {
        connection.write("GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(connection.answer().body, b"small\n");
    };
    let mut asked = 0;
    let mut next = |revision: u64| {
        within_seconds(30, "a record of a session that goes on", || {
            ask(asked);
            asked += 1;
            std::thread::sleep(Duration::from_millis(100));
            let sessions = run.stored(&pair);
            let session = sessions.iter().find(|session| session["dst_port"] == 80)?;
            (count(session, "revision") >= revision).then(|| session.clone())
        })
    };
    let first = next(1);
    let second = next(count(&first, "revision") + 1);
    for session in [&first, &second] {
        assert_eq!(session["interim"], true, "{session:#}");
        assert_eq!(text(session, "conn_state"), "S1", "{session:#}");
    }
    assert!(count(&second, "packets") > count(&first, "packets"));
    assert!(count(&second, "http_requests") > count(&first, "http_requests"));
    // While it goes on the account holds too, and says what is not on record yet.
    let asked_for =
        |path: &str| curl(&pair.server, &[&format!("http://127.0.0.1:8000{path}")]).stdout;
    let ledger: Value = serde_json::from_str(&asked_for("/api/ledger")).unwrap();
    assert_eq!(
        ledger["identities"]["sessions"]["holds"], true,
        "{ledger:#}"
    );
    let active = within("a session that is active", || {
        let metrics = asked_for("/metrics");
        let mut lines = metrics.lines();
        let line = lines.find_map(|line| line.strip_prefix("tapline_sessions_active "))?;
        line.parse().ok().filter(|active: &u64| *active > 0)
    });
    assert!(active < 20, "{active}");
    drop(connection);
    let (sessions, ended) = run.stop(&pair);
    let last = only(&sessions, "TCP", 80);
    assert_eq!(last["session_id"], first["session_id"]);
    assert_eq!(text(last, "session_id"), text(&second, "session_id"));
    assert_eq!(count(last, "http_requests"), asked, "{last:#}");
    assert!(last.get("interim").is_none(), "{last:#}");
    assert!(ended.count("sessions/interim") >= 2, "{:#}", ended.ledger);
}

#[test]
fn what_makes_room_is_stored_and_counted() {
    let pair = Pair::new();
    let run = Run::start(&pair, "--flows 256");
    let server = pair
        .server
        .enter(|| UdpSocket::bind("10.9.0.1:5353").unwrap());
    pair.client.enter(|| {
        for number in 0..3000_u32 {
            let client = UdpSocket::bind("10.9.0.2:0").unwrap();
            client
                .send_to(&number.to_be_bytes(), "10.9.0.1:5353")
                .unwrap();
        }
    });
    drop(server);
    let (sessions, ended) = run.stop(&pair);
    assert!(ended.count("sessions/evicted") > 2000, "{:#}", ended.ledger);
    let flows = sessions
        .iter()
        .filter(|session| session["protocol"] == "UDP" && session["dst_port"] == 5353);
    // Ports may come again.
    let packets: u64 = flows.map(|session| count(session, "packets")).sum();
    assert_eq!(packets + ended.count("sessions/packets_left_out"), 3000);
}

#[test]
fn what_is_idle_is_over() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let flags = format!("-i server0 --store --data-dir {}", folder.path().display());
    let variables = [("TAPLINE_SESSIONS_IDLE_UDP", "1s")];
    let tapline = Tapline::start_with(&pair.server, &flags, &variables);
    let client = pair
        .client
        .enter(|| UdpSocket::bind("10.9.0.2:7000").unwrap());
    let _server = pair
        .server
        .enter(|| UdpSocket::bind("10.9.0.1:5353").unwrap());
    let send = || client.send_to(b"once", "10.9.0.1:5353").unwrap();
    send();
    let sessions = || {
        let mut sessions = stored(&pair, folder.path().to_str().unwrap());
        sessions.retain(|session| session["dst_port"] == 5353);
        sessions
    };
    let first = within("the end of a flow", || sessions().into_iter().next());
    assert!(first.get("interim").is_none(), "{first:#}");
    // The next packet begins another one.
    send();
    drop(tapline.stop());
    let sessions = sessions();
    assert_eq!(sessions.len(), 2, "{sessions:#?}");
    assert_ne!(sessions[0]["session_id"], sessions[1]["session_id"]);
}

#[test]
fn each_of_many_connections_is_one_session() {
    const THREADS: usize = 4;
    const CONNECTIONS: usize = 150;
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let run = Run::start(&pair, "--interim 1s");
    let address = SocketAddr::from(([10, 9, 0, 1], 80));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for number in 0..CONNECTIONS {
                    let mut connection = Connection::open(&pair.client, address);
                    for _ in 0..=number % 3 {
                        connection.write("GET /small HTTP/1.1\r\nHost: a\r\n\r\n");
                        assert_eq!(connection.answer().body, b"small\n");
                    }
                    connection.write("GET /no HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                    connection.rest();
                }
            });
        }
    });
    let (sessions, ended) = run.stop(&pair);
    let all = THREADS * CONNECTIONS;
    let of_http = sessions.iter().filter(|session| session["dst_port"] == 80);
    let of_http: Vec<&Value> = of_http.collect();
    assert_eq!(of_http.len(), all, "{:#}", ended.ledger);
    for session in &of_http {
        assert_eq!(text(session, "conn_state"), "SF", "{session:#}");
        assert_eq!(count(session, "http_errors"), 1, "{session:#}");
    }
    let requests: u64 = of_http
        .iter()
        .map(|session| count(session, "http_requests"))
        .sum();
    assert_eq!(requests, 3 * all as u64);
    assert_eq!(ended.count("sessions/late_heads"), 0, "{:#}", ended.ledger);
}

#[test]
fn without_room_in_the_ring_packets_are_left_out_countably() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let run = Run::start(&pair, "--ring 4KiB --flows 256");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let server = SocketAddr::from(([10, 9, 0, 1], 5353));
                let sockets: Vec<UdpSocket> = pair.client.enter(|| {
                    let bind = |_| UdpSocket::bind("10.9.0.2:0").unwrap();
                    (0..400).map(bind).collect()
                });
                for _ in 0..20 {
                    for socket in &sockets {
                        // The answer of the kernel (nobody listens) makes some of them fail.
                        drop(socket.send_to(b"flood", server));
                    }
                }
            });
        }
        curl(&pair.client, &["http://10.9.0.1/small"]);
    });
    // The identities themselves are checked by `stop`.
    let (_, ended) = run.stop(&pair);
    let left_out =
        ["left_out", "packets_left_out"].map(|name| ended.count(&format!("sessions/{name}")));
    assert!(
        left_out[0] > 0 && left_out[1] >= left_out[0],
        "{:#}",
        ended.ledger
    );
}
