//! What of a TCP connection is copied to the reader.
//!
//! Ordinary traffic, one request outstanding on a connection, costs one record a head: payload that
//! begins with a start line is searched for its empty line, and exactly the head goes out. Whatever
//! cannot be told that way *escalates* the connection: all of its payload is copied, within budgets,
//! until the reader says that nothing is pending ([`crate::connection::Release`]).
//!
//! | seen | what happens |
//! |---|---|
//! | a start line and its empty line | one record, the head |
//! | a start line, no empty line yet | records until it is found, or 16 KiB |
//! | a request body of known length | skipped; what follows it is a start again |
//! | a second request before the answer to the first, bytes behind a request | escalate |
//! | an interim response, a body whose end is not known, a gap in the sequence | escalate |
//! | a response to no request that was seen, where the start was not seen either | escalate |
//! | a segment seen before | counted |
//!
//! A false start (body bytes that look like one) does no harm: the reader decides.

mod look;

use self::look::look;
use crate::classify::{Segment, tcp};
use crate::connection::{Connection, Direction, Key, Release, state};
use crate::copy::copy;
use crate::counters::{Counters, Escalated, Ignored};
use crate::host::Host;
use crate::packet::Packet;
use crate::record::FIRST_POSITION;
use crate::scratch::{Work, Workplace, mark};
use crate::table::{Found, find_or_insert, restart};

/// Follows a TCP segment: finds its connection, and copies what may be part of a head.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn track<P: Packet, H: Host>(packet: &P, host: &H, workplace: &mut Workplace) {
    let Workplace {
        counters,
        segment,
        work,
        scratch,
        ..
    } = workplace;
    if segment.payload_length == 0 && segment.tcp_flags & (tcp::SYN | tcp::FIN | tcp::RST) == 0 {
        // A bare acknowledgement: nothing of it is remembered.
        return;
    }
    let (key, side) = Key::of(segment);
    let Some(found) = find_or_insert(host, &key, counters) else {
        return;
    };
    let connection = found.connection;
    let direction = &connection.directions[(side & 1) as usize];
    let peer = &connection.directions[(side & 1 ^ 1) as usize];

    let flags = segment.tcp_flags;
    work.now.set(host.ticks() as u32);
    work.last_seen.set(direction.last_seen.get());
    if flags & tcp::SYN != 0 {
        let contradicts = !is_idle(work) && contradicts(direction, peer, segment);
        if contradicts && !is_answer(direction, peer, segment) {
            counters.ignored[Ignored::Sequence as usize] += 1;
            return;
        }
        on_syn(&found, direction, segment);
        if contradicts {
            begin_at(peer, segment.acknowledgement);
        }
        segment.sequence = segment.sequence.wrapping_add(1);
    }
    if segment.payload_length == 0 && flags & (tcp::FIN | tcp::RST) == 0 {
        return;
    }
    work.marks.set(0);
    work.kind.set(0);
    work.from.set(0);
    if flags & tcp::RST != 0 {
        work.mark(mark::ENDS | mark::RESETS);
    } else if flags & tcp::FIN != 0 {
        work.mark(mark::ENDS);
    }
    if !place(segment, connection, direction, peer, work, counters) {
        return;
    }
    direction.last_seen.set(work.now.get());
    if work.is(mark::ENDS) {
        direction.state.set(direction.state.get() | state::ENDED);
        if work.is(mark::RESETS) {
            peer.state.set(peer.state.get() | state::ENDED);
        }
    }
    if connection.escalated.get() != 0 || work.is(mark::GAP) {
        let release = host.release(found.slot);
        if Release::is_opaque(release, connection.generation.get()) {
            return;
        }
        if connection.escalated.get() != 0 {
            end_escalation(connection, direction, peer, release, work);
        }
    }
    if work.is(mark::GAP) {
        direction.state.set(direction.state.get() | state::UNSURE);
        escalate(connection, work, counters, Escalated::Gap);
    }
    let wanted = segment.payload_length > 0
        && look(
            packet, host, segment, direction, peer, work, scratch, counters,
        );
    if !wanted {
        if !work.is(mark::ENDS) {
            // As nearly all bodies.
            return;
        }
        work.from.set(segment.payload_length);
    }
    let in_head = (direction.state.get() | peer.state.get()) & state::HEAD != 0;
    let tells_end = work.is(mark::ENDS) && (in_head || work.is(mark::ESCALATED));
    if work.from.get() < segment.payload_length {
        work.mark(mark::WANTED);
    } else if !tells_end {
        return;
    }
    // Asked now and then, and only where something is to be copied: whatever looks like a head there is
    // none to the reader either.
    if direction.records.get() & ASK_MASK == ASK_MASK
        && Release::is_opaque(host.release(found.slot), connection.generation.get())
    {
        direction.state.set(direction.state.get() | state::OPAQUE);
        return;
    }
    copy(packet, host, workplace, found, side);
}

#[inline(always)]
fn on_syn(found: &Found<'_>, direction: &Direction, segment: &Segment) {
    let first = segment.sequence.wrapping_add(1);
    let seen = direction.state.get();
    if seen & state::SEEN != 0 {
        let back = direction.next_sequence.get().wrapping_sub(first);
        if direction.position.get().wrapping_sub(u64::from(back)) == FIRST_POSITION {
            // The same SYN again.
            return;
        }
        // The ports are used anew.
        restart(found.connection);
    } else if segment.tcp_flags & tcp::ACK == 0
        && found.connection.directions[0].state.get() | found.connection.directions[1].state.get()
            != 0
    {
        restart(found.connection);
    }
    begin_at(direction, first);
}

/// A direction begins: its first byte has this sequence number.
#[inline(always)]
fn begin_at(direction: &Direction, first: u32) {
    direction.next_sequence.set(first);
    direction.position.set(FIRST_POSITION);
    direction.body_end.set(0);
    direction.hole_start.set(0);
    direction.messages.set(0);
    direction.state.set(state::SEEN | state::FROM_START);
}

/// Finds out where a segment stands in its stream, and which part of it is new. False: it is none of its
/// connection.
#[inline(always)]
fn place(
    segment: &Segment,
    connection: &Connection,
    direction: &Direction,
    peer: &Direction,
    work: &Work,
    counters: &mut Counters,
) -> bool {
    let length = segment.payload_length;
    if direction.state.get() & state::SEEN == 0 {
        work.start.set(FIRST_POSITION);
        if length > 0 {
            direction.position.set(FIRST_POSITION + u64::from(length));
            direction
                .next_sequence
                .set(segment.sequence.wrapping_add(length));
            direction.state.set(direction.state.get() | state::SEEN);
        }
        return true;
    }
    let position = direction.position.get();
    let ahead = segment.sequence.wrapping_sub(direction.next_sequence.get()) as i32;
    if ahead != 0 && !is_idle(work) && is_foreign(direction, peer, segment) {
        counters.ignored[Ignored::Sequence as usize] += 1;
        return false;
    }
    // The end of a direction has its place behind the data that is still missing; a reset has none.
    let in_order = ahead == 0 || length == 0 && work.is(mark::RESETS);
    if in_order {
        work.start.set(position);
        direction.position.set(position + u64::from(length));
        if length > 0 {
            direction
                .next_sequence
                .set(segment.sequence.wrapping_add(length));
        }
        return true;
    }
    if length == 0 {
        // The end of a stream of which something is missing, or a lie: it moves nothing.
        work.start.set(position);
        work.unmark(mark::ENDS);
        return true;
    }
    work.start
        .set(position.wrapping_add(i64::from(ahead) as u64));
    let may_hide_head = connection.escalated.get() != 0 || may_hide_head(direction, peer);
    out_of_order(segment, direction, may_hide_head, work, position, counters);
    true
}

/// A segment that does not begin where the last one ended: a copy, a late piece, or one behind a
/// gap.
#[inline(always)]
fn out_of_order(
    segment: &Segment,
    direction: &Direction,
    may_hide_head: bool,
    work: &Work,
    position: u64,
    counters: &mut Counters,
) {
    let length = segment.payload_length;
    let start = work.start.get();
    let end = start.wrapping_add(u64::from(length));
    let hole_start = direction.hole_start.get();
    let hole_end = direction.hole_end.get();
    if start < position {
        if hole_start != 0 && start < hole_end && end > hole_start {
            work.mark(mark::FILL);
            if start <= hole_start {
                direction
                    .hole_start
                    .set(if end >= hole_end { 0 } else { end });
            } else if end >= hole_end {
                direction.hole_end.set(start);
            }
        } else if start < FIRST_POSITION && direction.state.get() & state::FROM_START == 0 {
            // What was seen first was not the first: this comes late, but not again.
        } else if end <= position {
            counters.retransmitted += 1;
            work.from.set(length);
            return;
        } else {
            work.from.set((position - start) as u32);
        }
    } else if may_hide_head {
        let body_end = direction.body_end.get();
        if body_end == 0 || start > body_end || hole_start != 0 {
            if hole_start == 0 {
                direction.hole_start.set(position);
            }
            direction.hole_end.set(start);
            direction.body_end.set(0);
            work.mark(mark::GAP);
        }
        // Else what is missing is body.
    }
    if end > position {
        direction.position.set(end);
        direction
            .next_sequence
            .set(segment.sequence.wrapping_add(length));
    }
}

/// The release word of a connection is looked at with one record in so many, plus one.
const ASK_MASK: u32 = 7;

/// How far from what is expected a sequence number may be without further proof: more than any window
/// that is in use.
const REACH: u32 = 1 << 26;

/// Coarse ticks (1 to 10 milliseconds each) without data after which a connection may have gone on unseen.
pub(crate) const IDLE_TICKS: u32 = 1_000;

/// Whether so much time has passed without data that a connection may have gone on unseen.
#[inline(always)]
fn is_idle(work: &Work) -> bool {
    work.now.get().wrapping_sub(work.last_seen.get()) > IDLE_TICKS
}

/// Whether a segment with data or an end is none of its connection: neither its sequence number nor what
/// it acknowledges is near what was seen (compare RFC 5961). One forged packet that was believed would
/// hide all that follows.
#[inline(always)]
fn is_foreign(direction: &Direction, peer: &Direction, segment: &Segment) -> bool {
    if is_near(segment.sequence, direction.next_sequence.get()) {
        return false;
    }
    // A reset proves nothing by what it acknowledges: often that is 0.
    segment.tcp_flags & (tcp::ACK | tcp::RST) != tcp::ACK
        || peer.state.get() & state::SEEN == 0
        || !is_near(segment.acknowledgement, peer.next_sequence.get())
}

#[inline(always)]
pub(crate) fn is_near(number: u32, expected: u32) -> bool {
    number.wrapping_sub(expected).wrapping_add(REACH) <= 2 * REACH
}

/// Whether a SYN that contradicts its connection is the answer to another such SYN: whoever is asked knows
/// whether the connection is over (RFC 5961, section 4). That other one is noted here.
#[inline(always)]
fn is_answer(direction: &Direction, peer: &Direction, segment: &Segment) -> bool {
    if segment.tcp_flags & tcp::ACK != 0 {
        return peer.asked.get() != 0 && peer.asked.get() == segment.acknowledgement;
    }
    direction.asked.set(segment.sequence.wrapping_add(1));
    false
}

/// Whether a SYN contradicts a connection on which data flows in both directions and which nobody has
/// ended: it begins elsewhere.
#[inline(always)]
fn contradicts(direction: &Direction, peer: &Direction, segment: &Segment) -> bool {
    let both = direction.state.get() | peer.state.get();
    if direction.state.get() & peer.state.get() & state::SEEN == 0
        || both & state::ENDED != 0
        || both & state::PAYLOAD == 0
    {
        return false;
    }
    let back = direction
        .next_sequence
        .get()
        .wrapping_sub(segment.sequence.wrapping_add(1));
    direction.position.get().wrapping_sub(u64::from(back)) != FIRST_POSITION
}

/// Whether what is missing matters: HTTP was seen on the connection, or nothing in order yet. Anything
/// else is another protocol, whose losses are no reason to copy it.
#[inline(always)]
fn may_hide_head(direction: &Direction, peer: &Direction) -> bool {
    let seen = direction.state.get();
    let http = (seen | peer.state.get()) & (state::REQUESTS | state::RESPONSES) != 0;
    let first = seen & state::PAYLOAD == 0 || direction.hole_start.get() != 0;
    http || first && (seen | peer.state.get()) & state::FOREIGN == 0
}

/// Ends an escalation when the reader has seen all and nothing is pending.
#[inline(always)]
fn end_escalation(
    connection: &Connection,
    direction: &Direction,
    peer: &Direction,
    release: u64,
    work: &Work,
) {
    let sent = direction.records.get().wrapping_add(peer.records.get());
    if !Release::applies(release, connection.generation.get(), sent) {
        work.mark(mark::ESCALATED);
        return;
    }
    connection.escalated.set(0);
    direction.messages.set(0);
    peer.messages.set(0);
    // What is still missing is nothing that the reader waits for.
    if !work.is(mark::GAP) {
        direction.hole_start.set(0);
    }
    peer.hole_start.set(0);
    let ended = !(state::HEAD | state::UNSURE);
    direction.state.set(direction.state.get() & ended);
    peer.state.set(peer.state.get() & ended);
}

/// Has everything of a connection copied from now on.
#[inline(always)]
pub(crate) fn escalate(
    connection: &Connection,
    work: &Work,
    counters: &mut Counters,
    why: Escalated,
) {
    work.mark(mark::ESCALATED);
    if connection.escalated.get() == 0 {
        counters.escalated[why as usize] += 1;
    }
    connection.escalated.set(why.mark());
}

#[cfg(test)]
mod tests;
