//! Series made by hand and by a small generator of random numbers.

use super::*;

/// Numbers that look like chance, the same ones each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many of `tries` happen.
    fn count(&mut self, tries: u64, probability: f64) -> u64 {
        (0..tries).filter(|_| self.next() < probability).count() as u64
    }
}

/// Hours of ordinary traffic: about 100 requests a minute, 2 % of them errors, 50 ms each.
fn ordinary(minutes: usize, seed: u64) -> Vec<Point> {
    let mut chance = Chance(seed);
    let minute = |index: usize| {
        let records = chance.count(200, 0.5);
        let mean = 45_000.0 + 10_000.0 * chance.next();
        Point {
            time_s: index as i64 * 60,
            records,
            client_errors: chance.count(records, 0.05),
            server_errors: chance.count(records, 0.02),
            timed: records,
            time_sum_us: mean * records as f64,
            ..Point::default()
        }
    };
    (0..minutes).map(minute).collect()
}

fn found(minutes: &[Point]) -> Vec<Change> {
    Series::of_minutes(minutes)
        .iter()
        .flat_map(changes)
        .collect()
}

#[test]
fn ordinary_traffic_has_at_most_a_change_an_hour() {
    let hours = 16;
    for seed in 1..=4 {
        let found = found(&ordinary(hours * 60, seed * 0x9e37_79b9));
        assert!(found.len() * 2 <= hours, "{seed}: {found:?}");
    }
}

#[test]
fn what_nobody_feels_is_no_change() {
    let mut minutes = ordinary(600, 77);
    for minute in &mut minutes {
        minute.time_sum_us /= 100.0;
    }
    for minute in &mut minutes[400..410] {
        minute.time_sum_us *= 3.0;
    }
    let found = found(&minutes);
    assert!(
        found.iter().all(|change| change.signal != Signal::Slower),
        "{found:?}"
    );
}

#[test]
fn faults_are_found_where_they_are() {
    type Fault = fn(&mut Point);
    let faults: [(Signal, Fault); 6] = [
        (Signal::ServerErrors, |point| point.server_errors += 15),
        (Signal::ClientErrors, |point| point.client_errors += 25),
        (Signal::Unanswered, |point| point.unanswered += 8),
        (Signal::Slower, |point| point.time_sum_us *= 3.0),
        (Signal::MoreRecords, |point| point.records *= 4),
        (Signal::FewerRecords, |point| point.records /= 5),
    ];
    for (signal, fault) in faults {
        let mut minutes = ordinary(600, 77);
        for minute in &mut minutes[400..410] {
            fault(minute);
        }
        let found = found(&minutes);
        let is_it = |change: &&Change| {
            change.signal == signal
                && (399 * 60..=401 * 60).contains(&change.from_s)
                && (409 * 60..=411 * 60).contains(&change.to_s)
        };
        assert!(
            found.iter().any(|change| is_it(&change)),
            "{signal:?}: {found:?}"
        );
        let others = found.iter().filter(|change| !is_it(change)).count();
        assert!(others <= 5, "{signal:?}: {found:?}");
    }
}

#[test]
fn a_fault_at_the_very_beginning_is_found() {
    let mut minutes = ordinary(240, 5);
    for minute in &mut minutes[..5] {
        minute.server_errors += 30;
    }
    let found = found(&minutes);
    assert!(
        found
            .iter()
            .any(|change| change.signal == Signal::ServerErrors && change.from_s == 0),
        "{found:?}"
    );
}

#[test]
fn what_comes_every_day_is_no_change_of_the_rate() {
    let mut minutes = ordinary(3 * 1440, 3);
    for day in 0..3 {
        for minute in &mut minutes[day * 1440 + 720..day * 1440 + 780] {
            minute.records *= 4;
        }
    }
    let later = |change: &&Change| change.from_s >= 2 * 86_400;
    let found = found(&minutes);
    let found = found
        .iter()
        .filter(|change| change.signal == Signal::MoreRecords);
    assert_eq!(found.filter(later).count(), 0);
}

/// Minutes in which the traffic goes from one level to another every so many minutes.
fn levels(levels: &[(usize, u64)], seed: u64) -> Vec<Point> {
    let mut chance = Chance(seed);
    let minutes = levels
        .iter()
        .flat_map(|(minutes, mean)| std::iter::repeat_n(*mean, *minutes));
    let minute = |(index, mean): (usize, u64)| Point {
        time_s: index as i64 * 60,
        records: chance.count(mean * 2, 0.5),
        ..Point::default()
    };
    minutes.enumerate().map(minute).collect()
}

#[test]
fn a_spike_and_a_gap_are_found_soon_after_the_traffic_halved() {
    let faults = [(Signal::MoreRecords, 3.0), (Signal::FewerRecords, 0.1)];
    for (signal, times) in faults {
        // As much as before the night began is what is odd; and as little as is far from both levels,
        // beside as many minutes of the one as of the other.
        for begin in [135, 160, 240] {
            let mut minutes = levels(&[(120, 480), (240, 240)], 11);
            for minute in &mut minutes[begin..begin + 5] {
                minute.records = (minute.records as f64 * times) as u64;
            }
            let found = found(&minutes);
            let [change] = &found[..] else {
                panic!("{signal:?} at {begin}: {found:?}");
            };
            let span = (change.signal, change.from_s / 60, change.to_s / 60);
            assert_eq!(span, (signal, begin as i64, begin as i64 + 5));
        }
    }
}

#[test]
fn what_comes_now_and_then_is_no_change_of_the_rate() {
    // Back to what the hours before had; and slowly up to four times as much and down again.
    let back = vec![(120, 480), (60, 150), (120, 480)];
    let hill = (0..24_usize).map(|step| (30, 100 + 25 * step.min(24 - step) as u64));
    for (name, parts) in [("back", back), ("hill", hill.collect())] {
        let late: Vec<Change> = found(&levels(&parts, 3))
            .into_iter()
            .filter(|change| change.from_s >= 3 * 3600)
            .collect();
        assert_eq!(late, [], "{name}");
    }
}

#[test]
fn a_log_of_a_few_lines_says_nothing() {
    for length in 0..8 {
        let minutes = ordinary(length, 9);
        assert_eq!(found(&minutes), [], "{length}");
    }
}

#[test]
fn wild_numbers_do_no_harm() {
    let wild = Point {
        time_s: 60,
        records: u64::MAX,
        client_errors: u64::MAX,
        server_errors: u64::MAX,
        unanswered: u64::MAX,
        warnings: u64::MAX,
        failures: u64::MAX,
        timed: u64::MAX,
        time_sum_us: f64::INFINITY,
    };
    let mut minutes = ordinary(100, 4);
    minutes.push(wild);
    minutes.push(Point {
        time_sum_us: f64::NAN,
        ..wild
    });
    drop(found(&minutes));
}
