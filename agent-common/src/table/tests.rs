//! The table against a map: nothing leaves it unnoticed.

extern crate std;

use std::collections::HashMap;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::testing::Kernel;

fn key(number: u16) -> Key {
    Key {
        low: [0, 7],
        high: [0, 1000 + u64::from(number)],
        ports: u32::from(number) << 16 | 80,
    }
}

/// What stands in the table, by walking through it.
fn standing(kernel: &Kernel) -> HashMap<u32, u32> {
    let mut found = HashMap::new();
    for (index, bucket) in kernel.buckets.iter().enumerate() {
        for (place, connection) in bucket.places.iter().enumerate() {
            if connection.tag.get() > CLAIMED {
                let slot = (index * WAYS + place) as u32;
                let twice = found.insert(connection.ports.get(), slot);
                assert_eq!(twice, None, "in two places");
            }
        }
    }
    found
}

/// Finds or inserts at a time, as `track` does: what is found is seen now.
fn touch(kernel: &Kernel, number: u16, counters: &mut Counters) -> Option<u32> {
    let found = find_or_insert(kernel, &key(number), counters)?;
    assert!(holds(found.connection, &key(number)));
    let now = kernel.ticks() as u32;
    found.connection.directions[usize::from(number & 1)]
        .last_seen
        .set(now);
    Some(found.slot)
}

fn end(kernel: &Kernel, slot: u32, side: usize) {
    let (bucket, place) = (slot as usize / WAYS, slot as usize % WAYS);
    let direction = &kernel.buckets[bucket].places[place].directions[side];
    direction.state.set(direction.state.get() | state::ENDED);
}

#[test]
fn a_connection_is_found_again_and_begins_empty() {
    let kernel = Kernel::new(4);
    let mut counters = Counters::default();
    let slots: Vec<_> = (0..6)
        .map(|number| touch(&kernel, number, &mut counters))
        .collect();
    assert_eq!(counters.connections, 6);
    for number in 0..6 {
        let again = touch(&kernel, number, &mut counters);
        assert_eq!(again, slots[usize::from(number)]);
    }
    assert_eq!((counters.connections, counters.evicted), (6, 0));
}

#[test]
fn a_time_that_another_cpu_noted_just_ahead_is_no_long_silence() {
    let kernel = Kernel::new(1);
    let mut counters = Counters::default();
    kernel.ticks.set(100);
    let talks = touch(&kernel, 0, &mut counters).unwrap();
    kernel.ticks.set(500);
    for number in 1..4 {
        touch(&kernel, number, &mut counters);
    }
    kernel.ticks.set(1_001);
    touch(&kernel, 0, &mut counters);
    kernel.ticks.set(1_000);
    let new = touch(&kernel, 4, &mut counters).unwrap();
    assert_eq!(counters.evicted, 1);
    assert_ne!(new, talks);
}

#[test]
fn who_makes_room_is_the_ended_one_then_the_idlest() {
    let kernel = Kernel::new(1);
    let mut counters = Counters::default();
    let at = |tick: u64, number: u16, counters: &mut Counters| {
        kernel.ticks.set(tick);
        let slot = touch(&kernel, number, counters).unwrap();
        (slot, counters.evicted)
    };
    // The clock wraps between them.
    let base = u64::from(u32::MAX) - 1;
    let slots = [1, 2, 3, 4].map(|number| at(base + u64::from(number), number, &mut counters).0);
    // One direction that has ended is no ended connection.
    end(&kernel, slots[3], 0);
    end(&kernel, slots[2], 0);
    end(&kernel, slots[2], 1);
    assert_eq!(at(base + 10, 5, &mut counters), (slots[2], 0));
    // It was the first that was idle for longest.
    assert_eq!(at(base + 11, 6, &mut counters), (slots[0], 1));
    assert_eq!(at(base + 12, 2, &mut counters), (slots[1], 1));
    assert_eq!(at(base + 13, 7, &mut counters), (slots[3], 2));
    assert_eq!(counters.connections, 7);
}

#[test]
fn what_lived_in_a_place_does_not_shine_through() {
    let kernel = Kernel::new(1);
    let mut counters = Counters::default();
    let first = touch(&kernel, 1, &mut counters).unwrap();
    let connection = &kernel.buckets[0].places[first as usize];
    let generation = connection.generation.get();
    connection.escalated.set(1);
    connection.budget_used.set(9);
    for direction in &connection.directions {
        for word in [&direction.position, &direction.body_end] {
            word.set(9);
        }
        for word in [&direction.hole_start, &direction.hole_end] {
            word.set(9);
        }
        for word in [
            &direction.next_sequence,
            &direction.state,
            &direction.records,
            &direction.messages,
            &direction.head_bytes,
            &direction.carry,
            &direction.asked,
        ] {
            word.set(state::ENDED | 9);
        }
    }
    for number in 2..=4 {
        touch(&kernel, number, &mut counters).unwrap();
    }
    assert_eq!(touch(&kernel, 5, &mut counters), Some(first));
    assert_eq!(connection.generation.get(), generation.wrapping_add(1));
    assert_eq!(connection.escalated.get(), 0);
    assert_eq!(connection.budget_used.get(), 0);
    for direction in &connection.directions {
        let words = [
            direction.position.get(),
            direction.body_end.get(),
            direction.hole_start.get(),
            direction.hole_end.get(),
        ];
        assert_eq!(words, [0; 4]);
        let words = [
            direction.next_sequence.get(),
            direction.state.get(),
            direction.records.get(),
            direction.messages.get(),
            direction.head_bytes.get(),
            direction.carry.get(),
            direction.asked.get(),
        ];
        assert_eq!(words, [0; 7]);
    }
}

#[test]
fn who_comes_second_is_counted() {
    let kernel = Kernel::new(1);
    let mut counters = Counters::default();
    kernel.slower.set(true);
    assert_eq!(touch(&kernel, 1, &mut counters), None);
    kernel.slower.set(false);
    // All places are being filled in by others.
    for connection in &kernel.buckets[0].places {
        connection.tag.set(CLAIMED);
    }
    assert_eq!(touch(&kernel, 1, &mut counters), None);
    assert_eq!(counters.lost[Lost::Slot as usize], 2);
    assert_eq!((counters.connections, counters.evicted), (0, 0));
    // One of them is free again; the others are left alone.
    kernel.buckets[0].places[2].tag.set(0);
    assert_eq!(touch(&kernel, 1, &mut counters), Some(2));
    let claimed = kernel.buckets[0].places.iter();
    let claimed = claimed.filter(|connection| connection.tag.get() == CLAIMED);
    assert_eq!(claimed.count(), 3);
}

#[test]
fn equal_hashes_are_not_equal_keys() {
    for other in 0..3 {
        let kernel = Kernel::new(1);
        let mut counters = Counters::default();
        let slot = touch(&kernel, 1, &mut counters).unwrap();
        // Another connection whose hash is the same.
        let connection = &kernel.buckets[0].places[slot as usize];
        match other {
            0 => connection.ports.set(key(2).ports),
            1 => connection.low[1].set(8),
            _ => connection.high[0].set(8),
        }
        assert_ne!(touch(&kernel, 1, &mut counters), Some(slot));
        assert_eq!(counters.connections, 2);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A packet of this connection, so many ticks later.
    Touch(u16, u32),
    /// A direction of this connection ends.
    End(u16, usize),
    /// This connection again, while another CPU is faster.
    Slower(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u16..24, 0_u32..4).prop_map(|(number, ticks)| Step::Touch(number, ticks)),
        2 => (0_u16..24, 0_usize..2).prop_map(|(number, side)| Step::End(number, side)),
        1 => (0_u16..24).prop_map(Step::Slower),
    ]
}

proptest! {
    #[test]
    fn nothing_leaves_unnoticed(steps in proptest::collection::vec(step(), 1..200), buckets in 0_u32..3) {
        let kernel = Kernel::new(1 << buckets);
        let mut counters = Counters::default();
        // By number: its slot, when it was last seen, and which directions have ended.
        let mut model: HashMap<u32, (u32, u64, [bool; 2])> = HashMap::new();
        let (mut connections, mut evicted, mut made_room, mut slow) = (0, 0, 0, 0);
        for step in steps {
            match step {
                Step::Touch(number, ticks) => {
                    kernel.ticks.set(kernel.ticks.get() + u64::from(ticks));
                    let now = kernel.ticks.get();
                    let slot = touch(&kernel, number, &mut counters).unwrap();
                    let ports = key(number).ports;
                    if let Some(known) = model.get_mut(&ports) {
                        prop_assert_eq!(known.0, slot);
                        known.1 = now;
                        continue;
                    }
                    connections += 1;
                    let gone = model.iter().find(|(_, known)| known.0 == slot);
                    if let Some((&gone, &(_, seen, ended))) = gone {
                        let bucket = slot / WAYS as u32;
                        let others: Vec<_> = model.values().filter(|known| known.0 / WAYS as u32 == bucket).collect();
                        prop_assert_eq!(others.len(), WAYS, "there was room");
                        let over = |ended: [bool; 2]| ended == [true; 2];
                        for other in others {
                            prop_assert!(over(ended) || !over(other.2));
                            prop_assert!(over(ended) != over(other.2) || seen <= other.1);
                        }
                        if over(ended) { made_room += 1 } else { evicted += 1 }
                        model.remove(&gone);
                    }
                    model.insert(ports, (slot, now, [false; 2]));
                }
                Step::End(number, side) => {
                    if let Some(known) = model.get_mut(&key(number).ports) {
                        end(&kernel, known.0, side);
                        known.2[side] = true;
                    }
                }
                Step::Slower(number) => {
                    kernel.slower.set(true);
                    let found = find_or_insert(&kernel, &key(number), &mut counters);
                    let known = model.contains_key(&key(number).ports);
                    // What is there is found all the same.
                    prop_assert_eq!(found.is_some(), known);
                    slow += u64::from(!known);
                    kernel.slower.set(false);
                }
            }
            let slots: HashMap<u32, u32> = model.iter().map(|(ports, known)| (*ports, known.0)).collect();
            prop_assert_eq!(standing(&kernel), slots);
        }
        prop_assert_eq!(counters.connections, connections);
        prop_assert_eq!(counters.evicted, evicted);
        prop_assert_eq!(counters.lost[Lost::Slot as usize], slow);
        prop_assert_eq!(model.len() as u64 + evicted + made_room, connections);
    }
}
