//! Every hook gives the same lines of the same traffic, on a server and on a client, over IPv4 and
//! over IPv6.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::Write as _;
use std::net::SocketAddr;

use tapline_tests::support::{Connection, Ended, Family, Nginx, Pair, Tapline, counted, curl};

/// The flags of each hook, and the words with which the program says where it sits.
const HOOKS: [(&str, &str); 5] = [
    ("--attach auto", "tcx ingress"),
    ("--attach tc", "tcx ingress"),
    ("--attach socket", "packet socket"),
    ("--attach xdp --xdp-mode native", "native XDP"),
    ("--attach xdp --xdp-mode generic", "generic XDP"),
];

/// The heads of [`traffic`], in the order of the wire, for a server; on a client the letters are SQ
/// and SR.
const EXPECTED: [&str; 36] = [
    "CQ GET /small",
    "CR 200",
    "CQ HEAD /small",
    "CR 200",
    "CQ GET /nowhere",
    "CR 404",
    "CQ GET /moved?a=1&b=%20",
    "CR 302",
    "CQ GET /large",
    "CR 200",
    "CQ GET /chunked",
    "CR 200",
    "CQ POST /upload/form",
    "CR 204",
    "CQ PUT /upload/put",
    "CR 100",
    "CR 204",
    "CQ POST /upload/chunked",
    "CR 204",
    "CQ GET /small?1",
    "CR 200",
    "CQ GET /small?2",
    "CR 200",
    "CQ GET /small?3",
    "CR 200",
    "CQ PROPFIND /upload/dav",
    "CR 204",
    "CQ OPTIONS /upload/options",
    "CR 204",
    // Pipelined: nginx answers in order.
    "CQ GET /small?a",
    "CQ HEAD /small?b",
    "CQ GET /nowhere?c",
    "CR 200",
    "CR 200",
    "CR 404",
    // One byte a segment.
    "CQ GET /small?bytes",
];

fn traffic(pair: &Pair, family: Family) {
    let address = Pair::server_address(family);
    let base = match family {
        Family::Four => format!("http://{address}"),
        Family::Six => format!("http://[{address}]"),
    };
    let url = |path: &str| format!("{base}{path}");
    let ask = |arguments: &[&str], paths: &[&str]| {
        let urls: Vec<String> = paths.iter().map(|path| url(path)).collect();
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(urls.iter().map(String::as_str));
        curl(&pair.client, &all).stdout
    };
    assert_eq!(ask(&[], &["/small"]), "small\n");
    ask(&["--head"], &["/small"]);
    ask(&[], &["/nowhere"]);
    ask(&[], &["/moved?a=1&b=%20"]);
    assert_eq!(ask(&[], &["/large"]).len(), 300_000);
    assert_eq!(ask(&["--compressed"], &["/chunked"]).len(), 300_000);
    // What is sent looks like heads too.
    let mut body = tempfile::NamedTempFile::new().unwrap();
    for _ in 0..5_000 {
        body.write_all(b"POST /not-a-request HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
    }
    let body = format!("@{}", body.path().display());
    let expect_nothing = ["--header", "Expect:"];
    let mut form = vec!["--data-binary", &body];
    form.extend(expect_nothing);
    ask(&form, &["/upload/form"]);
    ask(
        &[
            "--request",
            "PUT",
            "--header",
            "Expect: 100-continue",
            "--data-binary",
            &body,
        ],
        &["/upload/put"],
    );
    let mut chunked = vec![
        "--header",
        "Transfer-Encoding: chunked",
        "--data-binary",
        &body,
    ];
    chunked.extend(expect_nothing);
    ask(&chunked, &["/upload/chunked"]);
    assert_eq!(
        ask(&[], &["/small?1", "/small?2", "/small?3"]),
        "small\nsmall\nsmall\n"
    );
    ask(&["--request", "PROPFIND"], &["/upload/dav"]);
    ask(&["--request", "OPTIONS"], &["/upload/options"]);

    let server = SocketAddr::new(address, 80);
    let mut pipelined = Connection::open(&pair.client, server);
    pipelined.write(
        "GET /small?a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /small?b HTTP/1.1\r\nHost: b\r\n\r\n\
         GET /nowhere?c HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n",
    );
    pipelined.rest();

    let mut bytes = Connection::open(&pair.client, server);
    let head = "GET /small?bytes HTTP/1.1\r\nHost: one.byte.at.a.time\r\nUser-Agent: bytes\r\n\r\n";
    bytes.write_pieces(head, 1);
    assert_eq!(bytes.answer().body, b"small\n");
    bytes.write(long_head());
    assert_eq!(bytes.answer().body, b"small\n");
}

/// A head of 8 KiB, its host in the last line.
fn long_head() -> String {
    let cookie = "c".repeat(8 * 1024 - 100);
    format!("GET /small?long HTTP/1.1\r\nCookie: {cookie}\r\nHost: behind.the.cookie\r\n\r\n")
}

fn expected(letter: char) -> Vec<String> {
    let mut heads: Vec<String> = EXPECTED.map(str::to_owned).to_vec();
    heads.extend(["CR 200", "CQ GET /small?long", "CR 200"].map(str::to_owned));
    heads
        .iter()
        .map(|head| head.replacen('C', &letter.to_string(), 1))
        .collect()
}

fn check(ended: &Ended, letter: char, what: &str) {
    let expected = expected(letter);
    assert_eq!(
        counted(ended.summaries()),
        counted(expected.clone()),
        "{what}"
    );
    // One connection at a time: the order of the wire is that of the lines, but for pipelines, where
    // a response may overtake a later request on another CPU.
    let before: Vec<String> = ended.summaries().into_iter().take(29).collect();
    assert_eq!(before, expected[..29], "{what}");
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
        traffic(&pair, family);
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
        "-i",
        "server0",
        "--attach",
        "xdp",
        "--xdp-mode",
        "generic",
        "--log-dir",
        "-",
    ]);
    let done = tapline_tests::support::Program::new(command).output();
    assert_eq!((done.code, done.stdout.as_str()), (Some(1), ""));
    let said = "tapline: cannot attach to generic XDP of server0: another XDP program sits there, and an \
                interface takes one: use --attach tc, or take the other off";
    assert!(done.stderr.starts_with(said), "{}", done.stderr);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    let _ended = holder.stop();
}
