//! Frames that no server of ours sends: VLAN tags, tunnels, segments that come twice, in another
//! order, in pieces, or not at all. They are written by hand and arrive as on a mirror port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tapline_tests::support::{
    Conversation, Ended, Pair, RawSender, Tapline, Tunnel, counted, ethernet, within,
};

const HOOKS: [&str; 4] = [
    "--attach tc",
    "--attach socket",
    "--attach xdp --xdp-mode native",
    "--attach xdp --xdp-mode generic",
];

/// Sends frames into an interface that is captured with these flags; ends when all were counted.
fn capture(pair: &Pair, flags: &str, frames: &[Vec<u8>]) -> Ended {
    // Hosts talk on their own (neighbour discovery); only the conversation counts.
    let tapline = Tapline::start(&pair.server, &format!("-i server0 {flags}"));
    let sender = RawSender::open(&pair.client, Pair::CLIENT_INTERFACE);
    let received = || {
        let counts = pair
            .server
            .run("cat", &["/sys/class/net/server0/statistics/rx_packets"]);
        counts.trim().parse::<usize>().unwrap_or(0)
    };
    let before = received();
    for frame in frames {
        sender.send(frame);
    }
    within("the frames to arrive", || {
        (received() >= before + frames.len()).then_some(())
    });
    tapline.stop()
}

fn wrapped(tags: &[(u16, u16)], packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    packets
        .iter()
        .map(|packet| ethernet(tags, packet))
        .collect()
}

/// One exchange, packet by packet.
fn exchange(mut conversation: Conversation, name: &str) -> Vec<Vec<u8>> {
    let mut packets = conversation.open();
    packets.push(conversation.client(format!(
        "GET /{name} HTTP/1.1\r\nHost: {name}.example\r\n\r\n"
    )));
    packets.push(conversation.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    packets
}

#[test]
fn vlan_tags_are_looked_behind_and_named() {
    let pair = Pair::new();
    let six = |last| SocketAddr::new(IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, last]), 80);
    for flags in HOOKS {
        let mut frames = wrapped(&[], exchange(Conversation::example(1_000), "plain"));
        frames.extend(wrapped(
            &[(0x8100, 5)],
            exchange(Conversation::example(1_001), "one"),
        ));
        frames.extend(wrapped(
            &[(0x88a8, 100), (0x8100, 200)],
            exchange(Conversation::example(1_002), "two"),
        ));
        frames.extend(wrapped(
            &[(0x8100, 7), (0x8100, 4094)],
            exchange(Conversation::new(six(1), six(2)), "six"),
        ));
        let ended = capture(&pair, flags, &frames);
        let seen: Vec<String> = ended
            .heads
            .iter()
            .map(|head| format!("{} {}", head.summary(), head.0["vlan"]))
            .collect();
        let expected = [
            "CQ GET /plain null",
            "CR 200 null",
            "CQ GET /one [5]",
            "CR 200 [5]",
            "CQ GET /two [100,200]",
            "CR 200 [100,200]",
            "CQ GET /six [7,4094]",
            "CR 200 [7,4094]",
        ];
        assert_eq!(seen, expected, "{flags}");
    }
}

#[test]
fn tunnels_are_looked_into() {
    let pair = Pair::new();
    let four = (
        IpAddr::from([203, 0, 113, 1]),
        IpAddr::from([203, 0, 113, 2]),
    );
    let six = (
        IpAddr::from([0xfd78, 0, 0, 0, 0, 0, 0, 1]),
        IpAddr::from([0xfd78, 0, 0, 0, 0, 0, 0, 2]),
    );
    for flags in HOOKS {
        let mut frames = Vec::new();
        let mut expected = Vec::new();
        let mut port = 2_000;
        for tunnel in Tunnel::ALL {
            for (outer, outside) in [(four, "four"), (six, "six")] {
                for inside in ["four", "six"] {
                    port += 1;
                    let name = format!("{tunnel:?}-{inside}-in-{outside}");
                    let conversation = if inside == "four" {
                        Conversation::example(port)
                    } else {
                        let end = |last, port| {
                            SocketAddr::new(IpAddr::from([0xfd79, 0, 0, 0, 0, 0, 0, last]), port)
                        };
                        Conversation::new(end(1, port), end(2, 80))
                    };
                    let packets = exchange(conversation, &name);
                    let outer = packets
                        .iter()
                        .map(|packet| tunnel.wrap(outer.0, outer.1, packet));
                    frames.extend(wrapped(&[], outer.collect()));
                    expected.extend([format!("CQ GET /{name}"), "CR 200".to_owned()]);
                }
            }
        }
        let ended = capture(&pair, flags, &frames);
        assert_eq!(ended.summaries(), expected, "{flags}");
        assert!(
            ended
                .heads
                .iter()
                .all(|head| !head.text("src_ip").starts_with("203.")),
            "{flags}"
        );
    }
}

#[test]
fn the_first_fragment_of_a_tunnels_packet_is_looked_into() {
    /// Behind the outer header of the first fragment: the head is whole in it, its body is not.
    const KEPT: u16 = 400;
    let pair = Pair::new();
    let outer = [[203, 0, 113, 1], [203, 0, 113, 2]].map(IpAddr::from);
    for flags in HOOKS {
        let mut frames = Vec::new();
        let mut expected = Vec::new();
        for (port, tunnel) in (2_100..).zip(Tunnel::ALL) {
            let name = format!("{tunnel:?}");
            let mut conversation = Conversation::example(port);
            let mut packets = conversation.open();
            let body = "b".repeat(600);
            packets.push(conversation.client(format!(
                "POST /{name} HTTP/1.1\r\nHost: h\r\nContent-Length: 600\r\n\r\n{body}"
            )));
            packets.push(conversation.server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
            packets.push(conversation.client("GET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
            packets.push(conversation.server("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
            for packet in packets {
                let packet = tunnel.wrap(outer[0], outer[1], &packet);
                if packet.len() < 600 {
                    frames.push(packet);
                } else {
                    frames.extend(in_two(&packet, KEPT));
                }
            }
            expected.extend([
                format!("CQ POST /{name}"),
                "CR 200".to_owned(),
                "CQ GET /next".to_owned(),
                "CR 201".to_owned(),
            ]);
        }
        let ended = capture(&pair, flags, &wrapped(&[], frames));
        assert_eq!(ended.summaries(), expected, "{flags}");
        let fragments = Tunnel::ALL.len() as u64;
        assert_eq!(ended.count("ignored/fragment"), fragments, "{flags}");
    }
}

/// An IPv4 packet as two fragments, of which the first has `kept` bytes behind its header.
fn in_two(packet: &[u8], kept: u16) -> [Vec<u8>; 2] {
    let (header, inside) = packet.split_at(20);
    let (one, two) = inside.split_at(usize::from(kept));
    [(0x2000, one), (kept / 8, two)].map(|(field, inside)| {
        let mut piece = [header, inside].concat();
        let total = piece.len() as u16;
        piece[2..4].copy_from_slice(&total.to_be_bytes());
        piece[6..8].copy_from_slice(&u16::to_be_bytes(field));
        piece
    })
}

/// A pipelined conversation: (from the client, payload), in the order of the wire.
fn pieces() -> Vec<(bool, String)> {
    let get = |name: &str| {
        format!(
            "GET /{name} HTTP/1.1\r\nHost: h\r\nX-Pad: {}\r\n\r\n",
            "p".repeat(40)
        )
    };
    let ok = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    vec![
        (true, get("first")),
        (false, ok("1")),
        (true, get("second") + &get("third") + &get("fourth")),
        (false, ok("22") + &ok("GET /333 HTTP/1.1\r\n\r\n") + &ok("")),
        (true, get("fifth")),
        (false, ok("HTTP/1.1 200 OK\r\n\r\n")),
    ]
}

fn whole() -> Vec<&'static str> {
    vec![
        "CQ GET /first",
        "CR 200",
        "CQ GET /second",
        "CQ GET /third",
        "CQ GET /fourth",
        "CR 200",
        "CR 200",
        "CR 200",
        "CQ GET /fifth",
        "CR 200",
    ]
}

/// The conversation in segments of this length.
fn segments(port: u16, length: usize) -> Vec<Vec<u8>> {
    let mut conversation = Conversation::example(port);
    let mut packets = conversation.open();
    for (from_client, payload) in pieces() {
        for piece in payload.as_bytes().chunks(length) {
            packets.push(if from_client {
                conversation.client(piece)
            } else {
                conversation.server(piece)
            });
        }
    }
    wrapped(&[], packets)
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

#[test]
fn heads_are_the_same_however_they_are_split() {
    let pair = Pair::new();
    for (number, length) in [1, 2, 3, 7, 16, 17, 40, 64, 100, 1_400]
        .into_iter()
        .enumerate()
    {
        let flags = HOOKS[number % HOOKS.len()];
        let ended = capture(&pair, flags, &segments(3_000, length));
        assert_eq!(
            ended.summaries(),
            whole(),
            "{length} bytes a segment, {flags}"
        );
        assert!(
            ended
                .heads
                .iter()
                .all(|head| !head.is_request() || head.text("host") == "h")
        );
    }
}

#[test]
fn segments_that_come_twice_count_once() {
    let pair = Pair::new();
    for flags in HOOKS {
        for length in [30, 1_400] {
            let twice: Vec<Vec<u8>> = segments(3_100, length)
                .into_iter()
                .flat_map(|frame| [frame.clone(), frame])
                .collect();
            let ended = capture(&pair, flags, &twice);
            assert_eq!(ended.summaries(), whole(), "{flags}, {length}");
            assert!(
                ended.count("retransmitted") + ended.count("heads/copies") > 0,
                "{:#}",
                ended.ledger
            );
        }
        // All of it again, later.
        let mut again = segments(3_101, 50);
        again.extend(segments(3_101, 50).into_iter().skip(3));
        assert_eq!(
            capture(&pair, flags, &again).summaries(),
            whole(),
            "{flags}"
        );
    }
}

#[test]
fn segments_in_another_order_give_the_same_heads() {
    let pair = Pair::new();
    for (number, length) in [10, 33, 60, 120].into_iter().enumerate() {
        let flags = HOOKS[number % HOOKS.len()];
        let mut frames = segments(3_200, length);
        // Neighbours of one direction change places; the handshake stays in front. (An answer that
        // overtakes the end of its own request is another matter.)
        let source = |frame: &Vec<u8>| frame[26..30].to_vec();
        for two in frames[3..].chunks_mut(2) {
            if two.len() == 2 && source(&two[0]) == source(&two[1]) {
                two.reverse();
            }
        }
        let ended = capture(&pair, flags, &frames);
        let all = whole().into_iter().map(str::to_owned).collect();
        assert_eq!(
            sorted(ended.summaries()),
            sorted(all),
            "{length} bytes a segment, {flags}"
        );
        let requests: Vec<&str> = ended
            .heads
            .iter()
            .filter(|head| head.is_request())
            .map(|head| head.text("target"))
            .collect();
        assert_eq!(
            requests,
            ["/first", "/second", "/third", "/fourth", "/fifth"],
            "{length}, {flags}"
        );
    }
}

#[test]
fn what_a_lost_segment_leaves_is_marked_and_the_next_head_starts_afresh() {
    let pair = Pair::new();
    for flags in HOOKS {
        let mut conversation = Conversation::example(3_300);
        let mut packets = conversation.open();
        packets.push(conversation.client("GET /cut HTTP/1.1\r\nHost: cut.example\r\nX-Lo"));
        let _lost = conversation.client("st: yes\r\n\r\n");
        packets.push(conversation.server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        packets.push(conversation.client("GET /next HTTP/1.1\r\nHost: next.example\r\n\r\n"));
        packets.push(conversation.server("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"));
        let ended = capture(&pair, flags, &wrapped(&[], packets));
        let expected = ["CQ GET /cut partial", "CQ GET /next", "CR 200", "CR 201"];
        assert_eq!(sorted(ended.summaries()), expected, "{flags}");
        let cut = ended
            .heads
            .iter()
            .find(|head| head.text("target") == "/cut");
        assert_eq!(
            cut.map(|head| head.text("host")),
            Some("cut.example"),
            "{flags}"
        );
    }
}

#[test]
fn damaged_and_foreign_packets_are_counted_by_reason() {
    let pair = Pair::new();
    let good = Conversation::example(4_000).client("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let change = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        ethernet(&[], &packet)
    };
    let mut arp = ethernet(&[], &good);
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("not_ip", arp),
        ("bad_header", change(0, 0x35)),
        ("bad_header", change(0, 0x43)),
        ("bad_length", change(2, 0xff)),
        ("bad_header", change(20 + 12, 4 << 4)),
        ("fragment", change(7, 9)),
        ("protocol", change(9, 132)),
    ];
    // Cut in the middle of a header, and behind the headers.
    cases.push(("truncated", ethernet(&[], &good)[..14 + 10].to_vec()));
    cases.push(("bad_length", ethernet(&[], &good)[..14 + 45].to_vec()));
    let mut tls = Conversation::example(4_001);
    cases.push((
        "tls",
        ethernet(&[], &tls.client([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])),
    ));
    let mut two = Conversation::example(4_002);
    cases.push((
        "http2",
        ethernet(&[], &two.client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    ));
    // Counted once, with the piece that tells.
    let mut pieces = Conversation::example(4_003);
    let mut frames: Vec<Vec<u8>> = ["P", "RI * "]
        .map(|piece| ethernet(&[], &pieces.client(piece)))
        .into();
    cases.push((
        "http2",
        ethernet(&[], &pieces.client("HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    ));
    frames.extend(cases.iter().map(|(_, frame)| frame.clone()));
    for flags in HOOKS {
        let ended = capture(&pair, flags, &frames);
        assert!(ended.heads.is_empty(), "{flags}: {:?}", ended.summaries());
        for (reason, count) in counted(cases.iter().map(|(reason, _)| *reason)) {
            // The hosts say something of their own at times (neighbour discovery).
            let seen = ended.count(&format!("ignored/{reason}"));
            assert!(
                seen >= count as u64,
                "{flags}, {reason}: {:#}",
                ended.ledger["ignored"]
            );
        }
    }
    // The measure: the packet as it was gives a head.
    let ended = capture(&pair, "--attach tc", &[ethernet(&[], &good)]);
    assert_eq!(ended.summaries(), ["CQ GET /"]);
    assert_eq!(
        ended.heads[0].text("src_ip"),
        Ipv4Addr::new(192, 0, 2, 1).to_string()
    );
}
