//! A step becomes a packet as a kernel program sees it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use agent_common::frame::{self, TcpSegment, tcp_flags};

use super::super::kernel::Program;
use super::step::Step;

/// Makes the packets of one sequence.
pub(super) struct Packets {
    program: Program,
    /// Its number, so that no other has had its connections.
    sequence: u16,
    /// By connection and direction: the number of the next byte.
    next: HashMap<(u16, bool), u32>,
}

impl Packets {
    pub(super) fn new(program: Program, sequence: u16) -> Self {
        Self {
            program,
            sequence,
            next: HashMap::new(),
        }
    }

    /// The EtherType and the packet; `None` for what is none.
    pub(super) fn of(&mut self, step: &Step) -> Option<(u16, Vec<u8>)> {
        match step {
            Step::Packet { .. } => Some(self.packet(step)),
            Step::Other { .. } => Some(self.other(step)),
            Step::Noise(bytes) => Some((frame::IPV4, bytes.clone())),
            Step::Release { .. } => None,
        }
    }

    /// Builds a packet of a connection.
    fn packet(&mut self, step: &Step) -> (u16, Vec<u8>) {
        let Step::Packet {
            connection,
            from_server,
            payload,
            shift,
            flags,
            cut,
            lie,
        } = step
        else {
            return (0, Vec::new());
        };
        let next = self
            .next
            .entry((*connection, *from_server))
            .or_insert(u32::MAX - 100);
        let sequence = next.wrapping_add_signed(*shift);
        *next = sequence.wrapping_add(payload.len() as u32);
        if flags & (tcp_flags::SYN | tcp_flags::FIN) != 0 {
            *next = next.wrapping_add(1);
        }
        let (client, server) = endpoints(*connection, self.sequence);
        let (source, destination) = if *from_server {
            (server, client)
        } else {
            (client, server)
        };
        let segment = TcpSegment {
            source,
            destination,
            sequence,
            flags: *flags,
            payload,
        };
        let (ethertype, packet) = segment.packet();
        let (ethertype, mut packet) = if self.program.takes_network_packets() {
            (ethertype, packet)
        } else {
            (frame::IPV4, dressed(*connection, ethertype, &packet))
        };
        if let Some((index, byte)) = lie
            && let Some(changed) = packet.get_mut(*index)
        {
            *changed ^= byte;
        }
        if let Some(length) = cut {
            packet.truncate((*length).max(14));
        }
        (ethertype, packet)
    }

    /// Builds a packet that is no TCP.
    fn other(&self, step: &Step) -> (u16, Vec<u8>) {
        let Step::Other {
            connection,
            from_server,
            udp,
            length,
            kind,
        } = step
        else {
            return (0, Vec::new());
        };
        let (client, server) = endpoints(*connection, self.sequence);
        let (source, destination) = if *from_server {
            (server, client)
        } else {
            (client, server)
        };
        let bytes = vec![b'u'; *length];
        let inside = if *udp {
            frame::udp([source.port(), destination.port()], &bytes)
        } else {
            let six = client.is_ipv6();
            let kind = kind.unwrap_or(match (six, from_server) {
                (false, false) => 8,
                (false, true) => 0,
                (true, false) => 128,
                (true, true) => 129,
            });
            [&[kind, 0, 0, 0, 1, 2, 0, 1][..], &bytes].concat()
        };
        let (ethertype, packet) = match (source.ip(), destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let protocol = if *udp { frame::UDP } else { 1 };
                let packet = frame::ipv4(source, destination, protocol, &inside);
                (frame::IPV4, packet)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let protocol = if *udp { frame::UDP } else { 58 };
                let packet = frame::ipv6(source, destination, protocol, &inside);
                (frame::IPV6, packet)
            }
            _ => unreachable!("both ends are of one family"),
        };
        if self.program.takes_network_packets() {
            (ethertype, packet)
        } else {
            (frame::IPV4, dressed(*connection, ethertype, &packet))
        }
    }
}

/// The endpoints of a connection, by its dress. Those of network packets have the EtherType where a frame
/// has it, so that the kernel finds it there.
fn endpoints(connection: u16, sequence: u16) -> (SocketAddr, SocketAddr) {
    let port = 1_024 + sequence % 60_000;
    let (client, server): (IpAddr, IpAddr) = if connection.is_multiple_of(2) {
        ([8, 0, 0, connection as u8].into(), [8, 0, 1, 1].into())
    } else {
        (
            [0x2001, 0xdb8, 0x86dd, 0, 0, 0, 0, connection].into(),
            [0x2001, 0xdb8, 0x86dd, 0, 0, 0, 1, 1].into(),
        )
    };
    (SocketAddr::new(client, port), SocketAddr::new(server, 80))
}

/// Puts a packet into a frame: plainly, behind tags, or in a tunnel.
fn dressed(connection: u16, ethertype: u16, packet: &[u8]) -> Vec<u8> {
    let outer = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    match connection {
        2 => frame::ethernet(frame::VLAN, &frame::vlan(7, ethertype, packet)),
        3 => {
            let inner = frame::vlan(9, ethertype, packet);
            frame::ethernet(0x88a8, &frame::vlan(8, frame::VLAN, &inner))
        }
        4 => {
            let inner = frame::vxlan(&frame::ethernet(ethertype, packet));
            let datagram = frame::udp([50_000, 4789], &inner);
            frame::ethernet(
                frame::IPV4,
                &frame::ipv4(outer.0, outer.1, frame::UDP, &datagram),
            )
        }
        _ => frame::ethernet(ethertype, packet),
    }
}
