//! Writes capture files: pcap with nanoseconds, little-endian on every host.

use std::io::{self, ErrorKind, Write};

use super::PACKET_MAX;
use super::link::LinkType;

/// Writes packets as a capture file. Nothing is buffered here: give it a `BufWriter` for a file.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    writer: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the header of a file whose packets begin as `link_type` says.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(mut writer: W, link_type: LinkType) -> io::Result<Self> {
        let mut header = [0; 24];
        let fields: [&[u8]; 7] = [
            &0xa1b2_3c4d_u32.to_le_bytes(),
            &2_u16.to_le_bytes(),
            &4_u16.to_le_bytes(),
            &[0; 4], // time zone: UTC
            &[0; 4], // accuracy: always 0
            &PACKET_MAX.to_le_bytes(),
            &link_type.number().to_le_bytes(),
        ];
        join(&mut header, &fields);
        writer.write_all(&header)?;
        Ok(Self { writer })
    }

    /// Writes one packet that was captured at `time_ns` (nanoseconds since the epoch). `bytes` are
    /// its captured bytes, `wire_len` is the length it had.
    ///
    /// # Errors
    /// The writer's; `InvalidInput` when the packet cannot stand in a file: captured in 2106 or
    /// later, longer than [`PACKET_MAX`], or with more bytes than it had.
    pub fn write(&mut self, time_ns: u64, bytes: &[u8], wire_len: u32) -> io::Result<()> {
        let seconds = u32::try_from(time_ns / 1_000_000_000)
            .ok()
            .ok_or_else(|| invalid("pcap cannot say a time after February 2106"))?;
        let nanoseconds = (time_ns % 1_000_000_000) as u32;
        let captured = u32::try_from(bytes.len())
            .ok()
            .filter(|captured| *captured <= PACKET_MAX)
            .ok_or_else(|| invalid("the packet is too long for a capture file"))?;
        if wire_len < captured {
            return Err(invalid("the packet has more bytes than its length says"));
        }
        let mut header = [0; 16];
        let fields: [&[u8]; 4] = [
            &seconds.to_le_bytes(),
            &nanoseconds.to_le_bytes(),
            &captured.to_le_bytes(),
            &wire_len.to_le_bytes(),
        ];
        join(&mut header, &fields);
        self.writer.write_all(&header)?;
        self.writer.write_all(bytes)
    }

    /// Flushes the writer and gives it back.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.writer.flush()?;
        Ok(self.writer)
    }
}

fn join(header: &mut [u8], fields: &[&[u8]]) {
    let bytes = fields.iter().copied().flatten();
    for (place, byte) in header.iter_mut().zip(bytes) {
        *place = *byte;
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what)
}
