//! What the writer and the one who tidies up agree on: who works on which day.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::InterruptHandle;

use super::names::Day;

/// Who works on which day. A claimed day is left alone by the writer, which keeps the records of it
/// until it is released.
#[derive(Default)]
pub(super) struct Days(Mutex<State>);

#[derive(Default)]
struct State {
    /// The day in whose file the writer has a transaction.
    in_use: Option<Day>,
    /// The day in whose file indexes are made, or whose file is being deleted.
    claimed: Option<Day>,
    /// Ends what is under way in the claimed file.
    interrupt: Option<InterruptHandle>,
    /// Days before this one were deleted.
    horizon: Option<Day>,
    stopped: bool,
}

/// A day that is claimed, until this is dropped.
pub(super) struct Claim<'d>(&'d Days);

impl Days {
    /// Whether the writer may work on the day now; it says [`Days::end`] afterwards.
    pub(super) fn begin(&self, day: Day) -> bool {
        let mut state = self.lock();
        if state.claimed == Some(day) {
            return false;
        }
        state.in_use = Some(day);
        true
    }

    /// The writer has no transaction any more.
    pub(super) fn end(&self) {
        self.lock().in_use = None;
    }

    /// Keeps the writer from the day, as soon as it has ended what it does there. None when all
    /// stops.
    pub(super) fn claim(&self, day: Day) -> Option<Claim<'_>> {
        loop {
            let mut state = self.lock();
            if state.stopped {
                return None;
            }
            if state.in_use != Some(day) {
                state.claimed = Some(day);
                return Some(Claim(self));
            }
            drop(state);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The first day that may have a file.
    pub(super) fn horizon(&self) -> Option<Day> {
        self.lock().horizon
    }

    /// From now on no file of an earlier day is made.
    pub(super) fn raise_horizon(&self, day: Day) {
        let mut state = self.lock();
        state.horizon = state.horizon.max(Some(day));
    }

    /// Ends what is under way in a claimed file, and lets nothing be claimed any more.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        if let Some(handle) = &state.interrupt {
            handle.interrupt();
        }
    }

    /// Whether [`Days::stop`] was said.
    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// What ends the work on the claimed file when all stops.
    pub(super) fn can_be_interrupted_by(&self, handle: InterruptHandle) {
        let mut state = self.0.lock();
        if state.stopped {
            handle.interrupt();
        }
        state.interrupt = Some(handle);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.claimed = None;
        state.interrupt = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use rusqlite::{Connection, ErrorCode};

    use super::*;

    #[test]
    fn a_claim_waits_for_the_writer_and_keeps_it_away() {
        let days = Arc::<Days>::default();
        assert!(days.begin(Day(1)));
        let other = Arc::clone(&days);
        let claiming = thread::spawn(move || {
            let claim = other.claim(Day(1));
            let refused = !other.begin(Day(1));
            let elsewhere = other.begin(Day(2));
            other.end();
            drop(claim);
            (refused, elsewhere, other.begin(Day(1)))
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!claiming.is_finished());
        days.end();
        assert_eq!(claiming.join().unwrap(), (true, true, true));
    }

    #[test]
    fn what_is_under_way_ends_when_all_stops() {
        let days = Arc::<Days>::default();
        let other = Arc::clone(&days);
        let start = Instant::now();
        let working = thread::spawn(move || {
            let claim = other.claim(Day(1)).unwrap();
            let connection = Connection::open_in_memory().unwrap();
            claim.can_be_interrupted_by(connection.get_interrupt_handle());
            let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
            connection.query_row(endless, [], |_| Ok(())).unwrap_err()
        });
        while days.lock().interrupt.is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(20));
        days.stop();
        let error = working.join().unwrap();
        assert_eq!(
            error.sqlite_error_code(),
            Some(ErrorCode::OperationInterrupted)
        );
        assert!(start.elapsed() < Duration::from_secs(10));
        assert!(days.claim(Day(1)).is_none());
    }

    #[test]
    fn the_horizon_only_rises() {
        let days = Days::default();
        assert_eq!(days.horizon(), None);
        days.raise_horizon(Day(5));
        days.raise_horizon(Day(3));
        assert_eq!(days.horizon(), Some(Day(5)));
    }
}
