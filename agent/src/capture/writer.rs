//! From a head as found to a head as written: which side is local, what the wall clock said, what the
//! interface is called.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use agent_common::connection::Release;

use crate::capture::offline::Slot;
use crate::host::addresses::LocalAddresses;
use crate::host::clock::ClockMap;
use crate::host::shared::Reader;
use crate::http::engine::{FoundHead, Output};
use crate::http::head::{Head, Kind, StartLine};
use crate::sink::log::LogSink;

/// Describes heads and hands them to the sink; collects what the engine releases.
#[derive(Debug)]
pub struct Writer {
    sink: LogSink,
    local: Local,
    clock: Wall,
    /// Whether a head between two local endpoints is written from both sides.
    both_views: bool,
    interfaces: HashMap<u32, String>,
    releases: Vec<Slot>,
    heads: [u64; Kind::ALL.len()],
}

/// What this host's own addresses are.
#[derive(Debug)]
pub enum Local {
    /// They do not change (capture files).
    Fixed(LocalAddresses),
    /// They are kept current by another thread.
    Current(Reader<LocalAddresses>),
}

/// How the clock of the records becomes the time of day.
#[derive(Debug)]
pub enum Wall {
    /// Records carry the time of day (capture files).
    Records,
    /// Records carry the monotonic clock.
    Monotonic(Reader<ClockMap>),
}

impl Writer {
    /// A writer to `sink`.
    #[must_use]
    pub fn new(sink: LogSink, local: Local, clock: Wall, both_views: bool) -> Self {
        Self {
            sink,
            local,
            clock,
            both_views,
            interfaces: HashMap::new(),
            releases: Vec::new(),
            heads: [0; Kind::ALL.len()],
        }
    }

    /// Notes the name of an interface.
    pub fn name_interface(&mut self, index: u32, name: &str) {
        match self.interfaces.get_mut(&index) {
            Some(known) if known == name => {}
            Some(known) => name.clone_into(known),
            None => {
                self.interfaces.insert(index, name.to_owned());
            }
        }
    }

    /// The next connection that the engine released.
    pub fn take_release(&mut self) -> Option<Slot> {
        self.releases.pop()
    }

    /// Heads written so far, by kind in the order of [`Kind::ALL`]; a head counts once even when it
    /// is written from both sides.
    #[must_use]
    pub fn heads(&self) -> [u64; Kind::ALL.len()] {
        self.heads
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut LogSink {
        &mut self.sink
    }

    /// Gives the sink back, to be closed.
    #[must_use]
    pub fn into_sink(self) -> LogSink {
        self.sink
    }
}

impl Output for Writer {
    fn head(&mut self, found: &FoundHead<'_>) {
        let addresses = match &mut self.local {
            Local::Fixed(addresses) => addresses,
            Local::Current(reader) => reader.latest(),
        };
        let view = View::of(
            matches!(found.start, StartLine::Request { .. }),
            addresses.contains_bytes(&found.source),
            addresses.contains_bytes(&found.destination),
        );
        let time_ns = match &mut self.clock {
            Wall::Records => i64::try_from(found.time_ns).unwrap_or(i64::MAX),
            Wall::Monotonic(reader) => reader.latest().wall(found.time_ns),
        };
        let mut head = Head {
            time_ns,
            kind: view.kind,
            local: view.local,
            source: endpoint(found.source, found.source_port),
            destination: endpoint(found.destination, found.destination_port),
            cpu: found.cpu,
            interface: self
                .interfaces
                .get(&found.ifindex)
                .map_or("", String::as_str),
            vlan: found.vlan,
            line: found.line,
            start: found.start,
            minor_version: found.minor_version,
            fields: found.fields,
            raw_fields: found.raw_fields,
            partial: found.partial,
        };
        self.heads[view.kind as usize] += 1;
        self.sink.write(&head);
        if let Some(kind) = view.other_kind.filter(|_| self.both_views) {
            head.kind = kind;
            self.sink.write(&head);
        }
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

/// How this host sees a head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct View {
    kind: Kind,
    /// The other side's view, when both sides are this host.
    other_kind: Option<Kind>,
    local: bool,
}

impl View {
    fn of(is_request: bool, source_local: bool, destination_local: bool) -> Self {
        let (server, client) = if is_request {
            (Kind::ClientQuery, Kind::ServerQuery)
        } else {
            (Kind::ClientResponse, Kind::ServerResponse)
        };
        // The server receives requests and sends responses.
        let (server_local, client_local) = if is_request {
            (destination_local, source_local)
        } else {
            (source_local, destination_local)
        };
        match (server_local, client_local) {
            (true, true) => Self {
                kind: server,
                other_kind: Some(client),
                local: true,
            },
            (false, true) => Self {
                kind: client,
                other_kind: None,
                local: true,
            },
            // Neither: a bridge, a mirror, a router, a capture file; the side that answers counts.
            (server_local, false) => Self {
                kind: server,
                other_kind: None,
                local: server_local,
            },
        }
    }
}

fn endpoint(address: [u8; 16], port: u16) -> SocketAddr {
    let address = Ipv6Addr::from(address);
    let address = address
        .to_ipv4_mapped()
        .map_or(IpAddr::V6(address), IpAddr::V4);
    SocketAddr::new(address, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_side_decides_the_kind() {
        use Kind::{
            ClientQuery as CQ, ClientResponse as CR, ServerQuery as SQ, ServerResponse as SR,
        };
        let check = |is_request, source, destination, expected: (Kind, Option<Kind>, bool)| {
            let View {
                kind,
                other_kind,
                local,
            } = View::of(is_request, source, destination);
            assert_eq!((kind, other_kind, local), expected);
        };
        check(true, false, true, (CQ, None, true));
        check(true, true, false, (SQ, None, true));
        check(true, true, true, (CQ, Some(SQ), true));
        check(true, false, false, (CQ, None, false));
        check(false, true, false, (CR, None, true));
        check(false, false, true, (SR, None, true));
        check(false, true, true, (CR, Some(SR), true));
        check(false, false, false, (CR, None, false));
    }
}
