//! UDP and ICMP: which messages make a flow, and what is counted of them.

use super::*;

/// Shows a datagram.
pub(super) fn datagram(kernel: &mut Kernel, from: u8, to: u8, ports: [u16; 2], length: usize) {
    let inside = frame::udp(ports, &vec![0; length]);
    let packet = frame::ipv4([10, 0, 0, from].into(), [10, 0, 0, to].into(), UDP, &inside);
    show(kernel, &frame::ethernet(IPV4, &packet));
}

#[test]
fn datagrams_are_counted_both_ways() {
    let mut kernel = Kernel::new(1);
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    assert_eq!(only(&kernel).conn_state(), "S0");
    datagram(&mut kernel, 1, 9, [53, 5_000], 100);
    datagram(&mut kernel, 1, 9, [53, 5_000], 0);
    let flow = only(&kernel);
    assert_eq!(flow.conn_state(), "SF");
    assert_eq!(flow.history().as_str(), "Dd");
    assert_eq!((flow.packets, flow.bytes), ([1, 2], [58, 156]));
    assert_eq!(flow.payload, [30, 100]);
    assert_eq!(u32::from(flow.protocol), Protocol::Udp as u32);
    assert_eq!(flow.source_port_be, 5_000_u16.to_be_bytes());
    // The same ports of TCP are another flow.
    let tcp = frame::tcp([5_000, 53], 1, ACK, &[], b"x");
    let packet = frame::ipv4([10, 0, 0, 9].into(), [10, 0, 0, 1].into(), TCP, &tcp);
    show(&mut kernel, &frame::ethernet(IPV4, &packet));
    assert_eq!(standing(&kernel).len(), 2);
}

/// An ICMP message of both families: type, code, identifier and 6 bytes more.
pub(super) fn message(six: bool, from: u8, to: u8, kind: u8, code: u8, identifier: u16) -> Vec<u8> {
    let [high, low] = identifier.to_be_bytes();
    let inside = [kind, code, 0, 0, high, low, 0, 1, 1, 2, 3, 4, 5, 6];
    if six {
        let address = |last: u8| [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)].into();
        frame::ethernet(IPV6, &frame::ipv6(address(from), address(to), 58, &inside))
    } else {
        let packet = frame::ipv4([10, 0, 0, from].into(), [10, 0, 0, to].into(), 1, &inside);
        frame::ethernet(IPV4, &packet)
    }
}

#[test]
fn a_question_and_its_answer_are_one_flow() {
    for (six, asks, answers) in [
        (false, 8, 0),
        (true, 128, 129),
        (false, 13, 14),
        (false, 17, 18),
    ] {
        for (from, to) in [(9, 1), (1, 9), (1, 1)] {
            let mut kernel = Kernel::new(4);
            show(&mut kernel, &message(six, from, to, asks, 0, 7));
            show(&mut kernel, &message(six, to, from, answers, 0, 7));
            let flow = only(&kernel);
            let what = format!("type {asks} from {from} to {to}");
            assert_eq!(flow.packets, [1, 1], "{what}");
            assert_eq!(flow.payload, [6, 6], "{what}");
            assert_eq!(flow.source_port_be, [0, asks], "{what}");
            assert_eq!(flow.destination_port_be, [0, 0], "{what}");
            assert_eq!(flow.source[15], from, "{what}");
            assert_eq!(flow.conn_state(), "OTH");
            assert_eq!(flow.history().as_str(), "");
            // Another identifier is another flow.
            show(&mut kernel, &message(six, from, to, asks, 0, 8));
            assert_eq!(standing(&kernel).len(), 2, "{what}");
        }
    }
}

#[test]
fn other_messages_are_flows_by_type_and_code() {
    let mut kernel = Kernel::new(4);
    // Unreachable: what stands where a question has its identifier is no part of the name.
    show(&mut kernel, &message(false, 9, 1, 3, 1, 7));
    show(&mut kernel, &message(false, 9, 1, 3, 1, 8));
    let flow = only(&kernel);
    assert_eq!(flow.packets, [2, 0]);
    assert_eq!(
        (flow.source_port_be, flow.destination_port_be),
        ([0, 3], [0, 1])
    );
    show(&mut kernel, &message(false, 9, 1, 3, 3, 7));
    show(&mut kernel, &message(true, 9, 1, 135, 0, 7));
    assert_eq!(standing(&kernel).len(), 3);
}
