//! The word of a slot by which the reader and the kernel side tell each other what became of a flow's packets,
//! so that each is counted once: on record, or as left out. Pure: words in, words out; both sides change a word by
//! compare-and-swap alone.
//!
//! The reader says what it has on record ([`known_word`]). A flow that leaves without room for its record says
//! so (`left`): then nobody may put it on record any more, though its image is at hand. While the
//! reader looks at a flow ([`looked_at`], [`looked`]) that stays to be read, whatever comes to the slot next.

/// The reader takes the flow as over.
const LAST: u64 = 1;
/// The reader is looking at the flow.
const LOOKING: u64 = 1 << 1;
/// The flow has left, and what the reader did not have is counted as left out.
const GONE: u64 = 1 << 2;

/// Packets stand behind these flags, modulo a power of two.
const PACKETS_SHIFT: u32 = 3;
const PACKETS: u64 = (1 << (32 - PACKETS_SHIFT)) - 1;

/// The word by which the reader says what it has of the flow in a slot: of this generation, so many packets
/// (both directions). `last`: it takes the flow as over; if no more packets came, the kernel sends no
/// record when it leaves. Otherwise the word tells how many packets are lost where there is no room for
/// that record.
#[inline(always)]
#[must_use]
pub fn known_word(generation: u32, packets: u64, last: bool) -> u64 {
    u64::from(generation) << 32 | (packets & PACKETS) << PACKETS_SHIFT | (last as u64 * LAST)
}

/// The word while the reader looks at a flow of this generation; `None`: it has left, or one that came later
/// has.
#[must_use]
pub fn looked_at(word: u64, generation: u32) -> Option<u64> {
    let ahead = generation_of(word).wrapping_sub(generation).cast_signed();
    if word & GONE != 0 && ahead >= 0 {
        return None;
    }
    let known = match ahead {
        0 => word,
        _ => known_word(generation, 0, false),
    };
    Some(known | LOOKING)
}

/// The word behind that: `told` is what is on record now, packets and whether it takes the flow as over; `None`:
/// nothing new. With it the number of packets that were counted as left out meanwhile although they are on
/// record.
#[must_use]
pub fn looked(word: u64, generation: u32, told: Option<(u64, bool)>) -> (u64, u64) {
    let is_it = generation_of(word) == generation;
    if word & GONE != 0 {
        let is_new = is_it && word & LOOKING != 0;
        let twice = told.filter(|_| is_new).map_or(0, |(packets, _)| {
            let beyond = packets.wrapping_sub(word >> PACKETS_SHIFT) & PACKETS;
            // The record may be of a moment before.
            if beyond > PACKETS / 2 { 0 } else { beyond }
        });
        return (if is_it { word & !LOOKING } else { word }, twice);
    }
    match told {
        Some((packets, last)) => (known_word(generation, packets, last), 0),
        None if is_it => (word & !LOOKING, 0),
        None => (word, 0),
    }
}

/// How many of so many packets the reader does not have, and whether it takes the flow as over.
#[inline(always)]
pub(crate) fn unknown(word: u64, generation: u32, packets: u64) -> (u64, bool) {
    if generation_of(word) != generation || word & GONE != 0 {
        return (packets, false);
    }
    (
        packets.wrapping_sub(word >> PACKETS_SHIFT) & PACKETS,
        word & LAST != 0,
    )
}

/// Of a flow that leaves with so many packets, `unsent` of which no record has that was sent, and for whose
/// record there is no room: how many are lost, and the word behind it.
#[inline(always)]
pub(crate) fn left(word: u64, generation: u32, packets: u64, unsent: u64) -> (u64, u64) {
    let (unknown, _) = unknown(word, generation, packets);
    let lost = if unsent < unknown { unsent } else { unknown };
    if word & (LOOKING | GONE) == LOOKING | GONE {
        // The reader still looks at one that left before: it has to find that, and knows nothing of this one.
        return (lost, word);
    }
    let looking = if generation_of(word) == generation {
        word & LOOKING
    } else {
        0
    };
    let on_record = known_word(generation, packets.wrapping_sub(lost), false);
    (lost, on_record | GONE | looking)
}

#[inline(always)]
fn generation_of(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_lost() {
        let check = |word, generation, packets, expected| {
            assert_eq!(unknown(word, generation, packets), expected, "{word:#x}");
        };
        check(0, 7, 5, (5, false));
        check(known_word(7, 5, true), 7, 5, (0, true));
        check(known_word(7, 3, false), 7, 5, (2, false));
        check(known_word(6, 5, true), 7, 5, (5, false));
        check(
            looked_at(known_word(7, 3, false), 7).unwrap(),
            7,
            5,
            (2, false),
        );
        // Packets are reckoned modulo a power of two.
        check(
            known_word(7, PACKETS + 4, false),
            7,
            PACKETS + 6,
            (2, false),
        );
        assert_eq!(left(known_word(7, 3, false), 7, 5, 5).0, 2);
        assert_eq!(left(known_word(7, 3, false), 7, 5, 1).0, 1);
    }

    #[test]
    fn who_left_is_not_looked_at() {
        let gone = left(0, 7, 5, 5).1;
        for (generation, is_there) in [(6, false), (7, false), (8, true)] {
            assert_eq!(looked_at(gone, generation).is_some(), is_there);
        }
        assert!(looked_at(left(0, u32::MAX, 5, 5).1, 0).is_some());
        assert!(looked_at(known_word(9, 1, true), 7).is_some());
    }

    /// What one side does to the word, in an order of its own; the sides take turns in every way there is.
    #[derive(Clone, Copy)]
    enum Step {
        /// The reader looks at the flow that it has an image of.
        Look(u32),
        /// It has that on record.
        Tell(u32, u64),
        /// A flow leaves without room.
        Leave(u32, u64),
    }

    #[derive(Clone, Copy, Default)]
    struct Account {
        word: u64,
        is_looking: bool,
        on_record: u64,
        lost: u64,
        twice: u64,
    }

    impl Account {
        fn step(mut self, step: Step) -> Self {
            match step {
                Step::Look(generation) => {
                    let looked_at = looked_at(self.word, generation);
                    self.is_looking = looked_at.is_some();
                    self.word = looked_at.unwrap_or(self.word);
                }
                Step::Tell(generation, packets) if self.is_looking => {
                    self.on_record += packets;
                    let (word, twice) = looked(self.word, generation, Some((packets, false)));
                    (self.word, self.twice) = (word, self.twice + twice);
                }
                Step::Tell(..) => {}
                Step::Leave(generation, packets) => {
                    let (lost, word) = left(self.word, generation, packets, packets);
                    (self.word, self.lost) = (word, self.lost + lost);
                }
            }
            self
        }
    }

    fn every_order(reader: &[Step], kernel: &[Step], account: Account, total: u64, seen: &mut u32) {
        if reader.is_empty() && kernel.is_empty() {
            *seen += 1;
            // What left before it was looked at is lost, as a whole; the rest is on record.
            assert_eq!(account.on_record + account.lost - account.twice, total);
            return;
        }
        if let [step, rest @ ..] = reader {
            every_order(rest, kernel, account.step(*step), total, seen);
        }
        if let [step, rest @ ..] = kernel {
            every_order(reader, rest, account.step(*step), total, seen);
        }
    }

    #[test]
    fn whoever_is_first_each_packet_is_counted_once() {
        use Step::{Leave, Look, Tell};
        let mut seen = 0;
        // The image has all packets of the flow, or those of a moment before.
        for image in [5, 3] {
            let reader = [Look(7), Tell(7, image)];
            let kernel = [Leave(7, 5), Leave(8, 4), Leave(9, 1)];
            every_order(&reader, &kernel, Account::default(), 10, &mut seen);
        }
        assert_eq!(seen, 20);
    }
}
