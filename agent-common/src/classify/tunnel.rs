//! Packets inside of packets: IP in IP, GRE, VXLAN.

use super::{Segment, ethertype, protocol};
use crate::packet::Packet;

/// UDP ports of VXLAN: IANA's, and the one Linux used before.
pub(super) const VXLAN_PORTS: [u16; 2] = [4789u16.to_be(), 8472u16.to_be()];

/// What is inside a packet, instead of a transport header.
pub(super) enum Tunnel {
    None,
    Network,
    Ethernet,
}

/// Tells whether the packet is a tunnel's, and steps over the tunnel's header.
#[inline(always)]
pub(super) fn tunnel<P: Packet>(packet: &P, segment: &Segment) -> Tunnel {
    let offset = segment.offset.get();
    match segment.next.get() {
        // RFC 2003 and RFC 4213.
        protocol::IPV4 => {
            segment.next.set(ethertype::IPV4);
            Tunnel::Network
        }
        protocol::IPV6 => {
            segment.next.set(ethertype::IPV6);
            Tunnel::Network
        }
        protocol::GRE => generic_routing(packet, segment, offset).unwrap_or(Tunnel::None),
        protocol::UDP => vxlan(packet, segment, offset).unwrap_or(Tunnel::None),
        _ => Tunnel::None,
    }
}

/// RFC 2784 and RFC 2890: optional checksum, key and sequence number; version 0.
#[inline(always)]
fn generic_routing<P: Packet>(packet: &P, segment: &Segment, offset: u32) -> Option<Tunnel> {
    let header: [u8; 4] = packet.read(offset)?;
    if header[0] & 0x40 != 0 || header[1] & 0x07 != 0 {
        return None;
    }
    let options = u32::from((header[0] >> 7 & 1) + (header[0] >> 5 & 1) + (header[0] >> 4 & 1));
    let ethertype = u32::from(u16::from_be_bytes([header[2], header[3]]));
    let inside = match ethertype {
        ethertype::ETHERNET_BRIDGING => Tunnel::Ethernet,
        ethertype::IPV4 | ethertype::IPV6 => Tunnel::Network,
        _ => return None,
    };
    segment.next.set(ethertype);
    segment.offset.set(offset + 4 + options * 4);
    Some(inside)
}

/// RFC 7348, section 5: behind UDP, flags with the I bit, then the identifier. Other bits are reserved or
/// of extensions (a group policy) that do not move what is inside; but for the P bit, which says that
/// another protocol is.
#[inline(always)]
fn vxlan<P: Packet>(packet: &P, segment: &Segment, offset: u32) -> Option<Tunnel> {
    let header: [u8; 4] = packet.read(offset)?;
    let port = u16::from_ne_bytes([header[2], header[3]]);
    if port != VXLAN_PORTS[0] && port != VXLAN_PORTS[1] {
        return None;
    }
    let flags: [u8; 4] = packet.read(offset + 8)?;
    if flags[0] & 0x0c != 0x08 {
        return None;
    }
    segment.offset.set(offset + 16);
    Some(Tunnel::Ethernet)
}
