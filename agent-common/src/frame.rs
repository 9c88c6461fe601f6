//! Builds packets byte by byte: for tests, fuzzers and whoever sends known traffic.
//!
//! Each function puts one header in front of what is inside. Nothing is checked: a test changes
//! bytes of the result as it likes. Behind the feature `frames`; never part of a kernel program.

extern crate std;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::vec::Vec;

pub use crate::classify::tcp as tcp_flags;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of a VLAN tag (802.1Q).
pub const VLAN: u16 = 0x8100;
/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// One TCP segment between two endpoints.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver; of the same family.
    pub destination: SocketAddr,
    /// Sequence number of the first payload byte, or of the SYN.
    pub sequence: u32,
    /// A set of [`tcp_flags`].
    pub flags: u8,
    /// The payload.
    pub payload: &'a [u8],
}

impl TcpSegment<'_> {
    /// The segment as a network packet, with the EtherType it has.
    ///
    /// # Panics
    /// When one address is IPv4 and the other IPv6.
    #[must_use]
    pub fn packet(&self) -> (u16, Vec<u8>) {
        let mut segment = tcp(
            [self.source.port(), self.destination.port()],
            self.sequence,
            self.flags,
            &[],
            self.payload,
        );
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut pseudo = Vec::from(source.octets());
                pseudo.extend(destination.octets());
                set_checksum(&mut segment, &pseudo);
                (IPV4, ipv4(source, destination, TCP, &segment))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut pseudo = Vec::from(source.octets());
                pseudo.extend(destination.octets());
                set_checksum(&mut segment, &pseudo);
                (IPV6, ipv6(source, destination, TCP, &segment))
            }
            _ => panic!("two families of addresses in one packet"),
        }
    }

    /// The segment as an Ethernet frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let (ethertype, packet) = self.packet();
        ethernet(ethertype, &packet)
    }
}

/// An Ethernet frame.
#[must_use]
pub fn ethernet(ethertype: u16, inside: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    join(&[&addresses, &ethertype.to_be_bytes(), inside])
}

/// The inside of a frame of type [`VLAN`]: a tag, and what it stands before.
#[must_use]
pub fn vlan(identifier: u16, ethertype: u16, inside: &[u8]) -> Vec<u8> {
    // The three upper bits are the priority: not part of the identifier.
    let tag = identifier | 0xa000;
    join(&[&tag.to_be_bytes(), &ethertype.to_be_bytes(), inside])
}

/// An IPv4 packet with a header of 20 bytes. The total length is 0 when `inside` is too long to say
/// it, as in super-packets.
#[must_use]
pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, inside: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + inside.len()).unwrap_or(0).to_be_bytes();
    let mut header = [
        0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, protocol, 0, 0,
    ]
    .to_vec();
    header.extend(source.octets());
    header.extend(destination.octets());
    let checksum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    join(&[&header, inside])
}

/// An IPv6 packet. The payload length is 0 when `inside` is too long to say it.
#[must_use]
pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, next: u8, inside: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inside.len()).unwrap_or(0).to_be_bytes();
    let header = [0x60, 0, 0, 0, length[0], length[1], next, 64];
    join(&[&header, &source.octets(), &destination.octets(), inside])
}

/// An IPv6 extension header of `8 + 8 * units` bytes (an authentication header counts its length
/// otherwise: its bytes are to be set by hand).
#[must_use]
pub fn extension(next: u8, units: u8, inside: &[u8]) -> Vec<u8> {
    let mut header = std::vec![0; 8 + 8 * usize::from(units)];
    header[0] = next;
    header[1] = units;
    join(&[&header, inside])
}

/// An IPv6 fragment header; `offset` in units of eight bytes.
#[must_use]
pub fn fragment(next: u8, offset: u16, more: bool, inside: &[u8]) -> Vec<u8> {
    let field = (offset << 3 | u16::from(more)).to_be_bytes();
    join(&[&[next, 0, field[0], field[1], 0, 0, 0, 1], inside])
}

/// A TCP segment; `options` must be a multiple of four bytes.
#[must_use]
pub fn tcp(
    [source, destination]: [u16; 2],
    sequence: u32,
    flags: u8,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let words = 5 + (options.len() / 4) as u8;
    join(&[
        &source.to_be_bytes(),
        &destination.to_be_bytes(),
        &sequence.to_be_bytes(),
        &[0, 0, 0, 1, words << 4, flags, 0x20, 0, 0, 0, 0, 0],
        options,
        payload,
    ])
}

/// A UDP datagram.
#[must_use]
pub fn udp([source, destination]: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap_or(0);
    join(&[
        &source.to_be_bytes(),
        &destination.to_be_bytes(),
        &length.to_be_bytes(),
        &[0, 0],
        payload,
    ])
}

/// The inside of a UDP datagram to a VXLAN port.
#[must_use]
pub fn vxlan(frame: &[u8]) -> Vec<u8> {
    join(&[&[0x08, 0, 0, 0, 0, 0, 42, 0], frame])
}

/// The inside of an IP packet of protocol 47; `flags` is the first byte, whose bits 0x80, 0x20 and
/// 0x10 announce checksum, key and sequence number.
#[must_use]
pub fn gre(flags: u8, ethertype: u16, inside: &[u8]) -> Vec<u8> {
    let options = (flags & 0xb0).count_ones() as usize * 4;
    join(&[
        &[flags, 0],
        &ethertype.to_be_bytes(),
        &[0; 12][..options],
        inside,
    ])
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Fills in the checksum of a TCP segment (RFC 9293, section 3.1).
fn set_checksum(segment: &mut [u8], addresses: &[u8]) {
    let length = segment.len() as u32;
    let pseudo = join(&[addresses, &length.to_be_bytes(), &[0, 0, 0, TCP], segment]);
    let checksum = checksum(&pseudo).to_be_bytes();
    segment[16..18].copy_from_slice(&checksum);
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u64 = bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    let folded = (folded >> 16) + (folded & 0xffff);
    !((folded >> 16) + (folded & 0xffff)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_1071() {
        // Its own example, section 3: the sum is ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&bytes), !0xddf2);
        // An odd byte counts as if a zero followed.
        assert_eq!(checksum(&[1]), !0x0100);
        // With the checksum in place the sum is zero.
        let packet = ipv4([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), TCP, &[]);
        assert_eq!(checksum(&packet), 0);
    }
}
