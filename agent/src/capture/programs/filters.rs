//! The ports and networks that capture is narrowed to, in the maps of the kernel programs.

use std::net::Ipv4Addr;

use aya::Ebpf;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, LpmTrie};
use ipnet::IpNet;

use super::{LoadError, borrow, map_error};

/// The bits that all IPv4-mapped addresses have in common.
const MAPPED_BITS: u32 = 96;

pub(super) fn fill_ports(ebpf: &mut Ebpf, ports: &[u16]) -> Result<(), LoadError> {
    let mut words = [0_u64; 1024];
    for port in ports {
        // The kernel side looks a port up as it lies in memory.
        let port = port.to_be();
        words[usize::from(port >> 6)] |= 1 << (port & 63);
    }
    let mut map: Array<_, u64> = borrow(ebpf, "PORTS")?;
    for (index, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
        map.set(index as u32, word, 0)
            .map_err(|error| map_error("PORTS", &error))?;
    }
    Ok(())
}

pub(super) fn fill_nets(ebpf: &mut Ebpf, prefixes: &[(u32, [u8; 16])]) -> Result<(), LoadError> {
    let mut map: LpmTrie<_, [u8; 16], u32> = borrow(ebpf, "NETS")?;
    for (length, address) in prefixes {
        map.insert(&Key::new(*length, *address), 1, 0)
            .map_err(|error| map_error("NETS", &error))?;
    }
    Ok(())
}

/// The prefixes (length and address) that stand for networks where IPv4 addresses are written as
/// IPv4-mapped ones. An IPv6 network that has those inside (`::/0`) is written without them: it was
/// not IPv4 that was asked for.
pub(super) fn prefixes(nets: &[IpNet]) -> Vec<(u32, [u8; 16])> {
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    let mut prefixes = Vec::with_capacity(nets.len());
    for net in nets {
        match net {
            IpNet::V4(net) => prefixes.push((
                u32::from(net.prefix_len()) + MAPPED_BITS,
                net.network().to_ipv6_mapped().octets(),
            )),
            IpNet::V6(net)
                if u32::from(net.prefix_len()) <= MAPPED_BITS && net.contains(&mapped) =>
            {
                // What leaves the way to the mapped addresses, bit by bit.
                prefixes.extend((u32::from(net.prefix_len())..MAPPED_BITS).map(|bit| {
                    let turned = mapped.to_bits() ^ 1 << (127 - bit);
                    let kept = turned & u128::MAX << (127 - bit);
                    (bit + 1, kept.to_be_bytes())
                }));
            }
            IpNet::V6(net) => {
                prefixes.push((u32::from(net.prefix_len()), net.network().octets()));
            }
        }
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    /// Whether the kernel finds the address in the prefixes: as it compares them, bit by bit.
    fn found(prefixes: &[(u32, [u8; 16])], address: IpAddr) -> bool {
        let bits = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        };
        prefixes.iter().any(|(length, prefix)| {
            let differ = bits ^ Ipv6Addr::from(*prefix).to_bits();
            *length == 0 || differ >> (128 - length) == 0
        })
    }

    #[test]
    fn networks_hold_the_addresses_of_their_family() {
        let addresses: Vec<IpAddr> = [
            "0.0.0.0",
            "10.0.0.1",
            "10.255.0.1",
            "11.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::fffe:a00:1",
            "::1:0:0:0",
            "2001:db8::1",
            "fd00::1",
            "fe80::1",
            "8000::",
            "ff02::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ]
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
        for net in [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.0.0.1/32",
            "::/0",
            "::/1",
            "::/80",
            "::/95",
            "::/96",
            "::fffe:0:0/95",
            "8000::/1",
            "fd00::/8",
            "2001:db8::1/128",
            "::1/128",
        ] {
            let net: IpNet = net.parse().unwrap();
            let prefixes = prefixes(&[net]);
            assert!(!prefixes.is_empty(), "{net}");
            for address in &addresses {
                assert_eq!(
                    found(&prefixes, *address),
                    net.contains(address),
                    "{net}, {address}"
                );
            }
        }
    }
}
