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
