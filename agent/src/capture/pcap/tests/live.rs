//! Sources that are still being written, that fail, or that interrupt.

use std::collections::VecDeque;
use std::io::{ErrorKind, PipeWriter};
use std::sync::{Arc, Mutex};

use super::*;

/// Gives what has been put in, piece by piece; an error when it is asked for more than that.
#[derive(Clone, Default)]
struct Pieces(Arc<Mutex<VecDeque<io::Result<Vec<u8>>>>>);

impl Pieces {
    fn put(&self, piece: io::Result<&[u8]>) {
        self.0.lock().unwrap().push_back(piece.map(<[u8]>::to_vec));
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut pieces = self.0.lock().unwrap();
        match pieces.pop_front() {
            None => Err(io::Error::other("asked before there was more")),
            Some(Err(error)) => Err(error),
            Some(Ok(mut piece)) => {
                let rest = piece.split_off(piece.len().min(buffer.len()));
                buffer[..piece.len()].copy_from_slice(&piece);
                if !rest.is_empty() {
                    pieces.push_front(Ok(rest));
                }
                Ok(piece.len())
            }
        }
    }
}

/// The records of a file one by one, the header with the first.
fn records(file: &Builder) -> Vec<&[u8]> {
    let starts = [0].into_iter().chain(file.boundaries.iter().copied());
    starts
        .zip(&file.boundaries)
        .map(|(start, end)| &file.bytes[start..*end])
        .collect()
}

#[test]
fn a_packet_is_given_as_soon_as_it_is_there() {
    let classic = classic::header(ByteOrder::Little, 0xa1b2_c3d4, 4, 65_535, 1);
    let classic = (0..3).fold(classic, |file, _| classic::record(file, 0, 3, 3, b"abc"));
    let pcapng = Builder::new(ByteOrder::Little)
        .section(0)
        .interface(1, 0, &[]);
    let pcapng = (0..3).fold(pcapng, |file, _| file.enhanced(0, 0, 3, b"abc", None));
    for file in [classic, pcapng] {
        let records = records(&file);
        let (headers, packets) = records.split_at(records.len() - 3);
        let source = Pieces::default();
        for header in headers {
            source.put(Ok(header));
        }
        let mut capture = CaptureFile::from_reader("test", source.clone()).unwrap();
        for packet in packets {
            source.put(Ok(packet));
            assert_eq!(capture.next().unwrap().unwrap().bytes, b"abc");
        }
        source.put(Ok(b""));
        assert!(capture.next().unwrap().is_none());
    }
}

#[test]
fn a_compressed_packet_is_given_as_soon_as_it_is_there() {
    let source = Pieces::default();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(&written(LinkType::Ethernet, &[]))
        .unwrap();
    encoder.flush().unwrap();
    source.put(Ok(encoder.get_ref()));
    encoder.get_mut().clear();
    let mut capture = CaptureFile::from_reader("test", source.clone()).unwrap();
    for time in 1..4 {
        let file = written(LinkType::Ethernet, &[(time, b"abc", 3)]);
        encoder.write_all(&file[24..]).unwrap();
        encoder.flush().unwrap();
        source.put(Ok(encoder.get_ref()));
        encoder.get_mut().clear();
        assert_eq!(capture.next().unwrap().unwrap().time_ns, time);
    }
    source.put(Ok(&encoder.finish().unwrap()));
    source.put(Ok(b""));
    assert!(capture.next().unwrap().is_none());
}

#[test]
fn a_pipe_is_read_as_it_is_written() {
    let (reader, writer) = io::pipe().unwrap();
    let mut writer: PcapWriter<PipeWriter> = PcapWriter::new(writer, LinkType::Ethernet).unwrap();
    let mut capture = CaptureFile::from_reader("test", reader).unwrap();
    for time in 0..100 {
        writer.write(time, b"abc", 60).unwrap();
        assert_eq!(capture.next().unwrap().unwrap().time_ns, time);
    }
    drop(writer);
    assert!(capture.next().unwrap().is_none());
}

#[test]
fn an_interrupted_read_is_tried_again() {
    let file = written(LinkType::Ethernet, &[(1, b"abc", 3)]);
    for file in [file.clone(), gzip(&file)] {
        let source = Pieces::default();
        for byte in &file {
            source.put(Err(ErrorKind::Interrupted.into()));
            source.put(Ok(&[*byte]));
        }
        source.put(Ok(b""));
        let (seen, result) = read(source);
        assert_eq!(seen, [Seen::ethernet(1, b"abc")]);
        assert!(result.is_ok(), "{result:?}");
    }
}

#[test]
fn a_failed_read_names_the_cause_and_the_place() {
    let file = written(LinkType::Ethernet, &[(1, b"abc", 3), (2, b"def", 3)]);
    let source = Pieces::default();
    source.put(Ok(&file[..50]));
    source.put(Err(io::Error::other("the disk is gone")));
    let (seen, result) = read(source);
    assert_eq!(seen, [Seen::ethernet(1, b"abc")]);
    let message = format!("{:#}", anyhow::Error::from(result.unwrap_err()));
    let expected =
        "test, byte 43, behind the first packet: cannot be read further: the disk is gone";
    assert_eq!(message, expected);
}

#[test]
fn a_path_that_cannot_be_opened_is_named() {
    let error = CaptureFile::open(Path::new("/nonexistent/\x1b[31m")).unwrap_err();
    assert!(error.position().is_none());
    let message = format!("{:#}", anyhow::Error::from(error));
    assert!(
        message.starts_with("/nonexistent/\\u{1b}[31m: cannot be opened: "),
        "{message}"
    );
}

#[test]
fn a_file_is_read_from_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, written(LinkType::Ethernet, &[(1, b"abc", 3)])).unwrap();
    let mut capture = CaptureFile::open(&path).unwrap();
    assert_eq!(capture.next().unwrap().unwrap().bytes, b"abc");
    assert!(capture.next().unwrap().is_none());
}
