//! Batches whose senders wait for the answer: stored together if that can be, each told what became of
//! it.

use super::Writer;
use crate::sink::batch::Batch;
use crate::sink::counts::LossReason;
use crate::sink::sqlite::error::FileError;
use crate::sink::sqlite::intake::{Awaited, Written};
use crate::sink::sqlite::names::Day;
use crate::sink::sqlite::rows::Placed;

impl Writer {
    /// Stores what is awaited, together if that can be, and answers.
    pub(super) fn store_awaited(&mut self, awaited: impl Iterator<Item = Awaited>) {
        let (batches, answers): (Vec<Batch>, Vec<_>) =
            awaited.map(|one| (one.batch, one.answer)).unzip();
        let together: Vec<&Batch> = batches.iter().collect();
        let written = self.write_awaited(&together);
        for ((answer, written), batch) in answers.into_iter().zip(written).zip(&batches) {
            let stored = written.ids.iter().flatten().count() as u64;
            self.shared.add_stored(stored);
            if let Some(reason) = written.failed {
                self.shared.add_lost(reason, batch.len() as u64 - stored);
            }
            // Whoever asked may have gone away.
            drop(answer.send(written));
        }
    }

    /// Stores batches, each day in one transaction; what became of each batch. One that
    /// failed on a day is not stored on the next.
    fn write_awaited(&mut self, batches: &[&Batch]) -> Vec<Written> {
        let mut written: Vec<Written> = batches
            .iter()
            .map(|batch| Written {
                ids: vec![None; batch.len()],
                failed: None,
            })
            .collect();
        let range = self.range();
        for (day, _) in self.by_day(batches) {
            let has_day = |batch: &Batch| batch.times().any(|time| range.day(time) == day);
            let together: Vec<usize> = (0..batches.len())
                .filter(|index| written[*index].failed.is_none() && has_day(batches[*index]))
                .collect();
            let result = self.write_day(day, batches, &together, &mut written);
            match result {
                // One that finds no place keeps none but itself from being stored.
                Err(LossReason::Refused) if together.len() > 1 => {
                    for index in together {
                        if let Err(reason) = self.write_day(day, batches, &[index], &mut written) {
                            written[index].failed = Some(reason);
                        }
                    }
                }
                Err(reason) => {
                    for index in together {
                        written[index].failed = Some(reason);
                    }
                }
                Ok(()) => {}
            }
        }
        written
    }

    /// Stores the records that the chosen batches have of a day, all or none.
    fn write_day(
        &mut self,
        day: Day,
        batches: &[&Batch],
        chosen: &[usize],
        written: &mut [Written],
    ) -> Result<(), LossReason> {
        self.make_room(day);
        if !self.days.begin(day) {
            return Err(LossReason::Locked);
        }
        let result = self.try_write_day(day, batches, chosen).or_else(|error| {
            if error.reason() != LossReason::Damaged {
                return Err(error);
            }
            self.move_aside(day, &error)?;
            self.try_write_day(day, batches, chosen)
        });
        self.days.end();
        match result {
            Ok(ids) => {
                for (batch, index, id) in ids {
                    written[batch].ids[index] = Some(id);
                }
                self.report_recovery();
                Ok(())
            }
            Err(error) => {
                let reason = error.reason();
                if reason != LossReason::Refused {
                    let records = chosen.iter().map(|index| batches[*index].len() as u64);
                    self.report_outage(&error, records.sum());
                }
                Err(reason)
            }
        }
    }

    /// The key of each record, with the place of its batch and its own in it, sessions first.
    fn try_write_day(
        &mut self,
        day: Day,
        batches: &[&Batch],
        chosen: &[usize],
    ) -> Result<Vec<(usize, usize, i64)>, FileError> {
        let mut ids = Vec::new();
        let range = self.range();
        let file = self.file(day)?;
        let sessions = chosen.iter().flat_map(|batch| {
            let sessions = batches[*batch].sessions().enumerate();
            sessions.map(move |(index, record)| ((*batch, index), record))
        });
        let of_day = sessions.filter(|(_, record)| range.day(record.timestamp) == day);
        let exchanges = chosen.iter().flat_map(|batch| {
            let exchanges = (batches[*batch].session_count()..).zip(batches[*batch].exchanges());
            exchanges.map(move |(index, record)| ((*batch, index), record))
        });
        let exchanges_of_day = exchanges.filter(|(_, record)| range.day(record.ts) == day);
        let result = file.store_and_tell(of_day, exchanges_of_day, |(batch, index), placed| {
            let (Placed::New(id) | Placed::Replaced(id, _) | Placed::Known(id)) = placed else {
                return Err(FileError::NoPlace);
            };
            ids.push((batch, index, id));
            Ok(())
        });
        match result {
            Ok(_stored) => Ok(ids),
            Err(error) => {
                if error.reason() != LossReason::Refused {
                    // Opened anew, it may have become another one.
                    self.state.open.retain(|file| file.day != day);
                }
                Err(error)
            }
        }
    }
}
