//! What a connection does while bytes are missing that may still come: the records behind a hole
//! wait, bounded in time and size, and are read in the order of the stream.

use agent_common::record::{RecordHeader, flag};

use super::super::engine::{Core, Output};
use super::super::pool::Piece;
use super::{Arrival, Connection};

impl Connection {
    /// Holds a record back while bytes before it are missing; else reads it, and what it set free.
    pub(super) fn order(
        &mut self,
        side: usize,
        arrival: Arrival<'_>,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        let known = self.sides[side].known_front(arrival.header, arrival.bytes.len());
        let behind;
        let arrival = match known {
            0 => arrival,
            _ => {
                behind = RecordHeader {
                    position: arrival.header.position + known as u64,
                    ..*arrival.header
                };
                Arrival {
                    header: &behind,
                    bytes: &arrival.bytes[known..],
                    ..arrival
                }
            }
        };
        let header = arrival.header;
        let state = &mut self.sides[side];
        let mut complete_to = state.complete_to(header);
        if complete_to != u64::MAX
            && let Some(since) = state.held_since()
            && header.time_ns.saturating_sub(since) >= core.limits.hole_ns
        {
            self.give_up_hole(side, core, out);
            complete_to = u64::MAX;
        }
        let state = &mut self.sides[side];
        let in_front = state.held_from().is_none_or(|held| header.position <= held);
        if in_front && !state.must_wait(header.position, complete_to) {
            self.read(side, arrival, core, out);
        } else if self.hold(side, arrival, core) {
            core.counts.held += 1;
        } else {
            core.counts.overflows += 1;
            self.give_up_hole(side, core, out);
            complete_to = u64::MAX;
            self.read(
                side,
                Arrival {
                    lost: true,
                    ..arrival
                },
                core,
                out,
            );
        }
        if header.flags & flag::MORE != 0 {
            // The packet closed the hole, but not all of it has come.
            let end = header.position.saturating_add(arrival.bytes.len() as u64);
            complete_to = complete_to.min(end);
        }
        self.read_held(side, complete_to, core, out);
    }

    /// Copies a record to wait; `false` when there is no room for it.
    pub(super) fn hold(&mut self, side: usize, arrival: Arrival<'_>, core: &mut Core) -> bool {
        let Some(mut piece) = core.pool.take(arrival.header, arrival.bytes) else {
            return false;
        };
        (piece.lost, piece.first) = (arrival.lost, arrival.first);
        // Half of the room is left to those who need little.
        let spare = core.pool.left().saturating_sub(core.limits.held_bytes / 2);
        let limit = core.limits.connection_held_bytes.max(spare / 4);
        match self.sides[side].hold(piece, limit) {
            Ok(()) => true,
            Err(piece) => {
                core.pool.give(piece);
                false
            }
        }
    }

    pub(super) fn read_held(
        &mut self,
        side: usize,
        complete_to: u64,
        core: &mut Core,
        out: &mut impl Output,
    ) {
        while let Some(piece) = self.sides[side].next_held(complete_to) {
            let Piece {
                header,
                bytes,
                lost,
                first,
                ..
            } = &*piece;
            self.read(
                side,
                Arrival {
                    header,
                    bytes,
                    lost: *lost,
                    first: *first,
                },
                core,
                out,
            );
            core.pool.give(piece);
        }
        if self.client == Some(side) && self.sides[side].held_from().is_none() {
            // No request waits any more.
            self.ahead = 0;
        }
    }

    /// The hole will not be closed: reads what waits behind it, with a loss in front.
    pub(super) fn give_up_hole(&mut self, side: usize, core: &mut Core, out: &mut impl Output) {
        if self.sides[side].abandon_hole() {
            core.counts.holes_given_up += 1;
            self.decide_doubtful_response(side, true, core, out);
            self.read_held(side, u64::MAX, core, out);
            self.mistrust();
        }
    }
}
