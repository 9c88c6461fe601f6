//! The network interfaces of this host, and the one that the default route leads through.
//!
//! Read over netlink from the network namespace of the calling thread. Everything is known by the
//! interface's index: names change, and an interface may move to another namespace.

mod read;

pub(crate) use read::{has_clsact, link, link_header};

use super::netlink::NetlinkError;

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it, unique within its network namespace.
    pub index: u32,
    /// Its name. Bytes that are not UTF-8 are shown as U+FFFD.
    pub name: String,
    /// Other names it answers to (`ip link property add … altname`).
    pub other_names: Vec<String>,
    /// Switched on by the administrator (`ip link set … up`).
    pub up: bool,
    /// Has a carrier too: packets can pass.
    pub running: bool,
    /// The loopback interface, where each packet passes both hooks.
    pub loopback: bool,
    /// Longest packet in bytes, link header not counted.
    pub mtu: u32,
    /// How its frames begin.
    pub link_layer: LinkLayer,
    /// What made it, for virtual ones: `veth`, `bridge`, `vlan`, `wireguard` …
    pub kind: Option<String>,
    /// Index of the bridge, bond or VRF it belongs to.
    pub master: Option<u32>,
    /// Routing table of a VRF.
    pub vrf_table: Option<u32>,
    /// The XDP program that sits on it.
    pub xdp: Option<XdpAttached>,
}

/// How the frames of an interface begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLayer {
    /// With an Ethernet header (also loopback).
    Ethernet,
    /// With the IP header: tunnels, WireGuard, PPP.
    Raw,
    /// With something else; the number is the kernel's `ARPHRD_…`.
    Other(u16),
}

/// An XDP program on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpAttached {
    /// How it runs.
    pub mode: XdpMode,
    /// The kernel's number for the program; 0 if several modes are in use.
    pub program: u32,
}

/// Where an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver.
    Native,
    /// Behind the driver, on socket buffers.
    Generic,
    /// In the card.
    Offloaded,
    /// In more than one of these places.
    Several,
}

/// Why there is no interface to give.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// No interface has this name.
    #[error("there is no interface {name:?}; there are {present}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        present: String,
    },
    /// Neither address family has a default route.
    #[error(
        "there is no default route to choose an interface by; name one with --interface; there are {present}"
    )]
    NoDefaultRoute {
        /// The names there are.
        present: String,
    },
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// All interfaces of this network namespace, by index.
///
/// # Errors
/// The kernel could not be asked.
pub fn list() -> Result<Vec<Interface>, NetlinkError> {
    let mut interfaces = read::links()?;
    interfaces.sort_by_key(|interface| interface.index);
    Ok(interfaces)
}

/// The interface of this name, or with this other name.
///
/// # Errors
/// There is none (the error names those there are), or the kernel could not be asked.
pub fn by_name(name: &str) -> Result<Interface, InterfaceError> {
    let interfaces = list()?;
    interfaces
        .iter()
        .find(|interface| interface.name == name)
        .or_else(|| {
            interfaces
                .iter()
                .find(|interface| interface.other_names.iter().any(|other| other == name))
        })
        .cloned()
        .ok_or_else(|| InterfaceError::Unknown {
            name: name.to_owned(),
            present: names(&interfaces),
        })
}

/// The interface of the default route: IPv4's, else IPv6's, of the main table; of several routes the
/// one with the lowest metric. It may have changed a moment later.
///
/// # Errors
/// There is no default route (the error names the interfaces), or the kernel could not be asked.
pub fn of_default_route() -> Result<Interface, InterfaceError> {
    let interfaces = list()?;
    for routes in [
        read::default_routes(libc::AF_INET)?,
        read::default_routes(libc::AF_INET6)?,
    ] {
        if let Some(interface) = choose(&routes, &interfaces) {
            return Ok(interface.clone());
        }
    }
    Err(InterfaceError::NoDefaultRoute {
        present: names(&interfaces),
    })
}

/// A default route: what it costs and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DefaultRoute {
    pub(crate) metric: u32,
    pub(crate) interface: u32,
}

fn choose<'a>(routes: &[DefaultRoute], interfaces: &'a [Interface]) -> Option<&'a Interface> {
    let mut routes = routes.to_vec();
    // Stable: of equal metrics the first in the kernel's order is the one it uses.
    routes.sort_by_key(|route| route.metric);
    routes.iter().find_map(|route| {
        interfaces
            .iter()
            .find(|interface| interface.index == route.interface && !interface.loopback)
    })
}

fn names(interfaces: &[Interface]) -> String {
    if interfaces.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = interfaces.iter().map(|found| found.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{in_new_namespace, ip};
    use super::*;

    #[test]
    fn the_interfaces_of_a_namespace_are_listed() {
        in_new_namespace(|| {
            ip("link add first type veth peer name second");
            ip("link add bridge0 type bridge");
            ip("link set first master bridge0 mtu 1400");
            ip("link set first up");
            ip("link property add dev second altname theothername");

            let lo = by_name("lo").unwrap();
            assert!(lo.loopback && lo.index == 1 && !lo.up);
            assert_eq!(lo.link_layer, LinkLayer::Ethernet);
            let first = by_name("first").unwrap();
            assert_eq!((first.mtu, first.up, first.loopback), (1400, true, false));
            assert!(!first.running, "the peer is down, so there is no carrier");
            assert_eq!(first.kind.as_deref(), Some("veth"));
            assert_eq!(first.master, Some(by_name("bridge0").unwrap().index));
            assert_eq!(first.xdp, None);
            assert_eq!(by_name("theothername").unwrap().name, "second");
            let all = list().unwrap();
            assert!(all.is_sorted_by_key(|interface| interface.index));
        });
    }

    #[test]
    fn an_unknown_name_is_told_with_those_there_are() {
        in_new_namespace(|| {
            ip("link add here0 type bridge");
            let error = by_name("there0").unwrap_err().to_string();
            assert!(
                error.contains("\"there0\"") && error.contains("lo, ") && error.contains("here0"),
                "{error}"
            );
        });
    }

    #[test]
    fn the_default_route_with_the_lowest_metric_of_ipv4_first_then_ipv6() {
        in_new_namespace(|| {
            for name in ["cheap", "dear", "six"] {
                ip(&format!("link add {name} type bridge"));
                ip(&format!("link set {name} up"));
            }
            let error = of_default_route().unwrap_err().to_string();
            assert!(
                error.contains("--interface") && error.contains("cheap"),
                "{error}"
            );

            ip("-6 route add default dev six metric 1");
            assert_eq!(of_default_route().unwrap().name, "six");
            ip("route add default dev dear metric 200");
            assert_eq!(of_default_route().unwrap().name, "dear");
            ip("route add default dev cheap metric 100");
            assert_eq!(of_default_route().unwrap().name, "cheap");
            // A default route of another table is for packets that a rule picks.
            ip("route add default dev dear metric 1 table 77");
            assert_eq!(of_default_route().unwrap().name, "cheap");
            ip("route del default dev cheap");
            ip("route del default dev dear");
            ip("route add unreachable default metric 3");
            assert_eq!(of_default_route().unwrap().name, "six");
        });
    }

    #[test]
    fn a_default_route_over_several_ways_takes_the_first() {
        in_new_namespace(|| {
            for name in ["one", "two"] {
                ip(&format!("link add {name} type bridge"));
                ip(&format!("link set {name} up"));
            }
            ip("route add default nexthop dev two nexthop dev one");
            assert_eq!(of_default_route().unwrap().name, "two");
        });
    }

    /// The kernel's lists come sorted mostly, which is no promise.
    #[test]
    fn the_cheapest_route_whose_interface_is_there() {
        let interfaces = in_order(&[("lo", true), ("dear", false), ("cheap", false)]);
        let check = |routes: &[(u32, u32)], expected: Option<&str>| {
            let routes: Vec<_> = routes
                .iter()
                .map(|(metric, interface)| DefaultRoute {
                    metric: *metric,
                    interface: *interface,
                })
                .collect();
            let found = choose(&routes, &interfaces).map(|found| found.name.as_str());
            assert_eq!(found, expected, "{routes:?}");
        };
        check(&[], None);
        check(&[(200, 2), (100, 3)], Some("cheap"));
        check(&[(100, 3), (100, 2)], Some("cheap"));
        check(&[(0, 9), (200, 2)], Some("dear"));
        check(&[(0, 1), (u32::MAX, 2)], Some("dear"));
        check(&[(0, 1)], None);
    }

    /// Interfaces with these names, numbered from 1, and whether each is loopback.
    fn in_order(names: &[(&str, bool)]) -> Vec<Interface> {
        let numbered = (1..).zip(names);
        numbered
            .map(|(index, (name, loopback))| Interface {
                index,
                name: (*name).to_owned(),
                other_names: Vec::new(),
                up: true,
                running: true,
                loopback: *loopback,
                mtu: 1500,
                link_layer: LinkLayer::Ethernet,
                kind: None,
                master: None,
                vrf_table: None,
                xdp: None,
            })
            .collect()
    }
}
