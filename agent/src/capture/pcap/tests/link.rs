//! Link headers: taken off down to the network layer, at whatever length they were captured.

use super::*;

const IP: &[u8] = b"\x45 an IPv4 packet";
const IP6: &[u8] = b"\x60 an IPv6 packet";

/// One packet of a link type must come as `ethertype` with `payload`; cut anywhere in `header`, it
/// must come with no protocol and all of its bytes.
fn check_header(
    link_type: LinkType,
    header: &[u8],
    payload: &[u8],
    ethertype: u16,
    expect: impl Fn(Seen) -> Seen,
) {
    let case = format!("{link_type:?} {header:02x?}");
    let whole = [header, payload].concat();
    let on_wire = whole.len() as u32 + 100;
    let file = written(link_type, &[(5, &whole, on_wire)]);
    let frame = expect(Seen {
        link: Link::Network { ethertype },
        wire_len: payload.len() as u32 + 100,
        ..Seen::ethernet(5, payload)
    });
    check(&case, &file, &[frame], End::Clean);
    for length in 0..header.len() {
        let file = written(link_type, &[(5, &whole[..length], on_wire)]);
        let frame = Seen {
            link: Link::Network { ethertype: 0 },
            wire_len: on_wire,
            ..Seen::ethernet(5, &whole[..length])
        };
        check(
            &format!("{case}, {length} bytes"),
            &file,
            &[frame],
            End::Clean,
        );
    }
}

fn cooked(packet_type: u8, hardware: u16, protocol: u16) -> Vec<u8> {
    let builder = Builder::new(ByteOrder::Big).u16(u16::from(packet_type));
    builder
        .u16(hardware)
        .u16(6)
        .raw(&[9; 8])
        .u16(protocol)
        .bytes
}

fn cooked_v2(packet_type: u8, hardware: u16, protocol: u16) -> Vec<u8> {
    let builder = Builder::new(ByteOrder::Big).u16(protocol).u16(0).u32(3);
    builder
        .u16(hardware)
        .raw(&[packet_type, 6])
        .raw(&[9; 8])
        .bytes
}

#[test]
fn raw_packets_tell_their_version() {
    let same = |frame| frame;
    check_header(LinkType::Raw, b"", IP, 0x0800, same);
    check_header(LinkType::Raw, b"", IP6, 0x86dd, same);
    check_header(LinkType::Raw, b"", b"\x55 neither", 0, same);
    check_header(LinkType::Raw, b"", b"", 0, same);
    check_header(LinkType::Ipv4, b"", IP6, 0x0800, same);
    check_header(LinkType::Ipv6, b"", IP, 0x86dd, same);
}

#[test]
fn the_older_numbers_of_raw_packets_are_read() {
    for number in [12_u32, 14, 101] {
        let mut file = written(LinkType::Raw, &[(5, IP, IP.len() as u32)]);
        file[20..24].copy_from_slice(&number.to_le_bytes());
        let frame = Seen {
            link: Link::Network { ethertype: 0x0800 },
            ..Seen::ethernet(5, IP)
        };
        check("raw", &file, &[frame], End::Clean);
    }
}

#[test]
fn loopback_families_are_read_in_both_byte_orders() {
    for (family, ethertype) in [
        (2_u32, 0x0800),
        (10, 0x86dd),
        (24, 0x86dd),
        (28, 0x86dd),
        (30, 0x86dd),
        (7, 0),
    ] {
        for header in [family.to_be_bytes(), family.to_le_bytes()] {
            for link_type in [LinkType::Null, LinkType::Loop] {
                check_header(link_type, &header, IP, ethertype, |frame| frame);
            }
        }
    }
}

#[test]
fn cooked_headers_tell_protocol_and_direction() {
    for (packet_type, outgoing) in [
        (0, Some(false)),
        (1, Some(false)),
        (3, Some(false)),
        (4, Some(true)),
        (5, None),
    ] {
        for (hardware, protocol, ethertype) in [
            (1, 0x0800, 0x0800),
            (772, 0x86dd, 0x86dd),
            (1, 0x8100, 0x8100),
            (824, 0x0800, 0),
            (803, 0x0800, 0),
        ] {
            let expect = |frame| Seen { outgoing, ..frame };
            let header = cooked(packet_type, hardware, protocol);
            check_header(LinkType::LinuxCooked, &header, IP, ethertype, expect);
            let expect = |frame: Seen| Seen { outgoing, ..frame }.on(3, None);
            let header = cooked_v2(packet_type, hardware, protocol);
            check_header(LinkType::LinuxCookedV2, &header, IP, ethertype, expect);
        }
    }
}

/// A netfilter log message in the byte order of the file: some attributes, then the packet.
fn nflog(order: ByteOrder, family: u8, hook: u8, payload: &[u8]) -> Vec<u8> {
    let builder = Builder::new(order).raw(&[family, 0, 0, 5]);
    let builder = builder.u16(4 + 4).u16(1).raw(&[0x08, 0x06, hook, 0]);
    let builder = builder.u16(4 + 5).u16(10).raw(b"rule\0").raw(&[0; 3]);
    let builder = builder.u16(4 + 4).u16(5).raw(&[0, 0, 0, 8]);
    let builder = builder.u16(4 + 4).u16(4).raw(&[0, 0, 0, 7]);
    builder
        .u16(4 + payload.len() as u16)
        .u16(9)
        .raw(payload)
        .bytes
}

#[test]
fn netfilter_logs_hold_the_packet_among_attributes() {
    for order in pcapng::ORDERS {
        for (family, ethertype) in [(2, 0x0800), (10, 0x86dd), (7, 0x0806)] {
            for (hook, outgoing) in [
                (0, Some(false)),
                (1, Some(false)),
                (2, None),
                (3, Some(true)),
                (4, Some(true)),
            ] {
                let message = nflog(order, family, hook, IP);
                // Behind the packet may come more.
                let whole = [&message[..], b"\0\0\0\x08\0\x03"].concat();
                let file = classic::header(order, 0xa1b2_3c4d, 4, 65_535, 239);
                let length = whole.len() as u32;
                let file = classic::record(file, 5, length, length, &whole);
                let frame = Seen {
                    link: Link::Network { ethertype },
                    outgoing,
                    ..Seen::ethernet(1_700_000_000_000_000_005, IP)
                };
                check("nflog", &file.bytes, &[frame.on(8, None)], End::Clean);
            }
        }
    }
}

#[test]
fn a_netfilter_log_cut_anywhere_is_no_damage() {
    let message = nflog(ByteOrder::Little, 2, 3, IP);
    let before = message.len() - IP.len();
    for length in 0..=message.len() {
        let captured = &message[..length];
        let file = written(LinkType::Nflog, &[(5, captured, message.len() as u32)]);
        let frame = if length < before {
            Seen {
                link: Link::Network { ethertype: 0 },
                wire_len: message.len() as u32,
                ..Seen::ethernet(5, captured)
            }
        } else {
            let frame = Seen {
                link: Link::Network { ethertype: 0x0800 },
                wire_len: IP.len() as u32,
                ..Seen::ethernet(5, &captured[before..])
            };
            frame.on(8, None).outgoing(true)
        };
        check(&format!("{length} bytes"), &file, &[frame], End::Clean);
    }
}

#[test]
fn a_netfilter_log_with_impossible_attributes_is_no_damage() {
    let cases: [&[u8]; 3] = [
        b"\x02\x01\0\0\x08\0\x09\0data",         // another version
        b"\x02\0\0\0\x03\0\x09\0data",           // shorter than its own header
        b"\x02\0\0\0\xff\xff\x0a\0rule\0\0\0\0", // longer than the message
    ];
    for message in cases {
        let file = written(LinkType::Nflog, &[(5, message, message.len() as u32)]);
        let frame = Seen {
            link: Link::Network { ethertype: 0 },
            ..Seen::ethernet(5, message)
        };
        check(&format!("{message:02x?}"), &file, &[frame], End::Clean);
    }
}
