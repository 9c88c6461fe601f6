//! Sessions: which flow becomes a record, when, and which revision of it.
//!
//! Pure: flows and heads in, with the time; out comes what to write. The kernel's table keeps the counts;
//! here is only what was written of a flow, in a small entry that a flow has from its first record or its
//! first head on. Entries lie by slot of that table, in chunks made when the first of them is wanted: so
//! memory is bounded by the table, and nothing is ever moved.
//!
//! - A flow that the kernel sent gives a final record, unless one with the same counts was written.
//! - A flow that is found ended, or idle for longer than its limit, gives a final record.
//! - A flow that goes on gives an interim record, [`SessionSettings::interim_ns`] after the last one or
//!   after its beginning, if there is news.
//! - What comes later of a flow that has a final record gives another one, with a larger revision.
//!
//! A session is named after its run, slot and generation, so that its heads can tell its name without its
//! being known.

use agent_common::counters::Protocol;
use agent_common::flow::{FlowRecord, seen, slot_of, why};

use super::describe::cpus;
use super::identifier::Identifier;
use crate::capture::flows::{IdleLimits, Taken};

/// When records are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionSettings {
    /// When a flow is over without an end of its own.
    pub idle: IdleLimits,
    /// Nanoseconds between records of a flow that goes on; `None`: it has none but its last.
    pub interim_ns: Option<u64>,
    /// Nanoseconds of a coarse tick, of which idle flows are given a few more.
    pub tick_ns: u64,
}

/// A record that is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due {
    /// The session.
    pub session: Identifier,
    /// Counts its records, from 1.
    pub revision: u32,
    /// It goes on.
    pub interim: bool,
    /// Requests in it so far.
    pub requests: u32,
    /// Responses with a status of 400 or more in it so far.
    pub errors: u32,
}

/// What a head says to its session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Said {
    /// A request.
    Request,
    /// A response with a status of 400 or more.
    Error,
    /// Another response.
    Other,
}

/// What the table has counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SessionCounts {
    /// Sessions with at least one record.
    pub sessions: u64,
    /// Records written of them.
    pub records: u64,
    /// Those of them that were interim.
    pub interim: u64,
    /// Packets that are in the last record of a session.
    pub packets: u64,
    /// Those of them that the kernel side counts as left out nevertheless: their flow was found as it left.
    pub counted_twice: u64,
    /// Requests and errors that came after the last record of their session: they are in no record's count.
    pub late_heads: u64,
    /// Sessions whose two directions met different CPUs.
    pub differing_cpus: u64,
    /// Flows that went on when the table was last walked through.
    pub active: u64,
}

/// What was written of every flow that has a record, or heads.
#[derive(Debug)]
pub struct SessionTable {
    run: u64,
    settings: SessionSettings,
    chunks: Vec<Option<Box<Chunk>>>,
    counts: SessionCounts,
    /// Flows found in this walk that go on.
    walked: u64,
    ending: bool,
}

const CHUNK: usize = 256;
type Chunk = [Entry; CHUNK];

/// Slots that a flow's name can tell.
const SLOTS: u32 = 1 << 22;

/// A head's name for its flow has the generation modulo this.
const GENERATIONS: i64 = 1023;

/// Coarse ticks that an idle flow is given beyond its limit: then the kernel too takes it for over.
const MARGIN_TICKS: u64 = 3;

/// Of a flow that left after its successor was seen: nothing of it comes later.
const LAST_REVISION: u32 = u32::MAX;

/// The flow seen last in a slot, and what was written of it.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    generation: u32,
    /// Of its last record; 0: it has none.
    revision: u32,
    /// When its last record was made, on the clock of the records.
    written_ns: u64,
    /// Packets in its last record.
    packets: u64,
    requests: u32,
    errors: u32,
    /// Its last record is final.
    last: bool,
    /// Requests and errors since its last record.
    unsaid: u32,
    /// Its two directions met different CPUs.
    differs: bool,
    /// A successor was found before this flow came to its end; the next time it is believed.
    succeeded: bool,
}

impl Entry {
    fn of(generation: u32) -> Self {
        Self {
            generation,
            ..Self::default()
        }
    }

    /// Something of it is not in a final record.
    fn is_open(&self) -> bool {
        (self.revision > 0 && !self.last) || self.unsaid > 0
    }
}

impl SessionTable {
    /// Nothing yet; `run` makes its identifiers unlike those of every other run.
    #[must_use]
    pub fn new(run: u64, settings: SessionSettings) -> Self {
        Self {
            run,
            settings,
            chunks: Vec::new(),
            counts: SessionCounts::default(),
            walked: 0,
            ending: false,
        }
    }

    /// Gives the run another name; to be called before the first head or flow.
    pub fn name_run(&mut self, run: u64) {
        self.run = run;
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> SessionCounts {
        let mut counts = self.counts;
        if self.ending {
            // What is not said by now is never said.
            let entries = self.chunks.iter().flatten().flat_map(|chunk| chunk.iter());
            let unsaid = entries.map(|entry| u64::from(entry.unsaid));
            counts.late_heads += unsaid.sum::<u64>();
        }
        counts
    }

    /// Takes a head of the flow with this name ([`agent_common::flow::flow_name`]); gives its session.
    /// `None`: the name is none of a flow.
    pub fn head(&mut self, flow: u32, said: Said) -> Option<Identifier> {
        let slot = slot_of(flow)?;
        let entry = self.entry(slot)?;
        let (generation, ahead) = nearest(entry.generation, flow);
        let mut late = 0;
        if ahead > 0 {
            late = std::mem::replace(entry, Entry::of(generation)).unsaid;
        }
        if said != Said::Other {
            let count = match said {
                Said::Request => &mut entry.requests,
                _ => &mut entry.errors,
            };
            if ahead < 0 {
                late += 1;
            } else {
                *count = count.saturating_add(1);
                entry.unsaid = entry.unsaid.saturating_add(1);
            }
        }
        self.counts.late_heads += u64::from(late);
        Some(self.name(slot, generation))
    }

    /// Takes a flow that the kernel side sent; gives the record that is due.
    pub fn sent(&mut self, record: &FlowRecord) -> Option<Due> {
        let entry = self.entry(record.slot)?;
        let ahead = record
            .generation
            .wrapping_sub(entry.generation)
            .cast_signed();
        if ahead < 0 {
            let mut forgotten = Entry::of(record.generation);
            forgotten.revision = LAST_REVISION - 1;
            return Some(self.write(&mut forgotten, record, record.time_ns, false));
        }
        let mut late = 0;
        if ahead > 0 {
            late = std::mem::replace(entry, Entry::of(record.generation)).unsaid;
        }
        let packets = total(record);
        let stale = record.why == why::ENDED && packets < entry.packets;
        let news = packets > entry.packets || entry.unsaid > 0 || !entry.last;
        let mut copy = *entry;
        self.counts.late_heads += u64::from(late);
        if stale || !news {
            return None;
        }
        let due = self.write(&mut copy, record, record.time_ns, false);
        self.put(record.slot, copy);
        Some(due)
    }

    /// Takes a flow as it was found in its place at `now_ns`; gives the record that is due, and what is to
    /// be said of the flow to the kernel side.
    pub fn found(&mut self, record: &FlowRecord, now_ns: u64) -> (Option<Due>, Taken) {
        let over = record.state & seen::ENDED != 0 || self.is_idle(record, now_ns);
        self.walked += u64::from(!over);
        let known = self.look(record.slot).unwrap_or_default();
        let ahead = record
            .generation
            .wrapping_sub(known.generation)
            .cast_signed();
        if ahead < 0 {
            return (None, Taken::No);
        }
        let mut entry = known;
        if ahead > 0 {
            if known.is_open() && !known.succeeded && !self.ending {
                // Its own record is still in the ring.
                entry.succeeded = true;
                self.put(record.slot, entry);
                return (None, Taken::No);
            }
            entry = Entry::of(record.generation);
        }
        let packets = total(record);
        let news = packets > entry.packets || entry.unsaid > 0;
        let (due, taken) = if over || self.ending {
            (news || !entry.last, Taken::Final)
        } else {
            let since = record.first_ns.max(entry.written_ns);
            let age = now_ns.saturating_sub(since);
            let due = self.settings.interim_ns.is_some_and(|most| age >= most);
            (due && news, Taken::SoFar)
        };
        if !due {
            // The counts of a final record are known, so that the kernel need not send them.
            let told = over && entry.last && packets == entry.packets;
            return (None, if told { Taken::Final } else { Taken::No });
        }
        let due = self.write(&mut entry, record, now_ns, taken == Taken::SoFar);
        self.put(record.slot, entry);
        // What has not ended and is not idle may go on, whatever the end of this run makes of it.
        let taken = if over { taken } else { Taken::SoFar };
        (Some(due), taken)
    }

    /// So many packets of flows that were found are among those that the kernel side counts as left out.
    pub fn counted_twice(&mut self, packets: u64) {
        self.counts.counted_twice += packets;
    }

    /// All flows have been shown to [`SessionTable::found`] once more.
    pub fn walked(&mut self) {
        self.counts.active = std::mem::take(&mut self.walked);
    }

    /// From now on what is found is over: nothing more will come.
    pub fn end(&mut self) {
        self.ending = true;
        self.walked = 0;
    }

    fn is_idle(&self, record: &FlowRecord, now_ns: u64) -> bool {
        const UDP: u32 = Protocol::Udp as u32;
        const ICMP: u32 = Protocol::Icmp as u32;
        let idle = &self.settings.idle;
        let limit = match u32::from(record.protocol) {
            UDP => idle.udp,
            ICMP => idle.icmp,
            _ => idle.tcp,
        };
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let margin = MARGIN_TICKS * self.settings.tick_ns;
        now_ns.saturating_sub(record.last_ns) > limit.saturating_add(margin)
    }

    fn write(&mut self, entry: &mut Entry, record: &FlowRecord, now_ns: u64, interim: bool) -> Due {
        let packets = total(record);
        self.counts.records += 1;
        self.counts.interim += u64::from(interim);
        self.counts.sessions += u64::from(entry.revision == 0);
        self.counts.packets += packets.saturating_sub(entry.packets);
        let (cpu, reply) = cpus(record);
        let differs = reply.is_some_and(|reply| reply != cpu);
        self.counts.differing_cpus += u64::from(differs && !entry.differs);
        entry.differs |= differs;
        entry.revision = entry.revision.saturating_add(1);
        entry.written_ns = now_ns;
        entry.packets = entry.packets.max(packets);
        entry.last = !interim;
        (entry.unsaid, entry.succeeded) = (0, false);
        Due {
            session: self.name(record.slot, record.generation),
            revision: entry.revision,
            interim,
            requests: entry.requests,
            errors: entry.errors,
        }
    }

    fn name(&self, slot: u32, generation: u32) -> Identifier {
        let number = u64::from(generation) << SLOTS.trailing_zeros() | u64::from(slot);
        Identifier::new(self.run, number)
    }

    fn look(&self, slot: u32) -> Option<Entry> {
        let chunk = self.chunks.get(slot as usize / CHUNK)?.as_ref()?;
        chunk.get(slot as usize % CHUNK).copied()
    }

    /// The entry of a slot, made if it is not there; `None`: there is no such slot.
    fn entry(&mut self, slot: u32) -> Option<&mut Entry> {
        if slot >= SLOTS {
            return None;
        }
        let index = slot as usize / CHUNK;
        if self.chunks.len() <= index {
            self.chunks.resize_with(index + 1, || None);
        }
        let chunk = self.chunks.get_mut(index)?;
        let chunk = chunk.get_or_insert_with(|| Box::new([Entry::default(); CHUNK]));
        chunk.get_mut(slot as usize % CHUNK)
    }

    fn put(&mut self, slot: u32, entry: Entry) {
        let Some(place) = self.entry(slot) else {
            return;
        };
        let before = std::mem::replace(place, entry);
        if before.generation != entry.generation {
            self.counts.late_heads += u64::from(before.unsaid);
        }
    }
}

fn total(record: &FlowRecord) -> u64 {
    record.packets[0].saturating_add(record.packets[1])
}

/// The generation that a flow's name means, which is that next to the one that is known; and how far
/// ahead of it that is.
fn nearest(known: u32, flow: u32) -> (u32, i64) {
    let meant = i64::from(flow >> SLOTS.trailing_zeros()) - 1;
    let known = i64::from(known);
    let mut ahead = (meant - known).rem_euclid(GENERATIONS);
    if ahead > GENERATIONS / 2 && known + ahead >= GENERATIONS {
        ahead -= GENERATIONS;
    }
    let generation = u32::try_from(known + ahead).unwrap_or_default();
    (generation, ahead)
}

#[cfg(test)]
mod tests;
