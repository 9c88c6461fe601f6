//! Sessions as text: JSON, CSV, and the line that a person reads. Allocates nothing once the target has
//! grown.

use std::io::Write as _;
use std::net::Ipv4Addr;

use super::Session;
use crate::generate::stamp::Stamps;

/// What a session is written as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// One JSON object and a line end.
    Json {
        /// With the field `timestamp`.
        timestamp: bool,
    },
    /// One line of CSV.
    Csv {
        /// With the column `timestamp`.
        timestamp: bool,
    },
}

impl Form {
    /// What stands in front of all records.
    #[must_use]
    pub fn header(self) -> &'static [u8] {
        match self {
            Self::Json { .. } => b"",
            Self::Csv { timestamp: false } => {
                b"protocol,src_ip,src_port,dst_ip,dst_port,packets,bytes,cpu_id\n"
            }
            Self::Csv { timestamp: true } => {
                b"protocol,src_ip,src_port,dst_ip,dst_port,packets,bytes,cpu_id,timestamp\n"
            }
        }
    }
}

/// Digits behind the second.
const DIGITS: usize = 6;

/// Writes sessions.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    stamps: Stamps,
}

impl Writer {
    /// Writes the session behind what is in `text`, with a line end.
    #[inline]
    pub fn write(&mut self, form: Form, session: &Session, text: &mut Vec<u8>) {
        match form {
            Form::Json { timestamp } => self.json(session, timestamp, text),
            Form::Csv { timestamp } => self.csv(session, timestamp, text),
        }
    }

    #[inline]
    fn json(&mut self, session: &Session, timestamp: bool, text: &mut Vec<u8>) {
        text.extend_from_slice(b"{\"protocol\":\"");
        text.extend_from_slice(session.protocol.name().as_bytes());
        text.extend_from_slice(b"\",\"src_ip\":\"");
        address(session.src_ip, text);
        text.extend_from_slice(b"\",\"src_port\":");
        number(session.src_port, text);
        text.extend_from_slice(b",\"dst_ip\":\"");
        address(session.dst_ip, text);
        text.extend_from_slice(b"\",\"dst_port\":");
        number(session.dst_port, text);
        text.extend_from_slice(b",\"packets\":");
        number(session.packets, text);
        text.extend_from_slice(b",\"bytes\":");
        number(session.bytes, text);
        text.extend_from_slice(b",\"cpu_id\":");
        number(session.cpu_id, text);
        if timestamp {
            text.extend_from_slice(b",\"timestamp\":\"");
            self.stamps.write(session.time, DIGITS, text);
            text.push(b'"');
        }
        text.extend_from_slice(b"}\n");
    }

    #[inline]
    fn csv(&mut self, session: &Session, timestamp: bool, text: &mut Vec<u8>) {
        text.extend_from_slice(session.protocol.name().as_bytes());
        text.push(b',');
        address(session.src_ip, text);
        text.push(b',');
        number(session.src_port, text);
        text.push(b',');
        address(session.dst_ip, text);
        text.push(b',');
        number(session.dst_port, text);
        text.push(b',');
        number(session.packets, text);
        text.push(b',');
        number(session.bytes, text);
        text.push(b',');
        number(session.cpu_id, text);
        if timestamp {
            text.push(b',');
            self.stamps.write(session.time, DIGITS, text);
        }
        text.push(b'\n');
    }
}

/// The line that shows the session to a person: `[1] TCP   | …`, in columns.
pub fn line(number: u64, session: &Session, text: &mut Vec<u8>) {
    let Session {
        protocol,
        src_ip,
        src_port,
        dst_ip,
        dst_port,
        packets,
        bytes,
        cpu_id,
        ..
    } = session;
    let protocol = protocol.name();
    // Writing to memory does not fail.
    drop(writeln!(
        text,
        "[{number}] {protocol:5} | {src_ip:15}:{src_port:5} → {dst_ip:15}:{dst_port:5} | \
         Packets: {packets:4} | Bytes: {bytes:8} | CPU: {cpu_id}"
    ));
}

#[inline]
fn address(address: Ipv4Addr, text: &mut Vec<u8>) {
    let [first, second, third, fourth] = address.octets();
    number(first, text);
    text.push(b'.');
    number(second, text);
    text.push(b'.');
    number(third, text);
    text.push(b'.');
    number(fourth, text);
}

#[inline]
fn number(value: impl itoa::Integer, text: &mut Vec<u8>) {
    text.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
