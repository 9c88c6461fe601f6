//! The reader's end of the rings: records of all CPUs, in the order of their times, where they lie.
//!
//! See [`agent_common::ring`] for how a ring is laid out. A look notes how far each was written, twice. What
//! the first round saw is handed out, and of what only the second saw that which is older than something
//! of the first. So no record comes before one that its packet was an answer to, on whichever CPU that was: the
//! question was complete before the time of the answer was taken, and that time lies before the end of the first
//! round, because the answer is in that or is older than something that is. So the second round saw the question.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;

use agent_common::ring::{
    RECORD_MAX, RingCursors, RingSegment, SEGMENT, footprint, place, segments,
};
use agent_common::shared::Shared;

use super::mapped::{Mappable, Mapped, atomic};

/// Bytes after which the writer is told that they are free, at the latest.
const GIVE_BACK: u64 = 16 << 10;

// SAFETY: shared words only.
unsafe impl Mappable for RingCursors {}
// SAFETY: as above.
unsafe impl Mappable for RingSegment {}

/// Bytes of the ring of each CPU, where all together are to have `ring`: the largest power of two that is no more than
/// its share, but [`SEGMENT`] at least (or `ring`, if that is less): less would be too little for what one CPU may see
/// in a few milliseconds.
#[must_use]
pub fn bytes_of_a_cpu(ring: u32, cpus: usize) -> u32 {
    let share = (ring as usize / cpus.max(1)).max(1);
    let share = 1 << share.ilog2();
    share.max((ring as usize).min(SEGMENT)) as u32
}

/// The rings.
#[derive(Debug)]
pub struct Rings {
    cursors: Mapped<RingCursors>,
    segments: Mapped<RingSegment>,
    mask: u32,
    cpus: Vec<Cpu>,
    /// Times of the next records of CPUs, but for that of `current`.
    next: BinaryHeap<Reverse<(u64, u32)>>,
    /// The CPU whose record is at hand, or was last; `None`: all were handed out.
    current: Option<u32>,
    /// CPUs that have yet to hand out what the first round saw.
    firm: usize,
}

/// How far the ring of a CPU is read.
#[derive(Clone, Copy, Debug, Default)]
struct Cpu {
    /// Position of the next record.
    position: u64,
    /// What the writer was told of that.
    told: u64,
    /// Position that the first round saw.
    firm: u64,
    /// Position that the second round saw.
    seen: u64,
    /// Bytes of the ring that the record at hand takes.
    at_hand: u32,
}

impl Rings {
    /// The rings of `cpus` CPUs, with `mask + 1` bytes each.
    pub(super) fn new(
        cursors: Mapped<RingCursors>,
        segments: Mapped<RingSegment>,
        mask: u32,
        cpus: usize,
    ) -> Self {
        Self {
            cursors,
            segments,
            mask,
            cpus: vec![Cpu::default(); cpus],
            next: BinaryHeap::with_capacity(cpus),
            current: None,
            firm: 0,
        }
    }

    /// Bytes of the ring of a CPU.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.mask + 1
    }

    /// Sees what is there: [`Self::next`] hands it out. Gives the bytes that wait in the fullest ring.
    pub fn look(&mut self) -> u64 {
        self.first_round();
        self.second_round()
    }

    /// The next of the records that the last look saw. It is given back to its writer when the one behind it is asked
    /// for. A length that cannot be ends the CPU's row: what comes is empty then.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator cannot lend what it gives back"
    )]
    #[inline]
    pub fn next(&mut self) -> Option<&[u8]> {
        self.put_back();
        if self.firm == 0 {
            return None;
        }
        let index = self.choose()?;
        let cpu = self.cpus.get_mut(index as usize)?;
        let (start, length) = locate(&self.segments, self.mask, index, cpu.position)?;
        let taken = footprint(length.min(RECORD_MAX as u32 + 1));
        if length as usize > RECORD_MAX || cpu.position + u64::from(taken) > cpu.seen {
            self.firm -= usize::from(cpu.position < cpu.firm);
            cpu.position = cpu.seen;
            self.current = None;
            return Some(&[]);
        }
        cpu.at_hand = taken;
        // SAFETY: the record lies inside the segment and its margin, which stay mapped as long as `self` lives;
        // its writer wrote it before the position that a look has seen, and does not touch it before it is told
        // that it is free, which takes `self` anew.
        Some(unsafe { std::slice::from_raw_parts(start, length as usize) })
    }

    /// Tells all writers what is free.
    pub fn done(&mut self) {
        self.put_back();
        for index in 0..self.cpus.len() {
            self.tell(index);
        }
    }

    fn first_round(&mut self) {
        self.put_back();
        self.next.clear();
        self.current = None;
        self.firm = 0;
        for (index, cpu) in self.cpus.iter_mut().enumerate() {
            cpu.firm = produced(&self.cursors, index);
        }
    }

    fn second_round(&mut self) -> u64 {
        let mut fullest = 0;
        for (index, cpu) in self.cpus.iter_mut().enumerate() {
            cpu.seen = produced(&self.cursors, index);
            self.firm += usize::from(cpu.position < cpu.firm);
            fullest = fullest.max(cpu.seen.wrapping_sub(cpu.position));
        }
        for index in 0..self.cpus.len() as u32 {
            if let Some(time) = self.time(index) {
                self.next.push(Reverse((time, index)));
            }
        }
        fullest
    }

    /// The CPU with the oldest record.
    #[inline]
    fn choose(&mut self) -> Option<u32> {
        if let Some(current) = self.current {
            let time = self.time(current);
            let first = self.next.peek().map(|Reverse((time, _))| *time);
            match (time, first) {
                (Some(time), Some(first)) if time > first => {
                    self.next.push(Reverse((time, current)));
                }
                (Some(_), _) => return Some(current),
                (None, _) => {}
            }
        }
        self.current = self.next.pop().map(|Reverse((_, cpu))| cpu);
        self.current
    }

    /// The time of a CPU's next record: all kinds begin with it.
    #[inline]
    fn time(&self, index: u32) -> Option<u64> {
        let cpu = self.cpus.get(index as usize)?;
        if cpu.position >= cpu.seen {
            return None;
        }
        let (segment, offset) = place(cpu.position, self.mask);
        let segment = self
            .segments
            .get((index * segments(self.mask) + segment) as usize)?;
        Some(segment.words.get(offset as usize / 8 + 1)?.get())
    }

    /// Is done with the record at hand.
    #[inline]
    fn put_back(&mut self) {
        let Some(index) = self.current else { return };
        let Some(cpu) = self.cpus.get_mut(index as usize) else {
            return;
        };
        if cpu.at_hand == 0 {
            return;
        }
        let before = cpu.position;
        cpu.position += u64::from(cpu.at_hand);
        cpu.at_hand = 0;
        self.firm -= usize::from(before < cpu.firm && cpu.position >= cpu.firm);
        if cpu.position - cpu.told >= GIVE_BACK.min(u64::from(self.mask) / 8) {
            self.tell(index as usize);
        }
    }

    fn tell(&mut self, index: usize) {
        let (Some(cpu), Some(cursors)) = (self.cpus.get_mut(index), self.cursors.get(index)) else {
            return;
        };
        if cpu.told != cpu.position {
            cpu.told = cpu.position;
            store(&cursors.consumed, cpu.position);
        }
    }
}

/// Where the record at `position` begins, and its length.
#[inline]
fn locate(
    all: &Mapped<RingSegment>,
    mask: u32,
    cpu: u32,
    position: u64,
) -> Option<(*const u8, u32)> {
    let (segment, offset) = place(position, mask);
    let segment = all.get((cpu * segments(mask) + segment) as usize)?;
    let words = segment.words.get(offset as usize / 8..)?;
    let (length, record) = words.split_first()?;
    let length = u32::try_from(length.get()).unwrap_or(u32::MAX);
    Some((record.as_ptr().cast(), length))
}

/// How far the programs of a CPU have written: all before that position is complete.
fn produced(cursors: &Mapped<RingCursors>, cpu: usize) -> u64 {
    cursors.get(cpu).map_or(0, |cursors| {
        atomic(&cursors.produced).load(Ordering::SeqCst)
    })
}

/// A position that a program may write up to from now on.
fn store(word: &Shared<u64>, position: u64) {
    atomic(word).store(position, Ordering::Release);
}

#[cfg(test)]
mod tests;
