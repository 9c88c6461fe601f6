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
            Form::Json { timestamp } => self.put(&JSON, session, timestamp, text),
            Form::Csv { timestamp } => self.put(&CSV, session, timestamp, text),
        }
    }

    /// What stands in front of each field, and behind the last, makes the form.
    #[inline]
    fn put(&mut self, frame: &Frame, session: &Session, timestamp: bool, text: &mut Vec<u8>) {
        text.extend_from_slice(frame.protocol);
        text.extend_from_slice(session.protocol.name().as_bytes());
        text.extend_from_slice(frame.src_ip);
        address(session.src_ip, text);
        text.extend_from_slice(frame.src_port);
        number(session.src_port, text);
        text.extend_from_slice(frame.dst_ip);
        address(session.dst_ip, text);
        text.extend_from_slice(frame.dst_port);
        number(session.dst_port, text);
        text.extend_from_slice(frame.packets);
        number(session.packets, text);
        text.extend_from_slice(frame.bytes);
        number(session.bytes, text);
        text.extend_from_slice(frame.cpu_id);
        number(session.cpu_id, text);
        if timestamp {
            text.extend_from_slice(frame.timestamp);
            self.stamps.write(session.time, DIGITS, text);
            text.extend_from_slice(frame.behind_timestamp);
        }
        text.extend_from_slice(frame.end);
    }
}

/// What stands in front of the fields of a form.
struct Frame {
    protocol: &'static [u8],
    src_ip: &'static [u8],
    src_port: &'static [u8],
    dst_ip: &'static [u8],
    dst_port: &'static [u8],
    packets: &'static [u8],
    bytes: &'static [u8],
    cpu_id: &'static [u8],
    timestamp: &'static [u8],
    behind_timestamp: &'static [u8],
    end: &'static [u8],
}

const JSON: Frame = Frame {
    protocol: b"{\"protocol\":\"",
    src_ip: b"\",\"src_ip\":\"",
    src_port: b"\",\"src_port\":",
    dst_ip: b",\"dst_ip\":\"",
    dst_port: b"\",\"dst_port\":",
    packets: b",\"packets\":",
    bytes: b",\"bytes\":",
    cpu_id: b",\"cpu_id\":",
    timestamp: b",\"timestamp\":\"",
    behind_timestamp: b"\"",
    end: b"}\n",
};

const CSV: Frame = Frame {
    protocol: b"",
    src_ip: b",",
    src_port: b",",
    dst_ip: b",",
    dst_port: b",",
    packets: b",",
    bytes: b",",
    cpu_id: b",",
    timestamp: b",",
    behind_timestamp: b"",
    end: b"\n",
};

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
