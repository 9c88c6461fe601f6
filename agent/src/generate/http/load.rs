//! One run of load: its plan, its threads, what it came to.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::arrivals::Arrivals;
use super::requests::Requests;
use super::tally::Tally;
use super::worker::Worker;
use crate::generate::seed::Seed;
use crate::generate::stop::Stop;

pub use super::socket::allow_descriptors;

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Where to.
    pub address: SocketAddr,
    /// What is asked.
    pub requests: Requests,
    /// When.
    pub arrivals: Arrivals,
    /// Connections: in the closed loop so many, in the open loop at most so many.
    pub connections: u32,
    /// Threads; no more than connections.
    pub threads: u32,
    /// Requests; `None`: without end.
    pub count: Option<u64>,
    /// How long requests are started; `None`: without end.
    pub duration: Option<Duration>,
    /// How long a connection may take to open, and an answer to be there.
    pub timeout: Duration,
    /// A connection is closed after so many; `None`: when the other side wants.
    pub requests_per_connection: Option<u64>,
    /// What random arrivals come from.
    pub seed: Seed,
    /// Hand out the times of each request. (That requests carry their number is said where they are
    /// prepared.)
    pub keeps_stamps: bool,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// The account of all threads; stamped requests by their number.
    pub tally: Tally,
    /// When it began, by the clock on the wall: the zero of all times in the account.
    pub begun: SystemTime,
    /// From the start until nothing was started any more and the last request had ended; without the wait
    /// for answers that did not come.
    pub time: Duration,
    /// From the start until nothing was started any more.
    pub starting: Duration,
    /// Threads that there were.
    pub threads: u32,
}

/// How far a run is, for whoever wants to know while it lasts.
#[derive(Debug, Default)]
pub struct Live {
    /// Answers.
    pub answered: AtomicU64,
    /// Requests that failed.
    pub failed: AtomicU64,
    /// Bytes that were received.
    pub received: AtomicU64,
    /// Connections that are open, of all threads, and how many there were at most.
    open: AtomicU64,
    most_open: AtomicU64,
}

impl Live {
    pub(super) fn opened(&self) {
        let open = self.open.fetch_add(1, Relaxed) + 1;
        self.most_open.fetch_max(open, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }
}

/// A run cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// What a thread needs is not there, or fails.
    #[error("cannot wait for connections")]
    Poll(#[source] io::Error),
    /// A thread has ended as none should.
    #[error("a thread of load has panicked")]
    Panicked,
}

/// How often the live account is shown.
const TICK: Duration = Duration::from_millis(100);

/// Sends requests until there were enough, the time is over, or it is time to stop. `tick` is called ten
/// times a second with how far it is.
///
/// # Errors
/// A thread cannot be started, or this host gives it no descriptors.
pub fn run(
    plan: &LoadPlan,
    stop: &Stop,
    mut tick: impl FnMut(&Live),
) -> Result<LoadReport, LoadError> {
    let threads = plan.threads.clamp(1, plan.connections.max(1));
    let live = Live::default();
    let (wall, begun) = (SystemTime::now(), Instant::now());
    let tallies = thread::scope(|scope| {
        let mut running = Vec::new();
        for number in 0..threads {
            let live = &live;
            let thread = thread::Builder::new()
                .name("http load".to_owned())
                .spawn_scoped(scope, move || {
                    Worker::new(plan, stop, live, begun, (number, threads))?.run()
                });
            match thread {
                Ok(thread) => running.push(thread),
                Err(error) => {
                    // Those that run end too.
                    stop.tell();
                    return Err(LoadError::Thread(error));
                }
            }
        }
        while !running.iter().all(|thread| thread.is_finished()) {
            thread::park_timeout(TICK);
            tick(&live);
        }
        let ended = running.into_iter().map(|thread| thread.join());
        ended
            .map(|result| match result {
                Ok(tally) => tally.map_err(LoadError::Poll),
                Err(_panic) => Err(LoadError::Panicked),
            })
            .collect::<Result<Vec<Tally>, LoadError>>()
    })?;
    let mut sum = Tally::new().map_err(|error| LoadError::Poll(io::Error::other(error)))?;
    for tally in tallies {
        sum.add(tally)
            .map_err(|error| LoadError::Poll(io::Error::other(error)))?;
    }
    sum.most_connections = live.most_open.load(Relaxed);
    sum.stamped.sort_unstable_by_key(|stamped| stamped.number);
    let starting = Duration::from_nanos(sum.starts_over);
    Ok(LoadReport {
        time: Duration::from_nanos(sum.starts_over.max(sum.last_end)),
        starting,
        begun: wall,
        tally: sum,
        threads,
    })
}

#[cfg(test)]
mod tests;
