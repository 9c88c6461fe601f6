//! Whether the target can be asked now. While it works all requests go at once; after a failure all wait,
//! and one at a time tries.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::backoff::delay;
use super::connection::Failure;
use super::target::Target;

/// While it does not work, that is said again at most so often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Gate {
    /// Failures since the last answer that was one.
    failures: Cell<u32>,
    /// Requests that were stored.
    stored: Cell<u64>,
    next_try: Cell<Option<Instant>>,
    trying: Semaphore,
    outage: RefCell<Option<Outage>>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    said: Instant,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            failures: Cell::new(0),
            stored: Cell::new(0),
            next_try: Cell::new(None),
            trying: Semaphore::new(1),
            outage: RefCell::new(None),
        }
    }

    /// Whether the target works, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.failures.get() == 0
    }

    /// Requests that were stored so far.
    pub(super) fn stored(&self) -> u64 {
        self.stored.get()
    }

    /// A request was stored.
    pub(super) fn count_stored(&self) {
        self.stored.set(self.stored.get().wrapping_add(1));
    }

    /// Waits until a request may be sent. What it gives is to be held until the answer is there.
    pub(super) async fn pass(&self) -> Option<SemaphorePermit<'_>> {
        while !self.is_open() {
            // It is never closed.
            let permit = self.trying.acquire().await.ok()?;
            if self.is_open() {
                return None;
            }
            let Some(until) = self.next_try.get().filter(|next| *next > Instant::now()) else {
                return Some(permit);
            };
            tokio::time::sleep_until(until).await;
            if self.next_try.get() == Some(until) {
                return Some(permit);
            }
        }
        None
    }

    /// The target answered.
    pub(super) fn answered(&self, target: &Target) {
        self.failures.set(0);
        self.next_try.set(None);
        if let Some(outage) = self.outage.take() {
            let seconds = outage.since.elapsed().as_secs();
            tracing::info!(url = %target, seconds, "records are sent again");
        }
    }

    /// The next wait is a short one: the failure that is to be told says more about what was sent than
    /// about the target.
    pub(super) fn be_hasty(&self) {
        self.failures.set(self.failures.get().min(1));
    }

    /// A request failed. `was_try`: it was sent by what [`Gate::pass`] gave; others were under way when
    /// the first of them failed, and are no failures more.
    pub(super) fn failed(&self, target: &Target, failure: &Failure, was_try: bool, random: u64) {
        let failures = match was_try {
            true => self.failures.get().saturating_add(1),
            false => self.failures.get().max(1),
        };
        self.failures.set(failures);
        let now = Instant::now();
        let next = now + delay(failures, failure.retry_after(), random);
        // Requests that were under way at the same time do not shorten what one was told.
        self.next_try.set(self.next_try.get().max(Some(next)));
        let mut outage = self.outage.borrow_mut();
        let is_said = outage
            .as_ref()
            .is_some_and(|outage| now.duration_since(outage.said) < SAY_AGAIN);
        if !is_said {
            let since = outage.as_ref().map_or(now, |outage| outage.since);
            *outage = Some(Outage { since, said: now });
            tracing::warn!(
                url = %target,
                error = failure as &dyn std::error::Error,
                "records cannot be sent; they wait in the spool and are sent when it works again"
            );
        }
    }
}
