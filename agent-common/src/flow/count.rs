//! Counting a packet in its flow.

use super::parts::Counted;
use super::place::{Home, Name, find_or_insert, send};
use super::zeek::Letter;
use super::{FLOW_WAYS, FlowDirection, FlowParts, calm, elapsed, flow_name, follow, seen, why};
use crate::classify::{Segment, tcp};
use crate::counters::Protocol;
use crate::host::Host;
use crate::scratch::{Work, Workplace};

/// Counts the packet whose headers stand in `workplace` in its flow, and notes there which flow it is, and
/// whether it has ended with this packet: then [`end`] is to be called behind the packet's records.
#[inline(always)]
pub fn count<H: Host>(host: &H, workplace: &mut Workplace) {
    let Workplace {
        counters,
        segment,
        work,
        ..
    } = workplace;
    work.now.set(host.ticks() as u32);
    let name = Name::of(segment);
    let home = Home::of(host, &name);
    let Some(lines) = host.flow_lines(name.side, home.bucket) else {
        counters.packets_left_out += u64::from(work.segments.get());
        return;
    };
    home.find(lines, work);
    let place = work.flow_slot.get();
    if place < FLOW_WAYS as u32 {
        let own = &lines.places[place as usize & (FLOW_WAYS - 1)];
        if changes_nothing(host, own, segment, work) {
            let slot = home.bucket * FLOW_WAYS as u32 + place;
            work.flow.set(flow_name(slot, own.generation.get()));
            add(host, own, segment, work);
            let length = segment.payload_length;
            if length > 0 {
                if segment.protocol == Protocol::Tcp as u32 {
                    follow::advance(own, length, segment.sequence.wrapping_add(length));
                } else {
                    host.add(&own.payload, u64::from(length));
                }
            }
            own.last_seen.set(work.now.get());
            return;
        }
    }
    host.count_new(workplace);
}

/// Whether all that a packet changes stands in the line of its direction, as it is with nearly all.
#[inline(always)]
fn changes_nothing<H: Host>(host: &H, own: &FlowDirection, segment: &Segment, work: &Work) -> bool {
    let needed = if segment.payload_length == 0 {
        calm::BARE
    } else {
        calm::DATA
    };
    if own.calm.get() & needed == 0
        || elapsed(work.now.get(), own.last_seen.get()) > host.flow_idle(segment.protocol)
    {
        return false;
    }
    segment.protocol != Protocol::Tcp as u32
        || segment.tcp_flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0
            && segment.zero_window == 0
            && (segment.payload_length == 0 || segment.sequence == own.next_sequence.get())
}

/// Counts a packet. Gives how many its direction had before.
#[inline(always)]
fn add<H: Host>(host: &H, own: &FlowDirection, segment: &Segment, work: &Work) -> u64 {
    let segments = u64::from(work.segments.get());
    let repeated = segments.saturating_sub(1) * u64::from(segment.header_length);
    host.add(&own.bytes, u64::from(segment.network_length) + repeated);
    host.add(&own.packets, segments)
}

/// As [`count`], of a packet that says something new: it begins a flow, or ends it, or is out of order.
#[inline(always)]
pub fn count_new<H: Host>(host: &H, workplace: &mut Workplace) {
    let Workplace {
        counters,
        segment,
        work,
        flow: record,
        ..
    } = workplace;
    let name = Name::of(segment);
    let Some(parts) = find_or_insert(host, &name, segment, work, counters, record) else {
        counters.packets_left_out += u64::from(work.segments.get());
        return;
    };
    let flow = parts.flow;
    let generation = flow.generation.get();
    work.flow_generation.set(generation);
    work.flow.set(flow_name(work.flow_slot.get(), generation));
    let [own, _] = parts.sides(name.side);
    if add(host, own, segment, work) == 0 {
        flow.cpus[(name.side & 1) as usize].set(host.cpu() as u16);
    }
    // Before `last_seen` is moved: it tells how long the direction was silent.
    if segment.protocol == Protocol::Tcp as u32 {
        if follow::tcp(host, parts, name.side, segment, work) {
            work.flow_ended.set(1);
        }
    } else {
        host.add(&own.payload, u64::from(segment.payload_length));
        let data = seen::DATA << ((name.side & 1) * seen::SIDE_SHIFT);
        if segment.protocol == Protocol::Udp as u32 && host.set_bits(&flow.state, data) & data == 0
        {
            follow::note(host, flow, name.side, Letter::Data);
        }
        own.calm.set(calm::BARE | calm::DATA);
    }
    own.last_seen.set(work.now.get());
}

/// Sends the flow of the packet at hand, which has ended. Without room it stays where it is, until it
/// is read there or has to leave.
#[inline(always)]
pub fn end<H: Host>(host: &H, workplace: &mut Workplace) {
    let Workplace {
        counters,
        work,
        flow: record,
        ..
    } = workplace;
    let slot = work.flow_slot.get();
    let index = slot / FLOW_WAYS as u32;
    let (Some(bucket), Some(low), Some(high)) = (
        host.flow_bucket(index),
        host.flow_lines(0, index),
        host.flow_lines(1, index),
    ) else {
        return;
    };
    let parts = FlowParts::of(bucket, [low, high], slot);
    let flow = parts.flow;
    let [a, b] = parts.directions;
    let counted = Counted {
        packets: [a.packets.get(), b.packets.get()],
        bytes: [a.bytes.get(), b.bytes.get()],
        payload: [a.payload.get(), b.payload.get()],
    };
    // Looked at behind the counts: a place that another CPU gives away is claimed before they are taken, and
    // then the tags differ. One branch: all that is copied of a packet comes by here for the verifier.
    let other = flow.generation.get() ^ work.flow_generation.get();
    if (flow.tag.get() ^ a.tag.get()) | u64::from(other) != 0 {
        return;
    }
    if send(host, &parts, slot, why::ENDED, &counted, counters, record) {
        flow.sent.set(counted.total());
    }
}

#[cfg(test)]
mod tests;
