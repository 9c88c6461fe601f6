//! The bytes of a segment: what marks it, and frames one behind the other.
//!
//! ```text
//! segment: "TLSPOOL1" frame frame …
//! frame:   magic 4 │ state 1 │ tag 1 │ 0 0 │ length 4 │ records 4 │ before 8 │ CRC of payload 4 │ CRC of header 4 │ payload
//! ```
//!
//! Numbers are little-endian, CRCs are CRC-32 (IEEE). The state is outside the CRC: it is one byte that
//! is written over in place when the frame is done with. `before` is the number of records that stand
//! in front of the frame in its segment, so that a gap tells how many were lost in it. Nothing in the
//! bytes is believed: a frame is one whose two CRCs are right.

use std::ops::Range;

/// What every segment begins with; another version of the format would begin otherwise.
pub(super) const SEGMENT_MAGIC: &[u8; 8] = b"TLSPOOL1";
/// Bytes of a frame in front of its payload.
pub(super) const HEADER: usize = 32;
/// Where in a frame its state stands.
pub(super) const STATE: u64 = 4;
/// The state of a frame that is done with. Anything else is one that waits.
pub(super) const DONE: u8 = 0;
/// Bytes of payload at most.
pub(super) const PAYLOAD_MOST: usize = 16 << 20;

const FRAME_MAGIC: &[u8; 4] = b"TLfr";
const WAITING: u8 = 0xff;
/// How often a segment is read over at most while frames are searched in it.
const EFFORT: usize = 8;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) is_done: bool,
    /// Of no meaning here.
    pub(super) tag: u8,
    /// Bytes of the payload.
    pub(super) length: u32,
    /// Records in it, at least one.
    pub(super) records: u32,
    /// Records in front of it in its segment.
    pub(super) before: u64,
    payload_crc: u32,
}

impl Header {
    pub(super) fn new(tag: u8, records: u32, before: u64, payload: &[u8]) -> Self {
        Self {
            is_done: false,
            tag,
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            records,
            before,
            payload_crc: crc32fast::hash(payload),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(FRAME_MAGIC);
        bytes[4] = if self.is_done { DONE } else { WAITING };
        bytes[5] = self.tag;
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.before.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = header_crc(&bytes);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header, if that is what these bytes are.
    pub(super) fn from_bytes(bytes: &[u8; HEADER]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|index| bytes[at + index]));
        let header = Self {
            is_done: bytes[4] == DONE,
            tag: bytes[5],
            length: word(8),
            records: word(12),
            before: u64::from(word(20)) << 32 | u64::from(word(16)),
            payload_crc: word(24),
        };
        let is_one = bytes[..4] == *FRAME_MAGIC
            && word(28) == header_crc(bytes)
            && header.length as usize <= PAYLOAD_MOST
            && header.records > 0;
        is_one.then_some(header)
    }

    /// Whether this is the payload.
    pub(super) fn has(&self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize && crc32fast::hash(payload) == self.payload_crc
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }
}

/// All but the state and the CRC itself.
fn header_crc(bytes: &[u8; HEADER]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..4]);
    hasher.update(&bytes[5..28]);
    hasher.finalize()
}

/// What stands in the bytes of a segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Scan {
    /// The frames that are whole, with where they begin.
    pub(super) frames: Vec<(usize, Header)>,
    /// Bytes between them that are none, other than at the end.
    pub(super) has_holes: bool,
    /// What stands behind the last whole frame; empty when it is the end.
    pub(super) tail: Range<usize>,
    /// Records that are lost, as far as the frames tell.
    pub(super) lost: u64,
    /// It does not begin like a segment.
    pub(super) is_foreign: bool,
}

/// Finds the frames in the bytes of a segment, also behind damaged ones.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    let mut scan = Scan::default();
    let mut at = SEGMENT_MAGIC.len();
    if !bytes.starts_with(SEGMENT_MAGIC) {
        // Cut in its first bytes it was one; anything else may hold frames, or not.
        scan.is_foreign = !SEGMENT_MAGIC.starts_with(bytes);
        scan.tail = 0..bytes.len();
        at = at.min(bytes.len());
    }
    let mut effort = bytes.len().saturating_mul(EFFORT);
    // Records that must have stood in front of `at`.
    let mut before = 0_u64;
    let mut holes = scan.is_foreign;
    while at < bytes.len() {
        if let Some(header) = frame_at(bytes, at, &mut effort) {
            // An absurd number is one of a header that was made up.
            let gap = header.before.saturating_sub(before);
            scan.lost += gap.min(u64::from(u32::MAX));
            scan.has_holes |= holes || gap > 0;
            holes = false;
            before = header.before.saturating_add(u64::from(header.records));
            scan.frames.push((at, header));
            at += header.frame_bytes() as usize;
            continue;
        }
        // Somewhere behind there may be another.
        holes = true;
        let rest = &bytes[at + 1..];
        match memchr::memmem::find(rest, FRAME_MAGIC) {
            Some(next) => at += 1 + next,
            None => at = bytes.len(),
        }
    }
    let begin = SEGMENT_MAGIC.len().min(bytes.len());
    let end = scan
        .frames
        .last()
        .map_or(begin, |(at, header)| at + header.frame_bytes() as usize);
    if !scan.frames.is_empty() || bytes.starts_with(SEGMENT_MAGIC) {
        scan.tail = end..bytes.len();
    }
    // The header of a frame whose payload is cut still tells.
    if let Some(header) = header_at(bytes, end) {
        let gap = header.before.saturating_sub(before);
        scan.lost += gap.min(u64::from(u32::MAX)) + u64::from(header.records);
    }
    scan
}

fn header_at(bytes: &[u8], at: usize) -> Option<Header> {
    let header = bytes.get(at..at.checked_add(HEADER)?)?;
    Header::from_bytes(header.try_into().ok()?)
}

/// The frame that begins here, if it is whole. What is spent on looking at payloads is taken off
/// `effort`.
fn frame_at(bytes: &[u8], at: usize, effort: &mut usize) -> Option<Header> {
    let header = header_at(bytes, at)?;
    let start = at + HEADER;
    let payload = bytes.get(start..start.checked_add(header.length as usize)?)?;
    *effort = effort.checked_sub(payload.len())?;
    header.has(payload).then_some(header)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A segment with these payloads, the records of each being its place from one.
    fn segment(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = SEGMENT_MAGIC.to_vec();
        let mut before = 0;
        for (records, payload) in (1..).zip(payloads) {
            bytes.extend(Header::new(7, records, before, payload).to_bytes());
            bytes.extend(payload);
            before += u64::from(records);
        }
        bytes
    }

    fn payloads() -> Vec<Vec<u8>> {
        vec![
            b"first".to_vec(),
            Vec::new(),
            b"TLfr in the text".to_vec(),
            vec![0; 40],
        ]
    }

    #[test]
    fn what_is_written_is_found() {
        let bytes = segment(&payloads());
        let scan = scan(&bytes);
        assert_eq!(scan.frames.len(), 4);
        assert!(scan.tail.is_empty() && !scan.has_holes && !scan.is_foreign);
        assert_eq!(scan.lost, 0);
        for ((at, header), payload) in scan.frames.iter().zip(payloads()) {
            let start = at + HEADER;
            assert_eq!(bytes[start..start + payload.len()], payload);
            assert_eq!(header.tag, 7);
            assert!(!header.is_done);
        }
    }

    #[test]
    fn the_state_alone_may_change() {
        let header = Header::new(1, 2, 3, b"payload");
        let mut bytes = header.to_bytes();
        assert_eq!(Header::from_bytes(&bytes), Some(header));
        bytes[STATE as usize] = DONE;
        let done = Header::from_bytes(&bytes).unwrap();
        assert!(done.is_done);
        for place in (0..HEADER).filter(|place| *place != STATE as usize) {
            for bit in 0..8 {
                let mut changed = bytes;
                changed[place] ^= 1 << bit;
                assert_eq!(Header::from_bytes(&changed), None, "{place} {bit}");
            }
        }
    }

    #[test]
    fn every_truncation_keeps_the_whole_frames() {
        let bytes = segment(&payloads());
        let whole = scan(&bytes);
        for cut in 0..bytes.len() {
            let scan = scan(&bytes[..cut]);
            let expected: Vec<_> = whole
                .frames
                .iter()
                .copied()
                .filter(|(at, header)| at + header.frame_bytes() as usize <= cut)
                .collect();
            assert_eq!(scan.frames, expected, "{cut}");
            assert!(!scan.has_holes && !scan.is_foreign, "{cut}");
            assert_eq!(scan.tail.end, cut);
            let begin = SEGMENT_MAGIC.len().min(cut);
            let end = expected
                .last()
                .map_or(begin, |(at, header)| at + header.frame_bytes() as usize);
            assert_eq!(
                scan.tail.start,
                if cut < SEGMENT_MAGIC.len() { 0 } else { end },
                "{cut}"
            );
            // A header that is whole says what was in its frame.
            let torn = whole.frames.get(expected.len());
            let known = torn.filter(|(at, _)| at + HEADER <= cut);
            assert_eq!(
                scan.lost,
                known.map_or(0, |(_, header)| u64::from(header.records))
            );
        }
    }

    #[test]
    fn what_is_behind_a_damaged_frame_is_found_and_what_was_in_it_is_counted() {
        let bytes = segment(&payloads());
        let whole = scan(&bytes);
        for place in SEGMENT_MAGIC.len()..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x10;
            let hit = whole
                .frames
                .iter()
                .position(|(at, header)| place < at + header.frame_bytes() as usize)
                .unwrap();
            if place == whole.frames[hit].0 + STATE as usize {
                continue;
            }
            let found = scan(&changed);
            assert_eq!(found.frames.len(), whole.frames.len() - 1, "{place}");
            let is_last = hit + 1 == whole.frames.len();
            assert_eq!(found.has_holes, !is_last, "{place}");
            if !is_last {
                assert_eq!(found.lost, hit as u64 + 1, "{place}");
            }
        }
        let mut foreign = bytes;
        foreign[0] = b'X';
        let found = scan(&foreign);
        assert!(found.is_foreign && found.has_holes);
        assert_eq!(found.frames.len(), 4);
    }

    #[test]
    fn many_headers_that_lie_cost_little() {
        let rest = 1 << 20;
        let mut header = Header::new(0, 1, 0, b"");
        header.length = rest as u32 / 2;
        let bytes = [&SEGMENT_MAGIC[..], &header.to_bytes().repeat(rest / HEADER)].concat();
        let begun = std::time::Instant::now();
        assert_eq!(scan(&bytes).frames.len(), 0);
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), begin in any::<bool>()) {
            let bytes = [if begin { &SEGMENT_MAGIC[..] } else { b"" }, &bytes].concat();
            let scan = scan(&bytes);
            prop_assert!(scan.tail.end <= bytes.len());
        }

        #[test]
        fn frames_are_found_whatever_is_in_them_and_between(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..8),
            garbage in prop::collection::vec(any::<u8>(), 1..60),
            place in 0_usize..8,
        ) {
            let whole = segment(&payloads);
            let found = scan(&whole);
            prop_assert_eq!(found.frames.len(), payloads.len());
            let place = place % payloads.len();
            let at = found.frames[place].0;
            let dirty = [&whole[..at], &garbage, &whole[at..]].concat();
            let dirty = scan(&dirty);
            prop_assert_eq!(dirty.frames.len(), payloads.len());
            prop_assert!(dirty.has_holes);
            prop_assert_eq!(dirty.lost, 0);
        }
    }
}
