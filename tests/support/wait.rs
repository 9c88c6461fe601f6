//! Waiting for a condition, never for a time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aya::util::KernelVersion;

/// How long a condition may take that holds at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks until there is an answer and gives it.
///
/// # Panics
/// There is none within 15 s; the message names `what` was waited for.
pub fn within<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    let patience = if is_emulated() {
        PATIENCE * SLOWER
    } else {
        PATIENCE
    };
    within_seconds(patience.as_secs(), what, ask)
}

/// How many times slower a machine is whose instructions are emulated, beside others that are busy.
const SLOWER: u32 = 6;

/// Whether this is the virtual machine with the old kernel.
fn is_emulated() -> bool {
    KernelVersion::current().is_ok_and(|version| version < KernelVersion::new(6, 6, 0))
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
