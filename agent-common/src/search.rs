//! Searches over the scratch: the end of a head, and how long the body behind it is.
//!
//! Written so that the verifier follows: plain loops, indices that a mask bounds, no slices.

use crate::record::PIECE_MAX;
use crate::scratch::{Scratch, Stretch};

const EMPTY_LINE: u32 = u32::from_le_bytes(*b"\r\n\r\n");

/// Bytes that are looked at together.
const STRIDE: u32 = 16;

/// Finds the empty line that ends a head.
///
/// Looks at carry and the first `length` bytes of data (at most [`PIECE_MAX`]); gives the number of
/// data bytes up to and with the empty line. Only CR LF CR LF is found: heads with bare line feeds
/// are rare, and the reader finds their end. An end that lies wholly in the carry is not one of
/// this segment and is not found.
#[inline(always)]
#[must_use]
pub fn head_end(scratch: &Scratch, length: u32) -> Option<u32> {
    let end = head_end_by(scratch, length, |index| {
        head_end_near(scratch, index, length)
    });
    (end != 0).then_some(end)
}

/// [`head_end`] with [`head_end_near`] as a parameter; 0 when there is none. In the kernel that is a
/// function of its own, which the verifier checks once for every place it may be called at.
#[inline(always)]
pub fn head_end_by(scratch: &Scratch, length: u32, near: impl FnMut(u32) -> u32) -> u32 {
    // Every fourth byte is probed: one of any four adjacent bytes is. Control characters are rare in
    // heads, so the comparison runs about once a line.
    search(scratch, length + 4, 0x0000_0001_0000_0001, near)
}

/// The end of a head whose empty line has one of the bytes probed from window index `index` on; 0 when
/// there is none, or it lies behind `length`.
#[inline(always)]
#[must_use]
pub fn head_end_near(scratch: &Scratch, index: u32, length: u32) -> u32 {
    let stretch = scratch.stretch(index);
    let mut probe = 0;
    while probe < STRIDE {
        // CR is the first or third of the four, LF the second or last.
        let before = match stretch.byte(probe) {
            b'\r' => 2,
            b'\n' => 3,
            _ => {
                probe += 4;
                continue;
            }
        };
        let word = if before == 2 {
            stretch.word_before::<2>(probe)
        } else {
            stretch.word_before::<3>(probe)
        };
        let end = if word as u32 == EMPTY_LINE {
            index + probe - before
        } else if (word >> 16) as u32 == EMPTY_LINE {
            index + probe - before + 2
        } else {
            probe += 4;
            continue;
        };
        // A window index is four more than one of data, the end four more than the beginning.
        return if end <= length { end } else { 0 };
    }
    0
}

/// Calls `near` for each stride of the window up to index `end` that may hold a control character at one
/// of the probed places, until it gives something else than 0. Gives that, or 0.
#[inline(always)]
fn search(scratch: &Scratch, end: u32, probes: u64, mut near: impl FnMut(u32) -> u32) -> u32 {
    let mut index = 4;
    while index < (PIECE_MAX + 4) as u32 {
        if index >= end {
            return 0;
        }
        let words = (scratch.window_word(index), scratch.window_word(index + 8));
        if may_hold_control(words, probes) {
            let found = near(index);
            if found != 0 {
                return found;
            }
        }
        index += STRIDE;
    }
    0
}

/// Whether one of the probed bytes of two words may be a control character up to CR. `probes` has a 1
/// for each of them in a word, the bytes between are not looked at. Other bytes than ASCII may pass
/// too: whoever asks looks closer.
#[inline(always)]
fn may_hold_control(words: (u64, u64), probes: u64) -> bool {
    // Adding sets the highest bit of every ASCII character behind CR, and reaches no other probe.
    const BEHIND: u64 = 0x80 - (b'\r' as u64 + 1);
    let highest = probes << 7;
    let behind = |word: u64| (word & (probes * 0xff)) + probes * BEHIND;
    behind(words.0) & behind(words.1) & highest != highest
}

/// What the fields of a request say about its body (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// Neither Content-Length nor Transfer-Encoding: no body.
    None,
    /// Content-Length.
    Length(u64),
    /// Chunked, or not to be told: only who reads the bytes can find the end.
    Unknown,
}

impl Body {
    const NONE: u64 = u64::MAX;
    const UNKNOWN: u64 = u64::MAX - 1;

    /// As one word, for a function that can only give a number.
    #[inline(always)]
    #[must_use]
    pub fn to_word(self) -> u64 {
        match self {
            Self::None => Self::NONE,
            Self::Unknown => Self::UNKNOWN,
            Self::Length(length) => length.min(Self::UNKNOWN - 1),
        }
    }

    /// The inverse of [`Body::to_word`].
    #[inline(always)]
    #[must_use]
    pub fn from_word(word: u64) -> Self {
        match word {
            Self::NONE => Self::None,
            Self::UNKNOWN => Self::Unknown,
            length => Self::Length(length),
        }
    }
}

/// Reads Content-Length and Transfer-Encoding from the first `length` bytes of data.
#[inline(always)]
#[must_use]
pub fn request_body(scratch: &Scratch, length: u32) -> Body {
    match framing_field(scratch, length) {
        Framing::None => Body::None,
        Framing::ContentLength => content_length(scratch),
        Framing::Other => Body::Unknown,
    }
}

/// The first field that frames a body.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    /// There is none.
    None = 0,
    /// Content-Length; the cursor of the scratch stands behind its colon.
    ContentLength = 1,
    /// Transfer-Encoding, or lines end with a line feed alone: then the head may have ended long
    /// before.
    Other = 2,
}

impl Framing {
    /// The inverse of a cast to a number.
    #[inline(always)]
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::None,
            1 => Self::ContentLength,
            _ => Self::Other,
        }
    }
}

/// Finds the field that frames a body in the first `length` bytes of data (at most
/// [`PIECE_MAX`]), which end with an empty line.
#[inline(always)]
#[must_use]
pub fn framing_field(scratch: &Scratch, length: u32) -> Framing {
    framing_field_by(scratch, length, |index| {
        framing_field_near(scratch, index, length) as u32
    })
}

/// [`framing_field`] with [`framing_field_near`], as a number, as a parameter.
#[inline(always)]
pub fn framing_field_by(
    scratch: &Scratch,
    length: u32,
    mut near: impl FnMut(u32) -> u32,
) -> Framing {
    // Whether a length was found is kept in memory, as all that the verifier is not to follow.
    scratch.cursor.set(0);
    // Line ends are two bytes, so every second byte is probed. Up to the empty line: what stands behind
    // it is another packet's, or body.
    let found = search(scratch, length, 0x0001_0001_0001_0001, |index| {
        let is_first = scratch.cursor.get() == 0;
        let found = near(index);
        if is_first && found == Framing::ContentLength as u32 {
            // Transfer-Encoding overrides it, and a second one makes it doubtful (RFC 9112, section 6.3).
            return 0;
        }
        found
    });
    if found != 0 {
        Framing::Other
    } else if scratch.cursor.get() != 0 {
        Framing::ContentLength
    } else {
        Framing::None
    }
}

/// The field behind a line end that has one of the bytes probed from window index `index` on.
#[inline(always)]
#[must_use]
pub fn framing_field_near(scratch: &Scratch, index: u32, length: u32) -> Framing {
    let stretch = scratch.stretch(index);
    let mut probe = 0;
    while probe < STRIDE {
        if index + probe >= length {
            return Framing::None;
        }
        let framing = framing_at(scratch, stretch, index, probe);
        if framing != Framing::None {
            return framing;
        }
        probe += 2;
    }
    Framing::None
}

/// Looks at one byte: whether it ends a line, and which field the next one is.
#[inline(always)]
fn framing_at(scratch: &Scratch, stretch: &Stretch, begin: u32, probe: u32) -> Framing {
    let byte = stretch.byte(probe);
    if byte != b'\n' && byte != b'\r' {
        return Framing::None;
    }
    if is_bare(stretch, probe, byte) {
        return Framing::Other;
    }
    // The name begins behind the line feed: one byte on, or two.
    let name = probe + 1 + u32::from(byte == b'\r');
    let first = lower_case(stretch.word(name));
    if first == TRANSFER {
        return Framing::Other;
    }
    if first != CONTENT || lower_case(stretch.word(name + 7)) != LENGTH_COLON {
        return Framing::None;
    }
    scratch.cursor.set(begin + name + 15);
    Framing::ContentLength
}

/// Whether the line end at `index` is a line feed alone, or an empty line.
#[inline(always)]
fn is_bare(stretch: &Stretch, index: u32, byte: u8) -> bool {
    // The byte before, and the line end.
    let word = stretch.word_before::<1>(index);
    let (before, behind) = (word as u8, (word >> 16) as u8);
    if byte == b'\r' {
        before == b'\n'
    } else {
        before != b'\r' || behind == b'\n'
    }
}

const CONTENT: u64 = lower_case(u64::from_le_bytes(*b"Content-"));
const TRANSFER: u64 = lower_case(u64::from_le_bytes(*b"Transfer"));
const LENGTH_COLON: u64 = lower_case(u64::from_le_bytes(*b"-Length:"));

/// Letters in lower case; other characters change too, but equally on both sides of a comparison.
#[inline(always)]
const fn lower_case(word: u64) -> u64 {
    word | 0x2020_2020_2020_2020
}

/// White space that is skipped before a Content-Length.
const BLANKS_MAX: u32 = 8;

/// Digits of the longest Content-Length that is read: a petabyte less one.
const DIGITS_MAX: u32 = 15;

/// Reads the digits behind `Content-Length:`, where the cursor of the scratch stands.
#[inline(always)]
#[must_use]
pub fn content_length(scratch: &Scratch) -> Body {
    let start = scratch.cursor.get();
    let mut walked = 0;
    while walked < BLANKS_MAX && matches!(scratch.window_byte(start + walked), b' ' | b'\t') {
        walked += 1;
    }
    // Forgotten and read again: one state for the verifier, however many there were.
    scratch.cursor.set(start + walked);
    let start = scratch.cursor.get();
    let mut value: u64 = 0;
    let mut walked = 0;
    while walked <= DIGITS_MAX {
        let byte = scratch.window_byte(start + walked);
        if !byte.is_ascii_digit() {
            let ends = matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
            return if ends && walked > 0 {
                Body::Length(value)
            } else {
                Body::Unknown
            };
        }
        value = value * 10 + u64::from(byte - b'0');
        walked += 1;
    }
    Body::Unknown
}

#[cfg(test)]
mod tests;
