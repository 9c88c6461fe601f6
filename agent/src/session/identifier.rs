//! Identifiers of sessions and exchanges: unique over hosts and restarts, without asking anybody.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What names a session, or an exchange: 128 bits, written as 32 lower-case hexadecimal digits.
///
/// The upper half is drawn once a run (or derived from a capture file), the lower half counts in it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Identifier(u128);

/// What is no identifier: it has other than 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an identifier has 32 hexadecimal digits")]
pub struct NoIdentifier;

impl Identifier {
    /// The identifier `number` of the run `run`.
    #[must_use]
    pub fn new(run: u64, number: u64) -> Self {
        Self(u128::from(run) << 64 | u128::from(number))
    }

    /// The run, and the number in it.
    #[must_use]
    pub fn parts(self) -> (u64, u64) {
        ((self.0 >> 64) as u64, self.0 as u64)
    }

    /// As 16 bytes, the most significant one first, as databases keep it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`Identifier::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl Identifier {
    /// The digits of its text.
    #[must_use]
    pub fn digits(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.to_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        digits
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl FromStr for Identifier {
    type Err = NoIdentifier;

    fn from_str(text: &str) -> Result<Self, NoIdentifier> {
        // `from_str_radix` takes a sign too.
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(Self).ok_or(NoIdentifier)
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_written_and_read() {
        let identifier = Identifier::new(0xab, 0xcd);
        let text = "00000000000000ab00000000000000cd";
        assert_eq!(identifier.to_string(), text);
        assert_eq!(identifier.digits(), text.as_bytes());
        assert_eq!(text.parse(), Ok(identifier));
        assert_eq!(Identifier::from_bytes(identifier.to_bytes()), identifier);
        let json = serde_json::to_string(&identifier).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(
            serde_json::from_str::<Identifier>(&json).unwrap(),
            identifier
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "ab",
            "+0000000000000ab00000000000000cd",
            "00000000000000ab00000000000000cg",
            "000000000000000ab00000000000000cd",
            "00000000-0000-00ab-0000-000000cd",
        ] {
            assert_eq!(text.parse::<Identifier>(), Err(NoIdentifier), "{text}");
        }
    }
}
