//! The test for the start of a head: does this look like `METHOD ` or `HTTP/1.`?
//!
//! A prefix decides, because that is what a kernel can afford; whether the line really is HTTP/1
//! (RFC 9112, section 3 and 4) is found out where heads are parsed.

pub mod preface;

use crate::scratch::Scratch;

/// What payload begins with.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// A request whose method normally has no body.
    Request = 1,
    /// A request whose method normally has a body, or one cut too short to tell.
    RequestWithBody,
    /// A response.
    Response,
    /// The preface of HTTP/2 (RFC 9113, section 3.4).
    Http2,
    /// A TLS handshake record with a hello (RFC 8446, section 5.1 and 4).
    Tls,
}

impl Start {
    /// The inverse of a cast to a number; `None` for 0 and what is no start.
    #[inline(always)]
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Request),
            2 => Some(Self::RequestWithBody),
            3 => Some(Self::Response),
            4 => Some(Self::Http2),
            5 => Some(Self::Tls),
            _ => None,
        }
    }
}

/// A method with the space behind it, cut to eight bytes.
struct Token {
    word: u64,
    mask: u64,
    start: Start,
}

const fn token(text: &[u8], start: Start) -> Token {
    let mut word = 0;
    let mut index = 0;
    while index < 8 && index < text.len() {
        word |= (text[index] as u64) << (8 * index);
        index += 1;
    }
    Token {
        word,
        mask: low_bytes(index as u32),
        start,
    }
}

/// Registered methods (RFC 9110 section 9, RFC 5789, QUERY, and WebDAV with its relatives: RFC
/// 4918, 3253, 3648, 3744, 4437, 4791, 5323, 5842; RFC 2068 for LINK), most frequent first.
const TOKENS: [Token; 45] = [
    token(b"GET ", Start::Request),
    token(b"POST ", Start::RequestWithBody),
    token(b"HEAD ", Start::Request),
    token(b"PUT ", Start::RequestWithBody),
    token(b"DELETE ", Start::RequestWithBody),
    token(b"OPTIONS ", Start::RequestWithBody),
    token(b"PATCH ", Start::RequestWithBody),
    token(b"CONNECT ", Start::Request),
    token(b"TRACE ", Start::Request),
    token(b"QUERY ", Start::RequestWithBody),
    token(b"PROPFIND ", Start::RequestWithBody),
    token(b"PROPPATCH ", Start::RequestWithBody),
    token(b"MKCOL ", Start::RequestWithBody),
    token(b"COPY ", Start::RequestWithBody),
    token(b"MOVE ", Start::RequestWithBody),
    token(b"LOCK ", Start::RequestWithBody),
    token(b"UNLOCK ", Start::RequestWithBody),
    token(b"ACL ", Start::RequestWithBody),
    token(b"BASELINE-CONTROL ", Start::RequestWithBody),
    token(b"BIND ", Start::RequestWithBody),
    token(b"CHECKIN ", Start::RequestWithBody),
    token(b"CHECKOUT ", Start::RequestWithBody),
    token(b"LABEL ", Start::RequestWithBody),
    token(b"LINK ", Start::RequestWithBody),
    token(b"MERGE ", Start::RequestWithBody),
    token(b"MKACTIVITY ", Start::RequestWithBody),
    token(b"MKCALENDAR ", Start::RequestWithBody),
    token(b"MKREDIRECTREF ", Start::RequestWithBody),
    token(b"MKWORKSPACE ", Start::RequestWithBody),
    token(b"NOTIFY ", Start::RequestWithBody),
    token(b"ORDERPATCH ", Start::RequestWithBody),
    token(b"PURGE ", Start::RequestWithBody),
    token(b"REBIND ", Start::RequestWithBody),
    token(b"REPORT ", Start::RequestWithBody),
    token(b"SEARCH ", Start::RequestWithBody),
    token(b"SUBSCRIBE ", Start::RequestWithBody),
    token(b"UNBIND ", Start::RequestWithBody),
    token(b"UNCHECKOUT ", Start::RequestWithBody),
    token(b"UNLINK ", Start::RequestWithBody),
    token(b"UNSUBSCRIBE ", Start::RequestWithBody),
    token(b"UPDATE ", Start::RequestWithBody),
    token(b"UPDATEREDIRECTREF ", Start::RequestWithBody),
    token(b"VERSION-CONTROL ", Start::RequestWithBody),
    token(b"M-SEARCH ", Start::RequestWithBody),
    token(b"MSEARCH ", Start::RequestWithBody),
];

const RESPONSE: Token = token(b"HTTP/1.", Start::Response);
const HTTP2: Token = token(b"PRI * HT", Start::Http2);

/// Tests the first bytes of a payload.
///
/// `word` holds the first `length` bytes (8 at most count), little endian, zeros behind them. Fewer
/// than a token's bytes match when they are a prefix of it.
#[inline(always)]
#[must_use]
pub fn start_of(word: u64, length: u32) -> Option<Start> {
    let first = word as u8;
    if !first.is_ascii_uppercase() {
        // type 22, version 3.x, any length, client hello (1) or server hello (2).
        let tls = length >= 6 && word & 0xffff == 0x0316 && matches!((word >> 40) as u8, 1 | 2);
        return tls.then_some(Start::Tls);
    }
    let known = low_bytes(length);
    let fits = |token: &Token| (word ^ token.word) & token.mask & known == 0;
    if fits(&RESPONSE)
        && first == b'H'
        && word & low_bytes(2) != u64::from(u16::from_le_bytes(*b"HE"))
    {
        return Some(Start::Response);
    }
    if length >= 8 && fits(&HTTP2) {
        return Some(Start::Http2);
    }
    let mut index = 0;
    while index < TOKENS.len() {
        if fits(&TOKENS[index]) {
            let cut = TOKENS[index].mask & !known != 0;
            return Some(if cut {
                Start::RequestWithBody
            } else {
                TOKENS[index].start
            });
        }
        index += 1;
    }
    None
}

/// Tests for a request line with a method that nobody registered: a token (RFC 9110, section
/// 5.6.2), a space, a target, and ` HTTP/1.` before the line ends.
///
/// Looks at the first `length` bytes of the data of `scratch`. A line that does not end there counts
/// when its beginning fits.
#[inline(always)]
#[must_use]
pub fn is_request_line(scratch: &Scratch, length: u32) -> bool {
    // Data begins at index 4 of the window.
    let end = 4 + length;
    let mut index = 4;
    while index < 4 + METHOD_MAX {
        if index >= end {
            // Nothing but token characters: as good as a prefix of a method.
            return true;
        }
        let byte = scratch.window_byte(index);
        if byte == b' ' {
            return index > 4 && ends_with_version(scratch, length);
        }
        if !is_token_byte(byte) {
            return false;
        }
        index += 1;
    }
    false
}

/// Whether ` HTTP/1.x` stands before the first line feed, or there is no line feed to be seen.
#[inline(always)]
fn ends_with_version(scratch: &Scratch, length: u32) -> bool {
    const VERSION: u64 = u64::from_le_bytes(*b" HTTP/1.");
    let mut index = 4;
    while index < LINE_MAX {
        if index >= 4 + length {
            return true;
        }
        if scratch.window_byte(index) == b'\n' {
            // " HTTP/1.x" and LF, or CR LF.
            return scratch.window_word(index.wrapping_sub(9)) == VERSION
                || scratch.window_word(index.wrapping_sub(10)) == VERSION;
        }
        index += 1;
    }
    true
}

/// A method without registration that is recognised has fewer bytes: 31 at the most.
const METHOD_MAX: u32 = 32;

/// How far the end of a line with such a method is searched.
const LINE_MAX: u32 = 512;

/// Whether the byte may stand in a method (RFC 9110, section 5.6.2).
#[inline(always)]
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    // Two words of 64 bits: one bit a character.
    const LOW: u64 = bits(b"!#$%&'*+-.0123456789", 0);
    const HIGH: u64 = bits(
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~",
        64,
    );
    if byte < 64 {
        LOW >> byte & 1 != 0
    } else {
        byte < 128 && HIGH >> (byte & 63) & 1 != 0
    }
}

const fn bits(characters: &[u8], base: u8) -> u64 {
    let mut set = 0;
    let mut index = 0;
    while index < characters.len() {
        set |= 1 << (characters[index] - base);
        index += 1;
    }
    set
}

/// A mask of the `count` low bytes of a word.
#[inline(always)]
const fn low_bytes(count: u32) -> u64 {
    if count >= 8 {
        u64::MAX
    } else {
        (1 << (8 * count)) - 1
    }
}

#[cfg(test)]
mod tests;
