//! The shapes that traffic can have: easy ones, and those at which captures go wrong.

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::segment::{Cut, Mishaps};
use crate::config::Refusal;
use crate::generate::draw::below;

mod write;

pub(super) use self::write::Writer;

/// A shape of traffic.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Requests of several methods, one after the other; answers with and without bodies.
    Plain,
    /// Heads split in two, at every byte.
    Split,
    /// Segments of one to three bytes.
    Tiny,
    /// Many requests at once, many responses at once.
    Pipelined,
    /// Segments that come again, alone or joined to their neighbours.
    Retransmitted,
    /// Segments that come before those in front of them.
    Reordered,
    /// Segments that begin within what came before.
    Overlapping,
    /// Frames that are not there.
    Lossy,
    /// Absolute and asterisk targets, methods that nobody registered, odd characters.
    Targets,
    /// Tunnels by CONNECT, with heads in them that are none.
    Connect,
    /// Bodies that look like heads, with a length and in chunks.
    Lookalike,
    /// Thousands of exchanges on one connection.
    Keepalive,
    /// Interim responses, and bodies that wait for them.
    Interim,
    /// Another protocol by Upgrade.
    Upgrade,
    /// Answers that end with the connection (HTTP/1.0).
    UntilClose,
    /// Connections broken off, with requests that nobody answered.
    Reset,
    /// Heads of 2 to 15 KiB.
    Long,
    /// One VLAN tag, or two.
    Vlan,
    /// IPv6.
    Ipv6,
    /// UDP, some of it with heads in it that are none.
    Udp,
    /// Echo requests and replies, ICMP and ICMPv6.
    Icmp,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Plain,
        Self::Split,
        Self::Tiny,
        Self::Pipelined,
        Self::Retransmitted,
        Self::Reordered,
        Self::Overlapping,
        Self::Lossy,
        Self::Targets,
        Self::Connect,
        Self::Lookalike,
        Self::Keepalive,
        Self::Interim,
        Self::Upgrade,
        Self::UntilClose,
        Self::Reset,
        Self::Long,
        Self::Vlan,
        Self::Ipv6,
        Self::Udp,
        Self::Icmp,
    ];

    /// Its name on the command line and in the truth.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Split => "split",
            Self::Tiny => "tiny",
            Self::Pipelined => "pipelined",
            Self::Retransmitted => "retransmitted",
            Self::Reordered => "reordered",
            Self::Overlapping => "overlapping",
            Self::Lossy => "lossy",
            Self::Targets => "targets",
            Self::Connect => "connect",
            Self::Lookalike => "lookalike",
            Self::Keepalive => "keepalive",
            Self::Interim => "interim",
            Self::Upgrade => "upgrade",
            Self::UntilClose => "until-close",
            Self::Reset => "reset",
            Self::Long => "long",
            Self::Vlan => "vlan",
            Self::Ipv6 => "ipv6",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }

    /// Connections of one round: enough that every case of the shape comes.
    #[must_use]
    pub const fn connections(self) -> u64 {
        match self {
            // As many as the longer of its two heads has places to split it.
            Self::Split => SPLITS,
            Self::Keepalive => 1,
            Self::Tiny | Self::Long => 3,
            Self::Retransmitted | Self::Reordered | Self::Overlapping | Self::Lossy => 12,
            _ => 6,
        }
    }

    /// Whether frames of it are left out: the only shape of which not everything can be found.
    #[must_use]
    pub const fn loses(self) -> bool {
        matches!(self, Self::Lossy)
    }

    /// What happens to its segments.
    pub(super) const fn mishaps(self) -> Mishaps {
        match self {
            Self::Retransmitted => Mishaps::Retransmitted,
            Self::Reordered => Mishaps::Reordered,
            Self::Overlapping => Mishaps::Overlapping,
            Self::Lossy => Mishaps::Lost,
            _ => Mishaps::None,
        }
    }

    /// How its streams are cut: `index` is the number of the connection within the round.
    pub(super) fn cut(self, index: u64, stream: &mut ChaCha8Rng) -> Cut {
        match self {
            Self::Split => Cut::At(index as usize + 1),
            Self::Tiny => Cut::Sizes(1, 1 + below(stream, 3)),
            Self::Retransmitted | Self::Reordered | Self::Overlapping => Cut::Sizes(20, 400),
            Self::Lossy => Cut::Sizes(20, 300),
            Self::Pipelined => match index % 3 {
                0 => Cut::Full,
                1 => Cut::Sizes(1, 200),
                _ => Cut::Sizes(200, 1400),
            },
            _ => Cut::Full,
        }
    }
}

/// Bytes of the longer head of [`Shape::Split`], about: those behind are split once more.
const SPLITS: u64 = 160;

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Shape {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|shape| shape.name() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Refusal::new(format!("must be one of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for shape in Shape::ALL {
            assert_eq!(shape.name().parse::<Shape>().unwrap(), shape);
            let json = serde_json::to_string(&shape).unwrap();
            assert_eq!(json, format!("{:?}", shape.name()));
        }
        assert!("nothing".parse::<Shape>().is_err());
    }
}
