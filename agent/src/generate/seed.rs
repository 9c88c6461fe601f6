//! The number that a run is made from, and the streams of random numbers that come of it.

use std::fmt;
use std::str::FromStr;

use rand::TryRng as _;
use rand::rngs::SysRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::config::Refusal;

/// What a run is made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seed(pub u64);

impl Seed {
    /// One that nobody knows yet, from the operating system: below 2⁵³, so that JSON keeps it wherever it is read.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn draw() -> std::io::Result<Self> {
        let drawn = SysRng.try_next_u64();
        drawn
            .map(|drawn| Self(drawn >> 11))
            .map_err(|error| std::io::Error::other(error.to_string()))
    }

    /// The stream `index` of those that `name` has: the same numbers for the same three, on every host
    /// and in every version. Streams of other names or indexes have nothing in common with it.
    #[must_use]
    pub fn stream(self, name: &str, index: u64) -> ChaCha8Rng {
        let mut state = hash(name) ^ mix(self.0);
        let mut key = [0; 32];
        for part in key.chunks_exact_mut(8) {
            state = state.wrapping_add(GOLDEN);
            part.copy_from_slice(&mix(state).to_le_bytes());
        }
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(index);
        stream
    }
}

/// 2⁶⁴ divided by the golden ratio: the step of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// FNV-1a with 64 bits.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The last steps of SplitMix64: every bit of the number changes half of the result.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Seed {
    type Err = Refusal;

    /// A whole number, decimal or hexadecimal (`0x…`).
    fn from_str(text: &str) -> Result<Self, Refusal> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = match text.strip_prefix("0x") {
            Some(text) if digits(text) => u64::from_str_radix(text, 16).ok(),
            None if digits(text) => text.parse().ok(),
            _ => None,
        };
        number
            .map(Self)
            .ok_or_else(|| Refusal::new("must be a whole number below 2^64, like 7 or 0x1f"))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::Rng as _;

    use super::*;

    #[test]
    fn a_stream_is_what_it_was_and_no_other() {
        let first = |seed, name, index| Seed(seed).stream(name, index).next_u64();
        // Found once; a change here changes everything that is ever generated.
        assert_eq!(first(7, "sessions", 0), FIRST);
        let mut all = vec![
            first(7, "sessions", 0),
            first(7, "sessions", 1),
            first(8, "sessions", 0),
            first(7, "session", 0),
            first(0, "", 0),
        ];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }

    const FIRST: u64 = 4_479_729_233_298_478_436;

    #[test]
    fn numbers_are_read() {
        let check = |text: &str, expected: Option<u64>| {
            let seed: Option<Seed> = text.parse().ok();
            assert_eq!(seed, expected.map(Seed), "{text:?}");
        };
        check("0", Some(0));
        check("18446744073709551615", Some(u64::MAX));
        check("0xffffffffffffffff", Some(u64::MAX));
        check("0xAb", Some(0xab));
        for bad in [
            "",
            "0x",
            "-1",
            "+1",
            "1.5",
            "0x+1",
            "ab",
            "18446744073709551616",
            " 1",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn what_is_drawn_differs() {
        assert_ne!(Seed::draw().unwrap(), Seed::draw().unwrap());
    }
}
