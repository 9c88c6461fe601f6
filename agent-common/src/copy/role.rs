//! What a start line makes of its direction and its connection.

use super::Copier;
use crate::connection::state;
use crate::counters::{Escalated, Ignored};
use crate::host::Host;
use crate::packet::Packet;
use crate::record::flag;
use crate::scratch::mark;
use crate::start::Start;
use crate::track::escalate;

impl<P: Packet, H: Host> Copier<'_, P, H> {
    /// Counts a start line; what it makes of the connection may escalate it.
    #[inline(always)]
    pub(super) fn count_start(&mut self) {
        let work = self.work;
        self.counters.candidates += 1;
        if work.captured.get() == 1
            && self.peer().state.get() & state::REQUESTS == 0
            && self.direction.state.get() & state::RESPONSES == 0
        {
            // "H" alone begins HEAD as well.
            work.kind.set(Start::RequestWithBody as u32);
        }
        if !self.takes_role() {
            // The peer's part: body bytes that look like a start line. The reader decides.
            return;
        }
        let messages = self.direction.messages.get();
        let peers = self.peer().messages.get();
        if work.kind.get() == Start::Response as u32 {
            // "HTTP/1.1 1xx": the first digit is the tenth byte, index 13 of the window.
            let is_known = work.captured.get() >= 10;
            let may_be_interim = !is_known || self.scratch.window_byte(13) == b'1';
            // Answered before its body came, which may never come then (RFC 9110, section 10.1.1).
            let may_lack_body =
                self.peer().state.get() & state::BODY_AWAITED != 0 && !(is_known && may_be_interim);
            if may_lack_body {
                self.peer().body_end.set(0);
            }
            if may_be_interim {
                escalate(self.connection, work, self.counters, Escalated::Interim);
            } else if may_lack_body {
                self.direction.messages.set(messages.wrapping_add(1));
                escalate(self.connection, work, self.counters, Escalated::Body);
            } else if peers.wrapping_sub(messages) as i32 > 0 {
                self.direction.messages.set(messages.wrapping_add(1));
                if self.host.connection_budget() == u32::MAX
                    && self.direction.records.get() == 0
                    && self.is_in_the_middle()
                {
                    // The first may as well answer an earlier request. Whoever has a budget saves it:
                    // nearly all who are met in the middle wait for each answer.
                    escalate(self.connection, work, self.counters, Escalated::Unasked);
                }
            } else if !work.is(mark::ESCALATED)
                && (self.is_in_the_middle() || self.host.connection_budget() == u32::MAX)
            {
                // Its request was not seen, nor were others perhaps: answers may stand anywhere. Where the start
                // was seen it is body more likely, which only who has no budget has copied.
                escalate(self.connection, work, self.counters, Escalated::Unasked);
            }
        } else {
            self.direction.messages.set(messages.wrapping_add(1));
            // Of two directions of requests one is of another kind, and no body in it is believed.
            let both = work.peer_state.get() & state::REQUESTS != 0;
            if both || messages.wrapping_sub(peers) as i32 >= 1 {
                self.escalate(Escalated::Pipelined);
            }
        }
        if work.is(mark::ESCALATED) {
            work.flags.set(work.flags.get() | u32::from(flag::ALL));
        }
    }

    /// Tells the preface of HTTP/2 where it comes in pieces of which the first is too short to tell: see
    /// [`crate::start::preface`].
    #[inline(always)]
    pub(super) fn follow_preface(&mut self, copied: u32) {
        let position = self.work.start.get() + u64::from(self.work.from.get());
        // Not of the peer itself: then the verifier would have to tell the two sides apart in all that follows.
        let peer = self.work.peer_state.get();
        let word = self.scratch.window_word(4);
        let told = self
            .host
            .follow_preface(self.direction, peer, position, word, copied);
        self.counters.ignored[Ignored::Http2 as usize] += u64::from(told);
    }

    /// Whether the connection was not seen from its start.
    #[inline(always)]
    fn is_in_the_middle(&self) -> bool {
        (self.direction.state.get() | self.peer().state.get()) & state::FROM_START == 0
    }

    /// Takes the direction for the one of requests, or of responses, by what begins here. It may turn
    /// out to be the other one only by a whole token, and when the peer's part was taken as well.
    #[inline(always)]
    fn takes_role(&self) -> bool {
        let (role, other) = if self.work.kind.get() == Start::Response as u32 {
            (state::RESPONSES, state::REQUESTS)
        } else {
            (state::REQUESTS, state::RESPONSES)
        };
        let seen = self.direction.state.get();
        let certain = self.work.captured.get() >= 8 && self.peer().state.get() & other != 0;
        if seen & other != 0 && !certain {
            return false;
        }
        self.direction.state.set(seen & !other | role);
        true
    }
}
