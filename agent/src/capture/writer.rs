//! From a head as found to a head as written: which side is local, what the wall clock said, what the
//! interface is called, and what of it is a secret.

mod flows;
mod view;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use agent_common::connection::Release;

use crate::capture::offline::Slot;
use crate::host::addresses::LocalAddresses;
use crate::host::clock::ClockMap;
use crate::host::shared::Reader;
use crate::http::engine::{FoundHead, Output};
use crate::http::exchange::pairing::{Pairing, PairingCounts};
use crate::http::exchange::tally::Tally;
use crate::http::head::{Head, Kind, StartLine};
use crate::http::redact::{Redactor, Texts};
use crate::session::table::{Said, SessionCounts, SessionTable};
use crate::sink::counts::Counts;
use crate::sink::fan_out::FanOut;
use crate::sink::log::{LogOutcome, LogSink};
use view::View;

/// Describes heads and hands them to the sink; collects what the engine releases.
#[derive(Debug)]
pub struct Writer {
    sink: LogSink,
    local: Local,
    clock: Wall,
    /// Whether a head between two local endpoints is written from both sides.
    both_views: bool,
    redactor: Redactor,
    interfaces: HashMap<u32, String>,
    releases: Vec<Slot>,
    /// By CPU.
    heads: Vec<[u64; Kind::ALL.len()]>,
    exchanges: Option<Exchanges>,
    sessions: Option<SessionTable>,
}

/// CPUs at the most.
const CPUS_MAX: usize = 1 << 16;

/// Joins heads to exchanges, and where those go beside the log.
#[derive(Debug)]
pub struct Exchanges {
    pairing: Pairing,
    records: FanOut,
    tally: Arc<Tally>,
}

impl Exchanges {
    /// Exchanges by `pairing`; they go to the log, and to `records`.
    #[must_use]
    pub fn new(pairing: Pairing, records: FanOut) -> Self {
        Self {
            pairing,
            records,
            tally: Arc::default(),
        }
    }
}

/// What a [`Writer`] leaves.
#[derive(Debug)]
pub struct Closed {
    /// What became of the lines.
    pub log: LogOutcome,
    /// What became of exchanges and sessions, by sink.
    pub sinks: Vec<(&'static str, Counts)>,
    /// What was made of heads; `None`: they were not joined.
    pub pairing: Option<PairingCounts>,
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
    /// A writer to `sink`, which sees no head before `redactor` did.
    #[must_use]
    pub fn new(
        sink: LogSink,
        local: Local,
        clock: Wall,
        both_views: bool,
        redactor: Redactor,
    ) -> Self {
        Self {
            sink,
            local,
            clock,
            both_views,
            redactor,
            interfaces: HashMap::new(),
            releases: Vec::new(),
            heads: Vec::new(),
            exchanges: None,
            sessions: None,
        }
    }

    /// Has flows made into sessions from now on, which go where exchanges go.
    #[must_use]
    pub fn with_sessions(mut self, sessions: SessionTable) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Who takes flows, if anybody does.
    pub fn flows(&mut self) -> Option<&mut Self> {
        self.sessions.is_some().then_some(self)
    }

    /// What was made of flows, if they are taken.
    #[must_use]
    pub fn session_counts(&self) -> Option<SessionCounts> {
        self.sessions.as_ref().map(SessionTable::counts)
    }

    /// Has heads joined to exchanges from now on.
    #[must_use]
    pub fn with_exchanges(mut self, exchanges: Exchanges) -> Self {
        self.exchanges = Some(exchanges);
        self
    }

    /// Gives the run its name, where that is known only once the first packet was seen.
    pub fn name_run(&mut self, run: u64) {
        if let Some(exchanges) = &mut self.exchanges {
            exchanges.pairing.name_run(run);
        }
        if let Some(sessions) = &mut self.sessions {
            sessions.name_run(run);
        }
    }

    /// Hands on the exchanges that have waited too long at `now_ns`, on the clock of the records.
    pub fn expire(&mut self, now_ns: u64) {
        if let Some(Exchanges {
            pairing,
            records,
            tally,
        }) = &mut self.exchanges
        {
            pairing.expire(now_ns, &mut |record| {
                tally.count(record);
                self.sink.write_exchange(record);
                records.push_exchange(record);
            });
        }
    }

    /// Records of the kernel side were lost before `time_ns`, on the clock of the records.
    pub fn lost(&mut self, time_ns: u64) {
        if let Some(exchanges) = &mut self.exchanges {
            exchanges.pairing.lost(time_ns);
        }
    }

    /// To be called at the end of a drain, and when there was nothing to drain.
    pub fn flush(&mut self, now: Instant) {
        self.sink.flush();
        if let Some(exchanges) = &mut self.exchanges {
            exchanges.records.flush_if_due(now);
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

    /// Where exchanges are counted.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        let exchanges = self.exchanges.as_ref();
        exchanges.map_or_else(Arc::default, |exchanges| Arc::clone(&exchanges.tally))
    }

    /// The next connection that the engine released.
    pub fn take_release(&mut self) -> Option<Slot> {
        self.releases.pop()
    }

    /// Heads written so far, by the CPU of their first byte, then by kind in the order of [`Kind::ALL`]; a
    /// head counts once even when it is written from both sides. CPUs behind the last that had one are left out.
    #[must_use]
    pub fn heads(&self) -> &[[u64; Kind::ALL.len()]] {
        &self.heads
    }

    /// What was made of heads, if they are joined.
    #[must_use]
    pub fn pairing_counts(&self) -> Option<PairingCounts> {
        self.exchanges
            .as_ref()
            .map(|exchanges| exchanges.pairing.counts())
    }

    fn count_head(&mut self, cpu: u32, kind: Kind) {
        // No kernel has more.
        let cpu = (cpu as usize).min(CPUS_MAX - 1);
        if cpu >= self.heads.len() {
            self.heads.resize(cpu + 1, [0; Kind::ALL.len()]);
        }
        self.heads[cpu][kind as usize] += 1;
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut LogSink {
        &mut self.sink
    }

    /// Hands on the exchanges that are left, and closes all sinks: no more heads will come.
    #[must_use]
    pub fn close(mut self) -> Closed {
        let mut counts = Vec::new();
        let mut joined = None;
        if let Some(Exchanges {
            mut pairing,
            mut records,
            tally,
        }) = self.exchanges
        {
            pairing.finish(&mut |record| {
                tally.count(record);
                self.sink.write_exchange(record);
                records.push_exchange(record);
            });
            joined = Some(pairing.counts());
            counts = records.close();
        }
        Closed {
            log: self.sink.close(),
            sinks: counts,
            pairing: joined,
        }
    }
}

impl Output for Writer {
    fn head(&mut self, found: &FoundHead<'_>) {
        let Self {
            sink,
            local,
            clock,
            redactor,
            exchanges,
            sessions,
            ..
        } = self;
        let addresses = match local {
            Local::Fixed(addresses) => addresses,
            Local::Current(reader) => reader.latest(),
        };
        let view = View::of(
            matches!(found.start, StartLine::Request { .. }),
            addresses.contains_bytes(&found.source),
            addresses.contains_bytes(&found.destination),
        );
        let time_ns = clock.wall(found.time_ns);
        let said = match found.start {
            StartLine::Request { .. } => Said::Request,
            StartLine::Response { status, .. } if status >= 400 => Said::Error,
            StartLine::Response { .. } => Said::Other,
        };
        let session = sessions
            .as_mut()
            .and_then(|sessions| sessions.head(found.flow, said));
        let texts = redactor.texts(Texts {
            line: found.line,
            start: found.start,
            fields: found.fields,
            raw_fields: found.raw_fields,
            partial: found.partial,
        });
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
            line: texts.line,
            start: texts.start,
            minor_version: found.minor_version,
            fields: texts.fields,
            raw_fields: texts.raw_fields,
            session_id: session,
            exchange_id: None,
            latency_us: None,
            partial: found.partial,
        };
        if let Some(Exchanges {
            pairing,
            records,
            tally,
        }) = exchanges
        {
            let part = pairing.head(found, &head, &mut |record| {
                tally.count(record);
                sink.write_exchange(record);
                records.push_exchange(record);
            });
            head.session_id = Some(part.session);
            head.exchange_id = Some(part.exchange);
            head.latency_us = part.latency_us;
        }
        sink.write(&head);
        if let Some(kind) = view.other_kind.filter(|_| self.both_views) {
            head.kind = kind;
            sink.write(&head);
        }
        self.count_head(found.cpu, view.kind);
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

impl Wall {
    /// Nanoseconds since the epoch.
    fn wall(&mut self, time_ns: u64) -> i64 {
        match self {
            Self::Records => i64::try_from(time_ns).unwrap_or(i64::MAX),
            Self::Monotonic(reader) => reader.latest().wall(time_ns),
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
mod tests;
