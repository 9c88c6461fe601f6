//! A flow with its directions, and a record of what it is now.

use super::{
    FLOW_VERSION, FLOW_WAYS, Flow, FlowBucket, FlowDirection, FlowLines, FlowRecord, seen, why,
};
use crate::counters::Protocol;
use crate::shared::Shared;

/// A flow and its directions.
#[derive(Clone, Copy, Debug)]
pub struct FlowParts<'a> {
    /// What both directions share.
    pub flow: &'a Flow,
    /// The two directions; 0 is sent by the lower endpoint.
    pub directions: [&'a FlowDirection; 2],
}

/// The counts of a flow, by side of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) packets: [u64; 2],
    pub(crate) bytes: [u64; 2],
    pub(crate) payload: [u64; 2],
}

impl Counted {
    #[inline(always)]
    pub(crate) fn total(&self) -> u64 {
        self.packets[0].wrapping_add(self.packets[1])
    }
}

impl<'a> FlowParts<'a> {
    /// The flow at a place of its bucket. A place beyond the bucket wraps.
    #[inline(always)]
    #[must_use]
    pub fn of(bucket: &'a FlowBucket, [low, high]: [&'a FlowLines; 2], place: u32) -> Self {
        let place = place as usize & (FLOW_WAYS - 1);
        Self {
            flow: &bucket.places[place],
            directions: [&low.places[place], &high.places[place]],
        }
    }

    /// The direction of `side`, and the other one.
    #[inline(always)]
    pub(crate) fn sides(&self, side: u32) -> [&'a FlowDirection; 2] {
        let [low, high] = self.directions;
        if side & 1 == 0 {
            [low, high]
        } else {
            [high, low]
        }
    }

    /// The flow as it is now, as a scan of the table finds it; `None`: the place is free, or about to be
    /// filled in. `tick_ns`: the nanoseconds of a coarse tick.
    ///
    /// While packets come, the words of a record may be of slightly different moments.
    #[must_use]
    pub fn read(&self, slot: u32, tick_ns: u32) -> Option<FlowRecord> {
        if self.flow.tag.get() <= crate::table::CLAIMED {
            return None;
        }
        let both = |word: fn(&FlowDirection) -> &Shared<u64>| {
            [
                word(self.directions[0]).get(),
                word(self.directions[1]).get(),
            ]
        };
        let counted = Counted {
            packets: both(|direction| &direction.packets),
            bytes: both(|direction| &direction.bytes),
            payload: both(|direction| &direction.payload),
        };
        let mut record = FlowRecord::default();
        self.fill(&mut record, &counted, tick_ns);
        record.slot = slot;
        record.why = why::READ;
        record.version = FLOW_VERSION;
        Some(record)
    }

    /// Whether the place held this very flow from when [`FlowParts::flow`] was copied until `later`, a copy
    /// of the same place, was made. If so, directions that were copied in between are of this flow: a
    /// place that changes hands has the tag [`crate::table::CLAIMED`] from before its counts are taken until
    /// the next flow stands there with the next generation.
    ///
    /// Copies are taken from front to back: the tag stands in front of the generation, and that in front
    /// of what the flow is.
    #[must_use]
    pub fn is_still(&self, later: &Flow) -> bool {
        let tag = later.tag.get();
        tag > crate::table::CLAIMED
            && tag == self.flow.tag.get()
            && later.generation.get() == self.flow.generation.get()
    }

    /// Whether more was counted than the last record has that the kernel sent of this flow.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let [a, b] = self.directions;
        a.packets.get().wrapping_add(b.packets.get()) != self.flow.sent.get()
    }

    /// Writes what is known to `record`; slot, times of sending, CPU and reason are the caller's.
    #[inline(always)]
    pub(crate) fn fill(&self, record: &mut FlowRecord, counted: &Counted, tick_ns: u32) {
        let flow = self.flow;
        let state = flow.state.get();
        let higher = state & seen::OPENED_BY_HIGHER != 0;
        let (out, back) = if higher { (1, 0) } else { (0, 1) };
        let [low, high] = [
            address([flow.low[0].get(), flow.low[1].get()]),
            address([flow.high[0].get(), flow.high[1].get()]),
        ];
        (record.source, record.destination) = if higher { (high, low) } else { (low, high) };
        let ports = flow.ports.get();
        let [low, high] = [(ports >> 16) as u16, ports as u16];
        let (source, destination) = if flow.protocol.get() == Protocol::Icmp as u16 {
            let [kind, code] = flow.icmp.get().to_be_bytes();
            (u16::from(kind).to_be(), u16::from(code).to_be())
        } else if higher {
            (high, low)
        } else {
            (low, high)
        };
        record.source_port_be = source.to_ne_bytes();
        record.destination_port_be = destination.to_ne_bytes();
        record.protocol = flow.protocol.get() as u8;
        record.generation = flow.generation.get();
        record.ifindex = flow.ifindex.get();
        record.first_ns = flow.first_ns.get();
        let [a, b] = self.directions;
        let (seen_a, seen_b) = (a.last_seen.get(), b.last_seen.get());
        let last = if seen_a.wrapping_sub(seen_b) as i32 >= 0 {
            seen_a
        } else {
            seen_b
        };
        // Where the last packet was precise these are the same; a direction may lag behind.
        let behind = last.wrapping_sub(flow.anchor_ticks.get()) as i32;
        let ticks = if behind > 0 { behind as u32 } else { 0 };
        record.last_ns = flow.anchor_ns.get() + u64::from(ticks) * u64::from(tick_ns);
        record.answer_us = flow.answer_us.get();
        record.acknowledged_us = flow.acknowledged_us.get();
        record.history_length = flow.history_length.get().min(u64::from(u32::MAX)) as u32;
        record.letters = [flow.history[0].get(), flow.history[1].get()];
        record.cpus = [flow.cpus[out].get(), flow.cpus[back].get()];
        record.packets = [counted.packets[out], counted.packets[back]];
        record.bytes = [counted.bytes[out], counted.bytes[back]];
        record.payload = [counted.payload[out], counted.payload[back]];
        record.retransmitted = [
            flow.retransmitted[out].get(),
            flow.retransmitted[back].get(),
        ];
        let (out, back) = if higher { (b, a) } else { (a, b) };
        record.missed = [out.missed.get(), back.missed.get()];
        record.events = [out.events.get(), back.events.get()];
        let sides = if higher {
            state >> seen::SIDE_SHIFT & seen::SIDE | (state & seen::SIDE) << seen::SIDE_SHIFT
        } else {
            state & (seen::SIDE | seen::SIDE << seen::SIDE_SHIFT)
        };
        record.state = state & !(seen::SIDE | seen::SIDE << seen::SIDE_SHIFT) | sides;
    }
}

/// An address as its sixteen bytes.
#[inline(always)]
fn address(words: [u64; 2]) -> [u8; 16] {
    zerocopy::transmute!(words)
}
