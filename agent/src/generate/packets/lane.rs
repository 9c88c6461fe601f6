//! One connection or flow that is being made: its script, its segments, how its frames look, and what of it
//! is in the frames so far.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use super::frame::{Transport, Way, flags};
use super::script::{Filling, Script, Side};
use super::segment::{self, Segment};
use super::shape::{Shape, Writer};
use crate::generate::draw::{below, between, one};
use crate::generate::seed::Seed;

mod tell;

use self::tell::note;
pub(super) use self::tell::tell_live;

/// Exchanges of a connection at most: stamps of different connections differ.
pub const EXCHANGES_MAX: u32 = 100_000;

/// Stamps of a connection.
const STAMPS: u64 = 1 << 20;

/// Connections between the same two addresses.
const PORTS: u64 = 40_000;
/// The first port of clients.
const FIRST_PORT: u64 = 20_000;
/// Addresses of clients.
const CLIENTS: u64 = 32_000;

/// Servers with numbers below are on the side that [`LOCAL`] names; of the others the clients are.
const LOCAL_SERVERS: u16 = 8;

/// Networks that may be taken for local: then half of the connections come from a local client, the others go
/// to a local server.
pub const LOCAL: [&str; 4] = [
    "198.19.0.0/29",
    "198.18.128.0/17",
    "2001:2:0:2::/125",
    "2001:2:0:1:8000::/80",
];

/// Whether the address is in one of the [`LOCAL`] networks.
#[must_use]
pub fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [198, 19, 0, host] => u16::from(host) < LOCAL_SERVERS,
            [198, 18, high, _] => high >= 0x80,
            _ => false,
        },
        IpAddr::V6(address) => match address.segments() {
            [0x2001, 2, 0, 2, 0, 0, 0, host] => host < LOCAL_SERVERS,
            [0x2001, 2, 0, 1, mark, ..] => mark == 0x8000,
            _ => false,
        },
    }
}

/// Ports of servers.
const SERVER_PORTS: [u16; 6] = [80, 80, 8080, 3128, 8000, 5000];

/// One connection or flow.
#[derive(Debug)]
pub(super) struct Lane {
    shape: Shape,
    number: u64,
    kind: Transport,
    ends: [SocketAddr; 2],
    vlans: Vec<u16>,
    ways: [Way; 2],
    initial: [u32; 2],
    script: Script,
    segments: Vec<Segment>,
    /// The next segment.
    next: usize,
    target: String,
    counted: [Counted; 2],
    /// The stamp of the first exchange, where it does not come of the number.
    stamps_begin: Option<u64>,
    /// Whether the truth is wanted.
    notes: bool,
    /// By side: which bytes of its stream are in frames.
    covered: [Vec<bool>; 2],
    /// Of each head: the frames with its first byte and with its last one that was missing, and how many
    /// bytes are missing.
    marks: Vec<Mark>,
    /// Places of the heads of each side in the list of heads.
    heads: [Vec<usize>; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    packets: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    first: Option<u64>,
    last: Option<u64>,
    missing: usize,
    /// The frame with the first byte of the head itself.
    begins: Option<u64>,
}

/// What a lane is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) seed: Seed,
    /// The number of the connection in the run.
    pub(super) number: u64,
    pub(super) shape: Shape,
    /// Its number within the round of its shape.
    pub(super) index: u64,
    /// Exchanges of a connection that is kept.
    pub(super) exchanges: u32,
    /// Whether the truth is wanted.
    pub(super) notes: bool,
}

impl Lane {
    pub(super) fn new() -> Self {
        let nobody = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let way = Way::new(Transport::Tcp, nobody, nobody, &[], true);
        Self {
            shape: Shape::Plain,
            number: 0,
            kind: Transport::Tcp,
            ends: [nobody; 2],
            vlans: Vec::new(),
            ways: [way.clone(), way],
            initial: [0; 2],
            script: Script::default(),
            segments: Vec::new(),
            next: 0,
            target: String::new(),
            counted: [Counted::default(); 2],
            stamps_begin: None,
            notes: false,
            covered: [Vec::new(), Vec::new()],
            marks: Vec::new(),
            heads: [Vec::new(), Vec::new()],
        }
    }

    /// Begins another connection, in the memory of the one before.
    pub(super) fn begin(&mut self, order: &Order) {
        let mut stream = order.seed.stream("packets", order.number);
        let stream = &mut stream;
        self.shape = order.shape;
        self.number = order.number;
        self.notes = order.notes;
        self.kind = match order.shape {
            Shape::Udp => Transport::Udp,
            Shape::Icmp => Transport::Icmp,
            _ => Transport::Tcp,
        };
        self.dress(order, stream);
        self.script.clear();
        self.segments.clear();
        self.next = 0;
        self.counted = [Counted::default(); 2];
        if self.kind == Transport::Tcp {
            self.initial = [first_sequence(stream), first_sequence(stream)];
            let mut writer = Writer {
                script: &mut self.script,
                stream,
                stamp: order.number * STAMPS,
                index: order.index,
                exchanges: order.exchanges.min(EXCHANGES_MAX),
                target: std::mem::take(&mut self.target),
            };
            writer.write(order.shape);
            self.target = writer.target;
            let cut = order.shape.cut(order.index, stream);
            segment::cut(&self.script, cut, stream, &mut self.segments);
            segment::suffer(&mut self.segments, order.shape.mishaps(), stream);
        } else {
            self.datagrams(stream);
        }
        if self.notes {
            self.take_notes();
        }
    }

    /// Whether all its segments are frames.
    pub(super) fn is_done(&self) -> bool {
        self.next >= self.segments.len()
    }

    /// Appends the next frame, which will be frame `number` of its group. `false`: it is not seen.
    pub(super) fn frame(&mut self, number: u64, out: &mut Vec<u8>) -> bool {
        let Some(segment) = self.segments.get(self.next) else {
            return false;
        };
        self.next += 1;
        if segment.is_lost {
            return false;
        }
        let own = segment.side as usize;
        let way = &self.ways[own];
        let payload = self.script.streams[own]
            .get(segment.bytes.clone())
            .unwrap_or_default();
        match self.kind {
            Transport::Tcp => frame_of(segment, &self.script, &self.ways, self.initial, out),
            Transport::Udp => way.udp(payload, out),
            Transport::Icmp => {
                let request = segment.side == Side::Client;
                way.echo(
                    request,
                    self.number as u16,
                    segment.turn as u16,
                    payload,
                    out,
                );
            }
        }
        self.counted[own].packets += 1;
        self.counted[own].bytes += way.network_length(payload.len()) as u64;
        if self.notes && !segment.bytes.is_empty() {
            note(
                &self.script.heads,
                &self.heads[own],
                &mut self.covered[own],
                &mut self.marks,
                segment,
                number,
            );
        }
        true
    }

    /// Endpoints, tags, headers.
    fn dress(&mut self, order: &Order, stream: &mut ChaCha8Rng) {
        let is_ipv6 = match order.shape {
            Shape::Ipv6 => true,
            Shape::Icmp => !order.index.is_multiple_of(2),
            _ => below(stream, 5) == 0,
        };
        let port = (FIRST_PORT + order.number % PORTS) as u16;
        // Flows of ICMP have no ports: addresses of their own.
        let client = match self.kind {
            Transport::Icmp => 1 + order.number % CLIENTS,
            _ => 1 + order.number / PORTS % CLIENTS,
        };
        let server = between(stream, 1, 15) as u16;
        let marked = server >= LOCAL_SERVERS;
        let server_port = match self.kind {
            Transport::Udp => 53,
            _ => one(stream, &SERVER_PORTS).copied().unwrap_or(80),
        };
        // Networks for measurements (RFC 2544, RFC 5180): no host is there.
        let addresses: [IpAddr; 2] = match is_ipv6 {
            true => [
                Ipv6Addr::new(
                    0x2001,
                    2,
                    0,
                    1,
                    u16::from(marked) << 15,
                    0,
                    0,
                    client as u16,
                )
                .into(),
                Ipv6Addr::new(0x2001, 2, 0, 2, 0, 0, 0, server).into(),
            ],
            false => [
                Ipv4Addr::new(
                    198,
                    18,
                    (client >> 8) as u8 | u8::from(marked) << 7,
                    client as u8,
                )
                .into(),
                Ipv4Addr::new(198, 19, 0, server as u8).into(),
            ],
        };
        self.ends = [
            SocketAddr::new(addresses[0], port),
            SocketAddr::new(addresses[1], server_port),
        ];
        self.vlans.clear();
        if order.shape == Shape::Vlan {
            self.vlans.push(between(stream, 1, 4094) as u16);
            if !order.index.is_multiple_of(2) {
                self.vlans.push(between(stream, 1, 4094) as u16);
            }
        }
        let [client, server] = self.ends;
        self.ways = [
            Way::new(self.kind, client, server, &self.vlans, true),
            Way::new(self.kind, server, client, &self.vlans, false),
        ];
    }

    /// Both sides in turn, a segment a turn.
    fn datagrams(&mut self, stream: &mut ChaCha8Rng) {
        for turn in 0..between(stream, 1, 12) as usize {
            for side in [Side::Client, Side::Server] {
                self.script.turn(side);
                let begin = self.script.said(side);
                let length = between(stream, 1, 900) as usize;
                self.script.say(length, Filling::Heads);
                self.segments.push(Segment {
                    side,
                    bytes: begin..self.script.said(side),
                    flags: 0,
                    acknowledged: 0,
                    answers: false,
                    answers_end: false,
                    has_ended: false,
                    turn,
                    is_lost: false,
                });
            }
        }
    }
}

/// Appends the frame of a segment of a TCP connection whose sides begin with these sequence numbers.
pub(super) fn frame_of(
    segment: &Segment,
    script: &Script,
    ways: &[Way; 2],
    initial: [u32; 2],
    out: &mut Vec<u8>,
) {
    let (own, other) = (segment.side as usize, segment.side.other() as usize);
    let payload = script.streams[own]
        .get(segment.bytes.clone())
        .unwrap_or_default();
    let is_first = segment.flags & flags::SYN != 0;
    // SYN and FIN take a place each.
    let sequence = initial[own]
        .wrapping_add(u32::from(!is_first))
        .wrapping_add(segment.bytes.start as u32)
        .wrapping_add(u32::from(segment.has_ended));
    let acknowledged = match segment.answers {
        true => initial[other]
            .wrapping_add(1)
            .wrapping_add(segment.acknowledged as u32)
            .wrapping_add(u32::from(segment.answers_end)),
        false => 0,
    };
    ways[own].tcp(sequence, acknowledged, segment.flags, payload, out);
}

/// Any, and every eighth time one that wraps within the connection.
fn first_sequence(stream: &mut ChaCha8Rng) -> u32 {
    match below(stream, 8) {
        0 => u32::MAX - below(stream, 3000),
        _ => stream.next_u32(),
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    #[test]
    fn one_side_of_each_connection_is_local() {
        let nets: Vec<IpNet> = LOCAL.iter().map(|net| net.parse().unwrap()).collect();
        let mut lane = Lane::new();
        let mut by_client = 0;
        for number in 0..400 {
            lane.begin(&Order {
                seed: Seed(1),
                number: number * 3_000_001,
                shape: [Shape::Reset, Shape::Icmp][number as usize % 2],
                index: number / 2,
                exchanges: 1,
                notes: false,
            });
            let local = lane.ends.map(|end| {
                let is_in_net = nets.iter().any(|net| net.contains(&end.ip()));
                assert_eq!(is_local(end.ip()), is_in_net, "{end}");
                is_in_net
            });
            assert_ne!(local[0], local[1], "{:?}", lane.ends);
            by_client += usize::from(local[0]);
        }
        assert!((100..300).contains(&by_client), "{by_client}");
    }
}
