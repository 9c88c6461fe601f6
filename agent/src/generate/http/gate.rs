//! A target that fails again and again is asked less often. Pure: the time is given.
//!
//! After [`FREE`] failures without an answer between them one request at a time is let through, and after
//! each that fails a pause that doubles, up to [`LONGEST`]. The first answer opens the gate again.

/// Failures in a row that change nothing.
pub const FREE: u32 = 32;

/// The longest pause, in nanoseconds.
pub const LONGEST: u64 = 50_000_000;

/// The first pause, in nanoseconds.
const SHORTEST: u64 = 1_000_000;

/// Lets requests through, or not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate {
    /// Failures since the last answer.
    failures: u32,
    /// When the next may pass, in nanoseconds.
    opens_at: u64,
    /// One is on its way to see how it goes.
    is_trying: bool,
}

impl Gate {
    /// Whether a request may be sent now.
    #[inline]
    #[must_use]
    pub const fn admits(&self, now: u64) -> bool {
        self.is_open() || (!self.is_trying && now >= self.opens_at)
    }

    /// Whether nothing is held back.
    #[inline]
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.failures < FREE
    }

    /// When to look again, in nanoseconds; `None`: when the one that is on its way has ended.
    #[must_use]
    pub const fn opens_at(&self) -> Option<u64> {
        match self.is_trying {
            true => None,
            false => Some(self.opens_at),
        }
    }

    /// One was sent.
    #[inline]
    pub const fn passed(&mut self) {
        self.is_trying = !self.is_open();
    }

    /// One was answered.
    #[inline]
    pub const fn answered(&mut self) {
        self.failures = 0;
        self.is_trying = false;
    }

    /// One failed.
    pub fn failed(&mut self, now: u64) {
        self.failures = self.failures.saturating_add(1);
        self.is_trying = false;
        if let Some(beyond) = self.failures.checked_sub(FREE) {
            let pause = SHORTEST << beyond.min(20);
            self.opens_at = now.saturating_add(pause.min(LONGEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut gate = Gate::default();
        for _ in 0..FREE {
            assert!(gate.admits(0) && gate.is_open());
            gate.passed();
            gate.failed(0);
        }
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            assert!(!gate.admits(now) && !gate.is_open());
            let opens_at = gate.opens_at().unwrap();
            pauses.push((opens_at - now) / 1_000_000);
            now = opens_at;
            assert!(gate.admits(now));
            gate.passed();
            assert!(!gate.admits(now + 1_000_000_000), "one at a time");
            assert_eq!(gate.opens_at(), None);
            gate.failed(now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 50, 50, 50]);
        gate.answered();
        assert!(gate.admits(now) && gate.is_open());
        gate.passed();
        assert!(gate.admits(now));
    }

    #[test]
    fn answers_between_failures_keep_it_open() {
        let mut gate = Gate::default();
        for _ in 0..1000 {
            for _ in 1..FREE {
                gate.failed(5);
            }
            gate.answered();
            assert!(gate.admits(5));
        }
        for _ in 0..1000 {
            gate.failed(u64::MAX);
        }
        assert!(!gate.admits(u64::MAX - 1));
    }
}
