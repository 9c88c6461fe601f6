//! Which records of a body to send next: all at once, and when they are refused, halves of them, down
//! to the record at fault.

use std::ops::Range;

/// What is left to send of a body, first things first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    /// The next one is the last.
    ranges: Vec<Range<usize>>,
}

impl Plan {
    /// All records at once.
    pub(super) fn whole(records: usize) -> Self {
        let all = 0..records;
        Self {
            ranges: Vec::from_iter((!all.is_empty()).then_some(all)),
        }
    }

    /// Each record by itself.
    pub(super) fn singles(records: usize) -> Self {
        Self {
            ranges: (0..records).rev().map(|index| index..index + 1).collect(),
        }
    }

    /// What to send next. It is in the plan until it is [`settled`](Self::settle) or
    /// [`split`](Self::split).
    pub(super) fn next(&self) -> Option<Range<usize>> {
        self.ranges.last().cloned()
    }

    /// The next one is dealt with.
    pub(super) fn settle(&mut self) {
        self.ranges.pop();
    }

    /// The next one was refused: its halves come next. A record alone cannot be split and is settled.
    pub(super) fn split(&mut self) {
        let Some(range) = self.ranges.pop() else {
            return;
        };
        if range.len() > 1 {
            let middle = range.start + range.len() / 2;
            self.ranges.push(middle..range.end);
            self.ranges.push(range.start..middle);
        }
    }

    /// The next one is sent last. Whether there is another one to send before.
    pub(super) fn defer(&mut self) -> bool {
        let is_alone = self.ranges.len() < 2;
        if !is_alone {
            self.ranges.rotate_right(1);
        }
        !is_alone
    }

    /// The records that are left.
    pub(super) fn left(&self) -> impl Iterator<Item = usize> {
        self.ranges.iter().rev().flat_map(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Sends by the plan to a target that refuses whatever has a bad record in it. Gives what was
    /// stored, what was refused, and the number of requests.
    fn run(mut plan: Plan, bad: &BTreeSet<usize>) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut stored, mut refused, mut requests) = (Vec::new(), Vec::new(), 0);
        while let Some(range) = plan.next() {
            requests += 1;
            let before = plan.left().count();
            if !range.clone().any(|index| bad.contains(&index)) {
                stored.extend(range);
                plan.settle();
            } else if range.len() == 1 {
                refused.extend(range);
                plan.settle();
            } else {
                plan.split();
                assert_eq!(plan.left().count(), before);
            }
        }
        assert_eq!(plan.left().count(), 0);
        (stored, refused, requests)
    }

    #[test]
    fn one_record_at_fault_costs_few_requests() {
        for bad in 0..500 {
            let (stored, refused, requests) = run(Plan::whole(500), &BTreeSet::from([bad]));
            assert_eq!((stored.len(), refused), (499, vec![bad]));
            assert!(requests <= 1 + 2 * 9, "{bad}: {requests}");
        }
    }

    #[test]
    fn what_is_deferred_comes_last() {
        let mut plan = Plan::singles(3);
        assert!(plan.defer());
        assert_eq!(plan.left().collect::<Vec<_>>(), [1, 2, 0]);
        plan.settle();
        plan.settle();
        assert!(!plan.defer());
        assert_eq!(plan.next(), Some(0..1));
    }

    #[test]
    fn small_plans() {
        assert_eq!(Plan::whole(0).next(), None);
        assert_eq!(Plan::singles(0).next(), None);
        assert_eq!(Plan::singles(3).left().collect::<Vec<_>>(), [0, 1, 2]);
        let mut one = Plan::whole(1);
        one.split();
        assert_eq!(one.next(), None);
        one.split();
        one.settle();
    }

    proptest! {
        #[test]
        fn every_record_is_stored_or_refused_once_and_in_order(
            records in 0_usize..300,
            bad in prop::collection::btree_set(0_usize..300, 0..20),
            singly: bool,
        ) {
            let plan = if singly { Plan::singles(records) } else { Plan::whole(records) };
            let (stored, refused, requests) = run(plan, &bad);
            let bad: Vec<usize> = bad.into_iter().filter(|index| *index < records).collect();
            let good: Vec<usize> = (0..records).filter(|index| !bad.contains(index)).collect();
            prop_assert_eq!(&stored, &good);
            prop_assert_eq!(&refused, &bad);
            prop_assert!(requests <= 2 * records);
        }
    }
}
