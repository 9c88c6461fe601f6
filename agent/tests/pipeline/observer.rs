//! The classifier and the engine together, as `tapline read` puts them together.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use agent_common::connection::Release;
use agent_common::counters::Counters;
use agent_common::packet::{Link, Origin};
use agent_common::record::FIRST_POSITION;
use tapline::capture::offline::{Offline, OfflineSettings, Slice, Slot};
use tapline::http::engine::{Counts, Engine, FoundHead, Limits, Output};

/// A head that was found.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    /// Bytes of the stream before it, as far as was seen.
    pub(crate) position: u64,
    pub(crate) line: String,
    pub(crate) fields: String,
    pub(crate) partial: bool,
    /// Of a request its number, of a response that of the request it is joined to.
    pub(crate) exchange: Option<u32>,
}

pub(crate) struct Observer {
    offline: Offline,
    engine: Engine,
    found: Found,
    pub(crate) now_ns: u64,
    /// Which records come to the reader: the others are lost in the ring.
    pub(crate) passes: Box<dyn FnMut() -> bool>,
    lost: u64,
}

#[derive(Default)]
struct Found {
    heads: Vec<Got>,
    releases: Vec<Slot>,
}

#[expect(clippy::print_stderr, reason = "with TRACE=1 a test says what it sees")]
impl Output for Found {
    fn head(&mut self, head: &FoundHead<'_>) {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if std::env::var_os("TRACE").is_some() {
            eprintln!(
                "    head {} {:?} {}",
                head.position.wrapping_sub(FIRST_POSITION),
                String::from_utf8_lossy(head.line),
                head.partial
            );
        }
        self.heads.push(Got {
            source: endpoint(head.source, head.source_port),
            destination: endpoint(head.destination, head.destination_port),
            position: head.position.wrapping_sub(FIRST_POSITION),
            line: text(head.line),
            fields: text(head.raw_fields),
            partial: head.partial,
            exchange: head.exchange,
        });
    }

    fn release(&mut self, slot: u32, generation: u32, records: u32, opaque: bool) {
        self.releases.push(Slot {
            slot,
            release: Release {
                generation,
                records,
                opaque,
            },
        });
    }
}

impl Observer {
    pub(crate) fn new(settings: OfflineSettings) -> Self {
        Self {
            offline: Offline::new(settings),
            engine: Engine::new(Limits::default()),
            found: Found::default(),
            now_ns: 1_700_000_000_000_000_000,
            passes: Box::new(|| true),
            lost: 0,
        }
    }

    /// One frame, on an interface.
    #[expect(clippy::print_stderr, reason = "with TRACE=1 a test says what it sees")]
    pub(crate) fn frame(&mut self, bytes: &[u8], ifindex: u32) {
        self.now_ns += 10_000;
        let packet = Slice {
            bytes,
            wire_length: bytes.len() as u32,
            origin: Origin {
                link: Link::Ethernet,
                vlan: 0,
                segments: 1,
                ifindex,
                outgoing: false,
            },
        };
        self.offline.packet(&packet, self.now_ns);
        let Self {
            offline,
            engine,
            found,
            passes,
            lost,
            ..
        } = self;
        offline.drain(|header, bytes| {
            if std::env::var_os("TRACE").is_some() {
                eprintln!(
                    "side {} #{} at {}..{} hole {} end {} flags {:04x} {:?}",
                    header.side,
                    header.direction_record,
                    header.position.wrapping_sub(FIRST_POSITION),
                    header.position.wrapping_sub(FIRST_POSITION) + u64::from(header.captured),
                    header.hole_start.wrapping_sub(FIRST_POSITION) as i64,
                    header.segment_end.wrapping_sub(FIRST_POSITION),
                    header.flags,
                    String::from_utf8_lossy(&bytes[..bytes.len().min(60)]),
                );
            }
            if !passes() {
                *lost += 1;
                return None;
            }
            engine.record(header, bytes, found);
            found.releases.pop()
        });
    }

    /// Lets time pass without packets.
    pub(crate) fn pass(&mut self, ns: u64) {
        self.now_ns += ns;
        self.engine.expire(self.now_ns, &mut self.found);
        self.found.releases.clear();
    }

    /// All heads, and what was counted.
    pub(crate) fn finish(mut self) -> (Vec<Got>, Counts, Counters) {
        self.engine.finish(&mut self.found);
        let counts = self.engine.counts();
        assert_eq!(
            counts.start_lines,
            counts.heads + counts.copies + counts.look_alikes,
            "{counts:?}"
        );
        assert_eq!(counts.heads, counts.whole + counts.partial, "{counts:?}");
        assert_eq!(counts.invalid, 0, "{counts:?}");
        assert_eq!(self.engine.held_bytes(), 0);
        let counters = self.offline.counters();
        assert_eq!(
            counters.records,
            counts.records + self.lost,
            "all is accounted for"
        );
        (self.found.heads, counts, counters)
    }
}

fn endpoint(address: [u8; 16], port: u16) -> SocketAddr {
    let address = IpAddr::V6(Ipv6Addr::from(address)).to_canonical();
    SocketAddr::new(address, port)
}
