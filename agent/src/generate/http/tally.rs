//! What happened to requests: counts and histograms, one account a thread, added up at the end.

use std::net::SocketAddr;

use hdrhistogram::Histogram;
use rustix::io::Errno;

use super::answer::{Whole, Wrong};

/// The longest time that a histogram tells apart: an hour, in nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;

/// A start that is later than this is counted as late, in nanoseconds.
pub const LATE: u64 = 1_000_000;

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Nobody listens there.
    Refused,
    /// There is no way there.
    Unreachable,
    /// The connection could not be opened in time.
    ConnectTimeout,
    /// The answer was not there in time.
    Timeout,
    /// The other side reset the connection.
    Reset,
    /// The other side closed the connection before the end of the answer.
    ClosedEarly,
    /// The answer is no HTTP/1.
    Garbage,
    /// The head of the answer is too long.
    HeadTooLong,
    /// The answer does not end where it says, or does not say where.
    Framing,
    /// This host has no port or no descriptor left.
    Local,
    /// Anything else.
    Other,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Refused,
        Self::Unreachable,
        Self::ConnectTimeout,
        Self::Timeout,
        Self::Reset,
        Self::ClosedEarly,
        Self::Garbage,
        Self::HeadTooLong,
        Self::Framing,
        Self::Local,
        Self::Other,
    ];

    /// Whether it was given up for its timeout: then its time is ours, and the target would have taken longer.
    #[must_use]
    pub const fn is_patience(self) -> bool {
        matches!(self, Self::Timeout | Self::ConnectTimeout)
    }

    /// The name in the account.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::ClosedEarly => "closed_early",
            Self::Garbage => "garbage",
            Self::HeadTooLong => "head_too_long",
            Self::Framing => "framing",
            Self::Local => "local",
            Self::Other => "other",
        }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::CONNREFUSED => Self::Refused,
            Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN | Errno::ACCESS => {
                Self::Unreachable
            }
            Errno::TIMEDOUT => Self::ConnectTimeout,
            Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED => Self::Reset,
            Errno::ADDRNOTAVAIL | Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => {
                Self::Local
            }
            _ => Self::Other,
        }
    }
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Garbage => Self::Garbage,
            Wrong::TooLong => Self::HeadTooLong,
            Wrong::Framing => Self::Framing,
            Wrong::Closed => Self::ClosedEarly,
        }
    }
}

/// A request with its times, for whoever wants each of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamped {
    /// Its number, which it carried.
    pub number: u64,
    /// Our side of its connection.
    pub local: Option<SocketAddr>,
    /// When it was sent, in nanoseconds from the start of the run.
    pub sent: u64,
    /// When the last byte of its answer was there, or when it failed.
    pub ended: u64,
    /// How it ended.
    pub ending: Ending,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// With an answer.
    Answered(Whole),
    /// Without one.
    Failed(Fault),
    /// Not before the end of the run.
    Unfinished,
}

/// What happened to the requests of a thread, or of all.
///
/// `started = answered + failed + unfinished`.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Requests that were begun.
    pub started: u64,
    /// Answers that were there to their end.
    pub answered: u64,
    /// Requests without one, by [`Fault`].
    pub faults: [u64; Fault::ALL.len()],
    /// Requests that were under way at the end.
    pub unfinished: u64,
    /// Answers by their status, from 0 to 999.
    pub statuses: Vec<u64>,
    /// Connections that were opened.
    pub connections: u64,
    /// Connections at the same time, at most: of all threads, known when they have ended.
    pub most_connections: u64,
    /// Bytes that came on connections where nothing was asked.
    pub unasked: u64,
    /// Bytes that were sent.
    pub sent: u64,
    /// Bytes that were received.
    pub received: u64,
    /// Bytes of bodies among them.
    pub bodies: u64,
    /// Starts later than [`LATE`].
    pub late: u64,
    /// Starts that were left out: the target was down, or they would have been later than the timeout.
    pub dropped: u64,
    /// Nanoseconds from the send to the end of the answer; of those that were given up for their timeout, and of
    /// those under way at the end of the run, to that: it is the least that they would have taken.
    pub service: Histogram<u64>,
    /// The same from the intended start; open loop only.
    pub response: Histogram<u64>,
    /// Nanoseconds from the intended start to the real one; open loop only.
    pub lateness: Histogram<u64>,
    /// Nanoseconds from the send to any other failure: who refuses at once is not a fast target.
    pub failures: Histogram<u64>,
    /// Every request, if that was asked for.
    pub stamped: Vec<Stamped>,
    /// When nothing was started any more, in nanoseconds from the start of the run.
    pub starts_over: u64,
    /// How long before that the next start was due, in nanoseconds; open loop only. 0: the rate was kept.
    pub behind: u64,
    /// When the last request ended that was not given up for its timeout.
    pub last_end: u64,
}

impl Tally {
    /// Nothing yet.
    ///
    /// # Errors
    /// Never: the bounds of the histograms are good.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3)?;
        Ok(Self {
            started: 0,
            answered: 0,
            faults: [0; Fault::ALL.len()],
            unfinished: 0,
            statuses: vec![0; 1000],
            connections: 0,
            most_connections: 0,
            unasked: 0,
            sent: 0,
            received: 0,
            bodies: 0,
            late: 0,
            dropped: 0,
            service: histogram.clone(),
            response: histogram.clone(),
            lateness: histogram.clone(),
            failures: histogram,
            stamped: Vec::new(),
            starts_over: 0,
            behind: 0,
            last_end: 0,
        })
    }

    /// Requests that failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.faults.iter().sum()
    }

    /// Counts an answer.
    #[inline]
    pub fn answer(&mut self, whole: &Whole) {
        self.answered += 1;
        self.bodies += whole.body;
        if let Some(count) = self.statuses.get_mut(usize::from(whole.status)) {
            *count += 1;
        }
    }

    /// Requests that have no answer: failed, or under way at the end.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.failed() + self.unfinished
    }

    /// Records the time of a request that ended, in the histogram of its ending; `intended`: when it was due, in the
    /// open loop.
    #[inline]
    pub fn record(&mut self, sent: u64, intended: Option<u64>, ended: u64, ending: Ending) {
        if let Ending::Failed(fault) = ending
            && !fault.is_patience()
        {
            self.failures.saturating_record(ended.saturating_sub(sent));
            return;
        }
        self.service.saturating_record(ended.saturating_sub(sent));
        if let Some(intended) = intended {
            self.response
                .saturating_record(ended.saturating_sub(intended));
        }
    }

    /// Counts a failure.
    pub fn fail(&mut self, fault: Fault) {
        if let Some(count) = self.faults.get_mut(fault as usize) {
            *count += 1;
        }
    }

    /// Adds that of another thread.
    ///
    /// # Errors
    /// Never: all histograms have the same bounds.
    pub fn add(&mut self, other: Self) -> Result<(), hdrhistogram::AdditionError> {
        let sums = [
            (&mut self.started, other.started),
            (&mut self.answered, other.answered),
            (&mut self.unfinished, other.unfinished),
            (&mut self.connections, other.connections),
            (&mut self.unasked, other.unasked),
            (&mut self.sent, other.sent),
            (&mut self.received, other.received),
            (&mut self.bodies, other.bodies),
            (&mut self.late, other.late),
            (&mut self.dropped, other.dropped),
        ];
        for (sum, count) in sums {
            *sum += count;
        }
        for (sum, count) in self.faults.iter_mut().zip(other.faults) {
            *sum += count;
        }
        for (sum, count) in self.statuses.iter_mut().zip(other.statuses) {
            *sum += count;
        }
        self.service.add(other.service)?;
        self.response.add(other.response)?;
        self.lateness.add(other.lateness)?;
        self.failures.add(other.failures)?;
        self.stamped.extend(other.stamped);
        self.starts_over = self.starts_over.max(other.starts_over);
        self.behind = self.behind.max(other.behind);
        self.last_end = self.last_end.max(other.last_end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_stand_where_they_belong() {
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, place);
        }
        let mut names = Fault::ALL.map(Fault::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Fault::ALL.len());
    }

    #[test]
    fn only_what_the_target_took_is_its_time() {
        let whole = Whole {
            status: 200,
            is_kept: true,
            body: 0,
        };
        let check = |ending: Ending, is_failure: bool| {
            let mut tally = Tally::new().unwrap();
            tally.record(10, Some(5), 30, ending);
            let counts =
                [&tally.service, &tally.response, &tally.failures].map(|times| times.len());
            let expected = if is_failure { [0, 0, 1] } else { [1, 1, 0] };
            assert_eq!(counts, expected, "{ending:?}");
        };
        check(Ending::Answered(whole), false);
        check(Ending::Unfinished, false);
        for fault in Fault::ALL {
            let is_failure = !matches!(fault, Fault::Timeout | Fault::ConnectTimeout);
            check(Ending::Failed(fault), is_failure);
        }
    }

    #[test]
    fn accounts_add_up() {
        let mut one = Tally::new().unwrap();
        one.answer(&Whole {
            status: 200,
            is_kept: true,
            body: 7,
        });
        one.started = 2;
        one.fail(Fault::Reset);
        one.service.saturating_record(u64::MAX);
        one.last_end = 9;
        let mut sum = one.clone();
        sum.add(one).unwrap();
        assert_eq!((sum.started, sum.answered, sum.failed()), (4, 2, 2));
        assert_eq!((sum.statuses[200], sum.bodies, sum.last_end), (2, 14, 9));
        assert_eq!(sum.service.len(), 2);
    }
}
