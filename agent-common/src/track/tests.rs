//! Segments in, records out: what of a connection goes to the ring, and what is counted of the rest.

extern crate std;

use std::string::ToString as _;
use std::vec::Vec;
use std::{format, vec};

use super::*;
use crate::counters::Lost;
use crate::frame::{self, IPV4, TCP};
use crate::packet::Link;
use crate::record::{HEAD_MAX, PIECE_MAX, RecordHeader, VERSION, flag};
use crate::settings::filter;
use crate::testing::{Kernel, Memory, Record};

mod escalated;
mod foreign;
mod fragments;
mod heads;
mod streams;

const CLIENT: usize = 0;
const SERVER: usize = 1;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
const POST: &[u8] = b"POST /b HTTP/1.1\r\nHost: example.com\r\nContent-Length: 60\r\n\r\n";
const CHUNKED: &[u8] = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

/// One connection on its way through a [`Kernel`].
#[derive(Debug)]
struct Wire {
    kernel: Kernel,
    /// Sequence numbers of the first bytes; they wrap soon.
    first: [u32; 2],
    /// Stream offsets of what each side says next.
    next: [usize; 2],
    /// Bytes that a capture keeps of a packet.
    snap: usize,
    outgoing: bool,
    /// What segments acknowledge, if not what the other side has said.
    acknowledged: Option<u32>,
}

impl Wire {
    /// A connection whose handshake was seen.
    fn new() -> Self {
        let mut wire = Self::from_the_middle();
        for (side, flags) in [
            (CLIENT, tcp::SYN),
            (SERVER, tcp::SYN | tcp::ACK),
            (CLIENT, tcp::ACK),
        ] {
            assert_eq!(wire.at(side, 0, flags, b""), []);
        }
        wire
    }

    fn from_the_middle() -> Self {
        Self {
            kernel: Kernel::new(1),
            first: [0xffff_fff0, 0x1234_5678],
            next: [0, 0],
            snap: usize::MAX,
            outgoing: false,
            acknowledged: None,
        }
    }

    /// A segment at a place of its stream. A SYN stands one before the first byte.
    fn at(&mut self, side: usize, offset: usize, flags: u8, payload: &[u8]) -> Vec<Got> {
        let before = u32::from(flags & tcp::SYN != 0);
        let sequence = self.first[side]
            .wrapping_add(offset as u32)
            .wrapping_sub(before);
        let mut ports = [40_000, 80];
        let mut hosts = [[10, 0, 0, 9], [10, 0, 0, 1]];
        if side == SERVER {
            ports.reverse();
            hosts.reverse();
        }
        let mut segment = frame::tcp(ports, sequence, flags, &[], payload);
        let other = self.first[1 - side].wrapping_add(self.next[1 - side] as u32);
        segment[8..12].copy_from_slice(&self.acknowledged.unwrap_or(other).to_be_bytes());
        let packet = frame::ipv4(hosts[0].into(), hosts[1].into(), TCP, &segment);
        let bytes = frame::ethernet(IPV4, &packet);
        let mut packet = Memory::new(Link::Ethernet, &bytes);
        packet.origin.outgoing = self.outgoing;
        let packet = packet.cut(bytes.len().min(self.snap));
        let records = self.kernel.packet(&packet);
        records
            .into_iter()
            .map(|record| got(side, record))
            .collect()
    }

    /// The next bytes of a side, in order.
    fn say(&mut self, side: usize, payload: &[u8]) -> Vec<Got> {
        let offset = self.next[side];
        self.next[side] += payload.len();
        self.at(side, offset, tcp::ACK, payload)
    }

    /// The next bytes of a side get lost.
    fn lose(&mut self, side: usize, payload: &[u8]) {
        self.next[side] += payload.len();
    }

    fn escalated(&mut self) -> [u64; Escalated::COUNT] {
        self.kernel.counters().escalated
    }

    fn lost(&mut self, why: Lost) -> (u64, u64) {
        let counters = self.kernel.counters();
        (
            counters.lost[why as usize],
            counters.lost_bytes[why as usize],
        )
    }

    /// The reader says that nothing is pending, after so many records.
    fn release(&self, records: u32, opaque: bool) {
        let places = &self.kernel.buckets[0].places;
        let slot = places.iter().position(|place| place.tag.get() != 0);
        let slot = slot.expect("a connection");
        let connection = &places[slot];
        let release = Release {
            generation: connection.generation.get(),
            records,
            opaque,
        };
        self.kernel.releases[slot].set(release.to_word());
    }
}

/// A record: who sent the bytes, where in the stream, what, and how it is flagged.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Got {
    side: usize,
    offset: usize,
    bytes: Vec<u8>,
    flags: u16,
    hole: Option<usize>,
    number: u32,
    generation: u32,
}

fn got(side: usize, (header, bytes): Record) -> Got {
    let RecordHeader {
        cpu,
        ifindex,
        version,
        slot,
        captured,
        ..
    } = header;
    assert_eq!((cpu, ifindex, version), (5, 3, VERSION));
    assert!(slot < 4);
    assert_eq!(captured as usize, bytes.len());
    assert!(bytes.len() <= PIECE_MAX);
    let client_port = [header.source_port_be, header.destination_port_be][side];
    assert_eq!(u16::from_be_bytes(client_port), 40_000);
    let offset = |position: u64| position.wrapping_sub(FIRST_POSITION) as i64 as usize;
    assert!(header.position + bytes.len() as u64 <= header.segment_end);
    Got {
        side,
        offset: offset(header.position),
        bytes,
        flags: header.flags,
        hole: (header.hole_start != 0).then(|| offset(header.hole_start)),
        number: header.direction_record,
        generation: header.generation,
    }
}

/// Checks what one segment gave: offsets, bytes and flags. [`flag::FROM_START`] is left out.
#[track_caller]
fn check(name: &str, got: &[Got], expected: &[(usize, &[u8], u16)]) {
    let short = |flags: u16| flags & !flag::FROM_START;
    let got: Vec<_> = got
        .iter()
        .map(|got| {
            (
                got.offset,
                got.bytes.escape_ascii().to_string(),
                short(got.flags),
            )
        })
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(offset, bytes, flags)| (*offset, bytes.escape_ascii().to_string(), *flags))
        .collect();
    assert_eq!(got, expected, "{name}");
}

/// The bytes of records that follow on one another without a hole or a copy.
#[track_caller]
fn joined(name: &str, records: &[Got]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let begin = records[0].offset;
        assert_eq!(record.offset, begin + bytes.len(), "{name}");
        assert_eq!(record.number, records[0].number + index as u32, "{name}");
        bytes.extend(&record.bytes);
    }
    bytes
}

const WHOLE: u16 = flag::START | flag::HEAD_END;
