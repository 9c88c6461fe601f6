//! Packets as capture files: link types, pcap, pcapng.

use agent_common::frame;
use tapline::capture::pcap::{LinkType, PcapWriter};

use super::talk::Packet;

/// When the first packet of every capture was seen: 2026-03-14 15:09:26.535897932 UTC.
const BEGIN_NS: u64 = 1_773_500_966_535_897_932;

/// What stands in front of a packet, and the packet.
fn dressed(link: LinkType, packet: &Packet) -> Vec<u8> {
    let direction = if packet.from_server { 4 } else { 0 };
    let ethertype = packet.ethertype.to_be_bytes();
    let header = match link {
        LinkType::Ethernet => return frame::ethernet(packet.ethertype, &packet.bytes),
        // Packet type, Ethernet, six bytes of address, protocol.
        LinkType::LinuxCooked => {
            let address = [2, 0, 0, 0, 0, 9, 0, 0];
            [&[0, direction, 0, 1, 0, 6][..], &address, &ethertype].concat()
        }
        // Protocol, interface 2, Ethernet, packet type, six bytes of address.
        LinkType::LinuxCookedV2 => {
            let rest = [0, 0, 0, 0, 0, 2, 0, 1, direction, 6, 2, 0, 0, 0, 0, 9, 0, 0];
            [&ethertype[..], &rest].concat()
        }
        LinkType::Nflog => nflog(packet),
        // The families of macOS, in the byte order of its hosts.
        LinkType::Null if packet.ethertype == frame::IPV6 => vec![30, 0, 0, 0],
        LinkType::Null => vec![2, 0, 0, 0],
        _ => Vec::new(),
    };
    [header, packet.bytes.clone()].concat()
}

/// What stands before the payload in a netfilter log message, with the lengths as a little-endian host
/// writes them.
fn nflog(packet: &Packet) -> Vec<u8> {
    let (family, hook) = match (packet.ethertype, packet.from_server) {
        (frame::IPV6, false) => (10, 1),
        (frame::IPV6, true) => (10, 3),
        (_, false) => (2, 1),
        (_, true) => (2, 3),
    };
    let ethertype = packet.ethertype.to_be_bytes();
    let length = (packet.bytes.len() as u16 + 4).to_le_bytes();
    [
        &[family, 0, 0, 5][..],
        &[8, 0, 1, 0, ethertype[0], ethertype[1], hook, 0],
        &[9, 0, 10, 0, b'h', b't', b't', b'p', 0, 0, 0, 0],
        &length,
        &[9, 0],
    ]
    .concat()
}

/// A pcap file of which every packet keeps `snap` bytes at the most.
pub(crate) fn pcap(link: LinkType, packets: &[Packet], snap: usize) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new(), link).expect("a vector has room");
    for (time_ns, packet) in timed(packets) {
        let bytes = dressed(link, packet);
        let kept = &bytes[..bytes.len().min(snap)];
        let written = writer.write(time_ns, kept, bytes.len() as u32);
        written.expect("a vector has room");
    }
    writer.finish().expect("a vector has room")
}

/// A pcapng file in big-endian byte order, with two interfaces: the client's packets come in at the
/// first, the server's go out at it; packets of other connections are seen on the second.
pub(crate) fn pcapng(packets: &[Packet], on_second: impl Fn(usize) -> bool) -> Vec<u8> {
    // Byte order, version 1.0, length not known.
    let section = [&[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0][..], &[0xff; 8]].concat();
    let mut file = block(0x0a0d_0d0a, &section);
    for name in [b"eth0", b"tun3"] {
        // Ethernet, no limit, a name, nanoseconds.
        let link = [0, 1, 0, 0, 0, 0, 0, 0];
        let options = [&option(2, name)[..], &option(9, &[9]), &[0; 4]].concat();
        file.extend(block(1, &[&link[..], &options].concat()));
    }
    for (index, (time_ns, packet)) in timed(packets).into_iter().enumerate() {
        let bytes = dressed(LinkType::Ethernet, packet);
        let length = (bytes.len() as u32).to_be_bytes();
        let interface = u32::from(on_second(index)).to_be_bytes();
        let direction = if packet.from_server { 2 } else { 1 };
        let body = [
            &interface[..],
            &((time_ns >> 32) as u32).to_be_bytes(),
            &(time_ns as u32).to_be_bytes(),
            &length,
            &length,
            &bytes,
            &[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()],
            &option(2, &[0, 0, 0, direction]),
            &[0; 4],
        ];
        file.extend(block(6, &body.concat()));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 12).to_be_bytes();
    [&kind.to_be_bytes(), &length, body, &length].concat()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let padding = value.len().next_multiple_of(4) - value.len();
    let header = [code.to_be_bytes(), (value.len() as u16).to_be_bytes()].concat();
    [&header, value, &[0; 3][..padding]].concat()
}

fn timed(packets: &[Packet]) -> Vec<(u64, &Packet)> {
    let mut now = BEGIN_NS;
    let mut timed = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        now += if index == 0 { 0 } else { packet.after_ns };
        timed.push((now, packet));
    }
    timed
}
