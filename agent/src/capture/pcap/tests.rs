//! Every file of a test is read in several ways (whole, byte by byte, compressed), all through
//! [`check`]; the parts hold the tables.

mod classic;
mod compressed;
mod hostile;
mod link;
mod live;
mod pcapng;

use std::io::{Cursor, Read, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::fields::ByteOrder;
use super::*;

/// A frame that can be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    link: Link,
    bytes: Vec<u8>,
    wire_len: u32,
    time_ns: u64,
    interface: Option<(u32, Option<String>)>,
    outgoing: Option<bool>,
}

impl Seen {
    /// An Ethernet frame that was captured whole.
    fn ethernet(time_ns: u64, bytes: &[u8]) -> Self {
        Self {
            link: Link::Ethernet,
            bytes: bytes.to_vec(),
            wire_len: bytes.len() as u32,
            time_ns,
            interface: None,
            outgoing: None,
        }
    }

    fn on(self, index: u32, name: Option<&str>) -> Self {
        Self {
            interface: Some((index, name.map(str::to_owned))),
            ..self
        }
    }

    fn outgoing(self, outgoing: bool) -> Self {
        Self {
            outgoing: Some(outgoing),
            ..self
        }
    }
}

impl From<Frame<'_>> for Seen {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            link: frame.link,
            bytes: frame.bytes.to_vec(),
            wire_len: frame.wire_len,
            time_ns: frame.time_ns,
            interface: frame
                .interface
                .map(|interface| (interface.index, interface.name.map(str::to_owned))),
            outgoing: frame.outgoing,
        }
    }
}

/// How the reading of a file must end.
#[derive(Clone, Copy, Debug)]
enum End {
    Clean,
    /// With an error at this offset whose text holds these words.
    Damage(u64, &'static str),
}

/// Reads `file` in every way there is and compares.
fn check(case: &str, file: &[u8], frames: &[Seen], end: End) {
    let compressed = gzip(file);
    let ways: [(&str, Box<dyn Read + Send>); 4] = [
        ("whole", Box::new(Cursor::new(file.to_vec()))),
        (
            "byte by byte",
            Box::new(ByteByByte(Cursor::new(file.to_vec()))),
        ),
        ("compressed", Box::new(Cursor::new(compressed.clone()))),
        (
            "compressed, byte by byte",
            Box::new(ByteByByte(Cursor::new(compressed))),
        ),
    ];
    for (way, reader) in ways {
        let (seen, result) = read(reader);
        assert_eq!(seen, frames, "{case}, {way}");
        match (result, end) {
            (Ok(()), End::Clean) => {}
            (Err(error), End::Damage(offset, words)) => {
                let position = error.position().expect("a place");
                assert_eq!(position.offset, offset, "{case}, {way}: {error}");
                assert_eq!(error.packets(), frames.len() as u64, "{case}, {way}");
                assert!(error.to_string().contains(words), "{case}, {way}: {error}");
                // An empty file cannot be told from a compressed one by its first bytes.
                let is_compressed = way.starts_with("compressed");
                assert_eq!(
                    position.compressed_offset.is_some(),
                    is_compressed,
                    "{case}"
                );
            }
            (result, end) => panic!("{case}, {way}: {result:?} and not {end:?}"),
        }
    }
}

/// Reads to the end, and once more behind it.
fn read(reader: impl Read + Send + 'static) -> (Vec<Seen>, Result<(), PcapError>) {
    let mut frames = Vec::new();
    let mut capture = match CaptureFile::from_reader("test", reader) {
        Ok(capture) => capture,
        Err(error) => return (frames, Err(error)),
    };
    let result = loop {
        match capture.next() {
            Ok(Some(frame)) => frames.push(Seen::from(frame)),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert!(
        matches!(capture.next(), Ok(None)),
        "nothing comes after the end"
    );
    (frames, result)
}

/// A source that gives one byte a call.
struct ByteByByte<R>(R);

impl<R: Read> Read for ByteByByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file of the writer's with these packets: time, bytes, length on the wire.
fn written(link_type: LinkType, packets: &[(u64, &[u8], u32)]) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new(), link_type).unwrap();
    for (time_ns, bytes, wire_len) in packets {
        writer.write(*time_ns, bytes, *wire_len).unwrap();
    }
    writer.finish().unwrap()
}

/// Puts files together in a byte order, and remembers where its records begin.
struct Builder {
    order: ByteOrder,
    bytes: Vec<u8>,
    /// Where each record or block ends.
    boundaries: Vec<usize>,
}

impl Builder {
    fn new(order: ByteOrder) -> Self {
        Self {
            order,
            bytes: Vec::new(),
            boundaries: Vec::new(),
        }
    }

    fn u16(mut self, number: u16) -> Self {
        self.bytes.extend(match self.order {
            ByteOrder::Big => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
        self
    }

    fn u32(mut self, number: u32) -> Self {
        self.bytes.extend(match self.order {
            ByteOrder::Big => number.to_be_bytes(),
            ByteOrder::Little => number.to_le_bytes(),
        });
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    fn end_record(mut self) -> Self {
        self.boundaries.push(self.bytes.len());
        self
    }
}

#[test]
fn the_link_types_keep_their_numbers() {
    let mut read = 0;
    for number in 0..=0xffff {
        if let Some(link_type) = LinkType::from_number(number) {
            read += 1;
            let written = link_type.number();
            assert_eq!(LinkType::from_number(written), Some(link_type));
            assert!(written == number || matches!(number, 12 | 14));
        }
    }
    assert_eq!(read, 11);
}
