//! How long the reader rests between two looks at the rings, and what it waits by.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::Duration;

/// How long the reader rests at least between two looks while records come, where there is room.
const REST_MIN: Duration = Duration::from_millis(5);

/// How long it rests at most. Each look takes a CPU, and its caches, from whoever has it.
const REST_MAX: Duration = Duration::from_millis(25);

/// How long it rests where a ring was more than a quarter full; where one was more than half full it does not.
const REST_SHORT: Duration = Duration::from_millis(1);

/// Bytes of ring for a nanosecond of rest: a ring of 8 MiB is rested for 12 ms, smaller ones for less.
const RING_PER_REST: f64 = 0.67;

/// How long to rest when `fullest` bytes waited in the fullest of the rings of `ring` bytes: long, where what comes
/// meanwhile has ample room.
pub(super) fn rest(ring: u32, fullest: u64) -> Duration {
    if fullest > u64::from(ring / 2) {
        Duration::ZERO
    } else if fullest > u64::from(ring / 4) {
        REST_SHORT
    } else {
        Duration::from_nanos((f64::from(ring) / RING_PER_REST) as u64).clamp(REST_MIN, REST_MAX)
    }
}

/// Nanoseconds of the clock that the kernel programs use.
pub(super) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What wakes a sleeper from another thread.
pub(super) fn event_descriptor() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Waits until one of the descriptors is readable or the time is over.
pub(super) fn wait(descriptors: &[i32], time: Duration) {
    let mut polled = [libc::pollfd {
        fd: -1,
        events: libc::POLLIN,
        revents: 0,
    }; 2];
    for (place, descriptor) in polled.iter_mut().zip(descriptors) {
        place.fd = *descriptor;
    }
    // SAFETY: the array is valid for its length; negative descriptors are ignored. An interrupted
    // wait is a short one.
    unsafe {
        libc::poll(
            polled.as_mut_ptr(),
            polled.len() as libc::nfds_t,
            time.as_millis() as i32,
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_short_where_room_becomes_scarce() {
        let check = |ring: u32, fullest: u64, milliseconds: u64| {
            let rest = rest(ring, fullest).as_millis() as u64;
            assert_eq!(rest, milliseconds, "{ring} {fullest}");
        };
        check(16 << 20, 0, 25);
        check(8 << 20, 0, 12);
        check(8 << 20, 2 << 20, 12);
        check(8 << 20, (2 << 20) + 1, 1);
        check(8 << 20, (4 << 20) + 1, 0);
        check(256 << 10, 0, 5);
        check(4096, 2048, 1);
        check(4096, 4096, 0);
        check(1 << 30, 1 << 20, 25);
    }
}
