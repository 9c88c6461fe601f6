//! Ctrl-C and SIGTERM: remembered, so that a command can clean up before it ends.

use std::sync::atomic::{AtomicI32, Ordering};

/// The number of the signal that asked this program to end, 0 while none has.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Starts to remember SIGINT, SIGTERM and SIGHUP instead of dying of them. One that this program
/// was started to ignore (`nohup`) stays ignored.
pub(crate) fn listen() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: both actions are plain data for which zeroes mean no flags and an empty mask, and
        // both outlive the calls; the handler only stores to an atomic, which is
        // async-signal-safe.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut before);
            if before.sa_sigaction == libc::SIG_IGN {
                continue;
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = remember as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// The signal that asked this program to end, once there was one.
pub(crate) fn signal() -> Option<i32> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => None,
        number => Some(number),
    }
}

extern "C" fn remember(number: libc::c_int) {
    SIGNAL.store(number, Ordering::Relaxed);
}
