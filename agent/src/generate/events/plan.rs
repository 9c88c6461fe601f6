//! Where anomalies lie among normal records. Pure.
//!
//! Records are planned by the segment. A segment has as many anomalous records as its part of the share
//! says, to the record. Its anomalies follow each other without overlap; each lies somewhere in a stretch
//! of records whose length goes by its own, so that the share holds along the way, and normal records
//! come between its own, so that traffic goes on.

use rand_chacha::ChaCha8Rng;

use super::anomaly::Episode;
use super::family::Family;
use super::model::Model;
use crate::config::Word as _;
use crate::generate::blocks::RECORDS;
use crate::generate::draw::below;

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

/// Anomalous records among the first `records`.
pub(super) fn among(records: u64, share: f64) -> u64 {
    ((records as f64 * share + 0.5) as u64).min(records)
}

impl Plan {
    /// Plans `anomalous` of `records` records.
    pub(super) fn new(
        model: &Model,
        stream: &mut ChaCha8Rng,
        records: u32,
        anomalous: u32,
    ) -> Self {
        let mut plan = Self::default();
        let Some(weights) = &model.family_weights else {
            return plan;
        };
        let anomalous = anomalous.min(records);
        let mut planned = 0;
        while planned < anomalous {
            let family = Family::ALL[weights.draw(stream)];
            let own = model.durations[family.index()]
                .min(anomalous - planned)
                .max(1);
            // The stretch of records that this anomaly lies in: its part of all.
            let stretch = |planned: u32| {
                (u64::from(records) * u64::from(planned) / u64::from(anomalous)) as u32
            };
            let (first, end) = (stretch(planned), stretch(planned + own));
            let length = spread(own, records, anomalous).min(end - first);
            let first = first + below(stream, end - first - length + 1);
            plan.lay(
                Episode::new(model, stream, family, own),
                first,
                length,
                stream,
            );
            planned += own;
        }
        plan
    }

    /// Lays the records of an anomaly over `length` records, one in each part of them: the first record
    /// and the last are its own.
    fn lay(&mut self, episode: Episode, first: u32, length: u32, stream: &mut ChaCha8Rng) {
        let own = episode.records;
        let place = self.episodes.len() as u32;
        for number in 0..own {
            let part =
                |number: u32| (u64::from(length) * u64::from(number) / u64::from(own)) as u32;
            let (from, to) = (part(number), part(number + 1));
            let at = match number {
                0 => from,
                _ if number + 1 == own => to - 1,
                _ => from + below(stream, to - from),
            };
            self.slots.push(Slot {
                record: first + at,
                episode: place,
                number,
            });
        }
        self.episodes.push(episode);
    }
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
    use proptest::prelude::*;

    use super::*;
    use crate::generate::events::config::EventsConfig;
    use crate::generate::seed::Seed;

    fn plan(records: u32, anomalous: u32, seed: u64) -> Plan {
        let model = Model::new(&EventsConfig::default(), Seed(1));
        Plan::new(
            &model,
            &mut Seed(seed).stream("plan", 0),
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
            assert!((0.4..0.7).contains(&share), "{own:?}");
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
            assert!((found - expected).abs() <= 50.0, "{found} of {expected}");
        }
    }

    proptest! {
        #[test]
        fn any_share(records in 0..5000_u32, share in 0.0..=1.0_f64, seed: u64) {
            check(records, among(records.into(), share) as u32, seed);
        }
    }
}
