//! A bit of everything that clients ask of servers, and the heads that it must give.

use std::io::Write as _;
use std::net::SocketAddr;

use super::client::{Connection, curl};
use super::pair::{Family, Pair};

/// The heads, in the order of the wire, as a server sees them.
const EXPECTED: [&str; 39] = [
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
    "CR 200",
    "CQ GET /small?long",
    "CR 200",
];

/// The traffic between the hosts of a [`Pair`] whose server runs [`Nginx`](super::Nginx).
#[derive(Clone, Copy, Debug)]
pub struct Traffic;

impl Traffic {
    /// So many heads come one after the other. Those behind them are pipelined in part: a response may
    /// overtake a later request.
    pub const IN_ORDER: usize = 29;

    /// The heads, in the order of the wire. `letter`: `C` as the server's host sees them, `S` as the
    /// client's.
    #[must_use]
    pub fn expected(letter: char) -> Vec<String> {
        EXPECTED
            .iter()
            .map(|head| head.replacen('C', &letter.to_string(), 1))
            .collect()
    }

    /// Sends it.
    ///
    /// # Panics
    /// The server does not answer as it should.
    pub fn send(pair: &Pair, family: Family) {
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
        let head =
            "GET /small?bytes HTTP/1.1\r\nHost: one.byte.at.a.time\r\nUser-Agent: bytes\r\n\r\n";
        bytes.write_pieces(head, 1);
        assert_eq!(bytes.answer().body, b"small\n");
        bytes.write(long_head());
        assert_eq!(bytes.answer().body, b"small\n");
    }
}

/// A head of 8 KiB, its host in the last line.
fn long_head() -> String {
    let cookie = "c".repeat(8 * 1024 - 100);
    format!("GET /small?long HTTP/1.1\r\nCookie: {cookie}\r\nHost: behind.the.cookie\r\n\r\n")
}
