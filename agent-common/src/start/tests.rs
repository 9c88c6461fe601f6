//! Both tests for a start, at every length that may be there.

extern crate std;

use std::vec::Vec;

use super::*;

/// The first bytes of a payload as [`start_of`] takes them.
fn start(payload: &[u8]) -> Option<Start> {
    let mut word = [0; 8];
    let count = payload.len().min(8);
    word[..count].copy_from_slice(&payload[..count]);
    start_of(u64::from_le_bytes(word), payload.len() as u32)
}

#[test]
fn every_method_is_a_start_at_every_length() {
    // RFC 9110, RFC 5789, draft QUERY, WebDAV and its relatives, UPnP.
    let bodiless = ["GET", "HEAD", "CONNECT", "TRACE"];
    let others = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE LABEL LINK LOCK MERGE \
        MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE M-SEARCH MSEARCH NOTIFY OPTIONS \
        ORDERPATCH PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SUBSCRIBE \
        UNBIND UNCHECKOUT UNLINK UNLOCK UNSUBSCRIBE UPDATE UPDATEREDIRECTREF VERSION-CONTROL";
    let others: Vec<&str> = others.split_whitespace().collect();
    assert_eq!(bodiless.len() + others.len(), TOKENS.len());
    for method in bodiless.into_iter().chain(others.iter().copied()) {
        let line = std::format!("{method} /index.html HTTP/1.1\r\n");
        for length in 1..=line.len() {
            let told = length > method.len() || length >= 8;
            let expected = match &line[..length] {
                // May become both; what it is found out later.
                "H" => Start::Response,
                _ if told && bodiless.contains(&method) => Start::Request,
                _ => Start::RequestWithBody,
            };
            let found = start(&line.as_bytes()[..length]);
            assert_eq!(found, Some(expected), "{:?}", &line[..length]);
        }
    }
}

#[test]
fn a_response_is_a_start_at_every_length() {
    for version in ["HTTP/1.1", "HTTP/1.0", "HTTP/1.7"] {
        let line = std::format!("{version} 200 OK\r\n");
        for length in 1..=line.len() {
            let found = start(&line.as_bytes()[..length]);
            assert_eq!(found, Some(Start::Response), "{:?}", &line[..length]);
        }
    }
}

#[test]
fn other_protocols_are_told() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for length in 0..=preface.len() {
        let expected = match length {
            // "P" and "PR" begin methods.
            1 | 2 => Some(Start::RequestWithBody),
            8.. => Some(Start::Http2),
            _ => None,
        };
        assert_eq!(start(&preface[..length]), expected, "{length}");
    }
    for (hello, version) in [(1, 1), (1, 3), (2, 3), (2, 4)] {
        let record = [22, 3, version, 2, 0, hello, 0, 1, 0xfc, 3, 3];
        for length in 0..=record.len() {
            let expected = (length >= 6).then_some(Start::Tls);
            assert_eq!(start(&record[..length]), expected, "{length}");
        }
    }
}

#[test]
fn what_is_no_start() {
    for payload in [
        &b""[..],
        b"get / HTTP/1.1",
        b"Get / HTTP/1.1",
        b"GET/ HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GETX / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"\r\nGET / HTTP/1.1",
        b"HTTP/2 200 OK",
        b"HTTP/1x200 OK",
        b"HTTPS://example.com",
        b"http/1.1 200 OK",
        b"HEADER: x",
        b"HELO mail.example.com",
        b"EHLO mail.example.com",
        b"ICY 200 OK",
        b"RTSP/1.0 200 OK",
        b"SIP/2.0 200 OK",
        b"SSH-2.0-OpenSSH_9.2",
        b"USER anonymous",
        b"POSTGRES",
        b"PRI * HX",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        // TLS: application data, an alert, SSL 2, a certificate.
        b"\x17\x03\x03\x02\x00\x01\x00\x00",
        b"\x15\x03\x03\x00\x02\x01\x00\x00",
        b"\x16\x02\x03\x02\x00\x01\x00\x00",
        b"\x16\x03\x03\x02\x00\x0b\x00\x00",
    ] {
        assert_eq!(start(payload), None, "{:?}", payload.escape_ascii());
    }
}

#[test]
fn numbers_are_read_back() {
    for number in 0..10 {
        match Start::from_number(number) {
            Some(start) => assert_eq!(start as u32, number),
            None => assert!(number == 0 || number > 5),
        }
    }
}

/// Asks for a request line, with bytes of an earlier packet around it.
fn line(payload: &[u8]) -> bool {
    let mut scratch = Scratch::new();
    scratch.header.carry = *b"HTTP";
    for stale in [b'\n', b' ', b'x', 0] {
        scratch.data.fill(stale);
        scratch.data[..payload.len()].copy_from_slice(payload);
        let found = is_request_line(&scratch, payload.len() as u32);
        scratch.data.fill(b':');
        scratch.data[..payload.len()].copy_from_slice(payload);
        let other = is_request_line(&scratch, payload.len() as u32);
        assert_eq!(found, other, "{:?}", payload.escape_ascii());
    }
    is_request_line(&scratch, payload.len() as u32)
}

#[test]
fn request_lines_with_methods_of_anyone() {
    let long = std::format!("method {:0>500} HTTP/1.1\r\n", 1);
    let longest = std::format!("{:x>31} / HTTP/1.1\r\n", 'x');
    for text in [
        "FROBNICATE / HTTP/1.1\r\n",
        "FROBNICATE /a/b?c=d&e HTTP/1.0\r\n",
        "get http://example.com:8080/a HTTP/1.1\r\n",
        "Connect example.com:443 HTTP/1.1\r\n",
        "options * HTTP/1.1\r\n",
        "a / HTTP/1.9\r\n",
        "a / HTTP/1.1\n",
        "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n",
        "a b c d HTTP/1.1\r\n",
        "m /\u{e4}\u{20ac} HTTP/1.1\r\n",
        "m / HTTP/1.1\r\nHost: a\r\n\r\n",
        &long,
        &longest,
    ] {
        let end = text.find('\n').map_or(text.len(), |at| at + 1);
        for length in (1..end).chain([text.len()]) {
            let cut = &text.as_bytes()[..length];
            assert!(line(cut), "{:?}", cut.escape_ascii());
        }
    }
}

#[test]
fn what_is_no_request_line() {
    let method = std::format!("{:x>32} / HTTP/1.1\r\n", 'x');
    for payload in [
        &b" / HTTP/1.1\r\n"[..],
        b"a\t/ HTTP/1.1\r\n",
        b"a(b) / HTTP/1.1\r\n",
        b"\x80 / HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"Host: example.com\r\n",
        b"{\"a\": 1}",
        b"a / HTTP/2\r\n",
        b"a / HTTP/2.0\r\n",
        b"a / http/1.1\r\n",
        b"a /\r\n",
        b"a b\n",
        b"a / HTTP/1.1 \r\n",
        b"a / HTTP/1.10\r\n",
        b"a / HTTP/1.1\r\r\n",
        b"a /\r\n HTTP/1.1\r\n",
        b"OPTIONS rtsp://example.com/media.mp4 RTSP/1.0\r\n",
        b"INVITE sip:bob@example.com SIP/2.0\r\n",
        b"hello world, how are you?\n",
        b"\r\n",
        method.as_bytes(),
    ] {
        assert!(!line(payload), "{:?}", payload.escape_ascii());
    }
}
