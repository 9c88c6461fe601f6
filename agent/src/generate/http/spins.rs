//! Whether it pays to wait without sleep. Pure.
//!
//! It does where answers are there soon. Where they are slow, or whoever answers needs the CPU that we would
//! hold, it does not: after a few waits in vain it is tried only now and then.

/// Waits in vain that are let pass.
const CREDIT: u8 = 8;

/// Afterwards one wait of so many is tried.
const SELDOM: u8 = 64;

/// What waiting without sleep came to so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spins {
    credit: u8,
    slept: u8,
}

impl Default for Spins {
    fn default() -> Self {
        Self {
            credit: CREDIT,
            slept: 0,
        }
    }
}

impl Spins {
    /// Whether to try it this time.
    #[inline]
    pub(super) fn begin(&mut self) -> bool {
        if self.credit > 0 {
            return true;
        }
        self.slept += 1;
        if self.slept < SELDOM {
            return false;
        }
        self.slept = 0;
        true
    }

    /// Something was there in time.
    #[inline]
    pub(super) fn found(&mut self) {
        self.credit = (self.credit + 1).min(CREDIT);
    }

    /// Nothing was.
    #[inline]
    pub(super) fn missed(&mut self) {
        self.credit = self.credit.saturating_sub(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_as_long_as_it_pays() {
        let mut spins = Spins::default();
        for _ in 0..100 {
            assert!(spins.begin());
            spins.missed();
            for _ in 0..2 {
                assert!(spins.begin());
                spins.found();
            }
        }
        let tries = |spins: &mut Spins| {
            let tried = (0..640).filter(|_| {
                let tries = spins.begin();
                if tries {
                    spins.missed();
                }
                tries
            });
            tried.count()
        };
        assert_eq!(tries(&mut spins), 4 + 636 / 64);
        assert_eq!(tries(&mut spins), 10);
        for _ in 0..64 {
            if spins.begin() {
                spins.found();
            }
        }
        assert!(spins.begin(), "it pays again");
    }
}
