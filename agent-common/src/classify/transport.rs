//! The transport header: TCP, UDP, ICMP.

use super::{Segment, protocol};
use crate::counters::{Ignored, Protocol};
use crate::packet::Packet;

/// Reads the transport header.
#[inline(always)]
pub(super) fn transport<P: Packet>(packet: &P, segment: &mut Segment) -> Result<(), Ignored> {
    let offset = segment.offset.get();
    let end = segment.end.get();
    segment.source_port_be = 0;
    segment.destination_port_be = 0;
    segment.payload_length = 0;
    segment.header_length = 0;
    match segment.next.get() {
        protocol::TCP => {
            let header: [u8; 14] = packet.read(offset).ok_or(Ignored::Truncated)?;
            let header_length = u32::from(header[12] >> 4) * 4;
            if header_length < 20 {
                return Err(Ignored::BadHeader);
            }
            let payload = offset + header_length;
            if payload > end {
                return Err(Ignored::BadLength);
            }
            segment.protocol = Protocol::Tcp as u32;
            segment.source_port_be = u16::from_ne_bytes([header[0], header[1]]);
            segment.destination_port_be = u16::from_ne_bytes([header[2], header[3]]);
            segment.sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
            segment.acknowledgement =
                u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
            segment.tcp_flags = header[13] & 0x3f;
            // Where it was cut off, nothing else is missed.
            segment.zero_window = u8::from(packet.read::<2>(offset + 14) == Some([0, 0]));
            segment.payload_offset = payload;
            segment.payload_length = end - payload;
            segment.header_length = payload - segment.network.get();
        }
        protocol::UDP => {
            let header: [u8; 4] = packet.read(offset).ok_or(Ignored::Truncated)?;
            if offset + 8 > end {
                return Err(Ignored::BadLength);
            }
            segment.protocol = Protocol::Udp as u32;
            segment.source_port_be = u16::from_ne_bytes([header[0], header[1]]);
            segment.destination_port_be = u16::from_ne_bytes([header[2], header[3]]);
            segment.payload_length = end - (offset + 8);
            segment.header_length = offset + 8 - segment.network.get();
        }
        protocol::ICMP | protocol::ICMP_V6 => {
            // Both have four bytes at least, and eight in every message that is in use.
            let [kind, code, _, _] = packet.read(offset).ok_or(Ignored::Truncated)?;
            let identifier: [u8; 2] = if offset + 8 <= end {
                packet.read(offset + 4).ok_or(Ignored::Truncated)?
            } else if offset + 4 <= end {
                [0; 2]
            } else {
                return Err(Ignored::BadLength);
            };
            segment.icmp = u32::from_be_bytes([kind, code, identifier[0], identifier[1]]);
            segment.protocol = Protocol::Icmp as u32;
            segment.payload_length = end.saturating_sub(offset + 8);
        }
        _ => return Err(Ignored::Protocol),
    }
    Ok(())
}
