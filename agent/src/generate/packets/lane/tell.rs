//! The truth about a lane: what of its heads stands in which frames, and what its messages, exchanges and
//! session are.

use std::net::SocketAddr;

use super::{Lane, Mark, STAMPS};
use crate::generate::packets::frame::{Transport, Way};
use crate::generate::packets::script::{Closing, Ends, SaidHead, Script, Side};
use crate::generate::packets::segment::Segment;
use crate::generate::packets::truth::{
    Exchange, ExchangeOutcome, Message, MessageSide, Seen, Session, Truth,
};

impl Lane {
    /// Begins anew to note what frames hold.
    pub(super) fn take_notes(&mut self) {
        for side in [Side::Client, Side::Server] {
            let covered = &mut self.covered[side as usize];
            covered.clear();
            covered.resize(self.script.said(side), false);
            let heads = &mut self.heads[side as usize];
            heads.clear();
            let of_side = self.script.heads.iter().enumerate();
            heads.extend(
                of_side
                    .filter(|(_, head)| head.side == side)
                    .map(|(place, _)| place),
            );
        }
        self.marks.clear();
        self.marks.extend(self.script.heads.iter().map(|head| Mark {
            first: None,
            last: None,
            missing: head.bytes.len(),
            begins: None,
        }));
    }

    /// What is to be told of it, once all its segments are frames. Frames are counted from that of the group.
    pub(in super::super) fn tell(&self, truth: &mut Vec<Truth>) {
        if self.kind == Transport::Tcp {
            let heads = self.script.heads.iter().zip(&self.marks);
            truth.extend(heads.map(|(head, mark)| Truth::Message(self.message(head, mark))));
            truth.extend((0..self.script.exchanges.len()).map(|index| self.exchange(index)));
        }
        truth.push(Truth::Session(self.session()));
    }

    fn stamp(&self, head: &SaidHead) -> u64 {
        let exchanges = &self.script.exchanges;
        let index = exchanges.partition_point(|exchange| (exchange.request as u64) < head.number);
        self.stamp_at(index)
    }

    fn stamp_at(&self, index: usize) -> u64 {
        self.stamps_begin.unwrap_or(self.number * STAMPS) + index as u64
    }

    fn message(&self, head: &SaidHead, mark: &Mark) -> Message {
        let bytes = self.script.bytes_of(head);
        let line = bytes
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let field = |name: &str| {
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::to_owned)
        };
        let seen = match mark.missing {
            0 => Seen::Whole,
            missing if missing == head.bytes.len() => Seen::Nothing,
            _ => Seen::Part,
        };
        let is_request = head.side == Side::Client;
        let mut words = line.split(' ').map(str::to_owned);
        let (method, target) = match is_request {
            true => (words.next(), words.next()),
            false => (None, None),
        };
        let [source, destination] = [
            self.ends[head.side as usize],
            self.ends[head.side.other() as usize],
        ];
        Message {
            shape: self.shape,
            connection: self.number,
            stamp: self.stamp(head),
            side: match is_request {
                true => MessageSide::Client,
                false => MessageSide::Server,
            },
            src_ip: source.ip(),
            src_port: source.port(),
            dst_ip: destination.ip(),
            dst_port: destination.port(),
            vlan: self.vlans.clone(),
            line,
            method,
            target,
            host: if is_request { field("Host: ") } else { None },
            status: head.status,
            content_type: if is_request {
                None
            } else {
                field("Content-Type: ")
            },
            head_bytes: head.bytes.len() as u64,
            seen,
            front_bytes: (seen == Seen::Part).then(|| {
                let covered = self.covered[head.side as usize].get(head.bytes.clone());
                let mut covered = covered.unwrap_or_default().iter();
                covered
                    .position(|covered| !covered)
                    .unwrap_or_else(|| head.bytes.len()) as u64
            }),
            first_frame: mark.first,
            last_frame: mark.last.filter(|_| mark.missing == 0),
            ts: None,
        }
    }

    fn exchange(&self, index: usize) -> Truth {
        let said = &self.script.exchanges[index];
        let head = |place: Option<usize>| place.and_then(|place| self.script.heads.get(place));
        let mark = |place: Option<usize>| place.and_then(|place| self.marks.get(place));
        let status = |place: Option<usize>| head(place).and_then(|head| head.status);
        let first_answer = head(said.first_answer).map_or(0, |head| head.bytes.start);
        let response_end = match said.ends {
            Ends::Opaque => head(said.response).map_or(0, |head| head.bytes.end),
            _ => said.response_end,
        };
        let begin = head(Some(said.request)).map_or(0, |head| head.bytes.start);
        let [client, server] = self.ends;
        Truth::Exchange(Exchange {
            shape: self.shape,
            connection: self.number,
            stamp: self.stamp_at(index),
            src_ip: client.ip(),
            src_port: client.port(),
            dst_ip: server.ip(),
            dst_port: server.port(),
            outcome: match said.ends {
                Ends::Complete => ExchangeOutcome::Complete,
                Ends::Unanswered => ExchangeOutcome::Unanswered,
                Ends::Opaque => ExchangeOutcome::Opaque,
            },
            status: status(said.response),
            interim_status: status(said.interim),
            request_bytes: (said.request_end - begin) as u64,
            response_bytes: said
                .response
                .map(|_| response_end.saturating_sub(first_answer) as u64),
            request_frame: mark(Some(said.request)).and_then(|mark| mark.last),
            response_frame: mark(said.response).and_then(|mark| mark.begins),
            ttfb_us: None,
            lossy: self.shape.loses(),
        })
    }

    fn session(&self) -> Session {
        let [client, server] = self.ends;
        let [out, into] = self.counted;
        let said = |side: Side| self.script.said(side) as u64;
        let [source, destination] = match (self.kind, client.is_ipv6()) {
            (Transport::Icmp, false) => [8, 0],
            (Transport::Icmp, true) => [128, 0],
            _ => [client.port(), server.port()],
        };
        Session {
            shape: self.shape,
            connection: self.number,
            protocol: match self.kind {
                Transport::Tcp => "TCP",
                Transport::Udp => "UDP",
                Transport::Icmp => "ICMP",
            }
            .to_owned(),
            src_ip: client.ip(),
            src_port: source,
            dst_ip: server.ip(),
            dst_port: destination,
            packets_out: out.packets,
            packets_in: into.packets,
            bytes_out: out.bytes,
            bytes_in: into.bytes,
            orig_bytes: said(Side::Client),
            resp_bytes: said(Side::Server),
            conn_state: match (self.kind, self.script.closing) {
                (Transport::Icmp, _) => "OTH",
                (Transport::Tcp, Closing::ResetByClient) => "RSTO",
                (Transport::Tcp, Closing::ResetByServer) => "RSTR",
                _ => "SF",
            }
            .to_owned(),
            http_requests: self.script.exchanges.len() as u64,
            lossy: self.shape.loses(),
        }
    }
}

/// What is to be told of a connection of client `number` between these ends, all of whose segments are
/// frames, numbered as they come.
pub(in super::super) fn tell_live(
    script: &Script,
    segments: &[Segment],
    ends: [SocketAddr; 2],
    number: u32,
    truth: &mut Vec<Truth>,
) {
    let mut lane = Lane::new();
    lane.number = number.into();
    lane.stamps_begin = Some(0);
    lane.ends = ends;
    let [client, server] = ends;
    lane.ways = [
        Way::new(Transport::Tcp, client, server, &[], true),
        Way::new(Transport::Tcp, server, client, &[], false),
    ];
    lane.script = script.clone();
    lane.segments = segments.to_vec();
    lane.notes = true;
    lane.take_notes();
    let mut frame = Vec::new();
    for number in 0.. {
        if lane.is_done() {
            break;
        }
        frame.clear();
        lane.frame(number, &mut frame);
    }
    lane.tell(truth);
}

/// Notes what a frame holds of the heads of its side.
pub(super) fn note(
    all: &[SaidHead],
    of_side: &[usize],
    covered: &mut [bool],
    marks: &mut [Mark],
    segment: &Segment,
    number: u64,
) {
    let bytes = &segment.bytes;
    let first = of_side.partition_point(|place| all[*place].bytes.end <= bytes.start);
    for place in &of_side[first..] {
        let (head, mark) = (&all[*place].bytes, &mut marks[*place]);
        if head.start >= bytes.end {
            break;
        }
        let common = head.start.max(bytes.start)..head.end.min(bytes.end);
        let fresh = covered[common.clone()]
            .iter()
            .filter(|covered| !**covered)
            .count();
        if fresh == 0 {
            continue;
        }
        if common.contains(&head.start) && !covered[head.start] {
            mark.begins = Some(number);
        }
        mark.first.get_or_insert(number);
        mark.last = Some(number);
        mark.missing -= fresh;
    }
    covered[bytes.clone()].fill(true);
}
