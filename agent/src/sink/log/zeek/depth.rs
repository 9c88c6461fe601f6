//! How many exchanges a session had so far, for `trans_depth`.

use std::collections::HashMap;
use std::mem;

use crate::session::identifier::Identifier;

/// Sessions that are remembered at least.
const KEPT: usize = 1 << 15;

/// Counts the exchanges of the sessions that had one lately. Two generations: when the younger is full,
/// the older is forgotten. All memory is taken at the start.
#[derive(Debug)]
pub(in crate::sink::log) struct Depths {
    young: HashMap<Identifier, u64>,
    old: HashMap<Identifier, u64>,
    kept: usize,
}

impl Depths {
    pub(in crate::sink::log) fn new() -> Self {
        Self::keeping(KEPT)
    }

    fn keeping(kept: usize) -> Self {
        let [young, old] = [(); 2].map(|()| HashMap::with_capacity(kept));
        Self { young, old, kept }
    }

    /// The number of one more exchange in its session, from 1.
    pub(in crate::sink::log) fn next(&mut self, session: Identifier) -> u64 {
        if let Some(depth) = self.young.get_mut(&session) {
            *depth += 1;
            return *depth;
        }
        if self.young.len() >= self.kept {
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let depth = self.old.get(&session).map_or(1, |depth| depth + 1);
        self.young.insert(session, depth);
        depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_and_forgotten() {
        let mut depths = Depths::keeping(2);
        let mut check = |session: u64, expected: u64| {
            assert_eq!(depths.next(Identifier::new(1, session)), expected);
        };
        check(1, 1);
        check(1, 2);
        check(2, 1);
        // 1 and 2 grow old, are still known, and become young again.
        check(3, 1);
        check(1, 3);
        // 3 and 1 grow old, 2 is forgotten.
        check(4, 1);
        check(1, 4);
        check(2, 1);
        check(1, 5);
    }
}
