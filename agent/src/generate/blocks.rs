//! Records made by several threads, with the same result whatever their number: block `i` is made from
//! stream `i`, and blocks are taken in order.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::stop::Stop;

/// Records of a block.
pub const RECORDS: u64 = 1024;

/// Blocks that a thread makes ahead.
const AHEAD: usize = 2;

/// Makes blocks of records.
pub trait Make: Sync {
    /// Records, ready to be taken.
    type Block: Default + Send;

    /// Puts `records` (numbers within the run, at most [`RECORDS`] and the first of them a multiple of
    /// it) into `block`, in place of what is in it. What comes out depends on `number`, the number of
    /// the block, and on the records; fewer records are a part from the front of more.
    fn make(&self, number: u64, records: Range<u64>, block: &mut Self::Block);
}

/// Records as bytes, one behind the other.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lines {
    /// All of them.
    pub bytes: Vec<u8>,
    /// Where each ends.
    pub ends: Vec<u32>,
}

impl Lines {
    /// Takes all out; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// What was written to `bytes` since the last call is a record.
    #[inline]
    pub fn end_record(&mut self) {
        // A block is far from 4 GiB.
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.ends.push(end);
    }

    /// Records in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of these records.
    #[must_use]
    pub fn part(&self, records: Range<usize>) -> &[u8] {
        let start = self.place(records.start);
        self.bytes
            .get(start..self.place(records.end))
            .unwrap_or_default()
    }

    fn place(&self, record: usize) -> usize {
        let last = record.min(self.ends.len()).checked_sub(1);
        let end = last.and_then(|last| self.ends.get(last));
        end.map_or(0, |end| *end as usize)
    }
}

/// Makes `count` records (`None`: without end) in `jobs` threads, and gives each block with the
/// numbers of its records to `take`, in order, until that says `false` or it is time to stop.
///
/// # Errors
/// What `take` says.
pub fn run<M: Make, E>(
    maker: &M,
    jobs: usize,
    count: Option<u64>,
    stop: &Stop,
    mut take: impl FnMut(&M::Block, Range<u64>) -> Result<bool, E>,
) -> Result<(), E> {
    if jobs <= 1 {
        let mut block = M::Block::default();
        for number in 0.. {
            let Some(records) = records_of(number, count).filter(|_| !stop.is_told()) else {
                break;
            };
            maker.make(number, records.clone(), &mut block);
            if !take(&block, records)? {
                break;
            }
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let workers: Vec<Worker<M::Block>> = (0..jobs)
            .map(|first| {
                let (give, made) = sync_channel(AHEAD);
                let (give_back, free) = sync_channel(AHEAD + 1);
                scope.spawn(move || work(maker, first as u64, jobs, count, &give, &free));
                Worker { made, give_back }
            })
            .collect();
        // Taken from each in turn; dropping a receiver ends its thread.
        for (number, worker) in (0..).zip(workers.iter().cycle()) {
            let Some(records) = records_of(number, count).filter(|_| !stop.is_told()) else {
                break;
            };
            let Ok(block) = worker.made.recv() else { break };
            if !take(&block, records)? {
                break;
            }
            // It may have ended.
            drop(worker.give_back.try_send(block));
        }
        drop(workers);
        Ok(())
    })
}

struct Worker<B> {
    made: Receiver<B>,
    give_back: SyncSender<B>,
}

fn work<M: Make>(
    maker: &M,
    first: u64,
    jobs: usize,
    count: Option<u64>,
    give: &SyncSender<M::Block>,
    free: &Receiver<M::Block>,
) {
    for number in (first..).step_by(jobs) {
        let Some(records) = records_of(number, count) else {
            break;
        };
        let mut block = free.try_recv().unwrap_or_default();
        maker.make(number, records, &mut block);
        if give.send(block).is_err() {
            break;
        }
    }
}

/// The records of a block; `None` behind the last.
fn records_of(block: u64, count: Option<u64>) -> Option<Range<u64>> {
    let first = block.checked_mul(RECORDS)?;
    let most = count.unwrap_or(u64::MAX);
    (first < most).then(|| first..first.saturating_add(RECORDS).min(most))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand_chacha::rand_core::Rng as _;

    use super::*;
    use crate::generate::seed::Seed;

    struct Numbers(Seed);

    impl Make for Numbers {
        type Block = Vec<(u64, u64)>;

        fn make(&self, number: u64, records: Range<u64>, block: &mut Self::Block) {
            let mut stream = self.0.stream("numbers", number);
            block.clear();
            block.extend(records.map(|record| (record, stream.next_u64())));
        }
    }

    fn all(jobs: usize, count: u64) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let taken = run(
            &Numbers(Seed(3)),
            jobs,
            Some(count),
            &Stop::default(),
            |block, records| {
                assert_eq!(block.len() as u64, records.end - records.start);
                all.extend_from_slice(block);
                Ok::<_, Infallible>(true)
            },
        );
        taken.unwrap();
        all
    }

    #[test]
    fn threads_change_nothing() {
        for count in [0, 1, RECORDS - 1, RECORDS, RECORDS + 1, 20 * RECORDS + 7] {
            let one = all(1, count);
            assert_eq!(one.len() as u64, count);
            assert!(one.iter().map(|(number, _)| *number).eq(0..count));
            for jobs in [2, 3, 4, 30] {
                assert_eq!(all(jobs, count), one, "{jobs} threads, {count} records");
            }
        }
    }

    #[test]
    fn it_ends_when_the_taker_has_enough_or_fails() {
        for jobs in [1, 4] {
            let mut taken = 0;
            let stop = Stop::default();
            let result = run(&Numbers(Seed(3)), jobs, None, &stop, |_, _| {
                taken += 1;
                Ok::<_, Infallible>(taken < 5)
            });
            result.unwrap();
            assert_eq!(taken, 5);
            let result = run(&Numbers(Seed(3)), jobs, None, &stop, |_, _| {
                Err::<bool, _>("full")
            });
            assert_eq!(result, Err("full"));
            let result = run(&Numbers(Seed(3)), jobs, None, &stop, |_, _| {
                stop.tell();
                Ok::<_, Infallible>(true)
            });
            result.unwrap();
        }
    }

    #[test]
    fn parts_of_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.part(0..3), b"");
        for line in ["a\n", "", "bcd\n"] {
            lines.bytes.extend_from_slice(line.as_bytes());
            lines.end_record();
        }
        assert_eq!(lines.part(0..3), b"a\nbcd\n");
        assert_eq!(lines.part(0..1), b"a\n");
        assert_eq!(lines.part(1..2), b"");
        assert_eq!(lines.part(2..3), b"bcd\n");
        assert_eq!(lines.part(2..99), b"bcd\n");
        assert_eq!(lines.part(3..3), b"");
        lines.clear();
        assert!(lines.is_empty());
    }
}
