//! Holds back what is said over and over. Pure: the time comes in, verdicts go out.
//!
//! Memory is bounded by the number of keys, and the keys are places in the code.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How many events of one key are said within a window.
pub(super) const OFTEN: u32 = 20;

/// The length of a window: it begins with the first event of a key.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// What is known of each key.
#[derive(Debug)]
pub(super) struct Repeats<K> {
    windows: HashMap<K, Window>,
}

#[derive(Debug)]
struct Window {
    begun: Instant,
    said: u32,
    suppressed: u64,
    example: String,
}

/// Events that were not said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suppressed<K> {
    pub(super) key: K,
    pub(super) count: u64,
    /// What the first event of the window said.
    pub(super) example: String,
}

impl<K: Hash + Eq + Copy> Repeats<K> {
    /// Nothing was said yet.
    pub(super) fn new() -> Self {
        Self {
            windows: HashMap::new(),
        }
    }

    /// Whether an event of `key` is to be said; if not, it is counted. Call [`due`](Self::due) with
    /// the same time before. `example` is asked for when a window begins.
    pub(super) fn say(&mut self, key: K, now: Instant, example: impl FnOnce() -> String) -> bool {
        let window = self.windows.entry(key).or_insert_with(|| Window {
            begun: now,
            said: 0,
            suppressed: 0,
            example: example(),
        });
        if window.said < OFTEN {
            window.said += 1;
            return true;
        }
        window.suppressed = window.suppressed.saturating_add(1);
        false
    }

    /// Ends the windows that are over, and gives those that had events suppressed.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Suppressed<K>> {
        let over = |window: &Window| now.saturating_duration_since(window.begun) >= WINDOW;
        let ended = self.windows.extract_if(|_, window| over(window));
        suppressed(ended)
    }

    /// Ends all windows, as [`due`](Self::due).
    pub(super) fn all(&mut self) -> Vec<Suppressed<K>> {
        suppressed(self.windows.drain())
    }
}

fn suppressed<K>(ended: impl Iterator<Item = (K, Window)>) -> Vec<Suppressed<K>> {
    ended
        .filter(|(_, window)| window.suppressed > 0)
        .map(|(key, window)| Suppressed {
            key,
            count: window.suppressed,
            example: window.example,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::{OFTEN, Repeats, Suppressed, WINDOW};

    fn say(repeats: &mut Repeats<char>, key: char, now: Instant) -> bool {
        repeats.say(key, now, || format!("first of {key}"))
    }

    fn suppressed(key: char, count: u64) -> Suppressed<char> {
        let example = format!("first of {key}");
        Suppressed {
            key,
            count,
            example,
        }
    }

    #[test]
    fn a_flood_is_held_back_and_counted_once() {
        let begun = Instant::now();
        let mut repeats = Repeats::new();
        let said = (0..100).filter(|_| say(&mut repeats, 'a', begun)).count();
        assert_eq!(said, OFTEN as usize);
        assert!(
            say(&mut repeats, 'b', begun),
            "another place is not concerned"
        );
        assert_eq!(repeats.due(begun + WINDOW / 2), []);
        let count = u64::from(100 - OFTEN);
        assert_eq!(repeats.due(begun + WINDOW), [suppressed('a', count)]);
        assert_eq!(repeats.due(begun + WINDOW), []);
        assert!(
            say(&mut repeats, 'a', begun + WINDOW),
            "a new window has begun"
        );
    }

    #[test]
    fn at_the_end_all_is_told() {
        let begun = Instant::now();
        let mut repeats = Repeats::new();
        let said = (0..OFTEN + 1)
            .filter(|_| say(&mut repeats, 'a', begun))
            .count();
        assert_eq!(said, OFTEN as usize);
        assert!(say(&mut repeats, 'b', begun));
        assert_eq!(repeats.all(), [suppressed('a', 1)]);
        assert_eq!(repeats.all(), []);
    }

    proptest! {
        /// Every event is said or counted once.
        #[test]
        fn said_and_suppressed_are_all(steps in prop::collection::vec((prop::char::range('a', 'c'), 0..2000_u64), 0..400)) {
            let mut now = Instant::now();
            let mut repeats = Repeats::new();
            let (mut said, mut held_back) = (0_u64, 0_u64);
            for (key, milliseconds) in &steps {
                now += Duration::from_millis(*milliseconds);
                held_back += repeats.due(now).iter().map(|one| one.count).sum::<u64>();
                said += u64::from(say(&mut repeats, *key, now));
            }
            held_back += repeats.all().iter().map(|one| one.count).sum::<u64>();
            prop_assert_eq!(said + held_back, steps.len() as u64);
        }
    }
}
