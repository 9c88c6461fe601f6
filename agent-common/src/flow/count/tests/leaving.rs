//! What leaves its place, when, and what is said of it.

use super::datagrams::datagram;
use super::*;

/// What left, in words: why, and packets.
fn left(kernel: &Kernel) -> Vec<String> {
    let words = |record: FlowRecord| {
        let [out, back] = record.packets;
        format!("{} {out}+{back}", record.why)
    };
    kernel.flow_records.take().into_iter().map(words).collect()
}

#[test]
fn a_flow_that_was_idle_leaves_when_the_next_packet_comes() {
    let mut kernel = Kernel::new(1);
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    let limit = u64::from(kernel.settings.flow_idle[1]);
    kernel.ticks.set(kernel.ticks.get() + limit);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    assert_eq!(left(&kernel), [""; 0]);
    let before = only(&kernel);
    kernel.ticks.set(kernel.ticks.get() + limit + 1);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    assert_eq!(left(&kernel), ["2 1+2"]);
    let after = only(&kernel);
    assert_eq!(after.slot, before.slot);
    assert_eq!(after.generation, before.generation + 1);
    // The other side has opened this one.
    assert_eq!((after.packets, after.source_port_be), ([1, 0], [0, 53]));
    // What the reader has is not sent again.
    kernel.flows_known[after.slot as usize].set(known_word(after.generation, 1, true));
    kernel.ticks.set(kernel.ticks.get() + limit + 1);
    datagram(&mut kernel, 1, 9, [53, 5_000], 30);
    assert_eq!(left(&kernel), [""; 0]);
    assert_eq!(only(&kernel).generation, after.generation + 1);
    assert_eq!(kernel.counters().flows, 3);
    assert_eq!(kernel.counters().flows_evicted, 0);
}

#[test]
fn what_comes_behind_the_end_is_counted_to_it() {
    let mut kernel = Kernel::new(1);
    let reset = seg(SERVER, RST, 20, 0, 0);
    for segment in with(exchange(), &[reset]) {
        show(&mut kernel, &wire(&segment));
    }
    assert_eq!(left(&kernel), ["1 4+4"]);
    assert!(!kernel.flow(only(&kernel).slot).has_news());
    // Late, and again.
    show(&mut kernel, &wire(&seg(CLIENT, ACK, 10, 0, 20)));
    show(&mut kernel, &wire(&reset));
    assert!(kernel.flow(only(&kernel).slot).has_news());
    assert_eq!(left(&kernel), [""; 0]);
    // The ports are used anew.
    show(&mut kernel, &wire(&seg(CLIENT, SYN, 5_000, 0, 0)));
    assert_eq!(left(&kernel), ["2 5+5"]);
    assert_eq!(only(&kernel).packets, [1, 0]);
    // Without anything late it is sent once.
    show(&mut kernel, &wire(&seg(SERVER, RST | ACK, 0, 0, 5_001)));
    assert_eq!(left(&kernel), ["1 1+1"]);
    show(&mut kernel, &wire(&seg(CLIENT, SYN, 9_000, 0, 0)));
    assert_eq!(left(&kernel), [""; 0]);
}

#[test]
fn a_full_ring_leaves_an_ended_flow_for_the_reader_to_find() {
    let mut kernel = Kernel::new(1);
    kernel.ring_is_full.set(true);
    for segment in with(exchange(), &[seg(SERVER, RST, 20, 0, 0)]) {
        show(&mut kernel, &wire(&segment));
    }
    let flow = only(&kernel);
    assert!(kernel.flow(flow.slot).has_news());
    assert_eq!(kernel.counters().packets_left_out, 0);
    // With the place the packets go, and are counted.
    show(&mut kernel, &wire(&seg(CLIENT, SYN, 5_000, 0, 0)));
    assert_eq!(kernel.counters().packets_left_out, 8);
    assert_eq!(kernel.counters().flows_left_out, 1);
}

#[test]
fn a_flood_drives_itself_out() {
    let mut kernel = Kernel::new(1);
    for segment in exchange() {
        show(&mut kernel, &wire(&segment));
    }
    for port in 0..100 {
        kernel.ticks.set(kernel.ticks.get() + 1);
        datagram(&mut kernel, 9, 1, [5_000 + port, 53], 30);
    }
    let standing = standing(&kernel);
    assert_eq!(standing.len(), FLOW_WAYS);
    assert!(standing.iter().any(|flow| flow.packets == [4, 3]));
    let evicted = 101 - FLOW_WAYS;
    assert_eq!(left(&kernel).len(), evicted);
    assert_eq!(kernel.counters().flows_evicted, evicted as u64);
}

#[test]
fn who_is_slower_counts_its_packet() {
    let mut kernel = Kernel::new(1);
    kernel.slower.set(true);
    datagram(&mut kernel, 9, 1, [5_000, 53], 30);
    assert_eq!(standing(&kernel), []);
    assert_eq!(kernel.counters().packets_left_out, 1);
}
