//! Decompresses gzip (RFC 1952), any number of members one after another.
//!
//! It gives every byte that stands before damage: a decoder that reports an error in place of the
//! bytes it had already made would lose whole packets. It knows how far into the compressed data it
//! is. Zero bytes behind a member are padding; anything else there is an error.

use std::io::Read;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::error::Problem;
use super::input::read_retrying;

/// The first two bytes of a gzip file.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

const BUFFER: usize = 64 * 1024;

/// A source of decompressed bytes.
pub(crate) struct Gzip {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    read: u64,
    state: State,
    inflate: Decompress,
    checksum: Crc,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    /// Where a member may begin; a file has at least one.
    Between { first: bool },
    /// In the compressed bytes of a member.
    Member,
    /// Behind the compressed bytes of a member.
    Trailer,
    /// All bytes before damage have been given.
    Damaged,
    /// The end has been reached.
    Ended,
}

impl Gzip {
    /// Goes on after the bytes `begun`, which were read from `source` before.
    pub(crate) fn new(source: Box<dyn Read + Send>, begun: &[u8]) -> Self {
        let mut buffer = begun.to_vec();
        buffer.resize(begun.len().max(BUFFER), 0);
        Self {
            source,
            buffer,
            start: 0,
            end: begun.len(),
            read: begun.len() as u64,
            state: State::Between { first: true },
            inflate: Decompress::new(false),
            checksum: Crc::new(),
        }
    }

    /// Writes decompressed bytes to the front of `output` and gives their number; 0 at the end. It
    /// gives what there is, and reads more only when there is nothing.
    pub(crate) fn read(&mut self, output: &mut [u8]) -> Result<usize, Problem> {
        if output.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                State::Between { first } => {
                    self.state = if self.header(first)? {
                        self.inflate.reset(false);
                        self.checksum.reset();
                        State::Member
                    } else {
                        State::Ended
                    };
                }
                State::Member => {
                    let produced = self.inflate(output)?;
                    if produced > 0 {
                        return Ok(produced);
                    }
                }
                State::Trailer => {
                    self.trailer()?;
                    self.state = State::Between { first: false };
                }
                State::Damaged => {
                    return Err(Problem::Gzip {
                        what: "its compressed data makes no sense",
                    });
                }
                State::Ended => return Ok(0),
            }
        }
    }

    /// How many compressed bytes have been used.
    pub(super) fn position(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }

    /// One step: bytes into `output`, or more input, or the end of the member. 0 is "go on".
    fn inflate(&mut self, output: &mut [u8]) -> Result<usize, Problem> {
        let (used_before, made_before) = (self.inflate.total_in(), self.inflate.total_out());
        let input = &self.buffer[self.start..self.end];
        let status = self
            .inflate
            .decompress(input, output, FlushDecompress::None);
        let used = (self.inflate.total_in() - used_before) as usize;
        let made = (self.inflate.total_out() - made_before) as usize;
        self.start = self.end.min(self.start + used);
        self.checksum.update(output.get(..made).unwrap_or_default());
        match status {
            Err(_) => self.state = State::Damaged,
            Ok(Status::StreamEnd) => self.state = State::Trailer,
            Ok(Status::Ok | Status::BufError) if made == 0 && used == 0 => {
                if self.start < self.end {
                    self.state = State::Damaged;
                } else if !self.refill()? {
                    return Err(CUT);
                }
            }
            Ok(Status::Ok | Status::BufError) => {}
        }
        Ok(made.min(output.len()))
    }

    /// Reads the header of a member; `false` when there is none.
    fn header(&mut self, first: bool) -> Result<bool, Problem> {
        let Some(mut byte) = self.byte()? else {
            return Ok(false);
        };
        if !first {
            while byte == 0 {
                match self.byte()? {
                    Some(next) => byte = next,
                    None => return Ok(false),
                }
            }
        }
        let [second, method, flags] = [self.expect()?, self.expect()?, self.expect()?];
        if [byte, second] != MAGIC {
            return Err(Problem::Gzip {
                what: "something else follows it",
            });
        }
        let (checksum, extra, name, comment) = (
            flags & 2 != 0,
            flags & 4 != 0,
            flags & 8 != 0,
            flags & 16 != 0,
        );
        if method != 8 || flags & 0xe0 != 0 {
            return Err(Problem::Gzip {
                what: "its header asks for a method that does not exist",
            });
        }
        // Time (4), compression level, operating system.
        self.pass_over(6)?;
        if extra {
            let length = u16::from_le_bytes([self.expect()?, self.expect()?]);
            self.pass_over(length)?;
        }
        for present in [name, comment] {
            while present && self.expect()? != 0 {}
        }
        if checksum {
            self.pass_over(2)?;
        }
        Ok(true)
    }

    fn trailer(&mut self) -> Result<(), Problem> {
        let mut trailer = [0; 8];
        for byte in &mut trailer {
            *byte = self.expect()?;
        }
        let [c0, c1, c2, c3, l0, l1, l2, l3] = trailer;
        let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        // The length stands there modulo 2^32 (RFC 1952, section 2.3.1).
        if checksum != self.checksum.sum() || length != self.inflate.total_out() as u32 {
            return Err(Problem::Gzip {
                what: "its checksum does not match",
            });
        }
        Ok(())
    }

    fn pass_over(&mut self, length: u16) -> Result<(), Problem> {
        for _ in 0..length {
            self.expect()?;
        }
        Ok(())
    }

    /// The next compressed byte, where one must be.
    fn expect(&mut self) -> Result<u8, Problem> {
        self.byte()?.ok_or(CUT)
    }

    /// The next compressed byte; `None` at the end.
    fn byte(&mut self) -> Result<Option<u8>, Problem> {
        if self.start == self.end && !self.refill()? {
            return Ok(None);
        }
        let byte = self.buffer.get(self.start).copied();
        self.start += 1;
        Ok(byte)
    }

    /// Reads more, to be called when all is used; `false` at the end.
    fn refill(&mut self) -> Result<bool, Problem> {
        let length = read_retrying(&mut self.source, &mut self.buffer)?;
        (self.start, self.end) = (0, length);
        self.read += length as u64;
        Ok(length > 0)
    }
}

const CUT: Problem = Problem::Gzip {
    what: "it is cut off",
};
