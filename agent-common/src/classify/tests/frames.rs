//! The frames of the table, and what each of them is.

use super::*;

type Row = (String, Link, Vec<u8>, Result<Seen, Ignored>);

type Add<'a> = &'a mut dyn FnMut(&str, Vec<u8>, Result<Seen, Ignored>);

/// Every row of the table.
pub(super) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for part in [
        links,
        ipv4_headers,
        ipv6_headers,
        fragments,
        transports,
        tunnels,
        tunnels_in_pieces,
        lies,
    ] {
        part(&mut |name, bytes, expected| {
            rows.push((String::from(name), Link::Ethernet, bytes, expected));
        });
    }
    let mut cooked = |name: &str, ethertype, bytes, expected| {
        let name = String::from(name);
        rows.push((name, Link::Network(ethertype), bytes, expected));
    };
    let cut = |mut seen: Seen| {
        if let Some((_, _, payload)) = &mut seen.tcp {
            *payload = payload.start - 14..payload.end - 14;
        }
        Ok(seen)
    };
    cooked("IPv4 alone", IPV4, packet4(), cut(seen4(0)));
    cooked("IPv6 alone", IPV6, packet6(), cut(seen6(0)));
    let bad = Err(Ignored::BadHeader);
    cooked("IPv6 said to be IPv4", IPV4, packet6(), bad.clone());
    cooked("IPv4 said to be IPv6", IPV6, packet4(), bad);
    let not_ip = Err(Ignored::NotIp);
    cooked("ARP alone", 0x0806, vec![0; 28], not_ip.clone());
    cooked("no protocol", 0, packet4(), not_ip);
    rows
}

fn links(add: Add<'_>) {
    add("IPv4", frame::ethernet(IPV4, &packet4()), Ok(seen4(0)));
    add("IPv6", frame::ethernet(IPV6, &packet6()), Ok(seen6(0)));
    let tagged = |vlan, seen| Ok(Seen { vlan, ..seen });
    for kind in [VLAN, 0x88a8, 0x9100] {
        let name = format!("{kind:#x}");
        let one = frame::vlan(7, IPV4, &packet4());
        add(&name, frame::ethernet(kind, &one), tagged([7, 0], seen4(4)));
        let one = frame::vlan(7, IPV6, &packet6());
        add(&name, frame::ethernet(kind, &one), tagged([7, 0], seen6(4)));
        // A tag that only carries a priority names no VLAN.
        for (outer, inner, vlan) in [(4094, 1, [4094, 1]), (0, 9, [9, 0]), (9, 0, [9, 0])] {
            let two = frame::vlan(outer, VLAN, &frame::vlan(inner, IPV4, &packet4()));
            let name = format!("{name}: {outer}, {inner}");
            add(&name, frame::ethernet(kind, &two), tagged(vlan, seen4(8)));
            let three = frame::ethernet(kind, &frame::vlan(1, VLAN, &two));
            add(&format!("three tags, {name}"), three, Err(Ignored::NotIp));
        }
    }
    let padded = frame::ethernet(VLAN, &frame::vlan(7, IPV4, &packet4()));
    let padded = [padded, vec![0xaa; 9]].concat();
    add(
        "padding behind a tagged packet",
        padded,
        tagged([7, 0], seen4(4)),
    );
    let padded = [frame::ethernet(IPV6, &packet6()), vec![0xaa; 9]].concat();
    add("padding behind IPv6", padded, Ok(seen6(0)));
    let not_ip = Err(Ignored::NotIp);
    add("ARP", frame::ethernet(0x0806, &[0; 46]), not_ip.clone());
    add(
        "a length, no type",
        frame::ethernet(38, &[0x42; 38]),
        not_ip,
    );
    let short = frame::ethernet(IPV4, &[])[..13].to_vec();
    add("half a type", short, Err(Ignored::Truncated));
}

/// `seen` of a packet whose headers are so many bytes longer.
fn longer(mut seen: Seen, more: u32) -> Seen {
    seen.network_length += more;
    seen.header_length += more;
    seen
}

fn ipv4_headers(add: Add<'_>) {
    for words in 1..=10_u8 {
        let more = u32::from(words) * 4;
        let mut packet = packet4();
        packet.splice(20..20, vec![1; more as usize]);
        packet[0] = 0x45 + words;
        let total = (packet.len() as u16).to_be_bytes();
        let bytes = frame::ethernet(IPV4, &with(packet, 2, &total));
        let name = format!("{more} bytes of IPv4 options");
        add(&name, bytes, Ok(longer(seen4(more), more)));
    }
    let field = |bits: u16| frame::ethernet(IPV4, &with(packet4(), 6, &bits.to_be_bytes()));
    add("may be fragmented", field(0), Ok(seen4(0)));
    add("evil (RFC 3514)", field(0x8000), Ok(seen4(0)));
    // Super-packets are too long to say how long they are.
    let endless = frame::ethernet(IPV4, &with(packet4(), 2, &[0, 0]));
    add("total length 0", endless, Ok(seen4(0)));
}

/// An extension header of type `kind` before `inside`, and how long it is: 8 bytes, or 24.
fn extend(kind: u8, next: u8, inside: &[u8], long: bool) -> (Vec<u8>, u32) {
    let units = if long && kind != 44 { 2 } else { 0 };
    let mut bytes = frame::extension(next, units, inside);
    if kind == 51 {
        // In words of four bytes, less two.
        bytes[1] = units * 2;
    }
    (bytes, 8 + 8 * u32::from(units))
}

fn extended(more: u32) -> Seen {
    longer(seen6(more), more)
}

fn ipv6_headers(add: Add<'_>) {
    for kind in [0, 43, 44, 51, 60, 135, 139, 140] {
        for long in [false, true] {
            let (inside, more) = extend(kind, TCP, &tcp(&[]), long);
            let packet = frame::ipv6(CLIENT6, SERVER6, kind, &inside);
            let name = format!("extension header {kind} of {more} bytes");
            add(&name, frame::ethernet(IPV6, &packet), Ok(extended(more)));
        }
    }
    // All that make sense together, in the order of RFC 8200, section 4.1.
    let (mut inside, mut next, mut more) = (tcp(&[]), TCP, 0);
    for kind in [60, 51, 44, 43, 60, 0] {
        let (bytes, length) = extend(kind, next, &inside, true);
        (inside, next, more) = (bytes, kind, more + length);
    }
    let packet = frame::ethernet(IPV6, &frame::ipv6(CLIENT6, SERVER6, next, &inside));
    add("six extension headers", packet, Ok(extended(more)));
    let (mut inside, mut next) = (tcp(&[]), TCP);
    for count in 1..=40_u32 {
        inside = frame::extension(next, 0, &inside);
        next = 60;
        let packet = frame::ethernet(IPV6, &frame::ipv6(CLIENT6, SERVER6, next, &inside));
        let expected = match count {
            ..=EXTENSION_HEADERS_MAX => Ok(extended(8 * count)),
            _ => Err(Ignored::ExtensionHeaders),
        };
        if count < 10 || count == 40 {
            add(&format!("{count} extension headers"), packet, expected);
        }
    }
    let endless = frame::ethernet(IPV6, &with(packet6(), 4, &[0, 0]));
    add("payload length 0", endless, Ok(seen6(0)));
    // Behind 59 nothing follows, whatever follows (RFC 8200, section 4.7); 50 is encrypted.
    for next in [59, 50] {
        let packet = frame::ethernet(IPV6, &frame::ipv6(CLIENT6, SERVER6, next, &tcp(&[])));
        add(
            &format!("next header {next}"),
            packet,
            Err(Ignored::Protocol),
        );
    }
}

fn fragments(add: Add<'_>) {
    let four = |bits: u16| frame::ethernet(IPV4, &with(packet4(), 6, &bits.to_be_bytes()));
    let first = |seen| {
        Ok(Seen {
            fragment: true,
            ..seen
        })
    };
    let later = Err(Ignored::Fragment);
    add("first fragment", four(0x2000), first(seen4(0)));
    add("later fragment", four(0x2001), later.clone());
    add("last fragment", four(0x1fff), later.clone());
    let six = |offset, more| {
        let inside = frame::fragment(TCP, offset, more, &tcp(&[]));
        frame::ethernet(IPV6, &frame::ipv6(CLIENT6, SERVER6, 44, &inside))
    };
    add("atomic fragment of IPv6", six(0, false), Ok(extended(8)));
    add("first fragment of IPv6", six(0, true), first(extended(8)));
    add("later fragment of IPv6", six(1, true), later.clone());
    add("last fragment of IPv6", six(0x1fff, false), later);
}

/// What a packet in IPv4 that is not TCP is read as.
fn other(protocol: Protocol, ports: [u16; 2], header_length: u32, network_length: usize) -> Seen {
    Seen {
        protocol,
        ports,
        header_length,
        network_length: network_length as u32,
        tcp: None,
        ..seen4(0)
    }
}

fn to_six(seen: Seen) -> Seen {
    Seen {
        source: CLIENT6.into(),
        destination: SERVER6.into(),
        ..seen
    }
}

fn transports(add: Add<'_>) {
    for words in 1..=10_usize {
        let packet = frame::ipv4(CLIENT, SERVER, TCP, &tcp(&vec![1; words * 4]));
        let more = words as u32 * 4;
        let name = format!("{more} bytes of TCP options");
        let seen = longer(seen4(more), more);
        add(&name, frame::ethernet(IPV4, &packet), Ok(seen));
    }
    for flags in [0, 0x01, 0x02, 0x04, 0x12, 0x3f, 0xff] {
        let packet = frame::ethernet(IPV4, &with(packet4(), 33, &[flags]));
        let mut seen = seen4(0);
        if let Some(tcp) = &mut seen.tcp {
            tcp.1 = flags & 0x3f;
        }
        add(&format!("TCP flags {flags:#x}"), packet, Ok(seen));
    }
    let four = |protocol, inside: &[u8]| {
        frame::ethernet(IPV4, &frame::ipv4(CLIENT, SERVER, protocol, inside))
    };
    let six =
        |next, inside: &[u8]| frame::ethernet(IPV6, &frame::ipv6(CLIENT6, SERVER6, next, inside));
    let udp = frame::udp([53, 5353], PAYLOAD);
    let length = udp.len();
    let seen = other(Protocol::Udp, [53, 5353], 28, 20 + length);
    add("UDP", four(UDP, &udp), Ok(seen));
    let seen = other(Protocol::Udp, [53, 5353], 48, 40 + length);
    add("UDP in IPv6", six(UDP, &udp), Ok(to_six(seen)));
    let echo = [8, 0, 0, 0, 0, 1, 0, 2];
    let seen = other(Protocol::Icmp, [0, 0], 0, 28);
    add("ICMP", four(1, &echo), Ok(seen));
    let seen = other(Protocol::Icmp, [0, 0], 0, 48);
    add("ICMPv6", six(58, &echo), Ok(to_six(seen)));
    for protocol in [0, 2, 33, 50, 51, 60, 89, 132, 255] {
        let name = format!("protocol {protocol}");
        add(&name, four(protocol, &tcp(&[])), Err(Ignored::Protocol));
    }
}

// Outer addresses are others, so that they cannot be taken for the inner ones.
const OUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
const OUTER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);

fn outer4(protocol: u8, inside: &[u8]) -> Vec<u8> {
    frame::ipv4(OUTER, OUTER, protocol, inside)
}

fn outer6(next: u8, inside: &[u8]) -> Vec<u8> {
    frame::ipv6(OUTER6, OUTER6, next, inside)
}

/// What the inner packet is read as that begins `before` bytes behind the outer one.
fn inner(seen: fn(u32) -> Seen, before: usize) -> Result<Seen, Ignored> {
    let mut seen = seen(before as u32);
    seen.tunnelled = true;
    seen.network_length += before as u32;
    Ok(seen)
}

fn tunnels(add: Add<'_>) {
    let four = |packet: Vec<u8>| frame::ethernet(IPV4, &packet);
    let six = |packet: Vec<u8>| frame::ethernet(IPV6, &packet);
    add("4in4", four(outer4(4, &packet4())), inner(seen4, 20));
    add("6in4", four(outer4(41, &packet6())), inner(seen6, 20));
    add("4in6", six(outer6(4, &packet4())), inner(seen4, 40));
    add("6in6", six(outer6(41, &packet6())), inner(seen6, 40));
    let bridged = frame::ethernet(VLAN, &frame::vlan(9, IPV4, &packet4()));
    for flags in [0, 0x80, 0x20, 0x10, 0xa0, 0x90, 0x30, 0xb0_u8] {
        let header = 4 + 4 * flags.count_ones() as usize;
        let name = format!("GRE {flags:#x}");
        let bytes = outer4(47, &frame::gre(flags, IPV4, &packet4()));
        add(&name, four(bytes), inner(seen4, 20 + header));
        let bytes = outer6(47, &frame::gre(flags, IPV6, &packet6()));
        add(&name, six(bytes), inner(seen6, 40 + header));
        let bytes = outer4(47, &frame::gre(flags, 0x6558, &bridged));
        add(&name, four(bytes), inner(seen4, 20 + header + 18));
    }
    let plain = frame::gre(0, IPV4, &packet4());
    for (name, at, new) in [
        ("GRE with a route", 0, &[0x40][..]),
        ("GRE, version 1", 1, &[1]),
        ("GRE with PPP", 2, &[0x88, 0x0b]),
    ] {
        let bytes = outer4(47, &with(plain.clone(), at, new));
        add(name, four(bytes), Err(Ignored::Protocol));
    }

    let datagram = |port, inside: &[u8]| outer4(UDP, &frame::udp([50_000, port], inside));
    for port in [4789, 8472] {
        let bytes = datagram(port, &frame::vxlan(&frame::ethernet(IPV6, &packet6())));
        let name = format!("VXLAN to port {port}");
        add(&name, four(bytes), inner(seen6, 20 + 8 + 8 + 14));
    }
    // The wire's VLAN counts, not the tunnel's.
    let bytes = frame::vlan(7, IPV4, &datagram(4789, &frame::vxlan(&bridged)));
    let mut seen = seen4(4 + 36 + 18);
    (seen.vlan, seen.tunnelled) = ([7, 0], true);
    seen.network_length += 36 + 18;
    add("VXLAN in a VLAN", frame::ethernet(VLAN, &bytes), Ok(seen));
    let udp = |bytes: &[u8], port| {
        let mut seen = other(Protocol::Udp, [50_000, port], 28, bytes.len());
        (seen.source, seen.destination) = (OUTER.into(), OUTER.into());
        Ok(seen)
    };
    let inside = frame::vxlan(&frame::ethernet(IPV4, &packet4()));
    let bytes = datagram(4790, &inside);
    let expected = udp(&bytes, 4790);
    add("VXLAN to another port", four(bytes), expected);
    let bytes = datagram(4789, &with(inside.clone(), 0, &[0x0c]));
    let expected = udp(&bytes, 4789);
    add("VXLAN with unknown flags", four(bytes), expected);
    let bytes = datagram(4789, &frame::vxlan(&frame::ethernet(0x0806, &[0; 28])));
    add("ARP in VXLAN", four(bytes), Err(Ignored::NotIp));

    // The second tunnel is counted by its protocol.
    let twice = outer4(4, &frame::ipv4(CLIENT, SERVER, 4, &packet4()));
    add("4in4in4", four(twice), Err(Ignored::Protocol));
    let datagram = frame::udp([50_000, 4789], &inside);
    let twice = frame::gre(0, IPV4, &frame::ipv4(CLIENT, SERVER, UDP, &datagram));
    let twice = outer4(47, &twice);
    let mut seen = other(Protocol::Udp, [50_000, 4789], 28, twice.len());
    seen.tunnelled = true;
    add("VXLAN in GRE", four(twice), Ok(seen));
}

/// The first `kept` bytes of what is inside of an outer packet, as the first fragment has them.
fn first_of4(protocol: u8, inside: &[u8], kept: usize) -> Vec<u8> {
    let outer = outer4(protocol, &inside[..kept]);
    frame::ethernet(IPV4, &with(outer, 6, &[0x20, 0]))
}

/// As [`first_of4`], in IPv6.
fn first_of6(next: u8, inside: &[u8], kept: usize) -> Vec<u8> {
    let inside = frame::fragment(next, 0, true, &inside[..kept]);
    frame::ethernet(IPV6, &outer6(44, &inside))
}

/// The first fragment of a tunnel's packet is looked into as far as it goes; later ones are not.
fn tunnels_in_pieces(add: Add<'_>) {
    let vxlan = |ethertype, packet: &[u8]| {
        let inside = frame::vxlan(&frame::ethernet(ethertype, packet));
        frame::udp([50_000, 4789], &inside)
    };
    let (four, six) = (packet4(), packet6());
    // What is inside of the outer packet, the bytes before the inner one, and whether that is IPv6.
    for (name, protocol, inside, before, is_six) in [
        ("4 in pieces", 4, four.clone(), 0, false),
        ("6 in pieces", 41, six.clone(), 0, true),
        ("GRE in pieces", 47, frame::gre(0, IPV4, &four), 4, false),
        (
            "GRE with IPv6 in pieces",
            47,
            frame::gre(0x20, IPV6, &six),
            8,
            true,
        ),
        ("VXLAN in pieces", UDP, vxlan(IPV4, &four), 30, false),
        (
            "VXLAN with IPv6 in pieces",
            UDP,
            vxlan(IPV6, &six),
            30,
            true,
        ),
    ] {
        let (seen, headers): (fn(u32) -> Seen, _) = if is_six { (seen6, 60) } else { (seen4, 40) };
        for kept in (8..inside.len()).step_by(8) {
            // The VXLAN header is not there, or it is all that is.
            if protocol == UDP && kept < 16 {
                continue;
            }
            let expected = |outer: usize| {
                let Some(payload) = kept.checked_sub(before + headers) else {
                    // What is missing is in another fragment: nothing lies.
                    return Err(Ignored::Fragment);
                };
                let mut seen = inner(seen, outer + before)?;
                seen.fragment = true;
                seen.network_length = (outer + kept) as u32;
                if let Some((_, _, range)) = &mut seen.tcp {
                    range.end = range.start + payload as u32;
                }
                Ok(seen)
            };
            let name = format!("{name}, {kept} bytes of {}", inside.len());
            add(&name, first_of4(protocol, &inside, kept), expected(20));
            add(&name, first_of6(protocol, &inside, kept), expected(48));
        }
        let later = with(outer4(protocol, &inside), 6, &[0x20, 1]);
        let name = format!("{name}, later");
        add(&name, frame::ethernet(IPV4, &later), Err(Ignored::Fragment));
    }
    // Less than one header of VXLAN: nothing but UDP is to be seen.
    let datagram = vxlan(IPV4, &four);
    let mut seen = other(Protocol::Udp, [50_000, 4789], 28, 28);
    (seen.source, seen.destination, seen.fragment) = (OUTER.into(), OUTER.into(), true);
    add("8 bytes of VXLAN", first_of4(UDP, &datagram, 8), Ok(seen));
    // What is there lies all the same.
    for (name, at, new, why) in [
        ("version 5 in a piece", 0, &[0x55][..], Ignored::BadHeader),
        ("a short total in a piece", 2, &[0, 39], Ignored::BadLength),
        (
            "TCP of 16 bytes in a piece",
            32,
            &[0x40],
            Ignored::BadHeader,
        ),
        ("a later fragment in a piece", 6, &[0, 1], Ignored::Fragment),
        ("a second tunnel in a piece", 9, &[4], Ignored::Protocol),
    ] {
        let inside = with(four.clone(), at, new);
        add(name, first_of4(4, &inside, 56), Err(why));
    }
    // The inner packet is whole, and something follows it.
    let longer = [four, vec![0xaa; 6]].concat();
    let mut expected = inner(seen4, 20);
    if let Ok(seen) = &mut expected {
        seen.fragment = true;
        seen.network_length += 6;
    }
    add("whole in a piece", first_of4(4, &longer, 64), expected);
}

fn lies(add: Add<'_>) {
    let length = packet4().len() as u8;
    for (name, at, new, why) in [
        ("version 5", 0, &[0x55][..], Ignored::BadHeader),
        ("header of 16 bytes", 0, &[0x44], Ignored::BadHeader),
        ("header too long", 0, &[0x4f, 0, 0, 59], Ignored::BadHeader),
        ("total below the header", 2, &[0, 19], Ignored::BadHeader),
        ("total without TCP", 2, &[0, 39], Ignored::BadLength),
        (
            "total one too long",
            2,
            &[0, length + 1],
            Ignored::BadLength,
        ),
        ("total too long", 2, &[0xff, 0xff], Ignored::BadLength),
        ("TCP of 16 bytes", 32, &[0x40], Ignored::BadHeader),
        ("TCP of no bytes", 32, &[0x00], Ignored::BadHeader),
        ("TCP behind the end", 32, &[0xf0], Ignored::BadLength),
    ] {
        let bytes = frame::ethernet(IPV4, &with(packet4(), at, new));
        add(name, bytes, Err(why));
    }
    let length = packet6().len() as u8 - 40;
    for (name, at, new, why) in [
        ("version 4", 0, &[0x40][..], Ignored::BadHeader),
        (
            "payload one too long",
            4,
            &[0, length + 1],
            Ignored::BadLength,
        ),
        ("payload without TCP", 4, &[0, 19], Ignored::BadLength),
    ] {
        let bytes = frame::ethernet(IPV6, &with(packet6(), at, new));
        add(name, bytes, Err(why));
    }
    for (next, why) in [(TCP, Ignored::BadLength), (60, Ignored::Truncated)] {
        let inside = with(frame::extension(next, 0, &tcp(&[])), 1, &[0xff]);
        let bytes = frame::ethernet(IPV6, &frame::ipv6(CLIENT6, SERVER6, 60, &inside));
        add("extension header behind the end", bytes, Err(why));
    }
    let udp = frame::ipv4(CLIENT, SERVER, UDP, &frame::udp([1, 2], b"abc")[..7]);
    let udp = frame::ethernet(IPV4, &udp);
    add("UDP of 7 bytes", udp, Err(Ignored::BadLength));
    // An inner packet ends with the outer one, whatever the frame has behind it.
    let total = packet4().len() as u8 + 1;
    let bytes = frame::ethernet(IPV4, &outer4(4, &with(packet4(), 2, &[0, total])));
    let bytes = [bytes, vec![0; 8]].concat();
    add("longer inside than outside", bytes, Err(Ignored::BadLength));
}
