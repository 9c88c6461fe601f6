//! `tapline read`: the same pipeline over capture files.

mod parser;
mod summary;

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::Duration;

use agent_common::counters::{Ignored, Lost};
use agent_common::packet::{Link, Origin};
use anyhow::Context as _;

use self::parser::{Parser, Parsing};
use self::summary::Summary;
use super::settings;
use crate::capture::flows::{TakeFlow as _, When};
use crate::capture::offline::{Offline, OfflineSettings, Slice, TICK_NS};
use crate::capture::pcap::{CaptureFile, Frame, Link as FrameLink};
use crate::capture::writer::{Exchanges, Local, Wall, Writer};
use crate::config::{Config, LogFormat, Loopback};
use crate::exit::Exit;
use crate::host::addresses::LocalAddresses;
use crate::http::engine::{Engine, Limits};
use crate::http::exchange::pairing::{Limits as PairingLimits, Pairing};
use crate::http::head::Kind;
use crate::ledger::{in_words, named};
use crate::sink::RecordSink;
use crate::sink::fan_out::FanOut;
use crate::sink::log::{LogSink, LossReason};

/// What `tapline read` is told beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadArguments {
    /// What to read, in this order; at least one.
    pub sources: Vec<CaptureSource>,
    /// Stop after this time, counted by the packets' own clock from the first one.
    pub duration: Option<Duration>,
    /// Stop after this many packets.
    pub packets: Option<u64>,
    /// Write the result as one JSON document to stdout when it ends. Lines go elsewhere then.
    pub json: bool,
}

/// Where a capture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureSource {
    /// Standard input; once at the most.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Reads captures and writes their lines.
///
/// Gives [`Exit::Failed`] when a capture could not be read to its end, or lines could not be written,
/// and it was said already. What stood before the damage, and behind it in other files, is written.
///
/// # Errors
/// As above, for the last capture.
pub fn read(config: Config, arguments: ReadArguments) -> anyhow::Result<Exit> {
    let mut reading = Reading::new(&config, &arguments, Vec::new())?;
    let mut result = Ok(());
    let mut failed = false;
    for source in &arguments.sources {
        if let Err(error) = std::mem::replace(&mut result, reading.file(source)) {
            // The last one is said at the end.
            tracing::error!(
                error = error.as_ref() as &dyn std::error::Error,
                "a capture cannot be read to its end"
            );
            failed = true;
        }
        if reading.done || reading.reader_gone {
            break;
        }
    }
    let summary = reading.finish()?;
    if arguments.json {
        super::write_result(&summary)?;
    } else if result.is_ok() || summary.packets > 0 {
        tracing::info!(
            packets = summary.packets,
            heads = summary.heads,
            partial = summary.partial,
            sessions = summary.sessions,
            ignored = some(in_words(&summary.ignored)),
            lost = some(in_words(&summary.lost_records)),
            lost_lines = summary.lost,
            "read the captures"
        );
    }
    result?;
    Ok(if failed || summary.lost > 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// Reads captures; exchanges and sessions go to these sinks. Gives how many records and lines were lost.
///
/// # Errors
/// A capture cannot be read to its end, or lines cannot be written.
pub(crate) fn read_into(
    config: &Config,
    arguments: &ReadArguments,
    sinks: Vec<Box<dyn RecordSink>>,
) -> anyhow::Result<u64> {
    let mut reading = Reading::new(config, arguments, sinks)?;
    for source in &arguments.sources {
        reading.file(source)?;
    }
    let summary = reading.finish()?;
    Ok(summary.lost + summary.lost_records.values().sum::<u64>())
}

struct Reading {
    offline: Offline,
    parser: Parser,
    /// Packets whose records wait for the parser.
    waiting: u32,
    /// The interfaces of the file so far, by index.
    interfaces: Vec<(u32, String)>,
    /// Whoever reads standard output went away.
    reader_gone: bool,
    /// Stop after so many packets.
    packets_left: Option<u64>,
    duration: Option<Duration>,
    packets: u64,
    first_ns: Option<u64>,
    expired_ns: u64,
    done: bool,
}

/// Packets of a batch for the parser: enough that handing over costs nothing, few enough that what is
/// between the threads stays in the cache.
const BATCH_PACKETS: u32 = 2048;

/// Words of their records at most: 2 MiB.
const BATCH_WORDS: usize = 1 << 18;

/// How often timeouts are looked at, on the packets' clock.
const EXPIRE_NS: u64 = 1_000_000_000;

/// Buckets of the table of flows that are looked at then: enough that idle flows become records within
/// minutes, and few enough that the silence of a long capture costs nothing.
const FLOWS_AT_ONCE: u32 = 64;

impl Reading {
    fn new(
        config: &Config,
        arguments: &ReadArguments,
        sinks: Vec<Box<dyn RecordSink>>,
    ) -> anyhow::Result<Self> {
        let capture = &config.capture;
        let sink = LogSink::start(settings::log_of_read(config))?;
        let idle = settings::idle_limits(config, true);
        let writer = Writer::new(
            sink,
            Local::Fixed(LocalAddresses::new(capture.local.iter().copied())),
            Wall::Records,
            capture.loopback == Loopback::Both,
            settings::redactor(config),
        );
        // Classic lines say nothing of exchanges, and without sinks nothing else would.
        let writer = if config.log.format == LogFormat::Classic && sinks.is_empty() {
            writer
        } else {
            writer.with_exchanges(Exchanges::new(
                Pairing::new(
                    0,
                    PairingLimits {
                        tick_ns: TICK_NS,
                        ..PairingLimits::default()
                    },
                )
                .with_headers(&config.log.headers),
                FanOut::new(sinks),
            ))
        };
        let writer = match idle {
            Some(_) => writer.with_sessions(settings::sessions(config, 0, TICK_NS)),
            None => writer,
        };
        Ok(Self {
            offline: Offline::new(OfflineSettings {
                flows: capture.flows,
                sessions: idle,
                head_bytes: capture.head_bytes,
                ports: capture.ports.clone(),
                nets: capture.nets.clone(),
                ..OfflineSettings::default()
            }),
            parser: Parser::start(Parsing {
                engine: Engine::new(Limits {
                    slots: capture.flows.next_power_of_two(),
                    head_bytes: capture.head_bytes as usize,
                    ..Limits::default()
                }),
                writer,
            })
            .context("cannot start a thread")?,
            waiting: 0,
            interfaces: Vec::new(),
            reader_gone: false,
            packets_left: arguments.packets,
            duration: arguments.duration,
            packets: 0,
            first_ns: None,
            expired_ns: 0,
            done: false,
        })
    }

    fn file(&mut self, source: &CaptureSource) -> anyhow::Result<()> {
        let path = match source {
            CaptureSource::Stdin => Path::new("-"),
            CaptureSource::File(path) => path,
        };
        let mut file = CaptureFile::open(path)?;
        let is_live = !is_regular(source);
        loop {
            if is_live && !file.has_next() {
                // Whoever pipes a capture in sees each line as it comes.
                self.settle()?.writer.sink().flush();
            }
            let Some(frame) = file.next()? else {
                return Ok(());
            };
            if self.packets_left == Some(0) || self.is_over(frame.time_ns) {
                self.done = true;
                return Ok(());
            }
            self.packets_left = self.packets_left.map(|left| left - 1);
            self.frame(&frame)?;
            if self.reader_gone {
                return Ok(());
            }
        }
    }

    /// Whether `--duration` is over at this time.
    fn is_over(&mut self, time_ns: u64) -> bool {
        let first = *self.first_ns.get_or_insert(time_ns);
        self.duration
            .is_some_and(|duration| u128::from(time_ns.saturating_sub(first)) > duration.as_nanos())
    }

    fn frame(&mut self, frame: &Frame<'_>) -> anyhow::Result<()> {
        if self.packets == 0 {
            // The same capture gives the same identifiers.
            self.settle()?.writer.name_run(frame.time_ns);
        }
        self.packets += 1;
        let ifindex = match &frame.interface {
            None => 0,
            Some(interface) => {
                // 0 is "no interface" to the kernel; files number theirs from 0.
                let index = interface.index.saturating_add(1);
                if let Some(name) = interface.name {
                    self.name_interface(index, name)?;
                }
                index
            }
        };
        let packet = Slice {
            bytes: frame.bytes,
            wire_length: frame.wire_len,
            origin: Origin {
                link: match frame.link {
                    FrameLink::Ethernet => Link::Ethernet,
                    FrameLink::Network { ethertype } => Link::Network(ethertype),
                },
                vlan: 0,
                segments: 1,
                ifindex,
                outgoing: frame.outgoing.unwrap_or(false),
            },
        };
        self.offline.packet(&packet, frame.time_ns);
        self.waiting += 1;
        if self.waiting >= BATCH_PACKETS || self.offline.waiting_words() >= BATCH_WORDS {
            self.hand_over()?;
        }
        if frame.time_ns.saturating_sub(self.expired_ns) >= EXPIRE_NS {
            self.expired_ns = frame.time_ns;
            let mut parsing = self.settle()?;
            let Parsing { engine, writer } = &mut *parsing;
            engine.expire(frame.time_ns, writer);
            writer.expire(frame.time_ns);
            drop(parsing);
            self.find_flows(FLOWS_AT_ONCE, frame.time_ns)?;
        }
        Ok(())
    }

    /// Gives the records that wait to the parser.
    fn hand_over(&mut self) -> anyhow::Result<()> {
        self.waiting = 0;
        if self.offline.waiting_words() == 0 {
            return Ok(());
        }
        let records = self.offline.take_records(Vec::new());
        let offline = &self.offline;
        let room = self
            .parser
            .hand_over(records, |slot| offline.release(slot))?;
        drop(self.offline.take_records(room));
        self.reader_gone = self.parser.reader_gone();
        Ok(())
    }

    /// Has everything parsed that was read so far.
    fn settle(&mut self) -> anyhow::Result<MutexGuard<'_, Parsing>> {
        self.hand_over()?;
        let offline = &self.offline;
        Ok(self.parser.settle(|slot| offline.release(slot))?)
    }

    /// Notes the name of an interface, where it is a new one: packets before it had another, or none.
    fn name_interface(&mut self, index: u32, name: &str) -> anyhow::Result<()> {
        let place = self
            .interfaces
            .iter()
            .position(|(known, _)| *known == index);
        match place.and_then(|place| self.interfaces.get_mut(place)) {
            Some((_, known)) if known == name => return Ok(()),
            Some((_, known)) => name.clone_into(known),
            None => self.interfaces.push((index, name.to_owned())),
        }
        self.settle()?.writer.name_interface(index, name);
        Ok(())
    }

    /// Looks at the next flows of their table; true: those were the last.
    fn find_flows(&mut self, buckets: u32, now_ns: u64) -> anyhow::Result<bool> {
        let offline = &self.offline;
        let mut parsing = self.parser.settle(|slot| offline.release(slot))?;
        let Parsing { engine, writer } = &mut *parsing;
        let Some(flows) = writer.flows() else {
            return Ok(true);
        };
        Ok(self.offline.read_flows(buckets, &mut |flow, news| {
            flows.found(flow, news, When::all_is_read(now_ns), engine)
        }))
    }

    /// Writes what is held back, and closes the sink.
    fn finish(mut self) -> anyhow::Result<Summary> {
        let mut parsing = self.settle()?;
        let Parsing { engine, writer } = &mut *parsing;
        engine.finish(writer);
        writer.end();
        drop(parsing);
        // Those in front of where it was read to last go on too.
        self.offline.rewind_flows();
        while !self.find_flows(u32::MAX, self.expired_ns)? {}
        let Parsing { engine, writer } = self.parser.finish()?;
        let counters = self.offline.counters();
        let counts = engine.counts();
        let heads = writer.heads().to_vec();
        let sessions = writer.session_counts().unwrap_or_default();
        let outcome = writer.close().log;
        if let Some(error) = outcome.sync_error {
            return Err(anyhow::Error::new(error).context("cannot bring the log files to the disk"));
        }
        Ok(Summary {
            packets: self.packets,
            heads: counts.heads,
            partial: counts.partial,
            kinds: Kind::ALL
                .iter()
                .map(|kind| {
                    (
                        kind.letters(),
                        heads.iter().map(|cpu| cpu[*kind as usize]).sum(),
                    )
                })
                .collect(),
            ignored: named(&Ignored::NAMES, &counters.ignored),
            lost_records: named(&Lost::NAMES, &counters.lost),
            retransmitted: counters.retransmitted,
            copies: counts.copies,
            look_alikes: counts.look_alikes,
            sessions: sessions.sessions,
            session_packets: sessions.packets,
            lines: outcome.counts.stored,
            lost: LossReason::ALL
                .into_iter()
                .filter(|reason| *reason != LossReason::ReaderGone)
                .map(|reason| outcome.counts.lost(reason).records)
                .sum(),
        })
    }
}

/// `None` where there is nothing to say.
fn some(words: String) -> Option<String> {
    Some(words).filter(|words| !words.is_empty())
}

/// Whether all of it is there already: a pipe gives packets as they come.
fn is_regular(source: &CaptureSource) -> bool {
    let metadata = match source {
        CaptureSource::File(path) => std::fs::metadata(path),
        CaptureSource::Stdin => {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            stdin.and_then(|stdin| File::from(stdin).metadata())
        }
    };
    metadata.is_ok_and(|metadata| metadata.is_file())
}
