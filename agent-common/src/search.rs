//! Searches over the scratch: the end of a head, and how long the body behind it is.
//!
//! Written so that the verifier follows: plain loops, indices that a mask bounds, no slices.

use crate::record::PIECE_MAX;
use crate::scratch::Scratch;

const EMPTY_LINE: u32 = u32::from_le_bytes(*b"\r\n\r\n");

/// Bytes of the window that one step of a search covers. In the kernel a step is a function of its own,
/// which the verifier checks once for every place it may begin at.
pub const STRETCH: u32 = 128;

/// Calls `step` with where each stretch of the first `length` bytes of data begins in the window, until
/// it gives something else than 0. Gives that, or 0.
#[inline(always)]
pub fn in_stretches(length: u32, mut step: impl FnMut(u32) -> u32) -> u32 {
    let mut begin = 4;
    while begin < (PIECE_MAX + 4) as u32 {
        if begin >= length + 4 {
            return 0;
        }
        let found = step(begin);
        if found != 0 {
            return found;
        }
        begin += STRETCH;
    }
    0
}

/// Finds the empty line that ends a head.
///
/// Looks at carry and the first `length` bytes of data (at most [`PIECE_MAX`]); gives the number of
/// data bytes up to and with the empty line. Only CR LF CR LF is found: heads with bare line feeds
/// are rare, and the reader finds their end. An end that lies wholly in the carry is not one of
/// this segment and is not found.
#[inline(always)]
#[must_use]
pub fn head_end(scratch: &Scratch, length: u32) -> Option<u32> {
    let end = in_stretches(length, |begin| head_end_from(scratch, begin, length));
    (end != 0).then_some(end)
}

/// One step of [`head_end`], at `begin` of the window: the end, or 0.
#[inline(always)]
#[must_use]
pub fn head_end_from(scratch: &Scratch, begin: u32, length: u32) -> u32 {
    // Every fourth byte is probed: one of any four adjacent bytes is. Control characters are rare in
    // heads, so the comparison runs about once a line.
    let mut walked = 0;
    while walked < STRETCH {
        let index = begin + walked;
        if index >= length + 4 {
            return 0;
        }
        if scratch.window_byte(index) <= b'\r' {
            // The empty line may begin up to three bytes before the probe.
            let word = scratch.window_word(index - 3);
            let mut shift = 0;
            while shift < 4 {
                if (word >> (8 * shift)) as u32 == EMPTY_LINE {
                    // Window index of its first byte is index - 3 + shift; of data, 4 less; its
                    // end 4 more.
                    let end = index - 3 + shift;
                    return if end <= length { end } else { 0 };
                }
                shift += 1;
            }
        }
        walked += 4;
    }
    0
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

/// Finds the first field that frames a body in the first `length` bytes of data (at most
/// [`PIECE_MAX`]), which end with an empty line.
#[inline(always)]
#[must_use]
pub fn framing_field(scratch: &Scratch, length: u32) -> Framing {
    Framing::from_number(in_stretches(length, |begin| {
        framing_field_from(scratch, begin, length) as u32
    }))
}

/// One step of [`framing_field`], at `begin` of the window.
#[inline(always)]
#[must_use]
pub fn framing_field_from(scratch: &Scratch, begin: u32, length: u32) -> Framing {
    // Line ends are two bytes, so every second byte is probed.
    let mut walked = 0;
    while walked < STRETCH {
        let index = begin + walked;
        if index >= length {
            // The empty line; what stands behind it is another packet's, or body.
            return Framing::None;
        }
        let byte = scratch.window_byte(index);
        if byte == b'\n' || byte == b'\r' {
            if is_bare(scratch, index, byte) {
                return Framing::Other;
            }
            // The name begins behind the line feed: one byte on, or two.
            let name = index + 1 + u32::from(byte == b'\r');
            let first = lower_case(scratch.window_word(name));
            if first == CONTENT {
                if lower_case(scratch.window_word(name + 7)) == LENGTH_COLON {
                    scratch.cursor.set(name + 15);
                    return Framing::ContentLength;
                }
            } else if first == TRANSFER {
                return Framing::Other;
            }
        }
        walked += 2;
    }
    Framing::None
}

/// Whether the line end at `index` is a line feed alone, or an empty line.
#[inline(always)]
fn is_bare(scratch: &Scratch, index: u32, byte: u8) -> bool {
    let before = scratch.window_byte(index - 1);
    if byte == b'\r' {
        before == b'\n'
    } else {
        before != b'\r' || scratch.window_byte(index + 1) == b'\n'
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

/// Reads the digits behind `Content-Length:`, where the cursor of the scratch stands.
#[inline(always)]
#[must_use]
pub fn content_length(scratch: &Scratch) -> Body {
    let start = scratch.cursor.get();
    let mut value: u64 = 0;
    let mut digits = 0;
    let mut walked = 0;
    while walked < 24 {
        let byte = scratch.window_byte(start + walked);
        if byte.is_ascii_digit() {
            if digits == 15 {
                return Body::Unknown;
            }
            value = value * 10 + u64::from(byte - b'0');
            digits += 1;
        } else if (byte == b' ' || byte == b'\t') && digits == 0 {
            // White space before the value.
        } else {
            let ends = matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
            return if ends && digits > 0 {
                Body::Length(value)
            } else {
                Body::Unknown
            };
        }
        walked += 1;
    }
    Body::Unknown
}
