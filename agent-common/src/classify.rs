//! From the first byte of a frame to the transport header: link, VLAN, IPv4, IPv6, one level of
//! tunnel, TCP, UDP, ICMP.
//!
//! Every length is checked against the packet; whatever contradicts itself is ignored with a reason.
//! Checksums are not verified: a sending host leaves them to its network card.

mod network;
mod transport;
mod tunnel;

use self::network::network;
use self::transport::transport;
use self::tunnel::{Tunnel, tunnel};
use crate::counters::{Ignored, Protocol};
use crate::packet::{Link, Packet};
use crate::shared::Shared;

/// An address as two words in the order of memory; IPv4 is mapped into IPv6 (RFC 4291, 2.5.5.2).
pub type Address = [u64; 2];

/// What the headers of a packet say.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Segment {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// Source port as it lies in memory (network byte order); 0 where there are no ports.
    pub source_port_be: u16,
    /// Destination port as it lies in memory (network byte order); 0 where there are no ports.
    pub destination_port_be: u16,
    /// TCP sequence number of the first payload byte, or of the SYN.
    pub sequence: u32,
    /// TCP acknowledgement number; of meaning with [`tcp::ACK`].
    pub acknowledgement: u32,
    /// Where the payload begins in the packet.
    pub payload_offset: u32,
    /// How many payload bytes the headers announce; of ICMP those behind the first eight.
    pub payload_length: u32,
    /// Bytes from the outer network header on.
    pub network_length: u32,
    /// Bytes of the headers that GRO and TSO segments repeat.
    pub header_length: u32,
    /// VLAN identifiers, outermost first.
    pub vlan: [u16; 2],
    /// The transport protocol: a [`Protocol`] as a number, because whoever reads it back from shared
    /// memory must not take it for granted.
    pub protocol: u32,
    /// TCP flags (RFC 9293, 3.1), low six bits.
    pub tcp_flags: u8,
    /// 1: the first fragment of several, of the packet or of the tunnel's; the payload goes on in fragments that are not
    /// read.
    pub fragment: u8,
    /// 1: found inside a tunnel.
    pub tunnelled: u8,
    /// 1: TCP, and the receive window is 0 as the header has it.
    pub zero_window: u8,
    /// Of ICMP: type, code, and the two bytes that identify a query, from the highest byte on.
    pub icmp: u32,
    /// Where the header to be read next begins. Shared, as all of [`crate::scratch::Work`], so that the
    /// verifier follows one unknown offset instead of every combination of header lengths.
    offset: Shared<u32>,
    /// Where the network packet ends.
    end: Shared<u32>,
    /// The type of the header to be read next: an EtherType, or a protocol number.
    next: Shared<u32>,
    /// Where the network header begins.
    network: Shared<u32>,
    /// Where the packet ends that is not inside of another.
    outer_end: Shared<u32>,
}

/// TCP flag bits.
pub mod tcp {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// First sequence number.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

mod ethertype {
    pub(super) const IPV4: u32 = 0x0800;
    pub(super) const IPV6: u32 = 0x86dd;
    pub(super) const VLAN: u32 = 0x8100;
    pub(super) const SERVICE_VLAN: u32 = 0x88a8;
    pub(super) const OLD_SERVICE_VLAN: u32 = 0x9100;
    pub(super) const ETHERNET_BRIDGING: u32 = 0x6558;
}

mod protocol {
    pub(super) const HOP_BY_HOP: u32 = 0;
    pub(super) const ICMP: u32 = 1;
    pub(super) const IPV4: u32 = 4;
    pub(super) const TCP: u32 = 6;
    pub(super) const UDP: u32 = 17;
    pub(super) const IPV6: u32 = 41;
    pub(super) const ROUTING: u32 = 43;
    pub(super) const FRAGMENT: u32 = 44;
    pub(super) const GRE: u32 = 47;
    pub(super) const AUTHENTICATION: u32 = 51;
    pub(super) const ICMP_V6: u32 = 58;
    pub(super) const DESTINATION_OPTIONS: u32 = 60;
    pub(super) const MOBILITY: u32 = 135;
    pub(super) const HOST_IDENTITY: u32 = 139;
    pub(super) const SHIM6: u32 = 140;
}

/// Reads the headers of a packet into `segment`.
///
/// # Errors
/// The reason why the packet is not looked into; `segment` is then of no meaning but to [`goes_on_elsewhere`].
#[inline(always)]
pub fn classify<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let origin = packet.origin();
    segment.vlan = [origin.vlan & 0x0fff, 0];
    segment.fragment = 0;
    segment.tunnelled = 0;
    if matches!(origin.link, Link::Ethernet) && plain(packet, segment) {
        return Ok(());
    }
    step_by_step(packet, segment)
}

/// Reads the headers one after another.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn step_by_step<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let origin = packet.origin();
    segment.offset.set(0);
    match origin.link {
        Link::Ethernet => ethernet(packet, segment)?,
        Link::Network(ethertype) => {
            segment.next.set(u32::from(ethertype));
            vlan_tags(packet, segment)?;
        }
    }
    let start = segment.offset.get();
    segment.end.set(packet.wire_length());
    network(packet, segment)?;
    let end = segment.end.get();
    segment.outer_end.set(end);
    // What the link put behind the packet to make its frame long enough does not count.
    segment.network_length = end - start;
    // One level: what is inside a second tunnel is counted by its protocol and not opened.
    match tunnel(packet, segment) {
        Tunnel::None => {}
        Tunnel::Network => {
            segment.tunnelled = 1;
            network(packet, segment)?;
        }
        Tunnel::Ethernet => {
            segment.tunnelled = 1;
            ethernet(packet, segment)?;
            network(packet, segment)?;
        }
    }
    transport(packet, segment)
}

/// Whether a packet that [`classify`] refused, `why` as a number, is a first fragment and its headers go on in later
/// ones: nothing contradicts itself then.
#[inline(always)]
#[must_use]
pub fn goes_on_elsewhere<P: Packet>(packet: &P, segment: &Segment, why: u32) -> bool {
    if segment.fragment == 0 {
        return false;
    }
    let end = segment.end.get();
    if segment.tunnelled != 0 && segment.outer_end.get() != end {
        // What is inside ends before.
        return false;
    }
    if why == Ignored::Truncated as u32 {
        // Else it is the capture that cut it.
        return packet.read::<1>(end.wrapping_sub(1)).is_some();
    }
    // Behind the end stands what makes the frame long enough.
    why == Ignored::BadLength as u32 || segment.offset.get() >= end
}

/// Reads the headers that nearly all packets have, at the places where they nearly always are: Ethernet,
/// IPv4 without options, TCP. False: the packet is another, or wrong; it is to be read step by step.
#[inline(always)]
fn plain<P: Packet>(packet: &P, segment: &mut Segment) -> bool {
    const NETWORK: u32 = 14;
    const TRANSPORT: u32 = NETWORK + 20;
    // From the EtherType to the TCP flags: one comparison with the end of the packet.
    let Some(headers) = packet.read::<36>(NETWORK - 2) else {
        return false;
    };
    let word = |at: usize| {
        [
            headers[at],
            headers[at + 1],
            headers[at + 2],
            headers[at + 3],
        ]
    };
    let whole = headers[8] & 0x3f | headers[9] == 0;
    if headers[0] != 0x08 || headers[1] != 0 || headers[2] != 0x45 || !whole || headers[11] != 6 {
        return false;
    }
    let total = u32::from(u16::from_be_bytes([headers[4], headers[5]]));
    let header_length = u32::from(headers[34] >> 4) * 4;
    let payload = TRANSPORT + header_length;
    let end = NETWORK + total;
    if header_length < 20 || payload > end || end > packet.wire_length() {
        return false;
    }
    segment.source = mapped(word(14));
    segment.destination = mapped(word(18));
    let ports = u32::from_le_bytes(word(22));
    segment.source_port_be = (ports as u16).to_le();
    segment.destination_port_be = ((ports >> 16) as u16).to_le();
    segment.sequence = u32::from_be_bytes(word(26));
    segment.acknowledgement = u32::from_be_bytes(word(30));
    segment.tcp_flags = headers[35] & 0x3f;
    segment.protocol = Protocol::Tcp as u32;
    segment.payload_offset = payload;
    segment.payload_length = end - payload;
    // What the link put behind the packet to make its frame long enough does not count.
    segment.network_length = total;
    segment.header_length = payload - NETWORK;
    // Apart, and last: the stack has no room for it beside the others.
    segment.zero_window = u8::from(packet.read::<2>(TRANSPORT + 14) == Some([0, 0]));
    true
}

/// Reads an Ethernet header with up to two VLAN tags.
#[inline(always)]
fn ethernet<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let start = segment.offset.get();
    let ethertype = u16::from_be_bytes(packet.read(start + 12).ok_or(Ignored::Truncated)?);
    segment.offset.set(start + 14);
    segment.next.set(u32::from(ethertype));
    vlan_tags(packet, segment)
}

/// Steps over up to two VLAN tags (IEEE 802.1Q), which may stand behind any link header. One that the kernel has taken
/// out of the frame is one of the two.
#[inline(always)]
fn vlan_tags<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    for _ in u8::from(segment.tunnelled == 0 && segment.vlan[0] != 0)..2 {
        if !is_vlan(segment.next.get()) {
            break;
        }
        let offset = segment.offset.get();
        let [high, low, type_high, type_low] = packet.read(offset).ok_or(Ignored::Truncated)?;
        // What is inside a tunnel does not change what the wire carried.
        if segment.tunnelled == 0 {
            let identifier = u16::from_be_bytes([high, low]) & 0x0fff;
            if segment.vlan[0] == 0 {
                segment.vlan[0] = identifier;
            } else {
                segment.vlan[1] = identifier;
            }
        }
        let ethertype = u16::from_be_bytes([type_high, type_low]);
        segment.next.set(u32::from(ethertype));
        segment.offset.set(offset + 4);
    }
    Ok(())
}

#[inline(always)]
fn is_vlan(ethertype: u32) -> bool {
    ethertype == ethertype::VLAN
        || ethertype == ethertype::SERVICE_VLAN
        || ethertype == ethertype::OLD_SERVICE_VLAN
}

/// The IPv4-mapped form of an address.
#[inline(always)]
fn mapped([a, b, c, d]: [u8; 4]) -> Address {
    [0, u64::from_ne_bytes([0, 0, 0xff, 0xff, a, b, c, d])]
}

#[cfg(test)]
mod tests;
