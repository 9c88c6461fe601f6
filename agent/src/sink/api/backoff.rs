//! How long to wait after a failure: exponential, with full jitter, and what the target asks for.

use std::time::Duration;

use jiff::Timestamp;

/// The most that is waited after the first failure; twice that after the second, and so on.
const FIRST: Duration = Duration::from_millis(250);
/// The most that is waited by ourselves.
const MOST: Duration = Duration::from_secs(30);
/// What is waited at least, whatever was drawn.
const LEAST: Duration = Duration::from_millis(20);
/// The longest wait that a target can ask for.
const ASKED_MOST: Duration = Duration::from_secs(600);

/// The wait after so many failures in a row. `asked`: what the target asked for; we wait no less, up
/// to ten minutes. `random`: any number, drawn anew each time.
pub(super) fn delay(failures: u32, asked: Option<Duration>, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let most = FIRST.saturating_mul(1 << doublings).min(MOST);
    // From nothing to all of it: those who failed together do not come back together.
    let part = random as f64 / u64::MAX as f64;
    let drawn = most.mul_f64(part.clamp(0.0, 1.0)).max(LEAST);
    match asked {
        // All who were told the same come at different times, and none earlier than told.
        Some(asked) => asked.min(ASKED_MOST).saturating_add(drawn),
        None => drawn,
    }
}

/// What `Retry-After` says (RFC 9110, section 10.2.3): seconds, or a date.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are many.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let wait = date.as_millisecond().checked_sub(now.as_millisecond())?;
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let check = |failures, most_ms| {
            let most = Duration::from_millis(most_ms);
            let longest = delay(failures, None, u64::MAX);
            assert!(
                longest.abs_diff(most) < Duration::from_millis(1),
                "{failures}: {longest:?}"
            );
            assert_eq!(delay(failures, None, 0), LEAST);
            let half = delay(failures, None, u64::MAX / 2);
            assert!(half.abs_diff(most / 2) < Duration::from_millis(1));
        };
        check(0, 250);
        check(1, 250);
        check(2, 500);
        check(3, 1000);
        check(7, 16_000);
        check(8, 30_000);
        check(u32::MAX, 30_000);
    }

    #[test]
    fn what_is_asked_for_is_waited() {
        let asked = Duration::from_secs(3);
        assert_eq!(delay(1, Some(asked), 0), asked + LEAST);
        assert!(delay(1, Some(Duration::MAX), 0) <= ASKED_MOST + LEAST);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let check = |value: &str, seconds: Option<u64>| {
            assert_eq!(
                retry_after(value, now),
                seconds.map(Duration::from_secs),
                "{value:?}"
            );
        };
        check("0", Some(0));
        check(" 120 ", Some(120));
        check("99999999999999999999", Some(u64::MAX));
        check("Sat, 21 Nov 2026 12:01:30 GMT", Some(90));
        check("Sat, 21 Nov 2026 11:00:00 GMT", Some(0));
        for bad in [
            "",
            "-1",
            "+1",
            "1.5",
            "soon",
            "Sat, 99 Nov 2026 12:00:00 GMT",
            "１",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn it_is_bounded(failures: u32, asked: Option<Duration>, random: u64) {
            let delay = delay(failures, asked, random);
            prop_assert!(delay >= LEAST);
            prop_assert!(delay <= ASKED_MOST + MOST);
            prop_assert!(delay >= asked.unwrap_or_default().min(ASKED_MOST));
        }

        #[test]
        fn no_value_makes_it_panic(value in "\\PC{0,40}") {
            let wait = retry_after(&value, Timestamp::UNIX_EPOCH);
            prop_assert!(wait.is_none_or(|wait| wait >= Duration::ZERO));
        }
    }
}
