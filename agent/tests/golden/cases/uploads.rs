//! Requests with bodies: asked for, refused, in chunks.

use super::super::talk::{Packet, Talk};
use super::{get, ok};

pub(super) fn interim() -> Vec<Packet> {
    Talk::usual()
        .client("PUT /upload HTTP/1.1\r\nHost: www.example.com\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
        .server("HTTP/1.1 100 Continue\r\n\r\n")
        .client("hello world")
        .server("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        .client(get("/next"))
        .server("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        .server(ok("next"))
        .end()
}

/// Uploads that ask first and are answered at once: their bodies are never sent. One is sent all the same.
pub(super) fn refused() -> Vec<Packet> {
    let ask = |body: &str| {
        format!(
            "PUT /upload HTTP/1.1\r\nHost: www.example.com\r\nExpect: 100-continue\r\n{body}\r\n\r\n"
        )
    };
    let no = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n";
    Talk::usual()
        .client(ask("Content-Length: 5000000000"))
        .server(no)
        .client(get("/after-a-long-one"))
        .server(ok("one"))
        .client(ask("Transfer-Encoding: chunked"))
        .server(no)
        .client(get("/after-chunks"))
        .server(ok("two"))
        .client(ask("Content-Length: 11"))
        .server(no)
        .client("hello world")
        .client(get("/after-a-body"))
        .server(ok("three"))
        .end()
}

pub(super) fn chunked() -> Vec<Packet> {
    let fake = "GET /fake HTTP/1.1\r\nHost: nobody\r\n\r\n";
    Talk::usual()
        .client(
            "POST /upload HTTP/1.1\r\nHost: www.example.com\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .client("5\r\nhello\r\n")
        .client(format!("{:x}\r\n", 2 * fake.len()))
        .client(fake)
        .client(fake)
        .client("\r\n0\r\nX-Trailer: GET /fake HTTP/1.1\r\n\r\n")
        .server(ok("stored"))
        .client(get("/next"))
        .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .server("18\r\n")
        .server("HTTP/1.1 500 Fake Text\r\n")
        .server("\r\n0\r\n\r\n")
        .client(get("/last"))
        .server(ok("last"))
        .end()
}

/// A length that means nothing, because the body is chunked: it must hide no request.
pub(super) fn length_and_coding() -> Vec<Packet> {
    Talk::usual()
        .client("POST /upload HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 9999\r\nTransfer-Encoding: chunked\r\n\r\n")
        .client("0\r\n\r\n")
        .server(ok("stored"))
        .client(get("/not-hidden"))
        .server(ok("seen"))
        .end()
}
