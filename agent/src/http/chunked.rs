//! The chunked transfer coding (RFC 9112, section 7.1), read only as far as to know where it ends.
//!
//! Works on any split of the bytes and keeps a few bytes of state, however long extensions and
//! trailers are. Bare LF ends a line here too. Chunk data is not looked at: the reader is told how
//! much of it to skip.

use memchr::memchr;

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Chunks {
    state: State,
}

/// What stands at the point up to which [`Chunks::read`] went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// All bytes are read; the body goes on.
    More,
    /// So many bytes of chunk data follow. They are to be skipped before reading on.
    Data(u64),
    /// The body is over.
    End,
    /// This is no chunked body, or no longer.
    Bad,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Size {
        value: u64,
        digits: bool,
    },
    /// Behind the digits of a size, up to the end of the line.
    Extension {
        value: u64,
    },
    /// Behind the data of a chunk: the line end that closes it.
    DataEnd,
    /// In the trailer; `blank` while the line has nothing but CR.
    Trailer {
        blank: bool,
    },
}

/// No chunk is larger; a larger number is an attack or not a chunk size.
const SIZE_MAX: u64 = 1 << 56;

impl Chunks {
    pub(super) fn new() -> Self {
        Self {
            state: State::Size {
                value: 0,
                digits: false,
            },
        }
    }

    /// Reads on; gives how many of `bytes` were used and what stands behind them.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match self.state {
                State::Size { value, digits } => match (byte, (byte as char).to_digit(16)) {
                    (_, Some(digit)) => {
                        let value = value * 16 + u64::from(digit);
                        if value > SIZE_MAX {
                            return (at - 1, Step::Bad);
                        }
                        self.state = State::Size {
                            value,
                            digits: true,
                        };
                    }
                    (b'\n', None) if digits => match self.begin_chunk(value) {
                        Step::More => {}
                        step => return (at, step),
                    },
                    (b';' | b' ' | b'\t' | b'\r', None) if digits => {
                        self.state = State::Extension { value };
                    }
                    _ => return (at - 1, Step::Bad),
                },
                State::Extension { value } => {
                    let Some(rest) = memchr(b'\n', &bytes[at - 1..]) else {
                        return (bytes.len(), Step::More);
                    };
                    at += rest;
                    match self.begin_chunk(value) {
                        Step::More => {}
                        step => return (at, step),
                    }
                }
                State::DataEnd => match byte {
                    b'\r' => {}
                    b'\n' => {
                        self.state = State::Size {
                            value: 0,
                            digits: false,
                        }
                    }
                    _ => return (at - 1, Step::Bad),
                },
                State::Trailer { blank } => match byte {
                    b'\n' if blank => return (at, Step::End),
                    b'\n' => self.state = State::Trailer { blank: true },
                    b'\r' => {}
                    _ => self.state = State::Trailer { blank: false },
                },
            }
        }
        (at, Step::More)
    }

    fn begin_chunk(&mut self, size: u64) -> Step {
        if size == 0 {
            self.state = State::Trailer { blank: true };
            return Step::More;
        }
        self.state = State::DataEnd;
        Step::Data(size)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunks, Step};

    /// Reads `body` in pieces of `size` bytes; gives the index behind the end.
    fn end_of(body: &[u8], size: usize) -> Option<usize> {
        let (mut chunks, mut at, mut skip) = (Chunks::new(), 0, 0_u64);
        for piece in body.chunks(size) {
            let mut piece = piece;
            while !piece.is_empty() {
                let skipped = (piece.len() as u64).min(skip) as usize;
                skip -= skipped as u64;
                at += skipped;
                piece = &piece[skipped..];
                if piece.is_empty() {
                    break;
                }
                let (used, step) = chunks.read(piece);
                at += used;
                piece = &piece[used..];
                match step {
                    Step::More => assert!(piece.is_empty()),
                    Step::Data(size) => skip = size,
                    Step::End => return Some(at),
                    Step::Bad => return None,
                }
            }
        }
        None
    }

    #[track_caller]
    fn check(body: &[u8], expected: Option<usize>) {
        for size in 1..=body.len() {
            assert_eq!(end_of(body, size), expected, "in pieces of {size}");
        }
        if let Some(end) = expected {
            for cut in 1..end {
                assert_eq!(end_of(&body[..cut], cut), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn finds_the_end_at_every_split() {
        check(b"0\r\n\r\nGET", Some(5));
        check(b"5\r\nGET /\r\n0\r\n\r\nHTTP", Some(15));
        check(
            b"00A ; name=\"x\"\r\n0123456789\r\n000\r\nTrailer: 1\r\nOther: 2\r\n\r\nrest",
            Some(57),
        );
        check(b"2\nab\n0\n\nrest", Some(8));
        check(b"1\r\n\n\r\n1;\r\n\r\r\n0;x\r\n\r\nrest", Some(20));
    }

    #[test]
    fn refuses_what_is_not_chunked() {
        check(b"HTTP/1.1 200 OK\r\n\r\n", None);
        check(b"\r\n0\r\n\r\n", None);
        check(b";\r\n0\r\n\r\n", None);
        check(b"1\r\nab\r\n0\r\n\r\n", None);
        check(b"-1\r\na\r\n0\r\n\r\n", None);
        check(b"ffffffffffffffff\r\na\r\n0\r\n\r\n", None);
    }
}
