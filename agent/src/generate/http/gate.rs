//! A target that fails again and again is asked less often. Pure: the time is given.
//!
//! After [`FREE`] failures without an answer between them one request is let through at a time, and after each that
//! fails a pause that doubles, up to [`LONGEST`]; while one hangs, the next follows after that. The first answer
//! opens the gate again.

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
}

impl Gate {
    /// Whether a request may be sent now.
    #[inline]
    #[must_use]
    pub const fn admits(&self, now: u64) -> bool {
        self.is_open() || now >= self.opens_at
    }

    /// Whether nothing is held back.
    #[inline]
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.failures < FREE
    }

    /// When to look again, in nanoseconds.
    #[must_use]
    pub const fn opens_at(&self) -> u64 {
        self.opens_at
    }

    /// One was sent.
    #[inline]
    pub const fn passed(&mut self, now: u64) {
        if !self.is_open() {
            self.opens_at = now.saturating_add(LONGEST);
        }
    }

    /// One was answered.
    #[inline]
    pub const fn answered(&mut self) {
        self.failures = 0;
        self.opens_at = 0;
    }

    /// One failed.
    pub fn failed(&mut self, now: u64) {
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(FREE) {
            let pause = SHORTEST << beyond.min(20);
            let next = now.saturating_add(pause.min(LONGEST));
            // Of several on their way one that fails late does not hold the next back.
            self.opens_at = match self.opens_at > now {
                true => next.min(self.opens_at),
                false => next,
            };
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
            gate.passed(0);
            gate.failed(0);
        }
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..9 {
            assert!(!gate.admits(now) && !gate.is_open());
            pauses.push((gate.opens_at() - now) / 1_000_000);
            now = gate.opens_at();
            assert!(!gate.admits(now - 1) && gate.admits(now));
            gate.passed(now);
            assert!(!gate.admits(now + LONGEST - 1), "one at a time");
            gate.failed(now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 50, 50, 50]);
        gate.answered();
        assert!(gate.admits(now) && gate.is_open());
        gate.passed(now);
        assert!(gate.admits(now));
    }

    #[test]
    fn a_target_that_hangs_is_asked_all_the_same() {
        let (mut gate, mut now) = (Gate::default(), 0);
        for _ in 0..FREE + 8 {
            gate.failed(now);
        }
        now = gate.opens_at();
        let mut sent = vec![];
        while now < 20 * LONGEST {
            assert!(gate.admits(now));
            gate.passed(now);
            sent.push(now);
            // Each fails after nearly four such pauses, between two that are sent.
            let fails_at = now + LONGEST / 2;
            if sent.len() > 4 {
                gate.failed(fails_at);
            }
            assert!(!gate.admits(now + LONGEST - 1));
            assert_eq!(gate.opens_at(), now + LONGEST);
            now = gate.opens_at();
        }
        assert!(sent.len() >= 19, "{sent:?}");
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
