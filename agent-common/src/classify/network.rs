//! The network header: IPv4 with options, IPv6 with extension headers.

use super::{Address, Segment, ethertype, mapped, protocol};
use crate::counters::Ignored;
use crate::packet::Packet;

/// IPv6 extension headers that are followed (RFC 8200, section 4 lists five that make sense).
pub(super) const EXTENSION_HEADERS_MAX: u32 = 8;

/// Reads an IPv4 or IPv6 header, with all that belongs to it.
#[inline(always)]
pub(super) fn network<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    segment.network.set(segment.offset.get());
    match segment.next.get() {
        ethertype::IPV4 => ipv4(packet, segment),
        ethertype::IPV6 => ipv6(packet, segment),
        _ => Err(Ignored::NotIp),
    }
}

/// RFC 791, section 3.1.
#[inline(always)]
fn ipv4<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let offset = segment.offset.get();
    let header: [u8; 20] = packet.read(offset).ok_or(Ignored::Truncated)?;
    let header_length = u32::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_length < 20 {
        return Err(Ignored::BadHeader);
    }
    let total = u32::from(u16::from_be_bytes([header[2], header[3]]));
    set_end(segment, total, header_length)?;
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    if fragment & 0x1fff != 0 {
        return Err(Ignored::Fragment);
    }
    segment.fragment |= (fragment >> 13) as u8 & 1;
    segment.source = mapped([header[12], header[13], header[14], header[15]]);
    segment.destination = mapped([header[16], header[17], header[18], header[19]]);
    segment.next.set(u32::from(header[9]));
    segment.offset.set(offset + header_length);
    Ok(())
}

/// RFC 8200, sections 3 and 4.
#[inline(always)]
fn ipv6<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let offset = segment.offset.get();
    let header: [u8; 40] = packet.read(offset).ok_or(Ignored::Truncated)?;
    if header[0] >> 4 != 6 {
        return Err(Ignored::BadHeader);
    }
    let payload = u32::from(u16::from_be_bytes([header[4], header[5]]));
    set_end(segment, if payload == 0 { 0 } else { payload + 40 }, 40)?;
    segment.source = words(&header, 8);
    segment.destination = words(&header, 24);
    segment.next.set(u32::from(header[6]));
    segment.offset.set(offset + 40);
    // Once more, to see what stands behind the last.
    for _ in 0..=EXTENSION_HEADERS_MAX {
        if !is_extension(segment.next.get()) {
            return if segment.offset.get() > segment.end.get() {
                Err(Ignored::BadLength)
            } else {
                Ok(())
            };
        }
        extension(packet, segment)?;
    }
    Err(Ignored::ExtensionHeaders)
}

/// Steps over one extension header.
#[inline(always)]
fn extension<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let offset = segment.offset.get();
    let header: [u8; 4] = packet.read(offset).ok_or(Ignored::Truncated)?;
    let units = u32::from(header[1]);
    let length = match segment.next.get() {
        protocol::FRAGMENT => {
            let field = u16::from_be_bytes([header[2], header[3]]);
            if field & 0xfff8 != 0 {
                return Err(Ignored::Fragment);
            }
            // An atomic fragment (RFC 6946) is whole: there are no more.
            segment.fragment |= field as u8 & 1;
            8
        }
        protocol::AUTHENTICATION => (units + 2) * 4,
        _ => (units + 1) * 8,
    };
    segment.next.set(u32::from(header[0]));
    segment.offset.set(offset + length);
    Ok(())
}

#[inline(always)]
fn is_extension(next: u32) -> bool {
    // One bit a protocol number, the word chosen by its upper bits.
    const LOW: u64 = 1 << protocol::HOP_BY_HOP
        | 1 << protocol::ROUTING
        | 1 << protocol::FRAGMENT
        | 1 << protocol::AUTHENTICATION
        | 1 << protocol::DESTINATION_OPTIONS;
    const HIGH: u64 = 1 << (protocol::MOBILITY - 128)
        | 1 << (protocol::HOST_IDENTITY - 128)
        | 1 << (protocol::SHIM6 - 128);
    match next >> 6 {
        0 => LOW >> (next & 63) & 1 != 0,
        2 => HIGH >> (next & 63) & 1 != 0,
        _ => false,
    }
}

/// Notes where a network packet of `total` bytes ends. A total of 0 stands for "as long as the
/// frame": super-packets over 64 KiB cannot say their length. What is inside of a first fragment ends with it: the rest
/// is in later ones.
#[inline(always)]
fn set_end(segment: &Segment, total: u32, header_length: u32) -> Result<(), Ignored> {
    let offset = segment.offset.get();
    let limit = segment.end.get();
    if total == 0 {
        return if limit < offset + header_length {
            Err(Ignored::Truncated)
        } else {
            Ok(())
        };
    }
    if total < header_length {
        return Err(Ignored::BadHeader);
    }
    if offset + total > limit {
        return if segment.fragment != 0 && offset + header_length <= limit {
            Ok(())
        } else {
            Err(Ignored::BadLength)
        };
    }
    segment.end.set(offset + total);
    Ok(())
}

#[inline(always)]
fn words(bytes: &[u8; 40], at: usize) -> Address {
    let word = |at: usize| {
        u64::from_ne_bytes([
            bytes[at],
            bytes[at + 1],
            bytes[at + 2],
            bytes[at + 3],
            bytes[at + 4],
            bytes[at + 5],
            bytes[at + 6],
            bytes[at + 7],
        ])
    };
    [word(at), word(at + 8)]
}
