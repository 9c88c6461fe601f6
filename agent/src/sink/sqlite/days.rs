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
