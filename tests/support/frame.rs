//! Frames written by hand: a conversation as packets, and what can be put around a packet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Flag bits of TCP.
const SYN: u8 = 2;
const PUSH: u8 = 8;
const ACK: u8 = 16;

/// A TCP conversation between two addresses of one family; gives IP packets.
#[derive(Clone, Debug)]
pub struct Conversation {
    ends: [SocketAddr; 2],
    next: [u32; 2],
}

impl Conversation {
    /// From `client` to `server`. The sequence numbers begin with 1,000 and 2,000.
    #[must_use]
    pub const fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            ends: [client, server],
            next: [1_000, 2_000],
        }
    }

    /// From 192.0.2.1 with this port to 198.51.100.1 with port 80.
    #[must_use]
    pub const fn example(port: u16) -> Self {
        Self::new(
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port),
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 80),
        )
    }

    /// The three packets that open it.
    #[must_use]
    pub fn open(&mut self) -> Vec<Vec<u8>> {
        let first = self.segment(0, SYN, b"");
        self.next[0] += 1;
        let second = self.segment(1, SYN | ACK, b"");
        self.next[1] += 1;
        vec![first, second, self.segment(0, ACK, b"")]
    }

    /// The client says something.
    #[must_use]
    pub fn client(&mut self, payload: impl AsRef<[u8]>) -> Vec<u8> {
        self.say(0, payload.as_ref())
    }

    /// The server says something.
    #[must_use]
    pub fn server(&mut self, payload: impl AsRef<[u8]>) -> Vec<u8> {
        self.say(1, payload.as_ref())
    }

    fn say(&mut self, side: usize, payload: &[u8]) -> Vec<u8> {
        let packet = self.segment(side, PUSH | ACK, payload);
        self.next[side] = self.next[side].wrapping_add(u32::try_from(payload.len()).unwrap());
        packet
    }

    fn segment(&self, side: usize, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (source, destination) = (self.ends[side], self.ends[1 - side]);
        let acknowledged = if flags & ACK == 0 {
            0
        } else {
            self.next[1 - side]
        };
        let mut tcp = Vec::new();
        tcp.extend(source.port().to_be_bytes());
        tcp.extend(destination.port().to_be_bytes());
        tcp.extend(self.next[side].to_be_bytes());
        tcp.extend(acknowledged.to_be_bytes());
        tcp.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(payload);
        let sum = checksum(&[
            &pseudo_header(source.ip(), destination.ip(), 6, tcp.len()),
            &tcp,
        ]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        internet(source.ip(), destination.ip(), 6, &tcp)
    }
}

/// An IP packet with this payload.
///
/// # Panics
/// The addresses are of two families, or the payload is too long.
#[must_use]
pub fn internet(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let length = u16::try_from(20 + payload.len()).unwrap();
            packet.extend([0x45, 0]);
            packet.extend(length.to_be_bytes());
            packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = checksum(&[&packet]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
        }
        _ => panic!("{source} and {destination} are of two families"),
    }
    packet.extend(payload);
    packet
}

/// A packet in an Ethernet frame, behind VLAN tags: pairs of tag protocol (0x8100, 0x88a8) and VLAN
/// id, outermost first. The addresses are nobody's, so that no host answers.
#[must_use]
pub fn ethernet(tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 0xee, 2, 0, 0, 0, 0, 0xdd];
    for (protocol, id) in tags {
        frame.extend(protocol.to_be_bytes());
        frame.extend(id.to_be_bytes());
    }
    frame.extend(ether_type(packet).to_be_bytes());
    frame.extend(packet);
    frame
}

/// What a tunnel puts around a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tunnel {
    /// IP directly in IP.
    IpInIp,
    /// GRE with a key.
    Gre,
    /// VXLAN: an Ethernet frame in UDP, port 4789.
    Vxlan,
}

impl Tunnel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::IpInIp, Self::Gre, Self::Vxlan];

    /// Puts a packet into the tunnel between two addresses.
    ///
    /// # Panics
    /// The addresses are of two families.
    #[must_use]
    pub fn wrap(self, source: IpAddr, destination: IpAddr, packet: &[u8]) -> Vec<u8> {
        let mut inner = Vec::new();
        let protocol = match self {
            Self::IpInIp => {
                inner.extend(packet);
                if packet[0] >> 4 == 6 { 41 } else { 4 }
            }
            Self::Gre => {
                inner.extend([0x20, 0]);
                inner.extend(ether_type(packet).to_be_bytes());
                inner.extend([0, 0, 0, 7]);
                inner.extend(packet);
                47
            }
            Self::Vxlan => {
                let frame = ethernet(&[], packet);
                inner.extend(40_000_u16.to_be_bytes());
                inner.extend(4789_u16.to_be_bytes());
                inner.extend(u16::try_from(16 + frame.len()).unwrap().to_be_bytes());
                inner.extend([0, 0]);
                inner.extend([8, 0, 0, 0, 0, 0, 42, 0]);
                inner.extend(frame);
                17
            }
        };
        internet(source, destination, protocol, &inner)
    }
}

fn ether_type(packet: &[u8]) -> u16 {
    if packet[0] >> 4 == 6 { 0x86dd } else { 0x0800 }
}

fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

/// The checksum of the internet protocols; every part but the last has an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
