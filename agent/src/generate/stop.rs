//! One flag that says when to stop, set by SIGINT, SIGTERM and SIGHUP (the terminal is gone). A second signal ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What the handler of signals sets: there is one for the process.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Whether to stop. Copies are one flag.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    by_signal: bool,
    own: Arc<AtomicBool>,
}

/// A flag is looked at this often while nothing else is done.
const GLANCE: Duration = Duration::from_millis(20);

impl Stop {
    /// One that SIGINT, SIGTERM and SIGHUP set, from now on.
    #[must_use]
    pub fn on_signals() -> Self {
        let handler: extern "C" fn(libc::c_int) = told;
        for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: the handler is a function of the right type that does only what a handler may:
            // it stores to an atomic and calls signal(2).
            let before = unsafe { libc::signal(number, handler as libc::sighandler_t) };
            if number == libc::SIGHUP && before == libc::SIG_IGN {
                // As nohup wants it.
                // SAFETY: no handler.
                unsafe { libc::signal(number, libc::SIG_IGN) };
            }
        }
        Self {
            by_signal: true,
            own: Arc::default(),
        }
    }

    /// Says that it is time to stop.
    pub fn tell(&self) {
        self.own.store(true, Relaxed);
    }

    /// Whether it is time to stop.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.own.load(Relaxed) || (self.by_signal && TOLD.load(Relaxed))
    }

    /// Sleeps until then, or until it is time to stop; whether it is.
    pub fn sleep_until(&self, then: Instant) -> bool {
        loop {
            if self.is_told() {
                return true;
            }
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(GLANCE));
        }
    }
}

extern "C" fn told(_signal: libc::c_int) {
    TOLD.store(true, Relaxed);
    crate::cli::run::let_signals_kill();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_when_told() {
        let stop = Stop::default();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(10));
                stop.tell();
            });
            assert!(stop.sleep_until(begun + Duration::from_secs(60)));
        });
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(stop.sleep_until(begun), "told once is told");
    }

    #[test]
    fn a_sleep_lasts_as_long_as_it_should() {
        let stop = Stop::default();
        let then = Instant::now() + Duration::from_millis(30);
        assert!(!stop.sleep_until(then));
        assert!(Instant::now() >= then);
        assert!(!stop.sleep_until(then), "a time that is over");
    }
}
