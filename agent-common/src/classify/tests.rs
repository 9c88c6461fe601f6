//! One table of frames: each as it is, cut at every length, and read by the other way.

extern crate std;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;

use super::network::EXTENSION_HEADERS_MAX;
use super::tunnel::VXLAN_PORTS;
use super::*;
use crate::frame::{self, IPV4, IPV6, TCP, UDP, VLAN};
use crate::testing::Memory;

mod frames;

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
const PORTS: [u16; 2] = [50_000, 80];
const SEQUENCE: u32 = 0xfedc_ba98;
const PAYLOAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// What was read of a packet, in words of the test.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    source: IpAddr,
    destination: IpAddr,
    protocol: Protocol,
    ports: [u16; 2],
    vlan: [u16; 2],
    network_length: u32,
    header_length: u32,
    fragment: bool,
    tunnelled: bool,
    /// Of TCP alone: sequence number, flags, where the payload is.
    tcp: Option<(u32, u8, core::ops::Range<u32>)>,
}

/// Reads a packet. What the segment held before must not shine through.
fn read(packet: &Memory<'_>) -> Result<Seen, Ignored> {
    let segment = Segment {
        vlan: [0xeee, 0xeee],
        fragment: 1,
        tunnelled: 1,
        ..Segment::default()
    };
    read_by(classify, segment, packet)
}

/// One way to read a packet.
type Way<'a> = fn(&Memory<'a>, &mut Segment) -> Result<(), Ignored>;

fn read_by<'a>(way: Way<'a>, before: Segment, packet: &Memory<'a>) -> Result<Seen, Ignored> {
    let mut segment = Segment {
        payload_offset: 0x0eee_eeee,
        payload_length: 0x0eee_eeee,
        network_length: 0x0eee_eeee,
        ..before
    };
    segment.end.set(0x0eee_eeee);
    way(packet, &mut segment).map_err(|why| {
        if goes_on_elsewhere(packet, &segment, why as u32) {
            Ignored::Fragment
        } else {
            why
        }
    })?;
    let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Icmp];
    let protocol = protocols[segment.protocol as usize];
    let tcp = (protocol == Protocol::Tcp).then(|| {
        let payload = segment.payload_offset..segment.payload_offset + segment.payload_length;
        (segment.sequence, segment.tcp_flags, payload)
    });
    assert!(segment.payload_length <= segment.network_length);
    Ok(Seen {
        source: address(segment.source),
        destination: address(segment.destination),
        protocol,
        ports: [segment.source_port_be, segment.destination_port_be].map(u16::from_be),
        vlan: segment.vlan,
        network_length: segment.network_length,
        header_length: segment.header_length,
        fragment: segment.fragment != 0,
        tunnelled: segment.tunnelled != 0,
        tcp,
    })
}

fn address([high, low]: Address) -> IpAddr {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&high.to_ne_bytes());
    bytes[8..].copy_from_slice(&low.to_ne_bytes());
    Ipv6Addr::from(bytes).to_canonical()
}

/// Holds a packet to what is true of any: lengths fit, the quick way for plain packets reads what the
/// other one reads, and without its Ethernet header it is the same packet.
#[track_caller]
fn hold(name: &str, packet: &Memory<'_>) -> Result<Seen, Ignored> {
    let got = read(packet);
    if let Ok(seen) = &got {
        assert!(seen.network_length <= packet.wire_length, "{name}");
        if let Some((_, _, payload)) = &seen.tcp {
            assert!(payload.end <= packet.wire_length, "{name}: {seen:?}");
            assert!(seen.header_length >= 40, "{name}: {seen:?}");
            assert!(seen.header_length <= payload.start, "{name}: {seen:?}");
        }
    }
    let slow = read_by(step_by_step, Segment::default(), packet);
    assert_eq!(got, slow, "{name}: the two ways differ");
    if let (Link::Ethernet, Some(ethertype)) = (packet.origin.link, packet.read::<2>(12)) {
        let mut inside = *packet;
        inside.origin.link = Link::Network(u16::from_be_bytes(ethertype));
        inside.bytes = &packet.bytes[14..];
        inside.wire_length = packet.wire_length - 14;
        let mut other = read(&inside);
        if let Ok(Seen {
            tcp: Some((_, _, payload)),
            ..
        }) = &mut other
        {
            *payload = payload.start + 14..payload.end + 14;
        }
        assert_eq!(got, other, "{name}: without its Ethernet header");
    }
    got
}

/// Checks a frame: as it is, as a capture cuts it, and as the wire may.
#[track_caller]
fn check(name: &str, link: Link, bytes: &[u8], expected: Result<Seen, Ignored>) {
    let whole = Memory::new(link, bytes);
    assert_eq!(hold(name, &whole), expected, "{name}");
    for length in 0..bytes.len() {
        // The wire had all of it: what is read is the same, or nothing is.
        let name = format!("{name}, {length} of {} bytes", bytes.len());
        let got = hold(&format!("{name} captured"), &whole.cut(length));
        let outer = match &got {
            // The outside of a tunnel whose inside cannot be seen.
            Ok(seen) => {
                seen.protocol == Protocol::Udp && VXLAN_PORTS.contains(&seen.ports[1].to_be())
            }
            Err(why) => {
                *why == Ignored::Protocol
                    && (expected.as_ref().is_ok_and(|seen| seen.tunnelled)
                        || expected == Err(Ignored::Fragment))
            }
        };
        assert!(
            got == expected || got == Err(Ignored::Truncated) || outer,
            "{name} captured: {got:?}"
        );
        // The wire had no more: never more than that, and never another connection.
        let got = hold(&name, &Memory::new(link, &bytes[..length]));
        if let (Ok(got), Ok(expected)) = (&got, &expected)
            && got.tunnelled == expected.tunnelled
        {
            let connection = |seen: &Seen| (seen.source, seen.destination, seen.ports);
            assert_eq!(connection(got), connection(expected), "{name}");
        }
    }
}

/// What [`PAYLOAD`] in IPv4 and Ethernet is read as; `before` bytes more stand before the network
/// header.
fn seen4(before: u32) -> Seen {
    let start = 14 + before + 40;
    Seen {
        source: CLIENT.into(),
        destination: SERVER.into(),
        protocol: Protocol::Tcp,
        ports: PORTS,
        vlan: [0, 0],
        network_length: 40 + PAYLOAD.len() as u32,
        header_length: 40,
        fragment: false,
        tunnelled: false,
        tcp: Some((SEQUENCE, 0x18, start..start + PAYLOAD.len() as u32)),
    }
}

/// As [`seen4`], with IPv6.
fn seen6(before: u32) -> Seen {
    let start = 14 + before + 60;
    Seen {
        source: CLIENT6.into(),
        destination: SERVER6.into(),
        network_length: 60 + PAYLOAD.len() as u32,
        header_length: 60,
        tcp: Some((SEQUENCE, 0x18, start..start + PAYLOAD.len() as u32)),
        ..seen4(0)
    }
}

fn tcp(options: &[u8]) -> Vec<u8> {
    frame::tcp(PORTS, SEQUENCE, 0x18, options, PAYLOAD)
}

fn packet4() -> Vec<u8> {
    frame::ipv4(CLIENT, SERVER, TCP, &tcp(&[]))
}

fn packet6() -> Vec<u8> {
    frame::ipv6(CLIENT6, SERVER6, TCP, &tcp(&[]))
}

/// `bytes` with those from `at` on replaced.
fn with(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn every_frame_of_the_table() {
    for (name, link, bytes, expected) in frames::all() {
        check(&name, link, &bytes, expected);
    }
}

#[test]
fn padding_does_not_count() {
    let bare = frame::ethernet(
        IPV4,
        &frame::ipv4(CLIENT, SERVER, TCP, &frame::tcp(PORTS, 1, 0x10, &[], b"")),
    );
    let padded = [bare.as_slice(), &[0; 6]].concat();
    let seen = read(&Memory::new(Link::Ethernet, &padded));
    assert_eq!(seen.map(|seen| seen.network_length), Ok(40));
}

#[test]
fn a_tag_may_stand_behind_a_cooked_header() {
    // As `tcpdump -i any` writes it where the kernel left the tag in the packet.
    let tagged = frame::vlan(7, IPV4, &packet4());
    let seen = read(&Memory::new(Link::Network(VLAN), &tagged));
    assert_eq!(seen.map(|seen| seen.vlan), Ok([7, 0]));
}

#[test]
fn a_third_tag_is_not_looked_behind() {
    let check = |origin: u16, tags: &[u16], expected: Result<[u16; 2], Ignored>| {
        let (mut bytes, mut ethertype) = (packet4(), IPV4);
        for &tag in tags.iter().rev() {
            bytes = frame::vlan(tag, ethertype, &bytes);
            ethertype = VLAN;
        }
        let frame = frame::ethernet(ethertype, &bytes);
        let mut packet = Memory::new(Link::Ethernet, &frame);
        packet.origin.vlan = origin;
        let seen = read(&packet);
        assert_eq!(seen.map(|seen| seen.vlan), expected, "{origin} {tags:?}");
    };
    check(0, &[1, 2], Ok([1, 2]));
    check(0, &[1, 2, 3], Err(Ignored::NotIp));
    // At tc the kernel has taken the first one out of the frame.
    check(1, &[2], Ok([1, 2]));
    check(1, &[2, 3], Err(Ignored::NotIp));
}

/// Frames of the table with some bytes changed, some gone, and some more.
fn mutated() -> impl Strategy<Value = (Link, Vec<u8>)> {
    let frames: Vec<(Link, Vec<u8>)> = frames::all()
        .into_iter()
        .map(|(_, link, bytes, _)| (link, bytes))
        .collect();
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let length = any::<prop::sample::Index>();
    (
        proptest::sample::select(frames),
        changes,
        length,
        any::<bool>(),
    )
        .prop_map(|((link, mut bytes), changes, length, cut)| {
            for (at, new) in changes {
                // Headers stand in front.
                let at = at.index(bytes.len().min(120));
                bytes[at] = new;
            }
            if cut {
                bytes.truncate(length.index(bytes.len()));
            }
            (link, bytes)
        })
}

fn any_link() -> impl Strategy<Value = Link> {
    prop_oneof![
        Just(Link::Ethernet),
        Just(Link::Network(IPV4)),
        Just(Link::Network(IPV6)),
        any::<u16>().prop_map(Link::Network),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_are_refused_or_consistent(
        link in any_link(),
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        more in 0_u32..100_000,
    ) {
        let mut packet = Memory::new(link, &bytes);
        packet.wire_length += more;
        hold("random", &packet).ok();
    }

    #[test]
    fn changed_frames_are_refused_or_consistent((link, bytes) in mutated(), more in 0_u32..3000) {
        hold("changed", &Memory::new(link, &bytes)).ok();
        let mut packet = Memory::new(link, &bytes);
        packet.wire_length += more;
        hold("changed and cut", &packet).ok();
    }
}
