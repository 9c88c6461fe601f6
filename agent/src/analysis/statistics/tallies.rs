//! What is counted for a value, as small as can be.

use crate::analysis::format::Entry;
use crate::analysis::report::Counts;

use super::keyed::Tallied;

/// Requests with what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    /// By the first digit of the status; the first place: all else.
    pub(crate) classes: [u64; 6],
    pub(crate) unanswered: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, request: &Request<'_, '_>) {
        self.requests += 1;
        if let Some(count) = self.classes.get_mut(request.class) {
            *count += 1;
        }
        self.unanswered += u64::from(request.entry.unanswered);
        self.bytes = self.bytes.saturating_add(request.bytes);
    }

    pub(crate) fn counts(&self) -> Counts {
        let [
            other,
            informational,
            success,
            redirects,
            client_errors,
            server_errors,
        ] = self.classes;
        Counts {
            informational,
            success,
            redirects,
            client_errors,
            server_errors,
            other,
            unanswered: self.unanswered,
            bytes: self.bytes,
        }
    }
}

impl Tallied for Tally {
    fn weight(&self) -> u64 {
        self.requests
    }

    fn absorb(&mut self, other: &Self) {
        self.requests += other.requests;
        for (own, other) in self.classes.iter_mut().zip(other.classes) {
            *own += other;
        }
        self.unanswered += other.unanswered;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// A request that is counted, with what is of use in more than one place.
#[derive(Clone, Debug)]
pub(crate) struct Request<'e, 'a> {
    pub(crate) entry: &'e Entry<'a>,
    /// The first digit of the status, 1 to 5; 0: another status or none.
    pub(crate) class: usize,
    pub(crate) bytes: u64,
    /// The second, if it belongs into series: not in the future.
    pub(crate) second: Option<i64>,
}

impl<'e, 'a> Request<'e, 'a> {
    #[inline]
    pub(crate) fn new(entry: &'e Entry<'a>, second: Option<i64>) -> Self {
        let class = match entry.status {
            Some(status @ 100..=599) => usize::from(status / 100),
            _ => 0,
        };
        Self {
            entry,
            class,
            bytes: entry.bytes.unwrap_or_default(),
            second,
        }
    }
}
