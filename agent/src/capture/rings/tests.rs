use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::thread;

use agent_common::ring::{UNIT, has_room};
use proptest::prelude::*;

use super::*;

/// Rings in memory of our own, and the writers of their CPUs.
struct Site {
    cursors: Mapped<RingCursors>,
    segments: Mapped<RingSegment>,
    mask: u32,
}

impl Site {
    fn new(mask: u32, cpus: usize) -> (Self, Rings) {
        Self::at(0, mask, cpus)
    }

    /// Rings in which so many bytes were written and read before.
    fn at(position: u64, mask: u32, cpus: usize) -> (Self, Rings) {
        let (cursors, again) = twice::<RingCursors>(cpus);
        let (segments, reread) = twice(cpus * segments(mask) as usize);
        let mut rings = Rings::new(again, reread, mask, cpus);
        for (index, cpu) in rings.cpus.iter_mut().enumerate() {
            (cpu.position, cpu.told) = (position, position);
            let cursors = cursors.get(index).unwrap();
            cursors.produced.set(position);
            cursors.consumed.set(position);
        }
        let site = Self {
            cursors,
            segments,
            mask,
        };
        (site, rings)
    }

    /// Writes as the programs do: a time, then bytes that are known from it. False: no room.
    fn put(&self, cpu: u32, time: u64, length: usize) -> bool {
        let length = length.clamp(8, RECORD_MAX);
        let cursors = self.cursors.get(cpu as usize).unwrap();
        let produced = cursors.produced.get();
        let taken = footprint(length as u32);
        let consumed = atomic(&cursors.consumed).load(Ordering::Acquire);
        if !has_room(produced, consumed, taken, self.mask) {
            return false;
        }
        let (segment, offset) = place(produced, self.mask);
        let index = (cpu * segments(self.mask) + segment) as usize;
        let words = &self.segments.get(index).unwrap().words[offset as usize / 8..];
        words[0].set(length as u64);
        words[1].set(time);
        for (number, word) in words[2..=length.div_ceil(8)].iter().enumerate() {
            word.set(filling(time, number));
        }
        store(&cursors.produced, produced + u64::from(taken));
        true
    }
}

/// Memory for `entries` values, mapped twice, as by the kernel and by the agent.
fn twice<T: Mappable>(entries: usize) -> (Mapped<T>, Mapped<T>) {
    // SAFETY: a name that ends with 0, and no other pointers.
    let file = unsafe { libc::memfd_create(c"rings".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(file >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: just made, owned by nobody else.
    let file = unsafe { OwnedFd::from_raw_fd(file) };
    let file = std::fs::File::from(file);
    file.set_len((entries * size_of::<T>()) as u64).unwrap();
    let map = || Mapped::new(file.as_fd(), entries).unwrap();
    (map(), map())
}

fn filling(time: u64, number: usize) -> u64 {
    time.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number as u64
}

/// The time of a record, and its length; every byte of it is what was written.
fn checked(record: &[u8]) -> (u64, usize) {
    let (time, rest) = record.split_first_chunk().unwrap();
    let time = u64::from_ne_bytes(*time);
    for (number, bytes) in rest.chunks(8).enumerate() {
        assert_eq!(bytes, &filling(time, number).to_ne_bytes()[..bytes.len()]);
    }
    (time, record.len())
}

fn all(rings: &mut Rings) -> Vec<(u64, usize)> {
    rings.look();
    rest(rings)
}

/// What the last look saw and was not handed out yet.
fn rest(rings: &mut Rings) -> Vec<(u64, usize)> {
    let mut taken = Vec::new();
    while let Some(record) = rings.next() {
        taken.push(checked(record));
    }
    rings.done();
    taken
}

#[test]
fn the_ring_of_a_cpu_is_its_share() {
    let check = |ring, cpus, expected| assert_eq!(bytes_of_a_cpu(ring, cpus), expected);
    check(16 << 20, 1, 16 << 20);
    check(16 << 20, 2, 8 << 20);
    check(16 << 20, 6, 2 << 20);
    check(16 << 20, 64, 256 << 10);
    check(16 << 20, 256, 256 << 10);
    check(1 << 30, 1, 1 << 30);
    check(4096, 2, 4096);
    check(4096, 0, 4096);
}

#[test]
fn records_of_all_cpus_come_by_their_times_and_of_each_as_they_were_written() {
    let (site, mut rings) = Site::new(4095, 3);
    for (cpu, time) in [(0, 5), (0, 7), (1, 6), (2, 1), (1, 6), (1, 2), (2, 9)] {
        assert!(site.put(cpu, time, 40));
    }
    let times = |taken: Vec<(u64, usize)>| -> Vec<u64> {
        taken.into_iter().map(|(time, _)| time).collect()
    };
    assert_eq!(times(all(&mut rings)), [1, 5, 6, 6, 2, 7, 9]);
    assert_eq!(times(all(&mut rings)), [] as [u64; 0]);
    assert!(site.put(2, 3, 40));
    assert_eq!(times(all(&mut rings)), [3]);
}

#[test]
fn a_look_hands_out_what_it_saw_and_no_more() {
    let (site, mut rings) = Site::new(4095, 2);
    assert!(site.put(0, 1, 40) && site.put(0, 2, 100));
    assert_eq!(rings.look(), 64 + 128);
    assert!(site.put(0, 3, 40));
    let mut times = Vec::new();
    while let Some(record) = rings.next() {
        times.push(checked(record).0);
    }
    assert_eq!(times, [1, 2]);
    assert_eq!(rings.look(), 64);
}

#[test]
fn what_comes_between_the_rounds_waits_unless_it_is_older() {
    let (site, mut rings) = Site::new(4095, 3);
    assert!(site.put(0, 10, 40));
    // The question on CPU 1 and its answer on CPU 0: the first round may see the answer alone.
    rings.first_round();
    assert!(site.put(1, 5, 40) && site.put(1, 20, 40) && site.put(2, 9, 40));
    rings.second_round();
    assert_eq!(rest(&mut rings), [(5, 40), (9, 40), (10, 40)]);
    assert_eq!(all(&mut rings), [(20, 40)]);
    // Nothing was there, then all of it: none of it is known to be first.
    rings.first_round();
    assert!(site.put(0, 31, 40));
    assert_eq!(rings.second_round(), 64);
    assert_eq!(rest(&mut rings), []);
    assert!(site.put(1, 30, 40));
    assert_eq!(all(&mut rings), [(30, 40), (31, 40)]);
}

#[test]
fn what_was_not_taken_comes_with_the_next_look() {
    let (site, mut rings) = Site::new(4095, 2);
    for time in 1..=6 {
        assert!(site.put(time as u32 % 2, time, 40));
    }
    rings.look();
    for time in 1..=3 {
        assert_eq!(checked(rings.next().unwrap()).0, time);
    }
    rings.done();
    let rest: Vec<u64> = all(&mut rings).into_iter().map(|(time, _)| time).collect();
    assert_eq!(rest, [4, 5, 6]);
}

#[test]
fn a_full_ring_takes_nothing_until_it_is_read() {
    let (site, mut rings) = Site::new(4095, 2);
    let mut written = 0;
    while site.put(1, written, 24) {
        written += 1;
    }
    assert_eq!(written as usize, 4096 / UNIT);
    assert!(site.put(0, written, 24), "the other CPU has its own");
    rings.look();
    assert!(rings.next().is_some() && rings.next().is_some());
    // The record at hand is not free yet.
    assert!(!site.put(1, written, 56));
    rings.done();
    assert!(site.put(1, written, 24) && site.put(1, written, 24));
    assert!(!site.put(1, written, 24));
}

#[test]
fn a_length_that_no_record_has_ends_a_row_and_no_other() {
    // The last: no more than a record may have, but more than was written.
    for length in [RECORD_MAX as u64 + 1, u64::MAX, 200] {
        let (site, mut rings) = Site::new(4095, 2);
        for time in 1..=4 {
            assert!(site.put(time as u32 % 2, time, 40));
        }
        site.segments.get(1).unwrap().words[0].set(length);
        rings.look();
        let mut lengths = Vec::new();
        while let Some(record) = rings.next() {
            lengths.push(record.len());
        }
        rings.done();
        assert_eq!(lengths, [0, 40, 40], "{length}");
        assert!(site.put(1, 9, 40));
        assert_eq!(all(&mut rings), [(9, 40)]);
    }
}

proptest! {
    #[test]
    fn every_record_comes_once_and_whole(
        mask in prop::sample::select(vec![4095_u32, 8191, SEGMENT as u32 - 1, 2 * SEGMENT as u32 - 1]),
        // So near to the end of a segment that many records reach beyond it, also of the last, and where positions
        // no longer fit into 32 bits.
        end in prop::sample::select(vec![SEGMENT as u64, 2 * SEGMENT as u64, 1 << 32]),
        before in 0_u64..200,
        steps in prop::collection::vec((0_u32..3, 8_usize..=RECORD_MAX, 0_u8..20), 1..300),
    ) {
        let (site, mut rings) = Site::at(end - before * UNIT as u64, mask, 3);
        let mut waiting = Vec::new();
        let mut taken = Vec::new();
        for (time, (cpu, length, read)) in steps.into_iter().enumerate() {
            if site.put(cpu, time as u64, length) {
                waiting.push((time as u64, length));
            }
            if read == 0 {
                taken.extend(all(&mut rings));
            }
        }
        taken.extend(all(&mut rings));
        prop_assert_eq!(taken, waiting);
    }
}

/// A question is written on one CPU, then its answer on another: no look sees the answer first, and nothing
/// is lost, though all go on at the same time.
#[test]
fn no_answer_comes_before_its_question() {
    const PAIRS: u64 = 50_000;
    const ANSWER: u64 = 1 << 19;
    const NUMBER: u64 = (1 << 20) - 1;
    let (site, mut rings) = Site::new(8191, 2);
    let clock = AtomicU64::new(1);
    // Even: the question may be written; odd: the answer.
    let turn = AtomicU64::new(0);
    let talk = |site: Talker<'_>, answers: u64| {
        for number in 0..PAIRS {
            while turn.load(Ordering::Acquire) != 2 * number + answers {
                thread::yield_now();
            }
            // The time is taken first, as by the programs.
            let time = (clock.fetch_add(1, Ordering::SeqCst) << 20) | number | (answers * ANSWER);
            while !site.put((number & 1 ^ answers) as u32, time) {
                thread::yield_now();
            }
            turn.store(2 * number + answers + 1, Ordering::Release);
        }
    };
    thread::scope(|scope| {
        for answers in [0, 1] {
            let (talk, site) = (&talk, Talker(&site));
            scope.spawn(move || talk(site, answers));
        }
        let mut come = 0;
        while come < 2 * PAIRS {
            rings.look();
            while let Some(record) = rings.next() {
                let number = checked(record).0 & NUMBER;
                assert_eq!(number, (come / 2) | ((come & 1) * ANSWER));
                come += 1;
            }
            rings.done();
        }
    });
}

/// Writes from a thread of its own.
struct Talker<'a>(&'a Site);

// SAFETY: a site is shared words, and the turns give each ring one writer at a time.
unsafe impl Send for Talker<'_> {}

impl Talker<'_> {
    fn put(&self, cpu: u32, time: u64) -> bool {
        self.0.put(cpu, time, 40)
    }
}
