//! The kernel's local routes over netlink (`linux/rtnetlink.h`).

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use super::super::interfaces;
use super::super::netlink::{Message, NetlinkError, Question, ask, number_u32};

const ROUTE_HEADER: usize = 12;

/// All prefixes of type `local` in the tables that decide what is local.
pub(super) fn local_prefixes() -> Result<Vec<IpNet>, NetlinkError> {
    let mut tables = vec![u32::from(libc::RT_TABLE_LOCAL)];
    tables.extend(
        interfaces::list()?
            .iter()
            .filter_map(|found| found.vrf_table),
    );

    let mut prefixes = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut body = [0; ROUTE_HEADER];
        body[0] = u8::try_from(family).unwrap_or_default();
        body[7] = libc::RTN_LOCAL;
        let question = Question {
            what: "local addresses",
            protocol: NETLINK_ROUTE,
            kind: libc::RTM_GETROUTE,
            all: true,
            body: &body,
        };
        match ask(question, |message| local_prefix(message, &tables)) {
            Ok(found) => prefixes.extend(found),
            // A kernel that was started without IPv6.
            Err(NetlinkError::Refused { source, .. })
                if matches!(
                    source.raw_os_error(),
                    Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT)
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(prefixes)
}

fn local_prefix(message: Message<'_>, tables: &[u32]) -> Option<IpNet> {
    if message.kind != libc::RTM_NEWROUTE {
        return None;
    }
    let (header, attributes) = message.split(ROUTE_HEADER)?;
    let (family, length, table, kind) = (header[0], header[1], header[4], header[7]);
    let cloned = number_u32(header, 8)? & libc::RTM_F_CLONED != 0;
    let table = attributes
        .number(libc::RTA_TABLE)
        .unwrap_or_else(|| table.into());
    if kind != libc::RTN_LOCAL || cloned || !tables.contains(&table) {
        return None;
    }
    // A route to everything has no destination attribute.
    let destination = attributes.get(libc::RTA_DST);
    match i32::from(family) {
        libc::AF_INET => {
            let octets: [u8; 4] = *destination.unwrap_or(&[0; 4]).first_chunk()?;
            Some(Ipv4Net::new(Ipv4Addr::from(octets), length).ok()?.into())
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = *destination.unwrap_or(&[0; 16]).first_chunk()?;
            Some(Ipv6Net::new(Ipv6Addr::from(octets), length).ok()?.into())
        }
        _ => None,
    }
}
