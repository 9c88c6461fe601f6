//! Heads in, exchanges out.

mod flows;

use std::net::SocketAddr;

use agent_common::flow::{FlowRecord, flow_name, seen};

use super::*;
use crate::http::head::Fields;

const CLIENT: &str = "10.0.0.9:40000";
const SERVER: &str = "10.0.0.1:80";
const MILLISECOND: u64 = 1_000_000;
const FLOW_SLOT: u32 = 9;
/// Both sides sent a SYN.
const OPENED: u64 = seen::SYN | seen::ANSWER << seen::SIDE_SHIFT;

/// A connection whose heads go through a [`Pairing`].
struct Hand {
    pairing: Pairing,
    now_ns: u64,
    generation: u32,
    /// Stream positions of what client and server send next.
    next: [u64; 2],
    /// When each last sent something.
    last: [u64; 2],
    done: Vec<String>,
    /// Requests and responses so far.
    heads: [u64; 2],
    raw_fields: &'static [u8],
}

impl Hand {
    fn new() -> Self {
        let limits = Limits {
            open: 100,
            tick_ns: MILLISECOND,
            ..Limits::default()
        };
        Self {
            pairing: Pairing::new(7, limits),
            now_ns: 1_000 * MILLISECOND,
            generation: 1,
            next: [1 << 32; 2],
            last: [0; 2],
            done: Vec::new(),
            heads: [0; 2],
            raw_fields: b"",
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now_ns += milliseconds * MILLISECOND;
    }

    /// A head of `length` bytes; `body` bytes follow, of which `here` come in the same packet.
    fn head(
        &mut self,
        exchange: Option<u32>,
        start: StartLine<'_>,
        [length, body, here]: [u64; 3],
        told: bool,
    ) -> Part {
        let is_request = matches!(start, StartLine::Request { .. });
        let side = usize::from(!is_request);
        let ago = |then: u64| match then {
            0 => u16::MAX,
            then => ((self.now_ns - then) / MILLISECOND) as u16,
        };
        let position = self.next[side];
        let found = FoundHead {
            flow: flow_name(FLOW_SLOT, self.generation),
            time_ns: self.now_ns,
            end_time_ns: self.now_ns,
            exchange,
            expected: told.then_some(length + body),
            segment_end: position + length + here,
            peer_position: self.next[1 - side],
            last_ago: ago(self.last[side]),
            peer_ago: ago(self.last[1 - side]),
            source: [0; 16],
            source_port: 0,
            destination: [0; 16],
            destination_port: 0,
            ifindex: 1,
            cpu: side as u32,
            vlan: [0; 2],
            outgoing: false,
            slot: 5,
            generation: self.generation,
            side: side as u8,
            position,
            line: b"",
            start,
            minor_version: 1,
            fields: Fields::default(),
            raw_fields: b"",
            partial: false,
        };
        let mut ends: [SocketAddr; 2] = [CLIENT, SERVER].map(|text| text.parse().unwrap());
        if !is_request {
            ends.reverse();
        }
        let head = Head {
            time_ns: self.now_ns as i64,
            kind: if is_request {
                Kind::ClientQuery
            } else {
                Kind::ClientResponse
            },
            local: true,
            source: ends[0],
            destination: ends[1],
            cpu: found.cpu,
            interface: "",
            vlan: [0; 2],
            line: b"",
            start,
            minor_version: 1,
            fields: Fields::default(),
            raw_fields: self.raw_fields,
            session_id: None,
            exchange_id: None,
            latency_us: None,
            partial: false,
        };
        self.next[side] += length + here;
        self.last[side] = self.now_ns;
        let done = &mut self.done;
        self.heads[side] += 1;
        let part = self
            .pairing
            .head(&found, &head, &mut |record| done.push(say(record)));
        assert_eq!(
            part.session,
            Identifier::new(7, 1 << 63 | 5 << 32 | u64::from(self.generation))
        );
        let counts = self.check_counts();
        assert_eq!([counts.requests, counts.responses], self.heads);
        part
    }

    /// Whatever came in is in what went out, or still there.
    #[track_caller]
    fn check_counts(&self) -> PairingCounts {
        let counts = self.pairing.counts();
        let PairingCounts {
            requests,
            responses,
            answered,
            unanswered,
            orphans,
            interim,
            open_requests,
            open_responses,
        } = counts;
        assert_eq!(
            requests,
            answered + unanswered + open_requests,
            "{counts:?}"
        );
        assert_eq!(
            responses,
            answered + orphans + interim + open_responses,
            "{counts:?}"
        );
        let open = self.pairing.open() as u64;
        assert!(
            open_requests <= open && open_responses <= open,
            "{counts:?}"
        );
        counts
    }

    fn request(&mut self, number: u32, target: &str) -> Part {
        let start = StartLine::Request {
            method: b"GET",
            target: target.as_bytes(),
        };
        self.head(Some(number), start, [100, 0, 0], true)
    }

    fn response(&mut self, number: Option<u32>, status: u16, sizes: [u64; 3], told: bool) -> Part {
        let start = StartLine::Response {
            status,
            reason: b"",
        };
        self.head(number, start, sizes, told)
    }

    /// More of a body.
    fn body(&mut self, side: usize, bytes: u64) {
        self.next[side] += bytes;
        self.last[side] = self.now_ns;
    }

    /// The flow as it is now, with these bits.
    fn flow(&self, state: u64) -> FlowRecord {
        let end = |text: &str| {
            let end: SocketAddr = text.parse().unwrap();
            let SocketAddr::V4(end) = end else { panic!() };
            (end.ip().to_ipv6_mapped().octets(), end.port().to_be_bytes())
        };
        let (source, source_port_be) = end(CLIENT);
        let (destination, destination_port_be) = end(SERVER);
        FlowRecord {
            slot: FLOW_SLOT,
            generation: self.generation,
            source,
            source_port_be,
            destination,
            destination_port_be,
            last_ns: self.now_ns,
            payload: self.next.map(|next| next - (1 << 32)),
            state,
            ..FlowRecord::default()
        }
    }

    fn tell(&mut self, flow: &FlowRecord, settled: bool) {
        let done = &mut self.done;
        let now_ns = self.now_ns;
        self.pairing
            .flow(flow, now_ns, |_, _| !settled, &mut |record| {
                done.push(say(record))
            });
    }

    fn expire(&mut self) {
        let done = &mut self.done;
        self.pairing
            .expire(self.now_ns, &mut |record| done.push(say(record)));
    }

    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.done), expected);
    }

    #[track_caller]
    fn finish(&mut self, expected: &[&str]) {
        let done = &mut self.done;
        self.pairing.finish(&mut |record| done.push(say(record)));
        self.check(expected);
        assert_eq!(self.pairing.open(), 0);
        let counts = self.check_counts();
        assert_eq!((counts.open_requests, counts.open_responses), (0, 0));
    }
}

/// `outcome target status ttfb total request+response bytes`, times in milliseconds.
fn say(record: &ExchangeRecord<'_>) -> String {
    assert_eq!(record.role, Role::Server);
    assert_eq!(
        SocketAddr::new(record.src_ip, record.src_port),
        CLIENT.parse().unwrap()
    );
    assert_eq!(
        SocketAddr::new(record.dst_ip, record.dst_port),
        SERVER.parse().unwrap()
    );
    let number =
        |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let time = |value: Option<u64>| number(value.map(|value| value / 1000));
    format!(
        "{} {} {} {} {} {}+{}{}",
        record.outcome.name(),
        record.target.unwrap_or("-"),
        number(record.status.map(u64::from)),
        time(record.ttfb_us),
        time(record.total_us),
        number(record.request_bytes),
        number(record.response_bytes),
        match record.interim_status {
            Some(status) => format!(" after {status}"),
            None => String::new(),
        },
    )
}

#[test]
fn a_response_that_comes_whole_ends_its_exchange() {
    let mut hand = Hand::new();
    for number in 0..3 {
        let asked = hand.request(number, "/a");
        assert_eq!(asked.latency_us, None);
        hand.wait(7);
        let answered = hand.response(Some(number), 200, [50, 20, 20], true);
        assert_eq!(answered.exchange, asked.exchange);
        assert_eq!(answered.latency_us, Some(7_000));
        hand.check(&["complete /a 200 7 7 100+70"]);
        hand.wait(100);
    }
    hand.finish(&[]);
}

#[test]
fn the_end_of_a_longer_response_is_told_by_what_follows() {
    let mut hand = Hand::new();
    hand.request(0, "/long");
    hand.wait(3);
    hand.response(Some(0), 200, [50, 0, 0], false);
    hand.wait(20);
    hand.body(1, 9_000);
    hand.wait(500);
    hand.request(1, "/next");
    hand.wait(4);
    hand.check(&[]);
    hand.response(Some(1), 204, [30, 0, 0], true);
    hand.check(&[
        "complete /long 200 3 23 100+9050",
        "complete /next 204 4 4 100+30",
    ]);
}

#[test]
fn of_a_response_that_nothing_follows_the_end_is_not_told() {
    let mut hand = Hand::new();
    hand.request(0, "/last");
    hand.response(Some(0), 200, [50, 9_000, 0], true);
    hand.wait(9_999);
    hand.pairing
        .expire(hand.now_ns, &mut |_| panic!("too early"));
    hand.wait(1);
    let done = &mut hand.done;
    hand.pairing
        .expire(hand.now_ns, &mut |record| done.push(say(record)));
    hand.check(&["complete /last 200 0 - 100+-"]);
}

#[test]
fn pipelined_requests_get_their_own_answers() {
    let mut hand = Hand::new();
    for number in 0..3 {
        hand.request(number, &format!("/{number}"));
        hand.wait(1);
    }
    hand.wait(10);
    hand.response(Some(0), 200, [50, 5, 5], true);
    hand.wait(2);
    hand.response(Some(1), 200, [50, 0, 500], false);
    hand.wait(2);
    hand.response(Some(2), 200, [50, 5, 5], true);
    hand.check(&[
        "complete /0 200 13 13 100+55",
        "complete /1 200 14 14 100+550",
        "complete /2 200 15 15 100+55",
    ]);
}

#[test]
fn what_lacks_its_other_half_is_kept_and_said_to_lack_it() {
    let mut hand = Hand::new();
    hand.request(0, "/lost");
    hand.request(1, "/found");
    hand.response(Some(1), 200, [50, 0, 0], true);
    hand.check(&[
        "unanswered /lost - - - 100+-",
        "complete /found 200 0 0 100+50",
    ]);
    hand.response(None, 404, [60, 0, 0], true);
    hand.check(&["orphan - 404 - - -+60"]);
    hand.request(2, "/silence");
    hand.wait(300_000);
    let done = &mut hand.done;
    hand.pairing
        .expire(hand.now_ns, &mut |record| done.push(say(record)));
    hand.check(&["unanswered /silence - - - -+-"]);
    hand.finish(&[]);
}

#[test]
fn an_answer_may_be_read_before_its_request() {
    let mut hand = Hand::new();
    let answered = hand.response(Some(0), 200, [50, 0, 0], true);
    hand.check(&[]);
    let asked = hand.request(0, "/late");
    assert_eq!(answered.exchange, asked.exchange);
    hand.check(&["complete /late 200 0 0 -+50"]);
}

#[test]
fn interim_responses_belong_to_the_exchange() {
    let mut hand = Hand::new();
    hand.request(0, "/upload");
    hand.wait(1);
    hand.response(Some(0), 100, [25, 0, 0], true);
    hand.wait(1);
    hand.body(0, 4_000);
    hand.wait(1);
    hand.response(Some(0), 201, [50, 0, 0], true);
    hand.check(&["complete /upload 201 3 3 4100+75 after 100"]);
}

#[test]
fn behind_an_upgrade_nothing_is_counted() {
    let mut hand = Hand::new();
    hand.request(0, "/socket");
    hand.response(Some(0), 101, [80, 0, 0], false);
    hand.check(&["opaque /socket 101 0 - 100+-"]);
}

#[test]
fn another_connection_in_the_slot_ends_those_of_the_first() {
    let mut hand = Hand::new();
    hand.request(0, "/first");
    hand.generation = 2;
    hand.request(0, "/second");
    hand.check(&["unanswered /first - - - -+-"]);
}

#[test]
fn no_more_are_kept_than_the_limit_allows() {
    let mut hand = Hand::new();
    for number in 0..150 {
        hand.request(number, &format!("/{number}"));
    }
    assert_eq!(hand.pairing.open(), 100);
    assert_eq!(hand.done.len(), 50);
    assert_eq!(hand.done[0], "unanswered /0 - - - 100+-");
    let done = &mut hand.done;
    hand.pairing.finish(&mut |record| done.push(say(record)));
    assert_eq!(hand.done.len(), 150);
}

#[test]
fn what_becomes_of_heads_is_counted() {
    let mut hand = Hand::new();
    hand.request(0, "/answered");
    hand.response(Some(0), 100, [25, 0, 0], true);
    hand.response(Some(0), 103, [25, 0, 0], true);
    hand.response(Some(0), 200, [50, 0, 0], true);
    hand.request(1, "/unanswered");
    hand.request(2, "/opaque");
    hand.response(Some(2), 101, [50, 0, 0], false);
    hand.response(None, 404, [60, 0, 0], true);
    // Two of one number are two exchanges.
    hand.request(3, "/one");
    hand.request(3, "/two");
    hand.response(Some(3), 200, [50, 9, 0], true);
    hand.response(Some(3), 500, [50, 9, 0], true);
    let expected = PairingCounts {
        requests: 5,
        responses: 7,
        answered: 3,
        unanswered: 2,
        orphans: 1,
        interim: 2,
        open_requests: 0,
        open_responses: 1,
    };
    assert_eq!(hand.check_counts(), expected);
    // An interim response alone is no exchange.
    hand.response(Some(9), 100, [25, 0, 0], true);
    hand.done.clear();
    hand.finish(&["orphan - 500 - - -+-"]);
}

/// Heads in any order, with numbers that fit or do not: each is counted in exactly one place.
mod any_heads {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn are_all_accounted_for(
            steps in proptest::collection::vec((0..6_u8, proptest::option::of(0..4_u32), any::<bool>()), 0..60)
        ) {
            let mut hand = Hand::new();
            for (what, number, flag) in steps {
                match what {
                    0 => drop(hand.request(number.unwrap_or_default(), "/")),
                    1 => drop(hand.response(number, 200, [50, 10, 10 * u64::from(flag)], flag)),
                    2 => drop(hand.response(number, 103, [50, 0, 0], true)),
                    3 => {
                        let flow = hand.flow(OPENED | seen::ENDED);
                        hand.tell(&flow, flag);
                    }
                    4 => {
                        hand.wait(2_000);
                        hand.expire();
                    }
                    _ => hand.generation += u32::from(flag),
                }
                hand.check_counts();
            }
            let pairing = &mut hand.pairing;
            pairing.finish(&mut |_| ());
            let counts = hand.check_counts();
            prop_assert_eq!([counts.requests, counts.responses], hand.heads);
            prop_assert_eq!((counts.open_requests, counts.open_responses), (0, 0));
        }
    }
}

#[test]
fn fields_that_were_asked_for_are_those_of_the_request() {
    let check = |names: &[&str], raw: &'static [u8], expected: Option<&str>| {
        let mut hand = Hand::new();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        hand.pairing = Pairing::new(7, Limits::default()).with_headers(&names);
        hand.raw_fields = raw;
        hand.request(0, "/");
        let mut found = Vec::new();
        hand.pairing.finish(&mut |record| {
            found.push(record.headers.map(|headers| headers.get().to_owned()));
            // As it is sent and shown.
            let json = serde_json::to_value(record).unwrap();
            let headers = expected.map(|text| serde_json::from_str(text).unwrap());
            assert_eq!(json.get("headers").cloned(), headers);
        });
        assert_eq!(found, [expected.map(str::to_owned)]);
    };
    let raw = b"forwarded: for=a\r\nX-Other: 1\r\nFORWARDED: \"b\"\x01\xff\r\nX-Id:\r\n";
    check(&[], raw, None);
    check(&["X-Missing"], raw, None);
    check(
        &["X-Id", "Forwarded"],
        raw,
        Some(r#"{"X-Id":"","Forwarded":"for=a, \"b\"\u0001\\xff"}"#),
    );
}
