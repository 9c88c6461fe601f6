//! The texts that a row has of what is none: addresses and identifiers. Made in memory of fixed
//! size, since each row has four.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::session::identifier::Identifier;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Room for one text of each sort.
#[derive(Debug, Default)]
pub(super) struct Texts {
    address: String,
}

/// An identifier as text: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdentifierText([u8; 32]);

impl IdentifierText {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn as_str(&self) -> &str {
        // Digits are always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Texts {
    /// The address as everybody writes it.
    pub(super) fn address(&mut self, address: IpAddr) -> &str {
        self.address.clear();
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        self.address.push('.');
                    }
                    for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
                        if octet >= least {
                            self.address.push(char::from(b'0' + octet / unit % 10));
                        }
                    }
                }
            }
            // Writing to a text cannot fail.
            IpAddr::V6(address) => drop(write!(self.address, "{address}")),
        }
        &self.address
    }

    /// The identifier in hexadecimal digits.
    #[expect(clippy::unused_self, reason = "as the other texts are asked for")]
    pub(super) fn identifier(&self, identifier: Identifier) -> IdentifierText {
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(identifier.to_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        IdentifierText(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_the_texts_that_everybody_writes(address in any::<IpAddr>(), run in any::<u64>(), number in any::<u64>()) {
            let mut texts = Texts::default();
            prop_assert_eq!(texts.address(address), address.to_string());
            let identifier = Identifier::new(run, number);
            let text = texts.identifier(identifier);
            prop_assert_eq!(text.as_str(), identifier.to_string());
        }
    }
}
