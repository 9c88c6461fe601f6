//! Bytes of a file or of standard input, decompressed where their first bytes say that they are gzip
//! or zstd. Every byte before damage is given.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::unix::fs::FileExt as _;

use zstd::stream::read::Decoder;

use crate::capture::pcap::gzip::{Gzip, MAGIC};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The largest window that is made room for: 2^27 bytes, what the format recommends.
const WINDOW_LOG: u32 = 27;

/// Where bytes come from.
pub(super) type Source = Box<dyn Read + Send>;
/// A source with the bytes before it that were looked at.
type Whole = io::Chain<Cursor<Vec<u8>>, Source>;

/// Whether the first bytes of a file say that it is compressed.
pub(super) fn is_compressed(file: &File) -> io::Result<bool> {
    let mut begin = [0; 4];
    let length = retrying(|| file.read_at(&mut begin, 0))?;
    let begin = &begin[..length];
    Ok(begin.starts_with(&MAGIC) || begin.starts_with(&ZSTD_MAGIC))
}

/// A source of bytes.
pub(super) enum Stream {
    Plain(Whole),
    Gzip(Box<Gzip>),
    Zstd(Box<Decoder<'static, BufReader<Whole>>>),
}

impl Stream {
    /// Looks at the first bytes.
    pub(super) fn new(mut source: Source) -> io::Result<Self> {
        let mut begun = vec![0; 4];
        let mut length = 0;
        while length < begun.len() {
            match retrying(|| source.read(&mut begun[length..]))? {
                0 => break,
                read => length += read,
            }
        }
        begun.truncate(length);
        if begun.starts_with(&MAGIC) {
            return Ok(Self::Gzip(Box::new(Gzip::new(source, &begun))));
        }
        let is_zstd = begun.starts_with(&ZSTD_MAGIC);
        let whole = Cursor::new(begun).chain(source);
        if is_zstd {
            let mut decoder = Decoder::new(whole)?;
            decoder.window_log_max(WINDOW_LOG)?;
            return Ok(Self::Zstd(Box::new(decoder)));
        }
        Ok(Self::Plain(whole))
    }

    /// Reads some bytes; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => retrying(|| source.read(buffer)),
            Self::Gzip(source) => source.read(buffer).map_err(io::Error::other),
            Self::Zstd(source) => retrying(|| source.read(buffer)).map_err(|error| {
                let what = match error.kind() {
                    io::ErrorKind::UnexpectedEof => "it is cut off".to_owned(),
                    _ => error.to_string(),
                };
                io::Error::other(format!("the zstd data is damaged ({what})"))
            }),
        }
    }
}

fn retrying(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
