//! The table of flows: finding a flow, putting a new one there, and what leaves.

use super::follow::note;
use super::known::{left, unknown};
use super::parts::Counted;
use super::zeek::Letter;
use super::{
    FLOW_VERSION, FLOW_WAYS, FlowBucket, FlowLines, FlowParts, FlowRecord, elapsed, seen, why,
};
use crate::classify::{Segment, tcp};
use crate::connection::Key;
use crate::counters::{Counters, Lost, Protocol};
use crate::host::Host;
use crate::scratch::Work;
use crate::shared::Shared;
use crate::table::{CLAIMED, hash};

/// What a packet says of its flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    key: Key,
    protocol: u32,
    /// The side that sent the packet.
    pub(super) side: u32,
}

/// ICMP types that ask: those that answer are the next number, but for the echo of ICMPv4.
mod icmp {
    pub(super) const ECHO_REPLY: u32 = 0;
    pub(super) const ECHO: u32 = 8;
    /// Time stamp, information and address mask (RFC 792, RFC 950), each with its answer.
    pub(super) const TIME_STAMP: u32 = 13;
    pub(super) const MASK_REPLY: u32 = 18;
    pub(super) const ECHO_V6: u32 = 128;
    pub(super) const ECHO_REPLY_V6: u32 = 129;
}

impl Name {
    #[inline(always)]
    pub(super) fn of(segment: &Segment) -> Self {
        let (mut key, mut side) = Key::of(segment);
        let protocol = segment.protocol & (Protocol::COUNT as u32 - 1);
        if protocol == Protocol::Icmp as u32 {
            let kind = segment.icmp >> 24;
            let (question, answers) = match kind {
                icmp::ECHO_REPLY => (icmp::ECHO, true),
                icmp::ECHO | icmp::ECHO_V6 => (kind, false),
                icmp::ECHO_REPLY_V6 => (icmp::ECHO_V6, true),
                // Questions are odd.
                icmp::TIME_STAMP..=icmp::MASK_REPLY => ((kind - 1) | 1, kind & 1 == 0),
                _ => (kind, false),
            };
            let asks = kind != question
                || matches!(kind, icmp::ECHO | icmp::ECHO_V6)
                || (icmp::TIME_STAMP..=icmp::MASK_REPLY).contains(&kind);
            let identifier = if asks { segment.icmp << 16 } else { 0 };
            key.ports = identifier | question << 8 | segment.icmp >> 16 & 0xff;
            if segment.source == segment.destination {
                side = u32::from(answers);
            }
        }
        Self {
            key,
            protocol,
            side,
        }
    }
}

/// Where a flow is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    /// The bucket.
    pub(super) bucket: u32,
    /// What its lines carry.
    pub(super) tag: u64,
    /// The place that it takes if it can, so that most are found at once.
    preferred: u32,
}

impl Home {
    #[inline(always)]
    pub(super) fn of<H: Host>(host: &H, name: &Name) -> Self {
        let hash = hash(host, &name.key)
            .wrapping_add(u64::from(name.protocol).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self {
            bucket: (hash >> 32) as u32 & host.flow_mask(),
            tag: hash | 2,
            preferred: (hash >> 2) as u32,
        }
    }

    /// Notes the place of the flow, or [`FLOW_WAYS`]. `lines`: those of the bucket, of the side of the packet.
    #[inline(always)]
    pub(super) fn find(&self, lines: &FlowLines, work: &Work) {
        // Places are counted on by addition: the mask behind a sum is needed, and stays. Where it stands
        // goes through memory: the verifier then has one state behind the search.
        work.flow_slot.set(FLOW_WAYS as u32);
        let mut turn = 0;
        while turn < FLOW_WAYS as u32 {
            let place = self.preferred.wrapping_add(turn) & WAYS_MASK;
            if lines.places[place as usize].tag.get() == self.tag {
                work.flow_slot.set(place);
                break;
            }
            turn += 1;
        }
    }
}

/// Finds the flow of a packet, or makes room for it, and notes its slot. A flow that is over begins anew.
///
/// `None` when another CPU was filling in the same place at this very moment, or the table is not there.
/// Where two CPUs see the first packets of a flow at the same moment it can come to have two places; then
/// only one of them is found later, and the other leaves as a flow of its own.
#[inline(always)]
pub(super) fn find_or_insert<'a, H: Host>(
    host: &'a H,
    name: &Name,
    segment: &Segment,
    work: &Work,
    counters: &mut Counters,
    record: &mut FlowRecord,
) -> Option<FlowParts<'a>> {
    let home = Home::of(host, name);
    let bucket = host.flow_bucket(home.bucket)?;
    let lines = [
        host.flow_lines(0, home.bucket)?,
        host.flow_lines(1, home.bucket)?,
    ];
    home.find(host.flow_lines(name.side, home.bucket)?, work);
    let mut why = why::NEXT;
    if work.flow_slot.get() < FLOW_WAYS as u32 {
        // Read again: what was compared needs no mask to the compiler, but it does to Linux 6.1.
        let found = work.flow_slot.get() & WAYS_MASK;
        let parts = FlowParts::of(bucket, lines, found);
        if !is_over(host, &parts, name, segment, work) {
            work.flow_slot.set(home.bucket * FLOW_WAYS as u32 + found);
            return Some(parts);
        }
    } else if choose(host, bucket, lines, home.preferred, work) < OVER {
        why = why::EVICTED;
    }
    let place = work.flow_slot.get() & WAYS_MASK;
    let parts = FlowParts::of(bucket, lines, place);
    let slot = home.bucket * FLOW_WAYS as u32 + place;
    work.flow_slot.set(slot);
    let flow = parts.flow;
    let old = flow.tag.get();
    if old == CLAIMED || !host.claim(&flow.tag, old, CLAIMED) {
        return None;
    }
    let [a, b] = parts.directions;
    a.tag.set(0);
    b.tag.set(0);
    if old != 0 {
        if why == why::EVICTED {
            counters.flows_evicted += 1;
        }
        leave(host, &parts, slot, why, counters, record);
    }
    begin(host, &parts, name, segment, work, counters);
    flow.tag.set(home.tag);
    a.tag.set(home.tag);
    b.tag.set(home.tag);
    Some(parts)
}

/// Whether the packet is the first of another flow between the same endpoints.
#[inline(always)]
fn is_over<H: Host>(
    host: &H,
    parts: &FlowParts<'_>,
    name: &Name,
    segment: &Segment,
    work: &Work,
) -> bool {
    let now = work.now.get();
    let [own, peer] = parts.sides(name.side);
    let limit = host.flow_idle(name.protocol);
    if elapsed(now, own.last_seen.get()) > limit && elapsed(now, peer.last_seen.get()) > limit {
        return true;
    }
    if name.protocol != Protocol::Tcp as u32
        || segment.tcp_flags & (tcp::SYN | tcp::ACK) != tcp::SYN
    {
        return false;
    }
    // The ports are used anew, or what was seen so far was the rest of an earlier connection.
    const OPENING: u64 = seen::SYN | seen::ANSWER;
    let state = parts.flow.state.get();
    state & seen::ENDED != 0 || state & (OPENING | OPENING << seen::SIDE_SHIFT) == 0
}

/// Chooses the place to give away, and notes it. Gives its merit.
#[inline(always)]
fn choose<H: Host>(
    host: &H,
    bucket: &FlowBucket,
    lines: [&FlowLines; 2],
    preferred: u32,
    work: &Work,
) -> u64 {
    let now = work.now.get();
    work.flow_slot.set(preferred & WAYS_MASK);
    let mut best = 0;
    let mut turn = 0;
    while turn < FLOW_WAYS as u32 {
        let place = preferred.wrapping_add(turn) & WAYS_MASK;
        let parts = FlowParts::of(bucket, lines, place);
        let merit = if parts.flow.tag.get() == 0 {
            FREE
        } else {
            merit(host, &parts, now)
        };
        if merit > best {
            best = merit;
            work.flow_slot.set(place);
            if merit == FREE {
                break;
            }
        }
        turn += 1;
    }
    best
}

const WAYS_MASK: u32 = FLOW_WAYS as u32 - 1;
const _: () = assert!(FLOW_WAYS.is_power_of_two());

const FREE: u64 = 1 << 35;
const OVER: u64 = 1 << 34;
/// Nobody answered: a flood is to drive itself out, not those that talk.
const UNANSWERED: u64 = 1 << 33;

/// How willingly a place that is taken is given away.
#[inline(always)]
fn merit<H: Host>(host: &H, parts: &FlowParts<'_>, now: u32) -> u64 {
    let flow = parts.flow;
    if flow.tag.get() == CLAIMED {
        return 0;
    }
    let [a, b] = parts.directions;
    let idle = elapsed(now, a.last_seen.get()).min(elapsed(now, b.last_seen.get()));
    let ended = flow.state.get() & seen::ENDED != 0;
    // At least 1: any place is better than none.
    let mut merit = 1 + u64::from(idle);
    if ended || idle > host.flow_idle(u32::from(flow.protocol.get())) {
        merit += OVER;
    }
    if a.packets.get() == 0 || b.packets.get() == 0 {
        merit += UNANSWERED;
    }
    merit
}

/// Sends a flow that leaves its place, which is claimed, and takes its counts: what other CPUs add from
/// now on belongs to the next.
#[inline(always)]
fn leave<H: Host>(
    host: &H,
    parts: &FlowParts<'_>,
    slot: u32,
    why: u8,
    counters: &mut Counters,
    record: &mut FlowRecord,
) {
    let flow = parts.flow;
    let [a, b] = parts.directions;
    let counted = Counted {
        packets: [host.take(&a.packets), host.take(&b.packets)],
        bytes: [host.take(&a.bytes), host.take(&b.bytes)],
        payload: [host.take(&a.payload), host.take(&b.payload)],
    };
    let total = counted.total();
    let unsent = total.wrapping_sub(flow.sent.get());
    let generation = flow.generation.get();
    let word = host.flow_known(slot).map_or(0, Shared::get);
    let (unknown, last) = unknown(word, generation, total);
    if unsent == 0 || (unknown == 0 && last) {
        // The reader has all of it.
        return;
    }
    if send(host, parts, slot, why, &counted, counters, record) {
        return;
    }
    counters.flows_left_out += 1;
    counters.packets_left_out += host.left_out(slot, generation, total, unsent);
}

/// Of a flow that leaves its slot with so many packets, `unsent` of which no record has that was sent, and for
/// whose record there is no room: says so in the word of the slot, and gives how many packets are lost.
#[inline(always)]
pub fn left_out<H: Host>(host: &H, slot: u32, generation: u32, packets: u64, unsent: u64) -> u64 {
    let mut lost = unsent.min(packets);
    // What the reader says of it at this very moment counts: it says one thing and then another of each flow.
    let mut tries = 0;
    while let Some(known) = host.flow_known(slot)
        && tries < TRIES
    {
        let word = known.get();
        let (unread, said) = left(word, generation, packets, unsent);
        lost = unread;
        if said == word || host.claim(known, word, said) {
            break;
        }
        tries += 1;
    }
    lost
}

/// The reader changes the word of a slot before it looks and when it has looked, and makes a record in between:
/// longer than one try takes.
const TRIES: u32 = 2;

/// Sends a flow as it is now. False: there was no room.
#[inline(always)]
pub(super) fn send<H: Host>(
    host: &H,
    parts: &FlowParts<'_>,
    slot: u32,
    why: u8,
    counted: &Counted,
    counters: &mut Counters,
    record: &mut FlowRecord,
) -> bool {
    if !host.has_room_for_flows() {
        return false;
    }
    parts.fill(record, counted, host.tick_ns());
    record.time_ns = host.now_ns();
    record.slot = slot;
    record.why = why;
    record.version = FLOW_VERSION;
    record.cpu = host.cpu();
    counters.records += 1;
    record.cpu_record = counters.records;
    let sent = host.send_flow(record);
    if !sent {
        counters.lost[Lost::Ring as usize] += 1;
    }
    sent
}

/// Begins a flow in a place that is claimed. Its counts are 0, or what other CPUs have just added.
#[inline(always)]
fn begin<H: Host>(
    host: &H,
    parts: &FlowParts<'_>,
    name: &Name,
    segment: &Segment,
    work: &Work,
    counters: &mut Counters,
) {
    counters.flows += 1;
    let flow = parts.flow;
    flow.low[0].set(name.key.low[0]);
    flow.low[1].set(name.key.low[1]);
    flow.high[0].set(name.key.high[0]);
    flow.high[1].set(name.key.high[1]);
    flow.ports.set(name.key.ports);
    flow.protocol.set(name.protocol as u16);
    let generation = flow.generation.get().wrapping_add(1);
    flow.icmp.set((segment.icmp >> 16) as u16);
    flow.ifindex.set(work.ifindex.get());
    let now_ns = host.now_ns();
    let now = work.now.get();
    flow.first_ns.set(now_ns);
    flow.anchor_ns.set(now_ns);
    flow.anchor_ticks.set(now);
    flow.history[0].set(0);
    flow.history[1].set(0);
    flow.history_length.set(0);
    flow.sent.set(0);
    flow.answer_us.set(0);
    flow.acknowledged_us.set(0);
    let cpu = host.cpu() as u16;
    let mut side = 0;
    while side < 2 {
        let direction = parts.directions[side];
        direction.missed.set(0);
        direction.events.set(0);
        direction.next_sequence.set(0);
        direction.last_seen.set(now);
        direction.generation.set(generation);
        direction.calm.set(0);
        flow.retransmitted[side].set(0);
        flow.hole_start[side].set(0);
        flow.hole_end[side].set(0);
        flow.cpus[side].set(cpu);
        side += 1;
    }
    const ANSWER: u8 = tcp::SYN | tcp::ACK;
    let flipped = name.protocol == Protocol::Tcp as u32 && segment.tcp_flags & ANSWER == ANSWER;
    let higher = (name.side & 1 != 0) != flipped;
    let mut state = 0;
    if flipped {
        state |= seen::FLIPPED;
    }
    if higher {
        state |= seen::OPENED_BY_HIGHER;
    }
    flow.state.set(state);
    if flipped {
        note(host, flow, name.side, Letter::Flipped);
    }
    // Last: whoever sees it sees all of the new flow; see `FlowParts::is_still`.
    flow.generation.set(generation);
}
