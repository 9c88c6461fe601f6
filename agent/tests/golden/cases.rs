//! The captures: what happens in each of them.

mod uploads;

use std::io::Write as _;

use agent_common::frame::{self, tcp_flags};
use tapline::capture::pcap::LinkType;

use super::files::{pcap, pcapng};
use super::talk::{Packet, Talk};

/// One capture.
#[derive(Debug)]
pub(crate) struct Case {
    /// The name of its file; up to the first dot that of its logs.
    pub(crate) file: &'static str,
    pub(crate) bytes: Vec<u8>,
}

const WHOLE: usize = usize::MAX;

/// A request without a body.
fn get(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n"
    )
}

/// A response with a body of text.
fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Every capture.
pub(crate) fn all() -> Vec<Case> {
    let ethernet = |file, packets: &[Packet]| Case {
        file,
        bytes: pcap(LinkType::Ethernet, packets, WHOLE),
    };
    let linked = |file, link| Case {
        file,
        bytes: pcap(link, &both_families(), WHOLE),
    };
    vec![
        ethernet("keep-alive.pcap", &keep_alive()),
        ethernet("ipv6-vlan.pcap", &ipv6_vlan()),
        ethernet("pipelined.pcap", &pipelined()),
        ethernet("middle-of-a-pipeline.pcap", &middle_of_a_pipeline()),
        ethernet("one-byte-segments.pcap", &one_byte_segments()),
        ethernet("retransmitted-and-reordered.pcap", &reordered()),
        ethernet("loss-in-a-head.pcap", &loss()),
        ethernet("continue.pcap", &uploads::interim()),
        ethernet("refused-uploads.pcap", &uploads::refused()),
        ethernet("chunked-upload.pcap", &uploads::chunked()),
        ethernet("length-and-coding.pcap", &uploads::length_and_coding()),
        ethernet("connect.pcap", &connect()),
        ethernet("websocket.pcap", &websocket()),
        ethernet("proxy.pcap", &proxy()),
        ethernet("http10-until-close.pcap", &http10()),
        ethernet("control-characters.pcap", &control_characters()),
        ethernet("states.pcap", &states()),
        ethernet("tls-and-http2-beside.pcap", &beside()),
        Case {
            file: "cut-by-snaplen.pcap",
            // Ethernet, IPv4 and TCP are 54 bytes.
            bytes: pcap(LinkType::Ethernet, &cut(), 54 + 96),
        },
        linked("cooked.pcap", LinkType::LinuxCooked),
        Case {
            file: "cooked-vlan.pcap",
            bytes: pcap(LinkType::LinuxCooked, &tagged(), WHOLE),
        },
        linked("cooked-v2.pcap", LinkType::LinuxCookedV2),
        linked("raw-ip.pcap", LinkType::Raw),
        linked("nflog.pcap", LinkType::Nflog),
        linked("bsd-loopback.pcap", LinkType::Null),
        ethernet("tunnels.pcap", &tunnels()),
        Case {
            file: "interfaces.pcapng.gz",
            bytes: gzip(&pcapng(&both_families(), |index| index % 2 == 1)),
        },
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("a vector has room");
    encoder.finish().expect("a vector has room")
}

/// The state and history of each connection of `states.pcap`, by its source port from 50001 on.
pub(crate) const STATES: [(&str, &str); 13] = [
    ("S0", "S"),
    ("S1", "ShADd"),
    ("SF", "ShADdfF"),
    ("REJ", "Sr"),
    ("S2", "ShADdF"),
    ("S3", "ShADdf"),
    ("RSTO", "ShADdR"),
    ("RSTR", "ShADdr"),
    ("RSTOS0", "SR"),
    ("RSTRH", "^hr"),
    ("SH", "SF"),
    ("SHR", "^hf"),
    ("OTH", "Dd"),
];

/// A connection for each of [`STATES`].
fn states() -> Vec<Packet> {
    const CLIENT: usize = 0;
    const SERVER: usize = 1;
    const SYN: u8 = tcp_flags::SYN;
    const ACK: u8 = tcp_flags::ACK;
    const FIN: u8 = tcp_flags::FIN;
    const RST: u8 = tcp_flags::RST;
    let answered: &[(usize, u8)] = &[
        (CLIENT, SYN),
        (SERVER, SYN | ACK),
        (CLIENT, ACK),
        (CLIENT, 0),
        (SERVER, 0),
    ];
    let with = |more: &[(usize, u8)]| [answered, more].concat();
    let talks = [
        vec![(CLIENT, SYN)],
        with(&[]),
        with(&[(SERVER, FIN | ACK), (CLIENT, FIN | ACK)]),
        vec![(CLIENT, SYN), (SERVER, RST | ACK)],
        with(&[(CLIENT, FIN | ACK)]),
        with(&[(SERVER, FIN | ACK)]),
        with(&[(CLIENT, RST | ACK)]),
        with(&[(SERVER, RST | ACK)]),
        vec![(CLIENT, SYN), (CLIENT, RST)],
        vec![(SERVER, SYN | ACK), (SERVER, RST | ACK)],
        vec![(CLIENT, SYN), (CLIENT, FIN)],
        vec![(SERVER, SYN | ACK), (SERVER, FIN | ACK)],
        vec![(CLIENT, 0), (SERVER, 0)],
    ];
    let mut packets = Vec::new();
    for (number, segments) in talks.into_iter().enumerate() {
        let client = format!("192.0.2.7:{}", 50_001 + number);
        let mut talk = Talk::unheard(&client, "198.51.100.80:80");
        for (side, flags) in segments {
            match (side, flags) {
                (CLIENT, 0) => talk.client(get("/state")),
                (SERVER, 0) => talk.server(ok("told")),
                _ => talk.send(side, flags, b""),
            };
        }
        packets.append(&mut talk.packets);
    }
    packets
}

fn keep_alive() -> Vec<Packet> {
    Talk::usual()
        .client(get("/"))
        .server(ok("hello"))
        .client(
            "POST /orders?item=7 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
             Referer: http://shop.example.com/basket\r\nX-Request-Id: 7f3a\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
             Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"n\": 12}",
        )
        .server("HTTP/1.1 201 Created\r\nLocation: /orders/12\r\nContent-Length: 0\r\n\r\n")
        .client("HEAD /picture.png HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        .server("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 123456\r\n\r\n")
        .client("PURGE /cache HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        .server("HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 9\r\n\r\nnot found")
        .client("frobnicate /any HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        .server("HTTP/1.1 304 \r\n\r\n")
        .end()
}

fn ipv6_vlan() -> Vec<Packet> {
    let mut talk = Talk::new("[2001:db8::7]:50312", "[2001:db8::80]:8080");
    talk.client("GET /six HTTP/1.1\r\nHost: [2001:db8::80]:8080\r\nUser-Agent: curl/8.5.0\r\n\r\n");
    talk.server(ok("six"));
    talk.end()
        .into_iter()
        .map(|packet| Packet {
            ethertype: 0x88a8,
            bytes: frame::vlan(
                100,
                frame::VLAN,
                &frame::vlan(7, packet.ethertype, &packet.bytes),
            ),
            ..packet
        })
        .collect()
}

/// A tag that the kernel left in the packet, as it does for some drivers.
fn tagged() -> Vec<Packet> {
    let packets = Talk::usual()
        .client(get("/tagged"))
        .server(ok("tagged"))
        .end();
    packets
        .into_iter()
        .map(|packet| Packet {
            ethertype: frame::VLAN,
            bytes: frame::vlan(7, packet.ethertype, &packet.bytes),
            ..packet
        })
        .collect()
}

/// Puts a packet into another: its EtherType, and its bytes.
type Way<'a> = dyn Fn(&Packet) -> (u16, Vec<u8>) + 'a;

/// A connection each in VXLAN, in GRE with a key, in an IPv6 packet, and in two tunnels, of which the
/// second is not opened.
fn tunnels() -> Vec<Packet> {
    let outer = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let in4 = |protocol, inside: &[u8]| frame::ipv4(outer.0, outer.1, protocol, inside);
    let host = |host| [0x2001, 0xdb8, 0, 0, 0, 0, 0, host].into();
    let in_vxlan = |packet: &Packet| {
        let inside = frame::vxlan(&frame::ethernet(packet.ethertype, &packet.bytes));
        (
            frame::IPV4,
            in4(frame::UDP, &frame::udp([50_000, 4789], &inside)),
        )
    };
    let in_gre = |packet: &Packet| {
        let inside = frame::gre(0x20, packet.ethertype, &packet.bytes);
        (frame::IPV4, in4(47, &inside))
    };
    let in_ipv6 = |packet: &Packet| {
        let inside = frame::ipv6(host(1), host(2), 4, &packet.bytes);
        (frame::IPV6, inside)
    };
    let in_two = |packet: &Packet| (frame::IPV4, in4(4, &in4(4, &packet.bytes)));
    let ways: [(&str, &Way<'_>); 4] = [
        ("192.0.2.7:50001", &in_vxlan),
        ("192.0.2.7:50002", &in_gre),
        ("192.0.2.7:50003", &in_ipv6),
        ("192.0.2.7:50004", &in_two),
    ];
    let mut packets = Vec::new();
    for (client, way) in ways {
        let target = format!("/{}", &client[10..]);
        let mut talk = Talk::new(client, "198.51.100.80:80");
        talk.client(get(&target)).server(ok("tunnelled"));
        packets.extend(talk.end().into_iter().map(|packet| {
            let (ethertype, bytes) = way(&packet);
            Packet {
                ethertype,
                bytes,
                ..packet
            }
        }));
    }
    packets
}

fn pipelined() -> Vec<Packet> {
    let requests = [get("/first"), get("/second"), get("/third")].concat();
    let answers = [ok("one"), ok("two"), ok("three")].concat();
    let (begin, rest) = answers.split_at(100);
    Talk::usual()
        .client(requests)
        .server(begin)
        .server(rest)
        .client(get("/after"))
        .server(ok("four"))
        .end()
}

/// Five connections on which requests are outstanding when capture begins: three, answered in one packet; three,
/// answered across packets; one, as on nearly every connection; two, of which the first answer comes
/// behind a request that is seen, so that nobody can tell whose it is; and one likewise, whose chunked answer
/// has the next one behind it in its last packet.
fn middle_of_a_pipeline() -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut talk = |port: u16, outstanding: usize, go_on: &dyn Fn(&mut Talk)| {
        let mut talk = Talk::new(&format!("192.0.2.7:{port}"), "198.51.100.80:80");
        talk.client(get("/not-seen").repeat(outstanding));
        talk.packets.clear();
        go_on(&mut talk);
        packets.extend(talk.end());
    };
    talk(50_001, 3, &|talk| {
        talk.server([ok("one"), ok("two"), ok("three")].concat())
            .client(get("/after-three"))
            .server(ok("four"));
    });
    talk(50_002, 3, &|talk| {
        talk.server_by(100, [ok("one"), ok("two"), ok("three")].concat())
            .client([get("/first-of-two"), get("/second-of-two")].concat())
            .server([ok("four"), ok("five")].concat())
            .client(get("/after"))
            .server(ok("six"));
    });
    talk(50_003, 1, &|talk| {
        talk.server(ok("one"))
            .client(get("/after-one"))
            .server(ok("two"))
            .client(get("/next"))
            .server(ok("three"));
    });
    talk(50_004, 2, &|talk| {
        talk.client(get("/behind-two"))
            .server(ok("one"))
            .server([ok("two"), ok("three")].concat());
    });
    talk(50_005, 1, &|talk| {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        talk.client(get("/behind-one"))
            .server([chunked, "3\r\none\r\n"].concat())
            .server(["0\r\n\r\n", &ok("two")].concat())
            .client(get("/after"))
            .server(ok("three"));
    });
    packets
}

fn one_byte_segments() -> Vec<Packet> {
    Talk::usual()
        .client_by(1, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .server_by(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .client(get("/next"))
        .server(ok("next"))
        .end()
}

fn reordered() -> Vec<Packet> {
    let mut talk = Talk::usual();
    // Packets 3 to 5, and 6 to 8.
    talk.client_by(40, get("/reordered"));
    talk.server_by(40, ok("the body of the answer"));
    talk.client(get("/after")).server(ok("after"));
    talk.end();
    let packets = &talk.packets;
    let order = [0, 1, 2, 4, 3, 3, 5, 4, 6, 8, 7, 6, 9, 9, 10, 10, 11, 12];
    assert_eq!(packets.len(), 13);
    order.iter().map(|index| packets[*index].clone()).collect()
}

fn loss() -> Vec<Packet> {
    let mut talk = Talk::usual();
    talk.client(get("/before")).server(ok("before"));
    // Packets 5 to 7, of which the second never comes.
    talk.client_by(40, get("/the-rest-of-this-head-is-lost"));
    talk.server(ok("what was asked?"));
    talk.client(get("/after")).server(ok("after"));
    let mut packets = talk.end();
    packets.remove(6);
    // Longer than anything is waited for.
    packets[8].after_ns = 3_000_000_000;
    packets
}

fn connect() -> Vec<Packet> {
    Talk::usual()
        .client("CONNECT mail.example.com:25 HTTP/1.1\r\nHost: mail.example.com:25\r\nUser-Agent: corkscrew/2.0\r\n\r\n")
        .server("HTTP/1.1 200 Connection established\r\n\r\n")
        .server("220 mail.example.com ESMTP\r\n")
        .client(get("/inside-the-tunnel"))
        .server(ok("inside the tunnel"))
        .end()
}

fn websocket() -> Vec<Packet> {
    Talk::usual()
        .client(
            "GET /chat HTTP/1.1\r\nHost: www.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .server(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )
        .client(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
        .server(get("/not-a-request"))
        .client(ok("not a response"))
        .end()
}

fn proxy() -> Vec<Packet> {
    Talk::new("192.0.2.7:50312", "198.51.100.80:3128")
        .client("GET http://www.example.com:8080/a/b?c=d HTTP/1.1\r\nHost: www.example.com:8080\r\nProxy-Connection: keep-alive\r\n\r\n")
        .server(ok("fetched"))
        .client("OPTIONS * HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\n\r\n")
        .server("HTTP/1.1 204 No Content\r\nAllow: GET, HEAD\r\n\r\n")
        .end()
}

fn http10() -> Vec<Packet> {
    Talk::usual()
        .client("GET /old HTTP/1.0\r\n\r\n")
        .server("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        .server("a body that ends with the connection\r\n")
        .server("HTTP/1.1 500 at the head of a segment\r\nContent-Length: 0\r\n\r\n")
        .server("GET /as-well HTTP/1.1\r\n\r\n")
        .end()
}

fn control_characters() -> Vec<Packet> {
    let target = "/caf\u{e9}/\u{202e}txt.exe";
    let begin = format!(
        "GET {target} HTTP/1.1\r\nHost: evil.example\r\nUser-Agent: \x1b[2J\u{7f}a\tb\\x41 "
    );
    let rest = b"\xff\xfe \xc3\x28 \xe2\x80\xa8 2026-03-14 15:09:26.535 forged\r\nX-Request-Id: \"quoted\\\"\x08\r\n\r\n";
    Talk::usual()
        .client([begin.as_bytes(), rest].concat())
        .server(b"HTTP/1.1 200 O\xf0K \x1b]0;title\x07\r\nContent-Type: text/\x01html\r\nContent-Length: 0x10\r\n\r\n")
        .end()
}

fn beside() -> Vec<Packet> {
    let mut packets = Talk::new("192.0.2.7:50001", "198.51.100.80:443")
        .client(
            b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03GET / HTTP/1.1\r\nHost: hidden\r\n\r\n",
        )
        .server(b"\x16\x03\x03\x00\x2f\x02\x00\x00\x2b\x03\x03")
        .client(get("/looks-like-a-head-in-tls"))
        .end();
    packets.extend(
        Talk::new("192.0.2.7:50002", "198.51.100.80:80")
            .client(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            .server(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
            .end(),
    );
    packets.extend(
        Talk::usual()
            .client(get("/clear"))
            .server(ok("clear"))
            .end(),
    );
    packets
}

fn cut() -> Vec<Packet> {
    // Longer than what is kept of a packet; the answer is not.
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    Talk::usual()
        .client(format!("GET /long HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n"))
        .server("HTTP/1.1 204 No Content\r\n\r\n")
        .client("GET /short HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
        .server("HTTP/1.1 204 No Content\r\n\r\n")
        .end()
}

/// A connection over IPv4 and one over IPv6, packet by packet.
fn both_families() -> Vec<Packet> {
    let four = Talk::usual().client(get("/four")).server(ok("four")).end();
    let six = Talk::new("[2001:db8::7]:50400", "[2001:db8::80]:80")
        .client(get("/six"))
        .server(ok("six"))
        .end();
    four.into_iter()
        .zip(six)
        .flat_map(|(four, six)| [four, six])
        .collect()
}
