//! How netlink describes links and routes (`linux/if_link.h`, `linux/rtnetlink.h`).

use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::super::netlink::{
    Attributes, Message, NetlinkError, Question, ask, attribute, number_u16, number_u32, text,
};
use super::{DefaultRoute, Interface, LinkLayer, XdpAttached, XdpMode};

const LINK_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
const ARPHRD_RAWIP: u16 = 519;
const ARPHRD_IP6GRE: u16 = 823;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_VRF_TABLE: u16 = 1;
/// `RTEXT_FILTER_SKIP_STATS`: packet counters of no use here make up half of the answer.
const SKIP_STATISTICS: u32 = 1 << 3;

/// Asks for all links.
pub(crate) fn links() -> Result<Vec<Interface>, NetlinkError> {
    let mut body = vec![0; LINK_HEADER];
    body.extend(attribute(
        libc::IFLA_EXT_MASK,
        &SKIP_STATISTICS.to_ne_bytes(),
    ));
    let question = Question {
        what: "interfaces",
        protocol: NETLINK_ROUTE,
        kind: libc::RTM_GETLINK,
        all: true,
        body: &body,
    };
    ask(question, link)
}

/// The fields that stand in front of a link's attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkHeader {
    hardware: u16,
    flags: u32,
    /// The interface's number.
    pub(crate) index: u32,
}

/// Reads the header of a link message; `None` for what is not about the interface as such.
pub(crate) fn link_header(message: Message<'_>) -> Option<(LinkHeader, Attributes<'_>)> {
    let (header, attributes) = message.split(LINK_HEADER)?;
    // A bridge tells of its ports with the same message types, family AF_BRIDGE: a port that leaves
    // the bridge looks like an interface that goes.
    if i32::from(header[0]) != libc::AF_UNSPEC {
        return None;
    }
    let header = LinkHeader {
        hardware: number_u16(header, 2)?,
        index: number_u32(header, 4)?,
        flags: number_u32(header, 8)?,
    };
    Some((header, attributes))
}

/// Reads an `RTM_NEWLINK`.
pub(crate) fn link(message: Message<'_>) -> Option<Interface> {
    if message.kind != libc::RTM_NEWLINK {
        return None;
    }
    let (header, attributes) = link_header(message)?;
    let has = |flag: libc::c_int| header.flags & flag.cast_unsigned() != 0;
    let information = attributes.nested(libc::IFLA_LINKINFO);
    let kind = information.text(libc::IFLA_INFO_KIND);
    let vrf_table = if kind.as_deref() == Some("vrf") {
        information
            .nested(libc::IFLA_INFO_DATA)
            .number(IFLA_VRF_TABLE)
    } else {
        None
    };
    Some(Interface {
        index: header.index,
        name: attributes.text(libc::IFLA_IFNAME)?,
        other_names: attributes
            .nested(libc::IFLA_PROP_LIST)
            .into_iter()
            .filter(|(kind, _)| *kind == libc::IFLA_ALT_IFNAME)
            .map(|(_, name)| text(name))
            .collect(),
        up: has(libc::IFF_UP),
        running: has(libc::IFF_RUNNING),
        loopback: has(libc::IFF_LOOPBACK),
        mtu: attributes.number(libc::IFLA_MTU).unwrap_or_default(),
        link_layer: link_layer(header.hardware),
        kind,
        master: attributes.number(libc::IFLA_MASTER),
        vrf_table,
        xdp: xdp(attributes.nested(libc::IFLA_XDP)),
    })
}

fn link_layer(hardware: u16) -> LinkLayer {
    match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => LinkLayer::Ethernet,
        libc::ARPHRD_NONE
        | libc::ARPHRD_PPP
        | ARPHRD_RAWIP
        | libc::ARPHRD_TUNNEL
        | libc::ARPHRD_TUNNEL6
        | libc::ARPHRD_SIT
        | libc::ARPHRD_IPGRE
        | ARPHRD_IP6GRE => LinkLayer::Raw,
        other => LinkLayer::Other(other),
    }
}

fn xdp(attributes: Attributes<'_>) -> Option<XdpAttached> {
    let mode = match attributes.get(IFLA_XDP_ATTACHED)?.first()? {
        0 => return None,
        1 => XdpMode::Native,
        2 => XdpMode::Generic,
        3 => XdpMode::Offloaded,
        _ => XdpMode::Several,
    };
    Some(XdpAttached {
        mode,
        program: attributes.number(IFLA_XDP_PROG_ID).unwrap_or_default(),
    })
}

/// Asks for the default routes of the main table, `family` being `AF_INET` or `AF_INET6`.
pub(crate) fn default_routes(family: libc::c_int) -> Result<Vec<DefaultRoute>, NetlinkError> {
    let mut body = [0; ROUTE_HEADER];
    body[0] = u8::try_from(family).unwrap_or_default();
    body[4] = libc::RT_TABLE_MAIN;
    body[7] = libc::RTN_UNICAST;
    let question = Question {
        what: "routes",
        protocol: NETLINK_ROUTE,
        kind: libc::RTM_GETROUTE,
        all: true,
        body: &body,
    };
    match ask(question, default_route) {
        // A kernel started without IPv6, or a namespace whose main table nobody filled yet.
        Err(NetlinkError::Refused { source, .. })
            if matches!(
                source.raw_os_error(),
                Some(libc::ENOENT | libc::EOPNOTSUPP | libc::EAFNOSUPPORT)
            ) =>
        {
            Ok(Vec::new())
        }
        answer => answer,
    }
}

fn default_route(message: Message<'_>) -> Option<DefaultRoute> {
    if message.kind != libc::RTM_NEWROUTE {
        return None;
    }
    let (header, attributes) = message.split(ROUTE_HEADER)?;
    let (prefix_length, table, kind) = (header[1], header[4], header[7]);
    let cloned = number_u32(header, 8)? & libc::RTM_F_CLONED != 0;
    let table = attributes
        .number(libc::RTA_TABLE)
        .unwrap_or_else(|| table.into());
    if prefix_length != 0
        || kind != libc::RTN_UNICAST
        || cloned
        || table != u32::from(libc::RT_TABLE_MAIN)
    {
        return None;
    }
    // Over several ways: a list of (length, flags, hops, interface), the first is taken.
    let first_way = || number_u32(attributes.get(libc::RTA_MULTIPATH)?, 4);
    Some(DefaultRoute {
        metric: attributes.number(libc::RTA_PRIORITY).unwrap_or_default(),
        interface: attributes.number(libc::RTA_OIF).or_else(first_way)?,
    })
}

/// Whether the interface has a `clsact` (or `ingress`) qdisc, which filters of tc hang on.
pub(crate) fn has_clsact(interface: u32) -> Result<bool, NetlinkError> {
    const QDISC_HEADER: usize = 20;
    const TCA_KIND: u16 = 1;
    let question = Question {
        what: "qdiscs",
        protocol: NETLINK_ROUTE,
        kind: libc::RTM_GETQDISC,
        all: true,
        body: &[0; QDISC_HEADER],
    };
    let found = ask(question, |message| {
        let (header, attributes) = message.split(QDISC_HEADER)?;
        let kind = attributes.text(TCA_KIND)?;
        let here = number_u32(header, 4)? == interface;
        (here && matches!(kind.as_str(), "clsact" | "ingress")).then_some(())
    })?;
    Ok(!found.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::netlink::messages;
    use super::*;

    /// A message of this type around a body.
    fn wrapped(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(16 + body.len())
            .unwrap()
            .to_ne_bytes()
            .to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes
    }

    /// An interface that has everything.
    fn full_link() -> Vec<u8> {
        let mut body = vec![0; LINK_HEADER];
        body[2..4].copy_from_slice(&libc::ARPHRD_NONE.to_ne_bytes());
        body[4..8].copy_from_slice(&9_u32.to_ne_bytes());
        body[8..12].copy_from_slice(&(libc::IFF_UP | libc::IFF_RUNNING).to_ne_bytes());
        body.extend(attribute(libc::IFLA_IFNAME, b"red\0"));
        body.extend(attribute(libc::IFLA_MTU, &1400_u32.to_ne_bytes()));
        body.extend(attribute(libc::IFLA_MASTER, &3_u32.to_ne_bytes()));
        let mut information = attribute(libc::IFLA_INFO_KIND, b"vrf");
        let table = attribute(IFLA_VRF_TABLE, &77_u32.to_ne_bytes());
        information.extend(attribute(libc::IFLA_INFO_DATA, &table));
        body.extend(attribute(libc::IFLA_LINKINFO, &information));
        let other = attribute(libc::IFLA_ALT_IFNAME, b"rouge\0");
        body.extend(attribute(libc::IFLA_PROP_LIST, &other));
        let mut program = attribute(IFLA_XDP_ATTACHED, &[4]);
        program.extend(attribute(IFLA_XDP_PROG_ID, &12_u32.to_ne_bytes()));
        body.extend(attribute(libc::IFLA_XDP, &program));
        body
    }

    fn read_link(body: &[u8]) -> Option<Interface> {
        let bytes = wrapped(libc::RTM_NEWLINK, body);
        messages(&bytes).next().and_then(link)
    }

    #[test]
    fn an_interface_that_has_everything() {
        let expected = Interface {
            index: 9,
            name: "red".into(),
            other_names: vec!["rouge".into()],
            up: true,
            running: true,
            loopback: false,
            mtu: 1400,
            link_layer: LinkLayer::Raw,
            kind: Some("vrf".into()),
            master: Some(3),
            vrf_table: Some(77),
            xdp: Some(XdpAttached {
                mode: XdpMode::Several,
                program: 12,
            }),
        };
        assert_eq!(read_link(&full_link()), Some(expected));
        let mut of_a_bridge = full_link();
        of_a_bridge[0] = u8::try_from(libc::AF_BRIDGE).unwrap();
        assert_eq!(read_link(&of_a_bridge), None);
    }

    #[test]
    fn cut_anywhere_it_has_less_and_never_something_else() {
        let full = read_link(&full_link()).unwrap();
        for length in 0..full_link().len() {
            let Some(cut) = read_link(&full_link()[..length]) else {
                assert!(length < LINK_HEADER + 8, "{length}");
                continue;
            };
            assert_eq!(
                (cut.index, &cut.name, cut.up),
                (full.index, &full.name, full.up),
                "{length}"
            );
            assert!(cut.mtu == 0 || cut.mtu == full.mtu, "{length}");
            assert!(
                cut.vrf_table.is_none() || cut.vrf_table == full.vrf_table,
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            for kind in [libc::RTM_NEWLINK, libc::RTM_NEWROUTE, libc::RTM_DELLINK] {
                let bytes = wrapped(kind, &body);
                for message in messages(&bytes) {
                    link(message);
                    link_header(message);
                    default_route(message);
                }
            }
        }
    }
}
