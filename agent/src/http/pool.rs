//! Copies of bytes that have to wait: heads that come in pieces, segments behind a hole, heads that
//! are in doubt. Buffers are used again, and all of them together are bounded.

use agent_common::record::RecordHeader;

/// A copy of a record, or of the records of one head.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Of the record with the first byte; its `position` is that of the first of `bytes`.
    pub(super) header: RecordHeader,
    pub(super) bytes: Vec<u8>,
    /// How far the end of the head was searched.
    pub(super) scanned: usize,
    /// The start line is complete and valid.
    pub(super) has_start_line: bool,
    /// Records before this one were lost.
    pub(super) lost: bool,
    /// The first record of its packet.
    pub(super) first: bool,
    /// When the last bytes came.
    pub(super) touched_ns: u64,
    charged: usize,
}

/// The buffers of one engine.
#[derive(Debug)]
pub(super) struct Pool {
    #[expect(
        clippy::vec_box,
        reason = "boxes move in and out; what is in them is never copied"
    )]
    free: Vec<Box<Piece>>,
    in_use: usize,
    limit: usize,
}

/// Free pieces kept for the next use.
const FREE_MAX: usize = 256;
/// A free piece keeps a buffer of this size at the most, so that long heads leave nothing behind.
const BUFFER_KEPT: usize = 2048;

impl Piece {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }
}

impl Pool {
    /// A pool whose pieces take `limit` bytes together at the most.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            free: Vec::new(),
            in_use: 0,
            limit,
        }
    }

    /// Bytes in pieces that are in use, buffers included.
    pub(super) fn in_use(&self) -> usize {
        self.in_use
    }

    /// Bytes that pieces may still take.
    pub(super) fn left(&self) -> usize {
        self.limit.saturating_sub(self.in_use)
    }

    /// A piece with a copy of `bytes`; `None` when the limit is reached.
    pub(super) fn take(&mut self, header: &RecordHeader, bytes: &[u8]) -> Option<Box<Piece>> {
        let mut piece = self.free.pop().unwrap_or_default();
        piece.header = *header;
        piece.charged = piece.weight();
        self.in_use += piece.charged;
        if self.in_use <= self.limit && self.extend(&mut piece, bytes) {
            return Some(piece);
        }
        self.give(piece);
        None
    }

    /// Copies `bytes` to the end of the piece; `false`, with nothing copied, when the limit is reached.
    pub(super) fn extend(&mut self, piece: &mut Piece, bytes: &[u8]) -> bool {
        let needed = piece.bytes.len() + bytes.len();
        if needed > piece.bytes.capacity() {
            let more = needed.max(2 * piece.bytes.capacity()) - piece.bytes.capacity();
            if self.in_use + more > self.limit {
                return false;
            }
            piece
                .bytes
                .reserve_exact(needed.max(2 * piece.bytes.capacity()) - piece.bytes.len());
            let weight = piece.weight();
            self.in_use = self.in_use + weight - piece.charged;
            piece.charged = weight;
        }
        piece.bytes.extend_from_slice(bytes);
        true
    }

    /// Takes a piece back.
    pub(super) fn give(&mut self, mut piece: Box<Piece>) {
        self.in_use -= piece.charged;
        if self.free.len() >= FREE_MAX {
            return;
        }
        let mut bytes = std::mem::take(&mut piece.bytes);
        bytes.clear();
        bytes.shrink_to(BUFFER_KEPT);
        *piece = Piece {
            bytes,
            ..Piece::default()
        };
        self.free.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::{Pool, RecordHeader};

    #[test]
    fn stays_within_its_limit_and_gives_all_back() {
        let mut pool = Pool::new(10_000);
        let mut pieces = Vec::new();
        while let Some(mut piece) = pool.take(&RecordHeader::default(), &[7; 100]) {
            assert!(pool.in_use() <= 10_000);
            pool.extend(&mut piece, &[8; 700]);
            assert!(pool.in_use() <= 10_000);
            pieces.push(piece);
        }
        assert!(pieces.len() > 5);
        for piece in pieces {
            assert_eq!(piece.bytes[..100], [7; 100]);
            pool.give(piece);
        }
        assert_eq!(pool.in_use(), 0);
    }
}
