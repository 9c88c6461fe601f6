//! Blocks of whole lines, of a mebibyte and more: what is read at once, and what a thread takes at
//! once. A line that is longer than that is not read; it is passed over and told.
//!
//! [`Blocks`] come one after the other, from what can only be read from its begin to its end.

use std::fmt;

use super::stream::Stream;

/// Bytes of a block; a line may be as long.
pub(super) const SIZE: usize = 1 << 20;
/// What is shown of a line that is too long.
pub(super) const SHOWN: usize = 200;

/// Whole lines.
#[derive(Debug)]
pub struct Block {
    pub(super) bytes: Vec<u8>,
    /// Where the lines begin,
    pub(super) start: usize,
    /// and where they end.
    pub(super) used: usize,
    /// Which part of its source it is; lines are numbered by part.
    pub part: u64,
    /// The number of the first line in its part, from 1.
    pub first_line: u64,
    /// Lines that were too long, before those of this block or behind them.
    pub long: Vec<LongLine>,
}

/// A line that is too long to be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LongLine {
    /// Its number in the part, from 1.
    pub line: u64,
    /// Its beginning.
    pub begin: Vec<u8>,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            // A byte before the lines, a line's end behind them.
            bytes: vec![0; 2 * SIZE + 2],
            start: 0,
            used: 0,
            part: 0,
            first_line: 1,
            long: Vec::new(),
        }
    }
}

impl Block {
    /// The lines, with their ends; the last of a source may have none.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.bytes[self.start..self.used]
    }
}

/// The lines of a source, block by block.
pub struct Blocks {
    stream: Stream,
    /// The begin of a line whose end was not in the block before.
    carry: Vec<u8>,
    line: u64,
    bytes: u64,
    ended: bool,
    problem: Option<String>,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Blocks")
            .field("line", &self.line)
            .field("bytes", &self.bytes)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl Blocks {
    /// All that the stream has are one part.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            carry: Vec::new(),
            line: 1,
            bytes: 0,
            ended: false,
            problem: None,
        }
    }

    /// Bytes so far, uncompressed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Why it ended early, in a sentence.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Fills the block with the next lines; `false`: there are no more.
    pub fn next(&mut self, block: &mut Block) -> bool {
        block.long.clear();
        (block.start, block.part) = (0, 0);
        block.first_line = self.line;
        block.used = self.carry.len();
        block.bytes[..block.used].copy_from_slice(&self.carry);
        self.carry.clear();
        loop {
            if block.used > SIZE {
                // What was read at once is no longer than a line may be: only the first can be longer.
                let first = memchr::memchr(b'\n', block.lines());
                let last = memchr::memrchr(b'\n', block.lines());
                if let (Some(0..=SIZE), Some(last)) = (first, last) {
                    let (start, end) = (last + 1, block.used);
                    self.carry.extend_from_slice(&block.bytes[start..end]);
                    block.used = start;
                    break;
                }
                block.long.push(LongLine {
                    line: self.line,
                    begin: block.bytes[..SHOWN].to_vec(),
                });
                self.line += 1;
                block.first_line = self.line;
                match first {
                    Some(end) => keep_behind(block, end, block.used),
                    None => self.skip_line(block),
                }
            } else if self.ended {
                self.leave_out_half_a_line(block);
                break;
            } else {
                let used = block.used;
                block.used += self.read(&mut block.bytes[used..]);
            }
        }
        let lines = memchr::memchr_iter(b'\n', block.lines()).count() as u64;
        let is_open = block.lines().last().is_some_and(|byte| *byte != b'\n');
        self.line += lines + u64::from(is_open);
        block.used > 0 || !block.long.is_empty()
    }

    /// Where reading broke off, the line there is not to be taken for a shorter one.
    fn leave_out_half_a_line(&self, block: &mut Block) {
        if self.problem.is_some() {
            let whole = memchr::memrchr(b'\n', block.lines()).map_or(0, |end| end + 1);
            block.used = block.start + whole;
        }
    }

    /// Passes over the rest of a line; what stands behind it is in the block.
    fn skip_line(&mut self, block: &mut Block) {
        block.used = 0;
        while !self.ended {
            let read = self.read(&mut block.bytes);
            if let Some(end) = memchr::memchr(b'\n', &block.bytes[..read]) {
                keep_behind(block, end, read);
                return;
            }
        }
    }

    /// Reads up to the size of a block.
    fn read(&mut self, room: &mut [u8]) -> usize {
        let wanted = room.len().min(SIZE);
        match self.stream.read(&mut room[..wanted]) {
            Ok(0) => {
                self.ended = true;
                0
            }
            Ok(read) => {
                self.bytes += read as u64;
                read
            }
            Err(error) => {
                self.ended = true;
                self.problem = Some(format!("{error}; a line that had begun there is left out"));
                0
            }
        }
    }
}

/// Keeps of the bytes up to `used` what stands behind the end of a line.
fn keep_behind(block: &mut Block, line_end: usize, used: usize) {
    block.bytes.copy_within(line_end + 1..used, 0);
    block.used = used - line_end - 1;
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    /// Gives as many bytes at a time as it is told.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0.drain(..length);
            Ok(length)
        }
    }

    /// All lines with their numbers, and those that were too long.
    fn lines(text: &[u8], at_once: usize) -> (Vec<(u64, Vec<u8>)>, Vec<u64>) {
        let stream = Stream::new(Box::new(Slow(text.to_vec(), at_once))).unwrap();
        let (mut blocks, mut block) = (Blocks::new(stream), Block::default());
        let (mut lines, mut long) = (Vec::new(), Vec::new());
        while blocks.next(&mut block) {
            long.extend(block.long.iter().map(|long| long.line));
            let split = block.lines().split_inclusive(|byte| *byte == b'\n');
            for (number, line) in (block.first_line..).zip(split) {
                lines.push((number, line.strip_suffix(b"\n").unwrap_or(line).to_vec()));
            }
        }
        assert_eq!(blocks.bytes(), text.len() as u64);
        (lines, long)
    }

    fn expected(text: &[u8]) -> (Vec<(u64, Vec<u8>)>, Vec<u64>) {
        let (mut lines, mut long) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match line.len() > SIZE {
                true => long.push(number),
                false => lines.push((number, line.to_vec())),
            }
        }
        (lines, long)
    }

    /// Texts with lines of all lengths, the letter of each its own, with and without an end.
    pub(in crate::analysis::input) fn texts() -> Vec<Vec<u8>> {
        let mut texts = Vec::new();
        for lengths in [
            &[][..],
            &[0],
            &[5, 0, 7],
            &[SIZE / 2; 9],
            &[SIZE - 1, SIZE - 1, 0, 0, SIZE],
            &[SIZE, 1],
            &[SIZE + 1, 1],
            &[3 * SIZE, 5],
            &[5, 10 * SIZE, 6, 2 * SIZE, 3 * SIZE, 7],
            &[SIZE - 2, 2 * SIZE - 1, 5],
            &[5, SIZE + 1, 5],
            &[5, SIZE, 5],
            &[SIZE - 10, SIZE + 1, SIZE + 1, SIZE, 7],
            &[2 * SIZE + 5],
        ] {
            for end in [&b"\n"[..], b"", b"x"] {
                let mut text = Vec::new();
                for (letter, length) in (b'a'..).zip(lengths) {
                    text.extend(std::iter::repeat_n(letter, *length));
                    text.push(b'\n');
                }
                text.extend_from_slice(end);
                texts.push(text);
            }
        }
        texts
    }

    #[test]
    fn lines_of_all_lengths() {
        for text in texts() {
            for at_once in [64 * 1024, usize::MAX] {
                assert!(
                    lines(&text, at_once) == expected(&text),
                    "{} bytes, {at_once} at once",
                    text.len()
                );
            }
        }
    }

    #[test]
    fn a_line_in_which_reading_breaks_off_is_left_out() {
        struct Broken(Slow);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                match self.0.read(buffer)? {
                    0 => Err(std::io::Error::other("no disk")),
                    read => Ok(read),
                }
            }
        }
        let check = |text: &str, expected: &str| {
            let source = Broken(Slow(text.as_bytes().to_vec(), 3));
            let stream = Stream::new(Box::new(source)).unwrap();
            let (mut blocks, mut block) = (Blocks::new(stream), Block::default());
            let mut found = Vec::new();
            while blocks.next(&mut block) {
                found.extend_from_slice(block.lines());
            }
            assert_eq!(String::from_utf8(found).unwrap(), expected);
            let problem = blocks.problem().unwrap();
            assert_eq!(problem, "no disk; a line that had begun there is left out");
        };
        check("whole\nhal", "whole\n");
        check("whole\n", "whole\n");
        check("hal hal", "");
    }

    proptest! {
        #[test]
        fn any_text(text in "[a\n]{0,60}", at_once in 1_usize..9) {
            prop_assert_eq!(lines(text.as_bytes(), at_once), expected(text.as_bytes()));
        }
    }
}
