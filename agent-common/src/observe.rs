//! One packet, from its first byte to the counters and the ring.

use crate::classify::{Segment, classify, goes_on_elsewhere};
use crate::counters::{Counters, Ignored, Protocol};
use crate::host::Host;
use crate::packet::Packet;
use crate::scratch::{Work, Workplace};
use crate::settings::filter;
use crate::track::track;

/// Looks at a packet: counts it, follows its connection, copies heads. Never changes the packet.
///
/// Gives the number of the [`Ignored`] reason when the packet contradicts itself, for diagnostics.
#[inline(always)]
pub fn observe<P: Packet, H: Host>(packet: &P, host: &H) -> Option<u32> {
    let workplace = host.workplace()?;
    let origin = packet.origin();
    // In memory, because the stack is short where heads are copied.
    workplace.work.segments.set(origin.segments);
    workplace.work.ifindex.set(origin.ifindex);
    workplace.work.outgoing.set(u32::from(origin.outgoing));
    if let Err(why) = classify(packet, &mut workplace.segment) {
        let Workplace {
            counters,
            work,
            segment,
            ..
        } = workplace;
        count_packet(
            counters,
            work,
            Protocol::Other as u32,
            packet.wire_length(),
            0,
        );
        // Forgotten and read again: the compiler may not drop the mask that the verifier needs.
        work.kind.set(why as u32);
        if goes_on_elsewhere(packet, segment, work.kind.get()) {
            work.kind.set(Ignored::Fragment as u32);
        }
        let why = work.kind.get() as usize & (Ignored::PLACES - 1);
        counters.ignored[why] += u64::from(work.segments.get());
        return Some(why as u32).filter(|why| DAMAGED >> why & 1 != 0);
    }
    let Workplace {
        counters,
        segment,
        work,
        ..
    } = workplace;
    count_packet(
        counters,
        work,
        segment.protocol,
        segment.network_length,
        segment.header_length,
    );
    if segment.fragment != 0 {
        counters.first_fragments += 1;
    }
    if segment.tunnelled != 0 {
        counters.tunnelled += 1;
    }
    if host.filters() != 0 && !wanted(host, segment) {
        counters.ignored[Ignored::Filtered as usize] += u64::from(work.segments.get());
        return None;
    }
    if host.counts_flows() {
        work.flow.set(0);
        work.flow_ended.set(0);
        host.count_flow(workplace);
    }
    if workplace.segment.protocol == Protocol::Tcp as u32 {
        track(packet, host, workplace);
        // Behind the records of its last packet.
        if host.counts_flows() && workplace.work.flow_ended.get() != 0 {
            host.end_flow(workplace);
        }
    }
    None
}

/// Reasons that say that a packet contradicts itself, one bit each.
const DAMAGED: u32 = 1 << Ignored::Truncated as u32
    | 1 << Ignored::BadHeader as u32
    | 1 << Ignored::BadLength as u32
    | 1 << Ignored::ExtensionHeaders as u32;

#[inline(always)]
fn count_packet(
    counters: &mut Counters,
    work: &Work,
    protocol: u32,
    length: u32,
    header_length: u32,
) {
    let segments = work.segments.get();
    let repeated = u64::from(segments.saturating_sub(1)) * u64::from(header_length);
    let direction = work.outgoing.get() as usize & 1;
    let protocol = protocol as usize & (Protocol::COUNT - 1);
    counters.packets[direction][protocol] += u64::from(segments);
    counters.bytes[direction][protocol] += u64::from(length) + repeated;
}

/// Applies `--port` and `--net`: one of the two ports, one of the two addresses.
#[inline(always)]
fn wanted<H: Host>(host: &H, segment: &Segment) -> bool {
    let filters = host.filters();
    if filters & filter::PORTS != 0
        && !host.port_wanted(segment.source_port_be)
        && !host.port_wanted(segment.destination_port_be)
    {
        return false;
    }
    filters & filter::NETS == 0
        || host.net_wanted(segment.source)
        || host.net_wanted(segment.destination)
}
