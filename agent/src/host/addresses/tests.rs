use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::super::testing::{in_new_namespace, ip};
use super::*;

fn set(prefixes: &[&str]) -> LocalAddresses {
    LocalAddresses::new(prefixes.iter().map(|prefix| prefix.parse().unwrap()))
}

#[track_caller]
fn check(addresses: &LocalAddresses, inside: &[&str], outside: &[&str]) {
    for (list, expected) in [(inside, true), (outside, false)] {
        for text in list {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(addresses.contains(address), expected, "{text}");
            let bytes = match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            assert_eq!(
                addresses.contains_bytes(&bytes),
                expected,
                "{text} as bytes"
            );
        }
    }
}

#[test]
fn prefixes_of_both_families() {
    check(
        &set(&[
            "127.0.0.0/8",
            "10.0.0.1/32",
            "10.0.0.2/32",
            "::1/128",
            "fd00:1::/32",
        ]),
        &[
            "127.0.0.0",
            "127.255.255.255",
            "10.0.0.1",
            "10.0.0.2",
            "::1",
            "fd00:1:ffff::9",
            "::ffff:10.0.0.1",
        ],
        &[
            "126.255.255.255",
            "128.0.0.0",
            "10.0.0.0",
            "10.0.0.3",
            "::",
            "::2",
            "fd00:2::",
            "::10.0.0.1",
        ],
    );
}

#[test]
fn overlapping_neighbouring_and_extreme_prefixes_merge() {
    let addresses = set(&["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "10.0.0.0/8"]);
    assert_eq!(addresses.ranges.len(), 1);
    check(
        &addresses,
        &["10.0.0.0", "11.255.255.255"],
        &["9.255.255.255", "12.0.0.0"],
    );
    check(
        &set(&["ffff::/16"]),
        &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
        &["::", "0.0.0.0"],
    );
}

#[test]
fn everything_of_one_family_is_nothing_of_the_other() {
    check(
        &set(&["::/0"]),
        &["::", "::1", "2001:db8::1", "ffff::"],
        &["0.0.0.0", "1.2.3.4", "255.255.255.255"],
    );
    check(
        &set(&["0.0.0.0/0"]),
        &["0.0.0.0", "1.2.3.4", "255.255.255.255"],
        &["::", "::1", "ffff::", "::1.2.3.4"],
    );
    check(&set(&["::ffff:10.0.0.0/104"]), &["10.1.2.3"], &["11.0.0.0"]);
    check(&set(&[]), &[], &["127.0.0.1", "::1"]);
    assert!(set(&[]).is_empty());
}

fn any_prefix() -> impl Strategy<Value = IpNet> {
    let four = (any::<u32>(), 0..=32_u8)
        .prop_map(|(bits, length)| IpNet::new(Ipv4Addr::from_bits(bits).into(), length).unwrap());
    let six = (any::<u128>(), 0..=128_u8)
        .prop_map(|(bits, length)| IpNet::new(Ipv6Addr::from_bits(bits).into(), length).unwrap());
    prop_oneof![four, six]
}

proptest! {
    /// An address is in the set if and only if it is in one of the prefixes; asked with addresses
    /// at and beside the edges, where mistakes live.
    #[test]
    fn as_a_walk_over_the_prefixes(prefixes in proptest::collection::vec(any_prefix(), 0..40), random in any::<u32>()) {
        let addresses = LocalAddresses::new(prefixes.iter().copied());
        let mut probes = vec![IpAddr::V4(Ipv4Addr::from_bits(random))];
        for prefix in &prefixes {
            for edge in [prefix.network(), prefix.broadcast()] {
                for step in [-1_i128, 0, 1] {
                    probes.push(match edge {
                        IpAddr::V4(edge) => Ipv4Addr::from_bits(edge.to_bits().wrapping_add(step as u32)).into(),
                        IpAddr::V6(edge) => Ipv6Addr::from_bits(edge.to_bits().wrapping_add(step as u128)).into(),
                    });
                }
            }
        }
        for probe in probes {
            let canonical = probe.to_canonical();
            prop_assume!(canonical == probe);
            let expected = prefixes.iter().any(|prefix| prefix.contains(&probe));
            prop_assert_eq!(addresses.contains(probe), expected, "{}", probe);
        }
    }
}

#[test]
fn what_the_kernel_takes_for_its_own() {
    in_new_namespace(|| {
        ip("link set lo up");
        ip("link add wire type bridge");
        ip("addr add 192.0.2.7/24 dev wire");
        ip("addr add 2001:db8::7/64 dev wire nodad");
        ip("link set wire up");
        // Everything of a prefix is ours (AnyIP), in both families.
        ip("route add local 10.9.0.0/16 dev lo");
        ip("route add local 2001:db8:9::/48 dev lo");
        // What a transparent proxy does: local for the packets that a rule sends to this table.
        ip("route add local 0.0.0.0/0 dev lo table 100");
        let (keeper, mut reader) =
            AddressKeeper::new(vec!["198.51.100.0/24".parse().unwrap()]).unwrap();
        check(
            reader.latest(),
            &[
                "127.0.0.1",
                "127.9.9.9",
                "::1",
                "192.0.2.7",
                "2001:db8::7",
                "10.9.200.1",
                "2001:db8:9:1::1",
                "198.51.100.3",
            ],
            &[
                "192.0.2.8",
                "192.0.2.255",
                "2001:db8::8",
                "10.8.0.1",
                "8.8.8.8",
            ],
        );

        assert!(!keeper.refresh().unwrap(), "nothing changed");
        ip("addr del 192.0.2.7/24 dev wire");
        ip("addr add 192.0.2.8/24 dev wire");
        assert!(keeper.refresh().unwrap());
        check(
            reader.latest(),
            &["192.0.2.8", "198.51.100.3"],
            &["192.0.2.7"],
        );
    });
}

#[test]
fn many_addresses_come_in_several_datagrams() {
    in_new_namespace(|| {
        ip("link set lo up");
        for third in 0..8 {
            for fourth in 0..100 {
                // Every second one, so that nothing merges.
                ip(&format!(
                    "route add local 10.7.{third}.{} dev lo",
                    fourth * 2
                ));
            }
        }
        let prefixes = of_host().unwrap();
        assert!(prefixes.len() >= 800, "{}", prefixes.len());
        let addresses = LocalAddresses::new(prefixes);
        check(
            &addresses,
            &["10.7.0.0", "10.7.7.198"],
            &["10.7.0.1", "10.7.7.199"],
        );
    });
}
