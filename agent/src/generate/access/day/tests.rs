use proptest::prelude::*;

use super::*;

const LEVEL: [f64; 24] = [1.0; 24];

fn time(text: &str) -> i64 {
    nanoseconds(text.parse().unwrap())
}

/// Lines from `begin` to `end`, and their times.
fn times(day: &mut Day, until: i64) -> Vec<i64> {
    let mut times = Vec::new();
    while let Some(stretch) = day.take(until, 1000) {
        times.extend((0..stretch.lines).map(|line| stretch.time(line)));
    }
    times
}

#[test]
fn a_level_rate_is_met_to_the_line() {
    let check = |rate: f64, seconds: i64, lines: usize| {
        let begin = time("2026-11-21T10:00:00Z");
        let mut day = Day::new(begin, rate, 1.0, LEVEL, TimeZone::UTC);
        let until = begin + seconds * 1_000_000_000;
        assert_eq!(
            times(&mut day, until).len(),
            lines,
            "{rate} for {seconds} s"
        );
    };
    check(10.0, 10, 100);
    check(1000.0, 10, 10_000);
    check(100_000.0, 10, 1_000_000);
    check(0.5, 10, 5);
    check(3.0, 7200, 21_600);
    check(0.001, 86_400, 86);
    check(1e8, 1, 100_000_000);
}

#[test]
fn the_pattern_of_the_day_is_kept() {
    let mut hours = [0.0; 24];
    for (hour, multiplier) in hours.iter_mut().enumerate() {
        *multiplier = hour as f64 / 10.0;
    }
    let check = |zone: &str, begin: &str| {
        let zone = TimeZone::get(zone).unwrap();
        let begin = time(begin);
        let mut day = Day::new(begin, 2.0, 1.0, hours, zone.clone());
        let mut counts = [0_u32; 24];
        for time in times(&mut day, begin + 24 * HOUR - 1) {
            let time = Timestamp::from_nanosecond(time.into()).unwrap();
            counts[usize::try_from(time.to_zoned(zone.clone()).hour()).unwrap()] += 1;
        }
        for (hour, count) in counts.into_iter().enumerate() {
            let expected = 2.0 * 3600.0 * hours[hour];
            assert!(
                (f64::from(count) - expected).abs() <= 1.0,
                "{hour}: {count}"
            );
        }
    };
    check("UTC", "2026-11-21T00:00:00Z");
    check("UTC", "2026-11-21T13:17:41.5Z");
    check("America/New_York", "2026-11-21T00:00:00Z");
    check("Asia/Kolkata", "2026-11-21T00:12:00Z");
}

#[test]
fn a_day_on_which_clocks_are_set_has_its_hours() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let mut hours = [0.0; 24];
    hours[2] = 1.0;
    let check = |begin: &str, lines: usize| {
        let begin = time(begin);
        let mut day = Day::new(begin, 1.0, 1.0, hours, zone.clone());
        assert_eq!(times(&mut day, begin + 20 * HOUR).len(), lines);
    };
    check("2026-03-28T00:00:00+01:00", 3600);
    // There is no hour from 2 to 3.
    check("2026-03-29T00:00:00+01:00", 0);
    // There are two of them.
    check("2026-10-25T00:00:00+02:00", 7200);
}

#[test]
fn hours_without_lines_are_passed_over() {
    let mut hours = [0.0; 24];
    hours[9] = 1.0;
    let mut day = Day::new(time("2026-11-21T10:00:00Z"), 1.0, 1.0, hours, TimeZone::UTC);
    assert_eq!(day.peek(), time("2026-11-22T09:00:01Z"));
    assert_eq!(day.take(time("2026-11-22T09:00:00Z"), 10), None);
    let stretch = day.take(time("2026-11-22T09:00:02.5Z"), 10).unwrap();
    assert_eq!(stretch.lines, 2);
    assert_eq!(stretch.time(1), time("2026-11-22T09:00:02Z"));
    assert_eq!(day.multiplier(), 1.0);
}

#[test]
fn a_clock_that_runs_faster() {
    let begin = time("2026-11-21T10:00:00Z");
    let mut day = Day::new(begin, 10.0, 60.0, LEVEL, TimeZone::UTC);
    assert_eq!(times(&mut day, begin + HOUR).len(), 600);
}

#[test]
fn the_end_of_time() {
    let mut day = Day::new(i64::MAX - 10, 1.0, 1.0, LEVEL, TimeZone::UTC);
    drop(times(&mut day, i64::MAX));
    let mut day = Day::new(i64::MIN, 1e-3, 1.0, LEVEL, TimeZone::UTC);
    assert!(day.take(i64::MIN + 10 * HOUR, 10).is_some());
}

proptest! {
    /// However lines are taken, they are the same, in order, and none is early.
    #[test]
    fn taking_in_parts_gives_the_same(
        rate in 0.001..50.0_f64,
        offset in 0..86_400_000_000_000_i64,
        parts in proptest::collection::vec((1..4_000_000_000_000_i64, 1..50_u32), 1..20),
    ) {
        let begin = 1_700_000_000_000_000_000 + offset;
        let mut hours = LEVEL;
        hours[3] = 0.0;
        hours[17] = 2.5;
        let new = || Day::new(begin, rate, 1.0, hours, TimeZone::UTC);
        let (mut whole, mut in_parts) = (new(), new());
        let mut now = begin;
        let mut taken = Vec::new();
        for (wait, most) in parts {
            now += wait;
            let peeked = in_parts.peek();
            let before = taken.len();
            while let Some(stretch) = in_parts.take(now, most) {
                prop_assert!((1..=most).contains(&stretch.lines));
                let (first, rest) = stretch.split(most / 2);
                for part in [first, rest] {
                    taken.extend((0..part.lines).map(|line| part.time(line)));
                }
            }
            prop_assert_eq!(taken.get(before).copied().unwrap_or(peeked), peeked);
        }
        prop_assert!(taken.is_sorted());
        prop_assert!(taken.iter().all(|time| (begin..=now).contains(time)));
        prop_assert!(in_parts.peek() > now);
        prop_assert_eq!(times(&mut whole, now), taken);
    }
}
