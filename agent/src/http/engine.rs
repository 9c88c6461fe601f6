//! The core of capture: records of the kernel in, HTTP heads out.
//!
//! Pure: no I/O, no clock, no allocation a record. A head that comes whole in one record is read in
//! place. What has to wait is copied and bounded ([`Limits`]).
//!
//! Holds at any time: [`Counts::start_lines`] = [`Counts::heads`] + [`Counts::copies`] +
//! [`Counts::look_alikes`], and heads = whole + partial. Each head is handed out once, in the order of
//! the stream of its direction.
//!
//! Refused: anything but TCP payload; what stands in a body, behind `101` or behind a 2xx to CONNECT.

use agent_common::record::{HEAD_MAX, RecordHeader, VERSION};

use super::connection::{Connection, Dormant, Fate};
use super::head::{Fields, StartLine};
use super::message::Message;
use super::pool::Pool;

/// Takes what the [`Engine`] finds.
pub trait Output {
    /// A head was found. Called once for each head.
    fn head(&mut self, head: &FoundHead<'_>);

    /// Nothing is in flight on the connection in `slot`: the kernel may go back to copying heads
    /// only. `records` is the sum of the last record numbers of both directions (wrapping), so that
    /// the kernel can tell whether more is on its way. `opaque`: what follows is not HTTP.
    fn release(&mut self, slot: u32, generation: u32, records: u32, opaque: bool);
}

/// One head as found on the wire. Borrowed from the record, or from the engine.
#[derive(Clone, Copy, Debug)]
pub struct FoundHead<'a> {
    /// When the packet with the first byte was seen, on the clock of the records, in nanoseconds.
    pub time_ns: u64,
    /// When the packet with the last byte was seen; of a partial head as [`Self::time_ns`].
    pub end_time_ns: u64,
    /// Of a request its number on the connection, from 0; of a response the number of the request that
    /// it answers, which may come later when segments were reordered. `None`: nobody knows.
    pub exchange: Option<u32>,
    /// Bytes of the message, head and body, where the head tells.
    pub expected: Option<u64>,
    /// Stream position behind the packet with the first byte.
    pub segment_end: u64,
    /// Stream position behind all that the other direction has sent so far; 0 when nothing was seen.
    pub peer_position: u64,
    /// How long before that packet this direction carried data, in coarse ticks; [`u16::MAX`] is that long
    /// or longer.
    pub last_ago: u16,
    /// The same of the other direction.
    pub peer_ago: u16,
    /// Source address; IPv4 as IPv4-mapped IPv6.
    pub source: [u8; 16],
    /// Source port.
    pub source_port: u16,
    /// Destination address; IPv4 as IPv4-mapped IPv6.
    pub destination: [u8; 16],
    /// Destination port.
    pub destination_port: u16,
    /// Index of the interface.
    pub ifindex: u32,
    /// The CPU that handled the first byte.
    pub cpu: u32,
    /// VLAN identifiers, outermost first; 0 is "no tag".
    pub vlan: [u16; 2],
    /// The packet was leaving the host.
    pub outgoing: bool,
    /// Slot of the connection.
    pub slot: u32,
    /// Generation of the slot.
    pub generation: u32,
    /// The flow of the packet with the first byte, as [`agent_common::flow::flow_name`] names it; 0: none.
    pub flow: u32,
    /// Direction of the connection, 0 or 1.
    pub side: u8,
    /// Stream position of the first byte.
    pub position: u64,
    /// The start line without its line end.
    pub line: &'a [u8],
    /// The start line, taken apart.
    pub start: StartLine<'a>,
    /// The minor version: `1` in `HTTP/1.1`; `None`: the line was cut before it.
    pub minor_version: Option<u8>,
    /// The fields that lines are made of.
    pub fields: Fields<'a>,
    /// The field lines as on the wire, without the empty line at the end.
    pub raw_fields: &'a [u8],
    /// The head is not whole.
    pub partial: bool,
}

/// The bounds of what an [`Engine`] keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Slots of the connection table; records of higher ones are refused.
    pub slots: u32,
    /// Bytes of a head that are handed out; a longer one is partial.
    pub head_bytes: usize,
    /// Bytes held back of all connections together: split heads, segments behind holes, doubtful heads.
    pub held_bytes: usize,
    /// Bytes held back behind the hole of one direction; more while [`Self::held_bytes`] has room: a quarter of what
    /// is left of its first half.
    pub connection_held_bytes: usize,
    /// How long a hole is waited for, in nanoseconds.
    pub hole_ns: u64,
    /// How long the next bytes of a head are waited for, in nanoseconds.
    pub head_idle_ns: u64,
    /// When a connection without records is forgotten, in nanoseconds.
    pub idle_ns: u64,
    /// When the memory of a connection is given back that has no records and waits for nothing, in
    /// nanoseconds; what has to be known of it stays.
    pub rest_ns: u64,
    /// Requests outstanding on a connection.
    pub requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slots: 1 << 20,
            head_bytes: HEAD_MAX,
            held_bytes: 8 << 20,
            connection_held_bytes: 64 << 10,
            hole_ns: 1_000_000_000,
            head_idle_ns: 60_000_000_000,
            idle_ns: 600_000_000_000,
            rest_ns: 1_000_000_000,
            requests: 1024,
        }
    }
}

/// What an [`Engine`] has counted since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Records taken.
    pub records: u64,
    /// What was read as a start line: `heads + copies + look_alikes`.
    pub start_lines: u64,
    /// Heads handed out: `whole + partial`.
    pub heads: u64,
    /// Heads that are complete.
    pub whole: u64,
    /// Heads of which bytes are missing.
    pub partial: u64,
    /// Start lines that had been read before.
    pub copies: u64,
    /// What looks like a start line and is none.
    pub look_alikes: u64,
    /// Times a direction lost its place.
    pub desyncs: u64,
    /// Records lost before they came here, by the gaps in their numbers.
    pub lost_records: u64,
    /// Records that came after one with a higher number.
    pub late: u64,
    /// Records of a connection whose slot has a new one already.
    pub stale: u64,
    /// Records refused: another layout, or a slot, side or position that cannot be.
    pub invalid: u64,
    /// Records that had to wait behind a hole.
    pub held: u64,
    /// Holes that were not closed in time.
    pub holes_given_up: u64,
    /// Times a limit was reached.
    pub overflows: u64,
}

/// Turns records into heads.
///
/// ```
/// use agent_common::record::{FIRST_POSITION, RecordHeader, VERSION, flag};
/// use tapline::http::engine::{Engine, FoundHead, Limits, Output};
///
/// struct Lines(Vec<Vec<u8>>);
/// impl Output for Lines {
///     fn head(&mut self, head: &FoundHead<'_>) {
///         self.0.push(head.line.to_vec());
///     }
///     fn release(&mut self, _: u32, _: u32, _: u32, _: bool) {}
/// }
///
/// let bytes = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
/// let header = RecordHeader {
///     position: FIRST_POSITION,
///     captured: bytes.len() as u32,
///     direction_record: 1,
///     flags: flag::START | flag::HEAD_END,
///     version: VERSION,
///     ..RecordHeader::default()
/// };
/// let mut lines = Lines(Vec::new());
/// Engine::new(Limits::default()).record(&header, bytes, &mut lines);
/// assert_eq!(lines.0, [b"GET / HTTP/1.1"]);
/// ```
#[derive(Debug)]
pub struct Engine {
    /// By slot. Small, because slots are scattered over the table.
    slots: Vec<Slot>,
    /// In no order; those that are free are listed.
    connections: Vec<Option<Connection>>,
    free: Vec<u32>,
    core: Core,
}

/// No stream gets this far; sums with positions do not overflow below it.
const POSITION_MAX: u64 = 1 << 62;

/// What connections share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) pool: Pool,
    pub(super) counts: Counts,
    pub(super) limits: Limits,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    generation: u32,
    /// Index of the connection, plus one; 0 is none.
    connection: u32,
    /// A generation was seen here.
    used: bool,
    /// What was left of it, when there is no connection.
    dormant: Option<Dormant>,
}

impl Engine {
    /// An engine that keeps no more than `limits` allow.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let core = Core {
            pool: Pool::new(limits.held_bytes),
            counts: Counts::default(),
            limits,
        };
        Self {
            slots: Vec::new(),
            connections: Vec::new(),
            free: Vec::new(),
            core,
        }
    }

    /// Takes one record: its header and the payload behind it.
    pub fn record(&mut self, header: &RecordHeader, bytes: &[u8], out: &mut impl Output) {
        self.core.counts.records += 1;
        let captured = usize::try_from(header.captured).unwrap_or(usize::MAX);
        if header.version != VERSION
            || header.side > 1
            || header.slot >= self.core.limits.slots
            || header.position > POSITION_MAX
            || captured > bytes.len()
        {
            self.core.counts.invalid += 1;
            return;
        }
        let Some(index) = self.connection(header, out) else {
            self.core.counts.stale += 1;
            return;
        };
        if let Some(Some(connection)) = self.connections.get_mut(index) {
            connection.record(header, &bytes[..captured], &mut self.core, out);
        }
    }

    /// Gives up what has waited too long at `now_ns`, on the clock of the records, and forgets
    /// connections that are idle. To be called about once a second; goes over all connections.
    pub fn expire(&mut self, now_ns: u64, out: &mut impl Output) {
        for (index, place) in self.connections.iter_mut().enumerate() {
            let Some(connection) = place else { continue };
            let dormant = match connection.expire(now_ns, &mut self.core, out) {
                Fate::Stays => continue,
                Fate::Forgotten => None,
                Fate::Rests(dormant) => Some(dormant),
            };
            if let Some(slot) = self.slots.get_mut(connection.slot() as usize) {
                (slot.connection, slot.dormant) = (0, dormant);
            }
            *place = None;
            self.free.extend(u32::try_from(index));
        }
        self.give_back();
    }

    /// Gives memory back when most of it is not used any more.
    fn give_back(&mut self) {
        /// Places that are not worth the work.
        const FEW: usize = 4096;
        if self.connections.len() < FEW || self.free.len() < self.connections.len() / 4 * 3 {
            return;
        }
        self.connections.retain(Option::is_some);
        self.connections.shrink_to_fit();
        self.free = Vec::new();
        for (index, connection) in self.connections.iter().flatten().enumerate() {
            if let Some(slot) = self.slots.get_mut(connection.slot() as usize) {
                slot.connection = u32::try_from(index + 1).unwrap_or(0);
            }
        }
    }

    /// Writes all that is held back, as whole as it is: no more records will come.
    pub fn finish(&mut self, out: &mut impl Output) {
        for connection in self.connections.iter_mut().flatten() {
            connection.close(&mut self.core, out);
        }
        self.slots.clear();
        self.connections.clear();
        self.free.clear();
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.core.counts
    }

    /// Bytes held back now: at most [`Limits::held_bytes`].
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.core.pool.in_use()
    }

    /// Whether bytes of this connection wait for what comes before or behind them.
    #[must_use]
    pub fn holds_back(&self, slot: u32, generation: u32) -> bool {
        let known = self.slots.get(slot as usize);
        known
            .filter(|slot| slot.generation == generation)
            .and_then(|slot| (slot.connection as usize).checked_sub(1))
            .and_then(|index| self.connections.get(index)?.as_ref())
            .is_some_and(Connection::holds_back)
    }

    /// Connections that are kept now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len() - self.free.len()
    }

    /// Index of the connection that the record belongs to; `None` when that one is gone.
    fn connection(&mut self, header: &RecordHeader, out: &mut impl Output) -> Option<usize> {
        let place = header.slot as usize;
        if place >= self.slots.len() {
            self.slots.resize(place + 1, Slot::default());
        }
        let slot = self.slots.get_mut(place)?;
        let generation = header.generation;
        let age = generation.wrapping_sub(slot.generation);
        let fresh = !slot.used || age != 0;
        if slot.used && age > u32::MAX / 2 {
            return None;
        }
        (slot.used, slot.generation) = (true, generation);
        if slot.connection != 0 && !fresh {
            return Some(slot.connection as usize - 1);
        }
        let dormant = slot.dormant.take().filter(|_| !fresh);
        let next = match dormant {
            Some(dormant) => Connection::wake(header.slot, generation, &dormant),
            None => Connection::new(header.slot, generation, fresh),
        };
        if let Some(index) = (slot.connection as usize).checked_sub(1) {
            let kept = self.connections.get_mut(index)?;
            if let Some(mut before) = kept.replace(next) {
                before.close(&mut self.core, out);
            }
            return Some(index);
        }
        let index = match self.free.pop() {
            Some(index) => index as usize,
            None => {
                self.connections.push(None);
                self.connections.len() - 1
            }
        };
        slot.connection = u32::try_from(index).ok()? + 1;
        *self.connections.get_mut(index)? = Some(next);
        Some(index)
    }
}

impl Counts {
    pub(super) fn head(&mut self, partial: bool) {
        self.start_lines += 1;
        self.heads += 1;
        *if partial {
            &mut self.partial
        } else {
            &mut self.whole
        } += 1;
    }

    pub(super) fn copy(&mut self) {
        self.start_lines += 1;
        self.copies += 1;
    }

    pub(super) fn look_alike(&mut self) {
        self.start_lines += 1;
        self.look_alikes += 1;
    }
}

impl<'a> FoundHead<'a> {
    /// The head `message`, whose first byte came with the record `header`.
    pub(super) fn new(header: &RecordHeader, message: &Message<'a>, partial: bool) -> Self {
        Self {
            time_ns: header.time_ns,
            end_time_ns: header.time_ns,
            exchange: None,
            expected: None,
            segment_end: header.segment_end,
            peer_position: header.peer_position,
            last_ago: header.last_ago,
            peer_ago: header.peer_ago,
            source: header.source,
            source_port: u16::from_be_bytes(header.source_port_be),
            destination: header.destination,
            destination_port: u16::from_be_bytes(header.destination_port_be),
            ifindex: header.ifindex,
            cpu: header.cpu,
            vlan: header.vlan,
            outgoing: header.flags & agent_common::record::flag::OUTGOING != 0,
            slot: header.slot,
            generation: header.generation,
            flow: header.flow,
            side: header.side,
            position: header.position,
            line: message.line,
            start: message.start,
            minor_version: message.minor_version,
            fields: message.fields,
            raw_fields: message.raw_fields,
            partial,
        }
    }
}

#[cfg(test)]
mod tests;
