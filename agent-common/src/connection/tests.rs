//! Keys from both directions, and the word of a release.

extern crate std;

use proptest::prelude::*;

use super::*;

/// Few values, so that equal ones meet.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..3, any::<u64>()]
}

fn endpoint() -> impl Strategy<Value = (Address, u16)> {
    ([word(), word()], prop_oneof![0_u16..3, any::<u16>()])
}

fn key(source: (Address, u16), destination: (Address, u16)) -> (Key, u32) {
    let mut segment = Segment::default();
    (segment.source, segment.source_port_be) = source;
    (segment.destination, segment.destination_port_be) = destination;
    Key::of(&segment)
}

proptest! {
    #[test]
    fn both_directions_have_one_key_and_two_sides(one in endpoint(), other in endpoint()) {
        let (there, back) = (key(one, other), key(other, one));
        prop_assert_eq!(there.0, back.0);
        // Who talks to itself has one side.
        prop_assert_eq!(there.1 ^ back.1, u32::from(one != other));
        prop_assert!(there.1 < 2);
    }

    #[test]
    fn other_endpoints_have_another_key(
        one in endpoint(), other in endpoint(), third in endpoint(),
    ) {
        if third != other {
            prop_assert_ne!(key(one, other).0, key(one, third).0);
        }
    }

    #[test]
    fn a_key_holds_both_endpoints(one in endpoint(), other in endpoint()) {
        let (Key { low, high, ports }, side) = key(one, other);
        let ends = [(low, (ports >> 16) as u16), (high, ports as u16)];
        prop_assert_eq!(ends[side as usize], one);
        prop_assert_eq!(ends[1 - side as usize], other);
    }

    #[test]
    fn a_release_says_what_it_was_told(
        generation: u32, records: u32, opaque: bool, by in 1_u32..1 << 30,
    ) {
        let word = Release { generation, records, opaque }.to_word();
        prop_assert_ne!(word, 0);
        prop_assert!(Release::applies(word, generation, records));
        prop_assert_eq!(Release::is_opaque(word, generation), opaque);
        prop_assert!(!Release::applies(word, generation.wrapping_add(by), records));
        prop_assert!(!Release::is_opaque(word, generation.wrapping_add(by)));
        prop_assert!(!Release::applies(word, generation, records.wrapping_add(by)));
    }
}

#[test]
fn no_release_releases_nothing() {
    assert!(!Release::applies(0, 0, 0));
    assert!(!Release::is_opaque(0, 0));
}
