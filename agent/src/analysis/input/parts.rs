//! The parts of a regular file, a mebibyte each, that threads take by their numbers and read
//! themselves: nobody has to read for the others. A line belongs to the part in which it begins.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::blocks::{Block, LongLine, SHOWN, SIZE};

/// Bytes that are read at a time of a line that goes on in the next part.
const TAIL: usize = 8 * 1024;

/// A file as it was when it was opened: what is appended later is not read.
#[derive(Debug)]
pub(super) struct Parts {
    file: File,
    size: u64,
    next: AtomicU64,
    bytes: AtomicU64,
    problem: Mutex<Option<String>>,
}

impl Parts {
    /// The first `size` bytes of a file.
    pub(super) fn new(file: File, size: u64) -> Self {
        Self {
            file,
            size,
            next: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            problem: Mutex::new(None),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.size.div_ceil(SIZE as u64)
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why it ended early, in a sentence.
    pub(super) fn problem(&self) -> Option<String> {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.clone()
    }

    /// Fills the block with the lines of the next part that has any; `false`: there are no more.
    pub(super) fn next(&self, block: &mut Block) -> bool {
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= self.count() {
                // Never as far as to begin anew.
                self.next.store(self.count(), Ordering::Relaxed);
                return false;
            }
            block.part = part;
            block.first_line = 1;
            block.long.clear();
            (block.start, block.used) = (0, 0);
            if let Err(error) = self.fill(block) {
                self.stop(&error);
            }
            if block.used > block.start || !block.long.is_empty() {
                return true;
            }
        }
    }

    /// Goes on with the last two parts, if it was not there yet: the last alone may be the end of a line.
    pub(super) fn skip_to_end(&self) {
        let last = self.count().saturating_sub(2);
        self.next.fetch_max(last, Ordering::Relaxed);
    }

    /// Reads the lines that begin in a part.
    fn fill(&self, block: &mut Block) -> io::Result<()> {
        let begin = block.part * SIZE as u64;
        // The byte before tells whether a line begins with the part.
        let before = usize::from(begin > 0);
        let length = (self.size - begin).min(SIZE as u64) as usize;
        let at = begin - before as u64;
        let end = self.read(&mut block.bytes[..before + length], at)?;
        let own = end.saturating_sub(before);
        self.bytes.fetch_add(own as u64, Ordering::Relaxed);
        let is_cut = own < length;
        if before > 0 {
            match memchr::memchr(b'\n', &block.bytes[..end]) {
                Some(line_end) => block.start = line_end + 1,
                // The line began in a part before.
                None => block.start = end,
            }
        }
        block.used = end;
        if block.start < end {
            let last = memchr::memrchr(b'\n', block.lines()).map_or(0, |end| end + 1);
            self.end_line(block, block.start + last, at)?;
        }
        match is_cut {
            true => Err(io::Error::other("it became shorter while it was read")),
            false => Ok(()),
        }
    }

    /// Reads the rest of the line that begins at `line` of the block, whose first byte stands at `at`;
    /// takes the line out where it is too long.
    fn end_line(&self, block: &mut Block, line: usize, at: u64) -> io::Result<()> {
        if line == block.used {
            return Ok(());
        }
        let mut length = block.used - line;
        while length <= SIZE {
            let place = at + block.used as u64;
            let left = usize::try_from(self.size.saturating_sub(place)).unwrap_or(TAIL);
            let room = TAIL.min(left).min(block.bytes.len() - block.used);
            let tail = &mut block.bytes[block.used..block.used + room];
            let read = self.read(tail, place)?;
            if let Some(end) = memchr::memchr(b'\n', &tail[..read]) {
                block.used += end + 1;
                length += end;
                break;
            }
            block.used += read;
            length += read;
            if read == 0 {
                break;
            }
        }
        if length > SIZE {
            let before = &block.bytes[block.start..line];
            block.long.push(LongLine {
                line: memchr::memchr_iter(b'\n', before).count() as u64 + 1,
                begin: block.bytes[line..line + SHOWN].to_vec(),
            });
            block.used = line;
        }
        Ok(())
    }

    /// Reads as many bytes as there are, at most all that there is room for.
    fn read(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < room.len() {
            match self.file.read_at(&mut room[read..], at + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    /// The parts behind are not read.
    fn stop(&self, error: &io::Error) {
        self.next.store(self.count(), Ordering::Relaxed);
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.get_or_insert_with(|| error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::blocks::tests::texts;
    use super::*;

    /// All lines, as two who take turns read them, and how many were too long.
    fn lines(text: &[u8], size: u64) -> (Vec<Vec<u8>>, u64, Option<String>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        let parts = Parts::new(file, size);
        let mut blocks = [Block::default(), Block::default()];
        let mut found: Vec<((u64, u64), Vec<u8>)> = Vec::new();
        let mut long = 0;
        for turn in 0.. {
            let block = &mut blocks[turn % 2];
            if !parts.next(block) {
                break;
            }
            let split = block.lines().split_inclusive(|byte| *byte == b'\n');
            for (number, line) in (block.first_line..).zip(split) {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                found.push(((block.part, number), line.to_vec()));
            }
            for one in &block.long {
                found.push(((block.part, one.line), one.begin.clone()));
                long += 1;
            }
        }
        found.sort();
        found.dedup_by_key(|line| line.0);
        let lines = found.into_iter().map(|line| line.1).collect();
        (lines, long, parts.problem())
    }

    fn check(text: &[u8]) {
        let (found, long, problem) = lines(text, text.len() as u64);
        let expected: Vec<&[u8]> = text
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
            .map(|line| &line[..if line.len() > SIZE { SHOWN } else { line.len() }])
            .collect();
        assert!(found == expected, "{} {}", found.len(), expected.len());
        let lines = text.split(|byte| *byte == b'\n');
        assert_eq!(long, lines.filter(|line| line.len() > SIZE).count() as u64);
        assert_eq!(problem, None);
    }

    #[test]
    fn lines_of_all_lengths() {
        texts().iter().for_each(|text| check(text));
    }

    #[test]
    fn a_file_that_becomes_shorter() {
        let (found, _, problem) = lines(b"a\nbc\nd", 5_000_000);
        assert_eq!(found, [&b"a"[..], b"bc", b"d"]);
        assert_eq!(
            problem.as_deref(),
            Some("it became shorter while it was read")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]
        #[test]
        fn ends_around_the_ends_of_parts(
            ends in proptest::collection::vec((0_usize..4, 0_usize..7), 0..12),
        ) {
            let mut text = vec![b'a'; 3 * SIZE + 3];
            for (part, place) in ends {
                if let Some(byte) = text.get_mut((part * SIZE + place).saturating_sub(3)) {
                    *byte = b'\n';
                }
            }
            check(&text);
        }
    }
}
