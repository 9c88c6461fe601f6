//! What a driver says of an interface: its name, its offloads, and what its XDP can do.
//!
//! Offloads come by the old ethtool calls (`linux/ethtool.h`), which every kernel since 2.6 answers
//! without privileges; XDP features by the generic netlink family `netdev`, since Linux 6.3.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;

use rtnetlink::sys::protocols::NETLINK_GENERIC;

use super::netlink::{Question, ask, attribute, number_u16, text};

/// What is switched on; `None` where the driver does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Driver {
    pub(crate) name: Option<String>,
    pub(crate) receive_offload: Option<bool>,
    pub(crate) segmentation: Option<bool>,
    pub(crate) tcp_segmentation: Option<bool>,
    pub(crate) large_receive: Option<bool>,
}

/// Asks the driver of the interface of this name.
pub(crate) fn driver(interface: &str) -> io::Result<Driver> {
    const GET_FLAGS: u32 = 0x25;
    const GET_TCP_SEGMENTATION: u32 = 0x1e;
    const GET_SEGMENTATION: u32 = 0x23;
    const GET_RECEIVE_OFFLOAD: u32 = 0x2b;
    const FLAG_LARGE_RECEIVE: u32 = 1 << 15;
    // Any socket will do; this one needs neither privileges nor an interface that is up.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let value = |command| value(&socket, interface, command).ok();
    let is_on = |command| value(command).map(|value| value != 0);
    Ok(Driver {
        name: driver_name(&socket, interface).ok(),
        receive_offload: is_on(GET_RECEIVE_OFFLOAD),
        segmentation: is_on(GET_SEGMENTATION),
        tcp_segmentation: is_on(GET_TCP_SEGMENTATION),
        large_receive: value(GET_FLAGS).map(|flags| flags & FLAG_LARGE_RECEIVE != 0),
    })
}

fn value(socket: &UdpSocket, interface: &str, command: u32) -> io::Result<u32> {
    let mut request = [command, 0];
    call(socket, interface, &mut request)?;
    Ok(request[1])
}

fn driver_name(socket: &UdpSocket, interface: &str) -> io::Result<String> {
    const GET_DRIVER: u32 = 3;
    /// `struct ethtool_drvinfo`: the command, five names of 32 bytes, and numbers.
    const WORDS: usize = 49;
    let mut request = [0; WORDS];
    request[0] = GET_DRIVER;
    call(socket, interface, &mut request)?;
    let name: Vec<u8> = request[1..9]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect();
    Ok(text(&name))
}

/// One ethtool call; the kernel writes the answer into the request.
fn call<const WORDS: usize>(
    socket: &UdpSocket,
    interface: &str,
    request: &mut [u32; WORDS],
) -> io::Result<()> {
    // SAFETY: all-zero is a valid `ifreq`: numbers and null pointers.
    let mut question: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte stays for the NUL.
    if interface.len() >= question.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in question.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed();
    }
    question.ifr_ifru.ifru_data = request.as_mut_ptr().cast();
    // SAFETY: the descriptor is open; `question` and the request it points at are live for the time
    // of the call, and the request is as long as its command makes the kernel write.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut question) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What the driver's XDP can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XdpFeatures(u64);

impl XdpFeatures {
    /// From the kernel's bits (`enum netdev_xdp_act`).
    pub(crate) fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Programs run in the driver.
    pub(crate) fn native(self) -> bool {
        self.0 & 1 != 0
    }

    /// And see packets in several buffers (long MTU, LRO).
    pub(crate) fn several_buffers(self) -> bool {
        self.0 & 1 << 5 != 0
    }
}

/// Asks for the XDP features of an interface; `None` where the kernel cannot tell (before 6.3).
pub(crate) fn xdp_features(index: u32) -> Option<XdpFeatures> {
    const CONTROLLER: u16 = 0x10;
    const GET_FAMILY: u8 = 3;
    const FAMILY_NAME: u16 = 2;
    const FAMILY_ID: u16 = 1;
    const GET_DEVICE: u8 = 1;
    const DEVICE_INDEX: u16 = 1;
    const DEVICE_XDP_FEATURES: u16 = 3;
    let family = generic(
        CONTROLLER,
        GET_FAMILY,
        &attribute(FAMILY_NAME, b"netdev\0"),
        FAMILY_ID,
    )?;
    let family = number_u16(&family, 0)?;
    let index = attribute(DEVICE_INDEX, &index.to_ne_bytes());
    let features = generic(family, GET_DEVICE, &index, DEVICE_XDP_FEATURES)?;
    let bits = u64::from_ne_bytes(*features.first_chunk()?);
    Some(XdpFeatures::new(bits))
}

/// One question to a generic netlink family, and one attribute of the answer.
fn generic(family: u16, command: u8, attributes: &[u8], wanted: u16) -> Option<Vec<u8>> {
    const HEADER: usize = 4;
    let mut body = vec![command, 1, 0, 0];
    body.extend_from_slice(attributes);
    let question = Question {
        what: "features of an interface",
        protocol: NETLINK_GENERIC,
        kind: family,
        all: false,
        body: &body,
    };
    let answers = ask(question, |message| {
        let (_, attributes) = message.split(HEADER)?;
        attributes.get(wanted).map(<[u8]>::to_vec)
    });
    answers.ok()?.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::super::interfaces::by_name;
    use super::super::testing::{in_new_namespace, ip};
    use super::*;

    #[test]
    fn a_veth_pair_tells_of_itself() {
        in_new_namespace(|| {
            ip("link add near type veth peer name far");
            let before = driver("near").unwrap();
            assert_eq!(before.name.as_deref(), Some("veth"));
            assert_eq!(before.tcp_segmentation, Some(true));
            assert_eq!(before.large_receive, Some(false));
            let ethtool = std::process::Command::new("ethtool")
                .args(["-K", "near", "tso", "off", "gro", "on"])
                .status();
            if ethtool.is_ok_and(|status| status.success()) {
                let after = driver("near").unwrap();
                assert_eq!(
                    (after.tcp_segmentation, after.receive_offload),
                    (Some(false), Some(true))
                );
            } else {
                eprintln!("left out: switching offloads needs ethtool");
            }
        });
    }

    #[test]
    fn what_is_not_there_tells_nothing() {
        assert_eq!(driver("no-such-if").unwrap(), Driver::default());
        assert_eq!(
            driver("a-name-much-too-long-for-an-interface").unwrap(),
            Driver::default()
        );
        assert_eq!(xdp_features(u32::MAX), None);
    }

    #[test]
    fn a_veth_has_native_xdp_and_a_bridge_has_not() {
        in_new_namespace(|| {
            ip("link add near type veth peer name far");
            ip("link add bridge0 type bridge");
            let Some(veth) = xdp_features(by_name("near").unwrap().index) else {
                eprintln!("left out: this kernel does not tell XDP features");
                return;
            };
            assert!(veth.native() && veth.several_buffers(), "{veth:?}");
            let bridge = xdp_features(by_name("bridge0").unwrap().index).unwrap();
            assert!(!bridge.native(), "{bridge:?}");
        });
    }
}
