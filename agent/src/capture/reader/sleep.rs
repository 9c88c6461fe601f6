//! How long the reader rests between two looks at the ring, and what it waits by.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::Duration;

/// How long the reader rests at least between two looks while records come, and before it falls asleep.
pub(super) const REST_MIN: Duration = Duration::from_millis(5);

/// How long it rests at most. Each look takes a CPU, and its caches, from whoever has it.
const REST_MAX: Duration = Duration::from_millis(25);

/// Bytes of ring for a nanosecond of rest: a ring of 16 MiB is rested for [`REST_MAX`], smaller ones for
/// less.
const RING_PER_REST: f64 = 0.67;

/// How long to rest after `taken` bytes were taken from a ring of `ring` bytes: long, where what comes
/// meanwhile has ample room.
pub(super) fn rest(ring: u32, taken: u64) -> Duration {
    if taken > u64::from(ring / 4) {
        return REST_MIN;
    }
    Duration::from_nanos((f64::from(ring) / RING_PER_REST) as u64).clamp(REST_MIN, REST_MAX)
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
    fn the_rest_leaves_room_in_the_ring() {
        let check = |ring: u32, taken: u64, milliseconds: u64| {
            let rest = rest(ring, taken).as_millis() as u64;
            assert_eq!(rest, milliseconds, "{ring} {taken}");
        };
        check(16 << 20, 0, 25);
        check(16 << 20, 4 << 20, 25);
        check(16 << 20, (4 << 20) + 1, 5);
        check(8 << 20, 1, 12);
        check(4096, 0, 5);
        check(4096, 4096, 5);
        check(1 << 31, 1 << 20, 25);
    }
}
