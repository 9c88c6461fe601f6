//! Bodies in chunks (RFC 9112, section 7.1), read as they come in, whatever the pieces. Nothing is kept.
//! Refuses lines that do not end with CR LF, sizes that are no hexadecimal number or too large to be one,
//! and trailers without end.

/// Bytes of chunk extensions and of trailers, at most.
const ASIDE_MOST: u32 = 16 << 10;

/// Hexadecimal digits of a size, at most: 2⁶⁰ and more is nobody's chunk.
const DIGITS_MOST: u8 = 15;

/// Where in the body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the digits of a size; so many were there.
    Size(u8),
    /// Behind the size, before the end of its line.
    Extension,
    /// Behind the CR of that line.
    SizeEnd,
    Data,
    /// Behind the bytes of a chunk.
    DataEnd,
    /// Behind the CR there.
    DataEndLine,
    /// At the start of a trailer's line.
    Trailer,
    InTrailer,
    /// Behind the CR of a trailer.
    TrailerEnd,
    /// Behind the CR of the empty line.
    LastEnd,
    Whole,
}

/// A body in chunks that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Chunks {
    place: Place,
    /// Bytes of this chunk that are still to come.
    left: u64,
    /// Bytes of extensions and trailers so far.
    aside: u32,
    data: u64,
}

/// It is no body in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunks of the body are malformed")]
pub struct Malformed;

impl Default for Chunks {
    fn default() -> Self {
        Self {
            place: Place::Size(0),
            left: 0,
            aside: 0,
            data: 0,
        }
    }
}

impl Chunks {
    /// Takes the next bytes; gives how many of them belong to the body. It is [whole](Self::is_whole)
    /// where there are more.
    ///
    /// # Errors
    /// It is no body in chunks.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.place {
                Place::Whole => break,
                Place::Data => {
                    let here = (bytes.len() - at) as u64;
                    let taken = here.min(self.left);
                    self.left -= taken;
                    self.data += taken;
                    at += taken as usize;
                    if self.left == 0 {
                        self.place = Place::DataEnd;
                    }
                    continue;
                }
                Place::Size(digits) => self.size(byte, digits)?,
                Place::Extension => match byte {
                    b'\r' => self.place = Place::SizeEnd,
                    b'\n' => return Err(Malformed),
                    _ => self.set_aside()?,
                },
                Place::SizeEnd => {
                    self.place = match (byte, self.left) {
                        (b'\n', 0) => Place::Trailer,
                        (b'\n', _) => Place::Data,
                        _ => return Err(Malformed),
                    };
                }
                Place::DataEnd => self.place = follows(byte, b'\r', Place::DataEndLine)?,
                Place::DataEndLine => self.place = follows(byte, b'\n', Place::Size(0))?,
                Place::Trailer if byte == b'\r' => self.place = Place::LastEnd,
                Place::Trailer | Place::InTrailer => match byte {
                    b'\r' => self.place = Place::TrailerEnd,
                    b'\n' => return Err(Malformed),
                    _ => {
                        self.place = Place::InTrailer;
                        self.set_aside()?;
                    }
                },
                Place::TrailerEnd => self.place = follows(byte, b'\n', Place::Trailer)?,
                Place::LastEnd => self.place = follows(byte, b'\n', Place::Whole)?,
            }
            at += 1;
        }
        Ok(at)
    }

    /// Whether all of it was there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.place == Place::Whole
    }

    /// Bytes of data so far, without what is around them.
    #[must_use]
    pub const fn data(&self) -> u64 {
        self.data
    }

    fn size(&mut self, byte: u8, digits: u8) -> Result<(), Malformed> {
        let Some(value) = char::from(byte).to_digit(16) else {
            self.place = match byte {
                _ if digits == 0 => return Err(Malformed),
                b'\r' => Place::SizeEnd,
                b';' | b' ' | b'\t' => Place::Extension,
                _ => return Err(Malformed),
            };
            return Ok(());
        };
        if digits == DIGITS_MOST {
            return Err(Malformed);
        }
        // The size of the chunk before is used up.
        self.left = self.left << 4 | u64::from(value);
        self.place = Place::Size(digits + 1);
        Ok(())
    }

    fn set_aside(&mut self) -> Result<(), Malformed> {
        self.aside += 1;
        match self.aside > ASIDE_MOST {
            true => Err(Malformed),
            false => Ok(()),
        }
    }
}

fn follows(byte: u8, wanted: u8, then: Place) -> Result<Place, Malformed> {
    match byte == wanted {
        true => Ok(then),
        false => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads it whole, and cut in two at every place: the same must come of it.
    fn check(bytes: &[u8], expected: Result<(usize, bool, u64), Malformed>) {
        let read = |pieces: &[&[u8]]| {
            let mut chunks = Chunks::default();
            let mut taken = 0;
            for piece in pieces {
                let here = chunks.take(piece)?;
                taken += here;
                assert!(here == piece.len() || chunks.is_whole());
            }
            Ok((taken, chunks.is_whole(), chunks.data()))
        };
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(read(&[bytes]), expected, "{text:?}");
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read(&[first, second]), expected, "{text:?} at {cut}");
        }
    }

    #[test]
    fn bodies() {
        check(b"0\r\n\r\n", Ok((5, true, 0)));
        check(b"5\r\nhello\r\n0\r\n\r\n", Ok((15, true, 5)));
        check(
            b"A;x=\"y\"\r\n0123456789\r\n000\r\n\r\nmore",
            Ok((28, true, 10)),
        );
        check(b"1 \r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", Ok((24, true, 1)));
        check(b"5\r\nhel", Ok((6, false, 3)));
        check(b"", Ok((0, false, 0)));
    }

    #[test]
    fn what_is_none() {
        for bad in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"0x5\r\n",
            b"5\nhello",
            b"5\r\nhello!",
            b"5\r\nhello\r!",
            b"5\rhello",
            b"5;x\n",
            b"0\r\nA\n",
            b"0\r\n\r!",
            b"0\r\nA: b\r!",
            b"ffffffffffffffff\r\n",
        ] {
            check(bad, Err(Malformed));
        }
    }

    #[test]
    fn what_stands_aside_has_an_end() {
        let mut chunks = Chunks::default();
        chunks.take(b"0\r\n").unwrap();
        let line = [&[b'a'; 1000][..], b"\r\n"].concat();
        let refused = (0..100).find(|_| chunks.take(&line).is_err());
        assert_eq!(refused, Some(16));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>) {
            let _any = Chunks::default().take(&bytes);
        }

        #[test]
        fn all_data_is_counted(sizes in prop::collection::vec(1_usize..300, 0..10)) {
            let mut body = Vec::new();
            for size in &sizes {
                body.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                body.resize(body.len() + size, b'x');
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let mut chunks = Chunks::default();
            prop_assert_eq!(chunks.take(&body), Ok(body.len()));
            prop_assert!(chunks.is_whole());
            prop_assert_eq!(chunks.data(), sizes.iter().sum::<usize>() as u64);
        }
    }
}
