//! Lines made by one or several threads, the same whatever their number.
//!
//! Where the rate needs all users there may be, they are in eight parts, each with a stream of random
//! numbers of its own, and parts have turns of 256 lines. A part always belongs to the same thread. Where
//! fewer users are needed there is one part: it is faster than the rate, and lines of one user would come
//! too close to each other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::clock::Clock;
use super::crowd::{Crowd, Tally};
use super::day::Stretch;
use super::line::Style;
use super::world::World;
use crate::generate::seed::Seed;

/// Parts that users are in where all of them are needed.
const PARTS: u32 = 8;

/// Lines of a turn.
const TURN: u64 = 256;

/// The name of the streams of random numbers.
const STREAM: &str = "access";

/// What lines are made from.
#[derive(Clone, Debug)]
pub struct Material {
    /// What does not change.
    pub world: Arc<World>,
    /// How lines look.
    pub style: Arc<Style>,
    /// What the random numbers come from.
    pub seed: Seed,
    /// The rate needs all users there may be.
    pub is_full_house: bool,
    /// When the first line is due, in nanoseconds since the epoch,
    pub begin: i64,
    /// and how many users its rate needs then.
    pub needed: f64,
    /// Lines of error.log are made too.
    pub with_errors: bool,
}

/// Lines in order.
#[derive(Debug, Default)]
pub struct Block {
    /// Lines of access.log.
    pub access: Vec<u8>,
    /// Lines of error.log.
    pub errors: Vec<u8>,
    /// How many lines of access.log.
    pub lines: u32,
    /// The time of the first of them, in nanoseconds since the epoch.
    pub time: i64,
    /// The part of the users that made them,
    pub part: u32,
    /// and how many users are there in it.
    pub users: usize,
}

/// One part of the users, and what it needs to make lines.
#[derive(Debug)]
struct Maker {
    material: Material,
    part: u32,
    crowd: Crowd,
    clock: Clock,
}

impl Maker {
    fn new(material: &Material, part: u32, parts: u32) -> Self {
        let stream = material.seed.stream(STREAM, u64::from(part));
        let world = &material.world;
        let mut crowd = Crowd::new(world, stream, (part, parts));
        crowd.settle(
            world,
            material.begin,
            material.needed / f64::from(parts.max(1)),
        );
        Self {
            crowd,
            material: material.clone(),
            part,
            clock: Clock::default(),
        }
    }

    fn make(&mut self, stretch: Stretch, mut block: Block) -> Block {
        block.access.clear();
        block.errors.clear();
        let Material { world, style, .. } = &self.material;
        for line in 0..stretch.lines {
            let hit = self.crowd.next(stretch.time(line), world);
            let address = self.crowd.address(&hit);
            style.write(&mut self.clock, &hit, address, &mut block.access);
            if self.material.with_errors {
                style.write_error(&self.clock, &hit, address, &mut block.errors);
            }
        }
        block.lines = stretch.lines;
        block.time = stretch.time(0);
        block.part = self.part;
        block.users = self.crowd.users();
        block
    }
}

/// What makes the lines.
#[derive(Debug)]
pub struct Makers {
    hands: Hands,
    parts: u32,
    /// Lines that were asked for so far.
    asked: u64,
    /// Blocks to be used again.
    free: Vec<Block>,
}

#[derive(Debug)]
enum Hands {
    /// This thread.
    Own {
        makers: Vec<Maker>,
        made: VecDeque<Block>,
    },
    Threads {
        workers: Vec<Worker>,
        /// Whose blocks come next, in order.
        turns: VecDeque<usize>,
    },
}

#[derive(Debug)]
struct Worker {
    /// Part, lines and a block to put them in; dropping it ends the thread.
    ask: Option<Sender<(u32, Stretch, Block)>>,
    made: Receiver<Block>,
    thread: Option<JoinHandle<Vec<Tally>>>,
}

impl Makers {
    /// `jobs` threads: more than one only where there are several parts.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(material: &Material, jobs: usize) -> std::io::Result<Self> {
        let parts = if material.is_full_house { PARTS } else { 1 };
        let parts = parts.min(material.world.users.max(1));
        let jobs = jobs.clamp(1, parts as usize);
        let makers = |first: usize| -> Vec<Maker> {
            let own = (0..parts).skip(first).step_by(jobs);
            own.map(|part| Maker::new(material, part, parts)).collect()
        };
        let hands = match jobs {
            1 => Hands::Own {
                makers: makers(0),
                made: VecDeque::new(),
            },
            jobs => {
                let workers: std::io::Result<Vec<Worker>> = (0..jobs)
                    .map(|first| Worker::start(makers(first)))
                    .collect();
                Hands::Threads {
                    workers: workers?,
                    turns: VecDeque::new(),
                }
            }
        };
        Ok(Self {
            hands,
            parts,
            asked: 0,
            free: Vec::new(),
        })
    }

    /// Threads that make lines, as far as they do so beside this one.
    #[must_use]
    pub fn threads(&self) -> usize {
        match &self.hands {
            Hands::Own { .. } => 0,
            Hands::Threads { workers, .. } => workers.len(),
        }
    }

    /// Asks for lines. They come as one or more blocks.
    pub fn ask(&mut self, stretch: Stretch) {
        let mut rest = stretch;
        while rest.lines > 0 {
            let part = (self.asked / TURN % u64::from(self.parts)) as u32;
            let turn = match self.parts {
                1 => u32::MAX,
                _ => (TURN - self.asked % TURN) as u32,
            };
            let (first, behind) = rest.split(turn);
            self.asked += u64::from(first.lines);
            self.ask_part(part, first);
            rest = behind;
        }
    }

    fn ask_part(&mut self, part: u32, stretch: Stretch) {
        let block = self.free.pop().unwrap_or_default();
        match &mut self.hands {
            Hands::Own { makers, made } => {
                if let Some(maker) = makers.get_mut(part as usize) {
                    made.push_back(maker.make(stretch, block));
                }
            }
            Hands::Threads { workers, turns } => {
                let number = part as usize % workers.len().max(1);
                let ask = workers.get(number).and_then(|worker| worker.ask.as_ref());
                if ask.is_some_and(|ask| ask.send((part, stretch, block)).is_ok()) {
                    turns.push_back(number);
                }
            }
        }
    }

    /// Blocks that were asked for and not taken yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        match &self.hands {
            Hands::Own { made, .. } => made.len(),
            Hands::Threads { turns, .. } => turns.len(),
        }
    }

    /// The next block, in order. `None`: none was asked for.
    pub fn take(&mut self) -> Option<Block> {
        match &mut self.hands {
            Hands::Own { made, .. } => made.pop_front(),
            Hands::Threads { workers, turns } => {
                let worker = workers.get(turns.pop_front()?)?;
                worker.made.recv().ok()
            }
        }
    }

    /// Gives a block back, to be filled again.
    pub fn give_back(&mut self, block: Block) {
        self.free.push(block);
    }

    /// How often sessions moved from state to state; ends the threads.
    #[must_use]
    pub fn finish(self) -> Tally {
        let tallies: Vec<Tally> = match self.hands {
            Hands::Own { makers, .. } => makers.iter().map(|maker| *maker.crowd.tally()).collect(),
            Hands::Threads { workers, .. } => {
                workers.into_iter().flat_map(Worker::finish).collect()
            }
        };
        let mut sum = Tally::default();
        for tally in tallies {
            for (row, other) in sum.iter_mut().zip(tally) {
                for (place, count) in row.iter_mut().zip(other) {
                    *place += count;
                }
            }
        }
        sum
    }
}

impl Worker {
    fn start(mut makers: Vec<Maker>) -> std::io::Result<Self> {
        let (ask, asked) = channel::<(u32, Stretch, Block)>();
        let (give, made) = channel();
        let work = move || {
            for (part, stretch, block) in asked {
                let Some(maker) = makers.iter_mut().find(|maker| maker.part == part) else {
                    break;
                };
                if give.send(maker.make(stretch, block)).is_err() {
                    break;
                }
            }
            makers.iter().map(|maker| *maker.crowd.tally()).collect()
        };
        let thread = std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(work)?;
        Ok(Self {
            ask: Some(ask),
            made,
            thread: Some(thread),
        })
    }

    fn finish(mut self) -> Vec<Tally> {
        drop(self.ask.take());
        let thread = self.thread.take();
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
