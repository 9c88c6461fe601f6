//! A connection played by hand: heads, bodies and flows go in as they come, exchanges are said.

use std::net::SocketAddr;

use agent_common::flow::{FlowRecord, flow_name, seen};

use super::*;
use crate::http::head::Fields;

pub(super) const CLIENT: &str = "10.0.0.9:40000";
pub(super) const SERVER: &str = "10.0.0.1:80";
pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const FLOW_SLOT: u32 = 9;
/// Both sides sent a SYN.
pub(super) const OPENED: u64 = seen::SYN | seen::ANSWER << seen::SIDE_SHIFT;

/// A connection whose heads go through a [`Pairing`].
pub(super) struct Hand {
    pub(super) pairing: Pairing,
    pub(super) now_ns: u64,
    pub(super) generation: u32,
    /// Stream positions of what client and server send next.
    pub(super) next: [u64; 2],
    /// When each last sent something.
    pub(super) last: [u64; 2],
    pub(super) done: Vec<String>,
    /// Requests and responses so far.
    pub(super) heads: [u64; 2],
    pub(super) raw_fields: &'static [u8],
}

impl Hand {
    pub(super) fn new() -> Self {
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

    pub(super) fn wait(&mut self, milliseconds: u64) {
        self.now_ns += milliseconds * MILLISECOND;
    }

    /// A head of `length` bytes; `body` bytes follow, of which `here` come in the same packet.
    pub(super) fn head(
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
            minor_version: Some(1),
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
            minor_version: Some(1),
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
    pub(super) fn check_counts(&self) -> PairingCounts {
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

    pub(super) fn request(&mut self, number: u32, target: &str) -> Part {
        let start = StartLine::Request {
            method: b"GET",
            target: target.as_bytes(),
        };
        self.head(Some(number), start, [100, 0, 0], true)
    }

    pub(super) fn response(
        &mut self,
        number: Option<u32>,
        status: u16,
        sizes: [u64; 3],
        told: bool,
    ) -> Part {
        let start = StartLine::Response {
            status,
            reason: b"",
        };
        self.head(number, start, sizes, told)
    }

    /// More of a body.
    pub(super) fn body(&mut self, side: usize, bytes: u64) {
        self.next[side] += bytes;
        self.last[side] = self.now_ns;
    }

    /// The flow as it is now, with these bits.
    pub(super) fn flow(&self, state: u64) -> FlowRecord {
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

    pub(super) fn tell(&mut self, flow: &FlowRecord, settled: bool) {
        let done = &mut self.done;
        let now_ns = self.now_ns;
        self.pairing
            .flow(flow, now_ns, |_, _| !settled, &mut |record| {
                done.push(say(record))
            });
    }

    pub(super) fn expire(&mut self) {
        let done = &mut self.done;
        self.pairing
            .expire(self.now_ns, &mut |record| done.push(say(record)));
    }

    #[track_caller]
    pub(super) fn check(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.done), expected);
    }

    #[track_caller]
    pub(super) fn finish(&mut self, expected: &[&str]) {
        let done = &mut self.done;
        self.pairing.finish(&mut |record| done.push(say(record)));
        self.check(expected);
        assert_eq!(self.pairing.open(), 0);
        let counts = self.check_counts();
        assert_eq!((counts.open_requests, counts.open_responses), (0, 0));
    }
}

/// `outcome target status ttfb total request+response bytes`, times in milliseconds.
pub(super) fn say(record: &ExchangeRecord<'_>) -> String {
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
    ) + if record.partial { " partial" } else { "" }
}
