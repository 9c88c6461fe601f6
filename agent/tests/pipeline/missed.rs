//! Conversations of which heads were missed once, with what happened to their packets.

use super::*;
use wire::Mishap;

/// What happened to the packets of a connection, by their index; the handshake comes first, where there is one.
enum Fate<'a> {
    Suffer(&'a [Mishap]),
    /// Never seen.
    Lost(&'a [usize]),
}

fn get(method: &'static str, response: Body) -> Request {
    Request {
        method,
        body: Body::None,
        response,
    }
}

fn plain(method: &'static str, response: Body) -> Exchange {
    Exchange::Plain {
        request: get(method, response),
        padding: 0,
        bare: false,
        blank: false,
    }
}

fn of(conversation: Conversation, handshake: bool) -> Connection {
    Connection {
        conversation,
        dress: Dress::Ipv4,
        number: 0,
        initial: [7, u32::MAX - 100],
        handshake,
        fins: false,
        client_is_low: false,
    }
}

/// Every head that no lost packet touches is found, whole, once, and nothing else.
#[track_caller]
fn check(connection: &Connection, sizes: &[usize], fate: &Fate<'_>) {
    let mut segments = cut(connection, sizes);
    let mut lost = Vec::new();
    match fate {
        Fate::Suffer(mishaps) => {
            for mishap in *mishaps {
                suffer(connection, &mut segments, *mishap);
            }
        }
        Fate::Lost(indexes) => {
            for index in indexes.iter().rev() {
                lost.push(segments.remove(*index));
            }
        }
    }
    let mut observer = Observer::new(few_flows());
    for segment in &segments {
        observer.frame(&segment.frame, 1);
        if segment.frame.len() < 2000 {
            // What the reader has released is known before the next packet.
            observer.pass(1_000_000);
        }
    }
    let (got, _, _) = observer.finish();
    for side in [Side::Client, Side::Server] {
        let touched = |bytes: &std::ops::Range<usize>| {
            lost.iter().any(|segment| {
                let of_side = segment.side == side;
                of_side && segment.bytes.start < bytes.end && segment.bytes.end > bytes.start
            })
        };
        let heads = connection.conversation.heads.iter();
        let expected: Vec<_> = heads
            .filter(|head| head.side == side && !touched(&head.bytes))
            .map(|head| (head.line.clone(), head.fields.clone()))
            .collect();
        let source = connection.endpoint(side);
        let found: Vec<_> = got
            .iter()
            .filter(|head| head.source == source && !head.partial)
            .map(|head| (head.line.clone(), head.fields.clone()))
            .collect();
        assert_eq!(found, expected, "{side:?}");
    }
}

/// The head stands behind bytes of a chunked answer that come again with it.
#[test]
fn behind_what_came_before_in_a_late_packet() {
    let exchanges = [
        plain("GET", Body::Chunked(2)),
        plain("GET", Body::Length(500)),
        plain("GET", Body::None),
    ];
    let conversation = Conversation::new("c", &exchanges, End::Quiet, false);
    for by in [1, 5, 20] {
        // Handshake, request, answer, request; then the answer in pieces.
        let mishaps = [Mishap::Overlapping(6, by), Mishap::Late(6, 1)];
        let connection = of(conversation.clone(), true);
        check(
            &connection,
            &[1448, 1448, 1448, 60, 300],
            &Fate::Suffer(&mishaps),
        );
    }
}

/// Two requests in a packet that is lost; the first is a HEAD, whose answer tells of a length and has no body.
#[test]
fn behind_an_answer_to_a_request_that_is_lost() {
    let pipeline = vec![get("HEAD", Body::Length(3540)), get("GET", Body::None)];
    let exchanges = [
        plain("GET", Body::None),
        Exchange::Pipeline(pipeline),
        plain("GET", Body::Length(30)),
        plain("GET", Body::Length(30)),
    ];
    let conversation = Conversation::new("c", &exchanges, End::Quiet, false);
    check(&of(conversation, true), &[1448], &Fate::Lost(&[5]));
}

/// A second hole among what waits behind the first.
#[test]
fn behind_a_second_hole() {
    let exchanges = [
        Exchange::Pipeline(vec![get("GET", Body::None); 4]),
        plain("GET", Body::None),
        plain("HEAD", Body::Length(273)),
        plain("GET", Body::None),
        plain("GET", Body::Length(30)),
        plain("GET", Body::Length(30)),
    ];
    let conversation = Conversation::new("c", &exchanges, End::Quiet, false);
    // The handshake, then a packet a turn: the second and the eighth.
    check(&of(conversation, true), &[1448], &Fate::Lost(&[4, 10]));
}

/// The answer that ends HTTP comes while its request waits behind a hole.
#[test]
fn before_an_upgrade() {
    let exchanges = [
        Exchange::Pipeline(vec![get("GET", Body::None); 2]),
        plain("GET", Body::None),
    ];
    let conversation = Conversation::new("c", &exchanges, End::Upgrade, false);
    check(&of(conversation, false), &[1448], &Fate::Lost(&[1, 2]));
}

/// The first packets come in the wrong order; requests behind them have methods that nobody registered, or an
/// empty line before them.
#[test]
fn behind_a_late_first_packet() {
    for (blank, method) in [(true, "FROBNICATE"), (false, "FROBNICATE"), (true, "GET")] {
        let exchange = Exchange::Plain {
            request: get(method, Body::None),
            padding: 0,
            bare: false,
            blank,
        };
        let exchanges = vec![exchange; 4];
        let conversation = Conversation::new("c", &exchanges, End::Quiet, false);
        for size in [7, 30] {
            let connection = of(conversation.clone(), true);
            check(&connection, &[size], &Fate::Suffer(&[Mishap::Late(3, 1)]));
        }
    }
}

/// An upload in a pipeline is answered before its end, and the next request begins where it ends.
#[test]
fn behind_an_upload_that_was_answered_before_its_end() {
    let mut conversation = Conversation::default();
    conversation.turn(Side::Client);
    conversation.head("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    conversation.head("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n");
    conversation.say(&[b'x'; 1000]);
    conversation.turn(Side::Server);
    conversation.head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    conversation.head("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    conversation.turn(Side::Client);
    conversation.say(&[b'x'; 2000]);
    conversation.head("GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    conversation.turn(Side::Server);
    conversation.head("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    check(&of(conversation, true), &[60_000], &Fate::Suffer(&[]));
}

/// More than 64 KiB wait behind one late packet.
#[test]
fn behind_a_late_packet_with_a_window_in_flight() {
    let mut conversation = Conversation::default();
    let padding = "x".repeat(3000);
    for (side, line) in [
        (Side::Client, "GET / HTTP/1.1"),
        (Side::Server, "HTTP/1.1 200 OK"),
    ] {
        conversation.turn(side);
        for number in 0..60 {
            conversation.head(&format!(
                "{line}\r\nX: {number} {padding}\r\nContent-Length: 0\r\n\r\n"
            ));
        }
    }
    let connection = of(conversation, true);
    let count = cut(&connection, &[1448]).len();
    for late in [5, count / 2 + 5] {
        check(
            &connection,
            &[1448],
            &Fate::Suffer(&[Mishap::Late(late, 100)]),
        );
    }
}

/// Capture begins with the one answer that is due; its body begins as an answer does.
#[test]
fn behind_a_body_that_begins_as_an_answer_does() {
    for body in ["H", "HT", "HTTP/1.1 200 Fake\r\nContent-Length: 7\r\n\r\n"] {
        let mut conversation = Conversation::default();
        conversation.turn(Side::Server);
        conversation.head(&format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        conversation.say(body.as_bytes());
        let exchanges = [
            Exchange::NotModified,
            plain("GET", Body::Length(9)),
            Exchange::NotModified,
        ];
        for exchange in exchanges {
            conversation.exchange(&exchange, false);
        }
        for sizes in [&[1448][..], &[50, 1448]] {
            check(&of(conversation.clone(), false), sizes, &Fate::Suffer(&[]));
        }
    }
}
