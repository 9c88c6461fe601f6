//! The preface of HTTP/2 in pieces.
//!
//! Whole, it is told by its first eight bytes, and nothing is copied. Where the first piece is shorter, it may begin a
//! method as well: it is copied, and what follows it is compared as it comes. Once it is told, its first lines are copied to
//! their end like those of a head, so that the reader does not wait for it; nothing behind them is.

use super::{HTTP2, low_bytes};
use crate::connection::{Direction, state};
use crate::record::FIRST_POSITION;

/// Takes the next piece of what may be a head: `copied` bytes, of which `word` has the first, at `position` of its
/// stream; they are counted in `head_bytes` already. `peer`: the state of the other direction.
///
/// Gives 1 when it is told by this piece, else 0; the direction is marked as one to be left alone then.
#[inline(always)]
#[must_use]
pub fn follow(direction: &Direction, peer: u32, position: u64, word: u64, copied: u32) -> u32 {
    let seen = direction.state.get();
    let bytes = direction.head_bytes.get();
    let before = bytes.wrapping_sub(copied);
    direction.state.set(seen & !state::PREFACE);
    // Nothing else begins a connection of HTTP/2.
    let begins = before == 0 && position == FIRST_POSITION;
    if !(begins || seen & state::PREFACE != 0) || !fits(before, word, copied) {
        return 0;
    }
    if bytes < 8 {
        direction.state.set(seen | state::PREFACE);
        return 0;
    }
    if peer & (state::REQUESTS | state::RESPONSES) != 0 {
        return 0;
    }
    let gone = state::PREFACE | state::REQUESTS;
    direction.state.set(seen & !gone | state::FOREIGN);
    1
}

/// Whether the `length` bytes that begin with `word` are those of the preface from its byte `before` on, as far as they
/// belong to the first eight.
#[inline(always)]
fn fits(before: u32, word: u64, length: u32) -> bool {
    let due = HTTP2.word >> (8 * (before & 7));
    let known = low_bytes(length.min(8u32.saturating_sub(before)));
    (word ^ due) & known == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_fits_and_no_other_does() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for before in 0..8 {
            for length in 1..=preface.len() - before {
                let mut word = [0; 8];
                let count = length.min(8);
                word[..count].copy_from_slice(&preface[before..before + count]);
                let fits = |word| fits(before as u32, u64::from_le_bytes(word), length as u32);
                assert!(fits(word), "{before} {length}");
                for at in 0..8 {
                    let mut other = word;
                    other[at] ^= 0x20;
                    // The first eight bytes tell.
                    let tells = at < length && before + at < 8;
                    assert_eq!(fits(other), !tells, "{before} {length} {at}");
                }
            }
        }
    }
}
