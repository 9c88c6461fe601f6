//! What stands in front of the network layer: link types, and the headers that only capture files
//! have, which are taken off here.
//!
//! A packet too short for such a header, or with a header that names no network protocol, is no
//! damage to the file: it comes with all that is there and the ethertype 0, which is nobody's.

use super::fields::{ByteOrder, Fields};
use super::input::{Input, Span};
use super::{Frame, Interface, Packet};

/// What the bytes of a [`Frame`] begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// What follows an ethertype: with 0x0800 an IPv4 header, with 0x86DD an IPv6 header, with 0x8100
    /// or 0x88A8 a VLAN tag's two bytes and the next ethertype.
    Network {
        /// The ethertype, in the host's byte order; 0 when there is none.
        ethertype: u16,
    },
}

/// The link types that are read, of the registry at <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkType {
    /// Ethernet.
    Ethernet,
    /// BSD loopback: the address family in front, in the byte order of the capturing host.
    Null,
    /// OpenBSD loopback: the address family in front, in network byte order.
    Loop,
    /// An IPv4 or IPv6 packet; three numbers mean it, this one is written.
    Raw,
    /// An IPv4 packet.
    Ipv4,
    /// An IPv6 packet.
    Ipv6,
    /// Linux cooked capture v1, as `tcpdump -i any` wrote it.
    LinuxCooked,
    /// Linux cooked capture v2, as `tcpdump -i any` writes it.
    LinuxCookedV2,
    /// Linux netfilter log, as `tcpdump -i nflog` writes it.
    Nflog,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const NO_PROTOCOL: u16 = 0;

impl LinkType {
    /// The link types in words, for errors.
    pub const LISTED: &str =
        "Ethernet, raw IP, Linux cooked v1 and v2, nflog, BSD loopback (NULL, LOOP)";

    /// The link type with this number; `None` when it is not read.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            // 12 and 14 are what some systems called raw IP before 101 was agreed on.
            12 | 14 | 101 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxCooked,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            239 => Self::Nflog,
            276 => Self::LinuxCookedV2,
            _ => return None,
        })
    }

    /// The number that stands in files.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::Nflog => 239,
            Self::LinuxCookedV2 => 276,
        }
    }
}

/// What a link header says of the packet behind it.
struct Stripped {
    ethertype: u16,
    /// Where in the packet the network layer begins.
    start: usize,
    /// How long it is where the header says so, whole or not.
    length: Option<usize>,
    interface: Option<u32>,
    outgoing: Option<bool>,
}

/// Takes off the link header, if it is one that only capture files have.
pub(super) fn strip<'a>(packet: &Packet, input: &'a Input, name: Option<&'a str>) -> Frame<'a> {
    let bytes = input.span(packet.bytes);
    let captured = bytes.len();
    let interface = |index: Option<u32>| {
        index
            .or(packet.interface)
            .map(|index| Interface { index, name })
    };
    let stripped = match packet.link_type {
        LinkType::Ethernet => {
            return Frame {
                link: Link::Ethernet,
                bytes,
                wire_len: packet.wire_len,
                time_ns: packet.time_ns,
                interface: interface(None),
                outgoing: packet.outgoing,
            };
        }
        LinkType::Ipv4 => Some(Stripped::headerless(IPV4)),
        LinkType::Ipv6 => Some(Stripped::headerless(IPV6)),
        LinkType::Raw => Some(Stripped::headerless(raw(bytes))),
        LinkType::Null | LinkType::Loop => loopback(bytes),
        LinkType::LinuxCooked => cooked(bytes),
        LinkType::LinuxCookedV2 => cooked_v2(bytes),
        LinkType::Nflog => nflog(bytes, packet.order),
    };
    let Stripped {
        ethertype,
        start,
        length,
        interface: index,
        outgoing,
    } = stripped.unwrap_or_else(|| Stripped::headerless(NO_PROTOCOL));
    let span: Span = packet.bytes.without_first(start);
    let (span, wire_len) = match length {
        Some(length) => (span.first(length), length as u32),
        None => (span, packet.wire_len - start.min(captured) as u32),
    };
    Frame {
        link: Link::Network { ethertype },
        bytes: input.span(span),
        wire_len,
        time_ns: packet.time_ns,
        interface: interface(index),
        outgoing: outgoing.or(packet.outgoing),
    }
}

impl Stripped {
    fn headerless(ethertype: u16) -> Self {
        Self {
            ethertype,
            start: 0,
            length: None,
            interface: None,
            outgoing: None,
        }
    }
}

fn raw(bytes: &[u8]) -> u16 {
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => IPV4,
        Some(6) => IPV6,
        _ => NO_PROTOCOL,
    }
}

fn loopback(bytes: &[u8]) -> Option<Stripped> {
    let family = Fields::new(ByteOrder::Big, bytes).u32()?;
    // Families are small numbers: that tells the byte order, which nothing else does.
    let family = if family > 0xffff {
        family.swap_bytes()
    } else {
        family
    };
    Some(Stripped {
        start: 4,
        ..Stripped::headerless(match family {
            2 => IPV4,
            // AF_INET6 of Linux; NetBSD and OpenBSD; FreeBSD; macOS.
            10 | 24 | 28 | 30 => IPV6,
            _ => NO_PROTOCOL,
        })
    })
}

fn cooked(bytes: &[u8]) -> Option<Stripped> {
    let mut fields = Fields::new(ByteOrder::Big, bytes);
    let (packet_type, hardware) = (fields.u16()?, fields.u16()?);
    let [_address_length, _address] = [fields.bytes(2)?, fields.bytes(8)?];
    let protocol = fields.u16()?;
    Some(Stripped {
        start: 16,
        outgoing: is_outgoing(packet_type),
        ..Stripped::headerless(cooked_protocol(hardware, protocol))
    })
}

fn cooked_v2(bytes: &[u8]) -> Option<Stripped> {
    let mut fields = Fields::new(ByteOrder::Big, bytes);
    let (protocol, _reserved, index) = (fields.u16()?, fields.u16()?, fields.u32()?);
    let (hardware, packet_type) = (fields.u16()?, fields.u8()?);
    let [_address_length, _address] = [fields.bytes(1)?, fields.bytes(8)?];
    Some(Stripped {
        start: 20,
        interface: Some(index),
        outgoing: is_outgoing(u16::from(packet_type)),
        ..Stripped::headerless(cooked_protocol(hardware, protocol))
    })
}

/// The direction that a `sll_pkttype` of packet(7) means: 0 to 3 came in (to this host, to all, to a
/// group, to another host), 4 went out.
pub(super) fn is_outgoing(packet_type: u16) -> Option<bool> {
    match packet_type {
        0..=3 => Some(false),
        4 => Some(true),
        _ => None,
    }
}

/// The protocol field is an ethertype, unless the hardware is frame relay (770), 802.11 with radiotap
/// (803) or netlink (824).
fn cooked_protocol(hardware: u16, protocol: u16) -> u16 {
    match hardware {
        770 | 803 | 824 => NO_PROTOCOL,
        _ => protocol,
    }
}

/// Finds the packet among the attributes of a netfilter log message (`nfnetlink_log.h` of Linux).
/// Their headers are in the byte order of the capturing host, their values in network byte order.
fn nflog(bytes: &[u8], order: ByteOrder) -> Option<Stripped> {
    const PACKET_HEADER: u16 = 1;
    const INTERFACE_IN: u16 = 4;
    const INTERFACE_OUT: u16 = 5;
    const PAYLOAD: u16 = 9;

    let mut fields = Fields::new(order, bytes);
    let (family, version, _resource) = (fields.u8()?, fields.u8()?, fields.bytes(2)?);
    if version != 0 {
        return None;
    }
    let (mut protocol, mut outgoing, mut interface) = (NO_PROTOCOL, None, None);
    loop {
        // The upper two bits of a type are flags of netlink.
        let (length, kind) = (usize::from(fields.u16()?), fields.u16()? & 0x3fff);
        let length = length.checked_sub(4)?;
        let start = bytes.len() - fields.rest().len();
        if kind == PAYLOAD {
            return Some(Stripped {
                start,
                length: Some(length),
                interface,
                outgoing,
                ..Stripped::headerless(match family {
                    2 => IPV4,
                    10 => IPV6,
                    _ => protocol,
                })
            });
        }
        let mut value = Fields::new(ByteOrder::Big, fields.bytes(length)?);
        match kind {
            PACKET_HEADER => {
                protocol = value.u16()?;
                outgoing = match value.u8()? {
                    0 | 1 => Some(false), // PREROUTING, INPUT
                    3 | 4 => Some(true),  // OUTPUT, POSTROUTING
                    _ => None,
                };
            }
            INTERFACE_IN => interface = interface.or_else(|| value.u32()),
            INTERFACE_OUT => interface = value.u32().or(interface),
            _ => {}
        }
        fields.skip_padding(length.next_multiple_of(4) - length);
    }
}
