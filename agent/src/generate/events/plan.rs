//! Where anomalies lie among normal records. Pure.
//!
//! Records are planned by the segment. A segment has as many anomalous records as its part of the share
//! says, to the record. Each anomaly lies somewhere about a stretch of records whose length goes by its
//! own, so that the share holds along the way, and normal records come between its own, so that traffic
//! goes on. One may begin before the last is over, as trouble does. The first one of a run comes soon.

use rand_chacha::ChaCha8Rng;

use super::anomaly::Episode;
use super::family::Family;
use super::model::Model;
use crate::config::Word as _;
use crate::generate::blocks::RECORDS;
use crate::generate::draw::{below, between};

/// Records that are planned together: a whole number of blocks.
pub(super) const SEGMENT: u64 = 64 * RECORDS;

/// The anomalies of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) episodes: Vec<Episode>,
    /// The anomalous records, in order.
    pub(super) slots: Vec<Slot>,
}

/// An anomalous record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    /// Its place in the segment.
    pub(super) record: u32,
    /// What it belongs to.
    pub(super) episode: u32,
    /// Which of the records of that it is, from 0.
    pub(super) number: u32,
}

/// Which part of a run a plan is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// Its begin.
    First,
    Other,
}

/// Anomalous records among the first `records`.
pub(super) fn among(records: u64, share: f64) -> u64 {
    ((records as f64 * share + 0.5) as u64).min(records)
}

impl Plan {
    /// Plans `anomalous` of `records` records.
    pub(super) fn new(
        model: &Model,
        stream: &mut ChaCha8Rng,
        part: Part,
        records: u32,
        anomalous: u32,
    ) -> Self {
        let mut plan = Self::default();
        let Some(weights) = &model.family_weights else {
            return plan;
        };
        let anomalous = anomalous.min(records);
        let mut free = Free::new(records);
        let mut planned = 0;
        while planned < anomalous {
            let family = Family::ALL[weights.draw(stream)];
            let own = length(model.durations[family.index()], stream)
                .min(anomalous - planned)
                .max(1);
            // The stretch of records that this anomaly lies in: its part of all.
            let stretch = |planned: u32| {
                (u64::from(records) * u64::from(planned) / u64::from(anomalous)) as u32
            };
            let (first, end) = (stretch(planned), stretch(planned + own));
            let over = spread(own, records, anomalous).min(end - first);
            // Beyond it by half of it, the less the fewer normal records there are.
            let normal = u64::from(records - anomalous);
            let beyond = u64::from(end - first) * normal / u64::from(records) / 2;
            let beyond = beyond as u32;
            let least = first.saturating_sub(beyond);
            let most = (end - over).saturating_add(beyond).min(records - over);
            let most = match (part, planned) {
                (Part::First, 0) => most.min(own),
                _ => most,
            };
            let begin = least + below(stream, most.saturating_sub(least) + 1);
            let episode = Episode::new(model, stream, family, own);
            plan.lay(episode, begin, over, &mut free, stream);
            planned += own;
        }
        plan.slots.sort_unstable_by_key(|slot| slot.record);
        plan
    }

    /// Lays the records of an anomaly over `over` records or more, one in each part of those that are
    /// free: the first of them and the last are its own.
    fn lay(
        &mut self,
        episode: Episode,
        begin: u32,
        over: u32,
        free: &mut Free,
        stream: &mut ChaCha8Rng,
    ) {
        let own = episode.records;
        let place = self.episodes.len() as u32;
        let found = free.about(begin, over, own);
        let length = found.len() as u64;
        for number in 0..own {
            let part = |number: u32| (length * u64::from(number) / u64::from(own)) as u32;
            let (from, to) = (part(number), part(number + 1));
            let at = match number {
                0 => from,
                _ if number + 1 == own => to - 1,
                _ => from + below(stream, to - from),
            };
            let record = found[at as usize];
            free.take(record);
            self.slots.push(Slot {
                record,
                episode: place,
                number,
            });
        }
        self.episodes.push(episode);
    }
}

/// The records that belong to no anomaly yet.
struct Free(Vec<bool>);

impl Free {
    fn new(records: u32) -> Self {
        Self(vec![true; records as usize])
    }

    fn take(&mut self, record: u32) {
        self.0[record as usize] = false;
    }

    /// The free ones among the `over` records from `begin` on, and about them, until there are `least`
    /// (of which there are as many in all).
    fn about(&self, begin: u32, over: u32, least: u32) -> Vec<u32> {
        let is_free = |record: &u32| self.0[*record as usize];
        let records = self.0.len() as u32;
        let (mut begin, mut end) = (begin, begin + over);
        let mut count = (begin..end).filter(is_free).count() as u32;
        while count < least {
            if end < records {
                count += u32::from(is_free(&end));
                end += 1;
            }
            if begin > 0 && count < least {
                begin -= 1;
                count += u32::from(is_free(&begin));
            }
        }
        (begin..end).filter(is_free).collect()
    }
}

/// How many records an anomaly has: from half of what is usual for its family to half as many again.
fn length(usual: u32, stream: &mut ChaCha8Rng) -> u32 {
    between(stream, usual.div_ceil(2), usual.saturating_add(usual / 2))
}

/// How many records an anomaly with `own` records is spread over: every second, or more where there are
/// more anomalous ones than that.
fn spread(own: u32, records: u32, anomalous: u32) -> u32 {
    let (records, anomalous) = (u64::from(records), u64::from(anomalous));
    // Its density is halfway between the share and all.
    let length = u64::from(own) * 2 * records / (records + anomalous);
    u32::try_from(length).unwrap_or(u32::MAX).max(own)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::generate::events::config::EventsConfig;
    use crate::generate::seed::Seed;

    fn plan(records: u32, anomalous: u32, seed: u64) -> Plan {
        let model = Model::new(&EventsConfig::default(), Seed(1));
        Plan::new(
            &model,
            &mut Seed(seed).stream("plan", 0),
            Part::First,
            records,
            anomalous,
        )
    }

    fn check(records: u32, anomalous: u32, seed: u64) {
        let plan = plan(records, anomalous, seed);
        assert_eq!(plan.slots.len() as u32, anomalous.min(records));
        let in_order = plan
            .slots
            .windows(2)
            .all(|pair| pair[0].record < pair[1].record);
        assert!(in_order, "{records} {anomalous} {seed}");
        assert!(plan.slots.iter().all(|slot| slot.record < records));
        let mut numbers = vec![0; plan.episodes.len()];
        for slot in &plan.slots {
            assert_eq!(slot.number, numbers[slot.episode as usize]);
            numbers[slot.episode as usize] += 1;
        }
        let own: Vec<u32> = plan
            .episodes
            .iter()
            .map(|episode| episode.records)
            .collect();
        assert_eq!(numbers, own);
    }

    #[test]
    fn shares_are_exact() {
        for (records, anomalous) in [
            (0, 0),
            (1, 1),
            (1, 0),
            (1000, 50),
            (1000, 1000),
            (1000, 999),
            (65_536, 3277),
            (65_536, 1),
        ] {
            check(records, anomalous, 3);
        }
        assert_eq!(among(1000, 0.05), 50);
        assert_eq!(among(7, 1.0), 7);
        assert_eq!(among(7, 0.0), 0);
    }

    #[test]
    fn normal_records_come_in_between() {
        let plan = plan(65_536, 3277, 5);
        for (place, episode) in plan.episodes.iter().enumerate() {
            let own: Vec<u32> = plan
                .slots
                .iter()
                .filter(|slot| slot.episode as usize == place)
                .map(|slot| slot.record)
                .collect();
            if episode.records < 10 {
                continue;
            }
            let over = own[own.len() - 1] - own[0] + 1;
            let share = f64::from(episode.records) / f64::from(over);
            assert!((0.2..0.75).contains(&share), "{own:?}");
        }
    }

    /// From the first record of each anomaly to the last.
    fn windows(plan: &Plan) -> Vec<(u32, u32)> {
        let mut windows = vec![(u32::MAX, 0); plan.episodes.len()];
        for slot in &plan.slots {
            let (first, last) = &mut windows[slot.episode as usize];
            *first = slot.record.min(*first);
            *last = slot.record.max(*last);
        }
        windows
    }

    #[test]
    fn windows_differ_in_length_and_may_overlap() {
        let plan = plan(65_536, 3277, 5);
        let model = Model::new(&EventsConfig::default(), Seed(1));
        for family in Family::ALL {
            let usual = model.durations[family.index()];
            let lengths: BTreeSet<u32> = plan
                .episodes
                .iter()
                .filter(|episode| episode.family() == *family)
                .map(|episode| episode.records)
                .collect();
            assert!(lengths.len() > 3, "{lengths:?}");
            assert!(lengths.last().unwrap() <= &(usual * 3 / 2));
        }
        let (mut overlaps, mut all) = (0, 0);
        for seed in 0..20 {
            let mut windows = windows(&self::plan(65_536, 3277, seed));
            windows.sort_unstable();
            all += windows.len();
            let overlap = |pair: &&[(u32, u32)]| pair[0].1 > pair[1].0;
            overlaps += windows.windows(2).filter(overlap).count();
        }
        let share = overlaps as f64 / all as f64;
        assert!((0.02..0.15).contains(&share), "{overlaps} of {all}");
    }

    #[test]
    fn a_run_does_not_begin_with_normal_records_alone() {
        for (records, share) in [(65_536, 0.05), (65_536, 0.001), (65_536, 0.5)] {
            for seed in 0..20 {
                let plan = plan(records, among(records.into(), share) as u32, seed);
                let first = plan.slots[0].record;
                assert!(first <= 75, "{share} {seed}: {first}");
            }
        }
    }

    #[test]
    fn the_share_holds_along_the_way() {
        let plan = plan(65_536, 3277, 5);
        for part in 1..=6 {
            let records = part * 10_000;
            let found = plan
                .slots
                .iter()
                .filter(|slot| slot.record < records)
                .count() as f64;
            let expected = f64::from(records) * 0.05;
            assert!((found - expected).abs() <= 120.0, "{found} of {expected}");
        }
    }

    proptest! {
        #[test]
        fn any_share(records in 0..5000_u32, share in 0.0..=1.0_f64, seed: u64) {
            check(records, among(records.into(), share) as u32, seed);
        }
    }
}
