//! When requests are to be started. Pure: no clock is read here.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::generate::draw;
use crate::generate::schedule::Schedule;
use crate::generate::seed::Seed;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Closed loop: each connection sends its next request when it has the answer to the one before.
    Closed,
    /// Open loop: so many a second, evenly spread.
    Even(f64),
    /// Open loop: so many a second on average, independent of each other (a Poisson process).
    Poisson(f64),
}

impl Arrivals {
    /// Requests a second; `None`: as the answers come.
    #[must_use]
    pub const fn rate(&self) -> Option<f64> {
        match *self {
            Self::Closed => None,
            Self::Even(rate) | Self::Poisson(rate) => Some(rate),
        }
    }
}

/// The requests of one thread, and when each of them is due.
#[derive(Debug)]
pub struct Due {
    arrivals: Arrivals,
    stream: ChaCha8Rng,
    /// The next request of this thread.
    number: u64,
    /// From one request of this thread to the next.
    step: u64,
    /// Seconds until the next request is due.
    seconds: f64,
}

impl Due {
    /// Those of thread `thread` of `threads`.
    #[must_use]
    pub fn new(arrivals: Arrivals, seed: Seed, thread: u32, threads: u32) -> Self {
        let mut due = Self {
            arrivals,
            stream: seed.stream("http arrivals", 0),
            number: thread.into(),
            step: threads.max(1).into(),
            seconds: 0.0,
        };
        due.draw(u64::from(thread) + 1);
        due
    }

    /// The number of the next request.
    #[inline]
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Nanoseconds from the start of the run until it is due; 0 in the closed loop.
    #[inline]
    #[must_use]
    pub fn at(&self) -> u64 {
        match self.arrivals {
            Arrivals::Closed => 0,
            Arrivals::Even(rate) => nanoseconds(Schedule::Rate(rate).deadline(self.number)),
            // Too long a time becomes the longest.
            Arrivals::Poisson(_) => (self.seconds * 1e9) as u64,
        }
    }

    /// Goes on to the one behind it.
    #[inline]
    pub fn advance(&mut self) {
        self.number = self.number.saturating_add(self.step);
        self.draw(self.step);
    }

    /// Each thread draws the times of all, so that they do not depend on how many threads there are.
    #[inline]
    fn draw(&mut self, count: u64) {
        if let Arrivals::Poisson(rate) = self.arrivals {
            for _ in 0..count {
                self.seconds -= (1.0 - draw::unit(&mut self.stream)).ln() / rate;
            }
        }
    }
}

/// A span of time in nanoseconds; the longest there is where it is longer.
#[must_use]
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(arrivals: Arrivals, threads: u32, count: usize) -> Vec<u64> {
        let mut all: Vec<(u64, u64)> = (0..threads)
            .flat_map(|thread| {
                let mut due = Due::new(arrivals, Seed(3), thread, threads);
                let own: Vec<(u64, u64)> = (0..count)
                    .map(|_| {
                        let one = (due.number(), due.at());
                        due.advance();
                        one
                    })
                    .collect();
                own
            })
            .collect();
        all.sort_unstable();
        let numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
        let expected: Vec<u64> = (0..all.len() as u64).collect();
        assert_eq!(numbers, expected, "each once");
        all.truncate(count);
        all.into_iter().map(|(_, time)| time).collect()
    }

    #[test]
    fn threads_change_nothing() {
        for arrivals in [
            Arrivals::Closed,
            Arrivals::Even(1000.0),
            Arrivals::Poisson(1000.0),
        ] {
            let one = times(arrivals, 1, 500);
            assert_eq!(times(arrivals, 2, 500), one, "{arrivals:?}");
            assert_eq!(times(arrivals, 7, 500), one, "{arrivals:?}");
            assert!(one.is_sorted());
        }
    }

    #[test]
    fn they_come_as_often_as_they_should() {
        let even = times(Arrivals::Even(20_000.0), 1, 20_000);
        assert_eq!((even[0], even.last()), (0, Some(&999_950_000)));
        let count = 100_000_u32;
        let drawn = times(Arrivals::Poisson(20_000.0), 1, count as usize);
        let mean = drawn[drawn.len() - 1] as f64 / f64::from(count);
        assert!((mean / 50_000.0 - 1.0).abs() < 0.02, "{mean}");
        // The deviation of the exponential distribution is its mean.
        let gaps = drawn.windows(2).map(|two| (two[1] - two[0]) as f64);
        let square = gaps.map(|gap| (gap - mean) * (gap - mean)).sum::<f64>();
        let deviation = (square / f64::from(count)).sqrt();
        assert!((deviation / mean - 1.0).abs() < 0.03, "{deviation}");
    }
}
