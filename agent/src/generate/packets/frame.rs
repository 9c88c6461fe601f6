//! Frames as bytes: Ethernet, up to two VLAN tags, IPv4 or IPv6, and TCP, UDP or ICMP with true checksums.
//!
//! What the frames of one direction of a flow have in common is made once (a [`Way`]); a frame is that, the
//! fields that differ, and the payload. The checksum of the common part is known, so only the payload is
//! walked over. Nothing is allocated but room behind the frames that are there already.
//!
//! Not made: IP options, IPv6 extension headers, fragments.

use std::net::{IpAddr, SocketAddr};

/// Flags of TCP.
pub mod flags {
    /// No more data from this side.
    pub const FIN: u8 = 0x01;
    /// First segment.
    pub const SYN: u8 = 0x02;
    /// The connection is broken off.
    pub const RST: u8 = 0x04;
    /// Data for the receiver at once.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement is valid.
    pub const ACK: u8 = 0x10;
}

/// What a frame carries behind its network header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, or ICMPv6 between IPv6 addresses. Ports are not written.
    Icmp,
}

impl Transport {
    /// The protocol number, which ICMP has two of.
    fn number(self, is_ipv6: bool) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp if is_ipv6 => 58,
            Self::Icmp => 1,
        }
    }

    /// Bytes of its header.
    fn header(self) -> usize {
        match self {
            Self::Tcp => 20,
            Self::Udp | Self::Icmp => 8,
        }
    }
}

/// The longest header: Ethernet, two tags, IPv6, TCP.
const HEADER_MAX: usize = 14 + 8 + 40 + 20;

/// Frames shorter than this do not go over a cable; they are padded with zeros.
const FRAME_MIN: usize = 60;

/// One direction of a flow: what its frames have in common.
#[derive(Clone, Debug)]
pub struct Way {
    header: [u8; HEADER_MAX],
    /// Bytes of all headers.
    length: usize,
    /// Where the network header begins.
    network: usize,
    /// Where the transport header begins.
    transport: usize,
    kind: Transport,
    is_ipv6: bool,
    /// Sum of the network header of IPv4 without its length and number.
    network_sum: u64,
    /// Sum of the pseudo header without the length, and of the ports.
    transport_sum: u64,
}

impl Way {
    /// From `source` to `destination` behind these VLAN tags (outermost first, two at the most; of two the
    /// outer one is a service tag). Where the addresses are of two families the source is written as the
    /// unspecified address of the other.
    ///
    /// The Ethernet addresses are local ones that belong to no interface, so no host takes the frames for
    /// its own: `client` decides which of the two stands first.
    #[must_use]
    pub fn new(
        kind: Transport,
        source: SocketAddr,
        destination: SocketAddr,
        vlans: &[u16],
        client: bool,
    ) -> Self {
        let mut way = Self {
            header: [0; HEADER_MAX],
            length: 0,
            network: 0,
            transport: 0,
            kind,
            is_ipv6: destination.is_ipv6(),
            network_sum: 0,
            transport_sum: 0,
        };
        let ends = [[2, 0, 0x5e, 0, 0, 1], [2, 0, 0x5e, 0, 0, 2]];
        let (from, to) = (usize::from(!client), usize::from(client));
        way.put(&ends[to]);
        way.put(&ends[from]);
        let vlans = &vlans[vlans.len().saturating_sub(2)..];
        for (index, vlan) in vlans.iter().enumerate() {
            let is_outer = vlans.len() == 2 && index == 0;
            way.put(if is_outer {
                &[0x88, 0xa8]
            } else {
                &[0x81, 0x00]
            });
            way.put(&(vlan & 0xfff).to_be_bytes());
        }
        way.put(if way.is_ipv6 {
            &[0x86, 0xdd]
        } else {
            &[0x08, 0x00]
        });
        way.network = way.length;
        way.put_network(source.ip(), destination.ip());
        way.transport = way.length;
        let ports = [
            source.port().to_be_bytes(),
            destination.port().to_be_bytes(),
        ];
        if kind != Transport::Icmp {
            way.put(ports.as_flattened());
            way.transport_sum += sum(ports.as_flattened());
        }
        way.length = way.transport + kind.header();
        if kind == Transport::Tcp {
            way.header[way.transport + 12] = 5 << 4;
            let window = 0xfaf0_u16.to_be_bytes();
            way.header[way.transport + 14..way.transport + 16].copy_from_slice(&window);
            way.transport_sum += sum(&way.header[way.transport + 12..way.transport + 16]);
        }
        way
    }

    fn put(&mut self, bytes: &[u8]) {
        self.header[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn put_network(&mut self, source: IpAddr, destination: IpAddr) {
        let number = self.kind.number(self.is_ipv6);
        let addresses = self.length + if self.is_ipv6 { 8 } else { 12 };
        match destination {
            IpAddr::V4(destination) => {
                let source = match source {
                    IpAddr::V4(source) => source,
                    IpAddr::V6(_) => std::net::Ipv4Addr::UNSPECIFIED,
                };
                // Not to be fragmented, 64 hops.
                self.put(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, number, 0, 0]);
                self.put(&source.octets());
                self.put(&destination.octets());
                self.network_sum = sum(&self.header[self.network..self.length]);
            }
            IpAddr::V6(destination) => {
                let source = match source {
                    IpAddr::V6(source) => source,
                    IpAddr::V4(_) => std::net::Ipv6Addr::UNSPECIFIED,
                };
                self.put(&[0x60, 0, 0, 0, 0, 0, number, 64]);
                self.put(&source.octets());
                self.put(&destination.octets());
            }
        }
        // Of the pseudo header, but for the length. ICMP of IPv4 has none.
        if self.is_ipv6 || self.kind != Transport::Icmp {
            self.transport_sum = sum(&self.header[addresses..self.length]) + sum(&[0, number]);
        }
    }

    /// Bytes of the IP packet that carries so much payload.
    #[must_use]
    pub fn network_length(&self, payload: usize) -> usize {
        self.length - self.network + payload
    }

    /// Appends the frame of a TCP segment.
    pub fn tcp(
        &self,
        sequence: u32,
        acknowledged: u32,
        flags: u8,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let begin = self.begin(sequence as u16, payload, out);
        let header = &mut out[begin + self.transport..begin + self.length];
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        header[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        header[13] = flags;
        let own = sum(&header[4..12]) + sum(&[0, flags]);
        let checksum = self.checksum(own, payload);
        header[16..18].copy_from_slice(&checksum);
        pad(begin, out);
    }

    /// Appends the frame of a UDP datagram.
    pub fn udp(&self, payload: &[u8], out: &mut Vec<u8>) {
        let begin = self.begin(payload.len() as u16, payload, out);
        let length = u16::try_from(8 + payload.len()).unwrap_or(0).to_be_bytes();
        let header = &mut out[begin + self.transport..begin + self.length];
        header[4..6].copy_from_slice(&length);
        let checksum = match self.checksum(sum(&length), payload) {
            // 0 says that there is none.
            [0, 0] => [0xff, 0xff],
            checksum => checksum,
        };
        header[6..8].copy_from_slice(&checksum);
        pad(begin, out);
    }

    /// Appends the frame of an echo request or reply with this identifier and number.
    pub fn echo(
        &self,
        request: bool,
        identifier: u16,
        number: u16,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let begin = self.begin(number, payload, out);
        let kind = match (self.is_ipv6, request) {
            (false, true) => 8,
            (false, false) => 0,
            (true, true) => 128,
            (true, false) => 129,
        };
        let header = &mut out[begin + self.transport..begin + self.length];
        header[0] = kind;
        header[4..6].copy_from_slice(&identifier.to_be_bytes());
        header[6..8].copy_from_slice(&number.to_be_bytes());
        let own = sum(header);
        let checksum = self.checksum(own, payload);
        header[2..4].copy_from_slice(&checksum);
        pad(begin, out);
    }

    /// The headers with what depends on the length, and the payload. Gives where the frame begins.
    fn begin(&self, number: u16, payload: &[u8], out: &mut Vec<u8>) -> usize {
        let begin = out.len();
        out.extend_from_slice(&self.header[..self.length]);
        let network = &mut out[begin + self.network..];
        if self.is_ipv6 {
            let length = self.length - self.transport + payload.len();
            let length = u16::try_from(length).unwrap_or(0).to_be_bytes();
            network[4..6].copy_from_slice(&length);
        } else {
            let length = u16::try_from(self.network_length(payload.len())).unwrap_or(0);
            network[2..4].copy_from_slice(&length.to_be_bytes());
            network[4..6].copy_from_slice(&number.to_be_bytes());
            let sum = self.network_sum + sum(&network[2..6]);
            network[10..12].copy_from_slice(&finish(sum));
        }
        out.extend_from_slice(payload);
        begin
    }

    /// The checksum of the transport header, of whose own fields the sum is `own`, and the payload.
    fn checksum(&self, own: u64, payload: &[u8]) -> [u8; 2] {
        let is_summed = self.is_ipv6 || self.kind != Transport::Icmp;
        let length = if is_summed {
            self.length - self.transport + payload.len()
        } else {
            0
        };
        let length = u16::try_from(length).unwrap_or(0).to_be_bytes();
        finish(self.transport_sum + sum(&length) + own + sum(payload))
    }
}

fn pad(begin: usize, out: &mut Vec<u8>) {
    if out.len() - begin < FRAME_MIN {
        out.resize(begin + FRAME_MIN, 0);
    }
}

/// The sum of RFC 1071, in the byte order of the host and not folded: pairs of bytes, a zero behind an odd
/// one. Words of 32 bits give the same, because 2¹⁶ is 1 there.
#[inline]
fn sum(bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    let mut sum = 0;
    for word in &mut words {
        if let Ok(word) = <[u8; 8]>::try_from(word) {
            let word = u64::from_ne_bytes(word);
            sum += (word & 0xffff_ffff) + (word >> 32);
        }
    }
    let mut last = [0; 8];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    let word = u64::from_ne_bytes(last);
    sum + (word & 0xffff_ffff) + (word >> 32)
}

/// Folds a sum and turns it over: what stands in a header.
#[inline]
fn finish(mut sum: u64) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use agent_common::frame::TcpSegment;
    use proptest::prelude::*;

    use super::*;

    fn ends(is_ipv6: bool) -> [SocketAddr; 2] {
        let texts = match is_ipv6 {
            true => ["[2001:2:0:1::5]:40000", "[2001:2:0:2::1]:80"],
            false => ["198.18.0.5:40000", "198.19.0.1:80"],
        };
        texts.map(|text| text.parse().unwrap())
    }

    /// RFC 1071, byte by byte.
    fn plain_sum(bytes: &[u8]) -> u16 {
        let mut sum: u32 = 0;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    /// The sum over a transport header, its payload and the pseudo header: all ones where it is right.
    fn transport_sum(
        packet: &[u8],
        transport: usize,
        number: u8,
        addresses: std::ops::Range<usize>,
    ) -> u16 {
        let mut bytes = packet[addresses].to_vec();
        bytes.extend((packet.len() as u32 - transport as u32).to_be_bytes());
        bytes.extend([0, 0, 0, number]);
        bytes.extend(&packet[transport..]);
        plain_sum(&bytes)
    }

    proptest! {
        #[test]
        fn a_segment_is_that_of_another_builder(payload in prop::collection::vec(any::<u8>(), 0..1500), sequence: u32, flags: u8, is_ipv6: bool) {
            let [source, destination] = ends(is_ipv6);
            let mut made = Vec::new();
            Way::new(Transport::Tcp, source, destination, &[], true).tcp(sequence, 1, flags, &payload, &mut made);
            let (_, mut other) = TcpSegment { source, destination, sequence, flags, payload: &payload }.packet();
            let packet = &mut made[14..][..other.len()];
            // Window, number and the checksums that they change differ on purpose.
            let transport = if is_ipv6 { 40 } else { 20 };
            if !is_ipv6 {
                prop_assert_eq!(plain_sum(&packet[..20]), 0xffff);
                packet[4..6].copy_from_slice(&other[4..6]);
                packet[10..12].copy_from_slice(&other[10..12]);
            }
            let addresses = if is_ipv6 { 8..40 } else { 12..20 };
            prop_assert_eq!(transport_sum(packet, transport, 6, addresses), 0xffff);
            for at in [14, 15, 16, 17] {
                other[transport + at] = packet[transport + at];
            }
            prop_assert_eq!(packet, &other[..]);
        }

        #[test]
        fn datagrams_and_echoes_have_true_checksums(payload in prop::collection::vec(any::<u8>(), 0..1400), is_ipv6: bool, request: bool, number: u16) {
            let [source, destination] = ends(is_ipv6);
            let transport = if is_ipv6 { 40 } else { 20 };
            let addresses = if is_ipv6 { 8..40 } else { 12..20 };
            let mut made = Vec::new();
            Way::new(Transport::Udp, source, destination, &[], true).udp(&payload, &mut made);
            let packet = &made[14..][..transport + 8 + payload.len()];
            prop_assert_eq!(transport_sum(packet, transport, 17, addresses.clone()), 0xffff);
            made.clear();
            Way::new(Transport::Icmp, source, destination, &[], true).echo(request, 7, number, &payload, &mut made);
            let packet = &made[14..][..transport + 8 + payload.len()];
            let sum = match is_ipv6 {
                true => transport_sum(packet, transport, 58, addresses),
                false => plain_sum(&packet[transport..]),
            };
            prop_assert_eq!(sum, 0xffff);
        }
    }

    #[test]
    fn tags_stand_outermost_first() {
        let [source, destination] = ends(false);
        let check = |vlans: &[u16], expected: &[u8]| {
            let mut made = Vec::new();
            Way::new(Transport::Tcp, source, destination, vlans, true).tcp(0, 0, 0, b"", &mut made);
            assert_eq!(&made[12..12 + expected.len()], expected, "{vlans:?}");
            assert_eq!(made.len(), 60.max(54 + 4 * vlans.len().min(2)));
        };
        check(&[], &[8, 0, 0x45]);
        check(&[7], &[0x81, 0, 0, 7, 8, 0, 0x45]);
        check(
            &[7, 0x1fff],
            &[0x88, 0xa8, 0, 7, 0x81, 0, 0xf, 0xff, 8, 0, 0x45],
        );
        check(&[1, 2, 3], &[0x88, 0xa8, 0, 2, 0x81, 0, 0, 3, 8, 0, 0x45]);
    }

    #[test]
    fn short_frames_are_padded_and_the_length_is_true() {
        let [source, destination] = ends(false);
        let mut made = vec![1, 2, 3];
        let way = Way::new(Transport::Tcp, source, destination, &[], false);
        way.tcp(0, 0, flags::SYN, b"", &mut made);
        way.tcp(1, 0, flags::ACK, &[b'x'; 100], &mut made);
        assert_eq!(made.len(), 3 + 60 + 154);
        assert_eq!(made[3 + 16..3 + 18], [0, 40]);
        assert_eq!(way.network_length(100), 140);
    }
}
