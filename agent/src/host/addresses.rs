//! Which addresses are this host's own.
//!
//! Local is what the kernel delivers to itself: the routes of type `local` in the table `local`, and
//! in the tables of VRFs. That is more than the addresses of the interfaces: all of 127.0.0.0/8,
//! and whole prefixes given with `ip route add local …` (AnyIP). Routes of type `local` in other
//! tables do not count: transparent proxies put `local 0.0.0.0/0` there for marked packets.
//!
//! Prefixes configured with `--local` come on top: with `run` they add to what the kernel says, with
//! `read`, where there is no host, they are all there is. Nothing takes an address of the host away.

mod read;

use std::net::IpAddr;

use ipnet::IpNet;

use super::netlink::NetlinkError;
use super::shared::{Publisher, Reader, shared};

/// A set of addresses, made for looking up.
///
/// All prefixes become disjoint ranges in one sorted list, IPv4 as IPv4-mapped IPv6, so that a look
/// up is one binary search, whatever the prefixes: no hashing that a sender could aim at, and no
/// allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalAddresses {
    ranges: Box<[Range]>,
}

/// First and last address.
type Range = (u128, u128);

/// ::ffff:0:0/96, where IPv4 lives.
const MAPPED: Range = (0xffff_0000_0000, 0xffff_ffff_ffff);

impl LocalAddresses {
    /// The set of all addresses in these prefixes.
    pub fn new(prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        let mut ranges: Vec<Range> = prefixes.into_iter().flat_map(ranges).collect();
        ranges.sort_unstable();
        let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => {
                    previous.1 = previous.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self {
            ranges: merged.into_boxed_slice(),
        }
    }

    /// Whether this address is one of them. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.contains_number(match address {
            IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
            IpAddr::V6(address) => u128::from(address),
        })
    }

    /// The same for an address as records carry it: 16 bytes, IPv4 as IPv4-mapped IPv6.
    pub fn contains_bytes(&self, address: &[u8; 16]) -> bool {
        self.contains_number(u128::from_be_bytes(*address))
    }

    /// Whether there is no address in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    fn contains_number(&self, address: u128) -> bool {
        let behind = self.ranges.partition_point(|(first, _)| *first <= address);
        behind
            .checked_sub(1)
            .and_then(|index| self.ranges.get(index))
            .is_some_and(|(_, last)| address <= *last)
    }
}

/// Keeps a [`LocalAddresses`] as the kernel and the configuration say, for readers on other threads.
#[derive(Debug)]
pub struct AddressKeeper {
    configured: Vec<IpNet>,
    publisher: Publisher<LocalAddresses>,
}

impl AddressKeeper {
    /// Reads the kernel's local prefixes, adds the `configured` ones, and gives the first reader.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn new(configured: Vec<IpNet>) -> Result<(Self, Reader<LocalAddresses>), NetlinkError> {
        let (publisher, reader) = shared(together(&configured)?);
        Ok((
            Self {
                configured,
                publisher,
            },
            reader,
        ))
    }

    /// Reads everything again and publishes it if it differs; `true` if it did. To be called for
    /// each [`Event::AddressesChanged`](super::watch::Event::AddressesChanged) and
    /// [`Event::Lost`](super::watch::Event::Lost). Blocks for as long as the kernel needs to write its
    /// list: well under a millisecond for hundreds of addresses.
    ///
    /// # Errors
    /// The kernel could not be asked; readers keep what they had.
    pub fn refresh(&self) -> Result<bool, NetlinkError> {
        let addresses = together(&self.configured)?;
        if addresses == *self.publisher.latest() {
            return Ok(false);
        }
        self.publisher.publish(addresses);
        Ok(true)
    }

    /// Another reader, for another thread.
    pub fn reader(&self) -> Reader<LocalAddresses> {
        self.publisher.reader()
    }
}

/// The prefixes that the kernel takes for its own, in the network namespace of the calling thread.
///
/// # Errors
/// The kernel could not be asked.
pub fn of_host() -> Result<Vec<IpNet>, NetlinkError> {
    read::local_prefixes()
}

fn together(configured: &[IpNet]) -> Result<LocalAddresses, NetlinkError> {
    let host = of_host()?;
    Ok(LocalAddresses::new(
        host.into_iter().chain(configured.iter().copied()),
    ))
}

/// The ranges of a prefix: one, but for an IPv6 prefix around the IPv4-mapped addresses, which are
/// left out of it: `::/0` means all of IPv6, not IPv4.
fn ranges(prefix: IpNet) -> impl Iterator<Item = Range> {
    let (first, last) = match prefix {
        IpNet::V4(prefix) => (
            prefix.network().to_ipv6_mapped().into(),
            prefix.broadcast().to_ipv6_mapped().into(),
        ),
        IpNet::V6(prefix) => (prefix.network().into(), prefix.broadcast().into()),
    };
    let around = first < MAPPED.0 && last > MAPPED.1;
    let (whole, before, behind) = if around {
        (
            None,
            Some((first, MAPPED.0 - 1)),
            Some((MAPPED.1 + 1, last)),
        )
    } else {
        (Some((first, last)), None, None)
    };
    [whole, before, behind].into_iter().flatten()
}

#[cfg(test)]
mod tests;
