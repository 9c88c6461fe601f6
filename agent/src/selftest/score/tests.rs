//! Every fault that a capture can have is made, and found.

use serde_json::json;

use super::*;
use crate::generate::packets::truth::MessageSide;

fn message(side: MessageSide, stamp: u64, seen: Seen) -> Truth {
    let (client, server) = ("198.18.0.1", "198.19.0.1");
    let is_request = side == MessageSide::Client;
    let (source, destination) = if is_request {
        (client, server)
    } else {
        (server, client)
    };
    let ports = if is_request {
        [20_000, 80]
    } else {
        [80, 20_000]
    };
    let target = format!("/a?stamp={stamp}");
    let told = json!({
        "what": "message", "shape": "plain", "connection": 0, "stamp": stamp, "side": side,
        "src_ip": source, "src_port": ports[0], "dst_ip": destination, "dst_port": ports[1],
        "line": if is_request { format!("GET {target} HTTP/1.1") } else { "HTTP/1.1 200 OK".to_owned() },
        "method": is_request.then_some("GET"), "target": is_request.then_some(target),
        "host": is_request.then(|| format!("{stamp}.test")), "status": (!is_request).then_some(200),
        "content_type": (!is_request).then(|| format!("text/plain; stamp={stamp}")),
        "head_bytes": 100, "seen": seen,
    });
    serde_json::from_value(told).unwrap()
}

fn head(told: &Truth, change: impl Fn(&mut FoundHead)) -> FoundHead {
    let Truth::Message(told) = told else { panic!() };
    let mut words = told.line.splitn(3, ' ').map(str::to_owned);
    let is_request = told.side == MessageSide::Client;
    let mut head = FoundHead {
        kind: if is_request { "CQ" } else { "CR" }.to_owned(),
        local: true,
        src_ip: Some(told.src_ip),
        src_port: told.src_port,
        dst_ip: Some(told.dst_ip),
        dst_port: told.dst_port,
        method: told.method.clone(),
        target: told.target.clone(),
        version: "HTTP/1.1".to_owned(),
        host: told.host.clone(),
        status: told.status,
        reason: words.nth(2).filter(|_| !is_request),
        content_type: told.content_type.clone(),
        ..FoundHead::default()
    };
    change(&mut head);
    head
}

/// Of one request and one response: sent, right, written, wrong, with the right letters.
fn check(change: impl Fn(&mut Vec<FoundHead>), expected: [u64; 5]) {
    let truth =
        [MessageSide::Client, MessageSide::Server].map(|side| message(side, 7, Seen::Whole));
    let mut found = Found {
        heads: truth.iter().map(|told| head(told, |_| {})).collect(),
        ..Found::default()
    };
    change(&mut found.heads);
    let scores = score(&truth, &found);
    let of = |count: fn(&Score) -> u64| scores.values().map(count).sum::<u64>();
    let counts = [
        of(|score| score.sent),
        of(|score| score.right),
        of(|score| score.written),
        of(|score| score.wrong),
        of(|score| score.roles_right),
    ];
    assert_eq!(counts, expected, "{scores:?}");
}

#[test]
fn every_fault_is_seen() {
    check(|_| {}, [2, 2, 2, 0, 2]);
    check(|heads| heads.truncate(1), [2, 1, 1, 0, 1]);
    check(|heads| heads.push(heads[0].clone()), [2, 2, 3, 1, 2]);
    check(
        |heads| heads[0].target = Some("/b?stamp=7".to_owned()),
        [2, 1, 2, 1, 1],
    );
    check(|heads| heads[0].host = None, [2, 1, 2, 1, 1]);
    check(
        |heads| heads[1].reason = Some("Ok".to_owned()),
        [2, 1, 2, 1, 1],
    );
    check(|heads| heads[1].partial = true, [2, 1, 2, 1, 1]);
    check(|heads| heads[1].vlan = vec![7], [2, 1, 2, 1, 1]);
    check(|heads| heads[0].kind = "SQ".to_owned(), [2, 2, 2, 0, 1]);
    check(|heads| heads[0].src_port = 9, [2, 1, 2, 1, 1]);
    check(|heads| heads[1].content_type = None, [2, 1, 2, 1, 1]);
}

#[test]
fn a_cut_head_whose_start_line_is_there_must_be_written() {
    let cut = |front: u64, written: bool, expected: [u64; 3]| {
        let mut told = message(MessageSide::Client, 7, Seen::Part);
        if let Truth::Message(message) = &mut told {
            message.front_bytes = Some(front);
        }
        let partial = head(&told, |head| (head.partial, head.host) = (true, None));
        let found = Found {
            heads: if written { vec![partial] } else { Vec::new() },
            ..Found::default()
        };
        let score = &score(&[told], &found)["plain"];
        assert_eq!(
            [score.cut_found, score.cut_missed, score.wrong],
            expected,
            "{front}"
        );
    };
    let line = 2 + match message(MessageSide::Client, 7, Seen::Part) {
        Truth::Message(message) => message.line.len() as u64,
        _ => 0,
    };
    cut(line, true, [1, 0, 0]);
    cut(line, false, [0, 1, 0]);
    cut(line - 1, false, [0, 0, 0]);
    cut(line - 1, true, [1, 0, 0]);
    // Nothing of its beginning was on the wire: whoever writes it has made it up.
    cut(0, true, [0, 0, 1]);
}

#[test]
fn what_is_left_of_a_cut_head_is_no_fault() {
    let truth = [
        message(MessageSide::Client, 71, Seen::Part),
        message(MessageSide::Client, 72, Seen::Part),
    ];
    let cut = |told: &Truth, target: &str| {
        head(told, |head| {
            head.partial = true;
            head.host = None;
            head.target = Some(target.to_owned());
        })
    };
    let check = |heads: Vec<FoundHead>, cut_found, wrong| {
        let found = Found {
            heads,
            ..Found::default()
        };
        let scores = score(&truth, &found);
        let score = &scores["plain"];
        assert_eq!(
            (score.cut, score.cut_found, score.wrong),
            (2, cut_found, wrong)
        );
    };
    check(vec![], 0, 0);
    // The first may be of either, the second only of one.
    check(
        vec![cut(&truth[1], "/a?stamp=7"), cut(&truth[0], "/a?stamp=71")],
        2,
        0,
    );
    check(
        vec![
            cut(&truth[0], "/a"),
            cut(&truth[0], "/a"),
            cut(&truth[0], "/a"),
        ],
        2,
        1,
    );
    check(vec![cut(&truth[0], "/b")], 0, 1);
}

#[test]
fn parts_and_times() {
    let score = Score {
        sent: 4,
        right: 3,
        written: 5,
        wrong: 1,
        off_us: (0..101).collect(),
        ..Score::default()
    };
    assert_eq!((score.recall(), score.precision()), (0.75, 0.8));
    assert_eq!((score.off(0.5), score.off(0.99)), (Some(50), Some(99)));
    let nothing = Score::default();
    assert_eq!(
        (nothing.recall(), nothing.precision(), nothing.off(0.5)),
        (1.0, 1.0, None)
    );
    let check = |target, host, stamp| assert_eq!(stamp_of(target, host), stamp);
    check(Some("/a?b&stamp=12;x"), None, Some(12));
    check(Some("*"), Some("13.test"), Some(13));
    check(Some("14.test:443"), None, Some(14));
    check(Some("/stamp"), Some("example.test"), None);
    check(None, None, None);
}

#[test]
fn what_is_stored_and_nobody_sent_is_seen() {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    let session = |protocol: &str, source: &str, destination: &str| FoundSession {
        protocol: protocol.to_owned(),
        source: end(source),
        destination: end(destination),
        packets: [1, 0],
        bytes: [60, 0],
        payload: [0, 0],
        conn_state: "S0".to_owned(),
        http_requests: 0,
    };
    let exchange = FoundExchange {
        source: end("198.18.0.1:1"),
        destination: end("198.19.0.1:80"),
        stamp: Some(7),
        outcome: "complete".to_owned(),
        status: Some(200),
        interim_status: None,
        request_bytes: None,
        response_bytes: None,
        ttfb_us: None,
        total_us: None,
    };
    let check = |sessions: Vec<FoundSession>, exchanges: Vec<FoundExchange>, strays| {
        let found = Found {
            sessions,
            exchanges,
            ..Found::default()
        };
        let scores = score(&[], &found);
        let count = scores.get(STRAY).map_or(0, |score| score.strays);
        assert_eq!(count, strays, "{scores:?}");
    };
    check(vec![], vec![], 0);
    check(
        vec![session("TCP", "198.18.0.1:1", "198.19.0.1:80")],
        vec![],
        1,
    );
    check(
        vec![session("ICMP", "[fe80::1]:135", "[ff02::2]:0")],
        vec![],
        0,
    );
    check(
        vec![session("UDP", "[fe80::1]:135", "[ff02::2]:0")],
        vec![],
        1,
    );
    check(vec![], vec![exchange.clone()], 1);
    check(
        vec![],
        vec![FoundExchange {
            stamp: None,
            ..exchange
        }],
        1,
    );
}
