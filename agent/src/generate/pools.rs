//! Names, user agents and addresses that are drawn once, at the start: `fake` is too slow for every
//! record, and its lists may change with its version, which is therefore pinned.

use std::net::Ipv4Addr;

use fake::Fake as _;
use fake::faker::internet::en::{SafeEmail, UserAgent, Username};
use fake::faker::name::en::Name;
use rand_chacha::ChaCha8Rng;

use super::draw::{below, between};
use super::seed::Seed;

/// Names of people, like `Ada Lovelace`.
#[must_use]
pub fn names(seed: Seed, count: usize) -> Vec<String> {
    drawn(seed, "names", count, |stream| Name().fake_with_rng(stream))
}

/// Names of users, of letters, digits, `_` and `.`.
#[must_use]
pub fn user_names(seed: Seed, count: usize) -> Vec<String> {
    drawn(seed, "user names", count, |stream| {
        Username().fake_with_rng(stream)
    })
}

/// Addresses of mail, in domains that belong to nobody.
#[must_use]
pub fn emails(seed: Seed, count: usize) -> Vec<String> {
    drawn(seed, "emails", count, |stream| {
        SafeEmail().fake_with_rng(stream)
    })
}

/// User agents of browsers.
#[must_use]
pub fn user_agents(seed: Seed, count: usize) -> Vec<String> {
    drawn(seed, "user agents", count, |stream| {
        UserAgent().fake_with_rng(stream)
    })
}

/// Addresses that a host of the internet can have: no private, loopback, multicast or reserved ones.
#[must_use]
pub fn addresses(seed: Seed, count: usize) -> Vec<Ipv4Addr> {
    let mut stream = seed.stream("addresses", 0);
    (0..count).map(|_| public_address(&mut stream)).collect()
}

/// An address that a host of the internet can have.
pub fn public_address(stream: &mut ChaCha8Rng) -> Ipv4Addr {
    loop {
        let first = between(stream, 1, 223) as u8;
        let (second, third) = (below(stream, 256) as u8, below(stream, 256) as u8);
        let address = Ipv4Addr::new(first, second, third, between(stream, 1, 254) as u8);
        if is_public(address) {
            return address;
        }
    }
}

fn is_public(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && second & 0xc0 == 64;
    let is_benchmark = first == 198 && second & 0xfe == 18;
    let is_special = first == 192 && second == 0 && third == 0;
    !(first == 0
        || first >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_benchmark
        || is_special)
}

/// Each is of a stream of its own: a longer pool begins with the shorter one.
fn drawn(
    seed: Seed,
    name: &str,
    count: usize,
    draw: impl Fn(&mut ChaCha8Rng) -> String,
) -> Vec<String> {
    (0..count as u64)
        .map(|index| draw(&mut seed.stream(name, index)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_what_they_were() {
        let seed = Seed(7);
        assert_eq!(names(seed, 3), names(seed, 3));
        assert_eq!(names(seed, 3)[..2], names(seed, 2));
        assert_ne!(names(seed, 3), names(Seed(8), 3));
        assert_eq!(addresses(seed, 9)[..4], addresses(seed, 4));
    }

    #[test]
    fn they_can_stand_in_a_line() {
        let seed = Seed(1);
        let pools = [
            names(seed, 500),
            user_names(seed, 500),
            emails(seed, 500),
            user_agents(seed, 500),
        ];
        for text in pools.iter().flatten() {
            let is_plain = text
                .bytes()
                .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"');
            assert!(is_plain && !text.is_empty(), "{text:?}");
        }
        for text in &pools[1] {
            assert!(!text.contains(' '), "{text:?}");
        }
    }

    #[test]
    fn addresses_belong_to_nobody_special() {
        for bad in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "255.1.1.1",
            "100.64.0.1",
            "198.19.0.1",
            "192.0.2.1",
            "203.0.113.9",
            "0.1.1.1",
            "192.0.0.9",
        ] {
            assert!(!is_public(bad.parse().unwrap()), "{bad}");
        }
        for good in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "223.255.255.254",
        ] {
            assert!(is_public(good.parse().unwrap()), "{good}");
        }
        assert!(addresses(Seed(3), 10_000).into_iter().all(is_public));
    }
}
