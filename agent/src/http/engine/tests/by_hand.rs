//! Single cases, each a few records made by hand.

use super::*;

/// One connection, driven by hand.
pub(super) struct Hand {
    pub(super) engine: Engine,
    pub(super) found: Found,
    pub(super) next: [u64; 2],
    pub(super) numbers: [u32; 2],
    pub(super) header: RecordHeader,
}

impl Hand {
    pub(super) fn new() -> Self {
        let header = RecordHeader {
            slot: 5,
            generation: 1,
            flags: flag::FROM_START,
            version: VERSION,
            ..RecordHeader::default()
        };
        Self {
            engine: engine(),
            found: Found::default(),
            next: [FIRST_POSITION; 2],
            numbers: [0; 2],
            header,
        }
    }

    /// A record with `bytes`, `skipped` bytes behind the last one of its side.
    pub(super) fn send(&mut self, side: u8, skipped: i64, bytes: &str, flags: u16) {
        self.send_of(side, skipped, bytes, 0, flags);
    }

    /// The same, of a packet that goes on with `behind` bytes that are not copied.
    pub(super) fn send_of(&mut self, side: u8, skipped: i64, bytes: &str, behind: u64, flags: u16) {
        let place = usize::from(side);
        self.numbers[place] += 1;
        self.header.position = self.next[place].checked_add_signed(skipped).unwrap();
        self.next[place] = self.header.position + bytes.len() as u64;
        self.header.time_ns += 1000;
        let header = RecordHeader {
            side,
            captured: bytes.len() as u32,
            direction_record: self.numbers[place],
            segment_end: self.next[place] + behind,
            flags: self.header.flags | flags,
            ..self.header
        };
        self.engine
            .record(&header, bytes.as_bytes(), &mut self.found);
        self.next[place] += behind;
        check_counts(self.engine.counts());
    }

    pub(super) fn start(&mut self, side: u8, skipped: i64, bytes: &str) {
        self.send(side, skipped, bytes, flag::START);
    }

    /// The start lines found, in the order they were handed out; partial ones end in an ellipsis.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(head, partial): &(Sent, bool)| {
            let text = String::from_utf8_lossy(&head.head).into_owned();
            let line = text.split('|').next().unwrap_or_default().to_owned();
            if *partial { format!("{line}…") } else { line }
        };
        self.found.heads.iter().map(line).collect()
    }

    #[track_caller]
    pub(super) fn check(&mut self, expected: &[&str]) {
        assert_eq!(self.lines(), expected);
        self.engine.finish(&mut self.found);
        check_counts(self.engine.counts());
        assert_eq!(self.lines(), expected, "nothing was held back");
        assert_eq!(self.engine.held_bytes(), 0);
    }
}

#[test]
fn a_head_of_16_kib_is_whole_and_a_longer_one_is_partial() {
    for (length, end) in [(HEAD_MAX, ""), (HEAD_MAX + 1, "…")] {
        let mut hand = Hand::new();
        let head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(length - 23));
        assert_eq!(head.len(), length);
        for (index, piece) in head.as_bytes().chunks(2048).enumerate() {
            let flags = if index == 0 { flag::START } else { 0 };
            hand.send(CLIENT, 0, std::str::from_utf8(piece).unwrap(), flags);
        }
        hand.start(CLIENT, 0, "GET /next HTTP/1.1\r\n\r\n");
        hand.check(&[&format!("GET / HTTP/1.1{end}"), "GET /next HTTP/1.1"]);
    }
}

#[test]
fn of_a_head_that_is_longer_than_wanted_the_beginning_is_written() {
    let fields = "Host: a.example\r\nUser-Agent: test\r\n\r\n";
    let head = format!("GET /one HTTP/1.1\r\n{fields}");
    for head_bytes in 1..=head.len() {
        let mut hand = Hand::new();
        hand.engine = Engine::new(Limits {
            head_bytes,
            ..Limits::default()
        });
        hand.start(CLIENT, 0, &head);
        hand.start(SERVER, 0, "HTTP/1.1 204\r\n\r\n");
        hand.start(CLIENT, 0, &head.replace("one", "two"));
        let counts = hand.engine.counts();
        assert_eq!(counts.heads, 3, "{head_bytes}");
        // Of less than the first byte of a target no line can be made: then the head stays whole.
        let is_cut = (5..head.len()).contains(&head_bytes);
        assert_eq!(hand.found.heads[0].1, is_cut, "{head_bytes}");
        if is_cut {
            let line = &head[..head_bytes.min(head.find('\r').unwrap())];
            assert_eq!(hand.lines()[0], format!("{line}…"), "{head_bytes}");
        }
    }
}

#[test]
fn a_head_that_the_connection_cuts_off_is_partial() {
    for flags in [flag::FIN, flag::RST] {
        let mut hand = Hand::new();
        hand.start(CLIENT, 0, "GET /cut HTTP/1.1\r\nHost: a\r\nUser-Ag");
        hand.send(CLIENT, 0, "", flags);
        hand.check(&["GET /cut HTTP/1.1…"]);
    }
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, "GET /ve");
    hand.send(CLIENT, 0, "ry-lo", flag::FIN);
    hand.check(&["GET /very-lo…"]);
    assert_eq!(hand.engine.counts().partial, 1);
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, "GET");
    hand.send(CLIENT, 0, "", flag::FIN);
    hand.check(&[]);
    assert_eq!(hand.engine.counts().look_alikes, 1);
}

#[test]
fn a_new_generation_ends_the_old_and_later_records_of_that_are_stale() {
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, "GET /old HTTP/1.1\r\n");
    let old = (hand.next, hand.numbers);
    (hand.next, hand.numbers, hand.header.generation) = ([FIRST_POSITION; 2], [0; 2], 2);
    hand.start(CLIENT, 0, GET);
    assert_eq!(hand.engine.connections(), 1);
    (hand.next, hand.numbers, hand.header.generation) = (old.0, old.1, 1);
    hand.start(CLIENT, 0, "\r\n");
    assert_eq!(hand.engine.counts().stale, 1);
    hand.check(&["GET /old HTTP/1.1…", "GET / HTTP/1.1"]);
}

#[test]
fn cut_packets_lose_what_is_behind_them() {
    let mut hand = Hand::new();
    hand.header.segment_end = 0;
    hand.start(CLIENT, 0, "GET /cut HTTP/1.1\r\nHost: a");
    // The record above ended where its packet did; this one does not.
    let mut header = hand.header;
    header.side = CLIENT;
    (header.position, header.direction_record) = (hand.next[0], 2);
    header.captured = 3;
    header.segment_end = header.position + 100;
    header.flags |= flag::CUT;
    hand.engine.record(&header, b"\r\nX", &mut hand.found);
    assert_eq!(hand.lines(), ["GET /cut HTTP/1.1…"]);
    hand.numbers[0] = 2;
    hand.start(CLIENT, 103, GET);
    hand.check(&["GET /cut HTTP/1.1…", "GET / HTTP/1.1"]);
}

#[test]
fn a_request_in_an_upload_is_told_by_its_response() {
    // The next request decides: it was body.
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, UPLOAD);
    hand.start(CLIENT, 500, "GET /in-body HTTP/1.1\r\n\r\n");
    hand.start(SERVER, 0, EMPTY);
    hand.start(CLIENT, 500, GET);
    hand.start(SERVER, 0, EMPTY);
    hand.check(&[
        "POST /up HTTP/1.1",
        "HTTP/1.1 200 OK",
        "GET / HTTP/1.1",
        "HTTP/1.1 200 OK",
    ]);
    assert_eq!(hand.engine.counts().look_alikes, 1);

    // A second response decides: it was a request.
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, UPLOAD);
    hand.start(CLIENT, 500, "GET /piped HTTP/1.1\r\n\r\n");
    hand.start(SERVER, 0, EMPTY);
    hand.start(SERVER, 0, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    let expected = [
        "POST /up HTTP/1.1",
        "HTTP/1.1 200 OK",
        "GET /piped HTTP/1.1",
        "HTTP/1.1 404 No",
    ];
    hand.check(&expected);

    // Nothing decides: body.
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, UPLOAD);
    hand.start(CLIENT, 500, "GET /in-body HTTP/1.1\r\n\r\n");
    hand.start(SERVER, 0, EMPTY);
    hand.check(&["POST /up HTTP/1.1", "HTTP/1.1 200 OK"]);
}

#[test]
fn a_response_behind_an_unframed_body_needs_a_request() {
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, GET);
    hand.start(SERVER, 0, CHUNKED);
    hand.start(SERVER, 900, "HTTP/1.1 200 Body\r\n\r\n");
    hand.start(SERVER, 900, "GET /body HTTP/1.1\r\n\r\n");
    hand.start(CLIENT, 0, "GET /2 HTTP/1.1\r\n\r\n");
    hand.start(SERVER, 900, EMPTY);
    hand.check(&[
        "GET / HTTP/1.1",
        "HTTP/1.1 200 OK",
        "GET /2 HTTP/1.1",
        "HTTP/1.1 200 OK",
    ]);
    assert_eq!(hand.engine.counts().look_alikes, 2);

    // The request was lost, which shows only with the next one.
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, GET);
    hand.start(SERVER, 0, CHUNKED);
    (hand.numbers[0], hand.next[0]) = (hand.numbers[0] + 1, hand.next[0] + 100);
    hand.start(
        SERVER,
        900,
        "HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    assert_eq!(hand.lines().len(), 2);
    hand.start(CLIENT, 0, "GET /3 HTTP/1.1\r\n\r\n");
    hand.start(SERVER, 900, EMPTY);
    let expected = [
        "GET / HTTP/1.1",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 201 Made",
        "GET /3 HTTP/1.1",
        "HTTP/1.1 200 OK",
    ];
    hand.check(&expected);
    assert_eq!(hand.engine.counts().lost_records, 1);
}

#[test]
fn what_was_read_before_is_a_copy() {
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, GET);
    hand.start(CLIENT, -(GET.len() as i64), GET);
    hand.start(SERVER, 0, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
    hand.start(SERVER, 100, EMPTY);
    hand.check(&["GET / HTTP/1.1", "HTTP/1.1 200 OK"]);
    assert_eq!(
        (
            hand.engine.counts().copies,
            hand.engine.counts().look_alikes
        ),
        (1, 1)
    );
}

#[test]
fn a_response_in_doubt_that_is_cut_is_partial() {
    for lost in [0, 1] {
        let mut hand = Hand::new();
        hand.start(CLIENT, 0, GET);
        hand.start(SERVER, 0, CHUNKED);
        // Whether its request was lost shows only with the next one.
        (hand.numbers[0], hand.next[0]) = (hand.numbers[0] + lost, hand.next[0] + 100);
        hand.start(SERVER, 900, "HTTP/1.1 201 Made\r\nServer: a");
        hand.send(SERVER, 0, "", flag::FIN);
        assert_eq!(hand.lines().len(), 2);
        hand.start(CLIENT, 0, "GET /3 HTTP/1.1\r\n\r\n");
        match lost {
            0 => hand.check(&["GET / HTTP/1.1", "HTTP/1.1 200 OK", "GET /3 HTTP/1.1"]),
            _ => hand.check(&[
                "GET / HTTP/1.1",
                "HTTP/1.1 200 OK",
                "HTTP/1.1 201 Made…",
                "GET /3 HTTP/1.1",
            ]),
        }
    }
}

#[test]
fn what_came_before_the_first_record_is_read_too() {
    let mut hand = Hand::new();
    hand.header.flags = 0;
    hand.send(CLIENT, 0, ": a\r\n\r\n", 0);
    hand.start(CLIENT, -7 - GET.len() as i64, GET);
    hand.start(CLIENT, 7, "GET /2 HTTP/1.1\r\n\r\n");
    hand.check(&["GET / HTTP/1.1", "GET /2 HTTP/1.1"]);
}

#[test]
fn idle_heads_and_connections_are_let_go() {
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, "GET /slow HTTP/1.1\r\n");
    hand.engine.expire(59_000_000_000, &mut hand.found);
    assert!(hand.lines().is_empty());
    hand.engine.expire(61_000_000_000, &mut hand.found);
    assert_eq!(hand.lines(), ["GET /slow HTTP/1.1…"]);
    assert_eq!(
        (hand.engine.held_bytes(), hand.engine.connections()),
        (0, 1)
    );
    hand.engine.expire(700_000_000_000, &mut hand.found);
    assert_eq!(hand.engine.connections(), 0);
    hand.start(CLIENT, 90, GET);
    assert_eq!(hand.engine.counts().lost_records, 0, "forgotten, not lost");
    hand.check(&["GET /slow HTTP/1.1…", "GET / HTTP/1.1"]);
}

#[test]
fn releases_a_connection_when_nothing_is_in_flight() {
    let mut hand = Hand::new();
    let all = flag::ALL;
    hand.send(CLIENT, 0, GET, all);
    hand.send(CLIENT, 0, GET, all);
    hand.send(SERVER, 0, EMPTY, all);
    hand.send(
        SERVER,
        0,
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        all,
    );
    assert!(hand.found.releases.is_empty(), "one byte is to come");
    hand.send(SERVER, 0, "c", all);
    assert_eq!(hand.found.releases, [(5, 1, 5, false)]);

    let mut hand = Hand::new();
    hand.start(CLIENT, 0, "CONNECT a:1 HTTP/1.1\r\n\r\n");
    hand.send(SERVER, 0, "HTTP/1.1 200 OK\r\n\r\n", all);
    assert_eq!(hand.found.releases, [(5, 1, 2, true)]);
    hand.send(CLIENT, 0, GET, all);
    hand.check(&["CONNECT a:1 HTTP/1.1", "HTTP/1.1 200 OK"]);
    assert_eq!(hand.engine.counts().look_alikes, 1);
}

#[test]
fn look_alikes_of_other_protocols_are_counted() {
    for text in [
        "OPTIONS rtsp://a RTSP/1.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /\r\n",
    ] {
        let mut hand = Hand::new();
        hand.start(CLIENT, 0, text);
        hand.start(CLIENT, 0, GET);
        hand.check(&["GET / HTTP/1.1"]);
        assert_eq!(hand.engine.counts().look_alikes, 1, "{text:?}");
    }
}

#[test]
fn other_protocols_are_not_copied_on_and_on() {
    let mut hand = Hand::new();
    hand.header.flags |= flag::ALL;
    hand.start(CLIENT, 0, "OPTIONS rtsp://a RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    hand.send(SERVER, 0, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n", 0);
    assert_eq!(hand.found.releases.len(), 2);
    // Half a start line may become one.
    hand.start(CLIENT, 0, "OPT");
    assert_eq!(hand.found.releases.len(), 2);
    hand.send(CLIENT, 0, "IONS rtsp://a RTSP/1.0\r\n\r\n", 0);
    assert_eq!(hand.found.releases.len(), 3);
    hand.start(CLIENT, 0, GET);
    assert_eq!(hand.found.releases.len(), 3);
    hand.check(&["GET / HTTP/1.1"]);
}

#[test]
fn records_that_cannot_be_are_refused() {
    let (mut engine, mut found) = (engine(), Found::default());
    let good = RecordHeader {
        version: VERSION,
        captured: 3,
        ..RecordHeader::default()
    };
    for header in [
        RecordHeader {
            version: VERSION + 1,
            ..good
        },
        RecordHeader { side: 2, ..good },
        RecordHeader {
            slot: u32::MAX,
            ..good
        },
        RecordHeader {
            captured: 4,
            ..good
        },
        RecordHeader {
            position: u64::MAX,
            ..good
        },
    ] {
        engine.record(&header, b"GET", &mut found);
    }
    assert_eq!(engine.counts().invalid, 5);
    assert_eq!(engine.connections(), 0);
}

/// A request in two records, of which the second is lost, and what comes before the loss is known.
fn cut_request(answers: &[&str]) -> Hand {
    let mut hand = Hand::new();
    hand.start(CLIENT, 0, "PUT / HTTP/1.1\r\nX: a");
    for answer in answers {
        hand.header.peer_position = hand.next[0];
        hand.start(SERVER, 0, answer);
    }
    hand.header.peer_position = hand.next[1];
    hand.numbers[0] += 1;
    hand.start(CLIENT, 30, GET);
    hand
}

#[test]
fn a_request_that_was_cut_is_answered_by_a_final_answer_only() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let mut hand = cut_request(&[answer]);
    hand.header.peer_position = hand.next[0];
    hand.start(SERVER, 0, answer);
    assert_eq!(hand.found.exchanges, [None, Some(0), Some(1), Some(1)]);
    let mut hand = cut_request(&["HTTP/1.1 100 Continue\r\n\r\n"]);
    hand.header.peer_position = hand.next[0];
    hand.start(SERVER, 0, &answer.repeat(2));
    assert_eq!(hand.found.exchanges.len(), 5);
    assert_eq!(hand.found.exchanges[3..], [Some(0), Some(1)]);
}
