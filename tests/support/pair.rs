//! The usual place of a test: a server's host and a client's host, joined by one cable.

use std::net::IpAddr;

use super::namespace::Namespace;

/// Which addresses are used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

/// Two hosts on one cable: `server0` in the one, `client0` in the other.
#[derive(Debug)]
pub struct Pair {
    /// The host that serves: 10.9.0.1 and fd09::1.
    pub server: Namespace,
    /// The host that asks: 10.9.0.2 and fd09::2.
    pub client: Namespace,
}

impl Pair {
    /// The server's interface.
    pub const SERVER_INTERFACE: &'static str = "server0";
    /// The client's interface.
    pub const CLIENT_INTERFACE: &'static str = "client0";

    /// Makes both.
    ///
    /// # Panics
    /// `ip` fails.
    #[must_use]
    pub fn new() -> Self {
        let pair = Self {
            server: Namespace::new(),
            client: Namespace::new(),
        };
        pair.server
            .join(Self::SERVER_INTERFACE, &pair.client, Self::CLIENT_INTERFACE);
        pair.server.address(Self::SERVER_INTERFACE, "10.9.0.1/24");
        pair.server.address(Self::SERVER_INTERFACE, "fd09::1/64");
        pair.client.address(Self::CLIENT_INTERFACE, "10.9.0.2/24");
        pair.client.address(Self::CLIENT_INTERFACE, "fd09::2/64");
        pair
    }

    /// The server's address.
    #[must_use]
    pub fn server_address(family: Family) -> IpAddr {
        match family {
            Family::Four => [10, 9, 0, 1].into(),
            Family::Six => [0xfd09, 0, 0, 0, 0, 0, 0, 1].into(),
        }
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}
