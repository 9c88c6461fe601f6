use std::collections::{HashMap, HashSet};

use super::*;
use crate::generate::access::config::{AccessConfig, Source, read};
use crate::generate::seed::Seed;

fn world(text: &str) -> (AccessConfig, World) {
    let config = read(&Source::Shipped, text.as_bytes()).unwrap().config;
    let world = World::new(&config, Seed(1));
    (config, world)
}

fn crowd(world: &World) -> Crowd {
    Crowd::new(world, Seed(1).stream("access", 0), (0, 1))
}

const SECOND: i64 = 1_000_000_000;

/// Pearson's sum over the moves from one state, and the number of moves that it is of.
fn chi_square(counts: &[u64], shares: &[f64]) -> (f64, usize) {
    let total: u64 = counts.iter().sum();
    let mut sum = 0.0;
    let mut cells = 0;
    for (count, share) in counts.iter().zip(shares) {
        if *share <= 0.0 {
            assert_eq!(*count, 0, "a move that cannot be");
            continue;
        }
        let expected = share * total as f64;
        sum += (*count as f64 - expected).powi(2) / expected;
        cells += 1;
    }
    (sum, cells)
}

/// Pearson's sums that one run in a thousand is above, by degrees of freedom.
const LIMITS: [f64; 9] = [0.0, 10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12];

#[test]
fn sessions_move_as_configured() {
    let check = |text: &str, lines: i64, per_second: i64| {
        let (config, world) = world(text);
        let mut crowd = crowd(&world);
        for line in 0..lines {
            crowd.next(line * SECOND / per_second, &world);
        }
        for (from, moves) in &config.moves.0 {
            let counts = crowd.tally()[*from as usize];
            let sum: f64 = moves.iter().map(|(_, share)| share).sum();
            let share = |state: &State| {
                let found = moves.iter().find(|(to, _)| to == state);
                found.map_or(0.0, |(_, share)| share / sum)
            };
            let shares = State::ALL.each_ref().map(share);
            let total: u64 = counts.iter().sum();
            let reached = total > 500;
            let never = moves.iter().all(|(to, _)| *to == State::End);
            assert!(reached || never, "{from:?}: {total}");
            let (chi, cells) = chi_square(&counts, &shares);
            assert!(
                chi <= LIMITS[cells.saturating_sub(1)],
                "{from:?}: {chi} {counts:?}"
            );
        }
    };
    check("session: {max_browsing_duration: 30}", 200_000, 10);
    check(
        "session: {max_browsing_duration: 30, concurrent_users: 500}",
        200_000,
        100_000,
    );
    check(
        "state_transitions: {START: {LOGIN: 0.2, DIRECT_ACCESS: 0.3, BROWSING: 0.5}, LOGIN: {LOGIN: 0.5, END: 0.5}, ERROR: {BROWSING: 0.3, LEAVE: 0.7}}",
        400_000,
        50,
    );
}

#[test]
fn the_test_of_shares_can_fail() {
    let (chi, cells) = chi_square(&[730, 270], &[0.7, 0.3]);
    assert_eq!(cells, 2);
    assert!(chi < LIMITS[1]);
    let (chi, _) = chi_square(&[7600, 2400], &[0.7, 0.3]);
    assert!(chi > LIMITS[1]);
}

/// The lines of each user of a run, by the address (which is drawn anew for each session).
fn by_session(text: &str, lines: i64, per_second: i64) -> (World, HashMap<Vec<u8>, Vec<Hit>>) {
    let (_, world) = world(text);
    let mut crowd = crowd(&world);
    let mut sessions: HashMap<Vec<u8>, Vec<Hit>> = HashMap::new();
    for line in 0..lines {
        let hit = crowd.next(line * SECOND / per_second, &world);
        let address = crowd.address(&hit).to_vec();
        sessions.entry(address).or_default().push(hit);
    }
    (world, sessions)
}

#[test]
fn a_session_begins_goes_on_with_pauses_and_ends() {
    let (world, sessions) = by_session("", 100_000, 10);
    let mut logged_out = 0;
    let mut lengths = Vec::new();
    for hits in sessions.values() {
        let first = world.site.target(hits[0].target);
        let landing = ["/products", "/search", "/about"];
        let begins =
            first.path == "/login" || landing.iter().any(|path| first.path.starts_with(path));
        assert!(begins && hits[0].referrer.is_none(), "{first:?}");
        for pair in hits.windows(2) {
            let pause = pair[1].time - pair[0].time;
            // The next turn may be one line late.
            assert!((2 * SECOND..=12 * SECOND).contains(&pause), "{pause}");
            assert_ne!(pair[0].target, Site::LOGOUT, "lines behind a logout");
            if let Some(referrer) = pair[1].referrer {
                assert_eq!(
                    Some(referrer),
                    Some(pair[0].target).filter(|target| *target != Site::LOGIN)
                );
            }
        }
        logged_out += usize::from(hits.last().unwrap().target == Site::LOGOUT);
        lengths.push(hits.last().unwrap().time - hits[0].time);
    }
    assert!(sessions.len() > 1000, "{}", sessions.len());
    let share = logged_out as f64 / sessions.len() as f64;
    // Of those who browse, 0.4 of 0.75 log out in the end, where they are logged in: 0.63 browse behind a
    // login, of which few fail.
    assert!((share - 0.63 * 0.97 * 0.4 / 0.75).abs() < 0.04, "{share}");
    let longest = lengths.iter().max().unwrap() / SECOND;
    assert!((300..6000).contains(&longest), "{longest}");
}

#[test]
fn names_are_those_of_users_who_are_logged_in() {
    let (world, sessions) = by_session("error_rates: {global_500_rate: 0.2}", 50_000, 10);
    let mut names = 0;
    for hits in sessions.values() {
        let mut name = None;
        for hit in hits {
            if hit.target == Site::LOGIN {
                assert_eq!(hit.name.is_none(), hit.outcome.is_failure());
                name = hit.name;
            }
            assert_eq!(hit.name, name, "{:?}", world.site.target(hit.target));
            names += usize::from(hit.name.is_some());
        }
    }
    assert!(names > 10_000);
}

#[test]
fn only_who_is_logged_in_logs_out() {
    let (world, sessions) = by_session("error_rates: {global_500_rate: 0.2}", 50_000, 10);
    let mut without = 0;
    for hits in sessions.values() {
        let logins = hits.iter().filter(|hit| hit.target == Site::LOGIN);
        let has_name = logins.filter(|hit| hit.name.is_some()).count();
        let logouts = hits.iter().filter(|hit| hit.target == Site::LOGOUT);
        for hit in logouts.clone() {
            assert!(hit.name.is_some(), "{:?}", world.site.target(hit.target));
        }
        assert!(logouts.count() <= has_name);
        without += usize::from(has_name == 0 && hits.len() > 2);
    }
    assert!(without > 100, "{without}");
}

#[test]
fn no_name_is_used_twice_at_a_time_and_none_is_lost() {
    let (_, world) = world("session: {concurrent_users: 50, max_browsing_duration: 20}");
    let mut crowd = crowd(&world);
    let all = crowd.names.len();
    assert_eq!(all, 50);
    for line in 0..200_000 {
        crowd.next(line, &world);
        if line % 1000 == 0 {
            let there: Vec<u32> = crowd
                .waiting
                .iter()
                .map(|Reverse((_, place))| *place)
                .collect();
            let used = there
                .iter()
                .filter_map(|place| crowd.users[*place as usize].name);
            let mut names: Vec<u32> = used.chain(crowd.names.iter().copied()).collect();
            assert_eq!(names.len(), all);
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
            let places: HashSet<u32> = there.iter().chain(&crowd.free).copied().collect();
            assert_eq!(places.len(), crowd.users.len());
        }
        assert!(crowd.users() <= 50);
    }
}

#[test]
fn there_are_as_many_users_as_the_rate_needs() {
    let check = |per_second: i64, lines: i64, users: std::ops::RangeInclusive<usize>| {
        let (_, world) = world("");
        let mut crowd = crowd(&world);
        for line in 0..lines {
            crowd.next(line * SECOND / per_second, &world);
        }
        assert!(
            users.contains(&crowd.users()),
            "{per_second}: {}",
            crowd.users()
        );
    };
    // Ten lines a second with a pause of six seconds.
    check(10, 20_000, 50..=75);
    check(100, 50_000, 520..=700);
    check(1_000_000, 400_000, 9_900..=10_000);
}

#[test]
fn a_failing_page_is_the_one_that_is_open() {
    let (world, sessions) = by_session(
        "error_rates: {global_500_rate: 0}\nstate_transitions: {BROWSING: {ERROR: 1}}",
        20_000,
        10,
    );
    let mut failures = 0;
    for hits in sessions.values() {
        for pair in hits.windows(2) {
            if pair[1].outcome == Outcome::ServerError && pair[1].target == pair[0].target {
                assert_eq!(pair[1].status, 500);
                failures += 1;
            }
        }
    }
    assert!(failures > 300, "{failures}");
    assert_eq!(world.status.server_error, 500);
}

#[test]
fn carts_are_left_as_often_as_configured() {
    let check = |rate: f64| {
        let text = format!(
            "error_rates: {{cart_abandonment_rate: {rate}}}\nnavigation: {{home: {{\"/about\": 1}}}}\nstate_transitions: {{START: {{LOGIN: 1}}, LOGIN: {{ABANDON: 1}}}}"
        );
        let (world, sessions) = by_session(&text, 30_000, 10);
        let cart = |hit: &Hit| world.site.target(hit.target).path == "/cart";
        let left = sessions
            .values()
            .filter(|hits| hits.iter().any(cart))
            .count();
        let share = left as f64 / sessions.len() as f64;
        assert!((share - rate).abs() < 0.02, "{rate}: {share}");
    };
    check(0.0);
    check(0.5);
    check(1.0);
}

/// How often each page was opened and each status was answered, among so many lines from one on.
fn shares(
    crowd: &mut Crowd,
    world: &World,
    lines: std::ops::Range<i64>,
    per_second: i64,
) -> HashMap<String, f64> {
    let each = 1.0 / (lines.end - lines.start) as f64;
    let mut shares = HashMap::new();
    for line in lines {
        let hit = crowd.next(line * SECOND / per_second, world);
        let target = world.site.target(hit.target);
        let page = target.path.split('?').next().unwrap_or_default();
        for name in [
            format!("{} {page}", target.method),
            hit.status.to_string(),
            format!("name {}", hit.name.is_some()),
            format!("referrer {}", hit.referrer.is_some()),
        ] {
            *shares.entry(name).or_insert(0.0) += each;
        }
    }
    shares
}

#[test]
fn the_first_lines_are_like_all_others() {
    let check = |text: &str, per_second: i64, later: i64| {
        let (_, world) = world(text);
        let mut crowd = crowd(&world);
        let needed = per_second as f64 * world.pause.middle();
        crowd.settle(&world, 0, needed);
        assert_eq!(*crowd.tally(), Tally::default());
        let first = shares(&mut crowd, &world, 0..5000, per_second);
        for line in 5000..later {
            crowd.next(line * SECOND / per_second, &world);
        }
        let late = shares(&mut crowd, &world, later..later + 100_000, per_second);
        for (name, share) in &late {
            let found = first.get(name).copied().unwrap_or(0.0);
            // Lines of one session are no draws of their own: twice what those would differ.
            let limit = 4.0 * (share / 5000.0).sqrt() * 2.0 + 0.001;
            assert!(
                (found - share).abs() <= limit,
                "{text} {per_second}: {name} {found}, later {share}"
            );
        }
        let login = late.get("POST /login").copied().unwrap_or(0.0);
        let first = first.get("POST /login").copied().unwrap_or(0.0);
        assert!(
            (first - login).abs() <= 4.0 * (login / 5000.0).sqrt(),
            "{text} {per_second}: {first} {login}"
        );
    };
    check("", 1000, 100_000);
    check("", 10, 20_000);
    // More users than there may be.
    check("session: {concurrent_users: 1000}", 10_000, 100_000);
    // Long stays, short ones, and none.
    check(
        "session: {min_browsing_duration: 3000, max_browsing_duration: 7200}",
        1000,
        1_000_000,
    );
    check(
        "session: {min_browsing_duration: 0, max_browsing_duration: 1}",
        1000,
        100_000,
    );
    check(
        "state_transitions: {START: {DIRECT_ACCESS: 1}, DIRECT_ACCESS: {END: 1}}",
        1000,
        100_000,
    );
}

#[test]
fn who_is_there_at_the_start_is_one_who_can_be() {
    let (_, world) = world("session: {concurrent_users: 50}");
    for needed in [0.4, 1.0, 30.0, 1e9, f64::INFINITY] {
        let mut crowd = crowd(&world);
        crowd.settle(&world, 0, needed);
        let users = crowd.users();
        assert!(
            // Another one may come where lines are far apart.
            users as f64 <= needed.ceil() * 1.5 + 1.0 && users <= 50,
            "{needed}: {users}"
        );
        assert!(users >= 45 || needed < 50.0, "{needed}: {users}");
        let used = crowd
            .waiting
            .iter()
            .filter_map(|Reverse((_, place))| crowd.users[*place as usize].name);
        let mut names: Vec<u32> = used.chain(crowd.names.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 50);
        let addresses: HashSet<Vec<u8>> = crowd
            .waiting
            .iter()
            .map(|Reverse((_, place))| crowd.users[*place as usize].address.as_bytes().to_vec())
            .collect();
        assert_eq!(addresses.len(), users);
    }
}
