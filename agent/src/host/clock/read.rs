//! Reads the two clocks and notices when what is between them changes.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::shared::{Publisher, Reader, shared};
use super::ClockMap;

/// Why a clock could not be read or watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action}: {source}")]
pub struct ClockError {
    /// What was attempted, to follow "cannot".
    action: &'static str,
    /// The system's word.
    source: io::Error,
}

/// What is between the two clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The kernel's monotonic clock (as `bpf_ktime_get_ns` gives it), in nanoseconds.
    pub monotonic_ns: u64,
    /// Wall clock minus monotonic clock, in nanoseconds.
    pub offset_ns: i64,
    /// The offset is right to half of this: the time that reading took.
    pub bracket_ns: u64,
}

impl Sample {
    /// Reads both clocks several times and keeps the reading that took the shortest time.
    ///
    /// # Errors
    /// A clock cannot be read.
    pub fn take() -> Result<Self, ClockError> {
        const TRIES: usize = 8;
        let shift = namespace_shift();
        let mut best = Self::once(shift)?;
        for _ in 1..TRIES {
            let next = Self::once(shift)?;
            if next.bracket_ns < best.bracket_ns {
                best = next;
            }
        }
        Ok(best)
    }

    fn once(shift: i64) -> Result<Self, ClockError> {
        let before = read_clock(libc::CLOCK_MONOTONIC)?;
        let wall = read_clock(libc::CLOCK_REALTIME)?;
        let after = read_clock(libc::CLOCK_MONOTONIC)?;
        let bracket_ns = after.saturating_sub(before).unsigned_abs();
        let middle = before.midpoint(after).saturating_sub(shift);
        Ok(Self {
            monotonic_ns: u64::try_from(middle).unwrap_or_default(),
            offset_ns: wall.saturating_sub(middle),
            bracket_ns,
        })
    }
}

/// Keeps a [`ClockMap`] true while the program runs, for readers on other threads.
#[derive(Debug)]
pub struct ClockKeeper {
    map: ClockMap,
    publisher: Publisher<ClockMap>,
    timer: AsyncFd<OwnedFd>,
}

impl ClockKeeper {
    /// Reads the clocks, arms the notice of changes, and gives the first reader. To be called within
    /// a tokio runtime that has I/O and time enabled.
    ///
    /// # Errors
    /// A clock cannot be read, or the timer that tells of changes cannot be made.
    ///
    /// # Panics
    /// Outside a tokio runtime (that is tokio's own rule).
    pub fn new() -> Result<(Self, Reader<ClockMap>), ClockError> {
        // Armed before the reading, so that no change falls between the two.
        let timer = change_notice()?;
        let map = ClockMap::new(Sample::take()?.offset_ns);
        let (publisher, reader) = shared(map.clone());
        // SAFETY: an `OwnedFd` stays the same open descriptor for as long as it lives.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }
            .map_err(|error| failed("watch the clock")(error.into()))?;
        Ok((
            Self {
                map,
                publisher,
                timer,
            },
            reader,
        ))
    }

    /// Another reader, for another thread.
    pub fn reader(&self) -> Reader<ClockMap> {
        self.publisher.reader()
    }

    /// Waits until the offset has changed, publishes it and returns it (nanoseconds). Between the
    /// kernel's notices it looks every ten seconds by itself. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A clock cannot be read or watched.
    pub async fn changed(&mut self) -> Result<i64, ClockError> {
        const LOOK_EVERY: Duration = Duration::from_secs(10);
        loop {
            // An elapsed timeout is no error: it is time to look.
            if let Ok(notice) = tokio::time::timeout(LOOK_EVERY, self.timer.readable_mut()).await {
                let mut ready = notice.map_err(failed("watch the clock"))?;
                // Arming again also takes the notice off the timer.
                arm(ready.get_inner())?;
                ready.clear_ready();
            }
            let sample = Sample::take()?;
            if self.map.push(sample.monotonic_ns, sample.offset_ns) {
                self.publisher.publish(self.map.clone());
                return Ok(sample.offset_ns);
            }
        }
    }
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> ClockError {
    move |source| ClockError { action, source }
}

/// Nanoseconds on a clock, as this process sees it.
fn read_clock(clock: libc::clockid_t) -> Result<i64, ClockError> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes for the time of the call.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(failed("read the clock")(io::Error::last_os_error()));
    }
    Ok(time
        .tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec))
}

/// What a time namespace adds to the monotonic clock of this process, in nanoseconds: the kernel's
/// own clock, which stamps packets, does not have it. 0 where there are no time namespaces.
fn namespace_shift() -> i64 {
    std::fs::read_to_string("/proc/self/timens_offsets")
        .ok()
        .and_then(|text| parse_shift(&text))
        .unwrap_or_default()
}

fn parse_shift(text: &str) -> Option<i64> {
    let mut words = text
        .lines()
        .find(|line| line.starts_with("monotonic"))?
        .split_ascii_whitespace()
        .skip(1);
    let seconds: i64 = words.next()?.parse().ok()?;
    let nanoseconds: i64 = words.next()?.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// A timer that never ends but becomes readable when the wall clock is set, or was while asleep.
fn change_notice() -> Result<OwnedFd, ClockError> {
    // SAFETY: takes numbers only.
    let timer = unsafe {
        libc::timerfd_create(libc::CLOCK_REALTIME, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC)
    };
    if timer < 0 {
        return Err(failed("make a timer to watch the clock")(
            io::Error::last_os_error(),
        ));
    }
    // SAFETY: a descriptor that was just made, and that nobody else knows.
    let timer = unsafe { OwnedFd::from_raw_fd(timer) };
    arm(&timer)?;
    Ok(timer)
}

fn arm(timer: &OwnedFd) -> Result<(), ClockError> {
    let never = libc::timespec {
        tv_sec: libc::time_t::MAX,
        tv_nsec: 0,
    };
    let setting = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: never,
    };
    // SAFETY: the descriptor is an open timer, `setting` is valid for reads, and the old setting
    // is not asked for.
    let result = unsafe {
        libc::timerfd_settime(
            timer.as_raw_fd(),
            libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET,
            &raw const setting,
            std::ptr::null_mut(),
        )
    };
    match result {
        0 => Ok(()),
        // The clock was set between the notice and this call; the timer is armed all the same.
        _ if io::Error::last_os_error().raw_os_error() == Some(libc::ECANCELED) => Ok(()),
        _ => Err(failed("arm a timer to watch the clock")(
            io::Error::last_os_error(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::super::super::testing::{is_child, is_root, rerun};
    use super::*;

    #[test]
    fn a_sample_maps_now_to_now() {
        let sample = Sample::take().unwrap();
        let map = ClockMap::new(sample.offset_ns);
        let wall = i64::try_from(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_nanos(),
        )
        .unwrap();
        let mapped = map.wall(Sample::take().unwrap().monotonic_ns);
        assert!(mapped.abs_diff(wall) < 50_000_000, "{mapped} {wall}");
        assert!(sample.bracket_ns < 1_000_000, "{sample:?}");
    }

    #[test]
    fn the_shift_of_a_time_namespace() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(parse_shift(text), expected, "{text:?}");
        check(
            "monotonic           0         0\nboottime            0         0\n",
            Some(0),
        );
        check(
            "monotonic   86400         5\nboottime 0 0\n",
            Some(86_400_000_000_005),
        );
        check("monotonic  -5 0\n", Some(-5_000_000_000));
        check("", None);
        check("monotonic", None);
        check("monotonic 9223372036854775807 0", None);
    }

    /// The kernel's clock is the same in and outside of a time namespace.
    #[test]
    fn a_time_namespace_does_not_shift_the_wall_clock() {
        const NAME: &str =
            "host::clock::read::tests::a_time_namespace_does_not_shift_the_wall_clock";
        if is_child(NAME) {
            println!("offset={}", Sample::take().unwrap().offset_ns);
            return;
        }
        if !is_root(NAME) {
            return;
        }
        let output = rerun(
            NAME,
            &["unshare", "--time", "--fork", "--monotonic", "86400"],
        );
        let inside: i64 = output
            .split("offset=")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap_or_else(|| panic!("{output}"))
            .parse()
            .unwrap();
        let outside = Sample::take().unwrap().offset_ns;
        assert!(inside.abs_diff(outside) < 1_000_000, "{inside} {outside}");
    }

    #[test]
    fn a_set_clock_wakes_the_keeper() {
        if !is_root("a_set_clock_wakes_the_keeper") {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut keeper, mut reader) = ClockKeeper::new().unwrap();
            // As if the clock had been an hour off so far: what a real step leaves behind.
            let true_offset = Sample::take().unwrap().offset_ns;
            keeper.map = ClockMap::new(true_offset - 3_600_000_000_000);
            keeper.publisher.publish(keeper.map.clone());
            // The smallest step there is, forth and back, makes the kernel tell.
            step_clock(1);
            let changed = tokio::time::timeout(Duration::from_secs(2), keeper.changed()).await;
            step_clock(-1);
            let offset = changed.expect("told within two seconds").unwrap();
            assert!(offset.abs_diff(true_offset) < 1_000_000);
            let now = Sample::take().unwrap().monotonic_ns;
            let exact = i64::try_from(now).unwrap() + true_offset;
            assert!(reader.latest().wall(now).abs_diff(exact) < 1_000_000);
            assert!(
                reader
                    .latest()
                    .wall(0)
                    .abs_diff(true_offset - 3_600_000_000_000)
                    < 1_000_000
            );
            // The notice is taken off the timer: nothing spins.
            let quiet = tokio::time::timeout(Duration::from_millis(300), keeper.changed()).await;
            assert!(quiet.is_err());
            // And the timer is armed for the next change.
            keeper.map = ClockMap::new(true_offset + 5_000_000_000);
            step_clock(1);
            let again = tokio::time::timeout(Duration::from_secs(2), keeper.changed()).await;
            step_clock(-1);
            assert!(again.expect("told again").unwrap().abs_diff(true_offset) < 1_000_000);
        });
    }

    /// Moves the wall clock by nanoseconds.
    fn step_clock(nanoseconds: i64) {
        const ADJUST_BY: u32 = 0x0100 | 0x2000;
        // SAFETY: all-zero is a valid `timex`.
        let mut adjustment: libc::timex = unsafe { std::mem::zeroed() };
        adjustment.modes = ADJUST_BY;
        adjustment.time.tv_sec = nanoseconds.div_euclid(1_000_000_000);
        adjustment.time.tv_usec = nanoseconds.rem_euclid(1_000_000_000);
        // SAFETY: `adjustment` is valid for reads and writes.
        let result = unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut adjustment) };
        assert!(result >= 0, "{}", io::Error::last_os_error());
    }
}
