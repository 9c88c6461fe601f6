//! Waiting for a condition, never for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a condition may take that holds at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks until there is an answer and gives it.
///
/// # Panics
/// There is none within 15 s; the message names `what` was waited for.
pub fn within<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within_seconds(PATIENCE.as_secs(), what, ask)
}

/// As [`within`], with another limit.
///
/// # Panics
/// There is no answer in time.
pub fn within_seconds<T>(seconds: u64, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "waited {seconds} s for {what}");
        sleep(Duration::from_millis(10));
    }
}
