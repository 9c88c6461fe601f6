//! Makes blocks of records.

use std::ops::Range;

use super::clock::Timeline;
use super::family::{Family, Format};
use super::model::Model;
use super::normal;
use super::plan::{Part, Plan, SEGMENT, among};
use super::record::Record;
use crate::generate::blocks::{Lines, Make};
use crate::generate::seed::Seed;
use crate::generate::stamp::Stamps;

/// Makes records as bytes.
#[derive(Debug)]
pub(super) struct Maker<'m> {
    pub(super) model: &'m Model,
    pub(super) seed: Seed,
    /// None: records have the time at which they are made.
    pub(super) timeline: Option<Timeline>,
    /// Records in all; none: without end. What is planned last ends there.
    pub(super) count: Option<u64>,
    pub(super) format: Format,
    pub(super) has_labels: bool,
}

/// Records that were made together.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) json: Lines,
    pub(super) text: Lines,
    /// The anomalous ones, in order.
    pub(super) marks: Vec<Mark>,
    /// The plan that it was made by, with the number of its segment.
    planned: Option<(u64, Plan)>,
}

/// An anomalous record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// Its place in the block.
    pub(super) record: u32,
    /// The segment and the anomaly in it that it belongs to.
    pub(super) episode: (u64, u32),
    pub(super) family: Family,
    /// Hundredths.
    pub(super) severity: u32,
    /// Hundredths.
    pub(super) score: u32,
    /// Microseconds since the epoch; not what a damaged record says.
    pub(super) time: i64,
    /// Whether it is the last of its anomaly.
    pub(super) is_last: bool,
}

impl Maker<'_> {
    fn plan(&self, segment: u64) -> Plan {
        let first = segment.saturating_mul(SEGMENT);
        let end = first
            .saturating_add(SEGMENT)
            .min(self.count.unwrap_or(u64::MAX));
        let share = self.model.probability;
        let anomalous = among(end, share).saturating_sub(among(first, share));
        let mut stream = self.seed.stream("events: anomalies", segment);
        // Both are at most a segment.
        let records = end.saturating_sub(first) as u32;
        let part = match segment {
            0 => Part::First,
            _ => Part::Other,
        };
        Plan::new(self.model, &mut stream, part, records, anomalous as u32)
    }
}

impl Make for Maker<'_> {
    type Block = Block;

    fn make(&self, number: u64, records: Range<u64>, block: &mut Block) {
        let Block {
            json,
            text,
            marks,
            planned,
        } = block;
        json.clear();
        text.clear();
        marks.clear();
        let segment = records.start / SEGMENT;
        let plan = match planned.take() {
            Some((of, plan)) if of == segment => plan,
            _ => self.plan(segment),
        };
        let within = (records.start % SEGMENT) as u32;
        let mut next = plan.slots.partition_point(|slot| slot.record < within);
        let mut stream = self.seed.stream("events", number);
        let mut stamps = Stamps::default();
        let mut record = Record::new(&self.model.sources[0][0]);
        let now = jiff::Timestamp::now().as_microsecond();
        for place in 0..(records.end - records.start) as u32 {
            let time = match &self.timeline {
                Some(timeline) => timeline.at(records.start + u64::from(place), &mut stream),
                // A microsecond each: less than it takes to make one.
                None => now + i64::from(place),
            };
            record.clear(time);
            let slot = plan
                .slots
                .get(next)
                .filter(|slot| slot.record == within + place);
            match slot {
                None => normal::fill(self.model, &mut stream, &mut record),
                Some(slot) => {
                    next += 1;
                    let episode = &plan.episodes[slot.episode as usize];
                    episode.fill(slot.number, self.model, &mut stream, &mut record);
                    marks.push(Mark {
                        record: place,
                        episode: (segment, slot.episode),
                        family: episode.family(),
                        severity: episode.severity,
                        score: record.anomaly.map_or(0, |label| label.score),
                        time,
                        is_last: slot.number + 1 == episode.records,
                    });
                }
            }
            if matches!(self.format, Format::Json | Format::Both) {
                record.write_json(self.has_labels, &mut stamps, &mut json.bytes);
                json.end_record();
            }
            if matches!(self.format, Format::Text | Format::Both) {
                record.write_text(self.has_labels, &mut stamps, &mut text.bytes);
                text.end_record();
            }
        }
        *planned = Some((segment, plan));
    }
}

#[cfg(test)]
mod tests;
