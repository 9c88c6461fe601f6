//! What the segments of a TCP connection do to its flow: place in the stream, gaps and copies, how it
//! begins and ends.
//!
//! Each direction has one writer at a time on every path we know; where that fails, a place in the
//! stream can be wrong until the next segment, a count of packets cannot.

use super::zeek::{BY_DESTINATION, LETTER_BITS, Letter};
use super::{Flow, FlowDirection, FlowParts, HISTORY_IN_WORD, HISTORY_MAX, calm, elapsed, seen};
use crate::classify::{Segment, tcp};
use crate::host::Host;
use crate::scratch::Work;
use crate::track::{IDLE_TICKS, is_near};

const ENDS: u8 = tcp::FIN | tcp::RST;

/// Both sides' bits.
const fn either(bit: u64) -> u64 {
    bit | bit << seen::SIDE_SHIFT
}

/// Follows a segment. True: the connection has ended with it.
#[inline(always)]
pub(super) fn tcp<H: Host>(
    host: &H,
    parts: FlowParts<'_>,
    side: u32,
    segment: &Segment,
    work: &Work,
) -> bool {
    let [own, peer] = parts.sides(side);
    let ended = Follower {
        host,
        flow: parts.flow,
        own,
        peer,
        side,
        segment,
        work,
    }
    .event();
    settle(host, &parts);
    ended
}

/// Says which segments change nothing from now on but the line of their direction.
///
/// Another CPU may change the state meanwhile: whoever does so comes here behind it, and whoever wrote the
/// lines looks again. So what stands there last is of the last state, or says that nothing is calm.
#[inline(always)]
fn settle<H: Host>(host: &H, parts: &FlowParts<'_>) {
    let before = parts.flow.state.get();
    let [low, high] = parts.directions;
    low.calm.set(calm_bits(before, 0));
    high.calm.set(calm_bits(before, 1));
    // An atomic access, before which both stores are seen by everybody.
    if host.set_bits(&parts.flow.state, 0) != before {
        low.calm.set(0);
        high.calm.set(0);
    }
}

/// The [`calm`] bits of a side.
#[inline(always)]
fn calm_bits(state: u64, side: u32) -> u32 {
    let opening = state & either(seen::ANSWER) != 0 && state & seen::ACKNOWLEDGED == 0;
    if opening || state & either(seen::FIN) != 0 {
        return 0;
    }
    const PLACED: u64 = seen::DATA | seen::SEQUENCE;
    let done = state >> (side * seen::SIDE_SHIFT);
    let mut bits = 0;
    if done & seen::ACK != 0 {
        bits |= calm::BARE;
    }
    if done & PLACED == PLACED {
        bits |= calm::DATA;
    }
    bits
}

/// Moves a direction on.
#[inline(always)]
pub(super) fn advance(direction: &FlowDirection, by: u32, next: u32) {
    direction
        .payload
        .set(direction.payload.get().wrapping_add(u64::from(by)));
    direction.next_sequence.set(next);
}

/// Writes a letter into the history.
#[inline(always)]
pub(super) fn note<H: Host>(host: &H, flow: &Flow, side: u32, letter: Letter) {
    let by_higher = side & 1 != 0;
    let opened_by_higher = flow.state.get() & seen::OPENED_BY_HIGHER != 0;
    let mut code = letter as u64;
    if by_higher != opened_by_higher && !matches!(letter, Letter::Flipped) {
        code += BY_DESTINATION;
    }
    // The place is taken first, so two CPUs never write to the same one.
    let place = host.add(&flow.history_length, 1);
    if place >= HISTORY_MAX as u64 {
        return;
    }
    if place < HISTORY_IN_WORD as u64 {
        host.add(&flow.history[0], code << (place as u32 * LETTER_BITS));
    } else {
        let place = place as u32 - HISTORY_IN_WORD as u32;
        host.add(&flow.history[1], code << (place * LETTER_BITS));
    }
}

/// What following works with.
struct Follower<'a, H> {
    host: &'a H,
    flow: &'a Flow,
    own: &'a FlowDirection,
    peer: &'a FlowDirection,
    side: u32,
    segment: &'a Segment,
    work: &'a Work,
}

impl<H: Host> Follower<'_, H> {
    /// The side that sent the segment, as an index.
    #[inline(always)]
    fn index(&self) -> usize {
        (self.side & 1) as usize
    }

    /// What this side has done.
    #[inline(always)]
    fn did(&self, bit: u64) -> bool {
        self.flow.state.get() >> ((self.side & 1) * seen::SIDE_SHIFT) & bit != 0
    }

    /// What the other side has done.
    #[inline(always)]
    fn peer_did(&self, bit: u64) -> bool {
        self.flow.state.get() >> ((self.side & 1 ^ 1) * seen::SIDE_SHIFT) & bit != 0
    }

    /// Notes that this side did something. True: for the first time.
    #[inline(always)]
    fn mark(&self, bit: u64) -> bool {
        let bit = bit << ((self.side & 1) * seen::SIDE_SHIFT);
        self.host.set_bits(&self.flow.state, bit) & bit == 0
    }

    #[inline(always)]
    fn note(&self, letter: Letter) {
        note(self.host, self.flow, self.side, letter);
    }

    /// Anything that is not the next segment of a connection that is open. True: the end.
    #[inline(always)]
    fn event(&self) -> bool {
        let flags = self.segment.tcp_flags;
        if flags & (tcp::SYN | ENDS) != 0 {
            if flags & ENDS == ENDS && self.mark(seen::FIN_AND_RST) {
                self.note(Letter::FinAndReset);
            }
            if flags & tcp::SYN != 0 && flags & ENDS != 0 && self.mark(seen::SYN_AND_END) {
                self.note(Letter::SynAndEnd);
            }
        }
        let mut sequence = self.segment.sequence;
        if flags & tcp::SYN != 0 {
            self.opens();
            sequence = sequence.wrapping_add(1);
        }
        let length = self.segment.payload_length;
        let believed = self.is_believed(sequence);
        if length > 0 {
            if believed {
                self.place(sequence);
            }
            if self.mark(seen::DATA) {
                self.note(Letter::Data);
            }
        }
        if flags & ENDS == tcp::FIN && believed {
            self.finishes(sequence.wrapping_add(length));
        }
        if flags & tcp::RST != 0 {
            if believed {
                self.resets(sequence);
            }
        } else if flags & tcp::SYN == 0 && self.segment.zero_window != 0 {
            let before = self.host.add(&self.own.events, 1 << 32) >> 32;
            if is_round(before, before + 1) {
                self.note(Letter::ZeroWindow);
            }
        }
        if flags & tcp::ACK != 0 {
            self.acknowledges();
        }
        self.is_end()
    }

    /// A SYN, with or without ACK.
    #[inline(always)]
    fn opens(&self) {
        let first = self.segment.sequence.wrapping_add(1);
        let own = self.own;
        let answers = self.segment.tcp_flags & tcp::ACK != 0;
        let (bit, letter) = if answers {
            (seen::ANSWER, Letter::Answer)
        } else {
            (seen::SYN, Letter::Syn)
        };
        let before = self.flow.anchor_ns.get();
        let now_ns = self.precisely();
        if self.mark(bit) {
            self.note(letter);
            if self.did(seen::DATA | seen::FIN) {
                return;
            }
            own.next_sequence.set(first);
            self.mark(seen::SEQUENCE);
            let again = self.flow.state.get() & either(seen::SYN_AGAIN) != 0;
            if answers && self.peer_did(seen::SYN) && !again {
                self.flow.answer_us.set(microseconds(before, now_ns));
            }
            return;
        }
        // Which of the two was answered, or came first, cannot be told.
        self.mark(seen::SYN_AGAIN);
        self.flow.answer_us.set(0);
        let begun = own
            .next_sequence
            .get()
            .wrapping_sub(own.payload.get() as u32)
            .wrapping_sub(u32::from(self.did(seen::FIN)));
        if begun == first {
            let segments = u64::from(self.work.segments.get());
            self.host
                .add(&self.flow.retransmitted[self.index()], segments);
        } else {
            self.note(letter);
            if !self.did(seen::DATA | seen::FIN) {
                own.next_sequence.set(first);
            }
        }
    }

    /// Whether a segment is one of its connection; see `is_foreign` in [`crate::track`].
    #[inline(always)]
    fn is_believed(&self, sequence: u32) -> bool {
        let own = self.own;
        if !self.did(seen::SEQUENCE) || is_near(sequence, own.next_sequence.get()) {
            return true;
        }
        if elapsed(self.work.now.get(), own.last_seen.get()) > IDLE_TICKS {
            return true;
        }
        // A reset proves nothing by what it acknowledges: often that is 0.
        self.segment.tcp_flags & (tcp::ACK | tcp::RST) == tcp::ACK
            && self.peer_did(seen::SEQUENCE)
            && is_near(self.segment.acknowledgement, self.peer.next_sequence.get())
    }

    /// Finds the place of payload in its stream.
    #[inline(always)]
    fn place(&self, sequence: u32) {
        let own = self.own;
        let length = self.segment.payload_length;
        let end = sequence.wrapping_add(length);
        if !self.did(seen::SEQUENCE) {
            self.mark(seen::SEQUENCE);
            advance(own, length, end);
            return;
        }
        let next = own.next_sequence.get();
        let ahead = sequence.wrapping_sub(next) as i32;
        if ahead >= 0 {
            if ahead > 0 {
                self.skip(next, sequence);
            }
            advance(own, length, end);
            return;
        }
        let filled = self.fill(sequence, end, next);
        let new = end.wrapping_sub(next) as i32;
        if new > 0 {
            advance(own, new as u32, end);
        } else if filled {
            // It came late.
        } else if own.payload.get() < u64::from(ahead.unsigned_abs())
            && !self.did(seen::SYN | seen::ANSWER)
        {
            // What was seen first was not the first: this comes late, but not again.
            own.payload
                .set(own.payload.get().wrapping_add(u64::from(length)));
        } else {
            self.again();
        }
    }

    /// What came before comes again.
    #[inline(always)]
    fn again(&self) {
        let segments = u64::from(self.work.segments.get());
        let before = self
            .host
            .add(&self.flow.retransmitted[self.index()], segments);
        if is_round(before, before + segments) {
            self.note(Letter::Retransmitted);
        }
    }

    /// Bytes of the stream are missing.
    #[inline(always)]
    fn skip(&self, from: u32, to: u32) {
        let own = self.own;
        let missed = own.missed.get();
        let bytes = to.wrapping_sub(from);
        if missed == 0 {
            self.flow.hole_start[self.index()].set(from);
        }
        self.flow.hole_end[self.index()].set(to);
        own.missed.set(missed + u64::from(bytes));
        own.payload
            .set(own.payload.get().wrapping_add(u64::from(bytes)));
        let before = self.host.add(&own.events, 1) & 0xffff_ffff;
        if is_round(before, before + 1) {
            self.note(Letter::Gap);
        }
    }

    /// Takes what a late segment brings off what is missing. False: nothing.
    ///
    /// Several holes are remembered as one, with the number of bytes missing in it.
    #[inline(always)]
    fn fill(&self, sequence: u32, end: u32, next: u32) -> bool {
        let own = self.own;
        let missed = own.missed.get();
        if missed == 0 {
            return false;
        }
        // As distances back from the next expected byte: the larger, the earlier.
        let back = |number: u32| (next.wrapping_sub(number) as i32).max(0);
        let (hole_start, hole_end) = (
            self.flow.hole_start[self.index()].get(),
            self.flow.hole_end[self.index()].get(),
        );
        let from = back(sequence).min(back(hole_start));
        let to = back(end).max(back(hole_end));
        if from <= to {
            return false;
        }
        let bytes = u64::from((from - to) as u32);
        own.missed.set(missed.saturating_sub(bytes));
        if back(sequence) >= back(hole_start) {
            self.flow.hole_start[self.index()].set(next.wrapping_sub(to as u32));
        } else if back(end) <= back(hole_end) {
            self.flow.hole_end[self.index()].set(sequence);
        }
        true
    }

    /// A FIN whose place in the stream is `sequence`.
    #[inline(always)]
    fn finishes(&self, sequence: u32) {
        let own = self.own;
        let end = sequence.wrapping_add(1);
        self.precisely();
        let ahead = sequence.wrapping_sub(own.next_sequence.get()) as i32;
        let known = self.did(seen::SEQUENCE);
        if known && ahead < 0 {
            if ahead == -1 && self.did(seen::FIN) {
                let segments = u64::from(self.work.segments.get());
                self.host
                    .add(&self.flow.retransmitted[self.index()], segments);
            }
            return;
        }
        if known && ahead > 0 {
            self.skip(own.next_sequence.get(), sequence);
        }
        own.next_sequence.set(end);
        self.mark(seen::SEQUENCE | seen::FIN);
        self.note(Letter::Fin);
    }

    /// A RST.
    #[inline(always)]
    fn resets(&self, sequence: u32) {
        let own = self.own;
        self.precisely();
        if self.mark(seen::ANY_RESET) || own.next_sequence.get() != sequence {
            self.note(Letter::Reset);
        }
        let state = self.flow.state.get();
        let finished = state & either(seen::FIN) == either(seen::FIN);
        if !finished && state & either(seen::RESET) == 0 {
            self.mark(seen::RESET);
        }
        if !self.did(seen::SEQUENCE) {
            self.mark(seen::SEQUENCE);
        }
        if !self.did(seen::DATA | seen::FIN) {
            own.next_sequence.set(sequence);
        }
    }

    /// An acknowledgement: of a FIN, or of the answer to a SYN.
    #[inline(always)]
    fn acknowledges(&self) {
        if self.peer_did(seen::FIN) && !self.peer_did(seen::FIN_ACKED) {
            let behind = self
                .segment
                .acknowledgement
                .wrapping_sub(self.peer.next_sequence.get()) as i32;
            if behind == 0 {
                let acked = seen::FIN_ACKED << ((self.side & 1 ^ 1) * seen::SIDE_SHIFT);
                self.host.set_bits(&self.flow.state, acked);
                self.precisely();
            }
        }
        if self.segment.tcp_flags & (tcp::SYN | ENDS) != 0 {
            return;
        }
        if self.peer_did(seen::ANSWER)
            && self.did(seen::SYN)
            && self.host.set_bits(&self.flow.state, seen::ACKNOWLEDGED) & seen::ACKNOWLEDGED == 0
        {
            let before = self.flow.anchor_ns.get();
            let now_ns = self.precisely();
            if self.flow.state.get() & either(seen::SYN_AGAIN) == 0 {
                self.flow.acknowledged_us.set(microseconds(before, now_ns));
            }
        }
        if self.segment.payload_length == 0 && self.mark(seen::ACK) {
            self.note(Letter::Ack);
        }
    }

    /// Whether the connection has just ended.
    #[inline(always)]
    fn is_end(&self) -> bool {
        let state = self.flow.state.get();
        let closed = state & either(seen::FIN_ACKED) == either(seen::FIN_ACKED);
        let both = state & either(seen::FIN) == either(seen::FIN);
        let reset =
            state & either(seen::RESET) != 0 || both && state & either(seen::ANY_RESET) != 0;
        (closed || reset) && self.host.set_bits(&self.flow.state, seen::ENDED) & seen::ENDED == 0
    }

    /// Notes the precise time. Gives it.
    #[inline(always)]
    fn precisely(&self) -> u64 {
        let now_ns = self.host.now_ns();
        self.flow.anchor_ns.set(now_ns);
        self.flow.anchor_ticks.set(self.work.now.get());
        now_ns
    }
}

/// From one time to another; at least 1, since 0 stands for what is not known.
#[inline(always)]
fn microseconds(from: u64, to: u64) -> u32 {
    let microseconds = to.saturating_sub(from) / 1_000;
    microseconds.clamp(1, u64::from(u32::MAX)) as u32
}

/// Whether a count went over 1, 10, 100 …
#[inline(always)]
fn is_round(before: u64, after: u64) -> bool {
    let mut round = 1;
    let mut digits = 0;
    while digits < 7 {
        if before < round && after >= round {
            return true;
        }
        round *= 10;
        digits += 1;
    }
    false
}
