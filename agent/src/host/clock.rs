//! From the kernel's monotonic clock, which stamps packets, to the clock on the wall.
//!
//! Both clocks run at the same rate (a time server that slews the one slews the other); what is
//! between them changes only when somebody sets the clock, at a leap second, and while the machine
//! sleeps. So a short list of offsets, each with the time from which it holds, is exact, also for
//! packets that were seen before a step and are written after it.

mod read;

pub use read::{ClockError, ClockKeeper, Sample};

/// The offsets between the two clocks, over time. Pure: it is told the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockMap {
    /// Never empty; ascending by `from_ns`.
    entries: Vec<Entry>,
}

/// What is added to monotonic time from a certain moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    from_ns: u64,
    offset_ns: i64,
}

impl ClockMap {
    /// How many offsets are remembered.
    pub const CAPACITY: usize = 64;

    /// Offsets that differ by no more than this are the same: reading two clocks one after the
    /// other is not exact.
    pub const TOLERANCE_NS: u64 = 100_000;

    /// A map that adds `offset_ns` at all times.
    pub fn new(offset_ns: i64) -> Self {
        let first = Entry {
            from_ns: 0,
            offset_ns,
        };
        Self {
            entries: vec![first],
        }
    }

    /// Nanoseconds since the epoch (UTC) at `monotonic_ns`. Times that do not fit stop at the ends
    /// of the range.
    pub fn wall(&self, monotonic_ns: u64) -> i64 {
        // Nearly always the last one.
        let entry = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.from_ns <= monotonic_ns);
        let offset = entry
            .or_else(|| self.entries.first())
            .map_or(0, |entry| entry.offset_ns);
        i64::try_from(monotonic_ns)
            .unwrap_or(i64::MAX)
            .saturating_add(offset)
    }

    /// From `now_ns` on, `offset_ns` holds. Returns whether that changed anything: not if it is the
    /// present offset within [`Self::TOLERANCE_NS`], nor if `now_ns` is before the last change.
    ///
    /// When the list is full, the entry goes whose absence moves times the least.
    pub fn push(&mut self, now_ns: u64, offset_ns: i64) -> bool {
        let Some(last) = self.entries.last() else {
            return false;
        };
        if offset_ns.abs_diff(last.offset_ns) <= Self::TOLERANCE_NS || now_ns < last.from_ns {
            return false;
        }
        self.entries.push(Entry {
            from_ns: now_ns,
            offset_ns,
        });
        if self.entries.len() > Self::CAPACITY {
            self.forget_the_smallest_step();
        }
        true
    }

    fn forget_the_smallest_step(&mut self) {
        // The first has nothing before it to take its place, the last is the present.
        let between = self.entries.windows(2).take(self.entries.len() - 2);
        let smallest = between
            .enumerate()
            .min_by_key(|(_, pair)| pair[0].offset_ns.abs_diff(pair[1].offset_ns));
        if let Some((before, _)) = smallest {
            self.entries.remove(before + 1);
        }
    }
}

/// How long a tick of the kernel's coarse clock is, in nanoseconds: 1 to 10 milliseconds.
#[must_use]
pub fn coarse_tick_ns() -> u64 {
    const USUAL: u64 = 4_000_000;
    let mut resolution = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `resolution` is valid for writes.
    let result = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut resolution) };
    u64::try_from(resolution.tv_nsec)
        .ok()
        .filter(|tick| result == 0 && *tick > 0)
        .unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_time_gets_the_offset_that_held_then() {
        let mut map = ClockMap::new(5_000);
        assert!(map.push(10 * SECOND, 3_000_000_000));
        assert!(map.push(20 * SECOND, -7_000_000_000));
        let check = |at: u64, expected: i64| assert_eq!(map.wall(at), expected, "{at}");
        check(0, 5_000);
        check(10 * SECOND - 1, 10_000_004_999);
        check(10 * SECOND, 13_000_000_000);
        check(20 * SECOND - 1, 22_999_999_999);
        check(20 * SECOND, 13_000_000_000);
        check(30 * SECOND, 23_000_000_000);
    }

    #[test]
    fn noise_is_no_change_and_time_does_not_go_back() {
        let mut map = ClockMap::new(0);
        assert!(!map.push(1, 100_000));
        assert!(!map.push(1, -100_000));
        assert!(map.push(100, 100_001));
        assert!(!map.push(99, 900_000), "before the last change");
        assert_eq!(map.entries.len(), 2);
    }

    /// Steps below the tolerance that add up are noticed when their sum passes it.
    #[test]
    fn a_slow_drift_is_followed_within_the_tolerance() {
        let mut map = ClockMap::new(0);
        for second in 1..=10_000_u64 {
            let offset = i64::try_from(second * 30_000).unwrap();
            map.push(second * SECOND, offset);
            let exact = i64::try_from(second * SECOND).unwrap() + offset;
            assert!(map.wall(second * SECOND).abs_diff(exact) <= ClockMap::TOLERANCE_NS);
        }
        assert!(map.entries.len() <= ClockMap::CAPACITY);
    }

    #[test]
    fn a_big_step_outlives_many_small_ones() {
        let mut map = ClockMap::new(0);
        map.push(SECOND, 3_600_000_000_000);
        for second in 2..500_u64 {
            let small = i64::try_from(second % 2 * 200_000).unwrap();
            map.push(second * SECOND, 3_600_000_000_000 + small);
        }
        assert_eq!(map.entries.len(), ClockMap::CAPACITY);
        assert_eq!(map.wall(SECOND - 1), 999_999_999);
        assert!(map.wall(SECOND).abs_diff(3_601_000_000_000) < 1_000_000);
    }

    proptest! {
        #[test]
        fn it_stays_bounded_sorted_and_right_about_the_present(
            offset in any::<i64>(),
            pushes in proptest::collection::vec((any::<u64>(), any::<i64>()), 0..200),
            probe in any::<u64>(),
        ) {
            let mut map = ClockMap::new(offset);
            for (now, offset) in pushes {
                if map.push(now, offset) {
                    let exact = i64::try_from(now).unwrap_or(i64::MAX).saturating_add(offset);
                    prop_assert_eq!(map.wall(now), exact);
                }
                prop_assert!(map.entries.len() <= ClockMap::CAPACITY);
                prop_assert!(map.entries.is_sorted_by_key(|entry| entry.from_ns));
            }
            map.wall(probe);
        }
    }
}
