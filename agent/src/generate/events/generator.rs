//! Makes records one after the other, for whoever asks: the share of anomalies may change in between,
//! and anomalies may be put in.

use std::collections::VecDeque;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use super::anomaly::Episode;
use super::clock::Timeline;
use super::family::{Family, Format};
use super::model::Model;
use super::normal;
use super::plan::{Part, Plan, SEGMENT};
use super::record::Record;
use crate::config::Word as _;
use crate::generate::blocks::Lines;
use crate::generate::draw::{below, happens};
use crate::generate::stamp::Stamps;

/// How records are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Form {
    pub(super) format: Format,
    pub(super) has_labels: bool,
}

/// Makes records.
#[derive(Debug)]
pub(super) struct Generator {
    model: Arc<Model>,
    stream: ChaCha8Rng,
    stamps: Stamps,
    /// None: records have the time at which they are made.
    timeline: Option<Timeline>,
    plan: Plan,
    /// Records that the plan is for, and how many of them were made.
    planned: u32,
    place: u32,
    /// Anomalous records of the plan that were made.
    next: usize,
    share: f64,
    /// Whether a part of a stream was planned, by this model and share.
    has_begun: bool,
    /// Anomalous records that were asked for and not planned: below one.
    owed: f64,
    /// Anomalies that were put in, each with the number of its next record.
    waiting: VecDeque<(Episode, u32)>,
    /// Whether the record before was of one that was put in.
    was_put_in: bool,
    made: u64,
}

impl Generator {
    pub(super) fn new(model: Arc<Model>, stream: ChaCha8Rng, timeline: Option<Timeline>) -> Self {
        Self {
            share: model.probability,
            model,
            stream,
            stamps: Stamps::default(),
            timeline,
            plan: Plan::default(),
            planned: 0,
            place: 0,
            next: 0,
            has_begun: false,
            owed: 0.0,
            waiting: VecDeque::new(),
            was_put_in: false,
            made: 0,
        }
    }

    /// Goes on by another model. What was put in stays.
    pub(super) fn set_model(&mut self, model: Arc<Model>) {
        self.model = model;
        self.set_share(self.model.probability);
        self.has_begun = false;
        self.forget_plan();
    }

    /// Changes the share of anomalous records from the next one on.
    pub(super) fn set_share(&mut self, share: f64) {
        if share != self.share {
            self.share = share;
            self.owed = 0.0;
            self.has_begun = false;
            self.forget_plan();
        }
    }

    /// Whether anomalies of any family come by themselves.
    pub(super) fn has_family(&self) -> bool {
        self.model.family_weights.is_some()
    }

    /// The share of anomalous records.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// Puts in an anomaly with so many records. It comes at once, behind those that were put in before;
    /// every second record belongs to it.
    pub(super) fn put_in(&mut self, family: Family, records: u32) {
        let episode = Episode::new(&self.model, &mut self.stream, family, records);
        self.waiting.push_back((episode, 0));
    }

    /// Anomalies that were put in and are not over.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Gives up the oldest of those.
    pub(super) fn drop_oldest(&mut self) {
        self.waiting.pop_front();
    }

    /// Makes `count` records, of which as many are anomalous as their share says, beside those that
    /// were put in. Gives how many are anomalous.
    pub(super) fn exactly(&mut self, count: u32, share: f64, form: Form, lines: &mut Lines) -> u32 {
        self.set_share(share);
        self.plan_next(Part::Other, count);
        let anomalous = self.some(count, form, lines);
        self.forget_plan();
        anomalous
    }

    /// Makes the next `count` records of a stream. Gives how many are anomalous.
    pub(super) fn some(&mut self, count: u32, form: Form, lines: &mut Lines) -> u32 {
        let model = Arc::clone(&self.model);
        let mut record = Record::new(&model.sources[0][0]);
        let now = jiff::Timestamp::now().as_microsecond();
        let mut anomalous = 0;
        for number in 0..count {
            self.clear(&mut record, now + i64::from(number));
            anomalous += u32::from(self.fill(&model, &mut record));
            write(&record, form, &mut self.stamps, lines);
        }
        anomalous
    }

    /// Makes one record: of an anomaly where that is asked for. Whether it is anomalous.
    pub(super) fn one(&mut self, is_forced: bool, form: Form, lines: &mut Lines) -> bool {
        let model = Arc::clone(&self.model);
        let mut record = Record::new(&model.sources[0][0]);
        self.clear(&mut record, jiff::Timestamp::now().as_microsecond());
        let is_anomalous = is_forced || !self.waiting.is_empty() || {
            model.family_weights.is_some() && happens(&mut self.stream, model.probability)
        };
        match is_anomalous {
            true if !self.waiting.is_empty() => self.fill_put_in(&model, &mut record),
            true => {
                let family = match &model.family_weights {
                    Some(weights) => Family::ALL[weights.draw(&mut self.stream)],
                    None => Family::ALL[below(&mut self.stream, Family::ALL.len() as u32) as usize],
                };
                let episode = Episode::new(&model, &mut self.stream, family, 1);
                episode.fill(0, &model, &mut self.stream, &mut record);
            }
            false => normal::fill(&model, &mut self.stream, &mut record),
        }
        write(&record, form, &mut self.stamps, lines);
        is_anomalous
    }

    fn clear(&mut self, record: &mut Record<'_>, now: i64) {
        let time = match &self.timeline {
            Some(timeline) => timeline.at(self.made, &mut self.stream),
            None => now,
        };
        self.made += 1;
        record.clear(time);
    }

    /// Whether the record is anomalous.
    fn fill<'m>(&mut self, model: &'m Model, record: &mut Record<'m>) -> bool {
        if !self.waiting.is_empty() && !self.was_put_in {
            self.was_put_in = true;
            self.fill_put_in(model, record);
            return true;
        }
        self.was_put_in = false;
        if self.place == self.planned {
            let part = match self.has_begun {
                true => Part::Other,
                false => Part::First,
            };
            self.has_begun = true;
            self.plan_next(part, SEGMENT as u32);
        }
        let place = self.place;
        self.place += 1;
        let slot = self
            .plan
            .slots
            .get(self.next)
            .filter(|slot| slot.record == place);
        let Some(slot) = slot else {
            normal::fill(model, &mut self.stream, record);
            return false;
        };
        self.next += 1;
        let episode = &self.plan.episodes[slot.episode as usize];
        episode.fill(slot.number, model, &mut self.stream, record);
        true
    }

    /// The next record of an anomaly that was put in.
    fn fill_put_in<'m>(&mut self, model: &'m Model, record: &mut Record<'m>) {
        let Some((episode, number)) = self.waiting.front_mut() else {
            return;
        };
        episode.fill(*number, model, &mut self.stream, record);
        *number += 1;
        if *number >= episode.records {
            self.waiting.pop_front();
        }
    }

    fn plan_next(&mut self, part: Part, records: u32) {
        self.owed += f64::from(records) * self.share;
        // What is a whole number but for the last digit is one.
        let anomalous = ((self.owed + 1e-6) as u32).min(records);
        self.owed = (self.owed - f64::from(anomalous)).max(0.0);
        self.plan = Plan::new(&self.model, &mut self.stream, part, records, anomalous);
        self.planned = records;
        self.place = 0;
        self.next = 0;
    }

    fn forget_plan(&mut self) {
        self.plan = Plan::default();
        self.planned = 0;
        self.place = 0;
        self.next = 0;
    }
}

fn write(record: &Record<'_>, form: Form, stamps: &mut Stamps, lines: &mut Lines) {
    match form.format {
        Format::Text => record.write_text(form.has_labels, stamps, &mut lines.bytes),
        Format::Json | Format::Both => record.write_json(form.has_labels, stamps, &mut lines.bytes),
    }
    lines.end_record();
}

#[cfg(test)]
mod tests {
    use super::super::config::EventsConfig;
    use super::*;
    use crate::generate::seed::Seed;

    const FORM: Form = Form {
        format: Format::Json,
        has_labels: true,
    };

    fn generator() -> Generator {
        let model = Model::new(&EventsConfig::default(), Seed(1));
        Generator::new(Arc::new(model), Seed(1).stream("generator", 0), None)
    }

    fn families(lines: &Lines) -> Vec<String> {
        let text = std::str::from_utf8(&lines.bytes).unwrap();
        let family = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["_labels"]["anomaly_type"].as_str().unwrap().to_owned()
        };
        text.lines().map(family).collect()
    }

    #[test]
    fn shares_are_exact_for_what_is_asked_for_at_once() {
        let mut generator = generator();
        let mut lines = Lines::default();
        for (count, share, expected) in [
            (100, 0.05, 5),
            (1000, 0.2, 200),
            (10, 1.0, 10),
            (10, 0.0, 0),
        ] {
            assert_eq!(generator.exactly(count, share, FORM, &mut lines), expected);
        }
        // What is owed is not lost.
        let anomalous: u32 = (0..100)
            .map(|_| generator.exactly(10, 0.05, FORM, &mut lines))
            .sum();
        assert_eq!(anomalous, 50);
    }

    #[test]
    fn streams_keep_their_share() {
        let mut generator = generator();
        generator.set_share(0.1);
        let mut anomalous = 0;
        for _ in 0..5000 {
            anomalous += generator.some(20, FORM, &mut Lines::default());
        }
        assert!((9000..11_000).contains(&anomalous), "{anomalous}");
    }

    #[test]
    fn a_stream_does_not_begin_with_normal_records_alone() {
        let mut generator = generator();
        generator.set_share(0.01);
        assert!(generator.some(200, FORM, &mut Lines::default()) > 0);
    }

    #[test]
    fn what_is_put_in_comes_whole_and_at_once() {
        let mut generator = generator();
        generator.put_in(Family::ServiceOutage, 7);
        generator.put_in(Family::DataAnomaly, 5);
        let mut all = Vec::new();
        for part in [1, 2, 3, 40] {
            let mut lines = Lines::default();
            generator.exactly(part, 0.0, FORM, &mut lines);
            all.extend(families(&lines));
        }
        let place = |name: &str| all.iter().position(|family| family == name);
        let count = |name: &str| all.iter().filter(|family| *family == name).count();
        assert_eq!((count("service_outage"), count("data_anomaly")), (7, 5));
        assert_eq!(place("service_outage"), Some(0));
        assert_eq!(all[1], "none", "traffic goes on");
        assert!(place("data_anomaly") > place("service_outage"));
        assert_eq!(generator.waiting(), 0);
    }

    #[test]
    fn one_can_be_forced() {
        let mut generator = generator();
        generator.put_in(Family::ErrorSpike, 2);
        let mut lines = Lines::default();
        assert!(generator.one(false, FORM, &mut lines));
        assert!(generator.one(true, FORM, &mut lines));
        assert_eq!(families(&lines), ["error_spike", "error_spike"]);
        for _ in 0..100 {
            assert!(generator.one(true, FORM, &mut lines));
        }
        let anomalous = (0..4000)
            .filter(|_| generator.one(false, FORM, &mut lines))
            .count();
        assert!((120..280).contains(&anomalous), "{anomalous}");
    }
}
