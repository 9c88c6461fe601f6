//! Counting a packet in its flow.

use super::place::{Name, find_or_insert, send, sides};
use super::zeek::Letter;
use super::{Counted, FLOW_WAYS, flow_name, follow, seen, why};
use crate::counters::Protocol;
use crate::host::Host;
use crate::scratch::Workplace;

/// Counts the packet whose headers stand in `workplace` in its flow, and notes there which flow it is, and
/// whether it has ended with this packet: then [`end`] is to be called behind the packet's records.
#[inline(always)]
pub fn count<H: Host>(host: &H, workplace: &mut Workplace) {
    let Workplace {
        counters,
        segment,
        work,
        flow: record,
        ..
    } = workplace;
    work.now.set(host.ticks() as u32);
    let segments = u64::from(work.segments.get());
    let name = Name::of(segment);
    let Some(flow) = find_or_insert(host, &name, segment, work, counters, record) else {
        counters.packets_left_out += segments;
        return;
    };
    let generation = flow.generation.get();
    work.flow_generation.set(generation);
    work.flow.set(flow_name(work.flow_slot.get(), generation));

    let [own, _] = sides(flow, name.side);
    let repeated = segments.saturating_sub(1) * u64::from(segment.header_length);
    let bytes = u64::from(segment.network_length) + repeated;
    if host.add(&own.packets, segments) == 0 {
        flow.cpus[(name.side & 1) as usize].set(host.cpu() as u16);
    }
    host.add(&own.bytes, bytes);
    // Before `last_seen` is moved: it tells how long the direction was silent.
    if segment.protocol == Protocol::Tcp as u32 {
        if follow::tcp(host, flow, name.side, segment, work) {
            work.flow_ended.set(1);
        }
    } else {
        host.add(&own.payload, u64::from(segment.payload_length));
        let data = seen::DATA << ((name.side & 1) * seen::SIDE_SHIFT);
        if segment.protocol == Protocol::Udp as u32
            && flow.state.get() & data == 0
            && host.set_bits(&flow.state, data) & data == 0
        {
            follow::note(host, flow, name.side, Letter::Data);
        }
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
    let Some(bucket) = host.flow_bucket(slot / FLOW_WAYS as u32) else {
        return;
    };
    let flow = &bucket.places[slot as usize & (FLOW_WAYS - 1)];
    if flow.generation.get() != work.flow_generation.get() {
        return;
    }
    let [a, b] = &flow.directions;
    let counted = Counted {
        packets: [a.packets.get(), b.packets.get()],
        bytes: [a.bytes.get(), b.bytes.get()],
        payload: [a.payload.get(), b.payload.get()],
    };
    if send(host, flow, slot, why::ENDED, &counted, counters, record) {
        flow.sent.set(counted.total());
    }
}

#[cfg(test)]
mod tests;
