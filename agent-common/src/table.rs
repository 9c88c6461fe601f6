//! The connection table: buckets of four places, found by a keyed hash.
//!
//! An array instead of a hash map of the kernel, because it costs a tenth, because the agent can map
//! it into its memory, and because nothing leaves it unnoticed: a connection that must make room is
//! counted.

use crate::connection::{Connection, Key, state};
use crate::counters::{Counters, Lost};
use crate::flow::elapsed;
use crate::host::Host;

/// Places in a bucket.
pub const WAYS: usize = 4;

/// The tag of a place that is being filled in.
pub const CLAIMED: u64 = 1;

/// Places that share a hash.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Bucket {
    /// The places, in no order.
    pub places: [Connection; WAYS],
}

/// A connection found in the table, or put there.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// Its slot: bucket times [`WAYS`] plus place.
    pub slot: u32,
}

/// Finds a connection, or makes room for it.
///
/// `None` when another CPU was filling in the same place at this very moment (counted as
/// [`Lost::Slot`]) or the table is not there.
#[inline(always)]
pub fn find_or_insert<'a, H: Host>(
    host: &'a H,
    key: &Key,
    counters: &mut Counters,
) -> Option<Found<'a>> {
    let hash = hash(host, key);
    let tag = hash | 2;
    let index = (hash >> 32) as u32 & host.bucket_mask();
    let bucket = host.bucket(index)?;
    let mut place = 0;
    while place < WAYS {
        let connection = &bucket.places[place];
        if connection.tag.get() == tag && holds(connection, key) {
            let slot = index * WAYS as u32 + place as u32;
            return Some(Found { connection, slot });
        }
        place += 1;
    }
    insert(host, bucket, index, key, tag, counters)
}

#[inline(always)]
fn insert<'a, H: Host>(
    host: &'a H,
    bucket: &'a Bucket,
    index: u32,
    key: &Key,
    tag: u64,
    counters: &mut Counters,
) -> Option<Found<'a>> {
    let now = host.ticks() as u32;
    // A free place, else one whose connection has ended, else one without data, else the one idle for
    // longest.
    let mut chosen = &bucket.places[0];
    let mut chosen_place = 0;
    let mut best = 0;
    let mut place = 0;
    while place < WAYS {
        let connection = &bucket.places[place];
        let merit = merit(connection, now);
        if merit > best {
            best = merit;
            chosen = connection;
            chosen_place = place as u32;
        }
        place += 1;
    }
    let old = chosen.tag.get();
    if old == CLAIMED || !host.claim(&chosen.tag, old, CLAIMED) {
        counters.lost[Lost::Slot as usize] += 1;
        return None;
    }
    if old != 0 && best < ENDED {
        counters.evicted += 1;
    }
    counters.connections += 1;
    reset(chosen, key);
    chosen.directions[0].last_seen.set(now);
    chosen.directions[1].last_seen.set(now);
    chosen.tag.set(tag);
    Some(Found {
        connection: chosen,
        slot: index * WAYS as u32 + chosen_place,
    })
}

const FREE: u64 = 1 << 34;
const ENDED: u64 = 1 << 33;
/// Nothing was said: a flood of SYNs is to drive itself out, not those that talk.
const SILENT: u64 = 1 << 32;

/// How willingly a place is given away.
#[inline(always)]
fn merit(connection: &Connection, now: u32) -> u64 {
    let tag = connection.tag.get();
    if tag == 0 {
        return FREE;
    }
    if tag == CLAIMED {
        return 0;
    }
    let [a, b] = &connection.directions;
    let idle = elapsed(now, a.last_seen.get()).min(elapsed(now, b.last_seen.get()));
    let ended = a.state.get() & b.state.get() & state::ENDED != 0;
    let silent = (a.state.get() | b.state.get()) & state::PAYLOAD == 0;
    // At least 1: any place is better than none.
    1 + u64::from(idle) + if ended { ENDED } else { 0 } + if silent { SILENT } else { 0 }
}

#[inline(always)]
fn holds(connection: &Connection, key: &Key) -> bool {
    connection.low[0].get() == key.low[0]
        && connection.low[1].get() == key.low[1]
        && connection.high[0].get() == key.high[0]
        && connection.high[1].get() == key.high[1]
        && connection.ports.get() == key.ports
}

/// Empties a place for a new connection.
#[inline(always)]
fn reset(connection: &Connection, key: &Key) {
    connection.low[0].set(key.low[0]);
    connection.low[1].set(key.low[1]);
    connection.high[0].set(key.high[0]);
    connection.high[1].set(key.high[1]);
    connection.ports.set(key.ports);
    restart(connection);
}

/// Begins a new connection between the same endpoints.
#[inline(always)]
pub fn restart(connection: &Connection) {
    connection
        .generation
        .set(connection.generation.get().wrapping_add(1));
    connection.escalated.set(0);
    connection.budget_used.set(0);
    let mut side = 0;
    while side < 2 {
        let direction = &connection.directions[side];
        direction.position.set(0);
        direction.body_end.set(0);
        direction.hole_start.set(0);
        direction.hole_end.set(0);
        direction.next_sequence.set(0);
        direction.state.set(0);
        direction.records.set(0);
        direction.messages.set(0);
        direction.head_bytes.set(0);
        direction.carry.set(0);
        direction.asked.set(0);
        side += 1;
    }
}

/// A hash with secret keys: whoever does not know them cannot aim at a bucket.
#[inline(always)]
pub(crate) fn hash<H: Host>(host: &H, key: &Key) -> u64 {
    // The first word of an IPv4-mapped address is 0, so each product keeps an odd factor.
    let mut sum = u64::from(key.ports).wrapping_mul(host.hash_key(0) | 1);
    sum = sum.wrapping_add(
        (key.low[0].wrapping_add(host.hash_key(1) | 1))
            .wrapping_mul(key.low[1].rotate_right(32).wrapping_add(host.hash_key(2))),
    );
    sum = sum.wrapping_add(
        (key.high[0].wrapping_add(host.hash_key(3) | 1))
            .wrapping_mul(key.high[1].rotate_right(32).wrapping_add(host.hash_key(4))),
    );
    sum ^= sum >> 29;
    sum = sum.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    sum ^ sum >> 32
}

#[cfg(test)]
mod tests;
