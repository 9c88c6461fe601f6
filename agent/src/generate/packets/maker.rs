//! Frames of many connections, woven into each other: a group of connections at a time, each from a stream
//! of its own, so that the same seed gives the same frames.

use std::ops::Range;

use super::lane::{Lane, Order};
use super::shape::Shape;
use super::truth::Truth;
use crate::generate::draw::below;
use crate::generate::seed::Seed;

/// Connections that go on at the same time.
pub const WIDTH: u64 = 8;

/// Frames of a connection that follow each other at most, where another could go on.
const BURST: u32 = 3;

/// What is made.
#[derive(Clone, Debug)]
pub struct Maker {
    seed: Seed,
    /// The shape and number of each connection of a round.
    round: Vec<(Shape, u64)>,
    exchanges: u32,
    notes: bool,
}

/// Frames, one behind the other, and what they hold.
#[derive(Debug, Default)]
pub struct Group {
    /// All of them.
    pub bytes: Vec<u8>,
    /// Where each ends.
    pub ends: Vec<usize>,
    /// What they hold, where that is wanted; frames are counted from the first of the group.
    pub truth: Vec<Truth>,
    lanes: Vec<Lane>,
    going: Vec<usize>,
}

impl Maker {
    /// Of these shapes; `exchanges`: those of [`Shape::Keepalive`]; `notes`: whether the truth is wanted.
    #[must_use]
    pub fn new(seed: Seed, shapes: &[Shape], exchanges: u32, notes: bool) -> Self {
        let round = shapes
            .iter()
            .flat_map(|shape| (0..shape.connections()).map(|index| (*shape, index)))
            .collect();
        Self {
            seed,
            round,
            exchanges,
            notes,
        }
    }

    /// Groups of one round: enough that each case of each shape comes once.
    #[must_use]
    pub fn groups(&self) -> u64 {
        (self.round.len() as u64).div_ceil(WIDTH)
    }

    /// Makes the group of this number, in place of what is there.
    pub fn make(&self, number: u64, group: &mut Group) {
        group.bytes.clear();
        group.ends.clear();
        group.truth.clear();
        group.going.clear();
        let (round, place) = (number / self.groups().max(1), number % self.groups().max(1));
        let first = place * WIDTH;
        let connections = (self.round.len() as u64).saturating_sub(first).min(WIDTH);
        while group.lanes.len() < connections as usize {
            group.lanes.push(Lane::new());
        }
        for lane in 0..connections {
            let Some((shape, index)) = self.round.get((first + lane) as usize) else {
                continue;
            };
            group.lanes[lane as usize].begin(&Order {
                seed: self.seed,
                number: round * self.round.len() as u64 + first + lane,
                shape: *shape,
                // Later rounds go on where the one before ended.
                index: round * shape.connections() + index,
                exchanges: self.exchanges,
                notes: self.notes,
            });
            group.going.push(lane as usize);
        }
        let mut stream = self.seed.stream("packets, woven", number);
        while !group.going.is_empty() {
            let at = below(&mut stream, group.going.len() as u32) as usize;
            let lane = &mut group.lanes[group.going[at]];
            for _ in 0..=below(&mut stream, BURST) {
                if lane.frame(group.ends.len() as u64, &mut group.bytes) {
                    group.ends.push(group.bytes.len());
                }
            }
            if lane.is_done() {
                if self.notes {
                    lane.tell(&mut group.truth);
                }
                group.going.swap_remove(at);
            }
        }
    }
}

impl Group {
    /// The frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.part(0..self.len())
    }

    /// These of the frames.
    pub fn part(&self, frames: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let before = frames
            .start
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let mut begin = before.copied().unwrap_or(0);
        let ends = self.ends.get(frames).unwrap_or_default();
        ends.iter().map(move |end| {
            let frame = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            frame
        })
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(maker: &Maker, number: u64) -> Group {
        let mut group = Group::default();
        maker.make(number, &mut group);
        group
    }

    #[test]
    fn the_same_seed_makes_the_same_frames_and_another_others() {
        let maker = |seed| Maker::new(Seed(seed), &Shape::ALL, 50, true);
        let mut used = Group::default();
        for number in [0, 3, 1, maker(7).groups() - 1, maker(7).groups()] {
            maker(7).make(number, &mut used);
            let fresh = made(&maker(7), number);
            assert_eq!(used.bytes, fresh.bytes);
            assert_eq!(used.truth, fresh.truth);
            assert_ne!(fresh.bytes, made(&maker(8), number).bytes);
            let silent = Maker::new(Seed(7), &Shape::ALL, 50, false);
            let silent = made(&silent, number);
            assert_eq!((&silent.bytes, silent.truth.len()), (&fresh.bytes, 0));
        }
    }

    /// A change here changes every capture that was ever made from a seed.
    #[test]
    fn frames_are_what_they_were() {
        let maker = Maker::new(Seed(7), &Shape::ALL, 50, false);
        let mut sum = 0;
        for number in 0..maker.groups() {
            sum = crc32fast::hash(
                &[&made(&maker, number).bytes[..], &u32::to_le_bytes(sum)].concat(),
            );
        }
        assert_eq!(sum, FINGERPRINT);
    }

    const FINGERPRINT: u32 = 79_595_145;

    #[test]
    fn every_shape_comes_with_all_its_connections() {
        for shape in Shape::ALL {
            let maker = Maker::new(Seed(1), &[shape], 20, true);
            let mut sessions = 0;
            for number in 0..maker.groups() {
                let group = made(&maker, number);
                assert_eq!(group.frames().count(), group.len());
                assert!(
                    group
                        .frames()
                        .all(|frame| (60..=1518).contains(&frame.len()))
                );
                for truth in &group.truth {
                    match truth {
                        Truth::Session(session) => {
                            sessions += 1;
                            assert!(session.packets_out > 0 && session.shape == shape);
                        }
                        Truth::Message(message) => {
                            let whole = message.seen == super::super::truth::Seen::Whole;
                            assert!(whole || shape.loses(), "{message:?}");
                        }
                        Truth::Exchange(_) => {}
                    }
                }
            }
            assert_eq!(sessions, shape.connections(), "{shape}");
        }
    }
}
