//! The reader's end of flows: what the kernel side sends of them, and reading their table in slices.
//!
//! A flow comes to the reader in two ways. The kernel side *sends* it through the ring when it ends, when
//! a packet of its successor comes, and when it must make room. The rest is *found* by walking through the
//! table: what goes on, what has become idle, and what ended while the ring had no room. Who takes a
//! found flow says so: then the kernel knows how many packets are on record, and does not send a flow
//! again that was taken as final, unless packets were added.
//!
//! Walking is not emptying: an idle flow keeps its place until another one wants it. Slot and generation
//! name a flow for the life of the table, and whatever comes later of the same two is the same session.

use std::time::Duration;

use agent_common::flow::{FLOW_VERSION, FLOW_WAYS, FlowBucket, FlowLines, FlowParts, FlowRecord};
use agent_common::record::{RecordHeader, VERSION};
use agent_common::settings::Settings;
use zerocopy::FromBytes as _;

use crate::http::engine::Engine;

pub mod table;

/// When a flow is over without an end of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IdleLimits {
    /// TCP without a packet for so long.
    pub tcp: Duration,
    /// UDP without a packet for so long.
    pub udp: Duration,
    /// ICMP without a packet for so long.
    pub icmp: Duration,
}

impl Default for IdleLimits {
    /// Five minutes, and one minute.
    fn default() -> Self {
        Self {
            tcp: Duration::from_secs(300),
            udp: Duration::from_secs(60),
            icmp: Duration::from_secs(60),
        }
    }
}

impl IdleLimits {
    /// The settings of the kernel side: flows are counted only with limits. `tick_ns`: the nanoseconds of
    /// a tick of the coarse clock.
    #[must_use]
    pub fn settings(limits: Option<Self>, flow_mask: u32, tick_ns: u64) -> Settings {
        let ticks = |limit: Duration| {
            let ticks = limit.as_nanos() / u128::from(tick_ns.max(1));
            // The clock wraps at 2^32.
            ticks.clamp(1, 1 << 31) as u32
        };
        let Self { tcp, udp, icmp } = limits.unwrap_or_default();
        Settings {
            flows: u32::from(limits.is_some()),
            flow_mask,
            flow_idle: [ticks(tcp), ticks(udp), ticks(icmp), 1],
            tick_ns: tick_ns as u32,
            ..Settings::DEFAULT
        }
    }
}

/// Takes flows: sessions are made of them.
pub trait TakeFlow: std::fmt::Debug + Send {
    /// A flow as the kernel side sent it; [`FlowRecord::why`] says why. After `why::ENDED` the same slot
    /// and generation can come again, with more packets; after the others it cannot. `engine` has read all
    /// that was sent before.
    fn sent(&mut self, record: &FlowRecord, engine: &Engine);

    /// A flow as it was found in the table. `news`: something was counted since the kernel side last sent it.
    /// `engine` has read what `when` says. Gives what becomes of it.
    fn found(&mut self, record: &FlowRecord, news: bool, when: When, engine: &Engine) -> Taken;

    /// So many packets that were put on record in [`TakeFlow::found`] are among those that the kernel side counts as
    /// left out: their flow left at the same moment, when the ring had no room for it.
    fn counted_twice(&mut self, packets: u64);

    /// All flows of the table have been found once more.
    fn walked(&mut self);

    /// The programs are detached and the ring is empty: what is found from now on is all there will be.
    fn end(&mut self);
}

/// When a flow was found in the table, on the clock of the records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct When {
    /// The time itself, in nanoseconds.
    pub now_ns: u64,
    /// What was sent of packets up to this time is read. A flow whose last packet came later is ahead of its
    /// heads.
    pub read_ns: u64,
}

impl When {
    /// Everything that was sent is read.
    #[must_use]
    pub fn all_is_read(now_ns: u64) -> Self {
        Self {
            now_ns,
            read_ns: u64::MAX,
        }
    }
}

/// What was done with a flow that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// Nothing.
    No,
    /// It is on record as it is now, and goes on.
    SoFar,
    /// It is on record and is not to be sent again, unless packets are added. To be said only of a flow that
    /// has ended (`seen::ENDED`), or has been idle for its limit and a margin of two coarse ticks: the
    /// next packet then begins another flow.
    Final,
}

/// What comes out of the ring.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A piece of a head, or what else is copied of a connection.
    Piece(&'a RecordHeader, &'a [u8]),
    /// A flow.
    Flow(&'a FlowRecord),
}

impl<'a> Item<'a> {
    /// Reads a record of the ring; `None`: it is of no kind that this version knows.
    #[inline]
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (header, behind) = RecordHeader::ref_from_prefix(bytes).ok()?;
        match header.version {
            VERSION => Some(Self::Piece(header, behind.get(..header.captured as usize)?)),
            FLOW_VERSION => {
                let (record, _) = FlowRecord::ref_from_prefix(bytes).ok()?;
                Some(Self::Flow(record))
            }
            _ => None,
        }
    }

    /// The CPU that sent the record.
    #[must_use]
    pub fn cpu(&self) -> u32 {
        match self {
            Self::Piece(header, _) => header.cpu,
            Self::Flow(record) => record.cpu,
        }
    }

    /// Its number on that CPU: a gap is what the ring had no room for.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Piece(header, _) => header.cpu_record,
            Self::Flow(record) => record.cpu_record,
        }
    }

    /// When it was sent: of a piece, when its packet came. Nanoseconds of the clock of the records.
    #[must_use]
    pub fn time_ns(&self) -> u64 {
        match self {
            Self::Piece(header, _) => header.time_ns,
            Self::Flow(record) => record.time_ns,
        }
    }
}

/// The words in which is said what of each flow is on record: see [`agent_common::flow::known_word`].
pub(super) trait Words {
    /// The flow of this generation is looked at. False: it has left.
    fn look(&mut self, slot: u32, generation: u32) -> bool;

    /// So much of it is on record now (packets, and whether it is taken as over); `None`: nothing new. Gives how
    /// many of the packets are counted as left out nevertheless.
    fn looked(&mut self, slot: u32, generation: u32, told: Option<(u64, bool)>) -> u64;
}

/// Shows the flows of a bucket to `visit`, with whether there is news, and says what became of them. The lines were
/// copied between `bucket` and `later`, which is the same bucket: a flow that left its place meanwhile is
/// passed over, since its counts may be those of the next. Gives how many packets are on record and counted as
/// left out.
pub(super) fn visit_bucket(
    (bucket, lines, later): (&FlowBucket, [&FlowLines; 2], &FlowBucket),
    index: u32,
    tick_ns: u32,
    visit: &mut dyn FnMut(&FlowRecord, bool) -> Taken,
    words: &mut impl Words,
) -> u64 {
    let mut twice = 0;
    for (place, later) in (0..).zip(&later.places) {
        let slot = index * FLOW_WAYS as u32 + place;
        let flow = FlowParts::of(bucket, lines, place);
        if !flow.is_still(later) {
            continue;
        }
        let Some(record) = flow.read(slot, tick_ns) else {
            continue;
        };
        if !words.look(slot, record.generation) {
            continue;
        }
        let taken = visit(&record, flow.has_news());
        let packets = record.packets[0].wrapping_add(record.packets[1]);
        let told = (taken != Taken::No).then_some((packets, taken == Taken::Final));
        twice += words.looked(slot, record.generation, told);
    }
    twice
}

/// Buckets for so many flows: a power of two.
#[must_use]
pub fn flow_buckets(flows: u32) -> u32 {
    flows.max(1).div_ceil(FLOW_WAYS as u32).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use agent_common::table::CLAIMED;

    use super::*;

    const SLOT: u32 = 5 * FLOW_WAYS as u32 + 3;

    /// A bucket with one flow, as it is read at some moment.
    fn bucket(tag: u64, generation: u32) -> FlowBucket {
        let bucket = FlowBucket::default();
        bucket.places[3].tag.set(tag);
        bucket.places[3].generation.set(generation);
        bucket
    }

    /// What was said of a flow: slot, generation, and what is on record.
    type Looked = (u32, u32, Option<(u64, bool)>);

    struct Known(Option<Looked>);

    impl Words for Known {
        fn look(&mut self, _slot: u32, _generation: u32) -> bool {
            true
        }

        fn looked(&mut self, slot: u32, generation: u32, told: Option<(u64, bool)>) -> u64 {
            self.0 = Some((slot, generation, told));
            0
        }
    }

    /// Packets of the flow that was found between two looks at its bucket.
    fn found(before: &FlowBucket, later: &FlowBucket) -> Option<[u64; 2]> {
        let lines = [FlowLines::default(), FlowLines::default()];
        for (line, packets) in lines.iter().zip([5, 3]) {
            line.places[3].packets.set(packets);
        }
        let mut packets = None;
        let mut known = Known(None);
        let twice = visit_bucket(
            (before, [&lines[0], &lines[1]], later),
            5,
            1,
            &mut |record, _| {
                assert_eq!((packets, record.slot), (None, SLOT));
                packets = Some(record.packets);
                Taken::Final
            },
            &mut known,
        );
        let generation = before.places[3].generation.get();
        let told = packets.map(|_| (SLOT, generation, Some((8, true))));
        assert_eq!((known.0, twice), (told, 0));
        packets
    }

    #[test]
    fn a_flow_that_left_while_it_was_read_is_passed_over() {
        let flow = bucket(70, 4);
        assert_eq!(found(&flow, &bucket(70, 4)), Some([5, 3]));
        // Another flow, the next between the same endpoints, one that is being put there, none.
        for later in [
            bucket(71, 5),
            bucket(70, 5),
            bucket(CLAIMED, 4),
            bucket(0, 4),
        ] {
            assert_eq!(found(&flow, &later), None);
            assert_eq!(found(&later, &flow), None);
        }
    }
}
