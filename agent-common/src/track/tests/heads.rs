//! Heads that ordinary traffic has: one record each, or the pieces of one.

use super::*;

#[test]
fn ordinary_exchanges_are_one_record_a_head() {
    for known in [true, false] {
        let mut wire = if known {
            Wire::new()
        } else {
            Wire::from_the_middle()
        };
        for number in 0..5_u32 {
            let at = wire.next;
            let name = format!("exchange {number}");
            let request = wire.say(CLIENT, GET);
            check(&name, &request, &[(at[CLIENT], GET, WHOLE)]);
            assert_eq!(request[0].flags & flag::FROM_START != 0, known);
            assert_eq!(request[0].number, number + 1);
            let response = wire.say(SERVER, &[OK, b"GET /"].concat());
            check(&name, &response, &[(at[SERVER], OK, WHOLE)]);
            assert_eq!(response[0].number, number + 1);
        }
        assert_eq!(wire.escalated(), [0; 5]);
        let counters = wire.kernel.counters();
        assert_eq!((counters.records, counters.candidates), (10, 10));
        assert_eq!(counters.lost, [0; 5]);
    }
}

#[test]
fn the_way_out_of_the_host_is_told() {
    let mut wire = Wire::new();
    wire.outgoing = true;
    check(
        "out",
        &wire.say(CLIENT, GET),
        &[(0, GET, WHOLE | flag::OUTGOING)],
    );
}

/// Heads of all kinds, with who says them and whether something stands before.
fn kinds() -> Vec<(usize, Vec<u8>)> {
    let long = format!("GET /{:a>2100} HTTP/1.1\r\nHost: b\r\n\r\n", "");
    let borders = [PIECE_MAX - 1, PIECE_MAX, PIECE_MAX + 1];
    let mut kinds = vec![
        (CLIENT, GET.to_vec()),
        (CLIENT, b"HEAD / HTTP/1.1\r\nA: b\r\n\r\n".to_vec()),
        (
            CLIENT,
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        (CLIENT, CHUNKED.to_vec()),
        (CLIENT, b"FROBNICATE /x HTTP/1.1\r\nA: b\r\n\r\n".to_vec()),
        (CLIENT, b"get /x HTTP/1.1\r\nA: b\r\n\r\n".to_vec()),
        (CLIENT, b"\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n".to_vec()),
        (CLIENT, b"\nGET / HTTP/1.1\r\nA: b\r\n\r\n".to_vec()),
        (SERVER, OK.to_vec()),
        (SERVER, b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()),
        (SERVER, b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        (CLIENT, long.into_bytes()),
    ];
    for length in borders {
        let head = format!("GET /{:a>pad$} HTTP/1.1\r\n\r\n", "", pad = length - 18);
        assert_eq!(head.len(), length);
        kinds.push((CLIENT, head.into_bytes()));
    }
    kinds
}

fn wire_for(side: usize) -> Wire {
    let mut wire = Wire::new();
    if side == SERVER {
        wire.say(CLIENT, GET);
    }
    wire
}

#[test]
fn a_head_cut_in_two_anywhere_is_there_in_order_and_once() {
    for (side, head) in kinds() {
        for cut in 1..head.len() {
            let name = format!("{:?} cut at {cut}", head[..16].escape_ascii().to_string());
            let mut wire = wire_for(side);
            let mut records = wire.say(side, &head[..cut]);
            records.extend(wire.say(side, &head[cut..]));
            assert_eq!(joined(&name, &records), head, "{name}");
            assert_eq!(records[0].flags & flag::START, flag::START, "{name}");
            let escalated = wire.escalated() != [0; 5];
            let last = records[records.len() - 1].flags;
            assert!(escalated || last & flag::HEAD_END != 0, "{name}");
            assert_eq!(wire.lost(Lost::Cut), (0, 0), "{name}");
        }
    }
}

#[test]
fn a_head_in_segments_of_any_size_is_there_in_order_and_once() {
    for (side, head) in kinds() {
        for size in [1, 2, 3, 4, 5, 7, 16, 100, 2047, 2048] {
            let name = format!("{:?} by {size}", head[..16].escape_ascii().to_string());
            let mut wire = wire_for(side);
            let segments = head.chunks(size);
            let records: Vec<_> = segments.flat_map(|bytes| wire.say(side, bytes)).collect();
            assert_eq!(joined(&name, &records), head, "{name}");
        }
    }
}

#[test]
fn a_cut_head_of_a_request_without_body_escalates_nothing() {
    for cut in 1..GET.len() {
        let mut wire = Wire::new();
        wire.say(CLIENT, &GET[..cut]);
        wire.say(CLIENT, &GET[cut..]);
        let answer = wire.say(SERVER, &[OK, b"12345"].concat());
        // Fewer bytes than the method has may as well be one that has a body.
        let escalated = u64::from(cut < 4);
        assert_eq!(wire.escalated().iter().sum::<u64>(), escalated, "{cut}");
        assert!(answer[0].bytes.starts_with(OK), "{cut}");
    }
}

#[test]
fn a_lone_h_is_no_response_to_nothing() {
    let head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut wire = Wire::new();
    check(
        "H",
        &wire.say(CLIENT, &head[..1]),
        &[(0, b"H", flag::START)],
    );
    wire.say(CLIENT, &head[1..]);
    assert_eq!(wire.escalated()[Escalated::Interim as usize], 0);
    wire.say(SERVER, OK);
    let request = wire.say(CLIENT, GET);
    assert!(request[0].bytes.starts_with(GET));
}

#[test]
fn an_empty_line_before_a_request_is_not_its_end() {
    let all = flag::START | flag::ALL;
    // Where a line ends with a line feed alone, the reader looks for the body.
    for (blank, flags) in [("\r\n", WHOLE), ("\n", all)] {
        let head = [blank.as_bytes(), GET].concat();
        check(
            "blank",
            &Wire::new().say(CLIENT, &head),
            &[(0, &head, flags)],
        );
    }
    // Nothing that earlier packets left is taken for the beginning of an empty line.
    let mut wire = Wire::new();
    let cut = wire.say(CLIENT, b"\n");
    check("cut", &cut, &[(0, b"\n", flag::START)]);
    assert_eq!(wire.escalated(), [0; 5]);
}

#[test]
fn heads_of_bare_line_feeds_end_with_their_packet() {
    let mut wire = Wire::new();
    let head = b"GET / HTTP/1.1\nHost: a\n\n";
    check("GET", &wire.say(CLIENT, head), &[(0, head, flag::START)]);
    let answer = b"HTTP/1.1 200 OK\r\nA: b\n\r\n";
    check("OK", &wire.say(SERVER, answer), &[(0, answer, flag::START)]);
    assert_eq!(wire.say(SERVER, b"body"), []);
    assert_eq!(wire.escalated(), [0; 5]);
    // Whether a body follows is not read from such a head.
    let head = b"POST / HTTP/1.1\nHost: a\n\n";
    wire.say(CLIENT, head);
    assert_eq!(wire.escalated(), [0, 0, 1, 0, 0]);
    let at = wire.next[CLIENT];
    check("all", &wire.say(CLIENT, b"x"), &[(at, b"x", flag::ALL)]);
}

#[test]
fn a_body_that_looks_like_the_other_side_changes_no_role() {
    let mut wire = Wire::new();
    for _ in 0..3 {
        wire.say(CLIENT, GET);
        wire.say(SERVER, OK);
        for _ in 0..3 {
            let at = wire.next[SERVER];
            // The reader decides what it is.
            check("body", &wire.say(SERVER, GET), &[(at, GET, WHOLE)]);
        }
    }
    assert_eq!(wire.escalated(), [0; 5]);
}

#[test]
fn whatever_follows_a_body_of_known_length_is_a_start() {
    let odd = b"!odd / HTTP/1.1\r\n\r\n";
    let mut wire = Wire::new();
    check("first", &wire.say(CLIENT, odd), &[(0, odd, WHOLE)]);
    let mut wire = Wire::new();
    wire.say(CLIENT, POST);
    wire.say(CLIENT, &[b'x'; 60]);
    wire.say(SERVER, OK);
    let at = wire.next[CLIENT];
    check("odd", &wire.say(CLIENT, odd), &[(at, odd, WHOLE)]);
}

#[test]
fn a_head_in_a_large_packet_comes_in_pieces() {
    let head = format!("GET /{:a>9000} HTTP/1.1\r\n\r\n", "").into_bytes();
    let mut wire = Wire::new();
    let records = wire.say(CLIENT, &head);
    assert_eq!(joined("large", &records), head);
    let flags: Vec<u16> = records
        .iter()
        .map(|got| got.flags & !flag::FROM_START)
        .collect();
    let more = flag::MORE;
    assert_eq!(
        flags,
        [flag::START | more, more, more, more, flag::HEAD_END]
    );
    assert_eq!(wire.escalated(), [0; 5]);
}

#[test]
fn no_more_than_16_kib_of_a_head_are_copied() {
    for size in [1000, 1448, 2048, 9000, 60_000] {
        let endless = format!("GET {:/>60000}", "").into_bytes();
        let mut wire = Wire::new();
        let segments = endless.chunks(size);
        let records: Vec<_> = segments.flat_map(|bytes| wire.say(CLIENT, bytes)).collect();
        let copied = joined("endless", &records);
        assert!(endless.starts_with(&copied));
        assert!(copied.len() >= HEAD_MAX, "{size}: {}", copied.len());
        assert!(
            copied.len() < HEAD_MAX + PIECE_MAX,
            "{size}: {}",
            copied.len()
        );
        // Its end is not one of a head.
        assert_eq!(wire.say(CLIENT, b" HTTP/1.1\r\n\r\n"), []);
        // The answer is found all the same.
        let answer = wire.say(SERVER, OK);
        check("answer", &answer, &[(0, OK, WHOLE)]);
    }
}

#[test]
fn a_shorter_limit_holds() {
    let mut wire = Wire::new();
    wire.kernel.settings.head_max = 100;
    let head = format!("GET {:/>900} HTTP/1.1\r\n\r\n", "").into_bytes();
    let records: Vec<_> = head
        .chunks(60)
        .flat_map(|bytes| wire.say(CLIENT, bytes))
        .collect();
    assert_eq!(joined("limit", &records), &head[..120]);
}

#[test]
fn a_body_of_known_length_is_stepped_over_whatever_it_looks_like() {
    let fake = b"GET /fake HTTP/1.1\r\nHost: x\r\n\r\n";
    let body = [fake.as_slice(), b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 60]].concat();
    let body = &body[..60];
    // In the packet of the head, behind it, and in two with the border anywhere.
    for cut in 0..=body.len() {
        let name = format!("cut at {cut}");
        let mut wire = Wire::new();
        let request = wire.say(CLIENT, &[POST, &body[..cut]].concat());
        check(&name, &request, &[(0, POST, WHOLE)]);
        if cut < body.len() {
            assert_eq!(wire.say(CLIENT, &body[cut..]), [], "{name}");
        }
        check(&name, &wire.say(SERVER, OK), &[(0, OK, WHOLE)]);
        wire.say(SERVER, b"12345");
        let at = wire.next[CLIENT];
        check(&name, &wire.say(CLIENT, GET), &[(at, GET, WHOLE)]);
        assert_eq!(wire.escalated(), [0; 5], "{name}");
    }
}

#[test]
fn what_follows_a_body_in_its_packet_is_a_start() {
    let mut wire = Wire::new();
    let request = wire.say(CLIENT, POST);
    check("head", &request, &[(0, POST, WHOLE)]);
    let rest = [&[b'x'; 60], GET].concat();
    let next = wire.say(CLIENT, &rest);
    // It is the second request before an answer.
    check(
        "next",
        &next,
        &[(POST.len() + 60, GET, flag::START | flag::ALL)],
    );
    assert_eq!(wire.escalated()[Escalated::Pipelined as usize], 1);
}

#[test]
fn text_that_is_no_start_is_not_copied() {
    let mut wire = Wire::new();
    for text in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"\0\0\0\x01",
        b"220 ready\r\n",
    ] {
        assert_eq!(wire.say(CLIENT, text), []);
        assert_eq!(wire.say(SERVER, text), []);
    }
    assert_eq!(wire.kernel.counters().records, 0);
}

#[test]
fn filters_leave_out_before_anything_is_followed() {
    for (bits, counted) in [(filter::PORTS, 0), (filter::NETS, 0)] {
        let mut wire = Wire::from_the_middle();
        wire.kernel.settings.filters = bits;
        // Port 80 and every IPv4 address are wanted.
        assert_eq!(wire.say(CLIENT, GET).len(), 1);
        assert_eq!(wire.say(SERVER, OK).len(), 1);
        let ignored = wire.kernel.counters().ignored[Ignored::Filtered as usize];
        assert_eq!(ignored, counted);
    }
    let mut kernel = Kernel::new(1);
    kernel.settings.filters = filter::PORTS;
    let segment = frame::tcp([4000, 8080], 1, tcp::ACK, &[], GET);
    let packet = frame::ipv4([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), TCP, &segment);
    let mut packet = Memory::new(Link::Network(IPV4), &packet);
    packet.origin.segments = 3;
    assert_eq!(kernel.packet(&packet).len(), 0);
    let counters = kernel.counters();
    assert_eq!(counters.ignored[Ignored::Filtered as usize], 3);
    assert_eq!(counters.packets[0][0], 3);
    // The headers of a super-packet are repeated by its segments.
    assert_eq!(counters.bytes[0][0], GET.len() as u64 + 3 * 40);
    assert_eq!(counters.connections, 0);
}

#[test]
fn a_length_that_a_coding_overrides_hides_nothing() {
    // RFC 9112, section 6.3, rule 3: Transfer-Encoding overrides Content-Length.
    for fields in [
        "Content-Length: 9999\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 9999",
        "Content-Length: 0\r\nContent-Length: 9999",
        "Content-Length: 9999\r\nContent-Length: 0",
    ] {
        let mut wire = Wire::new();
        wire.say(
            CLIENT,
            format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes(),
        );
        wire.say(CLIENT, b"0\r\n\r\n");
        wire.say(SERVER, &[OK, b"12345"].concat());
        let next = wire.say(CLIENT, GET);
        assert!(
            next.iter().any(|got| got.bytes.ends_with(GET)),
            "{fields:?}"
        );
    }
}
