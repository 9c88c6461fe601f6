//! One request, as numbers: what a line is made of.

use std::io::Write as _;
use std::net::IpAddr;

use super::outcome::Outcome;
use super::site::TargetNumber;

/// Bytes of a page that only says where another one is, at least; and less than twice as many.
const SHORT: u32 = 150;

/// A request and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Nanoseconds since the epoch.
    pub time: i64,
    /// The place of the user.
    pub user: u32,
    /// The number of the name by which the user is logged in.
    pub name: Option<u32>,
    /// What was asked for.
    pub target: TargetNumber,
    /// How it ended.
    pub outcome: Outcome,
    /// The status that stands for that.
    pub status: u16,
    /// Bytes of the answer.
    pub size: u32,
    /// Microseconds that it took.
    pub micros: u32,
    /// The target whose page led here, where that is told.
    pub referrer: Option<TargetNumber>,
    /// The number of the user agent.
    pub agent: u32,
}

impl Default for Hit {
    fn default() -> Self {
        Self {
            time: 0,
            user: 0,
            name: None,
            target: 0,
            outcome: Outcome::Success,
            status: 200,
            size: 0,
            micros: 0,
            referrer: None,
            agent: 0,
        }
    }
}

impl Hit {
    /// Bytes of the body; none with a status that has no body (RFC 9110, section 6.4.1), and few with one
    /// that leads elsewhere.
    #[inline]
    #[must_use]
    pub const fn body(&self) -> Option<u32> {
        match self.status {
            100..=199 | 204 | 304 => None,
            300..=399 => Some(SHORT + self.size % SHORT),
            _ => Some(self.size),
        }
    }
}

/// An address as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressText {
    text: [u8; LONGEST],
    length: u8,
}

/// Letters of the longest address: eight groups of four digits.
const LONGEST: usize = 39;

impl Default for AddressText {
    fn default() -> Self {
        Self {
            text: [0; LONGEST],
            length: 0,
        }
    }
}

impl AddressText {
    /// IPv4 dotted, IPv6 as in RFC 5952.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        let mut text = Self::default();
        let mut rest = &mut text.text[..];
        // No address is longer than there is room.
        drop(write!(rest, "{}", address.to_canonical()));
        let left = rest.len();
        text.length = (LONGEST - left) as u8;
        text
    }

    /// Its letters.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "::",
            "2001:db8::1",
            "1111:2222:3333:4444:5555:6666:7777:8888",
        ] {
            let written = AddressText::new(text.parse().unwrap());
            assert_eq!(written.as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn some_answers_have_no_body() {
        let check = |status: u16, body: Option<u32>| {
            let hit = Hit {
                status,
                size: 4507,
                ..Hit::default()
            };
            assert_eq!(hit.body(), body, "{status}");
        };
        check(200, Some(4507));
        check(204, None);
        check(304, None);
        check(101, None);
        check(500, Some(4507));
        check(302, Some(157));
        check(308, Some(157));
    }
}
