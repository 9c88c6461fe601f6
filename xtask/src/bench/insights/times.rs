//! Times of logs that lie in a January: seconds since it began.

/// Of `2026-01-02T03:04:05.678Z`, or with another way to say UTC behind it.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let (date, time) = text.split_once('T')?;
    let day: f64 = date.strip_prefix("2026-01-")?.parse().ok()?;
    let time = time.split(['Z', '+']).next()?;
    of_day(day, time)
}

/// Of `02/Jan/2026:03:04:05 +0000`.
pub(super) fn of_common(text: &str) -> Option<f64> {
    let (day, rest) = text.split_once("/Jan/2026:")?;
    of_day(day.parse().ok()?, rest.split(' ').next()?)
}

fn of_day(day: f64, time: &str) -> Option<f64> {
    let mut parts = time.split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    Some((day - 1.0) * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_of_the_month() {
        let check = |text: &str, expected: f64| assert_eq!(seconds(text), Some(expected), "{text}");
        check("2026-01-01T00:00:00Z", 0.0);
        check("2026-01-02T01:01:01.5+00:00", 90_061.5);
        assert_eq!(seconds("2027-01-02T01:01:01Z"), None);
        assert_eq!(of_common("02/Jan/2026:01:01:01 +0000"), Some(90_061.0));
    }
}
