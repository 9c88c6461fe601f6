//! Whether a `Host` is this host: the guard against DNS rebinding.
//!
//! A web page may give its own name an address of this host and then read, in the browser of someone
//! here, whatever answers on loopback. Its name is in the `Host` field then, which it cannot change.

use std::net::{IpAddr, Ipv6Addr};

/// Whether `host` (a name or address, with or without a port) may be asked for where the server
/// listens on `listen`: on a loopback address `localhost`, names below it and loopback addresses; on
/// any other address everything, because the server cannot know under which names it is reached.
pub(crate) fn is_served(host: &str, listen: IpAddr) -> bool {
    if !listen.to_canonical().is_loopback() {
        return true;
    }
    let Some(name) = without_port(host) else {
        return false;
    };
    let address = match name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse().ok().map(IpAddr::V4),
    };
    match address {
        Some(address) => address.to_canonical().is_loopback(),
        None => is_localhost(name),
    }
}

/// The name or bracketed address; `None` where what follows it is no port.
fn without_port(host: &str) -> Option<&str> {
    let end_of_brackets = host.rfind(']').unwrap_or(0);
    let Some(colon) = host[end_of_brackets..].find(':') else {
        return Some(host);
    };
    let (name, port) = host.split_at(end_of_brackets + colon);
    port[1..]
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(name)
}

/// RFC 6761, section 6.3: these names stand for loopback addresses, for everyone.
fn is_localhost(name: &str) -> bool {
    const LOCALHOST: &str = "localhost";
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some(start) = name.len().checked_sub(LOCALHOST.len()) else {
        return false;
    };
    let bytes = name.as_bytes();
    bytes[start..].eq_ignore_ascii_case(LOCALHOST.as_bytes())
        && (start == 0 || bytes[start - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::is_served;

    fn check(host: &str, listen: &str, served: bool) {
        let listen = listen.parse().unwrap();
        assert_eq!(is_served(host, listen), served, "{host:?} on {listen}");
    }

    #[test]
    fn on_loopback_only_names_of_this_host_are_served() {
        for listen in ["127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1"] {
            for host in [
                "localhost",
                "LocalHost:8000",
                "localhost.",
                "tapline.localhost:1",
                "127.0.0.1",
                "127.0.0.1:8000",
                "127.9.9.9:",
                "[::1]",
                "[::1]:8000",
                "[::ffff:127.0.0.1]:8000",
            ] {
                check(host, listen, true);
            }
            for host in [
                "",
                ":8000",
                "example.com",
                "example.com:8000",
                "notlocalhost",
                "localhost.example.com",
                "localhost..",
                "user@localhost",
                "localhost:8000:8000",
                "localhost:port",
                "127.0.0.1.example.com",
                "10.0.0.1",
                "0.0.0.0:8000",
                "[::]:8000",
                "::1",
                "[127.0.0.1]",
                "[::1]x",
                "[::1]x:1",
                "[::1",
                "]",
                "]:1",
                "lоcalhost",
            ] {
                check(host, listen, false);
            }
        }
    }

    #[test]
    fn elsewhere_every_name_is_served() {
        for listen in ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"] {
            check("metrics.example.com", listen, true);
            check("192.0.2.1:8000", listen, true);
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(host in "(\\PC|\\[|\\]|:|localhost|::1){0,12}") {
            let served = is_served(&host, [127, 0, 0, 1].into());
            prop_assert!(!served || host.to_ascii_lowercase().contains("localhost")
                || host.contains("127.") || host.contains(":1") || host.contains(":7f"));
        }
    }
}
