//! What a host sees of an exchange: as server and client see `hooks`; here as a proxy, as a router,
//! on loopback; connections that stop being HTTP; and what filters leave out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tapline_tests::support::{
    Connection, Ended, Family, Namespace, Nginx, Pair, Server, Tapline, counted, curl, read_head,
    summaries,
};

/// A host between two others: client 10.1.0.2 — 10.1.0.1 middle 10.2.0.1 — 10.2.0.2 server.
struct Chain {
    client: Namespace,
    middle: Namespace,
    server: Namespace,
}

impl Chain {
    fn new() -> Self {
        let [client, middle, server] = [(); 3].map(|()| Namespace::new());
        middle.join("front0", &client, "client0");
        middle.join("back0", &server, "server0");
        client.address("client0", "10.1.0.2/24");
        middle.address("front0", "10.1.0.1/24");
        middle.address("back0", "10.2.0.1/24");
        server.address("server0", "10.2.0.2/24");
        Self {
            client,
            middle,
            server,
        }
    }
}

#[test]
fn a_proxy_writes_four_lines_an_exchange() {
    let chain = Chain::new();
    let _origin = Nginx::start(&chain.server, None);
    let _proxy = Nginx::start(&chain.middle, Some("10.2.0.2:80"));
    let tapline = Tapline::start(&chain.middle, "-i any");
    let done = curl(
        &chain.client,
        &["http://10.1.0.1/proxy/small", "http://10.1.0.1/proxy/large"],
    );
    assert_eq!(done.stdout.len(), 6 + 300_000);
    let ended = tapline.stop();
    let expected = [
        "CQ GET /proxy/small",
        "SQ GET /small",
        "SR 200",
        "CR 200",
        "CQ GET /proxy/large",
        "SQ GET /large",
        "SR 200",
        "CR 200",
    ];
    assert_eq!(ended.summaries(), expected);
    let ends = |head: usize| {
        let head = &ended.heads[head];
        (
            head.text("src_ip"),
            head.text("dst_ip"),
            head.text("ifname"),
            head.0["local"] == true,
        )
    };
    assert_eq!(ends(0), ("10.1.0.2", "10.1.0.1", "front0", true));
    assert_eq!(ends(1), ("10.2.0.1", "10.2.0.2", "back0", true));
    assert_eq!(ends(2), ("10.2.0.2", "10.2.0.1", "back0", true));
    assert_eq!(ends(3), ("10.1.0.1", "10.1.0.2", "front0", true));
}

#[test]
fn a_router_writes_each_head_once_and_says_that_it_is_not_its_own() {
    let chain = Chain::new();
    chain
        .middle
        .run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    chain.client.ip("route add default via 10.1.0.1");
    chain.server.ip("route add default via 10.2.0.1");
    let _origin = Nginx::start(&chain.server, None);
    for attach in ["auto", "socket"] {
        let tapline = Tapline::start(&chain.middle, &format!("-i any --attach {attach}"));
        let done = curl(
            &chain.client,
            &["http://10.2.0.2/small", "http://10.2.0.2/large"],
        );
        assert_eq!(done.stdout.len(), 6 + 300_000);
        let ended = tapline.stop();
        assert_eq!(
            ended.summaries(),
            ["CQ GET /small", "CR 200", "CQ GET /large", "CR 200"],
            "{attach}"
        );
        for head in &ended.heads {
            assert_eq!(head.0["local"], false, "{attach}");
            let first = if head.is_request() { "front0" } else { "back0" };
            assert_eq!(head.text("ifname"), first, "{attach}");
        }
        // Both interfaces did see them.
        assert!(
            ended.count("retransmitted") >= 4,
            "{attach}: {:#}",
            ended.ledger
        );
    }
}

#[test]
fn the_networks_of_a_router_can_be_named() {
    let chain = Chain::new();
    chain
        .middle
        .run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
    chain.client.ip("route add default via 10.1.0.1");
    chain.server.ip("route add default via 10.2.0.1");
    let _origin = Nginx::start(&chain.server, None);
    let tapline = Tapline::start(&chain.middle, "-i any --local 10.1.0.0/24");
    curl(&chain.client, &["http://10.2.0.2/small"]);
    let ended = tapline.stop();
    assert_eq!(ended.summaries(), ["SQ GET /small", "SR 200"]);
    assert!(ended.heads.iter().all(|head| head.0["local"] == true));
}

#[test]
fn loopback_is_written_once_or_from_both_sides() {
    let host = Namespace::new();
    let _nginx = Nginx::start(&host, None);
    let check = |flags: &str, loopback: &str, expected: &[&str]| {
        let tapline = Tapline::start_with(&host, flags, &[("TAPLINE_CAPTURE_LOOPBACK", loopback)]);
        curl(&host, &["http://127.0.0.1/small"]);
        curl(&host, &["http://[::1]/large"]);
        let ended = tapline.stop();
        assert_eq!(ended.summaries(), expected, "{flags}, {loopback}");
        assert_eq!(ended.count("heads/found"), 4, "{flags}, {loopback}");
        assert!(
            ended
                .heads
                .iter()
                .all(|head| head.text("ifname") == "lo" && head.0["local"] == true)
        );
    };
    for flags in [
        "-i lo",
        "-i any",
        "-i lo --attach socket",
        "-i lo --attach xdp --xdp-mode generic",
    ] {
        check(
            flags,
            "once",
            &["CQ GET /small", "CR 200", "CQ GET /large", "CR 200"],
        );
    }
    check(
        "-i lo",
        "both",
        &[
            "CQ GET /small",
            "SQ GET /small",
            "CR 200",
            "SR 200",
            "CQ GET /large",
            "SQ GET /large",
            "CR 200",
            "SR 200",
        ],
    );
}

/// Answers `CONNECT open` with 200 and `Upgrade` with 101, and sends back whatever follows; refuses
/// other CONNECTs with 403; answers all else with 200.
fn gateway(mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream) {
        let answer = if head.starts_with("CONNECT open") {
            "HTTP/1.1 200 Connection established\r\n\r\n"
        } else if head.contains("\r\nUpgrade: ") {
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        } else if head.starts_with("CONNECT ") {
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
        };
        stream.write_all(answer.as_bytes()).unwrap();
        if answer.contains(" 200 Conn") || answer.contains(" 101 ") {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut bytes) {
                stream.write_all(&bytes[..length]).unwrap();
            }
        }
    }
}

#[test]
fn what_follows_connect_and_upgrade_is_not_http() {
    let pair = Pair::new();
    let server = Server::start(&pair.server, Pair::server_address(Family::Four), gateway);
    let tapline = Tapline::start(&pair.server, "-i server0");
    let inside = b"GET /inside HTTP/1.1\r\nHost: i\r\n\r\n";
    for head in [
        "CONNECT open:443 HTTP/1.1\r\nHost: open:443\r\n\r\n",
        "GET /socket HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let mut tunnel = Connection::open(&pair.client, server.address);
        tunnel.write(head);
        let _established = tunnel.answer();
        for _ in 0..5 {
            tunnel.write(inside);
            assert_eq!(tunnel.read(inside.len()), inside);
        }
    }
    let mut refused = Connection::open(&pair.client, server.address);
    refused.write("CONNECT closed:443 HTTP/1.1\r\nHost: closed:443\r\n\r\n");
    assert!(refused.answer().head.contains("403"));
    refused.write("GET /after HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(refused.answer().body, b"yes");
    let ended = tapline.stop();
    let expected = [
        "CQ CONNECT open:443",
        "CR 200",
        "CQ GET /socket",
        "CR 101",
        "CQ CONNECT closed:443",
        "CR 403",
        "CQ GET /after",
        "CR 200",
    ];
    assert_eq!(ended.summaries(), expected);
}

#[test]
fn ports_and_networks_narrow_what_is_captured() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let other = Server::start(&pair.server, Pair::server_address(Family::Four), gateway);
    let port = other.address.port();
    let check = |flags: &str, expected: &[&str]| {
        let tapline = Tapline::start(&pair.server, &format!("-i server0 {flags}"));
        curl(&pair.client, &["http://10.9.0.1/small?four"]);
        curl(&pair.client, &["http://[fd09::1]/small?six"]);
        curl(&pair.client, &[&format!("http://10.9.0.1:{port}/other")]);
        let ended = tapline.stop();
        let requests = ended.heads.iter().filter(|head| head.is_request());
        let targets: Vec<&str> = requests.map(|head| head.text("target")).collect();
        assert_eq!(targets, expected, "{flags}");
        assert_eq!(ended.heads.len(), 2 * expected.len(), "{flags}");
        // A filter of ports leaves out what has none, too: whatever neighbours tell each other just then.
        let neighbours =
            ended.count("packets_by/incoming/icmp") + ended.count("packets_by/outgoing/icmp");
        assert_eq!(
            ended.count("ignored/filtered") > neighbours,
            expected.len() < 3,
            "{flags}: {:#}",
            ended.ledger
        );
    };
    let (four, six) = ("/small?four", "/small?six");
    check("", &[four, six, "/other"]);
    check("--port 80", &[four, six]);
    check(&format!("--port {port}"), &["/other"]);
    check(
        &format!("--port 1 --port 80 --port {port}"),
        &[four, six, "/other"],
    );
    check("--port 1", &[]);
    check("--net 10.9.0.0/24", &[four, "/other"]);
    check("--net 10.9.0.2", &[four, "/other"]);
    check("--net 10.9.0.4/30", &[]);
    check("--net fd09::/16", &[six]);
    check("--net fd09::4/127 --net 10.9.0.1/32", &[four, "/other"]);
    check("--net ::/0", &[six]);
    check("--net 0.0.0.0/0 --port 80", &[four]);
}

#[test]
fn a_run_ends_after_a_time_or_a_number_of_packets() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let before = Instant::now();
    let ended = Tapline::start(&pair.server, "-i server0 --duration 1500ms").ended();
    let time = before.elapsed();
    assert!(
        (Duration::from_millis(1_500)..Duration::from_secs(8)).contains(&time),
        "{time:?}"
    );
    assert!(ended.ledger["seconds"].as_f64().unwrap() >= 1.5);

    let tapline = Tapline::start(&pair.server, "-i server0 --packets 30");
    let mut connection = Connection::open(&pair.client, SocketAddr::from(([10, 9, 0, 1], 80)));
    for number in 0..30 {
        connection.write(format!("GET /small?{number} HTTP/1.1\r\nHost: n\r\n\r\n"));
        let _answer = connection.answer();
    }
    let ended = tapline.ended();
    assert!(ended.count("packets") >= 30, "{:#}", ended.ledger);
    // What was captured until then is there: 30 packets are at least the first requests.
    assert_eq!(
        summaries(&ended.heads)[..4],
        ["CQ GET /small?0", "CR 200", "CQ GET /small?1", "CR 200"]
    );
}

#[test]
fn many_connections_at_once_keep_their_heads_apart() {
    let pair = Pair::new();
    let _nginx = Nginx::start(&pair.server, None);
    let server = Tapline::start(&pair.server, "-i server0");
    let client = Tapline::start(&pair.client, "-i client0");
    const CONNECTIONS: usize = 40;
    const REQUESTS: usize = 50;
    std::thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let pair = &pair;
            scope.spawn(move || {
                let family = if number % 2 == 0 {
                    Family::Four
                } else {
                    Family::Six
                };
                let address = SocketAddr::new(Pair::server_address(family), 80);
                let mut connection = Connection::open(&pair.client, address);
                for request in 0..REQUESTS {
                    connection.write(format!(
                        "GET /small?{number}.{request} HTTP/1.1\r\nHost: h{number}\r\n\r\n"
                    ));
                    assert_eq!(connection.answer().body, b"small\n");
                }
            });
        }
    });
    let check = |ended: &Ended, query: &str, response: &str| {
        let mut expected = vec![format!("{response} 200"); CONNECTIONS * REQUESTS];
        for number in 0..CONNECTIONS {
            expected.extend(
                (0..REQUESTS).map(|request| format!("{query} GET /small?{number}.{request}")),
            );
        }
        assert_eq!(counted(ended.summaries()), counted(expected));
        // Every line belongs to its connection, in its order.
        for number in 0..CONNECTIONS {
            let host = format!("h{number}");
            let of_host: Vec<_> = ended
                .heads
                .iter()
                .filter(|head| head.text("host") == host)
                .collect();
            let port = of_host[0].number("src_port");
            for (request, head) in of_host.iter().enumerate() {
                assert_eq!(head.text("target"), format!("/small?{number}.{request}"));
                assert_eq!(head.number("src_port"), port);
            }
        }
        // One request outstanding a connection: a record a head, nothing escalated.
        assert_eq!(
            ended.count("records/numbered"),
            2 * (CONNECTIONS * REQUESTS) as u64
        );
        assert_eq!(ended.sum("escalated", None), 0, "{:#}", ended.ledger);
    };
    check(&server.stop(), "CQ", "CR");
    check(&client.stop(), "SQ", "SR");
}
