//! Every fuzz target for a moment: over seeds, over every byte of them changed, over arbitrary bytes.

use proptest::prelude::*;

/// Ethernet, IPv4 and TCP around `payload`, as the target for packets reads it.
fn framed(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet.extend([0x08, 0x00, 0x45, 0]);
    packet.extend((40 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([
        0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0,
    ]);
    packet.extend(payload);
    let mut bytes = (packet.len() as u16).to_be_bytes().to_vec();
    bytes.push(2);
    bytes.extend(packet);
    bytes
}

const HEADS: [&[u8]; 5] = [
    b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"\r\nFOO * HTTP/1.1\nA: b\n\n",
];

fn each_byte_changed(seed: &[u8], check: fn(&[u8])) {
    check(seed);
    for index in 0..seed.len() {
        check(&seed[..index]);
        for value in [0, b'\n', b' ', 0x7f, 0xff] {
            let mut bytes = seed.to_vec();
            bytes[index] = value;
            check(&bytes);
        }
    }
}

#[test]
fn head_seeds() {
    for head in HEADS {
        each_byte_changed(head, tapline_fuzz::head);
    }
}

const SECRETS: [&[u8]; 4] = [
    b"GET http://u:p@h/?token=a&%74oken%3Db%26c;d[pwd]=e#sig=f HTTP/1.1\r\nCookie: a\r\n b\r\n\r\n",
    b"CONNECT u:p@h:443 HTTP/1.1\r\nReferer: //u:p@h?to=%253Fjwt%253Dx\r\nHost: u@h\r\n\r\n",
    b"HTTP/1.1 302 ?token=a\r\nX-Request-Id: http://u:p@h?sid=1, //v@w\r\n\r\n",
    b"GET /?token=x;y;z=1 HTTP/1.0\n\n",
];

const LINES: [&[u8]; 4] = [
    b"192.0.2.7 - a [22/Nov/2026:03:29:04 +0000] \"GET /\\\"q\\\" HTTP/1.1\" 200 5 \"-\" \"x\" 5\n",
    b"{\"ts\":\"2026-11-01T00:00:00Z\",\"kind\":\"CQ\",\"src_ip\":\"::1\",\"method\":\"GET\",\"target\":\"/\\u00e4\"}",
    b"2019-09-01 14:16:51.002 10.0.0.1#5 10.0.0.2#80 CQ GET / HTTP/1.1 h a\\x09b",
    b"#Fields: date time c-ip cs-uri-stem sc-status\n2026-11-01 00:00:01 ::1 /x 200\n",
];

#[test]
fn line_seeds() {
    for line in LINES {
        each_byte_changed(line, tapline_fuzz::lines);
    }
}

#[test]
fn redact_seeds() {
    for head in HEADS.into_iter().chain(SECRETS) {
        each_byte_changed(head, tapline_fuzz::redact);
    }
}

#[test]
fn packet_seeds() {
    for head in HEADS {
        let mut two = framed(head);
        two.extend(framed(head));
        each_byte_changed(&two, tapline_fuzz::packet);
    }
}

proptest! {
    #[test]
    fn any_target(target in "[a-z%0-9&;=?#/@:\\[\\]]{0,80}", cut in 0..200_usize) {
        let mut head = format!("GET {target} HTTP/1.1\r\nReferer: {target}\r\nCookie: a\r\n\r\n");
        head.truncate(cut);
        tapline_fuzz::redact(head.as_bytes());
    }

    #[test]
    fn any_head(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        tapline_fuzz::head(&bytes);
    }

    #[test]
    fn any_packets(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        tapline_fuzz::packet(&bytes);
    }

    #[test]
    fn any_payload(payload in proptest::collection::vec(any::<u8>(), 0..300), head in 0..HEADS.len()) {
        let mut bytes = framed(&[HEADS[head], &payload].concat());
        bytes.extend(framed(&payload));
        tapline_fuzz::packet(&bytes);
    }
}
