//! What does not change while lines are made: the site, the moves between states, and who users can be.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use super::config::{AccessConfig, StatusConfig};
use super::site::Site;
use super::state::Moves;
use crate::generate::draw::{self, Weights};
use crate::generate::pools;
use crate::generate::seed::Seed;

/// User agents that are drawn where the configuration has none.
const AGENTS: usize = 200;

/// Names that are drawn; more users than that have numbers behind their names.
const NAMES: usize = 1000;

/// Of three users so many sit at a desktop.
const DESKTOP: f64 = 2.0;

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    least: f64,
    width: f64,
}

impl Span {
    /// From so many seconds to so many.
    #[must_use]
    pub fn seconds(least: f64, most: f64) -> Self {
        Self {
            least: least * 1e9,
            width: (most - least).max(0.0) * 1e9,
        }
    }

    /// A time within.
    #[inline]
    pub fn draw(&self, stream: &mut ChaCha8Rng) -> i64 {
        let part = f64::from(stream.next_u32()) / 4_294_967_296.0;
        part.mul_add(self.width, self.least) as i64
    }

    /// What is left of such a time at some moment within it: the longer it is, the likelier is it that
    /// the moment falls into it.
    pub fn rest(&self, stream: &mut ChaCha8Rng) -> i64 {
        let mut part = || f64::from(stream.next_u32()) / 4_294_967_296.0;
        let most = self.least + self.width;
        let square = part().mul_add(
            most * most - self.least * self.least,
            self.least * self.least,
        );
        (square.sqrt() * part()) as i64
    }

    /// The one in the middle, in seconds.
    #[must_use]
    pub fn middle(&self) -> f64 {
        (self.width / 2.0 + self.least) / 1e9
    }
}

/// All that lines are made of.
#[derive(Debug)]
pub struct World {
    /// The pages.
    pub site: Site,
    /// The moves between states.
    pub moves: Moves,
    /// How long a stay in BROWSING is.
    pub stay: Span,
    /// The pause between two lines of a user.
    pub pause: Span,
    /// How likely a user who goes away leaves a cart.
    pub cart: f64,
    /// The status of each outcome.
    pub status: StatusConfig,
    /// Users at the same time, at most.
    pub users: u32,
    /// Their names, one for each user there can be.
    pub names: Vec<String>,
    /// Their programs.
    pub agents: Vec<String>,
    /// Which of the programs; `None`: each as likely as the others.
    agent_weights: Option<Weights>,
    networks: Vec<IpNet>,
}

impl World {
    /// The world of a configuration. The names and, where none are configured, the user agents are
    /// drawn from `seed`.
    #[must_use]
    pub fn new(config: &AccessConfig, seed: Seed) -> Self {
        let session = &config.session;
        let users = &config.users;
        let (agents, agent_weights) = match users.desktop.is_empty() && users.mobile.is_empty() {
            true => (pools::user_agents(seed, AGENTS), None),
            false => {
                let weight = |list: &[String], of_all: f64| of_all / list.len().max(1) as f64;
                let desktop = users.desktop.iter();
                let mobile = users.mobile.iter();
                let agents = desktop.chain(mobile).cloned().collect();
                let weights =
                    std::iter::repeat_n(weight(&users.desktop, DESKTOP), users.desktop.len())
                        .chain(std::iter::repeat_n(
                            weight(&users.mobile, 1.0),
                            users.mobile.len(),
                        ));
                (agents, Weights::new(weights).ok())
            }
        };
        Self {
            site: Site::new(config),
            moves: Moves::new(&config.moves.0),
            stay: Span::seconds(session.min_browsing_duration, session.max_browsing_duration),
            pause: Span::seconds(
                session.min_page_view_interval,
                session.max_page_view_interval,
            ),
            cart: config.errors.cart_abandonment_rate,
            status: config.status,
            users: session.concurrent_users,
            names: names(seed, session.concurrent_users as usize),
            agents,
            agent_weights,
            networks: users.ip_ranges.clone(),
        }
    }

    /// The number of a user agent.
    #[inline]
    pub fn agent(&self, stream: &mut ChaCha8Rng) -> u32 {
        match &self.agent_weights {
            Some(weights) => weights.draw(stream) as u32,
            None => draw::below(stream, self.agents.len() as u32),
        }
    }

    /// An address of a user.
    pub fn address(&self, stream: &mut ChaCha8Rng) -> IpAddr {
        match draw::one(stream, &self.networks) {
            None => pools::public_address(stream).into(),
            Some(IpNet::V4(network)) => {
                let host = stream.next_u32() & network.hostmask().to_bits();
                // The first and the last address of a network are nobody's.
                let wide = network.hostmask().to_bits() >= 3;
                let host = match wide {
                    true => host.clamp(1, network.hostmask().to_bits() - 1),
                    false => host,
                };
                IpAddr::from((network.network().to_bits() | host).to_be_bytes())
            }
            Some(IpNet::V6(network)) => {
                let random = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
                let host = random & network.hostmask().to_bits();
                IpAddr::from((network.network().to_bits() | host).to_be_bytes())
            }
        }
    }
}

/// Names of which no two are equal.
fn names(seed: Seed, count: usize) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut names: Vec<String> = pools::user_names(seed, NAMES.min(count))
        .into_iter()
        .filter(|name| seen.insert(name.clone()))
        .collect();
    let drawn = names.len().max(1);
    let mut number = 2;
    while names.len() < count {
        for at in 0..drawn {
            let name = format!("{}_{number}", names.get(at).map_or("user", String::as_str));
            if names.len() < count && seen.insert(name.clone()) {
                names.push(name);
            }
        }
        number += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn no_two_users_have_one_name() {
        let check = |count: usize| {
            let names = names(Seed(3), count);
            assert_eq!(names.len(), count);
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), count);
            for name in names {
                let is_word = name.bytes().all(|byte| byte.is_ascii_graphic());
                assert!(is_word && !name.is_empty(), "{name:?}");
            }
        };
        check(0);
        check(1);
        check(999);
        check(10_000);
    }

    #[test]
    fn addresses_are_of_the_networks() {
        let check = |networks: &[&str]| {
            let mut config = AccessConfig::default();
            let read = |text: &&str| text.parse::<IpNet>().unwrap();
            config.users.ip_ranges = networks.iter().map(read).collect();
            let world = World::new(&config, Seed(1));
            let mut stream = ChaCha8Rng::seed_from_u64(1);
            for _ in 0..2000 {
                let address = world.address(&mut stream);
                let networks = &config.users.ip_ranges;
                assert!(
                    networks.iter().any(|network| network.contains(&address)),
                    "{address}"
                );
            }
        };
        check(&["10.0.0.0/8"]);
        check(&["192.0.2.7/32", "2001:db8::/64", "198.51.100.0/31"]);
        check(&["0.0.0.0/0", "::/0"]);
    }

    #[test]
    fn two_of_three_sit_at_a_desktop() {
        let mut config = AccessConfig::default();
        config.users.desktop = vec!["d1".to_owned(), "d2".to_owned()];
        config.users.mobile = vec!["m".to_owned()];
        let world = World::new(&config, Seed(1));
        let mut stream = ChaCha8Rng::seed_from_u64(1);
        let mobile = (0..30_000).filter(|_| world.agents[world.agent(&mut stream) as usize] == "m");
        let mobile = mobile.count();
        assert!((9_500..10_500).contains(&mobile), "{mobile}");
    }

    #[test]
    fn spans_hold_what_is_drawn() {
        let mut stream = ChaCha8Rng::seed_from_u64(1);
        let span = Span::seconds(2.0, 10.0);
        let drawn: Vec<i64> = (0..10_000).map(|_| span.draw(&mut stream)).collect();
        let seconds = |number: i64| number * 1_000_000_000;
        assert!(
            drawn
                .iter()
                .all(|time| (seconds(2)..=seconds(10)).contains(time))
        );
        assert!(drawn.iter().any(|time| *time < seconds(3)));
        assert!(drawn.iter().any(|time| *time > seconds(9)));
        assert_eq!(Span::seconds(5.0, 5.0).draw(&mut stream), seconds(5));
    }
}
