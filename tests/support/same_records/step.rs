//! What can happen in a made-up sequence.

use agent_common::frame::tcp_flags;
use proptest::prelude::*;

/// Room for the payload of a packet: the kernel takes a page with headers and its own notes.
const PAYLOAD_MAX: usize = 3_000;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A packet of a connection, cut to so many bytes if told.
    Packet {
        connection: u16,
        from_server: bool,
        payload: Vec<u8>,
        /// How far from where it belongs.
        shift: i32,
        flags: u8,
        cut: Option<usize>,
        /// A byte of the packet that is changed, and by what.
        lie: Option<(usize, u8)>,
    },
    /// A packet that is no TCP: UDP, or ICMP of the family of the connection.
    Other {
        connection: u16,
        from_server: bool,
        udp: bool,
        length: usize,
        /// Of ICMP: the type, if it is no question and its answer.
        kind: Option<u8>,
    },
    /// Bytes of no meaning.
    Noise(Vec<u8>),
    /// The reader is through with the connection of the last record.
    Release { opaque: bool, wrong: bool },
}

/// Any of them.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let shift = prop_oneof![
        8 => Just(0),
        1 => -40..0_i32,
        1 => 1..40_i32,
        1 => -4_000..4_000_i32,
    ];
    let flags = prop_oneof![
        12 => Just(tcp_flags::ACK),
        1 => Just(tcp_flags::SYN),
        1 => Just(tcp_flags::SYN | tcp_flags::ACK),
        1 => Just(tcp_flags::FIN | tcp_flags::ACK),
        1 => Just(tcp_flags::RST),
    ];
    let packet = (
        0..5_u16,
        any::<bool>(),
        payload(),
        shift,
        flags,
        prop::option::weighted(0.05, 0..200_usize),
        prop::option::weighted(0.05, (0..80_usize, any::<u8>())),
    )
        .prop_map(
            |(connection, from_server, payload, shift, flags, cut, lie)| Step::Packet {
                connection,
                from_server,
                payload,
                shift,
                flags,
                cut,
                lie,
            },
        );
    let other = (
        0..5_u16,
        any::<bool>(),
        any::<bool>(),
        0..200_usize,
        prop::option::weighted(0.2, any::<u8>()),
    )
        .prop_map(|(connection, from_server, udp, length, kind)| Step::Other {
            connection,
            from_server,
            udp,
            length,
            kind,
        });
    prop_oneof![
        20 => packet,
        4 => other,
        1 => prop::collection::vec(any::<u8>(), 14..200).prop_map(Step::Noise),
        2 => (any::<bool>(), any::<bool>())
            .prop_map(|(opaque, wrong)| Step::Release { opaque, wrong }),
    ]
}

/// What packets carry: whole messages, pieces of them, several at once, and what only looks like one.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\n\n",
        "HEAD /x HTTP/1.1\r\nHost: a\r\nAccept: \u{e9}\t\r\n\r\n",
        "\r\nGET /after-empty-line HTTP/1.1\r\n\r\n",
        "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n",
        "POST /f HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdeGET /next HTTP/1.1\r\n\r\n",
        "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n",
        "PUT /u HTTP/1.1\r\ncontent-length:99999999999999999999\r\n\r\n",
        "FROBNICATE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}",
        "",
    ]);
    let piece = (
        text,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(text, start, end)| {
            // Half of all are whole.
            let bytes = text.as_bytes();
            let (start, end) = (
                start.index(2 * bytes.len() + 2),
                end.index(2 * bytes.len() + 2),
            );
            let start = if start > bytes.len() { 0 } else { start };
            bytes[start..end.clamp(start, bytes.len())].to_vec()
        });
    let long_head = (0..PAYLOAD_MAX, any::<bool>()).prop_map(|(length, ends)| {
        let mut bytes = b"GET /long HTTP/1.1\r\nCookie: ".to_vec();
        bytes.resize(length.max(bytes.len()), b'c');
        if ends {
            bytes.extend(b"\r\n\r\n");
        }
        bytes
    });
    prop_oneof![
        10 => piece.clone(),
        3 => (piece.clone(), piece).prop_map(|(first, second)| [first, second].concat()),
        2 => long_head,
        1 => prop::collection::vec(any::<u8>(), 0..PAYLOAD_MAX),
        1 => (0..PAYLOAD_MAX).prop_map(|length| vec![b'a'; length]),
    ]
}
