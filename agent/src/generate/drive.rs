//! One run: blocks are made, and handed over as they are due.

use std::ops::Range;
use std::time::Duration;

use super::blocks::{self, Make};
use super::pace::Pacer;
use super::progress::Progress;
use super::schedule::Schedule;
use super::stop::Stop;

/// What a run is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// When records are due.
    pub schedule: Schedule,
    /// How many; `None`: without end.
    pub count: Option<u64>,
    /// After which time by our clock to stop, in any case.
    pub until: Option<Duration>,
    /// Threads that make them.
    pub jobs: usize,
    /// Whether to stop.
    pub stop: &'a Stop,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Driven {
    /// Records handed over.
    pub records: u64,
    /// How long it took.
    pub time: Duration,
}

/// Where records are handed over.
pub trait Take<B> {
    /// Why it cannot take more.
    type Error;

    /// Takes these records of the block; the first of them is record `first` of the run. `false`: it
    /// wants no more.
    ///
    /// # Errors
    /// It cannot take them.
    fn take(&mut self, block: &B, records: Range<usize>, first: u64) -> Result<bool, Self::Error>;

    /// All that it will be given has come: what is held back may go.
    ///
    /// # Errors
    /// It cannot bring it where it goes.
    fn settle(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Makes records and hands them over until there are enough, it is time to stop, or the taker wants no
/// more. `driven` tells how far it came, also after an error.
///
/// # Errors
/// What the taker says.
pub fn drive<M: Make, T: Take<M::Block>>(
    maker: &M,
    plan: &Plan<'_>,
    progress: &mut Progress,
    driven: &mut Driven,
    taker: &mut T,
) -> Result<(), T::Error> {
    let mut pacer = Pacer::begin(plan.schedule, plan.until, plan.stop);
    let mut done = 0;
    let mut result = blocks::run(maker, plan.jobs, plan.count, plan.stop, |block, records| {
        let first = records.start;
        while done < records.end {
            let due = match pacer.wait(done) {
                0 => return Ok(false),
                due => due.min(records.end - done),
            };
            // Within a block.
            let start = (done - first) as usize;
            let goes_on = taker.take(block, start..start + due as usize, done)?;
            done += due;
            progress.add(due);
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    });
    if result.is_ok() && plan.count == Some(done) {
        result = taker.settle();
        pacer.rest(done);
    }
    *driven = Driven {
        records: done,
        time: pacer.elapsed(),
    };
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::blocks::RECORDS;

    struct Numbers;

    impl Make for Numbers {
        type Block = Vec<u64>;

        fn make(&self, _number: u64, records: Range<u64>, block: &mut Vec<u64>) {
            block.clear();
            block.extend(records);
        }
    }

    #[derive(Default)]
    struct Taker {
        taken: Vec<u64>,
        most: Option<usize>,
        fails: bool,
    }

    impl Take<Vec<u64>> for Taker {
        type Error = &'static str;

        fn take(
            &mut self,
            block: &Vec<u64>,
            records: Range<usize>,
            first: u64,
        ) -> Result<bool, &'static str> {
            assert_eq!(block[records.start], first);
            self.taken.extend_from_slice(&block[records]);
            match self.most.is_some_and(|most| self.taken.len() >= most) {
                true if self.fails => Err("full"),
                is_enough => Ok(!is_enough),
            }
        }
    }

    fn driven(
        schedule: Schedule,
        count: Option<u64>,
        jobs: usize,
        taker: &mut Taker,
    ) -> (Driven, Result<(), &'static str>) {
        let stop = Stop::default();
        let plan = Plan {
            schedule,
            count,
            until: Some(Duration::from_secs(60)),
            jobs,
            stop: &stop,
        };
        let mut driven = Driven::default();
        let mut progress = Progress::new(count, false);
        let result = drive(&Numbers, &plan, &mut progress, &mut driven, taker);
        (driven, result)
    }

    #[test]
    fn every_record_comes_once_in_order() {
        for schedule in [
            Schedule::Free,
            Schedule::Rate(50_000.0),
            Schedule::Batches {
                size: 700,
                every: Duration::from_millis(5),
            },
        ] {
            for jobs in [1, 3] {
                let mut taker = Taker::default();
                let count = 3 * RECORDS + 5;
                let (driven, result) = driven(schedule, Some(count), jobs, &mut taker);
                assert_eq!(result, Ok(()));
                assert_eq!(driven.records, count);
                assert!(taker.taken.into_iter().eq(0..count), "{schedule:?}");
            }
        }
    }

    #[test]
    fn it_ends_with_the_taker() {
        let mut taker = Taker {
            most: Some(2000),
            ..Taker::default()
        };
        let (ended, result) = driven(Schedule::Free, None, 1, &mut taker);
        assert_eq!((ended.records, result), (2 * RECORDS, Ok(())));
        let mut taker = Taker {
            most: Some(2000),
            fails: true,
            ..Taker::default()
        };
        let (ended, result) = driven(Schedule::Free, None, 2, &mut taker);
        assert_eq!((ended.records, result), (RECORDS, Err("full")));
    }

    #[test]
    fn the_first_comes_at_once_and_the_run_lasts_as_long_as_its_rate_says() {
        let begun = std::time::Instant::now();
        let mut taker = Taker {
            most: Some(1),
            ..Taker::default()
        };
        let (first, _) = driven(Schedule::Rate(1.0), None, 1, &mut taker);
        assert_eq!(first.records, 1);
        assert!(begun.elapsed() < Duration::from_millis(900));
        let (all, result) = driven(Schedule::Rate(50.0), Some(10), 1, &mut Taker::default());
        assert_eq!((all.records, result), (10, Ok(())));
        assert!(all.time >= Duration::from_millis(200), "{all:?}");
    }
}
