//! From conversations to frames: TCP segments, in real headers, with what happens to them on a way.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use agent_common::frame::{self, TcpSegment, tcp_flags};
use proptest::prelude::*;

use crate::conversation::{Conversation, Side};

/// How the packets of a connection look.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dress {
    Ipv4,
    Ipv6,
    Vlan,
    Vxlan,
}

/// A TCP connection that carries a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) conversation: Conversation,
    pub(crate) dress: Dress,
    /// Tells the connection from others.
    pub(crate) number: u16,
    /// First sequence numbers of client and server.
    pub(crate) initial: [u32; 2],
    /// With a handshake; else capture begins in the middle.
    pub(crate) handshake: bool,
    /// Both sides end their direction.
    pub(crate) fins: bool,
    /// The client's endpoint is the lower one.
    pub(crate) client_is_low: bool,
}

/// One packet of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) side: Side,
    /// Which bytes of the side's stream it carries.
    pub(crate) bytes: Range<usize>,
    pub(crate) flags: u8,
    pub(crate) frame: Vec<u8>,
    /// Number of the turn.
    pub(crate) turn: usize,
}

impl Connection {
    pub(crate) fn endpoint(&self, side: Side) -> SocketAddr {
        let low = (side == Side::Client) == self.client_is_low;
        let host = if low { 1 } else { 2 };
        let address = match self.dress {
            Dress::Ipv6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, host]),
            _ => IpAddr::from([10, 0, 0, host as u8]),
        };
        let port = match side {
            Side::Client => 20_000 + self.number,
            Side::Server => 80,
        };
        SocketAddr::new(address, port)
    }

    fn segment(
        &self,
        side: Side,
        turn: usize,
        bytes: Range<usize>,
        flags: u8,
        payload: &[u8],
    ) -> Segment {
        let other = match side {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        // A SYN takes one number before the first byte.
        let first = self.initial[side as usize];
        let before = if flags & tcp_flags::SYN != 0 { 0 } else { 1 };
        let segment = TcpSegment {
            source: self.endpoint(side),
            destination: self.endpoint(other),
            sequence: first.wrapping_add(before).wrapping_add(bytes.start as u32),
            flags,
            payload,
        };
        let (ethertype, packet) = segment.packet();
        let frame = match self.dress {
            Dress::Ipv4 | Dress::Ipv6 => frame::ethernet(ethertype, &packet),
            Dress::Vlan => frame::ethernet(frame::VLAN, &frame::vlan(7, ethertype, &packet)),
            Dress::Vxlan => {
                let inner = frame::vxlan(&frame::ethernet(ethertype, &packet));
                let datagram = frame::udp([50_000, 4789], &inner);
                let outer = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
                frame::ethernet(
                    frame::IPV4,
                    &frame::ipv4(outer.0, outer.1, frame::UDP, &datagram),
                )
            }
        };
        Segment {
            side,
            bytes,
            flags,
            frame,
            turn,
        }
    }

    /// A packet with these bytes of the stream of `side`.
    fn again(&self, side: Side, turn: usize, bytes: Range<usize>) -> Segment {
        let turns = self.conversation.turns.iter().filter(|(of, _)| *of == side);
        let stream: Vec<u8> = turns.flat_map(|(_, bytes)| bytes).copied().collect();
        let payload = &stream[bytes.clone()];
        self.segment(side, turn, bytes, tcp_flags::ACK, payload)
    }

    /// The packets when each turn is cut into pieces of the sizes that `size` gives.
    pub(crate) fn segments(&self, mut size: impl FnMut() -> usize) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut said = [0; 2];
        if self.handshake {
            let ack = tcp_flags::ACK;
            for (side, flags) in [
                (Side::Client, tcp_flags::SYN),
                (Side::Server, tcp_flags::SYN | ack),
                (Side::Client, ack),
            ] {
                segments.push(self.segment(side, 0, 0..0, flags, &[]));
            }
        }
        for (turn, (side, bytes)) in self.conversation.turns.iter().enumerate() {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let length = size().clamp(1, rest.len().min(60_000));
                let (payload, after) = rest.split_at(length);
                let begin = said[*side as usize];
                said[*side as usize] += length;
                segments.push(self.segment(
                    *side,
                    turn + 1,
                    begin..begin + length,
                    tcp_flags::ACK,
                    payload,
                ));
                rest = after;
            }
        }
        if self.fins {
            let turns = self.conversation.turns.len();
            for (turn, side) in [(turns + 1, Side::Client), (turns + 2, Side::Server)] {
                let end = said[side as usize];
                let flags = tcp_flags::FIN | tcp_flags::ACK;
                segments.push(self.segment(side, turn, end..end, flags, &[]));
            }
        }
        segments
    }
}

/// What may happen to a packet on its way, by its index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    /// Passed by so many packets of its turn.
    Late(usize, usize),
    /// Seen again after so many packets of the connection.
    Twice(usize, usize),
    /// Sent again together with those before and behind it, in one packet.
    Merged(usize),
    /// Begins with so many bytes of what was sent before it, of an earlier turn too.
    Overlapping(usize, usize),
}

pub(crate) fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (0_usize..1000, 1_usize..5).prop_map(|(at, by)| Mishap::Late(at, by)),
        (0_usize..1000, 0_usize..8).prop_map(|(at, by)| Mishap::Twice(at, by)),
        (0_usize..1000).prop_map(Mishap::Merged),
        (0_usize..1000, 1_usize..40).prop_map(|(at, by)| Mishap::Overlapping(at, by)),
    ]
}

/// Lets a mishap happen.
pub(crate) fn suffer(connection: &Connection, segments: &mut Vec<Segment>, mishap: Mishap) {
    let count = segments.len();
    match mishap {
        Mishap::Late(at, by) => {
            let at = at % count;
            let segment = segments[at].clone();
            if segment.flags & tcp_flags::SYN != 0 {
                return;
            }
            // The answer waits for all of a turn.
            let turn = segments[at..]
                .iter()
                .take_while(|other| other.turn == segment.turn)
                .count();
            segments.remove(at);
            segments.insert(at + by.min(turn - 1), segment);
        }
        Mishap::Twice(at, by) => {
            let at = at % count;
            let segment = segments[at].clone();
            // With its own number: that turn was over.
            segments.insert((at + 1 + by).min(count), segment);
        }
        Mishap::Merged(at) => {
            let at = at % count;
            let (side, turn) = (segments[at].side, segments[at].turn);
            let near = segments[..=at].iter().rev().take(3);
            let near: Vec<Range<usize>> = near
                .take_while(|other| (other.side, other.turn) == (side, turn))
                .map(|other| other.bytes.clone())
                .collect();
            let begin = near.iter().map(|bytes| bytes.start).min().unwrap_or(0);
            let end = near.iter().map(|bytes| bytes.end).max().unwrap_or(0);
            if begin == end || end - begin > 60_000 {
                return;
            }
            segments.insert(at + 1, connection.again(side, turn, begin..end));
        }
        Mishap::Overlapping(at, by) => {
            let segment = &mut segments[at % count];
            let Range { start, end } = segment.bytes;
            if start < end && end - start < 60_000 {
                *segment =
                    connection.again(segment.side, segment.turn, start.saturating_sub(by)..end);
            }
        }
    }
}

pub(crate) fn dress() -> impl Strategy<Value = Dress> {
    prop_oneof![
        3 => Just(Dress::Ipv4),
        2 => Just(Dress::Ipv6),
        1 => Just(Dress::Vlan),
        1 => Just(Dress::Vxlan),
    ]
}

/// First sequence numbers, some of which wrap soon.
pub(crate) fn initial() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), (u32::MAX - 3000)..=u32::MAX]
}
