//! Sessions as a firewall or an agent reports them: eight fields a record, made at random.
//!
//! The default model draws every field evenly and by itself, as `log-gen` does ([`uniform`]); the other
//! one makes traffic of a small network, of which the fields of a record agree ([`realistic`]).

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;

use jiff::Timestamp;

use self::realistic::Network;
use self::write::{Form, Writer};
use super::blocks::{Lines, Make, RECORDS};
use super::schedule::Times;
use super::seed::Seed;
use crate::session::record::{Protocol, SessionRecord};

pub mod api;
mod causes;
pub mod realistic;
pub mod store;
pub mod uniform;
pub mod words;
pub mod write;

/// One session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session {
    /// The transport protocol.
    pub protocol: Protocol,
    /// Who opened it.
    pub src_ip: Ipv4Addr,
    /// The port of who opened it.
    pub src_port: u16,
    /// The other side.
    pub dst_ip: Ipv4Addr,
    /// The port of the other side.
    pub dst_port: u16,
    /// Packets in both directions.
    pub packets: u32,
    /// Bytes in both directions.
    pub bytes: u64,
    /// The CPU that carried its first packet.
    pub cpu_id: u8,
    /// When it began, in microseconds since the epoch.
    pub time: i64,
}

impl Session {
    /// As the store takes it.
    #[must_use]
    pub fn record(&self) -> SessionRecord<'static> {
        SessionRecord {
            protocol: self.protocol,
            src_ip: self.src_ip.into(),
            src_port: self.src_port,
            dst_ip: self.dst_ip.into(),
            dst_port: self.dst_port,
            packets: self.packets.into(),
            bytes: self.bytes,
            cpu_id: self.cpu_id.into(),
            timestamp: Timestamp::from_microsecond(self.time).unwrap_or(Timestamp::UNIX_EPOCH),
            details: None,
        }
    }
}

/// How sessions are made.
#[derive(Clone, Debug)]
pub enum Model {
    /// Every field evenly, by itself.
    Uniform,
    /// Traffic of a network.
    Realistic(Box<Network>),
}

/// Makes blocks of sessions.
#[derive(Debug)]
pub struct Sessions {
    /// What they are made from.
    pub seed: Seed,
    /// How.
    pub model: Model,
    /// Which times they carry.
    pub times: Times,
    /// What they are written as; `None`: they are not.
    pub form: Option<Form>,
    /// Gives the times, where they are those at which records are made.
    pub clock: Clock,
}

/// Gives records that are made now times that no other has, in microseconds: otherwise those of several
/// blocks would be the same, and a store would look for room for each of them.
#[derive(Debug, Default)]
pub struct Clock {
    next: AtomicI64,
}

impl Clock {
    /// The first of so many microseconds that belong to nobody else: now, or those behind what was given
    /// last.
    fn take(&self, count: i64) -> i64 {
        let now = Timestamp::now().as_microsecond();
        let behind = |next: i64| next.max(now).checked_add(count);
        let before = self.next.fetch_update(Relaxed, Relaxed, behind);
        before.unwrap_or(now).max(now)
    }
}

/// Sessions, and what is written of them.
#[derive(Debug, Default)]
pub struct SessionBlock {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// Each as it is written, if it is.
    pub lines: Lines,
    writer: Writer,
}

impl Make for Sessions {
    type Block = SessionBlock;

    fn make(&self, number: u64, records: Range<u64>, block: &mut SessionBlock) {
        let mut stream = self.seed.stream("sessions", number);
        let SessionBlock {
            sessions,
            lines,
            writer,
        } = block;
        sessions.clear();
        lines.clear();
        let mut now = None;
        for (index, record) in (0..).zip(records) {
            let time = self.times.at(record).unwrap_or_else(|| {
                let all = RECORDS as i64;
                *now.get_or_insert_with(|| self.clock.take(all)) + index
            });
            let session = match &self.model {
                Model::Uniform => uniform::session(&mut stream, time),
                Model::Realistic(network) => network.session(&mut stream, time),
            };
            if let Some(form) = self.form {
                writer.write(form, &session, &mut lines.bytes);
                lines.end_record();
            }
            sessions.push(session);
        }
    }
}

#[cfg(test)]
mod tests;
