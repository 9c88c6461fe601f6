//! A model of the kernel side: what it copies of which segment, written from its description and
//! apart from the engine.

use agent_common::record::{FIRST_POSITION, HEAD_MAX, PIECE_MAX, RecordHeader, VERSION, flag};
use memchr::memmem;

use super::wire::Segment;

pub(super) type Record = (RecordHeader, Vec<u8>);

/// One connection as the kernel keeps it.
pub(super) struct Kernel {
    pub(super) slot: u32,
    pub(super) generation: u32,
    pub(super) time_ns: u64,
    /// Mark start tokens while everything is copied.
    pub(super) start_in_all: bool,
    /// A record that closes a hole still names it.
    pub(super) names_closed_hole: bool,
    /// Payload bytes that are copied while everything is.
    pub(super) budget: usize,
    pub(super) all: bool,
    pub(super) opaque: bool,
    pub(super) from_start: bool,
    outstanding: u32,
    /// Who opened the connection.
    client: Option<usize>,
    sides: [Side; 2],
}

struct Side {
    next: u64,
    record: u32,
    skip_to: u64,
    /// The head in progress: where it began, and what was sent of it.
    head: Option<(u64, Vec<u8>)>,
    /// What has come behind `next`.
    islands: Vec<(u64, u64)>,
}

/// A stretch to be sent: position, bytes, flags.
type Stretch = (u64, Vec<u8>, u16);

impl Kernel {
    pub(super) fn new(slot: u32, generation: u32) -> Self {
        let side = || Side {
            next: FIRST_POSITION,
            record: 0,
            skip_to: 0,
            head: None,
            islands: Vec::new(),
        };
        Self {
            slot,
            generation,
            time_ns: 1,
            start_in_all: false,
            names_closed_hole: false,
            budget: usize::MAX,
            all: false,
            opaque: false,
            from_start: true,
            outstanding: 0,
            client: Some(0),
            sides: [side(), side()],
        }
    }

    /// A side has said so many bytes before anything was seen.
    pub(super) fn skip(&mut self, side: u8, bytes: usize) {
        self.sides[usize::from(side)].next += bytes as u64;
    }

    pub(super) fn release(&mut self, records: u32, opaque: bool) {
        let [one, two] = &self.sides;
        if records == one.record.wrapping_add(two.record) {
            self.all = false;
            self.outstanding = 0;
            self.sides.iter_mut().for_each(|side| side.head = None);
            self.opaque |= opaque;
        }
    }

    /// The records of one segment.
    pub(super) fn segment(&mut self, segment: &Segment, last_flags: u16) -> Vec<Record> {
        self.time_ns += 1000;
        let side = usize::from(segment.side);
        let (mut position, mut bytes) = (segment.position, segment.bytes.as_slice());
        let state = &mut self.sides[side];
        let end = position + bytes.len() as u64;
        if position < state.next {
            if end <= state.next && last_flags == 0 {
                return Vec::new();
            }
            let again = (state.next - position).min(bytes.len() as u64);
            position += again;
            bytes = &bytes[again as usize..];
        }
        if state
            .islands
            .iter()
            .any(|&(from, to)| from <= position && end <= to)
        {
            return Vec::new();
        }
        let hole_before = state.next;
        if position > state.next || !state.islands.is_empty() {
            // Late pieces are sent as they are; overlaps are left to the reader.
            let fill = position
                < state
                    .islands
                    .iter()
                    .map(|island| island.0)
                    .max()
                    .unwrap_or(0);
            self.all = true;
            let opened = position > state.next;
            state.islands.push((position, end));
            state.islands.sort_unstable();
            while let Some(&(from, to)) = state.islands.first()
                && from <= state.next
            {
                state.next = state.next.max(to);
                state.islands.remove(0);
            }
            let open = opened || !state.islands.is_empty();
            let hole = match (open, self.names_closed_hole) {
                (_, true) => hole_before,
                (true, false) => state.next,
                (false, false) => 0,
            };
            let flags = if fill { flag::FILL } else { 0 };
            return self.send(
                side,
                vec![(position, bytes.to_vec(), flags)],
                hole,
                end,
                last_flags,
            );
        }
        state.next = end;
        let stretches = self.choose(side, position, bytes);
        self.send(side, stretches, 0, end, last_flags)
    }

    /// What is copied of a segment that comes in order.
    fn choose(&mut self, side: usize, mut position: u64, mut bytes: &[u8]) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut may_start = true;
        while !bytes.is_empty() && !self.opaque {
            let state = &mut self.sides[side];
            if state.skip_to > position {
                let skip = (state.skip_to - position).min(bytes.len() as u64);
                position += skip;
                bytes = &bytes[skip as usize..];
                continue;
            }
            if self.all {
                let start = self.start_in_all && starts(bytes);
                stretches.push((
                    position,
                    bytes.to_vec(),
                    if start { flag::START } else { 0 },
                ));
                break;
            }
            let mut flags = 0;
            if state.head.is_none() {
                if !may_start || !starts(bytes) {
                    break;
                }
                flags = flag::START;
            }
            let (begin, mut head) = state.head.take().unwrap_or((position, Vec::new()));
            let sent = head.len();
            head.extend_from_slice(bytes);
            head.truncate(HEAD_MAX);
            let end = memmem::find(&head, b"\r\n\r\n").map(|at| at + 4);
            head.truncate(end.unwrap_or(HEAD_MAX));
            let used = head.len() - sent;
            flags |= if end.is_some() { flag::HEAD_END } else { 0 };
            stretches.push((position, bytes[..used].to_vec(), flags));
            position += used as u64;
            bytes = &bytes[used..];
            if end.is_none() {
                state.head = (head.len() < HEAD_MAX).then_some((begin, head));
                break;
            }
            self.learn(side, begin, &head);
            if self.client != Some(side) && !self.all {
                break;
            }
            self.all |= !bytes.is_empty() && self.sides[side].skip_to <= position;
            may_start = true;
        }
        stretches
    }

    /// Learns what a whole head says.
    fn learn(&mut self, side: usize, begin: u64, head: &[u8]) {
        if head.starts_with(b"HTTP/1.1 1") {
            self.all = true;
        } else if head.starts_with(b"HTTP/") {
            self.all |= self.outstanding == 0 && !self.from_start;
            self.outstanding = self.outstanding.saturating_sub(1);
        } else if self.client == Some(side) {
            self.outstanding += 1;
            let text = String::from_utf8_lossy(head);
            self.all |= self.outstanding > 1 || text.contains("Transfer-Encoding: chunked");
            let length = text.split("Content-Length: ").nth(1);
            let length = length.and_then(|rest| rest.split("\r\n").next()?.parse::<u64>().ok());
            self.sides[side].skip_to = begin + head.len() as u64 + length.unwrap_or(0);
        }
    }

    /// Cuts stretches into records, and numbers them.
    fn send(
        &mut self,
        side: usize,
        stretches: Vec<Stretch>,
        hole_start: u64,
        segment_end: u64,
        last_flags: u16,
    ) -> Vec<Record> {
        let all = self.all;
        let mut records: Vec<Record> = Vec::new();
        for (mut position, bytes, flags) in stretches {
            for (index, piece) in bytes.chunks(PIECE_MAX).enumerate() {
                let last = (index + 1) * PIECE_MAX >= bytes.len();
                let mut flags = flags;
                flags &= if index == 0 { u16::MAX } else { !flag::START };
                flags &= if last { u16::MAX } else { !flag::HEAD_END };
                records.push((
                    RecordHeader {
                        position,
                        flags,
                        ..RecordHeader::default()
                    },
                    piece.to_vec(),
                ));
                position += piece.len() as u64;
            }
        }
        let wanted = all || hole_start != 0 || self.sides[side].head.is_some();
        if records.is_empty() && last_flags != 0 && wanted && !self.opaque {
            let header = RecordHeader {
                position: segment_end,
                ..RecordHeader::default()
            };
            records.push((header, Vec::new()));
        }
        let count = records.len();
        for (index, (header, bytes)) in records.iter_mut().enumerate() {
            let state = &mut self.sides[side];
            state.record += 1;
            header.direction_record = state.record;
            header.captured = bytes.len() as u32;
            header.time_ns = self.time_ns;
            header.side = side as u8;
            (header.slot, header.generation) = (self.slot, self.generation);
            header.version = VERSION;
            (header.hole_start, header.segment_end) = (hole_start, segment_end);
            header.flags |= if index + 1 < count {
                flag::MORE
            } else {
                last_flags
            };
            header.flags |= if all { flag::ALL } else { 0 };
            header.flags |= if self.from_start { flag::FROM_START } else { 0 };
        }
        if all {
            let budget = &mut self.budget;
            records.retain(|(header, bytes)| {
                let fits = header.flags & flag::START != 0 || bytes.len() <= *budget;
                *budget = budget.saturating_sub(bytes.len());
                fits
            });
        }
        records
    }
}

/// The test for the start of a head; a payload that ends within one may be one.
fn starts(bytes: &[u8]) -> bool {
    let version = b"HTTP/1.";
    let methods = [
        "GET ",
        "POST ",
        "PUT ",
        "HEAD ",
        "CONNECT ",
        "QUERY ",
        "PROPFIND ",
    ];
    let prefix = |token: &[u8]| bytes.starts_with(token) || token.starts_with(bytes);
    prefix(version) || methods.iter().any(|method| prefix(method.as_bytes()))
}
