//! Packets that IP cut in pieces, plain ones and those of tunnels.

use std::net::Ipv4Addr;

use super::*;

#[test]
fn a_first_fragment_is_flagged_as_cut() {
    let segment = frame::tcp([40_000, 80], 1, tcp::ACK, &[], &GET[..20]);
    let mut packet = frame::ipv4([10, 0, 0, 9].into(), [10, 0, 0, 1].into(), TCP, &segment);
    packet[6] = 0x20;
    let mut kernel = Kernel::new(1);
    let records = kernel.packet(&Memory::new(Link::Network(IPV4), &packet));
    let records: Vec<_> = records
        .into_iter()
        .map(|record| got(CLIENT, record))
        .collect();
    check(
        "fragment",
        &records,
        &[(0, &GET[..20], flag::START | flag::CUT)],
    );
    assert_eq!(kernel.counters().first_fragments, 1);
}

#[test]
fn the_first_fragment_of_a_tunnels_packet_is_read_like_a_plain_one() {
    const BODY: &[u8] = &[b'a'; 60];
    let hosts: [Ipv4Addr; 2] = [[10, 0, 0, 9].into(), [10, 0, 0, 1].into()];
    let upload = [POST, BODY].concat();
    // The head is whole in the first fragment, or goes on in a later one.
    for there in [POST.len() + 5, POST.len() - 9] {
        let kept = (20 + 20 + there) / 8 * 8;
        let there = kept - 40;
        let mut kernel = Kernel::new(1);
        let segment = frame::tcp([40_000, 80], 1, tcp::ACK, &[], &upload);
        let inner = frame::ipv4(hosts[0], hosts[1], TCP, &segment);
        let outer = |offset: u16, inside: &[u8]| {
            let (from, to) = (Ipv4Addr::new(10, 9, 9, 1), Ipv4Addr::new(10, 9, 9, 2));
            let mut packet = frame::ipv4(from, to, 4, inside);
            packet[6..8].copy_from_slice(&offset.to_be_bytes());
            packet
        };
        let mut see = |side: usize, packet: &[u8]| -> Vec<_> {
            let records = kernel.packet(&Memory::new(Link::Network(IPV4), packet));
            let seen = records.into_iter();
            seen.map(|record| got(side, record)).collect()
        };
        let records = see(CLIENT, &outer(0x2000, &inner[..kept]));
        let whole = there >= POST.len();
        let (head, flags) = if whole {
            (POST, flag::START | flag::CUT | flag::HEAD_END)
        } else {
            (&upload[..there], flag::START | flag::CUT)
        };
        check("first", &records, &[(0, head, flags)]);
        let later = (kept / 8) as u16;
        assert_eq!(see(CLIENT, &outer(later, &inner[kept..])), []);
        let mut say = |side: usize, sequence: usize, payload: &[u8]| {
            let (mut ports, mut hosts) = ([40_000, 80], hosts);
            if side == SERVER {
                ports.reverse();
                hosts.reverse();
            }
            let segment = frame::tcp(ports, sequence as u32, tcp::ACK, &[], payload);
            see(side, &frame::ipv4(hosts[0], hosts[1], TCP, &segment))
        };
        check("answer", &say(SERVER, 1, OK), &[(0, OK, WHOLE)]);
        // What follows is found where the body ends, or it is told that something is missing.
        let (name, flags) = if whole {
            ("next", WHOLE)
        } else {
            ("next, behind a gap", flag::START | flag::ALL)
        };
        let records = say(CLIENT, 1 + upload.len(), GET);
        check(name, &records, &[(upload.len(), GET, flags)]);
        let counters = kernel.counters();
        assert_eq!((counters.first_fragments, counters.tunnelled), (1, 1));
        let mut ignored = [0; Ignored::PLACES];
        ignored[Ignored::Fragment as usize] = 1;
        assert_eq!(counters.ignored, ignored);
        assert_eq!(counters.lost, [0; Lost::COUNT]);
    }
}
